"""Colour changes: transfers reach the reference's statistics, tables are read in their order, nothing leaves 0..1."""

import cv2
import numpy as np
import pytest
from tables import identity

from video_harmonizer.training import perturb


def colors(mean: list[float], deviation: list[float], count: int, seed: int) -> perturb.Colors:
    """Correlated colours well inside the gamut."""
    random = np.random.default_rng(seed)
    shared, own = random.standard_normal((count, 1)), random.standard_normal((count, 3))
    spread = np.clip(0.8 * shared + 0.6 * own, -2.5, 2.5)
    return (mean + np.array(deviation) * spread).astype(np.float32)


@pytest.fixture(scope="module")
def ours() -> perturb.Colors:
    return colors([0.35, 0.5, 0.45], [0.05, 0.06, 0.05], 3000, 1)


@pytest.fixture(scope="module")
def theirs() -> perturb.Colors:
    return colors([0.6, 0.45, 0.5], [0.1, 0.08, 0.07], 2000, 2)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def lab(colors: perturb.Colors) -> np.ndarray:
    return cv2.cvtColor(colors[None], cv2.COLOR_RGB2Lab)[0]


# --- transfers ------------------------------------------------------------------------------------------------


def test_lab_statistics_moves_mean_and_deviation(
    ours: perturb.Colors, theirs: perturb.Colors, random: np.random.Generator
):
    moved = lab(perturb.lab_statistics(ours, theirs, random))
    np.testing.assert_allclose(moved.mean(0), lab(theirs).mean(0), atol=0.3)
    # the gain is damped by one unit, so that flat regions do not become noise
    before = np.abs(np.log(lab(ours).std(0) / lab(theirs).std(0)))
    after = np.abs(np.log(moved.std(0) / lab(theirs).std(0)))
    assert (after < 0.15).all()
    assert before.max() > 0.3


def test_linear_transport_moves_mean_and_covariance(
    ours: perturb.Colors, theirs: perturb.Colors, random: np.random.Generator
):
    moved = perturb.linear_transport(ours, theirs, random)
    np.testing.assert_allclose(moved.mean(0), theirs.mean(0), atol=1e-4)
    wanted = np.cov(theirs.T)
    assert np.abs(np.cov(moved.T) - wanted).max() < 0.05 * wanted.max()
    assert np.abs(np.cov(ours.T) - wanted).max() > 0.5 * wanted.max()


def test_match_histograms_moves_each_channel_s_quantiles(
    ours: perturb.Colors, theirs: perturb.Colors, random: np.random.Generator
):
    steps = np.linspace(0.05, 0.95, 20)
    moved = perturb.match_histograms(ours, theirs, random)
    np.testing.assert_allclose(np.quantile(moved, steps, 0), np.quantile(theirs, steps, 0), atol=0.01)


@pytest.mark.parametrize("clipped", [0.0, 1.0])
def test_clipped_pixels_get_the_mean_of_the_quantiles_they_stand_for(
    theirs: perturb.Colors, random: np.random.Generator, clipped: float
):
    ours = random.uniform(0.2, 0.8, (5000, 3)).astype(np.float32)
    ours[:2000] = clipped
    part = (
        np.sort(theirs, 0)[: int(0.4 * len(theirs))] if clipped == 0 else np.sort(theirs, 0)[int(0.6 * len(theirs)) :]
    )
    moved = perturb.match_histograms(ours, theirs, random)
    np.testing.assert_allclose(moved[:2000].mean(0), part.mean(0), atol=0.02)


def test_transfer_distribution_moves_quantiles_along_any_axis(
    ours: perturb.Colors, theirs: perturb.Colors, random: np.random.Generator
):
    moved = perturb.transfer_distribution(ours, theirs, random)
    steps = np.linspace(0.05, 0.95, 10)
    for axis in np.random.default_rng(5).standard_normal((6, 3)):
        axis /= np.linalg.norm(axis)
        np.testing.assert_allclose(np.quantile(moved @ axis, steps), np.quantile(theirs @ axis, steps), atol=0.02)


