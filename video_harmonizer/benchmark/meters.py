"""What a measurement is read from: clocks, and the system's account of memory."""

import ctypes
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Stopwatch:
    """Keeps every time that each stage took, so that medians can be taken."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)

    def call(self, stage: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work and keep its time for the stage."""
        began = time.perf_counter()
        result = work(*args, **kwargs)
        self.seconds[stage].append(time.perf_counter() - began)
        return result

    def milliseconds(self) -> dict[str, float]:
        """Each stage's median, to four digits."""
        return {stage: float(f"{1e3 * median(times):.4g}") for stage, times in self.seconds.items()}


class PeakMemory:
    """The most memory that the process held at a time, of what it holds in RAM."""

    def __init__(self) -> None:
        self._status = Path("/proc/self/status")
        self._resets = self._reset() and self._high_water() is not None
        self.method = (
            "VmHWM of /proc/self/status, reset before each run"
            if self._resets
            else "ru_maxrss of getrusage, the most since the program started"
        )

    def start(self) -> None:
        """Forget earlier peaks, where the system can, and let go of what is freed but still held."""
        with suppress(OSError, AttributeError):  # glibc only
            ctypes.CDLL(None).malloc_trim(0)
        self._reset()

    def mib(self) -> float | None:
        """MiB since `start`, or since the program's start where `method` says so; None where nobody knows."""
        if self._resets:
            return self._high_water()
        try:
            import resource
        except ImportError:  # Windows
            return None
        unit = 1024**2 if sys.platform == "darwin" else 1024
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)

    def _reset(self) -> bool:
        with suppress(OSError):
            return Path("/proc/self/clear_refs").write_text("5") > 0
        return False

    def _high_water(self) -> float | None:
        with suppress(OSError):
            for line in self._status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return round(int(line.split()[1]) / 1024, 1)
        return None
