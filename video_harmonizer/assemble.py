"""From options to the parts of a pipeline: everything is chosen here, once."""

import ctypes
import logging
import platform
from contextlib import ExitStack
from pathlib import Path
from textwrap import shorten

from video_harmonizer import weights
from video_harmonizer.background import Background, Original, open_background
from video_harmonizer.checks import harmonizer_weights, has_network, takes_pictures
from video_harmonizer.engine import Engine, make_engine
from video_harmonizer.errors import InputError
from video_harmonizer.frame import SourceInfo
from video_harmonizer.harmonizers.estimator import NoHarmonizer, load_estimator
from video_harmonizer.matting import Matting
from video_harmonizer.matting.chroma import ChromaKey
from video_harmonizer.matting.clip import MatteClip, tell_of_another_length
from video_harmonizer.numbered import PRINTF_NUMBER
from video_harmonizer.options import NETWORKS, HarmonizerOptions, ImageOptions, LiveOptions, Options, VideoOptions
from video_harmonizer.pipeline import Pipeline
from video_harmonizer.rendering.renderer import CPURenderer
from video_harmonizer.rendering.views import size_of
from video_harmonizer.sinks import Sink
from video_harmonizer.sinks.image_files import ImageFileSink, ImageSequenceSink
from video_harmonizer.sources import open_source
from video_harmonizer.temporal.smoother import CurveSmoother
from video_harmonizer.temporal.steady import INTERVAL, Estimator, SteadyEstimator
from video_harmonizer.view import SCENIC

log = logging.getLogger(__name__)

HARMONIZED_VIEWS = ("harmonized", "side-by-side")


def make_background(options: ImageOptions | VideoOptions | LiveOptions, live: bool = False) -> Background:
    """What goes behind the person; the frame itself, which is a ready composite, or of which nothing will be seen.

    Args:
        live: as `background.open_background` has it.
    """
    masked = isinstance(options, ImageOptions) and options.mask is not None
    if masked or options.background is None or options.view not in SCENIC:
        return Original()
    return open_background(options.background, live)


def remedy_for_nobody(options: Options) -> str:
    """What to do where this matting found no person."""
    if has_network(options):
        return "another --matting, or a larger --downsample-ratio for small people, may see more"
    if options.matting.split(":")[0] == "chroma":
        return "all is taken for the screen; give its colour, as in chroma:#00b140"
    return "masks and mattes are white (255) where the person is"


def choose_device(name: str) -> str:
    """``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; raises InputError for what is not there."""
    if name == "cpu" or (name == "auto" and not _may_have_accelerator()):
        return "cpu"
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device).cpu()  # back, too: torch knows devices that hold no data
    except (RuntimeError, AssertionError) as error:
        reason = shorten(str(error).split(". ")[0], 120)
        raise InputError(f"--device {name}: not usable here ({reason}); give auto, cpu, cuda or mps") from error
    return "cpu" if device.type == "cpu" else str(device)  # of processors there is one, cpu:0


def _may_have_accelerator() -> bool:
    """False where torch would find none for certain: to ask it costs more than all else that a start does."""
    library = {"Linux": "libcuda.so.1", "Windows": "nvcuda.dll"}.get(platform.system())
    if library is None or Path("/dev/kfd").exists():  # AMD's
        return True
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def choose_engine(name: str, device: str, precision: str = "auto") -> Engine:
    """What runs the networks, where and how exactly; raises InputError for what is not there."""
    return make_engine(name, choose_device(device), precision)


def choose_network(name: str) -> str:
    """The weights that a ``--matting`` names: for auto the published ones if they were downloaded, else the bundled."""
    if name != "auto":
        return name
    for known in ("rvm_mobilenetv3", "rvm_resnet50"):
        state = weights.state(known)
        if state == "downloaded":
            return known
        if state != "not downloaded":
            again = f"python -m video_harmonizer weights download {known}"
            log.warning("%s: %s, so it is not taken; run `%s`", known, state, again)
    return "bundled"


