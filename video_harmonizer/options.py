"""What a person can set: the commands' options; those of video, image and live are the keys of a settings file, too.

The comment above a field is what ``--help`` says of it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

from video_harmonizer.view import View

BACKGROUNDS = "PICTURE|VIDEO|#rrggbb|blur[:RADIUS]|demo"
BackgroundName = Annotated[str, arg(metavar=BACKGROUNDS)]
NETWORKS = ("auto", "bundled", "rvm_mobilenetv3", "rvm_resnet50")  # for matting
MATTINGS = "|".join((*NETWORKS, "chroma[:#rrggbb]", "FILE"))
File = Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")]
Harmonizer = Literal["curvenet", "s2crnet", "duconet", "reinhard", "none"]
Device = Annotated[str, arg(metavar="auto|cpu|cuda|mps")]
Side = Literal[256, 1024]  # of the pictures for which DucoNet was published


@dataclass(frozen=True)
class MattingOptions:
    """How the person is found."""

    # Where the alpha matte comes from. auto: RobustVideoMatting's published weights if downloaded, else the bundled
    # network, which is faster but less detailed. chroma: a green or blue screen, or a screen of the given colour. FILE:
    # a precomputed matte, white where the person is: a video, a folder of images or a pattern such as mattes/%04d.png.
    matting: Annotated[str, arg(metavar=MATTINGS)] = "auto"

    # Checkpoint of RobustVideoMatting to use instead of downloaded weights (.pth or .safetensors).
    matting_weights: File = None

    # Resolution of the matting network's input as a fraction of the frame's, above 0, up to 1. Default: a longest side
    # of 512 pixels; for the bundled network 48,000 pixels in total, such as 292x164. Raise it for small people.
    downsample_ratio: Annotated[float | None, arg(metavar="RATIO", help_behavior_hint="")] = None


@dataclass(frozen=True)
class HarmonizerOptions:
    """What estimates the colour curves."""

    # What estimates the tone curves. curvenet and s2crnet: fast networks; duconet: a large network, meant for files,
    # needs --harmonizer-weights; reinhard: Lab statistics, no network; none: colours as filmed.
    harmonizer: Harmonizer = "curvenet"

    # Checkpoint of the harmonizer to use instead of the bundled weights (.pth or .safetensors).
    harmonizer_weights: File = None

    # Input side that duconet's weights were trained for. Default: as stated in the file's metadata, else 256.
    harmonizer_side: Annotated[Side | None, arg(metavar="{256,1024}", help_behavior_hint="")] = None


@dataclass(frozen=True)
class EngineOptions:
    """Where and how the networks run."""

    # Where the networks run; auto takes a GPU if there is one.
    device: Device = "auto"

    # What runs the networks; auto takes OpenVINO on a processor and torch on a GPU.
    engine: Literal["auto", "openvino", "torch"] = "auto"

    # Numeric precision of the networks. auto: fp16 on NVIDIA GPUs; in OpenVINO bf16 where the CPU supports it, else
    # int8 for half of the matting network where it supports that; else fp32.
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = "auto"


@dataclass(frozen=True)
class DatasetOptions(EngineOptions):
    """The composites that are measured, and where."""

    # Folder of iHarmony4 as published, or of some of its subsets: HCOCO, HAdobe5k, HFlickr, Hday2night.
    dataset: Annotated[Path, arg(metavar="ROOT")] = tyro.MISSING

    # Which of the dataset's lists to take.
    split: Literal["test", "train"] = "test"

    # 256: all pictures resized to 256x256, as published tables are made; full: as they are.
    resolution: Literal["256", "full"] = "256"

    # Write the averages to this JSON file.
    json: File = None

    # Write the table to this Markdown file.
    markdown: File = None

    # Write a page to this file: the table, and composites with what became of them, the best and the worst.
    html: File = None


@dataclass(frozen=True)
class Options(EngineOptions, HarmonizerOptions, MattingOptions):
    """Options of the commands that make pictures: video, image and live."""

    # Strength of the colour change: 0 keeps the colours as filmed, 1 applies all of it.
    strength: Annotated[float, arg(metavar="0..1")] = 1.0

    # Time constant with which colours follow a change of light; 0 turns smoothing off and estimates every frame.
    smoothing: Annotated[float, arg(metavar="SECONDS")] = 0.5

    # Which picture to write. original: the frame as it came; paste: the person over the new background, colours as
    # filmed; harmonized: with colours that belong there; alpha: the matte, white where the person is; foreground,
    # green: the person over black, over green; side-by-side: original, paste and harmonized.
    view: View = "harmonized"

    # Video encoder, by FFmpeg's name: libx264, libx265, libsvtav1, libvpx-vp9, prores_ks, ffv1, ... Default: libx264,
    # for .webm libvpx-vp9.
    codec: Annotated[str | None, arg(metavar="CODEC", help_behavior_hint="")] = None

    # Constant rate factor: lower means better quality and a larger file. Default: visually lossless (x264: 18).
    crf: Annotated[int | None, arg(metavar="CRF", help_behavior_hint="")] = None

    # Speed preset of the encoder, ultrafast ... veryslow for x264. Default: the encoder's own; a fast one for live
    # video.
    preset: Annotated[str | None, arg(metavar="PRESET", help_behavior_hint="")] = None

    # Write what was done, and how long each stage took, to this JSON file.
    report: File = None

    # TOML file with these options' names as keys; the command line takes precedence. Paths in it are relative to the
    # current directory.
    config: File = None


@dataclass(frozen=True)
class VideoOptions(Options):
    """Replace the background of a video file and harmonize the person with it. Sound and timing are preserved.

    Example: python -m video_harmonizer video talk.mp4 --background beach.jpg -o talk-beach.mp4
    """

    # Video file, folder of pictures or pattern such as frames/%04d.png.
    input: Positional[Path] = tyro.MISSING

    # What goes behind the person: a picture, a video (repeated), a colour, or the blurred original. Not needed for
    # views that show nothing of it: original, alpha, foreground and green.
    background: Annotated[str | None, arg(metavar=BACKGROUNDS, help_behavior_hint="")] = None

    # Frames a second of a folder or pattern of pictures; a video file has its own.
    fps: Annotated[float | None, arg(metavar="FPS", help_behavior_hint="")] = None

    # Video file to write, or pictures: a folder that exists, or a pattern such as out/%05d.png.
    output: Annotated[Path, arg(aliases=["-o"])] = tyro.MISSING


@dataclass(frozen=True)
class ImageOptions(Options):
    """Harmonize one picture: a ready composite with its mask, or a photograph's person over a background.

    For example:
      python -m video_harmonizer image composite.jpg mask.png -o harmonized.png
      python -m video_harmonizer image portrait.jpg --background beach.jpg -o portrait-beach.png
    """

    # The composite, or the photograph.
    picture: Positional[Path] = tyro.MISSING

    # The composite's mask, white where the foreground is; without it the person is found by matting.
    mask: Positional[Annotated[Path | None, arg(metavar="[MASK]", help_behavior_hint="")]] = None

    # What goes behind the photograph's person; not with a mask, nor needed for views that show nothing of it.
    background: Annotated[str | None, arg(metavar=BACKGROUNDS, help_behavior_hint="")] = None

    # Picture to write: PNG, JPEG, WebP or TIFF.
    output: Annotated[Path, arg(aliases=["-o"])] = tyro.MISSING


@dataclass(frozen=True)
class LiveOptions(Options):
    """Harmonize a webcam, live, in a window; with --output into a file too. Press q or Esc to end.

    For example:
      python run_webcam.py --background beach.jpg
      python run_webcam.py --source clip.mp4 --background blur:20 --output demo.mp4 --no-window
    """

    # What goes behind the person: a picture, a video (repeated), a colour, or the blurred original; demo is a
    # photograph that is included.
    background: BackgroundName = "demo"

    # The camera's number, a video file, a picture, a folder of pictures, demo for a clip that is included, or pattern
    # for a test pattern.
    source: Annotated[str, arg(metavar="CAMERA|FILE|demo|pattern")] = "0"

    # Where to record: a video file, an existing folder for images, or a pattern such as out/%05d.png. A camera
    # recording never overwrites an existing video; a number is added to its name.
    output: Annotated[Path | None, arg(aliases=["-o"], metavar="FILE", help_behavior_hint="")] = None

    # Which picture to show and record: original, the frame as it came; paste, the person over the new background,
    # colours as filmed; harmonized, with colours that belong there; alpha, the matte, white where the person is;
    # foreground, green, the person over black, over green; side-by-side, original, paste and harmonized.
    view: View = "side-by-side"

    # Show a window; it needs a display. Press h to hide or show the line with rate, delay and effort.
    window: bool = True

    # Frame rate to request from the camera and to keep up with, default 30; of a folder of images, default 25. If the
    # machine is too slow, curves are estimated less often, then mattes get coarser.
    fps: Annotated[float | None, arg(metavar="FPS", help_behavior_hint="")] = None

    # Size of the picture to ask of the camera.
    size: Annotated[str, arg(metavar="WIDTHxHEIGHT")] = "1280x720"

    # Show and record the camera's picture as in a mirror.
    mirror: bool = False


@dataclass(frozen=True)
class EvaluateOptions(HarmonizerOptions, DatasetOptions):
    """Measure a harmonizer on composites with known targets: the error before and after, for every subset.

    Example: python -m video_harmonizer evaluate --dataset iHarmony4 --json scores.json --html scores.html
    """


@dataclass(frozen=True)
class CompareOptions(DatasetOptions):
    """Measure all harmonizers on composites with known targets, next to the upper bound for tone curves.

    Example: python -m video_harmonizer compare --dataset iHarmony4 --markdown table.md --html table.html
    """

    # Which to measure: some of reinhard, s2crnet, curvenet and duconet. Default: all whose weights are there.
    harmonizers: Annotated[str | None, arg(metavar="NAME,NAME", help_behavior_hint="")] = None

    # Checkpoint of duconet (.pth or .safetensors).
    duconet_weights: File = None

    # Side of the pictures that it was trained for. Default: what the file says, or else 256.
    duconet_side: Annotated[Side | None, arg(metavar="{256,1024}", help_behavior_hint="")] = None


@dataclass(frozen=True)
class BenchOptions(EngineOptions):
    """Measure each stage and the whole pipeline on this machine, against a textbook implementation and memcpy.

    The harmonizer is S2CRNet, which the textbook pipeline has, too.

    Example: python -m video_harmonizer bench --sizes 720p,1080p --json bench.json --plot bench.png
    """

    # Sizes of the pictures, by the shorter side.
    sizes: Annotated[str, arg(metavar="SIZE,SIZE")] = "480p,720p,1080p,2160p"

    # Frames of each run. The textbook pipeline, which is slow, is given some seconds a run instead.
    frames: int = 60

    # Clip to measure on, scaled to each size and repeated as needed. Default: a built-in clip of a moving portrait.
    source: Annotated[str | None, arg(metavar="FILE", help_behavior_hint="")] = None

    # How the person is found. Nothing is downloaded: a network without weights is measured with made-up ones.
    matting: Annotated[str, arg(metavar="|".join((*NETWORKS, "chroma[:#rrggbb]")))] = "auto"

    # Checkpoint of RobustVideoMatting to use instead of downloaded weights (.pth or .safetensors).
    matting_weights: File = None

    # Scale at which the matting network looks, over 0 to 1. Default: 0.25.
    downsample_ratio: Annotated[float | None, arg(metavar="RATIO", help_behavior_hint="")] = None

    # Speed of the encoder, x264: ultrafast ... veryslow.
    preset: Annotated[str, arg(metavar="PRESET")] = "ultrafast"

    # Write all numbers to this JSON file.
    json: File = None

    # Draw cost against resolution into this PNG file.
    plot: File = None


@dataclass(frozen=True)
class WeightsOptions:
    """List, download or find the networks' weights: weights list | download NAME | path NAME."""

    # list: all weights with licence and state; download: fetch into the cache and verify; path: print the file's
    # location.
    action: Positional[Literal["list", "download", "path"]]

    # Which weights to download or find; see list.
    name: Positional[Annotated[str | None, arg(metavar="[NAME]", help_behavior_hint="")]] = None
