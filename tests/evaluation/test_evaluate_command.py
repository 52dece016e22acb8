"""``python -m video_harmonizer evaluate``, end to end."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from video_harmonizer import weights
from video_harmonizer.__main__ import main
from video_harmonizer.evaluation import evaluate_command

METRICS = {"n", "mse", "psnr", "fmse", "fpsnr", "ssim"}


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("resolution", ["256", "full"])
def test_scores_of_the_bundled_weights(
    dataset: Path, tmp_path: Path, resolution: str, capsys: pytest.CaptureFixture[str]
):
    as_json, as_html, as_markdown = (tmp_path / f"scores.{kind}" for kind in ("json", "html", "md"))
    arguments = ["--dataset", str(dataset), "--resolution", resolution, "--device", "cpu"]
    arguments += ["--json", str(as_json), "--html", str(as_html), "--markdown", str(as_markdown)]
    assert main(["evaluate", *arguments, "--precision", "fp32"]) == 0
    results = json.loads(as_json.read_text())
    assert set(results["overall"]) == set(results["composite"]) == METRICS
    assert (results["overall"]["n"], results["HCOCO"]["n"], results["Hday2night"]["n"]) == (5, 3, 2)
    assert set(results["Hday2night"]) == METRICS | {"composite"}
    assert "HFlickr" not in results
    ratios = results["ratios"]
    assert {name: group["n"] for name, group in ratios.items()} == {"0-5": 1, "5-15": 1, "15-100": 3}
    assert set(ratios["5-15"]) == METRICS | {"composite"}
    subsets = [(results[name]["composite"]["fmse"], results[name]["n"]) for name in ("HCOCO", "Hday2night")]
    assert results["composite"]["fmse"] == pytest.approx(sum(fmse * n for fmse, n in subsets) / 5, abs=1e-3)
    assert results["overall"]["fmse"] != results["composite"]["fmse"]
    path = weights.path("curvenet")
    assert results["weights"] == path.name
    assert results["weights_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (results["resolution"], results["split"], results["harmonizer"]) == (resolution, "test", "curvenet")
    assert (results["skipped"], results["without_curves"]) == (0, 0)
    assert results["estimator_ms"] > 0
    printed = capsys.readouterr().out
    assert f"{results['overall']['psnr']:.2f}" in printed
    assert f"{results['composite']['psnr']:.2f}" in printed
    assert f"{results['overall']['psnr']:.2f}" in as_markdown.read_text(encoding="utf-8")
    assert results["precision"] == "fp32"
    assert "Hday2night/c2_1_1.png" in as_html.read_text(encoding="utf-8")
    assert names_in(tmp_path) == {"dataset", "scores.json", "scores.html", "scores.md"}


def test_without_a_harmonizer_the_result_is_the_composite(dataset: Path, tmp_path: Path):
    as_json = tmp_path / "scores.json"
    assert main(["evaluate", "--dataset", str(dataset), "--harmonizer", "none", "--json", str(as_json)]) == 0
    results = json.loads(as_json.read_text())
    assert results["overall"] == results["composite"]
    assert results["weights_sha256"] is None


@pytest.mark.parametrize("command", ["evaluate --harmonizer none", "compare --harmonizers none"])
def test_files_are_written_though_nobody_reads_the_table(command: str, dataset: Path, tmp_path: Path):
    as_json, as_html = tmp_path / "scores.json", tmp_path / "scores.html"
    outputs = ["--dataset", str(dataset), "--json", str(as_json), "--html", str(as_html)]
    reading, writing = os.pipe()
    os.close(reading)
    program = [sys.executable, "-m", "video_harmonizer", *command.split(), *outputs]
    done = subprocess.run(program, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
    assert json.loads(as_json.read_text())
    assert as_html.is_file()


def test_broken_picture_is_counted_and_named(dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (dataset / "HCOCO" / "masks" / "c1_1.png").write_bytes(b"not a picture")
    as_json = tmp_path / "scores.json"
    assert main(["evaluate", "--dataset", str(dataset), "--harmonizer", "none", "--json", str(as_json)]) == 0
    results = json.loads(as_json.read_text())
    assert (results["skipped"], results["overall"]["n"]) == (1, 4)
    assert results["ratios"]["0-5"]["n"] == 0  # it was the only one
    assert results["ratios"]["0-5"]["psnr"] is None
    assert "c1_1.png" in caplog.text


def test_outputs_that_cannot_be_written_are_refused_before_the_work(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(evaluate_command, "measure", lambda *_: pytest.fail("the work began"))
    for arguments, text in (
        (["--json", str(tmp_path / "nowhere" / "scores.json")], "there is no folder"),
        (["--html", str(tmp_path / "scores.txt")], "ends in .html"),
        (["--json", str(tmp_path / "scores.json"), "--html", str(tmp_path / "no" / "scores.html")], "no folder"),
    ):
        assert main(["evaluate", "--dataset", str(dataset), "--harmonizer", "none", *arguments]) == 2
        assert text in capsys.readouterr().err
    assert names_in(tmp_path) == {"dataset"}


def test_nothing_is_written_where_nothing_could_be_scored(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for path in dataset.glob("*/composite_images/*"):
        path.write_bytes(b"")
    as_json = tmp_path / "scores.json"
    as_json.write_text("earlier scores")
    assert main(["evaluate", "--dataset", str(dataset), "--harmonizer", "none", "--json", str(as_json)]) == 2
    assert "none of 5 composites" in capsys.readouterr().err
    assert as_json.read_text() == "earlier scores"
    assert names_in(tmp_path) == {"dataset", "scores.json"}


def test_missing_dataset_ends_with_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", "--dataset", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err
