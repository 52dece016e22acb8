"""How the pictures that a person can ask for are laid out."""

from functools import cache

import cv2
import numpy as np

PANELS = ("original", "paste", "harmonized")  # of the side-by-side view, from left to right


def size_of(view: str, height: int, width: int) -> tuple[int, int]:
    """(height, width) that the view of a frame of that size has."""
    return (height, width * len(PANELS)) if view == "side-by-side" else (height, width)


def label(panel: np.ndarray, text: str) -> None:
    """Write ``text`` into the lower left corner of a (H, W, 3) picture, white on a dark plate."""
    letters = _letters(text, panel.shape[0])[-panel.shape[0] :, : panel.shape[1]]
    plate = panel[-letters.shape[0] :, : letters.shape[1]]
    plate //= 3
    np.maximum(plate, letters * panel.dtype.type(np.iinfo(panel.dtype).max // 255), out=plate)


@cache
def _letters(text: str, height: int) -> np.ndarray:
    """(h, w, 1) uint8, in a size that suits pictures of ``height``; OpenCV writes on 8-bit pictures only."""
    scale = max(height / 800, 0.35)
    stroke, margin = max(1, round(2 * scale)), round(12 * scale)
    (width, above), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, stroke)
    letters = np.zeros((above + below + 2 * margin, width + 2 * margin, 1), np.uint8)
    cv2.putText(letters, text, (margin, margin + above), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, stroke, cv2.LINE_AA)
    return letters
