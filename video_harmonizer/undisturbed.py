"""Lets a run finish its files where Ctrl-C comes, or comes again."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any


@contextmanager
def endings_as_ctrl_c() -> Iterator[None]:
    """What ends a service, a container or a terminal ends the run as Ctrl-C does: what is finished is kept."""
    taken = []
    if threading.current_thread() is threading.main_thread():  # no other may set what signals do
        endings = [signal.SIGTERM, signal.SIGHUP] if hasattr(signal, "SIGHUP") else [signal.SIGTERM]
        taken = [ending for ending in endings if signal.getsignal(ending) is signal.SIG_DFL]  # nohup ignores the latter
    for ending in taken:
        signal.signal(ending, signal.default_int_handler)
    try:
        yield
    finally:
        for ending in taken:
            signal.signal(ending, signal.SIG_DFL)


class Undisturbed(ExitStack[None]):
    """A stack of what is to be closed, which Ctrl-C and signals that are handled alike do not interrupt.

    From `begin`, or else from the end of the ``with``, until all is closed they are noted, not raised. People often
    press Ctrl-C twice. The second one, raised, would leave a file unfinished, or a thread inside a network, which
    crashes Python at its exit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.disturbed = False
        self._handlers: dict[int, Any] = {}

    def begin(self) -> None:
        """From now on signals are noted. Does nothing outside of the main thread, where none are raised anyway."""
        if self._handlers or threading.current_thread() is not threading.main_thread():
            return
        for number in signal.valid_signals():
            if signal.getsignal(number) is signal.default_int_handler:
                self._handlers[number] = signal.signal(number, self._note)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.begin()
        try:
            super().__exit__(kind, error, traceback)
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            self._handlers.clear()

    def _note(self, *_: object) -> None:
        self.disturbed = True
