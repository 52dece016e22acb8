"""Pictures: one photograph, or a numbered sequence of them."""

import io
import logging
import re
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps

from video_harmonizer import hdr
from video_harmonizer.errors import InputError, warn_once
from video_harmonizer.frame import Frame, SourceInfo
from video_harmonizer.numbered import PRINTF_NUMBER, is_pattern

log = logging.getLogger(__name__)

READABLE = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp", ".tif", ".tiff", ".bmp"}
SEVERAL = {"PNG", "TIFF", "WEBP"}  # may hold several pictures; in JPEG (MPO) others are the same or smaller
# OpenCV reads more, larger and more damaged pictures than Pillow
BEYOND_PILLOW = (OSError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError)


def is_sequence(path: Path) -> bool:
    """Whether the name stands for several pictures: a folder, ``frames/%04d.png`` or ``frames/*.png``."""
    return path.is_dir() or (is_pattern(path) and not path.exists())


def files_of(path: Path) -> list[Path]:
    """What is read where a person gives that name: it, and the pictures that it stands for."""
    try:
        return [path, *(_matching(path) if is_sequence(path) else [])]
    except OSError:  # too long, so that it is no file's name, or closed
        return [path]


def read_image(path: Path, as_mask: bool = False) -> np.ndarray:
    """Read a picture as upright (H, W, 3) sRGB, uint8 or uint16. Gray is spread, alpha left out, EXIF obeyed.

    Args:
        as_mask: its levels are no colours. They stay as they are, whatever the profile, and where the picture is
            transparent, alpha is the mask.

    Raises:
        InputError: it is missing, not a picture, or smaller than 2x2.
    """
    rgb, encoded = _decode(path)
    alpha = _alpha(encoded, path, rgb.dtype)
    transparent = alpha is not None and _is_transparent(alpha)
    if as_mask:
        return alpha if alpha is not None and transparent else rgb
    if transparent:
        what = f"{path}: seen as if it were opaque; its transparency counts where it is a mask or --matting"
        warn_once(log, f"transparency {path.parent}", what)
    return _in_srgb(rgb, encoded, path)


def _decode(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(upright RGB, the file's bytes)."""
    if not path.exists():
        raise InputError(f"{path}: no such file; give a picture")
    if path.is_dir():
        raise InputError(f"{path}: it is a folder; give a picture")
    try:
        # Not cv2.imread: it can't open every name on every system.
        encoded = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"{path}: it can't be read ({error.strerror}); check its permissions") from None
    if not encoded.size:
        raise InputError(f"{path}: empty file (0 bytes); give a picture")
    try:
        bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        raise InputError(f"{path}: it can't be decoded ({error.err}); give a smaller picture") from None
    if bgr is None:
        raise InputError(f"{path}: not a picture that can be read; give PNG, JPEG, WebP or TIFF")
    if bgr.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: {bgr.dtype} pixels; give a picture of 8 or 16 bits a channel")
    height, width = bgr.shape[:2]
    if min(height, width) < 2:
        raise InputError(f"{path}: {width}x{height} picture; give one of at least 2x2")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), encoded


def _alpha(encoded: np.ndarray, path: Path, dtype: np.dtype) -> np.ndarray | None:
    """(H, W, 3), three times the same, to 8 bits exactly, where there is any. Warns of further pictures on the way."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(encoded.tobytes())) as picture:
                number = getattr(picture, "n_frames", 1)
                if number > 1 and picture.format in SEVERAL:
                    what = f"{path}: the first of its {number} pictures is taken; make it a GIF or a video first"
                    warn_once(log, f"several pictures {path.parent}", what)  # of a sequence's files one is enough
                if not picture.has_transparency_data:
                    return None
                alpha = np.array(ImageOps.exif_transpose(picture).convert("RGBA").getchannel("A"))
    except BEYOND_PILLOW:
        return None
    return np.dstack([alpha.astype(dtype) * (257 if dtype == np.uint16 else 1)] * 3)


def _is_transparent(alpha: np.ndarray) -> bool:
    return bool(alpha.min() < np.iinfo(alpha.dtype).max)


def _in_srgb(rgb: np.ndarray, encoded: np.ndarray, path: Path) -> np.ndarray:
    """Pixels of another colour profile, as a phone's Display P3 or a camera's Adobe RGB, or of HDR, converted."""
    if (transfer := _transfer(encoded)) in hdr.TRANSFERS:
        what = f"{path}: HDR picture ({hdr.TRANSFERS[transfer]}), made SDR (BT.709) as scenes are"
        warn_once(log, f"HDR {path.parent}", what)
        return hdr.to_sdr(rgb, transfer)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # no pixel is decoded here
            with Image.open(io.BytesIO(encoded.tobytes())) as header:
                embedded = header.info.get("icc_profile")
        if not embedded:
            return rgb
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        name = ImageCms.getProfileDescription(profile).strip()
        if profile.profile.xcolor_space.strip() != "RGB" or "sRGB" in name:
            return rgb
        if rgb.dtype != np.uint8:
            what = f"{path}: colours of profile {name} are taken for sRGB; convert it first, or give 8 bits"
            warn_once(log, f"profile {path.parent}", what)  # of a sequence's pictures one is enough
            return rgb
        converted = ImageCms.profileToProfile(Image.fromarray(rgb), profile, ImageCms.createProfile("sRGB"))
        return rgb if converted is None else np.array(converted)
    except (ImageCms.PyCMSError, *BEYOND_PILLOW):  # a damaged profile says nothing
        return rgb


def _transfer(encoded: np.ndarray) -> int | None:
    """The number of a PNG's transfer characteristics, where it says so (PNG, third edition, chunk cICP)."""
    if encoded[:8].tobytes() != b"\x89PNG\r\n\x1a\n":
        return None
    at = 8
    while at + 12 <= len(encoded) and (kind := encoded[at + 4 : at + 8].tobytes()) != b"IDAT":
        if kind == b"cICP":
            return int(encoded[at + 9])
        at += 12 + int.from_bytes(encoded[at : at + 4].tobytes(), "big")
    return None


