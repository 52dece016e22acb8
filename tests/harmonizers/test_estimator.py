"""The estimator: what the network is shown, what becomes of its answer, and what it is when there is none."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import curve_checkpoint
from safetensors.torch import save_file
from torch import Tensor, nn

from video_harmonizer import weights
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.errors import InputError
from video_harmonizer.frame import ToneCurves
from video_harmonizer.harmonizers.curvenet import CurveNet
from video_harmonizer.harmonizers.curves import render
from video_harmonizer.harmonizers.estimator import CurveEstimator, NoHarmonizer, load_estimator
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.temporal.steady import Estimator
from video_harmonizer.thumbnails import CLOSE, SIZE, Thumbnails
from video_harmonizer.tone import quantize

CPU = TorchEngine("cpu")


class Answering(nn.Module):
    """Stands in for the network: always the same parameters; keeps what it was shown."""

    knots = staticmethod(S2CRNet.knots)

    def __init__(self, parameters: Tensor) -> None:
        super().__init__()
        self.parameters_given = parameters
        self.shown: list[tuple[Tensor, ...]] = []

    def forward(self, *inputs: Tensor) -> Tensor:
        self.shown.append(inputs)
        return self.parameters_given[None]


def estimator(parameters: Tensor) -> CurveEstimator:
    return CurveEstimator(curve_checkpoint(Answering(parameters)), CPU)


def thumbnails() -> Thumbnails:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    masks = random.integers(0, 256, (2, SIZE, SIZE), np.uint8)
    return Thumbnails(pictures[0], masks[0], pictures[1], masks[1])


def estimate(parameters: Tensor, samples: int = 256) -> ToneCurves | None:
    return estimator(parameters).estimate(thumbnails(), samples)


def test_only_curvenet_looks_at_a_ready_composite_from_near():
    assert {name: load_estimator(name, weights.path(name), CPU).close for name in ("curvenet", "s2crnet")} == {
        "curvenet": CLOSE,
        "s2crnet": None,
    }


def test_larger_crop_is_shown_to_the_network_as_it_is():
    network = Answering(torch.ones(2, 3, 64))
    subject = CurveEstimator(curve_checkpoint(network), CPU)
    usual, random = thumbnails(), np.random.default_rng(1)
    crop = random.integers(0, 256, (CLOSE, CLOSE, 3), np.uint8)
    near = replace(usual, foreground=crop, foreground_mask=crop[..., 0])
    for seen in (near, usual, near):
        assert subject.estimate(seen, 256) is not None
        shown = network.shown[-1]
        assert np.array_equal(np.rint(255 * shown[0][0].permute(1, 2, 0).numpy()), seen.foreground)
        assert np.array_equal(np.rint(255 * shown[1][0, 0].numpy()), seen.foreground_mask)


class Squaring(Answering):
    """Stands in for CurveNet: goes so far towards the square of each level, one answer after the other."""

    knots = staticmethod(CurveNet.knots)

    def __init__(self, *shares: float) -> None:
        super().__init__(torch.linspace(0, 1, 33).expand(3, 33))
        self.shares = shares

    def forward(self, *inputs: Tensor) -> Tensor:
        level = super().forward(*inputs)
        return torch.lerp(level, level.square(), self.shares[len(self.shown) - 1])


@pytest.mark.parametrize("samples", [256, 65536])
def test_ready_composite_is_looked_at_again_with_its_new_colours(samples: int):
    seen = replace(thumbnails(), ready=True)
    network = Squaring(1, 0.25)
    curves = CurveEstimator(curve_checkpoint(network, "curvenet"), CPU).estimate(seen, samples)
    assert curves is not None
    first, second = network.shown
    for place, picture, mask in (
        (0, seen.foreground, seen.foreground_mask),
        (2, seen.background, seen.background_mask),
    ):
        level, alpha = picture / 255, mask[..., None] / 255
        mixed = (1 - alpha) * level + alpha * level**2
        np.testing.assert_allclose(second[place][0].permute(1, 2, 0), mixed, rtol=0, atol=1.1 / 255)
        assert second[place + 1].equal(first[place + 1])
    level = np.linspace(0, 1, samples) ** 2
    trusted = 0.25 * 0.75  # a quarter of the first change is left, so three quarters of that are believed
    wanted = level + trusted * (level**2 - level)
    np.testing.assert_allclose(curves.table, np.tile(wanted, (3, 1)), rtol=0, atol=1e-3)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.3, 0.9), (0.0, 0.5)])
def test_second_answer_that_changes_as_much_as_the_first_is_not_believed(shares: tuple[float, float]):
    network = Squaring(*shares)
    curves = CurveEstimator(curve_checkpoint(network, "curvenet"), CPU).estimate(replace(thumbnails(), ready=True), 256)
    assert curves is not None
    assert len(network.shown) == 2
    level = np.linspace(0, 1, 256)
    np.testing.assert_allclose(curves.table[0], level + shares[0] * (level**2 - level), rtol=0, atol=1e-3)


@pytest.mark.parametrize(("name", "ready"), [("curvenet", False), ("s2crnet", True)])
def test_others_are_looked_at_once(name: str, ready: bool):
    network = Squaring(1)
    curves = CurveEstimator(curve_checkpoint(network, name), CPU).estimate(replace(thumbnails(), ready=ready), 256)
    assert curves is not None
    assert len(network.shown) == 1
    np.testing.assert_allclose(curves.table[0], np.linspace(0, 1, 256) ** 2, rtol=0, atol=1e-3)


def test_answer_that_is_not_finite_is_not_looked_at_again():
    network = Squaring(float("nan"))
    seen = replace(thumbnails(), ready=True)
    assert CurveEstimator(curve_checkpoint(network, "curvenet"), CPU).estimate(seen, 256) is None
    assert len(network.shown) == 1


@pytest.mark.parametrize("samples", [256, 65536])
def test_curves_are_the_networks_cascade_at_every_level(samples: int):
    pieces = torch.rand(2, 3, 64, generator=torch.Generator().manual_seed(0))
    curves = estimate(pieces, samples)
    assert curves is not None
    assert (curves.table.shape, curves.table.dtype) == ((3, samples), np.float32)
    levels = quantize(curves.table.astype(np.float64)).astype(int)
    ramp = torch.linspace(0, 1, samples, dtype=torch.float64).expand(1, 3, 1, samples)
    wanted = quantize(render(ramp, pieces[None].double())[0, :, 0].numpy())
    difference = np.abs(levels - wanted)
    # float32 has a hundredth of a 16-bit level, and next to none of an 8-bit one
    assert difference.max() <= (samples > 256)
    assert difference.mean() < 0.01


def test_curves_never_fall_and_stay_in_range():
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        wild = torch.randn(2, 3, 64, generator=generator) + 0.3  # pieces of either sign
        curves = estimate(wild)
        assert curves is not None
        assert (np.diff(curves.table, axis=1) >= 0).all()
        assert curves.table.min() >= 0
        assert curves.table.max() <= 1


def test_network_is_shown_the_thumbnails_as_floats():
    seen = thumbnails()
    network = Answering(torch.ones(2, 3, 64))
    CurveEstimator(curve_checkpoint(network), CPU).estimate(seen, 256)
    ((foreground, foreground_mask, background, background_mask),) = network.shown
    for tensor, picture in ((foreground, seen.foreground), (background, seen.background)):
        assert (tensor.shape, tensor.dtype) == ((1, 3, SIZE, SIZE), torch.float32)
        np.testing.assert_allclose(tensor[0].permute(1, 2, 0), picture / 255, rtol=1e-6)
    for tensor, mask in ((foreground_mask, seen.foreground_mask), (background_mask, seen.background_mask)):
        assert tensor.shape == (1, 1, SIZE, SIZE)
        np.testing.assert_allclose(tensor[0, 0], mask / 255, rtol=1e-6)


def test_nobody_in_view_gives_no_curves_and_asks_no_network():
    network = Answering(torch.ones(2, 3, 64))
    assert CurveEstimator(curve_checkpoint(network), CPU).estimate(None, 256) is None
    assert network.shown == []


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_answer_that_is_not_finite_is_none_and_said_once(value: float, caplog: pytest.LogCaptureFixture):
    pieces = torch.ones(2, 3, 64)
    pieces[1, 2, 63] = value
    subject = estimator(pieces)
    for _ in range(3):
        assert subject.estimate(thumbnails(), 256) is None
    assert [record.getMessage() for record in caplog.records] == [
        "fake: got curves that are not finite; frames keep the last good ones"
    ]


def test_pieces_that_sum_to_nothing_give_no_nan():
    assert S2CRNet.knots(torch.zeros(1, 2, 3, 64)).isfinite().all()


def test_without_a_harmonizer_nothing_changes():
    subject: Estimator = NoHarmonizer()
    for shown in (None, thumbnails()):
        curves = subject.estimate(shown, 256)
        assert curves is not None
        assert np.array_equal(quantize(curves.table), np.tile(np.arange(256), (3, 1)))


def test_bundled_weights_give_curves():
    subject: Estimator = load_estimator("s2crnet", Path(weights.path("s2crnet")), CPU)
    curves = subject.estimate(thumbnails(), 256)
    assert subject.name == "s2crnet"
    assert curves is not None
    assert 0 < np.abs(curves.table - ToneCurves.identity().table).max() <= 1


@pytest.mark.parametrize("wrapped", [True, False], ids=["as-the-authors-save-it", "bare"])
def test_checkpoint_gives_the_curves_of_its_network(tmp_path: Path, wrapped: bool):
    saved = S2CRNet().state_dict()
    torch.save({"state_dict": saved} if wrapped else saved, tmp_path / "s2crnet.pth")
    subject = load_estimator("s2crnet", tmp_path / "s2crnet.pth", CPU)
    network = S2CRNet()
    network.load_state_dict(saved)
    ours, theirs = (
        subject.estimate(thumbnails(), 256),
        CurveEstimator(curve_checkpoint(network, "same"), CPU).estimate(thumbnails(), 256),
    )
    assert ours is not None
    assert theirs is not None
    assert np.array_equal(ours.table, theirs.table)


def test_checkpoint_of_another_network_is_refused_by_name(tmp_path: Path):
    torch.save(nn.Linear(3, 4).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(InputError) as error:
        load_estimator("s2crnet", tmp_path / "linear.pth", CPU)
    assert str(error.value).startswith(f"{tmp_path / 'linear.pth'}: not weights of this S2CRNet: ")
    assert "64 of 64 keys missing (first: squeezenet1_1.0.weight)" in str(error.value)
    assert "2 of 2 keys unexpected (first: weight)" in str(error.value)


@pytest.mark.parametrize("stages", ["0", "three"])
def test_file_that_says_something_impossible_of_itself_is_refused(tmp_path: Path, stages: str):
    path = tmp_path / "weights.safetensors"
    save_file(S2CRNet(1).state_dict(), path, {"network": "s2crnet", "stages": stages})
    with pytest.raises(InputError, match=f"says of itself stages '{stages}'; want 1 or 2"):
        load_estimator("s2crnet", path, CPU)


@pytest.mark.parametrize(("stages", "semantic"), [(1, False), (2, False), (2, True)])
def test_our_own_files_say_which_variant_they_are(tmp_path: Path, stages: int, semantic: bool):
    torch.manual_seed(0)
    network = S2CRNet(stages)
    about = {"network": "s2crnet", "stages": str(stages), "semantic": str(semantic).lower()}
    save_file(network.state_dict(), tmp_path / "ours.safetensors", about)
    given = [torch.from_numpy(picture)[None] for picture in thumbnails().pictures().values()]
    step = load_estimator("s2crnet", tmp_path / "ours.safetensors", CPU).step
    as_floats = [picture.movedim(-1, 1) if picture.ndim == 4 else picture[:, None] for picture in given]
    with torch.no_grad():
        wanted = network(*(picture.float() / 255 for picture in as_floats), label=0 if semantic else None)
        assert torch.equal(step.ask(*given), wanted)


def test_a_file_of_curvenet_says_so_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    path = tmp_path / "ours.safetensors"
    save_file(CurveNet().state_dict(), path, {"network": "curvenet"})
    for _ in range(2):  # the second time what is known of the file is remembered
        subject = load_estimator("s2crnet", path, CPU)
        assert subject.name == "curvenet"
        assert subject.estimate(thumbnails(), 256) is not None
    assert caplog.messages.count(f"{path}: weights of curvenet, which is taken instead of s2crnet") == 2


def test_a_file_of_another_kind_of_network_is_refused_by_its_name(tmp_path: Path):
    save_file({"weight": torch.zeros(1)}, tmp_path / "ours.safetensors", {"network": "duconet"})
    with pytest.raises(InputError, match=r"weights of duconet, wanted curvenet's; give others, or the option"):
        load_estimator("curvenet", tmp_path / "ours.safetensors", CPU)


@pytest.mark.parametrize(("scene", "strength"), [(0.5, 1.0), (0.1, 1.0), (0.05, 0.5), (0.01, 0.1)])
def test_where_little_is_seen_of_the_scene_little_is_changed(scene: float, strength: float):
    pieces = torch.rand(2, 3, 64, generator=torch.Generator().manual_seed(0))
    seen = thumbnails()
    seen.background_mask[:] = 0
    seen.background_mask.flat[: round((1 - scene) * seen.background_mask.size)] = 255
    curves, whole = estimator(pieces).estimate(seen, 256), estimate(pieces)
    assert curves is not None
    assert whole is not None
    identity = ToneCurves.identity(256).table
    np.testing.assert_allclose(curves.table - identity, strength * (whole.table - identity), atol=1e-3)
