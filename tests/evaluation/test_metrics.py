"""What is measured of one picture, against plain NumPy."""

import numpy as np
import pytest

from video_harmonizer.evaluation.metrics import MAX_PSNR, psnr, score, share_class


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(picture, target, mask) of 14x17, every level from dark to white, a quarter foreground."""
    random = np.random.default_rng(0)
    target = random.integers(0, 256, (14, 17, 3), dtype=np.uint8)
    noise = random.integers(-40, 41, target.shape)
    picture = (target + noise).clip(0, 255).astype(np.uint8)
    return picture, target, random.random((14, 17)) < 0.25


def test_errors_are_means_of_squared_levels_over_the_picture_and_over_the_mask(pair: tuple[np.ndarray, ...]):
    picture, target, mask = pair
    squared = (picture.astype(np.float64) - target.astype(np.float64)) ** 2
    scores = score(picture, target, mask)
    assert scores.mse == pytest.approx(squared.sum() / (14 * 17 * 3))
    assert scores.fmse == pytest.approx((squared * mask[..., None]).sum() / (3 * mask.sum()))
    assert scores.psnr == pytest.approx(10 * np.log10(255**2 / scores.mse))
    assert scores.fpsnr == pytest.approx(10 * np.log10(255**2 / scores.fmse))


def test_psnr_counts_from_255_whatever_the_pictures_brightest_level():
    target = np.full((12, 12, 3), 50, np.uint8)
    scores = score(target + 10, target, np.ones((12, 12), bool))
    assert scores.psnr == pytest.approx(10 * np.log10(255**2 / 100))


def test_ssim_is_that_of_wang_et_al(pair: tuple[np.ndarray, ...]):
    picture, target, mask = pair
    offsets = np.arange(-5, 6)
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def blurred(channel: np.ndarray) -> np.ndarray:
        return np.einsum("yxab,ab->yx", np.lib.stride_tricks.sliding_window_view(channel, (11, 11)), window)

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    channels = []
    for x, y in zip(np.moveaxis(picture, 2, 0).astype(float), np.moveaxis(target, 2, 0).astype(float), strict=True):
        mx, my = blurred(x), blurred(y)
        vx, vy, vxy = blurred(x * x) - mx**2, blurred(y * y) - my**2, blurred(x * y) - mx * my
        channels.append((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    assert score(picture, target, mask).ssim == pytest.approx(np.mean(channels), abs=1e-5)


def test_exact_match_has_the_highest_psnr_and_not_an_infinite_one(pair: tuple[np.ndarray, ...]):
    _, target, mask = pair
    scores = score(target, target, mask)
    assert (scores.mse, scores.fmse) == (0, 0)
    assert (scores.psnr, scores.fpsnr) == (MAX_PSNR, MAX_PSNR)
    assert scores.ssim == pytest.approx(1)


def test_nearly_exact_match_is_not_above_an_exact_one():
    assert psnr(1e-9) == MAX_PSNR


@pytest.mark.parametrize(
    ("share", "name"),
    [(1e-6, "0-5"), (0.0499, "0-5"), (0.05, "5-15"), (0.1499, "5-15"), (0.15, "15-100"), (1.0, "15-100")],
)
def test_share_on_an_edge_belongs_to_the_class_above(share: float, name: str):
    assert share_class(share) == name
