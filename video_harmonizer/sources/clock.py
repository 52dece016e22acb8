"""Presentation times that strictly increase, whatever a file says."""

import math


class FrameClock:
    """Turns a stream's timestamps into ticks since its first frame.

    Timestamps that increase are kept exactly. A missing one follows the frame before it by the usual step.
    One that repeats or steps back a little comes one tick later, so that the error does not spread. One
    that falls back by more than ``restart`` ticks, or jumps ahead by more than ``jump``, is of a clock that
    began anew (joined recordings): time goes on from where it was.
    """

    def __init__(self, step: int, restart: int, jump: float = math.inf) -> None:
        self._step = max(step, 1)
        self._restart = restart
        self._jump = jump
        self._origin: int | None = None
        self._last = 0

    def ticks(self, pts: int | None) -> int:
        """The next frame's time in ticks since the first; strictly greater than the one before."""
        if self._origin is None:
            self._origin = pts or 0
            return 0
        ticks = self._last + self._step if pts is None else pts - self._origin
        if not -self._restart <= ticks - self._last <= self._jump:
            self._origin -= self._last + self._step - ticks
            ticks = self._last + self._step
        elif ticks <= self._last:
            ticks = self._last + 1
        self._last = ticks
        return ticks
