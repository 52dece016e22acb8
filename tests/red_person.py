"""A matting network that takes red for a person, so that tests of whole commands know who is in the picture."""

import signal
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from clips import make_clip

from rvm import MattingNetwork
from video_harmonizer.__main__ import main

RED, WALL = (210, 30, 40), (120, 130, 125)


def save_weights(path: Path) -> Path:
    """A checkpoint whose alpha is 0 up to red - green = 0.25, and 1 from 0.5; the foreground is the frame."""
    torch.manual_seed(0)
    network = MattingNetwork("mobilenetv3", "fast_guided_filter")
    state = network.state_dict()
    first, second = state["decoder.decode0.conv.0.weight"], state["decoder.decode0.conv.3.weight"]
    for weight in (first, second, state["project_mat.conv.weight"], state["project_mat.conv.bias"]):
        weight.zero_()
    red, green = first.shape[1] - 3, first.shape[1] - 2  # the source's channels come last
    first[0, red, 1, 1], first[0, green, 1, 1] = 1, -1
    second[0, 0, 1, 1] = 1
    state["project_mat.conv.weight"][3, 0], state["project_mat.conv.bias"][3] = 4, -1
    torch.save(state, path)
    return path


def picture(index: int = 0, width: int = 64, height: int = 48) -> np.ndarray:
    """(H, W, 3) uint8: a red figure, a third of the frame, before a wall; it moves to the right by 2 pixels a frame."""
    rgb = np.full((height, width, 3), WALL, np.uint8)
    left = width // 6 + 2 * index
    rgb[height // 5 :, left : left + width // 3] = RED
    return rgb


def person_in(index: int = 0, width: int = 64, height: int = 48) -> np.ndarray:
    """(H, W) bool: the inside of the figure, two pixels from its edge."""
    red = (picture(index, width, height) == RED).all(axis=2).astype(np.uint8)
    return cv2.erode(red, np.ones((5, 5), np.uint8), borderValue=1).astype(bool)


def wall_in(index: int = 0, width: int = 64, height: int = 48) -> np.ndarray:
    """(H, W) bool: the wall, two pixels from the figure."""
    red = (picture(index, width, height) == RED).all(axis=2).astype(np.uint8)
    return cv2.dilate(red, np.ones((5, 5), np.uint8)) == 0


def make_person_clip(path: Path, frames: int = 6, size: tuple[int, int] = (64, 48), **options: Any) -> Path:
    """A clip of `picture`, by `clips.make_clip`."""

    def frame(index: int) -> av.VideoFrame:
        return av.VideoFrame.from_ndarray(picture(index, *size))

    return make_clip(path, options.pop("pts", range(frames)), size=size, picture=frame, **options)


def save_picture(path: Path, rgb: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), rgb[..., ::-1])
    return path


def read_picture(path: Path) -> np.ndarray:
    bgr = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert bgr is not None
    return bgr[..., ::-1]


def read_video(path: Path) -> list[np.ndarray]:
    """Its frames as RGB, converted by FFmpeg: a level or two may differ from what was written."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def run_command(*arguments: object) -> int:
    """The command's exit status, as a shell would see it."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as ending:
        return int(ending.code or 0)
    finally:
        signal.signal(signal.SIGTERM, before)
