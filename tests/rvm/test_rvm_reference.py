"""RVM against the original implementation: key tables, golden vectors, published weights."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from rvm import MattingNetwork

TABLES = [
    (variant, refiner)
    for variant in ("mobilenetv3", "resnet50")
    for refiner in ("deep_guided_filter", "fast_guided_filter")
]
GOLDEN = [
    ("mobilenetv3", "deep_guided_filter", "a"),
    ("mobilenetv3", "deep_guided_filter", "b"),
    ("mobilenetv3", "fast_guided_filter", "a"),
    ("resnet50", "deep_guided_filter", "b"),
]


def key_table(folder: Path, variant: str, refiner: str) -> dict[str, list[int]]:
    return json.loads((folder / f"keys/rvm_{variant}_{refiner}.json").read_text())


@pytest.mark.parametrize(("variant", "refiner"), TABLES)
def test_keys_and_shapes_are_those_of_published_checkpoints(folder: Path, variant: str, refiner: str):
    state = MattingNetwork(variant, refiner).state_dict()
    shapes = {key: list(tensor.shape) for key, tensor in state.items()}
    assert shapes == key_table(folder, variant, refiner)


@pytest.mark.parametrize(("variant", "refiner", "case"), GOLDEN)
@torch.inference_mode()
def test_golden_vectors_agree(folder: Path, deterministic: ModuleType, variant: str, refiner: str, case: str):
    network = MattingNetwork(variant, refiner).eval()
    network.load_state_dict(deterministic.state(key_table(folder, variant, refiner), seed=0), strict=True)
    golden = np.load(folder / f"golden/rvm_{variant}_{refiner}_{case}.npz")

    shape = 1, 3, int(golden["height"]), int(golden["width"])
    states: list[torch.Tensor | None] = [None] * 4
    for index in range(int(golden["frames"])):
        frame = deterministic.image(f"frame{index}", shape)
        fgr, pha, *states = network(frame, *states, downsample_ratio=float(golden["downsample_ratio"]))
        for got, wanted in ((fgr, golden[f"fgr{index}"]), (pha, golden[f"pha{index}"])):
            np.testing.assert_allclose(got.numpy(), wanted.astype(np.float32), rtol=0, atol=2e-3)
    for number, state in enumerate(states, start=1):
        assert state is not None
        np.testing.assert_allclose(state.numpy(), golden[f"rec{number}"], rtol=0, atol=1e-4)


def test_published_weights_load_strictly(reference: Path):
    state = torch.load(reference / "weights/rvm_mobilenetv3_int8_fgf.pth", weights_only=True)
    network = MattingNetwork("mobilenetv3", "fast_guided_filter")
    network.load_state_dict({key: tensor.float() for key, tensor in state.items()}, strict=True)
