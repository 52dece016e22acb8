"""The benchmark of the bundled matting network: it knows a good student from one who sees nobody."""

from pathlib import Path

import numpy as np
import pytest
import torch
from photographs import write_index
from red_person import RED, WALL, make_person_clip, picture, save_picture, save_weights

from benchmarks import matting_quality
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of the red person and of bare walls, a clip, settings that hold it out, a teacher and a blind one."""
    root = tmp_path_factory.mktemp("quality")
    data, clips = root / "data", root / "clips"
    data.mkdir()
    clips.mkdir()
    for index in range(2):
        save_picture(data / f"person{index}.png", picture(index))
        mask = (picture(index) == RED).all(2) * np.uint8(255)
        save_picture(data / f"mask{index}.png", np.repeat(mask[..., None], 3, 2))
    walls = [f"wall{index}.png" for index in range(5)]
    for name in walls:
        save_picture(data / name, np.full((48, 64, 3), WALL, np.uint8))
    people = [(f"person{index}.png", f"mask{index}.png", "1", "val") for index in range(2)]
    write_index(data, [*people, *((name, "", "0", "train") for name in walls)])
    make_person_clip(clips / "office.mkv", 9)
    (root / "train.toml").write_text('network = "matting"\nheld_out = ["off*"]\n')
    blind = torch.load(save_weights(root / "teacher.pth"))
    for name in ("weight", "bias"):
        blind[f"project_mat.conv.{name}"].zero_()
    torch.save(blind, root / "blind.pth")
    return root


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that take no time, and no compiling."""
    monkeypatch.setattr(matting_quality, "SIZES", {"tiny": 64})
    monkeypatch.setattr(matting_quality, "ROUNDS", 5)
    monkeypatch.setattr(matting_quality, "make_engine", lambda name, device: TorchEngine(device))


def rows(
    folder: Path, student: str, capsys: pytest.CaptureFixture[str], pictures: Path | None = None
) -> dict[str, list[str]]:
    """First cell -> the others, of all tables that are printed."""
    matting_quality.main(
        folder / "data",
        folder / "clips",
        folder / "teacher.pth",
        folder / student,
        folder / "train.toml",
        folder / "mattes",
        pictures=pictures,
    )
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    return {cells[0]: cells[1:] for cells in lines}


def test_a_student_like_its_teacher_agrees_with_it(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    table = rows(folder, "teacher.pth", capsys, pictures=tmp_path / "pictures")
    assert table["office"] == ["4", "0.0000", "1.000", "1.00", "0.00"]  # what stands still stays still
    teacher, student = map(float, table["IoU, 2 masks of people"])
    assert teacher == student > 0.9
    assert table["mean alpha, 1 marked as without people"] == ["0.0000", "0.0000"]
    assert (tmp_path / "pictures" / "office.jpg").stat().st_size
    assert float(table["tiny, ratio 0.25"][2]) > 0


def test_a_student_who_sees_nobody_scores_nothing(folder: Path, capsys: pytest.CaptureFixture[str]):
    table = rows(folder, "blind.pth", capsys)
    _, error, iou, *_ = table["office"]
    assert iou == "0.000"
    assert float(error) == pytest.approx(1 / 3 * 0.8, abs=0.05)  # the figure's share of the picture
    assert float(table["IoU, 2 masks of people"][1]) == 0


def test_clips_that_training_has_learnt_from_are_refused(folder: Path, tmp_path: Path):
    make_person_clip(tmp_path / "garden.mkv")
    with pytest.raises(InputError, match=r"none of off\*; give the folder that training had"):
        matting_quality.main(
            folder / "data",
            tmp_path,
            folder / "teacher.pth",
            folder / "teacher.pth",
            folder / "train.toml",
            folder / "mattes",
        )


def test_a_teacher_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"no\.pth: No such file or directory; give RobustVideoMatting's weights"):
        matting_quality.main(tmp_path, tmp_path, teacher=tmp_path / "no.pth")
