"""A matting network's second half in 8 bits, by what it usually sees: scikit-image's photographs."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from skimage import data
from torch import Tensor, nn

from rvm import MattingNetwork
from video_harmonizer.engine.int8 import in_int8
from video_harmonizer.matting.network import DecodeStep

SIZE = 144, 256  # of the pictures: some networks are shown larger ones, whose values are much the same
ROUNDS = 3  # through the photographs


def decode_step_in_int8(network: MattingNetwork, refined: bool) -> nn.Module:
    """`DecodeStep`, for pictures of any size, with its larger convolutions rounded."""
    return in_int8(DecodeStep(network.eval(), refined), decode_calls(network, refined))


@torch.inference_mode()
def decode_calls(network: MattingNetwork, refined: bool) -> list[Sequence[Tensor]]:
    """Inputs of calls of `DecodeStep`, whose memory is that of the call before: somebody comes, moves and goes."""
    step = DecodeStep(network.eval(), refined)
    memory: Sequence[Tensor] = network.initial_states(1, *SIZE)
    calls: list[Sequence[Tensor]] = []
    for picture in pictures():
        calls.append((picture, *network.encode(picture), *memory))
        memory = step(*calls[-1])[: len(memory)]
    return calls


def pictures() -> Iterator[Tensor]:
    """(1, 3, *SIZE), 0..1: parts of photographs, large and small, dark and bright, with and without somebody."""
    random = np.random.default_rng(0)
    for photograph in (data.astronaut(), data.astronaut(), data.camera(), data.coffee()) * ROUNDS:
        rows, columns = photograph.shape[:2]
        height = int(random.uniform(0.5, 1) * min(rows, columns * SIZE[0] / SIZE[1]))
        width = height * SIZE[1] // SIZE[0]
        top, left = random.integers(0, rows - height, endpoint=True), random.integers(0, columns - width, endpoint=True)
        part = photograph[top : top + height, left : left + width].reshape(height, width, -1)
        pixels = torch.from_numpy(part).permute(2, 0, 1)[None].expand(1, 3, -1, -1) / 255
        yield (F.interpolate(pixels, SIZE, mode="area") * random.uniform(0.5, 1.3)).clamp(0, 1)
