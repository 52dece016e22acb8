"""Time, arithmetic, memory and PSNR of each harmonizer against resolution, as in figure 5 of the S2CRNet paper.

python -m benchmarks.resolution_sweep DATASET OUT --duconet-weights FILE

DATASET has iHarmony4's layout; its largest pictures are taken, resized to each size. Each harmonizer is asked with
thumbnails and rendered at full size, as the program works; where it can be run on full size, that is measured too.
OUT/sweep.json and OUT/sweep.png hold what was found. Every measurement has a process of its own, so that memory is
its own, and so that one that takes too much does not take the others with it.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage.metrics import mean_squared_error
from tqdm import tqdm
from tyro.conf import Positional

from benchmarks.command_line import run
from video_harmonizer import assemble, checks
from video_harmonizer.benchmark.machine import describe
from video_harmonizer.benchmark.meters import PeakMemory
from video_harmonizer.engine import Engine
from video_harmonizer.errors import InputError
from video_harmonizer.evaluation.compare_command import choose
from video_harmonizer.evaluation.compare_costs import arithmetic
from video_harmonizer.evaluation.evaluate import LEVELS, answer_of
from video_harmonizer.evaluation.metrics import psnr
from video_harmonizer.frame import Frame, Matte, ToneCurves
from video_harmonizer.harmonizers.duconet import MULTIPLE
from video_harmonizer.harmonizers.duconet_estimator import DucoNetEstimator, load_duconet
from video_harmonizer.harmonizers.estimator import CurveEstimator, load_estimator
from video_harmonizer.harmonizers.reinhard import reinhard
from video_harmonizer.iharmony4 import Entry, Sample, list_entries, read_sample, resize
from video_harmonizer.options import CompareOptions, HarmonizerOptions, Side
from video_harmonizer.rendering.renderer import CPURenderer
from video_harmonizer.temporal.steady import Estimator

log = logging.getLogger(__name__)

SIZES = (256, 512, 1024, 2048)
ON_FULL_SIZE = ("reinhard", "s2crnet", "duconet")  # curvenet makes its pictures small itself
COLORS = {"reinhard": "tab:gray", "s2crnet": "tab:blue", "curvenet": "tab:green", "duconet": "tab:red"}
PANELS = {
    "milliseconds": "milliseconds a picture",
    "gmacs": "10⁹ multiply-accumulates of one pass",
    "memory_mib": "memory, MiB",
    "psnr": "PSNR, dB",
}
Harmonize = Callable[[Sample], np.ndarray]  # -> (H, W, 3) uint8, of which the foreground counts


def measure(chosen: HarmonizerOptions, device: str, entries: list[Entry], size: int, full: bool) -> dict[str, Any]:
    """One harmonizer at one size: medians and means over the entries.

    Args:
        full: run it on the full size, instead of asking with thumbnails.
    """
    samples = [resize(read_sample(entry), size) for entry in entries]
    engine = assemble.choose_engine("auto", device)
    meter = Memory(engine.device)
    estimator, harmonize = made(chosen, engine, size, full)
    meter.start()
    harmonize(samples[0])  # what is compiled or set up at the first call is not counted
    times, scores = [], []
    for sample in samples:
        began = time.perf_counter()
        picture = harmonize(sample)
        times.append(time.perf_counter() - began)
        result = np.where(sample.mask[..., None] > 127, picture, sample.composite)
        scores.append(psnr(float(mean_squared_error(result, sample.real))))
    memory = meter.mib()  # now: counting takes the network to torch
    gmacs = None
    if isinstance(estimator, CurveEstimator | DucoNetEstimator):
        gmacs = round(arithmetic(estimator.step, estimator.side)[1] / 1e9, 3)
    return {
        "milliseconds": round(1e3 * median(times), 2),
        "gmacs": gmacs,
        "memory_mib": memory,
        "psnr": round(fmean(scores), 3),
        "composite_psnr": round(fmean(psnr(float(mean_squared_error(one.composite, one.real))) for one in samples), 3),
    }


def prepare(chosen: HarmonizerOptions, device: str, size: int, full: bool) -> dict[str, Any]:
    """Compile the network, which is kept on disk: it takes memory that would be taken for that of the work."""
    made(chosen, assemble.choose_engine("auto", device), size, full)
    return {}


def made(chosen: HarmonizerOptions, engine: Engine, size: int, full: bool) -> tuple[Estimator, Harmonize]:
    """The estimator, and what it makes of a composite."""
    checkpoint = checks.harmonizer_weights(chosen)
    if full and chosen.harmonizer == "reinhard":
        return assemble.make_estimator(chosen, engine), lambda sample: reinhard(sample.composite, sample.mask)
    if full and chosen.harmonizer == "duconet":
        assert checkpoint is not None
        network = load_duconet(checkpoint, engine, size)

        def own_answer(sample: Sample) -> np.ndarray:
            # copies, as Pillow's arrays are read-only, which torch warns of
            answer = network.harmonize(sample.composite.copy(), sample.mask.copy())
            return np.rint(255 * answer).astype(np.uint8)

        return network, own_answer
    if full:
        assert checkpoint is not None
        estimator: Estimator = load_estimator(chosen.harmonizer, checkpoint, engine, size)
    else:
        estimator = assemble.make_estimator(chosen, engine)
    answer, renderer = answer_of(estimator), CPURenderer(["harmonized"])

    def harmonize(sample: Sample) -> np.ndarray:
        curves = answer(sample, sample) or ToneCurves.identity(LEVELS)
        frame = Frame(sample.composite, index=0, seconds=0.0)
        return renderer.render(frame, Matte(sample.mask), sample.composite, curves).images["harmonized"]

    return estimator, harmonize


class Memory:
    """What is held more than when this was made, at most since `start`: the harmonizer with all that it works on."""

    def __init__(self, device: str) -> None:
        self._cuda = device if device.startswith("cuda") else None
        self._meter = PeakMemory()
        self._meter.start()
        self._before = self._peak()

    def start(self) -> None:
        """Forget what was held while the network was loaded and compiled."""
        self._meter.start()
        if self._cuda:
            torch.cuda.reset_peak_memory_stats(self._cuda)

    def mib(self) -> float | None:
        """MiB on the device; None where nobody knows."""
        peak = self._peak()
        return None if peak is None or self._before is None else round(peak - self._before, 1)

    def _peak(self) -> float | None:
        return torch.cuda.max_memory_allocated(self._cuda) / 2**20 if self._cuda else self._meter.mib()


def alone(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Do the work in a process of its own; ``error`` where it fails, as it may for want of memory."""
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(work, *arguments).result()
    except (BrokenProcessPool, MemoryError, RuntimeError) as error:
        return {"error": (str(error).splitlines() or [type(error).__name__])[0]}


