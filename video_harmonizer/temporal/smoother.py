"""Curves that follow the light without flickering."""

import numpy as np

from video_harmonizer.frame import MAX_GAP_SECONDS, ToneCurves


class CurveSmoother:
    """Exponential smoothing in time: after ``time_constant`` seconds 63 % of a change is taken over.

    The composed curves are smoothed, which is what is rendered; a network's raw parameters have a free scale.
    The weight of a new estimate is ``1 - exp(-dt / time_constant)``, so that frame rates make no difference.
    """

    def __init__(self, time_constant: float) -> None:
        self.time_constant = time_constant
        self.reset()

    def reset(self) -> None:
        """Forget; the next estimate is taken as it is."""
        self._table: np.ndarray | None = None
        self._estimated = self._seen = -np.inf

    def update(self, estimate: ToneCurves | None, seconds: float, samples: int = 256) -> ToneCurves:
        """The curves to render at ``seconds``.

        Args:
            estimate: of this frame; None where there is none (nobody in view, or no finite answer), and then
                the last curves hold.
            samples: of the identity that is returned before the first estimate.
        """
        if not 0 <= seconds - self._seen <= MAX_GAP_SECONDS:
            self.reset()
        self._seen = seconds
        if estimate is not None:
            if self._table is None or self._table.shape != estimate.table.shape or self.time_constant <= 0:
                self._table = estimate.table
            else:
                # since the last estimate, not the last frame: after an absence the old curves count for less
                weight = 1 - np.exp((self._estimated - seconds) / self.time_constant)
                self._table = self._table + np.float32(weight) * (estimate.table - self._table)
            self._estimated = seconds
        return ToneCurves.identity(samples) if self._table is None else ToneCurves(self._table)
