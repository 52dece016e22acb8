"""Where the fragments of an MP4 begin, so that none of its last pictures lies beyond its end."""

from fractions import Fraction

from av.packet import Packet

SECONDS = 2  # of a fragment: what a crash costs at most, beside the pictures that the encoder holds back


class Fragments:
    """Follows FFmpeg's muxer, which begins a fragment with the first packet that comes ``SECONDS`` after its track's.

    With a new fragment that muxer forgets how far the pictures before reached. If B-frames alone come in the last one,
    the picture that they belong to, coded before and shown after them, would lie beyond the end of the file, where
    players stop. So the first packet of each fragment lasts until that end. A packet's duration counts for nothing
    else there, but in the last packet of all; to prolong every last packet would spoil the file's average rate.
    """

    def __init__(self) -> None:
        self._begun: dict[int, Fraction] = {}  # by stream, when its first packet in this fragment is decoded
        self._ends: dict[int, int] = {}  # by stream, in ticks, until when its packets so far are shown

    def prepare(self, packet: Packet) -> None:
        """To be called with every packet just before it is written, in the order of writing."""
        assert packet.pts is not None
        assert packet.dts is not None
        index, now = packet.stream_index, packet.dts * packet.time_base
        if now - self._begun.get(index, now) >= SECONDS:
            self._begun.clear()
        end = max(packet.pts + (packet.duration or 0), self._ends.get(index, packet.pts))
        if index not in self._begun:
            self._begun[index] = now
            packet.duration = end - packet.pts
        self._ends[index] = end
