"""What was measured of a whole dataset: averages over all, by subset and by foreground share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import fmean
from typing import Any

from video_harmonizer.evaluation.evaluate import Case
from video_harmonizer.evaluation.metrics import SHARES, Scores, share_class
from video_harmonizer.iharmony4 import SUBSETS

METRICS = tuple(field.name for field in fields(Scores))
Averages = dict[str, float | None]  # "n" and `METRICS`, which are None over no pictures at all


@dataclass(frozen=True)
class Group:
    """Averages over some of the pictures."""

    name: str
    result: Averages
    composite: Averages  # the composites as they came, untouched

    @classmethod
    def of(cls, name: str, cases: Sequence[Case]) -> "Group":
        return cls(name, average([case.result for case in cases]), average([case.composite for case in cases]))


@dataclass(frozen=True)
class Results:
    """Averages over groups of pictures."""

    overall: Group
    subsets: list[Group]  # those that have pictures
    shares: list[Group]  # by foreground share, all of `SHARES`

    @classmethod
    def of(cls, cases: Sequence[Case]) -> "Results":
        by_subset = {name: [case for case in cases if case.entry.subset == name] for name in SUBSETS}
        by_share = {name: [case for case in cases if share_class(case.share) == name] for name in SHARES}
        return cls(
            overall=Group.of("overall", cases),
            subsets=[Group.of(name, members) for name, members in by_subset.items() if members],
            shares=[Group.of(name, members) for name, members in by_share.items()],
        )

    def groups(self) -> list[tuple[str, Group]]:
        """Every group with the title that people read."""
        titled = [(group.name, group) for group in (self.overall, *self.subsets)]
        return titled + [(f"{group.name} % foreground", group) for group in self.shares]

    def to_json(self) -> dict[str, Any]:
        """``overall``, its ``composite``, each subset and ``ratios``, the last two with ``composite`` inside."""
        return {
            "overall": self.overall.result,
            "composite": self.overall.composite,
            **{group.name: group.result | {"composite": group.composite} for group in self.subsets},
            "ratios": {group.name: group.result | {"composite": group.composite} for group in self.shares},
        }


def average(scores: Sequence[Scores]) -> Averages:
    """Means of per-picture values, rounded to what can be told apart, with their number ``n``."""
    averages: Averages = {"n": len(scores)}
    for name in METRICS:
        values = [getattr(one, name) for one in scores]
        averages[name] = round(fmean(values), 4) if values else None
    return averages


def table(results: Mapping[str, Results]) -> list[list[str]]:
    """Rows of cells, the headings first: for each group a row of the composites and one of each harmonizer.

    Args:
        results: by the harmonizers' names, all of the same pictures.
    """
    rows = [["", "", "n", "PSNR", "MSE", "fMSE", "fPSNR", "SSIM"]]
    for titled in zip(*(one.groups() for one in results.values()), strict=True):
        title, first = titled[0]
        lines = {"composite": first.composite}
        lines |= {name: group.result for name, (_, group) in zip(results, titled, strict=True)}
        for name, averages in lines.items():
            if averages["n"]:
                decimals = {"n": 0, "psnr": 2, "mse": 2, "fmse": 1, "fpsnr": 2, "ssim": 4}
                cells = [f"{averages[key]:.{places}f}" for key, places in decimals.items()]
                rows.append([title if name == "composite" else "", name, *cells])
    return rows


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines of text: the first two columns to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, the headings first, as a Markdown table."""
    rule = ["---" if column < 2 else "--:" for column in range(len(rows[0]))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:]))
