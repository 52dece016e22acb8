"""iHarmony4 as samples: a tiny one, made here in its published layout."""

import dataclasses
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from video_harmonizer.errors import InputError
from video_harmonizer.training.iharmony import IHarmonyDataset, is_iharmony4
from video_harmonizer.training.settings import Training
from video_harmonizer.training.supply import contents, make_datasets

HEIGHT, WIDTH = 90, 120


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six training composites and three for the test; the real picture is a ramp, the foreground is darker."""
    root = tmp_path / "iharmony4"
    subset = root / "HFlickr"
    for folder in ("composite_images", "masks", "real_images"):
        (subset / folder).mkdir(parents=True)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[30:70, 20:90] = 255
    names: dict[str, list[str]] = {"train": [], "test": []}
    for number in range(9):
        real = np.stack([x + 100, y + 100, np.full_like(x, 100 + 10 * number)], -1).clip(0, 255).astype(np.uint8)
        composite = np.where(mask[..., None] > 0, real // 2, real)
        cv2.imwrite(str(subset / f"real_images/f{number}.png"), real[..., ::-1])
        cv2.imwrite(str(subset / f"masks/f{number}_1.png"), mask)
        cv2.imwrite(str(subset / f"composite_images/f{number}_1_1.png"), composite[..., ::-1])
        names["train" if number < 6 else "test"].append(f"f{number}_1_1.png")
    for split, listed in names.items():
        (subset / f"HFlickr_{split}.txt").write_text("\n".join(listed))
    return root


def identity(sample: dict[str, torch.Tensor]) -> int:
    """Which of the pictures it is."""
    return round((sample["target"][..., 2].float().mean().item() - 100) / 10)


def test_lists_are_told_apart_wherever_they_lie(root: Path):
    for path in (root / "HFlickr" / "HFlickr_train.txt", root / "IHD_train.txt", root / "HFlickr" / "readme.txt"):
        before = contents(Training(data=root))
        path.write_bytes(b"Stra\xdfe")  # not UTF-8
        assert contents(Training(data=root)) != before


def test_sample_has_what_a_synthetic_composite_has(root: Path, data: Path):
    made = make_datasets(Training(data=data, size=64, validation=2))[0][1][0]
    sample = IHarmonyDataset(root, "train", 64, seed=0)[0]
    for name, value in sample.items():
        assert value.shape == made[name].shape
        assert value.dtype == made[name].dtype
    inside = sample["target_mask"] == 255
    assert inside.any()
    assert (sample["background"][inside].int() - sample["target"][inside].int() // 2).abs().max() <= 3
    outside = sample["target_mask"] == 0
    assert torch.equal(sample["background"][outside], sample["target"][outside])


def test_each_epoch_has_every_composite_once_in_an_order_of_its_own(root: Path):
    dataset = IHarmonyDataset(root, "train", 64, seed=0)
    epochs = [[identity(dataset[index]) for index in range(6 * n, 6 * n + 6)] for n in range(3)]
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs)
    assert len(set(map(tuple, epochs))) > 1


def test_sample_is_a_function_of_seed_and_index(root: Path):
    one, other = (IHarmonyDataset(root, "train", 64, seed=3) for _ in range(2))
    other[20]  # whatever was asked for before
    assert all(torch.equal(value, other[7][name]) for name, value in one[7].items())
    assert not torch.equal(one[7]["background"], IHarmonyDataset(root, "train", 64, seed=4)[7]["background"])


def test_training_crops_and_flips_but_validation_does_not(root: Path):
    learning, validation = IHarmonyDataset(root, "train", 64, seed=0), IHarmonyDataset(root, "test", 64, seed=0)
    rises = [sample["target"][0, -1, 0] > sample["target"][0, 0, 0] for sample in (learning[n] for n in range(20))]
    assert 0 < sum(rises) < 20
    assert len({int(learning[n]["target_mask"].sum()) for n in range(12)}) > 6
    covered = 40 * 70 / (HEIGHT * WIDTH)
    for index in range(3):
        assert (validation[index]["target_mask"] > 127).float().mean().item() == pytest.approx(covered, abs=0.02)


def test_validation_takes_composites_from_all_over_the_lists(root: Path):
    dataset = IHarmonyDataset(root, "train", 64, seed=0, count=3)
    assert [entry.name[1] for entry in dataset.entries] == ["0", "2", "4"]
    assert len(IHarmonyDataset(root, "test", 64, seed=0, count=100)) == 3


def test_broken_picture_is_skipped_and_counted(root: Path, caplog: pytest.LogCaptureFixture):
    (root / "HFlickr/composite_images/f2_1_1.png").write_bytes(b"broken")
    dataset = IHarmonyDataset(root, "train", 64, seed=0)
    with caplog.at_level(logging.WARNING):
        seen = {identity(dataset[index]) for index in range(18)}
    assert seen == {0, 1, 3, 4, 5}
    assert dataset.skipped == {"f2_1_1.png"}
    assert sum("skipped, number 1" in message for message in caplog.messages) == 1


def test_nothing_but_broken_pictures_is_an_error(root: Path):
    for path in (root / "HFlickr/real_images").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(InputError, match="none of 3 composites can be used"):
        IHarmonyDataset(root, "test", 64, seed=0)[0]


def test_run_recognises_the_layout(root: Path, data: Path):
    assert is_iharmony4(root)
    assert not is_iharmony4(data)
    settings = Training(data=root, size=64, validation=2)
    learning, validation = make_datasets(settings)
    assert identity(learning[1][0]) < 6
    assert [identity(validation[n]) for n in range(2)] == [6, 7]
    with pytest.raises(InputError, match="no labels"):
        make_datasets(dataclasses.replace(settings, semantic=True))
