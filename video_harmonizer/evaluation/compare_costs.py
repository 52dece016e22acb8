"""What a harmonizer costs: parameters, arithmetic and time."""

from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from video_harmonizer.evaluation.evaluate import milliseconds
from video_harmonizer.harmonizers.duconet_estimator import DucoNetEstimator, HarmonizeStep
from video_harmonizer.harmonizers.estimate_step import EstimateStep
from video_harmonizer.harmonizers.estimator import CurveEstimator
from video_harmonizer.temporal.steady import Estimator


@dataclass(frozen=True)
class Cost:
    """Of one estimate, which is asked for when the light changes, not at every frame."""

    parameters: int
    macs: int  # multiply-accumulates of convolutions and matrix products
    milliseconds: float  # thumbnails to curves, the median


def cost_of(estimator: Estimator) -> Cost:
    """Measure it; a formula has neither parameters nor such arithmetic."""
    time = milliseconds(estimator)
    if not isinstance(estimator, CurveEstimator | DucoNetEstimator):
        return Cost(0, 0, time)
    return Cost(sum(one.numel() for one in estimator.step.parameters()), macs(estimator.step, estimator.side), time)


def macs(step: EstimateStep | HarmonizeStep, side: int) -> int:
    """Multiply-accumulates for pictures of that side. Nothing is computed: only shapes go through the network."""
    with FakeTensorMode(allow_non_fake_inputs=True), FlopCounterMode(display=False) as counter, torch.no_grad():
        step(*step.example(side, device=next(step.parameters()).device))
    return counter.get_total_flops() // 2  # it counts products and sums
