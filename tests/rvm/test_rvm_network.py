"""What holds for RVM whatever its weights."""

import socket

import pytest
import torch

from rvm import MattingNetwork
from rvm.network import downsample, foreground_and_alpha
from rvm.refiner import FastGuidedFilter, apply_coefficients


@pytest.fixture(scope="module")
def network() -> MattingNetwork:
    torch.manual_seed(0)
    return MattingNetwork("mobilenetv3", "deep_guided_filter").eval()


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def test_clip_gives_the_same_as_its_frames_one_by_one(network: MattingNetwork):
    clip = torch.rand(2, 3, 3, 50, 70)
    fgr, pha, *states = network(clip, downsample_ratio=0.5)
    assert fgr.shape == (2, 3, 3, 50, 70)
    assert pha.shape == (2, 3, 1, 50, 70)

    stepwise: list[torch.Tensor | None] = [None] * 4
    for index in range(3):
        frame_fgr, frame_pha, *stepwise = network(clip[:, index], *stepwise, downsample_ratio=0.5)
        torch.testing.assert_close(frame_fgr, fgr[:, index], rtol=0, atol=1e-5)
        torch.testing.assert_close(frame_pha, pha[:, index], rtol=0, atol=1e-5)
    for state, stepwise_state in zip(states, stepwise, strict=True):
        torch.testing.assert_close(state, stepwise_state, rtol=0, atol=1e-5)


def test_a_later_clip_goes_on_from_the_states_of_the_one_before(network: MattingNetwork):
    clip = torch.rand(1, 4, 3, 48, 64)
    *_, whole_r4 = network(clip)
    _, _, *states = network(clip[:, :2])
    *_, halves_r4 = network(clip[:, 2:], *states)
    *_, forgetful_r4 = network(clip[:, 2:])
    torch.testing.assert_close(halves_r4, whole_r4, rtol=0, atol=1e-5)
    assert not torch.allclose(forgetful_r4, whole_r4, rtol=0, atol=1e-3)


@pytest.mark.parametrize("variant", ["mobilenetv3", "resnet50", "squeezenet"])
@pytest.mark.parametrize(("size", "ratio"), [((1, 1), 1), ((17, 31), 1), ((33, 95), 0.5), ((101, 67), 0.3)])
def test_any_size_comes_back_as_it_went_in(variant: str, size: tuple[int, int], ratio: float):
    network = MattingNetwork(variant, "fast_guided_filter").eval()
    fgr, pha, *states = network(torch.rand(1, 3, *size), downsample_ratio=ratio)
    assert fgr.shape == (1, 3, *size)
    assert pha.shape == (1, 1, *size)
    for output in (fgr, pha):
        assert output.min() >= 0
        assert output.max() <= 1
    network(torch.rand(1, 3, *size), *states, downsample_ratio=ratio)  # and the states fit the next frame


@pytest.mark.parametrize(
    ("variant", "channels"),
    [("mobilenetv3", (16, 20, 40, 64)), ("resnet50", (16, 32, 64, 128)), ("squeezenet", (8, 16, 24, 48))],
)
def test_segmentation_pass_gives_low_resolution_logits_and_states(variant: str, channels: tuple[int, ...]):
    network = MattingNetwork(variant).eval()
    seg, *states = network(torch.rand(2, 2, 3, 41, 60), downsample_ratio=0.5, segmentation_pass=True)
    assert seg.shape == (2, 2, 1, 20, 30)
    sizes = (10, 15), (5, 8), (3, 4), (2, 2)
    assert [tuple(state.shape) for state in states] == [
        (2, count, *size) for count, size in zip(channels, sizes, strict=True)
    ]


def test_segmentation_and_matte_share_the_memory(network: MattingNetwork):
    frame = torch.rand(1, 3, 32, 48)
    _, *after_segmentation = network(frame, segmentation_pass=True)
    _, _, *after_matte = network(frame)
    for one, other in zip(after_segmentation, after_matte, strict=True):
        torch.testing.assert_close(one, other)


