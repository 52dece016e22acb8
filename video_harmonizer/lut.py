"""Tables of colours (3-D LUTs): an answer for a grid of colours, and what lies between them."""

import numpy as np

from video_harmonizer.compiled import compiled


def look_up(colors: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Look colours up, tetrahedrally between the table's nodes: along the gray axis only its own nodes count.

    Args:
        colors: (..., 3) RGB, float32 in 0..1 or integers that use their whole type.
        table: (K, K, K, 3) float32 in 0..1 at K equal steps, indexed [blue, green, red] as .cube files are.

    Returns:
        The same shape and dtype; integers are rounded to nearest.
    """
    whole = np.issubdtype(colors.dtype, np.integer)
    white, half = (np.iinfo(colors.dtype).max, 0.5) if whole else (1, 0)
    flat = colors.reshape(-1, 3)
    out = np.empty_like(flat)
    _interpolate(flat, table.reshape(-1, 3), len(table), np.float32(white), np.float32(half), out)
    return out.reshape(colors.shape)


@compiled
def _interpolate(
    colors: np.ndarray, nodes: np.ndarray, side: int, white: np.float32, half: np.float32, out: np.ndarray
) -> None:
    zero, one, last = np.float32(0), np.float32(1), np.float32(side - 1)
    steps = last / white
    for i in range(len(colors)):
        red = min(max(np.float32(colors[i, 0]) * steps, zero), last)
        green = min(max(np.float32(colors[i, 1]) * steps, zero), last)
        blue = min(max(np.float32(colors[i, 2]) * steps, zero), last)
        r, g, b = min(int(red), side - 2), min(int(green), side - 2), min(int(blue), side - 2)
        # From the cell's darkest corner to its lightest, first along the axis on which the colour lies farthest.
        first, step1 = red - np.float32(r), 1
        second, step2 = green - np.float32(g), side
        third, step3 = blue - np.float32(b), side * side
        if first < second:
            first, step1, second, step2 = second, step2, first, step1
        if second < third:
            second, step2, third, step3 = third, step3, second, step2
        if first < second:
            first, step1, second, step2 = second, step2, first, step1
        corner = (b * side + g) * side + r
        for c in range(3):
            value = (one - first) * nodes[corner, c] + (first - second) * nodes[corner + step1, c]
            value += (second - third) * nodes[corner + step1 + step2, c]
            value += third * nodes[corner + step1 + step2 + step3, c]
            out[i, c] = value * white + half
