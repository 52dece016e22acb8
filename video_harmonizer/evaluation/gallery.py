"""The worst and best cases of an evaluation, kept while it runs: few small pictures, whatever the dataset's size."""

import base64
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np

from video_harmonizer.evaluation.evaluate import Case, Pictures
from video_harmonizer.frame import ToneCurves

COUNT = 12  # cases in each section
SIDE = 256  # pixels, the longer side of a shown picture

C = TypeVar("C")  # what is known of an entry


@dataclass(frozen=True)
class Exhibit(Generic[C]):
    """A case with its pictures, ready for a page."""

    case: C
    note: str  # what was measured
    pictures: dict[str, str]  # caption -> data URI
    curves: dict[str, str]  # colour -> points of a polyline over 0..255, y downwards; may be empty

    @staticmethod
    def of(case: Case, pictures: Pictures) -> "Exhibit[Case]":
        before, after = case.composite, case.result
        note = f"fMSE {before.fmse:.0f} → {after.fmse:.0f}, PSNR {before.psnr:.2f} → {after.psnr:.2f} dB"
        if not case.answered:
            note += "; no curves were estimated, the composite is as it was"
        sample = pictures.sample
        shown = {
            "mask": sample.mask,
            "composite": sample.composite,
            "result": pictures.result,
            "target": sample.real,
        }
        uris = {caption: data_uri(picture) for caption, picture in shown.items()}
        return Exhibit(case, note, uris, polylines(pictures.curves))


class Section(Generic[C]):
    """The `COUNT` cases with the highest key.

    Args:
        key: what the cases are chosen and ordered by, highest first.
    """

    def __init__(self, title: str, key: Callable[[C], float]) -> None:
        self.title = title
        self._key = key
        # the lowest first; the number keeps exhibits from comparing
        self._heap: list[tuple[float, int, Exhibit[C]]] = []
        self._number = 0

    def wants(self, case: C) -> bool:
        return len(self._heap) < COUNT or self._key(case) > self._heap[0][0]

    def add(self, exhibit: Exhibit[C]) -> None:
        self._number -= 1  # of equals the earlier one stays
        item = (self._key(exhibit.case), self._number, exhibit)
        if len(self._heap) < COUNT:
            heapq.heappush(self._heap, item)
        else:
            heapq.heappushpop(self._heap, item)

    def exhibits(self) -> list[Exhibit[C]]:
        return [exhibit for _, _, exhibit in sorted(self._heap, key=lambda item: item[:2], reverse=True)]


class Gallery:
    """Sections of the worst and the best."""

    def __init__(self) -> None:
        self.sections: list[Section[Case]] = [
            Section("Worst: the highest fMSE", lambda case: case.result.fmse),
            Section("Worst: the least fMSE taken away, or the most added", lambda case: -case.gain),
            Section("Best: the most fMSE taken away", lambda case: case.gain),
            Section("Best: the lowest fMSE", lambda case: -case.result.fmse),
        ]

    def show(self, case: Case, pictures: Pictures) -> None:
        """Keep small copies of the pictures if the case is among the worst or best so far."""
        keep(self.sections, case, lambda: Exhibit.of(case, pictures))


def keep(sections: Sequence[Section[C]], case: C, make: Callable[[], Exhibit[C]]) -> None:
    """Make the exhibit, where a section wants it, and add it there."""
    wanting = [section for section in sections if section.wants(case)]
    if wanting:
        exhibit = make()
        for section in wanting:
            section.add(exhibit)


def data_uri(picture: np.ndarray) -> str:
    """A small JPEG of a (H, W[, 3]) uint8 RGB or gray picture."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    if scale < 1:
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def polylines(curves: ToneCurves) -> dict[str, str]:
    """Points of each channel's curve at every third level of 256, "x,y x,y ...", with y downwards."""
    steps = np.linspace(0, curves.table.shape[1] - 1, 86).round().astype(int)
    levels = np.linspace(0, 255, len(steps))
    return {
        color: " ".join(f"{x:.0f},{255 * (1 - y):.1f}" for x, y in zip(levels, channel[steps], strict=True))
        for color, channel in zip(("#d33", "#292", "#35d"), curves.table, strict=True)
    }
