"""Matting with RobustVideoMatting: one owner of the network's memory, from frame to matte."""

import logging
import math
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from video_harmonizer.engine import Array, Engine, ReadyNetwork, as_numpy
from video_harmonizer.errors import InputError
from video_harmonizer.frame import MAX_GAP_SECONDS, Frame, Matte
from video_harmonizer.matting import Matting
from video_harmonizer.matting.halves import Encode, Halves, Size
from video_harmonizer.matting.kernels import apply_coefficients, fit_lines, shrink
from video_harmonizer.weights.checkpoint import Checkpoint, Facts, open_checkpoint

if TYPE_CHECKING:
    from rvm import MattingNetwork

logger = logging.getLogger(__name__)

Steps = tuple[Encode, ReadyNetwork]  # encode, decode

# Without a past the network takes a chair for a part of who sits before it. Shown the first frame a few times, it
# settles as it would on a still scene.
SETTLING_PASSES = 6

LONGEST_SIDE = 512  # low-res pixels that suit a network if nothing is said: about what it was trained for
AREA = {"squeezenet": 48_000}  # low-res pixels in all, for a variant that loses its view of people who fill more
MATTES = 5  # that exist at a time: later stages may still be at earlier frames


@dataclass(frozen=True)
class Look:
    """What the network's first half found in a frame, and the second half for its size."""

    picture: np.ndarray  # (1, 3, h, w) float32 0..1, the frame at low resolution
    base: Array  # the same for the engine
    refined: bool  # at full size there is nothing to refine: offsets are the answer
    features: tuple[Array, ...]
    decode: ReadyNetwork