@pytest.mark.parametrize("method", perturb.TRANSFERS)
def test_flat_region_takes_the_reference_s_mean(
    method: perturb.Transfer, theirs: perturb.Colors, random: np.random.Generator
):
    moved = method(np.full((200, 3), 0.3, np.float32), theirs, random)
    np.testing.assert_allclose(moved.mean(0), theirs.mean(0), atol=0.03)


# --- looks ----------------------------------------------------------------------------------------------------


def test_nightfall_darkens(ours: perturb.Colors, random: np.random.Generator):
    for _ in range(20):
        assert perturb.nightfall(ours, random).mean() < 0.9 * ours.mean()


def person() -> tuple[np.ndarray, np.ndarray]:
    """A gray pullover below a face, before a wall of the pullover's gray; and their mask."""
    picture, mask = np.full((60, 60, 3), 120, np.uint8), np.zeros((60, 60), np.uint8)
    picture[10:25, 20:40] = [200, 150, 125]
    mask[10:60, 20:40] = 255
    return picture, mask


def test_dye_changes_clothes_not_skin_nor_scene(random: np.random.Generator):
    picture, mask = person()
    for _ in range(20):
        change = np.abs(perturb.dye(picture, mask, random).astype(int) - picture).max(-1)
        assert change[mask == 0].max() <= 1
        assert change[10:25, 20:40].max() <= 4
    dyed = [perturb.dye(picture, mask, random)[45, 30] for _ in range(20)]
    assert np.std(dyed, axis=0).max() > 20
    lightness = lab(np.array(dyed, np.float32) / 255)[:, 0]
    np.testing.assert_allclose(lightness, lab(picture[45, 30][None].astype(np.float32) / 255)[0, 0], atol=4)


def test_dye_leaves_a_picture_without_foreground(random: np.random.Generator):
    picture, mask = person()
    np.testing.assert_array_equal(perturb.dye(picture, np.zeros_like(mask), random), picture)


def test_bend_keeps_the_order_of_levels(random: np.random.Generator):
    ramp = np.linspace(0, 1, 100, dtype=np.float32)[:, None].repeat(3, 1)
    for _ in range(20):
        assert (np.diff(perturb.bend(ramp, random), axis=0) >= 0).all()


def test_split_tone_keeps_brightness(ours: perturb.Colors, random: np.random.Generator):
    luma = np.array([0.299, 0.587, 0.114])
    toned = perturb.split_tone(ours, random)
    np.testing.assert_allclose(toned @ luma, ours @ luma, atol=1e-5)
    assert np.abs(toned - ours).max() > 0.01


def any_colors(kind: str) -> perturb.Colors:
    if kind == "black and white":
        return np.repeat(np.array([[0, 0, 0], [1, 1, 1]], np.float32), 30, 0)
    return np.random.default_rng(3).random((60, 3), np.float32) if kind == "all" else np.full((60, 3), 0.4, np.float32)


@pytest.mark.parametrize("kind", ["all", "black and white", "flat"])
def test_perturbed_colours_are_colours(kind: str):
    colors, reference = any_colors(kind), any_colors("all")[:50]
    luts = identity(3)[None].astype(np.float16)
    for seed in range(60):
        random = np.random.default_rng(seed)
        for changed in (
            perturb.grade(colors, random, luts),
            perturb.transfer(colors, reference, random),
            perturb.transfer(reference, colors, random),
        ):
            assert changed.dtype == np.float32
            assert changed.shape[1:] == (3,)
            assert changed.min() >= 0  # false for NaN, too
            assert changed.max() <= 1


def test_looks_are_repeatable_and_various(ours: perturb.Colors):
    lut = (identity(3) ** 1.5)[None]
    looks = [perturb.grade(ours, np.random.default_rng(seed), lut) for seed in range(40)]
    assert np.array_equal(looks[7], perturb.grade(ours, np.random.default_rng(7), lut))
    assert len({look.tobytes() for look in looks}) == len(looks)
    assert np.mean([np.abs(look - ours).mean() > 0.02 for look in looks]) > 0.7
