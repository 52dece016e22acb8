"""Networks that no file holds, as the checkpoints that estimators and matting take."""

import hashlib
import inspect
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rvm import MattingNetwork
from video_harmonizer.weights.checkpoint import Checkpoint


def matting_checkpoint(network: MattingNetwork) -> Checkpoint[MattingNetwork]:
    """As `load_rvm` gives one of a file."""
    return Checkpoint(fingerprint(network), {"variant": network.variant}, lambda: network)


def curve_checkpoint(network: Any, name: str = "fake") -> Checkpoint[Any]:
    """As `load_estimator` gives one of a file."""
    return Checkpoint(fingerprint(network), {"network": name, "semantic": "false"}, lambda: network)


def duconet_checkpoint(network: Any) -> Checkpoint[Any]:
    """As `load_duconet` gives one of a file."""
    return Checkpoint(fingerprint(network), {}, lambda: network)


def fingerprint(module: nn.Module) -> str:
    """A short name for a module: its structure, its weights and the code that it runs."""
    digest = hashlib.sha256(f"{torch.__version__} {module!r}".encode())
    folders = {Path(inspect.getfile(type(part))).parent for part in module.modules()}
    for source in sorted(source for folder in folders for source in folder.glob("*.py")):
        digest.update(source.read_bytes())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]
