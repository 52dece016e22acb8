"""The clips that are measured on: their sizes, and that they are what is asked for."""

from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip as make_source
from red_person import picture, read_video, save_picture

from video_harmonizer.benchmark import clip
from video_harmonizer.benchmark.clip import make_clip, parse_sizes, portrait
from video_harmonizer.errors import InputError
from video_harmonizer.sources import open_source
from video_harmonizer.sources.pattern import PatternSource


def test_sizes_are_named_by_the_shorter_side():
    assert parse_sizes("480p,720p, 1080p,2160p,720p") == [480, 720, 1080, 2160]


@pytest.mark.parametrize("text", ["4k", "", "720", "720p,", "-720p", "0p", "31p", "4321p", "72.5p"])
def test_unknown_size_is_refused_by_name(text: str):
    with pytest.raises(InputError, match=r"^--sizes .*: got '.*'; give sizes from 32p to 4320p"):
        parse_sizes(text)


def test_own_clip_is_wide_and_as_long_as_asked(tmp_path: Path):
    path = make_clip(tmp_path / "clip.mp4", 90, 4)
    source = open_source(str(path))
    source.close()
    assert (source.info.width, source.info.height, source.info.rate) == (160, 90, 30)
    assert len(read_video(path)) == 4


def test_own_clip_is_the_same_each_time():
    for first, second in zip(islice(portrait(90), 4), islice(portrait(90), 4), strict=True):
        np.testing.assert_array_equal(first, second)


def test_own_clip_shows_the_same_scene_at_every_size():
    small, large = (next(portrait(side)).astype(float) for side in (90, 180))
    halved = large.reshape(90, 2, 160, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - small).mean() < 10


def test_own_clip_moves_and_has_fresh_noise():
    first, second, *_, later = islice(portrait(90), 31)
    assert 0.5 < np.abs(second.astype(int) - first).mean() < 10
    assert np.abs(later.astype(int) - first).mean() > 10  # a second later the camera points elsewhere


def test_source_is_scaled_and_repeated(tmp_path: Path):
    source = make_source(tmp_path / "short.mp4", range(2), Fraction(1, 25), size=(48, 96))
    frames = read_video(make_clip(tmp_path / "clip.mp4", 64, 5, str(source)))
    assert [frame.shape for frame in frames] == [(128, 64, 3)] * 5
    difference = [np.abs(frame.astype(int) - frames[0]).mean() for frame in frames]
    assert max(difference[2], difference[4]) < min(difference[1], difference[3])


def test_one_picture_makes_a_clip(tmp_path: Path):
    save_picture(tmp_path / "photo.png", picture())
    assert len(read_video(make_clip(tmp_path / "clip.mp4", 48, 3, str(tmp_path / "photo.png")))) == 3


def test_source_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"^nowhere\.mp4: no such file"):
        make_clip(tmp_path / "clip.mp4", 48, 3, "nowhere.mp4")


def test_camera_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    opened = PatternSource(64, 48)
    opened.info = replace(opened.info, live=True)
    monkeypatch.setattr(clip, "open_source", lambda text: opened)
    with pytest.raises(InputError, match=r"^--source 0: a camera; give a file"):
        make_clip(tmp_path / "clip.mp4", 48, 3, "0")
