"""A video file, written with PyAV: exact times, the source's sound and colours, nothing lost on the way."""

import contextlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from video_harmonizer.errors import InputError
from video_harmonizer.frame import SourceInfo
from video_harmonizer.sinks import fragments
from video_harmonizer.sinks.audio import AudioCopy
from video_harmonizer.sinks.encoding import FINEST_TIME, Encoding
from video_harmonizer.sinks.image_files import WRITABLE
from video_harmonizer.sinks.original import Original, track_tags
from video_harmonizer.staging import StagedFile, cannot_write, nothing_came
from video_harmonizer.undisturbed import Undisturbed

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
# For the muxer. Every two seconds what is there is written out, so that it can be played after a crash. MP4 comes
# in fragments until the end makes it a plain file; with its index (moov) delayed to the first fragment times are
# exact in both, as it then knows of the delay that B-frames cause. Matroska would move all times when sound starts
# before 0, as AAC's does.
MP4_OPTIONS = {
    "movflags": "hybrid_fragmented+delay_moov",
    "frag_duration": f"{fragments.SECONDS}000000",  # microseconds
    "flush_packets": "1",
}
MATROSKA_OPTIONS = {"avoid_negative_ts": "disabled", "cluster_time_limit": "2000", "flush_packets": "1"}
HEVC = 173  # AV_CODEC_ID_HEVC
MILLISECOND = Fraction(1, 1000)  # Matroska's only time base
NONSENSE = 3600  # seconds from decoding to showing; x265 says so of a clip of one or two frames


