"""What is done to the pixels of whole pictures in several places."""

import cv2
import numpy as np


def to_depth(picture: np.ndarray, dtype: np.dtype | type) -> np.ndarray:
    """(H, W) or (H, W, 3) between uint8 and uint16, full scale to full scale, rounded; itself if it is so already."""
    if picture.dtype == dtype:
        return picture
    if dtype == np.uint16:
        return picture.astype(np.uint16) * 257
    return cv2.convertScaleAbs(picture, alpha=255 / 65535)


def jpeg_round_trip(picture: np.ndarray, quality: int) -> np.ndarray:
    """What JPEG leaves of an RGB picture (H, W, 3) uint8; ``quality`` 0..100."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    decoded = cv2.imdecode(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded just now
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
