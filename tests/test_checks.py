"""What is said of options before anything is opened."""

import pytest

from video_harmonizer import checks
from video_harmonizer.options import LiveOptions
from video_harmonizer.view import View


@pytest.mark.parametrize(
    ("view", "background", "told"),
    [("alpha", "beach.jpg", True), ("alpha", LiveOptions.background, False), ("harmonized", "beach.jpg", False)],
)
def test_live_video_tells_of_a_background_that_it_does_not_show(
    view: View, background: str, told: bool, caplog: pytest.LogCaptureFixture
):
    checks.check(LiveOptions(view=view, background=background, matting="chroma"))
    assert (f"--background {background}: not used, as --view {view} shows nothing of it" in caplog.text) == told
