"""A window on the screen."""

import ctypes
import os
import sys

import cv2
import numpy as np

from video_harmonizer.errors import InputError
from video_harmonizer.label import label
from video_harmonizer.pixels import to_depth

LARGEST_AT_FIRST = (1280, 720)  # fits on any screen; the window can be enlarged
QUIT = "q"
ESCAPE = 27
REMEDY = "run without a window: --no-window --output FILE"


class WindowSink:
    """Shows pictures in a window, which starts no larger than 1280x720 and can be resized.

    The window opens at construction, which must come before the first video file is opened: PyAV and
    OpenCV's toolkit each bring their own X library, and a first window that opens after PyAV is loaded
    freezes. To be used in the main thread only.

    Raises:
        InputError: there is no display, or this OpenCV has no windows.
    """

    kept = None  # nothing is written
    _toolkit_ready = False

    def __init__(self, title: str) -> None:
        if sys.platform == "linux" and "av" in sys.modules and not WindowSink._toolkit_ready:
            raise RuntimeError("PyAV is loaded already; open the window before the first video file")
        _check_display()
        self._title = title
        self._size: tuple[int, int] | None = None
        self._pressed: str | None = None
        self.status = ""  # a line that is written on the picture
        self._ended = False
        try:
            # resizable, and without Qt's toolbar, whose buttons do nothing for a film
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error:
            raise InputError(f"window: this OpenCV was built without windows; {REMEDY}") from None
        WindowSink._toolkit_ready = True
        cv2.waitKey(1)

    def write(self, image: np.ndarray, seconds: float) -> None:
        """Show a picture now. After the window is closed nothing is shown."""
        if not self._is_open():
            return
        height, width = image.shape[:2]
        known = self._size == (width, height)
        room = cv2.getWindowImageRect(self._title)[2:] if known else LARGEST_AT_FIRST
        if min(room) <= 0:  # minimized, or a toolkit that does not know
            room = LARGEST_AT_FIRST
        scale = min(1.0, room[0] / width, room[1] / height)
        shown = max(round(width * scale), 1), max(round(height * scale), 1)
        # no larger than it is seen: a third of the time where views stand side by side, and the status can be read
        smaller = cv2.resize(image, shown, interpolation=cv2.INTER_LINEAR)
        picture = cv2.cvtColor(to_depth(smaller, np.uint8), cv2.COLOR_RGB2BGR)
        if self.status:
            label(picture, self.status, at_top=True)
        cv2.imshow(self._title, picture)
        if not known:
            self._size = width, height
            cv2.resizeWindow(self._title, *shown)
        self._note_key(cv2.waitKeyEx(1))

    def poll(self) -> str | None:
        """The key pressed since the last call, if any; `QUIT` for q, Escape and a closed window."""
        if not self._is_open():
            return QUIT
        self._note_key(cv2.waitKeyEx(1))
        pressed, self._pressed = self._pressed, None
        return pressed

    def close(self, whole: bool = True) -> None:
        if not self._ended and self._is_open():
            cv2.destroyWindow(self._title)
            cv2.waitKey(1)  # lets the toolkit do it
        self._ended = True

    def abort(self) -> None:
        self.close()

    def _is_open(self) -> bool:
        try:
            return not self._ended and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) > 0
        except cv2.error:  # some toolkits forget a closed window altogether
            return False

    def _note_key(self, code: int) -> None:
        key = code & 0xFFFF  # above it some toolkits tell of Shift and Num Lock
        if key == ESCAPE or self._pressed == QUIT:  # which no later key takes back
            self._pressed = QUIT
        elif 32 <= key < 127:  # of the left arrow, 0xFF51, the lower byte would be a Q
            self._pressed = chr(key).lower()


def _check_display() -> None:
    # OpenCV's toolkit ends the whole process where it finds no display, so that is tried here first.
    if sys.platform != "linux":
        return
    display = os.environ.get("DISPLAY")
    if not display:
        raise InputError(f"window: there is no display (DISPLAY is not set); {REMEDY}")
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:  # an OpenCV for another window system; its error will be ours
        return
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    connection = x11.XOpenDisplay(None)
    if not connection:
        raise InputError(f"window: the display {display} does not answer; {REMEDY}")
    x11.XCloseDisplay(connection)
