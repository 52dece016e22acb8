"""The training program, end to end on a folder of a dozen pictures."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

import train
from video_harmonizer.errors import InputError
from video_harmonizer.harmonizers.curvenet import CurveNet
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.training import descent, supply
from video_harmonizer.training.harmonizing import Harmonizing, make_network
from video_harmonizer.training.settings import Training, to_toml
from video_harmonizer.training.task import Batch, Outcome, Validation
from video_harmonizer.weights.load import load_into, read_state


@pytest.fixture
def settings(data: Path, tmp_path: Path) -> Training:
    return Training(
        data=data,
        output=tmp_path / "run",
        size=64,
        batch=2,
        steps=4,
        small_steps=3,
        warmup=1,
        precision="32-true",
        device="cpu",
        workers=0,
        validation=2,
        validate_every=100,
        checkpoint_every=1,
        log_every=1,
    )


def interrupt_after(function: Callable, calls: int) -> Callable:
    """The function, and Ctrl-C at the end of its given call."""
    done = 0

    def interrupted(*args: Any, **options: Any) -> Any:
        nonlocal done
        result = function(*args, **options)
        done += 1
        if done == calls:
            raise KeyboardInterrupt
        return result

    return interrupted


def checkpoint(settings: Training) -> dict[str, Any]:
    return torch.load(settings.output / "checkpoint.pt", weights_only=True)


def same(one: Any, other: Any) -> bool:
    """Bit for bit, whatever they are made of."""
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def logged(settings: Training, name: str) -> list[float]:
    events = EventAccumulator(str(settings.output)).Reload()
    return [event.value for event in events.Scalars(name)]


# --- a whole run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [S2CRNet, CurveNet])
def test_run_exports_weights_that_load_strictly_and_say_what_they_are_of(
    settings: Training, network: type[S2CRNet] | type[CurveNet], capsys: pytest.CaptureFixture[str]
):
    name: Any = network.__name__.lower()
    train.train(dataclasses.replace(settings, network=name, steps=2, small_steps=1, precision="bf16-mixed"))
    path = settings.output / "weights.safetensors"
    loaded = network().eval()
    load_into(loaded, read_state(path), path.name)
    picture, mask = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    assert loaded(picture, mask, picture, mask).isfinite().all()
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["network"] == name
    assert metadata["step"] == "2"
    assert metadata.get("stages") == ("2" if network is S2CRNet else None)
    assert "step 2: composite_fmse" in capsys.readouterr().out
    assert not list(settings.output.glob("*.partial"))


def test_settings_beside_the_weights_make_the_run_again(settings: Training, tmp_path: Path):
    short = dataclasses.replace(settings, steps=2, small_steps=1)
    train.train(short)
    other = tmp_path / "again"
    train.main([str(settings.output / "settings.toml"), "--output", str(other)])
    weights = "weights.safetensors"
    assert same(load_file(other / weights), load_file(settings.output / weights))


@pytest.mark.parametrize("adversarial", [0.0, 1.0])
def test_stopped_and_resumed_run_equals_an_uninterrupted_one(
    settings: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adversarial: float
):
    settings = dataclasses.replace(settings, adversarial=adversarial)
    whole = dataclasses.replace(settings, output=tmp_path / "whole")
    train.train(whole)
    with monkeypatch.context() as patch:
        patch.setattr(train, "save", interrupt_after(train.save, 2))
        with pytest.raises(KeyboardInterrupt):
            train.train(settings)
    assert checkpoint(settings)["step"] == 2
    train.train(settings)

    one, other = checkpoint(whole), checkpoint(settings)
    assert one["step"] == other["step"] == 4
    assert ("discriminator_optimizer" in one) == (adversarial > 0)
    del one["settings"]["output"], other["settings"]["output"]
    assert same(one, other)
    weights = "weights.safetensors"
    assert same(load_file(whole.output / weights), load_file(settings.output / weights))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_the_step_and_keeps_it(
    ending: signal.Signals,
    settings: Training,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
):
    settings = dataclasses.replace(settings, checkpoint_every=100)
    whole = dataclasses.replace(settings, output=tmp_path / "whole")
    train.train(whole)
    learn = Harmonizing.loss

    def disturbed(*given: Any) -> Any:
        signal.raise_signal(ending)
        signal.raise_signal(ending)  # people press it twice
        return learn(*given)

    (tmp_path / "run.toml").write_text(to_toml(settings))
    with monkeypatch.context() as patch:
        patch.setattr(Harmonizing, "loss", disturbed)
        for step in (1, 2):
            with pytest.raises(SystemExit, match="130"):
                train.main([str(tmp_path / "run.toml")])
            assert checkpoint(settings)["step"] == step
            assert capsys.readouterr().err.endswith("stopped; the same command goes on from the last checkpoint\n")
    train.train(settings)
    weights = "weights.safetensors"
    assert same(load_file(whole.output / weights), load_file(settings.output / weights))


def test_checkpoint_that_finds_no_room_leaves_the_one_before(settings: Training, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(train, "save", interrupt_after(train.save, 1))
        with pytest.raises(KeyboardInterrupt):
            train.train(settings)

    def fill_the_disk(states: dict[str, Any], path: Path) -> None:
        path.write_bytes(b"half of it")
        raise RuntimeError("[enforce fail at inline_container.cc:664] unexpected pos\nframe #0")

    monkeypatch.setattr(torch, "save", fill_the_disk)
    with pytest.raises(InputError, match=r"checkpoint\.pt: can't be written \(.*unexpected pos\); make room, and"):
        train.train(settings)
    assert not list(settings.output.glob("*.partial"))
    assert checkpoint(settings)["step"] == 1


def test_run_stopped_in_its_last_validation_still_exports_when_resumed(
    settings: Training, monkeypatch: pytest.MonkeyPatch
):
    short = dataclasses.replace(settings, steps=1, small_steps=1)
    with monkeypatch.context() as patch:
        patch.setattr(Harmonizing, "validate", interrupt_after(Harmonizing.validate, 1))
        with pytest.raises(KeyboardInterrupt):
            train.train(short)
    train.train(short)
    assert (short.output / "weights.safetensors").is_file()


def test_weights_that_are_read_are_not_overwritten(settings: Training):
    given = settings.output / "weights.safetensors"
    settings.output.mkdir(parents=True)
    save_file(S2CRNet().state_dict(), given, {"network": "s2crnet", "stages": "2"})
    before = given.read_bytes()
    with pytest.raises(InputError, match=r"weights\.safetensors: it is also read"):
        train.train(dataclasses.replace(settings, weights=given))
    assert given.read_bytes() == before


def test_weights_of_another_run_are_not_overwritten(settings: Training):
    train.train(dataclasses.replace(settings, steps=2, small_steps=1))
    (settings.output / "checkpoint.pt").unlink()
    before = (settings.output / "weights.safetensors").read_bytes()
    other = dataclasses.replace(settings, steps=2, small_steps=1, seed=9)
    with pytest.raises(InputError, match=r"holds another run's weights\.safetensors .* give another --output"):
        train.train(other)
    assert (settings.output / "weights.safetensors").read_bytes() == before


def test_run_stopped_before_its_first_checkpoint_begins_again(settings: Training):
    short = dataclasses.replace(settings, steps=2, small_steps=1)
    train.train(short)
    (settings.output / "checkpoint.pt").unlink()
    train.train(short)
    assert checkpoint(settings)["step"] == 2


def test_checkpoint_of_other_settings_is_refused_and_left_alone(settings: Training):
    train.train(dataclasses.replace(settings, steps=1))
    before = (settings.output / "checkpoint.pt").read_bytes()
    with pytest.raises(
        InputError, match=r"checkpoint\.pt: made with learning_rate 0.0004, this run has 0.1 and 1 more"
    ):
        train.train(dataclasses.replace(settings, learning_rate=0.1))
    train.train(dataclasses.replace(settings, steps=1, workers=1, log_every=7))  # may change
    assert (settings.output / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("damage", [b"PK\x03\x04 torn", b"", b"text", [1, 2], {"step": 1}])
def test_damaged_checkpoint_is_named_and_left_alone(settings: Training, damage: Any):
    settings.output.mkdir(parents=True)
    path = settings.output / "checkpoint.pt"
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        torch.save(damage, path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"checkpoint\.pt: damaged .*give another --output"):
        train.train(settings)
    assert path.read_bytes() == before


@pytest.mark.parametrize("missing", ["averaged", "network"])
def test_checkpoint_of_another_version_is_named(settings: Training, missing: str):
    train.train(dataclasses.replace(settings, steps=1))
    path = settings.output / "checkpoint.pt"
    kept = checkpoint(settings)
    if missing == "averaged":
        del kept["averaged"]
    else:
        kept["network"].popitem()
    torch.save(kept, path)
    with pytest.raises(InputError, match=r"checkpoint\.pt: of another version of this program, or damaged"):
        train.train(dataclasses.replace(settings, steps=1))


def test_run_depends_on_what_is_in_the_weights_it_was_given(settings: Training, tmp_path: Path):
    train.train(dataclasses.replace(settings, steps=1))
    given = tmp_path / "given.safetensors"
    (settings.output / "weights.safetensors").rename(given)
    further = dataclasses.replace(settings, steps=1, weights=given, output=tmp_path / "further")
    train.train(further)
    (tmp_path / "moved").mkdir()
    moved = given.rename(tmp_path / "moved" / "given.safetensors")
    train.train(dataclasses.replace(further, weights=moved))  # the same
    moved.write_bytes((further.output / "weights.safetensors").read_bytes())
    with pytest.raises(InputError, match=r"made with weights a file of SHA-256 .*, this run has a file of SHA-256"):
        train.train(dataclasses.replace(further, weights=moved))


@pytest.mark.parametrize("changed", ["index", "tables"])
def test_run_depends_on_what_is_in_its_data(settings: Training, tmp_path: Path, changed: str):
    data = tmp_path / "copy"
    shutil.copytree(settings.data, data)
    short = dataclasses.replace(settings, data=data, steps=1)
    train.train(short)
    train.train(short)
    if changed == "index":
        lines = (data / "index.csv").read_text().splitlines()
        (data / "index.csv").write_text("\n".join(line for line in lines if not line.startswith("made,05.png")))
    else:
        with np.load(data / "luts.npz") as arrays:
            np.savez(data / "luts.npz", luts=1 - arrays["luts"])
    name = "data" if changed == "index" else "luts"
    with pytest.raises(InputError, match=f"made with contents of {name} .*, this run has .*; give the run's own"):
        train.train(short)


def test_run_that_goes_on_does_not_say_that_it_starts_from_chance(settings: Training, caplog: pytest.LogCaptureFixture):
    for told in (True, False):
        caplog.clear()
        train.train(dataclasses.replace(settings, steps=1))
        assert ("features start from chance" in caplog.text) == told


def test_weights_of_a_finished_run_come_back(settings: Training):
    short = dataclasses.replace(settings, steps=1)
    train.train(short)
    path = settings.output / "weights.safetensors"
    before = load_file(path)
    path.unlink()
    train.train(short)
    assert same(before, load_file(path))
    assert path.stat().st_mode & 0o777 == (settings.output / "settings.toml").stat().st_mode & 0o777


def test_adversary_learns_and_is_heard(settings: Training, monkeypatch: pytest.MonkeyPatch):
    short = dataclasses.replace(settings, steps=2, small_steps=0, adversarial=1.0, warmup=0)
    train.train(short)
    torch.manual_seed(short.seed)
    make_network(short)
    untrained = descent.PatchDiscriminator().state_dict()
    assert not torch.equal(checkpoint(short)["discriminator"]["0.weight"], untrained["0.weight"])
    assert all(value > 0 for name in ("generator", "discriminator") for value in logged(short, name))
    assert logged(short, "loss")[0] == pytest.approx(logged(short, "relative_l1")[0] + logged(short, "generator")[0])

    deaf = dataclasses.replace(short, output=short.output / "deaf")
    monkeypatch.setattr(descent, "generator_loss", lambda *_: torch.zeros(()))
    train.train(deaf)
    assert not same(checkpoint(short)["network"], checkpoint(deaf)["network"])


def test_gradient_that_is_not_finite_changes_nothing(settings: Training):
    module = nn.Linear(2, 1, bias=False)
    before = module.weight.detach().clone()
    fabric = train.launch(settings)
    learner, optimizer = fabric.setup(module, descent.make_optimizer(module, settings))
    descent.descend(fabric, learner, optimizer, learner(torch.ones(1, 2)).sum() * float("inf"), 0.1, 1.0)
    assert torch.equal(module.weight, before)
    descent.descend(fabric, learner, optimizer, learner(torch.ones(1, 2)).sum(), 0.1, 1.0)
    assert not torch.equal(module.weight, before)


class Measuring(Harmonizing):
    """A network with statistics of batches, whose second batch is beyond all numbers."""

    def __init__(self, settings: Training) -> None:
        super().__init__(settings)
        self.learner = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1))
        self.seen = 0

    def loss(self, learner: nn.Module, batch: Batch) -> Outcome:
        self.seen += 1
        pictures = torch.rand(2, 3, 4, 4) * (torch.inf if self.seen == 2 else 1)
        return Outcome({"mean": learner(pictures).mean()})

    def validate(self, learner: nn.Module, device: torch.device) -> Validation:
        return Validation({"none": 0.0})


def test_batch_that_is_not_finite_leaves_no_trace(settings: Training):
    train.train(dataclasses.replace(settings, steps=3, small_steps=0, ema=0.5, clip=float("inf")), Measuring)
    states = checkpoint(settings)
    for name in ("network", "averaged"):
        assert all(value.isfinite().all() for value in states[name].values())
    assert states["network"]["0.num_batches_tracked"] == 2
    assert (states["network"]["0.running_mean"] > 0).all()


@pytest.mark.parametrize("decay", [0.9, 0.997, 0.998])
def test_averaged_network_keeps_its_indices(decay: float):
    network = CurveNet()
    averaged = AveragedModel(network, multi_avg_fn=descent.averaging(decay), use_buffers=True)
    for _ in range(20):
        averaged.update_parameters(network)
    wanted = dict(network.named_buffers())
    assert any(not buffer.is_floating_point() for buffer in wanted.values())
    for name, buffer in averaged.module.named_buffers():
        assert torch.equal(buffer, wanted[name]), name


def test_folder_that_nothing_can_be_written_to_is_refused_at_once(settings: Training, monkeypatch: pytest.MonkeyPatch):
    def refuse(dir: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(train, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"run: nothing can be written there \(Permission denied\); give another"):
        train.train(settings)


def test_weights_that_find_no_room_are_told_of(settings: Training, monkeypatch: pytest.MonkeyPatch):
    def fill_the_disk(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_the_disk)
    with pytest.raises(InputError, match=r"weights\.safetensors: can't be written \(.*No space left.*make room, and"):
        train.train(dataclasses.replace(settings, steps=1))
    assert not list(settings.output.glob("*.partial"))


def test_averaged_network_is_exported(settings: Training):
    train.train(dataclasses.replace(settings, steps=2, small_steps=0, ema=0.9, learning_rate=1e-2))
    kept, exported = checkpoint(settings), load_file(settings.output / "weights.safetensors")
    key = "squeezenet1_1.0.weight"
    averaged, raw = kept["averaged"][f"module.{key}"], kept["network"][key]
    assert (raw - averaged).abs().max() > 1e-3
    torch.testing.assert_close(exported[key].float(), averaged, rtol=1e-3, atol=1e-4)


def test_a_step_goes_as_far_as_its_learning_rate(settings: Training):
    moved = []
    for rate in (1e-3, 1e-5):
        module = nn.Linear(2, 1)
        optimizer = descent.make_optimizer(module, settings)
        before = module.weight.detach().clone()
        descent.descend(Fabric(accelerator="cpu"), module, optimizer, module.weight.sum(), rate, 1.0)
        moved.append((module.weight - before).abs().mean().item())
    assert moved[0] == pytest.approx(100 * moved[1], rel=0.05)


def test_averaged_network_has_averaged_statistics_of_batches(settings: Training, tmp_path: Path):
    short = dataclasses.replace(settings, network="duconet", size=32, steps=1, small_steps=0, ema=0.5)
    longer = dataclasses.replace(short, steps=2, output=tmp_path / "longer")
    train.train(short)
    train.train(longer)
    key = "encoder.blocks_connected.block2.convs.block.0.block.1.running_var"
    first, second = (checkpoint(run)["network"][key] for run in (short, longer))
    assert not torch.equal(first, second)
    torch.testing.assert_close(checkpoint(longer)["averaged"][f"module.{key}"], (first + second) / 2)


def test_few_composites_are_learnt_by_heart(settings: Training, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supply, "REACHABLE", 36.0)  # these grainy pictures have no better ones
    many = dataclasses.replace(
        settings, network="curvenet", size=32, overfit=2, steps=60, learning_rate=2e-3, validate_every=30
    )
    train.train(many)
    before, (middle, after) = logged(many, "validation/composite_psnr")[0], logged(many, "validation/psnr")
    assert before < middle < after
    assert after > before + 5


LEAVING = """
import sys
from pathlib import Path
import train

