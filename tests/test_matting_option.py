"""``--matting`` as a person gives it: keys and ready mattes from their files to the output, and slips."""

import dataclasses
import json
import logging
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import make_clip
from red_person import read_picture, run_command, save_picture, save_weights

from video_harmonizer import assemble
from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, SourceInfo
from video_harmonizer.options import NETWORKS, VideoOptions
from video_harmonizer.sources.demo import DemoSource
from video_harmonizer.weights.cache import location, sha256_of
from video_harmonizer.weights.registry import REGISTRY

HEIGHT, WIDTH, FRAMES = 48, 64, 4
BACKGROUND = (200, 30, 220)
PLAIN = ("--background", "#c81edc", "--harmonizer", "none")


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames and mattes as pictures, with what `pasted` says that they make together."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for folder in ("frames", "mattes", "out"):
        Path(folder).mkdir()
    for index in range(FRAMES):
        save_picture(Path(f"frames/{index}.png"), random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
        alpha = random.integers(0, 256, (HEIGHT, WIDTH), np.uint8)
        cv2.imwrite(f"mattes/{index}.png", cv2.GaussianBlur(alpha, (0, 0), 2) if index % 2 else alpha)


def level(index: int) -> np.ndarray:
    """(H, W) uint8: a frame's matte."""
    gray = cv2.imread(f"mattes/{index}.png", cv2.IMREAD_UNCHANGED)
    assert gray is not None
    return gray


def pasted(index: int) -> np.ndarray:
    """Frame over background by its matte, in whole numbers, rounded."""
    alpha = level(index)[..., None].astype(int)
    frame = read_picture(Path(f"frames/{index}.png")).astype(int)
    return (alpha * frame + (255 - alpha) * np.array(BACKGROUND) + 127) // 255


def matte_video(
    path: str, frames: int = FRAMES, size: tuple[int, int] = (WIDTH, HEIGHT), time_base: Fraction = Fraction(1, 25)
) -> None:
    """The mattes as a lossless gray video; the last one stays."""

    def picture(index: int) -> av.VideoFrame:
        gray = cv2.resize(level(min(index, FRAMES - 1)), size).astype(np.uint8)
        return av.VideoFrame.from_ndarray(gray, "gray")

    make_clip(Path(path), range(frames), time_base, None, size, "ffv1", "gray", picture)


def refusal(capsys: pytest.CaptureFixture, *arguments: object) -> str:
    """What is said; nothing may be left behind."""
    before = sorted(Path().rglob("*"))
    assert run_command(*arguments) == 2
    assert sorted(Path().rglob("*")) == before
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0].removeprefix("error: ")


# --- ready mattes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("matting", ["mattes", "mattes/%d.png", "mattes/*.png", "matte.mkv"])
def test_known_matte_gives_exactly_its_composite(matting: str):
    matte_video("matte.mkv")
    assert run_command("video", "frames", *PLAIN, "--matting", matting, "-o", "out/%d.png", "--report", "r.json") == 0
    for index in range(FRAMES):
        assert np.array_equal(read_picture(Path(f"out/{index}.png")), pasted(index))
    assert json.loads(Path("r.json").read_text())["matting"] == matting


def test_live_takes_a_matte_for_a_file():
    arguments = ("--source", "frames", "--no-window", "-o", "out/%d.png", "--view", "paste")
    assert run_command("live", *arguments, *PLAIN, "--matting", "mattes") == 0
    assert np.array_equal(read_picture(Path("out/3.png")), pasted(3))


def test_photograph_takes_a_matte():
    assert run_command("image", "frames/1.png", *PLAIN, "--matting", "mattes/1.png", "-o", "out.png") == 0
    assert np.array_equal(read_picture(Path("out.png")), pasted(1))


