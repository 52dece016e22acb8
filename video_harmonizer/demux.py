"""The packets of a file, whatever FFmpeg comes upon in it."""

import contextlib
from collections.abc import Iterator

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream


def demux(container: InputContainer, streams: list[Stream]) -> Iterator[Packet]:
    """Packets of these streams in the file's order, each stream's closing mark behind its last."""
    # PyAV may stumble at the end over streams that were not there at the beginning, once all others are closed
    with contextlib.suppress(IndexError):
        if streams:  # without any PyAV would give all
            yield from container.demux(streams)