class VideoFileSink:
    """Encodes pictures into ``path``, beside copies of the audio streams and tags of ``audio_from``.

    Until `close` the file is called ``NAME.partial.EXT``; an existing ``path`` stays as it is. Times are
    kept in the source's time base, on the source's clock, so that sound and picture stay together. A frame
    lasts until the next; the last one as long as in the source.

    Args:
        path: ``.mp4``, ``.mov``, ``.mkv`` or ``.webm``.
        width, height: of the pictures that will come.
        info: of the source.
        codec, crf, preset: see `Encoding`.
        audio_from: the source's own file, or None.
        inputs: other files that are being read, and so must not be overwritten.
        hurried: see `Encoding`.

    Raises:
        InputError: before the first frame, for all that can't work; later, where the disk is full.
    """

    kept: Path | None = None  # without the final name: the playable file with the frames so far

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        info: SourceInfo,
        codec: str = "libx264",
        crf: int | None = None,
        preset: str | None = None,
        audio_from: Path | None = None,
        inputs: Iterable[Path] = (),
        hurried: bool = False,
    ) -> None:
        if not path.suffix and (path.exists() or str(path) == "-"):
            raise InputError(f"{path}: its name does not tell the kind of video; give a file name such as talk.mp4")
        if not path.suffix:
            raise InputError(f"{path}: no such folder; make it first for pictures, or name a video such as {path}.mp4")
        if path.suffix.lower() not in FORMATS:
            videos, pictures = (", ".join(sorted(suffixes)) for suffixes in (FORMATS, WRITABLE))
            raise InputError(f"{path}: not a kind of video known here; use {videos}; for pictures {pictures}")
        file_format = FORMATS[path.suffix.lower()]
        self._path, self._info = path, info
        self._shape = (height, width, 3)
        step = MILLISECOND if file_format in ("matroska", "webm") else info.time_base
        self._time_base = max(step, FINEST_TIME.get(codec, step))
        self._encoding = Encoding(codec, crf, preset, width, height, info, self._time_base, hurried)
        self._file = StagedFile(path, [*inputs, *([audio_from] if audio_from else [])])
        self._ended = False
        self._held: av.VideoFrame | None = None  # the newest frame: its duration is known when the next comes
        self._count = 0
        self._last_ticks = 0
        self._usual_duration = round(1 / (self._encoding.rate * self._time_base))
        with Undisturbed() as undo:
            undo.callback(self._file.discard)
            self._original = Original(audio_from, info.start)
            undo.callback(self._original.close)
            self._output = self._open_output(file_format)
            undo.callback(self._output.close)
            self._stream = self._add_video()
            self._audio = AudioCopy(self._original, self._output, path, self._encoding.rate)
            self._write_header()
            undo.pop_all()

    def write(self, image: np.ndarray, seconds: float) -> None:
        if image.shape != self._shape:
            raise ValueError(f"got a picture of shape {image.shape}, wanted {self._shape}")
        ticks = round((Fraction(seconds) + self._info.start - self._original.origin) / self._time_base)
        frame = self._encoding.packer.pack(image)
        if self._held is not None:
            ticks = max(ticks, self._last_ticks + 1)  # two frames within Matroska's millisecond
            self._encode_held(ticks - self._last_ticks)
        frame.pts, frame.time_base = ticks, self._time_base
        self._held, self._last_ticks = frame, ticks
        self._count += 1

    def close(self, whole: bool = True) -> None:
        if self._ended:
            return
        try:
            if self._held is None:
                raise nothing_came(self._path)
            duration, sound_until = self._ending()
            self._encode_held(duration)
            self._finish(sound_until)
            if not whole and self._file.final.exists():
                self.kept = self._file.path
            else:
                with self._saying_where():
                    self._file.publish()
        except BaseException:
            self.abort()
            raise
        self._ended = True

    def abort(self) -> None:
        if self._ended:
            return
        self._ended = True
        with contextlib.suppress(InputError):  # a full disk may be the very reason
            try:
                if self._held is not None:
                    self._encode_held(self._usual_duration)
            finally:
                self._finish(sound_until=Fraction(0))
        if self._count:
            self.kept = self._file.path
        else:
            self._file.discard()

    def _encode_held(self, duration: int) -> None:
        frame, self._held = self._held, None
        assert frame is not None
        frame.duration = duration
        self._encode(frame)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        with self._saying_where():
            for packet in self._stream.encode(frame):
                # Sound goes along with the pictures, so that neither has to be kept waiting in memory.
                assert packet.pts is not None
                assert packet.dts is not None
                if abs(packet.pts - packet.dts) * self._time_base > NONSENSE:
                    packet.dts = packet.pts
                self._audio.copy_until(packet.dts * self._time_base)
                self._audio.mux(packet)

    def _finish(self, sound_until: Fraction | None) -> None:
        try:
            self._encode(None)
            with self._saying_where():
                self._audio.copy_until(sound_until)
        finally:
            self._original.close()
            with self._saying_where(), self._audio.leaving_out_damage():
                self._output.close()

    def _ending(self) -> tuple[int, Fraction | None]:
        """The last frame's duration in ticks, and until when to copy sound (None: all of it)."""
        now = self._last_ticks * self._time_base
        goes_on, end = self._audio.after(now) or self._original.after(now)
        if goes_on:  # stopped by hand: the sound stops with the picture
            return self._usual_duration, now + self._usual_duration * self._time_base
        return round((end - now) / self._time_base) or self._usual_duration, None

    def _open_output(self, file_format: str) -> OutputContainer:
        if file_format in ("mp4", "mov"):
            unit = self._time_base.denominator  # in which a later start than 0 is kept
            options = MP4_OPTIONS | {"movie_timescale": str(unit * -(-1000 // unit))}
        else:
            options = MATROSKA_OPTIONS
        output = av.open(f"file:{self._file.path}", "w", format=file_format, container_options=options)
        output.metadata.update(self._original.tags)
        output.set_chapters(self._original.chapters)
        return output

    def _add_video(self) -> VideoStream:
        codec = self._encoding.codec.name
        try:
            stream = self._output.add_stream(codec, rate=self._encoding.rate)
        except ValueError:
            name = self._output.format.name
            others = "" if name == "matroska" else " or write .mkv"
            other = "--codec libvpx-vp9" if name == "webm" else "another --codec"
            raise InputError(f"{self._path}: {name} can't hold {codec}; give {other}{others}") from None
        assert isinstance(stream, VideoStream)
        self._encoding.set_up(stream.codec_context)
        stream.codec_context.flags |= Flags.frame_duration
        if self._original.pictures:
            stream.metadata.update(track_tags(self._original.pictures))
        if stream.codec_context.codec.id == HEVC and self._output.format.name != "matroska":
            stream.codec_context.codec_tag = "hvc1"  # the one that Apple's players know
        return stream

    def _write_header(self) -> None:
        try:
            self._output.start_encoding()
        except FFmpegError as error:
            if not isinstance(error, ValueError):
                raise cannot_write(self._path, error) from None
            # FFmpeg's "invalid argument": a codec that it knows, but that this format has no place for
            codecs = " with ".join(stream.codec_context.name for stream in self._output.streams)
            raise InputError(f"{self._path}: it can't hold {codecs}; write .mkv instead") from None

    @contextlib.contextmanager
    def _saying_where(self) -> Iterator[None]:
        """Turns a failure to write into an error that names the file."""
        try:
            yield
        except (OSError, FFmpegError) as error:
            raise cannot_write(self._path, error) from None
