"""RobustVideoMatting's network, and its halves as engines run them: for those who convert it, or run it in torch."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from rvm import MattingNetwork
from rvm.encoder import MobileNetV3Encoder
from rvm.refiner import FastGuidedFilter
from video_harmonizer.weights.checkpoint import Facts
from video_harmonizer.weights.load import load_into, read_state

# a layer that one variant alone has
SIGNS = {"backbone.conv1.weight": "resnet50", "backbone.thin.0.weight": "squeezenet"}


class EncodeStep(nn.Module):
    """The network's first half: (1, 3, h, w) float 0..1 -> features at four sizes."""

    def __init__(self, network: MattingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, base: Tensor) -> tuple[Tensor, ...]:
        return self.network.encode(base)


class ShallowStep(nn.Module):
    """Of a network with MobileNetV3, the layers up to its dilated ones: f1..f3, and what those work on."""

    def __init__(self, network: MattingNetwork) -> None:
        super().__init__()
        self.backbone = _mobilenetv3(network)

    def forward(self, base: Tensor) -> tuple[Tensor, ...]:
        return self.backbone.shallow(base)


class DeepStep(nn.Module):
    """The dilated layers, and what follows to the features at the smallest size."""

    def __init__(self, network: MattingNetwork) -> None:
        super().__init__()
        self.backbone, self.aspp, self.context = _mobilenetv3(network), network.aspp, network.context

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.context(self.aspp(self.backbone.deep(x))),)


def _mobilenetv3(network: MattingNetwork) -> MobileNetV3Encoder:
    assert isinstance(network.backbone, MobileNetV3Encoder)
    return network.backbone


class DecodeStep(nn.Module):
    """Its second half, that remembers, and the guided filter's coefficients where these take weights.

    The same picture, its features and the memory -> the memory; its sum, which is finite if all of it is; and
    residual R, G, B and alpha, (4, h, w), or slopes and offsets of these over the picture, (4, h, w) each.
    """

    def __init__(self, network: MattingNetwork, refined: bool) -> None:
        super().__init__()
        self.network = network
        self.weighs = refined and not isinstance(network.refiner, FastGuidedFilter)

    def forward(self, base: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        features, memory = given[:4], given[4:]
        residual_alpha, hidden, memory = self.network.decode(base, features, memory)
        answer: tuple[Tensor, ...] = (residual_alpha,)
        if self.weighs:
            answer = self.network.refiner.coefficients(base, residual_alpha, hidden)
        total = torch.stack([state.sum() for state in memory]).sum()
        return *memory, total, *(part[0] for part in answer)


def encode_step(network: MattingNetwork, height: int, width: int) -> tuple[nn.Module, Sequence[Tensor]]:
    """The first half for pictures of that size, and one call's inputs."""
    return EncodeStep(network.eval()), (_blank(network, height, width),)


def shallow_step(network: MattingNetwork, height: int, width: int) -> tuple[nn.Module, Sequence[Tensor]]:
    """`ShallowStep`, likewise."""
    return ShallowStep(network.eval()), (_blank(network, height, width),)


def deep_step(network: MattingNetwork, height: int, width: int) -> tuple[nn.Module, Sequence[Tensor]]:
    """`DeepStep`, likewise."""
    with torch.inference_mode():
        *_, x = ShallowStep(network.eval())(_blank(network, height, width))
    return DeepStep(network), (x,)


ENCODING = {"all": encode_step, "shallow": shallow_step, "deep": deep_step}


def decode_step(network: MattingNetwork, height: int, width: int, refined: bool) -> tuple[DecodeStep, Sequence[Tensor]]:
    """The second half, likewise; ``refined`` where a guided filter follows."""
    base = _blank(network, height, width)
    with torch.inference_mode():
        features = EncodeStep(network.eval())(base)
    return DecodeStep(network, refined), (base, *features, *network.initial_states(1, height, width))


def _blank(network: MattingNetwork, height: int, width: int) -> Tensor:
    like = network.initial_states(1, height, width)[0]
    return like.new_zeros(1, 3, height, width)


def load_network(state: dict[str, Tensor], name: str) -> MattingNetwork:
    """The network that a checkpoint in the published layout belongs to, with its weights.

    Args:
        state: key -> float32 tensor. Its keys tell the variant, and the refiner: the deep one has weights.
        name: the checkpoint's, for messages.

    Raises:
        InputError: naming the keys and shapes that don't fit.
    """
    variant = next((v for key, v in SIGNS.items() if key in state), "mobilenetv3")
    refined = any(key.startswith("refiner.") for key in state)
    network = MattingNetwork(variant, "deep_guided_filter" if refined else "fast_guided_filter")
    load_into(network, state, name)
    return network


def read_network(path: Path, name: str) -> tuple[MattingNetwork, Facts]:
    """The network of a checkpoint, and what `rvm.RVMMatting` knows of it before; errors as `load_network`'s."""
    network = load_network(read_state(path), name)
    return network, {"variant": network.variant}
