"""What the commands that measure on a dataset share: going through its composites, and the files that they write."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tqdm import tqdm

from video_harmonizer.engine import Engine
from video_harmonizer.errors import InputError
from video_harmonizer.evaluation.compare_gallery import ComparisonGallery
from video_harmonizer.evaluation.evaluate import Answer, Case, Pictures, evaluate
from video_harmonizer.evaluation.gallery import Gallery
from video_harmonizer.evaluation.metrics import MAX_PSNR
from video_harmonizer.evaluation.results import aligned, markdown
from video_harmonizer.evaluation.sheet import page
from video_harmonizer.iharmony4 import Entry
from video_harmonizer.options import DatasetOptions
from video_harmonizer.staging import staged

RESOLUTIONS = {"256": 256, "full": None}
CONVENTIONS = {
    "256": (
        "Scored at 256x256: pictures resized bicubically (antialiased), masks to the nearest pixel; "
        "harmonizers look at thumbnails of the pictures as they came."
    ),
    "full": "Full resolution, rendered from thumbnails.",
}
METRICS_NOTE = (
    "8-bit levels, data range 255, means of per-image values; foreground is mask > 127, outside it the result is the "
    f"composite; an exact match counts as {MAX_PSNR:.0f} dB; SSIM with a Gaussian window of deviation 1.5."
)


class Outputs:
    """The table, and the files that were asked for: refused before the work, and written after it or not at all."""

    def __init__(self, cleanup: ExitStack, options: DatasetOptions, inputs: Iterable[Path]) -> None:
        """`inputs`: files that are read, and so are not to be overwritten. Raises InputError."""
        inputs = list(inputs)
        self._json = staged(cleanup, "--json", options.json, ".json", inputs)
        self._markdown = staged(cleanup, "--markdown", options.markdown, ".md", inputs)
        self._html = staged(cleanup, "--html", options.html, ".html", inputs)

    def publish(
        self,
        title: str,
        facts: Mapping[str, Any],
        rows: Sequence[Sequence[str]],
        notes: Sequence[str],
        gallery: Gallery | ComparisonGallery,
    ) -> None:
        """Write them, and print the table with its notes."""
        if self._json is not None:
            self._json.publish_text(json.dumps(facts, indent=2) + "\n")
        if self._markdown is not None:
            self._markdown.publish_text("\n".join([markdown(rows), "", *(f"- {note}" for note in notes)]) + "\n")
        if self._html is not None:
            self._html.publish_text(page(title, rows, notes, gallery))
        print("\n".join([aligned(rows), "", *notes]))  # last: who reads it may have gone


def measure(
    options: DatasetOptions,
    entries: Sequence[Entry],
    engine: Engine,
    answers: Mapping[str, Answer],
    show: Callable[[list[tuple[Case, Pictures]]], None],
) -> tuple[dict[str, list[Case]], dict[str, Any]]:
    """Score several answers to every composite.

    Args:
        entries: of the dataset.
        show: gets what became of each composite, a case and its pictures for each answer, where a page is asked for.

    Returns:
        The cases of each answer, and what is to be said of all.

    Raises:
        InputError: none of them could be used.
    """
    began = time.monotonic()
    cases: dict[str, list[Case]] = {name: [] for name in answers}
    read = tqdm(entries, unit="image", dynamic_ncols=True, disable=None)
    used = 0
    for outcome in evaluate(read, list(answers.values()), RESOLUTIONS[options.resolution]):
        for members, (case, _) in zip(cases.values(), outcome, strict=True):
            members.append(case)
        if options.html is not None:
            show(outcome)
        used += 1
    if not used:
        raise InputError(f"{options.dataset}: none of {len(entries)} composites could be used; see the warnings")
    return cases, {
        "dataset": str(options.dataset),
        "split": options.split,
        "resolution": options.resolution,
        "device": engine.device,
        "engine": engine.name,
        "precision": engine.precision,
        "seconds": round(time.monotonic() - began, 1),
        "skipped": len(entries) - used,  # pictures that could not be used, each named in a warning
    }
