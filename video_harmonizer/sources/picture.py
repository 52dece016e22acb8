"""From a decoded video frame to upright RGB with square pixels."""

from fractions import Fraction

import av
import cv2
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from video_harmonizer import hdr, yuv
from video_harmonizer.frame import BT709, UNSPECIFIED, VideoColor

NEARLY_SQUARE = Fraction(1, 100)  # pixels less oblong than this are rounding in a header, not a wish
NEUTRAL = 8  # codes of 8 bits by which chroma of a gray picture may be off
PLANAR_DEPTHS = (9, 10, 12, 14, 16)  # for which FFmpeg has a yuv444p format


class PictureReader:
    """Converts the frames of one stream, all alike its first one.

    Pixels that are not square are made square by widening or heightening the picture, because backgrounds
    and networks have square ones. A later frame of another size is scaled to the first one's. HDR becomes SDR.

    Args:
        first: a frame that was decoded.
        pixel_aspect: width by height of its pixels.
        unsited: frames don't say where chroma lies.
        as_mask: levels are no colours, and stay as they are; where there is alpha it is the mask.
    """

    def __init__(
        self, first: av.VideoFrame, pixel_aspect: Fraction | None, unsited: bool = False, as_mask: bool = False
    ) -> None:
        pixel_format = first.format
        planes = pixel_format.components
        self.bits: int = max(plane.bits for plane in planes)
        self._dtype = np.dtype(np.uint8 if self.bits <= 8 else "<u2")
        self._gray = len(planes) < 3 and not pixel_format.has_palette
        self._rgb = pixel_format.is_rgb or pixel_format.has_palette or pixel_format.name.startswith("xyz")
        full_range = first.color_range == ColorRange.JPEG
        matrix = int(first.colorspace)
        # whether the video names a matrix that is none of ours; one that names none is of the usual one
        self.matrix_is_guessed = not self._rgb and matrix not in (*yuv.LUMA_WEIGHTS, UNSPECIFIED) and not self._gray
        if self._rgb:
            matrix, full_range = 0, False
        elif matrix not in yuv.LUMA_WEIGHTS:
            matrix = yuv.usual_matrix(first.width, first.height)
        self._matrix = matrix
        transfer = int(first.color_trc)
        self.hdr = transfer if transfer in hdr.TRANSFERS and not as_mask else None
        self.color = VideoColor(int(first.color_primaries), transfer, matrix, full_range)
        if self.hdr:
            self.color = VideoColor(BT709, BT709, 0 if self._rgb else BT709, full_range)
        # Gray that does not say is full range: what FFmpeg takes it for, reading and writing.
        self._full_range = full_range or (self._gray and first.color_range == ColorRange.UNSPECIFIED)
        self._has_alpha = any(plane.is_alpha for plane in planes)
        self._as_mask = as_mask
        self._in_alpha = False  # of a video with alpha a frame that is wholly opaque may be a mask in alpha, too
        self._left_chroma = _left_chroma(first) if unsited and len(planes) >= 3 and not self._rgb else None
        self._first_kind = _kind(first)
        self._target = self._common_format()
        self._coded_size = _square_pixels(first.width, first.height, pixel_aspect or Fraction(1))
        self._transposed, self._flip = _orientation(first)
        width, height = self._coded_size
        self.width, self.height = (height, width) if self._transposed else (width, height)
        self._reformatter = VideoReformatter()
        self.transparent = self._has_alpha and self._is_transparent(self._alpha(first))

    def read(self, frame: av.VideoFrame) -> np.ndarray:
        """The frame's pixels, (height, width, 3), uint8 for up to 8 bits and else uint16 over its whole range."""
        if self._as_mask and self._has_alpha:
            alpha = self._alpha(frame)
            self._in_alpha = self._in_alpha or self._is_transparent(alpha)
            if self._in_alpha:
                return self._upright(np.repeat(alpha, 3, axis=2))
        if self._left_chroma and _kind(frame) == self._first_kind:
            self._left_chroma.vpush(frame)
            frame = self._left_chroma.vpull()
        frame = self._reformat(frame, self._target)
        if self._rgb:
            rgb = self._plane(frame.planes[0], channels=3)
        else:
            planes = [self._plane(plane) for plane in frame.planes]
            if self._as_mask and all(self._is_nearly_neutral(chroma) for chroma in planes[1:]):
                planes = planes[:1]
            rgb = yuv.to_rgb(planes, self._matrix, self._full_range, self._code_bits)
        return self._upright(hdr.to_sdr(rgb, self.hdr) if self.hdr else rgb)

    def _reformat(self, frame: av.VideoFrame, layout: str) -> av.VideoFrame:
        width, height = self._coded_size
        # FFmpeg refuses some matrices even though none is applied here
        if not self._rgb and int(frame.colorspace) not in (*yuv.LUMA_WEIGHTS, UNSPECIFIED):
            frame.colorspace = self._matrix
        # Naming the range on both sides keeps swscale from converting it: that is done by us, exactly.
        unchanged = ColorRange.JPEG if self._full_range else ColorRange.MPEG
        return self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=layout,
            interpolation=Interpolation.BICUBIC,
            src_color_range=unchanged,
            dst_color_range=unchanged,
        )

    def _alpha(self, frame: av.VideoFrame) -> np.ndarray:
        """(height, width, 1) as coded, before it is turned."""
        frame = self._reformat(frame, "rgba64le" if self._dtype.itemsize == 2 else "rgba")
        return self._plane(frame.planes[0], channels=4)[..., 3:]

    def _is_transparent(self, alpha: np.ndarray) -> bool:
        # swscale makes 16 bits of 10 by shifting: 65472 is white, too
        return bool(alpha.min() >> 8 * self._dtype.itemsize - 8 < 255)

    def _is_nearly_neutral(self, chroma: np.ndarray) -> bool:
        """Gray, but for what conversion and compression do."""
        middle, most = 1 << self._code_bits - 1, NEUTRAL << self._code_bits - 8
        return middle - most <= int(chroma.min()) and int(chroma.max()) <= middle + most

    def _common_format(self) -> str:
        """The nearest layout whose planes can be read: same depth, chroma at full size, no alpha."""
        deep = self.bits > 8
        self._code_bits = 8 if not deep else self.bits if self.bits in PLANAR_DEPTHS else 16
        if self._rgb:
            return "rgb48le" if deep else "rgb24"
        if self._gray:
            return f"gray{self._code_bits}le" if deep else "gray"
        return f"yuv444p{self._code_bits}le" if deep else "yuv444p"

    def _plane(self, plane: av.video.plane.VideoPlane, channels: int = 1) -> np.ndarray:
        rows = np.frombuffer(plane, self._dtype)  # type: ignore[call-overload]
        rows = rows.reshape(plane.height, plane.line_size // self._dtype.itemsize)
        rows = rows[:, : plane.width * channels]
        return rows.reshape(plane.height, plane.width, channels) if channels > 1 else rows

    def _upright(self, rgb: np.ndarray) -> np.ndarray:
        if self._transposed:
            rgb = cv2.transpose(rgb)
        if self._flip is not None:
            rgb = cv2.flip(rgb, self._flip)
        return np.ascontiguousarray(rgb)


def _kind(frame: av.VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _left_chroma(first: av.VideoFrame) -> Graph:
    """Names the place of chroma in frames like that one: PyAV can't."""
    graph = Graph()
    buffer = graph.add(
        "buffer",
        video_size=f"{first.width}x{first.height}",
        pix_fmt=first.format.name,
        time_base="1/1",
        pixel_aspect="1/1",
        colorspace=str(int(first.colorspace)),
        range=str(int(first.color_range)),
    )
    graph.link_nodes(buffer, graph.add("setparams", "chroma_location=left"), graph.add("buffersink")).configure()
    return graph


def _square_pixels(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    if aspect <= 0 or abs(aspect - 1) < NEARLY_SQUARE:
        return width, height
    # Even, as pixels are made up anyway: with an odd side the output would need colours at full size, which few play.
    return (2 * round(width * aspect / 2), height) if aspect > 1 else (width, 2 * round(height / aspect / 2))


def _orientation(frame: av.VideoFrame) -> tuple[bool, int | None]:
    """Whether to swap rows and columns, and then OpenCV's flip code, from the stream's display matrix.

    The matrix's first four numbers (a, b, c, d, rows of three) place the pixel (x, y) at
    (a x + c y, b x + d y). PyAV's own `rotation` would lose mirroring.
    """
    try:
        matrix = np.frombuffer(frame.side_data["DISPLAYMATRIX"], np.int32)  # type: ignore[typeddict-item]
    except KeyError:
        return False, None
    a, b, _, c, d = (int(value) for value in matrix[:5])
    transposed = abs(b) + abs(c) > abs(a) + abs(d)
    mirror_x, mirror_y = (c < 0, b < 0) if transposed else (a < 0, d < 0)
    flip = {(False, False): None, (True, False): 1, (False, True): 0, (True, True): -1}[mirror_x, mirror_y]
    return transposed, flip
