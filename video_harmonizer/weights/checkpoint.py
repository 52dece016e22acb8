"""Checkpoints that are read late: an engine that has compiled them before needs neither their tensors nor torch."""

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Generic, TypeVar
from uuid import uuid4

from video_harmonizer.errors import InputError
from video_harmonizer.weights import cache

Network = TypeVar("Network")
Facts = dict[str, str]

_PACKAGES = (
    "rvm",
    "video_harmonizer.engine",
    "video_harmonizer.harmonizers",
    "video_harmonizer.matting",
    "video_harmonizer.weights",
)


@dataclass(frozen=True)
class Checkpoint(Generic[Network]):
    """A network with its weights."""

    key: str  # stands for the weights and the code that makes a network of them
    about: Facts  # what others need to know of the network before it is read
    network: Callable[[], Network]


def open_checkpoint(path: Path, kind: str, read: Callable[[], tuple[Network, Facts]]) -> Checkpoint[Network]:
    """A checkpoint that is read now if it never was as this kind, and otherwise when somebody asks for the network.

    Args:
        path: the file that ``read`` reads.
        kind: of network, for which it is read.
        read: the network, and what is to be known of it; raises InputError for a file that is none.

    Returns:
        A checkpoint whose network raises InputError where the file is no longer what it was.
    """
    try:
        key = _key(path, kind)
    except OSError:
        key = ""  # `read` says better what is wrong

    @functools.cache
    def once() -> tuple[Network, Facts]:
        found = read()
        if key and _key(path, kind) != key:  # what is made of it would be taken for the former weights' ever after
            raise InputError(f"{path}: changed since the start, perhaps by a training; start again")
        return found

    about = _recalled(key) if key else None
    if about is None:
        about = once()[1]
        _remember(key, about)
    return Checkpoint(key, about, lambda: once()[0])


def _key(path: Path, kind: str) -> str:
    digest = hashlib.sha256(_code())
    digest.update(f"{kind} {path.suffix}".encode())  # by which it is known how to read it
    digest.update(cache.sha256_of(path).encode())
    return digest.hexdigest()[:24]


@functools.cache
def _code() -> bytes:
    """What networks are made with: torch, and our own sources."""
    digest = hashlib.sha256(version("torch").encode())
    for package in _PACKAGES:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        for source in sorted(Path(spec.origin).parent.glob("*.py")):
            digest.update(source.read_bytes())
    return digest.digest()


def _recalled(key: str) -> Facts | None:
    note = cache.networks() / f"{key}.json"
    try:
        about = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    with contextlib.suppress(OSError):  # in use: what is not gets deleted some day
        note.touch()
    return about if isinstance(about, dict) else None


def _remember(key: str, about: Facts) -> None:
    """Or not, where the cache can't be written: the next start reads the weights again."""
    note = cache.networks() / f"{key}.json"
    partial = note.with_name(f"{key}.{uuid4().hex}.json")
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(about), encoding="utf-8")
        partial.replace(note)
