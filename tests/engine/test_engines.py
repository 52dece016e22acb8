"""The same network in every engine: same answers, kept for the next start, and honest about what is missing."""

import builtins
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rvm import MattingNetwork
from video_harmonizer.engine import TorchEngine, fingerprint, make_engine
from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, Matte
from video_harmonizer.harmonizers.curvenet import CurveNet
from video_harmonizer.harmonizers.estimator import CurveEstimator
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.matting.rvm import RVMMatting
from video_harmonizer.thumbnails import make_thumbnails

openvino = pytest.importorskip("video_harmonizer.engine.openvino")
TORCH = TorchEngine(torch.device("cpu"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARMONIZER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def frames(count: int, height: int, width: int, dtype: type = np.uint8) -> list[Frame]:
    random = np.random.default_rng(0)
    top = np.iinfo(dtype).max
    return [
        Frame(random.integers(0, top, (height, width, 3), dtype, endpoint=True), index, index / 30)
        for index in range(count)
    ]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("refiner", ["fast_guided_filter", "deep_guided_filter"])
def test_openvino_gives_the_mattes_of_torch_frame_after_frame(dtype: type, refiner: str):
    torch.manual_seed(0)
    network = MattingNetwork("mobilenetv3", refiner)
    reference, subject = RVMMatting(network, 0.5, TORCH), RVMMatting(network, 0.5, openvino.OpenVINOEngine())
    for frame in frames(4, 75, 98, dtype):  # odd sizes at every level
        wanted, got = reference.matte(frame), subject.matte(frame)
        assert got.alpha.dtype == np.uint8
        assert np.abs(got.alpha.astype(int) - wanted.alpha).max() <= 1  # a rounding may fall the other way
        assert got.foreground is not None
        assert wanted.foreground is not None
        assert got.foreground.dtype == dtype
        tolerance = 1 if dtype == np.uint8 else 64  # of 65535: a thousandth
        mixed = (got.alpha > 1) & (got.alpha < 254)
        assert np.abs(got.foreground.astype(int) - wanted.foreground)[mixed].max(initial=0) <= tolerance


@pytest.mark.parametrize("network_type", [S2CRNet, CurveNet])
def test_openvino_gives_the_curves_of_torch(network_type: type[S2CRNet] | type[CurveNet]):
    torch.manual_seed(0)
    network = network_type()
    rgb = frames(1, 90, 120)[0].rgb
    alpha = np.zeros((90, 120), np.uint8)
    alpha[20:70, 30:90] = 255
    thumbnails = make_thumbnails(rgb, Matte(alpha), rgb)
    wanted = CurveEstimator(network, TORCH, "reference").estimate(thumbnails, 256)
    got = CurveEstimator(network, openvino.OpenVINOEngine(), "subject").estimate(thumbnails, 256)
    assert got is not None
    assert wanted is not None
    assert np.abs(got.table - wanted.table).max() < 1e-3


class Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (x * self.factor,)


def test_a_compiled_network_is_kept_and_taken_again(own_cache: Path, monkeypatch: pytest.MonkeyPatch):
    engine, module, ones = openvino.OpenVINOEngine(), Scale(3.0), torch.ones(2, 2)
    first = engine.prepare(module, (ones,), fingerprint(module))(ones)[0]
    assert len(list(own_cache.rglob("*.xml"))) == 1
    monkeypatch.setattr(openvino, "_convert", None)  # a second conversion would fail
    again = openvino.OpenVINOEngine().prepare(module, (ones,), fingerprint(module))(ones)[0]
    assert first.tolist() == again.tolist() == [[3, 3], [3, 3]]


def test_other_weights_and_other_shapes_are_not_mistaken_for_the_kept_network():
    engine, ones = openvino.OpenVINOEngine(), torch.ones(2, 2)
    for factor in (3.0, 4.0):
        module = Scale(factor)
        assert engine.prepare(module, (ones,), fingerprint(module))(ones)[0][0, 0] == factor
    wide = torch.ones(1, 5)
    assert engine.prepare(module, (wide,), fingerprint(module))(wide)[0].shape == (1, 5)


def test_results_stay_when_the_network_runs_again():
    module = Scale(2.0)
    run = openvino.OpenVINOEngine().prepare(module, (torch.ones(3),), fingerprint(module))
    (first,) = run(torch.ones(3))
    run(torch.full((3,), 9.0))
    assert first.tolist() == [2, 2, 2]


def test_a_cache_that_cant_be_written_costs_time_only(own_cache: Path):
    own_cache.write_text("a file where a folder should be")
    module = Scale(2.0)
    run = openvino.OpenVINOEngine().prepare(module, (torch.ones(3),), fingerprint(module))
    assert run(torch.ones(3))[0].tolist() == [2, 2, 2]


def test_auto_falls_back_to_torch_and_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    real_import = builtins.__import__

    def without_openvino(name: str, *args, **kwargs):
        if name.startswith("video_harmonizer.engine.openvino"):
            raise ImportError("No module named 'openvino'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_openvino)
    with caplog.at_level(logging.WARNING):
        assert make_engine("auto", torch.device("cpu")).name == "torch"
    assert "OpenVINO is not installed" in caplog.text
    with pytest.raises(InputError, match="--engine openvino: it is not installed"):
        make_engine("openvino", torch.device("cpu"))


def test_engines_are_chosen_by_name_and_device():
    assert make_engine("auto", torch.device("cpu")).name == "openvino"
    assert make_engine("torch", torch.device("cpu")).name == "torch"
    assert make_engine("auto", torch.device("cuda")).name == "torch"
    with pytest.raises(InputError, match="it runs on the processor, not on cuda"):
        make_engine("openvino", torch.device("cuda"))


def test_a_damaged_file_in_the_cache_is_made_anew(own_cache: Path):
    module, ones = Scale(3.0), torch.ones(2)
    openvino.OpenVINOEngine().prepare(module, (ones,), fingerprint(module))
    (kept,) = own_cache.rglob("*.xml")
    kept.write_text("<net>")
    run = openvino.OpenVINOEngine().prepare(module, (ones,), fingerprint(module))
    assert run(ones)[0].tolist() == [3, 3]


def test_torch_runs_what_openvino_cant_convert(caplog: pytest.LogCaptureFixture):
    torch.manual_seed(0)
    network = MattingNetwork("mobilenetv3", "fast_guided_filter")
    reference, subject = RVMMatting(network, 1.0, TORCH), RVMMatting(network, 1.0, openvino.OpenVINOEngine())
    for frame in frames(2, 2, 9):  # pools to less than a pixel
        assert np.array_equal(subject.matte(frame).alpha, reference.matte(frame).alpha)
    assert caplog.text.count("so torch runs it") == 1
