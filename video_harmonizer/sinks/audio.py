"""The source's sound in the output: packets copied unchanged where its format allows, in step with the pictures."""

import contextlib
import logging
import math
import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.stream import Stream

from video_harmonizer.container import begins_anew, demux
from video_harmonizer.errors import warn_once
from video_harmonizer.sinks.fragments import Fragments
from video_harmonizer.sinks.original import A_MOMENT, LastPicture, Original, track_tags
from video_harmonizer.sinks.recoding import Recoding

log = logging.getLogger(__name__)

HIDING = ("mp4", "mov")  # formats that have edit lists
# In MP4 few players play other sound than this, though the format holds it
WIDELY_PLAYED = {"aac", "mp3", "ac3", "eac3", "alac"}
PATIENCE = 250  # packets, some seconds, by which pictures may come later than the sound that belongs to them
ROOMY = {".mkv": "matroska", ".mov": "mov"}  # formats that hold more kinds of audio than others
# By the number of channels, where a file says no more than that
USUAL_LAYOUTS = ("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1")


class AudioCopy:
    """All audio streams of a file, on their way into another. Memory stays flat.

    Nothing is decoded but streams whose codec the output's format can't hold, which are encoded anew.

    Args:
        original: the file to copy from.
        output: where streams are added, before its header is written.
        path: the output's name, for messages.
        rate: of the pictures, frames a second.
    """

    def __init__(self, original: Original, output: OutputContainer, path: Path, rate: Fraction) -> None:
        self._output = output
        self._fragments = Fragments() if output.format.name in HIDING else None
        self._tracks: dict[int, _Track] = {}  # by the source's stream index
        container, pictures = original.container, original.pictures
        self._source = container.name.removeprefix("file:") if container else ""
        file_format = container.format.name if container else ""
        self._clock = _JoinedClock(original, 1 / rate, file_format)
        for stream in original.audio:
            if stream.codec_context is None:
                log.warning("%s: an audio stream of unknown kind is left out", _name(stream))
            elif not stream.sample_rate:  # as recorded broadcasts have them, for another language now and then
                log.warning("%s: an audio stream that is empty, or begins late, is left out", _name(stream))
            else:
                self._tracks[stream.index] = _Track(stream, output, self._clock, path)
        watched = [stream for stream in original.audio if stream.index in self._tracks]
        streams: list[Stream] = [*watched, *([pictures] if pictures else [])]
        packets = demux(container, streams) if container and watched else iter(())
        self._packets: Iterator[tuple[Fraction, Packet]] = self._prepared(packets)
        self._next = next(self._packets, None)

    def copy_until(self, seconds: Fraction | None) -> None:
        """Write the packets that start up to ``seconds`` of the output's time; None: all."""
        while self._next and (seconds is None or self._next[0] <= seconds):
            self.mux(self._next[1])
            self._next = next(self._packets, None)

    def after(self, now: Fraction) -> tuple[bool, Fraction] | None:
        """As `Original.after`, of joined recordings, too, whose clocks name a time twice; None without sound.

        It reads on from where the sound is, which stays to be copied.
        """
        if not self._tracks or self._clock.latest is None:
            return None
        waiting = []
        while self._next and self._clock.latest <= now + A_MOMENT:
            waiting.append(self._next)
            self._next = next(self._packets, None)
        self._packets = chain(waiting, [self._next] if self._next else [], self._packets)
        self._next = next(self._packets, None)
        return self._clock.latest > now + A_MOMENT, max(now, self._clock.end)

    def mux(self, packet: Packet) -> None:
        """Write a packet, of sound or of pictures."""
        if self._fragments:
            self._fragments.prepare(packet)
        with self.leaving_out_damage():
            self._output.mux_one(packet)

    @contextlib.contextmanager
    def leaving_out_damage(self) -> Iterator[None]:
        """Any write, or the close, may make FFmpeg flush queued sound and reject a damaged packet: it is dropped."""
        try:
            yield
        except InvalidDataError as error:
            if not self._tracks:
                raise
            _warn_of_damage(self._source, error)

    def _prepared(self, packets: Iterator[Packet]) -> Iterator[tuple[Fraction, Packet]]:
        """Packets ready for the output, each with its start in seconds there."""
        try:
            for packet in packets:
                if packet.dts is None or packet.pts is None:  # FFmpeg's closing mark
                    continue
                if packet.stream_index in self._tracks:
                    yield from self._tracks[packet.stream_index].prepare(packet)
                elif not packet.is_discard and self._clock.see(packet):  # else an edit list hides it
                    for track in self._tracks.values():
                        yield from track.go_on()
        except FFmpegError as error:
            log.warning("%s: its sound ends early: %s", self._source, error.strerror)
        for track in self._tracks.values():
            yield from track.go_on(patience=0)
            yield from track.end()


