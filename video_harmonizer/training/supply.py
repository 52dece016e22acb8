"""What a run learns from and is validated on, and in which order."""

import hashlib
import logging
import signal
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from video_harmonizer.errors import InputError
from video_harmonizer.evaluation.metrics import psnr
from video_harmonizer.training.composites import CompositeDataset, Mixture
from video_harmonizer.training.iharmony import IHarmonyDataset, is_iharmony4
from video_harmonizer.training.photographs import INDEX, Photographs, read_luts, read_rows
from video_harmonizer.training.settings import Training
from video_harmonizer.weights.cache import sha256_of

# Composites that are learnt by heart: there is something to mend, and curves can
FOREIGN = 30.0  # dB that the composite has at most
REACHABLE = 46.0  # dB that the best curves give it at least
DRAWS = 200  # for each of them

Sample = dict[str, Tensor]

log = logging.getLogger(__name__)


def make_datasets(settings: Training) -> tuple[list[Dataset], Dataset]:
    """(what to learn from at half and at full size, what to validate on).

    Raises:
        InputError: the data is not there, or knows no labels where the network wants them.
    """
    if not settings.data.is_dir():
        raise InputError(f"{settings.data}: no such folder; give photographs or the root of iHarmony4 as --data")
    learning: list[Dataset]
    validation: Dataset
    sizes = (settings.size // 2, settings.size)
    if is_iharmony4(settings.data):
        if settings.luts:
            raise InputError(f"luts: got {settings.luts}; want none, as iHarmony4 has composites of its own")
        learning = [IHarmonyDataset(settings.data, "train", size, settings.seed) for size in sizes]
        validation = IHarmonyDataset(settings.data, "test", settings.size, seed=1, count=settings.validation)
    else:
        if settings.luts and not (settings.luts / "luts.npz").is_file():
            raise InputError(f"luts: got {settings.luts}; want a folder with a file luts.npz")
        if not (settings.data / INDEX).exists():
            guess = "foregrounds are regions of like colour, and every tenth photograph is kept for validation"
            log.info("%s: no %s there, so %s", settings.data, INDEX, guess)
        luts, unseen_luts = read_luts(settings.luts or settings.data)
        photographs = Photographs(settings.data, "train")
        learning = [CompositeDataset(photographs, luts, size, settings.seed) for size in sizes]
        unseen = CompositeDataset(
            Photographs(settings.data, "val"), unseen_luts, settings.size, seed=1, mixture=Mixture(untouched=0)
        )
        validation = Subset(unseen, range(settings.validation))
    if settings.semantic and "label" not in learning[-1][0]:
        raise InputError(f"{settings.data}: its foregrounds have no labels; want semantic = false")
    if settings.overfit:
        fixed = FixedSamples(learning[-1], settings.overfit)
        return [fixed, fixed], Subset(fixed, range(settings.overfit))
    return learning, validation


def contents(settings: Training) -> dict[str, str]:
    """What the settings' folders hold to learn from, in a few digits: a run can go on with the same alone."""
    found: dict[str, Any] = {}
    if is_iharmony4(settings.data):
        lists = sorted([*settings.data.glob("*.txt"), *settings.data.glob("*/*.txt")])
        found["data"] = [(path.name, path.read_bytes()) for path in lists]
    elif settings.data.is_dir():
        found["data"] = [read_rows(settings.data, split) for split in ("train", "val")]
    if settings.clips is not None and settings.clips.is_dir():
        from video_harmonizer.training.teacher import find_clips  # brings a matting network and PyAV

        found["clips"] = [str(path.relative_to(settings.clips)) for path in find_clips(settings.clips)]
    told = {name: hashlib.sha256(repr(what).encode()).hexdigest() for name, what in found.items()}
    luts = (settings.luts or settings.data) / "luts.npz"
    if luts.is_file():
        told["luts"] = sha256_of(luts)
    return {f"contents of {name}": digest[:16] for name, digest in told.items()}


def supply(
    learning: Sequence[Dataset], settings: Training, start: int, rank: int = 0, processes: int = 1
) -> Iterator[Sample]:
    """The batches of one of several processes from step ``start`` on: small thumbnails first, then large ones.

    Step ``s`` takes the samples from ``s * batch * processes`` on; together the processes see what one would see
    with a larger batch.
    """
    together = settings.batch * processes
    bounds = (0, min(settings.small_steps, settings.steps), settings.steps)
    for dataset, (first, last) in zip(learning, pairwise(bounds), strict=True):
        firsts = range(max(first, start) * together + rank * settings.batch, last * together, together)
        order = (list(range(place, place + settings.batch)) for place in firsts)
        if firsts:
            # pinned memory and many workers matter where a GPU waits for samples
            batches = DataLoader(
                dataset,
                batch_sampler=order,
                num_workers=settings.workers,
                pin_memory=torch.cuda.is_available(),
                worker_init_fn=ignore_ctrl_c,
            )
            try:
                yield from batches
            except InputError as error:  # a worker's comes with its traceback before
                raise InputError(str(error).rpartition("InputError: ")[2].strip()) from None


def ignore_ctrl_c(worker: int) -> None:
    """A terminal sends it to workers, too: they end with the process that they work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class FixedSamples(Dataset):
    """The first so many of a supply's samples that need curves and that curves can mend, again and again."""

    def __init__(self, dataset: Dataset, number: int) -> None:
        self.samples: list[Sample] = []
        for index in range(DRAWS * number):
            sample = dataset[index]
            before, after = reach(sample)
            if before <= FOREIGN and after >= REACHABLE:
                self.samples.append(sample)
            if len(self.samples) == number:
                return
        raise InputError(f"overfit: got {number}; want at most the {len(self.samples)} composites that curves can mend")

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index % len(self.samples)]


def reach(sample: Sample) -> tuple[float, float]:
    """PSNR in dB of the composite, and of the best that any curves make of it: each level its pixels' mean target."""
    composite, target = sample["background"].numpy(), sample["target"].numpy().astype(np.float64)
    inside = sample["target_mask"].numpy() > 127
    result = composite.astype(np.float64)
    for channel in range(3):
        levels, wanted = composite[inside, channel], target[inside, channel]
        number = np.bincount(levels, minlength=256).clip(1)
        result[inside, channel] = (np.bincount(levels, wanted, minlength=256) / number)[levels]
    before, after = (psnr(float(np.square(x - target).mean())) for x in (composite, result))
    return before, after
