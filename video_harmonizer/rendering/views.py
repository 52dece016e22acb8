"""The pictures that a person can ask for, by name, and how they are laid out."""

import cv2
import numpy as np

VIEWS = {
    "original": "the frame as it came",
    "paste": "the person over the new background, colours as filmed",
    "harmonized": "the person over the new background, colours changed to belong there",
    "alpha": "the matte: white is the person",
    "foreground": "the person alone, over black",
    "green": "the person alone, over green",
    "side-by-side": "original, paste and harmonized, labelled",
}
PANELS = ("original", "paste", "harmonized")  # of the side-by-side view, from left to right


def size_of(view: str, height: int, width: int) -> tuple[int, int]:
    """(height, width) that the view of a frame of that size has."""
    return (height, width * len(PANELS)) if view == "side-by-side" else (height, width)


def label(panel: np.ndarray, text: str) -> None:
    """Write ``text`` into the lower left corner of a (H, W, 3) picture, white on a dark plate."""
    height, white = panel.shape[0], int(np.iinfo(panel.dtype).max)
    scale = max(height / 800, 0.35)
    stroke, margin = max(1, round(2 * scale)), round(12 * scale)
    (text_width, text_height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, stroke)
    top = max(0, height - text_height - below - 2 * margin)
    panel[top:, : text_width + 2 * margin] //= 3
    place = (margin, height - margin - below)
    smooth = cv2.LINE_AA if panel.dtype == np.uint8 else cv2.LINE_8  # OpenCV smooths 8-bit pictures only
    cv2.putText(panel, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (white,) * 3, stroke, smooth)