train.main(sys.argv[1:])
threads = [name.read_text() for name in Path("/proc/self/task").glob("*/comm")]
assert not [name for name in threads if "gloo" in name], threads  # they abort an interpreter that ends before them
"""


def test_two_processes_do_what_one_does_with_twice_the_batch(settings: Training, tmp_path: Path):
    one = dataclasses.replace(settings, batch=4, ema=0.0)
    train.train(one)
    two = dataclasses.replace(one, batch=2, output=tmp_path / "two")
    file = tmp_path / "two.toml"
    file.write_text(to_toml(two))
    script = tmp_path / "script.py"
    script.write_text(LEAVING)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(train.__file__).parent)}
    subprocess.run([*launcher, str(script), str(file)], check=True, env=environment, timeout=120)
    assert logged(two, "loss") == pytest.approx(logged(one, "loss"), rel=1e-3)
    torch.manual_seed(settings.seed)
    start = make_network(one).state_dict()
    for key, wanted in checkpoint(one)["network"].items():
        moved = (wanted - start[key]).abs().mean()
        assert (checkpoint(two)["network"][key] - wanted).abs().mean() <= 0.02 * moved, key


# --- its parts ------------------------------------------------------------------------------------------------


def test_learning_rate_warms_up_and_ends_at_zero():
    settings = Training(steps=100, warmup=10)
    rates = [descent.rate_at(step, settings) for step in range(101)]
    assert rates[:10] == pytest.approx([0.1 * (n + 1) for n in range(10)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_bad_settings_end_with_status_2_and_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as error:
        train.main([str(tmp_path / "nowhere.toml")])
    assert error.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/nowhere.toml: No such file")
