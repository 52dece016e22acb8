"""A cache of one's own, and a server to fill it from."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import CONTENT, FileServer

from video_harmonizer.weights import download
from video_harmonizer.weights.registry import Weights


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's cache, a proxy, or waits between attempts."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("HARMONIZER_CACHE", str(folder))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(download, "FIRST_PAUSE", 0.0)
    return folder


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A server that has `CONTENT`."""
    file_server = FileServer(CONTENT)
    yield file_server
    file_server.close()


@pytest.fixture
def pinned(server: FileServer) -> Weights:
    """Weights on that server, with their published checksum."""
    return Weights(
        name="test_weights",
        file="test_weights.pth",
        source=server.url,
        licence="CC0-1.0",
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        about="random bytes",
    )
