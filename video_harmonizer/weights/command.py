"""``python -m video_harmonizer weights list|download|path``: what there is, fetching it, where it lies."""

from video_harmonizer.errors import InputError
from video_harmonizer.weights import available, cache, path, state
from video_harmonizer.weights.download import download
from video_harmonizer.weights.registry import REGISTRY, Weights, find

_HEADINGS = ("name", "size", "licence", "state", "source")


def weights_command(action: str, name: str | None) -> None:
    """``list``, or ``download`` or ``path`` with a name. InputError where it is missing, unknown or too much."""
    if action == "list":
        if name is not None:
            raise InputError(f"weights list: got {name!r}; it lists all, and takes no name")
        list_weights()
    elif name is None:
        raise InputError(f"weights {action}: no name; give one of {', '.join(REGISTRY)}")
    elif action == "download":
        download_weights(name)
    else:
        print_path(name)


def list_weights() -> None:
    """Print a table of all weights, and where downloads are kept."""
    rows = [_HEADINGS, *(_row(weights) for weights in REGISTRY.values())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(f"\nDownloads are kept in {cache.folder()} (set HARMONIZER_CACHE to change that).")


def download_weights(name: str) -> None:
    """Download the weights of that name, unless they are there, and print where they are.

    Raises InputError for an unknown name and for a download that fails.
    """
    weights = find(name)
    if available(name):
        how = "part of this package" if weights.bundled else "downloaded already, checksum fits"
        print(f"{name}: {how}: {path(name)}")
    elif weights.bundled:
        path(name)  # raises, and says what to do about a package without its file
    else:
        print(f"{name}: {weights.about}; licence {weights.licence}")
        print(f"{name}: saved as {download(weights)}")


def print_path(name: str) -> None:
    """Print the file of the weights of that name and nothing else, for use in scripts.

    Raises InputError as `video_harmonizer.weights.path` does.
    """
    print(path(name))


def _row(weights: Weights) -> tuple[str, ...]:
    return weights.name, _size(weights), weights.licence, state(weights.name), weights.source


def _size(weights: Weights) -> str:
    size = weights.size
    if size is None and available(weights.name):
        size = path(weights.name).stat().st_size
    return "?" if size is None else f"{size / 1e6:.1f} MB"
