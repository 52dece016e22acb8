"""The same network in every engine: same answers, kept for the next start, and honest about what is missing."""

import builtins
import contextlib
import itertools
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import fingerprint, matting_checkpoint
from torch import nn

from rvm import MattingNetwork
from video_harmonizer import weights
from video_harmonizer.engine import NetworkRecipe, ReadyNetwork, make_engine
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, Matte
from video_harmonizer.harmonizers.estimator import load_estimator
from video_harmonizer.matting.network import load_network
from video_harmonizer.matting.rvm import RVMMatting
from video_harmonizer.sources import open_source
from video_harmonizer.thumbnails import make_thumbnails
from video_harmonizer.weights.load import read_state

openvino = pytest.importorskip("video_harmonizer.engine.openvino")
TORCH = TorchEngine("cpu")


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


def test_signals_still_arrive_when_engines_are_gone():
    # in a process of its own: OpenVINO lends a stack for signals, and a signal without one ends the process
    program = """
import gc, signal
from video_harmonizer.engine.openvino import OpenVINOEngine

arrived = []
signal.signal(signal.SIGUSR1, lambda *_: arrived.append(True))
first, second = OpenVINOEngine(), OpenVINOEngine()
del first
gc.collect()
del second
gc.collect()
signal.raise_signal(signal.SIGUSR1)
assert arrived
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("refiner", ["fast_guided_filter", "deep_guided_filter"])
def test_openvino_gives_the_mattes_of_torch_frame_after_frame(dtype: type, refiner: str):
    torch.manual_seed(0)
    network = MattingNetwork("mobilenetv3", refiner)
    reference, subject = (
        RVMMatting(matting_checkpoint(network), 0.5, TORCH),
        RVMMatting(matting_checkpoint(network), 0.5, openvino.OpenVINOEngine("fp32")),
    )
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


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 0.01)])
@pytest.mark.parametrize("name", ["s2crnet", "curvenet"])
def test_openvino_gives_the_curves_of_torch(name: str, precision: str, tolerance: float):
    if precision == "bf16" and openvino.OpenVINOEngine().precision != "bf16":
        pytest.skip("this processor has no instructions for bfloat16")
    rgb = frames(1, 90, 120)[0].rgb
    alpha = np.zeros((90, 120), np.uint8)
    alpha[20:70, 30:90] = 255
    thumbnails = make_thumbnails(rgb, Matte(alpha), rgb)
    engines = TORCH, openvino.OpenVINOEngine(precision)
    wanted, got = (load_estimator(name, weights.path(name), each).estimate(thumbnails, 256) for each in engines)
    assert got is not None
    assert wanted is not None
    assert np.abs(got.table - wanted.table).max() < tolerance


class Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (x * self.factor,)


def recipe(module: nn.Module, like: np.ndarray) -> NetworkRecipe:
    return NetworkRecipe(f"{fingerprint(module)} {like.shape}", lambda: (module, (torch.from_numpy(like),)))


def test_a_compiled_network_is_kept_and_taken_again(own_cache: Path, monkeypatch: pytest.MonkeyPatch):
    engine, module, ones = openvino.OpenVINOEngine("fp32"), Scale(3.0), np.ones((2, 2), np.float32)
    first = engine.prepare(recipe(module, ones))(ones)[0]
    assert len(list(own_cache.rglob("*.network"))) == 1
    monkeypatch.setattr(openvino, "_convert", None)  # a second conversion would fail
    again = openvino.OpenVINOEngine("fp32").prepare(recipe(module, ones))(ones)[0]
    assert first.tolist() == again.tolist() == [[3, 3], [3, 3]]


def test_other_weights_and_other_shapes_are_not_mistaken_for_the_kept_network():
    engine, ones = openvino.OpenVINOEngine("fp32"), np.ones((2, 2), np.float32)
    for factor in (3.0, 4.0):
        module = Scale(factor)
        assert engine.prepare(recipe(module, ones))(ones)[0][0, 0] == factor
    wide = np.ones((1, 5), np.float32)
    assert engine.prepare(recipe(module, wide))(wide)[0].shape == (1, 5)


def test_results_stay_when_the_network_runs_again():
    module = Scale(2.0)
    run = openvino.OpenVINOEngine("fp32").prepare(recipe(module, np.ones(3, np.float32)))
    (first,) = run(np.ones(3, np.float32))
    run(np.full(3, 9, np.float32))
    assert first.tolist() == [2, 2, 2]


def test_a_cache_that_cant_be_written_costs_time_only(own_cache: Path):
    own_cache.write_text("a file where a folder should be")
    module = Scale(2.0)
    run = openvino.OpenVINOEngine("fp32").prepare(recipe(module, np.ones(3, np.float32)))
    assert run(np.ones(3, np.float32))[0].tolist() == [2, 2, 2]


def test_auto_falls_back_to_torch_and_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    real_import = builtins.__import__

    def without_openvino(name: str, *args, **kwargs):
        if name.startswith("video_harmonizer.engine.openvino"):
            raise ImportError("No module named 'openvino'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_openvino)
    with caplog.at_level(logging.WARNING):
        assert make_engine("auto", "cpu").name == "torch"
    assert "OpenVINO is not installed" in caplog.text
    with pytest.raises(InputError, match="--engine openvino: it is not installed"):
        make_engine("openvino", "cpu")


def test_ctrl_c_while_openvino_is_loaded_ends_the_run(monkeypatch: pytest.MonkeyPatch):
    real_import = builtins.__import__

    def interrupted(name: str, *args, **kwargs):
        if name.startswith("video_harmonizer.engine.openvino"):
            raise ImportError("initialization failed") from KeyboardInterrupt()  # as pybind does
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_engine("auto", "cpu")


def test_engines_are_chosen_by_name_and_device():
    assert make_engine("auto", "cpu").name == "openvino"
    assert make_engine("torch", "cpu").name == "torch"
    assert make_engine("auto", "cuda").name == "torch"
    with pytest.raises(InputError, match="it runs on the processor, not on cuda"):
        make_engine("openvino", "cuda")


@pytest.mark.parametrize("damage", ["cut off", "emptied", "one bit"])
def test_a_damaged_file_in_the_cache_is_made_anew(own_cache: Path, damage: str, caplog: pytest.LogCaptureFixture):
    module, ones = Scale(3.0), np.ones((2, 3), np.float32)
    openvino.OpenVINOEngine("fp32").prepare(recipe(module, ones))
    (kept,) = own_cache.rglob("*.network")
    content = bytearray(kept.read_bytes())
    place = content.index(np.float32(3).tobytes())  # the weight: read so, it would answer something else
    content[place + 2] ^= 1
    left = {"cut off": len(content) // 2, "emptied": 0, "one bit": len(content)}[damage]
    kept.write_bytes(content[:left])
    with caplog.at_level(logging.INFO):
        run = openvino.OpenVINOEngine("fp32").prepare(recipe(module, ones))
    assert np.array_equal(run(ones)[0], 3 * ones)
    assert f"{kept}: damaged, made anew" in caplog.text
    caplog.clear()
    openvino.OpenVINOEngine("fp32").prepare(recipe(module, ones))
    assert "damaged" not in caplog.text


def test_what_no_start_needs_any_more_is_forgotten(own_cache: Path):
    folder = own_cache / "openvino"

    def prepare(name: str) -> None:
        openvino.OpenVINOEngine().prepare(NetworkRecipe(name, lambda: (Scale(3.0), (torch.ones(2, 3),))))

    prepare("old")
    prepare("used")
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    prepare("used")
    prepare("new")
    assert len(list(folder.iterdir())) == 2


def test_torch_runs_what_openvino_cant_convert(caplog: pytest.LogCaptureFixture):
    torch.manual_seed(0)
    network = MattingNetwork("mobilenetv3", "fast_guided_filter")
    reference, subject = (
        RVMMatting(matting_checkpoint(network), 1.0, TORCH),
        RVMMatting(matting_checkpoint(network), 1.0, openvino.OpenVINOEngine("fp32")),
    )
    for frame in frames(2, 2, 9):  # pools to less than a pixel
        assert np.array_equal(subject.matte(frame).alpha, reference.matte(frame).alpha)
    assert caplog.text.count("so torch runs it") == 1


def test_precision_is_told_and_what_can_t_be_had_is_refused(monkeypatch: pytest.MonkeyPatch):
    assert make_engine("openvino", "cpu", "fp32").precision == "fp32"
    assert make_engine("torch", "cpu").precision == "fp32"
    assert make_engine("torch", "cpu", "bf16").precision == "bf16"
    assert make_engine("torch", "cuda").precision == "fp16"
    for name in ("torch", "openvino"):
        with pytest.raises(InputError, match=r"--precision fp16: .*; give auto"):
            make_engine(name, "cpu", "fp16")
    with pytest.raises(InputError, match=r"--precision int8: torch .*; give auto, or --engine openvino"):
        make_engine("torch", "cpu", "int8")
    for able, chosen in (({"bf16", "int8"}, "bf16"), ({"int8"}, "int8"), (set(), "fp32")):
        monkeypatch.setattr(openvino, "_computes", {*able, "fp32"}.__contains__)
        assert make_engine("openvino", "cpu").precision == chosen
    for missing in ("bf16", "int8"):
        with pytest.raises(InputError, match=rf"--precision {missing}: .*; give auto or fp32$"):
            make_engine("openvino", "cpu", missing)


def test_what_is_asked_for_exactly_is_computed_exactly():
    torch.manual_seed(0)
    module, x = nn.Sequential(nn.Linear(256, 8)), torch.randn(1, 256)

    class Step(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (module(x),)

    step = Step()
    step.layer = module
    wanted = step(x)[0]
    engine = TorchEngine("cpu", "bf16")
    exact, narrow = (engine.prepare(NetworkRecipe("key", lambda: (step, (x,)), exact))(x)[0] for exact in (True, False))
    assert (exact - wanted).abs().max() < 1e-6
    assert 1e-4 < (narrow - wanted).abs().max() < 0.05
    assert narrow.dtype == torch.float32


@pytest.mark.parametrize(
    ("clip", "ratio"),
    [
        ("volcomix/Doctor-26732.mp4", 0.25),
        ("intel/asl_please.mkv", None),  # of which the network is unsure, so that small errors grow
    ],
)
def test_mattes_in_the_automatic_precision_stay_close_on_a_real_clip(reference: Path, clip: str, ratio: float | None):
    """Mean and 99.9th percentile of the difference in alpha against float32 in torch, at edges as everywhere."""
    engine = make_engine("auto", TORCH.device)
    if engine.precision == "int8" and not ratio:
        pytest.skip("in int8 alpha is as close at ratio 0.25 only: docs/performance.md")
    state = read_state(reference / "weights/rvm_mobilenetv3_int8_fgf.pth")
    network = load_network(state, "published")
    exact, subject = (RVMMatting(matting_checkpoint(network), ratio, each) for each in (TORCH, engine))
    with contextlib.closing(open_source(str(reference / "videos" / clip))) as source:
        for frame in itertools.islice(source, 8):
            difference = np.abs(subject.matte(frame).alpha.astype(int) - exact.matte(frame).alpha) / 255
            assert difference.mean() <= 0.002
            assert np.quantile(difference, 0.999) <= 0.05


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("mobilenetv3", {"shallow": True, "deep": False}),
        ("resnet50", {"all": True}),
        ("squeezenet", {"all": False}),
    ],
)
def test_encoders_are_exact_where_alpha_would_suffer(variant: str, expected: dict[str, bool]):
    exact: dict[str, bool] = {}

    class Noting(TorchEngine):
        def prepare(self, recipe: NetworkRecipe) -> ReadyNetwork:
            if " encode " in recipe.key:
                exact[recipe.key.split()[2]] = recipe.exact
            return super().prepare(recipe)

    RVMMatting(matting_checkpoint(MattingNetwork(variant)), 0.5, Noting("cpu")).look(frames(1, 64, 96)[0])
    assert exact == expected
