"""From thumbnails to the tone curves of one frame."""

import logging
from pathlib import Path

import numpy as np
import torch

from video_harmonizer.frame import ToneCurves
from video_harmonizer.harmonizers.curvenet import CurveNet
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.thumbnails import Thumbnails
from video_harmonizer.weights.load import load_into, read_state

log = logging.getLogger(__name__)

NETWORKS: dict[str, type[S2CRNet] | type[CurveNet]] = {"s2crnet": S2CRNet, "curvenet": CurveNet}


class CurveEstimator:
    """Asks a curve network what the foreground's colours should become."""

    def __init__(self, network: S2CRNet | CurveNet, device: torch.device, name: str) -> None:
        self.network = network.eval().to(device).to(memory_format=torch.channels_last)
        self.device = device
        self.name = name
        self._warned = False

    @torch.inference_mode()
    def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
        """The whole cascade, sampled at ``samples`` levels, clipped to 0..1 and made monotone.

        Raw pieces may be negative; a tone curve that falls would turn a shade around, so it rests instead.

        Returns:
            None without thumbnails (nobody in view), and where the network's answer is not finite.
        """
        if thumbnails is None:
            return None
        parameters = self.network(
            self._tensor(thumbnails.foreground),
            self._tensor(thumbnails.foreground_mask),
            self._tensor(thumbnails.background),
            self._tensor(thumbnails.background_mask),
        )
        ramp = torch.linspace(0, 1, samples, dtype=torch.float64).expand(1, 3, samples)[..., None]
        table = self.network.draw(ramp, parameters.cpu().double())[-1][0, ..., 0].numpy().astype(np.float32)
        if not np.isfinite(table).all():
            if not self._warned:
                log.warning("%s: got curves that are not finite; frames keep the last good ones", self.name)
                self._warned = True
            return None
        return ToneCurves(np.maximum.accumulate(table.clip(0, 1), axis=1))

    def _tensor(self, picture: np.ndarray) -> torch.Tensor:
        """(S, S[, 3]) uint8 -> (1, C, S, S) float 0..1."""
        tensor = torch.from_numpy(picture).to(self.device)
        return tensor.view(1, *picture.shape[:2], -1).movedim(-1, 1).float() / 255


class NoHarmonizer:
    """Leaves the person as filmed."""

    name = "none"

    def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
        """Always the identity."""
        return ToneCurves.identity(samples)


def load_estimator(name: str, path: Path, device: torch.device) -> CurveEstimator:
    """An estimator of the kind ``name`` in `NETWORKS` with the weights of that file.

    For ``s2crnet`` that may be the authors' checkpoint of the cascaded network. Raises InputError where the file is not
    a checkpoint of this network.
    """
    network = NETWORKS[name]()
    load_into(network, read_state(path), str(path))
    return CurveEstimator(network, device, name)
