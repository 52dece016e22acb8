"""Composites that some curve puts right exactly."""

import numpy as np

from benchmarks.synthetic_iharmony4 import Triple
from video_harmonizer.frame import ToneCurves

SHARES = (0.02, 0.1, 0.5)  # of the foreground: one picture in each class


def triple(share: float, seed: int, height: int = 40, width: int = 60) -> Triple:
    """A composite whose foreground has half the contrast of its real picture; masks cover whole rows or parts."""
    real = 2 * np.random.default_rng(seed).integers(0, 128, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), np.uint8)
    mask.reshape(-1)[: round(share * mask.size)] = 255
    composite = np.where(mask[..., None] > 0, real // 2 + 20, real)
    return composite, mask, real


def perfect_curves() -> ToneCurves:
    """What undoes the composites of `triple`."""
    levels = np.arange(256, dtype=np.float32)
    return ToneCurves(np.tile(2 * (levels - 20) / 255, (3, 1)).clip(0, 1))
