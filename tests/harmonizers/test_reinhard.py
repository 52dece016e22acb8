"""Reinhard's transfer: the foreground takes the background's statistics, exactly in Lab and as well as curves can."""

import warnings

import numpy as np
import pytest
from skimage.color import rgb2lab

from video_harmonizer.frame import Matte
from video_harmonizer.harmonizers.reinhard import ReinhardEstimator, reinhard
from video_harmonizer.thumbnails import SIZE, make_thumbnails


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((96, 120), np.uint8)
    mask[20:90, 30:80] = 255
    return mask


@pytest.fixture
def image(mask: np.ndarray) -> np.ndarray:
    """A warm, dim foreground of little contrast on a cool, bright background; no colour gets near the limits."""
    random = np.random.default_rng(0)
    light = random.normal(0, 1, (*mask.shape, 1))
    tint = random.normal(0, 1, (*mask.shape, 3))
    background, foreground = [130, 150, 170] + 14 * light + 3 * tint, [95, 80, 60] + 6 * light + 3 * tint
    return np.rint(np.where(mask[..., None] > 127, foreground, background)).clip(0, 255).astype(np.uint8)


def statistics(image: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lab = rgb2lab(image)[region]
    return lab.mean(0), lab.std(0)


def test_foreground_takes_the_backgrounds_mean_and_deviation(image: np.ndarray, mask: np.ndarray):
    inside = mask > 127
    result = reinhard(image, mask)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result[~inside], image[~inside])
    for got, wanted in zip(statistics(result, inside), statistics(image, ~inside), strict=True):
        np.testing.assert_allclose(got, wanted, atol=0.1)


def test_soft_edges_are_blended(image: np.ndarray, mask: np.ndarray):
    full = reinhard(image, mask)
    mask[50:60, 40:50] = 200
    result, soft = reinhard(image, mask), mask == 200
    wanted = (200 * full[soft].astype(float) + 55 * image[soft].astype(float)) / 255
    np.testing.assert_allclose(result[soft], wanted, atol=1)


def test_foreground_of_one_color_takes_the_mean(image: np.ndarray, mask: np.ndarray):
    image[mask > 0] = 40, 90, 60
    result = reinhard(image, mask)
    assert len(np.unique(result[mask > 0], axis=0)) == 1
    np.testing.assert_allclose(statistics(result, mask > 0)[0], statistics(image, mask == 0)[0], atol=0.5)


@pytest.mark.parametrize("level", [0, 255])
def test_without_foreground_or_background_the_picture_stays(image: np.ndarray, level: int):
    mask = np.full(image.shape[:2], level, np.uint8)
    np.testing.assert_array_equal(reinhard(image, mask), image)


def test_colors_outside_rgb_are_clipped_without_a_warning(image: np.ndarray, mask: np.ndarray):
    image[mask == 0] = np.where(image[mask == 0] > 150, [255, 0, 255], [0, 255, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reinhard(image, mask).dtype == np.uint8


# --- in the pipeline ------------------------------------------------------------------------------------------


def test_estimated_curves_render_nearly_what_the_transfer_gives(image: np.ndarray, mask: np.ndarray):
    estimator = ReinhardEstimator()
    assert estimator.name == "reinhard"
    curves = estimator.estimate(make_thumbnails(image, Matte(mask), image), 256)
    assert curves is not None
    inside = mask > 127
    levels = image[inside]
    rendered = np.stack([curves.table[c, levels[:, c]] for c in range(3)], 1) * 255
    wanted, before = reinhard(image, mask)[inside].astype(float), levels.astype(float)
    assert np.abs(rendered - wanted).mean() < 0.1 * np.abs(before - wanted).mean()


@pytest.mark.parametrize("samples", [256, 65536])
def test_curves_have_the_samples_asked_for(image: np.ndarray, mask: np.ndarray, samples: int):
    curves = ReinhardEstimator().estimate(make_thumbnails(image, Matte(mask), image), samples)
    assert curves is not None
    assert (curves.table.shape, curves.table.dtype) == ((3, samples), np.float32)


@pytest.mark.parametrize("level", [0, 255])
def test_there_is_no_answer_without_foreground_or_background(image: np.ndarray, level: int):
    mask = np.full((SIZE, SIZE), level, np.uint8)
    assert ReinhardEstimator().estimate(make_thumbnails(image, Matte(mask), image), 256) is None
