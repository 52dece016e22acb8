"""Backgrounds: of the frame's size, depth and time, whatever was given."""

import logging
import os
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import flat_frame, make_clip

from video_harmonizer import assemble, background
from video_harmonizer.background import (
    Background,
    Blur,
    Original,
    Picture,
    SolidColor,
    crop_to_fill,
    open_background,
)
from video_harmonizer.engine import make_engine
from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, Matte
from video_harmonizer.matting.chroma import ChromaKey
from video_harmonizer.options import VideoOptions
from video_harmonizer.pixels import to_depth
from video_harmonizer.sources import open_source

DTYPES = [np.uint8, np.uint16]


def frame_of(height: int = 48, width: int = 64, dtype: type = np.uint8, seconds: float = 0, level: int = 0) -> Frame:
    return Frame(np.full((height, width, 3), level, dtype), round(seconds * 30), seconds)


def behind(scene: Background, frame: Frame, alpha: np.ndarray | None = None) -> np.ndarray:
    picture = scene.behind(frame, Matte(np.zeros(frame.size, np.uint8) if alpha is None else alpha))
    assert (picture.shape, picture.dtype) == (frame.rgb.shape, frame.rgb.dtype)
    return picture


def write_picture(path: Path, rgb: np.ndarray) -> str:
    assert cv2.imwrite(str(path), rgb[..., ::-1])
    return str(path)


def refusal(text: str) -> str:
    with pytest.raises(InputError) as error:
        open_background(text)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- colour ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_colour_fills_the_frame_at_its_depth(dtype: type):
    scene = open_background("#fF8001")
    unit = np.iinfo(dtype).max // 255
    for height, width in ((4, 6), (5, 3)):
        picture = behind(scene, frame_of(height, width, dtype))
        assert (picture == np.array([255, 128, 1]) * unit).all()


@pytest.mark.parametrize("text", ["#", "#fff", "#ff80011", "#gg8001", "# ff800", "#ff8001 "])
def test_bad_colour_is_refused(text: str):
    assert refusal(text) == f"--background {text}: not a colour; give #rrggbb, six hexadecimal digits"


# --- picture --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(20, 20), (40, 10), (7, 9), (120, 121)])
@pytest.mark.parametrize(("h", "w"), [(20, 60), (60, 20), (2, 2), (300, 301)])
def test_crop_fills_the_frame_with_the_middle_and_keeps_the_aspect(height: int, width: int, h: int, w: int):
    y, x = np.mgrid[:h, :w].astype(np.float32)
    picture = np.stack([x + 0.5 - w / 2, y + 0.5 - h / 2, 0 * x], axis=2)  # each pixel holds its own place
    result = crop_to_fill(picture, height, width)
    assert result.shape == (height, width, 3)
    scale = max(height / h, width / w)
    np.testing.assert_allclose(result.mean((0, 1))[:2], 0, atol=0.6)
    seen = result[0, -1] - result[-1, 0]  # from centre to centre of the outermost pixels
    np.testing.assert_allclose(seen[:2], (width / scale, -height / scale), atol=1 + 1 / scale)


def test_background_far_smaller_than_a_wide_frame_still_fills_it():
    assert crop_to_fill(np.full((2, 2, 3), 9, np.uint8), 100, 900).shape == (100, 900, 3)
    assert crop_to_fill(np.full((2, 2, 3), 9, np.uint8), 900, 100).shape == (900, 100, 3)


@pytest.mark.parametrize("stored", DTYPES)
@pytest.mark.parametrize("wanted", DTYPES)
def test_picture_comes_at_the_frames_depth(tmp_path: Path, stored: type, wanted: type):
    rgb = np.random.default_rng(0).integers(0, np.iinfo(stored).max, (48, 64, 3), stored, endpoint=True)
    picture = behind(open_background(write_picture(tmp_path / "room.png", rgb)), frame_of(dtype=wanted))
    assert np.array_equal(picture, np.rint(rgb / np.iinfo(stored).max * np.iinfo(wanted).max))


def test_depths_convert_there_and_back():
    shallow = np.arange(256, dtype=np.uint8)
    deep = to_depth(shallow, np.dtype(np.uint16))
    assert (deep[0], deep[-1]) == (0, 65535)
    assert np.array_equal(to_depth(deep, np.dtype(np.uint8)), shallow)
    every = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(to_depth(every, np.dtype(np.uint8)), np.rint(every / 257))


