"""The resolution sweep: what is measured of each point, and what becomes of points that fail."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from benchmarks import resolution_sweep
from benchmarks.resolution_sweep import alone, largest, measure, sweep
from video_harmonizer.errors import InputError
from video_harmonizer.harmonizers.duconet import DucoNet
from video_harmonizer.iharmony4 import list_entries
from video_harmonizer.options import HarmonizerOptions


@pytest.fixture
def duconet(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "duconet.safetensors"
    save_file(DucoNet().state_dict(), path, {"side": "64"})
    return path


def test_full_size_costs_more_than_thumbnails(dataset: Path, duconet: Path):
    entries = list_entries(dataset, "test")[2:3]
    chosen = HarmonizerOptions("duconet", duconet)
    small, full = (measure(chosen, "cpu", entries, 128, on_full_size) for on_full_size in (False, True))
    assert full["gmacs"] == pytest.approx(4 * small["gmacs"], rel=0.02)
    assert small["composite_psnr"] == full["composite_psnr"] > 0
    assert small["psnr"] != full["psnr"]
    for point in (small, full):
        assert point["milliseconds"] > 0
        assert point["memory_mib"] is None or point["memory_mib"] >= 0


def test_on_256_pixels_thumbnails_are_the_full_size(dataset: Path):
    entries = list_entries(dataset, "test")[2:4]
    chosen = HarmonizerOptions("s2crnet")
    small, full = (measure(chosen, "cpu", entries, 256, on_full_size) for on_full_size in (False, True))
    assert (full["psnr"], full["gmacs"]) == (small["psnr"], small["gmacs"])


def test_formula_runs_on_full_size_without_curves(dataset: Path):
    entries = list_entries(dataset, "test")[2:3]
    chosen = HarmonizerOptions("reinhard")
    small, full = (measure(chosen, "cpu", entries, 64, on_full_size) for on_full_size in (False, True))
    assert small["psnr"] != full["psnr"]
    assert full["gmacs"] is None


def test_work_that_dies_is_told_of():
    assert "error" in alone(os._exit, 1)


def test_largest_pictures_are_taken(dataset: Path):
    path = dataset / "HCOCO" / "composite_images" / "c2_1_1.png"
    Image.fromarray(np.zeros((70, 90, 3), np.uint8)).save(path)
    entries, side = largest(list_entries(dataset, "test"), 1)
    assert ([entry.composite for entry in entries], side) == ([path], 70)
    assert largest(list_entries(dataset, "test"), 99)[1] == 40


def test_sweep_writes_points_and_plot_and_goes_on_after_a_failure(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    point = {"milliseconds": 9.0, "gmacs": None, "memory_mib": 5.0, "psnr": 30.0, "composite_psnr": 25.0}

    def no_process(work, chosen, *arguments):
        if arguments[-2:] == (64, True):
            return {"error": "it was killed"}
        return point

    monkeypatch.setattr(resolution_sweep, "alone", no_process)
    sweep(dataset, tmp_path, sizes=(32, 64), harmonizers="reinhard", device="cpu")
    facts = json.loads((tmp_path / "sweep.json").read_text())
    known = [(one["harmonizer"], one["full"], one["size"], one.get("error")) for one in facts["points"]]
    assert known == [
        ("reinhard", False, 32, None),
        ("reinhard", True, 32, None),
        ("reinhard", False, 64, None),
        ("reinhard", True, 64, "it was killed"),
    ]
    assert "reinhard on full size at 64: it was killed" in caplog.text
    assert "pictures of 40 pixels are enlarged" in caplog.text
    with Image.open(tmp_path / "sweep.png") as picture:
        assert min(picture.size) > 500


@pytest.mark.parametrize("sizes", [(), (100,), (8,)])
def test_sizes_that_no_network_takes_are_refused(sizes: tuple[int, ...], dataset: Path, tmp_path: Path):
    with pytest.raises(InputError, match="want multiples of 8 from 32"):
        sweep(dataset, tmp_path, sizes=sizes)


def test_missing_folder_is_refused_before_the_work(dataset: Path, tmp_path: Path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        sweep(dataset, tmp_path / "nowhere")