def test_longer_matte_is_said_and_shorter_one_warned_of(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture
):
    matte_video("longer.mkv", frames=FRAMES + 2)
    with caplog.at_level(logging.INFO):
        assert run_command("video", "frames", *PLAIN, "--matting", "longer.mkv", "-o", "out/%d.png") == 0
    assert "longer.mkv: 6 mattes for 4 frames; those left over are not used" in caplog.messages
    Path("mattes/3.png").unlink()
    assert run_command("video", "frames", *PLAIN, "--matting", "mattes", "-o", "out.mp4") == 2
    assert "mattes: 3 mattes for 4 frames; it seems to end early" in caplog.messages
    assert "error: mattes: it ends after 3 mattes, wanted one for frame 3 at 0.120 s" in capsys.readouterr().err


def test_mattes_of_uneven_times_are_not_said_to_end_early(caplog: pytest.LogCaptureFixture):
    times = [0, 33, 66, 133, 500, 533, 566, 900, 1500, 1533, 1566, 2400]  # of which Matroska's header guesses 61
    for name in ("talk.mkv", "mattes.mp4"):
        make_clip(Path(name), times, Fraction(1, 1000))
    assert run_command("video", "talk.mkv", *PLAIN, "--matting", "mattes.mp4", "-o", "out.mp4") == 0
    assert not [message for message in caplog.messages if "mattes for" in message]


def test_other_times_and_sizes_are_refused(capsys: pytest.CaptureFixture):
    arguments = ("video", "frames", *PLAIN, "-o", "out.mp4", "--matting")
    matte_video("slow.mkv", time_base=Fraction(1, 20))
    assert run_command(*arguments, "slow.mkv") == 2  # the first frames are left as out.partial.mp4
    assert "error: slow.mkv: got a matte at 0.100 s, wanted one at 0.080 s, when " in capsys.readouterr().err
    matte_video("small.mkv", size=(32, 24))
    assert refusal(capsys, *arguments, "small.mkv") == (
        "small.mkv: mask of 32x24 for a picture of 64x48; give one of its size"
    )


def test_matte_is_not_overwritten(capsys: pytest.CaptureFixture):
    matte_video("matte.mkv")
    before = Path("matte.mkv").read_bytes()
    refusal(capsys, "video", "frames", *PLAIN, "--matting", "matte.mkv", "-o", "matte.mkv")
    assert Path("matte.mkv").read_bytes() == before


def test_matte_that_cant_be_read_is_refused(capsys: pytest.CaptureFixture):
    arguments = ("video", "frames", *PLAIN, "-o", "out.mp4", "--matting")
    assert refusal(capsys, *arguments, "gone.mp4") == "--matting gone.mp4: no such file; give a video file"
    assert refusal(capsys, *arguments, "gone/%04d.png").startswith("--matting gone/%04d.png: no pictures there; wanted")


def test_camera_has_no_ready_matte():
    options = VideoOptions(input=Path("0"), background="blur", output=Path("out.mp4"), matting="mattes")
    camera = SourceInfo("webcam 0", WIDTH, HEIGHT, Fraction(30), live=True)
    with pytest.raises(InputError, match=r"^--matting mattes: it can't be the matte of webcam 0; use a network or"):
        assemble.make_matting(options, assemble.choose_engine("torch", "cpu"), camera, ExitStack())


# --- chroma key -----------------------------------------------------------------------------------------------


