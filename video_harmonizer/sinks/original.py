"""The file that the pictures came from, for what an output takes over from it: its clock, sound and tags."""

import contextlib
import logging
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from video_harmonizer.container import demux, main_video, open_container
from video_harmonizer.errors import InputError

if TYPE_CHECKING:
    from av.container.core import Chapter

log = logging.getLogger(__name__)

# A clock that starts later than this (MPEG-TS, a cut stream) is no delay that anybody wants kept.
LONGEST_DELAY = Fraction(1)  # seconds
A_MOMENT = Fraction(1)  # second; who stops so near the end has seen it all
# What describes the old file and not the video.
FILE_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}


class Original:
    """A source's file, or none: then there is no sound, there are no tags, and nothing comes after.

    Args:
        path: the file.
        start: the first frame's time in it, seconds.

    Attributes:
        origin: the file's time, in seconds, that is 0 in an output: its own 0 unless its clock starts late.
        tags: title, creation time and so on.
        chapters: as PyAV gives and takes them, on the output's clock.
        audio: its audio streams.
        pictures: the video that was read.

    Raises:
        InputError: it can't be read.
    """

    def __init__(self, path: Path | None, start: Fraction) -> None:
        self._path = path
        self.container = None if path is None else _open(path)
        self.tags: dict[str, str] = {}
        self.chapters: list[Chapter] = []
        self.audio: tuple[AudioStream, ...] = ()
        self.pictures: VideoStream | None = None
        if self.container is not None:
            tags = self.container.metadata.items()
            self.tags = {name: text for name, text in tags if name.lower() not in FILE_TAGS}
            self.audio = self.container.streams.audio
            self.pictures = main_video(self.container)
            if self.container.start_time is not None:
                start = min(start, Fraction(self.container.start_time, av.time_base))
        self.origin = start if abs(start) > LONGEST_DELAY else Fraction(0)
        if self.container is not None:
            self.chapters = [_moved(chapter, self.origin) for chapter in self.container.chapters()]
            if self.container.streams.subtitles:
                log.warning("%s: its subtitles are left out", path)

    def after(self, now: Fraction) -> tuple[bool, Fraction]:
        """Whether the video goes on for long after the frame at ``now``; if not, when it ends.

        Times are seconds since `origin`. The packets themselves are asked, as headers say too little.
        """
        if self._path is None:
            return False, now
        last = LastPicture(self.announced_end)
        # the file may be gone by now, which shall not undo what was made of it
        with contextlib.suppress(FFmpegError, OSError), open_container(self._path) as rest:
            pictures = main_video(rest)
            rest.seek(max(round((now + self.origin) * av.time_base), 0))
            for packet in demux(rest, [pictures] if pictures else []):
                if packet.pts is not None and not packet.is_discard:  # what an edit list hides is not shown
                    last.see(packet)
                    if last.start - self.origin > now + A_MOMENT:
                        return True, last.start - self.origin
        return False, max(now, last.end() - self.origin)

    @property
    def announced_end(self) -> Fraction | None:
        """When the video ends in the file's seconds, as its header says; None of formats whose packets know it."""
        video = self.pictures
        if self.container is None or "mp4" not in self.container.format.name or not video or not video.duration:
            return None
        assert video.time_base is not None
        return ((video.start_time or 0) + video.duration) * video.time_base

    def close(self) -> None:
        if self.container is not None:
            self.container.close()


class LastPicture:
    """The picture that is shown last of those whose packets came so far, in the file's seconds.

    A packet of MP4 lasts until the next one is decoded. Where B-frames make that another order than that of showing,
    the packet before a long still would end long after it. So the header is asked, unless it goes far beyond.
    """

    def __init__(self, announced_end: Fraction | None) -> None:
        self._announced_end = announced_end
        self._seen = False
        self.start = self._end = self._furthest = Fraction(0)  # the last: where any packet reaches

    def see(self, packet: Packet) -> None:
        """The next packet, in the file's order."""
        assert packet.pts is not None
        start = packet.pts * packet.time_base
        end = start + (packet.duration or 0) * packet.time_base
        self._furthest = max(self._furthest, end)
        if start >= self.start or not self._seen:  # a clock may begin before 0
            self.start, self._end = start, end
        self._seen = True

    def end(self) -> Fraction:
        """When it ends."""
        announced = self._announced_end
        return announced if announced and self.start < announced <= self._furthest + A_MOMENT else self._end


def track_tags(stream: Stream) -> dict[str, str]:
    """A track's title and language. FFmpeg reads MP4's titles as "name", and writes them from "title"."""
    tags = {"title": stream.metadata.get("title") or stream.metadata.get("name"), "language": stream.language}
    return {name: text for name, text in tags.items() if text}


def _moved(chapter: "Chapter", origin: Fraction) -> "Chapter":
    assert chapter["time_base"] is not None  # FFmpeg gives one to each
    shift = round(origin / chapter["time_base"])
    return {**chapter, "start": chapter["start"] - shift, "end": chapter["end"] - shift}


def _open(path: Path) -> InputContainer:
    try:
        return open_container(path)
    except (OSError, FFmpegError) as error:
        raise InputError(f"{path}: its sound can't be read ({error.strerror}); give a video file") from None
