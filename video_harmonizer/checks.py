"""What options are refused, and what of them is said to mean nothing, before anything is opened."""

import logging
import math
import re
from pathlib import Path

from video_harmonizer import weights
from video_harmonizer.errors import InputError
from video_harmonizer.matting.chroma import ChromaKey
from video_harmonizer.options import NETWORKS, HarmonizerOptions, ImageOptions, LiveOptions, Options, VideoOptions
from video_harmonizer.sinks.image_files import WRITABLE
from video_harmonizer.sources.image import files_of
from video_harmonizer.staging import cannot_write, check_output_file, check_suffix
from video_harmonizer.view import SCENIC, VIEWS
from video_harmonizer.weights.registry import REGISTRY

log = logging.getLogger(__name__)


def check(options: Options) -> None:
    """Raise InputError for numbers and choices that make no sense, and for a report that can't be written."""
    if not 0 <= options.strength <= 1:
        raise InputError(f"--strength {options.strength:g}: want 0 (as filmed) to 1 (all of the change)")
    if not (options.smoothing >= 0 and math.isfinite(options.smoothing)):
        raise InputError(f"--smoothing {options.smoothing:g}: want seconds, 0 or more; 0.5 suits most")
    fps = options.fps if isinstance(options, VideoOptions | LiveOptions) else None
    if fps is not None and not 0.01 <= fps <= 1000:
        raise InputError(f"--fps {fps:g}: want frames a second, 0.01 to 1000; 25 and 30 are usual")
    if isinstance(options, LiveOptions):
        camera_size(options)
    if options.report is not None:
        check_suffix("--report", options.report, ".json")
        check_output_file(options.report)
    _check_matting(options)
    _check_background(options)
    harmonizer_weights(options)
    _tell_unused(options)


def camera_size(options: LiveOptions) -> tuple[int, int]:
    """(width, height) to ask for; raises InputError for what is no size."""
    size = re.fullmatch(r"(\d{2,5})x(\d{2,5})", options.size)
    if not size:
        raise InputError(f"--size {options.size}: not a size; write it as 1280x720")
    return int(size[1]), int(size[2])


def _tell_unused(options: Options) -> None:
    """Settings files serve several uses: what means nothing to this one is no error."""
    if options.downsample_ratio is not None and not has_network(options):
        log.warning("--downsample-ratio %g: not used, as no network finds the person", options.downsample_ratio)
    if not isinstance(options, ImageOptions | VideoOptions | LiveOptions):
        return
    if options.background != type(options).background and options.view not in SCENIC:
        log.warning("--background %s: not used, as --view %s shows nothing of it", options.background, options.view)
    if options.output is not None and not takes_pictures(options.output):
        return
    for option, value in {"--codec": options.codec, "--crf": options.crf, "--preset": options.preset}.items():
        if value is not None:
            log.warning("%s %s: not used, as it is for videos and none is written", option, value)


def has_network(options: Options) -> bool:
    """Whether a network finds the person."""
    return options.matting in NETWORKS and not (isinstance(options, ImageOptions) and options.mask is not None)


def _check_background(options: Options) -> None:
    """Raise InputError where there is none, or one too many, for the view that is asked for."""
    seen = options.view in SCENIC
    if isinstance(options, ImageOptions):
        behind = [named for named in (options.mask, options.background) if named is not None]
        if len(behind) > 1 or (seen and not behind):
            got = "both a mask and a background" if behind else "neither a mask nor a background"
            remedy = "give a MASK for a ready composite, or --background for a photograph"
            raise InputError(f"{options.picture}: got {got}; {remedy}")
    elif isinstance(options, VideoOptions) and seen and options.background is None:
        others = ", ".join(view for view in VIEWS if view not in SCENIC)
        raise InputError(f"--background: missing; give a picture, a video, #rrggbb or blur, or a --view of {others}")


def _check_matting(options: Options) -> None:
    """Raise InputError for a matting that there is not, and for settings that mean nothing to it."""
    name = options.matting
    if isinstance(options, ImageOptions) and options.mask is not None:
        named = {"--matting": None if name == Options.matting else name, "--matting-weights": options.matting_weights}
        for option, value in named.items():
            if value is not None:
                who = f"the mask {options.mask} says who is in the picture"
                raise InputError(f"{option} {value}: {who}; leave one of them out")
        return
    if name in NETWORKS:
        if options.matting_weights is not None and name != Options.matting:
            which = f"--matting {name} names weights already"
            raise InputError(f"--matting-weights {options.matting_weights}: {which}; leave one of them out")
        return
    if name.split(":")[0] == "chroma":
        ChromaKey.parse(name)
    elif not _names_file(name):
        raise InputError(
            f"--matting {name}: neither known nor a file; give {', '.join(NETWORKS)}, chroma, chroma:#rrggbb, or a"
            " matte's video, folder of pictures or pattern such as mattes/%04d.png"
        )
    if options.matting_weights is not None:
        which = f"for networks, and --matting {name} is none"
        raise InputError(f"--matting-weights {options.matting_weights}: {which}; leave one of them out")


def harmonizer_weights(options: HarmonizerOptions) -> Path | None:
    """The harmonizer's weights, given or bundled; None for one that needs none.

    Raises InputError where there are none, and for settings that mean nothing to this harmonizer.
    """
    name, given, side = options.harmonizer, options.harmonizer_weights, options.harmonizer_side
    if side is not None and name != "duconet":
        raise InputError(f"--harmonizer-side {side}: for duconet, not for --harmonizer {name}; leave one of them out")
    if name in ("reinhard", "none"):
        if given is not None:
            raise InputError(f"--harmonizer-weights {given}: --harmonizer {name} has none; leave one of them out")
        return None
    if given is None and name not in REGISTRY:
        raise InputError(
            f"--harmonizer {name}: its weights are neither bundled nor known for download; give --harmonizer-weights"
            " FILE, the authors' checkpoint or one that was trained here"
        )
    return given or weights.path(name)


def _names_file(text: str) -> bool:
    """Whether it is meant for a file or folder, rather than a known name with a slip."""
    path = Path(text)
    try:
        return bool(text) and (bool(path.suffix) or len(files_of(path)) > 1 or path.is_file())
    except OSError:  # it is too long
        return False


def takes_pictures(path: Path) -> bool:
    """Whether an output's name stands for pictures; raises InputError for a name that no disk takes."""
    try:
        return path.is_dir() or path.suffix.lower() in WRITABLE
    except OSError as error:  # the name is too long, a folder on the way is closed
        raise cannot_write(path, error) from None