def largest(entries: list[Entry], count: int) -> tuple[list[Entry], int]:
    """The entries with the largest pictures, and the shorter side of the smallest of those."""
    sides = {}
    for entry in entries:
        try:
            with Image.open(entry.composite) as picture:
                sides[entry] = min(picture.size)
        except OSError as error:
            raise InputError(f"{entry.composite}: not a picture that can be read; copy it again") from error
    taken = sorted(entries, key=lambda entry: -sides[entry])[:count]
    return taken, sides[taken[-1]]


def save_plot(points: Iterable[dict[str, Any]], path: Path) -> None:
    """A panel for each of `PANELS` over the size; dashed where a harmonizer ran on full size."""
    from matplotlib.figure import Figure  # here, since the measuring processes need none

    measured = [point for point in points if "error" not in point]
    sizes = sorted({point["size"] for point in measured})
    figure = Figure(figsize=(11, 8), dpi=120, layout="constrained")
    for axes, (key, title) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        for name, full in dict.fromkeys((point["harmonizer"], point["full"]) for point in measured):
            line = [point for point in measured if (point["harmonizer"], point["full"]) == (name, full)]
            line = [point for point in line if point[key] is not None]
            if line:
                label = f"{name}, {'on full size' if full else 'on thumbnails'}"
                xs, ys = zip(*((point["size"], point[key]) for point in line), strict=True)
                axes.plot(xs, ys, "o--" if full else "o-", color=COLORS[name], label=label)
        if key == "psnr":
            composites = {point["size"]: point["composite_psnr"] for point in measured}
            axes.plot(sizes, [composites[size] for size in sizes], "k:", label="composite")
        else:
            axes.set_yscale("log")
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set_xlabel("side of the picture, pixels")
        axes.set_title(title, fontsize="medium")
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)  # of PSNR, which has all
    figure.savefig(path, format="png")


def sweep(
    dataset: Positional[Path],
    out: Positional[Path],
    sizes: tuple[int, ...] = SIZES,
    harmonizers: str | None = None,
    duconet_weights: Path | None = None,
    duconet_side: Side | None = None,
    count: int = 4,
    device: str = "auto",
) -> None:
    """Measure COUNT composites of DATASET at each of the sizes and write OUT/sweep.json and OUT/sweep.png."""
    if not sizes or any(size < 32 or size % MULTIPLE for size in sizes) or count < 1:
        raise InputError(f"--sizes {sizes}, --count {count}: want multiples of {MULTIPLE} from 32, and 1 or more")
    if not out.is_dir():
        raise InputError(f"{out}: no such folder; create it, or give another")
    described = describe(assemble.choose_device(device))
    chosen = choose(
        CompareOptions(
            dataset=dataset, harmonizers=harmonizers, duconet_weights=duconet_weights, duconet_side=duconet_side
        )
    )
    entries, side = largest(list_entries(dataset, "test"), count)
    if side < max(sizes):
        log.warning("%s: pictures of %d pixels are enlarged: PSNR beyond says little", dataset, side)
    kinds = [(name, full) for name in chosen for full in (False, True) if not full or name in ON_FULL_SIZE]
    points: list[dict[str, Any]] = []
    for size, (name, full) in tqdm([(size, kind) for size in sizes for kind in kinds], unit="point", disable=None):
        alone(prepare, chosen[name], device, size, full)
        found = alone(measure, chosen[name], device, entries, size, full)
        if "error" in found:
            log.warning("%s%s at %d: %s", name, " on full size" if full else "", size, found["error"])
        points.append({"harmonizer": name, "full": full, "size": size, **found})
        facts = {"machine": described, "device": device, "pictures": len(entries), "points": points}
        (out / "sweep.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")  # now, as it takes long
    save_plot(points, out / "sweep.png")


if __name__ == "__main__":
    run(sweep)
