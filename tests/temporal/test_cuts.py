"""Another shot is noticed at its first frame; motion, light, grain and a shaking hand are none."""

import cv2
import numpy as np
import pytest

from video_harmonizer.frame import Frame
from video_harmonizer.temporal.cuts import CutDetector

HEIGHT, WIDTH = 90, 160
ROOM, STREET = 1, 2


def place(number: int, shift: int = 0) -> np.ndarray:
    """Somewhere with large shapes of its own, (90, 160, 3) uint8, seen ``shift`` pixels further on."""
    coarse = np.random.default_rng(number).integers(0, 256, (7, 40, 3), dtype=np.uint8)
    return cv2.resize(coarse, (6 * WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)[:, shift : shift + WIDTH]


def cuts_in(pictures: list[np.ndarray]) -> list[int]:
    """The frames that are marked."""
    subject = CutDetector()
    marked = [subject.marked(Frame(picture, index, index / 25)) for index, picture in enumerate(pictures)]
    return [frame.index for frame in marked if frame.cut]


@pytest.mark.parametrize("full", [1, 257])
def test_every_shots_first_frame_is_marked(full: int):
    shots = [place(ROOM)] * 8 + [place(STREET)] * 3 + [place(ROOM)] * 8
    assert cuts_in([picture.astype(np.uint8 if full == 1 else np.uint16) * full for picture in shots]) == [8, 11]


def test_cut_is_noticed_while_the_camera_moves():
    assert cuts_in([place(ROOM, 4 * n) for n in range(10)] + [place(STREET, 4 * n) for n in range(10)]) == [10]


@pytest.mark.parametrize("full", [1, 257])
def test_camera_that_moves_makes_no_cuts(full: int):
    dtype = np.uint8 if full == 1 else np.uint16
    assert cuts_in([place(ROOM, 3 * n).astype(dtype) * full for n in range(100)]) == []


def test_quick_pan_is_taken_for_two_cuts_at_most():
    assert cuts_in([place(ROOM, 40 * n) for n in range(20)]) == [1, 2]


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("level", [0, 255])
def test_cuts_on_both_sides_of_a_flash_are_marked(level: int, frames: int):
    random, flash = np.random.default_rng(0), [np.full((HEIGHT, WIDTH, 3), level, np.uint8)] * frames
    for one, other in random.integers(0, 99, (20, 2)):
        assert cuts_in([place(one)] * 8 + flash + [place(other)] * 8) == [8, 8 + frames]


def test_very_short_shot_is_one():
    for number in range(20):
        assert cuts_in([place(number)] * 8 + [place(number + 1)] + [place(number + 2)] * 8) == [8, 9]


def test_somebody_who_steps_before_the_camera_is_no_cut():
    pictures = []
    for n in range(40):
        picture = place(ROOM).copy()
        picture[20:, : 4 * n] = (30, 60, 200)
        pictures.append(picture)
    assert cuts_in(pictures) == []


def test_light_that_is_switched_on_is_no_cut():
    assert cuts_in([place(ROOM) // 4] * 5 + [place(ROOM)] * 5 + [place(ROOM) // 4] * 5) == []


@pytest.mark.parametrize("full", [1, 257])
def test_grain_in_a_dark_room_is_no_cut(full: int):
    random, dtype = np.random.default_rng(0), np.uint8 if full == 1 else np.uint16
    grain = [random.normal(30, 25, (HEIGHT, WIDTH, 3)).clip(0, 255) for _ in range(30)]
    assert cuts_in([picture.astype(dtype) * full for picture in grain]) == []


def test_shots_around_black_frames_are_marked():
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert cuts_in([place(ROOM)] * 5 + [black] * 4 + [place(STREET)] * 5) == [5, 9]


def test_blank_frames_are_all_alike():
    assert cuts_in([np.full((HEIGHT, WIDTH, 3), level, np.uint8) for level in (0, 0, 255, 255, 60)]) == []


def test_first_frame_after_a_reset_is_no_cut():
    subject = CutDetector()
    subject.marked(Frame(place(ROOM), 0, 0.0))
    subject.reset()
    assert not subject.marked(Frame(place(STREET), 1, 0.04)).cut
