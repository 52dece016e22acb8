"""Tables of colours."""

import numpy as np
import pytest
from tables import identity

from video_harmonizer.lut import look_up


@pytest.mark.parametrize("size", [2, 3, 17])
def test_identity_changes_nothing(size: int):
    random = np.random.default_rng(0)
    colors = np.concatenate([random.random((500, 3), np.float32), np.eye(3, dtype=np.float32), np.ones((1, 3))])
    colors = colors.astype(np.float32)
    np.testing.assert_allclose(look_up(colors, identity(size)), colors, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_levels_stay_levels(dtype: type):
    picture: np.ndarray = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (9, 7, 3)).astype(dtype)
    np.testing.assert_array_equal(look_up(picture, identity(65)), picture)


def test_tables_are_indexed_blue_green_red():
    table = np.zeros((3, 3, 3, 3), np.float32)
    table[0, 1, 2] = [0.2, 0.4, 0.6]  # no blue, half green, all red
    found = look_up(np.array([[1, 0.5, 0], [0, 0.5, 1], [1, 0.25, 0]], np.float32), table)
    wanted = np.array([[0.2, 0.4, 0.6], [0, 0, 0], [0.1, 0.2, 0.3]])
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_gray_sees_the_gray_nodes_alone():
    table = np.random.default_rng(0).random((5, 5, 5, 3), np.float32)
    steps = np.linspace(0, 1, 5)
    table[range(5), range(5), range(5)] = steps[:, None] ** 2
    gray = np.linspace(0, 1, 33, dtype=np.float32)
    found = look_up(np.repeat(gray[:, None], 3, axis=1), table)
    np.testing.assert_allclose(found, np.interp(gray, steps, steps**2)[:, None].repeat(3, 1), atol=1e-6)


def test_colors_outside_are_taken_to_the_nearest_face():
    found = look_up(np.array([[-1, 0.5, 2]], np.float32), identity(3))
    np.testing.assert_allclose(found, [[0, 0.5, 1]])
