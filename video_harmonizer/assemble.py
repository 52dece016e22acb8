"""From options to the parts of a pipeline: everything is chosen here, once."""

import logging
import math
from pathlib import Path

import torch

from video_harmonizer import weights
from video_harmonizer.background import Background
from video_harmonizer.engine import Engine, make_engine
from video_harmonizer.errors import InputError
from video_harmonizer.frame import SourceInfo
from video_harmonizer.harmonizers.estimator import NoHarmonizer, load_estimator
from video_harmonizer.matting import Matting
from video_harmonizer.options import Options
from video_harmonizer.pipeline import Pipeline
from video_harmonizer.rendering.renderer import CPURenderer
from video_harmonizer.rendering.views import size_of
from video_harmonizer.sinks import Sink
from video_harmonizer.sinks.image_files import IMAGE_SUFFIXES, PRINTF_NUMBER, ImageFileSink, ImageSequenceSink
from video_harmonizer.sinks.staging import check_output_file
from video_harmonizer.temporal.smoother import CurveSmoother
from video_harmonizer.temporal.steady import INTERVAL, Estimator, SteadyEstimator
from video_harmonizer.weights.load import read_state

log = logging.getLogger(__name__)

HARMONIZED_VIEWS = ("harmonized", "side-by-side")


def check(options: Options) -> None:
    """Raise InputError for numbers that make no sense and a report that can't be written, before anything is opened."""
    if not 0 <= options.strength <= 1:
        raise InputError(f"--strength {options.strength:g}: want 0 (as filmed) to 1 (all of the change)")
    if not (options.smoothing >= 0 and math.isfinite(options.smoothing)):
        raise InputError(f"--smoothing {options.smoothing:g}: want seconds, 0 or more; 0.5 suits most")
    if options.report is not None:
        if options.report.suffix.lower() != ".json":  # above all, not a video whose name slipped in here
            raise InputError(f"--report {options.report}: not a JSON file's name; give one that ends in .json")
        check_output_file(options.report)


def choose_device(name: str) -> torch.device:
    """``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; raises InputError for what is not there."""
    if name == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(kind)
    try:
        device = torch.device(name)
        torch.empty(0, device=device).cpu()  # back, too: torch knows devices that hold no data
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--device {name}: not usable here ({reason}); give auto, cpu, cuda or mps") from error
    return device


def choose_engine(name: str, device: str) -> Engine:
    """What runs the networks, and where; raises InputError for what is not there."""
    return make_engine(name, choose_device(device))


def make_matting(options: Options, engine: Engine) -> Matting:
    """The matting network: a given checkpoint, or published weights, downloaded when they are first needed."""
    from video_harmonizer.matting.rvm import RVMMatting, load_network
    from video_harmonizer.weights.command import download_weights

    if options.matting_weights is not None:
        path, name = options.matting_weights, str(options.matting_weights)
    else:
        name = options.matting
        if name == "auto":
            published = ("rvm_mobilenetv3", "rvm_resnet50")
            name = next((known for known in published if weights.available(known)), published[0])
        if not weights.available(name):
            log.info("%s: not downloaded yet", name)
            download_weights(name)
        path = weights.path(name)
    return RVMMatting(load_network(read_state(path), name), options.downsample_ratio, engine)


def make_estimator(options: Options, engine: Engine) -> Estimator:
    """The harmonizer, with the bundled weights or given ones; none where nothing of it would be seen."""
    if options.harmonizer == "none" or options.strength == 0 or options.view not in HARMONIZED_VIEWS:
        return NoHarmonizer()
    return load_estimator(options.harmonizer, options.harmonizer_weights or weights.path(options.harmonizer), engine)


def make_pipeline(
    options: Options, matting: Matting, background: Background, views: list[str], engine: Engine
) -> Pipeline:
    """All parts together."""
    return Pipeline(
        matting=matting,
        background=background,
        # who asks for less smoothing wants curves as quick as that
        estimator=SteadyEstimator(make_estimator(options, engine), min(INTERVAL, options.smoothing)),
        smoother=CurveSmoother(options.smoothing),
        renderer=CPURenderer(views),
        strength=options.strength,
    )


def open_file_sink(path: Path, info: SourceInfo, options: Options, inputs: list[Path]) -> Sink:
    """A picture, numbered pictures or a video, as the output's name says."""
    if path.is_dir() or PRINTF_NUMBER.search(path.name):
        return ImageSequenceSink(path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageFileSink(path, info, inputs)
    from video_harmonizer.sinks.video_file import VideoFileSink  # brings PyAV, which must not come before a window

    height, width = size_of(options.view, info.height, info.width)
    return VideoFileSink(
        path, width, height, info, options.codec, options.crf, options.preset, audio_from=info.file, inputs=inputs
    )
