"""Photographs, masks and colour tables as people have them, with what is wrong with some."""

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from photographs import make_data, write_index

from video_harmonizer.errors import InputError
from video_harmonizer.training.photographs import Photographs, read_luts, read_rows


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """To be damaged."""
    return make_data(tmp_path / "data")


def dim(data: Path, names: list[Path]) -> None:
    for name in names:
        mask = cv2.imread(str(name), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        cv2.imwrite(str(name), (mask > 127).astype(np.uint8))


def test_masks_of_ones_are_told_of(data: Path, caplog: pytest.LogCaptureFixture):
    dim(data, sorted(data.glob("*_mask.png"))[:2])
    with caplog.at_level(logging.WARNING):
        Photographs(data, "train")
    assert "2 masks have no level above 127, the first is 01_mask.png; want 255 = foreground" in caplog.text


def test_empty_masks_are_no_wrong_ones(data: Path, caplog: pytest.LogCaptureFixture):
    for name in data.glob("*_mask.png"):
        cv2.imwrite(str(name), np.zeros((64, 64), np.uint8))
    Photographs(data, "train")
    assert "level above 127" not in caplog.text


def test_masks_that_are_all_of_ones_are_refused(data: Path):
    dim(data, sorted(data.glob("*_mask.png")))
    with pytest.raises(InputError, match=r"01_mask\.png: this and all other masks have no level above 127"):
        Photographs(data, "train")


def test_photographs_of_two_shapes_may_share_a_mask(data: Path):
    cv2.imwrite(str(data / "tall.png"), np.full((90, 40, 3), 90, np.uint8))
    with (data / "index.csv").open("a") as index:
        index.write("own,tall.png,01_mask.png,1,train\n")
    photographs = Photographs(data, "train")
    rows = [row for row in photographs.rows if row.mask == "01_mask.png"]
    assert len({photographs.mask_of(row).shape for row in rows}) == 2
    for row in rows:
        assert photographs.mask_of(row).shape == photographs.images[row.image].shape[:2]


def test_an_index_as_excel_writes_it_is_read(data: Path):
    index, rows = data / "index.csv", len(Photographs(data, "train").rows)
    text = "\n".join(line.partition(",")[2] for line in index.read_text().splitlines())  # image comes first
    index.write_text(text, encoding="utf-8-sig")
    assert len(Photographs(data, "train").rows) == rows
    index.write_bytes(text.encode().replace(b"01.png", b"M\xfcller.png"))
    with pytest.raises(InputError, match=r"index\.csv: not UTF-8 .*; save it as UTF-8"):
        Photographs(data, "train")


@pytest.mark.parametrize(
    "luts",
    [
        np.linspace(0, 255, 65 * 81).reshape(65, 3, 3, 3, 3).astype(np.uint8),
        np.linspace(0, 255, 65 * 81).reshape(65, 3, 3, 3, 3),
        np.full((65, 3, 3, 3, 3), np.nan),
    ],
)
def test_colour_tables_on_another_scale_are_refused(data: Path, luts: np.ndarray):
    np.savez(data / "luts.npz", luts=luts)
    with pytest.raises(InputError, match=r"luts\.npz: tables of .* to .*; want floats, 0 for black and 1 for white"):
        read_luts(data)


def test_index_that_can_not_be_read_is_named(data: Path):
    (data / "index.csv").unlink()
    (data / "index.csv").mkdir()
    with pytest.raises(InputError, match=r"index\.csv: can't be read \(Is a directory\)"):
        Photographs(data, "train")


@pytest.mark.parametrize("person", ["1.0", "True", "yes"])
def test_index_that_says_something_else_of_a_person_is_refused(data: Path, person: str):
    write_index(data, [("00.png", "", "", "train"), ("01.png", "01_mask.png", person, "val")])
    with pytest.raises(InputError, match=rf"index\.csv, line 3: person is '{person}'; want 1 or 0, or nothing where"):
        read_rows(data, "train")


def test_colour_tables_that_are_none_are_named(data: Path):
    path = data / "luts.npz"
    for content in (b"", b"text", b"PK\x03\x04 torn"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"luts\.npz: .*; want a \.npz file with an array called luts"):
            read_luts(data)
    np.save(data / "luts.npy", np.zeros((70, 3, 3, 3, 3)))
    (data / "luts.npy").replace(path)
    with pytest.raises(InputError, match=r"want a \.npz file with an array called luts"):
        read_luts(data)
    np.savez(path, tables=np.zeros((70, 3, 3, 3, 3)))
    with pytest.raises(InputError, match=r"want a \.npz file with an array called luts"):
        read_luts(data)
    np.savez(path, luts=np.zeros((70, 3, 17, 17)))
    with pytest.raises(InputError, match=r"tables of shape \(70, 3, 17, 17\); want \(N, K, K, K, 3\)"):
        read_luts(data)
