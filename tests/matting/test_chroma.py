"""Keying drawn people before uneven, noisy screens, whose alpha and colours are known."""

import logging
import re
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, Matte
from video_harmonizer.matting import Matting
from video_harmonizer.matting.chroma import ChromaKey

HEIGHT, WIDTH = 288, 480
GREEN, BLUE = (20, 170, 70), (20, 70, 190)
SKIN, HAIR, SHIRT, SLEEVE = (215, 165, 135), (45, 32, 28), (180, 40, 45), (200, 198, 205)


@dataclass
class Shot:
    """What was put together, all in 8-bit levels but ``alpha`` in 0..1, and the frame that came out."""

    frame: Frame
    alpha: np.ndarray
    person: np.ndarray
    screen: np.ndarray


def light(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """(H, W, 1): a lamp's falloff and a soft shadow."""
    y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    falloff = 1.05 - 0.3 * np.hypot(x - 0.4, y - 0.3)
    return (falloff - 0.2 * np.exp(-((x - 0.8) ** 2 / 0.02 + (y - 0.7) ** 2 / 0.06)))[..., None]


def person() -> tuple[np.ndarray, np.ndarray]:
    """Alpha (H, W) and colours (H, W, 3): a face with strands of hair, a textured shirt, a sleeve in motion."""
    random = np.random.default_rng(1)
    texture = 60 * cv2.GaussianBlur(random.normal(size=(HEIGHT, WIDTH)), (0, 0), 2)[..., None]
    alpha, colors = np.zeros((HEIGHT, WIDTH, 1)), np.full((HEIGHT, WIDTH, 3), 90.0)

    def add(shape: np.ndarray, color: tuple[int, int, int], blur: tuple[int, int]) -> None:
        nonlocal alpha, colors
        cover = cv2.GaussianBlur(cv2.resize(shape, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), blur, 0)[..., None]
        over = cover + alpha * (1 - cover)
        mixed = cover * (np.array(color) + texture) + (1 - cover) * alpha * colors
        colors, alpha = np.where(over > 0, mixed / np.maximum(over, 1e-9), colors), over

    def empty() -> np.ndarray:
        return np.zeros((4 * HEIGHT, 4 * WIDTH), np.float32)

    add(cv2.ellipse(empty(), (960, 1152), (340, 500), 0, 0, 360, 1, -1), SHIRT, (5, 5))
    add(cv2.rectangle(empty(), (1250, 600), (1600, 740), 1, -1), SLEEVE, (31, 1))
    add(cv2.ellipse(empty(), (960, 420), (180, 230), 0, 0, 360, 1, -1), SKIN, (5, 5))
    hair = cv2.ellipse(empty(), (960, 300), (200, 160), 0, 180, 360, 1, -1)
    for angle in np.linspace(np.pi, 2 * np.pi, 40):
        root, tip = ((int(960 + r * np.cos(angle)), int(300 + r * np.sin(angle))) for r in (150, 290))
        cv2.line(hair, root, tip, 1, 6, cv2.LINE_AA)
    add(hair, HAIR, (3, 3))
    return alpha[..., 0], np.clip(colors, 0, 255)


def shoot(
    color: tuple[int, int, int] = GREEN,
    noise: float = 4,
    spill: float = 0,
    dtype: type = np.uint8,
    alpha: np.ndarray | None = None,
    index: int = 0,
) -> Shot:
    """Film `person` before a screen. ``spill`` is how much of the screen's light falls on them."""
    drawn, colors = person()
    alpha = drawn if alpha is None else alpha
    screen = np.array(color) * light()
    mixed = alpha[..., None] * (colors + spill * screen) + (1 - alpha[..., None]) * screen
    mixed += np.random.default_rng(index).normal(scale=noise, size=mixed.shape)
    top = int(np.iinfo(dtype).max)
    rgb = np.clip(np.rint(mixed * top / 255), 0, top).astype(dtype)
    return Shot(Frame(rgb, index, index / 25), alpha, colors, screen)


def error(matte: Matte, shot: Shot) -> np.ndarray:
    """(H, W): alpha's distance from what it should be."""
    return np.abs(matte.alpha / 255 - shot.alpha)


def edge(shot: Shot) -> np.ndarray:
    """(H, W) bool: neither wholly the person nor wholly the screen."""
    return (shot.alpha > 0.02) & (shot.alpha < 0.98)


def inside(shot: Shot, pixels: int) -> np.ndarray:
    """(H, W) bool: the person, so far from the edge."""
    reach = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return cv2.erode((shot.alpha == 1).astype(np.uint8), reach) > 0


def paste(alpha: np.ndarray, colors: np.ndarray, backdrop: float = 128) -> np.ndarray:
    return alpha[..., None] * colors + (1 - alpha[..., None]) * backdrop


def greenness(rgb: np.ndarray) -> np.ndarray:
    return np.maximum(rgb[..., 1] - np.maximum(rgb[..., 0], rgb[..., 2]), 0)


# --- alpha ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("color", "key", "noise", "dtype"),
    [
        (GREEN, None, 4, np.uint8),
        (GREEN, None, 4, np.uint16),
        (GREEN, None, 8, np.uint8),
        (GREEN, (0, 255, 0), 4, np.uint8),
        (BLUE, None, 4, np.uint8),
        (BLUE, (0, 71, 187), 4, np.uint8),
        ((110, 200, 120), None, 4, np.uint8),  # pale
        ((15, 70, 30), None, 3, np.uint8),  # dark
        ((200, 40, 190), (255, 0, 255), 4, np.uint8),  # magenta
    ],
)
def test_alpha_is_right(color: tuple[int, int, int], key: tuple[int, int, int] | None, noise: float, dtype: type):
    shot = shoot(color, noise, dtype=dtype)
    matte = ChromaKey(key).matte(shot.frame)
    assert matte.alpha.dtype == np.uint8
    assert error(matte, shot).mean() <= 0.02
    assert error(matte, shot)[shot.alpha == 0].mean() <= 0.005
    assert error(matte, shot)[shot.alpha == 1].mean() <= 0.01


