"""Smoothing: steady in seconds, whatever the frame rate; fresh after a jump; holding where nobody is seen."""

from collections.abc import Callable

import numpy as np
import pytest

from video_harmonizer.frame import MAX_GAP_SECONDS, ToneCurves
from video_harmonizer.temporal.smoother import CurveSmoother

RATES = (15, 30, 60)
RAMP = np.linspace(0, 1, 256, dtype=np.float32)


def curves(amount: float) -> ToneCurves:
    """Curves that differ by channel; 0 is the identity, 1 lifts the middle by a quarter."""
    bump = np.float32(amount) * np.sin(np.pi * RAMP) * np.array([[0.25], [-0.25], [0.1]], np.float32)
    return ToneCurves((RAMP + bump).astype(np.float32))


def amount_of(result: ToneCurves) -> float:
    """Inverse of `curves`."""
    return float((result.table[0, 128] - RAMP[128]) / (0.25 * np.sin(np.pi * RAMP[128])))


def smoothed(signal: Callable[[float], float], rate: int, duration: float = 4, constant: float = 0.5) -> np.ndarray:
    """The curves at every fifteenth of a second, (N, 3, 256), when the signal is seen ``rate`` times a second."""
    smoother = CurveSmoother(constant)
    tables = []
    for index in range(round(duration * rate)):
        result = smoother.update(curves(signal(index / rate)), index / rate)
        if index % (rate // 15) == 0:
            tables.append(result.table)
    return np.stack(tables)


@pytest.mark.parametrize(
    "signal",
    [  # the steps come right after a frame that all rates have: when between two frames they came, nobody can tell
        pytest.param(lambda t: float(t > 0), id="step-after-the-first-frame"),
        pytest.param(lambda t: float(t > 1.0001), id="step-later"),
        pytest.param(lambda t: t / 2, id="ramp"),
        pytest.param(lambda t: np.sin(2 * np.pi * t / 6), id="slow-sine"),
        pytest.param(lambda t: -0.7, id="constant"),
    ],
)
@pytest.mark.parametrize("constant", [0.3, 0.5, 2])
def test_curves_at_a_time_are_the_same_at_15_30_and_60_fps(signal: Callable[[float], float], constant: float):
    slow, middle, fast = (smoothed(signal, rate, constant=constant) for rate in RATES)
    assert np.abs(slow - fast).max() <= 0.01
    assert np.abs(middle - fast).max() <= 0.01
    assert np.abs(slow - slow[0]).max() == 0 or np.ptp(fast, axis=0).max() > 0.05  # there was something to follow


@pytest.mark.parametrize("rate", [*RATES, 7])
def test_time_constant_is_in_seconds(rate: int):
    smoother = CurveSmoother(0.5)
    for index in range(2 * rate + 1):
        seconds = index / rate
        result = smoother.update(curves(0 if index == 0 else 1), seconds)
        assert amount_of(result) == pytest.approx(1 - np.exp(-seconds / 0.5), abs=1e-5)


def test_uneven_frame_times_make_no_difference():
    smoother = CurveSmoother(0.5)
    smoother.update(curves(0), 0)
    for seconds in (0.01, 0.4, 0.41, 0.9, 1.0):
        result = smoother.update(curves(1), seconds)
    assert amount_of(result) == pytest.approx(1 - np.exp(-2), abs=1e-5)


def test_first_estimate_is_taken_as_it_is():
    estimate = curves(1)
    assert np.array_equal(CurveSmoother(0.5).update(estimate, 3.0).table, estimate.table)


@pytest.mark.parametrize("then", [0.9, 1.01 + MAX_GAP_SECONDS, 500.0], ids=["backward", "forward", "far-forward"])
def test_jump_of_the_source_starts_afresh(then: float):
    smoother = CurveSmoother(0.5)
    smoother.update(curves(-1), 1.0)
    assert np.array_equal(smoother.update(curves(1), then).table, curves(1).table)


def test_a_frame_a_second_is_smoothed_as_well():
    smoother = CurveSmoother(5)
    smoother.update(curves(-1), 0.0)
    wanted = curves(-1).table + (1 - np.exp(-1 / 5)) * (curves(1).table - curves(-1).table)
    np.testing.assert_allclose(smoother.update(curves(1), 1.0).table, wanted, atol=1e-6)


def test_jump_without_an_estimate_forgets_the_old_scene():
    smoother = CurveSmoother(0.5)
    smoother.update(curves(-1), 5.0)
    assert np.array_equal(smoother.update(None, 0.0).table, ToneCurves.identity().table)


def test_curves_hold_while_nobody_is_in_view():
    smoother = CurveSmoother(0.5)
    smoother.update(curves(0), 0.0)
    before = smoother.update(curves(1), 0.1).table.copy()
    for seconds in np.arange(0.2, 3, 0.1):
        assert np.array_equal(smoother.update(None, seconds).table, before)


def test_old_curves_count_for_less_after_an_absence():
    smoother = CurveSmoother(0.5)
    smoother.update(curves(0), 0.0)
    for seconds in np.arange(0.1, 2, 0.1):
        smoother.update(None, seconds)
    assert amount_of(smoother.update(curves(1), 2.0)) == pytest.approx(1 - np.exp(-4), abs=1e-5)


@pytest.mark.parametrize("samples", [256, 65536])
def test_identity_until_there_is_an_estimate(samples: int):
    result = CurveSmoother(0.5).update(None, 0.0, samples)
    assert np.array_equal(result.table, ToneCurves.identity(samples).table)


def test_constant_of_0_takes_every_estimate_as_it_is():
    smoother = CurveSmoother(0)
    for index, amount in enumerate((1, -1, 0.3)):
        assert np.array_equal(smoother.update(curves(amount), index / 30).table, curves(amount).table)


def test_reset_forgets():
    smoother = CurveSmoother(0.5)
    smoother.update(curves(-1), 0.0)
    smoother.reset()
    assert np.array_equal(smoother.update(curves(1), 0.03).table, curves(1).table)


def test_smoothing_leaves_given_curves_alone_and_monotone():
    smoother = CurveSmoother(0.5)
    first, second = curves(-1), curves(1)
    kept = first.table.copy(), second.table.copy()
    smoother.update(first, 0.0)
    result = smoother.update(second, 0.1)
    assert np.array_equal(first.table, kept[0])
    assert np.array_equal(second.table, kept[1])
    assert (np.diff(result.table, axis=1) >= 0).all()
    assert result.table.dtype == np.float32
