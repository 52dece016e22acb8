"""Checkpoints of every kind into tensors, and tensors into networks."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from video_harmonizer.errors import InputError
from video_harmonizer.weights.load import load_into, read_state


class Payload:
    """Creates the file `path` when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def saved(folder: Path, state: object, name: str = "weights.pth", **options) -> Path:
    path = folder / name
    torch.save(state, path, **options)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_plain_state_dict_is_read_as_it_is(tmp_path: Path, network: nn.Module, zipped: bool):
    path = saved(tmp_path, network.state_dict(), _use_new_zipfile_serialization=zipped)
    state = read_state(path)
    assert state.keys() == network.state_dict().keys()
    for key, value in network.state_dict().items():
        assert torch.equal(state[key], value)


def test_safetensors_are_read(tmp_path: Path, network: nn.Module):
    path = tmp_path / "weights.safetensors"
    save_file(network.state_dict(), path)
    state = read_state(path)
    for key, value in network.state_dict().items():
        assert torch.equal(state[key], value)


def test_state_dict_wrapper_is_taken_off_and_keys_are_left(tmp_path: Path):
    checkpoint = {"epoch": 3, "state_dict": OrderedDict({"module.weight": torch.ones(2)})}
    assert list(read_state(saved(tmp_path, checkpoint))) == ["module.weight"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floating_point_becomes_float32_and_integers_stay(tmp_path: Path, dtype: torch.dtype):
    original = {"weight": torch.tensor([0.5, -2.0], dtype=dtype), "steps": torch.tensor(7)}
    state = read_state(saved(tmp_path, original))
    assert state["weight"].dtype == torch.float32
    assert state["weight"].tolist() == [0.5, -2.0]
    assert state["steps"].dtype == torch.int64


def test_parameters_come_without_gradients(tmp_path: Path):
    state = read_state(saved(tmp_path, {"weight": nn.Parameter(torch.ones(2))}))
    assert not state["weight"].requires_grad


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path, zipped: bool):
    trace = tmp_path / "code-was-run"
    checkpoint = {"weight": torch.ones(2), "extra": Payload(trace)}
    path = saved(tmp_path, checkpoint, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"weights\.pth: contains code .*is refused"):
        read_state(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)  # the payload is live: it was `read_state` that kept it from running
    assert trace.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_bare_pickle_with_code_is_refused_and_not_run(tmp_path: Path, protocol: int):
    trace = tmp_path / "code-was-run"
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps({"weight": Payload(trace)}, protocol=protocol))
    with pytest.raises(InputError, match=r"contains code|not a checkpoint"):
        read_state(path)
    assert not trace.exists()


def test_whole_network_is_refused_and_what_to_save_is_said(tmp_path: Path, network: nn.Module):
    with pytest.raises(InputError, match=r"torch\.nn\..*state_dict\(\)"):
        read_state(saved(tmp_path, network))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_torchscript_is_refused(tmp_path: Path, recwarn: pytest.WarningsRecorder):
    path = tmp_path / "weights.pth"
    torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)).save(path)
    recwarn.clear()
    with pytest.raises(InputError, match="TorchScript"):
        read_state(path)
    assert not [warning for warning in recwarn if warning.category is UserWarning]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("part", [0.01, 0.5, 0.99])
def test_truncated_checkpoint_is_told(tmp_path: Path, zipped: bool, part: float):
    whole = io.BytesIO()
    torch.save({"weight": torch.ones(5000)}, whole, _use_new_zipfile_serialization=zipped)
    path = tmp_path / "weights.pth"
    path.write_bytes(whole.getvalue()[: int(part * len(whole.getvalue()))])
    with pytest.raises(InputError, match=r"weights\.pth: damaged, or not a checkpoint"):
        read_state(path)


def test_truncated_safetensors_are_told(tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    save_file({"weight": torch.ones(5000)}, path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"weights\.safetensors: damaged, or not a safetensors file"):
        read_state(path)


@pytest.mark.parametrize("content", [b"<!DOCTYPE html>", bytes(100), b"x"])
def test_other_files_are_told(tmp_path: Path, content: bytes):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a checkpoint"):
        read_state(path)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_missing_empty_and_folder_are_told(tmp_path: Path, suffix: str):
    path = tmp_path / f"weights.{suffix}"
    with pytest.raises(InputError, match="no such file"):
        read_state(path)
    path.touch()
    with pytest.raises(InputError, match="empty file"):
        read_state(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="a folder"):
        read_state(path)


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        ({}, "no tensors"),
        ({"epoch": 3}, "no tensors in it .keys: epoch."),
        ({"state_dict": {}}, "no tensors"),
        ([torch.ones(1)], "holds a list"),
        ({"weight": torch.ones(1), "epoch": 3}, "epoch is a int"),
    ],
)
def test_checkpoint_without_a_state_dict_is_told(tmp_path: Path, checkpoint: object, said: str):
    with pytest.raises(InputError, match=said):
        read_state(saved(tmp_path, checkpoint))


def test_fitting_state_is_loaded(network: nn.Module):
    state = {key: torch.full_like(value, 2) for key, value in network.state_dict().items()}
    load_into(network, state, "weights.pth")
    assert all(torch.all(value == 2) for value in network.state_dict().values())


def test_mismatch_counts_and_names_the_first_of_each_kind_and_loads_nothing(network: nn.Module):
    state = {key: torch.full_like(value, 2) for key, value in network.state_dict().items()}
    del state["0.bias"], state["1.running_var"]
    state |= {"head.weight": torch.ones(1), "0.weight": torch.ones(4, 1, 3, 3)}
    with pytest.raises(InputError) as refusal:
        load_into(network, state, "weights.pth")
    message = str(refusal.value)
    assert message.startswith("weights.pth: not weights of this Sequential: ")
    assert "2 of 7 keys missing (first: 0.bias)" in message
    assert "1 of 6 keys unexpected (first: head.weight)" in message
    assert "1 of another shape (first: 0.weight: got (4, 1, 3, 3), wanted (4, 3, 3, 3))" in message
    assert not torch.any(network.state_dict()["1.weight"] == 2)


def test_real_matting_weights_are_read_as_float32(reference: Path):
    state = read_state(reference / "weights" / "rvm_mobilenetv3_int8_fgf.pth")
    assert len(state) == 365
    assert {value.dtype for value in state.values()} == {torch.float32, torch.int64}
