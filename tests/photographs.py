"""A data folder like the one that training takes, small enough to be made anew."""

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

SIZES = ((80, 64), (64, 96), (72, 72), (70, 110))  # (height, width)
TABLES = 62  # 60 for training, the rest for validation


def photograph(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8, smooth colours with some grain."""
    coarse = cv2.resize(random.random((4, 5, 3), np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    grain = random.normal(0, 0.02, coarse.shape)
    return np.rint(255 * (0.1 + 0.8 * coarse + grain).clip(0, 1)).astype(np.uint8)


def figure(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """(H, W) uint8, somebody standing there with a soft outline."""
    mask = np.zeros((height, width), np.uint8)
    center = int(width * random.uniform(0.4, 0.6)), int(height * random.uniform(0.4, 0.6))
    cv2.ellipse(mask, center, (width // 4, height // 3), 0, 0, 360, 255, -1)
    return cv2.GaussianBlur(mask, (0, 0), 1)


def write_index(root: Path, rows: Sequence[Sequence[str]]) -> None:
    """Rows of (image, mask, person, split)."""
    with (root / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("source", "image", "mask", "person", "split"))
        writer.writerows(("made", *row) for row in rows)


def make_data(root: Path, mask_scale: float = 1.0) -> Path:
    """Nine photographs to train on and four to validate with, of many sizes; one has no mask, one has two."""
    random = np.random.default_rng(0)
    root.mkdir(parents=True)
    rows = []
    for number in range(13):
        height, width = SIZES[number % len(SIZES)]
        image, mask = f"{number:02}.png", f"{number:02}_mask.png" if number else ""
        split = "train" if number < 9 else "val"
        cv2.imwrite(str(root / image), photograph(height, width, random))
        rows.append((image, mask, "01"[number % 2], split))
        if mask:
            alpha = figure(height, width, random)
            cv2.imwrite(str(root / mask), cv2.resize(alpha, None, fx=mask_scale, fy=mask_scale))
    cv2.imwrite(str(root / "08_other_mask.png"), figure(*SIZES[0], random))
    write_index(root, [*rows, ("08.png", "08_other_mask.png", "unknown", "train")])
    steps = np.linspace(0, 1, 3)
    identity = np.stack(np.meshgrid(steps, steps, steps, indexing="ij")[::-1], -1)  # [blue, green, red] -> RGB
    luts = (identity + random.normal(0, 0.1, (TABLES, *identity.shape))).clip(0, 1)
    np.savez(root / "luts.npz", luts=luts.astype(np.float16))
    return root
