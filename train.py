"""Train a harmonizer on synthetic composites: ``python train.py configs/train_s2crnet.toml``.

A run is its settings file and its seed: started again, it goes on from its last checkpoint as if it had
never stopped.
"""

import dataclasses
import logging
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import torch
import tyro
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from video_harmonizer.config import read_toml
from video_harmonizer.errors import InputError
from video_harmonizer.harmonizers.curves import render
from video_harmonizer.harmonizers.s2crnet import S2CRNet, start_from_imagenet
from video_harmonizer.thumbnails import SIZE
from video_harmonizer.training.composites import CompositeDataset
from video_harmonizer.training.losses import foreground_mse, relative_l1
from video_harmonizer.training.photographs import Photographs, read_luts
from video_harmonizer.weights.load import read_state

log = logging.getLogger("train")


@dataclass(frozen=True)
class Training:
    """The settings of one run, each with what it means."""

    data: Path = Path("data")  # folder of index.csv, its photographs and masks, and luts.npz
    encoder: Path | None = None  # ImageNet weights of SqueezeNet 1.1's features to start from
    run: Path = Path("runs/s2crnet")  # where checkpoints, TensorBoard events and the weights go
    stages: int = 2  # curves one after the other: 1 single, 2 cascaded
    batch: int = 16
    steps: int = 8000
    small_steps: int = 6800  # of them on 128x128 thumbnails, four times as fast; the rest on 256x256
    learning_rate: float = 4e-4
    weight_decay: float = 1e-2
    warmup: int = 200  # steps until the full learning rate; a cosine leads from there to zero
    clip: float = 1.0  # largest norm of the gradient
    ema: float = 0.998  # decay of the averaged weights, which are validated and exported
    workers: int = 1  # processes that make samples
    validation: int = 300  # composites of unseen photographs with unseen tables
    validate_every: int = 1000
    checkpoint_every: int = 250
    seed: int = 0


