"""Settings of a run: the command line beats the file, wrong values are named, a written file reads back."""

import math
from pathlib import Path

import pytest

import train
from video_harmonizer.config import read_toml
from video_harmonizer.errors import InputError
from video_harmonizer.training.settings import Training, read_settings, to_toml

CONFIGS = sorted((Path(train.__file__).parent / "configs").glob("train*.toml"))


def test_command_line_beats_the_file_and_the_file_the_defaults(tmp_path: Path):
    file = tmp_path / "some.toml"
    file.write_text("stages = 1\nbatch = 3\n")
    settings = read_settings([str(file), "--batch", "5", "--semantic", "True"])
    assert settings == Training(stages=1, batch=5, semantic=True)


def test_file_is_not_needed():
    assert read_settings(["--network", "curvenet"]) == Training(network="curvenet")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_settings_files_of_training_fit(path: Path):
    assert read_settings([str(path)]).steps > 0


def test_paper_s_recipe_is_the_paper_s():
    path = next(path for path in CONFIGS if path.stem == "train_s2crnet_paper")
    settings = read_settings([str(path)])
    assert (settings.batch, settings.learning_rate, settings.weight_decay, settings.size) == (8, 2e-4, 1e-2, 256)
    assert settings.steps == 20 * 65742 // 8
    assert settings.adversarial == 1
    assert settings.stages == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("batch = 0", "batch: got 0; want 1 or more"),
        ("seed = 99999999999", "seed: got 99999999999; want less than 4294967296"),
        ("learning_rate = 0.0", "learning_rate: got 0.0; want more than 0"),
        ("ema = 1.0", "ema: got 1.0; want 0 to less than 1"),
        ("size = 100", "size: got 100; want a multiple of 32"),
        ("stages = 3", "stages = 3: input should be 1 or 2"),
        ("netwrk = 's2crnet'", "unknown setting 'netwrk'; did you mean 'network'?"),
        ("network = 'curvenet'\nsemantic = true", "semantic: got True; want it with network s2crnet only"),
        ("network = 'duconet'\nencoder = 'a.pth'", "encoder: got a.pth; want it with network s2crnet or curvenet or"),
        ("network = 'matting'\nsquared = 5", "squared: got 5.0; want it with network s2crnet or curvenet only"),
        ("network = 'matting'\nsize = 128", "size: got 128; want it with network s2crnet or curvenet or duconet only"),
        ("clips = 'folder'", "clips: got folder; want it with network matting only"),
    ],
)
def test_wrong_setting_is_named(tmp_path: Path, line: str, message: str):
    file = tmp_path / "wrong.toml"
    file.write_text(line)
    with pytest.raises(InputError) as error:
        read_settings([str(file)])
    assert message in str(error.value)


def test_wrong_option_is_named():
    with pytest.raises(InputError, match="batch: got -1; want 1 or more"):
        read_settings(["--batch", "-1"])


def test_written_settings_read_back(tmp_path: Path):
    settings = Training(
        network="curvenet", data=Path('some "odd" \\ näme'), encoder=None, learning_rate=1e-5, semantic=False
    )
    file = tmp_path / "settings.toml"
    given = [Training(**read_toml(Training, path)) for path in CONFIGS]
    assert any(one.clip == math.inf for one in given)
    for one in (settings, *given):
        file.write_text(to_toml(one), encoding="utf-8")
        assert Training(**read_toml(Training, file)) == one
