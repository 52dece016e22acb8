"""Matting before a green or blue screen."""

import logging
import re
from typing import Any

import cv2
import numpy as np

from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, Matte
from video_harmonizer.matting import Matting
from video_harmonizer.matting.unmix import brightness, excess, screen_in, unmix

log = logging.getLogger(__name__)

GREEN, BLUE = (0.0, 255.0, 0.0), (0.0, 0.0, 255.0)
SMALL_SIDE = 320  # longest side of the picture in which screen and person are told apart
MIN_PURITY = 0.25  # of a screen's colour: excess over brightness; most cloth and leaves are paler
MIN_BRIGHTNESS = 32  # of 255; darker colours are mostly noise
MIN_SHARE = 0.15  # of the picture, its left, right and upper borders counted three times, to be taken for a screen
LOST_SHARE = 0.01  # of the picture, below which another screen is looked for


class ChromaKey(Matting):
    """Looks at the screen in every frame anew, so that shadows and uneven light don't matter, but keeps its hue.

    Args:
        key: the screen's colour, 8-bit RGB; None to take the green or the blue that fills most of the first frame.
            Where that has gone from the picture another one is taken, until it is back.

    Raises:
        InputError: for a key of hardly any colour, here; for a first frame without a screen, in `matte`.
    """

    def __init__(self, key: tuple[int, int, int] | None = None) -> None:
        self._given = None if key is None else np.array(key, np.float32)
        self._warned = False
        self.reset()
        if self._given is not None and not _is_pure(self._given, self._given):
            raise InputError(
                f"--matting {self.name}: too gray or dark to tell from people; give a colour such as chroma:#00b140"
            )

    @classmethod
    def parse(cls, text: str) -> "ChromaKey":
        """From ``chroma`` or ``chroma:#rrggbb``; raises InputError."""
        if text == "chroma":
            return cls()
        if not re.fullmatch(r"chroma:#[0-9a-fA-F]{6}", text):
            raise InputError(f"--matting {text}: not a colour; write it as chroma:#00b140, six hexadecimal digits")
        red, green, blue = bytes.fromhex(text[-6:])
        return cls((red, green, blue))

    def reset(self) -> None:
        """Forget every frame seen so far."""
        self.name = "chroma"
        self._first: np.ndarray | None = None
        self._key: np.ndarray | None = None
        if self._given is not None:
            self._take(self._given)

    def matte(self, frame: Frame, seen: Any = None) -> Matte:
        """Alpha (H, W) uint8; foreground (H, W, 3) of the frame's dtype, everywhere, without the screen's colour.

        A pixel that is wholly the person, but lit by the screen, has alpha 254: at 255 the frame's colour is shown.
        """
        small = shrink(frame.rgb)
        if self._first is None:
            if self._given is None and brightness(small).mean() < MIN_BRIGHTNESS:  # a leader, or it fades in
                return Matte(np.full(frame.size, 255, np.uint8))
            self._first = self._first_key(small)
        key = self._first
        screen = screen_in(small, key)
        if screen.mean() < LOST_SHARE:
            key = self._substitute(small, frame.seconds)
            screen = screen_in(small, key)
        self._take(key)
        return unmix(frame.rgb, small, screen, key)

    def _first_key(self, small: np.ndarray) -> np.ndarray:
        if self._given is not None:
            share = _share(screen_in(small, self._given).astype(bool))
            if LOST_SHARE <= share < MIN_SHARE and not self._warned:  # below that `_substitute` warns
                what = "%s: that colour fills only %.0f %% of the first frame; what has it is made transparent"
                log.warning(what, self.name, 100 * share)
                self._warned = True
            return self._given
        key, share = find_screen(small)
        if share < MIN_SHARE:
            raise InputError(
                f"--matting chroma: no screen found: green or blue fills {share:.0%} of the first lit frame, wanted"
                f" {MIN_SHARE:.0%}; give the screen's colour, as in chroma:#00b140, or use --matting auto"
            )
        return key

    def _substitute(self, small: np.ndarray, seconds: float) -> np.ndarray:
        """The key for a frame that shows nothing of the first: the last frame's, or a new one if there is a screen."""
        assert self._first is not None
        last = self._key
        if last is not None and last is not self._first and screen_in(small, last).mean() >= LOST_SHARE:
            return last
        found, share = find_screen(small)
        new = self._given is None and share >= MIN_SHARE
        if not self._warned:
            remedy = "another screen is taken" if new else "all is taken for the person"
            log.warning("%s: none of that colour at %.2f s; %s; said once", self.name, seconds, remedy)
            self._warned = True
        return found if new else self._first

    def _take(self, key: np.ndarray) -> None:
        self._key = key
        self.name = "chroma:#{:02x}{:02x}{:02x}".format(*np.rint(key).astype(int))


def find_screen(small: np.ndarray) -> tuple[np.ndarray, float]:
    """The green or the blue that there is more of in (h, w, 3) float32, 0..255: its colour (3,), and its share.

    The share is of the picture, with its left, right and upper borders counted three times: there are no people there.
    """
    found = [_is_pure(small, np.array(color, np.float32)) for color in (GREEN, BLUE)]
    pure = max(found, key=_share)
    share = _share(pure)
    return np.median(small[pure], axis=0) if share > 0 else np.zeros(3, np.float32), share


def _share(mask: np.ndarray) -> float:
    """Of a picture, that (h, w) bool selects; see `find_screen`."""
    height, width = mask.shape
    weight = np.full((height, width), 3, np.float32)
    weight[height // 8 :, width // 8 : width - width // 8] = 1
    return float(weight[mask].sum() / weight.sum())


def shrink(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 -> (h, w, 3) float32, 0..255, of at most `SMALL_SIDE` pixels a side."""
    height, width = rgb.shape[:2]
    scale = min(1.0, SMALL_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    levels = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return levels if rgb.dtype == np.uint8 else levels / np.float32(257)


def _is_pure(rgb: np.ndarray, key: np.ndarray) -> np.ndarray:
    light = brightness(rgb)
    return (excess(rgb, key) > MIN_PURITY * light) & (light >= MIN_BRIGHTNESS)
