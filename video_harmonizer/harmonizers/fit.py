"""Pixels before and after some change of colours -> the monotone curves that come closest to it."""

import numpy as np
from scipy.optimize import isotonic_regression

from video_harmonizer.frame import ToneCurves

LEVELS = 256
STIFFNESS = 3e4  # of a fitted curve against bending, in pixels; more fits pixels that were held out less well
REACH = 40.0  # levels beyond the last pixels over which a curve comes back to running alongside the identity


def fit_curves(before: np.ndarray, after: np.ndarray, samples: int, stiffness: float = STIFFNESS) -> ToneCurves:
    """One curve a channel, by least squares, never falling.

    What becomes of a level is smoothed by Whittaker's penalised least squares (Eilers, "A perfect smoother", 2003):
    a change ``d`` of level ``x`` minimises ``sum n (d - mean change)^2 + stiffness * sum (d''^2 + d'^2 / REACH^2)``
    with ``n`` pixels at each level. Levels without pixels, between others or beyond them, so take a smooth way, far
    out with the same change. Isotonic regression then takes out what still falls.

    Args:
        before: (N, 3) uint8 RGB, N > 0.
        after: (N, 3) float 0..1: what became of each pixel.
        samples: levels of the curves.
        stiffness: 0 for the closest monotone curves that there are, with all their steps, joined by straight lines
            where there are no pixels: the ceiling of what curves can do.

    Raises:
        ValueError: there are no pixels, or a number is not finite.
    """
    if before.shape != after.shape or not len(before) or not np.isfinite(after).all():
        raise ValueError(f"got pixels {before.shape} before and {after.shape} after; want (N, 3) twice, finite, N > 0")
    curves = [_fit_channel(before[:, channel], after[:, channel], stiffness) for channel in range(3)]
    steps = np.linspace(0, LEVELS - 1, samples)
    table = [np.interp(steps, np.arange(LEVELS), curve) for curve in curves]
    return ToneCurves(np.clip(table, 0, 1).astype(np.float32))


def _fit_channel(before: np.ndarray, after: np.ndarray, stiffness: float) -> np.ndarray:
    """(N,) levels and what became of them -> (LEVELS,) curve."""
    identity = np.linspace(0, 1, LEVELS)
    count = np.bincount(before, minlength=LEVELS)
    total = np.bincount(before, after, minlength=LEVELS)
    if stiffness:
        change = _smooth(total - count * identity, count, stiffness)
        return isotonic_regression(identity + change, weights=count + 1e-6).x  # no level weighs nothing
    seen = count.nonzero()[0]
    closest = isotonic_regression(total[seen] / count[seen], weights=count[seen]).x
    return identity + np.interp(np.arange(LEVELS), seen, closest - identity[seen])


def _smooth(total: np.ndarray, count: np.ndarray, stiffness: float) -> np.ndarray:
    """Whittaker's smoothing of ``total / count`` by (LEVELS,) counts."""
    slope = np.diff(np.eye(LEVELS), axis=0) / REACH
    bend = np.diff(np.eye(LEVELS), n=2, axis=0)
    return np.linalg.solve(np.diag(count) + stiffness * (bend.T @ bend + slope.T @ slope), total)
