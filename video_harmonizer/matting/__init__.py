"""Ways to find the person in a frame. One file a way; all keep the contract below."""

from typing import Protocol

from video_harmonizer.frame import Frame, Matte


class Matting(Protocol):
    """Called with a source's frames in order. May remember earlier frames: `reset` before another source."""

    name: str  # for the report

    def matte(self, frame: Frame) -> Matte:
        """The frame's matte, in the frame's size."""

    def reset(self) -> None:
        """Forget every frame seen so far."""
