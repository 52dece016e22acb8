"""Sixty-four pixels at a time come out as they do one by one; where that can't be done, none are touched."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from video_harmonizer import simd
from video_harmonizer.rendering.kernels import identity

WIDTH = 3 * simd.PIXELS + 37  # of which the last are left to others
HEIGHT = 5


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


RGB, FOREGROUND, BACKDROP = (noise(HEIGHT, WIDTH, 3, seed=seed) for seed in range(3))
TABLE = noise(3, 256, seed=3)
ALPHAS = {
    "nobody": np.zeros((HEIGHT, WIDTH), np.uint8),
    "person": np.full((HEIGHT, WIDTH), 255, np.uint8),
    "edge": noise(HEIGHT, WIDTH, seed=4),
    "all of it": np.clip(np.random.default_rng(5).integers(-200, 456, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8),
    "one pixel": np.eye(HEIGHT, WIDTH, 70, np.uint8) * 255,
}
needs_vbmi = pytest.mark.skipif(not simd.available(), reason="the processor has no AVX-512 VBMI")


def expected(alpha: np.ndarray, table: np.ndarray) -> np.ndarray:
    """In float64, rounded; 255 is odd, so there is never a tie."""
    share = alpha[..., None] / 255
    levels = np.where(alpha[..., None] == 255, RGB, FOREGROUND)
    toned = np.stack([table[channel, levels[..., channel]] for channel in range(3)], -1)
    return np.rint(toned * share + BACKDROP * (1 - share)).astype(np.uint8)


@needs_vbmi
@pytest.mark.parametrize("alpha", ALPHAS.values(), ids=ALPHAS)
def test_equal_the_blend_in_float(alpha: np.ndarray):
    harmonized, paste, single = BACKDROP.copy(), BACKDROP.copy(), BACKDROP.copy()
    done = simd.blend_pair(RGB, FOREGROUND, alpha, TABLE, harmonized, paste)
    assert done == simd.blend(RGB, FOREGROUND, alpha, TABLE, single) == 3 * simd.PIXELS
    for picture, table in ((harmonized, TABLE), (single, TABLE), (paste, identity(np.dtype(np.uint8)))):
        np.testing.assert_array_equal(picture[:, :done], expected(alpha, table)[:, :done])
        np.testing.assert_array_equal(picture[:, done:], BACKDROP[:, done:])


@needs_vbmi
def test_rows_and_tables_may_lie_apart():
    sheet = np.zeros((HEIGHT, 3 * WIDTH, 3), np.uint8)
    panel = sheet[:, WIDTH : 2 * WIDTH]
    panel[:] = BACKDROP
    done = simd.blend(RGB, FOREGROUND, ALPHAS["all of it"], np.asfortranarray(TABLE), panel)
    np.testing.assert_array_equal(panel[:, :done], expected(ALPHAS["all of it"], TABLE)[:, :done])
    assert not sheet[:, :WIDTH].any()
    assert not sheet[:, 2 * WIDTH :].any()


@pytest.mark.parametrize(
    "given",
    [
        {"rgb": RGB[:, ::-1]},
        {"foreground": RGB[..., ::-1]},
        {"alpha": RGB[..., 0]},
        {"out": BACKDROP.astype(np.uint16)},
        {"out": np.broadcast_to(np.zeros(3, np.uint8), RGB.shape)},
    ],
    ids=["mirrored", "BGR", "a channel", "16 bits", "one colour"],
)
def test_other_layouts_and_depths_are_left_to_others(given: dict[str, np.ndarray]):
    parts = {"rgb": RGB, "foreground": FOREGROUND, "alpha": ALPHAS["edge"], "table": TABLE, "out": BACKDROP} | given
    before = parts["out"].copy()
    assert simd.blend(**parts) == 0
    np.testing.assert_array_equal(parts["out"], before)


@pytest.mark.parametrize("table", [TABLE.astype(np.float32), TABLE[:, :128]], ids=["float", "short"])
def test_other_tables_are_left_to_others(table: np.ndarray):
    assert simd.blend(RGB, RGB, ALPHAS["edge"], table, BACKDROP.copy()) == 0


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="there is no list of what the processor has")
def test_processors_that_have_the_instructions_are_known():
    words = Path("/proc/cpuinfo").read_text().split()
    assert simd.available() == ("avx512vbmi" in words or "avx512_vbmi" in words)


def test_without_machine_code_loops_do_all():
    program = "from video_harmonizer import simd; print(simd.available())"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_narrow_pictures_are_left_to_others():
    narrow = np.s_[:, : simd.PIXELS - 1]
    assert simd.blend(RGB[narrow], RGB[narrow], ALPHAS["edge"][narrow], TABLE, BACKDROP[narrow]) == 0
