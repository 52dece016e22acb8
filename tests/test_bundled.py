"""The bundled networks give what they gave when they were measured: code that drifts from its weights is found out."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage import data

from video_harmonizer import weights
from video_harmonizer.engine import make_engine
from video_harmonizer.frame import Frame, Matte
from video_harmonizer.harmonizers.estimator import load_estimator
from video_harmonizer.matting.rvm import RVMMatting, load_rvm
from video_harmonizer.thumbnails import CLOSE, SIZE, Thumbnails, make_thumbnails

LEVELS = slice(0, None, 51)  # 0, 51, ... 255
# of red, green and blue at these levels, in levels, at a first look
CURVES = {
    "curvenet": [
        [8.8, 89.2, 149.5, 194.8, 234.0, 248.7],
        [8.1, 78.3, 137.3, 181.7, 226.7, 243.5],
        [2.5, 60.7, 114.4, 162.9, 211.3, 238.8],
    ],
    "s2crnet": [
        [0.0, 62.1, 121.0, 173.6, 219.1, 255.0],
        [0.0, 59.1, 113.4, 165.2, 211.9, 255.0],
        [0.0, 55.6, 105.4, 156.0, 204.9, 255.0],
    ],
}
# the same of CurveNet's that looked at a ready composite from near, and again
NEAR = [
    [12.5, 95.3, 149.1, 193.9, 235.9, 247.2],
    [11.1, 83.9, 137.6, 179.9, 226.3, 240.1],
    [3.2, 63.4, 112.7, 159.7, 208.4, 233.3],
]
# alpha's mean in each of 6x6 tiles, in percent
ALPHA = [
    [39, 8, 72, 30, 9, 3],
    [12, 13, 97, 28, 0, 0],
    [6, 79, 100, 44, 0, 0],
    [54, 100, 100, 100, 14, 0],
    [75, 100, 100, 100, 94, 43],
    [79, 94, 98, 99, 96, 49],
]


def composite(close: int | None = None) -> Thumbnails:
    """A photograph whose middle was made darker and bluer."""
    picture = data.astronaut()
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.ellipse(mask, (256, 256), (128, 170), 0, 0, 360, 255, -1)
    changed = 255 * (picture / 255) ** (1.8, 1.5, 1.1)
    foreign = np.where(mask[..., None] > 0, np.rint(changed), picture).astype(np.uint8)
    thumbnails = make_thumbnails(foreign, Matte(mask), foreign, SIZE, close)
    assert thumbnails is not None
    return thumbnails


@pytest.mark.parametrize("name", CURVES)
def test_curves_are_those_that_were_measured(name: str):
    estimator = load_estimator(name, weights.path(name), make_engine("torch", "cpu", "fp32"))
    curves = estimator.estimate(replace(composite(), ready=False), 256)
    assert curves is not None
    np.testing.assert_allclose(255 * curves.table[:, LEVELS], CURVES[name], rtol=0, atol=1)


def test_curves_of_a_ready_composite_are_those_that_were_measured():
    estimator = load_estimator("curvenet", weights.path("curvenet"), make_engine("torch", "cpu", "fp32"))
    seen = composite(estimator.close)
    assert len(seen.foreground) == CLOSE
    curves = estimator.estimate(seen, 256)
    assert curves is not None
    np.testing.assert_allclose(255 * curves.table[:, LEVELS], NEAR, rtol=0, atol=1)


def test_mattes_are_those_that_were_measured():
    matting = RVMMatting(load_rvm(weights.path("bundled"), "bundled"), None, make_engine("torch", "cpu", "fp32"))
    picture = cv2.resize(data.astronaut(), (384, 384), interpolation=cv2.INTER_AREA)
    alpha = matting.matte(Frame(picture, 0, 0.0)).alpha
    tiles = alpha.reshape(6, 64, 6, 64).mean((1, 3)) / 2.55
    np.testing.assert_allclose(tiles, ALPHA, rtol=0, atol=2)
