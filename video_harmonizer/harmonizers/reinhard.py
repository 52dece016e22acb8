"""Reinhard's colour transfer, from the background to the foreground: the classical baseline.

Reinhard et al., "Color Transfer between Images", IEEE CG&A 2001, in CIE Lab (D65) in place of the paper's lαβ, as the
harmonization papers compare with.
"""

import warnings

import numpy as np
from skimage.color import lab2rgb, rgb2lab

from video_harmonizer.frame import ToneCurves
from video_harmonizer.harmonizers.fit import fit_curves
from video_harmonizer.rendering.kernels import paste
from video_harmonizer.thumbnails import MIN_PIXELS, SIZE, Thumbnails

MIN_DEVIATION = 0.1  # of Lab: a foreground without shades is moved, not spread


def reinhard(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The composite with Lab means and deviations of its foreground made those of its background.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8, 255 = foreground. Statistics are of pixels above and up to 127; everything above 0 is
            changed, and blended by the mask.

    Returns:
        (H, W, 3) uint8; the picture itself where `transfer` has no answer.
    """
    changed = transfer(image, mask)
    return image if changed is None else paste(np.rint(changed * 255).astype(np.uint8), mask, image)


def transfer(image: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """Every pixel as a foreground's, (H, W, 3) float32 0..1; None where one region has fewer than `MIN_PIXELS`."""
    inside = mask > 127
    if min(inside.sum(), (~inside).sum()) < MIN_PIXELS:
        return None
    lab = rgb2lab(image.astype(np.float32) / 255)
    ours, theirs = lab[inside], lab[~inside]
    spread = theirs.std(0) / np.maximum(ours.std(0), MIN_DEVIATION)
    moved = (lab - ours.mean(0)) * spread + theirs.mean(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of colours outside RGB, which are clipped as is meant
        return lab2rgb(moved)


class ReinhardEstimator:
    """The curves that come closest to Reinhard's transfer of a thumbnail."""

    name = "reinhard"
    side = SIZE  # of the thumbnails in pixels
    close: int | None = None

    def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
        """Curves of ``samples`` levels; None where there is nobody, or no background left to match."""
        changed = None if thumbnails is None else transfer(thumbnails.background, thumbnails.background_mask)
        if thumbnails is None or changed is None:
            return None
        inside = thumbnails.background_mask > 127
        return fit_curves(thumbnails.background[inside], changed[inside], samples)
