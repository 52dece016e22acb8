"""Downloads over bad lines, from servers that misbehave, onto disks that are full."""

import hashlib
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from file_server import CONTENT, FileServer

from video_harmonizer.errors import InputError
from video_harmonizer.weights import cache, download
from video_harmonizer.weights.registry import Weights


def only_partial_files(folder: Path) -> bool:
    return not (folder / "test_weights.pth").exists()


def break_off_every_attempt(server: FileServer, after: int) -> None:
    """Each request brings `after` bytes at most."""
    server.break_off = [after, *[0] * (download.ATTEMPTS - 1)]


def test_file_comes_whole_and_is_verified_afterwards(pinned: Weights, cache_folder: Path):
    path = download.download(pinned)
    assert path == cache_folder / "test_weights.pth"
    assert path.read_bytes() == CONTENT
    assert cache.verified(pinned) == path
    assert not list(cache_folder.glob("*.partial*"))


def test_second_download_asks_the_server_nothing(pinned: Weights, server: FileServer):
    download.download(pinned)
    download.download(pinned)
    assert len(server.requests) == 1


def test_break_off_is_resumed_at_once_where_it_stopped(pinned: Weights, server: FileServer):
    server.break_off = [600_000]
    assert download.download(pinned).read_bytes() == CONTENT
    first, second = server.requests
    assert "Range" not in first
    start = int(second["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 600_000


def test_break_off_is_resumed_by_a_later_run(pinned: Weights, server: FileServer, cache_folder: Path):
    break_off_every_attempt(server, after=600_000)
    with pytest.raises(InputError, match="test_weights: can't download http"):
        download.download(pinned)
    assert only_partial_files(cache_folder)
    assert len(server.requests) == download.ATTEMPTS
    server.requests.clear()
    assert download.download(pinned).read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert "Range" in server.requests[0]


def test_server_that_ignores_ranges_is_read_from_the_start(pinned: Weights, server: FileServer):
    server.ranges = False
    server.break_off = [600_000]
    assert download.download(pinned).read_bytes() == CONTENT


def test_pieces_of_two_files_are_thrown_away(pinned: Weights, server: FileServer, cache_folder: Path):
    break_off_every_attempt(server, after=600_000)
    with pytest.raises(InputError):
        download.download(pinned)
    server.content = CONTENT[::-1]
    with pytest.raises(InputError, match="another file"):
        download.download(pinned)
    server.content = CONTENT
    assert download.download(pinned).read_bytes() == CONTENT


def test_another_range_than_asked_for_is_not_spliced(pinned: Weights, server: FileServer):
    server.shift = 1
    server.break_off = [600_000]
    assert download.download(pinned).read_bytes() == CONTENT
    assert ["Range" in request for request in server.requests] == [False, True, False]


def test_every_attempt_on_a_bad_line_brings_the_download_further(pinned: Weights, server: FileServer):
    server.break_off = [60_000] * download.ATTEMPTS
    server.content = CONTENT[:200_000]
    pinned = replace(pinned, sha256=hashlib.sha256(server.content).hexdigest())
    assert download.download(pinned).read_bytes() == server.content


@pytest.mark.parametrize("length", [1000, len(CONTENT), len(CONTENT) + 1])
def test_what_was_left_of_another_file_is_replaced_at_once(length: int, pinned: Weights, cache_folder: Path):
    cache_folder.mkdir()
    (cache_folder / "test_weights.pth.partial").write_bytes(bytes(length))
    assert download.download(pinned).read_bytes() == CONTENT


def test_complete_partial_file_is_kept_on_416(pinned: Weights, server: FileServer, cache_folder: Path):
    cache_folder.mkdir()
    (cache_folder / "test_weights.pth.partial").write_bytes(CONTENT)
    assert download.download(pinned).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_partial_file_longer_than_the_file_is_thrown_away_on_416(pinned: Weights, cache_folder: Path):
    cache_folder.mkdir()
    (cache_folder / "test_weights.pth.partial").write_bytes(CONTENT + b"more")
    assert download.download(pinned).read_bytes() == CONTENT


def test_another_file_than_published_is_refused_and_thrown_away(pinned: Weights, cache_folder: Path):
    wanted = "0" * 64
    with pytest.raises(InputError) as refusal:
        download.download(replace(pinned, sha256=wanted))
    for part in (pinned.source, f"got sha256 {hashlib.sha256(CONTENT).hexdigest()}", f"wanted {wanted}"):
        assert part in str(refusal.value)
    assert [path.name for path in cache_folder.iterdir() if path.suffix != ".lock"] == []


def test_corruption_is_found_and_mended_by_another_download(pinned: Weights, cache_folder: Path):
    path = download.download(pinned)
    path.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(InputError) as refusal:
        cache.verified(pinned)
    got = hashlib.sha256(path.read_bytes()).hexdigest()
    for part in (str(path), f"got sha256 {got}", f"wanted {pinned.sha256}", "weights download test_weights"):
        assert part in str(refusal.value)
    assert download.download(pinned).read_bytes() == CONTENT
    assert cache.verified(pinned) == path


def test_404_is_told_after_one_request(pinned: Weights, server: FileServer, cache_folder: Path):
    server.statuses = [404] * download.ATTEMPTS
    with pytest.raises(InputError, match="the server said 404 Not Found") as refusal:
        download.download(pinned)
    assert pinned.source in str(refusal.value)
    assert "--matting-weights PATH" in str(refusal.value)
    assert len(server.requests) == 1
    assert only_partial_files(cache_folder)


def test_busy_server_is_asked_again(pinned: Weights, server: FileServer):
    server.statuses = [503, 429]
    assert download.download(pinned).read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_pauses_between_attempts_grow(pinned: Weights, server: FileServer, monkeypatch: pytest.MonkeyPatch):
    pauses: list[float] = []
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    monkeypatch.setattr(download, "FIRST_PAUSE", 1.0)
    server.statuses = [503] * download.ATTEMPTS
    with pytest.raises(InputError, match="503"):
        download.download(pinned)
    assert pauses == [1.0, 2.0, 4.0, 8.0]


def test_refused_connection_names_the_url_and_the_way_round_it(pinned: Weights, server: FileServer, cache_folder: Path):
    server.close()
    with pytest.raises(InputError, match="Connection refused") as refusal:
        download.download(pinned)
    assert pinned.source in str(refusal.value)
    assert "--matting-weights PATH" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert only_partial_files(cache_folder)


def test_no_network_is_told(pinned: Weights, monkeypatch: pytest.MonkeyPatch):
    def offline(*_args: object, **_options: object) -> NoReturn:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    with pytest.raises(InputError, match=r"can't download http://host\.invalid/w\.pth: Temporary failure in name"):
        download.download(replace(pinned, source="http://host.invalid/w.pth"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, the disk that is always full")
def test_full_disk_names_the_url_and_the_remedy(pinned: Weights, cache_folder: Path):
    cache_folder.mkdir()
    (cache_folder / "test_weights.pth.partial").symlink_to("/dev/full")
    with pytest.raises(InputError, match="No space left on device") as refusal:
        download.download(pinned)
    for part in (pinned.source, "HARMONIZER_CACHE", "--matting-weights PATH"):
        assert part in str(refusal.value)
    assert only_partial_files(cache_folder)


def test_cache_that_is_no_folder_is_told(pinned: Weights, cache_folder: Path):
    cache_folder.write_text("in the way")
    with pytest.raises(InputError, match="HARMONIZER_CACHE"):
        download.download(pinned)


def test_two_processes_at_once_download_one_file(pinned: Weights, server: FileServer):
    server.delay = 1.0  # the second process comes while the first one is at it
    script = f"from video_harmonizer.weights import download, registry; download.download(registry.{pinned!r})"
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait(timeout=30) for process in processes] == [0, 0]
    assert cache.verified(pinned).read_bytes() == CONTENT
    assert len(server.requests) == 1
