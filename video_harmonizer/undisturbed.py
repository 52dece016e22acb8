"""Lets a run finish its files where Ctrl-C comes again."""

import signal
import threading
from types import TracebackType
from typing import Any


class Undisturbed:
    """From `begin` to the end of the ``with``, Ctrl-C and signals that are handled alike are noted, not raised.

    People often press Ctrl-C twice. The second one, raised, would leave a file unfinished, or a thread inside a
    network, which crashes Python at its exit.
    """

    def __init__(self) -> None:
        self.disturbed = False
        self._handlers: dict[int, Any] = {}

    def begin(self) -> None:
        """Once is enough. Does nothing outside of the main thread, where signals are not raised anyway."""
        if self._handlers or threading.current_thread() is not threading.main_thread():
            return
        for number in signal.valid_signals():
            if signal.getsignal(number) is signal.default_int_handler:
                self._handlers[number] = signal.signal(number, self._note)

    def __enter__(self) -> "Undisturbed":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def _note(self, *_: object) -> None:
        self.disturbed = True
