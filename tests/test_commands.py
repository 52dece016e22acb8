"""The commands as a person runs them, from their inputs to the files that they leave."""

import dataclasses
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import audio_packets, make_clip, video_pts
from red_person import (
    RED,
    WALL,
    make_person_clip,
    person_in,
    picture,
    read_picture,
    read_video,
    run_command,
    save_picture,
    save_weights,
    wall_in,
)

from video_harmonizer import assemble, commands, live
from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame
from video_harmonizer.matting.rvm import RVMMatting
from video_harmonizer.pipeline import Pipeline
from video_harmonizer.sinks.video_file import VideoFileSink
from video_harmonizer.sinks.window import QUIT
from video_harmonizer.sources import Source, Wish, open_source
from video_harmonizer.sources.pattern import PatternSource
from video_harmonizer.temporal.budget import FrameBudget

ROOT = Path(__file__).parents[1]
LOSSLESS = ("--codec", "ffv1")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_weights(tmp_path_factory.mktemp("weights") / "red_person.pth")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_person_clip(tmp_path / "talk.mp4", audio=["aac"])


def video(weights: Path, *arguments: object) -> int:
    return run_command("video", *arguments, "--matting-weights", weights)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if "partial" in path.name)


# --- video ----------------------------------------------------------------------------------------------------


def test_person_of_a_video_is_put_before_the_background(clip: Path, weights: Path, tmp_path: Path):
    output = tmp_path / "out.mp4"
    assert video(weights, clip, "--background", "#00c000", "-o", output, "--harmonizer", "none") == 0
    frames = read_video(output)
    assert len(frames) == 6
    for index, frame in enumerate(frames):
        np.testing.assert_allclose(frame[person_in(index)].mean(axis=0), RED, atol=6)
        np.testing.assert_allclose(frame[wall_in(index)].mean(axis=0), (0, 192, 0), atol=6)


def test_sound_and_times_stay_as_they_were(clip: Path, weights: Path, tmp_path: Path):
    output = tmp_path / "out.mp4"
    assert video(weights, clip, "--background", "blur", "-o", output) == 0
    assert audio_packets(output) == audio_packets(clip)
    assert video_pts(output) == video_pts(clip)


def test_variable_frame_rate_stays(weights: Path, tmp_path: Path):
    clip = make_person_clip(tmp_path / "phone.mp4", pts=(0, 1, 4, 5, 11), time_base=Fraction(1, 90))
    assert video(weights, clip, "--background", "#000000", "-o", tmp_path / "out.mp4") == 0
    assert video_pts(tmp_path / "out.mp4") == video_pts(clip)


def test_harmonized_colours_are_one_curve_a_channel(clip: Path, weights: Path, tmp_path: Path):
    output = tmp_path / "out.mkv"
    assert video(weights, clip, "--background", "#00c000", "-o", output, *LOSSLESS, "--smoothing", "0") == 0
    first = read_video(output)[0]
    assert (first[wall_in()] == (0, 192, 0)).all()
    person = first[person_in()]
    assert person.std(axis=0).max() < 2  # the figure is of one colour, so it stays of one
    assert np.abs(person.mean(axis=0) - RED).max() > 3  # and becomes another


@pytest.mark.parametrize(("view", "person", "wall"), [("original", RED, WALL), ("alpha", (255,) * 3, (0,) * 3)])
def test_view_says_what_is_written(view: str, person: tuple, wall: tuple, clip: Path, weights: Path, tmp_path: Path):
    output = tmp_path / "out.mkv"
    assert video(weights, clip, "--background", "#00c000", "-o", output, *LOSSLESS, "--view", view) == 0
    last = read_video(output)[5]
    np.testing.assert_allclose(last[person_in(5)].mean(axis=0), person, atol=4)
    np.testing.assert_allclose(last[wall_in(5)].mean(axis=0), wall, atol=4)


