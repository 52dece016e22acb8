"""Foregrounds for photographs that have no mask: regions that look like things."""

import cv2
import numpy as np
from skimage.segmentation import felzenszwalb

SIDE = 96  # pixels at which regions are sought: their outlines need no more
SHARES = (0.05, 0.45)  # of the picture that a foreground covers


def propose_region(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A connected region of like colours, grown from a random piece of the picture: (H, W, 3) uint8 -> (H, W) uint8.

    Pieces are Felzenszwalb and Huttenlocher's (2004); from a random one on, the neighbour of the nearest mean colour
    joins until a random share of the picture is covered.
    """
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    pieces = felzenszwalb(small, scale=float(random.uniform(50, 300)), sigma=0.8, min_size=40)
    count = pieces.max() + 1
    areas = np.bincount(pieces.ravel(), minlength=count)
    colors = np.stack([np.bincount(pieces.ravel(), small[..., c].ravel(), count) for c in range(3)], 1) / areas[:, None]
    touching = np.zeros((count, count), bool)
    for a, b in ((pieces[:, 1:], pieces[:, :-1]), (pieces[1:], pieces[:-1])):
        touching[a, b] = touching[b, a] = True
    member = np.zeros(count, bool)
    member[pieces[tuple(random.integers(0, SIDE, 2))]] = True
    wanted = random.uniform(*SHARES) * SIDE * SIDE
    while areas[member].sum() < wanted:
        neighbours = np.flatnonzero(touching[member].any(0) & ~member)
        if not len(neighbours):
            break
        mean = np.average(colors[member], 0, areas[member])
        member[neighbours[np.linalg.norm(colors[neighbours] - mean, axis=1).argmin()]] = True
    mask = cv2.resize(member[pieces].astype(np.uint8) * 255, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(mask, (0, 0), max(0.8, image.shape[0] / SIDE))
