"""DucoNet's training: its loss, its schedule, and a short run whose weights the application takes."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

import train
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.harmonizers.duconet import DucoNet
from video_harmonizer.harmonizers.duconet_estimator import denormalize, load_duconet, normalize
from video_harmonizer.training import descent
from video_harmonizer.training.harmonizing import as_float
from video_harmonizer.training.losses import foreground_normalized_mse
from video_harmonizer.training.repainting import Repainting
from video_harmonizer.training.settings import Training, read_settings


@pytest.fixture
def settings(data: Path, tmp_path: Path) -> Training:
    return Training(
        network="duconet",
        data=data,
        output=tmp_path / "run",
        size=32,
        batch=2,
        steps=3,
        warmup=0,
        precision="32-true",
        device="cpu",
        workers=0,
        validation=2,
        validate_every=100,
        log_every=1,
    )


def test_short_run_gives_weights_that_the_application_takes(settings: Training):
    train.train(settings)
    estimator = load_duconet(settings.output / "weights.safetensors", TorchEngine("cpu"))
    assert estimator.side == 32


def test_run_goes_on_from_earlier_weights(settings: Training, tmp_path: Path):
    train.train(settings)
    task = Repainting(dataclasses.replace(settings, weights=settings.output / "weights.safetensors"))
    exported = load_duconet(settings.output / "weights.safetensors", TorchEngine("cpu"))
    for key, value in task.learner.state_dict().items():
        assert torch.equal(value, exported.step.network.state_dict()[key])


def test_normalized_and_back_is_the_picture():
    picture = torch.rand(2, 3, 5, 7)
    torch.testing.assert_close(denormalize(normalize(picture)), picture)
    assert normalize(picture)[:, 1] == pytest.approx((picture[:, 1] - 0.456) / 0.224)


def test_error_counts_by_the_foregrounds_area_and_everywhere():
    target = torch.zeros(2, 3, 20, 20)
    image = target.clone()
    image[0, 0, 0, 0] = 2.0  # outside of either foreground
    mask = torch.zeros(2, 1, 20, 20)
    mask[0, :, 5:15, 5:19] = 1  # 140 pixels
    assert foreground_normalized_mse(image, target, mask).item() == pytest.approx(4 / 140 / 2)
    image[1, 2, 3, 3] = 1.0  # in a picture without foreground, which counts as one of 100 pixels
    assert foreground_normalized_mse(image, target, mask).item() == pytest.approx((4 / 140 + 1 / 100) / 2)


class Given(nn.Module):
    """Answers with what it was made with; remembers the masks that it saw."""

    def __init__(self, answer: torch.Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, image: torch.Tensor, mask: torch.Tensor, lab: torch.Tensor) -> torch.Tensor:
        self.mask = mask
        assert lab.shape == image.shape
        return self.answer


def test_target_costs_nothing_and_where_nobody_is_the_composite_does(
    settings: Training, monkeypatch: pytest.MonkeyPatch
):
    task = Repainting(settings)
    batch = {name: value[None] for name, value in task.learning[-1][0].items()}
    composite, target = (as_float(batch[name]) for name in ("background", "target"))
    monkeypatch.setattr("video_harmonizer.training.repainting.EMPTY", 0.0)
    assert task.loss(Given(normalize(target)), batch).losses["fn_mse"] == 0
    monkeypatch.setattr("video_harmonizer.training.repainting.EMPTY", 1.0)
    given = Given(normalize(composite))
    assert task.loss(given, batch).losses["fn_mse"] == 0
    assert not given.mask.any()


def test_authors_settings_are_read_and_lower_the_rate_in_two_steps():
    settings = read_settings([str(Path(train.__file__).with_name("configs") / "train_duconet.toml")])
    assert (settings.network, settings.schedule) == ("duconet", "steps")
    rates = [descent.rate_at(int(share * settings.steps), settings) for share in (0, 0.8, 0.9, 0.95, 0.97)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_composites_are_learnt_by_heart(settings: Training, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("video_harmonizer.training.supply.REACHABLE", 36.0)  # these grainy pictures have no better ones
    settings = dataclasses.replace(settings, overfit=1, batch=1, steps=40, learning_rate=2e-3)
    task = Repainting(settings)
    assert isinstance(task.learner, DucoNet)
    device = torch.device("cpu")
    before = task.validate(task.learner, device).scores
    train.train(settings)
    checkpoint = torch.load(settings.output / "checkpoint.pt", weights_only=True)
    task.learner.load_state_dict(checkpoint["network"])
    assert task.validate(task.learner, device).scores["fmse"] < 0.5 * before["fmse"]
