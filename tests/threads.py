"""Which threads are running, for tests that none is left behind."""

import threading

from tqdm import TMonitor


def left_running() -> list[threading.Thread]:
    """All but the main thread and the one by which tqdm, for good, looks after its progress bars."""
    return [
        thread
        for thread in threading.enumerate()
        if thread is not threading.main_thread() and not isinstance(thread, TMonitor)
    ]
