"""Photographs and masks in memory: what composites are made of."""

import csv
import io
import logging
import os
import zipfile
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from video_harmonizer.errors import InputError

log = logging.getLogger(__name__)

INDEX = "index.csv"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
SHORT_SIDE = 256  # photographs are kept in memory at this size
SMALLEST = 16  # pixels a side of a picture that shows anything
PERSON = {"1": True, "0": False, "": None, "unknown": None}  # what an index may say of a foreground
TRAINING_LUTS = 60  # of the tables in luts.npz; the others are kept for validation


@dataclass(frozen=True)
class Row:
    """A line of index.csv: one photograph with one foreground mask, or none."""

    image: str
    mask: str  # "" where there is none
    person: bool | None  # None: not known


class Photographs:
    """The photographs of a folder, decoded into memory.

    With an ``index.csv`` (columns source, image, mask, person, split) there are masks and a given split; without one
    all pictures below the folder are taken, and every tenth is kept for validation, of few every second to ninth.
    """

    def __init__(self, root: Path, split: str, only: Collection[str] | None = None) -> None:
        """`only`: the images to keep, by name; all where it is not given."""
        self.root = root
        self.skipped: list[str] = []
        self._faint: list[str] = []  # masks without a level above 127 that are not empty
        rows = [row for row in read_rows(root, split) if only is None or row.image in only]
        self.images = self._decode((row.image for row in rows), cv2.IMREAD_COLOR)
        self.masks = self._decode((row.mask for row in rows if row.mask), cv2.IMREAD_GRAYSCALE)
        self._check_levels()
        if self.skipped:
            log.warning("%d unreadable or tiny pictures skipped, the first is %s", len(self.skipped), self.skipped[0])
        self.rows = [row for row in rows if row.image in self.images and (row.mask in self.masks or not row.mask)]
        if len(self.rows) < 2 and only is None:
            raise InputError(f"{root}: {len(self.rows)} photographs in split {split!r}; want 2 or more")
        masked = [row for row in self.rows if row.mask]
        people = [row for row in masked if row.person]
        things = [row for row in masked if not row.person]
        self.groups = [group for group in (people, things) if group]

    def mask_of(self, row: Row) -> np.ndarray:
        """(H, W) uint8 at the size of the row's photograph; photographs of several shapes may share one."""
        return fit(self.masks[row.mask], self.images[row.image])

    def _decode(self, names: Iterable[str], flag: int) -> dict[str, np.ndarray]:
        """Name -> picture, without those that can't be read."""
        pictures = {}
        for name in dict.fromkeys(names):
            picture = read_picture(self.root / name, flag)
            if picture is None or min(picture.shape[:2]) < SMALLEST:
                self.skipped.append(name)
                continue
            if flag == cv2.IMREAD_GRAYSCALE and 0 < picture.max() <= 127:
                self._faint.append(name)
            scale = SHORT_SIDE / min(picture.shape[:2])
            if scale < 1:
                picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            pictures[name] = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if flag == cv2.IMREAD_COLOR else picture
        return pictures

    def _check_levels(self) -> None:
        """Masks of 0 and 1 would be taken for empty ones."""
        faint, wanted = self._faint, "want 255 = foreground"
        if faint and len(faint) == len(self.masks):
            what = f"{self.root / faint[0]}: this and all other masks have no level above 127"
            raise InputError(f"{what}; {wanted}")
        if faint:
            log.warning("%d masks have no level above 127, the first is %s; %s", len(faint), faint[0], wanted)


def read_picture(path: Path, flag: int) -> np.ndarray | None:
    """As `cv2.imread`, which can't open every name on every system."""
    try:
        encoded = np.fromfile(path, np.uint8)
    except OSError:
        return None
    return cv2.imdecode(encoded, flag) if encoded.size else None


def read_rows(root: Path, split: str) -> list[Row]:
    """What a folder says that it has for a split."""
    return _read_index(root, split) if (root / INDEX).exists() else _list_folder(root, split)


def _read_index(root: Path, split: str) -> list[Row]:
    index = root / INDEX
    want = "want a table with columns source,image,mask,person,split"
    try:
        lines = io.StringIO(index.read_bytes().decode("utf-8-sig"), newline="")  # as Excel writes it, too
    except OSError as error:
        raise InputError(f"{index}: can't be read ({error.strerror}); {want}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{index}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from None
    table = csv.DictReader(lines)
    if not {"image", "mask", "person", "split"} <= set(table.fieldnames or ()):
        raise InputError(f"{index}: columns are {','.join(table.fieldnames or ['none'])}; {want}")
    rows = []
    for line in table:
        if line["person"] not in PERSON:
            what = f"{index}, line {table.line_num}: person is {line['person']!r}"
            raise InputError(f"{what}; want 1 or 0, or nothing where it is not known")
        if line["split"] == split:
            rows.append(Row(line["image"], line["mask"], PERSON[line["person"]]))
    return rows


def _list_folder(root: Path, split: str) -> list[Row]:
    paths = files_below(root, SUFFIXES)
    if not paths:
        raise InputError(f"{root}: no photographs there, and no {INDEX}; give a folder that has some")
    if len(paths) < 4:
        what = f"{len(paths)} photographs there, and no {INDEX}"
        raise InputError(f"{root}: {what}; give 4 or more, as 2 are kept for validation")
    every = min(10, len(paths) // 2)
    kept = {n: n % every == every - 1 for n in range(len(paths))}
    return [Row(str(path.relative_to(root)), "", None) for n, path in enumerate(paths) if kept[n] == (split == "val")]


def files_below(root: Path, suffixes: Collection[str]) -> list[Path]:
    """Those that end so, sorted; in linked folders, too, each once, as links may lead in circles."""
    found: list[Path] = []
    entered: set[Path] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        below.sort()  # of two links to a folder the same one is taken on every disk
        place = Path(folder).resolve()
        if place in entered:
            below.clear()
            continue
        entered.add(place)
        found += (Path(folder, name) for name in names if Path(name).suffix.lower() in suffixes)
    return sorted(found)


def fit(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The mask at the picture's size."""
    if mask.shape == image.shape[:2]:
        return mask
    return cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def read_luts(root: Path) -> tuple[np.ndarray, np.ndarray]:
    """The colour tables of `luts.npz` for training and for validation: (N, K, K, K, 3) in 0..1 each.

    Raises:
        InputError: there are too few tables to keep some for validation. Without the file there are none.
    """
    path = root / "luts.npz"
    if not path.is_file():
        log.info("%s: not there, so no looks from colour tables are learnt", path)
        none = np.zeros((0, 2, 2, 2, 3), np.float32)
        return none, none
    try:
        with np.load(path) as arrays:
            luts = arrays["luts"]
    except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: {error}; want a .npz file with an array called luts") from None
    if luts.ndim != 5 or luts.shape[4] != 3 or len(set(luts.shape[1:4])) > 1 or luts.shape[1] < 2:
        raise InputError(f"{path}: tables of shape {luts.shape}; want (N, K, K, K, 3), K from 2")
    if luts.dtype.kind != "f" or not np.isfinite(luts).all() or np.median(luts) > 1:
        what = f"tables of {luts.dtype}, {luts.min()} to {luts.max()}"
        raise InputError(f"{path}: {what}; want floats, 0 for black and 1 for white")
    if len(luts) <= TRAINING_LUTS:
        raise InputError(f"{path}: {len(luts)} tables; want more than the {TRAINING_LUTS} that training takes")
    return luts[:TRAINING_LUTS], luts[TRAINING_LUTS:]
