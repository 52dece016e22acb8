"""Files that get their name when they are whole: whose permissions they have, and beside what they are made."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from video_harmonizer import staging
from video_harmonizer.staging import StagedFile


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_who_may_read_the_file_before_may_read_the_one_that_replaces_it(tmp_path: Path):
    path = tmp_path / "report.json"
    path.touch(0o600)
    place = StagedFile(path)
    assert place.path.stat().st_mode & 0o777 == 0o600
    place.publish_text("{}")
    assert path.read_text() == "{}"
    assert path.stat().st_mode & 0o777 == 0o600


def test_place_that_another_run_takes_at_the_same_moment_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    other = StagedFile(tmp_path / "report.json")
    free: Iterator[Path] = iter([other.path, tmp_path / "report.partial2.json"])
    monkeypatch.setattr(staging, "free_name", lambda path: next(free))
    StagedFile(tmp_path / "report.json").publish_text("{}")
    assert other.path.read_text() == ""


def test_link_that_leads_nowhere_is_no_free_place(tmp_path: Path):
    (tmp_path / "report.partial.json").symlink_to(tmp_path / "nowhere")
    StagedFile(tmp_path / "report.json").publish_text("{}")
    assert (tmp_path / "report.json").read_text() == "{}"
    assert not (tmp_path / "nowhere").exists()
