"""From thumbnails to the tone curves of one frame."""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from video_harmonizer.engine import Engine, fingerprint
from video_harmonizer.frame import ToneCurves
from video_harmonizer.harmonizers.curvenet import CurveNet
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.thumbnails import SIZE, Thumbnails
from video_harmonizer.weights.load import load_into, read_metadata, read_state

log = logging.getLogger(__name__)

PERSON = 0  # in `s2crnet.CLASSES`: what this application films


class EstimateStep(nn.Module):
    """Thumbnails as they are, (1, S, S, 3) and (1, S, S) uint8, through a network: what an engine runs."""

    def __init__(self, network: S2CRNet | CurveNet, label: int | None) -> None:
        super().__init__()
        self.network = network
        self.known = () if label is None else (label,)

    def forward(
        self, foreground: Tensor, foreground_mask: Tensor, background: Tensor, background_mask: Tensor
    ) -> tuple:
        pictures = (
            foreground.movedim(-1, 1),
            foreground_mask[:, None],
            background.movedim(-1, 1),
            background_mask[:, None],
        )
        return (self.network(*(picture.float() / 255 for picture in pictures), *self.known),)

    @staticmethod
    def example(side: int, device: torch.device) -> tuple[Tensor, ...]:
        """Inputs of that size."""
        blank = torch.zeros(1, side, side, 3, dtype=torch.uint8, device=device)
        return blank, blank[..., 0], blank, blank[..., 0]


class CurveEstimator:
    """Asks a curve network what the foreground's colours should become.

    Args:
        side: of the thumbnails in pixels.
    """

    def __init__(
        self, network: S2CRNet | CurveNet, engine: Engine, name: str, label: int | None = None, side: int = SIZE
    ) -> None:
        self.name = name
        self.side = side
        self.step = EstimateStep(network, label)
        self._draw = network.draw
        self._engine = engine
        example = self.step.example(side, engine.device)
        self._ask = engine.prepare(self.step, example, f"{fingerprint(self.step)} {label}", exact=True)
        self._warned = False

    def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
        """The whole cascade, sampled at ``samples`` levels, clipped to 0..1 and made monotone.

        Raw pieces may be negative; a tone curve that falls would turn a shade around, so it rests instead.

        Returns:
            None without thumbnails (nobody in view), and where the network's answer is not finite.
        """
        if thumbnails is None:
            return None
        pictures = (
            thumbnails.foreground,
            thumbnails.foreground_mask,
            thumbnails.background,
            thumbnails.background_mask,
        )
        (parameters,) = self._ask(*(torch.from_numpy(picture)[None].to(self._engine.device) for picture in pictures))
        ramp = torch.linspace(0, 1, samples, dtype=torch.float64).expand(1, 3, samples)[..., None]
        table = self._draw(ramp, parameters.cpu().double())[-1][0, ..., 0].numpy().astype(np.float32)
        if not np.isfinite(table).all():
            if not self._warned:
                log.warning("%s: got curves that are not finite; frames keep the last good ones", self.name)
                self._warned = True
            return None
        return ToneCurves(np.maximum.accumulate(table.clip(0, 1), axis=1))


class NoHarmonizer:
    """Leaves the person as filmed."""

    name = "none"
    side = SIZE

    def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
        """Always the identity."""
        return ToneCurves.identity(samples)


def load_estimator(name: str, path: Path, engine: Engine, side: int = SIZE) -> CurveEstimator:
    """An estimator with the weights of that file.

    Our own files say which network they are of, ``s2crnet`` or ``curvenet``, how many stages it has and whether it
    wants to know that the foreground is a person. The authors' checkpoint of S2CRNet is known by its keys. Others are
    taken for the network called ``name``.

    Raises:
        InputError: the file is not a checkpoint of that network.
    """
    state, about = read_state(path), read_metadata(path)
    published = any(key.startswith("fusion.") for key in state)  # as in the authors' checkpoints
    name = about.get("network", "s2crnet" if published else name)
    network = CurveNet() if name == "curvenet" else S2CRNet(int(about.get("stages", 2)))
    load_into(network, state, str(path))
    return CurveEstimator(network, engine, name, PERSON if about.get("semantic") == "true" else None, side)
