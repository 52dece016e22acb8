"""From a frame, its matte, a backdrop and curves to the pictures that were asked for."""

from collections.abc import Sequence

import numpy as np

from video_harmonizer.frame import Frame, Matte, ToneCurves, Views
from video_harmonizer.label import label
from video_harmonizer.rendering.kernels import blend, blend_pair, identity
from video_harmonizer.rendering.views import PANELS, size_of
from video_harmonizer.tone import quantize
from video_harmonizer.view import VIEWS

BACKDROPS = {"foreground": (0, 0, 0), "green": (0, 177, 64)}  # 8-bit RGB; the green of studio cloth
PAIR = {"harmonized", "paste"}  # drawn in one pass, as they look at the same pixels


class CPURenderer:
    """Renders chosen views of every frame into buffers that it owns and uses again.

    Args:
        views: names from `VIEWS`; each is rendered once a frame.
    """

    def __init__(self, views: Sequence[str]) -> None:
        for view in views:
            if view not in VIEWS:
                raise ValueError(f"got view {view!r}; want one of {', '.join(VIEWS)}")
        self.views = tuple(dict.fromkeys(views))
        self._buffers: dict[str, np.ndarray] = {}

    def render(self, frame: Frame, matte: Matte, backdrop: np.ndarray, curves: ToneCurves) -> Views:
        """Make the views of one frame.

        Args:
            backdrop: (H, W, 3) of the frame's size and dtype.
            curves: sampled at each of the frame's levels: 256 for uint8, 65536 for uint16.

        Returns:
            Pictures that stay as they are until the next frame is rendered.

        Raises:
            ValueError: curves of another number of samples.
        """
        if (samples := curves.table.shape[1]) != frame.levels:
            raise ValueError(f"got curves of {samples} samples, want one for each of {frame.levels} levels")
        # as float64: a float32 product can land on a half from either side, and then round the wrong way
        table = quantize(curves.table.astype(np.float64))
        images = {view: self._buffer(view, frame) for view in self.views}
        side_by_side = images.get("side-by-side")
        panels = {} if side_by_side is None else dict(zip(PANELS, np.split(side_by_side, len(PANELS), 1), strict=True))
        alone = {view: image for view, image in images.items() if view != "side-by-side"}
        for pictures in (alone, panels):
            if both := pictures.keys() >= PAIR:  # in one pass
                pair = pictures["harmonized"], pictures["paste"]
                blend_pair(frame.rgb, colors_of(matte, frame), matte.alpha, backdrop, table, *pair)
            for view, out in pictures.items():
                if not (both and view in PAIR):
                    draw(view, frame, matte, backdrop, table, out)
        for name, panel in panels.items():
            label(panel, name)
        return Views(images, frame.index, frame.seconds)

    def _buffer(self, view: str, frame: Frame) -> np.ndarray:
        shape = (*size_of(view, *frame.size), 3)
        buffer = self._buffers.get(view)
        if buffer is None or buffer.shape != shape or buffer.dtype != frame.rgb.dtype:
            buffer = self._buffers[view] = np.empty(shape, frame.rgb.dtype)
        return buffer


def draw(view: str, frame: Frame, matte: Matte, backdrop: np.ndarray, table: np.ndarray, out: np.ndarray) -> None:
    """Draw one view other than side-by-side into ``out`` (H, W, 3)."""
    top = np.iinfo(out.dtype).max
    if view == "original":
        np.copyto(out, frame.rgb)
    elif view == "alpha":
        np.multiply(matte.alpha[..., None], out.dtype.type(top // 255), out=out, dtype=out.dtype)
    else:
        if view in BACKDROPS:
            levels = np.array(BACKDROPS[view], out.dtype) * out.dtype.type(top // 255)
            backdrop = np.broadcast_to(levels, out.shape)
        if view != "harmonized":
            table = identity(out.dtype)
        blend(frame.rgb, colors_of(matte, frame), matte.alpha, backdrop, table, out)


def colors_of(matte: Matte, frame: Frame) -> np.ndarray:
    """The person's colours, without the old background's spill where the matte knows them."""
    return frame.rgb if matte.foreground is None else matte.foreground
