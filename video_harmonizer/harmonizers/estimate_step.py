"""Curve networks as engines run them: for those who convert them, or run them in torch."""

from pathlib import Path

import torch
from torch import Tensor, nn

from video_harmonizer.errors import InputError
from video_harmonizer.harmonizers.curvenet import CurveNet
from video_harmonizer.harmonizers.s2crnet import CLASSES, S2CRNet
from video_harmonizer.weights.checkpoint import Facts
from video_harmonizer.weights.load import load_into, read_metadata, read_state

PERSON = CLASSES.index("person")  # what this application films


class EstimateStep(nn.Module):
    """Thumbnails as they are, (1, S, S, 3) and (1, S, S) uint8, through a network: what an engine runs.

    Args:
        semantic: tell the network that the foreground is a person.
    """

    def __init__(self, network: S2CRNet | CurveNet, semantic: bool) -> None:
        super().__init__()
        self.network = network
        self.known = (PERSON,) if semantic else ()

    def forward(
        self, foreground: Tensor, foreground_mask: Tensor, background: Tensor, background_mask: Tensor
    ) -> tuple[Tensor]:
        """Curves by their values at equal steps, (1, stages, 3, K), for `tone.sample`."""
        return (self.network.knots(self.ask(foreground, foreground_mask, background, background_mask).float()),)

    def ask(self, foreground: Tensor, foreground_mask: Tensor, background: Tensor, background_mask: Tensor) -> Tensor:
        """The network's own parameters of them."""
        pictures = (
            foreground.movedim(-1, 1),
            foreground_mask[:, None],
            background.movedim(-1, 1),
            background_mask[:, None],
        )
        return self.network(*(picture.float() / 255 for picture in pictures), *self.known)

    @staticmethod
    def example(side: int, crop: int | None = None, device: torch.device | None = None) -> tuple[Tensor, ...]:
        """Inputs of that size, the crop of another if it is given."""
        blank = torch.zeros(1, side, side, 3, dtype=torch.uint8, device=device)
        near = torch.zeros(1, crop or side, crop or side, 3, dtype=torch.uint8, device=device)
        return near, near[..., 0], blank, blank[..., 0]


def read_network(name: str, path: Path) -> tuple[S2CRNet | CurveNet, Facts]:
    """The network of a checkpoint, and what `estimator.CurveEstimator` knows of it before; raises InputError.

    Args:
        name: of the network, where the file does not tell.
    """
    state, about = read_state(path), read_metadata(path)
    published = any(key.startswith("fusion.") for key in state)  # as in the authors' checkpoints
    asked, name = name, about.get("network", "s2crnet" if published else name)
    if name not in ("s2crnet", "curvenet"):
        raise InputError(f"{path}: weights of {name}, wanted {asked}'s; give others, or the option that {name} is for")
    stages = about.get("stages", "2")
    if stages not in ("1", "2"):
        raise InputError(f"{path}: says of itself stages {stages!r}; want 1 or 2")
    network = CurveNet() if name == "curvenet" else S2CRNet(int(stages))
    load_into(network, state, str(path))
    return network, {"network": name, "semantic": about.get("semantic", "false")}
