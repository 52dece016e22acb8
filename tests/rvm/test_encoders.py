"""Our SqueezeNet and MobileNetV3 are torchvision's, without its second of import."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v3_large, squeezenet1_1

from rvm.encoder import ContextBlock, SqueezeNetEncoder
from rvm.mobilenetv3 import mobilenetv3_features
from rvm.squeezenet import squeezenet_features


@pytest.mark.parametrize("layers", [12, 13])
def test_layers_and_key_names_are_torchvisions(layers: int):
    theirs, ours = squeezenet1_1(weights=None).features[:layers].eval(), squeezenet_features(layers).eval()
    ours.load_state_dict(theirs.state_dict())
    picture = torch.rand(2, 3, 101, 67)
    assert torch.equal(ours(picture), theirs(picture))


@pytest.mark.parametrize("training", [False, True])
def test_mobilenetv3_is_torchvisions(training: bool):
    torch.manual_seed(0)
    theirs = mobilenet_v3_large(weights=None, dilated=True).features.train(training)
    ours = mobilenetv3_features().train(training)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.get_buffer("running_mean").uniform_(-0.5, 0.5)
            module.get_buffer("running_var").uniform_(0.5, 1.5)
    ours.load_state_dict(theirs.state_dict())
    picture = torch.rand(2, 3, 101, 67)
    assert torch.equal(ours(picture), theirs(picture))
    assert all(torch.equal(value, theirs.state_dict()[key]) for key, value in ours.state_dict().items())


def test_networks_of_the_live_path_do_without_torchvision():
    program = """
import sys
import rvm, video_harmonizer.commands, video_harmonizer.harmonizers.curvenet, video_harmonizer.harmonizers.s2crnet
for variant in ("mobilenetv3", "squeezenet"):
    rvm.MattingNetwork(variant)
print("torchvision" in sys.modules)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "False", done.stderr


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


def test_a_context_block_starts_as_nothing_and_then_sees_three_cells_around():
    torch.manual_seed(0)
    block, x = ContextBlock(8).eval(), torch.rand(1, 8, 9, 9)
    assert torch.equal(block(x), x)
    last = block.residual[-1]
    assert isinstance(last, nn.Conv2d)
    nn.init.normal_(last.weight)
    other = x.clone()
    other[0, 0, 4, 4] += 1
    changed = (block(other) - block(x)).abs().sum(1)[0] > 0
    assert changed.nonzero().min() == 1  # columns and rows 1 to 7
    assert changed.nonzero().max() == 7
    assert changed[1:8, 1:8].float().mean() > 0.9
