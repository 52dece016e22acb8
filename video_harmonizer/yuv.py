"""Y'CbCr and R'G'B': the linear step between them, exact for every matrix, range and depth in use.

Chroma is expected at full resolution (4:4:4); but for `halve`, resampling it is the adapters' affair.
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from video_harmonizer.compiled import compiled
from video_harmonizer.frame import BT709

# (Kr, Kb) by FFmpeg's AVColorSpace number; ITU-T H.273, table 4, equations 38 to 46.
LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020, non-constant luminance
}
BT601 = 6


def usual_matrix(width: int, height: int) -> int:
    """The matrix to assume where a stream names none: BT.709 from HD on, BT.601 below."""
    return BT709 if height >= 720 or width > 1024 else BT601


def to_rgb(planes: Sequence[np.ndarray], matrix: int, full_range: bool, bits: int) -> np.ndarray:
    """Convert to R'G'B' that uses its whole type: 0..255 or 0..65535.

    Args:
        planes: Y', Cb and Cr, or luma alone, (H, W) each; uint8, or uint16 holding ``bits`` significant low bits.
        matrix: a key of `LUMA_WEIGHTS`.
        full_range: whether codes span 0..2^bits-1 rather than 16..235 (luma) times 2^(bits-8).
        bits: depth of the codes.

    Returns:
        (H, W, 3), the planes' dtype.
    """
    affine = _rgb_from_yuv(matrix, full_range, bits, np.iinfo(planes[0].dtype).max)
    if len(planes) == 1:  # chroma is at its middle everywhere
        luma, cb, cr, offset = affine.T
        affine = np.stack([luma, 0 * cb, 0 * cr, offset + 2 ** (bits - 1) * (cb + cr)], axis=1)
        planes = [planes[0]] * 3
    return cv2.merge(list(_apply(planes, affine)))


def from_rgb(rgb: np.ndarray, matrix: int, full_range: bool) -> np.ndarray:
    """Convert R'G'B' (H, W, 3), uint8 or uint16, to Y'CbCr codes as deep as the type: (3, H, W) of 8 or 16 bits."""
    bits = rgb.dtype.itemsize * 8
    forward = np.vstack([_rgb_from_yuv(matrix, full_range, bits, np.iinfo(rgb.dtype).max), [0, 0, 0, 1]])
    return _apply(cv2.split(rgb), np.linalg.inv(forward)[:3])


@compiled
def halve(chroma: np.ndarray, out: np.ndarray) -> None:
    """4:4:4 to 4:2:0, linearly, at the left pixel of each pair, where players take chroma to lie.

    Args:
        chroma: (2 h, 2 w) uint8.
        out: (h, w) uint8, written; its rows may lie apart.
    """
    height, width = out.shape
    pairs = np.empty(2 * width + 1, np.uint16)  # sums of two rows, the first column twice
    for y in range(height):
        above, below = chroma[2 * y], chroma[2 * y + 1]
        for x in range(2 * width):
            pairs[x + 1] = np.uint16(above[x]) + np.uint16(below[x])
        pairs[0] = pairs[1]
        for x in range(width):
            out[y, x] = (pairs[2 * x] + 2 * pairs[2 * x + 1] + pairs[2 * x + 2] + 4) >> 3


@cache
def _rgb_from_yuv(matrix: int, full_range: bool, bits: int, white: int) -> np.ndarray:
    """(3, 4) affine map from codes of ``bits`` bits to R'G'B' where 1.0 is ``white``."""
    red, blue = LUMA_WEIGHTS[matrix]
    green = 1 - red - blue
    linear = np.array(
        [
            [1, 0, 2 * (1 - red)],
            [1, -2 * (1 - blue) * blue / green, -2 * (1 - red) * red / green],
            [1, 2 * (1 - blue), 0],
        ]
    )
    step = 2 ** (bits - 8)
    luma_span, chroma_span = (2**bits - 1,) * 2 if full_range else (219 * step, 224 * step)
    zero = np.array([0 if full_range else 16 * step, 128 * step, 128 * step])
    linear *= white / np.array([luma_span, chroma_span, chroma_span])
    return np.hstack([linear, -(linear @ zero)[:, None]])


def _apply(planes: Sequence[np.ndarray], affine: np.ndarray) -> np.ndarray:
    """Three (H, W) planes through a (3, 4) map: (3, H, W), rounded to nearest and clipped to their type."""
    first, second, third = (np.ascontiguousarray(plane) for plane in planes)
    out = np.empty((3, *first.shape), first.dtype)
    _mix(first, second, third, affine.astype(np.float32), np.float32(np.iinfo(first.dtype).max), out)
    return out


@compiled
def _mix(
    first: np.ndarray, second: np.ndarray, third: np.ndarray, affine: np.ndarray, top: np.float32, out: np.ndarray
) -> None:
    """In floating point: OpenCV's 8-bit transform is fixed-point, which tints neutral greys by a level."""
    zero, half = np.float32(0), np.float32(0.5)
    height, width = first.shape
    for k in range(3):
        of_first, of_second, of_third, offset = affine[k, 0], affine[k, 1], affine[k, 2], affine[k, 3] + half
        for y in range(height):
            a, b, c, mixed = first[y], second[y], third[y], out[k, y]
            for x in range(width):
                value = (
                    of_first * np.float32(a[x]) + of_second * np.float32(b[x]) + of_third * np.float32(c[x]) + offset
                )
                # comparisons, which become vector instructions where calls of min and max do not
                value = zero if value < zero else value
                value = top if value > top else value
                mixed[x] = np.int32(value)
