"""Foregrounds for photographs that have no mask: regions that look like things."""

import cv2
import numpy as np
from skimage.segmentation import felzenszwalb

SIDE = 96  # pixels at which regions are sought: their outlines need no more
SHARES = (0.008, 0.45)  # of the picture that a foreground covers; the logarithm is evenly spread


class Pieces:
    """A picture cut into pieces of like colours (Felzenszwalb and Huttenlocher, 2004), from which regions grow.

    Args:
        image: (H, W, 3) uint8.
    """

    def __init__(self, image: np.ndarray) -> None:
        small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        pieces = felzenszwalb(small, scale=150.0, sigma=0.8, min_size=40)
        count = pieces.max() + 1
        flat = pieces.ravel()
        self._map = pieces.astype(np.uint8)  # at least 40 pixels each, so there are fewer than 256
        self._areas = np.bincount(flat, minlength=count)
        sums = np.stack([np.bincount(flat, small[..., c].ravel(), count) for c in range(3)], 1)
        self._colors = sums / self._areas[:, None]
        self._touching = np.zeros((count, count), bool)
        for a, b in ((pieces[:, 1:], pieces[:, :-1]), (pieces[1:], pieces[:-1])):
            self._touching[a, b] = self._touching[b, a] = True

    def propose_region(self, random: np.random.Generator) -> np.ndarray:
        """A connected region grown from a random piece, as a mask: (SIDE, SIDE) uint8.

        The neighbour of the nearest mean colour joins until a random share of the picture is covered.
        """
        member = np.zeros(len(self._areas), bool)
        member[self._map[tuple(random.integers(0, SIDE, 2))]] = True
        wanted = np.exp(random.uniform(*np.log(SHARES))) * SIDE * SIDE
        while self._areas[member].sum() < wanted:
            neighbours = np.flatnonzero(self._touching[member].any(0) & ~member)
            if not len(neighbours):
                break
            mean = self._areas[member] @ self._colors[member] / self._areas[member].sum()
            member[neighbours[np.square(self._colors[neighbours] - mean).sum(1).argmin()]] = True
        return cv2.GaussianBlur(member[self._map].astype(np.uint8) * 255, (0, 0), 0.8)
