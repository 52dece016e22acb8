"""Train a harmonizer or a matting network: ``python train.py configs/train_s2crnet.toml --output runs/mine``.

A run is its settings and its seed: started again, it goes on from its last checkpoint as if it had never
stopped. On several GPUs or machines start it with ``torchrun --nproc-per-node N train.py ...``; all processes
together then do what one would do with N times the batch. Not quite so with batch norm, in DucoNet, the matting network
and the adversary: each process normalises by its own part of the batch, and the first one's statistics are kept. The
matting network's samples are also others, as each process draws what its own batch is to be.
"""

import dataclasses
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor

from video_harmonizer.errors import InputError
from video_harmonizer.training.descent import Descent, rate_at
from video_harmonizer.training.harmonizing import Harmonizing
from video_harmonizer.training.imagenet import tell_of_chance
from video_harmonizer.training.journal import Journal
from video_harmonizer.training.matting import Matting
from video_harmonizer.training.repainting import Repainting
from video_harmonizer.training.runs import check_place, current_commit, export, is_exported, made_by, restore, save
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
    rank, processes = fabric.global_rank, fabric.world_size
    torch.manual_seed(settings.seed)
    make_folder(settings.output)
    check_place(settings)
    conditions, commit = made_by(settings, processes), current_commit() or "unknown"  # now: files may change meanwhile
    task = make(settings)
    descent = Descent(fabric, task, settings)
    start = restore(settings, conditions, descent.parts)
    if (cast(Tensor, fabric.all_gather(torch.tensor(start))) != start).any():
        raise InputError(f"{settings.output}: not every machine has its checkpoint; give all one shared --output")
    if not start:
        tell_of_chance(settings)

    with Journal(settings.output, start, settings.steps, leads=rank == 0) as journal, Undisturbed() as ending:
        if processes == 1:  # Ctrl-C ends it after the step; several can't agree on one
            ending.begin()
        batches = supply(task.learning, settings, start, rank, processes)
        for step, batch in enumerate(batches, start + 1):
            torch.manual_seed(settings.seed + step * processes + rank)  # chance, too, is the step's alone
            rate = settings.learning_rate * rate_at(step - 1, settings)
            losses = descent.step(batch, rate)
            journal.count(settings.batch * processes)

            if step % settings.log_every == 0:
                means = {name: mean_of(fabric, value) for name, value in losses.items()}
                journal.log_step({**means, "learning_rate": rate}, step)
            if rank == 0 and (step % settings.validate_every == 0 or step == settings.steps):
                journal.log_validation(task.validate(descent.averaged.module, fabric.device), step)
                exported, about = task.exported(descent.averaged.module)
                export(settings, exported, {"commit": commit, **about}, step)
            # last, since a resumed run does not come back to what its checkpoint's step left undone
            if rank == 0 and (step % settings.checkpoint_every == 0 or step == settings.steps or ending.disturbed):
                save(settings, conditions, descent.parts, step)
            if ending.disturbed:
                raise KeyboardInterrupt
    if rank == 0 and not is_exported(settings):  # a finished run's that were moved away
        exported, about = task.exported(descent.averaged.module)
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


def mean_of(fabric: Fabric, value: Tensor) -> float:
    """Over all processes."""
    return cast(Tensor, fabric.all_reduce(value.detach())).item()


def main(arguments: Sequence[str]) -> None:
    """Train as the settings file and the options behind it say; goes on where a stopped run of it left off."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    try:
        with endings_as_ctrl_c():
            train(read_settings(arguments))
        if torch.distributed.is_initialized():  # Gloo's threads abort an interpreter that ends before they do
            torch.distributed.destroy_process_group()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main(sys.argv[1:])
