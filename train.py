"""Train a harmonizer or a matting network: ``python train.py configs/train_s2crnet.toml --output runs/mine``.

A run is its settings and its seed: started again, it goes on from its last checkpoint as if it had never
stopped. On several GPUs or machines start it with ``torchrun --nproc-per-node N train.py ...``; all processes
together then do what one would do with N times the batch. Not quite so with batch norm, in DucoNet, the matting network
and the adversary: each process normalises by its own part of the batch, and the first one's statistics are kept. The
matting network's samples are also others, as each process draws what its own batch is to be.
"""

import dataclasses
import logging
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from video_harmonizer.errors import InputError
from video_harmonizer.training.discriminator import PatchDiscriminator, discriminator_loss, generator_loss
from video_harmonizer.training.harmonizing import Harmonizing
from video_harmonizer.training.journal import Journal
from video_harmonizer.training.matting import Matting
from video_harmonizer.training.repainting import Repainting
from video_harmonizer.training.runs import current_commit, export, is_exported, made_by, restore, save
from video_harmonizer.training.settings import Training, read_settings
from video_harmonizer.training.supply import supply
from video_harmonizer.training.task import Task
from video_harmonizer.undisturbed import Undisturbed, endings_as_ctrl_c


def make_task(settings: Training) -> Task:
    """What the settings' network is for."""
    tasks: dict[str, Callable[[Training], Task]] = {"matting": Matting, "duconet": Repainting}
    return tasks.get(settings.network, Harmonizing)(settings)


def train(settings: Training, make: Callable[[Training], Task] = make_task) -> None:
    """Run to the last step, validating and saving on the way; exports ``weights.safetensors``.

    Args:
        make: gives the task, for networks that the settings have no name for.
    """
    if settings.overfit:  # nothing that keeps a network from learning by heart
        settings = dataclasses.replace(settings, small_steps=0, ema=0.0, weight_decay=0.0)
    fabric = launch(settings)
    rank, processes, device = fabric.global_rank, fabric.world_size, fabric.device
    torch.manual_seed(settings.seed)
    make_folder(settings.output)
    conditions, commit = made_by(settings, processes), current_commit() or "unknown"  # now: files may change meanwhile
    task = make(settings)

    network, discriminator = task.learner, PatchDiscriminator()
    # with its statistics of batches, since those of the last few steps alone are of another network
    averaged = AveragedModel(network, device, multi_avg_fn=averaging(settings.ema), use_buffers=True)
    learner, optimizer = fabric.setup(network, make_optimizer(network, settings))
    adversary, adversary_optimizer = fabric.setup(discriminator, make_optimizer(discriminator, settings))
    parts = {"network": network, "averaged": averaged, "optimizer": optimizer}
    if settings.adversarial:
        parts |= {"discriminator": discriminator, "discriminator_optimizer": adversary_optimizer}
    start = restore(settings, conditions, parts)
    if (cast(Tensor, fabric.all_gather(torch.tensor(start))) != start).any():
        raise InputError(f"{settings.output}: not every machine has its checkpoint; give all one shared --output")

    with Journal(settings.output, start, settings.steps, leads=rank == 0) as journal, Undisturbed() as ending:
        if processes == 1:  # Ctrl-C ends it after the step; several can't agree on one
            ending.begin()
        batches = supply(task.learning, settings, start, rank, processes)
        for step, batch in enumerate(batches, start + 1):
            torch.manual_seed(settings.seed + step * processes + rank)  # chance, too, is the step's alone
            rate = settings.learning_rate * rate_at(step - 1, settings)
            statistics = [buffer.clone() for buffer in network.buffers()]  # of batches: the loss already changes them
            outcome = task.loss(learner, fabric.to_device(batch))
            losses = outcome.losses
            if settings.adversarial:
                assert outcome.pictures is not None  # settings ask for an adversary only where there are some
                result, target = outcome.pictures
                discriminator.requires_grad_(False)
                with fabric.autocast():
                    losses["generator"] = settings.adversarial * generator_loss(discriminator, result)
            loss = torch.stack(list(losses.values())).sum()
            norm = descend(fabric, learner, optimizer, loss, rate, settings.clip)
            if norm.isfinite():
                averaged.update_parameters(network)
            else:
                for buffer, before in zip(network.buffers(), statistics, strict=True):
                    buffer.copy_(before)
            if settings.adversarial:
                discriminator.requires_grad_(True)
                apart = discriminator_loss(adversary, target, result)
                descend(fabric, adversary, adversary_optimizer, apart, rate, settings.clip)
                losses["discriminator"] = apart
            journal.count(settings.batch * processes)

            if step % settings.log_every == 0:
                means = {name: mean_of(fabric, value) for name, value in {"loss": loss, **losses}.items()}
                journal.log_step({**means, "gradient_norm": norm.item(), "learning_rate": rate}, step)
            if rank == 0 and (step % settings.validate_every == 0 or step == settings.steps):
                journal.log_validation(task.validate(averaged.module, device), step)
                exported, about = task.exported(averaged.module)
                export(settings, exported, {"commit": commit, **about}, step)
            # last, since a resumed run does not come back to what its checkpoint's step left undone
            if rank == 0 and (step % settings.checkpoint_every == 0 or step == settings.steps or ending.disturbed):
                save(settings, conditions, parts, step)
            if ending.disturbed:
                raise KeyboardInterrupt
    if rank == 0 and not is_exported(settings):  # a finished run's that were moved away
        exported, about = task.exported(averaged.module)
        export(settings, exported, {**about, "commit": "unknown, exported again"}, settings.steps)


def launch(settings: Training) -> Fabric:
    """This process among those that torchrun started; the only one without it."""
    devices, machines = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), int(os.environ.get("GROUP_WORLD_SIZE", 1))
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device: got cuda; want cpu or auto, as there is no GPU that torch can use")
    if settings.device == "mps" and not torch.backends.mps.is_available():
        raise InputError("device: got mps; want cpu or auto, as there is no such GPU that torch can use")
    fabric = Fabric(
        accelerator=settings.device,
        devices=devices,
        num_nodes=machines,
        # a matting network's refiner rests where nothing is refined
        strategy="ddp_find_unused_parameters_true" if devices * machines > 1 else "auto",
        precision=settings.precision,
    )
    fabric.launch()
    return fabric


def make_folder(path: Path) -> None:
    """Make it, and see that files can be written there, before hours of work."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(f"{path}: nothing can be written there ({error.strerror}); give another --output") from error


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


def mean_of(fabric: Fabric, value: Tensor) -> float:
    """Over all processes."""
    return cast(Tensor, fabric.all_reduce(value.detach())).item()


def rate_at(step: int, settings: Training) -> float:
    """Share of the learning rate: a linear warm-up, then a cosine to zero, or DucoNet's two steps."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    if settings.schedule == "steps":
        return 0.1 ** sum(step >= share * settings.steps for share in (105 / 120, 115 / 120))
    progress = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


def main(arguments: Sequence[str]) -> None:
    """Train as the settings file and the options behind it say; goes on where a stopped run of it left off."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    try:
        with endings_as_ctrl_c():
            train(read_settings(arguments))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main(sys.argv[1:])
