"""Synthetic composites: repeatable, true to their target outside the foreground, robust to odd data."""

import logging
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from photographs import make_data, write_index
from torch import Tensor

from video_harmonizer.errors import InputError
from video_harmonizer.training import composites
from video_harmonizer.training.composites import CompositeDataset, Mixture
from video_harmonizer.training.photographs import Photographs, read_luts

SIDE = 48


def dataset(root: Path, split: str = "train", seed: int = 0) -> CompositeDataset:
    return CompositeDataset(Photographs(root, split), read_luts(root)[0], SIDE, seed)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(one[name].equal(other[name]) for name in one)


@pytest.fixture
def own_data(data: Path, tmp_path: Path) -> Path:
    """The folder, to be written to."""
    return Path(shutil.copytree(data, tmp_path / "data"))


# --- samples --------------------------------------------------------------------------------------------------


def test_sample_depends_on_seed_and_index_alone(data: Path):
    forwards, backwards = dataset(data), dataset(data)
    samples = [forwards[index] for index in range(8)]
    for index in reversed(range(8)):
        assert equal(samples[index], backwards[index])
    assert not equal(samples[0], samples[1])
    assert not equal(samples[0], dataset(data, seed=1)[0])


def test_sample_is_thumbnails_and_their_target(data: Path):
    sample = dataset(data)[0]
    assert {name: (tuple(value.shape), str(value.dtype)) for name, value in sample.items()} == {
        "foreground": ((SIDE, SIDE, 3), "torch.uint8"),
        "foreground_mask": ((SIDE, SIDE), "torch.uint8"),
        "background": ((SIDE, SIDE, 3), "torch.uint8"),
        "background_mask": ((SIDE, SIDE), "torch.uint8"),
        "target": ((SIDE, SIDE, 3), "torch.uint8"),
        "target_mask": ((SIDE, SIDE), "torch.uint8"),
        "label": ((), "torch.int64"),
    }


def test_composite_is_its_target_but_for_the_foreground(data: Path):
    supply = dataset(data)
    clean, foreign = 0, 0
    for index in range(60):
        sample = {name: value.numpy() for name, value in supply[index].items()}
        difference = np.abs(sample["background"].astype(int) - sample["target"])
        outside, inside = sample["target_mask"] == 0, sample["target_mask"] > 127
        assert difference[outside].mean() < 14  # of noise and compression, which some composites have
        clean += difference[outside].max() <= 1  # a level of dither
        foreign += difference[inside].mean() > difference[outside].mean() + 2
    assert clean >= 24  # 56 % are without noise and compression
    assert foreign >= 36  # most: few are harmonious, and some looks are gentle


def test_untouched_samples_are_harmonious_already(data: Path):
    photographs, luts = Photographs(data, "train"), read_luts(data)[0]
    share = {}
    for untouched in (0.0, 1.0):
        supply = CompositeDataset(photographs, luts, SIDE, 0, Mixture(untouched=untouched))
        samples = [supply[index] for index in range(100)]
        changes = [(sample["background"].float() - sample["target"]).abs().max() for sample in samples]
        share[untouched] = sum(change <= 1 for change in changes) / 100  # a level of dither
    assert share[0.0] < 0.1  # some changes are small
    assert share[1.0] > 0.3  # the others moved, or have noise or compression