def test_crop_is_said_once_with_both_sizes(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    name = write_picture(tmp_path / "wide.png", np.zeros((40, 100, 3), np.uint8))
    scene = open_background(name)
    for index in range(3):
        behind(scene, frame_of(seconds=index / 30))
    assert [record.getMessage() for record in caplog.records] == [
        f"{name}: background of 100x40 is cropped to fill frames of 64x48"
    ]
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.parametrize("size", [(480, 640), (24, 32), (481, 640)])
def test_nothing_is_said_where_nothing_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture, size: tuple):
    behind(open_background(write_picture(tmp_path / "room.png", np.zeros((*size, 3), np.uint8))), frame_of())
    assert not caplog.records


def test_picture_is_fitted_once():
    scene = background.Picture("room", np.zeros((90, 120, 3), np.uint8))
    assert behind(scene, frame_of()) is behind(scene, frame_of(seconds=1))
    assert behind(scene, frame_of(30, 40)).shape == (30, 40, 3)


@pytest.mark.parametrize(("content", "reason"), [(None, "no such file"), (b"", "empty file"), (b"no", "not a pict")])
def test_unreadable_picture_is_refused_by_name(tmp_path: Path, content: bytes | None, reason: str):
    path = tmp_path / "room.png"
    if content is not None:
        path.write_bytes(content)
    assert refusal(str(path)).startswith(f"--background {path}: {reason}")


# --- video ----------------------------------------------------------------------------------------------------

LUMAS = (16, 70, 125, 180)  # one a frame, far enough apart to tell them


def flat_clip(path: Path, pts: tuple[int, ...] = (0, 1, 2, 3), last_duration: int = 1) -> str:
    make_clip(
        path,
        pts,
        time_base=Fraction(1, 10),
        last_duration=last_duration,
        picture=lambda index: flat_frame((LUMAS[index], 128, 128), "yuv420p", 64, 48),
    )
    return str(path)


def numbered(index: int) -> av.VideoFrame:
    return flat_frame((20 + 10 * index, 128, 128), "yuv420p", 64, 48)


def number_of(picture: np.ndarray) -> int:
    return round((picture.mean() * 219 / 255 - 4) / 10)


def shown(scene: Background, seconds: float, dtype: type = np.uint8) -> int:
    """Which of the clip's frames is behind a frame at that time."""
    picture = behind(scene, frame_of(seconds=seconds, dtype=dtype))
    level = picture.mean() * 255 / np.iinfo(dtype).max
    return int(np.argmin([abs((luma - 16) * 255 / 219 - level) for luma in LUMAS]))


@pytest.mark.parametrize("rate", [3, 10, 25, 60])
def test_video_shows_what_is_due_at_the_frames_time_and_starts_again(tmp_path: Path, rate: int):
    scene = open_background(flat_clip(tmp_path / "sea.mp4"))
    for index in range(2 * rate):
        seconds = index / rate
        assert shown(scene, seconds) == int(seconds * 10 + 1e-9) % 4, seconds
    scene.close()


@pytest.mark.parametrize("kinds", [(".mkv", ".mp4"), (".mp4", ".mkv"), (".mkv", ".mkv"), (".mp4", ".mp4")])
@pytest.mark.parametrize("rate", [Fraction(30), Fraction(30000, 1001), Fraction(24)])
def test_video_of_the_same_rate_keeps_step(tmp_path: Path, rate: Fraction, kinds: tuple[str, str]):
    """Matroska's times are rounded to milliseconds; a picture that comes one early shows when it is due."""
    sea, talk = (
        make_clip(tmp_path / f"{name}{kind}", range(count), 1 / rate, picture=lambda index: numbered(index % 20))
        for name, kind, count in zip(("sea", "talk"), kinds, (20, 130), strict=True)
    )
    scene = open_background(str(sea))
    for frame in open_source(str(talk)):
        seen = number_of(behind(scene, frame_of(seconds=frame.seconds)))
        assert seen == frame.index % 20, frame.index
    scene.close()


