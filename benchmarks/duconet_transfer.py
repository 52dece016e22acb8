"""How much of DucoNet's own answer the curves carry over to full resolution.

python -m benchmarks.duconet_transfer DATASET --weights FILE --side 1024 --crop crop.png

For each composite of DATASET (iHarmony4's layout) three pictures are compared: the target; what DucoNet makes of the
thumbnail, at its own side; and the full-resolution result, made as small afterwards. What is lost is the PSNR to the
target, from the second to the third. Sharpness is the mean magnitude of the Laplacian in the foreground at full
resolution, against the target's: 1 is as sharp, and an enlarged thumbnail is far below.
"""

import logging
from dataclasses import asdict, dataclass
from json import dumps
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
from PIL import Image
from skimage.metrics import mean_squared_error
from tqdm import tqdm
from tyro.conf import Positional

from benchmarks.command_line import at_least, run
from video_harmonizer import assemble
from video_harmonizer.errors import InputError
from video_harmonizer.evaluation.evaluate import LEVELS, render
from video_harmonizer.evaluation.metrics import psnr
from video_harmonizer.frame import Matte
from video_harmonizer.harmonizers.duconet import MULTIPLE
from video_harmonizer.harmonizers.duconet_estimator import DucoNetEstimator, load_duconet
from video_harmonizer.iharmony4 import Sample, list_entries, read_sample, resize
from video_harmonizer.staging import check_output_file, check_suffix
from video_harmonizer.thumbnails import bounding_box, make_thumbnails, shrink

log = logging.getLogger(__name__)

CROP = 512  # pixels a side, shown one to one


@dataclass(frozen=True)
class Transfer:
    """One composite; PSNR in dB to the target, at the network's side."""

    own_psnr: float  # of the network's answer
    carried_psnr: float  # of the full-resolution result, made as small
    sharpness: float  # of the result, the target's is 1
    enlarged_sharpness: float  # of the network's answer, enlarged

    @property
    def lost(self) -> float:
        """dB."""
        return self.own_psnr - self.carried_psnr


def compare(estimator: DucoNetEstimator, sample: Sample) -> tuple[Transfer, np.ndarray] | None:
    """What was measured, and (H, 3 W, 3) uint8: composite, enlarged answer, result. None where there is no answer."""
    seen = make_thumbnails(sample.composite, Matte(sample.mask), sample.composite, estimator.side)
    curves = estimator.estimate(seen, LEVELS)
    if seen is None or curves is None:
        return None
    answer = np.rint(255 * estimator.harmonize(seen.background, seen.background_mask)).astype(np.uint8)
    own = np.where(seen.background_mask[..., None] > 127, answer, seen.background)
    result = render(sample, curves)
    target = shrink(sample.real, estimator.side)
    height, width = sample.mask.shape
    enlarged = cv2.resize(own, (width, height), interpolation=cv2.INTER_CUBIC)
    wanted = _sharpness(sample.real, sample.mask)
    transfer = Transfer(
        own_psnr=psnr(float(mean_squared_error(own, target))),
        carried_psnr=psnr(float(mean_squared_error(shrink(result, estimator.side), target))),
        sharpness=_sharpness(result, sample.mask) / wanted,
        enlarged_sharpness=_sharpness(enlarged, sample.mask) / wanted,
    )
    return transfer, np.concatenate([sample.composite, enlarged, result], axis=1)


def _sharpness(picture: np.ndarray, mask: np.ndarray) -> float:
    inner = cv2.erode((mask > 127).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0  # the rim is the paste's, not its
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return float(np.abs(cv2.Laplacian(gray, cv2.CV_32F))[inner].mean()) + 1e-6 if inner.any() else 1.0


def middle(panels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The middle of the foreground in each of three panels, up to `CROP` pixels a side."""
    top, bottom, left, right = bounding_box(mask) or (0, mask.shape[0], 0, mask.shape[1])
    y, x = max((top + bottom - CROP) // 2, 0), max((left + right - CROP) // 2, 0)
    return np.concatenate([panel[y : y + CROP, x : x + CROP] for panel in np.split(panels, 3, axis=1)], axis=1)


def check(
    dataset: Positional[Path],
    weights: Path,
    side: int | None = None,
    size: int | None = None,
    count: int = 20,
    device: str = "auto",
    json: Path | None = None,
    crop: Path | None = None,
) -> None:
    """Print what is lost over the first COUNT composites of DATASET, resized to SIZE first if that is given.

    CROP, a picture, gets the middle of the foreground where most is lost: composite, answer enlarged, result.
    """
    at_least(1, count=count)
    at_least(32, size=size)
    if side is not None and (side < MULTIPLE or side % MULTIPLE):
        raise InputError(f"--side: got {side}; want a multiple of {MULTIPLE}, that of the weights' training")
    for option, path, suffix in (("--json", json, ".json"), ("--crop", crop, ".png")):
        if path:
            check_suffix(option, path, suffix)
            check_output_file(path)
    estimator = load_duconet(weights, assemble.choose_engine("auto", device), side)
    found: list[Transfer] = []
    worst = None
    for entry in tqdm(list_entries(dataset, "test")[:count], unit="image", disable=None):
        sample = read_sample(entry) if size is None else resize(read_sample(entry), size)
        compared = compare(estimator, sample)
        if compared is None:
            log.warning("%s: no answer", entry.name)
            continue
        transfer, panels = compared
        if worst is None or transfer.lost > worst[0]:
            worst = transfer.lost, middle(panels, sample.mask)
        found.append(transfer)
    if worst is None:
        raise InputError(f"{dataset}: no composite had an answer; give composites with foreground and background")
    lost = [transfer.lost for transfer in found]
    print(
        f"{len(found)} composites at {estimator.side}: DucoNet's own answer {fmean(t.own_psnr for t in found):.2f} dB, "
        f"carried over {fmean(t.carried_psnr for t in found):.2f} dB; lost {fmean(lost):.2f} dB in the mean, "
        f"{max(lost):.2f} dB at most; sharpness {fmean(t.sharpness for t in found):.2f}, enlarged instead "
        f"{fmean(t.enlarged_sharpness for t in found):.2f}"
    )
    if json:
        table = [asdict(transfer) | {"lost": transfer.lost} for transfer in found]
        json.write_text(dumps(table, indent=2) + "\n", encoding="utf-8")
    if crop:
        Image.fromarray(worst[1]).save(crop)


if __name__ == "__main__":
    run(check)
