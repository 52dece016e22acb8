"""Rounded convolutions: close to those in floats, in integers where the processor has them, and only where it pays."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from video_harmonizer import weights
from video_harmonizer.engine import NetworkRecipe, make_engine
from video_harmonizer.engine.int8 import Int8Conv2d, in_int8
from video_harmonizer.matting.network import decode_step, read_network
from video_harmonizer.matting.rvm import RVMMatting, load_rvm
from video_harmonizer.matting.typical import decode_calls
from video_harmonizer.sources import open_source

openvino = pytest.importorskip("video_harmonizer.engine.openvino")


class Chain(nn.Sequential):
    """Gives a tuple, as engines want it."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (super().forward(x),)


def chain() -> Chain:
    torch.manual_seed(0)
    wide = nn.Conv2d(32, 32, 3, padding=1, bias=False)
    return Chain(nn.Conv2d(3, 32, 3), nn.ReLU(), wide, nn.ReLU(), nn.Conv2d(32, 32, 1), nn.Conv2d(32, 32, 3)).eval()


def pictures(count: int) -> list[tuple[torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.rand(1, 3, 40, 60, generator=generator),) for _ in range(count)]


def rounded_in(module: nn.Module) -> list[str]:
    return [name for name, part in module.named_modules() if isinstance(part, Int8Conv2d)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARMONIZER_CACHE", str(tmp_path / "cache"))


@torch.inference_mode()
def test_larger_convolutions_are_rounded_in_a_copy():
    module = chain()
    rounded = in_int8(module, pictures(4))
    assert rounded_in(rounded) == ["2", "5"]
    assert not rounded_in(module)
    (unseen,) = pictures(5)[4]
    wanted, got = module(unseen)[0], rounded(unseen)[0]
    difference = float((got - wanted).std() / wanted.std())
    assert 1e-4 < difference < 0.02
    assert abs(float((got - wanted).mean())) < 0.002 * float(wanted.std())


@torch.inference_mode()
def test_channels_of_different_sizes_each_keep_their_levels():
    """As where features are joined to a memory of -1 to 1."""
    torch.manual_seed(0)
    conv = nn.Conv2d(32, 32, 3, padding=1, bias=False).eval()
    scale = torch.logspace(-2, 2, 32)[:, None, None]
    conv.weight /= scale  # each matters as much as any other
    calls = [(scale * torch.randn(1, 32, 30, 40),) for _ in range(4)]
    rounded = in_int8(nn.Sequential(conv), calls)
    assert rounded_in(rounded) == ["0"]
    x = scale * torch.randn(1, 32, 30, 40)
    wanted = conv(x)
    assert float((rounded(x) - wanted).std() / wanted.std()) < 0.03


@torch.inference_mode()
def test_a_convolution_that_rounding_spoils_stays_in_floats():
    """Here small differences of large values count."""
    torch.manual_seed(0)
    conv = nn.Conv2d(32, 32, 3).eval()
    conv.weight -= conv.weight.mean((1, 2, 3), keepdim=True)
    assert not rounded_in(in_int8(nn.Sequential(conv), [(100 + torch.rand(1, 32, 30, 40),)]))
    assert rounded_in(in_int8(nn.Sequential(conv), [(torch.rand(1, 32, 30, 40),)]))


@torch.inference_mode()
def test_broken_weights_stay_broken():
    module = chain()
    next(module.parameters()).fill_(torch.nan)
    assert not rounded_in(in_int8(module, pictures(1)))


def needs_int8() -> None:
    if not openvino._computes("int8"):
        pytest.skip("this processor has no instructions for int8")


def test_openvino_computes_in_integers_what_the_recipe_allows():
    needs_int8()
    module, (example,) = chain(), pictures(1)
    engine = make_engine("openvino", "cpu", "int8")
    x = example[0].numpy()
    with torch.inference_mode():
        wanted, exact = in_int8(module, pictures(4))(example[0])[0].numpy(), module(example[0])[0].numpy()
    allowed = NetworkRecipe("chain", lambda: (module, example), make_int8=lambda: in_int8(module, pictures(4)))
    got = engine.prepare(allowed)(x)[0]
    np.testing.assert_allclose(got, wanted, atol=3e-3)
    assert np.abs(got - exact).max() > 1e-3
    for ready in (
        make_engine("openvino", "cpu", "fp32").prepare(allowed),
        engine.prepare(NetworkRecipe("chain", lambda: (module, example))),
    ):
        np.testing.assert_allclose(ready(x)[0], exact, atol=1e-5)  # and the kept one is not mistaken for it


def test_processors_that_saturate_are_not_taken_for_able(monkeypatch: pytest.MonkeyPatch):
    """Where sums of two products end at 16 bits OpenVINO gives 32767 for each, and says nothing."""
    real = openvino._core().compile_model

    def saturating(*arguments: object) -> object:
        compiled = real(*arguments)

        class Saturating:
            get_runtime_model = compiled.get_runtime_model

            def __call__(self, inputs: list) -> dict:
                return {0: np.full_like(next(iter(compiled(inputs).values())), 32 * 32767)}

        return Saturating()

    monkeypatch.setattr(openvino, "_core", lambda: type("Core", (), {"compile_model": staticmethod(saturating)}))
    assert not openvino._sums_int8()


def test_mattes_in_int8_are_those_of_float32():
    """The issue's bounds: 0.002 in the mean, 0.05 at the 99.9th percentile."""
    needs_int8()
    path = weights.path("bundled")
    int8, fp32 = (
        RVMMatting(load_rvm(path, "x"), None, make_engine("openvino", "cpu", each)) for each in ("int8", "fp32")
    )
    source = open_source("demo")
    pairs = [(int8.matte(frame).alpha, fp32.matte(frame).alpha) for frame, _ in zip(source, range(12), strict=False)]
    source.close()
    distance = np.abs(np.array([got.astype(int) - wanted for got, wanted in pairs])) / 255
    assert 0 < distance.mean() < 0.001
    assert np.percentile(distance, 99.9) < 0.05


def test_the_bundled_decoder_is_rounded():
    network, _ = read_network(weights.path("bundled"), "bundled")
    step, _ = decode_step(network, 64, 64, refined=True)
    names = rounded_in(in_int8(step, decode_calls(network, refined=True)))
    assert len(names) >= 10
    assert all(".decoder." in name for name in names)