def test_video_goes_back_with_the_frames(tmp_path: Path):
    scene = open_background(flat_clip(tmp_path / "sea.mp4"))
    assert [shown(scene, seconds) for seconds in (0.25, 1.15, 0.35, 0.05, 0.0, 0.9)] == [2, 3, 3, 0, 0, 1]
    scene.close()


def test_uneven_times_of_the_video_are_kept(tmp_path: Path):
    scene = open_background(flat_clip(tmp_path / "sea.mp4", pts=(0, 1, 5, 6)))
    assert [shown(scene, tenth / 10 + 0.05) for tenth in range(9)] == [0, 1, 1, 1, 1, 2, 3, 0, 1]
    scene.close()


def test_video_behind_a_camera_plays_slower_where_it_cannot_be_read_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    scene = open_background(flat_clip(tmp_path / "sea.mp4"), live=True)
    assert [shown(scene, seconds) for seconds in (0.05, 0.25)] == [0, 2]
    monkeypatch.setattr(background, "PATIENCE", -1.0)  # one picture a frame at most
    # 0.65 would be picture 2; from then on the clip's clock goes on from where it is
    assert [shown(scene, seconds) for seconds in (0.65, 0.66, 0.76, 0.86)] == [3, 3, 0, 1]
    scene.close()


def test_damage_is_said_once_however_often_the_video_is_repeated(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    clip = make_clip(tmp_path / "sea.avi", pts=range(40), time_base=Fraction(1, 10))
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    scene = open_background(str(clip))
    for index in range(100):
        behind(scene, frame_of(seconds=index / 10))
    assert len([text for text in caplog.messages if "is repeated" in text]) == 1
    scene.close()


def test_last_picture_of_a_video_that_is_gone_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = flat_clip(tmp_path / "sea.mp4")
    scene = open_background(path)
    assert shown(scene, 0.1) == 1
    Path(path).unlink()
    last = [shown(scene, seconds) for seconds in (1, 2, 3)]
    assert len(set(last)) == 1
    assert last[0] > 1
    assert [f"{path}: no such file" in text and "its last picture stays" in text for text in caplog.messages] == [True]
    scene.close()


def test_hdr_is_said_once_however_often_the_video_is_repeated(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    scene = open_background(str(make_clip(tmp_path / "sea.mp4", pts=range(5), color=(9, 16, 9, 1))))
    for index in range(20):
        behind(scene, frame_of(seconds=index / 10))
    assert len([text for text in caplog.messages if "HDR" in text]) == 1
    scene.close()


def test_video_of_one_frame_stays(tmp_path: Path):
    scene = open_background(flat_clip(tmp_path / "still.mp4", pts=(0,)))
    assert [shown(scene, seconds) for seconds in (0, 1, 100, 3)] == [0] * 4
    scene.close()


def test_video_comes_at_the_frames_depth_and_is_fitted_once_a_picture(tmp_path: Path):
    scene = open_background(flat_clip(tmp_path / "sea.mp4"))
    assert shown(scene, 0.1, np.uint16) == 1
    assert behind(scene, frame_of(seconds=0.21)) is behind(scene, frame_of(seconds=0.29))
    scene.close()


def test_crop_of_a_video_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    scene = open_background(flat_clip(tmp_path / "sea.mp4"))
    for index in range(20):
        behind(scene, frame_of(20, 80, seconds=index / 10))
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'sea.mp4'}: background of 64x48 is cropped to fill frames of 80x20"
    ]
    scene.close()


def test_closing_twice_is_allowed(tmp_path: Path):
    scene = open_background(flat_clip(tmp_path / "sea.mp4"))
    scene.close()
    scene.close()


# --- the original, in focus and out of it ---------------------------------------------------------------------


def test_ready_composite_stands_behind_itself():
    frame = frame_of(level=77)
    assert behind(Original(), frame) is frame.rgb


