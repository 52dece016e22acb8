"""How much a harmonizer changes photographs that are harmonious already: the less, the better.

``python -m benchmarks.harmonious DATA --harmonizer curvenet`` takes the validation photographs of a training folder
and their own masks, and prints the mean absolute change of the foreground in 8-bit levels.
"""

from pathlib import Path

import numpy as np
from tyro.conf import Positional

from benchmarks.command_line import at_least, run
from video_harmonizer import assemble
from video_harmonizer.errors import InputError
from video_harmonizer.evaluation.evaluate import answer_of
from video_harmonizer.iharmony4 import Sample
from video_harmonizer.options import Harmonizer, HarmonizerOptions
from video_harmonizer.tone import quantize
from video_harmonizer.training.photographs import Photographs


def main(
    data: Positional[Path],
    harmonizer: Harmonizer = "curvenet",
    harmonizer_weights: Path | None = None,
    count: int = 100,
) -> None:
    """Print mean, median and largest change over ``count`` photographs."""
    at_least(1, count=count)
    engine = assemble.choose_engine("auto", "auto")
    estimator = assemble.make_estimator(HarmonizerOptions(harmonizer, harmonizer_weights), engine)
    answer, photographs = answer_of(estimator), Photographs(data, "val")
    rows = [row for row in photographs.rows if row.mask]
    changes = []
    for row in rows[:: max(1, len(rows) // count)][:count]:
        rgb, mask = photographs.images[row.image], photographs.mask_of(row)
        sample = Sample(rgb, mask, rgb)
        curves = answer(sample, sample)
        if curves is not None:
            inside = rgb[mask > 127].astype(int)
            changed = np.stack([quantize(curves.table)[c][inside[:, c]] for c in range(3)], 1)
            changes.append(np.abs(changed - inside).mean())
    if not changes:
        raise InputError(f"{data}: {len(rows)} of its photographs in split 'val' have masks, and none shows enough")
    print(
        f"{estimator.name}: {len(changes)} photographs, change of the foreground in levels: "
        f"mean {np.mean(changes):.2f}, median {np.median(changes):.2f}, largest {np.max(changes):.2f}"
    )


if __name__ == "__main__":
    run(main)
