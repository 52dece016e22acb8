"""Our SqueezeNet is torchvision's."""

import pytest
import torch
from torch import nn
from torchvision.models import squeezenet1_1

from rvm.encoder import SqueezeNetEncoder
from rvm.squeezenet import squeezenet_features


@pytest.mark.parametrize("layers", [12, 13])
def test_layers_and_key_names_are_torchvisions(layers: int):
    theirs, ours = squeezenet1_1(weights=None).features[:layers].eval(), squeezenet_features(layers).eval()
    ours.load_state_dict(theirs.state_dict())
    picture = torch.rand(2, 3, 101, 67)
    assert torch.equal(ours(picture), theirs(picture))


@pytest.mark.parametrize("size", [(1, 1), (37, 53), (64, 96), (180, 321)])
def test_odd_sides_round_up(size: tuple[int, int]):
    features = SqueezeNetEncoder().eval()(torch.rand(1, 3, *size))
    shapes = [tuple(feature.shape[2:]) for feature in features]
    assert shapes == [tuple(-(-side // step) for side in size) for step in (2, 4, 8, 16)]


def test_fresh_weights_keep_the_scale_of_what_comes_in():
    torch.manual_seed(0)
    convolutions = [module for module in squeezenet_features().modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 1 + 8 * 3
    answer = squeezenet_features()(torch.randn(4, 3, 64, 64))
    assert 0.1 < answer.std() < 10
