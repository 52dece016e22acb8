"""What is done beside the matting network, on the processor, compiled by Numba.

The frame's way to low resolution, the fast guided filter's regression there, and the way back.
"""

from functools import partial

import numpy as np

from video_harmonizer.compiled import compiled

EPSILON = 1e-5  # variance under which the source counts as flat; `rvm.refiner.EPSILON` would bring torch


@compiled
def shrink(rgb: np.ndarray, out: np.ndarray) -> None:
    """Sample a frame bilinearly, all of it, straight into the network's layout.

    `rvm.network.downsample` steps by one over the ratio instead: where that does not divide the frame it leaves out
    what lies at the right and below, and mattes, spread over all of the frame again, are stretched by up to a sample.

    Args:
        rgb: (H, W, 3) uint8 or uint16.
        out: (3, h, w) float32, becomes 0..1.
    """
    height, width = rgb.shape[:2]
    full = np.float32(1 / (255 if rgb.itemsize == 1 else 65535))
    down, across = height / out.shape[1], width / out.shape[2]
    for y in range(out.shape[1]):
        place = max((y + 0.5) * down - 0.5, 0.0)
        y0 = min(int(place), height - 1)
        y1 = min(y0 + 1, height - 1)
        wy = np.float32(place - y0)
        for x in range(out.shape[2]):
            place = max((x + 0.5) * across - 0.5, 0.0)
            x0 = min(int(place), width - 1)
            x1 = min(x0 + 1, width - 1)
            wx = np.float32(place - x0)
            for c in range(3):
                above = np.float32(rgb[y0, x0, c]) + (np.float32(rgb[y0, x1, c]) - np.float32(rgb[y0, x0, c])) * wx
                below = np.float32(rgb[y1, x0, c]) + (np.float32(rgb[y1, x1, c]) - np.float32(rgb[y1, x0, c])) * wx
                out[c, y, x] = (above + (below - above) * wy) * full


