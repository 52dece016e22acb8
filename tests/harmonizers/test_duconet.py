"""DucoNet against the original implementation, what its forward pass promises, and its place in the pipeline."""

import json
import logging
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from checkpoints import duconet_checkpoint
from torch import Tensor, nn

from rvm.imagenet import DEVIATION, MEAN
from video_harmonizer.engine import make_engine
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.errors import InputError
from video_harmonizer.frame import Matte
from video_harmonizer.harmonizers.duconet import DucoNet
from video_harmonizer.harmonizers.duconet_estimator import (
    DucoNetEstimator,
    load_duconet,
)
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.harmonizers.styled import ModulatedConv
from video_harmonizer.thumbnails import Thumbnails, make_thumbnails

CPU = TorchEngine("cpu")
SIDE = 64  # any multiple of 8 will do, and small ones are quick


@pytest.fixture(scope="module")
def published(folder: Path, deterministic: ModuleType) -> dict[str, Tensor]:
    """A state with the keys and shapes of the authors' checkpoints."""
    return deterministic.state(json.loads((folder / "keys/duconet.json").read_text()), seed=0)


@pytest.fixture(scope="module")
def network() -> DucoNet:
    torch.manual_seed(0)
    return DucoNet().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Two pictures, masks and Lab pictures."""
    generator = torch.Generator().manual_seed(1)
    image, lab = torch.rand((2, 2, 3, 32, 48), generator=generator)
    mask = torch.zeros(2, 1, 32, 48)
    mask[0, :, 8:24, 8:40] = mask[1, :, 16:, :20] = 1
    return image, mask, lab


# --- the original implementation ------------------------------------------------------------------------------


def test_keys_and_shapes_are_those_of_the_published_checkpoints(folder: Path):
    wanted = json.loads((folder / "keys/duconet.json").read_text())
    assert {key: list(value.shape) for key, value in DucoNet().state_dict().items()} == wanted


def test_golden_vectors_agree(folder: Path, deterministic: ModuleType, published: dict[str, Tensor]):
    network = DucoNet().eval().requires_grad_(False)
    network.load_state_dict(published, strict=True)
    golden = np.load(folder / "golden/duconet_seed0.npz")
    size = int(golden["height"]), int(golden["width"])
    mean, deviation = (torch.tensor(numbers)[:, None, None] for numbers in (MEAN, DEVIATION))

    image = (deterministic.image("image", (1, 3, *size)) - mean) / deviation
    mask = (deterministic.image("mask", (1, 1, *size)) > 0.5).float()
    answer = network(image, mask, deterministic.image("lab", (1, 3, *size)))

    np.testing.assert_allclose(answer, golden["images"], rtol=0, atol=1e-5)  # measured: 7e-7


def test_authors_checkpoint_loads(published: dict[str, Tensor], tmp_path: Path):
    path = tmp_path / "ducohar_256.pth"
    torch.save(published, path)
    estimator = load_duconet(path, CPU, SIDE)
    assert (estimator.name, estimator.side) == ("duconet", SIDE)


def test_blur_starts_as_the_kernel_of_the_specification(network: DucoNet):
    weight = network.state_dict()["decoder.up_blocks.2.attention.mask_blurring.weight"][0, 0].numpy()
    kernel = cv2.getGaussianKernel(7, 1)
    np.testing.assert_allclose(weight, kernel @ kernel.T, atol=1e-7)


# --- the forward pass -----------------------------------------------------------------------------------------


def test_pictures_of_a_batch_do_not_touch_each_other(network: DucoNet, inputs: tuple[Tensor, Tensor, Tensor]):
    together = network(*inputs)
    assert together.shape == inputs[0].shape
    for n in range(2):
        torch.testing.assert_close(
            together[n : n + 1], network(*(part[n : n + 1] for part in inputs)), rtol=1e-4, atol=1e-5
        )


def test_modulated_convolution_is_one_kernel_for_each_sample():
    torch.manual_seed(0)
    convolution = ModulatedConv(8).requires_grad_(False)
    x, style = torch.randn(3, 8, 10, 12), torch.randn(3, 8)
    for n in range(3):
        kernel = convolution.weight.weight / (8 * 9) ** 0.5 * style[n, None, :, None, None]
        kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        wanted = nn.functional.conv2d(x[n : n + 1], kernel, padding=1)
        torch.testing.assert_close(convolution(x, style)[n : n + 1], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channel", range(3))
def test_each_lab_channel_steers_the_foreground_only(
    network: DucoNet, inputs: tuple[Tensor, Tensor, Tensor], channel: int
):
    image, mask, lab = inputs
    other = lab.clone()
    other[:, channel] = 1 - other[:, channel]
    difference = (network(image, mask, other) - network(*inputs)).abs().amax(1, keepdim=True)
    assert (difference * mask).amax((2, 3)).min() > 0
    # the decoder's convolutions carry it some pixels over the mask's edge, not into the far corner
    assert difference[1, :, :4, -4:].max() == 0


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_empty_and_full_masks_have_finite_answers(
    network: DucoNet, inputs: tuple[Tensor, Tensor, Tensor], value: float
):
    image, mask, lab = inputs
    assert network(image, torch.full_like(mask, value), lab).isfinite().all()


@pytest.mark.parametrize("size", [(60, 64), (64, 65), (0, 8)])
def test_sides_that_are_not_multiples_are_refused(network: DucoNet, size: tuple[int, int]):
    picture = torch.zeros(1, 3, *size)
    with pytest.raises(ValueError, match=f"got {size[0]}x{size[1]} pixels; want sides that are multiples of 8"):
        network(picture, picture[:, :1], picture)


def test_every_weight_learns_but_the_unused_ones(inputs: tuple[Tensor, Tensor, Tensor]):
    torch.manual_seed(0)
    network = DucoNet()
    (network(*inputs) - inputs[0]).square().mean().backward()
    idle = {name.rsplit(".", 1)[-1] for name, weight in network.named_parameters() if weight.grad is None}
    assert idle == {"scale_noise"}


# --- in the pipeline ------------------------------------------------------------------------------------------


class Standing(DucoNet):
    """Stands in for the network: always the same change of the normalised picture; keeps what it was shown."""

    def __init__(self, gain: float, offset: float) -> None:
        super().__init__()
        self.gain, self.offset = gain, offset
        self.shown: list[tuple[Tensor, ...]] = []

    def forward(self, image: Tensor, mask: Tensor, lab: Tensor) -> Tensor:
        self.shown.append((image, mask, lab))
        return self.gain * image + self.offset


def thumbnails(level: int | None = None) -> Thumbnails:
    """A figure on a background; ``level`` makes the whole mask so, as no bounding box would."""
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[10:50, 20:44] = 255
    made = make_thumbnails(picture, Matte(mask), picture, SIDE)
    assert made is not None
    if level is not None:
        mask[:] = level
    return Thumbnails(made.foreground, made.foreground_mask, made.background, mask)


def test_network_is_shown_the_normalised_composite_its_mask_and_opencvs_lab():
    network, seen = Standing(1, 0), thumbnails()
    DucoNetEstimator(duconet_checkpoint(network), CPU, SIDE).estimate(seen, 256)
    image, mask, lab = (part[0].movedim(0, -1).numpy() for part in network.shown[-1])
    np.testing.assert_allclose(image * DEVIATION + MEAN, seen.background / 255, atol=1e-6)
    np.testing.assert_array_equal(mask[..., 0] * 255, seen.background_mask)
    np.testing.assert_allclose(lab, cv2.cvtColor(seen.background, cv2.COLOR_RGB2LAB) / 255, atol=1.001 / 255)


def test_curves_carry_the_networks_answer_over():
    estimator = DucoNetEstimator(duconet_checkpoint(Standing(0.5, 0.3)), CPU, SIDE)
    seen = thumbnails()
    curves = estimator.estimate(seen, 256)
    assert curves is not None
    mean, deviation = np.array(MEAN)[:, None], np.array(DEVIATION)[:, None]
    wanted = ((np.linspace(0, 1, 256) - mean) * 0.5 + 0.3 * deviation + mean).clip(0, 1)
    np.testing.assert_allclose(curves.table, wanted, atol=0.004)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_engines_run_the_network(network: DucoNet, engine: str):
    if engine == "openvino":
        pytest.importorskip("video_harmonizer.engine.openvino", exc_type=ImportError)  # which silences its telemetry
    seen = thumbnails()
    estimator = DucoNetEstimator(duconet_checkpoint(network), make_engine(engine, "cpu"), SIDE)
    wanted = DucoNetEstimator(duconet_checkpoint(network), CPU, SIDE).harmonize(seen.background, seen.background_mask)
    assert wanted.shape == (SIDE, SIDE, 3)
    np.testing.assert_allclose(estimator.harmonize(seen.background, seen.background_mask), wanted, atol=1e-4)


def test_there_is_no_answer_without_thumbnails():
    network = Standing(1, 0)
    assert DucoNetEstimator(duconet_checkpoint(network), CPU, SIDE).estimate(None, 256) is None
    assert not network.shown


def test_answer_that_is_not_finite_is_none_and_told_once(caplog: pytest.LogCaptureFixture):
    estimator = DucoNetEstimator(duconet_checkpoint(Standing(float("nan"), 0)), CPU, SIDE)
    with caplog.at_level(logging.WARNING):
        assert estimator.estimate(thumbnails(), 256) is None
        assert estimator.estimate(thumbnails(), 256) is None
    assert [record.message.split(":")[0] for record in caplog.records] == ["duconet"]


@pytest.mark.parametrize("side", [0, 100, -8])
def test_side_that_is_not_a_multiple_is_refused(network: DucoNet, side: int):
    with pytest.raises(ValueError, match=f"got a side of {side} pixels; want a multiple of 8"):
        DucoNetEstimator(duconet_checkpoint(network), CPU, side)


def test_thumbnails_of_another_side_are_refused(network: DucoNet):
    with pytest.raises(ValueError, match=r"got a thumbnail of shape \(64, 64, 3\); want \(128, 128, 3\)"):
        DucoNetEstimator(duconet_checkpoint(network), CPU, 128).estimate(thumbnails(), 256)


def test_checkpoint_of_another_network_is_refused(tmp_path: Path):
    path = tmp_path / "other.pth"
    torch.save(S2CRNet().state_dict(), path)
    with pytest.raises(InputError, match=r"other\.pth: not weights of this DucoNet: 335 of 335 keys missing"):
        load_duconet(path, CPU)