class _JoinedClock:
    """What is 0 in the output, in seconds of the file's time: an origin for each of the recordings that were joined.

    The pictures say where a clock begins anew, and go on without a gap (`FrameClock`). Sound has to follow them, or it
    would be off by the difference between the sound's and the pictures' length, more after every join.
    """

    def __init__(self, original: Original, step: Fraction, file_format: str) -> None:
        self.origins = [original.origin]
        self.file_format = file_format
        self._step = step  # from one picture to the next, usually
        self._last: Fraction | None = None  # start of the latest picture in the file's time
        self._last_picture = LastPicture(original.announced_end)  # of the recording at hand

    @property
    def latest(self) -> Fraction | None:
        """Start of the latest picture in the output's time."""
        return None if self._last is None else self._last - self.origins[-1]

    @property
    def end(self) -> Fraction:
        """Of the latest picture in the output's time."""
        return self._last_picture.end() - self.origins[-1]

    def see(self, picture: Packet) -> bool:
        """Whether the clock begins anew with this packet."""
        assert picture.pts is not None
        anew = self._goes_on_at(picture.pts * picture.time_base)
        if anew:
            self._last_picture = LastPicture(None)
        self._last_picture.see(picture)
        return anew

    def _goes_on_at(self, start: Fraction) -> bool:
        if self._last is None or not begins_anew(start - self._last, self.file_format):
            self._last = start if self._last is None else max(self._last, start)
            return False
        self.origins.append(self.origins[-1] + start - (self._last + self._step))
        self._last = start
        return True


