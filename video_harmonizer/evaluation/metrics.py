"""What is measured of one picture, on 8-bit levels (data range 255).

The result is rounded to 8 bits, and is the composite outside the mask. Averages are means of these per-image values.
"""

import math
from dataclasses import dataclass

import numpy as np
from skimage.metrics import mean_squared_error, structural_similarity

MAX_PSNR = 100.0  # dB, taken for an exact match, whose PSNR is infinite and would make every average so
SMALLEST = 11  # pixels a side, the window of SSIM
SHARES = {"0-5": 0.05, "5-15": 0.15, "15-100": math.inf}  # class by foreground share in percent -> below what share


@dataclass(frozen=True)
class Scores:
    """How far a picture is from its target."""

    mse: float  # mean squared error over all pixels and channels, levels squared
    psnr: float  # 10 log10(255^2 / mse), dB
    fmse: float  # squared error summed over the mask / (3 * mask area)
    fpsnr: float  # the same from fmse
    ssim: float  # Wang et al. 2004: Gaussian window of deviation 1.5, mean over channels


def score(picture: np.ndarray, target: np.ndarray, mask: np.ndarray) -> Scores:
    """Compare (H, W, 3) uint8 pictures of `SMALLEST` pixels a side or more; mask: (H, W) bool, not empty."""
    mse = float(mean_squared_error(picture, target))
    fmse = float(mean_squared_error(picture[mask], target[mask]))
    # in float32, as double precision takes twice as long and changes the seventh digit
    ssim = structural_similarity(
        picture.astype(np.float32),
        target.astype(np.float32),
        data_range=255,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return Scores(mse, psnr(mse), fmse, psnr(fmse), float(ssim))


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in dB, at most `MAX_PSNR`."""
    return min(MAX_PSNR, 10 * math.log10(255**2 / mse)) if mse else MAX_PSNR


def share_class(share: float) -> str:
    """The key of `SHARES` for a foreground share in 0..1; a share on an edge belongs to the class above it."""
    return next(name for name, upper in SHARES.items() if share < upper)
