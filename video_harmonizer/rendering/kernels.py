"""The pass over full-resolution pixels on the processor, compiled by Numba.

Where nobody is, the backdrop is copied by NumPy, whose copy runs at memory's speed; the rest is written over it: by
`simd` where it can, elsewhere by the loops here.
"""

from functools import cache

import numpy as np

from video_harmonizer import simd
from video_harmonizer.compiled import compiled

OPAQUE, HALF = np.uint32(255), np.uint32(127)


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
    np.copyto(out, backdrop)
    done = simd.blend(rgb, foreground, alpha, table, out)
    if done < alpha.shape[1]:
        rest = np.s_[:, done:]
        _blend(rgb[rest], foreground[rest], alpha[rest], table, out[rest])


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
    np.copyto(harmonized, backdrop)
    np.copyto(paste, backdrop)
    done = simd.blend_pair(rgb, foreground, alpha, table, harmonized, paste)
    if done < alpha.shape[1]:
        rest = np.s_[:, done:]
        _blend_pair(rgb[rest], foreground[rest], alpha[rest], table, harmonized[rest], paste[rest])


def paste(person: np.ndarray, alpha: np.ndarray, backdrop: np.ndarray) -> np.ndarray:
    """A new picture: (H, W, 3) uint8 or uint16 blended by (H, W) uint8 alpha, rounded to nearest."""
    mixed = np.empty_like(person)
    blend(person, person, alpha, backdrop, identity(person.dtype), mixed)
    return mixed


@cache
def identity(dtype: np.dtype) -> np.ndarray:
    """The table that leaves every level as it is, (3, levels) of uint8 or uint16."""
    return np.tile(np.arange(np.iinfo(dtype).max + 1, dtype=dtype), (3, 1))


@compiled
def _blend(rgb: np.ndarray, foreground: np.ndarray, alpha: np.ndarray, table: np.ndarray, out: np.ndarray) -> None:
    """Over what ``out`` holds."""
    height, width = alpha.shape
    for y in range(height):
        for x in range(width):
            a = np.uint32(alpha[y, x])
            if a == OPAQUE:
                for c in range(3):
                    out[y, x, c] = table[c, rgb[y, x, c]]
            elif a:
                for c in range(3):
                    mixed = table[c, foreground[y, x, c]] * a + out[y, x, c] * (OPAQUE - a)
                    out[y, x, c] = (mixed + HALF) // OPAQUE


@compiled
def _blend_pair(
    rgb: np.ndarray,
    foreground: np.ndarray,
    alpha: np.ndarray,
    table: np.ndarray,
    harmonized: np.ndarray,
    paste: np.ndarray,
) -> None:
    """Over what both hold, which is the same."""
    height, width = alpha.shape
    for y in range(height):
        for x in range(width):
            a = np.uint32(alpha[y, x])
            if a == OPAQUE:
                for c in range(3):
                    level = rgb[y, x, c]
                    harmonized[y, x, c] = table[c, level]
                    paste[y, x, c] = level
            elif a:
                for c in range(3):
                    level, behind = foreground[y, x, c], paste[y, x, c] * (OPAQUE - a) + HALF
                    harmonized[y, x, c] = (table[c, level] * a + behind) // OPAQUE
                    paste[y, x, c] = (level * a + behind) // OPAQUE
