"""A mask that is there already: its levels are the alpha."""

import numpy as np
import pytest

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame
from video_harmonizer.matting import Matting
from video_harmonizer.matting.given import GivenMask


def frame(height: int, width: int) -> Frame:
    return Frame(np.zeros((height, width, 3), np.uint8), 0, 0.0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_is_the_masks_nearest_level(dtype: type):
    count = int(np.iinfo(dtype).max) + 1
    levels: np.ndarray = np.arange(count, dtype=dtype).reshape(16, -1)
    matting: Matting = GivenMask(levels[..., None].repeat(3, 2), "mask.png")
    matte = matting.matte(frame(*levels.shape))
    assert matte.alpha.dtype == np.uint8
    assert np.array_equal(matte.alpha, np.rint(levels / (count - 1) * 255))
    assert matte.foreground is None


def test_mask_of_another_size_is_refused_with_both_sizes():
    with pytest.raises(InputError, match=r"^mask\.png: mask of 6x4 for a picture of 4x6; give one of its size$"):
        GivenMask(np.zeros((4, 6, 3), np.uint8), "mask.png").matte(frame(6, 4))


def test_a_photograph_as_mask_is_told_of(caplog: pytest.LogCaptureFixture):
    random = np.random.default_rng(0)
    GivenMask(np.repeat(random.integers(0, 256, (8, 8, 1), np.uint8), 3, axis=2), "mask.png")
    assert not caplog.messages
    GivenMask(random.integers(0, 256, (8, 8, 3), np.uint8), "room.jpg")
    assert "room.jpg: a mask with colours; is it the picture?" in caplog.text
