"""Networks that no file holds, as the checkpoints that estimators and matting take."""

from typing import Any

from rvm import MattingNetwork
from video_harmonizer.weights.checkpoint import Checkpoint
from video_harmonizer.weights.load import fingerprint


def matting_checkpoint(network: MattingNetwork) -> Checkpoint[MattingNetwork]:
    """As `load_rvm` gives one of a file."""
    return Checkpoint(fingerprint(network), {"variant": network.variant}, lambda: network)


def curve_checkpoint(network: Any, name: str = "fake") -> Checkpoint[Any]:
    """As `load_estimator` gives one of a file."""
    return Checkpoint(fingerprint(network), {"network": name, "semantic": "false"}, lambda: network)
