"""Unmixing a person and the coloured screen behind.

A pixel of an edge is alpha times the person's colour plus the rest times the screen's. In the plane of colours without
brightness, alpha is how far the pixel lies on the way from the one to the other. What both are there is spread from
where they are seen pure, in a small picture.
"""

import cv2
import numpy as np

from video_harmonizer.compiled import compiled
from video_harmonizer.frame import Matte

HEXAGON = np.array([[-0.5, 1, -0.5], [np.sqrt(0.75), 0, -np.sqrt(0.75)]], np.float32)  # gray is at (0, 0)
HUE_SLOPE = np.float32(np.tan(np.pi / 6))  # colours up to 60 degrees of hue from the key have some of it
DARK = 0.1  # of the key's excess, below which a hue is mostly noise
LOOSE, STRICT = 0.4, 0.9  # purity that the screen has at least: of the key's, then of what is usual nearby
SOLID = np.float32(0.8)  # deep inside a person, a pixel that is a fifth screen is not transparent but lit by it
SPILL = np.float32(0.02)  # of the screen's colour; less in an opaque pixel is let be
EDGE = 1 / 45  # of the longest side: how far from the screen a pixel is deep inside
FAINT = 1e-2  # weight of wide averages where something is known nearby
SAMPLE = 96  # pixels a side of the picture that noise is measured in
MARGINS = 0.02, 0.2  # least and greatest alpha to be taken for noise


def chroma_axes(key: np.ndarray) -> np.ndarray:
    """(2, 3) float32: a colour's place in the plane without brightness, along the key's hue and across it."""
    u, v = HEXAGON @ key
    return np.array([[u, v], [-v, u]], np.float32) / max(np.hypot(u, v), np.float32(1)) @ HEXAGON


def excess(rgb: np.ndarray, key: np.ndarray) -> np.ndarray:
    """(..., 3) -> (...): how much of the key's hue a colour has; for pure green that is green - max(red, blue)."""
    along, across = chroma_axes(key)
    return rgb @ along - HUE_SLOPE * np.abs(rgb @ across)


def brightness(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) -> (...): the greatest of red, green and blue. NumPy's own `max` is slow over so few."""
    return np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])


