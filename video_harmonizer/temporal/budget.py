"""Keeps live video within its time for a frame: what costs most and is missed least is done less."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

log = logging.getLogger(__name__)

WEIGHT = 0.1  # of the newest frame in the mean time
HICCUP = 4.0  # budgets that a frame counts as at most: a start or a stall is no trend
OVER, UNDER = 1.0, 0.6  # shares of the budget that lead down, and up again
PATIENCE = 1.0, 5.0  # seconds that it has to last: less is soon, more comes late, lest it swings


@dataclass(frozen=True)
class Effort:
    """How much is done for a frame."""

    patience: float  # factor on the time between estimates, and on the change of light that calls for one
    scale: float  # factor on the size at which the matting network looks

    def __str__(self) -> str:
        return f"curves {1 / self.patience:.0%}, matte {self.scale:.0%}"


EFFORTS = (Effort(1, 1), Effort(4, 1), Effort(4, 0.8), Effort(4, 0.65), Effort(4, 0.5))
EFFORTS_OF_CURVES = EFFORTS[:2]  # where a matte costs the same at any size


class FrameBudget:
    """Chooses the effort: the first step down costs only the curves' promptness, the later ones the matte's detail.

    Args:
        fps: frames a second that are to be reached.
        efforts: to choose from, the greatest first.
    """

    def __init__(self, fps: float, efforts: Sequence[Effort] = EFFORTS) -> None:
        self.budget = 1 / fps
        self._efforts = efforts
        self.changes: list[str] = []  # what was done, for the report
        self._level = 0
        self._mean: float | None = None
        self._since: float | None = None  # when the mean began to call for a change: it can't turn around in one frame

    @property
    def effort(self) -> Effort:
        return self._efforts[self._level]

    def spent(self, busy: float, seconds: float) -> bool:
        """Count a frame at ``seconds`` whose slowest stage took ``busy`` seconds; whether the effort is another now."""
        busy = min(busy, HICCUP * self.budget)
        self._mean = busy if self._mean is None else self._mean + WEIGHT * (busy - self._mean)
        step = (self._mean > OVER * self.budget) - (self._mean < UNDER * self.budget)
        if not 0 <= self._level + step < len(self._efforts) or not step:
            self._since = None
            return False
        if self._since is None:
            self._since = seconds
        if seconds - self._since < PATIENCE[0 if step > 0 else 1]:
            return False
        self._level += step
        took = f"{1e3 * self._mean:.0f} of {1e3 * self.budget:.0f} ms a frame"
        self.changes.append(f"{seconds:.1f} s: {took}, so {self.effort}")
        log.info("%s", self.changes[-1])
        self._mean = self._since = None
        return True