def test_edges_stay_soft():
    shot = shoot()
    matte = ChromaKey().matte(shot.frame)
    soft = edge(shot)
    assert error(matte, shot)[soft].mean() <= 0.08
    assert abs((matte.alpha / 255 - shot.alpha)[soft].mean()) <= 0.04
    hard = np.where(matte.alpha > 127, 1.0, 0.0)
    assert error(matte, shot)[soft].mean() < 0.4 * np.abs(hard - shot.alpha)[soft].mean()


def test_motion_blur_is_a_ramp():
    ramp = np.clip((np.arange(WIDTH) - 200) / 24, 0, 1) * np.ones((HEIGHT, 1))
    shot = shoot(alpha=ramp, noise=2)
    shot.person[:] = SLEEVE
    mixed = ramp[..., None] * shot.person + (1 - ramp[..., None]) * shot.screen
    matte = ChromaKey().matte(Frame(np.rint(mixed).astype(np.uint8), 0, 0))
    assert error(matte, shot)[:, 190:234].max() <= 0.12


def test_nobody_before_the_screen():
    shot = shoot(alpha=np.zeros((HEIGHT, WIDTH)), noise=6)
    assert ChromaKey().matte(shot.frame).alpha.mean() / 255 <= 0.001


def test_person_who_covers_nearly_all_of_the_screen():
    alpha = np.ones((HEIGHT, WIDTH))
    alpha[:, :70] = 0
    shot = shoot(alpha=alpha)
    assert error(ChromaKey().matte(shot.frame), shot).mean() <= 0.02


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (36, 61), (720, 1280)])
def test_sizes(size: tuple[int, int]):
    shot = shoot(noise=0)
    small = cv2.resize(shot.frame.rgb, size[::-1], interpolation=cv2.INTER_AREA)
    matte = ChromaKey((0, 177, 64)).matte(Frame(small, 0, 0))
    assert (matte.alpha.shape, matte.foreground is not None and matte.foreground.shape) == (size, (*size, 3))
    assert min(size) < 10 or abs(matte.alpha.mean() / 255 - shot.alpha.mean()) < 0.05


def test_depth_makes_no_difference():
    shot = shoot()
    eight = ChromaKey().matte(shot.frame)
    sixteen = ChromaKey().matte(Frame(shot.frame.rgb.astype(np.uint16) * 257, 0, 0))
    assert np.abs(eight.alpha.astype(int) - sixteen.alpha).mean() < 0.5
    assert eight.foreground is not None
    assert sixteen.foreground is not None
    assert sixteen.foreground.dtype == np.uint16
    off = np.abs(eight.foreground - sixteen.foreground / 257)
    assert off[eight.alpha > 127].mean() < 1


