"""Colour changes that make a foreground foreign to its photograph; the photograph itself is then the target.

They cover how iHarmony4's composites were made (Cong et al., "DoveNet", CVPR 2020: colour transfer from other
foregrounds by Lab statistics, decorrelated space, histograms and iterated distributions; other people's
retouching of a raw photograph; another hour of the day) and what webcams do (white balance, exposure).
All take and give (N, 3) float32 RGB 0..1.
"""

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from video_harmonizer.lut import look_up

Colors = np.ndarray  # (N, 3) float32 RGB 0..1
Random = np.random.Generator
Transfer = Callable[[Colors, Colors, Random], Colors]  # colours and a reference's; randomness for those that need it


class Changes(Protocol):
    """What composites take from this module, or from another in its place."""

    def transfer(self, colors: Colors, reference: Colors, random: Random) -> Colors: ...

    def grade(self, colors: Colors, random: Random, luts: np.ndarray) -> Colors: ...


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SKIN = np.array([15, 18], np.float32)  # a and b in CIELAB, about the middle of all people's


# --- transfer of another region's colours ---------------------------------------------------------------------


def lab_statistics(colors: Colors, reference: Colors, _: Random) -> Colors:
    """Mean and deviation in CIELAB (Reinhard et al., "Color Transfer between Images", 2001)."""
    ours, theirs = _to_lab(colors), _to_lab(reference)
    gain = (theirs.std(0) + 1) / (ours.std(0) + 1)
    return _from_lab((ours - ours.mean(0)) * gain.clip(0.4, 2.5) + theirs.mean(0))


def linear_transport(colors: Colors, reference: Colors, _: Random) -> Colors:
    """Mean and covariance in RGB by the least change (Pitié and Kokaram, linear Monge-Kantorovitch, 2007)."""
    ours, theirs = _covariance(colors), _covariance(reference)
    root = _matrix_power(ours, 0.5)
    inverse = _matrix_power(ours, -0.5)
    matrix = inverse @ _matrix_power(root @ theirs @ root, 0.5) @ inverse
    return ((colors - colors.mean(0)) @ matrix + reference.mean(0)).astype(np.float32)


def match_histograms(colors: Colors, reference: Colors, _: Random) -> Colors:
    """Each channel's distribution, through 32 quantiles so that gaps do not posterize."""
    ours, theirs = _quantiles(colors), _quantiles(reference)
    channels = []
    for c in range(3):
        # where many pixels share a level (black, clipped white), they get the mean of the levels that they stand for
        levels, place, count = np.unique(ours[:, c], return_inverse=True, return_counts=True)
        wanted = np.bincount(place, theirs[:, c]) / count
        channels.append(np.interp(colors[:, c], levels, wanted))
    return np.stack(channels, 1).astype(np.float32)


def transfer_distribution(colors: Colors, reference: Colors, random: Random) -> Colors:
    """The whole 3-D distribution, by histogram matching along random axes (Pitié et al., 2007)."""
    for _ in range(5):
        axes = np.linalg.qr(random.standard_normal((3, 3)))[0].astype(np.float32)
        colors = match_histograms(colors @ axes, reference @ axes, random) @ axes.T
    return colors


# --- what cameras, daylight and retouchers do -----------------------------------------------------------------


def develop(colors: Colors, random: Random, amount: float = 1.0) -> Colors:
    """Another development of the same raw: exposure and white balance in linear light, then tone and saturation."""
    spread = random.normal(0, amount, 8)
    linear = colors**2.2
    temperature, tint = 0.28 * spread[0], 0.1 * spread[1]
    gains = 2.0 ** (0.75 * spread[2] + np.array([temperature, tint, -temperature]))
    linear = linear * gains.astype(np.float32)
    linear = np.where(linear > 0.8, 1 - 0.2 * np.exp(-(linear - 0.8) / 0.2), linear)  # highlights roll off
    colors = linear ** (1 / 2.2)
    if random.random() < 0.6:
        colors = colors.clip(0, 1) ** (2.0 ** (0.35 * spread[3]))
    if random.random() < 0.6:
        colors = 0.45 + (colors - 0.45) * np.exp(0.25 * spread[4])
    luma = (colors @ _LUMA)[:, None]
    colors = luma + (colors - luma) * np.exp(0.35 * spread[5])
    if random.random() < 0.3:  # lifted blacks, dulled whites
        low, high = 0.1 * abs(spread[6]), 1 - 0.1 * abs(spread[7])
        colors = low + (high - low) * colors
    return colors.astype(np.float32)


def unretouched(colors: Colors, random: Random) -> Colors:
    """What the camera gave before somebody retouched it: darker more often than not, flatter and less colourful."""
    tint = random.normal(0, 0.15) * np.array([1.0, 0.0, -1.0])
    linear = colors**2.2 * (2.0 ** (tint - random.normal(0.6, 0.6))).astype(np.float32)
    colors = linear ** np.float32(1 / 2.2)
    colors = 0.4 + (colors - 0.4) * np.float32(np.exp(-random.normal(0.15, 0.15)))
    luma = (colors @ _LUMA)[:, None]
    return luma + (colors - luma) * np.float32(np.exp(-random.normal(0.2, 0.2)))


