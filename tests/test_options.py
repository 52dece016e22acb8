"""The command line: what can be set, what a slip is answered with, and which of two settings counts."""

import dataclasses
import inspect
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from video_harmonizer import __version__, assemble
from video_harmonizer.__main__ import COMMANDS, main, parse
from video_harmonizer.errors import InputError
from video_harmonizer.options import ImageOptions, LiveOptions, Options, VideoOptions, WeightsOptions

ROOT = Path(__file__).parents[1]
VIDEO = ["video", "talk.mp4", "--background", "beach.jpg", "-o", "out.mp4"]
IMAGE = ["image", "photo.png", "--background", "beach.jpg", "-o", "out.png"]
LIVE = ["live", "--background", "beach.jpg"]
RUNS = {"video": VIDEO, "image": IMAGE, "live": LIVE}


@pytest.fixture(autouse=True)
def _terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def printed(arguments: list[str], capsys: pytest.CaptureFixture, status: int) -> str:
    """What is printed on the way out; the status must be that."""
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    assert ending.value.code == status
    output = capsys.readouterr()
    return output.out + output.err


def settings_file(folder: Path, text: str) -> str:
    (folder / "settings.toml").write_text(text)
    return str(folder / "settings.toml")


# --- what the options become ----------------------------------------------------------------------------------


def test_options_reach_the_commands_by_name():
    options = parse([*VIDEO, "--strength", "0.5", "--crf", "23", "--view", "side-by-side", "--report", "r.json"])
    assert isinstance(options, VideoOptions)
    assert (options.input, options.background, options.output) == (Path("talk.mp4"), "beach.jpg", Path("out.mp4"))
    assert (options.strength, options.crf, options.view, options.report) == (0.5, 23, "side-by-side", Path("r.json"))


def test_composite_and_photograph_are_told_apart():
    composite = parse(["image", "composite.png", "mask.png", "-o", "out.png"])
    assert isinstance(composite, ImageOptions)
    assert (composite.mask, composite.background) == (Path("mask.png"), None)
    photograph = parse(IMAGE)
    assert (photograph.mask, photograph.background) == (None, "beach.jpg")


def test_live_shows_side_by_side_in_a_window_unless_told_otherwise():
    options = parse(LIVE)
    assert isinstance(options, LiveOptions)
    assert (options.source, options.view, options.window, options.output) == ("0", "side-by-side", True, None)
    options = parse([*LIVE, "--source", "clip.mp4", "--view", "paste", "--no-window", "--output", "demo.mp4"])
    assert (options.source, options.view, options.window) == ("clip.mp4", "paste", False)


@pytest.mark.parametrize("command", RUNS)
def test_all_commands_share_the_options(command: str):
    defaults = {field.name: field.default for field in dataclasses.fields(Options) if field.name != "view"}
    options = parse(RUNS[command])
    assert {name: getattr(options, name) for name in defaults} == defaults


def test_weights_command_takes_an_action_and_a_name():
    assert parse(["weights", "path", "s2crnet"]) == WeightsOptions("path", "s2crnet")
    assert parse(["weights", "list"]) == WeightsOptions("list", None)


def readme_commands() -> list[str]:
    """Every command in the code blocks of the README."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith(("python -m video_harmonizer", "python run_webcam.py"))]


def example_commands() -> list[str]:
    """Every command in the help of the commands."""
    texts = (kind.__doc__ or "" for kind in COMMANDS.values())
    return [line for text in texts for line in re.findall(r"python (?:-m|run_webcam).*", text)]


@pytest.mark.parametrize("line", dict.fromkeys([*readme_commands(), *example_commands()]))
def test_commands_of_the_readme_and_the_help_are_right(line: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    words = shlex.split(line, comments=True)
    parse(["live", *words[2:]] if words[1] == "run_webcam.py" else words[3:])


# --- help -----------------------------------------------------------------------------------------------------


def explanations(kind: type) -> dict[str, str]:
    """Each field's explanation: the comment above it."""
    texts: dict[str, str] = {}
    for parent in reversed(kind.__mro__[:-1]):
        for comment, field in re.findall(r"((?:^ +# .*\n)+) +(\w+): ", inspect.getsource(parent), re.MULTILINE):
            texts[field] = " ".join(line.strip(" #") for line in comment.splitlines())
    return texts


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_option(command: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "2000")  # then nothing but a paragraph's end breaks a line
    text = printed([command, "--help"], capsys, 0)
    explained = explanations(COMMANDS[command])
    for field in dataclasses.fields(COMMANDS[command]):
        assert explained[field.name] in text
        is_positional = field.name in ("input", "picture", "mask", "action", "name")
        assert is_positional or f"--{field.name.replace('_', '-')}" in text


