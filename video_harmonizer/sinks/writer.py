"""Writes to a sink in a thread, so that encoding and what comes before it run at the same time."""

import threading
from collections import deque
from pathlib import Path

import numpy as np

from video_harmonizer.sinks import Sink


class ThreadedWriter:
    """A sink that queues pictures for another sink.

    `write` copies the picture into a buffer of its own (they are used again), so the caller's array is free
    as the contract says, and waits while ``depth`` pictures are queued. An error of the sink is raised by
    the next `write` or by `close`, which then aborts the sink. Not for a window: OpenCV shows those in the
    main thread only.

    Args:
        sink: closed or aborted from here.
        depth: how many pictures may wait.
    """

    def __init__(self, sink: Sink, depth: int = 3) -> None:
        self._sink = sink
        self._depth = depth
        self._waiting: deque[tuple[np.ndarray, float]] = deque()
        self._buffers: list[np.ndarray] = []
        self._changed = threading.Condition()
        self._ending = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write_all, name="write", daemon=True)
        self._thread.start()

    @property
    def kept(self) -> Path | None:
        """What the sink kept."""
        return self._sink.kept

    def write(self, image: np.ndarray, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < self._depth or self._error)
            if self._error:
                raise self._error
            buffer = self._buffers.pop() if self._buffers else np.empty_like(image)
        if (buffer.shape, buffer.dtype) != (image.shape, image.dtype):
            buffer = np.empty_like(image)
        np.copyto(buffer, image)
        with self._changed:
            self._waiting.append((buffer, seconds))
            self._changed.notify_all()

    def close(self, whole: bool = True) -> None:
        self._stop()
        if self._error:
            error, self._error = self._error, None
            self._sink.abort()
            raise error
        self._sink.close(whole)

    def abort(self) -> None:
        self._stop()  # when what waits is written: the error is not of these pictures
        self._sink.abort()

    def _stop(self) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ending)
                if not self._waiting:
                    return
                buffer, seconds = self._waiting.popleft()
                self._changed.notify_all()
            try:
                self._sink.write(buffer, seconds)
            except BaseException as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
            self._buffers.append(buffer)
