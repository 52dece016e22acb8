"""Pictures on disk: one, or a numbered sequence."""

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from video_harmonizer.errors import InputError
from video_harmonizer.frame import SourceInfo
from video_harmonizer.numbered import PRINTF_NUMBER, is_pattern
from video_harmonizer.pixels import to_depth
from video_harmonizer.staging import StagedFile, cannot_write, check_folder, claim, nothing_came

DEEP_SUFFIXES = {".png", ".tif", ".tiff"}  # that hold 16 bits a channel
WRITABLE = DEEP_SUFFIXES | {".jpg", ".jpeg", ".webp"}


class ImageFileSink:
    """One picture, written whole or not at all. PNG and TIFF keep 16 bits; JPEG and WebP are 8.

    Raises InputError for a place that can't be written, an unknown suffix, or a source of several frames.
    """

    kept: Path | None = None  # the whole picture, where it could not get its name; an abort leaves nothing

    def __init__(self, path: Path, info: SourceInfo, inputs: Iterable[Path] = ()) -> None:
        _check_suffix(path)
        if info.frames != 1:
            many = f"{info.frames} frames" if info.frames else "many frames"
            raise InputError(f"{path}: one picture, but {info.name} has {many}; give a video or frames/%05d.png")
        self._file = StagedFile(path, inputs)
        self._written = False
        self._ended = False

    def write(self, image: np.ndarray, seconds: float) -> None:
        if self._written:
            raise InputError(f"{self._file.final}: one picture, and a second one came; give frames/%05d.png")
        _write(image, self._file.path)
        self._written = True

    def close(self, whole: bool = True) -> None:
        if self._ended:
            return
        if not self._written:
            self.abort()
            raise nothing_came(self._file.final)
        self._ended = True
        try:
            self._file.publish()
        except OSError as error:
            self.kept = self._file.path
            raise cannot_write(self._file.final, error) from None

    def abort(self) -> None:
        if not self._ended:
            self._file.discard()
        self._ended = True


class ImageSequenceSink:
    """Numbered pictures, from 0. They wait in a folder ``frames.partial`` until all are there.

    Args:
        path: a folder (pictures are then ``00000.png`` and so on) or a pattern like ``out/%05d.jpg``. The
            folder is made where it is missing.
        inputs: files and folders that are being read, and so must not get further pictures.

    Raises:
        InputError: the place can't be written, is read, has pictures of such names already, or the suffix is unknown.
    """

    kept: Path | None = None  # after `abort`: the folder with the pictures so far

    def __init__(self, path: Path, inputs: Iterable[Path] = ()) -> None:
        pattern = path if PRINTF_NUMBER.search(path.name) else path / "%05d.png"
        _check_suffix(pattern)
        if len(PRINTF_NUMBER.findall(pattern.name)) > 1:
            raise InputError(f"{path}: several numbers in its name; give it one, such as %05d")
        self._name = pattern.name
        self._folder = pattern.parent.resolve()
        if any(_are_read_from(self._folder, other) for other in inputs):
            raise InputError(f"{path}: pictures are read from there; give another folder")
        self._made_folder = not self._folder.exists()
        if self._made_folder:
            check_folder(path, self._folder.parent)
        else:
            check_folder(path, self._folder)
            self._refuse_pictures_already_there(path)
        try:
            self._folder.mkdir(exist_ok=True)
            self._staging = claim(self._folder / "frames.partial", Path.mkdir)
        except OSError as error:
            raise cannot_write(path, error) from None
        self._count = 0
        self._ended = False

    def write(self, image: np.ndarray, seconds: float) -> None:
        number = self._count
        _write(image, self._staging / PRINTF_NUMBER.sub(lambda match: match[0] % number, self._name))
        self._count += 1

    def close(self, whole: bool = True) -> None:
        if self._ended:
            return
        if not self._count:
            self.abort()
            raise nothing_came(self._folder)
        self._ended = True
        try:
            self._refuse_pictures_already_there(self._folder)  # somebody may have been quicker
            for picture in sorted(self._staging.iterdir()):
                picture.replace(self._folder / picture.name)
            self._leave(self._staging)
        except InputError:
            self.kept = self._staging
            raise
        except OSError as error:
            self.kept = self._staging
            raise cannot_write(self._folder, error) from None

    def abort(self) -> None:
        if self._ended:
            return
        self._ended = True
        if self._count:
            self.kept = self._staging
            return
        self._leave(self._staging)
        if self._made_folder:
            self._leave(self._folder)

    @staticmethod
    def _leave(folder: Path) -> None:
        with contextlib.suppress(OSError):  # somebody else has put something there
            folder.rmdir()

    def _refuse_pictures_already_there(self, path: Path) -> None:
        before, after = PRINTF_NUMBER.split(self._name)
        # names that differ in case alone are the same on many disks
        numbered = re.compile(re.escape(before) + r"\d+" + re.escape(after), re.IGNORECASE)
        taken = sorted(entry.name for entry in self._folder.iterdir() if numbered.fullmatch(entry.name))
        if taken:
            raise InputError(f"{path}: {taken[0]} is there already; give an empty folder")


def _are_read_from(folder: Path, name: Path) -> bool:
    """Whether a name, if it is a folder's or a pattern, stands for pictures in that folder."""
    try:
        return folder == (name.parent if is_pattern(name) and not name.exists() else name).resolve()
    except OSError:  # the name is too long, if it is a file's at all
        return False


def _check_suffix(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path}: it is a folder; give the name of a file in it")
    if path.suffix.lower() not in WRITABLE:
        raise InputError(f"{path}: not a kind of picture known here; use {', '.join(sorted(WRITABLE))}")


def _write(image: np.ndarray, path: Path) -> None:
    """Encode (H, W, 3) RGB by the path's suffix; 16 bits where that can hold them."""
    suffix = path.suffix.lower()
    if suffix not in DEEP_SUFFIXES:
        image = to_depth(image, np.uint8)
    # Encoded here and written by Python: cv2.imwrite can't write every name, and hides why it failed.
    try:
        done, encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done = False
    if not done:
        height, width = image.shape[:2]
        raise InputError(f"{path}: a {suffix} file can't hold {width}x{height}; give the output as .png")
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        path.unlink(missing_ok=True)  # half a picture is none
        raise cannot_write(path, error) from None
