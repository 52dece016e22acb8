"""``python -m video_harmonizer compare``: all harmonizers on the same composites, in one table."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import numpy as np

from video_harmonizer import assemble, checks, weights
from video_harmonizer.errors import InputError
from video_harmonizer.evaluation.compare_costs import Cost, cost_of
from video_harmonizer.evaluation.compare_gallery import CEILING, Comparison, ComparisonGallery
from video_harmonizer.evaluation.compare_published import PUBLISHED
from video_harmonizer.evaluation.evaluate import LEVELS, Answer, Case, Pictures, answer_of
from video_harmonizer.evaluation.measure import CONVENTIONS, METRICS_NOTE, Outputs, measure
from video_harmonizer.evaluation.results import Results, table
from video_harmonizer.frame import ToneCurves
from video_harmonizer.harmonizers.fit import fit_curves
from video_harmonizer.iharmony4 import Sample, list_entries
from video_harmonizer.options import CompareOptions, Harmonizer, HarmonizerOptions
from video_harmonizer.weights.cache import sha256_of
from video_harmonizer.weights.registry import REGISTRY

NAMES: tuple[Harmonizer, ...] = ("reinhard", "s2crnet", "curvenet", "duconet")  # as the rows go
COST_NOTE = (
    "params: millions of parameters; GMACs: 10^9 multiply-accumulates of convolutions and matrix products in one "
    "estimate; ms: median time of one for a video, thumbnails to curves; {device} with {engine} in {precision}."
)
CEILING_NOTE = (
    f"{CEILING}: fitted to the target itself, the closest of all rising curves (isotonic regression a channel): what "
    "is left is out of reach for any harmonizer that answers with curves."
)
DUCONET_NOTE = "duconet: of what the network makes of a {side}x{side} thumbnail, as much as curves can carry over."
PUBLISHED_NOTE = (
    "published: not measured here, but reported by the authors for all of iHarmony4's test split at 256x256, some with "
    "the picture's own maximum in PSNR; to be set beside the first rows only where those are of the same pictures."
)


def compare_command(options: CompareOptions) -> None:
    """Print the table, and write the files that are asked for. Raises InputError before the work for bad input."""
    with ExitStack() as cleanup:
        chosen = choose(options)
        found = {name: checks.harmonizer_weights(each) for name, each in chosen.items()}
        checkpoints = {name: path for name, path in found.items() if path}
        entries = list_entries(options.dataset, options.split)
        outputs = Outputs(cleanup, options, checkpoints.values())
        engine = assemble.choose_engine(options.engine, options.device, options.precision)
        estimators = {name: assemble.make_estimator(each, engine) for name, each in chosen.items()}
        digests = {name: sha256_of(path) for name, path in checkpoints.items()}  # now, as a training may go on
        answers: dict[str, Answer] = {name: answer_of(one) for name, one in estimators.items()}
        answers[CEILING] = lambda _, scored: closest_curves(scored)
        gallery = ComparisonGallery()

        def show(outcome: list[tuple[Case, Pictures]]) -> None:
            of_entry = {name: case for name, (case, _) in zip(answers, outcome, strict=True)}
            gallery.show(Comparison(of_entry), [pictures for _, pictures in outcome])

        cases, about = measure(options, entries, engine, answers, show)
        results = {name: Results.of(members) for name, members in cases.items()}
        costs = {name: cost_of(one) for name, one in estimators.items()}
        facts: dict[str, Any] = about | {
            "harmonizers": {
                name: results[name].to_json()
                | (asdict(costs[name]) | {"side": estimators[name].side} if name in costs else {})
                | {"weights_sha256": digests.get(name)}
                | {"without_curves": sum(not case.answered for case in members)}  # scored as the composite
                for name, members in cases.items()
            },
            "published": [asdict(each) for each in PUBLISHED],
        }
        title = f"Harmonizers on the {options.split} split of {options.dataset.resolve().name}"
        outputs.publish(title, facts, whole_table(results, costs), _notes(facts), gallery)


def choose(options: CompareOptions) -> dict[str, HarmonizerOptions]:
    """What each harmonizer is made of, in the order of the rows.

    Raises:
        InputError: an unknown name, or DucoNet without weights, or weights and side without DucoNet.
    """
    given = options.duconet_weights is not None
    if options.harmonizers is None:
        known = [name for name in NAMES if name in REGISTRY and weights.available(name)]
        names = {"reinhard", *known, *(["duconet"] if given else [])}
    else:
        # without none: the composites stand in the table anyway
        names = {name.strip() for name in options.harmonizers.split(",")} - {"none"}
    for name in sorted(names - set(NAMES)):
        raise InputError(f"--harmonizers {options.harmonizers}: {name!r} is none; give some of {','.join(NAMES)}")
    if "duconet" in names and not given and "duconet" not in REGISTRY:
        raise InputError(
            "--harmonizers: duconet's weights are neither bundled nor known for download; give --duconet-weights FILE, "
            "the authors' checkpoint or one that was trained here"
        )
    of_duconet = {"--duconet-weights": options.duconet_weights, "--duconet-side": options.duconet_side}
    for option, value in of_duconet.items():
        if value is not None and "duconet" not in names:
            raise InputError(f"{option} {value}: duconet is not among the harmonizers; name it, or leave this out")
    chosen: dict[str, HarmonizerOptions] = {name: HarmonizerOptions(name) for name in NAMES if name in names}
    if "duconet" in chosen:
        chosen["duconet"] = HarmonizerOptions("duconet", options.duconet_weights, options.duconet_side)
    return chosen


def closest_curves(sample: Sample) -> ToneCurves:
    """The rising curves that bring the foreground closest to its target: no curves leave less fMSE on a hard mask."""
    inside = sample.mask > 127
    return fit_curves(sample.composite[inside], sample.real[inside] / np.float32(255), LEVELS, stiffness=0)


def whole_table(results: Mapping[str, Results], costs: Mapping[str, Cost]) -> list[list[str]]:
    """Rows of cells, the headings first: every group's averages, costs in the first group, published figures last."""
    headings, *measured = table(results)
    rows = [[*headings, "params", "GMACs", "ms"]]
    for number, row in enumerate(measured):
        cost = costs.get(row[1]) if number <= len(results) else None
        rows.append([*row, *(_cells(cost) if cost else [""] * 3)])
    for each in PUBLISHED:
        figures = ((each.psnr, 2), (each.mse, 2), (each.fmse, 0))
        cells = ["–" if value is None else f"{value:.{places}f}" for value, places in figures]
        rows.append(["published", each.name, "", *cells, *[""] * 5])
    return rows


