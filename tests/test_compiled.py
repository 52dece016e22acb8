"""Loops are compiled also where their machine code can't be kept."""

import numpy as np
import pytest

from video_harmonizer import errors
from video_harmonizer.compiled import compiled

LOOP = """
def double(numbers):
    for i in range(len(numbers)):
        numbers[i] *= 2
"""


def test_goes_without_a_cache_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(errors, "_said", set())
    names: dict = {}
    exec(LOOP, names)  # of a function that is in no file Numba can't keep anything either
    double = compiled(names["double"])
    compiled(names["double"])
    numbers = np.arange(3)
    double(numbers)
    assert numbers.tolist() == [0, 2, 4]
    assert len(caplog.messages) == 1
    assert "NUMBA_CACHE_DIR" in caplog.text
