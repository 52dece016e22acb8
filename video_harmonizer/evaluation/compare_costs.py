"""What a harmonizer costs: parameters, arithmetic and time."""

from dataclasses import dataclass

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.flop_counter import FlopCounterMode

from video_harmonizer.evaluation.evaluate import milliseconds
from video_harmonizer.harmonizers.duconet_estimator import DucoNetEstimator, HarmonizeStep
from video_harmonizer.harmonizers.estimate_step import EstimateStep
from video_harmonizer.harmonizers.estimator import CurveEstimator
from video_harmonizer.temporal.steady import Estimator


@dataclass(frozen=True)
class Cost:
    """Of one estimate, which is asked for when the light changes, not at every frame."""

    parameters: int  # that work; a file may have more
    macs: int  # multiply-accumulates of convolutions and matrix products
    milliseconds: float  # thumbnails to curves, the median


def cost_of(estimator: Estimator) -> Cost:
    """Measure it; a formula has neither parameters nor such arithmetic."""
    time = milliseconds(estimator)
    if not isinstance(estimator, CurveEstimator | DucoNetEstimator):
        return Cost(0, 0, time)
    return Cost(*arithmetic(estimator.step, estimator.side), time)


def arithmetic(step: EstimateStep | HarmonizeStep, side: int) -> tuple[int, int]:
    """(parameters, multiply-accumulates) that work on pictures of that side: layers that rest do not count.

    Nothing is computed: only shapes go through the network.
    """
    used: dict[nn.Parameter, int] = {}

    def note(module: nn.Module, *_: object) -> None:
        used.update((one, one.numel()) for one in module.parameters(recurse=False))

    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        FlopCounterMode(display=False) as counter,
        torch.no_grad(),
        register_module_forward_hook(note),
    ):
        step(*step.example(side, device=next(step.parameters()).device))
    return sum(used.values()), counter.get_total_flops() // 2  # it counts products and sums
