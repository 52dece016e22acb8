"""Tables of colours for tests."""

import numpy as np


def identity(size: int) -> np.ndarray:
    """(K, K, K, 3) float32 that changes nothing."""
    steps = np.linspace(0, 1, size, dtype=np.float32)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    return np.stack([red, green, blue], -1)
