"""A run's folder: the checkpoint to go on from, the settings, and the weights that come out."""

import logging
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as as_safetensors
from torch import Tensor, nn

from video_harmonizer.errors import InputError
from video_harmonizer.staging import check_output_file
from video_harmonizer.training.settings import FREE, Training, as_table, to_toml
from video_harmonizer.training.supply import contents
from video_harmonizer.weights.cache import sha256_of
from video_harmonizer.weights.load import first_line

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"
SETTINGS = "settings.toml"
WEIGHTS = "weights.safetensors"
GIVEN = ("weights", "encoder", "teacher")  # files that a run is made from: from what is in them, whatever their names


def made_by(settings: Training, processes: int) -> dict[str, Any]:
    """What a run's result depends on; to be asked when it starts, as files may change while it runs."""
    table: dict[str, Any] = as_table(settings) | contents(settings) | {"processes": processes}
    for name in GIVEN:
        file = getattr(settings, name)
        if file is not None and file.is_file():
            table[name] = f"a file of SHA-256 {sha256_of(file)[:16]}"
    return table


def check_place(settings: Training) -> None:
    """Refuse a folder where weights would be overwritten that are read, or that another run made.

    Raises:
        InputError: so it is.
    """
    weights, table = settings.output / WEIGHTS, settings.output / SETTINGS
    check_output_file(weights, [file for file in (getattr(settings, name) for name in GIVEN) if file is not None])
    if (settings.output / CHECKPOINT).exists() or not (weights.exists() or table.exists()):
        return
    # a run that was stopped between its first weights and its first checkpoint begins again
    if not table.is_file() or table.read_text(encoding="utf-8", errors="replace") != to_toml(settings):
        what = f"{settings.output}: holds another run's {WEIGHTS} or {SETTINGS}, and no checkpoint"
        raise InputError(f"{what}; move them away, or give another --output")


def save(settings: Training, conditions: Mapping[str, Any], parts: Mapping[str, Any], step: int) -> None:
    """Write the checkpoint whole or not at all.

    Args:
        conditions: of `made_by`.
        parts: name -> what has a ``state_dict``.

    Raises:
        InputError: it can't be written; the one before is left.
    """
    path = settings.output / CHECKPOINT
    partial = path.with_suffix(".partial")
    states = {name: part.state_dict() for name, part in parts.items()}
    try:
        torch.save({"step": step, "settings": dict(conditions), **states}, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # the latter of a disk that is full
        partial.unlink(missing_ok=True)
        raise _no_room(path, error) from error


def _no_room(path: Path, error: Exception) -> InputError:
    what = f"{path}: can't be written ({first_line(error)})"
    return InputError(f"{what}; make room, and the same command goes on from the last checkpoint")


def restore(settings: Training, now: Mapping[str, Any], parts: Mapping[str, Any]) -> int:
    """Load the checkpoint if there is one; the number of steps that are done.

    Args:
        now: of `made_by`.
        parts: as in `save`.

    Raises:
        InputError: it was made with other settings, and going on would be neither run.
    """
    path = settings.output / CHECKPOINT
    if not path.is_file():
        return 0
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        before, done = dict(checkpoint["settings"]), int(checkpoint["step"])
    except Exception as error:  # damaged bytes make torch raise nearly anything
        raise InputError(f"{path}: damaged ({first_line(error)}); give another --output to start anew") from error
    others = [name for name in sorted((before.keys() | now.keys()) - FREE) if before.get(name) != now.get(name)]
    if others:
        name = others[0]
        more = f" and {len(others) - 1} more differ" if others[1:] else ""
        raise InputError(
            f"{path}: made with {name} {before.get(name)}, this run has {now.get(name)}{more}; "
            "give the run's own settings to go on, or another --output to start anew"
        )
    try:
        for name, part in parts.items():
            part.load_state_dict(checkpoint[name])
    except (KeyError, RuntimeError, ValueError) as error:
        what = f"{path}: of another version of this program, or damaged ({first_line(error)})"
        raise InputError(f"{what}; give another --output to start anew") from error
    log.info("%s: going on after step %d", path, done)
    return done


def is_exported(settings: Training) -> bool:
    """Whether the weights are there."""
    return (settings.output / WEIGHTS).is_file()


def export(settings: Training, network: nn.Module, metadata: Mapping[str, str], step: int) -> None:
    """Write the weights whole or not at all, in half precision where that reaches, and the settings beside them.

    Raises:
        InputError: they can't be written.
    """
    metadata = {**metadata, "step": str(step)}
    path = settings.output / WEIGHTS
    partial = path.with_suffix(".partial")
    state = {key: narrowed(value.cpu()).contiguous() for key, value in network.state_dict().items()}
    try:
        partial.write_bytes(as_safetensors(state, metadata))  # readable for all whom the user lets read files
        partial.replace(path)
        (settings.output / SETTINGS).write_text(to_toml(settings), encoding="utf-8")
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise _no_room(path, error) from error


def narrowed(value: Tensor) -> Tensor:
    """float16 of floats if it can hold them, which for variances of large activations it can't; else as it is."""
    if not value.is_floating_point():
        return value
    half = value.half()
    return half if torch.equal(half.isfinite(), value.isfinite()) else value


def current_commit() -> str | None:
    """The commit that the program is of, marked where files differ from it; None outside a repository."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
