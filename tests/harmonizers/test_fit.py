"""Fitted curves: true where there are pixels, smooth where there are few or none, and never falling."""

import numpy as np
import pytest

from video_harmonizer.harmonizers.fit import fit_curves


def pixels(count: int, low: int = 0, high: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(low, high, (count, 3), dtype=np.uint8)


def change(levels: np.ndarray) -> np.ndarray:
    """Another curve for each channel."""
    return (levels / 255) ** np.array([0.6, 1.0, 1.7]) * [0.9, 0.8, 1.0]


def bends(table: np.ndarray) -> np.ndarray:
    return np.abs(np.diff(table, 2, axis=1))


@pytest.mark.parametrize("stiffness", [{}, {"stiffness": 0.0}])
@pytest.mark.parametrize("samples", [256, 65536])
def test_curves_that_made_the_change_are_found_again(samples: int, stiffness: dict):
    before = pixels(20_000)
    curves = fit_curves(before, change(before), samples, **stiffness)
    wanted = change(np.linspace(0, 255, samples)[:, None]).T
    assert (curves.table.shape, curves.table.dtype) == ((3, samples), np.float32)
    inner = np.s_[:, samples // 16 :]  # a power of 0.6 is too steep at black for a stiff curve
    np.testing.assert_allclose(curves.table[inner], wanted[inner], atol=1 / 255)


def test_closest_curves_are_closer_than_any_other_and_smooth_ones_hardly_less_so():
    before = pixels(5_000)
    after = (change(before) + np.random.default_rng(2).normal(0, 0.05, before.shape)).clip(0, 1)

    def error(table: np.ndarray) -> float:
        return sum(np.square(table[c, before[:, c]] - after[:, c]).mean() for c in range(3))

    closest, smooth = fit_curves(before, after, 256, stiffness=0).table, fit_curves(before, after, 256).table
    assert error(closest) < error(smooth) < 1.05 * error(closest)
    assert error(smooth) < error(change(np.arange(256)[:, None]).T)  # which the noise was added to
    assert bends(smooth).max() < 0.1 * bends(closest).max()


def test_levels_without_pixels_take_a_smooth_way():
    before = np.concatenate([pixels(3_000, 60, 90), pixels(3_000, 150, 180)])
    table = fit_curves(before, change(before), 256).table
    wanted = change(np.arange(256)[:, None]).T
    np.testing.assert_allclose(table[:, 60:180], wanted[:, 60:180], atol=0.02)
    assert bends(table[:, 30:230]).max() < 0.004  # half a level each step would be 0.002
    far = np.s_[:, 215:220]  # neither black nor white yet
    np.testing.assert_allclose(np.diff(table[far]), 1 / 255, rtol=0.35)


@pytest.mark.parametrize("stiffness", [{}, {"stiffness": 0.0}])
def test_one_color_moves_all_levels_alike(stiffness: dict):
    before = np.full((40, 3), 100, np.uint8)
    table = fit_curves(before, np.full((40, 3), 110 / 255), 256, **stiffness).table
    wanted = ((np.arange(256) + 10) / 255).clip(0, 1)
    np.testing.assert_allclose(table, np.tile(wanted, (3, 1)), atol=1e-6)


@pytest.mark.parametrize("stiffness", [{}, {"stiffness": 0.0}])
def test_curves_never_fall_nor_leave_the_range(stiffness: dict):
    before = pixels(2_000)
    for after in (1 - before / 255, np.random.default_rng(3).random(before.shape), np.ones(before.shape)):
        table = fit_curves(before, after, 1024, **stiffness).table
        assert np.diff(table).min() >= 0
        assert table.min() >= 0
        assert table.max() <= 1


def test_some_pixels_that_stray_do_not_move_what_many_say():
    before = np.concatenate([pixels(10_000), np.full((3, 3), 128, np.uint8)])
    after = change(before)
    after[-3:] = 1
    np.testing.assert_allclose(
        fit_curves(before, after, 256).table, fit_curves(before[:-3], after[:-3], 256).table, atol=0.02
    )


@pytest.mark.parametrize("after", [np.zeros((0, 3)), np.zeros((4, 3)), np.full((5, 3), np.nan)])
def test_no_other_count_or_not_finite_pixels_are_refused(after: np.ndarray):
    before = np.zeros((5 if len(after) else 0, 3), np.uint8)
    with pytest.raises(ValueError, match=r"want \(N, 3\) twice, finite"):
        fit_curves(before, after, 256)
