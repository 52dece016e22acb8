"""The window, in a process of its own: on a virtual display, or with none."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import make_clip

from video_harmonizer.sinks.window import QUIT, WindowSink

SHOW = """
import sys
from pathlib import Path
import cv2
import numpy as np
from video_harmonizer.sinks.window import QUIT, WindowSink

window = WindowSink("test")
from video_harmonizer.sources.video_file import VideoFileSource  # PyAV comes after the window

shown = 0
for frame in VideoFileSource(Path(sys.argv[1])):
    window.write(frame.rgb, frame.seconds)
    shown += 1
assert window.poll() is None
x, y, width, height = cv2.getWindowImageRect("test")
assert (width, height) == (64, 48), (width, height)

window.write(np.zeros((2160, 3840, 3), np.uint16), 1.0)
x, y, width, height = cv2.getWindowImageRect("test")
assert 600 < width <= 1280 and 300 < height <= 720, (width, height)

second = WindowSink("second")
cv2.destroyWindow("second")
second.write(frame.rgb, 0.0)
assert second.poll() == QUIT
second.close()

window.close()
window.abort()
window.close()
print("shown", shown)
"""


def run(program: str, *arguments: str, **environment: str | None) -> subprocess.CompletedProcess:
    merged = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment
    settings = {name: value for name, value in merged.items() if value is not None}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=60)


def test_a_video_file_is_shown_and_the_window_closes(display, tmp_path):
    done = run(SHOW, str(make_clip(tmp_path / "a.mp4")), DISPLAY=display)
    assert done.returncode == 0, done.stderr
    assert "shown 10" in done.stdout


OPEN = """
from video_harmonizer.errors import InputError
from video_harmonizer.sinks.window import WindowSink
try:
    WindowSink("test")
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only here can the display be taken away")
@pytest.mark.parametrize(("display", "reason"), [(None, "there is no display"), (":4711", "does not answer")])
def test_without_a_display_it_is_said_how_to_go_on(display, reason):
    done = run(OPEN, DISPLAY=display)
    assert done.returncode == 0, done.stderr
    assert reason in done.stdout
    assert "--no-window" in done.stdout


@pytest.fixture
def toolkit(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """OpenCV's windows without a screen; what is shown in them."""
    shown: list[np.ndarray] = []
    for name in ("namedWindow", "resizeWindow"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, picture: shown.append(picture))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    monkeypatch.setattr(cv2, "getWindowImageRect", lambda *_: (-1, -1, -1, -1))
    monkeypatch.setattr(cv2, "waitKeyEx", lambda _: -1)
    monkeypatch.setattr(cv2, "waitKey", lambda _: -1)
    monkeypatch.setattr("video_harmonizer.sinks.window._check_display", lambda: None)
    monkeypatch.setattr(WindowSink, "_toolkit_ready", True)
    return shown


def test_no_later_key_takes_back_the_end(toolkit: list[np.ndarray], monkeypatch: pytest.MonkeyPatch):
    pressed = [-1, ord("h"), ord("q"), ord("h"), -1]
    monkeypatch.setattr(cv2, "waitKeyEx", lambda _: pressed.pop(0))
    window = WindowSink("test")
    picture = np.zeros((4, 4, 3), np.uint8)
    window.write(picture, 0.0)
    assert window.poll() == "h"
    window.write(picture, 0.1)
    assert window.poll() == QUIT


def test_a_toolkit_that_does_not_know_how_large_pictures_are_seen_gets_them_as_at_first(toolkit: list[np.ndarray]):
    window = WindowSink("test")
    for seconds in (0.0, 0.1):
        window.write(np.zeros((720, 3840, 3), np.uint8), seconds)
    assert [picture.shape for picture in toolkit] == [(240, 1280, 3)] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="only here do the two libraries clash")
def test_a_window_after_pyav_is_refused_rather_than_frozen():
    done = run("import av" + OPEN)
    assert done.returncode == 1
    assert "open the window before the first video file" in done.stderr


KEYS = """
import sys
import cv2
import numpy as np
from video_harmonizer.sinks.window import QUIT, WindowSink

window = WindowSink("test")
LEFT, SHIFT, NUM_LOCK = 0xFF51, 0xFFE1, 0x100000
codes = {ord("s"): "s", ord("Q"): QUIT, NUM_LOCK | ord("q"): QUIT, 27: QUIT, -1: None, LEFT: None, SHIFT: None}
for code, key in codes.items():
    cv2.waitKeyEx = lambda delay, code=code: code
    window.write(np.zeros((4, 4, 3), np.uint8), 0.0)
    cv2.waitKeyEx = lambda delay: -1
    assert window.poll() == key, (code, key)
    assert window.poll() is None
"""


def test_keys_are_told_once(display):
    done = run(KEYS, DISPLAY=display)
    assert done.returncode == 0, done.stderr


FIT = """
import cv2
import numpy as np
from video_harmonizer.sinks.window import WindowSink

window, shown, show = WindowSink("test"), [], cv2.imshow
cv2.imshow = lambda title, picture: (shown.append(picture.copy()), show(title, picture))
side_by_side = np.full((720, 3840, 3), 90, np.uint8)
window.write(side_by_side, 0.0)
window.write(side_by_side, 0.1)
cv2.resizeWindow("test", 1920, 400)
window.write(side_by_side, 0.2)
window.status = "30 fps"
window.write(side_by_side, 0.3)
sizes = [picture.shape[:2] for picture in shown]
assert sizes[:2] == [(240, 1280)] * 2, sizes
assert abs(sizes[3][1] - 1920) < 20, sizes
assert (shown[1] == 90).all()
plate = shown[3][:20, :50]
assert plate.max() > 240, "letters"
assert np.median(plate) == 30, "on dark"
"""


def test_pictures_are_sent_as_large_as_they_are_seen_with_the_status_on_them(display):
    done = run(FIT, DISPLAY=display)
    assert done.returncode == 0, done.stderr
