"""Settings files: conversion to a dataclass's types, and the errors of a person's slips."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from video_harmonizer.config import read_toml
from video_harmonizer.errors import InputError


@dataclass(frozen=True)
class Settings:
    data: Path = Path("data")
    encoder: Path | None = None
    batch_size: int = 16
    learning_rate: float = 1e-3
    mode: Literal["Fast", "exact"] = "Fast"
    shuffle: bool = True


def read(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "settings.toml"
    path.write_text(text)
    return read_toml(Settings, path)


def test_values_get_the_fields_types(tmp_path: Path):
    settings = read(
        tmp_path,
        """
        data = "../photographs"
        encoder = "encoder.pth"
        batch_size = 8
        learning_rate = 1
        mode = "exact"
        shuffle = false
        """,
    )
    assert Settings(**settings) == Settings(Path("../photographs"), Path("encoder.pth"), 8, 1.0, "exact", False)
    assert isinstance(settings["data"], Path)
    assert isinstance(settings["encoder"], Path)
    assert isinstance(settings["learning_rate"], float)


def test_only_given_settings_are_returned(tmp_path: Path):
    assert read(tmp_path, "") == {}
    assert read(tmp_path, "batch_size = 4") == {"batch_size": 4}


def test_dashes_and_underscores_are_the_same(tmp_path: Path):
    assert read(tmp_path, "batch-size = 4") == read(tmp_path, "batch_size = 4")


def test_a_byte_order_mark_does_no_harm(tmp_path: Path):
    assert read(tmp_path, "\ufeffbatch_size = 4") == {"batch_size": 4}


def test_missing_file_is_an_input_error(tmp_path: Path):
    path = tmp_path / "nowhere.toml"
    with pytest.raises(InputError, match=r"nowhere\.toml: No such file or directory; give a settings file"):
        read_toml(Settings, path)
    with pytest.raises(InputError, match="Is a directory"):
        read_toml(Settings, tmp_path)


def test_bad_toml_is_an_input_error_with_its_line(tmp_path: Path):
    with pytest.raises(InputError, match=r"settings\.toml: not valid TOML: .*line 2"):
        read(tmp_path, "batch_size = 4\nmode = fast\n")
    (tmp_path / "latin.toml").write_bytes('data = "Fotos für"'.encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.toml: not valid TOML"):
        read_toml(Settings, tmp_path / "latin.toml")


def test_true_is_no_number(tmp_path: Path):
    for line in ("learning_rate = true", "batch_size = false"):
        with pytest.raises(InputError, match=f"{line}: it is neither true nor false"):
            read(tmp_path, line)


def test_unknown_setting_suggests_the_nearest(tmp_path: Path):
    with pytest.raises(InputError, match="unknown setting 'learning-rte'; did you mean 'learning_rate'"):
        read(tmp_path, "learning-rte = 0.1")


def test_tables_are_not_wanted(tmp_path: Path):
    with pytest.raises(InputError, match=r"\[train\]: tables are not wanted; write its settings without it"):
        read(tmp_path, "[train]\nlearning_rate = 0.1")


def test_setting_unlike_any_lists_the_known_ones(tmp_path: Path):
    with pytest.raises(InputError, match="unknown setting 'qqq'; known are data, encoder, batch_size"):
        read(tmp_path, "qqq = 1")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('batch_size = "many"', "batch_size = 'many': input should be a valid integer"),
        ("batch_size = 2.5", "batch_size = 2.5: input should be a valid integer"),
        ("data = 3", "data = 3: input is not a valid path"),
        ('mode = "fast"', "mode = 'fast': input should be 'Fast' or 'exact'"),
        ("[batch_size]\na = 1", "batch_size = {'a': 1}: input should be a valid integer"),
    ],
)
def test_wrong_type_names_the_setting_and_what_it_takes(tmp_path: Path, line: str, message: str):
    with pytest.raises(InputError) as error:
        read(tmp_path, line)
    assert f"settings.toml: {message}" in str(error.value)
    assert "\n" not in str(error.value)