def _cells(cost: Cost) -> list[str]:
    if not cost.parameters:
        return ["–", "–", f"{cost.milliseconds:.1f}"]
    return [f"{cost.parameters / 1e6:.2f}", f"{cost.macs / 1e9:.2f}", f"{cost.milliseconds:.1f}"]


def _notes(facts: Mapping[str, Any]) -> list[str]:
    """What one must know to read the table."""
    harmonizers = facts["harmonizers"]
    shas = [f"{name} {each['weights_sha256'][:12]}" for name, each in harmonizers.items() if each["weights_sha256"]]
    silent = [f"{name} {each['without_curves']}" for name, each in harmonizers.items() if each["without_curves"]]
    notes = [
        f"Measured on the {facts['split']} split. {CONVENTIONS[facts['resolution']]} {facts['skipped']} skipped"
        + (f"; without an answer, scored as the composite: {', '.join(silent)}." if silent else "."),
        METRICS_NOTE,
        COST_NOTE.format(**facts) + (f" Weights by SHA-256: {', '.join(shas)}." if shas else ""),
        CEILING_NOTE,
        PUBLISHED_NOTE,
    ]
    if "duconet" in harmonizers:
        notes.insert(4, DUCONET_NOTE.format(**harmonizers["duconet"]))
    return notes
