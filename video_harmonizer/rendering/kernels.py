"""The pass over full-resolution pixels on the processor, compiled by Numba."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def blend(
    rgb: np.ndarray,
    foreground: np.ndarray,
    alpha: np.ndarray,
    backdrop: np.ndarray,
    table: np.ndarray,
    out: np.ndarray,
) -> None:
    """Look the person's colours up and blend them over the backdrop, rounded to nearest.

    Every pixel with alpha above 0 is looked up before it is blended. Most pixels are wholly one or the other and
    are copied or looked up only; those that are wholly the person keep the frame's own colour.

    Args:
        rgb: (H, W, 3) uint8 or uint16, the frame.
        foreground: the same, read where 0 < alpha < 255: colour without the old background's spill.
        alpha: (H, W) uint8.
        backdrop: (H, W, 3) of the frame's type.
        table: (3, levels) of the frame's type: what becomes of each input level.
        out: (H, W, 3) of the frame's type; its rows may lie apart.
    """
    height, width = alpha.shape
    opaque = np.uint32(255)
    for y in range(height):
        for x in range(width):
            a = np.uint32(alpha[y, x])
            if a == 0:
                for c in range(3):
                    out[y, x, c] = backdrop[y, x, c]
            elif a == opaque:
                for c in range(3):
                    out[y, x, c] = table[c, rgb[y, x, c]]
            else:
                for c in range(3):
                    mixed = table[c, foreground[y, x, c]] * a + backdrop[y, x, c] * (opaque - a)
                    out[y, x, c] = (mixed + np.uint32(127)) // opaque


@numba.njit(cache=True, nogil=True)
def blend_pair(
    rgb: np.ndarray,
    foreground: np.ndarray,
    alpha: np.ndarray,
    backdrop: np.ndarray,
    table: np.ndarray,
    harmonized: np.ndarray,
    paste: np.ndarray,
) -> None:
    """What two calls of `blend` do, one with ``table`` and one without, in one pass: memory is what takes the time."""
    height, width = alpha.shape
    opaque, half = np.uint32(255), np.uint32(127)
    for y in range(height):
        for x in range(width):
            a = np.uint32(alpha[y, x])
            if a == 0:
                for c in range(3):
                    level = backdrop[y, x, c]
                    harmonized[y, x, c] = level
                    paste[y, x, c] = level
            elif a == opaque:
                for c in range(3):
                    level = rgb[y, x, c]
                    harmonized[y, x, c] = table[c, level]
                    paste[y, x, c] = level
            else:
                for c in range(3):
                    level, behind = foreground[y, x, c], backdrop[y, x, c] * (opaque - a) + half
                    harmonized[y, x, c] = (table[c, level] * a + behind) // opaque
                    paste[y, x, c] = (level * a + behind) // opaque
