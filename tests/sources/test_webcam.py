"""The camera's thread, its slot, and how it fails."""

import time

import cv2
import numpy as np
import pytest
from fake_camera import FakeCamera

from video_harmonizer.errors import InputError
from video_harmonizer.sources import webcam
from video_harmonizer.sources.webcam import WebcamSource


def camera_source(fake: FakeCamera, **kwargs) -> WebcamSource:
    return WebcamSource(0, open_capture=lambda _: fake, **kwargs)


def test_info_is_what_the_camera_gives_not_what_was_asked():
    fake = FakeCamera(640, 480, rate=29.97)
    source = camera_source(fake, size=(1920, 1080), rate=60)
    source.close()
    assert (source.info.width, source.info.height) == (640, 480)
    assert source.info.rate is not None
    assert float(source.info.rate) == pytest.approx(29.97, abs=1e-3)
    assert source.info.live
    assert (fake.asked[cv2.CAP_PROP_FRAME_WIDTH], fake.asked[cv2.CAP_PROP_FPS]) == (1920, 60)


@pytest.mark.parametrize("rate", [1e7, float("inf"), float("nan"), 1e-5, 0, -1])
def test_a_rate_that_no_camera_has_is_not_believed(rate: float):
    source = camera_source(FakeCamera(64, 48, rate=rate))
    source.close()
    assert source.info.rate == 30


def test_a_slow_reader_gets_the_newest_frame_and_a_gap_in_the_numbers():
    source = camera_source(FakeCamera(64, 48, interval=0.005))
    frames = iter(source)
    first = next(frames)
    time.sleep(0.15)
    second = next(frames)
    source.close()
    assert second.index > 5
    assert int(second.rgb[0, 0, 0]) - int(first.rgb[0, 0, 0]) == second.index
    assert 0.1 < second.seconds < 1


def test_colours_are_rgb():
    source = camera_source(FakeCamera(64, 48))
    assert next(iter(source)).rgb[0, 0, 2] == 200
    source.close()


def test_a_mirror_exchanges_left_and_right():
    class Marked(FakeCamera):
        def read(self) -> tuple[bool, np.ndarray | None]:
            got, bgr = super().read()
            assert bgr is not None
            bgr[:, 0, 1] = 99
            return got, bgr

    for mirrored in (False, True):
        source = camera_source(Marked(64, 48), mirrored=mirrored)
        green = next(iter(source)).rgb[0, :, 1]
        source.close()
        assert green[-1 if mirrored else 0] == 99
        assert green.sum() == 99


def test_pictures_of_another_size_are_made_to_fit():
    fake = FakeCamera(64, 48)
    source = camera_source(fake)
    fake.size = (96, 36)
    frames = iter(source)
    assert {next(frames).rgb.shape for _ in range(5)} == {(48, 64, 3)}
    source.close()


def test_a_missing_camera_lists_those_there_are(tmp_path, monkeypatch):
    for number in (2, 10):
        (tmp_path / f"video{number}").touch()
        (tmp_path / "names" / f"video{number}").mkdir(parents=True)
        (tmp_path / "names" / f"video{number}" / "name").write_text(f"Camera {number}\n")
    monkeypatch.setattr(webcam, "DEVICES", tmp_path)
    monkeypatch.setattr(webcam, "DEVICE_NAMES", tmp_path / "names")
    with pytest.raises(InputError, match=r"webcam 0: .*2 \(Camera 2\); 10 \(Camera 10\).*--source FILE"):
        WebcamSource(0, open_capture=lambda _: FakeCamera(64, 48, opens=False))


def test_a_camera_that_is_in_use_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "video0").touch()
    monkeypatch.setattr(webcam, "DEVICES", tmp_path)
    with pytest.raises(InputError, match=r"webcam 0: it can't be opened; close other programs that use it"):
        WebcamSource(0, open_capture=lambda _: FakeCamera(64, 48, opens=False))


def test_no_camera_at_all_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(webcam, "DEVICES", tmp_path)
    monkeypatch.setattr(webcam.sys, "platform", "linux")
    with pytest.raises(InputError, match=r"webcam 0: .*none found.*--source FILE"):
        WebcamSource(0)


def test_a_camera_that_gives_nothing_is_refused_and_released():
    fake = FakeCamera(64, 48, frames=0)
    with pytest.raises(InputError, match="gives no picture"):
        camera_source(fake, timeout=0.1)
    assert fake.released


def test_a_camera_may_need_some_attempts():
    class Sleepy(FakeCamera):
        asleep = 3

        def read(self) -> tuple[bool, np.ndarray | None]:
            self.asleep -= 1
            return (False, None) if self.asleep >= 0 else super().read()

    source = camera_source(Sleepy(64, 48), timeout=5)
    assert next(iter(source)).index == 0
    source.close()


def test_a_camera_that_stops_ends_with_an_error():
    source = camera_source(FakeCamera(64, 48, frames=4), timeout=0.1)
    with pytest.raises(InputError, match="plug it in again"):
        list(source)
    source.close()


def test_a_camera_that_hangs_ends_with_an_error_and_holds_nobody_up(caplog: pytest.LogCaptureFixture):
    fake = FakeCamera(64, 48)
    source = camera_source(fake, timeout=0.1)
    frames = iter(source)
    next(frames)
    fake.reading.acquire()
    with pytest.raises(InputError, match=r"no picture for 0\.1 seconds"):
        list(frames)
    source.close()
    source.close()
    assert caplog.text.count("webcam 0: it hangs") == 1
    assert not fake.released
    fake.reading.release()  # it answers after all
    source._thread.join(5)
    assert fake.released


def test_an_error_in_the_thread_comes_out_of_the_iteration():
    fake = FakeCamera(64, 48)
    source = camera_source(fake)
    fake.left = "broken"  # type: ignore[assignment]
    with pytest.raises(TypeError):
        list(source)
    source.close()
