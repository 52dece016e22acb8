"""Text on pictures."""

import numpy as np
import pytest

from video_harmonizer.label import label

GRAY = 90


def written(text: str, at_top: bool = False, dtype: type = np.uint8) -> np.ndarray:
    """(H, W) bool: where a gray picture has changed."""
    picture: np.ndarray = np.full((720, 1280, 3), GRAY, dtype)
    label(picture, text, at_top)
    assert picture.max() > 0.95 * np.iinfo(dtype).max
    return (picture != GRAY).any(2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_plates_beside_each_other_are_equally_high(dtype: type):
    plates = [written(text, dtype=dtype) for text in ("original", "paste", "harmonized")]
    assert len({plate.any(1).sum() for plate in plates}) == 1
    assert len({plate.any(0).sum() for plate in plates}) == 3
    for plate in plates:
        assert plate[-1, 0]
        assert not plate[0].any()


def test_a_line_can_stand_at_the_top():
    plate = written("30 fps", at_top=True)
    assert plate[0, 0]
    assert not plate[-1].any()
    assert np.array_equal(plate[plate.any(1)], written("30 fps")[written("30 fps").any(1)])


def test_no_letter_is_cut_off():
    line = np.zeros((720, 1280, 3), np.uint8)
    label(line, "bgjpqy|")
    rows, plate = np.flatnonzero(line.max((1, 2)) > 200), np.flatnonzero(written("x").any(1))
    assert plate[0] < rows[0]
    assert rows[-1] < plate[-1]
