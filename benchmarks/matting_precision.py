"""How far an engine's mattes are from those of torch in float32, and whether the distance grows with time.

``python -m benchmarks.matting_precision CLIP --weights rvm_mobilenetv3.pth`` shows a clip to the same network twice, in
the fastest engine and precision that there are and in the reference, each with its own memory. An error that feeds on
itself would show in the later windows.
"""

from itertools import islice
from pathlib import Path

import numpy as np
from tyro.conf import Positional

from benchmarks.command_line import at_least, run
from video_harmonizer import weights as registry
from video_harmonizer.engine import make_engine
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.matting.rvm import RVMMatting, load_rvm
from video_harmonizer.sources import open_source


def main(
    clip: Positional[Path],
    weights: Path | None = None,
    downsample_ratio: float | None = None,
    frames: int = 1000,
    window: int = 100,
) -> None:
    """Print a Markdown table: mean and 99.9th percentile of |alpha - reference| for each window of frames.

    Args:
        weights: of a matting network; the bundled ones if none are given.
        downsample_ratio: as it suits the network if none is given.
    """
    at_least(1, frames=frames, window=window)
    path = weights or registry.path("bundled")
    engine, reference = make_engine("auto", "cpu"), TorchEngine("cpu")
    mattings = [RVMMatting(load_rvm(path, str(path)), downsample_ratio, each) for each in (engine, reference)]
    source = open_source(str(clip))
    print(f"{path.name} in {engine.name}, {clip.name}\n")
    print("| frames | mean | 99.9th percentile |\n|---|---|---|")
    first, number = 1, 0
    counts = np.zeros(256, np.int64)  # how often each distance in levels occurred: all that mean and percentile need
    for number, frame in enumerate(islice(source, frames), 1):
        ours, theirs = (matting.matte(frame).alpha.astype(np.int16) for matting in mattings)
        counts += np.bincount(np.abs(ours - theirs).ravel(), minlength=256)
        if number % window == 0:
            print(_row(first, number, counts), flush=True)
            first, counts = number + 1, np.zeros_like(counts)
    if counts.any():
        print(_row(first, number, counts))
    source.close()


def _row(first: int, last: int, counts: np.ndarray) -> str:
    mean = (counts * np.arange(256)).sum() / counts.sum() / 255
    high = np.searchsorted(np.cumsum(counts), 0.999 * counts.sum()) / 255
    return f"| {first}-{last} | {mean:.5f} | {high:.4f} |"


if __name__ == "__main__":
    run(main)
