"""Matting with RobustVideoMatting: one owner of the network's memory, from frame to matte."""

import logging

import numpy as np
import torch
from torch import Tensor, nn

from rvm import MattingNetwork
from video_harmonizer.engine import Engine, Prepared, fingerprint
from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, Matte
from video_harmonizer.weights.load import load_into

logger = logging.getLogger(__name__)

# Across a longer gap (a cut, a seek, a camera that stalled) people have moved further than the network's
# memory, trained on neighbouring frames, can follow: an old silhouette would haunt the new picture.
MAX_GAP_SECONDS = 1.0

# Without a past the network takes a chair for a part of who sits before it. Shown the first frame a few times, it
# settles as it would on a still scene.
SETTLING_PASSES = 6

AUTO_LONGEST_SIDE = 512  # low-res pixels; what the network was trained for


class FrameStep(nn.Module):
    """One frame through the network, from a frame's levels to a matte's: what an engine runs.

    (1, H, W, 3) uint8, or int32 with 16-bit levels -> alpha (1, H, W) uint8, foreground (1, H, W, 3) of the input's
    type, a sum that is finite if all is, and the memory.
    """

    def __init__(self, network: MattingNetwork, ratio: float, top: int) -> None:
        super().__init__()
        self.network = network
        self.ratio = ratio
        self.top = top  # the level of white

    def forward(self, rgb: Tensor, r1: Tensor, r2: Tensor, r3: Tensor, r4: Tensor) -> tuple[Tensor, ...]:
        src = rgb.permute(0, 3, 1, 2).float() / self.top
        fgr, pha, *memory = self.network(src, r1, r2, r3, r4, downsample_ratio=self.ratio)
        alpha = (pha[:, 0] * 255).round().to(torch.uint8)
        foreground = (fgr.permute(0, 2, 3, 1) * self.top).round().to(rgb.dtype)
        # NaN survives a sum, which is cheaper than asking every value; it may not survive the clamp to 0..1, so the
        # memory is asked too
        total = fgr.sum() + pha.sum() + sum(state.sum() for state in memory)
        return alpha, foreground, total, *memory


class RVMMatting:
    """Recurrent: each matte builds on the frames before it.

    Starts afresh by itself when the frame's size changes, and when index or time jump (see MAX_GAP_SECONDS).
    If the network gives NaN, the frame is tried again without memory; if that fails too, the last good matte
    of this size stands in (or an empty one), and a warning is logged once.

    Args:
        network: in any mode; moved to the engine's device and set to evaluation.
        downsample_ratio: over 0, up to 1; None takes the longest side to 512 pixels, and never enlarges.
        engine: what runs it.
        settling: how many times a first frame is shown before its matte is taken.

    Raises:
        InputError: for a ratio out of range, here, or too small for a frame, in `matte`.
    """

    def __init__(
        self,
        network: MattingNetwork,
        downsample_ratio: float | None,
        engine: Engine,
        settling: int = SETTLING_PASSES,
    ) -> None:
        if downsample_ratio is not None and not 0 < downsample_ratio <= 1:
            raise InputError(
                f"--downsample-ratio {downsample_ratio:g}: not over 0 and up to 1; "
                "give for example 0.25 for 1080p, or leave it out"
            )
        self.name = f"rvm_{network.variant}"
        self._network = network.to(engine.device).eval()
        self._downsample_ratio = downsample_ratio
        self._engine = engine
        self._step: Prepared | None = None
        self._step_is_for: tuple[tuple[int, int], np.dtype] | None = None
        self._settling = settling
        self._warned = False
        self.reset()

    def reset(self) -> None:
        """Forget every frame seen so far."""
        self._memory: tuple[Tensor, ...] = ()
        self._last_frame: tuple[tuple[int, int], int, float] | None = None  # size, index, seconds
        self._last_good: Matte | None = None

    def matte(self, frame: Frame) -> Matte:
        """Alpha (H, W) uint8; foreground (H, W, 3) in the frame's dtype, meaningful where 0 < alpha < 255."""
        if not self._continues(frame):
            # after frames that a live source dropped, it is we who were slow: settling would make us slower still
            late = self._last_frame is not None and frame.index > self._last_frame[1] + 1
            self.reset()
            self._memory = self._initial_memory(frame)
            for _ in range(0 if late else self._settling):
                self._infer(frame)
        self._last_frame = frame.size, frame.index, frame.seconds

        matte = self._infer(frame) or self._infer(frame)  # the second time without memory
        if matte is None:
            self._warn_once(frame)
            return self._last_good or Matte(np.zeros(frame.size, np.uint8))
        self._last_good = matte
        return matte

    def _infer(self, frame: Frame) -> Matte | None:
        """One step of the network; None, and no memory any more, if its result is not finite."""
        # 16-bit levels travel as int32, which engines know; arrays that torch can't take as they are, are copied
        levels = frame.rgb if frame.rgb.dtype == np.uint8 else frame.rgb.astype(np.int32)
        rgb = torch.from_numpy(np.require(levels, requirements=["C", "W"]))[None].to(self._engine.device)
        alpha, foreground, total, *memory = self._step_for(frame, rgb)(rgb, *self._memory)
        if not torch.isfinite(total):
            self._memory = self._initial_memory(frame)
            return None
        self._memory = tuple(memory)
        return Matte(alpha[0].cpu().numpy(), foreground[0].cpu().numpy().astype(frame.rgb.dtype, copy=False))

    def _step_for(self, frame: Frame, rgb: Tensor) -> Prepared:
        """The network, ready for frames of this size and dtype."""
        if self._step is None or self._step_is_for != (frame.size, frame.rgb.dtype):
            ratio, top = self._ratio_for(frame.size), int(np.iinfo(frame.rgb.dtype).max)
            step = FrameStep(self._network, ratio, top)
            self._step = self._engine.prepare(step, (rgb, *self._memory), f"{fingerprint(step)} {ratio} {top}")
            self._step_is_for = frame.size, frame.rgb.dtype
        return self._step

    def _initial_memory(self, frame: Frame) -> tuple[Tensor, ...]:
        ratio = self._ratio_for(frame.size)
        return self._network.initial_states(1, *(int(side * ratio) for side in frame.size))

    def _continues(self, frame: Frame) -> bool:
        if self._last_frame is None:
            return False
        size, index, seconds = self._last_frame
        return frame.size == size and frame.index >= index and 0 <= frame.seconds - seconds <= MAX_GAP_SECONDS

    def _ratio_for(self, size: tuple[int, int]) -> float:
        ratio = self._downsample_ratio or min(AUTO_LONGEST_SIDE / max(size), 1.0)
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


def load_network(state: dict[str, Tensor], name: str) -> MattingNetwork:
    """The network that a checkpoint in the published layout belongs to, with its weights.

    Args:
        state: key -> float32 tensor. Its keys tell the variant, and the refiner: the deep one has weights.
        name: the checkpoint's, for messages.

    Raises:
        InputError: naming the keys and shapes that don't fit.
    """
    variant = "resnet50" if "backbone.conv1.weight" in state else "mobilenetv3"
    refined = any(key.startswith("refiner.") for key in state)
    network = MattingNetwork(variant, "deep_guided_filter" if refined else "fast_guided_filter")
    load_into(network, state, name)
    return network
