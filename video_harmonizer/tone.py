"""Tone curves as tables: sampled, made of integer levels, weakened."""

import numpy as np

from video_harmonizer.frame import ToneCurves


def sample(knots: np.ndarray, count: int) -> np.ndarray:
    """Piecewise-linear curves, applied one after the other, at ``count`` equal steps of 0..1.

    Args:
        knots: (S, 3, K) values of S curves a channel at equal steps; they may leave 0..1, what comes next clips them.

    Returns:
        (3, count) float64, not clipped.
    """
    steps = np.linspace(0, 1, knots.shape[-1])
    table = np.tile(np.linspace(0, 1, count), (3, 1))
    for stage in knots:
        table = np.stack([np.interp(values, steps, curve) for values, curve in zip(table, stage, strict=True)])
    return table


def quantize(curves: np.ndarray) -> np.ndarray:
    """Curves sampled at every input level, (..., 2**bits) float 0..1, as a table of output levels.

    Rounded to nearest and clipped; uint8 for 8 bits, uint16 above. Looking a level up is the same as sending its float
    value through the curve and rounding: integer pictures have no other values.
    """
    samples = curves.shape[-1]
    return np.rint(np.clip(curves, 0, 1) * (samples - 1)).astype(np.uint8 if samples <= 256 else np.uint16)


def toward_identity(curves: ToneCurves, strength: float) -> ToneCurves:
    """A part of the change: 0 none of it, 1 all."""
    if strength == 1:
        return curves
    identity = ToneCurves.identity(curves.table.shape[1]).table
    return ToneCurves(identity + np.float32(strength) * (curves.table - identity))