class PhotographSource:
    """One picture as a source of one frame; ``as_mask`` as in `read_image`."""

    def __init__(self, path: Path, as_mask: bool = False) -> None:
        self._rgb = read_image(path, as_mask)
        height, width = self._rgb.shape[:2]
        bits = self._rgb.dtype.itemsize * 8
        self.info = SourceInfo(str(path), width, height, rate=None, frames=1, bits=bits)
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        if not self._closed:
            yield Frame(self._rgb, index=0, seconds=0.0)

    def close(self) -> None:
        self._closed = True


class ImageSequenceSource:
    """Pictures in the natural order of their names (2 before 10), shown at a steady rate.

    Args:
        path: a folder, a printf pattern (``frames/%04d.png``) or a glob (``frames/*.png``).
        rate: frames a second.
        as_mask: see `read_image`.
    """

    def __init__(self, path: Path, rate: Fraction = Fraction(25), as_mask: bool = False) -> None:
        self._paths = _matching(path)
        if not self._paths:
            raise InputError(f"{path}: no pictures there; wanted {', '.join(sorted(READABLE))} files")
        self._as_mask = as_mask
        self._in_alpha = False  # masks: of transparent pictures one that is wholly opaque is a mask in alpha, too
        self._first: np.ndarray | None = self._read(self._paths[0]) if as_mask else read_image(self._paths[0])
        self._shape, self._dtype = self._first.shape, self._first.dtype
        self._closed = False
        height, width = self._shape[:2]
        self.info = SourceInfo(
            name=str(path),
            width=width,
            height=height,
            rate=rate,
            frames=len(self._paths),
            time_base=1 / rate,
            bits=self._dtype.itemsize * 8,
        )

    def __iter__(self) -> Iterator[Frame]:
        for index, path in enumerate(self._paths):
            if self._closed:
                return
            rgb = self._first if self._first is not None else self._read(path)
            self._first = None
            if (rgb.shape, rgb.dtype) != (self._shape, self._dtype):
                got, wanted = _kind(rgb.shape, rgb.dtype), _kind(self._shape, self._dtype)
                raise InputError(f"{path}: {got}, after pictures of {wanted}; give pictures all alike")
            yield Frame(rgb, index, float(index * self.info.time_base))

    def _read(self, path: Path) -> np.ndarray:
        """As `read_image`, but that transparency was told of with the first picture: looking for it takes as long."""
        rgb, encoded = _decode(path)
        if not self._as_mask:
            return _in_srgb(rgb, encoded, path)
        alpha = _alpha(encoded, path, rgb.dtype)
        if alpha is None:
            return rgb
        self._in_alpha = self._in_alpha or _is_transparent(alpha)
        return alpha if self._in_alpha else rgb

    def close(self) -> None:
        self._closed = True


def _matching(path: Path) -> list[Path]:
    if path.is_dir():
        entries = (entry for entry in path.iterdir() if not _hidden(entry))
        found = [entry for entry in entries if entry.suffix.lower() in READABLE]
    elif printf := PRINTF_NUMBER.search(path.name):
        before, after = path.name[: printf.start()], path.name[printf.end() :]
        numbered = re.compile(re.escape(before) + r"\d+" + re.escape(after))
        found = [entry for entry in _entries(path.parent) if numbered.fullmatch(entry.name)]
    else:
        entries = path.parent.glob(path.name.replace("[", "[[]"))  # brackets stand for themselves
        shown = (entry for entry in entries if not _hidden(entry) or path.name.startswith("."))
        found = [entry for entry in shown if entry.suffix.lower() in READABLE]
    return sorted(found, key=_natural)


def _hidden(path: Path) -> bool:
    """macOS puts a ._name.png beside pictures on other disks."""
    return path.name.startswith(".")


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key under which numbers in names count as numbers."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _kind(shape: tuple[int, ...], dtype: np.dtype) -> str:
    return f"{shape[1]}x{shape[0]} at {dtype.itemsize * 8} bits"