def test_view_that_shows_no_background_needs_none(
    clip: Path, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    for name, background in (("without.mkv", ()), ("with.mkv", ("--background", "#00c000"))):
        assert "not used" not in caplog.text
        assert video(weights, clip, *background, "-o", tmp_path / name, *LOSSLESS, "--view", "green") == 0
    assert np.array_equal(read_video(tmp_path / "without.mkv"), read_video(tmp_path / "with.mkv"))
    assert "--background #00c000: not used, as --view green shows nothing of it" in caplog.text


def test_side_by_side_is_three_times_as_wide(clip: Path, weights: Path, tmp_path: Path):
    output = tmp_path / "out.mp4"
    assert video(weights, clip, "--background", "#00c000", "-o", output, "--view", "side-by-side") == 0
    assert read_video(output)[0].shape == (48, 192, 3)


def test_strength_0_is_the_plain_composite(clip: Path, weights: Path, tmp_path: Path):
    for name, options in (("paste.mkv", ("--view", "paste")), ("zero.mkv", ("--strength", "0"))):
        assert video(weights, clip, "--background", "blur", "-o", tmp_path / name, *LOSSLESS, *options) == 0
    assert np.array_equal(read_video(tmp_path / "paste.mkv"), read_video(tmp_path / "zero.mkv"))


def test_background_may_be_a_picture_or_a_video(clip: Path, weights: Path, tmp_path: Path):
    ramp = np.zeros((48, 64, 3), np.uint8)
    ramp[..., 2] = np.arange(64) * 4
    beach = save_picture(tmp_path / "beach.png", ramp)
    waves = make_clip(tmp_path / "waves.mp4", range(2))  # shorter than the clip: repeated
    for background in (beach, waves):
        output = tmp_path / f"{background.stem}.mkv"
        assert video(weights, clip, "--background", background, "-o", output, *LOSSLESS) == 0
    shown = read_video(tmp_path / "beach.mkv")[2]
    assert np.array_equal(shown[wall_in(2)], ramp[wall_in(2)])
    shown, wall = np.stack(read_video(tmp_path / "waves.mkv")), wall_in(0) & wall_in(5)
    assert np.array_equal(shown[0][wall], shown[2][wall])
    assert np.array_equal(shown[1][wall], shown[5][wall])
    assert not np.array_equal(shown[0][wall], shown[1][wall])


def test_pictures_go_in_and_come_out(weights: Path, tmp_path: Path):
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    for index in range(3):
        save_picture(tmp_path / "in" / f"{index:04d}.png", picture(index))
    arguments = (tmp_path / "in" / "%04d.png", "--background", "#00c000", "-o", tmp_path / "out" / "%03d.png")
    assert video(weights, *arguments, "--harmonizer", "none") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["000.png", "001.png", "002.png"]
    last = read_picture(tmp_path / "out" / "002.png")
    assert (last[person_in(2)] == RED).all()
    assert (last[wall_in(2)] == (0, 192, 0)).all()


def test_existing_output_is_replaced_once_the_new_one_is_whole(clip: Path, weights: Path, tmp_path: Path):
    (tmp_path / "out.mp4").write_bytes(b"old")
    assert video(weights, clip, "--background", "blur", "-o", tmp_path / "out.mp4") == 0
    assert len(read_video(tmp_path / "out.mp4")) == 6
    assert leftovers(tmp_path) == []


def test_webm_is_written_without_naming_a_codec(clip: Path, weights: Path, tmp_path: Path):
    assert video(weights, clip, "--background", "#00c000", "-o", tmp_path / "out.webm") == 0
    with av.open(str(tmp_path / "out.webm")) as container:
        codecs = [stream.codec_context.codec.canonical_name for stream in container.streams]
    assert codecs == ["vp9", "opus"]
    assert len(read_video(tmp_path / "out.webm")) == 6


def test_encoder_settings_reach_the_encoder(clip: Path, weights: Path, tmp_path: Path):
    output = tmp_path / "out.mp4"
    assert video(weights, clip, "--background", "blur", "-o", output, "--crf", "33", "--preset", "ultrafast") == 0
    settings = output.read_bytes()  # x264 writes them into the stream
    assert b" crf=33.0 " in settings
    assert b" subme=0 " in settings


def test_nobody_is_recoloured_before_their_own_room(
    clip: Path, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    for view in ("paste", "harmonized"):
        arguments = (clip, "--background", "blur", "-o", tmp_path / f"{view}.mkv", "--view", view, *LOSSLESS)
        assert run_command("video", *arguments, "--matting-weights", weights) == 0
    assert np.array_equal(read_video(tmp_path / "paste.mkv"), read_video(tmp_path / "harmonized.mkv"))
    assert "colours stay as filmed: the scene behind the person is their own" in caplog.messages


def test_sequence_is_read_at_the_rate_that_is_given(
    clip: Path, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    for index in range(3):
        save_picture(tmp_path / f"{index:04d}.png", picture(index))
    arguments = ("--background", "#00c000", "--harmonizer", "none", "--fps", 50)
    assert video(weights, tmp_path / "%04d.png", *arguments, "-o", tmp_path / "out.mkv") == 0
    assert video_pts(tmp_path / "out.mkv") == [0, 20, 40]
    assert "--fps" not in caplog.text
    assert video(weights, clip, *arguments, "-o", tmp_path / "other.mkv") == 0
    assert f"--fps 50: not used, as {clip} has a rate of its own" in caplog.messages


def test_report_tells_what_was_done(clip: Path, weights: Path, tmp_path: Path):
    beach = save_picture(tmp_path / "beach.png", np.zeros((48, 99, 3), np.uint8))
    arguments = (clip, "--background", beach, "-o", tmp_path / "out.mp4", "--report", tmp_path / "report.json")
    assert video(weights, *arguments, "--device", "cpu") == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["output"] == str(tmp_path / "out.mp4")
    assert (report["frames_in"], report["frames_out"], report["interrupted"]) == (6, 6, False)
    assert (report["matting"], report["harmonizer"], report["device"]) == ("rvm_mobilenetv3", "curvenet", "cpu")
    assert report["fps"] == pytest.approx(6 / report["seconds"], rel=0.05)
    assert {"read", "matting", "estimate", "render", "write"} <= report["stages_ms"].keys()
    assert max(report["stages_ms"].values()) * 6 / 1e3 <= report["seconds"] + 0.01
    assert report["estimates"] == 1
    assert report["warnings"] == [f"{beach}: background of 99x48 is cropped to fill frames of 64x48"]


@pytest.mark.skipif(sys.platform != "linux", reason="only there nobody at all may write to /proc")
def test_report_that_cannot_be_written_is_refused_before_the_work(clip: Path, weights: Path, tmp_path: Path, capsys):
    arguments = (clip, "--background", "#00c000", "-o", tmp_path / "out.mp4")
    assert video(weights, *arguments, "--report", "/proc/r.json") == 2
    assert "/proc/r.json: it can't be written" in capsys.readouterr().err
    assert not (tmp_path / "out.mp4").exists()


def test_settings_file_reaches_the_pictures(clip: Path, weights: Path, tmp_path: Path):
    (tmp_path / "settings.toml").write_text(f'view = "alpha"\ncodec = "ffv1"\nmatting_weights = "{weights}"')
    arguments = ("video", clip, "--background", "blur", "-o", tmp_path / "out.mkv")
    assert run_command(*arguments, "--config", tmp_path / "settings.toml") == 0
    assert set(np.unique(read_video(tmp_path / "out.mkv")[0][person_in()])) == {255}


# --- image ----------------------------------------------------------------------------------------------------


@pytest.fixture
def composite(tmp_path: Path) -> tuple[Path, Path, np.ndarray]:
    """A picture with somebody pasted in too dark, the mask's file, and the mask."""
    rgb = np.random.default_rng(0).integers(100, 256, (90, 120, 3), np.uint8)
    inside = np.zeros((90, 120), bool)
    inside[30:80, 40:90] = True
    rgb[inside] //= 3
    mask = (inside[..., None] * np.full(3, 255)).astype(np.uint8)
    return save_picture(tmp_path / "composite.png", rgb), save_picture(tmp_path / "mask.png", mask), inside


def test_composites_foreground_is_harmonized_and_the_rest_left_to_the_bit(composite, tmp_path: Path):
    path, mask, inside = composite
    assert run_command("image", path, mask, "-o", tmp_path / "out.png") == 0
    before, after = read_picture(path), read_picture(tmp_path / "out.png")
    assert np.array_equal(after[~inside], before[~inside])
    assert (after[inside] != before[inside]).mean() > 0.5
    for channel in range(3):  # one curve: equal levels become equal levels, and darker ones no lighter
        levels: dict[int, int] = {}
        for level, result in zip(before[inside][:, channel], after[inside][:, channel], strict=True):
            assert levels.setdefault(int(level), int(result)) == result
        assert np.all(np.diff([levels[level] for level in sorted(levels)]) >= 0)


def test_composite_stays_whole_without_a_harmonizer(composite, tmp_path: Path):
    path, mask, _ = composite
    assert run_command("image", path, mask, "-o", tmp_path / "out.png", "--harmonizer", "none") == 0
    assert np.array_equal(read_picture(tmp_path / "out.png"), read_picture(path))


def test_mask_that_leaves_no_scene_is_told_of(composite, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path, mask, _ = composite
    assert run_command("image", path, mask, "-o", tmp_path / "out.png") == 0
    assert "white everywhere" not in caplog.text
    white = save_picture(tmp_path / "white.png", np.full_like(read_picture(mask), 255))
    assert run_command("image", path, white, "-o", tmp_path / "out.png") == 0
    assert f"{white}: white everywhere, so that no scene is left to harmonize with" in caplog.text


def test_mask_may_be_gray_or_deep(composite, tmp_path: Path):
    path, mask, _ = composite
    save_picture(tmp_path / "gray.png", read_picture(mask)[..., :1])
    save_picture(tmp_path / "deep.png", read_picture(mask).astype(np.uint16) * 257)
    for other in ("mask.png", "gray.png", "deep.png"):
        assert run_command("image", path, tmp_path / other, "-o", tmp_path / f"by_{other}") == 0
    assert np.array_equal(read_picture(tmp_path / "by_gray.png"), read_picture(tmp_path / "by_mask.png"))
    assert np.array_equal(read_picture(tmp_path / "by_deep.png"), read_picture(tmp_path / "by_mask.png"))


def test_deep_composite_stays_deep(composite, tmp_path: Path):
    path, mask, inside = composite
    deep = read_picture(path).astype(np.uint16) * 257 + 3
    save_picture(tmp_path / "deep.png", deep)
    assert run_command("image", tmp_path / "deep.png", mask, "-o", tmp_path / "out.png") == 0
    after = read_picture(tmp_path / "out.png")
    assert after.dtype == np.uint16
    assert np.array_equal(after[~inside], deep[~inside])


def test_photographs_person_is_put_before_the_background(weights: Path, tmp_path: Path):
    photo = save_picture(tmp_path / "photo.png", picture())
    arguments = (photo, "--background", "#00c000", "-o", tmp_path / "out.png", "--matting-weights", weights)
    assert run_command("image", *arguments, "--harmonizer", "none") == 0
    after = read_picture(tmp_path / "out.png")
    assert (after[person_in()] == RED).all()
    assert (after[wall_in()] == (0, 192, 0)).all()


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif"])
def test_picture_is_written_as_its_name_says(suffix: str, composite, tmp_path: Path):
    path, mask, _ = composite
    output = tmp_path / f"out{suffix}"
    assert run_command("image", path, mask, "-o", output, "--view", "side-by-side") == 0
    assert read_picture(output).shape == (90, 360, 3)


# --- live -----------------------------------------------------------------------------------------------------


def test_live_records_without_a_window(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(PatternSource, "parse", lambda text: PatternSource(64, 48, seconds=0.2))
    arguments = ("--source", "pattern:64x48", "--background", "#00c000", "--matting-weights", weights)
    assert run_command("live", *arguments, "--no-window", "--output", tmp_path / "demo.mp4", "--mirror") == 0
    assert "--mirror: not used, as test pattern is no camera" in caplog.messages
    assert "--size" not in caplog.text
    frames = read_video(tmp_path / "demo.mp4")
    assert len(frames) == 6
    assert frames[0].shape == (48, 192, 3)


class FakeCamera:
    """A clip's frames as a camera's, from the first one on as often as they are asked for."""

    def __init__(self, clip: Path) -> None:
        self._clip = clip
        self.info = dataclasses.replace(open_source(str(clip)).info, live=True)

    def __iter__(self) -> Iterator[Frame]:
        source = open_source(str(self._clip))
        yield from source
        source.close()

    def close(self) -> None:
        pass


class FakeWindow:
    """Takes the place of the window: keeps what it is shown; q is pressed at the third picture."""

    kept = None
    shown: list[np.ndarray]
    told: list[str]
    closed = False

    status = ""

    def __init__(self, title: str) -> None:
        FakeWindow.shown = []
        FakeWindow.told = []

    def write(self, image: np.ndarray, seconds: float) -> None:
        self.shown.append(image.copy())

    def poll(self) -> str | None:
        self.told.append(self.status)
        return QUIT if len(self.shown) == 3 else None

    def close(self, whole: bool = True) -> None:
        FakeWindow.closed = True

    abort = close


def test_live_shows_and_records_until_q_is_pressed(
    clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(commands, "WindowSink", FakeWindow)
    arguments = ("--source", clip, "--background", "#00c000", "--matting-weights", weights, "--view", "paste")
    assert run_command("live", *arguments, "--output", tmp_path / "demo.mkv", *LOSSLESS) == 0
    assert np.array_equal(read_video(tmp_path / "demo.mkv"), FakeWindow.shown)
    assert len(FakeWindow.shown) == 3
    assert FakeWindow.closed
    assert re.fullmatch(r"\d+ fps   \d+ ms   curves 100%, matte 100%", FakeWindow.told[-1])


@pytest.mark.parametrize(("asked", "live_source", "budget"), [(60, True, 25), (10, True, 10), (10, False, 25)])
def test_live_asks_the_camera_for_a_rate_and_keeps_up_with_what_it_gives(
    asked: int, live_source: bool, budget: int, clip: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
):
    rates: list[float] = []

    def opened(text: str, wish: Wish) -> Source:
        assert wish.rate is not None
        rates.append(wish.rate)
        return FakeCamera(clip) if live_source else open_source(text)

    class Budget(FrameBudget):
        def __init__(self, fps: float, *efforts: Any) -> None:
            rates.append(fps)
            super().__init__(fps, *efforts)

    monkeypatch.setattr(commands, "WindowSink", FakeWindow)
    monkeypatch.setattr(commands, "open_source", opened)
    monkeypatch.setattr(live, "FrameBudget", Budget)
    arguments = ("--source", clip, "--background", "#00c000", "--matting-weights", weights, "--fps", asked)
    assert run_command("live", *arguments) == 0
    assert rates == [asked, budget]


def test_a_second_take_of_a_camera_does_not_replace_the_first_and_is_coded_quickly(
    clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    wishes: list[Wish] = []

    def camera(text: str, wish: Wish) -> Source:
        wishes.append(wish)
        return FakeCamera(clip)

    monkeypatch.setattr(commands, "open_source", camera)
    (tmp_path / "demo.mp4").write_bytes(b"the first take")
    scene = ("--background", "#00c000", "--matting-weights", weights, "--harmonizer", "none")
    arguments = (*scene, "--no-window", "--size", "1920x1080", "--mirror", "--output", tmp_path / "demo.mp4")
    assert run_command("live", *arguments) == 0
    assert wishes == [Wish(None, (1920, 1080), mirrored=True)]
    assert (tmp_path / "demo.mp4").read_bytes() == b"the first take"
    assert f"{tmp_path / 'demo.mp4'}: is there already; this is recorded into {tmp_path / 'demo2.mp4'}" in caplog.text
    assert read_video(tmp_path / "demo2.mp4")
    assert b" subme=1 " in (tmp_path / "demo2.mp4").read_bytes()  # x264's superfast
    assert run_command("live", *arguments, "--preset", "medium") == 0
    assert b" subme=7 " in (tmp_path / "demo3.mp4").read_bytes()


def test_what_a_camera_gave_until_it_was_unplugged_is_a_recording(
    clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog, capsys
):
    class Unplugged(FakeCamera):
        def __iter__(self) -> Iterator[Frame]:
            yield from super().__iter__()
            raise InputError("webcam 0: no picture for 5 seconds; plug it in again")

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(commands, "open_source", lambda text, wish: Unplugged(clip))
    arguments = ("--background", "#00c000", "--matting-weights", weights, "--no-window", "-o", tmp_path / "demo.mp4")
    assert run_command("live", *arguments, "--report", tmp_path / "report.json") == 2
    assert "error: webcam 0: no picture for 5 seconds" in capsys.readouterr().err
    assert len(read_video(tmp_path / "demo.mp4")) == len(read_video(clip))
    assert f"written to {tmp_path / 'demo.mp4'}" in caplog.text
    assert json.loads((tmp_path / "report.json").read_text())["failure"].startswith("webcam 0: no picture")
    assert not list(tmp_path.glob("*partial*"))


@pytest.mark.parametrize("meanwhile", ["nobody", "another camera"])
def test_a_recording_begins_when_all_is_ready_and_leaves_what_came_meanwhile(
    meanwhile: str, clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
):
    seen: list[int] = []

    class Taking(FakeCamera):
        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                seen.append(frame.index)
                yield frame

    class Another(FakeWindow):
        def write(self, image: np.ndarray, seconds: float) -> None:
            super().write(image, seconds)
            if meanwhile == "another camera":
                (tmp_path / "demo.mkv").write_bytes(b"its take")

    monkeypatch.setattr(commands, "open_source", lambda text, wish: Taking(clip))
    monkeypatch.setattr(commands, "WindowSink", Another)
    arguments = ("--background", "#00c000", "--matting-weights", weights, "--output", tmp_path / "demo.mkv")
    caplog.set_level(logging.INFO)
    assert run_command("live", *arguments) == 0
    assert seen[:3] == [0, 0, 1]
    taken = tmp_path / "demo.mkv"
    if meanwhile == "another camera":
        assert taken.read_bytes() == b"its take"
        taken = tmp_path / "demo.partial.mkv"
        assert f"written to {taken}, as {tmp_path / 'demo.mkv'} is there already" in caplog.text
    assert len(read_video(taken)) == len(FakeWindow.shown) == 3


def test_a_file_that_is_left_in_its_window_does_not_replace_an_earlier_recording(
    clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(commands, "WindowSink", FakeWindow)
    (tmp_path / "demo.mkv").write_bytes(b"the whole")
    arguments = ("--source", clip, "--background", "#00c000", "--matting-weights", weights)
    assert run_command("live", *arguments, "--output", tmp_path / "demo.mkv") == 0
    assert (tmp_path / "demo.mkv").read_bytes() == b"the whole"
    assert len(read_video(tmp_path / "demo.partial.mkv")) == 3


@pytest.mark.parametrize(("command", "fps", "told"), [("live", 7, True), ("live", 25, False), ("video", 7, True)])
def test_a_rate_that_means_nothing_to_a_file_is_told(
    command: str, fps: int, told: bool, clip: Path, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    source = ("--source", clip, "--no-window") if command == "live" else (clip,)
    arguments = (*source, "--background", "#00c000", "--matting-weights", weights, "--fps", fps)
    assert run_command(command, *arguments, "--output", tmp_path / "demo.mkv") == 0
    assert (f"--fps {fps}: not used, as {clip} has a rate of its own" in caplog.text) == told


def test_live_keeps_a_photograph_until_q_is_pressed(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Patient(FakeWindow):
        def poll(self) -> str | None:
            assert not FakeWindow.closed
            self.told.append(self.status)
            return QUIT if len(self.told) >= 5 else None

    monkeypatch.setattr(commands, "WindowSink", Patient)
    monkeypatch.setattr(FakeWindow, "closed", False)
    photograph = save_picture(tmp_path / "me.png", np.full((48, 64, 3), 90, np.uint8))
    arguments = ("--source", photograph, "--background", "#00c000", "--matting-weights", weights)
    assert run_command("live", *arguments) == 0
    assert len(FakeWindow.shown) == 1
    assert len(FakeWindow.told) >= 5
    assert FakeWindow.closed


def test_live_shows_a_file_in_a_window_and_ends_with_it(clip: Path, weights: Path, tmp_path: Path, display: str):
    command = [sys.executable, str(ROOT / "run_webcam.py"), "--source", str(clip), "--background", "blur"]
    command += ["--matting-weights", str(weights), "--output", str(tmp_path / "demo.mp4")]
    environment = os.environ | {"DISPLAY": display}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(read_video(tmp_path / "demo.mp4")) == 6


# --- stopped --------------------------------------------------------------------------------------------------

# The commands, telling of every frame, and taking their time so that a signal comes in the middle.
TELLING = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit it ignored
for name in {"SIGTERM", "SIGHUP"} & set(dir(signal)):
    signal.signal(getattr(signal, name), signal.SIG_DFL)  # what nohup starts inherits the latter ignored
from video_harmonizer import pipeline
from video_harmonizer.__main__ import main

compose = pipeline.Pipeline.compose
def telling(self, frame, matte):
    views = compose(self, frame, matte)
    print("frame", frame.index, flush=True)
    time.sleep(0.05)
    return views
pipeline.Pipeline.compose = telling
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)])
def test_stopped_run_leaves_a_playable_file(how: signal.Signals, weights: Path, tmp_path: Path):
    clip, output = make_person_clip(tmp_path / "long.mp4", frames=60, audio=["aac"]), tmp_path / "out.mp4"
    command = [sys.executable, "-c", TELLING, "video", str(clip), "--background", "blur", "-o", str(output)]
    command += ["--matting-weights", str(weights), "--report", str(tmp_path / "report.json")]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **streams) as running:  # type: ignore[call-overload]
        assert running.stdout is not None
        for line in running.stdout:
            if line == "frame 5\n":
                running.send_signal(how)
                break
        errors = running.communicate(timeout=60)[1]
    assert running.returncode == 130, errors
    assert "Traceback" not in errors
    assert "playable" in errors
    assert 5 <= len(read_video(output)) < 60
    last_sound = audio_packets(output)[-1][0]
    assert 0.1 < last_sound <= len(read_video(output)) / 25 + 0.1
    assert leftovers(tmp_path) == []
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["interrupted"] is True
    assert report["frames_out"] == len(read_video(output))


def interrupt(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


def test_run_stopped_before_its_first_frame_leaves_nothing(
    clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr(RVMMatting, "matte", interrupt)
    (tmp_path / "out.mp4").write_bytes(b"precious")
    assert video(weights, clip, "--background", "blur", "-o", tmp_path / "out.mp4") == 130
    assert (tmp_path / "out.mp4").read_bytes() == b"precious"
    assert leftovers(tmp_path) == []
    assert capsys.readouterr().err == "stopped before anything was finished\n"


def press_ctrl_c(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_again_while_a_start_is_undone_leaves_nothing(
    clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(assemble, "make_matting", interrupt)
    abort = VideoFileSink.abort

    def disturbed_abort(sink: VideoFileSink) -> None:
        press_ctrl_c()
        abort(sink)

    monkeypatch.setattr(VideoFileSink, "abort", disturbed_abort)
    assert video(weights, clip, "--background", "blur", "-o", tmp_path / "out.mp4") == 130
    assert leftovers(tmp_path) == []
    assert not (tmp_path / "out.mp4").exists()


def test_ctrl_c_once_all_is_written_changes_nothing(
    clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(commands, "_tell", press_ctrl_c)
    report, output = tmp_path / "report.json", tmp_path / "out.mp4"
    assert video(weights, clip, "--background", "blur", "-o", output, "--report", report) == 0
    assert json.loads(report.read_text())["frames_out"] == len(read_video(output))


def test_stopped_run_leaves_an_earlier_output_and_says_where_its_own_is(
    clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    compose = Pipeline.compose
    monkeypatch.setattr(
        Pipeline, "compose", lambda self, frame, matte: (compose if frame.index < 3 else interrupt)(self, frame, matte)
    )
    (tmp_path / "out.mp4").write_bytes(b"precious")
    assert video(weights, clip, "--background", "blur", "-o", tmp_path / "out.mp4") == 130
    assert (tmp_path / "out.mp4").read_bytes() == b"precious"
    assert len(read_video(tmp_path / "out.partial.mp4")) == 3
    where = f"written to {tmp_path / 'out.partial.mp4'}, as {tmp_path / 'out.mp4'} is there already"
    assert where in caplog.messages
    assert not [message for message in caplog.messages if "before it failed" in message]


def test_failure_while_a_stopped_file_is_finished_keeps_what_there_is_apart(
    clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(self: VideoFileSink, whole: bool) -> None:
        raise InputError(f"{tmp_path / 'out.mp4'}: can't be written (disk full)")

    compose = Pipeline.compose
    monkeypatch.setattr(
        Pipeline, "compose", lambda self, frame, matte: (compose if frame.index < 3 else interrupt)(self, frame, matte)
    )
    monkeypatch.setattr(VideoFileSink, "close", fail)
    assert video(weights, clip, "--background", "blur", "-o", tmp_path / "out.mp4") == 2
    assert not (tmp_path / "out.mp4").exists()
    assert len(read_video(tmp_path / "out.partial.mp4")) == 3
    assert f"{tmp_path / 'out.partial.mp4'}: holds what could be written before it failed" in caplog.messages


def test_program_error_is_not_hidden(clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(self: Pipeline, frame: object, matte: object) -> None:
        raise RuntimeError("a fault of the program, not of the input")

    monkeypatch.setattr(Pipeline, "compose", fail)
    with pytest.raises(RuntimeError, match="a fault of the program"):
        video(weights, clip, "--background", "blur", "-o", tmp_path / "out.mp4")
    assert leftovers(tmp_path) == []
    assert not (tmp_path / "out.mp4").exists()


def test_a_program_without_a_terminal_works(clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert video(weights, clip, "--background", "#00c000", "-o", tmp_path / "out.mkv", *LOSSLESS) == 0
    assert len(read_video(tmp_path / "out.mkv")) == 6


def test_logging_and_signals_are_left_as_they_were(clip: Path, weights: Path, tmp_path: Path):
    before = list(logging.getLogger().handlers)
    kept = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        assert video(weights, clip, "--background", "blur", "-o", tmp_path / "out.mp4") == 0
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, kept)
    assert logging.getLogger().handlers == before
