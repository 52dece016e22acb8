"""Where frames come from. One file a kind of source; all keep the contract below."""

from collections.abc import Iterator
from typing import Protocol

from video_harmonizer.frame import Frame, SourceInfo


class Source(Protocol):
    """Opened by its constructor (which raises InputError for what can't be read), iterated once, closed once.

    Frames are upright RGB with strictly increasing ``seconds`` that start at 0. ``close`` may be called
    at any time, also twice, also from another thread's end of the pipeline; iteration then stops.
    """

    info: SourceInfo

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...
