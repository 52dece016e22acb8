"""SqueezeNet 1.1 as ImageNet taught it: what encoders start from."""

import logging
from pathlib import Path

import torch
from torch import nn

from rvm.imagenet import DEVIATION, MEAN
from video_harmonizer.training.settings import OF_SOME, Training
from video_harmonizer.weights.load import load_into, read_state

log = logging.getLogger(__name__)


def tell_of_chance(settings: Training) -> None:
    """Warn where hours of training would begin with features that nobody taught anything."""
    taught = settings.encoder is not None or settings.weights is not None or settings.network not in OF_SOME["encoder"]
    if not (taught or settings.overfit):
        log.warning(
            "encoder: none given, so features start from chance; those bundled started from ImageNet's"
            " (--encoder FILE, torchvision's squeezenet1_1)"
        )


def load_imagenet(encoder: nn.Module, path: Path) -> None:
    """Take the first layers of torchvision's features, whose key names may have that prefix; later ones are ignored.

    Raises:
        InputError: the encoder's layers are not all there, in their shapes.
    """
    wanted = encoder.state_dict()
    state = {key.removeprefix("features."): value for key, value in read_state(path).items()}
    load_into(encoder, {key: value for key, value in state.items() if key in wanted}, str(path))


@torch.no_grad()
def take_plain_rgb(encoder: nn.Sequential) -> None:
    """Move ImageNet's normalisation into the first convolution, which has no padding: pictures are plain RGB 0..1."""
    mean, deviation = torch.tensor(MEAN), torch.tensor(DEVIATION)
    first = encoder[0]
    assert isinstance(first, nn.Conv2d)
    assert first.bias is not None
    first.bias -= (first.weight * (mean / deviation)[:, None, None]).sum((1, 2, 3))
    first.weight /= deviation[:, None, None]
