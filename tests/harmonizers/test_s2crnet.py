"""S2CRNet against the original implementation, and what its forward pass promises."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from video_harmonizer.harmonizers.curves import render
from video_harmonizer.harmonizers.s2crnet import CLASSES, S2CRNet
from video_harmonizer.tone import sample
from video_harmonizer.weights.load import load_into, read_state

Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


@pytest.fixture(scope="module")
def published(folder: Path, deterministic: ModuleType) -> dict[str, Tensor]:
    """A state with the keys and shapes of the authors' checkpoint."""
    return deterministic.state(json.loads((folder / "keys/s2crnet.json").read_text()), seed=0)


@pytest.fixture(scope="module")
def network() -> S2CRNet:
    torch.manual_seed(0)
    return S2CRNet().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    """Two foregrounds and backgrounds with their masks; small, since any size will do."""
    generator = torch.Generator().manual_seed(1)
    pictures, mask = torch.rand((2, 2, 3, 64, 64), generator=generator), torch.zeros(2, 1, 64, 64)
    mask[:, :, 16:48, 8:40] = 1
    return pictures[0], mask, pictures[1], mask


# --- the original implementation ------------------------------------------------------------------------------


def test_keys_and_shapes_are_those_of_the_published_checkpoint(folder: Path):
    wanted = json.loads((folder / "keys/s2crnet.json").read_text())
    for stages in (1, 2):
        assert {key: list(value.shape) for key, value in S2CRNet(stages).state_dict().items()} == wanted


@pytest.mark.parametrize("label", [None, 0, 3])
@pytest.mark.parametrize(("name", "stages"), [("single", 1), ("cascaded", 2)])
def test_golden_vectors_agree(
    folder: Path, deterministic: ModuleType, published: dict[str, Tensor], name: str, stages: int, label: int | None
):
    network = S2CRNet(stages).eval().requires_grad_(False)
    network.load_state_dict(published, strict=True)
    golden = np.load(folder / f"golden/s2crnet_{name}_label{label}_seed0.npz")

    def picture(name: str) -> Tensor:
        return deterministic.image(name, (1, 3, 256, 256))

    def mask(name: str) -> Tensor:
        return (deterministic.image(name, (1, 1, 256, 256)) > 0.5).float()

    parameters = network(
        picture("foreground"), mask("foreground_mask"), picture("background"), mask("background_mask"), label
    )
    image = deterministic.image("image", (1, 3, 48, 64))

    assert parameters.shape == (1, stages, 3, 64)
    for stage in range(stages):
        np.testing.assert_allclose(parameters[:, stage].flatten(1), golden[f"params{stage + 1}"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(render(image, parameters[:, :1]), golden["stage1"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(render(image, parameters), golden["final"], rtol=0, atol=1e-4)


def test_authors_checkpoint_layout_loads(published: dict[str, Tensor], tmp_path: Path):
    path = tmp_path / "S2CRNet_pretrained.pth"
    torch.save({"state_dict": published}, path)
    network = S2CRNet()
    load_into(network, read_state(path), path.name)
    for key, value in network.state_dict().items():
        assert torch.equal(value, published[key]), key


# --- the forward pass -----------------------------------------------------------------------------------------


def test_label_is_one_class_or_one_for_each_picture(network: S2CRNet, inputs: Inputs):
    person = network(*inputs, label=0)
    vehicle = network(*inputs, label=CLASSES.index("vehicle"))
    both = network(*inputs, label=torch.tensor([0, 3], dtype=torch.int32))
    assert not torch.allclose(person, vehicle)
    assert not torch.allclose(person, network(*inputs))
    torch.testing.assert_close(both, torch.stack([person[0], vehicle[1]]))


@pytest.mark.parametrize("label", [-1, len(CLASSES), torch.tensor([0, 7])])
def test_unknown_label_is_refused(network: S2CRNet, inputs: Inputs, label: Tensor | int):
    with pytest.raises(ValueError, match=r"want 0\.\.4: person, animal"):
        network(*inputs, label=label)


def test_stages_shape_the_answer(inputs: Inputs):
    for stages in (1, 2):
        assert S2CRNet(stages)(*inputs).shape == (2, stages, 3, 64)


@pytest.mark.parametrize("stages", [-1, 0, 3])
def test_other_stages_are_refused(stages: int):
    with pytest.raises(ValueError, match=f"got stages={stages}; want 1 or 2"):
        S2CRNet(stages)


def test_single_stage_is_the_first_of_the_cascade(network: S2CRNet, inputs: Inputs):
    single = S2CRNet(stages=1).eval()
    single.load_state_dict(network.state_dict())
    torch.testing.assert_close(single(*inputs), network(*inputs)[:, :1])


def test_encoder_sees_the_foreground_inside_its_mask_and_the_background_outside(network: S2CRNet, inputs: Inputs):
    foreground, foreground_mask, background, background_mask = inputs
    hidden = foreground + 0.5 * (1 - foreground_mask), foreground_mask, background + 0.5 * background_mask
    torch.testing.assert_close(network(*hidden, background_mask), network(*inputs), rtol=0, atol=0)
    assert not torch.allclose(network(1 - foreground, *inputs[1:]), network(*inputs))
    assert not torch.allclose(network(*inputs[:2], 1 - background, background_mask), network(*inputs))


# --- where training starts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [None, 0])
def test_curves_are_near_the_identity_at_initialisation(inputs: Inputs, label: int | None):
    for seed in range(5):
        torch.manual_seed(seed)
        parameters = S2CRNet().requires_grad_(False)(*inputs, label=label)
        assert np.abs(sample(S2CRNet.knots(parameters)[0].numpy(), 256) - np.linspace(0, 1, 256)).max() < 0.15
