"""Ready mattes: their levels are the alpha, at their times."""

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import flat_frame, make_clip, plane_of

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, SourceInfo
from video_harmonizer.matting import Matting
from video_harmonizer.matting.clip import MatteClip
from video_harmonizer.sources import open_source


def clip_of(times: Iterable[float], video: bool = True, dtype: type = np.uint8) -> MatteClip:
    """Mattes whose levels are their numbers, at these times in seconds."""
    info = SourceInfo("matte.mov", 8, 6, Fraction(25), file=Path("matte.mov") if video else None)
    mattes = (Frame(np.full((6, 8, 3), index % 256, dtype), index, seconds) for index, seconds in enumerate(times))
    return MatteClip(info, mattes)


def frame(index: int, seconds: float, size: tuple[int, int] = (6, 8)) -> Frame:
    return Frame(np.zeros((*size, 3), np.uint8), index, seconds)


def levels(clip: Matting, times: Iterable[float]) -> list[int]:
    """The level of the matte that each frame gets."""
    mattes = [clip.matte(frame(index, seconds)) for index, seconds in enumerate(times)]
    assert all(len(np.unique(matte.alpha)) == 1 and matte.foreground is None for matte in mattes)
    return [int(matte.alpha[0, 0]) for matte in mattes]


def ramp_video(path: Path, codec: str, pixel_format: str, lowest: int, highest: int) -> list[int]:
    """A video whose first frame has each code from ``lowest`` to ``highest`` in a row of its own; the codes."""
    codes = list(range(lowest, highest + 1))

    def picture(index: int) -> av.VideoFrame:
        picture = flat_frame((0, 128, 128), pixel_format, 64, len(codes))
        plane_of(picture.planes[0])[:] = np.array(codes)[:, None]
        return picture

    color = (2, 2, 2, 2) if highest == 255 else None  # full range
    options = {"qp": "0"} if codec == "libx264" else {}
    make_clip(path, range(2), size=(64, len(codes)), codec=codec, pixel_format=pixel_format, picture=picture,
              options=options, color=color)  # fmt: skip
    return codes


# --- levels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "pixel_format", "lowest", "highest"),
    [
        ("libx264", "yuv420p", 16, 235),
        ("ffv1", "yuv444p", 16, 235),
        ("ffv1", "gray", 0, 255),
        ("ffv1", "yuv420p", 0, 255),
    ],
)
def test_black_and_white_of_any_range_are_0_and_255(
    tmp_path: Path, codec: str, pixel_format: str, lowest: int, highest: int
):
    codes = ramp_video(tmp_path / "matte.mkv", codec, pixel_format, lowest, highest)
    source = open_source(str(tmp_path / "matte.mkv"))
    alpha = MatteClip(source.info, source).matte(frame(0, 0, (len(codes), 64))).alpha
    source.close()
    wanted = np.rint((np.array(codes) - lowest) * 255 / (highest - lowest))
    assert np.array_equal(alpha, np.broadcast_to(wanted[:, None], alpha.shape))


def test_deep_levels_are_rounded():
    clip = clip_of([0, 0.04, 0.08], dtype=np.uint16)
    assert levels(clip, [0, 0.04, 0.08]) == [0, 0, 0]
    deep = MatteClip(SourceInfo("m", 8, 6, None), [Frame(np.full((6, 8, 3), 200 * 257 + 128, np.uint16), 0, 0.0)])
    assert levels(deep, [0]) == [200]


# --- times ----------------------------------------------------------------------------------------------------


def test_each_frame_gets_the_matte_of_its_time():
    assert levels(clip_of([0, 0.04, 0.08, 0.12]), [0, 0.04, 0.08]) == [0, 1, 2]


def test_containers_may_round_times():
    ntsc = [index * 1001 / 30000 for index in range(300)]
    assert levels(clip_of(round(time, 3) for time in ntsc), ntsc) == [index % 256 for index in range(300)]


def test_frame_that_the_video_lost_takes_its_matte_with_it():
    assert levels(clip_of([0, 0.04, 0.08, 0.12]), [0, 0.08, 0.12]) == [0, 2, 3]


def test_matte_may_have_more_frames_a_second():
    assert levels(clip_of([0, 0.02, 0.04, 0.06, 0.08]), [0, 0.04, 0.08]) == [0, 2, 4]


def test_pictures_go_by_their_order():
    assert levels(clip_of([0, 0.04, 0.08], video=False), [0, 0.5, 0.7]) == [0, 1, 2]


@pytest.mark.parametrize("times", [[0, 0.05, 0.1], [index / 24 for index in range(20)]])
def test_other_times_are_refused(times: list[float]):
    with pytest.raises(InputError) as error:
        levels(clip_of(times), [index / 25 for index in range(20)])
    message = (
        r"matte\.mov: got a matte at (\d\.\d{3}) s, wanted one at (\d\.\d{3}) s, when frame \d+ is shown; "
        r"give one with the video's own times, or as pictures"
    )
    found = re.fullmatch(message, str(error.value))
    assert found
    assert float(found[1]) > float(found[2])


def test_half_the_frames_are_refused():
    with pytest.raises(InputError, match=r"^matte\.mov: got a matte at 0\.080 s, wanted one at 0\.040 s"):
        levels(clip_of([0, 0.08, 0.16]), [0, 0.04, 0.08])


@pytest.mark.parametrize("video", [True, False])
def test_matte_that_ends_early_is_refused(video: bool):
    message = (
        r"^matte\.mov: it ends after 2 mattes, wanted one for frame 2 at 0\.080 s; give a matte as long as the video$"
    )
    with pytest.raises(InputError, match=message):
        levels(clip_of([0, 0.04], video), [0, 0.04, 0.08])


def test_other_size_is_refused():
    with pytest.raises(InputError, match=r"^matte\.mov: mask of 8x6 for a picture of 6x4; give one of its size$"):
        clip_of([0]).matte(frame(0, 0, (4, 6)))


def test_colours_are_told_of_once(caplog: pytest.LogCaptureFixture):
    random = np.random.default_rng(0)
    pictures = [Frame(random.integers(0, 256, (6, 8, 3), np.uint8), index, index / 25) for index in range(3)]
    clip = MatteClip(SourceInfo("people.mov", 8, 6, Fraction(25), file=Path("people.mov")), pictures)
    for index in range(3):
        clip.matte(frame(index, index / 25))
    assert [message.split(";")[0] for message in caplog.messages] == ["people.mov: a mask with colours"]
