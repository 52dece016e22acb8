"""Choosing a video encoder, its pixel format and its settings, so that a bad choice is said at once."""

import difflib
import logging
import os
from dataclasses import replace
from fractions import Fraction

import av
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from video_harmonizer.container import ASSUMED_RATE
from video_harmonizer.errors import InputError
from video_harmonizer.frame import SourceInfo
from video_harmonizer.sinks.packing import FramePacker

log = logging.getLogger(__name__)

COMMON_CODECS = ("libx264", "libx265", "libvpx-vp9", "libsvtav1", "prores_ks", "ffv1")
# Constant rate factors at which hardly an eye finds a difference; the encoders' own defaults are lower.
DEFAULT_CRF = {"libx264": 18, "libx265": 20, "libvpx-vp9": 24, "libsvtav1": 24, "libvpx": 8}
LARGEST_CRF = {"libx264": 51, "libx265": 51, "libvpx-vp9": 63, "libsvtav1": 63, "libvpx": 63}
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
# With which encoders keep up with a camera: by themselves they take several times a frame's time on usual processors.
HURRIED = {
    "libx264": {"preset": "superfast"},
    "libx265": {"preset": "ultrafast"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "row-mt": "1"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"preset": "12"},
}
# Older ones know no such factor; by themselves they would keep to 200 kbit/s. A quantiser of 1 is their best.
QUANTIZED = {"mpeg4", "msmpeg4", "mjpeg"}
BEST_QUANTIZER = {"flags": "+qscale", "global_quality": "118"}  # in FFmpeg's units of 1/118
FULL_RANGE = {"mjpeg"}  # whose pictures are so, whatever a file may say of them
FINEST_TIME = {"mpeg4": Fraction(1, 60000)}  # seconds that the codec can count; its clock has 16 bits
BOUND_BY_RATE = ("libvpx",)  # for which the factor is but a limit of quality beside the bit rate
BITS_A_PIXEL = 8.0  # as a limit: more than any picture needs

# Pixel formats, those that most players show first.
EIGHT_BITS = ("yuv420p", "yuv422p", "yuv444p")
MORE_BITS = ("yuv420p10le", "yuv422p10le", "yuv444p10le")
EXACT_8_BITS = ("gbrp", "bgr0", "rgb24")
EXACT_16_BITS = ("gbrp16le", "rgb48le", "rgb48be")
LOSSY, LOSSLESS = 2, 4  # AV_CODEC_PROP_*


