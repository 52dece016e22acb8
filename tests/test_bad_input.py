"""What a person may give by mistake, and what is odd but right: each line of the list that the project promises.

A mistake is answered with one line that names the file or option first and says what was got, what was wanted and
what to do; with exit status 2; and it touches nothing that was there.
"""

import json
import os
import struct
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from clips import flat_frame, make_clip, yuv_codes
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

from video_harmonizer import weights
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.pipeline import Pipeline
from video_harmonizer.sources import webcam
from video_harmonizer.weights.load import read_state

PRECIOUS = b"a film that nobody has a copy of"


@pytest.fixture(scope="module")
def matting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_weights(tmp_path_factory.mktemp("weights") / "red_person.pth")


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, matting: Path) -> None:
    """Each test has a good clip and a good picture, and an output's name that is taken already."""
    monkeypatch.chdir(tmp_path)
    make_person_clip(Path("talk.mp4"), frames=3)
    save_picture(Path("photo.png"), picture())
    for name in ("out.mp4", "out.png"):
        Path(name).write_bytes(PRECIOUS)
    Path("matting.pth").symlink_to(matting)


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> Callable[..., str]:
    """Runs a command that must be refused; the one line that is said. Nothing may have changed on disk."""

    def run(*arguments: object, keeps: bool = False) -> str:
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        assert run_command(*arguments) == 2
        output = capsys.readouterr()
        assert "Traceback" not in output.err
        lines = [line for line in output.err.splitlines() if line not in caplog.messages]  # which were warnings
        assert len(lines) == 1, output.err
        assert lines[0].startswith("error: ")
        assert "; " in lines[0], "no remedy"
        after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        if keeps:  # apart from the final name
            after = {path: time for path, time in after.items() if "partial" not in path.name}
        assert after == before
        return lines[0].removeprefix("error: ")

    return run


def video(source: object = "talk.mp4", *options: object, background: str = "#00c000") -> list[object]:
    arguments = ["video", source, "--background", background, "--matting-weights", "matting.pth"]
    return [*arguments, *([] if "-o" in options else ["-o", "out.mp4"]), *options]


def image(source: object = "photo.png", *options: object, background: str = "#00c000") -> list[object]:
    arguments = ["image", source, "--background", background, "--matting-weights", "matting.pth"]
    return [*arguments, *([] if "-o" in options else ["-o", "out.png"]), *options]


def live(source: object = "talk.mp4", *options: object, background: str = "#00c000") -> list[object]:
    arguments = ["live", "--source", source, "--background", background, "--matting-weights", "matting.pth"]
    return [*arguments, "--output", "out.mp4", *options]


# --- inputs that can't be read --------------------------------------------------------------------------------


def audio_only(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))


def cut_off(path: Path) -> None:
    path.write_bytes(Path("talk.mp4").read_bytes()[:-900])  # the index stands at the end


UNREADABLE: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "missing": ("gone.mp4", lambda path: None, "no such file"),
    "missing picture": ("gone.png", lambda path: None, "no such file"),
    "folder without pictures": ("folder", lambda path: path.mkdir(), "no pictures there"),
    "empty": ("empty.mp4", lambda path: path.touch(), "empty file (0 bytes)"),
    "empty picture": ("empty.png", lambda path: path.touch(), "empty file (0 bytes)"),
    "noise": ("noise.mp4", lambda path: path.write_bytes(bytes(range(256)) * 9), "not a video that can be read"),
    "noisy picture": ("noise.png", lambda path: path.write_bytes(bytes(999)), "not a picture that can be read"),
    "text": ("notes.txt", lambda path: path.write_text("dear diary"), "not a video that can be read"),
    "without its index": ("cut.mp4", cut_off, "an MP4 without its index (moov)"),
    "audio only": ("song.wav", audio_only, "it holds audio only"),
    "one pixel": ("dot.png", lambda path: save_picture(path, np.zeros((1, 1, 3), np.uint8)), "1x1 picture"),
}


@pytest.mark.parametrize("case", UNREADABLE)
@pytest.mark.parametrize("role", ["video", "image", "live", "background"])
def test_input_that_cant_be_read_is_refused_by_name(case: str, role: str, refusal: Callable[..., str]):
    name, make, reason = UNREADABLE[case]
    make(Path(name))
    command = {
        "video": video(name),
        "image": image(name),
        "live": live(name, "--no-window"),
        "background": video(background=name),
    }[role]
    option = "--background " if role == "background" else ""
    assert refusal(*command).startswith(f"{option}{name}: {reason}")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="whoever runs this may read everything")