def thumbnails(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The network's four inputs, float 0..1: pictures (B, 3, S, S), masks (B, 1, S, S)."""
    return (
        as_float(batch["foreground"]),
        as_float(batch["foreground_mask"][..., None]),
        as_float(batch["background"]),
        as_float(batch["background_mask"][..., None]),
    )


def as_float(pictures: Tensor) -> Tensor:
    """(B, H, W, C) uint8 -> (B, C, H, W) float 0..1."""
    return pictures.movedim(-1, 1).float() / 255


def loss_of(network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """Relative L1 of every stage, summed (the paper's section 3.4)."""
    with torch.autocast("cpu", torch.bfloat16):
        parameters = network(*thumbnails(batch)).float()
    # every fourth pixel says as much of a curve as all of them, at a quarter of the rendering
    image, target = (as_float(batch[name][:, ::2, ::2]) for name in ("background", "target"))
    mask = as_float(batch["target_mask"][:, ::2, ::2, None])
    losses = []
    for stage in parameters.split(1, dim=1):
        image = render(image, stage)
        losses.append(relative_l1(image, target, mask))
    return torch.stack(losses).sum()


@torch.no_grad()
def validate(network: nn.Module, loader: DataLoader) -> dict[str, float]:
    """Mean over composites, at 256x256: PSNR and fMSE of the result and of the untouched composite."""
    network.eval()
    scores = []
    for batch in loader:
        composite, target = as_float(batch["background"]), as_float(batch["target"])
        inside = as_float(batch["target_mask"][..., None]) > 0.5
        rendered = torch.where(inside, render(composite, network(*thumbnails(batch))).clamp(0, 1), composite)
        for name, image in (("", rendered), ("composite_", composite)):
            fmse, mse = foreground_mse(image, target, inside)
            psnr = 10 * torch.log10(255**2 / mse.clamp(min=1e-4))
            scores.append({f"{name}psnr": psnr, f"{name}mse": mse, f"{name}fmse": fmse})
    names = {name for score in scores for name in score}
    return {name: torch.cat([score[name] for score in scores if name in score]).mean().item() for name in names}


def rate_at(step: int, settings: Training) -> float:
    """Share of the learning rate: a linear warm-up, then a cosine to zero."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    progress = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


def train(settings: Training) -> None:
    """Run to the last step, validating and saving on the way; exports ``weights.safetensors``."""
    torch.manual_seed(settings.seed)
    settings.run.mkdir(parents=True, exist_ok=True)
    photographs = Photographs(settings.data, "train")
    luts, unseen_luts = read_luts(settings.data)
    learning = [CompositeDataset(photographs, luts, size, settings.seed) for size in (SIZE // 2, SIZE)]
    unseen = CompositeDataset(Photographs(settings.data, "val"), unseen_luts, SIZE, seed=1, untouched=0)
    validation = DataLoader(unseen, 20, sampler=range(settings.validation))

    network = S2CRNet(settings.stages)
    if settings.encoder:
        start_from_imagenet(network, read_state(settings.encoder))
    network.to(memory_format=torch.channels_last)
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(settings.ema))
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, settings))
    kept = {"network": network, "averaged": averaged, "optimizer": optimizer, "schedule": schedule}
    start = restore(settings.run / "checkpoint.pt", kept)

    batches = supply(learning, settings, start)
    bar = tqdm(batches, initial=start, total=settings.steps, unit="step", dynamic_ncols=True, mininterval=5)
    with SummaryWriter(str(settings.run), purge_step=start + 1) as events:
        for step, batch in enumerate(bar, start + 1):
            network.train()
            loss = loss_of(network, batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
            optimizer.step()
            schedule.step()
            averaged.update_parameters(network)
            if step % 20 == 0:
                events.add_scalar("loss", loss.item(), step)
                bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
            if step % settings.validate_every == 0 or step == settings.steps:
                scores = validate(averaged.module, validation)
                for name, value in scores.items():
                    events.add_scalar(f"validation/{name}", value, step)
                tqdm.write(f"step {step}: " + ", ".join(f"{name} {scores[name]:.2f}" for name in sorted(scores)))
                export(settings.run / "weights.safetensors", averaged.module)
            # last, since a resumed run does not come back to what its checkpoint's step left undone
            if step % settings.checkpoint_every == 0 or step == settings.steps:
                save(settings.run / "checkpoint.pt", kept, step)


def supply(learning: list[CompositeDataset], settings: Training, start: int) -> Iterator[dict[str, Tensor]]:
    """Batches from step ``start`` on: small thumbnails first, then large ones."""
    bounds = (0, min(settings.small_steps, settings.steps), settings.steps)
    for dataset, (first, last) in zip(learning, pairwise(bounds), strict=True):
        order = range(max(first, start) * settings.batch, last * settings.batch)
        if order:
            yield from DataLoader(dataset, settings.batch, sampler=order, num_workers=settings.workers)


def export(path: Path, network: nn.Module) -> None:
    """Write the weights as float16, whole or not at all."""
    partial = path.with_suffix(".partial")
    save_file({key: value.half().contiguous() for key, value in network.state_dict().items()}, partial)
    partial.replace(path)


def save(path: Path, kept: dict, step: int) -> None:
    """Write the checkpoint whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save({"step": step} | {name: part.state_dict() for name, part in kept.items()}, partial)
    partial.replace(path)


def restore(path: Path, kept: dict) -> int:
    """Load the checkpoint if there is one; the number of steps that are done."""
    if not path.is_file():
        return 0
    checkpoint = torch.load(path, weights_only=True)
    for name, part in kept.items():
        part.load_state_dict(checkpoint[name])
    log.info("%s: going on after step %d", path, checkpoint["step"])
    return checkpoint["step"]


def main(settings: Annotated[Path, tyro.conf.Positional]) -> None:
    """Train a harmonizer as the settings file says; goes on where a stopped run of it left off."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        train(dataclasses.replace(Training(), **read_toml(Training, settings)))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    tyro.cli(main)
