"""Colour conversion against the equations of ITU-T H.273, in floating point."""

import numpy as np
import pytest

from video_harmonizer import yuv
from video_harmonizer.frame import BT709

WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}


def reference_rgb(codes: np.ndarray, matrix: int, full_range: bool, bits: int) -> np.ndarray:
    """R'G'B' in 0..1, clipped."""
    kr, kb = WEIGHTS[matrix]
    step = 2 ** (bits - 8)
    zero, luma_span, chroma_span = (0, 2**bits - 1, 2**bits - 1) if full_range else (16 * step, 219 * step, 224 * step)
    luma = (codes[..., 0] - float(zero)) / luma_span
    cb, cr = ((codes[..., index] - 128.0 * step) / chroma_span for index in (1, 2))
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.stack([red, green, blue], axis=-1), 0, 1)


def planes(codes: np.ndarray) -> list[np.ndarray]:
    return [codes[..., channel] for channel in range(3)]


@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_to_rgb_is_the_standards_equation_rounded(matrix, full_range, bits):
    dtype = np.uint8 if bits == 8 else np.uint16
    codes = np.random.default_rng(0).integers(0, 2**bits, (64, 64, 3)).astype(dtype)
    expected = reference_rgb(codes, matrix, full_range, bits) * np.iinfo(dtype).max
    rgb = yuv.to_rgb(planes(codes), matrix, full_range, bits)
    assert rgb.dtype == dtype
    assert np.abs(rgb - expected).max() < 0.52  # half a level, and float32


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("full_range", [False, True])
def test_there_and_back_costs_no_more_than_rounding_the_codes(dtype, full_range):
    rgb = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (64, 64, 3), endpoint=True).astype(dtype)
    codes = yuv.from_rgb(rgb, BT709, full_range)
    back = yuv.to_rgb(list(codes), BT709, full_range, bits=dtype().itemsize * 8)
    assert np.abs(back.astype(int) - rgb).max() <= (1 if full_range else 2)


@pytest.mark.parametrize("full_range", [False, True])
def test_neutral_grey_stays_neutral(full_range):
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    codes = yuv.from_rgb(grey, yuv.BT601, full_range)
    assert (codes[1:] == 128).all()
    assert np.ptp(yuv.to_rgb(list(codes), yuv.BT601, full_range, bits=8), axis=2).max() == 0


def test_black_and_white_codes_are_black_and_white():
    codes = np.array([[[16, 128, 128], [235, 128, 128]]], np.uint8)
    assert yuv.to_rgb(planes(codes), BT709, full_range=False, bits=8).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_luma_alone_becomes_grey():
    luma = np.array([[16, 126, 235]], np.uint8)
    assert yuv.to_rgb([luma], BT709, full_range=False, bits=8).tolist() == [[[0] * 3, [128] * 3, [255] * 3]]


@pytest.mark.parametrize(("size", "matrix"), [((640, 480), 6), ((1024, 576), 6), ((1280, 720), 1), ((1080, 608), 1)])
def test_untagged_hd_is_taken_for_709_and_sd_for_601(size, matrix):
    assert yuv.usual_matrix(*size) == matrix


@pytest.mark.parametrize("size", [(2, 2), (6, 2), (2, 6), (48, 130)])
def test_halved_chroma_is_the_mean_about_the_left_pixel_of_each_pair(size: tuple[int, int]):
    chroma = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    rows = (chroma[::2].astype(float) + chroma[1::2]) / 2
    before = np.hstack([rows[:, :1], rows])  # of the first column there is nothing at the left
    expected = (before[:, 0:-1:2] + 2 * before[:, 1::2] + before[:, 2::2]) / 4
    sheet = np.zeros((size[0] // 2, size[1]), np.uint8)
    yuv.halve(chroma, sheet[:, : size[1] // 2])
    assert np.abs(sheet[:, : size[1] // 2] - expected).max() <= 0.5
    assert not sheet[:, size[1] // 2 :].any()