def test_what_is_left_as_it_is_gets_no_light_from_one_side(data: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def falloff(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
        asked.append(shape)
        return np.ones(shape, np.float32)

    monkeypatch.setattr(composites, "_falloff", falloff)
    photographs, luts = Photographs(data, "train"), read_luts(data)[0]
    for untouched in (1.0, 0.0):
        asked.clear()
        supply = CompositeDataset(photographs, luts, SIDE, 0, Mixture(moved=0, untouched=untouched))
        for index in range(60):
            supply[index]
        assert bool(asked) == (untouched == 0)


def test_some_people_are_dyed_before_anything_else(data: Path, monkeypatch: pytest.MonkeyPatch):
    def in_black(image: np.ndarray, mask: np.ndarray, _: np.random.Generator) -> np.ndarray:
        return np.where(mask[..., None] > 0, np.uint8(0), image)

    monkeypatch.setattr(composites.perturb, "dye", in_black)
    supply, black = dataset(data), {True: 0.0, False: 0.0}
    drawn = [supply._cut_out(np.random.default_rng(seed)) for seed in range(120)]
    for person in black:
        pictures = [image[mask == 255] for image, mask, _, of_person in drawn if of_person == person]
        black[person] = np.mean([np.median(colors) == 0 for colors in pictures if len(colors)])
    assert 0.3 < black[True] < 0.7
    assert black[False] == 0


def test_a_clean_cut_shows_each_side_without_the_other_and_goes_on_beyond_the_rim():
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[16:48, 16:48] = 255
    scene = np.full((SIDE, SIDE, 3), 0.2, np.float32)
    scene[mask > 0] = 0.8
    scene[14:50, 14:50][mask[14:50, 14:50] == 0] = 0.8  # the mask is too narrow: a strip of the person is outside
    scene[16:18, 16:48] = 0.2  # and too wide: a strip of the wall is inside
    foreground, behind = composites._cut_out_cleanly(scene, mask)
    near = cv2.dilate(mask, np.ones((15, 15), np.uint8)) > 0
    deep = cv2.erode(mask, np.ones((15, 15), np.uint8)) > 0
    np.testing.assert_allclose(foreground[near], 0.8, atol=0.05)
    np.testing.assert_allclose(behind[~deep], 0.2, atol=0.05)


def test_what_goes_on_beyond_the_rim_is_its_mirror_image():
    half, margin = SIDE // 2, 2
    picture = np.full((SIDE, SIDE, 3), 0.5, np.float32)
    picture[:, :half] = cv2.GaussianBlur(np.random.default_rng(0).random((1, half, 3), np.float32), (0, 0), 2)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, :half] = 255
    foreground, _ = composites._cut_out_cleanly(picture, mask)
    row, last = foreground[SIDE // 2], half - 1 - margin  # column whose farther neighbours are not sure to be theirs
    np.testing.assert_allclose(row[half : half + 6], row[last - margin - 1 : last - margin - 7 : -1], atol=0.1)
    assert row[half : half + 6].std(0).min() > 0.02  # a mean would be flat


def test_matted_cuts_have_soft_edges(data: Path):
    def softness(matted: float) -> float:
        mixture = Mixture(moved=0, clean_cut=1, matted=matted)
        supply = CompositeDataset(Photographs(data, "train"), read_luts(data)[0], SIDE, seed=0, mixture=mixture)
        masks = [supply[index]["target_mask"] for index in range(20)]
        return float(np.mean([((mask > 25) & (mask < 230)).float().mean() for mask in masks]))

    assert softness(1) > 1.5 * softness(0)


def test_another_photograph_shines_through_the_edges_of_half_of_the_matted_cuts(
    data: Path, monkeypatch: pytest.MonkeyPatch
):
    mixture = Mixture(moved=0, untouched=1, clean_cut=1, matted=1, retouched=0, natural=1)
    supply = CompositeDataset(Photographs(data, "train"), read_luts(data)[0], SIDE, seed=0, mixture=mixture)
    targets = []
    for level in (0, 1):
        monkeypatch.setattr(supply, "_another", lambda shape, _, level=level: np.full((*shape, 3), level, np.float32))
        targets.append([supply[index] for index in range(40)])
    pairs = zip(*targets, strict=True)
    differ = [(one["target"].int() - other["target"].int()).abs() > 3 for one, other in pairs]  # levels
    assert 10 <= sum(bool(where.any()) for where in differ) <= 30
    for where, sample in zip(differ, targets[0], strict=True):
        assert not where[sample["target_mask"] == 0].any()


def test_thumbnails_mask_is_mostly_that_of_the_target(data: Path):
    supply = dataset(data)
    samples = [supply[index] for index in range(40)]
    same = sum(sample["background_mask"].equal(sample["target_mask"]) for sample in samples)
    assert 24 <= same <= 39  # 80 %; the others are as imperfect as a matting network's


@pytest.mark.parametrize("scale", [0.5, 1.7])
def test_masks_of_another_size_than_their_picture_work(tmp_path: Path, scale: float):
    root = make_data(tmp_path / "data", mask_scale=scale)
    supply = dataset(root)
    for row in (row for group in supply.photographs.groups for row in group):
        assert supply.photographs.mask_of(row).shape == supply.photographs.images[row.image].shape[:2]
    for index in range(40):  # enough to borrow masks and to take reference colours
        assert supply[index]["target_mask"].float().mean() > 0.003 * 255


def test_masks_that_are_all_too_small_are_replaced_by_regions(own_data: Path):
    for path in own_data.glob("*mask.png"):
        cv2.imwrite(str(path), np.zeros((40, 40), np.uint8))
    assert (dataset(own_data)[0]["target_mask"] > 127).float().mean() > 0.01


def test_pictures_without_any_region_are_an_error_and_no_endless_search(tmp_path: Path):
    for number in range(12):
        cv2.imwrite(str(tmp_path / f"{number:02}.png"), np.full((60, 60, 3), 90, np.uint8))
    supply = CompositeDataset(Photographs(tmp_path, "train"), np.zeros((1, 2, 2, 2, 3)), 32, seed=0)
    with pytest.raises(InputError, match=r"hardly a foreground that covers 0\.4 to 90 %"):
        supply[0]


def test_a_plain_folder_of_photographs_is_enough(own_data: Path):
    for path in [own_data / "index.csv", *own_data.glob("*mask.png")]:
        path.unlink()
    luts = np.load(own_data / "luts.npz")["luts"]
    train = Photographs(own_data, "train")
    assert len(train.rows) == 11  # of 13: two are for validation
    sample = CompositeDataset(train, luts, 48, seed=0)[0]
    assert 0.01 < (sample["target_mask"] > 127).float().mean() < 0.9


# --- the folder -----------------------------------------------------------------------------------------------


def test_splits_share_no_photograph(data: Path):
    train, val = Photographs(data, "train"), Photographs(data, "val")
    assert len(train.images) == 9
    assert len(val.images) == 4
    assert not train.images.keys() & val.images.keys()
    assert sum(map(len, train.groups)) == 9  # masks: one photograph has none, another two


def test_large_photographs_are_kept_small_and_in_rgb(own_data: Path):
    blue = np.full((600, 900, 3), (250, 100, 20), np.uint8)  # as OpenCV stores it
    cv2.imwrite(str(own_data / "01.png"), blue)
    photographs = Photographs(own_data, "train")
    assert photographs.images["01.png"].shape == (256, 384, 3)
    assert photographs.images["01.png"][5, 5].tolist() == [20, 100, 250]
    (row,) = (row for row in photographs.rows if row.image == "01.png")
    assert photographs.mask_of(row).shape == (256, 384)


def test_broken_pictures_are_skipped_and_counted_once(own_data: Path, caplog: pytest.LogCaptureFixture):
    (own_data / "08.png").write_bytes(b"no picture")  # two rows have it
    (own_data / "03_mask.png").unlink()
    with caplog.at_level(logging.WARNING):
        supply = dataset(own_data)
    assert supply.photographs.skipped == ["08.png", "03_mask.png"]
    assert "2 unreadable or tiny pictures skipped, the first is 08.png" in caplog.text
    assert {"08.png", "03.png"}.isdisjoint(row.image for row in supply.photographs.rows)
    assert len(supply.photographs.rows) == 7
    for index in range(20):
        assert supply[index]["background"].shape == (SIDE, SIDE, 3)


def test_a_folder_without_pictures_is_an_input_error(tmp_path: Path):
    with pytest.raises(InputError, match=r"no photographs there, and no index\.csv"):
        Photographs(tmp_path, "train")


def test_index_without_its_columns_is_an_input_error(tmp_path: Path):
    (tmp_path / "index.csv").write_text("image,mask\n01.png,01_mask.png\n")
    with pytest.raises(InputError, match=r"index\.csv: columns are image,mask; want"):
        Photographs(tmp_path, "train")
    (tmp_path / "index.csv").write_text("")
    with pytest.raises(InputError, match=r"index\.csv: columns are none; want"):
        Photographs(tmp_path, "train")


def test_unknown_split_is_an_input_error(data: Path):
    with pytest.raises(InputError, match="0 photographs in split 'test'; want 2 or more"):
        Photographs(data, "test")


@pytest.mark.parametrize(("number", "kept"), [(4, 2), (15, 2), (20, 2), (30, 3)])
def test_some_photographs_of_a_folder_are_kept_for_validation(number: int, kept: int, tmp_path: Path):
    for index in range(number):
        cv2.imwrite(str(tmp_path / f"{index:02}.png"), np.full((20, 30, 3), index, np.uint8))
    train, val = (Photographs(tmp_path, split) for split in ("train", "val"))
    assert (len(train.rows), len(val.rows)) == (number - kept, kept)
    assert not train.images.keys() & val.images.keys()


def test_photographs_of_linked_folders_are_taken_once(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").mkdir()
    for index in range(6):
        cv2.imwrite(str(tmp_path / "elsewhere" / f"{index}.png"), np.zeros((20, 30, 3), np.uint8))
    for name, target in {"a": "elsewhere", "b": "elsewhere", "circle": "data"}.items():
        (tmp_path / "data" / name).symlink_to(tmp_path / target, target_is_directory=True)
    found = [name for split in ("train", "val") for name in Photographs(tmp_path / "data", split).images]
    assert sorted(found) == [f"a/{index}.png" for index in range(6)]


def test_few_photographs_are_refused_with_their_number(tmp_path: Path):
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(InputError, match=r"3 photographs there, and no index\.csv; give 4 or more"):
        Photographs(tmp_path, "train")


def test_pictures_too_small_to_show_anything_are_skipped(own_data: Path, caplog: pytest.LogCaptureFixture):
    cv2.imwrite(str(own_data / "02.png"), np.zeros((1, 1, 3), np.uint8))
    photographs = Photographs(own_data, "train")
    assert photographs.skipped == ["02.png"]
    assert "1 unreadable or tiny pictures skipped, the first is 02.png" in caplog.messages


def test_one_photograph_is_not_enough(own_data: Path):
    write_index(own_data, [("01.png", "01_mask.png", "1", "train")])
    with pytest.raises(InputError, match="1 photographs in split 'train'; want 2 or more"):
        Photographs(own_data, "train")


def test_tables_of_training_and_validation_differ(data: Path):
    training, validation = read_luts(data)
    assert training.shape == (60, 3, 3, 3, 3)
    assert validation.shape == (2, 3, 3, 3, 3)
    assert np.array_equal(np.load(data / "luts.npz")["luts"][60:], validation)


def test_without_tables_other_looks_are_learnt(own_data: Path):
    (own_data / "luts.npz").unlink()
    luts, unseen = read_luts(own_data)
    assert len(luts) == len(unseen) == 0
    supply = CompositeDataset(Photographs(own_data, "train"), luts, 32, seed=0)
    for index in range(20):
        assert supply[index]["target"].shape == (32, 32, 3)


def test_too_few_tables_are_an_input_error(tmp_path: Path):
    np.savez(tmp_path / "luts.npz", luts=np.zeros((60, 2, 2, 2, 3)))
    with pytest.raises(InputError, match=r"luts\.npz: 60 tables; want more than the 60 that training takes"):
        read_luts(tmp_path)
