"""Reading iHarmony4's layout."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from video_harmonizer.errors import InputError
from video_harmonizer.iharmony4 import FOLDERS, SUBSETS, list_entries, read_sample, resize

LETTERS = dict(zip(SUBSETS, "cafd", strict=True))  # that names in each subset begin with


def add_subset(root: Path, subset: str, lists: Mapping[str, Sequence[str]]) -> None:
    """The files of a subset as published, empty, with a list for each split that holds bare names."""
    for folder in FOLDERS:
        (root / subset / folder).mkdir(parents=True)
    for split, names in lists.items():
        (root / subset / f"{subset}_{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            (root / subset / "composite_images" / name).touch()
            (root / subset / "masks" / f"{name.rsplit('_', 1)[0]}.png").touch()
            (root / subset / "real_images" / f"{name.rsplit('_', 2)[0]}.jpg").touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for subset, letter in LETTERS.items():
        lists = {"train": [f"{letter}1_1_1.jpg", f"{letter}1_2_1.jpg"], "test": [f"{letter}90-3_10_2.jpg"]}
        add_subset(tmp_path, subset, lists)
    return tmp_path


# --- lists ----------------------------------------------------------------------------------------------------


def test_entries_of_all_subsets_with_their_masks_and_real_pictures(root: Path, caplog: pytest.LogCaptureFixture):
    entries = list_entries(root, "test")
    assert [(entry.subset, entry.name) for entry in entries] == [
        (subset, f"{letter}90-3_10_2.jpg") for subset, letter in LETTERS.items()
    ]
    first = entries[0]
    assert first.composite == root / "HCOCO" / "composite_images" / "c90-3_10_2.jpg"
    assert first.mask == root / "HCOCO" / "masks" / "c90-3_10.png"
    assert first.real == root / "HCOCO" / "real_images" / "c90-3.jpg"
    assert len(list_entries(root, "train")) == 8
    assert not caplog.records


@pytest.mark.parametrize(
    "text",
    [
        "c90-3_10_2.jpg\r\n",
        "\ufeffc90-3_10_2.jpg",
        "HCOCO/composite_images/c90-3_10_2.jpg\n\n",
        "composite_images\\c90-3_10_2.jpg\r\n",
        " ./HCOCO/composite_images/c90-3_10_2.jpg \n",
    ],
)
def test_lists_are_read_as_people_publish_them(root: Path, text: str):
    (root / "HCOCO" / "HCOCO_test.txt").write_bytes(text.encode())
    entries = [entry for entry in list_entries(root, "test") if entry.subset == "HCOCO"]
    assert [entry.composite for entry in entries] == [root / "HCOCO" / "composite_images" / "c90-3_10_2.jpg"]


def test_composites_that_are_listed_twice_count_once(root: Path):
    """Joined lists have them so, with folders and without."""
    (root / "HCOCO" / "HCOCO_test.txt").write_text("c90-3_10_2.jpg\nHCOCO/composite_images/c90-3_10_2.jpg\n")
    assert [entry.subset for entry in list_entries(root, "test")].count("HCOCO") == 1


def test_list_may_lie_in_the_root(root: Path):
    (root / "HFlickr" / "HFlickr_test.txt").rename(root / "HFlickr_test.txt")
    assert len(list_entries(root, "test")) == 4


def test_one_list_may_name_all_subsets(root: Path):
    wanted = list_entries(root, "test")
    lines = []
    for path in sorted(root.glob("*/*_test.txt")):
        lines += [f"{path.parent.name}/composite_images/{name}" for name in path.read_text().split()]
        path.unlink()
    (root / "IHD_test.txt").write_text("\n".join(lines))
    assert list_entries(root, "test") == wanted
    (root / "IHD_test.txt").unlink()
    with pytest.raises(InputError, match=r"HCOCO_test.txt: no such file, and no IHD_test.txt"):
        list_entries(root, "test")


def test_other_picture_suffixes_are_found(root: Path):
    (root / "HCOCO" / "composite_images" / "c90-3_10_2.jpg").rename(
        root / "HCOCO" / "composite_images" / "c90-3_10_2.png"
    )
    (root / "HCOCO" / "real_images" / "c90-3.jpg").rename(root / "HCOCO" / "real_images" / "c90-3.png")
    (root / "HCOCO" / "masks" / "c90-3_10.png").rename(root / "HCOCO" / "masks" / "c90-3_10.jpg")
    entry = list_entries(root, "test")[0]
    assert entry.name == "c90-3_10_2.jpg"
    assert [path.name for path in (entry.composite, entry.mask, entry.real)] == [
        "c90-3_10_2.png",
        "c90-3_10.jpg",
        "c90-3.png",
    ]


def test_some_of_the_subsets_will_do_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    add_subset(tmp_path, "HFlickr", {"test": ["f1_1_1.jpg"]})
    assert [entry.subset for entry in list_entries(tmp_path, "test")] == ["HFlickr"]
    assert "without HCOCO, HAdobe5k, Hday2night" in caplog.text


# --- what may be missing --------------------------------------------------------------------------------------


def test_missing_root(tmp_path: Path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        list_entries(tmp_path / "nowhere", "test")


def test_no_subset_at_all(tmp_path: Path):
    with pytest.raises(InputError, match="no folder HCOCO, HAdobe5k, HFlickr, Hday2night in it"):
        list_entries(tmp_path, "test")


def test_missing_list(root: Path):
    (root / "HAdobe5k" / "HAdobe5k_train.txt").unlink()
    list_entries(root, "test")
    with pytest.raises(InputError, match=r"HAdobe5k_train\.txt: no such file"):
        list_entries(root, "train")


def test_list_in_another_encoding(root: Path):
    path = root / "HCOCO" / "HCOCO_test.txt"
    path.write_text(path.read_text(), encoding="utf-16")
    with pytest.raises(InputError, match=r"HCOCO_test\.txt: not UTF-8 .* save it as UTF-8"):
        list_entries(root, "test")


def test_empty_list(root: Path):
    (root / "HAdobe5k" / "HAdobe5k_test.txt").write_text("\n")
    with pytest.raises(InputError, match=r"HAdobe5k_test\.txt: empty"):
        list_entries(root, "test")


def test_common_list_that_leaves_out_a_subset_says_which(root: Path):
    for path in root.glob("*/*_test.txt"):
        path.unlink()
    (root / "IHD_test.txt").write_text("HCOCO/composite_images/c1_1_1.jpg\n")
    with pytest.raises(InputError, match=r"IHD_test\.txt: names no composite of H\w+, whose folder is there"):
        list_entries(root, "test")


def test_name_that_says_nothing_of_its_mask(root: Path):
    (root / "HAdobe5k" / "HAdobe5k_test.txt").write_text("a1_1.jpg\n")
    with pytest.raises(InputError, match=r"HAdobe5k_test\.txt: 'a1_1\.jpg' is not a composite's name"):
        list_entries(root, "test")


@pytest.mark.parametrize("folder", FOLDERS)
def test_missing_folder_and_listed_picture(root: Path, folder: str):
    for path in (root / "Hday2night" / folder).iterdir():
        path.unlink()
    with pytest.raises(InputError, match=f"Hday2night/{folder}/d90-3.*no such file, but it is listed"):
        list_entries(root, "test")
    (root / "Hday2night" / folder).rmdir()
    with pytest.raises(InputError, match=f"Hday2night/{folder}: no such folder"):
        list_entries(root, "test")


# --- pictures -------------------------------------------------------------------------------------------------


def fill(root: Path, composite: np.ndarray, mask: np.ndarray, real: np.ndarray) -> None:
    """Pixels for the first test entry."""
    entry = list_entries(root, "test")[0]
    for path, picture in ((entry.composite, composite), (entry.mask, mask), (entry.real, real)):
        Image.fromarray(picture).save(path, quality=100, subsampling=0)


def test_sample_at_full_size(root: Path):
    composite, real = (np.full((20, 30, 3), color, np.uint8) for color in ((250, 10, 20), (10, 20, 250)))
    mask = np.zeros((20, 30), np.uint8)
    mask[5:9] = 255
    fill(root, composite, mask, real)
    sample = read_sample(list_entries(root, "test")[0])
    np.testing.assert_allclose(sample.composite.astype(int), composite, atol=2)  # JPEG
    np.testing.assert_array_equal(sample.mask, mask)
    np.testing.assert_allclose(sample.real.astype(int), real, atol=2)


@pytest.mark.parametrize("kind", ["16 bits", "alpha", "opaque alpha"])
def test_masks_as_programs_write_them(root: Path, kind: str):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    kinds: dict[str, np.ndarray] = {
        "16 bits": levels.astype(np.uint16) * 257,
        "alpha": np.dstack([np.full((16, 16, 3), 255, np.uint8), levels]),
        "opaque alpha": np.dstack([levels] * 3 + [np.full_like(levels, 255)]),
    }
    entry = list_entries(root, "test")[0]
    fill(root, np.zeros((16, 16, 3), np.uint8), levels, np.zeros((16, 16, 3), np.uint8))
    Image.fromarray(kinds[kind]).save(entry.mask)
    np.testing.assert_array_equal(read_sample(entry).mask, levels)


def test_gray_composites_of_16_bits_keep_their_levels(root: Path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    entry = list_entries(root, "test")[0]
    gray = np.dstack([levels] * 3)
    fill(root, gray, levels, gray)
    Image.fromarray(levels.astype(np.uint16) * 257).save(entry.composite, format="PNG")
    np.testing.assert_array_equal(read_sample(entry).composite, gray)


def test_resized_pictures_are_averaged_and_masks_stay_hard(root: Path):
    stripes = np.zeros((64, 96, 3), np.uint8)
    stripes[:, ::2] = 200
    mask = np.zeros((64, 96), np.uint8)
    mask[:31, :49] = 255
    fill(root, stripes, np.repeat(mask[..., None], 3, 2), stripes)  # masks come as RGB, too
    sample = resize(read_sample(list_entries(root, "test")[0]), 16)
    assert sample.composite.shape == sample.real.shape == (16, 16, 3)
    assert np.abs(sample.composite[2:-2, 2:-2].astype(int) - 100).max() < 20
    assert set(np.unique(sample.mask)) == {0, 255}
    assert sample.mask.mean() / 255 == pytest.approx(0.25, abs=0.04)


def test_pictures_of_other_sizes_fit_only_when_resized(root: Path):
    fill(root, np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.uint8), np.zeros((22, 30, 3), np.uint8))
    entry = list_entries(root, "test")[0]
    with pytest.raises(InputError, match=r"c90-3\.jpg: 30x22, for a composite of 30x20"):
        read_sample(entry)
    assert resize(read_sample(entry, same_size=False), 16).real.shape == (16, 16, 3)


def test_truncated_picture_is_not_taken_for_a_whole_one(root: Path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    fill(root, noise, noise[..., 0], noise)
    entry = list_entries(root, "test")[0]
    entry.composite.write_bytes(entry.composite.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"c90-3_10_2\.jpg: not a picture that can be read"):
        read_sample(entry)
