"""Where an output is written until it is whole: beside its final name, so that no file is lost on the way."""

import errno
import itertools
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

from video_harmonizer.errors import InputError


class StagedFile:
    """``NAME.partial.EXT`` beside the final name, claimed at construction; `publish` renames it.

    Args:
        path: the final name. An existing file there stays as it is until `publish`.
        inputs: files that are being read, and so must not be overwritten.

    Raises:
        InputError: the place can't be written, is a folder, or is one of ``inputs`` (also through links).
    """

    def __init__(self, path: Path, inputs: Iterable[Path] = ()) -> None:
        check_output_file(path, inputs)
        self.final = path.resolve()  # through a link to the file it stands for
        partial = self.final.with_name(f"{self.final.stem}.partial{self.final.suffix}")
        try:
            self.path = claim(partial, lambda free: free.touch(exist_ok=False))
        except OSError as error:
            raise cannot_write(path, error) from None
        with suppress(OSError):  # mostly because there is no file before, whose readers may read this one
            shutil.copymode(self.final, self.path)

    def publish(self) -> None:
        """Give the file its final name, in one step."""
        self.path.replace(self.final)

    def publish_text(self, text: str) -> None:
        """`publish_bytes` in UTF-8."""
        self.publish_bytes(text.encode())

    def publish_bytes(self, content: bytes) -> None:
        """Write the content and give it its final name; raises InputError where the disk does not let it."""
        try:
            self.path.write_bytes(content)
            self.publish()
        except OSError as error:
            raise cannot_write(self.final, error) from error

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


def staged(
    cleanup: ExitStack, option: str, path: Path | None, suffix: str, inputs: Iterable[Path] = ()
) -> StagedFile | None:
    """A place for what ``option`` asks to be written, refused now and not after the work; None where nothing is asked.

    Args:
        cleanup: discards what is not published.

    Raises:
        InputError: the name has another suffix, or as `StagedFile` says.
    """
    if path is None:
        return None
    check_suffix(option, path, suffix)
    place = StagedFile(path, inputs)
    cleanup.callback(place.discard)  # does nothing once it is published
    return place


def check_suffix(option: str, path: Path, suffix: str) -> None:
    """Raise InputError for another suffix: above all, it shall not be a video or checkpoint whose name slipped in."""
    if path.suffix.lower() != suffix:
        raise InputError(f"{option} {path}: no name for this; give a file name that ends in {suffix}")


def check_output_file(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Raise InputError unless a file may be written at ``path`` (whether it exists or not)."""
    try:
        _check_output_file(path, inputs)
    except OSError as error:  # the name is too long, a folder on the way is closed, ...
        raise cannot_write(path, error) from None


def _check_output_file(path: Path, inputs: Iterable[Path]) -> None:
    if path.is_dir():
        raise InputError(f"{path}: it is a folder; give the name of a file in it")
    if path.exists():
        for other in inputs:
            if os.path.exists(other) and path.samefile(other):  # noqa: PTH110 - Path fails where it is too long
                raise InputError(f"{path}: it is also read ({other}); give the output another name")
        if not path.is_file():
            raise InputError(f"{path}: not an ordinary file; give another name")
        if not os.access(path, os.W_OK):
            raise InputError(f"{path}: it exists and may not be changed; give another name")
    check_folder(path, path.resolve().parent)


def check_folder(path: Path, folder: Path) -> None:
    """Raise InputError, about ``path``, unless ``folder`` is there."""
    if not folder.exists():
        raise InputError(f"{path}: there is no folder {folder}; create it, or give another place")
    if not folder.is_dir():
        raise InputError(f"{path}: {folder} is a file, not a folder; give another place")


def cannot_write(path: Path, error: Exception) -> InputError:
    """The error for a place that refuses, or that has filled up; from the system's or FFmpeg's error."""
    reason = getattr(error, "strerror", None) or str(error)
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    remedy = "free some space or give another place" if full else "give another place"
    return InputError(f"{path}: it can't be written ({reason}); {remedy}")


def nothing_came(path: Path) -> InputError:
    """The error for closing a sink that was given no picture."""
    return InputError(f"{path}: not written, as no picture came; check the input")


def claim(path: Path, make: Callable[[Path], object]) -> Path:
    """Make a file or folder of that name, or the first after it that is free; raises OSError."""
    while True:
        free = free_name(path)
        with suppress(FileExistsError):  # another run was quicker
            make(free)
            return free


def free_name(path: Path) -> Path:
    """``path``, or the first of ``path2``, ``path3``, ... that is free.

    What an earlier run left unfinished is somebody's, and may be another run's that goes on right now.
    """
    numbered = (path.with_name(f"{path.stem}{number}{path.suffix}") for number in itertools.count(2))
    return next(name for name in itertools.chain([path], numbered) if not os.path.lexists(name))
