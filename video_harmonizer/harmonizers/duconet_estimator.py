"""DucoNet in the pipeline: it harmonizes the thumbnail, and curves carry that over to full resolution."""

import logging
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rvm.imagenet import DEVIATION, MEAN
from video_harmonizer.engine import Engine, NetworkRecipe, as_numpy
from video_harmonizer.errors import InputError
from video_harmonizer.frame import ToneCurves
from video_harmonizer.harmonizers.duconet import MULTIPLE, DucoNet
from video_harmonizer.harmonizers.fit import fit_curves
from video_harmonizer.harmonizers.lab import opencv_lab
from video_harmonizer.thumbnails import SIZE, Thumbnails
from video_harmonizer.weights.checkpoint import Checkpoint, Facts, open_checkpoint
from video_harmonizer.weights.load import load_into, read_metadata, read_state

log = logging.getLogger(__name__)


def normalize(image: Tensor) -> Tensor:
    """(B, 3, H, W) RGB 0..1 as the network takes it: ImageNet's mean and deviation taken out."""
    mean, deviation = _statistics(image)
    return (image - mean) / deviation


def denormalize(image: Tensor) -> Tensor:
    """And back; not clamped."""
    mean, deviation = _statistics(image)
    return image * deviation + mean


def _statistics(like: Tensor) -> tuple[Tensor, Tensor]:
    """ImageNet's, (3, 1, 1) each."""
    return like.new_tensor(MEAN).view(3, 1, 1), like.new_tensor(DEVIATION).view(3, 1, 1)


class HarmonizeStep(nn.Module):
    """A composite as it is, (1, S, S, 3) and (1, S, S) uint8, harmonized, (1, S, S, 3) 0..1: what an engine runs."""

    def __init__(self, network: DucoNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor, mask: Tensor) -> tuple[Tensor]:
        image = picture.movedim(-1, 1).float() / 255
        answer = self.network(normalize(image), mask[:, None].float() / 255, opencv_lab(image))
        return (denormalize(answer).clamp(0, 1).movedim(1, -1),)

    @staticmethod
    def example(side: int, device: torch.device | None = None) -> tuple[Tensor, ...]:
        """Inputs of that size."""
        blank = torch.zeros(1, side, side, 3, dtype=torch.uint8, device=device)
        return blank, blank[..., 0]


class DucoNetEstimator:
    """The curves that come closest to what DucoNet makes of a thumbnail.

    Args:
        network: of `load_duconet`.
        side: of the thumbnails in pixels, the resolution that the checkpoint was trained at: 256 or 1024.

    Raises:
        ValueError: the side is not a multiple of `duconet.MULTIPLE`.
    """

    name = "duconet"
    close: int | None = None  # the whole composite is all that it looks at

    def __init__(self, network: Checkpoint[DucoNet], engine: Engine, side: int = SIZE) -> None:
        if side < MULTIPLE or side % MULTIPLE:
            raise ValueError(f"got a side of {side} pixels; want a multiple of {MULTIPLE}")
        self.side = side
        self._engine = engine
        self._network = network
        self._run = engine.prepare(NetworkRecipe(f"{network.key} harmonize {side}", self._make, exact=True))
        self._warned = False

    def harmonize(self, picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The network's own answer: (side, side, 3) and (side, side) uint8 -> (side, side, 3) float32 0..1.

        All of it is the network's, also outside the mask, where it was taught to leave colours as they are.
        """
        if picture.shape != (self.side, self.side, 3):
            raise ValueError(f"got a thumbnail of shape {picture.shape}; want {(self.side, self.side, 3)}")
        (answer,) = self._run(*(self._engine.put(array[None]) for array in (picture, mask)))
        return as_numpy(answer)[0]

    def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
        """Curves of ``samples`` levels.

        Returns:
            None without thumbnails (nobody in view, or nothing else), and where the answer is not finite.
        """
        if thumbnails is None:
            return None
        inside = thumbnails.background_mask > 127
        after = self.harmonize(thumbnails.background, thumbnails.background_mask)[inside]
        if not np.isfinite(after).all():
            if not self._warned:
                log.warning("%s: got colours that are not finite; frames keep the last good curves", self.name)
                self._warned = True
            return None
        return fit_curves(thumbnails.background[inside], after, samples)

    @cached_property
    def step(self) -> HarmonizeStep:
        """What the engine runs."""
        return HarmonizeStep(self._network.network())

    def _make(self) -> Any:
        return self.step, self.step.example(self.side)


def load_duconet(path: Path, engine: Engine, side: int | None = None) -> DucoNetEstimator:
    """An estimator with the weights of that file: the authors' checkpoint, or one trained here.

    Args:
        side: of the pictures that the network looks at, in pixels. Weights do not tell it. None takes what a
            ``.safetensors`` file says of itself, or else 256.

    Raises:
        InputError: the file is not a checkpoint of this network, or says of itself a side that can't be.
    """

    def read() -> tuple[DucoNet, Facts]:
        network = DucoNet()
        load_into(network, read_state(path), str(path))
        return network, {"side": read_metadata(path).get("side", str(SIZE))}

    checkpoint = open_checkpoint(path, "duconet", read)
    return DucoNetEstimator(checkpoint, engine, side or _checked(checkpoint.about["side"], path))


def _checked(said: str, path: Path) -> int:
    if not said.isdecimal() or not int(said) or int(said) % MULTIPLE:
        raise InputError(
            f"{path}: says of itself side {said!r}, want a multiple of {MULTIPLE}; give the side of its training"
        )
    return int(said)
