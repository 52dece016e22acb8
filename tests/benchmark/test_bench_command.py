"""``python -m video_harmonizer bench``, end to end at the size of a stamp."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import make_clip
from red_person import make_person_clip, read_picture, run_command, save_weights

from video_harmonizer.benchmark import bench as bench_module
from video_harmonizer.benchmark import trial
from video_harmonizer.benchmark.bench import ROUNDS, Bench
from video_harmonizer.benchmark.results import STAGES, TEXTBOOK_STAGES
from video_harmonizer.pipeline import Run
from video_harmonizer.sinks import Sink
from video_harmonizer.sources.prefetch import PrefetchSource
from video_harmonizer.weights import command as weights_command

FRAMES = 3
QUICK = ("--frames", FRAMES, "--engine", "torch", "--device", "cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_weights(tmp_path_factory.mktemp("weights") / "red_person.pth")


@pytest.fixture
def _no_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*arguments: object) -> None:
        pytest.fail("it was measured all the same")

    monkeypatch.setattr(Bench, "measure", measure)


@pytest.fixture
def _no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*arguments: object) -> None:
        pytest.fail("it went to the network")

    monkeypatch.setattr(weights_command, "download_weights", download)


def bench(folder: Path, *arguments: object) -> dict[str, Any]:
    """The contents of the JSON file."""
    assert run_command("bench", *QUICK, *arguments, "--json", folder / "bench.json") == 0
    return json.loads((folder / "bench.json").read_text())


def test_every_stage_and_the_whole_are_measured_at_every_size(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    source = make_person_clip(tmp_path / "talk.mp4", frames=2)
    given = ("--source", source, "--matting-weights", weights, "--downsample-ratio", "0.5", "--preset", "veryfast")
    results = bench(tmp_path, "--sizes", "48p,64p", *given, "--plot", tmp_path / "bench.png")
    assert set(results) == {"machine", "settings", "sizes"}
    assert results["machine"]["torch"]
    assert results["machine"]["cores"] >= 1
    settings = results["settings"]
    assert settings["clip"] == str(source)
    assert (settings["matting"], settings["downsample_ratio"]) == ("red_person.pth", 0.5)
    assert (settings["frames"], settings["rounds"], settings["preset"]) == (FRAMES, ROUNDS, "veryfast")
    assert (settings["engine"], settings["device"], settings["precision"]) == ("torch", "cpu", "fp32")
    assert [(size["name"], size["width"], size["height"]) for size in results["sizes"]] == [
        ("48p", 64, 48),
        ("64p", 86, 64),
    ]
    table = capsys.readouterr().out
    for size in results["sizes"]:
        assert set(size["stages_ms"]) == set(STAGES)
        assert set(size["textbook_stages_ms"]) == set(TEXTBOOK_STAGES)
        assert ROUNDS <= size["textbook_frames"] <= ROUNDS * FRAMES  # a slow machine has no patience for all
        assert 0.2 < size["matte"]["person"] < 0.4  # a third of the frame's width, four fifths of its height
        for way in ("file", "live", "textbook"):
            assert len(size[way]["fps_of_rounds"]) == ROUNDS
            assert size[way]["fps"] == sorted(size[way]["fps_of_rounds"])[ROUNDS // 2]
            assert size[way]["core_ms"] > 0
        pixels, edge = size["width"] * size["height"], size["matte"]["edge"]
        assert size["floor_bytes"] == pytest.approx(pixels * (4 + 3 * edge + 6), abs=1)
        assert size["faster_than_textbook"] == pytest.approx(size["file"]["fps"] / size["textbook"]["fps"], abs=0.01)
        over_floor = size["stages_ms"]["render_harmonized_paste"] / size["floor_ms"]
        assert size["render_over_floor"] == pytest.approx(over_floor, abs=0.01)
        assert f"{size['faster_than_textbook']:.1f} x" in table
    assert all(title in table for title in STAGES.values())
    assert settings["memory"] in table
    assert read_picture(tmp_path / "bench.png").std() > 10
    assert list(scratch.iterdir()) == []


@pytest.mark.usefixtures("_no_download")
def test_without_weights_a_stand_in_is_measured_and_nothing_downloaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        results = bench(tmp_path, "--sizes", "128p", "--matting", "rvm_mobilenetv3")
    assert "--matting rvm_mobilenetv3: its weights are not here" in caplog.text
    assert "weights download rvm_mobilenetv3" in caplog.text
    assert "stand-in" in results["settings"]["matting"]
    assert results["settings"]["clip"] == "own clip"
    (size,) = results["sizes"]
    assert 0.2 < size["matte"]["person"] < 0.4  # as the real network finds in the portrait
    assert 0 < size["matte"]["edge"] < 0.08


def test_a_key_is_measured_as_a_network_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bench_module, "TEXTBOOK_SECONDS", 0)
    screen = np.full((48, 64, 3), (10, 200, 30), np.uint8)
    screen[12:, 20:44] = (180, 120, 100)
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(2):
        assert cv2.imwrite(str(folder / f"{index}.png"), screen[..., ::-1])
    results = bench(tmp_path, "--sizes", "48p", "--source", folder, "--matting", "chroma")
    assert results["settings"]["matting"] == "chroma"
    assert results["settings"]["downsample_ratio"] is None
    (size,) = results["sizes"]
    assert 0.2 < size["matte"]["person"] < 0.4
    assert size["textbook_frames"] == ROUNDS  # out of time, it still did one in each round


def test_interrupted_run_ends_the_benchmark(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(source: PrefetchSource, _: object, outputs: Sequence[tuple[str, Sink]], *rest: object) -> Run:
        source.close()
        for _, sink in outputs:
            sink.abort()
        return Run(frames_out=2, interrupted=True)

    monkeypatch.setattr(trial, "run", interrupted)
    given = ("--sizes", "48p", "--matting-weights", weights, "--json", tmp_path / "bench.json")
    assert run_command("bench", *QUICK, *given) == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_no_measuring")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes", "480p,4k"], "--sizes 480p,4k: got '4k'; give sizes from 32p to 4320p"),
        (["--frames", "0"], "--frames 0: want 2 or more"),
        (["--matting", "mattes.mkv"], "--matting mattes.mkv: bench makes clips of its own"),
        (["--matting", "chroma:green"], "--matting chroma:green: not a colour"),
        (["--matting", "chroma", "--matting-weights", "rvm.pth"], "--matting-weights rvm.pth: for networks"),
        (["--preset", "warp"], "--preset warp: libx264 does not take it"),
        (["--json", "nowhere/bench.json"], "nowhere/bench.json: there is no folder"),
        (["--json", "talk.mp4"], "--json talk.mp4: no name for this; give a file name that ends in .json"),
        (["--plot", "bench.pdf"], "--plot bench.pdf: no name for this; give a file name that ends in .png"),
        (["--device", "abacus"], "--device abacus: not usable here"),
    ],
)
def test_bad_input_is_refused_before_anything_is_measured(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture
):
    assert run_command("bench", *arguments) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


@pytest.mark.usefixtures("_no_measuring")
def test_source_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture):
    picture = tmp_path / "photo.png"
    assert cv2.imwrite(str(picture), np.zeros((48, 64, 3), np.uint8))
    assert run_command("bench", "--source", picture, "--plot", picture) == 2
    assert "it is also read" in capsys.readouterr().err


def test_broken_source_and_ratio_out_of_range_are_named(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    given = (*QUICK, "--sizes", "48p", "--matting-weights", weights)
    assert run_command("bench", *given, "--source", tmp_path / "nowhere.mp4") == 2
    assert "nowhere.mp4: no such file" in capsys.readouterr().err
    source = make_clip(tmp_path / "talk.mp4", range(2))
    assert run_command("bench", *given, "--source", source, "--downsample-ratio", "3") == 2
    assert "--downsample-ratio 3: not over 0 and up to 1" in capsys.readouterr().err
