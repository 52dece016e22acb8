"""DucoNet's task: it repaints the whole picture, so that pixels are compared, not what curves make of them."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from video_harmonizer.harmonizers.duconet import DucoNet
from video_harmonizer.harmonizers.duconet_estimator import denormalize, normalize
from video_harmonizer.harmonizers.lab import opencv_lab
from video_harmonizer.training.harmonizing import as_float, score, side_by_side
from video_harmonizer.training.losses import foreground_normalized_mse
from video_harmonizer.training.settings import Training
from video_harmonizer.training.supply import make_datasets
from video_harmonizer.training.task import Batch, Outcome, Validation
from video_harmonizer.weights.load import load_into, read_state

EMPTY = 0.05  # of the samples have nobody in them: nothing is to change
SHOWN = 6


class Repainting:
    """The authors' loss on the composites that all harmonizers learn from."""

    def __init__(self, settings: Training) -> None:
        self.settings = settings
        self.learning, unseen = make_datasets(settings)
        self.validation = DataLoader(unseen, batch_size=10)
        self.learner: nn.Module = DucoNet()
        if settings.weights:
            load_into(self.learner, read_state(settings.weights), str(settings.weights))

    def loss(self, learner: nn.Module, batch: Batch) -> Outcome:
        """Squared error over the foreground's area, of normalised colours."""
        composite, target = as_float(batch["background"]), as_float(batch["target"])
        mask = as_float(batch["background_mask"][..., None])
        empty = 0.0 if self.settings.overfit else EMPTY
        there = (torch.rand(len(mask)) >= empty).to(mask)[:, None, None, None]
        wanted = torch.where(there > 0, target, composite)
        answer = learner(normalize(composite), mask * there, opencv_lab(composite))
        loss = foreground_normalized_mse(answer, normalize(wanted), mask * there)
        return Outcome({"fn_mse": loss}, (denormalize(answer).clamp(0, 1), wanted))

    def validate(self, learner: nn.Module, device: torch.device) -> Validation:
        """Scores, and the first samples' composite, result and target."""
        network = cast(DucoNet, learner).eval()
        scores = score(lambda batch: repaint(network, batch), self.validation, device)
        batch = {name: value[:SHOWN].to(device) for name, value in next(iter(self.validation)).items()}
        return Validation(scores, {"composite | result | target": side_by_side(batch, repaint(network, batch))})

    def exported(self, learner: nn.Module) -> tuple[nn.Module, dict[str, str]]:
        """The network itself, with the side of the pictures that it knows."""
        return learner, {"network": "duconet", "side": str(self.settings.size)}


@torch.no_grad()
def repaint(network: DucoNet, batch: Batch) -> Tensor:
    """Results (B, 3, S, S) float 0..1 on their untouched background."""
    composite, mask = as_float(batch["background"]), as_float(batch["background_mask"][..., None])
    answer = denormalize(network(normalize(composite), mask, opencv_lab(composite))).clamp(0, 1)
    return torch.where(as_float(batch["target_mask"][..., None]) > 0.5, answer, composite)
