"""Clocks and the account of memory."""

import builtins
import sys
import time
from typing import Any

import numpy as np
import pytest

from video_harmonizer.benchmark.meters import PeakMemory, Stopwatch

MIB = 1 << 20


def test_stopwatch_gives_the_median_of_each_stage():
    watch = Stopwatch()
    watch.seconds["decode"] += [0.003, 0.001, 0.5]
    assert watch.call("render", lambda x: 2 * x, 21) == 42
    times = watch.milliseconds()
    assert times["decode"] == 3
    assert 0 <= times["render"] < 1000


def test_stopwatch_counts_the_work():
    watch = Stopwatch()
    watch.call("sleep", time.sleep, 0.02)
    assert watch.milliseconds()["sleep"] >= 20


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak can't be reset")
def test_peak_is_of_what_was_held_since_the_start():
    memory = PeakMemory()
    if "reset" not in memory.method:
        pytest.skip("this system does not let the peak be reset")
    memory.start()
    before = memory.mib()
    block = np.ones(128 * MIB, np.uint8)
    held = memory.mib()
    del block
    still = memory.mib()
    memory.start()
    after = memory.mib()
    assert before is not None
    assert held is not None
    assert still is not None
    assert after is not None
    assert held > before + 100
    assert still > before + 100  # it is a peak, not what is held now
    assert after < held - 100


def test_where_the_peak_can_not_be_reset_it_is_that_of_the_whole_program(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(PeakMemory, "_high_water", lambda self: None)
    memory = PeakMemory()
    assert "getrusage" in memory.method
    peak = memory.mib()
    assert peak is not None
    assert 10 < peak < 100_000


def test_where_nobody_knows_there_is_no_peak(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(PeakMemory, "_high_water", lambda self: None)
    real = builtins.__import__

    def without_resource(name: str, *rest: Any, **named: Any) -> Any:
        if name == "resource":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_resource)
    assert PeakMemory().mib() is None
