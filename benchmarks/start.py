"""How long a start takes until the first frame is composed.

``python -m benchmarks.start`` starts ``video`` on a 720p clip of its own a few times: for the first time, with an empty
cache; again, when the networks are compiled; and with torch, which needs no compiling. Options for ``video`` may follow
``--``, for instance ``-- --matting-weights rvm_mobilenetv3.pth --downsample-ratio 0.25``.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import tyro

from benchmarks.command_line import at_least, run
from video_harmonizer.benchmark.clip import make_clip
from video_harmonizer.errors import InputError
from video_harmonizer.evaluation.results import aligned

# in the process that is measured: its clock is that of the one that starts it
PROGRAM = """
import sys, time
from video_harmonizer.pipeline import Pipeline

compose = Pipeline.compose

def first(self, *given):
    views = compose(self, *given)
    if Pipeline.compose is not compose:
        Pipeline.compose = compose
        print("first", time.time(), "torch" in sys.modules, flush=True)
    return views

Pipeline.compose = first
from video_harmonizer.__main__ import main
sys.exit(main())
"""


def start(clip: Path, cache: Path, options: list[str]) -> tuple[float, bool]:
    """Seconds until the first frame, and whether torch was imported. Raises InputError on failure."""
    output = clip.with_name("start.mp4")
    command = [sys.executable, "-c", PROGRAM, "video", str(clip), "--background", "demo", "--output", str(output)]
    environment = os.environ | {"HARMONIZER_CACHE": str(cache)}
    began = time.time()
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("first ")), None)
    if done.returncode or line is None:
        raise InputError(f"the start failed, after which it said:\n{done.stderr}")
    _, moment, torch = line.split()
    return float(moment) - began, torch == "True"


def main(options: tyro.conf.Positional[tuple[str, ...]] = (), runs: int = 5) -> None:
    """Print the medians, measured in turn."""
    at_least(1, runs=runs)
    rows = [["start", "seconds to the first frame", "torch imported"]]
    with TemporaryDirectory() as folder:
        clip, cache = make_clip(Path(folder) / "720p.mp4", 720, 30), Path(folder) / "cache"
        seconds, torch = start(clip, cache, ["--engine", "openvino", *options])
        rows.append(["OpenVINO, first time", f"{seconds:.2f}", str(torch)])
        ways = {"OpenVINO, networks compiled": "openvino", "torch": "torch"}
        found: dict[str, list[tuple[float, bool]]] = {way: [] for way in ways}
        for _ in range(runs):
            for way, engine in ways.items():
                found[way].append(start(clip, cache, ["--engine", engine, *options]))
    for way, starts in found.items():
        rows.append([way, f"{statistics.median(seconds for seconds, _ in starts):.2f}", str(starts[0][1])])
    print(aligned(rows))


if __name__ == "__main__":
    run(main)
