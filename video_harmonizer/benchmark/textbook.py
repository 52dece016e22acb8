"""The pipeline as papers and their demos have it: eager torch, float pictures at full resolution, one step at a time.

It is what the application is measured against, and shows the same picture.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rvm import MattingNetwork
from video_harmonizer.benchmark.meters import Stopwatch
from video_harmonizer.frame import Frame, Matte
from video_harmonizer.harmonizers.estimate_step import EstimateStep, read_network
from video_harmonizer.matting import Matting
from video_harmonizer.thumbnails import make_thumbnails

Found = tuple[Tensor, Tensor]  # the person's colours (1, 3, H, W) and alpha (1, 1, H, W), float 0..1


class WholeNetwork:
    """RobustVideoMatting with its refiner, from full resolution to full resolution, as its authors call it."""

    def __init__(self, network: MattingNetwork, ratio: float, device: torch.device) -> None:
        self._network = network.to(device).eval()
        self._ratio = ratio
        self.reset()

    def reset(self) -> None:
        self._memory: tuple[Tensor | None, ...] = (None,) * 4

    def find(self, frame: Frame, picture: Tensor) -> Found:
        foreground, alpha, *memory = self._network(picture, *self._memory, downsample_ratio=self._ratio)
        self._memory = tuple(memory)
        return foreground, alpha


class AnyMatting:
    """A matting that is no network, with its result taken to float: there is no other form of it to compare with."""

    def __init__(self, matting: Matting) -> None:
        self._matting = matting
        self.reset = matting.reset

    def find(self, frame: Frame, picture: Tensor) -> Found:
        matte = self._matting.matte(frame)
        person = picture if matte.foreground is None else to_float(matte.foreground, picture.device)
        return person, torch.from_numpy(matte.alpha).to(picture.device)[None, None] / 255


class Textbook:
    """S2CRNet on every frame, its curves as they are, and a composite in float.

    Args:
        matting: finds the person.
        network: says the curves, from thumbnails as the application makes them.
        device: of both networks.
    """

    def __init__(self, matting: WholeNetwork | AnyMatting, network: EstimateStep, device: torch.device) -> None:
        self._matting = matting
        self._network = network.to(device).eval()
        self._device = device

    def reset(self) -> None:
        """Before another clip."""
        self._matting.reset()

    @torch.inference_mode()
    def process(self, frame: Frame, backdrop: np.ndarray, watch: Stopwatch) -> np.ndarray:
        """The harmonized view of an 8-bit frame, (H, W, 3) uint8."""
        person, alpha = watch.call("matting", self._find, frame)
        parameters = watch.call("estimate", self._estimate, frame, person, alpha, backdrop)
        return watch.call("render", self._render, person, alpha, backdrop, parameters)

    def _find(self, frame: Frame) -> Found:
        person, alpha = self._matting.find(frame, to_float(frame.rgb, self._device))
        alpha[0, 0, 0, 0].item()  # a GPU is waited for, so that its work counts where it belongs
        return person, alpha

    def _estimate(self, frame: Frame, person: Tensor, alpha: Tensor, backdrop: np.ndarray) -> Tensor | None:
        """(1, S, 3, L) raw pieces of the curves; None where there is nobody."""
        matte = Matte(to_levels(alpha)[..., 0].copy(), to_levels(person))
        thumbnails = make_thumbnails(frame.rgb, matte, backdrop)
        if thumbnails is None:
            return None
        pictures = (torch.from_numpy(picture)[None] for picture in thumbnails.pictures().values())
        parameters = self._network.ask(*(picture.to(self._device) for picture in pictures))
        parameters[0, 0, 0, 0].item()
        return parameters

    def _render(self, person: Tensor, alpha: Tensor, backdrop: np.ndarray, parameters: Tensor | None) -> np.ndarray:
        if parameters is not None:
            person = sum_of_clamps(person, parameters)
        return to_levels(alpha * person + (1 - alpha) * to_float(backdrop, self._device))


def sum_of_clamps(image: Tensor, parameters: Tensor) -> Tensor:
    """Equation 1 as it is written, which `curves.render` computes in another way.

    ``psi(x) = (L / sum_j p_j) * sum_i p_i * clamp(x - i/L, 0, 1/L)`` for every pixel of (1, 3, H, W), stage by stage
    of parameters (1, S, 3, L).
    """
    for stage in parameters.unbind(1):
        pieces = stage.shape[-1]
        total = torch.zeros_like(image)
        for i in range(pieces):
            total += stage[..., i, None, None] * (image - i / pieces).clamp(0, 1 / pieces)
        image = total * pieces / (stage.sum(-1)[..., None, None] + 1e-30)
    return image


def load_s2crnet(path: Path) -> EstimateStep:
    """The network of a checkpoint, asked as the application asks it; raises InputError."""
    network, about = read_network("s2crnet", path)
    return EstimateStep(network, about["semantic"] == "true")


def to_float(rgb: np.ndarray, device: torch.device) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) float 0..1."""
    return torch.from_numpy(rgb).to(device).permute(2, 0, 1)[None].float() / 255


def to_levels(image: Tensor) -> np.ndarray:
    """(1, C, H, W) float 0..1 -> (H, W, C) uint8, rounded to nearest."""
    levels = (image.clamp(0, 1) * 255).round().byte()
    return np.ascontiguousarray(levels[0].permute(1, 2, 0).cpu().numpy())
