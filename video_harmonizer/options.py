"""What a person can set, with what it means: the commands' options and the keys of a settings file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

View = Literal["original", "paste", "harmonized", "alpha", "foreground", "green", "side-by-side"]
BACKGROUNDS = "PICTURE|VIDEO|#rrggbb|blur[:RADIUS]|demo"
BackgroundName = Annotated[str, arg(metavar=BACKGROUNDS)]
NETWORKS = ("auto", "bundled", "rvm_mobilenetv3", "rvm_resnet50")  # for matting
MATTINGS = "|".join((*NETWORKS, "chroma[:#rrggbb]", "FILE"))
File = Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")]
Harmonizer = Literal["curvenet", "s2crnet", "duconet", "reinhard", "none"]
Side = Literal[256, 1024]  # of the pictures for which DucoNet was published


@dataclass(frozen=True)
class Options:
    """Options that all commands share."""

    matting: Annotated[str, arg(metavar=MATTINGS)] = "auto"
    """Who is in the picture. A network: auto takes RobustVideoMatting's published weights if they were downloaded, else
    the network that comes along (bundled), which is faster and less fine. chroma: who stands before a green or blue
    screen, or one of the colour given. FILE: a matte that was made before, white where the person is: a video, a folder
    of pictures or a pattern such as mattes/%04d.png."""
    matting_weights: File = None
    """Checkpoint of RobustVideoMatting to use instead of downloaded weights (.pth or .safetensors)."""
    downsample_ratio: Annotated[float | None, arg(metavar="RATIO", help_behavior_hint="")] = None
    """Scale at which the matting network looks, over 0 to 1. Default: longest side 512 pixels; for bundled
    48,000 pixels in all, such as 292x164. Small, full-length people: more; a person filling a 1080p frame: 0.25."""
    harmonizer: Harmonizer = "curvenet"
    """What estimates the colour curves: curvenet and s2crnet are quick networks; duconet is a large one, for files, and
    needs --harmonizer-weights; reinhard is a formula; none leaves colours as filmed."""
    harmonizer_weights: File = None
    """Checkpoint of the harmonizer to use instead of the bundled weights (.pth or .safetensors)."""
    harmonizer_side: Annotated[Side | None, arg(help_behavior_hint="")] = None
    """Side of the pictures that duconet's weights were trained for. Default: what the file says, or else 256."""
    strength: Annotated[float, arg(metavar="0..1")] = 1.0
    """How much of the colour change to take."""
    smoothing: Annotated[float, arg(metavar="SECONDS")] = 0.5
    """Time in which the colours follow a change of light; 0 takes every frame's own estimate."""
    device: Annotated[str, arg(metavar="auto|cpu|cuda|mps")] = "auto"
    """Where the networks run; auto takes a GPU if there is one."""
    view: View = "harmonized"
    """Which picture to write. original: the frame as it came; paste: the person over the new background, colours as
    filmed; harmonized: with colours that belong there; alpha: the matte, white where the person is; foreground, green:
    the person over black, over green; side-by-side: original, paste and harmonized."""
    engine: Literal["auto", "openvino", "torch"] = "auto"
    """What runs the networks; auto takes OpenVINO on a processor and torch on a GPU."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """How exactly networks compute; auto takes bf16 on processors and fp16 on GPUs that are fast at it."""
    codec: Annotated[str, arg(metavar="CODEC")] = "libx264"
    """Video encoder, by FFmpeg's name: libx264, libx265, libsvtav1, libvpx-vp9, prores_ks, ffv1, ..."""
    crf: Annotated[int | None, arg(metavar="CRF", help_behavior_hint="")] = None
    """Constant rate factor: lower is better and larger. Default: what looks the same as the source (x264: 18)."""
    preset: Annotated[str | None, arg(metavar="PRESET", help_behavior_hint="")] = None
    """The encoder's speed: ultrafast ... veryslow for x264. Default: the encoder's own."""
    report: File = None
    """Write what was done, and how long each stage took, to this JSON file."""
    config: File = None
    """Settings file in TOML, with these options' names as keys; options on the command line come first."""


