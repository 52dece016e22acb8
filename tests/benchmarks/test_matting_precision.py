"""The benchmark of precision: the reference agrees with itself, and an error that grows shows in its window."""

import re
from pathlib import Path

import numpy as np
import pytest
from red_person import save_picture

from benchmarks import matting_precision
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.frame import Frame, Matte
from video_harmonizer.matting.rvm import RVMMatting


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(4):
        save_picture(folder / f"{index}.png", np.random.default_rng(index).integers(0, 256, (60, 80, 3), np.uint8))
    return folder


def rows(text: str) -> list[tuple[str, float, float]]:
    return [(a, float(b), float(c)) for a, b, c in re.findall(r"\| (\d+-\d+) \| ([\d.]+) \| ([\d.]+) \|", text)]


def test_the_reference_does_not_differ_from_itself(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(matting_precision, "make_engine", lambda name, device: TorchEngine(device))
    matting_precision.main(pictures, downsample_ratio=0.5, window=3)
    assert rows(capsys.readouterr().out) == [("1-3", 0, 0), ("4-4", 0, 0)]


def test_a_growing_error_shows_in_its_window(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    exact = RVMMatting.matte

    def drifting(self: RVMMatting, frame: Frame, seen: object = None) -> Matte:
        alpha = exact(self, frame).alpha // 2
        if self._engine.name == "torch":
            return Matte(alpha)
        return Matte(alpha + np.uint8(51 if frame.index >= 2 else 0))

    monkeypatch.setattr(RVMMatting, "matte", drifting)
    monkeypatch.setattr(matting_precision, "make_engine", lambda name, device: Renamed(device))
    matting_precision.main(pictures, downsample_ratio=0.5, window=2)
    (first, *before), (second, *after) = rows(capsys.readouterr().out)
    assert (first, second, before, after) == ("1-2", "3-4", [0, 0], [0.2, 0.2])


class Renamed(TorchEngine):
    name = "other"
