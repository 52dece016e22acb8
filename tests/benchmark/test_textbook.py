"""The textbook pipeline shows the same picture as ours: only then is its speed one to compare with."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import matting_checkpoint
from red_person import RED, person_in, picture, save_weights, wall_in

from rvm import MattingNetwork
from video_harmonizer import weights
from video_harmonizer.background import Picture
from video_harmonizer.benchmark.meters import Stopwatch
from video_harmonizer.benchmark.textbook import AnyMatting, Textbook, WholeNetwork, load_s2crnet, sum_of_clamps
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.frame import Frame
from video_harmonizer.harmonizers.curves import render
from video_harmonizer.harmonizers.estimator import load_estimator
from video_harmonizer.matting.network import load_network
from video_harmonizer.matting.rvm import RVMMatting
from video_harmonizer.pipeline import Pipeline
from video_harmonizer.rendering.renderer import CPURenderer
from video_harmonizer.temporal.smoother import CurveSmoother
from video_harmonizer.temporal.steady import SteadyEstimator
from video_harmonizer.weights.load import read_state

CPU = torch.device("cpu")
RATIO = 0.5  # so that the refiner takes part
FRAMES = 4


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_weights(tmp_path_factory.mktemp("weights") / "red_person.pth")


@pytest.fixture
def textbook(checkpoint: Path) -> Textbook:
    whole = WholeNetwork(load_network(read_state(checkpoint), "red"), RATIO, CPU)
    return Textbook(whole, load_s2crnet(weights.path("s2crnet")), CPU)


def our_matting(checkpoint: Path) -> RVMMatting:
    return RVMMatting(
        matting_checkpoint(load_network(read_state(checkpoint), "red")), RATIO, TorchEngine("cpu"), settling=0
    )


def frames() -> list[Frame]:
    return [Frame(picture(index), index, float(Fraction(index, 30))) for index in range(FRAMES)]


def backdrop() -> np.ndarray:
    """(48, 64, 3) uint8: a warm evening sky."""
    rgb = np.empty((48, 64, 3), np.uint8)
    rgb[:] = np.linspace((240, 150, 60), (60, 20, 40), 48).round()[:, None]
    return rgb


def test_equation_1_as_written_and_in_the_fast_form_agree():
    image = torch.rand(1, 3, 20, 30, dtype=torch.float64)
    parameters = torch.rand(1, 2, 3, 64, dtype=torch.float64)
    torch.testing.assert_close(sum_of_clamps(image, parameters), render(image, parameters))


def test_picture_is_that_of_the_pipeline_within_two_levels(checkpoint: Path, textbook: Textbook):
    """Ours has alpha, curves and blend in whole levels, the textbook in float; half a level each may add up."""
    scene = backdrop()
    ours = Pipeline(
        matting=our_matting(checkpoint),
        background=Picture("scene", scene),
        estimator=SteadyEstimator(load_estimator("s2crnet", weights.path("s2crnet"), TorchEngine("cpu")), interval=0),
        smoother=CurveSmoother(0),
        renderer=CPURenderer(["harmonized"]),
    )
    for index, frame in enumerate(frames()):
        wanted = ours.process(frame).images["harmonized"].astype(int)
        got = textbook.process(frame, scene, Stopwatch()).astype(int)
        difference = np.abs(got - wanted)
        assert difference.max() <= 2
        assert difference.mean() < 0.1
        assert np.abs(got[person_in(index)] - RED).mean() > 3  # the person was harmonized
        np.testing.assert_array_equal(got[wall_in(index)], scene[wall_in(index)])


def test_any_matting_gives_the_textbook_its_mattes(checkpoint: Path, textbook: Textbook):
    theirs = Textbook(AnyMatting(our_matting(checkpoint)), load_s2crnet(weights.path("s2crnet")), CPU)
    for frame in frames():
        wanted = textbook.process(frame, backdrop(), Stopwatch()).astype(int)
        got = theirs.process(frame, backdrop(), Stopwatch()).astype(int)
        assert np.abs(got - wanted).max() <= 2


def test_nobody_is_harmonized_where_there_is_nobody(textbook: Textbook):
    empty = Frame(np.full((48, 64, 3), 120, np.uint8), 0, 0.0)
    np.testing.assert_array_equal(textbook.process(empty, backdrop(), Stopwatch()), backdrop())


def test_after_a_reset_a_clip_gives_the_same_again():
    torch.manual_seed(0)
    network = MattingNetwork("mobilenetv3", "fast_guided_filter")  # whose answer depends on its memory
    state = network.state_dict()
    state["project_mat.conv.weight"] *= 10
    state["project_mat.conv.bias"][3] = 0.5
    textbook = Textbook(WholeNetwork(network, RATIO, CPU), load_s2crnet(weights.path("s2crnet")), CPU)
    first, second = frames()[:2]
    before = textbook.process(first, backdrop(), Stopwatch())
    textbook.process(second, backdrop(), Stopwatch())
    remembering = textbook.process(first, backdrop(), Stopwatch())
    textbook.reset()
    np.testing.assert_array_equal(textbook.process(first, backdrop(), Stopwatch()), before)
    assert (remembering != before).any()


def test_each_step_is_timed_once_a_frame(textbook: Textbook):
    watch = Stopwatch()
    for frame in frames():
        textbook.process(frame, backdrop(), watch)
    assert {stage: len(times) for stage, times in watch.seconds.items()} == dict.fromkeys(
        ("matting", "estimate", "render"), FRAMES
    )
