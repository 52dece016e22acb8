"""OpenCV's 8-bit Lab on tensors, with the steps of its fixed-point arithmetic, which networks were trained on."""

import torch
from torch import Tensor

LINEAR = 8 * 255  # steps of linear light from black to white
ROOT = 1 << 15  # steps of a cube root from 0 to 1

# CIE XYZ of linear sRGB's primaries (Rec. 709, D65) as a share of white's, in steps of 1/4096
RGB_TO_XYZ = ((1777, 1541, 778), (871, 2929, 296), (73, 448, 3575))


def opencv_lab(image: Tensor) -> Tensor:
    """What ``cv2.cvtColor(levels, cv2.COLOR_RGB2LAB) / 255`` gives for a picture of 8-bit levels.

    CIE 1976 L*a*b* as L * 255 / 100, a + 128, b + 128. OpenCV counts light in 2040 steps, which are so coarse in the
    shadows that the textbook's formula is up to 2.5 levels off its answer; these are the same steps, and the answer
    is the same for each of the 2^24 colours.

    Args:
        image: (B, 3, H, W) float RGB, display-referred, 0..1; rounded to 8 bits and clipped first.

    Returns:
        (B, 3, H, W) of the same dtype and device, multiples of 1/255. It has no gradient.
    """
    levels = (image.detach().float().clamp(0, 1) * 255).round() / 255
    light = torch.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    red, green, blue = (light * LINEAR).round().split(1, 1)
    # products and sums one by one: whole numbers below 2^24, exact in float32, where a matrix product may be rounded
    x, y, z = (_root((r * red + g * green + b * blue) / 4096) for r, g, b in RGB_TO_XYZ)
    lightness = 296 * y - 1336934  # (116 * 255 * f - 16 * 255) / 100, in whole steps
    lab = torch.cat([lightness, 500 * (x - y) + 128 * ROOT, 200 * (y - z) + 128 * ROOT], 1)
    return ((lab / ROOT + 0.5).floor().clamp(0, 255) / 255).to(image.dtype)


def _root(light: Tensor) -> Tensor:
    """CIE's cube root with a straight foot, in steps of 1/`ROOT`, of light in steps of 1/`LINEAR`."""
    share = (light + 0.5).floor() / LINEAR
    root = torch.where(share < 0.008856, 7.787 * share + 0.13793, share.pow(1 / 3))
    return (root * ROOT).round()
