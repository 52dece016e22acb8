"""Reads a source ahead in a thread, so that decoding and what follows run at the same time."""

import threading
from collections import deque
from collections.abc import Iterator

from video_harmonizer.frame import Frame
from video_harmonizer.sources import Source


class PrefetchSource:
    """A source whose next frames are read by a thread while the caller works on the last one.

    Order is kept; an error of the source is raised in the iterating thread after the frames before it.
    For files: a live source has its own thread, and a queue behind it would only add delay.

    Args:
        source: closed by `close`.
        depth: how many frames to hold ready.
    """

    def __init__(self, source: Source, depth: int = 3) -> None:
        self.info = source.info
        self._source = source
        self._depth = depth
        self._ready: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read_ahead, name=f"read {self.info.name}", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._ended or self._stopping)
                if self._stopping:
                    return
                if not self._ready:
                    break
                frame = self._ready.popleft()
                self._changed.notify_all()
            yield frame
        if self._error:
            raise self._error

    def close(self) -> None:
        """Stop reading, wait for the thread, close the source."""
        with self._changed:
            self._stopping = True
            self._ready.clear()
            self._changed.notify_all()
        self._source.close()
        self._thread.join()

    def _read_ahead(self) -> None:
        try:
            for frame in self._source:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._ready) < self._depth or self._stopping)
                    if self._stopping:
                        return
                    self._ready.append(frame)
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
