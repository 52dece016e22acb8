"""Network weights by name: those bundled in this package, and those downloaded into the user's cache."""

from pathlib import Path

from video_harmonizer.errors import InputError
from video_harmonizer.weights import cache, registry


def path(name: str) -> Path:
    """The file of the weights of that name, ready to be read.

    Raises InputError for an unknown name, weights that are not downloaded yet (saying how), and a
    downloaded file that is no longer what it was.
    """
    weights = registry.find(name)
    if not weights.bundled:
        return cache.verified(weights)
    bundled = Path(__file__).with_name(weights.file)
    if not bundled.is_file():
        raise InputError(f"{name}: {bundled} is missing; install video-harmonizer again")
    return bundled


def available(name: str) -> bool:
    """Whether `path` would give a file. Raises InputError for an unknown name only."""
    weights = registry.find(name)
    return Path(__file__).with_name(weights.file).is_file() if weights.bundled else cache.intact(weights)


def state(name: str) -> str:
    """bundled, missing, downloaded, damaged, not downloaded or not readable. Raises InputError for an unknown name."""
    weights = registry.find(name)
    if available(name):
        return "bundled" if weights.bundled else "downloaded"
    if weights.bundled:
        return "missing"
    try:
        return "damaged" if cache.location(weights).is_file() else "not downloaded"
    except OSError:  # the folder is closed
        return "not readable"
