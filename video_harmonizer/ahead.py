"""Makes things in a thread before they are asked for, so that making and using them run at the same time."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Iterates over ``items`` in a thread, up to ``depth`` items ahead of who iterates over this.

    Order is kept; an error is raised in the iterating thread after the items before it. The thread starts with the
    iteration, so that there is nothing to end before. To end early, call `stop`, then free what the items may be
    waiting for, then `join`.

    Args:
        items: iterated once, in the thread.
        name: of the thread.
        depth: how many items to hold ready. One is made when there is room for it, not before: made earlier it would
            only grow old.
    """

    def __init__(self, items: Iterable[T], name: str, depth: int) -> None:
        self._items = items
        self._depth = depth
        self._ready: deque[T] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._make, name=name, daemon=True)

    def __iter__(self) -> Iterator[T]:
        return self.with_breaks(None, lambda: True)

    def with_breaks(self, seconds: float | None, meanwhile: Callable[[], bool]) -> Iterator[T]:
        """Iterate, and call ``meanwhile`` each time that nothing came for so long; False ends it."""
        if self._thread.ident is None:
            self._thread.start()
        while True:
            while not self._has_news(seconds):
                if not meanwhile():
                    return
            with self._changed:
                if self._stopping:
                    return
                if not self._ready:
                    break
                item = self._ready.popleft()
                self._changed.notify_all()
            yield item
        if self._error:
            raise self._error

    def _has_news(self, seconds: float | None) -> bool:
        """Wait for an item or the end; whether there is one by then."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: self._ready or self._ended or self._stopping, seconds))

    def stop(self) -> None:
        """Make no more items and give none away."""
        with self._changed:
            self._stopping = True
            self._ready.clear()
            self._changed.notify_all()

    def join(self) -> None:
        """Wait for the thread to end."""
        if self._thread.ident is not None:
            self._thread.join()

    def _make(self) -> None:
        try:
            items = iter(self._items)
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._ready) < self._depth or self._stopping)
                    if self._stopping:
                        return
                try:
                    item = next(items)
                except StopIteration:
                    return
                with self._changed:
                    if self._stopping:
                        return
                    self._ready.append(item)
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