def green_room(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A gray box before a green screen."""
    rgb = np.full((height, width, 3), (20, 170, 70), np.uint8)
    rgb[height // 3 :, width // 3 : width // 2] = 120
    return rgb


@pytest.mark.parametrize(("matting", "name"), [("chroma", "chroma:#14aa46"), ("chroma:#00B140", "chroma:#00b140")])
def test_green_screen_is_replaced(matting: str, name: str):
    save_picture(Path("room.png"), green_room())
    arguments = ("image", "room.png", *PLAIN, "--matting", matting, "-o", "out.png", "--report", "r.json")
    assert run_command(*arguments) == 0
    out = read_picture(Path("out.png")).astype(int)
    person = np.all(green_room() == 120, axis=2)
    assert np.abs(out[~person] - BACKGROUND).max() <= 1
    assert np.abs(out[person] - 120).max() <= 2
    assert json.loads(Path("r.json").read_text())["matting"] == name


def test_picture_without_a_screen_is_refused(capsys: pytest.CaptureFixture):
    save_picture(Path("room.png"), np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    said = refusal(capsys, "image", "room.png", *PLAIN, "--matting", "chroma", "-o", "out.png")
    assert said.startswith(
        "--matting chroma: no screen found: green or blue fills 0% of the first lit frame, wanted 15%;"
    )


# --- networks -------------------------------------------------------------------------------------------------


def published(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RobustVideoMatting's file in the user's cache, as far as its checksum says."""
    entry = REGISTRY["rvm_mobilenetv3"]
    location(entry).parent.mkdir(parents=True, exist_ok=True)
    save_weights(location(entry))
    pinned = dataclasses.replace(entry, sha256=sha256_of(location(entry)))
    monkeypatch.setitem(REGISTRY, "rvm_mobilenetv3", pinned)


def test_auto_is_the_bundled_network_until_the_published_one_was_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("HARMONIZER_CACHE", str(tmp_path / "cache"))
    save_picture(Path("photo.png"), read_picture(Path("frames/0.png")))
    arguments = ("image", "photo.png", *PLAIN, "-o", "out.png", "--report", "r.json", "--engine", "torch")
    with caplog.at_level(logging.INFO):
        assert run_command(*arguments) == 0
    assert json.loads(Path("r.json").read_text())["matting"] == "bundled"
    assert sum("weights download rvm_mobilenetv3" in message for message in caplog.messages) == 1
    published(tmp_path, monkeypatch)
    assert run_command(*arguments) == 0
    assert json.loads(Path("r.json").read_text())["matting"] == "rvm_mobilenetv3"
    assert "damaged" not in caplog.text
    location(REGISTRY["rvm_mobilenetv3"]).write_bytes(b"half of it")
    assert run_command(*arguments) == 0
    assert json.loads(Path("r.json").read_text())["matting"] == "bundled"
    assert "rvm_mobilenetv3: damaged, so it is not taken; run `python -m video_harmonizer weights" in caplog.text
    published(tmp_path, monkeypatch)
    assert run_command(*arguments, "--matting", "bundled") == 0
    assert json.loads(Path("r.json").read_text())["matting"] == "bundled"


def test_bundled_network_finds_the_demos_person_and_nobody_on_a_wall():
    options = VideoOptions(input=Path("demo"), background="demo", output=Path("out.mp4"), matting="bundled")
    matting = assemble.make_matting(options, assemble.choose_engine("torch", "cpu"), DemoSource().info, ExitStack())
    frame = next(iter(DemoSource()))
    alpha = matting.matte(frame).alpha
    face, sky = alpha[150:300, 450:600], alpha[100:400, :80]
    assert face.mean() > 250
    assert sky.mean() < 5
    matting.reset()
    wall = np.full_like(frame.rgb, (180, 170, 150))
    assert matting.matte(Frame(wall, 0, 0.0)).alpha.mean() < 2.5


# --- slips ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["crhoma", "chromakey", "rvm", "mattes2", "0", "/dev/video0", "pattern", "", "m" * 300]
)
def test_unknown_matting_is_answered_with_what_there_is(name: str, capsys: pytest.CaptureFixture):
    said = refusal(capsys, "video", "frames", *PLAIN, "-o", "out.mp4", "--matting", name)
    assert said.startswith(f"--matting {name}: neither known nor a file; give {', '.join(NETWORKS)}, chroma, ")


@pytest.mark.parametrize("matting", ["chroma", "chroma:#00b140", "mattes"])
def test_weights_of_networks_are_refused_for_others(matting: str, capsys: pytest.CaptureFixture):
    given = ("--matting", matting, "--matting-weights", "rvm.pth")
    said = refusal(capsys, "video", "frames", *PLAIN, "-o", "out.mp4", *given)
    assert said == f"--matting-weights rvm.pth: for networks, and --matting {matting} is none; leave one of them out"