class _Track:
    """One audio stream and its copy."""

    def __init__(self, stream: AudioStream, output: OutputContainer, clock: _JoinedClock, path: Path) -> None:
        self._time_base = Fraction(stream.time_base or Fraction(1, stream.sample_rate))
        self._source = _name(stream)
        self._clock = clock
        self._part = 0  # of the joined recordings, the one that is copied
        self._origin = round(clock.origins[0] / self._time_base)
        self._overlaps = False  # whether the part's sound may begin before that of the part before has ended
        self._waiting: list[Packet] = []
        self._hidden: Packet | None = None  # the latest of those before all that is heard
        self._last_read: int | None = None  # decoding time in the file
        self._last_written: int | None = None  # and in the output
        self._step = math.ceil(1 / (stream.sample_rate * self._time_base))  # the least that muxers tell apart
        self._recoding: Recoding | None = None
        if _holds(output.format.name, stream):
            self._copy = _add_copy(stream, output)
            if output.format.name == "mp4":
                _warn_of_rarity(stream, path)
        else:
            self._recoding = Recoding(stream, output)
            self._copy = self._recoding.stream
            _tell_of_recoding(stream, self._copy, path)
        self._hides = output.format.name in HIDING or self._recoding is not None  # who decodes leaves it out
        self._copy.metadata.update(stream.metadata)
        self._copy.metadata.update(track_tags(stream))
        self._copy.disposition = stream.disposition
        # AAC out of a transport stream has a header before each packet, which no other format wants.
        is_wrapped = stream.codec_context.name == "aac" and not stream.codec_context.extradata
        needs_unwrapping = is_wrapped and not self._recoding
        self._unwrap = BitStreamFilterContext("aac_adtstoasc", stream) if needs_unwrapping else None

    def prepare(self, packet: Packet) -> Iterator[tuple[Fraction, Packet]]:
        """What can be written now that this packet of the file is there."""
        if packet.is_discard and not self._hides:  # by an edit list, without which it would be heard
            self._hidden = packet if self._last_read is None else None
            return
        if self._hidden:  # a decoder begins with one before the first that is heard
            self._waiting.append(self._hidden)
            self._hidden = None
        try:
            self._waiting += self._unwrap.filter(packet) if self._unwrap else [packet]
        except FFmpegError as error:  # of this packet alone
            _warn_of_damage(self._source, error)
        yield from self.go_on()

    def go_on(self, patience: int = PATIENCE) -> Iterator[tuple[Fraction, Packet]]:
        """What need not wait, or not any longer, until the pictures tell the origin of its part.

        Args:
            patience: how many packets wait. If there are more, the clock fell back for the sound alone, or the sound
                has a gap.
        """
        while self._waiting:
            dts = self._waiting[0].dts
            assert dts is not None
            passed = Fraction(0) if self._last_read is None else (dts - self._last_read) * self._time_base
            if begins_anew(passed, self._clock.file_format):
                if self._part + 1 < len(self._clock.origins):
                    self._part += 1
                    self._origin = round(self._clock.origins[self._part] / self._time_base)
                    self._overlaps = True
                elif len(self._waiting) <= patience:
                    return
                elif passed < 0:
                    assert self._last_written is not None
                    step = max(self._waiting[0].duration or 0, self._step)
                    self._origin = dts - (self._last_written + step)
            self._last_read = dts
            copy = self._waiting.pop(0)
            if self._fits(copy):
                yield from self._written(copy)

    def end(self) -> Iterator[tuple[Fraction, Packet]]:
        """What is left when the file has ended."""
        if self._recoding:
            yield from self._written(None)

    def _written(self, copy: Packet | None) -> Iterator[tuple[Fraction, Packet]]:
        """What is written of a packet that is on the output's clock, each with its start in seconds."""
        try:
            for packet in self._recoding.encode(copy) if self._recoding else filter(None, [copy]):
                assert packet.pts is not None
                yield packet.pts * packet.time_base, packet
        except FFmpegError as error:
            _warn_of_damage(self._source, error)

    def _fits(self, copy: Packet) -> bool:
        """Put a packet on the output's clock; False if it is to be left out."""
        assert copy.pts is not None
        assert copy.dts is not None
        copy.pts -= self._origin
        copy.dts -= self._origin
        if self._last_written is not None and copy.dts <= self._last_written:
            if self._overlaps:
                return False
            copy.dts = self._last_written + self._step  # muxers refuse times that stand still; a damaged file has some
            copy.pts = max(copy.pts, copy.dts)
        self._overlaps = False
        self._last_written = copy.dts
        copy.time_base, copy.stream = self._time_base, self._copy
        return True


def _add_copy(stream: AudioStream, output: OutputContainer) -> AudioStream:
    copy = output.add_stream_from_template(stream)
    layout = copy.codec_context.layout
    if layout.name == f"{layout.nb_channels} channels" and layout.nb_channels <= len(USUAL_LAYOUTS):
        copy.codec_context.layout = USUAL_LAYOUTS[layout.nb_channels - 1]  # MP4 has to be told
    return copy


def _holds(file_format: str, stream: AudioStream) -> bool:
    """Whether a format takes the stream as it is. Some say so only when a header is written."""
    try:
        with av.open(os.devnull, "w", format=file_format) as output:
            _add_copy(stream, output)
            output.start_encoding()
    except (ValueError, FFmpegError):
        return False
    return True


def _tell_of_recoding(stream: AudioStream, copy: AudioStream, path: Path) -> None:
    others = [suffix for suffix, file_format in ROOMY.items() if _holds(file_format, stream)]
    remedy = f"; {' and '.join(others)} would keep it as it is" if others else ""
    old, new = stream.codec_context.name, copy.codec_context.name
    said = f"{_name(stream)}: its sound ({old}) becomes {new}, as {path.suffix} can't hold it{remedy}"
    warn_once(log, said, said)  # of several tracks


def _warn_of_rarity(stream: AudioStream, path: Path) -> None:
    codec = stream.codec_context.codec.canonical_name
    if codec not in WIDELY_PLAYED:
        what = f"its sound stays {codec}, which few players play in {path.suffix}"
        said = f"{_name(stream)}: {what}; where that matters, give an output of .mkv"
        warn_once(log, said, said)


def _warn_of_damage(source: str, error: FFmpegError) -> None:
    warn_once(log, f"damaged sound {source}", f"{source}: its sound is damaged: pieces are left out ({error.strerror})")


def _name(stream: AudioStream) -> str:
    return stream.container.name.removeprefix("file:")
