"""A matting network for machines without published weights: what it costs is right, whom it finds is roughly so."""

from pathlib import Path

import torch

from rvm import MattingNetwork

START, STEEPNESS = 0.1, 40.0  # alpha is 0 up to this excess of red over blue, and 1 a fortieth later


def save_stand_in(path: Path, variant: str) -> Path:
    """Write a checkpoint with all layers of the published network, whose weights take skin and orange for a person.

    These are face and clothes of the portrait in the own clip, so that the shares of person, edge and background, on
    which rendering's cost depends, are as in life. All other weights are random, and computed with all the same.
    """
    torch.manual_seed(0)
    state = MattingNetwork(variant, "deep_guided_filter").state_dict()
    first, second = state["decoder.decode0.conv.0.weight"], state["decoder.decode0.conv.3.weight"]
    project, bias = state["project_mat.conv.weight"], state["project_mat.conv.bias"]
    for weight in (first[0], second[0], project, bias, state["refiner.conv.6.weight"], state["refiner.conv.6.bias"]):
        weight.zero_()
    red, blue = first.shape[1] - 3, first.shape[1] - 1  # the source's channels come last
    first[0, red, 1, 1], first[0, blue, 1, 1] = 1, -1
    second[0, 0, 1, 1] = 1
    project[3, 0], bias[3] = STEEPNESS, -STEEPNESS * START
    torch.save(state, path)
    return path
