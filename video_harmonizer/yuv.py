"""Y'CbCr and R'G'B': the linear step between them, exact for every matrix, range and depth in use.

Chroma is expected at full resolution (4:4:4); resampling it is the adapters' affair.
"""

from functools import cache

import cv2
import numpy as np

# (Kr, Kb) by FFmpeg's AVColorSpace number; ITU-T H.273, table 4, equations 38 to 46.
LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020, non-constant luminance
}
BT709, BT601 = 1, 6


def usual_matrix(width: int, height: int) -> int:
    """The matrix to assume where a stream names none: BT.709 from HD on, BT.601 below."""
    return BT709 if height >= 720 or width > 1024 else BT601


def to_rgb(yuv: np.ndarray, matrix: int, full_range: bool, bits: int) -> np.ndarray:
    """Convert to R'G'B' that uses its whole type: 0..255 or 0..65535.

    Args:
        yuv: (H, W, 3) Y'CbCr or (H, W) luma alone; uint8, or uint16 holding ``bits`` significant low bits.
        matrix: a key of `LUMA_WEIGHTS`.
        full_range: whether codes span 0..2^bits-1 rather than 16..235 (luma) times 2^(bits-8).
        bits: depth of the codes.

    Returns:
        (H, W, 3), ``yuv``'s dtype.
    """
    affine = _rgb_from_yuv(matrix, full_range, bits, np.iinfo(yuv.dtype).max)
    if yuv.ndim == 2:  # chroma is at its middle everywhere
        luma, cb, cr, offset = affine.T
        affine = np.stack([luma, offset + 2 ** (bits - 1) * (cb + cr)], axis=1)
    return _apply(yuv, affine)


def from_rgb(rgb: np.ndarray, matrix: int, full_range: bool) -> np.ndarray:
    """Convert R'G'B' (H, W, 3), uint8 or uint16, to Y'CbCr codes as deep as the type: 8 or 16 bits."""
    bits = rgb.dtype.itemsize * 8
    forward = np.vstack([_rgb_from_yuv(matrix, full_range, bits, np.iinfo(rgb.dtype).max), [0, 0, 0, 1]])
    return _apply(rgb, np.linalg.inv(forward)[:3])


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


def _apply(pixels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    # OpenCV's 8-bit transform is fixed-point, which tints neutral greys by a level; its 16-bit one is float.
    out = cv2.transform(pixels.astype(np.uint16, copy=False), affine.astype(np.float32))
    return out if pixels.dtype == np.uint16 else cv2.convertScaleAbs(out)
