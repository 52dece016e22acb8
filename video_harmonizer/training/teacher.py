"""What the large matting network sees in photographs and clips: the small one learns from it.

Its mattes are kept in a folder, since they take longer to make than anything else before training; what is there is
not made again.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock
from tqdm import tqdm

from video_harmonizer.engine import make_engine
from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame
from video_harmonizer.matting.rvm import RVMMatting, load_rvm
from video_harmonizer.pixels import to_depth
from video_harmonizer.sources import open_source
from video_harmonizer.training.photographs import SHORT_SIDE, files_below, read_picture
from video_harmonizer.weights.cache import sha256_of

log = logging.getLogger(__name__)

CLIPS = {".mp4", ".mkv", ".mov", ".webm", ".avi"}
LOOKS = 2  # at a photograph: with memory of the first, the second is surer
GRAIN = 32  # pixels: photographs come in so many sizes
STRETCH = 50  # frames that follow one another in what is kept of a clip
STRETCHES = 8  # of a long clip, at equal distances


@dataclass(frozen=True, eq=False)
class Shot:
    """What was filmed at one go, and who is in it; a photograph is one of a single frame."""

    frames: np.ndarray  # (T, H, W, 3) uint8
    alpha: np.ndarray  # (T, H, W) uint8


class Teacher:
    """RobustVideoMatting with the user's weights, and what it saw, in a folder of ``folder`` for just these weights."""

    def __init__(self, weights: Path, folder: Path) -> None:
        try:
            self.folder = folder / f"{sha256_of(weights)[:16]}-fp32"
        except OSError as error:
            raise InputError(f"{weights}: {error.strerror}; give RobustVideoMatting's weights") from None
        self.weights = weights

    def photographs(self, images: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Name -> picture (H, W, 3) uint8; name -> alpha (H, W) uint8. Known again by the pixels, not by the name."""
        # an engine prepares itself for every size anew: few sizes, one after the other
        by_size = sorted(images, key=lambda name: _in_grains(images[name]))
        mattes = {}
        with self._alone("photographs") as folder:
            for name in tqdm(by_size, "mattes of photographs", unit="photograph", dynamic_ncols=True, mininterval=5):
                image = images[name]
                path = folder / f"{_checksum(image.tobytes())}.png"
                matte = read_picture(path, cv2.IMREAD_GRAYSCALE)
                if matte is None or matte.shape != image.shape[:2]:
                    self.matting.reset()
                    picture = cv2.resize(image, _in_grains(image)[::-1], interpolation=cv2.INTER_AREA)
                    matte = cv2.resize(self.matting.matte(Frame(picture, 0, 0.0)).alpha, image.shape[1::-1])
                    path.write_bytes(cv2.imencode(".png", matte)[1].tobytes())
                mattes[name] = matte
        return {name: mattes[name] for name in images}

    def clip(self, path: Path) -> list[Shot]:
        """Stretches of a clip, its short side at most `SHORT_SIDE`; read from disk as they are needed."""
        with path.open("rb") as file:
            known = f"{path.stem}-{path.stat().st_size}-{_checksum(file.read(1 << 20))}"
        with self._alone(f"clips/{known}") as folder:
            if not (folder / "done").is_file():
                self._watch(path, folder)
                (folder / "done").touch()
        names = sorted(folder.glob("*.frames.npy"))
        stretches = [(np.load(name, "r"), np.load(name.with_name(f"{name.name[:3]}.alpha.npy"), "r")) for name in names]
        return [Shot(frames, alpha) for frames, alpha in stretches]

    @contextmanager
    def _alone(self, name: str) -> Iterator[Path]:
        """A folder of its own; of several processes that train together one makes the mattes, the others find them."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            yield folder

    def _watch(self, path: Path, folder: Path) -> None:
        """Matte the whole clip, since the network remembers, and keep some of it."""
        source = open_source(str(path))
        total = source.info.frames or STRETCH * STRETCHES
        every = max(STRETCH, total // STRETCHES)
        self.matting.reset()
        kept: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        try:
            for frame in tqdm(islice(source, every * STRETCHES), path.name, unit="frame", dynamic_ncols=True):
                alpha = self.matting.matte(frame).alpha
                if frame.index % every < STRETCH:
                    # a camera may have filmed 10 bits; they come as 16
                    picture = _small(to_depth(frame.rgb, np.uint8))
                    kept.setdefault(frame.index // every, []).append((picture, _small(alpha)))
        finally:
            source.close()
        for number, stretch in kept.items():
            for name, pictures in zip(("frames", "alpha"), zip(*stretch, strict=True), strict=True):
                np.save(folder / f"{number:03}.{name}.npy", np.stack(pictures))

    @cached_property
    def matting(self) -> RVMMatting:
        """Loaded when the first matte is missing: to go on with a run nobody needs it."""
        network = load_rvm(self.weights, str(self.weights))
        # exactly, as targets are not to depend on the processor that a run began on
        return RVMMatting(network, None, make_engine("auto", "cpu", "fp32"), settling=LOOKS - 1)


def find_clips(root: Path) -> list[Path]:
    """The video files below a folder, by name: in the same order on every disk, which samples depend on."""
    clips = sorted(files_below(root, CLIPS), key=lambda path: (path.stem, path))
    if not clips:
        raise InputError(f"{root}: no clips there; give a folder of videos of people")
    return clips


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _in_grains(picture: np.ndarray) -> tuple[int, int]:
    """(height, width) in whole steps of `GRAIN`, nearly the picture's own."""
    height, width = (max(1, round(side / GRAIN)) * GRAIN for side in picture.shape[:2])
    return height, width


def _small(picture: np.ndarray) -> np.ndarray:
    scale = min(1.0, SHORT_SIDE / min(picture.shape[:2]))
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
