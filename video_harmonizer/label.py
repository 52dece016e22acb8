"""A line of text on a picture, such as a view's name, or how live video goes."""

from functools import lru_cache

import cv2
import numpy as np

FONT = cv2.FONT_HERSHEY_SIMPLEX
TALLEST = "bg"  # nothing reaches higher or lower: all lines of a size get plates of one height


def label(picture: np.ndarray, text: str, at_top: bool = False) -> None:
    """Write ``text`` into the left corner, the lower one or the upper one, white on a dark plate.

    Args:
        picture: (H, W, 3) uint8 or uint16, written on.
    """
    height, width = picture.shape[:2]
    letters = _letters(text, height)[-height:, :width]
    rows = len(letters)
    plate = picture[:rows, : letters.shape[1]] if at_top else picture[height - rows :, : letters.shape[1]]
    plate //= 3
    np.maximum(plate, letters * picture.dtype.type(np.iinfo(picture.dtype).max // 255), out=plate)


@lru_cache(maxsize=8)
def _letters(text: str, height: int) -> np.ndarray:
    """(h, w, 1) uint8, in a size that suits pictures of ``height``; OpenCV writes on 8-bit pictures only."""
    scale = max(height / 800, 0.45)
    stroke, margin = max(1, round(2 * scale)), round(12 * scale)
    (_, above), below = cv2.getTextSize(TALLEST, FONT, scale, stroke)
    (width, _), _ = cv2.getTextSize(text, FONT, scale, stroke)
    letters = np.zeros((above + below + 2 * margin, width + 2 * margin, 1), np.uint8)
    cv2.putText(letters, text, (margin, margin + above), FONT, scale, 255, stroke, cv2.LINE_AA)
    return letters
