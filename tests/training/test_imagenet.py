"""Encoders that start from ImageNet's SqueezeNet."""

from pathlib import Path

import pytest
import torch
from torchvision.models import squeezenet1_1

from rvm.imagenet import DEVIATION, MEAN
from rvm.squeezenet import squeezenet_features
from video_harmonizer.errors import InputError
from video_harmonizer.training.imagenet import load_imagenet, take_plain_rgb, tell_of_chance
from video_harmonizer.training.settings import Training
from video_harmonizer.weights.load import read_state


@pytest.fixture
def imagenet() -> torch.nn.Sequential:
    """A network that wants normalised pictures, with biases that matter."""
    torch.manual_seed(2)
    features = squeezenet1_1(weights=None).features.eval().requires_grad_(False)
    for name, value in features.named_parameters():
        if name.endswith("bias"):
            value.normal_(std=0.1)
    return features


@pytest.mark.parametrize("prefix", ["", "features."])
def test_encoder_gives_the_same_features_of_plain_rgb(imagenet: torch.nn.Sequential, prefix: str, tmp_path: Path):
    torch.save({prefix + key: value for key, value in imagenet.state_dict().items()}, tmp_path / "a.pth")
    encoder = squeezenet_features(12).requires_grad_(False)
    load_imagenet(encoder, tmp_path / "a.pth")
    take_plain_rgb(encoder)
    picture = torch.rand((2, 3, 63, 70))
    mean, deviation = torch.tensor(MEAN), torch.tensor(DEVIATION)
    normalised = (picture - mean[:, None, None]) / deviation[:, None, None]
    torch.testing.assert_close(encoder(picture), imagenet[:12](normalised), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (Training(), True),
        (Training(encoder=Path("a.pth")), False),
        (Training(weights=Path("a.safetensors")), False),
        (Training(network="duconet"), False),
    ],
)
def test_a_start_from_chance_is_told_of(settings: Training, told: bool, caplog: pytest.LogCaptureFixture):
    tell_of_chance(settings)
    assert ("features start from chance" in caplog.text) == told


def test_encoder_with_missing_layers_is_refused(imagenet: torch.nn.Sequential, tmp_path: Path):
    state = {key: value for key, value in imagenet.state_dict().items() if not key.startswith("0.")}
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"a\.pth: .* keys missing \(first: 0\.weight\)"):
        load_imagenet(squeezenet_features(12), tmp_path / "a.pth")


def test_published_imagenet_features_are_taken(reference: Path):
    path = reference / "weights/squeezenet1_1_features.pth"
    encoder = squeezenet_features(12)
    load_imagenet(encoder, path)
    theirs = {key.removeprefix("features."): value for key, value in read_state(path).items()}
    assert all(torch.equal(value, theirs[key]) for key, value in encoder.state_dict().items())
