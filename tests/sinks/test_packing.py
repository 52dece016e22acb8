"""What encoders get."""

import numpy as np
import pytest

from video_harmonizer.frame import VideoColor
from video_harmonizer.sinks.packing import FramePacker
from video_harmonizer.sources.picture import PictureReader


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "yuv444p12le"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_is_what_it_was(dtype: type, pixel_format: str, full_range: bool):
    white = np.iinfo(dtype).max
    for share in (0, 0.25, 0.5, 1):
        rgb: np.ndarray = np.full((32, 48, 3), round(share * white), dtype)
        frame = FramePacker(pixel_format, 48, 32, VideoColor(1, 1, 1, full_range)).pack(rgb)
        read = PictureReader(frame, None).read(frame)
        found = read[16, 24] / np.iinfo(read.dtype).max
        np.testing.assert_allclose(
            found, rgb[16, 24] / white, atol=0.6 / 255 if "p1" not in pixel_format else 0.2 / 255
        )


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "rgb24", "gbrp", "gbrp10le"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_brightness_stays_in_the_mean(dtype: type, pixel_format: str, full_range: bool):
    ramp: np.ndarray = np.linspace(0, np.iinfo(dtype).max, 4096).round().astype(dtype).reshape(64, 64)
    rgb = np.ascontiguousarray(np.broadcast_to(ramp[..., None], (64, 64, 3)))
    frame = FramePacker(pixel_format, 64, 64, VideoColor(1, 1, 1, full_range)).pack(rgb)
    read = PictureReader(frame, None).read(frame)
    assert read.mean() / np.iinfo(read.dtype).max == pytest.approx(rgb.mean() / np.iinfo(dtype).max, abs=0.2 / 255)
