"""The owner of RVM's memory: when it carries on, when it starts afresh, what it gives."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from checkpoints import matting_checkpoint
from torch import Tensor

from rvm import MattingNetwork
from rvm.decoder import Features, States
from rvm.refiner import FastGuidedFilter
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.errors import InputError
from video_harmonizer.frame import MAX_GAP_SECONDS, Frame
from video_harmonizer.matting import Matting
from video_harmonizer.matting.kernels import fit_lines, shrink
from video_harmonizer.matting.network import load_network
from video_harmonizer.matting.rvm import MATTES, RVMMatting, suitable_ratio
from video_harmonizer.pipeline import AHEAD
from video_harmonizer.weights.load import read_state

CPU = TorchEngine("cpu")


class CountingNetwork(MattingNetwork):
    """Stands in for the network: alpha is a tenth of the frames in its memory, the foreground the source.

    `sizes` are those of the pictures that it was shown.

    `failures` names calls, counted from 0, that give NaN, as does every call whose memory holds NaN.
    """

    def __init__(self, failures: Callable[[int], bool] = lambda call: False) -> None:
        torch.nn.Module.__init__(self)
        self.variant = "counting"
        self.failures = failures
        self.sizes: list[tuple[int, int]] = []
        self.calls = 0
        self.refiner = FastGuidedFilter()

    def initial_states(self, batch: int, height: int, width: int) -> tuple[Tensor, ...]:
        return (torch.zeros(1),) * 4

    def encode(self, base: Tensor) -> Features:
        return (base,) * 4

    def decode(
        self, base: Tensor, features: Features, states: States, clip_length: int = 1
    ) -> tuple[Tensor, Tensor, States]:
        seen = states[0] + 1
        if self.failures(self.calls):
            seen = seen * torch.nan
        self.calls += 1
        self.sizes.append((base.shape[2], base.shape[3]))
        residual_alpha = torch.zeros(1, 4, *base.shape[2:])
        residual_alpha[:, 3] = seen / 10
        return residual_alpha, base, (seen,) * 4


def picture(height: int = 8, width: int = 12, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)


def frame(index: int, seconds: float | None = None, rgb: np.ndarray | None = None) -> Frame:
    return Frame(picture() if rgb is None else rgb, index, index / 30 if seconds is None else seconds)


def frames_in_memory(matting: RVMMatting, shown: Frame) -> int:
    alpha = matting.matte(shown).alpha
    assert (alpha == alpha[0, 0]).all()
    return round(alpha[0, 0] / 25.5)


@pytest.fixture
def matting() -> RVMMatting:
    return RVMMatting(matting_checkpoint(CountingNetwork()), None, CPU, settling=0)


@pytest.mark.parametrize("size", [(37, 51), (2, 3), (1, 1)])
def test_guided_filter_agrees_with_the_networks_own(size: tuple[int, int]):
    random = torch.Generator().manual_seed(0)
    base, answer = (torch.rand(1, channels, *size, generator=random) for channels in (3, 4))
    base[..., : size[0] // 2, :] = 0.5  # flat: there the answer is averaged
    wanted = FastGuidedFilter().coefficients(base.double(), answer.double(), answer)
    got = np.empty((2, 4, *size), np.float32)
    fit_lines(base[0].numpy(), answer[0].numpy(), *got)
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(one, other[0].numpy(), atol=1e-3)


def test_it_is_a_matting_with_a_name_for_the_report(matting: RVMMatting):
    contract: Matting = matting
    assert contract.name == "rvm_counting"


def test_memory_is_carried_from_frame_to_frame(matting: RVMMatting):
    assert [frames_in_memory(matting, frame(index)) for index in range(4)] == [1, 2, 3, 4]


def test_second_frame_of_a_still_differs_from_a_fresh_start():
    torch.manual_seed(0)
    network = MattingNetwork("mobilenetv3", "fast_guided_filter")
    with torch.no_grad():  # random weights give an alpha that is nearly flat: spread it over 0..1
        network.project_mat.conv.weight.mul_(20)
    matting = RVMMatting(matting_checkpoint(network), None, CPU, settling=0)
    still = picture(64, 96)
    first = matting.matte(frame(0, rgb=still)).alpha
    second = matting.matte(frame(1, rgb=still)).alpha
    matting.reset()
    fresh = matting.matte(frame(2, rgb=still)).alpha
    assert (second != first).any()
    np.testing.assert_array_equal(fresh, first)


def test_dropped_frames_do_not_break_the_memory(matting: RVMMatting):
    frames_in_memory(matting, frame(0, 0.0))
    assert frames_in_memory(matting, frame(20, MAX_GAP_SECONDS)) == 2


@pytest.mark.parametrize(
    "after",
    [
        frame(11, 0.2),  # time goes back
        frame(11, 0.5 + MAX_GAP_SECONDS + 0.01),  # time jumps ahead
        frame(3, 0.6),  # numbering goes back
        frame(11, 0.6, picture(9, 12)),
        frame(11, 0.6, picture(12, 8)),
        replace(frame(11, 0.6), cut=True),
    ],
    ids=["earlier", "much later", "lower index", "another height", "turned", "another shot"],
)
def test_a_jump_starts_afresh(matting: RVMMatting, after: Frame):
    assert frames_in_memory(matting, frame(9, 0.4)) == 1
    assert frames_in_memory(matting, frame(10, 0.5)) == 2
    assert frames_in_memory(matting, after) == 1


def test_reset_starts_afresh(matting: RVMMatting):
    frames_in_memory(matting, frame(0))
    matting.reset()
    assert frames_in_memory(matting, frame(1)) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_foreground_keeps_every_level_of_the_frame(matting: RVMMatting, dtype: type):
    rgb = picture(64, 64, dtype)
    matte = matting.matte(frame(0, rgb=rgb))
    assert matte.alpha.dtype == np.uint8
    assert matte.alpha.shape == (64, 64)
    assert matte.foreground is not None
    assert matte.foreground.dtype == dtype
    assert matte.foreground.flags.c_contiguous
    np.testing.assert_array_equal(matte.foreground, rgb)


@pytest.mark.parametrize("refiner", ["fast_guided_filter", "deep_guided_filter"])
@pytest.mark.parametrize(("size", "ratio"), [((76, 98), 0.5), ((64, 96), 0.25), ((33, 47), 1.0)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_mattes_are_those_of_the_whole_network(refiner: str, size: tuple[int, int], ratio: float, dtype: type):
    torch.manual_seed(0)
    network = MattingNetwork("mobilenetv3", refiner).eval()
    with torch.no_grad():  # random weights give values that are nearly flat: spread them over all of 0..1
        network.project_mat.conv.weight.mul_(20)
        assert network.project_mat.conv.bias is not None
        network.project_mat.conv.bias.add_(torch.tensor([0, 0, 0, 0.5]))
    matting, memory = RVMMatting(matting_checkpoint(network), ratio, CPU, settling=0), ()
    top = np.iinfo(dtype).max
    for index in range(3):
        rgb = cv2.GaussianBlur(picture(*size, dtype), (0, 0), 3)
        source = torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1)[None] / top
        with torch.no_grad():
            fgr, pha, *memory = network(source, *memory, downsample_ratio=ratio)
        matte = matting.matte(frame(index, rgb=rgb))
        wanted = (pha[0, 0] * 255).numpy()
        assert np.abs(matte.alpha - wanted).max() < 0.55  # rounding, and the order of sums
        assert matte.foreground is not None
        mixed = (wanted > 0.6) & (wanted < 254.4)
        assert 0.02 < mixed.mean() < 1
        colors = (fgr[0].permute(1, 2, 0) * top).numpy()
        assert np.abs(matte.foreground - colors)[mixed].max() < max(
            0.51, top / 5e3
        )  # random weights, spread widely, carry sums in another order far
        np.testing.assert_array_equal(
            matte.foreground[(wanted < 0.4) | (wanted > 254.6)], rgb[(wanted < 0.4) | (wanted > 254.6)]
        )


@pytest.mark.parametrize(("size", "small"), [((480, 640), (189, 252)), ((75, 98), (37, 49)), ((7, 5), (7, 5))])
def test_all_of_a_frame_is_seen(size: tuple[int, int], small: tuple[int, int]):
    """Turned round it looks the same turned round: nothing is left out at one side only."""
    rgb = picture(*size, np.uint8)
    seen, turned = (np.empty((3, *small), np.float32) for _ in range(2))
    shrink(rgb, seen)
    shrink(np.ascontiguousarray(rgb[::-1, ::-1]), turned)
    np.testing.assert_allclose(turned[:, ::-1, ::-1], seen, atol=1e-4)


def test_mattes_stay_while_later_stages_are_at_them(matting: RVMMatting):
    mattes = [matting.matte(frame(index)) for index in range(MATTES)]
    assert [round(matte.alpha[0, 0] / 25.5) for matte in mattes] == list(range(1, MATTES + 1))
    assert matting.matte(frame(MATTES)).alpha is mattes[0].alpha
    assert MATTES > AHEAD + 1  # those that wait, and one in use


def test_a_frame_may_be_looked_at_before_the_mattes_of_those_before_it(matting: RVMMatting):
    frames = [frame(0), frame(1), frame(2, rgb=picture(10, 14)), frame(3)]
    seen = [matting.look(one) for one in frames]
    mattes = [matting.matte(one, look) for one, look in zip(frames, seen, strict=True)]
    assert [round(matte.alpha[0, 0] / 25.5) for matte in mattes] == [1, 2, 1, 1]
    assert [matte.alpha.shape for matte in mattes] == [one.size for one in frames]


def test_alpha_is_rounded(matting: RVMMatting):
    assert [matting.matte(frame(index)).alpha[0, 0] for index in range(3)] == [26, 51, 77]  # 25.5, 51, 76.5


def test_mirrored_and_read_only_frames_are_taken(matting: RVMMatting, recwarn: pytest.WarningsRecorder):
    rgb = picture()
    rgb.flags.writeable = False
    matte = matting.matte(frame(0, rgb=rgb[:, ::-1]))
    np.testing.assert_array_equal(matte.foreground, rgb[:, ::-1])
    assert not recwarn.list


def test_nan_from_the_memory_is_healed_by_forgetting_it(caplog: pytest.LogCaptureFixture):
    matting = RVMMatting(matting_checkpoint(CountingNetwork(failures=lambda call: call == 2)), None, CPU, settling=0)
    assert [frames_in_memory(matting, frame(index)) for index in range(4)] == [1, 2, 1, 2]
    assert not caplog.records


def test_lasting_nan_gives_the_last_good_matte_and_warns_once(caplog: pytest.LogCaptureFixture):
    matting = RVMMatting(
        matting_checkpoint(CountingNetwork(failures=lambda call: call in range(2, 8))), None, CPU, settling=0
    )
    with caplog.at_level(logging.WARNING):
        assert [frames_in_memory(matting, frame(index)) for index in range(6)] == [1, 2, 2, 2, 2, 1]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "frame 2" in caplog.text


def test_lasting_nan_without_a_matte_of_this_size_gives_an_empty_one():
    matting = RVMMatting(matting_checkpoint(CountingNetwork(failures=lambda call: call > 0)), None, CPU, settling=0)
    matting.matte(frame(0))
    matte = matting.matte(frame(1, rgb=picture(10, 14)))
    assert matte.alpha.shape == (10, 14)
    assert not matte.alpha.any()
    assert matte.foreground is None


@pytest.mark.parametrize("size", [(720, 1280), (1080, 1920), (1280, 720), (512, 512), (100, 120)])
def test_small_network_sees_as_many_pixels_of_every_frame_and_never_enlarges(size: tuple[int, int]):
    ratio = suitable_ratio("squeezenet", size)
    assert size[0] * size[1] * ratio**2 == pytest.approx(min(48_000, size[0] * size[1]))


@pytest.mark.parametrize(
    ("size", "seen"),
    [((1080, 1920), (288, 512)), ((1920, 1080), (512, 288)), ((512, 300), (512, 300)), ((90, 160), (90, 160))],
)
def test_automatic_ratio_takes_the_longest_side_to_512_and_never_enlarges(size: tuple[int, int], seen: tuple[int, int]):
    network = CountingNetwork()
    RVMMatting(matting_checkpoint(network), None, CPU, settling=0).matte(frame(0, rgb=np.zeros((*size, 3), np.uint8)))
    assert network.sizes == [seen]


def test_given_ratio_is_used():
    network = CountingNetwork()
    RVMMatting(matting_checkpoint(network), 0.25, CPU, settling=0).matte(frame(0))
    assert network.sizes == [(2, 3)]


@pytest.mark.parametrize("ratio", [0.0, -1.0, 1.5, float("nan")])
def test_ratio_out_of_range_names_the_option(ratio: float):
    with pytest.raises(InputError, match=r"--downsample-ratio .*: not over 0 and up to 1; give"):
        RVMMatting(matting_checkpoint(CountingNetwork()), ratio, CPU, settling=0)


def test_ratio_too_small_for_the_frame_names_the_option():
    with pytest.raises(InputError, match=r"--downsample-ratio 0\.01: .* 60x40 frame; give 0\.05 or more"):
        RVMMatting(matting_checkpoint(CountingNetwork()), 0.01, CPU, settling=0).matte(frame(0, rgb=picture(40, 60)))


@pytest.mark.parametrize("variant", ["mobilenetv3", "resnet50"])
@pytest.mark.parametrize("refiner", ["deep_guided_filter", "fast_guided_filter"])
def test_checkpoint_tells_its_own_variant_and_refiner(variant: str, refiner: str):
    original = MattingNetwork(variant, refiner)
    loaded = load_network(original.state_dict(), "weights.pth")
    assert loaded.variant == variant
    assert type(loaded.refiner) is type(original.refiner)
    torch.testing.assert_close(loaded.state_dict(), original.state_dict(), rtol=0, atol=0)


def test_checkpoint_that_does_not_fit_names_the_file_and_the_first_key():
    state = MattingNetwork("mobilenetv3", "fast_guided_filter").state_dict()
    del state["project_mat.conv.bias"]
    with pytest.raises(InputError, match=r"weights\.pth: .*project_mat\.conv\.bias"):
        load_network(state, "weights.pth")


def test_published_weights_find_nobody_in_a_plain_wall(reference: Path):
    network = load_network(read_state(reference / "weights/rvm_mobilenetv3_int8_fgf.pth"), "published")
    matting = RVMMatting(matting_checkpoint(network), None, CPU, settling=0)
    wall = np.full((240, 320, 3), 128, np.uint8)
    for index in range(3):
        assert matting.matte(frame(index, rgb=wall)).alpha.mean() < 1


def test_first_frame_is_shown_several_times_before_its_matte_is_taken():
    network = CountingNetwork()
    matting = RVMMatting(matting_checkpoint(network), None, CPU, settling=4)
    assert frames_in_memory(matting, frame(0)) == 5
    assert frames_in_memory(matting, frame(1)) == 6


def test_a_slow_live_source_is_not_made_slower_by_settling():
    network = CountingNetwork()
    matting = RVMMatting(matting_checkpoint(network), None, CPU, settling=4)
    matting.matte(frame(0, 0.0))
    matting.matte(frame(60, 2.0))  # 59 dropped while we were busy
    assert network.calls == 5 + 1
    matting.matte(frame(61, 9.0))  # a gap in the source itself
    assert network.calls == 5 + 1 + 5


def test_another_scale_is_taken_once_the_network_is_ready_for_it_and_what_it_remembers_goes_with_it():
    torch.manual_seed(0)
    network = MattingNetwork("mobilenetv3", "fast_guided_filter")
    matting = RVMMatting(matting_checkpoint(network), 1.0, CPU, settling=0)
    still = picture(64, 96)
    matting.matte(frame(0, rgb=still))
    matting.rescale(0.5)
    wait_for_thread("rescale")
    seen = matting.look(frame(1, rgb=still))
    assert seen.picture.shape == (1, 3, 32, 48)
    matting.matte(frame(1, rgb=still), seen)
    remembered = [state.clone() for state in matting._memory]
    matting.reset()
    matting.matte(frame(2, rgb=still), seen)
    assert [state.shape for state in remembered] == [state.shape for state in matting._memory]
    assert any(not torch.equal(old, new) for old, new in zip(remembered, matting._memory, strict=True))


def test_of_two_scales_the_one_asked_for_last_is_taken_and_no_other(monkeypatch: pytest.MonkeyPatch):
    matting = RVMMatting(matting_checkpoint(CountingNetwork()), None, CPU, settling=0)
    matting.matte(frame(0))
    begun, ready, prepare = threading.Event(), threading.Event(), matting._steps_for
    taken: list[float] = []  # whenever another one is made ready

    def slow(size: tuple[int, int], scale: float) -> object:
        taken.append(matting._scale)
        begun.set()
        ready.wait(20)
        return prepare(size, scale)

    monkeypatch.setattr(matting, "_steps_for", slow)
    matting.rescale(0.65)
    assert begun.wait(20)
    matting.rescale(0.5)
    ready.set()
    wait_for_thread("rescale")
    assert matting._scale == 0.5
    assert taken == [1, 1]


def test_the_end_waits_for_a_change_of_scale_that_is_under_way(monkeypatch: pytest.MonkeyPatch):
    matting = RVMMatting(matting_checkpoint(CountingNetwork()), None, CPU, settling=0)
    matting.matte(frame(0))
    matting.reset()  # what comes next has frames before it all the same: nothing is made ready in their time
    begun, prepare = threading.Event(), matting._steps_for

    def slow(size: tuple[int, int], scale: float) -> object:
        begun.set()
        time.sleep(0.2)
        return prepare(size, scale)

    monkeypatch.setattr(matting, "_steps_for", slow)
    matting.rescale(0.65)
    assert begun.wait(20)
    assert matting.is_rescaling()
    matting.close()
    assert not matting.is_rescaling()
    assert not [thread for thread in threading.enumerate() if thread.name == "rescale"]


def test_a_network_that_cannot_be_had_for_a_scale_leaves_the_one_there_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    matting = RVMMatting(matting_checkpoint(CountingNetwork()), None, CPU, settling=0)
    matting.matte(frame(0))

    def fail(*arguments: object) -> object:
        raise RuntimeError("no memory left")

    monkeypatch.setattr(matting, "_steps_for", fail)
    matting.rescale(0.65)
    wait_for_thread("rescale")
    assert (matting._scale, matting.is_rescaling()) == (1.0, False)
    assert "no memory left; mattes stay at their size" in caplog.text


def test_a_scale_that_is_set_before_the_first_frame_holds_for_it():
    network = CountingNetwork()
    matting = RVMMatting(matting_checkpoint(network), None, CPU, settling=0)
    matting.rescale(0.5)
    matting.matte(frame(0, rgb=np.zeros((90, 160, 3), np.uint8)))
    assert network.sizes == [(45, 80)]


def wait_for_thread(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(timeout=20)


class HalfBroken(CountingNetwork):
    """From the second call on gives NaN as its answer, or as its memory, but not as both."""

    def __init__(self, broken: str) -> None:
        super().__init__()
        self.broken = broken

    def decode(
        self, base: Tensor, features: Features, states: States, clip_length: int = 1
    ) -> tuple[Tensor, Tensor, States]:
        answer, hidden, memory = super().decode(base, features, states, clip_length)
        if self.calls > 1 and self.broken == "answer":
            return answer * torch.nan, hidden, memory
        if self.calls > 1:
            return answer, hidden, tuple(state * torch.nan for state in memory)
        return answer, hidden, memory


@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("broken", ["answer", "memory"])
def test_either_half_that_is_not_finite_is_noticed(broken: str, ratio: float):
    matting = RVMMatting(matting_checkpoint(HalfBroken(broken)), ratio, CPU, settling=0)
    first = matting.matte(frame(0)).alpha.copy()
    assert first.any()
    np.testing.assert_array_equal(matting.matte(frame(1)).alpha, first)
    assert matting._warned