# --- colour ---------------------------------------------------------------------------------------------------


def test_no_green_is_left_at_edges():
    shot = shoot()
    matte = ChromaKey().matte(shot.frame)
    assert matte.foreground is not None
    soft = edge(shot)
    as_filmed = greenness(paste(shot.alpha, shot.frame.rgb))[soft].mean()
    left = greenness(paste(matte.alpha / 255, matte.foreground))[soft].mean()
    assert as_filmed > 10
    assert left < 1.5


def test_composite_is_the_persons_over_the_new_background():
    shot = shoot()
    matte = ChromaKey().matte(shot.frame)
    assert matte.foreground is not None
    off = np.abs(paste(matte.alpha / 255, matte.foreground) - paste(shot.alpha, shot.person)).mean(axis=2)
    assert off.mean() < 2
    assert off[edge(shot)].mean() < 8


def test_screens_light_is_taken_off_the_person():
    shot = shoot(noise=0)
    lit = np.where((shot.alpha == 1)[..., None], 120 + 0.12 * shot.screen, shot.frame.rgb)
    lit += np.random.default_rng(0).normal(size=lit.shape)
    matte = ChromaKey().matte(Frame(np.rint(np.clip(lit, 0, 255)).astype(np.uint8), 0, 0))
    assert matte.foreground is not None
    body = inside(shot, 4)
    assert greenness(lit)[body].mean() > 7
    assert np.abs(matte.foreground[body] - 120.0).mean() < 2
    assert matte.alpha[body].min() > 220
    # not 255, at which the frame's own colour would be shown
    assert np.unique(matte.alpha[inside(shot, 12)]).tolist() == [254]


def test_opaque_pixels_without_the_screens_light_are_as_filmed():
    shot = shoot()
    assert (ChromaKey().matte(shot.frame).alpha[inside(shot, 12)] == 255).mean() > 0.98


def test_foreground_holds_no_screen_even_where_alpha_is_0():
    """Thumbnails average it across the edge."""
    shot = shoot()
    matte = ChromaKey().matte(shot.frame)
    assert matte.foreground is not None
    assert greenness(matte.foreground.astype(int))[matte.alpha == 0].mean() < 2


# --- the key --------------------------------------------------------------------------------------------------


def test_colour_is_found_and_told():
    subject: Matting = ChromaKey()
    assert subject.name == "chroma"
    subject.matte(shoot(BLUE).frame)
    assert subject.name.startswith("chroma:#")
    found = np.array(list(bytes.fromhex(subject.name[-6:])))
    assert np.abs(found - np.median(shoot(BLUE).screen, axis=(0, 1))).max() < 12
    assert ChromaKey((0, 177, 64)).name == "chroma:#00b140"


def test_key_is_kept_while_there_is_any_of_its_screen():
    subject = ChromaKey()
    subject.matte(shoot().frame)
    name = subject.name
    nearly_all = np.ones((HEIGHT, WIDTH))
    nearly_all[:, :20] = 0
    for index, shot in enumerate([shoot((16, 120, 50)), shoot(alpha=nearly_all), shoot()]):
        subject.matte(Frame(shot.frame.rgb, index + 1, (index + 1) / 25))
        assert subject.name == name


def test_another_screen_is_taken_where_the_first_has_gone():
    subject = ChromaKey()
    subject.matte(shoot().frame)
    shot = shoot(BLUE, index=1)
    assert error(subject.matte(shot.frame), shot).mean() <= 0.02


