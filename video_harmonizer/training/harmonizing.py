"""The harmonizers' task: a network's inputs and outputs, what it should minimize, and how well it does."""

from collections.abc import Callable
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from video_harmonizer.evaluation.metrics import MAX_PSNR
from video_harmonizer.harmonizers.curvenet import CurveNet
from video_harmonizer.harmonizers.s2crnet import CurveRenderingModule, S2CRNet
from video_harmonizer.training.imagenet import load_imagenet, take_plain_rgb
from video_harmonizer.training.losses import foreground_mse, relative_l1, relative_l2
from video_harmonizer.training.settings import Training
from video_harmonizer.training.supply import make_datasets
from video_harmonizer.training.task import Batch, Outcome, Validation
from video_harmonizer.weights.load import load_into, read_state

Network = S2CRNet | CurveNet

SHOWN = 6  # validation samples whose pictures and curves are kept track of
PLOT = 256  # pixels, side of a curve plot
COLORS = ((220, 40, 40), (30, 150, 60), (40, 80, 220))  # of the plotted channels


class Harmonizing:
    """The task of S2CRNet and CurveNet."""

    def __init__(self, settings: Training) -> None:
        self.settings = settings
        self.learning, unseen = make_datasets(settings)
        self.validation = DataLoader(unseen, batch_size=20)
        self.learner: nn.Module = make_network(settings)

    def loss(self, learner: nn.Module, batch: Batch) -> Outcome:
        """`judge` of what the network answers."""
        parameters = learner(*network_inputs(batch, self.settings.semantic))
        return judge(cast(Network, self.learner), parameters, batch, self.settings)

    def validate(self, learner: nn.Module, device: torch.device) -> Validation:
        """Scores, and of the first samples composite, result, target and curves."""
        network, semantic = cast(Network, learner), self.settings.semantic
        scores = validate(network, self.validation, device, semantic)
        batch = {name: value[:SHOWN].to(device) for name, value in next(iter(self.validation)).items()}
        result, parameters = harmonize(network, batch, semantic)
        plots = np.concatenate([plot(curves) for curves in curves_of(network, parameters)], 1)
        return Validation(scores, {"composite | result | target": side_by_side(batch, result), "curves": plots})

    def exported(self, learner: nn.Module) -> tuple[nn.Module, dict[str, str]]:
        """The network itself."""
        settings = self.settings
        metadata: dict[str, str] = {"network": settings.network}
        if settings.network == "s2crnet":
            metadata |= {"stages": str(settings.stages), "semantic": str(settings.semantic).lower()}
        return learner, metadata


def make_network(settings: Training) -> Network:
    """The network to train, its encoder from ImageNet where the settings give that."""
    network = S2CRNet(settings.stages) if settings.network == "s2crnet" else CurveNet()
    if settings.encoder:
        encoder = network.squeezenet1_1 if isinstance(network, S2CRNet) else network.encoder
        load_imagenet(encoder, settings.encoder)
        take_plain_rgb(encoder)
    if settings.weights:
        load_into(network, read_state(settings.weights), str(settings.weights))
    if isinstance(network, S2CRNet):
        freeze_other_variants(network, settings)
    return network.to(memory_format=torch.channels_last)


def freeze_other_variants(network: S2CRNet, settings: Training) -> None:
    """Take layers that this variant does not use out of training: several processes would wait for their gradients."""
    for stage, module in enumerate(network.fusion.values()):
        assert isinstance(module, CurveRenderingModule)
        module.requires_grad_(stage < settings.stages)
        labelled = (module.fc_label_1, module.fc_label_2, module.fc_f_label)
        for unused in (module.fc_f_1,) if settings.semantic else labelled:
            unused.requires_grad_(False)


def network_inputs(batch: dict[str, Tensor], semantic: bool) -> tuple[Tensor, ...]:
    """Pictures (B, 3, S, S) and masks (B, 1, S, S), float 0..1; with ``semantic`` the labels (B,) behind them."""
    thumbnails = (
        as_float(batch["foreground"]),
        as_float(batch["foreground_mask"][..., None]),
        as_float(batch["background"]),
        as_float(batch["background_mask"][..., None]),
    )
    return (*thumbnails, batch["label"]) if semantic else thumbnails


def as_float(pictures: Tensor) -> Tensor:
    """(B, H, W, C) uint8 -> (B, C, H, W) float 0..1."""
    return pictures.movedim(-1, 1).float() / 255