@dataclass(frozen=True)
class VideoOptions(Options):
    """Put the person of a video file into another scene. Sound and timing stay as they are.

    Example: python -m video_harmonizer video talk.mp4 --background beach.jpg -o talk-beach.mp4
    """

    input: Positional[Path] = tyro.MISSING
    """Video file, folder of pictures or pattern such as frames/%04d.png."""
    background: BackgroundName = tyro.MISSING
    """What goes behind the person: a picture, a video (repeated), a colour, or the blurred original."""
    output: Annotated[Path, arg(aliases=["-o"])] = tyro.MISSING
    """Video file to write, or pictures: a folder that exists, or a pattern such as out/%05d.png."""


@dataclass(frozen=True)
class ImageOptions(Options):
    """Harmonize one picture: a ready composite with its mask, or a photograph's person over a background.

    For example:
      python -m video_harmonizer image composite.jpg mask.png -o harmonized.png
      python -m video_harmonizer image portrait.jpg --background beach.jpg -o portrait-beach.png
    """

    picture: Positional[Path] = tyro.MISSING
    """The composite, or the photograph."""
    mask: Positional[Annotated[Path | None, arg(metavar="[MASK]", help_behavior_hint="")]] = None
    """The composite's mask, white where the foreground is; without it the person is found by matting."""
    background: Annotated[str | None, arg(metavar=BACKGROUNDS, help_behavior_hint="")] = None
    """What goes behind the photograph's person; not with a mask."""
    output: Annotated[Path, arg(aliases=["-o"])] = tyro.MISSING
    """Picture to write: PNG, JPEG, WebP or TIFF."""


@dataclass(frozen=True)
class LiveOptions(Options):
    """Harmonize a webcam, live, in a window; with --output into a file too. Press q or Esc to end.

    For example:
      python run_webcam.py --background beach.jpg
      python run_webcam.py --source clip.mp4 --background blur:20 --output demo.mp4 --no-window
    """

    background: BackgroundName = "demo"
    """What goes behind the person: a picture, a video (repeated), a colour, or the blurred original; demo is a
    photograph that comes along."""
    source: Annotated[str, arg(metavar="CAMERA|FILE|demo|pattern")] = "0"
    """The camera's number, a video file, a picture, a folder of pictures, demo for a clip that comes along, or pattern
    for a test pattern."""
    output: Annotated[Path | None, arg(aliases=["-o"], metavar="FILE", help_behavior_hint="")] = None
    """Video file to record."""
    view: View = "side-by-side"
    """Which picture to show and record: original, the frame as it came; paste, the person over the new background,
    colours as filmed; harmonized, with colours that belong there; alpha, the matte, white where the person is;
    foreground, green, the person over black, over green; side-by-side, original, paste and harmonized."""
    window: bool = True
    """Show a window; it needs a display. Press h to hide or show the line with rate, delay and effort."""
    fps: Annotated[float, arg(metavar="FPS")] = 30.0
    """Frames a second to ask of the camera, and to keep up with in real time: where that is too much, curves come less
    often, then mattes get coarser."""


@dataclass(frozen=True)
class EvaluateOptions:
    """Measure a harmonizer on composites with known targets: the error before and after, for every subset.

    Example: python -m video_harmonizer evaluate --dataset iHarmony4 --json scores.json --html scores.html
    """

    dataset: Annotated[Path, arg(metavar="ROOT")] = tyro.MISSING
    """Folder of iHarmony4 as published, or of some of its subsets: HCOCO, HAdobe5k, HFlickr, Hday2night."""
    split: Literal["test", "train"] = "test"
    """Which of the dataset's lists to take."""
    resolution: Literal["256", "full"] = "256"
    """256: all pictures resized to 256x256, as published tables are made; full: as they are."""
    harmonizer: Harmonizer = "curvenet"
    """What estimates the colour curves; none leaves the composites as they are."""
    harmonizer_weights: File = None
    """Checkpoint of the harmonizer to use instead of the bundled weights (.pth or .safetensors)."""
    harmonizer_side: Annotated[Side | None, arg(help_behavior_hint="")] = None
    """Side of the pictures that duconet's weights were trained for. Default: what the file says, or else 256."""
    device: Annotated[str, arg(metavar="auto|cpu|cuda|mps")] = "auto"
    """Where the network runs; auto takes a GPU if there is one."""
    json: File = None
    """Write the averages to this JSON file."""
    html: File = None
    """Write a page to this file: the table, and the worst and best cases with their pictures and curves."""


