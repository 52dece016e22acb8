"""Ways to find the person in a frame. One file a way; all keep the contract below."""

from typing import Any, Protocol

from video_harmonizer.frame import Frame, Matte


class Matting(Protocol):
    """Called with a source's frames in order. May remember earlier frames: `reset` before another source.

    Two halves, so that the first can be at the next frame while the second is at this one.
    """

    name: str  # for the report
    scalable: bool = False  # whether `rescale` makes a difference

    def look(self, frame: Frame) -> Any:
        """What can be found out without the frames before: handed to `matte`, by another thread. Nothing by default."""
        return None

    def matte(self, frame: Frame, seen: Any = None) -> Matte:
        """The frame's matte, in the frame's size; ``seen`` is what `look` found, if it was asked."""
        ...

    def rescale(self, scale: float) -> None:
        """Look at frames at ``scale`` times the usual size from soon on, where that is faster; by default it is not."""
        return

    def is_rescaling(self) -> bool:
        """Whether what `rescale` asked for is still to come."""
        return False

    def close(self) -> None:
        """Wait for what goes on beside frames."""
        return

    def reset(self) -> None:
        """Forget every frame seen so far."""
