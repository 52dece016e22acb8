"""Sound that comes along unchanged: packets copied from the source's file, in step with the pictures."""

import logging
import math
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from video_harmonizer.errors import InputError
from video_harmonizer.sinks.original import Original

log = logging.getLogger(__name__)

RESTART = 1  # seconds by which a clock falls back when it begins anew
ROOMY = {".mkv": "matroska", ".mov": "mov"}  # formats that hold more kinds of audio than others


class AudioCopy:
    """All audio streams of a file, on their way into another. Nothing is decoded; memory stays flat.

    Args:
        original: the file to copy from.
        output: where streams are added, before its header is written.
        path: the output's name, for messages.

    Raises:
        InputError: the output's format can't hold a stream's codec.
    """

    def __init__(self, original: Original, output: OutputContainer, path: Path) -> None:
        self._output = output
        self._tracks: dict[int, _Track] = {}  # by the source's stream index
        for stream in original.audio:
            if stream.codec_context is None:
                log.warning("%s: an audio stream of unknown kind is left out", _name(stream))
            else:
                self._tracks[stream.index] = _Track(stream, output, original.origin, path)
        container = original.container
        self._packets = self._prepared(container.demux(*self._tracks) if container and self._tracks else iter(()))
        self._next = next(self._packets, None)

    def copy_until(self, seconds: Fraction | None) -> None:
        """Write the packets that start up to ``seconds`` of the output's time; None: all."""
        while self._next and (seconds is None or self._next[0] <= seconds):
            self._output.mux_one(self._next[1])
            self._next = next(self._packets, None)

    def _prepared(self, packets: Iterator[Packet]) -> Iterator[tuple[Fraction, Packet]]:
        """Packets ready for the output, each with its start in seconds there."""
        try:
            for packet in packets:
                if packet.dts is not None and packet.pts is not None:  # not FFmpeg's closing mark
                    yield from self._tracks[packet.stream_index].prepare(packet)
        except FFmpegError as error:
            log.warning("its sound ends early: %s", error.strerror)


class _Track:
    """One audio stream and its copy."""

    def __init__(self, stream: AudioStream, output: OutputContainer, origin: Fraction, path: Path) -> None:
        self._time_base = Fraction(stream.time_base or Fraction(1, stream.sample_rate))
        self._shift = round(origin / self._time_base)
        self._last_dts: int | None = None
        self._step = math.ceil(1 / (stream.sample_rate * self._time_base))  # the least that muxers tell apart
        try:
            self._copy = output.add_stream_from_template(stream)
        except (ValueError, FFmpegError):
            codec = stream.codec_context.name
            others = [suffix for suffix, holds in ROOMY.items() if codec in _supported(holds)]
            remedy = f"write {' or '.join(others)} instead" if others else "convert that to AAC first"
            audio = f"the audio of {_name(stream)} ({codec})"
            raise InputError(f"{path}: it can't hold {audio}; {remedy}") from None
        self._copy.metadata.update(stream.metadata)
        self._copy.disposition = stream.disposition
        # AAC out of a transport stream has a header before each packet, which no other format wants.
        needs_unwrapping = stream.codec_context.name == "aac" and not stream.codec_context.extradata
        self._unwrap = BitStreamFilterContext("aac_adtstoasc", stream) if needs_unwrapping else None

    def prepare(self, packet: Packet) -> Iterator[tuple[Fraction, Packet]]:
        for copy in self._unwrap.filter(packet) if self._unwrap else [packet]:
            assert copy.pts is not None
            assert copy.dts is not None
            copy.pts -= self._shift
            copy.dts -= self._shift
            if self._last_dts is not None and copy.dts <= self._last_dts:
                behind = self._last_dts + max(copy.duration or 0, self._step) - copy.dts
                # joined recordings, where the clock begins anew, as that of the pictures does
                if behind * self._time_base > RESTART:
                    self._shift -= behind
                    copy.dts += behind
                    copy.pts += behind
                else:  # muxers refuse decoding times that stand still; a damaged file has some
                    copy.dts = self._last_dts + self._step
                    copy.pts = max(copy.pts, copy.dts)
            self._last_dts = copy.dts
            copy.time_base, copy.stream = self._time_base, self._copy
            yield copy.pts * self._time_base, copy


def _supported(file_format: str) -> set[str]:
    with av.open(os.devnull, "w", format=file_format) as output:
        return output.supported_codecs


def _name(stream: AudioStream) -> str:
    return stream.container.name.removeprefix("file:")