def test_the_parts_give_what_the_whole_gives(network: MattingNetwork):
    source = torch.rand(1, 3, 64, 96)
    base = downsample(source, 0.5)
    residual_alpha, hidden, states = network.decode(base, network.encode(base), network.initial_states(1, 32, 48))
    a, b = network.refiner.coefficients(base, residual_alpha, hidden)
    assert a.shape == b.shape == (1, 4, 32, 48)
    parts = *foreground_and_alpha(source, apply_coefficients(source, a, b)), *states

    for part, whole in zip(parts, network(source, downsample_ratio=0.5), strict=True):
        torch.testing.assert_close(part, whole)


def test_full_resolution_is_not_refined(network: MattingNetwork):
    source = torch.rand(1, 3, 32, 48)
    residual_alpha, *_ = network.decode(source, network.encode(source), network.initial_states(1, 32, 48))
    _, alpha = foreground_and_alpha(source, residual_alpha)
    torch.testing.assert_close(network(source)[1], alpha)


def test_fast_guided_filter_recovers_an_alpha_that_follows_the_source():
    fine = torch.zeros(1, 3, 64, 64)
    fine[..., 20:45] = 1  # edges at full resolution that the low resolution can't hold
    base = downsample(fine, 0.25)
    residual_alpha = torch.cat([torch.zeros(1, 3, 16, 16), 0.8 * base[:, :1] + 0.1], dim=1)
    refined = FastGuidedFilter()(fine, base, residual_alpha, hidden=torch.empty(0))
    inside = slice(8, -8)  # the zero padding counts at the border
    torch.testing.assert_close(
        refined[0, 3, inside, inside], (0.8 * fine + 0.1)[0, 0, inside, inside], rtol=0, atol=2e-3
    )


def test_construction_touches_no_network(monkeypatch: pytest.MonkeyPatch):
    def refuse(*args, **kwargs):
        raise AssertionError("opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    MattingNetwork("mobilenetv3")
    MattingNetwork("resnet50")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "resnet18"}, "variant: got 'resnet18', wanted one of mobilenetv3, resnet50, squeezenet"),
        (
            {"refiner": "none"},
            "refiner: got 'none', wanted one of deep_guided_filter, fast_guided_filter",
        ),
    ],
)
def test_unknown_choices_are_named(arguments: dict[str, str], message: str):
    with pytest.raises(ValueError, match=message):
        MattingNetwork(**arguments)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 1, 32, 32), (1, 2, 3, 4, 32, 32), (1, 3, 2, 32, 32)])
def test_source_of_another_rank_or_channel_count_is_refused(network: MattingNetwork, shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"src: got shape \(.*wanted \(B, 3, H, W\)"):
        network(torch.rand(shape))


@pytest.mark.parametrize("ratio", [0.0, -0.5, 1.01, float("nan")])
def test_ratio_out_of_range_is_refused(network: MattingNetwork, ratio: float):
    with pytest.raises(ValueError, match=r"downsample_ratio: got .*, wanted a number over 0 and up to 1"):
        network(torch.rand(1, 3, 32, 32), downsample_ratio=ratio)


def test_ratio_that_leaves_no_pixel_is_refused(network: MattingNetwork):
    with pytest.raises(ValueError, match=r"downsample_ratio: got 0\.01, wanted .* 32x200"):
        network(torch.rand(1, 3, 32, 200), downsample_ratio=0.01)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_state_of_another_size_is_refused(network: MattingNetwork, number: int):
    states = list(network.initial_states(1, 64, 64))
    states[number - 1] = states[number - 1][..., :-1]
    with pytest.raises(ValueError, match=rf"r{number}: got shape .*, wanted .*; give None"):
        network(torch.rand(1, 3, 64, 64), *states)
