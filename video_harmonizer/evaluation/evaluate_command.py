"""``python -m video_harmonizer evaluate``: measure a harmonizer on iHarmony4 and write down what was found."""

from contextlib import ExitStack
from typing import Any

from video_harmonizer import assemble, checks
from video_harmonizer.evaluation.evaluate import answer_of, milliseconds
from video_harmonizer.evaluation.gallery import Gallery
from video_harmonizer.evaluation.measure import CONVENTIONS, METRICS_NOTE, Outputs, measure
from video_harmonizer.evaluation.results import Results, table
from video_harmonizer.iharmony4 import list_entries
from video_harmonizer.options import EvaluateOptions
from video_harmonizer.weights.cache import sha256_of


def evaluate_command(options: EvaluateOptions) -> None:
    """Print the table, and write the files that are asked for. Raises InputError before the work for bad input."""
    with ExitStack() as cleanup:
        checkpoint = checks.harmonizer_weights(options)
        entries = list_entries(options.dataset, options.split)
        outputs = Outputs(cleanup, options, [checkpoint] if checkpoint else [])
        engine = assemble.choose_engine(options.engine, options.device, options.precision)
        estimator = assemble.make_estimator(options, engine)
        digest = sha256_of(checkpoint) if checkpoint else None  # now, as a training may replace the file meanwhile
        gallery = Gallery()
        answers = {estimator.name: answer_of(estimator)}
        measured, about = measure(options, entries, engine, answers, lambda outcome: gallery.show(*outcome[0]))
        cases = measured[estimator.name]
        results = Results.of(cases)
        facts: dict[str, Any] = about | {
            "harmonizer": estimator.name,
            "side": estimator.side,  # of the thumbnails
            "weights": checkpoint.name if checkpoint else None,
            "weights_sha256": digest,
            "estimator_ms": round(milliseconds(estimator), 2),
            "without_curves": sum(not case.answered for case in cases),  # scored as the composite that they are
        }
        title = f"{estimator.name} on the {options.split} split of {options.dataset.resolve().name}"
        rows = table({estimator.name: results})
        outputs.publish(title, results.to_json() | facts, rows, _notes(facts), gallery)


def _notes(facts: dict[str, Any]) -> list[str]:
    """What one must know to read the table."""
    of = f" ({facts['weights']}, sha256 {facts['weights_sha256'][:12]})" if facts["weights"] else ""
    return [
        f"{facts['harmonizer']}{of}, {facts['split']} split. {CONVENTIONS[facts['resolution']]}",
        METRICS_NOTE,
        f"{facts['seconds']:.0f} s, {facts['estimator_ms']:.1f} ms an estimate for a video on {facts['device']}; "
        f"{facts['skipped']} skipped, {facts['without_curves']} without curves.",
    ]
