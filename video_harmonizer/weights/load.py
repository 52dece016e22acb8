"""Checkpoints into networks, without running any code that a checkpoint may hold."""

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from video_harmonizer.errors import InputError

_MAGIC = (b"PK\x03\x04", b"\x80")  # what torch.save writes: a zip archive, or (before torch 1.6) a pickle


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a checkpoint's tensors onto the CPU: floating point as float32, whole numbers as they are.

    ``.safetensors`` is read as such, everything else as what ``torch.save`` writes, by an unpickler that
    knows tensors and containers only. A dictionary under a top-level ``state_dict`` is taken out; keys are
    left as they are. Raises InputError for anything else.
    """
    magic = _first_bytes(path)
    if path.suffix == ".safetensors":
        checkpoint = _read_safetensors(path)
    elif magic.startswith(_MAGIC):
        checkpoint = _read_torch(path)
    else:
        raise InputError(f"{path}: not a checkpoint; give a .pth, .pt or .safetensors file")
    return _tensors(path, checkpoint)


def read_metadata(path: Path) -> dict[str, str]:
    """What a ``.safetensors`` file that `read_state` took says of itself; nothing for other files."""
    if path.suffix != ".safetensors":
        return {}
    with safe_open(path, "pt") as file:
        return file.metadata() or {}


def load_into(module: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Load `state` into `module`, all of it and nothing missing.

    `name` stands first in the message: the file or the weights' name. Raises InputError that counts what
    does not fit and names the first of each kind, and then leaves the module as it was.
    """
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    reshaped = [key for key in wanted if key in state and state[key].shape != wanted[key].shape]
    problems = []
    if missing:
        problems.append(f"{len(missing)} of {len(wanted)} keys missing (first: {missing[0]})")
    if unexpected:
        problems.append(f"{len(unexpected)} of {len(state)} keys unexpected (first: {unexpected[0]})")
    if reshaped:
        key = reshaped[0]
        problems.append(
            f"{len(reshaped)} of another shape "
            f"(first: {key}: got {tuple(state[key].shape)}, wanted {tuple(wanted[key].shape)})"
        )
    if problems:
        raise InputError(
            f"{name}: not weights of this {type(module).__name__}: {', '.join(problems)}; "
            "give a checkpoint of the same network and variant"
        )
    module.load_state_dict(state, strict=True)


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"{path}: a folder; give a .pth, .pt or .safetensors file")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; give a .pth, .pt or .safetensors file") from error
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); give a readable checkpoint") from error
    if not magic:
        raise InputError(f"{path}: empty file; download or copy it again")
    return magic


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path}: damaged, or not a safetensors file ({first_line(error)}); download or copy it again"
        ) from error


def _read_torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of what the errors below say once more
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        what = found[1] if found else "an unsupported kind of pickle"
        raise InputError(
            f"{path}: contains code or objects ({what}) and is refused, since reading would run them; "
            "give tensors only, saved with torch.save(network.state_dict(), PATH) or as .safetensors"
        ) from error
    except Exception as error:  # damaged bytes make torch raise nearly anything
        if "TorchScript" in str(error):
            raise InputError(
                f"{path}: a TorchScript program, which contains code and is refused; give the .pth checkpoint"
            ) from error
        raise InputError(
            f"{path}: damaged, or not a checkpoint ({first_line(error)}); download or copy it again"
        ) from error


def _tensors(path: Path, checkpoint: Any) -> dict[str, Tensor]:
    if not isinstance(checkpoint, Mapping):
        raise InputError(f"{path}: holds a {type(checkpoint).__name__}; wanted a state_dict of tensors")
    state = checkpoint.get("state_dict", checkpoint)
    if not isinstance(state, Mapping) or not any(isinstance(value, Tensor) for value in state.values()):
        keys = ", ".join(map(str, list(checkpoint)[:5])) or "none"
        raise InputError(f"{path}: no tensors in it (keys: {keys}); wanted a state_dict, at the top or under that key")
    return {key: _as_float32(path, key, value) for key, value in state.items()}


def _as_float32(path: Path, key: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise InputError(f"{path}: {key} is a {type(value).__name__}; wanted tensors only, as in a state_dict")
    return value.detach().float() if value.is_floating_point() else value.detach()


def first_line(error: BaseException) -> str:
    """What an error says, short enough for a message."""
    lines = str(error).splitlines()
    return lines[0][:120] if lines else type(error).__name__
