"""What a person sees of ``weights list|download|path``, and the package's face behind it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from video_harmonizer.errors import InputError
from video_harmonizer.weights import available, cache, path
from video_harmonizer.weights.command import download_weights, list_weights, print_path, weights_command
from video_harmonizer.weights.registry import BUNDLED, REGISTRY, Weights


@pytest.fixture(autouse=True)
def registered(pinned: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGISTRY, pinned.name, pinned)


def row(table: str, name: str) -> str:
    return next(line for line in table.splitlines() if line.startswith(f"{name} "))


def test_list_shows_size_licence_source_and_what_is_there(
    capsys: pytest.CaptureFixture, pinned: Weights, cache_folder: Path
):
    list_weights()
    table = capsys.readouterr().out
    assert re.split(" {2,}", row(table, "test_weights")) == [
        "test_weights",
        "1.0 MB",
        "CC0-1.0",
        "not downloaded",
        pinned.source,
    ]
    assert "GPL-3.0" in row(table, "rvm_mobilenetv3")
    assert REGISTRY["rvm_resnet50"].source in row(table, "rvm_resnet50")
    assert str(cache_folder) in table


def test_list_tells_downloaded_from_damaged(capsys: pytest.CaptureFixture, cache_folder: Path):
    download_weights("test_weights")
    capsys.readouterr()
    list_weights()
    assert "  downloaded  " in row(capsys.readouterr().out, "test_weights")
    (cache_folder / "test_weights.pth").write_bytes(b"something else")
    list_weights()
    assert "  damaged  " in row(capsys.readouterr().out, "test_weights")


def test_a_cache_that_cannot_be_looked_into_holds_nothing(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, cache_folder: Path
):
    is_file = Path.is_file

    def closed(path: Path) -> bool:  # as of a folder that belongs to somebody else
        if path.parent == cache_folder:
            raise PermissionError(13, "Permission denied")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", closed)
    assert not available("test_weights")
    with pytest.raises(InputError, match=r"can't be read \(Permission denied\)"):
        path("test_weights")
    list_weights()
    assert "  not readable  " in row(capsys.readouterr().out, "test_weights")


def test_download_says_where_the_file_is_also_when_it_was_there(
    capsys: pytest.CaptureFixture, pinned: Weights, cache_folder: Path
):
    download_weights("test_weights")
    first = capsys.readouterr().out
    assert pinned.licence in first
    assert str(cache_folder / "test_weights.pth") in first
    download_weights("test_weights")
    assert "downloaded already" in capsys.readouterr().out


def test_path_prints_the_path_alone(capsys: pytest.CaptureFixture, cache_folder: Path):
    download_weights("test_weights")
    capsys.readouterr()
    print_path("test_weights")
    assert capsys.readouterr().out == f"{cache_folder / 'test_weights.pth'}\n"


def test_weights_that_are_not_there_name_the_command_that_fetches_them():
    assert not available("test_weights")
    with pytest.raises(InputError, match="python -m video_harmonizer weights download test_weights"):
        print_path("test_weights")


def test_weights_that_are_there_are_available():
    download_weights("test_weights")
    assert available("test_weights")


@pytest.mark.parametrize("function", [download_weights, print_path, path, available])
def test_unknown_name_suggests_the_nearest_and_lists_all(function):
    with pytest.raises(InputError) as refusal:
        function("rvm_mobilnetv3")
    assert "did you mean rvm_mobilenetv3?" in str(refusal.value)
    assert "rvm_resnet50, bundled, s2crnet" in str(refusal.value)


@pytest.mark.parametrize(
    ("action", "name", "said"),
    [
        ("download", None, "no name; give one of"),
        ("path", None, "no name; give one of"),
        ("list", "s2crnet", "takes no name"),
    ],
)
def test_name_is_given_where_there_is_to_be_one(action: str, name: str | None, said: str):
    with pytest.raises(InputError, match=said):
        weights_command(action, name)


def test_name_like_none_other_lists_all_without_a_guess():
    with pytest.raises(InputError, match=r"^zzz: no weights of that name; known: rvm_mobilenetv3"):
        print_path("zzz")


def test_bundled_file_lies_in_the_package(
    capsys: pytest.CaptureFixture, pinned: Weights, monkeypatch: pytest.MonkeyPatch
):
    # Any file of the package will do here: what counts is where it is looked for.
    bundled = replace(pinned, file="registry.py", source=BUNDLED, size=None)
    monkeypatch.setitem(REGISTRY, bundled.name, bundled)
    assert path("test_weights").is_file()
    assert path("test_weights").parent.name == "weights"
    download_weights("test_weights")
    assert "part of this package" in capsys.readouterr().out
    list_weights()
    assert "  bundled  " in row(capsys.readouterr().out, "test_weights")


def test_bundled_file_that_is_missing_is_told(pinned: Weights, monkeypatch: pytest.MonkeyPatch):
    bundled = replace(pinned, file="no_such.safetensors", source=BUNDLED)
    monkeypatch.setitem(REGISTRY, bundled.name, bundled)
    assert not available("test_weights")
    with pytest.raises(InputError, match="install video-harmonizer again"):
        download_weights("test_weights")


def test_every_published_entry_has_what_a_download_needs():
    for name, weights in REGISTRY.items():
        assert weights.name == name
        assert weights.bundled or weights.source.endswith(f"/{weights.file}") or name == "test_weights"
        assert weights.sha256 is None or len(weights.sha256) == 64


def test_cache_is_the_users_own_without_the_environment_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HARMONIZER_CACHE")
    assert "video-harmonizer" in cache.folder().parts