@pytest.mark.parametrize("command", ["video", "image", "live"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture):
    wanted = "python run_webcam.py --" if command == "live" else f"python -m video_harmonizer {command} "
    description = printed([command, "--help"], capsys, 0).split("╭")[0].split("\n", 1)[1]
    assert wanted in description


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_help_that_nobody_reads_to_the_end_is_no_error():
    command = [sys.executable, "-m", "video_harmonizer", "video", "--help"]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=buffered, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_full_disk_below_what_is_printed_is_told():
    command = [sys.executable, "-m", "video_harmonizer", "weights", "list"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: what this prints can't be written: No space left on device; free some space\n"


def test_no_output_to_print_to_is_no_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", None)  # as Python has it where a shell closed it
    assert main(["weights", "list"]) == 0


def test_help_lists_the_commands(capsys: pytest.CaptureFixture):
    text = printed(["--help"], capsys, 0)
    assert all(name in text for name in COMMANDS)


def test_run_webcam_is_the_live_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setattr(sys, "argv", ["run_webcam.py", "--help"])
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(ROOT / "run_webcam.py"), run_name="__main__")
    assert ending.value.code == 0
    text = capsys.readouterr().out
    assert "webcam" in text
    assert "--no-window" in text


# --- slips ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", RUNS)
@pytest.mark.parametrize(
    ("slip", "meant"), [("--smothing", "--smoothing"), ("--dwnsample-ratio", "--downsample-ratio")]
)
def test_unknown_option_is_answered_with_the_nearest(
    command: str, slip: str, meant: str, capsys: pytest.CaptureFixture
):
    text = printed([*RUNS[command], slip, "0.5"], capsys, 2)
    assert slip in text
    assert re.search(r"(?i)perhaps you meant.*" + meant, text, re.DOTALL)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "video"),
        (["vidoe", "talk.mp4"], "vidoe"),
        (["video", "talk.mp4", "--background", "beach.jpg"], "--output"),
        ([*VIDEO, "--crf", "low"], "--crf"),
        ([*VIDEO, "--strength"], "--strength"),
        ([*VIDEO, "--view", "pasted"], "--view"),
        (["weights", "fetch"], "fetch"),
    ],
)
def test_what_is_missing_or_wrong_is_named(arguments: list[str], named: str, capsys: pytest.CaptureFixture):
    assert named in printed(arguments, capsys, 2)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--strength", "1.5", "--strength 1.5: want 0 (as filmed) to 1 (all of the change)"),
        ("--strength", "nan", "--strength nan: want 0"),
        ("--smoothing", "-1", "--smoothing -1: want seconds, 0 or more"),
        ("--smoothing", "inf", "--smoothing inf: want seconds"),
        ("--report", "talk.mp4", "--report talk.mp4: no name for this; give a file name that ends in .json"),
        ("--report", "nowhere/report.json", "nowhere/report.json: there is no folder"),
    ],
)
def test_senseless_values_are_refused_before_anything_is_opened(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture
):
    assert main([*VIDEO, f"{option}={value}"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


@pytest.mark.parametrize("name", ["abacus", "cuda:99", "meta"])
def test_device_that_is_not_there_is_refused(name: str):
    with pytest.raises(InputError, match=rf"^--device {name}: not usable here \(.*\); give auto, cpu, cuda or mps"):
        assemble.choose_device(name)


def test_device_is_chosen_where_none_is_named():
    there = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert assemble.choose_device("auto") == there


def test_the_processor_has_one_name():
    assert assemble.choose_device("cpu:0") == assemble.choose_device("cpu") == "cpu"


# --- settings files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", RUNS)
def test_settings_file_gives_defaults_that_the_command_line_overrides(command: str, tmp_path: Path):
    path = settings_file(tmp_path, 'strength = 0.5\ncrf = 30\nmatting-weights = "rvm.pth"\nview = "paste"')
    options = parse([*RUNS[command], "--config", path, "--crf", "20"])
    assert (options.strength, options.crf, options.matting_weights) == (0.5, 20, Path("rvm.pth"))
    assert (options.view, options.smoothing) == ("paste", 0.5)
    assert options.config == Path(path)


def test_settings_file_may_come_before_the_positional_and_with_an_equals_sign(tmp_path: Path):
    path = settings_file(tmp_path, "crf = 30")
    for config in (["--config", path], [f"--config={path}"]):
        assert parse([VIDEO[0], *config, *VIDEO[1:]]).crf == 30


def test_settings_file_can_give_what_is_required(tmp_path: Path):
    path = settings_file(tmp_path, 'background = "blur:12"\nwindow = false\noutput = "demo.mp4"')
    options = parse(["live", "--config", path])
    assert (options.background, options.window, options.output) == ("blur:12", False, Path("demo.mp4"))
    assert parse(["live", "--config", path, "--window"]).window is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strenght = 0.5", "unknown setting 'strenght'; did you mean 'strength'?"),
        ('crf = "low"', "crf = 'low': input should be a valid integer"),
        ("crf = ", "not valid TOML"),
        ('config = "other.toml"', "config = 'other.toml': a file can't name another; join them"),
        ("strength = true", "strength = true: it is neither true nor false; give a value"),
        ('view = "pasted"', "view = 'pasted': input should be 'original', 'paste'"),
    ],
)
def test_bad_settings_file_is_refused_by_name(tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture):
    path = settings_file(tmp_path, text)
    assert main([*VIDEO, "--config", path]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path}: {message}")
    assert error.count("\n") == 1


def test_commands_without_settings_files_say_so(capsys: pytest.CaptureFixture):
    assert main(["weights", "list", "--config", "a.toml"]) == 2
    wanted = "error: --config a.toml: weights reads no settings file; give its options one by one\n"
    assert capsys.readouterr().err == wanted


def test_missing_settings_file_is_refused_by_name(capsys: pytest.CaptureFixture):
    assert main([*VIDEO, "--config", "nowhere.toml"]) == 2
    assert capsys.readouterr().err == ("error: nowhere.toml: No such file or directory; give a settings file in TOML\n")


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("[!t]*.toml")), ids=lambda path: path.name)
def test_settings_files_of_the_project_are_right(path: Path):  # those for train.py are its own tests' affair
    for command in RUNS.values():
        try:
            parse([*command, "--config", str(path)])
        except InputError:
            continue
        return
    pytest.fail(f"no command takes {path.name}")


def test_version_is_told(capsys: pytest.CaptureFixture):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"video-harmonizer {__version__}\n"