class Encoding:
    """An encoder with a pixel format and settings, found to work by opening it once.

    Lossless codecs take RGB as it is. All others get 4:2:0, in 10 bits for a source of more than 8. An odd
    width or height keeps its size: encoders that can't halve it (x264, x265) get 4:2:2 for the height, 4:4:4 for the
    width, which fewer players show than 4:2:0, but no pixel is invented or lost; a warning says so.

    Args:
        codec: an FFmpeg encoder's name.
        crf: constant rate factor; None for `DEFAULT_CRF`.
        preset: the encoder's preset; None for its own default.
        width, height: of the pictures.
        info: of the source: its depth, colour and rate.
        time_base: of the frames' ``pts``.
        hurried: where no preset is given one that keeps up with a camera.

    Raises:
        InputError: there is no such encoder, or it does not take the size or a setting.
    """

    def __init__(
        self,
        codec: str,
        crf: int | None,
        preset: str | None,
        width: int,
        height: int,
        info: SourceInfo,
        time_base: Fraction,
        hurried: bool = False,
    ) -> None:
        self.codec = _find(codec)
        self.rate = info.rate or ASSUMED_RATE
        self._size, self._time_base = (width, height), time_base
        crf = DEFAULT_CRF.get(self.codec.name) if crf is None else crf
        largest = LARGEST_CRF.get(self.codec.name)
        # FFmpeg would silently take the nearest
        if crf is not None and largest is not None and not 0 <= crf <= largest:
            raise InputError(f"--crf {crf}: want 0, the best, to {largest}, the smallest; 18 to 28 suit")
        if preset is not None and preset not in PRESETS and self.codec.name in ("libx264", "libx265"):
            raise self._refused("preset", preset)  # x264 would complain on the terminal for every try
        quick = HURRIED.get(self.codec.name, {}) if hurried and preset is None else {}
        asked = {"crf": crf, "preset": preset} | quick
        self._settings = {name: str(value) for name, value in asked.items() if value is not None}
        self._color = replace(info.color, full_range=True) if self.codec.name in FULL_RANGE else info.color
        self._pixel_format = self._first_that_opens(self._candidates(info.bits))
        self.packer = self._packer(self._pixel_format)
        self._warn_of_compromises(info.bits)

    def set_up(self, context: VideoCodecContext) -> None:
        """Give the encoder's context all that it needs before it opens."""
        self._set_up(context, self._pixel_format, self._settings)

    def _set_up(self, context: VideoCodecContext, pixel_format: str, settings: dict[str, str]) -> None:
        packer = self._packer(pixel_format)
        context.width, context.height = self._size
        context.pix_fmt = pixel_format
        context.time_base, context.framerate = self._time_base, self.rate
        context.thread_type = "AUTO"  # PyAV's default is slices, which costs x264 quality
        context.color_primaries, context.color_trc = packer.primaries, packer.transfer
        context.colorspace, context.color_range = packer.matrix, packer.range
        context.options = dict(settings)
        if self.codec.name in BOUND_BY_RATE:  # else its 200 kbit/s would count, whatever the factor
            context.bit_rate = round(BITS_A_PIXEL * self._size[0] * self._size[1] * float(self.rate))
        if self.codec.name in QUANTIZED:
            context.options |= BEST_QUANTIZER
        if self.codec.name == "libx265":  # writes to the terminal past FFmpeg's log
            context.options["x265-params"] = "log-level=none"

    def _packer(self, pixel_format: str) -> FramePacker:
        return FramePacker(pixel_format, *self._size, self._color)

    def _candidates(self, bits: int) -> list[str]:
        if self.codec.properties & (LOSSY | LOSSLESS) == LOSSLESS:
            wanted = EXACT_16_BITS + EXACT_8_BITS if bits > 8 else EXACT_8_BITS + EXACT_16_BITS
        else:
            wanted = MORE_BITS + EIGHT_BITS if bits > 8 else EIGHT_BITS + MORE_BITS
        known = {pixel_format.name for pixel_format in self.codec.video_formats or ()}
        return [name for name in wanted if name in known]

    def _first_that_opens(self, candidates: list[str]) -> str:
        reason = "it takes none of the pixel formats used here"
        for pixel_format in candidates:
            try:
                self._try(pixel_format, self._settings)
            except FFmpegError as error:
                reason = error.strerror or str(error)
            else:
                return pixel_format
        for name, value in self._settings.items():
            others = {key: kept for key, kept in self._settings.items() if key != name}
            if any(self._opens(pixel_format, others) for pixel_format in candidates):
                raise self._refused(name, value)
        size = "{}x{}".format(*self._size)
        remedy = "a view that is less wide, or libx265" if self.codec.name == "libx264" else "libx264"
        raise InputError(f"--codec {self.codec.name}: it can't code {size} here ({reason}); use {remedy}")

    def _refused(self, name: str, value: str) -> InputError:
        some = name == "preset" and self.codec.name in ("libx264", "libx265")
        known = f", or give one of {', '.join(PRESETS)}" if some else ""
        return InputError(f"--{name} {value}: {self.codec.name} does not take it; leave it out{known}")

    def _opens(self, pixel_format: str, settings: dict[str, str]) -> bool:
        try:
            self._try(pixel_format, settings)
        except FFmpegError:
            return False
        return True

    def _try(self, pixel_format: str, settings: dict[str, str]) -> None:
        context = av.CodecContext.create(self.codec.name, "w")
        assert isinstance(context, VideoCodecContext)
        self._set_up(context, pixel_format, settings)
        context.open()
        if unused := [name for name in settings if name in context.options]:
            raise InputError(f"--{unused[0]}: {self.codec.name} has no such setting; leave it out")

    def _warn_of_compromises(self, bits: int) -> None:
        name, (width, height) = self.codec.name, self._size
        if bits > 8 and max(part.bits for part in av.VideoFormat(self._pixel_format).components) == 8:
            log.warning("%s codes 8 bits a channel; the source has %d", name, bits)
        if bits > 8 and name == "libx264" and self._pixel_format in MORE_BITS:
            log.warning("H.264 in 10 bits, as the source has, which many players don't show; --codec libx265 is safer")
        if (width % 2 or height % 2) and self._pixel_format.startswith(("yuv422", "yuv444")):
            sampling = ":".join(self._pixel_format[3:6])
            log.warning("%dx%d is odd: coded as %s, which some players don't show", width, height, sampling)


def _find(name: str) -> Codec:
    if name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only: it writes to the terminal past FFmpeg's log
    try:
        codec = Codec(name, "w")
    except UnknownCodecError:
        near = max(COMMON_CODECS, key=lambda known: difflib.SequenceMatcher(None, name, known).ratio())
        alike = difflib.SequenceMatcher(None, name, near).ratio() > 0.5
        hint = f"did you mean {near}? " if alike else ""
        raise InputError(f"--codec {name}: unknown; {hint}Common ones: {', '.join(COMMON_CODECS)}") from None
    if codec.type != "video":
        raise InputError(f"--codec {name}: it codes {codec.type}; give a video codec such as libx264")
    return codec
