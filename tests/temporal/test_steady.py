"""Curves are asked for when the light changes, and now and then; between, the last answer stands."""

import numpy as np
import pytest

from video_harmonizer.frame import Frame, Matte, ToneCurves
from video_harmonizer.temporal.steady import CHANGE, INTERVAL, SteadyEstimator
from video_harmonizer.thumbnails import CLOSE, SIZE, Thumbnails

HEIGHT, WIDTH = 60, 80
RATE = 30


class Counting:
    """Answers with the number of the question; has no answer where nobody is in view."""

    name = "counting"
    side = SIZE
    close: int | None = None

    def __init__(self) -> None:
        self.questions = 0

    def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
        self.questions += 1
        return None if thumbnails is None else ToneCurves(np.full((3, samples), self.questions, np.float32))


def picture(level: float, dtype: type = np.uint8) -> np.ndarray:
    full = 1 if dtype == np.uint8 else 257
    return np.full((HEIGHT, WIDTH, 3), round(level * full), dtype)


def matte(share: float = 0.5) -> Matte:
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[:, : round(share * WIDTH)] = 255
    return Matte(alpha)


def asked_at(subject: SteadyEstimator, frames: list[tuple[np.ndarray, Matte, np.ndarray]]) -> list[int]:
    """The frames at which the estimator was asked."""
    asked = []
    for index, (rgb, alpha, backdrop) in enumerate(frames):
        before = subject.asked
        subject.estimate(Frame(rgb, index, index / RATE), alpha, backdrop)
        if subject.asked > before:
            asked.append(index)
    return asked


def test_steady_light_is_looked_at_every_half_second():
    still = (picture(100), matte(), picture(50))
    assert asked_at(SteadyEstimator(Counting()), [still] * 44) == [
        0,
        round(INTERVAL * RATE),
        round(2 * INTERVAL * RATE),
    ]


def test_after_a_gap_in_time_is_asked_anew_however_patient():
    subject, still = SteadyEstimator(Counting()), (picture(100), matte(), picture(50))
    subject.patience = 4
    for index, (seconds, asked) in enumerate({0.0: 1, 0.5: 1, 1.8: 2, 2.3: 2, 2.2: 3}.items()):
        subject.estimate(Frame(still[0], index, seconds), *still[1:])
        assert subject.asked == asked


def test_ready_composite_is_shown_from_near_and_one_that_is_pasted_here_is_not():
    sides: list[int] = []

    class Looking(Counting):
        close: int | None = CLOSE

        def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
            assert thumbnails is not None
            sides.append(len(thumbnails.foreground))
            return super().estimate(thumbnails, samples)

    rgb, alpha = np.zeros((600, 800, 3), np.uint8), np.zeros((600, 800), np.uint8)
    alpha[:, :400] = 255
    for scene in (rgb, rgb.copy()):
        SteadyEstimator(Looking()).estimate(Frame(rgb, 0, 0.0), Matte(alpha), scene)
    assert sides == [CLOSE, SIZE]


def test_between_estimates_the_last_answer_stands():
    subject = SteadyEstimator(Counting())
    answers = [subject.estimate(Frame(picture(100), i, i / RATE), matte(), picture(50)) for i in range(9)]
    assert all(answer is answers[0] for answer in answers)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("what", ["person", "scene", "size"])
def test_a_change_is_followed_at_once(what: str, dtype: type):
    before = (picture(100, dtype), matte(), picture(50, dtype))
    step = CHANGE + 2
    rgb = picture(100 + step * (what == "person"), dtype)
    backdrop = picture(50 + step * (what == "scene"), dtype)
    after = (rgb, matte(0.5 + 0.1 * (what == "size")), backdrop)
    assert asked_at(SteadyEstimator(Counting()), [before] * 3 + [after] * 3) == [0, 3]


def test_what_stands_behind_the_person_in_the_frame_does_not_count():
    behind = picture(100)
    behind[:, WIDTH // 2 + 4 :] = 200
    frames = [(picture(100), matte(), picture(50)), (behind, matte(), picture(50))]
    assert asked_at(SteadyEstimator(Counting()), frames) == [0]


def test_a_slow_fade_is_followed_in_steps_smaller_than_the_eye_sees():
    fade = [(picture(100 + 3 * index), matte(), picture(50)) for index in range(8)]
    assert asked_at(SteadyEstimator(Counting()), fade) == [0, 2, 4, 6]


def test_nobody_in_view_is_asked_for_at_every_frame_so_that_who_comes_is_seen():
    nobody, somebody = (picture(100), matte(0), picture(50)), (picture(100), matte(), picture(50))
    subject = SteadyEstimator(Counting())
    assert asked_at(subject, [nobody] * 3 + [somebody] * 3) == [0, 1, 2, 3]


def test_time_that_goes_back_is_another_scene():
    subject = SteadyEstimator(Counting())
    for seconds in (5.0, 4.9):
        subject.estimate(Frame(picture(100), 0, seconds), matte(), picture(50))
    assert subject.asked == 2


def test_another_shot_is_asked_about_though_its_light_is_the_same():
    subject = SteadyEstimator(Counting())
    for index in range(4):
        subject.estimate(Frame(picture(100), index, index / RATE, cut=index == 2), matte(), picture(50))
    assert subject.asked == 2


def test_an_interval_of_0_asks_at_every_frame():
    still = (picture(100), matte(), picture(50))
    assert asked_at(SteadyEstimator(Counting(), interval=0), [still] * 4) == [0, 1, 2, 3]


def test_patience_waits_longer_and_bears_more():
    still = (picture(100), matte(), picture(50))
    subject = SteadyEstimator(Counting())
    subject.patience = 2
    assert asked_at(subject, [still] * 31) == [0, round(2 * INTERVAL * RATE)]
    brighter = (picture(100 + 1.5 * CHANGE), matte(), picture(50))
    subject = SteadyEstimator(Counting())
    subject.patience = 2
    assert asked_at(subject, [still, brighter]) == [0]
