"""The settings of a training run: from a TOML file, the command line over it, and back into a file."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from video_harmonizer.config import read_toml
from video_harmonizer.errors import InputError
from video_harmonizer.thumbnails import SIZE

# What a resumed run may change, since no weight depends on it
FREE = {"output", "mattes", "workers", "device", "validation", "validate_every", "checkpoint_every", "log_every"}

# Settings that mean something to some networks only
OF_SOME = {
    "stages": ("s2crnet",),
    "semantic": ("s2crnet",),
    "encoder": ("s2crnet", "curvenet", "matting"),
    "luts": ("s2crnet", "curvenet", "duconet"),
    "squared": ("s2crnet", "curvenet"),
    "size": ("s2crnet", "curvenet", "duconet"),
    "small_steps": ("s2crnet", "curvenet", "duconet"),
    "validation": ("s2crnet", "curvenet", "duconet"),
    "revise": ("matting",),
    "teacher": ("matting",),
    "mattes": ("matting",),
    "clips": ("matting",),
    "held_out": ("matting",),
}


@dataclass(frozen=True)
class Training:
    """The settings of one run, each with what it means."""

    network: Literal["s2crnet", "curvenet", "duconet", "matting"] = "s2crnet"
    stages: Literal[1, 2] = 2  # of s2crnet, curves one after the other: 1 single, 2 cascaded
    semantic: bool = False  # of s2crnet, tell it what the foreground is; the data has to know
    encoder: Path | None = None  # ImageNet weights of SqueezeNet 1.1's features to start from
    weights: Path | None = None  # of this network, from an earlier run, to go on from
    revise: bool = False  # of matting, repeat the photographs that `weights` get wrong
    data: Path = Path("data")  # photographs, with or without an index.csv, or the root of iHarmony4
    luts: Path | None = None  # folder of luts.npz, where the photographs' folder has none
    teacher: Path | None = None  # of matting, RobustVideoMatting's weights, whose mattes are learnt from
    mattes: Path = Path("runs/mattes")  # of matting, where those mattes are kept
    clips: Path | None = None  # of matting, folder of videos to learn from beside the photographs
    held_out: tuple[str, ...] = ()  # of matting, clips held out for validation, by name patterns such as "office*"
    size: int = SIZE  # side of the thumbnails in pixels
    output: Path = Path("runs/train")  # where checkpoints, TensorBoard events and the weights go
    overfit: int = 0  # train on that many composites only, as a sanity check; 0 is normal training
    steps: int = 8000
    small_steps: int = 0  # of the steps, how many come first, on half-size thumbnails, four times as fast
    batch: int = 16  # samples of a step, in each process
    learning_rate: float = 4e-4
    weight_decay: float = 1e-2
    warmup: int = 200  # steps until the full learning rate
    schedule: Literal["cosine", "steps"] = "cosine"  # cosine decay to zero, or a tenth at 7/8 and at 23/24 of the run
    clip: float = 1.0  # gradient norm to clip to; inf for no clipping
    ema: float = 0.998  # decay of the averaged weights, which are validated and exported
    adversarial: float = 0.0  # weight of the adversary's loss beside relative L1: 0 none, 1 the paper's
    squared: float = 0.0  # of harmonizers with curves, weight of the squared error beside relative L1
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    workers: int = 1  # processes that make samples, for each process that learns
    validation: int = 300  # samples of unseen photographs
    validate_every: int = 1000
    checkpoint_every: int = 250
    log_every: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "validation", "validate_every", "checkpoint_every", "log_every"):
            self._want(name, getattr(self, name) >= 1, "1 or more")
        for name in ("overfit", "small_steps", "warmup", "workers", "weight_decay", "adversarial", "squared", "seed"):
            self._want(name, getattr(self, name) >= 0, "0 or more")
        self._want("seed", self.seed < 2**32, "less than 4294967296")
        for name in ("learning_rate", "clip"):
            self._want(name, getattr(self, name) > 0, "more than 0")
        self._want("ema", 0 <= self.ema < 1, "0 to less than 1")
        self._want("size", self.size >= 32 and self.size % 32 == 0, "a multiple of 32")
        self._want("adversarial", not self.adversarial or self.network != "matting", "0 with network matting")
        self._want("revise", not self.revise or self.weights is not None, "it with weights to go on from only")
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name, networks in OF_SOME.items():
            fits = self.network in networks or getattr(self, name) == defaults[name]
            self._want(name, fits, f"it with network {' or '.join(networks)} only")

    def _want(self, name: str, fits: bool, wanted: str) -> None:
        if not fits:
            raise InputError(f"{name}: got {getattr(self, name)}; want {wanted}")


def read_settings(arguments: Sequence[str]) -> Training:
    """``[FILE.toml] [--setting value ...]``: the command line beats the file, the file beats the defaults.

    Raises:
        InputError: the file can't be read, or a value in it or on the command line does not fit.
    """
    given = list(arguments)
    file = Path(given.pop(0)) if given and not given[0].startswith("-") else None
    defaults = Training(**read_toml(Training, file)) if file else Training()
    return tyro.cli(
        Training,
        prog="train.py [FILE.toml]",
        description="Train a network with the settings of a TOML file; options after it override the file.",
        args=given,
        default=defaults,
        config=(tyro.conf.FlagConversionOff,),
    )


def as_table(settings: Training) -> dict[str, str | int | float | bool]:
    """What a settings file holds: plain values, without the settings that are not given."""
    values = dataclasses.asdict(settings)
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in values.items() if value is not None
    }


def to_toml(settings: Training) -> str:
    """A settings file that makes this run again."""
    # JSON spells strings, numbers, true and false as TOML does, but not infinity
    table = as_table(settings).items()
    written = {name: "inf" if value == math.inf else json.dumps(value, ensure_ascii=False) for name, value in table}
    return "".join(f"{name} = {value}\n" for name, value in written.items())
