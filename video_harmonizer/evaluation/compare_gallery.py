"""Composites with the results of all harmonizers beside each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from video_harmonizer.evaluation.evaluate import Case, Pictures
from video_harmonizer.evaluation.gallery import Exhibit, Section, data_uri, keep
from video_harmonizer.iharmony4 import Entry

CEILING = "closest curves"  # the best that curves can do, for which one has to know the target


@dataclass(frozen=True)
class Comparison:
    """What all harmonizers made of one entry."""

    cases: Mapping[str, Case]  # by the harmonizers' names

    @property
    def entry(self) -> Entry:
        return self._first.entry

    @property
    def share(self) -> float:
        return self._first.share

    @property
    def best(self) -> float:
        """The lowest fMSE of a harmonizer."""
        return min(self._fmse, default=0.0)

    @property
    def spread(self) -> float:
        """From the lowest to the highest fMSE of a harmonizer."""
        return max(self._fmse, default=0.0) - self.best

    @property
    def chance(self) -> float:
        """A number that has nothing to do with the pictures."""
        return crc32(f"{self.entry.subset}/{self.entry.name}".encode())

    @property
    def _first(self) -> Case:
        return next(iter(self.cases.values()))

    @property
    def _fmse(self) -> list[float]:
        return [case.result.fmse for name, case in self.cases.items() if name != CEILING]


class ComparisonGallery:
    """Sections that show where harmonizers differ, where they fail, and what is usual."""

    def __init__(self) -> None:
        self.sections = [
            Section[Comparison]("Taken by chance", lambda comparison: comparison.chance),
            Section[Comparison]("Where harmonizers differ most", lambda comparison: comparison.spread),
            Section[Comparison]("Where the best of them leaves most fMSE", lambda comparison: comparison.best),
        ]

    def show(self, comparison: Comparison, pictures: Sequence[Pictures]) -> None:
        """Keep small copies of the pictures, which are in the order of the cases, if a section wants them."""
        keep(self.sections, comparison, lambda: _exhibit(comparison, pictures))


def _exhibit(comparison: Comparison, pictures: Sequence[Pictures]) -> Exhibit[Comparison]:
    sample = pictures[0].sample
    before = next(iter(comparison.cases.values())).composite
    shown = {"mask": sample.mask, f"composite: fMSE {before.fmse:.0f}": sample.composite}
    for (name, case), of_case in zip(comparison.cases.items(), pictures, strict=True):
        shown[f"{name}: {case.result.fmse:.0f}{'' if case.answered else ', no answer'}"] = of_case.result
    shown["target"] = sample.real
    note = f"PSNR of the composite {before.psnr:.2f} dB"
    return Exhibit(comparison, note, {caption: data_uri(picture) for caption, picture in shown.items()}, {})
