"""What the steps of a training run change, and how a step changes it."""

import math
from collections.abc import Callable, Sequence

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from video_harmonizer.training.discriminator import PatchDiscriminator, discriminator_loss, generator_loss
from video_harmonizer.training.settings import Training
from video_harmonizer.training.task import Batch, Task


class Descent:
    """A task's network, the mean of its weights, and the adversary if there is one, with their optimizers.

    Attributes:
        averaged: holds the mean, with that of batches' statistics, since those of the last few steps alone are of
            another network.
        parts: what a checkpoint has to hold.
    """

    def __init__(self, fabric: Fabric, task: Task, settings: Training) -> None:
        self._fabric, self._task, self._settings = fabric, task, settings
        network = task.learner.to(memory_format=torch.channels_last)  # convolutions learn a fifth faster so on a CPU
        self.averaged = AveragedModel(network, fabric.device, multi_avg_fn=averaging(settings.ema), use_buffers=True)
        self._learner, self._optimizer = fabric.setup(network, make_optimizer(network, settings))
        self.parts = {"network": network, "averaged": self.averaged, "optimizer": self._optimizer}
        self._adversary = Adversary(fabric, settings) if settings.adversarial else None
        if self._adversary:
            self.parts |= self._adversary.parts

    def step(self, batch: Batch, rate: float) -> dict[str, Tensor]:
        """Learn from a batch; the loss, its parts, the norm of its gradient, and the adversary's loss."""
        settings, network = self._settings, self._task.learner
        statistics = [buffer.clone() for buffer in network.buffers()]  # of batches: the loss already changes them
        outcome = self._task.loss(self._learner, self._fabric.to_device(batch))
        losses = outcome.losses
        if self._adversary:
            assert outcome.pictures is not None  # settings ask for an adversary only where there are some
            losses["generator"] = settings.adversarial * self._adversary.judge(outcome.pictures[0])
        loss = torch.stack(list(losses.values())).sum()
        norm = descend(self._fabric, self._learner, self._optimizer, loss, rate, settings.clip)
        if norm.isfinite():
            self.averaged.update_parameters(network)
        else:
            for buffer, before in zip(network.buffers(), statistics, strict=True):
                buffer.copy_(before)
        if self._adversary:
            assert outcome.pictures is not None
            losses["discriminator"] = self._adversary.step(*outcome.pictures, rate)
        return {"loss": loss, **losses, "gradient_norm": norm}


class Adversary:
    """The S2CRNet paper's discriminator, which learns beside the network to tell results from targets."""

    def __init__(self, fabric: Fabric, settings: Training) -> None:
        self._fabric, self._clip = fabric, settings.clip
        self._network = PatchDiscriminator()
        self._learner, self._optimizer = fabric.setup(self._network, make_optimizer(self._network, settings))
        self.parts = {"discriminator": self._network, "discriminator_optimizer": self._optimizer}

    def judge(self, result: Tensor) -> Tensor:
        """The loss of who made it."""
        self._network.requires_grad_(False)
        with self._fabric.autocast():
            return generator_loss(self._network, result)

    def step(self, result: Tensor, target: Tensor, rate: float) -> Tensor:
        """Learn from a batch of both; the loss."""
        self._network.requires_grad_(True)
        loss = discriminator_loss(self._learner, target, result)
        descend(self._fabric, self._learner, self._optimizer, loss, rate, self._clip)
        return loss


def averaging(decay: float) -> Callable[..., None]:
    """An exponential mean, for `AveragedModel`; of whole numbers, such as indices, the latest, as they have no mean."""
    mean = get_ema_multi_avg_fn(decay)

    def average(averaged: Sequence[Tensor], latest: Sequence[Tensor], count: Tensor | int) -> None:
        if averaged[0].is_floating_point():
            mean(averaged, latest, count)
            return
        for old, new in zip(averaged, latest, strict=True):
            old.copy_(new)

    return average


def make_optimizer(module: nn.Module, settings: Training) -> AdamW:
    return AdamW(module.parameters(), settings.learning_rate, betas=(0.9, 0.999), weight_decay=settings.weight_decay)


def descend(fabric: Fabric, module: nn.Module, optimizer: Optimizer, loss: Tensor, rate: float, clip: float) -> Tensor:
    """One step along the clipped gradient; none along one that is not finite. Returns the gradient's norm."""
    optimizer.zero_grad(set_to_none=True)
    fabric.backward(loss)
    norm = fabric.clip_gradients(module, optimizer, max_norm=clip, error_if_nonfinite=False)
    assert norm is not None  # that is only for clipping by value
    for group in optimizer.param_groups:
        group["lr"] = rate
    if norm.isfinite():
        optimizer.step()
    return norm


def rate_at(step: int, settings: Training) -> float:
    """Share of the learning rate: a linear warm-up, then a cosine to zero, or DucoNet's two steps."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    if settings.schedule == "steps":
        return 0.1 ** sum(step >= share * settings.steps for share in (105 / 120, 115 / 120))
    progress = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))
