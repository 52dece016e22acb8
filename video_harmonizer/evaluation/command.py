"""``python -m video_harmonizer evaluate``: measure a harmonizer on iHarmony4 and write down what was found."""

import json
import time
from contextlib import ExitStack
from typing import Any

from tqdm import tqdm

from video_harmonizer import assemble
from video_harmonizer.errors import InputError
from video_harmonizer.evaluation.evaluate import Case, evaluate, milliseconds
from video_harmonizer.evaluation.gallery import Gallery
from video_harmonizer.evaluation.metrics import MAX_PSNR
from video_harmonizer.evaluation.results import Results, aligned, table
from video_harmonizer.evaluation.sheet import page
from video_harmonizer.iharmony4 import list_entries
from video_harmonizer.options import EvaluateOptions
from video_harmonizer.staging import staged
from video_harmonizer.weights.cache import sha256_of

RESOLUTIONS = {"256": 256, "full": None}
CONVENTIONS = {
    "256": (
        "Scored at 256x256: pictures resized bicubically (antialiased), masks to the nearest pixel; "
        "harmonizers look at thumbnails of the pictures as they came."
    ),
    "full": "Full resolution, rendered from thumbnails.",
}
METRICS = (
    "8-bit levels, data range 255, means of per-image values; foreground is mask > 127, outside it the result is the "
    f"composite; an exact match counts as {MAX_PSNR:.0f} dB; SSIM with a Gaussian window of deviation 1.5."
)


def evaluate_command(options: EvaluateOptions) -> None:
    """Print the table, and write the files that are asked for. Raises InputError before the work for bad input."""
    with ExitStack() as cleanup:
        checkpoint = assemble.harmonizer_weights(options)
        entries = list_entries(options.dataset, options.split)
        inputs = [checkpoint] if checkpoint else []
        as_json = staged(cleanup, "--json", options.json, ".json", inputs)
        as_html = staged(cleanup, "--html", options.html, ".html", inputs)
        engine = assemble.choose_engine(options.engine, options.device, options.precision)
        estimator = assemble.make_estimator(options, engine)
        digest = sha256_of(checkpoint) if checkpoint else None  # now, as a training may replace the file meanwhile
        began = time.monotonic()
        cases: list[Case] = []
        gallery = Gallery() if as_html else None
        read = tqdm(entries, unit="image", dynamic_ncols=True, disable=None)
        for case, pictures in evaluate(read, estimator, RESOLUTIONS[options.resolution]):
            cases.append(case)
            if gallery is not None:
                gallery.show(case, pictures)
        if not cases:
            raise InputError(f"{options.dataset}: none of {len(entries)} composites could be used; see the warnings")
        results = Results.of(cases)
        facts: dict[str, Any] = {
            "dataset": str(options.dataset),
            "split": options.split,
            "resolution": options.resolution,
            "harmonizer": estimator.name,
            "side": estimator.side,  # of the thumbnails
            "weights": checkpoint.name if checkpoint else None,
            "weights_sha256": digest,
            "device": engine.device,
            "engine": engine.name,
            "precision": engine.precision,
            "seconds": round(time.monotonic() - began, 1),
            "estimator_ms": round(milliseconds(estimator), 2),
            "skipped": len(entries) - len(cases),  # pictures that could not be used, each named in a warning
            "without_curves": sum(not case.answered for case in cases),  # scored as the composite that they are
        }
        rows, notes = table({estimator.name: results}), _notes(facts)
        if as_json is not None:
            as_json.publish_text(json.dumps(results.to_json() | facts, indent=2) + "\n")
        if as_html is not None and gallery is not None:
            title = f"{estimator.name} on the {options.split} split of {options.dataset.resolve().name}"
            as_html.publish_text(page(title, rows, notes, gallery))
        print("\n".join([aligned(rows), "", *notes]))  # last: who reads it may have gone


def _notes(facts: dict[str, Any]) -> list[str]:
    """What one must know to read the table."""
    of = f" ({facts['weights']}, sha256 {facts['weights_sha256'][:12]})" if facts["weights"] else ""
    return [
        f"{facts['harmonizer']}{of}, {facts['split']} split. {CONVENTIONS[facts['resolution']]}",
        METRICS,
        f"{facts['seconds']:.0f} s, {facts['estimator_ms']:.1f} ms an estimate for a video on {facts['device']}; "
        f"{facts['skipped']} skipped, {facts['without_curves']} without curves.",
    ]