@pytest.mark.parametrize("given", [("--matting", "chroma:#00b140"), ("--matting", "mattes"), None])
def test_ratio_of_networks_is_told_to_be_unused_for_others(
    given: tuple[str, str] | None, caplog: pytest.LogCaptureFixture
):
    # settings files for a webcam have one
    if given:
        run_command("video", "frames", *PLAIN, "-o", "out/%d.png", "--downsample-ratio", "0.25", *given)
    else:
        run_command("image", "frames/0.png", "mattes/0.png", "-o", "out.png", "--downsample-ratio", "0.25")
    assert "--downsample-ratio 0.25: not used, as no network finds the person" in caplog.messages


def test_a_network_by_name_and_weights_by_file_are_one_too_many(capsys: pytest.CaptureFixture):
    given = ("--matting", "bundled", "--matting-weights", "rvm.pth")
    said = refusal(capsys, "video", "frames", *PLAIN, "-o", "out.mp4", *given)
    assert said == "--matting-weights rvm.pth: --matting bundled names weights already; leave one of them out"


@pytest.mark.parametrize("matting", ["chroma", "bundled"])
def test_mask_and_matting_are_one_too_many(matting: str, capsys: pytest.CaptureFixture):
    said = refusal(capsys, "image", "frames/0.png", "mattes/0.png", "--matting", matting, "-o", "out.png")
    assert said == f"--matting {matting}: the mask mattes/0.png says who is in the picture; leave one of them out"


@pytest.mark.parametrize("text", ["chroma:green", "chroma:#gg0000", "chroma:#787878"])
def test_bad_key_is_refused_before_anything_is_opened(text: str, capsys: pytest.CaptureFixture):
    said = refusal(capsys, "video", "gone.mp4", *PLAIN, "-o", "out.mp4", "--matting", text)
    assert said.startswith(f"--matting {text}: ")
    assert "chroma:#00b140" in said


def test_settings_file_takes_any_matting(tmp_path: Path):
    Path("settings.toml").write_text('matting = "mattes"\nharmonizer = "none"\nview = "paste"')
    arguments = ("frames", "--background", "#c81edc", "-o", "out/%d.png", "--config", "settings.toml")
    assert run_command("video", *arguments) == 0
    assert np.array_equal(read_picture(Path("out/2.png")), pasted(2))


@pytest.mark.parametrize("how", ["mask", "mattes", "network"])
def test_nobody_in_any_frame_is_told_and_reported(how: str, caplog: pytest.LogCaptureFixture):
    for index in range(FRAMES):  # 1 for the person, as masks of classes have it
        cv2.imwrite(f"mattes/{index}.png", np.ones((HEIGHT, WIDTH), np.uint8))
    remedy = "masks and mattes are white (255) where the person is"
    if how == "mask":
        run_command("image", "frames/0.png", "mattes/0.png", "-o", "out.png", "--report", "r.json")
    elif how == "mattes":
        run_command("video", "frames", *PLAIN, "--matting", "mattes", "-o", "out/%d.png", "--report", "r.json")
    else:
        save_picture(Path("empty.png"), np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
        run_command("image", "empty.png", *PLAIN, "--matting", "bundled", "-o", "out.png", "--report", "r.json")
        remedy = "another --matting, or a larger --downsample-ratio for small people, may see more"
    (said,) = (message for message in caplog.messages if message.startswith("hardly anybody was found ("))
    assert said.endswith(f"% of a picture at most); {remedy}")
    assert said in json.loads(Path("r.json").read_text())["warnings"]


def test_somebody_in_one_frame_is_enough(caplog: pytest.LogCaptureFixture):
    for index in range(1, FRAMES):
        cv2.imwrite(f"mattes/{index}.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    run_command("video", "frames", *PLAIN, "--matting", "mattes", "-o", "out/%d.png")
    assert not [message for message in caplog.messages if "hardly anybody" in message]
