"""What `train.py` asks of whatever it trains."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

Batch = dict[str, Tensor]


@dataclass
class Outcome:
    """Of one batch."""

    losses: dict[str, Tensor]  # name -> scalar: their sum is minimized
    pictures: tuple[Tensor, Tensor] | None = None  # result and target, (B, 3, H, W), for an adversary


@dataclass
class Validation:
    """Of the whole validation set."""

    scores: dict[str, float]
    pictures: dict[str, np.ndarray] = field(default_factory=dict)  # title -> (H, W, 3) uint8


class Task(Protocol):
    """A network, what it learns from, what it minimizes and how well it does."""

    learning: list[Dataset]  # what to learn from in the first, small steps and in those after
    learner: nn.Module  # as it is trained

    def loss(self, learner: nn.Module, batch: Batch) -> Outcome:
        """``learner`` is the task's own, or what a strategy wrapped around it."""
        ...

    def validate(self, learner: nn.Module, device: torch.device) -> Validation:
        """How well some weights of the learner do on the validation set."""
        ...

    def exported(self, learner: nn.Module) -> tuple[nn.Module, dict[str, str]]:
        """(the network whose weights are the result, what to write beside them)."""
        ...
