"""Matting with RobustVideoMatting: one owner of the network's memory, from frame to matte."""

import logging

import numpy as np
import torch
from torch import Tensor

from rvm import MattingNetwork
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

NO_MEMORY: tuple[None, ...] = (None, None, None, None)


class RVMMatting:
    """Recurrent: each matte builds on the frames before it.

    Starts afresh by itself when the frame's size changes, and when index or time jump (see MAX_GAP_SECONDS).
    If the network gives NaN, the frame is tried again without memory; if that fails too, the last good matte
    of this size stands in (or an empty one), and a warning is logged once.

    Args:
        network: on any device and in any mode; it is moved to `device` and set to evaluation.
        downsample_ratio: over 0, up to 1; None takes the longest side to 512 pixels, and never enlarges.
        device: where the network runs.
        settling: how many times a first frame is shown before its matte is taken.

    Raises:
        InputError: for a ratio out of range, here, or too small for a frame, in `matte`.
    """

    def __init__(
        self,
        network: MattingNetwork,
        downsample_ratio: float | None,
        device: torch.device,
        settling: int = SETTLING_PASSES,
    ) -> None:
        if downsample_ratio is not None and not 0 < downsample_ratio <= 1:
            raise InputError(
                f"--downsample-ratio {downsample_ratio:g}: not over 0 and up to 1; "
                "give for example 0.25 for 1080p, or leave it out"
            )
        self.name = f"rvm_{network.variant}"
        self._network = network.to(device).eval()
        self._downsample_ratio = downsample_ratio
        self._device = device
        self._settling = settling
        self._warned = False
        self.reset()

    def reset(self) -> None:
        """Forget every frame seen so far."""
        self._memory: tuple[Tensor | None, ...] = NO_MEMORY
        self._last_frame: tuple[tuple[int, int], int, float] | None = None  # size, index, seconds
        self._last_good: Matte | None = None

    def matte(self, frame: Frame) -> Matte:
        """Alpha (H, W) uint8; foreground (H, W, 3) in the frame's dtype, meaningful where 0 < alpha < 255."""
        if not self._continues(frame):
            self.reset()
            for _ in range(self._settling):
                self._infer(frame)
        self._last_frame = frame.size, frame.index, frame.seconds

        matte = self._infer(frame) or self._infer(frame)  # the second time without memory
        if matte is None:
            self._warn_once(frame)
            return self._last_good or Matte(np.zeros(frame.size, np.uint8))
        self._last_good = matte
        return matte

    @torch.inference_mode()
    def _infer(self, frame: Frame) -> Matte | None:
        """One step of the network; None, and no memory any more, if its result is not finite."""
        top = np.iinfo(frame.rgb.dtype).max
        ratio = self._ratio_for(frame.size)
        # A copy, for torch wants writable arrays without negative strides; converted where the network runs.
        pixels = torch.from_numpy(np.array(frame.rgb, order="C")).to(self._device)
        src = pixels.permute(2, 0, 1)[None].float() / top  # (1, 3, H, W)
        fgr, pha, *memory = self._network(src, *self._memory, downsample_ratio=ratio)
        # Values in 0..1 can't overflow a float32 sum, and NaN survives one: cheaper than asking every pixel.
        if not torch.isfinite(fgr.sum(dtype=torch.float32) + pha.sum(dtype=torch.float32)):
            self._memory = NO_MEMORY
            return None
        self._memory = tuple(memory)
        return Matte(
            alpha=_to_levels(pha[0, 0], np.dtype(np.uint8)),
            foreground=_to_levels(fgr[0].permute(1, 2, 0), frame.rgb.dtype),
        )

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


def _to_levels(values: Tensor, dtype: np.dtype) -> np.ndarray:
    """0..1 -> the dtype's whole range, rounded."""
    levels = (values * np.iinfo(dtype).max).round()
    return np.ascontiguousarray(levels.to(torch.uint8 if dtype == np.uint8 else torch.uint16).cpu().numpy())