def person_in_a_room(height: int, width: int, dtype: type = np.uint8) -> tuple[Frame, np.ndarray]:
    """Somebody pure red before a gray wall, and their alpha."""
    alpha = np.zeros((height, width), np.uint8)
    cv2.circle(alpha, (width // 2, height // 2), min(height, width) // 4, 255, -1, cv2.LINE_AA)
    share = alpha[..., None] / 255
    rgb = share * np.array([255, 0, 0]) + (1 - share) * 128
    return Frame(np.rint(rgb * (np.iinfo(dtype).max // 255)).astype(dtype), 0, 0.0), alpha


@pytest.mark.parametrize("text", ["blur", "blur:3", "blur:12.5", "blur:40"])
@pytest.mark.parametrize(("height", "width"), [(240, 320), (241, 179), (540, 960)])
def test_person_does_not_colour_the_blurred_room(text: str, height: int, width: int):
    frame, alpha = person_in_a_room(height, width)
    picture = behind(open_background(text), frame, alpha).astype(int)
    visible = alpha < 255
    assert np.abs(picture[visible] - 128).max() <= 3


def test_deep_frames_blur_like_shallow_ones():
    shallow, alpha = person_in_a_room(120, 160)
    deep, _ = person_in_a_room(120, 160, np.uint16)
    scene = open_background("blur:6")
    difference = behind(scene, deep, alpha) / 257 - behind(scene, shallow, alpha)
    assert np.abs(difference).max() < 1.5


@pytest.mark.parametrize("radius", [2, 8, 30])
def test_radius_is_the_standard_deviation_in_pixels(radius: int):
    step = np.zeros((200, 400, 3), np.uint8)
    step[:, 200:] = 255
    picture = behind(open_background(f"blur:{radius}"), Frame(step, 0, 0.0))
    exact = cv2.GaussianBlur(step.astype(np.float32), (0, 0), radius)
    assert np.abs(picture - exact).max() < 12
    assert np.abs(picture - exact).mean() < 2


def test_default_radius_grows_with_the_frame():
    for height in (90, 360):
        step = np.zeros((height, 2 * height, 3), np.uint8)
        step[:, height:] = 255
        picture = behind(open_background("blur"), Frame(step, 0, 0.0))[height // 2, :, 0].astype(int)
        between = np.count_nonzero((picture > 0.16 * 255) & (picture < 0.84 * 255))  # two standard deviations
        assert between == pytest.approx(2 * height / 30, abs=2)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (3, 1000), (1000, 3), (7, 5)])
def test_blur_takes_frames_of_any_size(height: int, width: int):
    for text in ("blur", "blur:50"):
        picture = behind(open_background(text), frame_of(height, width, level=200))
        assert (picture == 200).all()


def test_frame_full_of_the_person_has_a_background_too():
    frame = frame_of(level=90)
    assert (behind(open_background("blur"), frame, np.full(frame.size, 255, np.uint8)) == 90).all()


@pytest.mark.parametrize("radius", ["", "0", "-3", "wide", "0.0", "3px", "nan"])
def test_bad_radius_is_refused(radius: str):
    message = refusal(f"blur:{radius}")
    assert message.startswith(f"--background blur:{radius}: got radius {radius!r}")
    assert "give blur or blur:RADIUS" in message


# --- what can't be a background -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0", "12", "/dev/video1", "/dev/v4l/by-id/usb-Camera-index0"])
def test_camera_is_refused_without_being_opened(text: str, monkeypatch: pytest.MonkeyPatch):
    real = os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda name: "/dev/video1" if "by-id" in str(name) else real(name))
    monkeypatch.setattr(background, "open_source", lambda name: pytest.fail("opened"))
    assert refusal(text) == f"--background {text}: a camera; give a picture, a video, #rrggbb or blur"


def test_empty_name_is_refused():
    assert refusal("") == "--background: it is empty; give a picture, a video, #rrggbb or blur"


@pytest.mark.parametrize(
    ("scene", "strength"),
    [
        (Blur(), 0),
        (SolidColor((9, 9, 9)), 0.4),
        (Original(), 0.8),
        (Picture("room", np.zeros((4, 6, 3), np.uint8)), 0.8),
    ],
)
def test_colours_change_by_what_the_scene_says_of_its_light(scene: Background, strength: float):
    options = VideoOptions(input=Path("a"), background="b", output=Path("c"), harmonizer="none", strength=0.8)
    engine = make_engine("torch", "cpu")
    pipeline = assemble.make_pipeline(options, ChromaKey.parse("chroma"), scene, engine)
    assert pipeline.strength == pytest.approx(strength)
