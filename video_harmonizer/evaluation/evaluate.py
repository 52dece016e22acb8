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
from video_harmonizer.iharmony4 import Entry, Sample, read_sample, resize
from video_harmonizer.rendering.renderer import CPURenderer
from video_harmonizer.temporal.steady import Estimator
from video_harmonizer.thumbnails import make_thumbnails

log = logging.getLogger(__name__)

LEVELS = 256  # everything is measured on 8 bits
THREADS = min(4, os.cpu_count() or 1)  # that read and score; each holds full-resolution pictures

PATIENCE = 10.0  # seconds after which a slow estimator's time is known well enough

Answer = Callable[[Sample, Sample], ToneCurves | None]  # to pictures as they came, and as they are scored
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
class _Read:
    entry: Entry
    seen: Sample  # as it came
    scored: Sample


@dataclass(frozen=True, eq=False)
class _Estimated:
    entry: Entry
    sample: Sample  # as it is scored
    curves: list[ToneCurves | None]


def answer_of(estimator: Estimator) -> Answer:
    """What an estimator says of a composite, of thumbnails of it as it came, as the live path makes them."""

    def answer(seen: Sample, scored: Sample) -> ToneCurves | None:
        matte = Matte(seen.mask)
        thumbnails = make_thumbnails(seen.composite, matte, seen.composite, estimator.side, estimator.close)
        return estimator.estimate(thumbnails, LEVELS)

    return answer


def evaluate(
    entries: Iterable[Entry], answers: Sequence[Answer], size: int | None
) -> Iterator[list[tuple[Case, Pictures]]]:
    """Score several answers to every entry, in order. Those whose pictures can't be used are left out, with a warning.

    Pictures are read and scored in threads around the answers, for which the caller's thread alone asks, one picture
    at a time. No more than a few pictures are held at once.

    Args:
        size: side in pixels to which pictures are resized to be rendered and scored; None keeps full resolution.
    """

    def read(entry: Entry) -> _Read | None:
        try:
            seen = read_sample(entry, same_size=size is None)
            scored = _usable(entry, seen if size is None else resize(seen, size))
            fits = seen.mask.shape == seen.composite.shape[:2]
            return _Read(entry, seen if fits else scored, scored)
        except InputError as error:
            log.warning("skipped: %s", error)
            return None

    def ask(one: _Read) -> _Estimated:
        return _Estimated(one.entry, one.scored, [answer(one.seen, one.scored) for answer in answers])

    with ThreadPoolExecutor(THREADS) as readers, ThreadPoolExecutor(THREADS) as scorers:
        yield from _ahead(scorers, _measure, map(ask, filter(None, _ahead(readers, read, entries))))


def render(sample: Sample, curves: ToneCurves) -> np.ndarray:
    """The composite with the curves on its foreground, by the live path's renderer: (H, W, 3) uint8.

    A soft mask blends as alpha; then everything that is not foreground (127 and below) is the composite again, as the
    metrics are defined.
    """
    frame = Frame(sample.composite, index=0, seconds=0.0)
    views = CPURenderer(["harmonized"]).render(frame, Matte(sample.mask), sample.composite, curves)
    return np.where(sample.mask[..., None] > 127, views.images["harmonized"], sample.composite)


def milliseconds(estimator: Estimator, repeats: int = 20) -> float:
    """The median time of one estimate, with nothing else going on, which is not so while `evaluate` works.

    It is one as videos need it, of a person pasted before a scene: ready composites may be looked at twice.
    """
    side = estimator.side
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    mask = np.zeros((side, side), np.uint8)
    mask[side // 4 :, side // 4 : -side // 4] = 255
    thumbnails = make_thumbnails(noise, Matte(mask), noise.copy(), side)
    times: list[float] = []
    while len(times) < repeats and sum(times) < PATIENCE:
        began = time.perf_counter()
        estimator.estimate(thumbnails, LEVELS)
        times.append(time.perf_counter() - began)
    return 1e3 * median(times)


def _usable(entry: Entry, sample: Sample) -> Sample:
    """The entry's pictures, if something can be measured of them."""
    if not (sample.mask > 127).any():
        raise InputError(f"{entry.mask}: no foreground in it; want white (above 127) where the foreground is")
    height, width = sample.mask.shape
    if min(height, width) < SMALLEST:
        raise InputError(f"{entry.composite}: {width}x{height}; want {SMALLEST}x{SMALLEST} or more")
    return sample


def _measure(estimated: _Estimated) -> list[tuple[Case, Pictures]]:
    sample, mask = estimated.sample, estimated.sample.mask > 127
    share, before = float(mask.mean()), score(sample.composite, sample.real, mask)
    measured = []
    for answer in estimated.curves:
        curves = answer or ToneCurves.identity(LEVELS)
        result = render(sample, curves)
        case = Case(estimated.entry, share, score(result, sample.real, mask), before, answered=answer is not None)
        measured.append((case, Pictures(sample, result, curves)))
    return measured


def _ahead(pool: ThreadPoolExecutor, work: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
    """What ``map`` gives, worked out in the pool a few items ahead of what is asked for."""
    waiting: deque[Future[U]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > THREADS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
