"""A video file, read with PyAV: exact times, upright, its own colours."""

import logging
import math
import re
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from video_harmonizer import hdr, yuv
from video_harmonizer.container import (
    ASSUMED_RATE,
    BACK,
    JUMP_AHEAD,
    JUMPING_FORMAT,
    demux,
    main_video,
    open_container,
    video_streams,
)
from video_harmonizer.errors import InputError, warn_once
from video_harmonizer.frame import Frame, SourceInfo
from video_harmonizer.sources.clock import FrameClock
from video_harmonizer.sources.picture import PictureReader

log = logging.getLogger(__name__)

DEPENDENT = 0x80000  # AV_DISPOSITION_DEPENDENT: a part of a picture
# Their decoders don't say where chroma lies. Players take it to lie at the left pixel of each pair.
UNSITED = {"vp8", "vp9", "av1", "prores", "dnxhd", "ffv1", "huffyuv", "ffvhuff", "utvideo"}
WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders of these leave alpha out
FASTEST_GUESS = 240  # frames a second; FFmpeg's guess is 1000 where a browser wrote uneven milliseconds
# Containers whose header says how long the video is; elsewhere FFmpeg guesses, and nothing was promised.
PROMISING_FORMATS = {"mov", "matroska", "avi"}


class VideoFileSource:
    """Frames of a file's first video stream. Decoded in FFmpeg's threads; holds a few frames, never all.

    Masks keep their levels, and where the video has alpha that is the mask. Packets that can't be decoded are left out
    with one warning. A file whose data ends well before its header says raises InputError after the last frame that
    there is.
    """

    def __init__(self, path: Path, as_mask: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()  # FFmpeg's structures may not be freed while they decode
        self._closed = False
        self._last_end = Fraction(0)  # of the packets read so far, in the file's seconds
        self._container = _open(path)
        try:
            stream = self._stream = _video_stream(path, self._container)
            self._decoder = _decoder(stream)
            self._decoder.thread_type = "AUTO"
            self._time_base = Fraction(stream.time_base or Fraction(1, 90000))
            self._rate = _rate(stream)
            self._announced_end = _announced_end(stream, self._rate)
            watched: list[Stream] = [stream]
            if self._announced_end is None and self._container.duration:
                # Only the longest stream's end is known: all are read, to see that one of them gets there.
                ticks = self._container.duration + (self._container.start_time or 0)
                self._announced_end = Fraction(ticks, av.time_base)
                watched = list(self._container.streams)
            self._packets = demux(self._container, watched)
            self._first_frames = self._decode_some()
            if not self._first_frames:
                raise InputError(f"{path}: none of its video can be decoded; give another file")
            first = self._first_frames[0]
            if min(first.width, first.height) < 2:
                raise InputError(f"{path}: {first.width}x{first.height} picture; give a video of at least 2x2")
            coding = stream.codec_context.codec.canonical_name
            if coding == "vp8":  # which knows no other; libvpx does not say so
                first.colorspace = yuv.BT601
            unsited = coding in UNSITED
            self._reader = PictureReader(first, stream.sample_aspect_ratio, unsited, as_mask)
            if self._reader.hdr:
                name = hdr.TRANSFERS[self._reader.hdr]
                warn_once(log, f"HDR {path}", f"{path}: HDR video ({name}), made SDR (BT.709) as scenes are")
            if self._reader.transparent and not as_mask:
                what = f"{path}: seen as if it were opaque; its transparency counts where it is --matting"
                warn_once(log, f"transparency {path}", what)
            if self._reader.matrix_is_guessed:
                what = f"matrix {int(first.colorspace)}, unknown here: its colours may come out wrong"
                warn_once(log, f"matrix {path}", f"{path}: {what}; convert it to BT.709 first")
            if first.interlaced_frame:
                what = "interlaced: moving edges stay combed in the output"
                warn_once(log, f"interlaced {path}", f"{path}: {what}; deinterlace it first (ffmpeg -vf bwdif)")
        except BaseException:
            self._container.close()
            raise
        start = (first.pts or 0) * self._time_base
        self.info = SourceInfo(
            name=str(path),
            width=self._reader.width,
            height=self._reader.height,
            rate=self._rate,
            frames=self._number_of_frames(stream.frames, start),
            time_base=self._time_base,
            start=start,
            bits=self._reader.bits,
            color=self._reader.color,
            file=path,
        )

    def __iter__(self) -> Iterator[Frame]:
        usual_step = round(1 / (self._rate * self._time_base))
        jump = JUMP_AHEAD / self._time_base if self._container.format.name == JUMPING_FORMAT else math.inf
        clock = FrameClock(usual_step, restart=round(BACK / self._time_base), jump=float(jump))
        index = 0
        frames = self._first_frames
        while frames:
            self._first_frames = []
            for frame in frames:
                if self._closed:
                    return
                seconds = float(clock.ticks(frame.pts) * self._time_base)
                yield Frame(self._reader.read(frame), index, seconds)
                index += 1
            frames = self._decode_some()
        if not self._closed:
            self._check_that_all_came(index)
            self.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._container.close()

    def _decode_some(self) -> list[av.VideoFrame]:
        """The frames of the next packet that gives any; none at the end or when closed."""
        while True:
            with self._lock:
                if self._closed:
                    return []
                try:
                    packet = next(self._packets, None)
                except FFmpegError as error:  # the file's structure is broken from here on
                    self._warn(error)
                    return []
                if packet is None:
                    return []
                if packet.pts is not None and not packet.is_discard:
                    end = (packet.pts + (packet.duration or 0)) * packet.time_base
                    self._last_end = max(self._last_end, end)
                # not packet.stream_index, which is 0 of every closing mark
                if packet.stream.index != self._stream.index or (packet.dts is not None and not packet.size):
                    continue  # an empty packet (Flash has some) would tell the decoder that all is over
                try:
                    frames = self._decoder.decode(packet)
                except FFmpegError as error:
                    self._warn(error)
                    continue
            if frames:
                return frames

    def _warn(self, error: FFmpegError) -> None:
        what = f"{self._path}: damaged: what can't be decoded is left out ({error.strerror})"
        warn_once(log, f"damaged {self._path}", what)

    def _check_that_all_came(self, frames: int) -> None:
        promised = self._announced_end
        if promised is None or PROMISING_FORMATS.isdisjoint(self._container.format.name.split(",")):
            return
        if self._last_end < promised - max(2 / self._rate, promised / 100):
            raise InputError(
                f"{self._path}: its data ends early: got {frames} of {self.info.frames} frames"
                f" ({float(self._last_end):.1f} of {float(promised):.1f} seconds); copy or download it again"
            )

    def _number_of_frames(self, announced: int, start: Fraction) -> int | None:
        """None where nothing is known: "one" would make it a picture."""
        estimate = 0 if self._announced_end is None else round((self._announced_end - start) * self._rate)
        if announced and estimate <= 2 * announced:  # else it is of the first fragment alone
            return announced
        return estimate if estimate > 1 else None


def _open(path: Path) -> InputContainer:
    if not path.exists():
        raise InputError(f"{path}: no such file; give a video file")
    if path.is_dir():
        raise InputError(f"{path}: it is a folder; give a video file")
    if not path.is_file():
        raise InputError(f"{path}: not an ordinary file; give a file, which can be read a second time for its sound")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: empty file (0 bytes); give a video file")
    try:
        return open_container(path)
    except FFmpegError as error:
        if isinstance(error, PermissionError):
            raise InputError(f"{path}: it may not be read; check its permissions") from None
        if _is_mp4(path):
            reason = "an MP4 without its index (moov), as when a recording or a copy was cut off"
            raise InputError(f"{path}: {reason}; copy or download it again") from None
        raise InputError(f"{path}: not a video that can be read ({error.strerror}); give a video file") from None


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(12)[4:8] == b"ftyp"


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    streams = video_streams(container)
    if not streams:
        holds = "audio only" if container.streams.audio else "no video"
        raise InputError(f"{path}: it holds {holds}; give a file with a video stream")
    if any(stream.disposition & DEPENDENT for stream in streams):
        raise InputError(f"{path}: a photograph in tiles (HEIC, AVIF); convert it to JPEG or PNG first")
    stream = main_video(container)
    if stream is None:
        raise InputError(f"{path}: no decoder for its video here; convert it to H.264 first")
    if len(streams) > 1:
        size = f"{stream.width}x{stream.height}"
        warn_once(log, f"videos {path}", f"{path}: one of its {len(streams)} videos is taken, of {size}")
    return stream


def _decoder(stream: VideoStream) -> VideoCodecContext:
    """The stream's own, or one that knows its alpha."""
    own = stream.codec_context
    name = WITH_ALPHA.get(own.codec.canonical_name)
    tags = {tag.lower(): value for tag, value in stream.metadata.items()}  # in capitals from files made of others
    if name not in av.codecs_available or tags.get("alpha_mode") != "1":
        return own
    decoder = av.Codec(name, "r").create("video")
    decoder.extradata = own.extradata
    for tag in ("color_primaries", "color_trc", "colorspace", "color_range"):
        setattr(decoder, tag, getattr(own, tag))
    return decoder


def _rate(stream: VideoStream) -> Fraction:
    if stream.average_rate:
        return Fraction(stream.average_rate)
    guess = Fraction(stream.guessed_rate or 0)
    return guess if 0 < guess <= FASTEST_GUESS else ASSUMED_RATE


def _announced_end(stream: VideoStream, rate: Fraction) -> Fraction | None:
    """When the video ends, in the file's seconds, as its header says; None where it does not."""
    if stream.container.format.name == "avi" and stream.frames:
        return stream.frames / rate  # FFmpeg's own duration is of what is there
    if stream.duration and stream.time_base:
        return ((stream.start_time or 0) + stream.duration) * stream.time_base
    # Matroska's statistics: 00:00:03.666000000, from zero
    if tag := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", "").strip("\0 ")):
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3])
    return None
