"""Changes of colour that training never makes."""

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks import unfamiliar
from video_harmonizer.training import perturb


def colors(mean: tuple[float, float, float], seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (mean + 0.06 * random.standard_normal((2000, 3)).clip(-2, 2)).astype(np.float32)


OURS, THEIRS = colors((0.35, 0.5, 0.45), 1), colors((0.6, 0.45, 0.5), 2)


@pytest.mark.parametrize("method", unfamiliar.TRANSFERS, ids=lambda method: method.__name__)
def test_transfers_bring_the_references_brightness(method: Callable[[np.ndarray, np.ndarray], np.ndarray]):
    moved, wanted = (float((part @ unfamiliar.LUMA).mean()) for part in (method(OURS, THEIRS), THEIRS))
    assert moved == pytest.approx(wanted, abs=0.01)
    assert abs(float((OURS @ unfamiliar.LUMA).mean()) - wanted) > 0.03


def test_adaptation_brings_the_references_hue():
    moved = unfamiliar.adaptation(OURS, THEIRS).mean(0)
    np.testing.assert_allclose(moved, THEIRS.mean(0), atol=0.02)  # of encoded colours: gains are of linear ones


@pytest.mark.parametrize("look", unfamiliar.LOOKS, ids=lambda look: look.__name__)
def test_looks_change_colours_by_chance(look: Callable[[np.ndarray, np.random.Generator], np.ndarray]):
    first, again, other = (look(OURS, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - OURS).mean() > 0.01
    assert np.abs(first - other).mean() > 0.005


def test_what_is_given_to_composites_stays_in_range_and_is_none_of_trainings_own():
    luts = np.zeros((0, 17, 17, 17, 3), np.float32)
    for seed in range(20):
        pairs = []
        for changes in (unfamiliar, perturb):
            random = np.random.default_rng(seed)
            pairs.append((changes.transfer(OURS, THEIRS, random), changes.grade(OURS, random, luts)))
        for moved, graded in pairs:
            for result in (moved, graded):
                assert result.dtype == np.float32
                assert 0 <= result.min() <= result.max() <= 1
        assert all(np.abs(one - other).max() > 1e-3 for one, other in zip(*pairs, strict=True))
