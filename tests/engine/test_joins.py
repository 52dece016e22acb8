"""Sums in place of joins: the same answers, and only where joining would take longer."""

from typing import Any

import numpy as np
import pytest

from rvm import MattingNetwork
from video_harmonizer.matting.network import decode_step

engine = pytest.importorskip("video_harmonizer.engine.openvino")
joins = pytest.importorskip("video_harmonizer.engine.joins")


def joined(channels: tuple[int, ...], axis: int = 1) -> Any:
    """A strided, padded convolution of several inputs of 6x7 pixels, joined."""
    inputs = [engine.opset.parameter([1, count, 6, 7], np.float32) for count in channels]
    together = engine.opset.concat(inputs, axis)
    weights = np.random.default_rng(0).standard_normal((5, together.get_output_shape(0)[1], 3, 3)).astype(np.float32)
    return engine.ov.Model([engine.opset.convolution(together, weights, [2, 1], [1, 0], [0, 1], [1, 1])], inputs)


def kinds(model: Any) -> list[str]:
    return [step.get_type_name() for step in model.get_ops()]


def answer(model: Any) -> np.ndarray:
    random = np.random.default_rng(1)
    inputs = [random.standard_normal(list(given.shape)).astype(np.float32) for given in model.inputs]
    return engine._core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(inputs)[0]


@pytest.mark.parametrize("channels", [(8, 3), (16, 4, 3)])
def test_odd_channels_are_summed_to_the_same_answer(channels: tuple[int, ...]):
    model = joined(channels)
    expected = answer(joined(channels))
    joins.sum_instead_of_joining(model)
    assert "Concat" not in kinds(model)
    assert kinds(model).count("Convolution") == len(channels)
    np.testing.assert_allclose(answer(model), expected, atol=1e-4)


@pytest.mark.parametrize(("channels", "axis"), [((8, 16), 1), ((3, 3), 2)], ids=["whole groups", "other axis"])
def test_other_joins_stay(channels: tuple[int, ...], axis: int):
    model = joined(channels, axis)
    joins.sum_instead_of_joining(model)
    assert kinds(model).count("Concat") == kinds(model).count("Convolution") == 1


def test_a_join_that_others_need_too_stays():
    model = joined((8, 3))
    (join,) = (step for step in model.get_ops() if step.get_type_name() == "Concat")
    model.add_results([engine.opset.result(join)])
    joins.sum_instead_of_joining(model)
    assert kinds(model).count("Concat") == kinds(model).count("Convolution") == 1


def test_a_matting_decoder_joins_nothing_value_by_value():
    decoder = engine._convert(*decode_step(MattingNetwork("mobilenetv3"), 32, 48, refined=True))
    odd = [
        step
        for step in decoder.get_ops()
        if step.get_type_name() == "Concat"
        and any(value.get_shape()[1:2] == [3] for value in step.input_values())
        and step.output(0).get_target_inputs().pop().get_node().get_type_name() == "Convolution"
    ]
    assert not odd
