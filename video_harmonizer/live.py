"""Live video around each frame: keep up with the camera or with a file's own pace, tell how it goes, and stop."""

import time

from video_harmonizer.frame import Views
from video_harmonizer.pipeline import Pipeline
from video_harmonizer.sinks.window import QUIT, WindowSink
from video_harmonizer.temporal.budget import EFFORTS, EFFORTS_OF_CURVES, FrameBudget

TELL = "h"  # the key that hides or shows the line of numbers
LATE = 0.5  # seconds behind which a file goes on from where it is, instead of hurrying after its clock
GLANCE = 0.02  # seconds between looks at the keyboard while there is nothing to show


class Pace:
    """Holds a file back to the speed at which it was filmed."""

    def __init__(self) -> None:
        self._began: float | None = None

    def early(self, seconds: float) -> float:
        """How many seconds too early a frame of that time is; 0 or less when it is due."""
        now = time.monotonic()
        if self._began is None or self._began + seconds < now - LATE:
            self._began = now - seconds
        return self._began + seconds - now


class LiveWatch:
    """What happens around each frame of live video: keep pace, tell, keep up, and see whether it goes on."""

    def __init__(
        self, pipeline: Pipeline, fps: float, window: WindowSink | None, pace: Pace | None, photograph: bool = False
    ) -> None:
        self.budget = FrameBudget(fps, EFFORTS if pipeline.matting.scalable else EFFORTS_OF_CURVES)
        self._pipeline, self._window, self._pace = pipeline, window, pace
        self._photograph = photograph
        self._told = True
        self._began = self._shown = time.monotonic()
        self._interval = 1 / fps  # between frames, a mean

    def before_frame(self, views: Views) -> bool:
        """Wait until the frame is due; whether it is still wanted then."""
        if self._window is None:
            return True
        while self._pace and (early := self._pace.early(views.seconds)) > 0:
            if not self._listen(self._window):
                return False
            time.sleep(min(early, GLANCE))
        now = time.monotonic()
        self._interval += 0.1 * (now - self._shown - self._interval)
        self._shown = now
        rate, delay = 1 / max(self._interval, 1e-6), 1e3 * self._pipeline.latency
        self._window.status = f"{rate:.0f} fps   {delay:.0f} ms   {self.budget.effort}" if self._told else ""
        return True

    def after_frame(self, views: Views) -> bool:
        """Whether there is to be another one."""
        busy = self._pipeline.timer.busiest()
        # what frames cost while a network is being made for another size says nothing of either size
        waited = time.monotonic() - self._began  # a slow file's own clock would have one wait longer the slower it is
        if not self._pipeline.matting.is_rescaling() and self.budget.spent(busy, waited):
            self._pipeline.take(self.budget.effort)
        if self._window is None:
            return True
        while self._photograph and self._listen(self._window):  # it stays until it was looked at
            time.sleep(GLANCE)
        return self._listen(self._window)

    def while_waiting(self) -> bool:
        """Whether a frame that does not come is still wanted."""
        return self._window is None or self._listen(self._window)

    def _listen(self, window: WindowSink) -> bool:
        pressed = window.poll()
        if pressed == TELL:
            self._told = not self._told
        return pressed != QUIT
