"""Curves against equation 1 as it is written, and tables against curves."""

import numpy as np
import pytest
import torch

from video_harmonizer.harmonizers.curves import interpolate, render
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.tone import quantize, sample


def equation_1(x: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """psi(x) of one curve: x of any shape, pieces (L,)."""
    count = len(pieces)
    total = sum(p * np.clip(x - i / count, 0, 1 / count) for i, p in enumerate(pieces))
    return count / (pieces.sum() + 1e-30) * total


def cascade(image: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """(B, 3, ...) through (B, S, 3, L), one curve after the other."""
    image = image.copy()
    for picture, stages in zip(image, parameters, strict=True):
        for stage in stages:
            for channel, pieces in enumerate(stage):
                picture[channel] = equation_1(picture[channel], pieces)
    return image


def random_pieces(*shape: int, seed: int = 0) -> np.ndarray:
    """Raw parameters: some negative, with a sum well above zero."""
    return np.random.default_rng(seed).normal(1, 1.2, shape)


# --- equation 1 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [1, 5, 64])
def test_rendering_is_equation_1(pieces: int):
    image = np.random.default_rng(1).uniform(-0.5, 1.5, (2, 3, 9, 11))
    image[:, :, 0, :] = np.arange(11) / pieces  # on the knots, where pieces meet
    parameters = random_pieces(2, 3, 3, pieces)
    rendered = render(torch.from_numpy(image), torch.from_numpy(parameters))
    np.testing.assert_allclose(rendered, cascade(image, parameters), rtol=0, atol=1e-12)


def test_rendering_in_single_precision_agrees():
    image, parameters = np.random.default_rng(2).random((1, 3, 40, 50)), np.abs(random_pieces(1, 2, 3, 64))
    rendered = render(torch.from_numpy(image).float(), torch.from_numpy(parameters).float())
    assert rendered.dtype == torch.float32
    np.testing.assert_allclose(rendered, cascade(image, parameters), rtol=0, atol=2e-6)


def test_curves_do_not_depend_on_the_parameters_scale():
    image, parameters = torch.rand((1, 3, 8, 8)).double(), torch.from_numpy(random_pieces(1, 2, 3, 64))
    scales = torch.tensor([0.01, -40.0])[:, None, None]
    torch.testing.assert_close(render(image, parameters * scales), render(image, parameters))


def test_falling_pieces_may_leave_the_range():
    steep = torch.tensor([2.0, 2.0, -1.0, -1.0]).expand(1, 1, 3, 4)
    assert render(torch.full((1, 3, 1, 1), 0.5), steep).flatten().tolist() == [2.0] * 3


def test_ones_are_the_identity_to_the_bit():
    image = torch.rand((1, 3, 50, 50), generator=torch.Generator().manual_seed(3))
    assert torch.equal(render(image, torch.ones(1, 2, 3, 64)), image)


def test_gradients_are_right():
    generator = torch.Generator().manual_seed(4)
    # inside the pieces, since there is no gradient on a knot; and outside of 0..1
    image = (torch.randint(-2, 7, (2, 3, 2, 3), generator=generator) + 0.37) / 5
    parameters = torch.rand((2, 2, 3, 5), generator=generator) + 0.3
    inputs = image.double().requires_grad_(), parameters.double().requires_grad_()
    assert torch.autograd.gradcheck(render, inputs)


def test_not_a_number_stays_with_its_curve_or_pixel():
    parameters = torch.ones(2, 2, 3, 8)
    parameters[0, 0, 1, 3] = torch.nan
    rendered = render(torch.rand((2, 3, 4, 4)), parameters)
    assert rendered[0, 1].isnan().all()
    assert rendered[0, ::2].isfinite().all()
    assert rendered[1].isfinite().all()

    image = torch.rand((1, 3, 4, 4))
    image[0, 2, 1, 1] = torch.nan
    assert torch.equal(render(image, torch.ones(1, 1, 3, 8)).isnan(), image.isnan())


# --- curves given by their knots --------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 9, 33])
def test_interpolation_is_linear_between_knots(count: int):
    random = np.random.default_rng(6)
    image, knots = random.uniform(-0.5, 1.5, (2, 3, 9, 11)), random.uniform(-0.2, 1.2, (2, 3, count))
    image[:, :, 0, :] = np.arange(11) / (count - 1)
    steps = np.linspace(0, 1, count)
    wanted = [[np.interp(image[b, c], steps, knots[b, c]) for c in range(3)] for b in range(2)]
    np.testing.assert_allclose(interpolate(torch.from_numpy(image), torch.from_numpy(knots)), wanted, atol=1e-12)


def test_gradients_of_interpolation_are_right():
    generator = torch.Generator().manual_seed(7)
    image = (torch.randint(-2, 7, (2, 3, 2, 3), generator=generator) + 0.37) / 5
    inputs = image.double().requires_grad_(), torch.rand((2, 3, 6), generator=generator).double().requires_grad_()
    assert torch.autograd.gradcheck(interpolate, inputs)


def test_interpolation_leaves_not_a_number_with_its_pixel():
    image = torch.rand((1, 3, 4, 4))
    image[0, 2, 1, 1] = torch.nan
    assert torch.equal(interpolate(image, torch.linspace(0, 1, 9).expand(1, 3, 9)).isnan(), image.isnan())


# --- tables ---------------------------------------------------------------------------------------------------


def lookup_table(parameters: torch.Tensor, bits: int) -> np.ndarray:
    """As in use: (1, S, 3, L) raw parameters -> (3, 2**bits) levels."""
    return quantize(sample(S2CRNet.knots(parameters.double())[0].numpy(), 1 << bits))


@pytest.mark.parametrize(("bits", "curves"), [(8, 100), (10, 100), (16, 3)])
def test_table_equals_the_float_curve_at_every_level(bits: int, curves: int):
    top = 2**bits - 1
    levels = np.tile(np.arange(top + 1) / top, (1, 3, 1))
    for seed in range(curves):
        parameters = random_pieces(1, 2, 3, 64, seed=seed).astype(np.float32)
        wanted = np.rint(np.clip(cascade(levels, parameters.astype(np.float64))[0], 0, 1) * top)
        table = lookup_table(torch.from_numpy(parameters), bits)
        assert table.dtype == (np.uint8 if bits == 8 else np.uint16)
        assert np.count_nonzero(table != wanted) == 0


@pytest.mark.parametrize("bits", [8, 10, 16])
@pytest.mark.parametrize("scale", [1.0, 0.0371, -5.0])
def test_identity_table_leaves_every_level(bits: int, scale: float):
    table = lookup_table(torch.full((1, 2, 3, 64), scale), bits)
    assert np.array_equal(table, np.tile(np.arange(2**bits), (3, 1)))


def test_quantizing_rounds_to_nearest_and_clips():
    curves = np.zeros((3, 256), np.float32)
    curves[:, :6] = [-0.2, 0.49 / 255, 0.51 / 255, 127.6 / 255, 0.999, 1.7]
    assert quantize(curves)[2, :6].tolist() == [0, 0, 1, 128, 255, 255]
