"""Reads a source ahead in a thread, so that decoding and what follows run at the same time."""

from collections.abc import Iterator

from video_harmonizer.ahead import Ahead
from video_harmonizer.frame import Frame
from video_harmonizer.sources import Source


class PrefetchSource:
    """A source whose next frames are read by a thread while the caller works on the last one.

    For files: a live source has its own thread, and a queue behind it would only add delay.

    Args:
        source: closed by `close`.
        depth: how many frames to hold ready.
    """

    def __init__(self, source: Source, depth: int = 3) -> None:
        self.info = source.info
        self._source = source
        self._frames = Ahead(source, f"read {self.info.name}", depth)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames)

    def close(self) -> None:
        """Stop reading, wait for the thread, close the source."""
        self._frames.stop()
        self._source.close()
        self._frames.join()
