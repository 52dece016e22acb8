"""``python -m video_harmonizer bench``: measure, print the table and write what is asked for."""

import logging
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from video_harmonizer import assemble, checks, weights
from video_harmonizer.benchmark.bench import ROUNDS, Bench
from video_harmonizer.benchmark.clip import parse_sizes
from video_harmonizer.benchmark.machine import describe
from video_harmonizer.benchmark.meters import PeakMemory
from video_harmonizer.benchmark.plot import plot
from video_harmonizer.benchmark.results import Results
from video_harmonizer.benchmark.stand_in import save_stand_in
from video_harmonizer.errors import InputError
from video_harmonizer.evaluation.results import aligned
from video_harmonizer.frame import SourceInfo
from video_harmonizer.options import NETWORKS, BenchOptions, Options
from video_harmonizer.sinks.encoding import Encoding
from video_harmonizer.staging import staged

log = logging.getLogger(__name__)

RATIO = 0.25  # right for 1080p, and kept at other sizes, so that cost over size means something
STAND_IN = "a stand-in for missing weights"


def bench_command(options: BenchOptions) -> None:
    """Print the table, and write the files that are asked for. Raises InputError before the work for bad input."""
    sides = parse_sizes(options.sizes)
    _check(options)
    engine = assemble.choose_engine(options.engine, options.device, options.precision)
    with ExitStack() as cleanup:
        inputs = [Path(read) for read in (options.source, options.matting_weights) if read]
        as_json = staged(cleanup, "--json", options.json, ".json", inputs)
        as_png = staged(cleanup, "--plot", options.plot, ".png", inputs)
        folder = Path(cleanup.enter_context(TemporaryDirectory(prefix="video-harmonizer-")))
        parts, found = _pipeline(options, folder)
        bench = Bench(parts, engine, options.source, options.frames, options.preset, folder, PeakMemory())
        with tqdm(total=ROUNDS * len(sides), unit="round", dynamic_ncols=True, disable=None) as bar:
            sizes = [bench.measure(side, bar.update) for side in sides]
        settings: dict[str, Any] = {
            "clip": options.source or "own clip",
            "frames": options.frames,
            "rounds": ROUNDS,
            "matting": found,
            "downsample_ratio": parts.downsample_ratio,
            "harmonizer": parts.harmonizer,
            "engine": engine.name,
            "device": engine.device,
            "precision": engine.precision,
            "preset": options.preset,
            "memory": bench.memory.method,
        }
        results = Results(describe(engine.device), settings, sizes)
        if as_json is not None:
            as_json.publish_text(results.to_json())
        if as_png is not None:
            as_png.publish_bytes(plot(results))
        print("\n".join([aligned(results.table()), "", *results.notes()]))  # last: who reads it may have gone


def _check(options: BenchOptions) -> None:
    if options.frames < 2:
        raise InputError(f"--frames {options.frames}: want 2 or more; 60 suits most")
    if options.matting not in NETWORKS and options.matting.split(":")[0] != "chroma":
        raise InputError(
            f"--matting {options.matting}: bench makes clips of its own, for which there are no mattes; give"
            f" {', '.join(NETWORKS)} or chroma"
        )
    Encoding("libx264", None, options.preset, 64, 64, SourceInfo("clip", 64, 64, None), Fraction(1, 30))


def _pipeline(options: BenchOptions, folder: Path) -> tuple[Options, str]:
    """The options of the pipeline that is measured, and what finds the person, for people."""
    name, given, ratio = options.matting, options.matting_weights, options.downsample_ratio
    matting = found = name
    if name in NETWORKS:
        ratio = RATIO if ratio is None else ratio
        network = assemble.choose_network(name)
        if given is not None:
            found = given.name
        elif weights.available(network):
            matting, given, found = Options.matting, weights.path(network), network
        else:
            log.warning(
                "--matting %s: its weights are not here, and bench downloads nothing. A stand-in of the same layers"
                " is measured: its cost is right, whom it finds is not. For the real one first run: python -m"
                " video_harmonizer weights download %s",
                name,
                network,
            )
            matting, found = Options.matting, STAND_IN
            given = save_stand_in(folder / "stand_in.pth", network.removeprefix("rvm_"))
    parts = Options(
        matting=matting,
        matting_weights=given,
        downsample_ratio=ratio,
        harmonizer="s2crnet",
        engine=options.engine,
        device=options.device,
        precision=options.precision,
    )
    checks.check(parts)
    return parts, found