@pytest.mark.parametrize("name", ["talk.mp4", "photo.png"])
def test_input_that_may_not_be_read_is_refused_by_name(name: str, refusal: Callable[..., str]):
    Path(name).chmod(0)
    message = refusal(*video(name))
    assert message.startswith(f"{name}: it ")
    assert "permission" in message


@pytest.mark.parametrize("size", ["1x1", "1x100", "0x0"])
def test_pattern_without_a_picture_is_refused(size: str, refusal: Callable[..., str]):
    assert refusal(*live(f"pattern:{size}", "--no-window")) == (f"pattern: {size} picture; give a size of at least 2x2")


def test_video_of_one_pixel_is_refused_by_name(refusal: Callable[..., str]):
    make_clip(
        Path("dot.mkv"),
        codec="ffv1",
        pixel_format="gray",
        size=(1, 1),
        picture=lambda index: flat_frame((99,), "gray", 1, 1),
    )
    assert refusal(*video("dot.mkv")) == "dot.mkv: 1x1 picture; give a video of at least 2x2"


@pytest.fixture
def truncated() -> str:
    """A video that starts well and breaks off."""
    whole = make_clip(Path("whole.mp4"), range(30), container_options={"movflags": "faststart"}).read_bytes()
    Path("whole.mp4").unlink()
    Path("cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    return "cut.mp4"


def test_truncated_video_is_refused_after_its_last_frame(truncated: str, refusal: Callable[..., str], caplog: Any):
    message = refusal(*video(truncated), keeps=True)
    assert message.startswith("cut.mp4: its data ends early: got ")
    assert " of 30 frames" in message
    assert message.endswith("; copy or download it again")
    assert Path("out.mp4").read_bytes() == PRECIOUS
    kept = Path("out.partial.mp4")  # minutes of work may be in it
    assert 3 < len(read_video(kept)) < 30
    assert f"{kept.resolve()}: holds what could be written before it failed" in caplog.messages


def test_truncated_video_leaves_nothing_under_the_final_name(truncated: str, refusal: Callable[..., str]):
    Path("out.mp4").unlink()
    refusal(*video(truncated), keeps=True)
    assert not Path("out.mp4").exists()


def test_sequence_and_video_are_no_picture(refusal: Callable[..., str]):
    assert refusal(*image("talk.mp4")).startswith("talk.mp4: not one picture; for videos")


@pytest.mark.parametrize(
    ("arguments", "got"),
    [
        (("photo.png",), "neither a mask nor"),
        (("photo.png", "photo.png", "--background", "blur"), "both a mask and"),
    ],
)
def test_picture_needs_a_mask_or_a_background(arguments: tuple, got: str, refusal: Callable[..., str]):
    message = refusal("image", *arguments, "-o", "out.png")
    assert message.startswith(f"photo.png: got {got} a background; give a MASK")


def test_view_that_shows_a_background_needs_one(refusal: Callable[..., str]):
    message = refusal("video", "talk.mp4", "-o", "out.mp4")
    assert message.startswith("--background: missing; give a picture, a video, #rrggbb or blur, or a --view of orig")


def test_mask_of_another_size_is_refused_by_name(refusal: Callable[..., str]):
    save_picture(Path("mask.png"), np.zeros((48, 65, 3), np.uint8))
    message = refusal("image", "photo.png", "mask.png", "-o", "out.png")
    assert message == "mask.png: mask of 65x48 for a picture of 64x48; give one of its size"


@pytest.mark.parametrize("background", ["#12345", "blur:0", "0", ""])
def test_background_that_is_none_is_refused(background: str, refusal: Callable[..., str]):
    assert refusal(*video(background=background)).startswith("--background")


# --- outputs that can't be written ----------------------------------------------------------------------------


@pytest.fixture
def _before_the_first_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused must be refused before any work is done."""
    monkeypatch.setattr(Pipeline, "matte", lambda self, frame: pytest.fail("a frame was processed"))


@pytest.mark.usefixtures("_before_the_first_frame")
@pytest.mark.parametrize(
    ("command", "message"),
    [
        (video("talk.mp4", "-o", "talk.mp4"), "talk.mp4: it is also read (talk.mp4); give the output another name"),
        (video("talk.mp4", "-o", "./talk.mp4"), "talk.mp4: it is also read (talk.mp4)"),
        (video("talk.mp4", "-o", "link.mp4"), "link.mp4: it is also read (talk.mp4)"),
        (video("talk.mp4", "-o", "waves.mp4", background="waves.mp4"), "waves.mp4: it is also read (waves.mp4)"),
        (image("photo.png", "-o", "photo.png"), "photo.png: it is also read (photo.png)"),
        (image("phot?.png", "-o", "photo.png"), "photo.png: it is also read (photo.png)"),
        (image("photo.png", "-o", "mask.png", background="mas*.png"), "mask.png: it is also read (mask.png)"),
        (["image", "photo.png", "mask.png", "-o", "mask.png"], "mask.png: it is also read (mask.png)"),
        (live("out.mp4", "--no-window"), "out.mp4: it is also read (out.mp4)"),
        (video("talk.mp4", "-o", "nowhere/out.mp4"), "nowhere/out.mp4: there is no folder"),
        (video("talk.mp4", "-o", "talk.mp4/out.mp4"), "talk.mp4/out.mp4: "),
        pytest.param(
            video("talk.mp4", "-o", "/proc/out.mp4"),
            "/proc/out.mp4: it can't be written",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="no such place there"),
        ),
        (image("photo.png", "-o", "nowhere/out.png"), "nowhere/out.png: there is no folder"),
        (video("talk.mp4", "-o", "out.gif"), "out.gif: not a kind of video known here; use "),
        (
            video("talk.mp4", "-o", "out"),
            "out: no such folder; make it first for pictures, or name a video such as out.mp4",
        ),
        (video("talk.mp4", "-o", "out.png"), "out.png: one picture, but talk.mp4 has 3 frames"),
        (video("talk.mp4", "--report", "nowhere/report.json"), "nowhere/report.json: there is no folder"),
        (
            video("talk.mp4", "--report", "talk.mp4"),
            "--report talk.mp4: no name for this; give a file name",
        ),
        (video("talk.mp4", "--codec", "libx265x"), "--codec libx265x: unknown; did you mean libx265?"),
        (video("talk.mp4", "--codec", "h266"), "--codec h266: unknown; "),
        (video("talk.mp4", "--codec", "aac"), "--codec aac: it codes audio; give a video codec"),
        (video("talk.mp4", "--preset", "warp"), "--preset warp: libx264 does not take it; leave it out"),
        (video("talk.mp4", "--codec", "ffv1", "--crf", "20"), "--crf: ffv1 has no such setting; leave it out"),
        (video("talk.mp4", "--downsample-ratio", "2"), "--downsample-ratio 2: not over 0 and up to 1; "),
        (video("talk.mp4", "--device", "cuda:77"), "--device cuda:77: not usable here"),
        (["live", "--source", "talk.mp4", "--background", "blur", "--no-window"], "--no-window: nothing would be"),
    ],
    ids=lambda value: " ".join(map(str, value[:2])) if isinstance(value, list) else value[:40],
)
def test_output_that_cant_be_written_is_refused_before_the_first_frame(
    command: list[object], message: str, refusal: Callable[..., str]
):
    Path("link.mp4").symlink_to("talk.mp4")
    make_clip(Path("waves.mp4"))
    save_picture(Path("mask.png"), np.zeros((48, 64, 3), np.uint8))
    if "out.mp4" in command and command[0] == "live":
        make_person_clip(Path("out.mp4"))
    assert refusal(*command).startswith(message)


@pytest.mark.usefixtures("_before_the_first_frame")
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="whoever runs this may write everywhere")
def test_output_that_may_not_be_written_is_refused(refusal: Callable[..., str]):
    Path("out.mp4").chmod(0o444)
    assert refusal(*video()) == "out.mp4: it exists and may not be changed; give another name"
    Path("closed").mkdir()
    Path("closed").chmod(0o555)
    assert refusal(*video("talk.mp4", "-o", "closed/out.mp4")).startswith("closed/out.mp4: it can't be written")


def test_pictures_that_are_there_are_not_mixed_with_new_ones(refusal: Callable[..., str]):
    Path("frames").mkdir()
    Path("frames/00003.png").write_bytes(PRECIOUS)
    for output in ("frames", "frames/%05d.png"):
        assert refusal(*video("talk.mp4", "-o", output)).startswith(f"{output}: 00003.png is there already; ")


@pytest.mark.parametrize("length", [245, 300])  # the first leaves no room for what an unfinished file is called
def test_output_name_that_is_too_long_is_refused(refusal: Callable[..., str], length: int):
    message = refusal(*image("photo.png", "-o", "a" * length + ".png"))
    assert "it can't be written (File name too long); give another place" in message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_pipe_is_refused_at_once(refusal: Callable[..., str], tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.ts")
    message = refusal("video", tmp_path / "pipe.ts", "--background", "#c81edc", "-o", "out.mp4")
    assert "pipe.ts: not an ordinary file; give a file" in message


# --- cameras and displays -------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="only here cameras are files")
@pytest.mark.parametrize(("there", "listed"), [([], "none found"), (["video2", "video10"], "2 (Desk camera); 10")])
def test_without_the_camera_those_that_are_there_are_listed(
    there: list[str], listed: str, refusal: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "dev").mkdir()
    (tmp_path / "names" / "video2").mkdir(parents=True)
    (tmp_path / "names" / "video2" / "name").write_text("Desk camera\n")
    for name in there:
        (tmp_path / "dev" / name).touch()
    monkeypatch.setattr(webcam, "DEVICES", tmp_path / "dev")
    monkeypatch.setattr(webcam, "DEVICE_NAMES", tmp_path / "names")
    message = refusal(*live(0, "--no-window"))
    assert message.startswith(f"webcam 0: no such camera (there are: {listed}); ")
    assert "--source FILE" in message


@pytest.mark.skipif(sys.platform != "linux", reason="only here the display can be taken away")
def test_window_without_a_display_is_refused_and_told_how_to_do_without(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delitem(sys.modules, "av")  # the window is opened before it is loaded, in a run of its own
    message = refusal(*live())
    assert message.startswith("window: there is no display (DISPLAY is not set); ")
    assert "--no-window" in message


# --- weights --------------------------------------------------------------------------------------------------


def bundled_file() -> Path:
    return Path(weights.path("s2crnet"))


@pytest.mark.parametrize(
    ("option", "make", "reason"),
    [
        ("--matting-weights", bundled_file, "not weights of this MattingNetwork: "),
        ("--harmonizer-weights", lambda: Path("matting.pth"), "not weights of this CurveNet: "),
    ],
)
def test_weights_of_another_network_are_refused_with_the_first_keys(
    option: str, make: Callable[[], Path], reason: str, refusal: Callable[..., str]
):
    path = make()
    message = refusal(*video("talk.mp4", option, path))
    assert message.startswith(f"{path}: {reason}")
    assert "keys missing (first: " in message
    assert "keys unexpected (first: " in message


@pytest.mark.parametrize("option", ["--matting-weights", "--harmonizer-weights"])
@pytest.mark.parametrize(
    ("content", "reason"), [(None, "no such file"), (b"", "empty file"), (b"PK\3\4 torn", "damaged")]
)
def test_weights_that_cant_be_read_are_refused_by_name(
    option: str, content: bytes | None, reason: str, refusal: Callable[..., str]
):
    if content is not None:
        Path("net.pth").write_bytes(content)
    assert refusal(*video("talk.mp4", option, "net.pth")).startswith(f"net.pth: {reason}")


def test_weights_of_another_shape_are_refused_with_both_shapes(refusal: Callable[..., str]):
    state = S2CRNet().state_dict()
    name = next(iter(state))
    state[name] = state[name][:5]
    torch.save(state, "net.pth")
    message = refusal(*video("talk.mp4", "--harmonizer-weights", "net.pth"))
    assert f"(first: {name}: got (5, 3, 3, 3), wanted (64, 3, 3, 3))" in message


# --- NaN from a network ---------------------------------------------------------------------------------------


def warnings_of(*command: object) -> list[str]:
    assert run_command(*command, "--report", "report.json") == 0
    return json.loads(Path("report.json").read_text())["warnings"]


def test_nan_from_the_harmonizer_leaves_colours_and_is_said_once():
    state = read_state(bundled_file())
    torch.save({key: value * torch.nan for key, value in state.items()}, "nan.pth")
    said = warnings_of(*video("talk.mp4", "-o", "out.mkv", "--codec", "ffv1", "--harmonizer-weights", "nan.pth"))
    assert said == ["s2crnet: got curves that are not finite; frames keep the last good ones"]
    for index, frame in enumerate(read_video(Path("out.mkv"))):
        np.testing.assert_allclose(frame[person_in(index)].mean(axis=0), RED, atol=4)


def test_nan_from_the_matting_shows_the_background_and_is_said_once():
    state = read_state(Path("matting.pth"))
    state["decoder.decode4.gru.hh.0.bias"] *= torch.nan
    torch.save(state, "nan.pth")
    said = warnings_of(*video("talk.mp4", "-o", "out.mkv", "--codec", "ffv1", "--matting-weights", "nan.pth"))
    assert [text.partition(" (")[0] for text in said] == [
        "rvm_mobilenetv3: no finite alpha at frame 0",
        "hardly anybody was found",
    ]
    assert len(read_video(Path("out.mkv"))) == 3


@pytest.mark.parametrize(("output", "used"), [("out.mp4", True), ("%d.png", False), ("folder", False)])
def test_encoders_settings_where_no_video_is_written_are_told_of(output: str, used: bool):
    Path("folder").mkdir()
    said = warnings_of(*video("talk.mp4", "-o", output, "--crf", 30, "--codec", "libx264", "--preset", "ultrafast"))
    given = [] if used else ["--codec libx264", "--crf 30", "--preset ultrafast"]
    assert said == [f"{option}: not used, as it is for videos and none is written" for option in given]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            video("talk.mp4", "-o", "-"),
            "-: its name does not tell the kind of video; give a file name such as talk.mp4",
        ),
        (video("talk.mp4", "-o", "plain"), "plain: its name does not tell the kind of video"),
        (image("photo.png", "-o", "folder"), "folder: it is a folder; give the name of a file in it"),
        (
            ["video", "talk.mp4", "--background", "blur", "-o", "out.mp4", "--matting", "empty"],
            "--matting empty: neither",
        ),
    ],
)
def test_names_that_say_too_little_are_refused(arguments: tuple, reason: str, refusal: Callable[..., str]):
    Path("plain").touch()
    Path("folder").mkdir()
    Path("empty").mkdir()
    assert refusal(*arguments).startswith(reason)


# --- odd, and right -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["picture", "video"])
def test_background_of_another_aspect_is_cropped_and_that_is_said(kind: str):
    ramp = np.zeros((40, 160, 3), np.uint8)
    ramp[:, 40:120, 2] = 200
    if kind == "picture":
        name = str(save_picture(Path("wide.png"), ramp))
    else:
        name = str(make_clip(Path("wide.mp4"), size=(160, 40), picture=lambda index: av.VideoFrame.from_ndarray(ramp)))
    said = warnings_of(*video("talk.mp4", "-o", "out.mkv", "--codec", "ffv1", background=name))
    assert said == [f"{name}: background of 160x40 is cropped to fill frames of 64x48"]
    shown = read_video(Path("out.mkv"))[0]
    np.testing.assert_allclose(shown[wall_in()].mean(axis=0), (0, 0, 200), atol=4)


@pytest.mark.parametrize("size", [(63, 47), (64, 47), (63, 48), (3, 2), (2, 60)])
@pytest.mark.parametrize("view", ["harmonized", "side-by-side"])
def test_odd_sizes_keep_every_pixel(size: tuple[int, int], view: str):
    width, height = size
    make_person_clip(Path("odd.mkv"), frames=2, size=size, codec="ffv1", pixel_format="bgr0")
    assert run_command(*video("odd.mkv", "--view", view)) == 0
    panels = 3 if view == "side-by-side" else 1
    assert [frame.shape for frame in read_video(Path("out.mp4"))] == [(height, width * panels, 3)] * 2


def test_video_of_one_frame_gives_one():
    make_person_clip(Path("one.mp4"), frames=1, audio=["aac"])
    assert run_command(*video("one.mp4")) == 0
    assert len(read_video(Path("out.mp4"))) == 1


COLOUR = (0.75, 0.5, 0.25)
LIMITED, FULL = 1, 2

# name: (pixel format, COLOUR's code values in it, range)
PIXEL_FORMATS = {
    "limited": ("yuv420p", yuv_codes(COLOUR, 6, False), LIMITED),
    "full range": ("yuv420p", yuv_codes(COLOUR, 6, True), FULL),
    "10 bits": ("yuv420p10le", yuv_codes(COLOUR, 6, False, bits=10), LIMITED),
    "12 bits, 4:2:2": ("yuv422p12le", yuv_codes(COLOUR, 6, False, bits=12), LIMITED),
    "alpha": ("yuva420p", (*yuv_codes(COLOUR, 6, False), 100), LIMITED),
    "gray": ("gray", (128,), FULL),
    "deep gray": ("gray10le", (514,), FULL),
    "RGB with alpha": ("bgra", (64, 128, 191, 100), FULL),
}


@pytest.mark.parametrize("view", ["original", "side-by-side"])
@pytest.mark.parametrize("kind", PIXEL_FORMATS)
def test_pixel_formats_come_out_in_their_colours_and_depth(kind: str, view: str):
    pixel_format, codes, color_range = PIXEL_FORMATS[kind]

    def flat(index: int) -> av.VideoFrame:
        if pixel_format == "bgra":
            return av.VideoFrame.from_ndarray(np.tile(np.array(codes, np.uint8), (48, 64, 1)), "bgra")
        return flat_frame(codes, pixel_format, 64, 48)

    color = (2, 2, 2, color_range)
    make_clip(Path("in.mkv"), range(2), codec="ffv1", pixel_format=pixel_format, picture=flat, color=color)
    options = ("--view", view, "--harmonizer", "none", "-o", "out.mkv", "--codec", "ffv1")
    assert run_command(*video("in.mkv", *options)) == 0
    with av.open("out.mkv") as container:
        depth = next(container.decode(video=0)).format.components[0].bits
    assert (depth > 8) == (av.VideoFormat(pixel_format).components[0].bits > 8)
    shown = read_video(Path("out.mkv"))[1][:20, :64]  # above the label
    wanted = (128, 128, 128) if "gray" in kind else [255 * part for part in COLOUR]
    assert np.abs(shown - np.array(wanted)).max() <= 2


TURNED = 1 << 16  # 1 in the track header's matrix (ISO 14496-12, 8.3.2)


@pytest.mark.parametrize(
    ("matrix", "quarters"),
    [((0, TURNED, -TURNED, 0), -1), ((0, -TURNED, TURNED, 0), 1), ((-TURNED, 0, 0, -TURNED), 2)],
    ids=["right", "left", "upside-down"],
)
def test_video_of_a_turned_phone_comes_out_upright(matrix: tuple[int, int, int, int], quarters: int):
    data = bytearray(make_person_clip(Path("phone.mp4"), frames=2).read_bytes())
    a, b, c, d = matrix
    unturned = struct.pack(">9i", TURNED, 0, 0, 0, TURNED, 0, 0, 0, 1 << 30)
    at = data.index(unturned, data.index(b"tkhd"))
    data[at : at + len(unturned)] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    Path("phone.mp4").write_bytes(data)

    assert run_command(*video("phone.mp4", "--harmonizer", "none")) == 0
    shown = read_video(Path("out.mp4"))[0]
    stored = np.rot90(shown, -quarters)
    assert stored.shape == picture().shape
    np.testing.assert_allclose(stored[person_in()].mean(axis=0), RED, atol=6)
    np.testing.assert_allclose(stored[wall_in()].mean(axis=0), (0, 192, 0), atol=6)
    with av.open("out.mp4") as container:
        assert next(container.decode(video=0)).rotation == 0


def test_gray_pictures_and_those_with_alpha_are_read():
    save_picture(Path("gray.png"), np.full((48, 64, 1), 90, np.uint8))
    transparent = np.full((48, 64, 1), 100, np.uint8)
    save_picture(Path("rgba.png"), np.concatenate([transparent, picture()], axis=2))  # stored the other way round
    for name, wanted in (("gray.png", (90, 90, 90)), ("rgba.png", WALL)):
        assert run_command(*image(name, "--view", "original")) == 0
        assert (read_picture(Path("out.png"))[wall_in()] == wanted).all()
