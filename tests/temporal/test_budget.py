"""The frame budget: down step by step while frames take too long, up again when there is room, not at a hiccup."""

import pytest

from video_harmonizer.temporal.budget import EFFORTS, PATIENCE, FrameBudget

FPS = 25


def after(budget: FrameBudget, busy: float, seconds: float, start: float = 0.0) -> list[float]:
    """The times at which the effort changed, when every frame for so many seconds is ``busy`` budgets long."""
    times = [start + index / FPS for index in range(round(seconds * FPS))]
    return [time for time in times if budget.spent(busy / FPS, time)]


def test_frames_in_time_change_nothing():
    budget = FrameBudget(FPS)
    assert after(budget, 0.9, 60) == []
    assert budget.effort == EFFORTS[0]
    assert budget.changes == []


def test_frames_that_take_too_long_cost_curves_first_then_the_matte_s_size():
    budget = FrameBudget(FPS)
    changes = after(budget, 1.5, 3.5 * PATIENCE[0])
    assert len(changes) == 3
    assert changes[0] == pytest.approx(PATIENCE[0], abs=2 / FPS)
    assert EFFORTS[1].scale == 1 < EFFORTS[1].patience
    assert budget.effort == EFFORTS[3]
    assert [effort.scale for effort in EFFORTS] == sorted((effort.scale for effort in EFFORTS), reverse=True)
    assert budget.changes[0] == "1.0 s: 60 of 40 ms a frame, so curves 25%, matte 100%"


def test_another_effort_is_judged_by_its_own_frames():
    budget = FrameBudget(FPS)
    assert len(after(budget, 3, 1.2 * PATIENCE[0])) == 1
    budget = FrameBudget(FPS)
    after(budget, 3, PATIENCE[0])
    assert budget.spent(3 / FPS, PATIENCE[0])
    assert after(budget, 0.9, 20, start=PATIENCE[0] + 1 / FPS) == []


def test_the_least_effort_is_the_end():
    budget = FrameBudget(FPS)
    assert len(after(budget, 3, 60)) == len(EFFORTS) - 1
    assert budget.effort == EFFORTS[-1]


def test_where_there_is_room_again_effort_comes_back_late():
    budget = FrameBudget(FPS)
    after(budget, 1.5, 2.4 * PATIENCE[0])
    changes = after(budget, 0.3, 60, start=2.4)
    assert budget.effort == EFFORTS[0]
    assert changes[0] >= 2.4 + PATIENCE[1]


def test_between_the_limits_it_does_not_swing():
    budget = FrameBudget(FPS)
    after(budget, 1.5, 1.2 * PATIENCE[0])
    assert after(budget, 0.8, 120, start=1.2) == []


def test_a_start_or_a_stall_is_no_trend():
    budget = FrameBudget(FPS)
    budget.spent(5.0, 0.0)  # networks are made ready
    assert after(budget, 0.7, 10) == []
    budget.spent(2.0, 10.0)
    assert after(budget, 0.7, 10, start=10) == []