def judge(network: Network, parameters: Tensor, batch: Batch, settings: Training) -> Outcome:
    """Relative L1 of every stage, summed (the S2CRNet paper's section 3.4), and squared errors if they are to count."""
    # every fourth pixel says as much of a curve, at a quarter of the work; an adversary wants to see all
    step = 1 if settings.adversarial else 2
    composite, target = (as_float(batch[name][:, ::step, ::step]) for name in ("background", "target"))
    mask = as_float(batch["target_mask"][:, ::step, ::step, None])
    stages = network.draw(composite, parameters)
    # half transparent pixels hold some of the scene, which no curve should correct: in use the person is unmixed first
    solid = (2 * mask - 1).clamp(min=0)
    losses = {"relative_l1": torch.stack([relative_l1(stage, target, solid) for stage in stages]).sum()}
    if settings.squared:
        losses["squared"] = settings.squared * relative_l2(stages[-1], target, solid)
    return Outcome(losses, (torch.lerp(composite, stages[-1], mask), target))


@torch.no_grad()
def harmonize(network: Network, batch: dict[str, Tensor], semantic: bool) -> tuple[Tensor, Tensor]:
    """(results (B, 3, S, S) float 0..1, the network's parameters)."""
    composite = as_float(batch["background"])
    parameters = network(*network_inputs(batch, semantic))
    inside = as_float(batch["target_mask"][..., None]) > 0.5
    return torch.where(inside, network.draw(composite, parameters)[-1].clamp(0, 1), composite), parameters


def validate(network: Network, loader: DataLoader, device: torch.device, semantic: bool = False) -> dict[str, float]:
    """`score` of what the network makes of composites."""
    network.eval()
    return score(lambda batch: harmonize(network, batch, semantic)[0], loader, device)


@torch.no_grad()
def score(results: Callable[[Batch], Tensor], loader: DataLoader, device: torch.device) -> dict[str, float]:
    """Mean over composites: PSNR, MSE and fMSE of the results (B, 3, S, S) and of the untouched composite."""
    scores: dict[str, list[Tensor]] = {}
    for batch in loader:
        batch = {name: value.to(device) for name, value in batch.items()}
        composite, target = as_float(batch["background"]), as_float(batch["target"])
        inside = as_float(batch["target_mask"][..., None]) > 0.5
        for name, image in (("", results(batch)), ("composite_", composite)):
            fmse, mse = foreground_mse(image, target, inside)
            psnr = (10 * torch.log10(255**2 / mse)).clamp(max=MAX_PSNR)
            for key, value in (("psnr", psnr), ("mse", mse), ("fmse", fmse)):
                scores.setdefault(name + key, []).append(value)
    return {name: torch.cat(values).mean().item() for name, values in scores.items()}


def side_by_side(batch: Batch, result: Tensor) -> np.ndarray:
    """Composite, result (B, 3, S, S) and target, a sample a row: (B S, 3 S, 3) uint8."""
    pictures = [as_float(batch["background"]), result, as_float(batch["target"])]
    rows = torch.cat([torch.cat(list(picture), 1) for picture in pictures], 2)
    return (255 * rows).round().byte().movedim(0, -1).cpu().numpy()


def curves_of(network: Network, parameters: Tensor) -> np.ndarray:
    """What becomes of each level of grey: (B, 3, `PLOT`)."""
    ramp = torch.linspace(0, 1, PLOT, device=parameters.device).expand(len(parameters), 3, 1, PLOT)
    return network.draw(ramp, parameters)[-1][:, :, 0].cpu().numpy()


def plot(curves: np.ndarray) -> np.ndarray:
    """(3, `PLOT`) float 0..1, red, green and blue -> (`PLOT`, `PLOT`, 3) uint8; inputs rightwards, outputs upwards."""
    picture = np.full((PLOT, PLOT, 3), 255, np.uint8)
    x = np.arange(PLOT)
    for values, color in ((x / (PLOT - 1), (200, 200, 200)), *zip(curves, COLORS, strict=True)):
        y = np.rint((1 - np.clip(values, -1, 2)) * (PLOT - 1))
        points = np.stack([x, y], 1).astype(np.int32)[:, None]
        cv2.polylines(picture, [points], False, color, 2, cv2.LINE_AA)
    return picture
