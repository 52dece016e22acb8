"""Synthetic composites as a dataset."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from photographs import make_data

from benchmarks.synthetic_iharmony4 import KINDS, Kind, validation_triples, write_dataset
from video_harmonizer.errors import InputError
from video_harmonizer.iharmony4 import list_entries, read_sample, resize


def test_dataset_holds_the_composites_to_the_bit(tmp_path: Path):
    triples = list(validation_triples(make_data(tmp_path / "data"), count=3, seed=1))
    write_dataset(tmp_path / "out", triples)
    entries = list_entries(tmp_path / "out", "test")
    assert [entry.name for entry in entries] == ["c1_1_1.png", "c2_1_1.png", "c3_1_1.png"]
    for entry, (composite, mask, real) in zip(entries, triples, strict=True):
        full = read_sample(entry)
        for sample in (full, resize(full, 256)):
            np.testing.assert_array_equal(sample.composite, composite)
            np.testing.assert_array_equal(sample.mask, mask)
            np.testing.assert_array_equal(sample.real, real)
        outside = mask == 0
        assert (np.abs(composite[outside].astype(int) - real[outside]) <= 60).mean() > 0.99
        assert (composite[mask > 127] != real[mask > 127]).any()


def test_hard_masks_are_of_the_same_composites(tmp_path: Path):
    data = make_data(tmp_path / "data")
    (soft,), (hard,) = (validation_triples(data, count=1, seed=1, hard=hard) for hard in (False, True))
    np.testing.assert_array_equal(hard[0], soft[0])
    np.testing.assert_array_equal(hard[1] > 127, soft[1] > 127)
    assert set(np.unique(hard[1])) == {0, 255}


def test_each_kind_is_another_set(tmp_path: Path):
    data = make_data(tmp_path / "data")
    sets = {b"".join(each[0].tobytes() for each in validation_triples(data, 6, 1, kind)) for kind in get_args(Kind)}
    assert len(sets) == len(KINDS) == 7


def test_a_dataset_that_is_there_is_left_alone(tmp_path: Path):
    path = tmp_path / "HCOCO" / "HCOCO_test.txt"
    path.parent.mkdir()
    path.write_text("c1_2_3.jpg\n")
    with pytest.raises(InputError, match=r"HCOCO_test\.txt: is there already"):
        write_dataset(tmp_path, [])
    assert path.read_text() == "c1_2_3.jpg\n"


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path):
    (tmp_path / "talk.mp4").touch()
    with pytest.raises(InputError, match=r"talk\.mp4: it can't be written \(.*\); give another place"):
        write_dataset(tmp_path / "talk.mp4", [])
