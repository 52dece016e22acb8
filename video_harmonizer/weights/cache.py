"""The user's cache of downloaded weights, checked against their published checksums."""

import functools
import hashlib
import os
from pathlib import Path

from platformdirs import user_cache_path

from video_harmonizer.errors import InputError
from video_harmonizer.weights.registry import Weights


def folder() -> Path:
    """Where downloads are kept: $HARMONIZER_CACHE, or else the user's cache folder. It need not exist."""
    chosen = os.environ.get("HARMONIZER_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("video-harmonizer", appauthor=False)


def networks() -> Path:
    """Where engines keep what they made of networks, and `checkpoint` what it knows of them."""
    return folder() / "openvino"


def location(weights: Weights) -> Path:
    """Where the downloaded file lies, or would lie."""
    return folder() / weights.file


def sha256_of(path: Path) -> str:
    """The file's SHA-256, in hex. A start asks for it several times: read once, unless the file changes."""
    now = path.stat()
    return _sha256(path, now.st_size, now.st_mtime_ns)


@functools.cache
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified(weights: Weights) -> Path:
    """The downloaded file, after its checksum was compared with the published one.

    Raises InputError if it is not there, can't be read, or is another file.
    """
    path = location(weights)
    again = f"python -m video_harmonizer weights download {weights.name}"
    try:
        if not path.is_file():
            raise InputError(f"{weights.name}: not downloaded yet (looked for {path}); run `{again}`")
        got = sha256_of(path)
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); run `{again}`") from error
    if got != weights.sha256:
        raise InputError(f"{path}: changed or damaged: got sha256 {got}, wanted {weights.sha256}; run `{again}`")
    return path


def intact(weights: Weights) -> bool:
    """Whether the downloaded file is there and is the published one."""
    try:
        verified(weights)
    except InputError:
        return False
    return True
