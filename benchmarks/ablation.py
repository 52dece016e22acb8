"""What each part of CurveNet is worth: one part changed, trained a little further, scored.

python -m benchmarks.ablation DATA --weights video_harmonizer/weights/curvenet.safetensors --steps 500

Every variant starts from the same weights, learns from the same composites of DATA (a folder as `train.py` takes it)
and is scored on the same unseen ones: PSNR, fMSE, and the mean absolute change, in 8-bit levels, of foregrounds that
are harmonious already. Without WEIGHTS all start at random and need many more steps. What was stopped goes on.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from tyro.conf import Positional

from benchmarks.command_line import run
from train import train
from video_harmonizer.harmonizers.curvenet import FEATURES, PIECES, STATISTICS, CurveNet
from video_harmonizer.harmonizers.curves import interpolate
from video_harmonizer.harmonizers.rim import PROFILES, RUN, Rim
from video_harmonizer.training.composites import CompositeDataset, Mixture
from video_harmonizer.training.harmonizing import Harmonizing, as_float, harmonize, validate
from video_harmonizer.training.photographs import Photographs, read_luts
from video_harmonizer.training.settings import Training
from video_harmonizer.weights.load import read_state

SCORED = 150  # composites, and as many photographs that are harmonious
HARMONIOUS = Mixture(moved=0, untouched=1, clean_cut=0, retouched=0, natural=1)
MIXED = 9  # numbers of a 3x3 matrix


class Keep(nn.Module):
    """Passes on some columns of (B, N), and zeros for the others."""

    def __init__(self, columns: int, dropped: Iterable[int]) -> None:
        super().__init__()
        kept = torch.ones(columns)
        kept[list(dropped)] = 0
        self.kept: Tensor
        self.register_buffer("kept", kept, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        return values * self.kept


class Blind(nn.Module):
    """Finds no profile, where `rim.Look` finds some."""

    def __init__(self, profiles: int) -> None:
        super().__init__()
        self.profiles = profiles

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        return pixels.new_zeros(len(pixels), 4, self.profiles, RUN), pixels.new_zeros(len(pixels), self.profiles)


class MatrixNet(CurveNet):
    """CurveNet with a matrix of colours before its curves: parameters are (B, 3, PIECES + 1 + 3)."""

    def __init__(self, network: CurveNet) -> None:
        super().__init__()
        last = cast(nn.Linear, network.head[-1])
        wider = nn.Linear(last.in_features, last.out_features + MIXED)
        with torch.no_grad():  # training starts at the network that is given, its matrix the identity
            wider.weight.copy_(F.pad(last.weight, (0, 0, 0, MIXED)))
            wider.bias.copy_(F.pad(last.bias, (0, MIXED)))
        self.encoder, self.rim = network.encoder, network.rim
        self.head = nn.Sequential(*network.head[:-1], wider)

    @staticmethod
    def curves(answer: Tensor) -> Tensor:
        mixed = torch.eye(3, device=answer.device) + 0.1 * answer[:, -MIXED:].unflatten(1, (3, 3))
        return torch.cat([CurveNet.curves(answer[:, :-MIXED]), mixed], 2)

    @staticmethod
    def draw(image: Tensor, parameters: Tensor) -> list[Tensor]:
        curves, matrix = parameters.split((PIECES + 1, 3), 2)
        return [interpolate((matrix @ image.flatten(2)).view_as(image), curves)]


def without_inputs(first: int, after: int) -> Callable[[CurveNet], CurveNet]:
    """Keeps the perceptron from seeing its inputs from ``first`` to before ``after``."""

    def change(network: CurveNet) -> CurveNet:
        inputs = cast(nn.Linear, network.head[0]).in_features
        network.head = nn.Sequential(Keep(inputs, range(first, after)), *network.head)
        return network

    return change


def without_look(number: int) -> Callable[[CurveNet], CurveNet]:
    """Keeps the network from looking across the rim at one of its two sizes."""

    def change(network: CurveNet) -> CurveNet:
        network.rim.looks[number] = Blind(PROFILES[number])
        return network

    return change


def pinned(network: CurveNet) -> CurveNet:
    """Curves from 0 to 1, as S2CRNet's are."""
    pieces = PIECES + 2
    ends = [channel * pieces + end for channel in range(3) for end in (0, 1)]
    network.head = nn.Sequential(*network.head, Keep(3 * pieces, ends))
    return network


COLORS = Rim.outputs  # where the inputs begin that tell of colours
CONVOLUTIONS = COLORS + STATISTICS
VARIANTS: dict[str, Callable[[CurveNet], CurveNet]] = {
    "CurveNet": lambda network: network,
    "without the rim": without_inputs(0, COLORS),
    "the rim at half size alone": without_look(0),
    "the rim at full size alone": without_look(1),
    "without histograms and moments": without_inputs(COLORS, CONVOLUTIONS),
    "without convolutions": without_inputs(CONVOLUTIONS, CONVOLUTIONS + 2 * FEATURES),
    "ends pinned to 0 and 1": pinned,
    "a matrix of colours before the curves": MatrixNet,
}


class Ablation(Harmonizing):
    """The task of a variant."""

    def __init__(self, settings: Training, change: Callable[[CurveNet], CurveNet]) -> None:
        super().__init__(settings)
        self.learner = change(cast(CurveNet, self.learner)).to(memory_format=torch.channels_last)


def score(network: CurveNet, data: Path) -> dict[str, float]:
    """`validate`'s scores, and ``change`` of what is harmonious, in 8-bit levels."""
    photographs, luts = Photographs(data, "val"), read_luts(data)[1]
    foreign, harmonious = (
        DataLoader(Subset(CompositeDataset(photographs, luts, 256, seed=1, mixture=mixture), range(SCORED)), 25)
        for mixture in (Mixture(untouched=0), HARMONIOUS)
    )
    scores = validate(network, foreign, torch.device("cpu"))
    changes = []
    for batch in harmonious:
        change = (harmonize(network, batch, semantic=False)[0] - as_float(batch["background"])).abs().mean(1)
        inside = batch["target_mask"] > 127
        changes.append(255 * (change * inside).sum((1, 2)) / inside.sum((1, 2)))
    return {**scores, "change": torch.cat(changes).mean().item()}


def main(
    data: Positional[Path],
    weights: Path | None = None,
    steps: int = 500,
    out: Path = Path("runs/ablation"),
    workers: int = 1,
) -> None:
    """Train and score each variant; prints a Markdown table."""
    rows = [
        "| variant | PSNR (dB) | fMSE | below the composite | change of what is harmonious |",
        "|---|---|---|---|---|",
    ]
    for name, change in VARIANTS.items():
        settings = Training(
            network="curvenet",
            data=data,
            weights=weights,
            output=out / name.replace(" ", "_"),
            steps=steps,
            batch=32,
            squared=5.0,
            learning_rate=4e-4,
            warmup=50,
            ema=0.99,  # few steps: the mean of the last ones
            workers=workers,
            validation=1,
            validate_every=steps,
            device="cpu",
        )
        train(settings, partial(Ablation, change=change))
        network = change(CurveNet())
        network.load_state_dict(read_state(settings.output / "weights.safetensors"))
        network.eval()
        scores = score(network, data)
        below = 1 - scores["fmse"] / scores["composite_fmse"]
        numbers = f"{scores['psnr']:.2f} | {scores['fmse']:.0f} | {below:.0%} | {scores['change']:.1f}"
        rows.append(f"| {name} | {numbers} |")
    print("\n".join(rows))


if __name__ == "__main__":
    run(main)
