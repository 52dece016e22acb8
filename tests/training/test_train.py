"""The training program, end to end on a folder of a dozen pictures."""

import dataclasses
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import train
from video_harmonizer.config import read_toml
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.training.composites import CompositeDataset
from video_harmonizer.training.photographs import Photographs, read_luts
from video_harmonizer.weights.load import load_into, read_state

ROOT = Path(train.__file__).parent


@pytest.fixture
def settings(data: Path, tmp_path: Path) -> train.Training:
    return train.Training(
        data=data,
        run=tmp_path / "run",
        batch=2,
        steps=4,
        small_steps=3,
        warmup=1,
        workers=0,
        validation=2,
        validate_every=100,
        checkpoint_every=1,
    )


def interrupt_after(function: Callable, calls: int) -> Callable:
    """The function, and Ctrl-C at the end of its given call."""
    done = 0

    def interrupted(*args: Any) -> Any:
        nonlocal done
        result = function(*args)
        done += 1
        if done == calls:
            raise KeyboardInterrupt
        return result

    return interrupted


# --- a whole run ----------------------------------------------------------------------------------------------


def test_run_exports_weights_that_work(settings: train.Training, capsys: pytest.CaptureFixture[str]):
    train.train(dataclasses.replace(settings, steps=2, small_steps=1))
    path = settings.run / "weights.safetensors"
    network = S2CRNet().eval()
    load_into(network, read_state(path), path.name)
    picture, mask = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    assert network(picture, mask, picture, mask).isfinite().all()
    assert "step 2: composite_fmse" in capsys.readouterr().out
    assert {path.suffix for path in settings.run.iterdir()} == {".pt", ".safetensors", ".0"}  # nothing half-written


def test_stopped_and_resumed_run_equals_an_uninterrupted_one(
    settings: train.Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = dataclasses.replace(settings, run=tmp_path / "whole")
    train.train(whole)
    with monkeypatch.context() as patch:
        patch.setattr(train, "save", interrupt_after(train.save, 2))
        with pytest.raises(KeyboardInterrupt):
            train.train(settings)
    assert torch.load(settings.run / "checkpoint.pt", weights_only=True)["step"] == 2
    train.train(settings)

    one, other = (torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (whole.run, settings.run))
    assert one.keys() == other.keys()
    assert one["step"] == other["step"] == 4
    for name in ("network", "averaged"):
        assert all(torch.equal(value, other[name][key]) for key, value in one[name].items())
    for key, moments in one["optimizer"]["state"].items():
        assert all(torch.equal(value, other["optimizer"]["state"][key][name]) for name, value in moments.items())
    assert one["schedule"] == other["schedule"]
    names = "weights.safetensors"
    assert (whole.run / names).read_bytes() == (settings.run / names).read_bytes()


def test_run_stopped_in_its_last_validation_still_exports_when_resumed(
    settings: train.Training, monkeypatch: pytest.MonkeyPatch
):
    short = dataclasses.replace(settings, steps=1, small_steps=1)
    with monkeypatch.context() as patch:
        patch.setattr(train, "validate", interrupt_after(train.validate, 1))
        with pytest.raises(KeyboardInterrupt):
            train.train(short)
    train.train(short)
    assert (short.run / "weights.safetensors").is_file()


# --- its parts ------------------------------------------------------------------------------------------------


class Numbers(Dataset):
    """A supply that shows which samples were asked for."""

    def __init__(self, offset: int) -> None:
        self.offset = offset

    def __getitem__(self, index: int) -> int:
        return self.offset + index


def supplied(settings: train.Training, start: int) -> list[list[int]]:
    batches: Any = train.supply([Numbers(0), Numbers(1000)], settings, start)  # type: ignore[list-item]
    return [batch.tolist() for batch in batches]


def test_supply_goes_from_small_to_large_and_on_where_it_stopped(settings: train.Training):
    assert supplied(settings, 0) == [[0, 1], [2, 3], [4, 5], [1006, 1007]]
    assert supplied(settings, 2) == [[4, 5], [1006, 1007]]
    assert supplied(settings, 4) == []


def test_supply_ends_with_the_steps_where_all_would_be_small(settings: train.Training):
    assert supplied(dataclasses.replace(settings, small_steps=100), 0) == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_learning_rate_warms_up_and_ends_at_zero():
    settings = train.Training(steps=100, warmup=10)
    rates = [train.rate_at(step, settings) for step in range(101)]
    assert rates[:10] == pytest.approx([0.1 * (n + 1) for n in range(10)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)
    assert all(a >= b for a, b in pairwise(rates[10:]))


class Identity(nn.Module):
    def forward(self, foreground: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(foreground), 2, 3, 64)


def test_curves_that_change_nothing_score_as_the_composite(data: Path):
    composites = CompositeDataset(Photographs(data, "val"), read_luts(data)[1], 32, seed=1)
    scores = train.validate(Identity(), DataLoader(composites, 3, sampler=range(7)))
    assert scores.keys() == {f"{of}{name}" for of in ("", "composite_") for name in ("psnr", "mse", "fmse")}
    for name in ("psnr", "mse", "fmse"):
        assert scores[name] == pytest.approx(scores[f"composite_{name}"])
    assert scores["fmse"] > scores["mse"] > 0


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("train*.toml")), ids=lambda path: path.name)
def test_settings_files_of_training_fit(path: Path):
    train.Training(**read_toml(train.Training, path))


def test_bad_settings_end_with_status_2_and_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as error:
        train.main(tmp_path / "nowhere.toml")
    assert error.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/nowhere.toml: No such file")
