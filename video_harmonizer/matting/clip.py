"""Mattes that were made before, from a video or from pictures."""

import logging
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, Matte, SourceInfo
from video_harmonizer.matting import Matting
from video_harmonizer.matting.given import alpha_of, fitting, tell_of_colors

log = logging.getLogger(__name__)


class MatteClip(Matting):
    """One matte a frame: gray levels are the alpha, exactly.

    A video's mattes belong to the frames of the same time, and one whose time no frame has is left out. Pictures have
    no times: the first belongs to the first frame, and so on.

    Args:
        info: of the mattes' source.
        mattes: its frames.

    Raises:
        InputError: in `matte`, for a matte of another size or time than the frame's, and where there are no more.
    """

    def __init__(self, info: SourceInfo, mattes: Iterable[Frame]) -> None:
        self.name = info.name
        self._mattes = iter(mattes)
        self._timed = info.file is not None
        # Containers round times to a millisecond at worst, and 29.97 is not quite 30000/1001.
        self._tolerance = 0.25 / float(info.rate) if self._timed and info.rate else 0
        self._read = 0

    def matte(self, frame: Frame, seen: Any = None) -> Matte:
        for picture in self._mattes:
            self._read += 1
            if self._read == 1:  # the others will be like it
                tell_of_colors(picture.rgb, self.name, "is it the video itself? mattes are white where the person is")
            late = picture.seconds - frame.seconds if self._timed else picture.index - frame.index
            if late > self._tolerance:
                raise InputError(
                    f"{self.name}: got a matte at {picture.seconds:.3f} s, wanted one at {frame.seconds:.3f} s, when"
                    f" frame {frame.index} is shown; give one with the video's own times, or as pictures"
                )
            if late >= -self._tolerance:
                return fitting(Matte(alpha_of(picture.rgb)), frame, self.name)
        raise InputError(
            f"{self.name}: it ends after {self._read} mattes, wanted one for frame {frame.index} at"
            f" {frame.seconds:.3f} s; give a matte as long as the video"
        )

    def reset(self) -> None:
        """Nothing to forget; the mattes belong to one source."""


def tell_of_another_length(mattes: SourceInfo, source: SourceInfo) -> None:
    """Say it before the work, as far as headers know: those of videos often guess how many frames there are."""
    got, wanted = mattes.frames, source.frames
    if not got or not wanted:
        return
    share, margin = Fraction(got, wanted), 0.0
    if mattes.file and mattes.rate and source.rate:  # their durations say more
        share, margin = share * source.rate / mattes.rate, 0.1
    if share > 1 + margin:
        log.info("%s: %d mattes for %d frames; those left over are not used", mattes.name, got, wanted)
    elif share < 1 - margin:
        log.warning("%s: %d mattes for %d frames; it seems to end early", mattes.name, got, wanted)