def make_matting(options: Options, engine: Engine, source: SourceInfo, cleanup: ExitStack) -> Matting:
    """What finds the person: a key, a matte's file, a given checkpoint, bundled weights, or published ones, which are
    downloaded when they are asked for.

    Args:
        source: of the frames to come.
        cleanup: closes what is opened for it.
    """
    if options.matting.split(":")[0] == "chroma":
        return ChromaKey.parse(options.matting)
    if options.matting not in NETWORKS:
        return _open_matte_clip(options.matting, source, cleanup)
    from video_harmonizer.matting.rvm import RVMMatting, load_rvm
    from video_harmonizer.weights.command import download_weights

    name = options.matting
    if options.matting_weights is not None:
        path = options.matting_weights
        return RVMMatting(load_rvm(path, str(path)), options.downsample_ratio, engine)
    if name == "auto":
        name = choose_network(name)
        if name == "bundled":
            log.info(
                "matting: the bundled network finds the person; for finer edges fetch RobustVideoMatting's (15 MB, "
                "GPL-3.0) once, with python -m video_harmonizer weights download rvm_mobilenetv3"
            )
    if not weights.available(name):
        log.info("%s: not downloaded yet, or not intact", name)
        download_weights(name)
    path = weights.path(name)
    return RVMMatting(load_rvm(path, name), options.downsample_ratio, engine, name)


def _open_matte_clip(name: str, source: SourceInfo, cleanup: ExitStack) -> MatteClip:
    if source.live:
        raise InputError(f"--matting {name}: it can't be the matte of {source.name}; use a network or chroma")
    try:
        mattes = open_source(name, as_mask=True)
    except InputError as error:
        raise InputError(f"--matting {error}") from None
    cleanup.callback(mattes.close)
    tell_of_another_length(mattes.info, source)
    return MatteClip(mattes.info, mattes)


def make_estimator(options: HarmonizerOptions, engine: Engine) -> Estimator:
    """The harmonizer, with the bundled weights or given ones."""
    name, checkpoint = options.harmonizer, harmonizer_weights(options)
    if name == "none":
        return NoHarmonizer()
    if checkpoint is None:
        from video_harmonizer.harmonizers.reinhard import ReinhardEstimator

        return ReinhardEstimator()
    if name == "duconet":
        from video_harmonizer.harmonizers.duconet_estimator import load_duconet

        return load_duconet(checkpoint, engine, options.harmonizer_side)
    return load_estimator(name, checkpoint, engine)


def make_pipeline(options: Options, matting: Matting, background: Background, engine: Engine) -> Pipeline:
    """All parts together; without a harmonizer where nothing of it would be seen."""
    harmonized = options.view in HARMONIZED_VIEWS
    strength = options.strength * background.light if harmonized else 0.0
    if harmonized and options.strength > 0 and background.light < 1:
        half = "half of the colour change is taken: what is behind the person is no scene with a light of its own"
        log.info(half if background.light else "colours stay as filmed: the scene behind the person is their own")
    estimator = make_estimator(options, engine) if strength else NoHarmonizer()
    return Pipeline(
        matting=matting,
        background=background,
        # who asks for less smoothing wants curves as quick as that
        estimator=SteadyEstimator(estimator, min(INTERVAL, options.smoothing)),
        smoother=CurveSmoother(options.smoothing),
        renderer=CPURenderer([options.view]),
        strength=strength,
    )


def open_file_sink(path: Path, info: SourceInfo, options: Options, inputs: list[Path], hurried: bool = False) -> Sink:
    """A picture, numbered pictures or a video, as the output's name says; ``hurried`` where somebody watches."""
    if takes_pictures(path):
        if path.is_dir() or PRINTF_NUMBER.search(path.name):
            return ImageSequenceSink(path, inputs)
        return ImageFileSink(path, info, inputs)
    from video_harmonizer.sinks.video_file import VideoFileSink  # brings PyAV, which must not come before a window

    height, width = size_of(options.view, info.height, info.width)
    return VideoFileSink(
        path,
        width,
        height,
        info,
        options.codec or ("libvpx-vp9" if path.suffix.lower() == ".webm" else "libx264"),
        options.crf,
        options.preset,
        audio_from=info.file,
        inputs=inputs,
        hurried=hurried,
    )