# dividing as NumPy does: Python's check for zeros would cost half of the speed, and variance + EPSILON is over zero
@partial(compiled, error_model="numpy")
def fit_lines(base: np.ndarray, answer: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """The guided filter's local regression, as `rvm.refiner.FastGuidedFilter` has it, in one pass.

    An engine would write sixteen averaged pictures to memory and read them again, in float32 since variances are
    differences.

    Args:
        base: (3, h, w) float32 0..1, the source at low resolution.
        answer: (4, h, w) float32, residual R, G, B and alpha.
        a, b: (4, h, w) float32, slope and offset of each over R, G, B and their mean, written.
    """
    _, h, w = base.shape
    ninth, third, little = np.float32(1 / 9), np.float32(1 / 3), np.float32(EPSILON)
    source, wanted = np.zeros((h + 2, w + 2), np.float32), np.zeros((h + 2, w + 2), np.float32)
    xs, ys = np.empty(w + 2, np.float32), np.empty(w + 2, np.float32)
    products, squares = np.empty(w + 2, np.float32), np.empty(w + 2, np.float32)
    for c in range(4):
        wanted[1:-1, 1:-1] = answer[c]
        if c < 3:
            source[1:-1, 1:-1] = base[c]
        else:
            source[1:-1, 1:-1] = (base[0] + base[1] + base[2]) * third
        for y in range(h):
            for x in range(w + 2):  # sums of three rows, then of three columns
                x0, x1, x2 = source[y, x], source[y + 1, x], source[y + 2, x]
                y0, y1, y2 = wanted[y, x], wanted[y + 1, x], wanted[y + 2, x]
                xs[x], ys[x] = x0 + x1 + x2, y0 + y1 + y2
                products[x] = x0 * y0 + x1 * y1 + x2 * y2
                squares[x] = x0 * x0 + x1 * x1 + x2 * x2
            for x in range(w):
                mean_x = (xs[x] + xs[x + 1] + xs[x + 2]) * ninth
                mean_y = (ys[x] + ys[x + 1] + ys[x + 2]) * ninth
                covariance = (products[x] + products[x + 1] + products[x + 2]) * ninth - mean_x * mean_y
                variance = (squares[x] + squares[x + 1] + squares[x + 2]) * ninth - mean_x * mean_x
                slope = covariance / (variance + little)
                a[c, y, x] = slope
                b[c, y, x] = mean_y - slope * mean_x


def apply_coefficients(
    rgb: np.ndarray, a: np.ndarray, b: np.ndarray, alpha: np.ndarray, foreground: np.ndarray
) -> None:
    """Meet a frame with its guided filter's coefficients: `rvm.refiner.apply_coefficients` and what follows it.

    Alpha is a blend of four neighbours' lines over brightness. The residual counts where a pixel is part person and
    part background; elsewhere the person's colour is the frame's.

    Args:
        rgb: (H, W, 3) uint8 or uint16, the frame.
        a, b: (4, h, w) float32, slope and offset of residual R, G, B and of alpha.
        alpha: (H, W) uint8, written.
        foreground: (H, W, 3) of the frame's type, written.
    """
    np.copyto(foreground, rgb)  # twenty times as fast as Numba's own copy
    _meet(rgb, a, b, alpha, foreground)


@compiled
def _meet(rgb: np.ndarray, a: np.ndarray, b: np.ndarray, alpha: np.ndarray, foreground: np.ndarray) -> None:
    """Write alpha everywhere, and the foreground where it is not the frame's colour.

    A row at a time, in loops so short that the compiler makes vectors of them, as long as rows fit the caches.
    """
    height, width = alpha.shape
    h, w = a.shape[1:]
    top = np.float32(255 if rgb.itemsize == 1 else 65535)
    third = np.float32(1 / 3) / top
    zero, half, one, white = np.float32(0), np.float32(0.5), np.float32(1), np.float32(255)
    # of each column of pixels, the columns of coefficients beside it and how far it is from the left to the right one;
    # unsigned, since Numba asks of every other index whether it counts from the end
    left, right, way = np.empty(width, np.uintp), np.empty(width, np.uintp), np.empty(width, np.float32)
    for x in range(width):
        place = max((x + 0.5) * (w / width) - 0.5, 0.0)
        column = min(int(place), w - 1)
        left[x], right[x], way[x] = column, min(column + 1, w - 1), np.float32(place - column)
    # alpha's slopes and offsets, spread over the pixels' columns: of the row of coefficients above, of the one below
    slope0, slope1 = np.empty(width, np.float32), np.empty(width, np.float32)
    offset0, offset1 = np.empty(width, np.float32), np.empty(width, np.float32)
    brightness, level = np.empty(width, np.float32), np.empty(width, np.int32)
    band = -1
    for y in range(height):
        place = max((y + 0.5) * (h / height) - 0.5, 0.0)
        y0 = int(place)
        y1 = min(y0 + 1, h - 1)
        wy = np.float32(place - y0)
        if y0 != band:
            if y0 == band + 1 and y0:
                slope0, slope1, offset0, offset1 = slope1, slope0, offset1, offset0
            else:
                _spread(a[3, y0], left, right, way, slope0)
                _spread(b[3, y0], left, right, way, offset0)
            _spread(a[3, y1], left, right, way, slope1)
            _spread(b[3, y1], left, right, way, offset1)
            band = y0
        for x in range(width):
            brightness[x] = np.float32(np.int32(rgb[y, x, 0]) + np.int32(rgb[y, x, 1]) + np.int32(rgb[y, x, 2]))
        for x in range(width):
            slope = slope0[x] + (slope1[x] - slope0[x]) * wy
            value = slope * (brightness[x] * third) + (offset0[x] + (offset1[x] - offset0[x]) * wy)
            level[x] = np.int32(min(max(value, zero), one) * white + half)
        for x in range(width):
            alpha[y, x] = np.uint8(level[x])
        above, below = np.uintp(y0), np.uintp(y1)
        for x in range(width):
            if 0 < level[x] < 255:
                x0, x1, wx = left[x], right[x], way[x]
                w00, w01 = (one - wy) * (one - wx), (one - wy) * wx
                w10, w11 = wy * (one - wx), wy * wx
                for c in range(3):
                    color = np.float32(rgb[y, x, c])
                    s = a[c, above, x0] * w00 + a[c, above, x1] * w01 + a[c, below, x0] * w10 + a[c, below, x1] * w11
                    o = b[c, above, x0] * w00 + b[c, above, x1] * w01 + b[c, below, x0] * w10 + b[c, below, x1] * w11
                    mended = color + s * color + o * top
                    foreground[y, x, c] = min(max(mended, zero), top) + half


@compiled
def _spread(row: np.ndarray, left: np.ndarray, right: np.ndarray, way: np.ndarray, out: np.ndarray) -> None:
    """Over more columns, linearly between two neighbours each."""
    for x in range(len(out)):
        value = row[left[x]]
        out[x] = value + (row[right[x]] - value) * way[x]