@dataclass(frozen=True)
class CompareOptions:
    """Measure all harmonizers on composites with known targets, beside the best curves that there are.

    Example: python -m video_harmonizer compare --dataset iHarmony4 --markdown table.md --html table.html
    """

    dataset: Annotated[Path, arg(metavar="ROOT")] = tyro.MISSING
    """Folder of iHarmony4 as published, or of some of its subsets: HCOCO, HAdobe5k, HFlickr, Hday2night."""
    split: Literal["test", "train"] = "test"
    """Which of the dataset's lists to take."""
    resolution: Literal["256", "full"] = "256"
    """256: all pictures resized to 256x256, as published tables are made; full: as they are."""
    harmonizers: Annotated[str | None, arg(metavar="NAME,NAME", help_behavior_hint="")] = None
    """Which to measure: some of reinhard, s2crnet, curvenet and duconet. Default: all whose weights are there."""
    duconet_weights: File = None
    """Checkpoint of duconet (.pth or .safetensors)."""
    duconet_side: Annotated[Side | None, arg(help_behavior_hint="")] = None
    """Side of the pictures that it was trained for. Default: what the file says, or else 256."""
    device: Annotated[str, arg(metavar="auto|cpu|cuda|mps")] = "auto"
    """Where the networks run; auto takes a GPU if there is one."""
    markdown: File = None
    """Write the table to this Markdown file."""
    html: File = None
    """Write a page to this file: the table, and composites with all results beside each other."""
    json: File = None
    """Write the averages to this JSON file."""


@dataclass(frozen=True)
class BenchOptions:
    """Measure what every stage and the whole cost here, against the textbook pipeline and against memory's own speed.

    Example: python -m video_harmonizer bench --sizes 720p,1080p --json bench.json --plot bench.png
    """

    sizes: Annotated[str, arg(metavar="SIZE,SIZE")] = "480p,720p,1080p,2160p"
    """Sizes of the pictures, by the shorter side."""
    frames: int = 60
    """Frames of each run. The textbook pipeline, which is slow, is given some seconds a run instead."""
    source: Annotated[str | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Clip to measure on, scaled to each size and repeated as needed. Default: an own one, of a moving portrait."""
    matting: Annotated[str, arg(metavar="|".join((*NETWORKS, "chroma[:#rrggbb]")))] = "auto"
    """What finds the person. Nothing is downloaded: a network without weights is measured with made-up ones."""
    matting_weights: File = None
    """Checkpoint of RobustVideoMatting to use instead of downloaded weights (.pth or .safetensors)."""
    downsample_ratio: Annotated[float | None, arg(metavar="RATIO", help_behavior_hint="")] = None
    """Scale at which the matting network looks, over 0 to 1. Default: 0.25."""
    engine: Literal["auto", "openvino", "torch"] = "auto"
    """What runs the networks; auto takes OpenVINO on a processor and torch on a GPU."""
    device: Annotated[str, arg(metavar="auto|cpu|cuda|mps")] = "auto"
    """Where the networks run, the textbook's too; auto takes a GPU if there is one."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """How exactly networks compute; auto takes bf16 on processors and fp16 on GPUs that are fast at it."""
    preset: Annotated[str, arg(metavar="PRESET")] = "ultrafast"
    """Speed of the encoder, x264: ultrafast ... veryslow."""
    json: File = None
    """Write all numbers to this JSON file."""
    plot: File = None
    """Draw cost against resolution into this PNG file."""


@dataclass(frozen=True)
class WeightsOptions:
    """List, download or find the networks' weights: weights list | download NAME | path NAME."""

    action: Positional[Literal["list", "download", "path"]]
    """list: what there is, under which licence, and what is here; download: fetch into the cache and verify; path:
    print where the file is."""
    name: Positional[Annotated[str | None, arg(metavar="[NAME]", help_behavior_hint="")]] = None
    """Which weights to download or find; see list."""
