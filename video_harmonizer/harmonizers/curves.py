"""Piecewise-linear colour curves: from a network's raw parameters to pixels, as training needs them.

In use pixels are looked up in tables of the same curves: `tone.sample` of a network's ``knots``.

Equation 1 of Liang et al., "Spatial-Separated Curve Rendering Network" (ECCV 2022, arXiv 2109.05750):
with pieces of width 1/L, ``psi(x) = (L / sum_j p_j) * sum_i p_i * clamp(x - i/L, 0, 1/L)`` per channel.
"""

import torch
from torch import Tensor


def render(image: Tensor, parameters: Tensor) -> Tensor:
    """Send every pixel through the cascade of curves; differentiable in both arguments.

    A pixel lies in one piece, so its sum over pieces is the knot below it plus the piece's slope times
    the way into the piece: two look-ups instead of L clamps.

    Args:
        image: (B, 3, H, W) float, RGB 0..1; values outside are taken as the nearer end.
        parameters: (B, S, 3, L) raw pieces of S curves, applied one after the other. Their scale is free.

    Returns:
        (B, 3, H, W), not clamped: a curve with negative pieces may leave 0..1.
    """
    batch, _, channels, pieces = parameters.shape
    for stage in parameters.unbind(1):
        # psi(1) = 1 for any parameters; the guard only keeps a sum of exactly zero from dividing
        slopes = stage * pieces / (stage.sum(-1, keepdim=True) + 1e-30)  # (B, 3, L)
        knots = torch.cumsum(slopes, -1) / pieces - slopes / pieces  # psi(i / L), i = 0..L-1
        x = image.reshape(batch, channels, -1).clamp(0, 1)
        # NaN becomes the lowest integer; clamped, it names a piece that there is, and stays NaN in `way`
        piece = (x.detach() * pieces).long().clamp_(0, pieces - 1)
        way = x - piece.to(x.dtype) / pieces
        image = (knots.gather(2, piece) + slopes.gather(2, piece) * way).view_as(image)
    return image


def interpolate(image: Tensor, knots: Tensor) -> Tensor:
    """Send every pixel through curves given by their values at equal steps; differentiable in both arguments.

    Args:
        image: (B, 3, H, W) float, RGB 0..1; values outside are taken as the nearer end.
        knots: (B, 3, K) what becomes of inputs 0, 1/(K-1), .. 1.

    Returns:
        (B, 3, H, W), not clamped.
    """
    batch, channels, count = knots.shape
    place = image.reshape(batch, channels, -1).clamp(0, 1) * (count - 1)
    low = place.detach().long().clamp_(0, count - 2)
    way = place - low.to(place.dtype)
    return torch.lerp(knots.gather(2, low), knots.gather(2, low + 1), way).view_as(image)
