"""Checkpoints that are read once, and after that only if somebody needs the network."""

from collections.abc import Callable
from pathlib import Path

import pytest

from video_harmonizer.errors import InputError
from video_harmonizer.weights.checkpoint import open_checkpoint


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARMONIZER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"one")
    return path


class Reading:
    """Reads a file as a network of its size, and counts how often."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.times = 0

    def __call__(self) -> tuple[bytes, dict[str, str]]:
        self.times += 1
        content = self.path.read_bytes()
        return content, {"variant": str(len(content))}


def test_a_checkpoint_is_read_at_its_first_use_and_then_when_it_is_needed(weights: Path):
    first, second = Reading(weights), Reading(weights)
    assert open_checkpoint(weights, "net", first).about == {"variant": "3"}
    again = open_checkpoint(weights, "net", second)
    assert again.about == {"variant": "3"}
    assert (first.times, second.times) == (1, 0)
    assert again.network() == again.network() == b"one"
    assert second.times == 1


def test_other_content_under_the_same_name_is_another_checkpoint(weights: Path):
    one = open_checkpoint(weights, "net", Reading(weights))
    weights.write_bytes(b"other")
    other = open_checkpoint(weights, "net", Reading(weights))
    assert other.key != one.key
    assert other.about == {"variant": "5"}


@pytest.mark.parametrize("harm", [lambda note: note.write_text("{"), lambda note: note.write_text("[]"), Path.unlink])
def test_a_note_that_is_damaged_or_gone_costs_time_only(weights: Path, own_cache: Path, harm: Callable[[Path], object]):
    open_checkpoint(weights, "net", Reading(weights))
    (note,) = own_cache.rglob("*.json")
    harm(note)
    again = Reading(weights)
    assert open_checkpoint(weights, "net", again).about == {"variant": "3"}
    assert again.times == 1


def test_a_cache_that_cant_be_written_costs_time_only(weights: Path, own_cache: Path):
    own_cache.write_text("a file where a folder should be")
    for _ in range(2):
        reading = Reading(weights)
        assert open_checkpoint(weights, "net", reading).network() == b"one"
        assert reading.times == 1


def test_what_is_no_checkpoint_is_not_remembered_as_one(weights: Path, own_cache: Path):
    def refuse() -> tuple[bytes, dict[str, str]]:
        raise InputError("not weights of this")

    for path in (weights, weights, weights.with_name("missing.pth")):
        with pytest.raises(InputError, match="not weights of this"):
            open_checkpoint(path, "net", refuse)
    assert not list(own_cache.rglob("*.json"))


def test_what_was_opened_as_one_kind_is_read_again_as_another(weights: Path):
    open_checkpoint(weights, "matting", Reading(weights))
    other = Reading(weights)
    open_checkpoint(weights, "estimator", other)
    assert other.times == 1
    renamed = weights.rename(weights.with_suffix(".safetensors"))
    other = Reading(renamed)
    open_checkpoint(renamed, "matting", other)
    assert other.times == 1


def test_weights_that_are_replaced_before_they_are_read_are_refused(weights: Path):
    open_checkpoint(weights, "net", Reading(weights))
    late = open_checkpoint(weights, "net", Reading(weights))
    weights.write_bytes(b"newer")
    with pytest.raises(InputError, match="changed since the start"):
        late.network()