class RVMMatting(Matting):
    """Recurrent: each matte builds on the frames before it.

    Starts afresh by itself at a cut, when the frame's size changes, and when index or time jump (see MAX_GAP_SECONDS).
    If the network gives NaN, the frame is tried again without memory; if that fails too, the last good matte
    of this size stands in (or an empty one), and a warning is logged once.

    Args:
        network: of `load_rvm`; moved to the engine's device and set to evaluation.
        downsample_ratio: over 0, up to 1; None takes `suitable_ratio`.
        engine: what runs it.
        name: of the weights, for the report; the variant's if there is none.
        settling: how many times a first frame is shown before its matte is taken.

    Raises:
        InputError: for a ratio out of range, here, or too small for a frame, in `matte`.
    """

    scalable = True

    def __init__(
        self,
        network: "Checkpoint[MattingNetwork]",
        downsample_ratio: float | None,
        engine: Engine,
        name: str | None = None,
        settling: int = SETTLING_PASSES,
    ) -> None:
        if downsample_ratio is not None and not 0 < downsample_ratio <= 1:
            raise InputError(
                f"--downsample-ratio {downsample_ratio:g}: not over 0 and up to 1; "
                "give for example 0.4, or leave it out for what suits the network"
            )
        self._variant = network.about["variant"]
        self.name = name or f"rvm_{self._variant}"
        self._halves = Halves(network, engine)
        self._downsample_ratio = downsample_ratio
        self._engine = engine
        self._scale = self._wanted = 1.0
        self._frame_size: Size | None = None  # of the latest
        self._rescaling: threading.Thread | None = None
        self._lock = threading.Lock()  # of these, and of what is added to the steps
        self._steps: dict[tuple[Size, Size], Steps] = {}  # by a frame's size and that at which it is looked at
        self._buffers: list[tuple[np.ndarray, np.ndarray]] = []
        self._lines: np.ndarray | None = None  # (2, 4, h, w), used again
        self._settling = settling
        self._warned = False
        self.reset()

    def reset(self) -> None:
        """Forget every frame seen so far."""
        self._memory: tuple[Array, ...] = ()
        self._seen_at: tuple[int, ...] = ()  # shape of the picture that the memory is of
        self._last_frame: tuple[tuple[int, int], int, float] | None = None  # size, index, seconds
        self._last_good: Matte | None = None

    def look(self, frame: Frame) -> Look:
        """The frame at low resolution and its features."""
        scale = self._scale
        self._frame_size = frame.size
        encode, decode = self._steps_for(frame.size, scale)
        picture = np.empty((1, 3, *self._small(frame.size, scale)), np.float32)
        shrink(np.ascontiguousarray(frame.rgb), picture[0])
        base = self._engine.put(picture)
        return Look(picture, base, picture.shape[2:] != frame.size, encode(base), decode)

    def matte(self, frame: Frame, seen: Look | None = None) -> Matte:
        """Alpha (H, W) uint8; foreground (H, W, 3) of the frame's dtype: they stay for the next `MATTES - 1` calls."""
        seen = seen or self.look(frame)
        if not self._continues(frame):
            # after frames that a live source dropped, it is we who were slow: settling would make us slower still
            late = self._last_frame is not None and frame.index > self._last_frame[1] + 1
            self.reset()
            self._memory = self._initial_memory(seen)
            for _ in range(0 if late else self._settling):
                self._infer(seen)
        elif seen.picture.shape != self._seen_at:
            pairs = zip(self._memory, _memory_shapes(seen), strict=True)
            self._memory = tuple(self._engine.put(_resized(as_numpy(state), *shape[2:])) for state, shape in pairs)
        self._seen_at = seen.picture.shape
        self._last_frame = frame.size, frame.index, frame.seconds

        coefficients = self._infer(seen) or self._infer(seen)  # the second time without memory
        if coefficients is None:
            self._warn_once(frame)
            return self._last_good or Matte(np.zeros(frame.size, np.uint8))
        alpha, foreground = self._next_buffers(frame)
        apply_coefficients(np.ascontiguousarray(frame.rgb), *coefficients, alpha, foreground)
        self._last_good = Matte(alpha, foreground)
        return self._last_good

    def _infer(self, seen: Look) -> tuple[np.ndarray, np.ndarray] | None:
        """The guided filter's coefficients; None, and no memory any more, if they are not finite."""
        r1, r2, r3, r4, total, *answer = seen.decode(seen.base, *seen.features, *self._memory)
        a, b = self._coefficients(seen, [as_numpy(part) for part in answer])
        # an engine's ReLU may turn NaN into 0, so the memory is asked too
        if not np.isfinite(a.sum() + b.sum() + float(total)):
            self._memory = self._initial_memory(seen)
            return None
        self._memory = r1, r2, r3, r4
        return a, b

    def _coefficients(self, seen: Look, answer: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Slopes and offsets (4, h, w), of which an engine makes those that need weights."""
        if len(answer) == 2:
            return answer[0], answer[1]
        (offsets,) = answer
        if not seen.refined:
            return np.zeros_like(offsets), offsets
        if self._lines is None or self._lines.shape[1:] != offsets.shape:
            self._lines = np.empty((2, *offsets.shape), np.float32)
        fit_lines(seen.picture[0], offsets, *self._lines)
        return self._lines[0], self._lines[1]

    def rescale(self, scale: float) -> None:
        """Change the size once the network is ready for it, which it gets in another thread: frames go on meanwhile."""

        with self._lock:
            self._wanted = scale
            if self._frame_size is None:
                self._scale = scale
            elif self._rescaling is None and scale != self._scale:
                work = threading.Thread(target=self._rescale, args=[self._frame_size], name="rescale", daemon=True)
                self._rescaling = work
                work.start()

    def is_rescaling(self) -> bool:
        return self._rescaling is not None

    def close(self) -> None:
        """Wait for the thread that changes the size: one that is inside a network when Python ends would crash it."""
        with self._lock:
            self._wanted, work = self._scale, self._rescaling
        if work:
            work.join()

    def _rescale(self, size: Size) -> None:
        """Prepare for the wanted size, until it is the one that there is."""
        while True:
            with self._lock:
                scale = self._wanted
                if scale == self._scale:
                    self._rescaling = None
                    return
            try:
                self._steps_for(size, scale)
            except Exception as error:  # of weights that were replaced, or of anything: frames go on as they were
                logger.warning("%s; mattes stay at their size", error)
                with self._lock:
                    self._wanted = self._scale
                continue
            with self._lock:
                if scale == self._wanted:  # nothing else was asked for meanwhile
                    self._scale = scale

    def _steps_for(self, size: Size, scale: float) -> Steps:
        """The network's halves, ready for frames of this size."""
        small = self._small(size, scale)
        ready = self._steps.get((size, small))
        if ready is None:
            refined = small != size
            ready = self._halves.encoder(small), self._halves.decoder(small, refined)
            with self._lock:  # frames and `_rescale` may both have made some; the dictionary itself never changes
                others = {sizes: steps for sizes, steps in self._steps.items() if sizes[0] == size}
                self._steps = others | {(size, small): ready}
        return ready

    def _next_buffers(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """(alpha, foreground) to write into, in turn."""
        like = self._buffers[0][1] if self._buffers else np.empty(0)
        if like.shape != frame.rgb.shape or like.dtype != frame.rgb.dtype:
            self._buffers = [
                (np.empty(frame.size, np.uint8), np.empty(frame.rgb.shape, frame.rgb.dtype)) for _ in range(MATTES)
            ]
        self._buffers.append(self._buffers.pop(0))
        return self._buffers[-1]

    def _initial_memory(self, seen: Look) -> tuple[Array, ...]:
        return tuple(self._engine.put(np.zeros(shape, np.float32)) for shape in _memory_shapes(seen))

    def _small(self, size: tuple[int, int], scale: float) -> tuple[int, int]:
        """(height, width) at which the network looks at a frame of that size."""
        ratio = self._ratio_for(size) * scale
        return max(1, int(size[0] * ratio)), max(1, int(size[1] * ratio))

    def _continues(self, frame: Frame) -> bool:
        if self._last_frame is None or frame.cut:
            return False
        size, index, seconds = self._last_frame
        return frame.size == size and frame.index >= index and 0 <= frame.seconds - seconds <= MAX_GAP_SECONDS

    def _ratio_for(self, size: tuple[int, int]) -> float:
        ratio = self._downsample_ratio or suitable_ratio(self._variant, size)
        if min(size) * ratio < 1:
            height, width = size
            raise InputError(
                f"--downsample-ratio {ratio:g}: leaves less than a pixel of a {width}x{height} frame; "
                f"give {min(1.0, 2 / min(size)):g} or more"
            )
        return ratio

    def _warn_once(self, frame: Frame) -> None:
        if not self._warned:
            logger.warning(
                "%s: no finite alpha at frame %d (%.2f s), using the last good matte, if there is one; said once",
                self.name,
                frame.index,
                frame.seconds,
            )
            self._warned = True


def load_rvm(path: Path, name: str) -> "Checkpoint[MattingNetwork]":
    """A checkpoint for `RVMMatting`; raises InputError where it is none.

    Args:
        name: for messages.
    """

    def read() -> "tuple[MattingNetwork, Facts]":
        from video_harmonizer.matting.network import read_network

        return read_network(path, name)

    return open_checkpoint(path, "rvm", read)


def suitable_ratio(variant: str, size: Size) -> float:
    """The scale at which that network does best with frames of that size; it never enlarges."""
    if variant in AREA:
        return min(1.0, math.sqrt(AREA[variant] / (size[0] * size[1])))
    return min(1.0, LONGEST_SIDE / max(size))


def _memory_shapes(seen: Look) -> list[tuple[int, ...]]:
    return seen.decode.shapes[1 + len(seen.features) :]


def _resized(state: np.ndarray, height: int, width: int) -> np.ndarray:
    """(1, C, h, w) -> (1, C, height, width), bilinear."""
    return np.stack([cv2.resize(channel, (width, height)) for channel in state[0]])[None]