def test_the_first_screen_is_taken_again_when_it_is_back_though_clothes_have_the_other_colour():
    subject = ChromaKey()
    subject.matte(shoot().frame)
    subject.matte(shoot(BLUE, index=1).frame)
    shot = shoot(index=2)
    clothed = shot.frame.rgb.copy()
    clothed[HEIGHT // 2 - 12 : HEIGHT // 2 + 12, WIDTH // 2 - 20 : WIDTH // 2 + 20] = BLUE
    subject.matte(Frame(clothed, 2, 0.08))
    assert error(subject.matte(shoot(index=3).frame), shoot(index=3)).mean() <= 0.02
    alpha = subject.matte(Frame(clothed, 4, 0.16)).alpha
    assert alpha[HEIGHT // 2, WIDTH // 2] >= 254
    assert alpha[2, 2] == 0


def test_alpha_does_not_flicker():
    subject = ChromaKey()
    still = [subject.matte(shoot(index=index).frame).alpha / 255 for index in range(4)]
    moves = np.abs(np.diff(still, axis=0)).mean(axis=0)
    alpha = shoot().alpha
    assert moves[alpha == 0].mean() < 0.003
    assert moves[alpha == 1].mean() < 0.003
    assert moves[edge(shoot())].mean() < 0.06  # as the noise has it


def test_reset_forgets_the_screen():
    subject = ChromaKey()
    subject.matte(shoot().frame)
    subject.reset()
    assert subject.name == "chroma"
    with pytest.raises(InputError):
        subject.matte(Frame(np.full((48, 64, 3), 128, np.uint8), 0, 0))


def test_dark_leader_is_shown_as_it_is():
    subject, lit = ChromaKey(), shoot().frame
    black = np.random.default_rng(0).integers(0, 20, lit.rgb.shape, np.uint8)
    assert (subject.matte(Frame(black, 0, 0)).alpha == 255).all()
    alone = ChromaKey().matte(lit).alpha
    np.testing.assert_array_equal(subject.matte(Frame(lit.rgb, 1, 1 / 25)).alpha, alone)
    assert (alone < 255).any()


@pytest.mark.parametrize(("rows", "columns", "share"), [(9, 48, 5), (16, 64, 11)])  # a book, a poster
def test_frame_without_a_screen_is_refused(rows: int, columns: int, share: int):
    room = np.random.default_rng(0).normal((130, 125, 118), 8, (90, 160, 3)).astype(np.uint8)
    room[:rows, :columns] = GREEN
    message = (
        rf"^--matting chroma: no screen found: green or blue fills {share}% of the first lit frame, wanted 15%; "
        r"give the screen's colour, as in chroma:#00b140, or use --matting auto$"
    )
    with pytest.raises(InputError, match=message):
        ChromaKey().matte(Frame(room, 0, 0))


def test_given_colour_that_is_not_there_leaves_all_and_is_said_once(caplog: pytest.LogCaptureFixture):
    rgb = np.random.default_rng(0).normal((130, 125, 118), 3, (90, 160, 3)).astype(np.uint8)
    subject = ChromaKey((0, 177, 64))
    with caplog.at_level(logging.WARNING):
        mattes = [subject.matte(Frame(rgb, index, index / 25)) for index in range(2)]
        subject.reset()  # as after a camera's first frame, which all is made ready with
        subject.matte(Frame(rgb, 0, 0.0))
    assert min(matte.alpha.min() for matte in mattes) >= 254
    assert caplog.messages == ["chroma:#00b140: none of that colour at 0.00 s; all is taken for the person; said once"]


def test_given_colour_of_a_poster_is_keyed_with_a_warning(caplog: pytest.LogCaptureFixture):
    room = np.random.default_rng(0).normal((130, 125, 118), 8, (90, 160, 3)).astype(np.uint8)
    room[20:50, 60:100] = 0, 177, 64
    subject = ChromaKey((0, 177, 64))
    with caplog.at_level(logging.WARNING):
        mattes = [subject.matte(Frame(room, index, index / 25)) for index in range(2)]
        subject.reset()
        subject.matte(Frame(room, 0, 0.0))
    assert (mattes[0].alpha[25:45, 65:95] == 0).all()
    (message,) = caplog.messages
    assert re.fullmatch(
        r"chroma:#00b140: that colour fills only \d % of the first frame; what has it is made transparent", message
    )


@pytest.mark.parametrize("key", [(120, 118, 112), (0, 9, 0), (0, 0, 0)])
def test_key_without_colour_is_refused(key: tuple[int, int, int]):
    with pytest.raises(InputError, match=r"^--matting chroma:#[0-9a-f]{6}: too gray or dark .*; give a colour such as"):
        ChromaKey(key)


@pytest.mark.parametrize("text", ["chroma:", "chroma:green", "chroma:#00b14", "chroma:00b140", "chroma:#00b1400"])
def test_text_that_is_no_colour_is_refused(text: str):
    with pytest.raises(InputError, match=f"^--matting {text}: not a colour; write it as chroma:#00b140"):
        ChromaKey.parse(text)
