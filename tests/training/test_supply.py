"""Which samples a run learns from, in which order, and which of them curves can mend."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from video_harmonizer.errors import InputError
from video_harmonizer.training.settings import Training
from video_harmonizer.training.supply import FOREIGN, REACHABLE, FixedSamples, make_datasets, reach, supply


class Numbers(Dataset):
    """A supply that shows which samples were asked for."""

    def __init__(self, offset: int) -> None:
        self.offset = offset

    def __getitem__(self, index: int) -> int:
        return self.offset + index


@pytest.fixture
def settings(data: Path) -> Training:
    return Training(data=data, size=64, batch=2, steps=4, small_steps=3, workers=0, validation=3)


def supplied(settings: Training, start: int = 0, rank: int = 0, processes: int = 1) -> list[list[int]]:
    batches: Iterable[Any] = supply([Numbers(0), Numbers(1000)], settings, start, rank, processes)
    return [batch.tolist() for batch in batches]


def test_supply_goes_from_small_to_large_and_on_where_it_stopped(settings: Training):
    assert supplied(settings) == [[0, 1], [2, 3], [4, 5], [1006, 1007]]
    assert supplied(settings, start=2) == [[4, 5], [1006, 1007]]
    assert supplied(settings, start=4) == []


def test_supply_ends_with_the_steps_where_all_would_be_small(settings: Training):
    assert supplied(dataclasses.replace(settings, small_steps=100)) == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_processes_share_the_samples_of_a_larger_batch(settings: Training):
    shares = [supplied(settings, rank=rank, processes=2) for rank in range(2)]
    whole = supplied(dataclasses.replace(settings, batch=4))
    assert [first + second for first, second in zip(*shares, strict=True)] == whole


class Broken(Dataset):
    def __getitem__(self, index: int) -> int:
        raise InputError("a.png: no picture; give one")


@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_wrong_with_the_data_is_said_in_one_line(settings: Training, workers: int):
    with pytest.raises(InputError) as error:
        list(supply([Broken(), Broken()], dataclasses.replace(settings, workers=workers), 0))
    assert str(error.value) == "a.png: no picture; give one"


def test_tables_that_were_asked_for_have_to_be_there(settings: Training, tmp_path: Path):
    with pytest.raises(InputError, match=r"luts: got .*; want a folder with a file luts\.npz"):
        make_datasets(dataclasses.replace(settings, luts=tmp_path))


def test_photographs_give_composites_of_both_sizes(settings: Training):
    (small, large), validation = make_datasets(settings)
    assert small[0]["background"].shape == (32, 32, 3)
    assert large[0]["background"].shape == validation[0]["background"].shape == (64, 64, 3)


def test_labels_are_asked_for_where_there_are_none(settings: Training, monkeypatch: pytest.MonkeyPatch):
    settings = dataclasses.replace(settings, semantic=True)
    plain = {"background": torch.zeros(2)}
    monkeypatch.setattr("video_harmonizer.training.composites.CompositeDataset.__getitem__", lambda *_: plain)
    with pytest.raises(InputError, match="its foregrounds have no labels; want semantic = false"):
        make_datasets(settings)
    plain["label"] = torch.tensor(0)
    make_datasets(settings)


def test_data_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="nowhere: no such folder; give photographs or the root of iHarmony4"):
        make_datasets(Training(data=tmp_path / "nowhere"))


def sample(composite: np.ndarray, target: np.ndarray) -> dict[str, torch.Tensor]:
    mask = np.zeros(target.shape[:2], np.uint8)
    mask[4:20, 4:20] = 255
    pasted = np.where(mask[..., None] > 0, composite, target)
    arrays = {"background": pasted, "target": target, "target_mask": mask}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def composites() -> list[dict[str, torch.Tensor]]:
    """One that a curve mends, one with noise, one that needs nothing."""
    random = np.random.default_rng(0)
    target = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    curved = np.rint(255 * (target / 255) ** 0.5).astype(np.uint8)
    noisy = (curved + random.normal(0, 12, curved.shape)).clip(0, 255).astype(np.uint8)
    return [sample(composite, target) for composite in (curved, noisy, target)]


def test_curves_reach_what_is_curved_but_not_what_is_noisy():
    curved, noisy, untouched = map(reach, composites())
    assert curved[0] < FOREIGN < REACHABLE < curved[1]
    assert noisy[0] < noisy[1] < 40
    assert untouched[0] == untouched[1] == 100


def test_fixed_samples_are_those_that_need_curves_and_that_curves_can_mend():
    curved, noisy, untouched = composites()
    dataset: Any = [noisy, curved, untouched, noisy, curved, *[noisy] * 1000]
    fixed = FixedSamples(dataset, 2)
    assert all(fixed[index] is curved for index in range(5))
    with pytest.raises(InputError, match="overfit: got 3; want at most the 2 composites"):
        FixedSamples(dataset, 3)