def screen_in(small: np.ndarray, key: np.ndarray) -> np.ndarray:
    """(h, w) uint8, 1 where (h, w, 3) float32 shows the screen and nothing else, in light or in shadow."""
    amount, key_amount = excess(small, key), excess(key, key)
    purity = amount / np.maximum(brightness(small), 1)  # shadows have the same
    likely = (purity > LOOSE * key_amount / key.max()) & (amount > DARK * key_amount)
    window = (max(small.shape) // 8 + 1,) * 2
    weight = likely.astype(np.float32)
    usual = cv2.blur(purity * weight, window) / np.maximum(cv2.blur(weight, window), 1e-3)
    alone = (likely & (purity > STRICT * usual)).astype(np.uint8)
    return cv2.erode(alone, np.ones((3, 3), np.uint8))


def unmix(rgb: np.ndarray, small: np.ndarray, screen: np.ndarray, key: np.ndarray) -> Matte:
    """The person in a frame.

    Args:
        rgb: (H, W, 3) uint8 or uint16.
        small: (h, w, 3) float32, the frame in 0..255.
        screen: (h, w) uint8, 1 where ``small`` shows the screen alone.
        key: (3,) float32, the screen's colour in 0..255.
    """
    behind = cv2.blur(spread(small, screen.astype(np.float32), key), (3, 3))
    behind_amount = np.maximum(excess(behind, key), 1)
    held = np.clip(excess(small, key) / behind_amount, 0, 1)  # how much of the screen a pixel holds, at most
    # Only deep inside is the person's colour sure to be theirs, and only there is it sure that they are opaque.
    depth = cv2.distanceTransform((held <= 1 - SOLID).astype(np.uint8), cv2.DIST_L2, 3)
    depth = np.minimum(depth, max(small.shape)) / (EDGE * max(small.shape))  # where no screen is in view it has no end
    inside = np.clip(2 * depth - 1, 0, 1)
    held = (np.minimum(held, 0.5) * (1 - inside))[..., None]  # what of it is not the screen's light on the person
    pure = np.clip((small - held * behind) / (1 - held), 0, 255)
    person = spread(pure, np.minimum(depth, 1.5) ** 4, np.full(3, 128, np.float32))

    height, width = rgb.shape[:2]
    levels = np.float32(np.iinfo(rgb.dtype).max / 255)

    def enlarged(plate: np.ndarray, dtype: np.dtype) -> np.ndarray:
        return cv2.resize(np.rint(plate).astype(dtype), (width, height), interpolation=cv2.INTER_LINEAR)

    alpha, foreground = np.empty((height, width), np.uint8), enlarged(person * levels, rgb.dtype)
    _unmix(
        rgb,
        enlarged(behind * levels, rgb.dtype),
        enlarged(inside * 255, np.dtype(np.uint8)),
        chroma_axes(key),
        np.float32(_noise_margin(rgb, behind, screen, key)),
        alpha,
        foreground,
    )
    return Matte(alpha, foreground)


def spread(colors: np.ndarray, weight: np.ndarray, default: np.ndarray) -> np.ndarray:
    """Fill a picture from where it is known: near it with what is near, far from it with wide averages.

    Args:
        colors: (h, w, 3) float32.
        weight: (h, w) float32, how much each is to be trusted.
        default: (3,), where nothing is known at all.
    """
    height, width = weight.shape
    if min(height, width) <= 2:
        mean = (np.einsum("hwc,hw->c", colors, weight) + 1e-6 * default) / (weight.sum() + 1e-6)
        return np.broadcast_to(mean.astype(np.float32), colors.shape)
    known, coarse_weight = cv2.pyrDown(colors * weight[..., None]), cv2.pyrDown(weight)
    coarse = spread(known / np.maximum(coarse_weight, 1e-9)[..., None], coarse_weight, default)
    wide = cv2.pyrUp(coarse, dstsize=(width, height))
    return (colors * weight[..., None] + FAINT * wide) / (weight + FAINT)[..., None]


def _noise_margin(rgb: np.ndarray, behind: np.ndarray, screen: np.ndarray, key: np.ndarray) -> float:
    """How far from 0 noise takes the alpha of the screen's pixels: four times the median, from a sample."""
    size = (SAMPLE, SAMPLE)
    got, wanted, alone = (cv2.resize(image, size, interpolation=cv2.INTER_NEAREST) for image in (rgb, behind, screen))
    along = chroma_axes(key)[0]
    got_amount, amount = (picture[alone > 0].astype(np.float32) @ along for picture in (got, wanted))
    if not len(amount):
        return MARGINS[0]
    off = got_amount * np.float32(255 / np.iinfo(rgb.dtype).max) / np.maximum(amount, 1) - 1
    return float(np.clip(4 * np.median(np.abs(off)), *MARGINS))


@compiled
def _unmix(
    rgb: np.ndarray,
    behind: np.ndarray,
    inside: np.ndarray,
    axes: np.ndarray,
    margin: np.float32,
    alpha: np.ndarray,
    foreground: np.ndarray,
) -> None:
    """The pass over full-resolution pixels.

    Args:
        rgb: (H, W, 3) uint8 or uint16.
        behind: the same, the screen's colour.
        inside: (H, W) uint8, 255 where the person is opaque if not of the screen's colour.
        axes: of `chroma_axes`.
        margin: what is so close to 0 or 1 becomes that.
        alpha: (H, W) uint8, written.
        foreground: (H, W, 3) of the frame's type, the person's colour nearby; where alpha is not 0, the pixel's own
            without the screen's is written.
    """
    height, width = alpha.shape
    top = np.float32(255 if rgb.itemsize == 1 else 65535)
    zero, half, one, white = np.float32(0), np.float32(0.5), np.float32(1), np.float32(255)
    (ar, ag, ab), (cr, cg, cb) = axes
    for y in range(height):
        for x in range(width):
            sr, sg, sb = np.float32(behind[y, x, 0]), np.float32(behind[y, x, 1]), np.float32(behind[y, x, 2])
            along, across = ar * sr + ag * sg + ab * sb, cr * sr + cg * sg + cb * sb
            full = max(along - HUE_SLOPE * abs(across), one)
            # from the screen to the pixel
            er, eg, eb = rgb[y, x, 0] - sr, rgb[y, x, 1] - sg, rgb[y, x, 2] - sb
            e_along, e_across = ar * er + ag * eg + ab * eb, cr * er + cg * eg + cb * eb
            held = (along + e_along - HUE_SLOPE * abs(across + e_across)) / full
            if inside[y, x] == 255 and held < SPILL:
                alpha[y, x] = 255
                for c in range(3):
                    foreground[y, x, c] = rgb[y, x, c]
                continue
            # from the screen to the person
            dr, dg, db = foreground[y, x, 0] - sr, foreground[y, x, 1] - sg, foreground[y, x, 2] - sb
            d_along, d_across = ar * dr + ag * dg + ab * db, cr * dr + cg * dg + cb * db
            way = max(d_along * d_along + d_across * d_across, one)
            a = (e_along * d_along + e_across * d_across) / way
            a = max(a, inside[y, x] / white * min((one - held) / SOLID, one))
            # noise off both ends, and what is between as it is
            a += min(a - 2 * margin, zero) + max(a - one + 2 * margin, zero)
            a = min(max(a, zero), one)
            level = np.uint8(a * white + half)
            if level:
                r, g, b = sr + er / a, sg + eg / a, sb + eb / a
                held = (along + e_along / a - HUE_SLOPE * abs(across + e_across / a)) / full
                if held > zero:
                    r, g, b = r - held * sr, g - held * sg, b - held * sb
                    if level == 255 and held > SPILL:
                        level = np.uint8(254)
                foreground[y, x, 0] = min(max(r, zero), top) + half
                foreground[y, x, 1] = min(max(g, zero), top) + half
                foreground[y, x, 2] = min(max(b, zero), top) + half
            alpha[y, x] = level
