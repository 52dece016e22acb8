"""From the entries of a dataset to what a harmonizer makes of each, scored."""

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import numpy as np

from video_harmonizer.errors import InputError
from video_harmonizer.evaluation.metrics import SMALLEST, Scores, score
from video_harmonizer.frame import Frame, Matte, ToneCurves
from video_harmonizer.iharmony4 import Entry, Sample, read_sample
from video_harmonizer.rendering.renderer import CPURenderer
from video_harmonizer.thumbnails import SIZE, Thumbnails, make_thumbnails

log = logging.getLogger(__name__)

LEVELS = 256  # everything is measured on 8 bits
THREADS = min(4, os.cpu_count() or 1)  # that read and score; each holds full-resolution pictures

Estimate = Callable[[Thumbnails | None, int], ToneCurves | None]
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Case:
    """What was measured of one entry."""

    entry: Entry
    share: float  # of the picture that is foreground, 0..1
    result: Scores
    composite: Scores  # of the composite as it came
    answered: bool  # whether there were curves: else the composite was left as it is

    @property
    def gain(self) -> float:
        """How much of the composite's fMSE the harmonizer took away; negative where it made things worse."""
        return self.composite.fmse - self.result.fmse


@dataclass(frozen=True, eq=False)
class Pictures:
    """What was seen and made of one entry, for people to look at."""

    sample: Sample
    result: np.ndarray  # (H, W, 3) uint8, as it was scored
    curves: ToneCurves


@dataclass(frozen=True, eq=False)
class _Estimated:
    entry: Entry
    sample: Sample
    curves: ToneCurves | None


def evaluate(
    entries: Sequence[Entry], estimate: Estimate, size: int | None
) -> Iterator[tuple[Case, Pictures] | InputError]:
    """Harmonize and score every entry, in order; an error, logged too, for each whose pictures can't be used.

    Pictures are read and scored in threads around the estimator, which is asked from the caller's alone, one picture
    at a time. No more than a few pictures are held at once.

    Args:
        estimate: an estimator's; asked with the thumbnails that the live path makes.
        size: side in pixels to which pictures are resized before all else; None keeps full resolution.
    """

    def read(entry: Entry) -> tuple[Entry, Sample] | InputError:
        try:
            return entry, _usable(entry, size)
        except InputError as error:
            log.warning("skipped: %s", error)
            return error

    def ask(item: tuple[Entry, Sample] | InputError) -> _Estimated | InputError:
        if isinstance(item, InputError):
            return item
        entry, sample = item
        thumbnails = make_thumbnails(sample.composite, Matte(sample.mask), sample.composite)
        return _Estimated(entry, sample, estimate(thumbnails, LEVELS))

    with ThreadPoolExecutor(THREADS) as readers, ThreadPoolExecutor(THREADS) as scorers:
        yield from _ahead(scorers, _measure, map(ask, _ahead(readers, read, entries)))


def render(sample: Sample, curves: ToneCurves) -> np.ndarray:
    """The composite with the curves on its foreground, by the live path's renderer: (H, W, 3) uint8.

    A soft mask blends as alpha; then everything that is not foreground (127 and below) is the composite again, as the
    metrics are defined.
    """
    frame = Frame(sample.composite, index=0, seconds=0.0)
    views = CPURenderer(["harmonized"]).render(frame, Matte(sample.mask), sample.composite, curves)
    return np.where(sample.mask[..., None] > 127, views.images["harmonized"], sample.composite)


def milliseconds(estimate: Estimate, repeats: int = 20) -> float:
    """The median time of one estimate, with nothing else going on, which is not so while `evaluate` works."""
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[SIZE // 4 :, SIZE // 4 : -SIZE // 4] = 255
    thumbnails = make_thumbnails(noise, Matte(mask), noise)
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        estimate(thumbnails, LEVELS)
        times.append(time.perf_counter() - began)
    return 1e3 * median(times)


def _usable(entry: Entry, size: int | None) -> Sample:
    """The entry's pictures, of which something can be measured."""
    sample = read_sample(entry, size)
    if not (sample.mask > 127).any():
        raise InputError(f"{entry.mask}: no foreground in it; want white (above 127) where the foreground is")
    height, width = sample.mask.shape
    if min(height, width) < SMALLEST:
        raise InputError(f"{entry.composite}: {width}x{height}; want {SMALLEST}x{SMALLEST} or more")
    return sample


def _measure(estimated: _Estimated | InputError) -> tuple[Case, Pictures] | InputError:
    if isinstance(estimated, InputError):
        return estimated
    sample, mask = estimated.sample, estimated.sample.mask > 127
    curves = estimated.curves or ToneCurves.identity(LEVELS)
    result = render(sample, curves)
    case = Case(
        entry=estimated.entry,
        share=float(mask.mean()),
        result=score(result, sample.real, mask),
        composite=score(sample.composite, sample.real, mask),
        answered=estimated.curves is not None,
    )
    return case, Pictures(sample, result, curves)


def _ahead(pool: ThreadPoolExecutor, work: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
    """What ``map`` gives, worked out in the pool a few items ahead of what is asked for."""
    waiting: deque[Future[U]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > THREADS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