def nightfall(colors: Colors, random: Random) -> Colors:
    """Another hour: darker, bluer or under sodium light, a little less saturated."""
    warm = random.random() < 0.35
    tint = random.uniform(0.05, 0.4) * np.array([0.5, 0.0, -1.0] if warm else [-0.6, -0.15, 0.4])
    linear = colors**2.2 * (2.0 ** (tint - random.uniform(0.4, 2.2))).astype(np.float32)
    colors = linear ** np.float32(1 / 2.2)
    luma = (colors @ _LUMA)[:, None]
    return luma + (colors - luma) * np.float32(random.uniform(0.65, 1.0))


def dye(image: np.ndarray, mask: np.ndarray, random: Random) -> np.ndarray:
    """Some clothes, or whatever has one colour that is not like skin's, in another, often vivid one.

    Meant to teach coloured clothes from coloured light.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8, where the colour may change.
        random: chooses the surface and its colour.

    Returns:
        (H, W, 3) uint8.
    """
    inside = np.argwhere(mask > 127)
    if not len(inside):
        return image
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    place = tuple(inside[random.integers(len(inside))])
    own = lab[place]
    like_own = np.exp(-np.square((lab - own) / [25, 10, 10]).sum(-1) / 2)
    like_skin = np.exp(-np.square((lab[..., 1:] - _SKIN) / 15).sum(-1) / 2)
    weight = (like_own * (1 - like_skin) * (mask / 255)).astype(np.float32)
    surfaces = cv2.connectedComponents((weight > 0.2).astype(np.uint8))[1]
    if not surfaces[place]:  # skin, or nearly so
        return image
    surface = np.where(surfaces == surfaces[place], np.float32(1), np.float32(0))
    weight *= cv2.GaussianBlur(surface, (0, 0), 1)
    angle, chroma = random.uniform(0, 2 * np.pi), random.uniform(0, 60)
    wanted = chroma * np.array([np.cos(angle), np.sin(angle)], np.float32)
    lab[..., 1:] += weight[..., None] * (wanted - own[1:])
    return np.rint(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB).clip(0, 1) * 255).astype(np.uint8)


def bend(colors: Colors, random: Random) -> Colors:
    """Random monotone curves: one shared by the channels and a weaker one of each; the ends may move."""
    knots = np.linspace(0, 1, 7)

    def curve(evenness: float) -> np.ndarray:
        rise = np.concatenate([[0], np.cumsum(random.dirichlet(np.full(6, evenness)))])
        low, high = random.uniform(-0.06, 0.1), random.uniform(0.88, 1.06)
        return low + (high - low) * rise

    shared = curve(4.0)
    channels = [np.interp(np.interp(colors[:, c], knots, shared), knots, curve(16.0)) for c in range(3)]
    return np.stack(channels, 1).astype(np.float32)


def split_tone(colors: Colors, random: Random) -> Colors:
    """One tint in the shadows, another in the highlights."""
    luma = (colors @ _LUMA).clip(0, 1)[:, None]
    tints = random.normal(0, 0.09, (2, 3)).astype(np.float32)
    tints -= tints @ _LUMA[:, None]  # brightness stays
    return colors + tints[0] * (1 - luma) ** 2 + tints[1] * luma**2


TRANSFERS: tuple[Transfer, ...] = (
    lab_statistics,
    linear_transport,
    match_histograms,
    transfer_distribution,
)


def grade(colors: Colors, random: Random, luts: np.ndarray) -> Colors:
    """One look of the second kind, chosen by chance: (N, 3) -> (N, 3) in 0..1."""
    kind = random.choice(5, p=[0.42, 0.24, 0.14, 0.12, 0.08])
    if kind == 1 and not len(luts):
        kind = 0
    if kind == 0:
        colors = develop(colors, random)
    elif kind == 1:
        table = luts[random.integers(len(luts))].astype(np.float32)
        colors = colors + np.float32(random.uniform(0.3, 0.9)) * (look_up(colors, table) - colors)
    elif kind == 2:
        colors = bend(colors, random)
    elif kind == 3:
        colors = nightfall(colors, random)
    else:
        colors = split_tone(develop(colors, random, 0.5).clip(0, 1), random)
    return colors.clip(0, 1)


def transfer(colors: Colors, reference: Colors, random: Random) -> Colors:
    """One transfer of another region's colours, of random strength: (N, 3) -> (N, 3) in 0..1."""
    method = TRANSFERS[random.integers(len(TRANSFERS))]
    strength = np.float32(random.uniform(0.5, 1.0))
    return (colors + strength * (method(colors, reference, random) - colors)).clip(0, 1)


def _quantiles(colors: Colors) -> np.ndarray:
    """33 of each channel, lowest to highest: (33, 3), of a thousand colours or so, which say as much as all."""
    ordered = np.sort(colors[:: max(1, len(colors) // 1000)], 0)
    return ordered[np.linspace(0, len(ordered) - 1, 33).astype(np.intp)]


def _to_lab(colors: Colors) -> np.ndarray:
    return cv2.cvtColor(colors[:, None].astype(np.float32), cv2.COLOR_RGB2Lab)[:, 0]


def _from_lab(lab: np.ndarray) -> Colors:
    return cv2.cvtColor(lab[:, None].astype(np.float32), cv2.COLOR_Lab2RGB)[:, 0]


def _covariance(colors: Colors) -> np.ndarray:
    return np.cov(colors.T) + 1e-4 * np.eye(3)


def _matrix_power(matrix: np.ndarray, power: float) -> np.ndarray:
    """Of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values.clip(1e-6) ** power) @ vectors.T
