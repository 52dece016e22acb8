"""Media files as sources and sinks both open them: which video counts, what packets come, where clocks begin anew."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

ASSUMED_RATE = Fraction(30)  # frames a second of a video that names none
DEFAULT, ATTACHED_PICTURE = 1, 0x400  # AV_DISPOSITION_DEFAULT, and AV_DISPOSITION_ATTACHED_PIC: cover art

# Recordings joined end to end, as broadcasts and cameras' transport streams often are; other formats are seldom.
BACK = Fraction(1)  # seconds by which a clock falls back where the next one begins; less is an error
JUMP_AHEAD = Fraction(10)  # seconds by which it jumps there, where clocks may; elsewhere a still stays that long
JUMPING_FORMAT = "mpegts"  # whose clocks may begin anywhere


def open_container(path: Path) -> InputContainer:
    """Open a file, whatever its name and its tags; raises OSError or FFmpegError where it can't be read."""
    # "file:", as names may have colons. Tags in an old encoding must not keep a video from being read.
    return av.open(f"file:{path}", metadata_errors="replace")


def video_streams(container: InputContainer) -> list[VideoStream]:
    """All that moves: video streams but cover art."""
    return [stream for stream in container.streams.video if not stream.disposition & ATTACHED_PICTURE]


def main_video(container: InputContainer) -> VideoStream | None:
    """The video that is read: the largest one that can be decoded here, of those that players show by themselves."""
    known = [stream for stream in video_streams(container) if stream.codec_context is not None]
    return max(known, key=lambda stream: (stream.disposition & DEFAULT, stream.width * stream.height), default=None)


def demux(container: InputContainer, streams: list[Stream]) -> Iterator[Packet]:
    """Packets of these streams in the file's order, each stream's closing mark behind its last."""
    # PyAV may stumble at the end over streams that were not there at the beginning, once all others are closed
    with contextlib.suppress(IndexError):
        if streams:  # without any PyAV would give all
            yield from container.demux(streams)


def begins_anew(passed: Fraction, file_format: str) -> bool:
    """Whether a packet that comes so many seconds after the one before is of the next of several joined recordings."""
    return passed < -BACK or (file_format == JUMPING_FORMAT and passed > JUMP_AHEAD)
