"""iHarmony4 (Cong et al., "DoveNet", CVPR 2020) in its published layout: what its lists name, and the pictures.

``<root>/{HCOCO,HAdobe5k,HFlickr,Hday2night}/{composite_images,masks,real_images}/`` and, in each subset's folder or
in the root, ``<subset>_train.txt`` and ``<subset>_test.txt``. Composite ``c1_2_3.jpg`` has mask ``c1_2.png`` and real
picture ``c1.jpg``; the same names with other picture suffixes are found too.
"""

import logging
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from video_harmonizer.errors import InputError

log = logging.getLogger(__name__)

SUBSETS = ("HCOCO", "HAdobe5k", "HFlickr", "Hday2night")
FOLDERS = ("composite_images", "masks", "real_images")


@dataclass(frozen=True)
class Entry:
    """One line of a list, and the three pictures that it stands for."""

    subset: str
    name: str  # of the composite, as listed
    composite: Path
    mask: Path
    real: Path


@dataclass(frozen=True, eq=False)
class Sample:
    """The pictures of an entry, all of one size."""

    composite: np.ndarray  # (H, W, 3) uint8 RGB
    mask: np.ndarray  # (H, W) uint8, 255 = foreground; iHarmony4's own are hard, soft ones are taken as they are
    real: np.ndarray  # (H, W, 3) uint8 RGB: what the composite should have been


def list_entries(root: Path, split: str) -> list[Entry]:
    """All entries of a split (``train`` or ``test``), in the lists' order.

    A dataset with some of the subsets only is taken, with a warning that names those missing.

    Raises:
        InputError: the root, all four subsets, a folder, a list, or a listed picture is not there.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the root of iHarmony4, with {', '.join(SUBSETS)} in it")
    found = [subset for subset in SUBSETS if (root / subset).is_dir()]
    missing = [subset for subset in SUBSETS if subset not in found]
    if not found:
        raise InputError(f"{root}: no folder {', '.join(missing)} in it; give the root of iHarmony4")
    if missing:
        log.warning("%s: without %s: not all of iHarmony4", root, ", ".join(missing))
    return [entry for subset in found for entry in _list_subset(root, subset, split)]


def read_sample(entry: Entry, same_size: bool = True) -> Sample:
    """Decode the pictures of an entry. Orientation tags are not followed, as all three lie on one grid.

    Raises:
        InputError: a picture can't be decoded, or their sizes differ and ``same_size`` is wanted.
    """
    composite, mask, real = _decode(entry.composite, "RGB"), _decode(entry.mask, "L"), _decode(entry.real, "RGB")
    for path, picture in ((entry.mask, mask), (entry.real, real)):
        if same_size and picture.shape[:2] != composite.shape[:2]:
            (height, width), (h, w) = composite.shape[:2], picture.shape[:2]
            raise InputError(f"{path}: {w}x{h}, for a composite of {width}x{height}; give pictures of one size")
    return Sample(composite, mask, real)


def resize(sample: Sample, size: int) -> Sample:
    """All three as squares of that side, as the dataset's own evaluation script makes them.

    Pictures bicubically (antialiased), the mask to the nearest pixel.
    """
    smooth, nearest = Image.Resampling.BICUBIC, Image.Resampling.NEAREST
    pictures = ((sample.composite, smooth), (sample.mask, nearest), (sample.real, smooth))
    return Sample(*(np.asarray(Image.fromarray(picture).resize((size, size), how)) for picture, how in pictures))


def _list_subset(root: Path, subset: str, split: str) -> list[Entry]:
    composites, masks, reals = (_Folder(root / subset / folder) for folder in FOLDERS)
    own, common = f"{subset}_{split}.txt", f"IHD_{split}.txt"
    lists = [path for path in (root / subset / own, root / own, root / common) if path.is_file()]
    if not lists:
        raise InputError(
            f"{root / subset / own}: no such file, and no {common} beside its folder; give iHarmony4 with its lists"
        )
    try:
        lines = lists[0].read_text(encoding="utf-8-sig").replace("\\", "/").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{lists[0]}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise InputError(f"{lists[0]}: can't be read ({error.strerror})") from error
    listed = [PurePosixPath(line.strip()) for line in lines if line.strip()]
    if lists[0].name == common:  # of all subsets: HCOCO/composite_images/c1_2_3.jpg
        listed = [path for path in listed if subset in path.parts]
    # published with folders and without; joined lists have some twice
    names = list(dict.fromkeys(path.name for path in listed))
    if not names:
        got = "empty" if lists[0].name != common else f"names no composite of {subset}, whose folder is there"
        raise InputError(f"{lists[0]}: {got}; want the name of a composite on each line")
    entries = []
    for name in names:
        stem = PurePosixPath(name).stem
        of_mask, of_real = stem.rpartition("_")[0], stem.rpartition("_")[0].rpartition("_")[0]
        if not of_real:
            raise InputError(f"{lists[0]}: {name!r} is not a composite's name; want names such as c1_2_3.jpg")
        suffix = PurePosixPath(name).suffix
        paths = composites.find(name), masks.find(f"{of_mask}.png"), reals.find(f"{of_real}{suffix}")
        entries.append(Entry(subset, name, *paths))
    return entries


class _Folder:
    """A folder's files, listed once: asking the system for each of 75,000 entries takes long on a network's disk."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise InputError(f"{path}: no such folder; want {', '.join(FOLDERS)} in each subset")
        self._path = path
        self._names = {entry.name for entry in path.iterdir()}
        self._by_stem = {PurePosixPath(name).stem: name for name in sorted(self._names)}

    def find(self, name: str) -> Path:
        """The file of that name or else, as PNG copies of the dataset are common, of another suffix."""
        if name in self._names:
            return self._path / name
        other = self._by_stem.get(PurePosixPath(name).stem)
        if other is None:
            raise InputError(f"{self._path / name}: no such file, but it is listed; give the dataset complete")
        return self._path / other


def _decode(path: Path, mode: str) -> np.ndarray:
    try:
        with Image.open(path) as file:
            if mode == "L" and file.has_transparency_data:
                alpha = np.asarray(file.convert("RGBA").getchannel("A"))
                if alpha.min() < 255:
                    return alpha
            if file.mode.startswith("I"):  # 16 bits of gray, which Pillow would cut off at 255
                return np.asarray(Image.fromarray((np.asarray(file) // 257).astype(np.uint8)).convert(mode))
            return np.asarray(file.convert(mode))
    except Exception as error:  # damaged bytes make Pillow raise nearly anything
        raise InputError(f"{path}: not a picture that can be read ({error}); copy it again") from error
