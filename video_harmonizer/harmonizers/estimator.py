"""From thumbnails to the tone curves of one frame."""

import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from video_harmonizer import tone
from video_harmonizer.engine import Engine, NetworkRecipe, ReadyNetwork, as_numpy
from video_harmonizer.frame import ToneCurves
from video_harmonizer.thumbnails import CLOSE, SIZE, Thumbnails
from video_harmonizer.weights.checkpoint import Checkpoint, Facts, open_checkpoint

if TYPE_CHECKING:
    from video_harmonizer.harmonizers.curvenet import CurveNet
    from video_harmonizer.harmonizers.estimate_step import EstimateStep
    from video_harmonizer.harmonizers.s2crnet import S2CRNet

log = logging.getLogger(__name__)

LITTLE_SCENE = 0.1  # of the picture: networks never learnt from less, and would make much of it


class CurveEstimator:
    """Asks a curve network what the foreground's colours should become.

    Args:
        network: of `load_estimator`.
        engine: what runs it.
        side: of the thumbnails in pixels.
    """

    def __init__(self, network: "Checkpoint[S2CRNet | CurveNet]", engine: Engine, side: int = SIZE) -> None:
        self.name = network.about["network"]
        self.side = side
        self.close = CLOSE if self.name == "curvenet" and side == SIZE else None
        self._looks_twice = self.name == "curvenet"
        self._network = network
        self._engine = engine
        self._ready: dict[int, ReadyNetwork] = {}  # by the side of the crop
        self._prepare(side)
        self._warned = False

    def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
        """The whole cascade, sampled at ``samples`` levels, clipped to 0..1 and made monotone.

        Raw pieces may be negative; a tone curve that falls would turn a shade around, so it rests instead. The less is
        seen of the scene, if it is little, the less is changed.

        Returns:
            None without thumbnails (nobody in view, or nothing else), and where the network's answer is not finite.
        """
        if thumbnails is None:
            return None
        table = tone.sample(self._cascade(thumbnails), samples).astype(np.float32)
        if not np.isfinite(table).all():
            if not self._warned:
                log.warning("%s: got curves that are not finite; frames keep the last good ones", self.name)
                self._warned = True
            return None
        scene = 1 - float(thumbnails.background_mask.mean()) / 255
        curves = ToneCurves(np.maximum.accumulate(table.clip(0, 1), axis=1))
        return tone.toward_identity(curves, min(scene / LITTLE_SCENE, 1))

    def _cascade(self, thumbnails: Thumbnails) -> np.ndarray:
        """(stages, 3, K) curves by their values at equal steps, one applied after the other.

        CurveNet looks at a ready composite twice: at a second look its rim shows what the first left, or overdid.
        """
        knots = self._ask(thumbnails)
        if not (self._looks_twice and thumbnails.ready and np.isfinite(knots).all()):
            return knots
        again = self._ask(thumbnails.recolored(tone.quantize(tone.sample(knots, 256))))
        identity = np.linspace(0, 1, knots.shape[-1])
        first, second = (np.square(answer - identity).mean() ** 0.5 for answer in (knots, again))
        # a second change as large as the first says that the composite is beyond the network: none of it is taken
        trust = max(0.0, 1 - second / first) if first else 0.0
        return np.concatenate([knots, identity + trust * (again - identity)])

    def _ask(self, thumbnails: Thumbnails) -> np.ndarray:
        """(stages, 3, K) curves of one look."""
        ask = self._prepare(len(thumbnails.foreground))
        (knots,) = ask(*(self._engine.put(picture[None]) for picture in thumbnails.pictures().values()))
        return as_numpy(knots)[0]

    @cached_property
    def step(self) -> "EstimateStep":
        """What the engine runs."""
        from video_harmonizer.harmonizers.estimate_step import EstimateStep

        return EstimateStep(self._network.network(), self._network.about["semantic"] == "true")

    def _prepare(self, crop: int) -> ReadyNetwork:
        """The network for crops of that side; what no picture asks for is not compiled."""
        if crop not in self._ready:
            key = f"{self._network.key} estimate {crop} {self.side}"
            self._ready[crop] = self._engine.prepare(NetworkRecipe(key, lambda: self._make(crop)))
        return self._ready[crop]

    def _make(self, crop: int) -> Any:
        return self.step, self.step.example(self.side, crop)


class NoHarmonizer:
    """Leaves the person as filmed."""

    name = "none"
    side = SIZE
    close: int | None = None

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

    def read() -> "tuple[S2CRNet | CurveNet, Facts]":
        from video_harmonizer.harmonizers.estimate_step import read_network

        return read_network(name, path)

    network = open_checkpoint(path, f"estimator {name}", read)
    if (known := network.about["network"]) != name:
        log.info("%s: weights of %s, which is taken instead of %s", path, known, name)
    return CurveEstimator(network, engine, side)
