"""HDR becomes SDR: light keeps its level up to a face's brightness, highlights are rolled off."""

import numpy as np
import pytest

from video_harmonizer import hdr

PQ, HLG = 16, 18
LEVEL = 1 / 255


def sdr(signal: np.ndarray, transfer: int, dtype: type = np.uint16) -> np.ndarray:
    """(..., 3) in 0..1 -> the same; through integers, as frames are."""
    white = np.iinfo(dtype).max
    levels = np.rint(np.atleast_3d(signal).reshape(1, -1, 3) * white).astype(dtype)
    return (hdr.to_sdr(levels, transfer) / white).reshape(-1, 3)


def gray(signal: float, transfer: int) -> np.ndarray:
    return sdr(np.full(3, signal), transfer)[0]


# Signals and cd/m2 as ITU-R BT.2100 and BT.2408 give them: black, dim, 18 % gray, faces
@pytest.mark.parametrize(
    ("transfer", "signal", "light"),
    [(PQ, 0, 0), (PQ, 0.3, 10.1), (PQ, 0.4, 32.5), (PQ, 0.44, 50), (HLG, 0, 0), (HLG, 0.38, 26), (HLG, 0.5, 50.7)],
)
def test_light_below_the_highlights_is_kept(transfer: int, signal: float, light: float):
    np.testing.assert_allclose(gray(signal, transfer), (light / 203) ** (1 / 2.4), atol=1.5 * LEVEL)


def test_both_kinds_agree_on_the_same_light():
    for pq, hlg in ((0.5807, 0.75), (0.7518, 1.0)):  # 203 and 1000 cd/m2
        np.testing.assert_allclose(gray(pq, PQ), gray(hlg, HLG), atol=1.5 * LEVEL)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_highlights_are_rolled_off_and_gray_stays_gray(transfer: int):
    ramp = sdr(np.repeat(np.linspace(0, 1, 256)[:, None], 3, axis=1), transfer)
    assert (ramp.max(1) - ramp.min(1)).max() < 0.5 * LEVEL
    assert (np.diff(ramp[:, 0]) >= 0).all()
    sheet = gray({PQ: 0.5807, HLG: 0.75}[transfer], transfer)
    assert ((sheet > 0.87) & (sheet < 0.93)).all()  # what is brighter than a white sheet still has room
    np.testing.assert_allclose(ramp[-1], 1, atol=LEVEL)


def test_colors_survive_the_way_there_and_back():
    """BT.709 colours written as HLG, independently of the code under test."""
    random = np.random.default_rng(0)
    wanted = random.uniform(0.15, 0.65, (200, 3))
    light = 203 * wanted**2.4
    light = (
        light @ np.linalg.inv([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]).T
    )
    luma = light @ [0.2627, 0.6780, 0.0593]
    scene = light / 1000 * (luma / 1000)[:, None] ** (1 / 1.2 - 1)
    signal = np.where(
        scene <= 1 / 12,
        np.sqrt(3 * scene),
        0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073,
    )
    found = sdr(signal, HLG)
    assert np.abs(found - wanted).mean() < 0.5 * LEVEL
    assert np.abs(found - wanted).max() < 4 * LEVEL


def test_colors_of_too_wide_a_gamut_are_cut_off():
    green = sdr(np.array([0.1, 0.6, 0.1]), HLG)[0]
    assert green[0] == 0
    assert green[1] > 0.6


def test_both_depths_agree():
    signal = np.random.default_rng(0).integers(0, 256, (50, 3)) / 255
    np.testing.assert_allclose(sdr(signal, HLG, np.uint8), sdr(signal, HLG), atol=LEVEL)
