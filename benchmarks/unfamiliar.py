"""Changes of colour that training never makes: who only learnt `perturb`'s own is found out here.

Where training transfers in CIELAB, RGB and by histograms, these do so in YCbCr, by luma alone, by chromatic adaptation
and by medians. Where it develops, grades and bends, these are what picture editors have as sliders and layers.
All take and give (N, 3) float RGB 0..1, as in `perturb`; what leaves that range is clipped in the end.
"""

from collections.abc import Callable

import numpy as np
from skimage import color, exposure

from video_harmonizer.training.perturb import Colors, Random

LUMA = np.array([0.299, 0.587, 0.114])  # Rec. 601
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])  # Bradford, of XYZ
LEVELS = np.linspace(0, 1, 33)


def transfer(colors: Colors, reference: Colors, random: Random) -> Colors:
    """Another region's colours, by one of four methods and with random strength, as `perturb.transfer`."""
    method = TRANSFERS[random.integers(len(TRANSFERS))]
    moved = method(colors, reference)
    return (colors + random.uniform(0.5, 1.0) * (moved - colors)).clip(0, 1).astype(np.float32)


def grade(colors: Colors, random: Random, luts: np.ndarray) -> Colors:
    """One of nine looks, as `perturb.grade`; no use is made of ``luts``."""
    look = LOOKS[random.integers(len(LOOKS))]
    return look(colors, random).clip(0, 1).astype(np.float32)


# --- transfers ------------------------------------------------------------------------------------------------


def ycbcr_statistics(colors: Colors, reference: Colors) -> Colors:
    """Mean and deviation in YCbCr."""
    ours, theirs = color.rgb2ycbcr(colors), color.rgb2ycbcr(reference)
    gain = (theirs.std(0) + 1) / (ours.std(0) + 1)
    return color.ycbcr2rgb((ours - ours.mean(0)) * gain.clip(0.5, 2) + theirs.mean(0))


def luma_distribution(colors: Colors, reference: Colors) -> Colors:
    """The distribution of luma; all channels take part alike."""
    luma = colors @ LUMA
    wanted = np.interp(luma, np.quantile(luma, LEVELS), np.quantile(reference @ LUMA, LEVELS))
    return colors * (wanted / luma.clip(0.02))[:, None]


def adaptation(colors: Colors, reference: Colors) -> Colors:
    """Mean colour by gains of the eye's cones (von Kries)."""
    ours, theirs = color.rgb2xyz(colors) @ CONES.T, color.rgb2xyz(reference) @ CONES.T
    gains = (theirs.mean(0) + 0.01) / (ours.mean(0) + 0.01)
    return color.xyz2rgb((ours * gains) @ np.linalg.inv(CONES).T)


def median_statistics(colors: Colors, reference: Colors) -> Colors:
    """Median and mean absolute deviation of each channel."""
    ours, theirs = np.median(colors, 0), np.median(reference, 0)
    gain = (np.abs(reference - theirs).mean(0) + 0.02) / (np.abs(colors - ours).mean(0) + 0.02)
    return (colors - ours) * gain.clip(0.5, 2) + theirs


# --- looks ----------------------------------------------------------------------------------------------------


def hue_saturation_value(colors: Colors, random: Random) -> Colors:
    hue, saturation, value = color.rgb2hsv(colors).T
    factors = np.exp(random.normal(0, 0.35, 2))
    turned = [(hue + random.normal(0, 0.03)) % 1, saturation * factors[0], value * factors[1]]
    return color.hsv2rgb(np.stack(turned, 1).clip(0, 1))


def channel_mixer(colors: Colors, random: Random) -> Colors:
    mixer = np.eye(3) + random.normal(0, 0.12, (3, 3))
    return colors @ (mixer / mixer.sum(1, keepdims=True) * np.exp(random.normal(0, 0.2, (3, 1)))).T


def sigmoid(colors: Colors, random: Random) -> Colors:
    steeper = exposure.adjust_sigmoid(colors, random.uniform(0.3, 0.7), random.uniform(3, 8))
    return steeper * np.exp(random.normal(0, 0.1, 3))


def logarithm(colors: Colors, random: Random) -> Colors:
    bent = exposure.adjust_log(colors, np.exp(random.normal(0, 0.2)), inv=random.random() < 0.5)
    return bent * np.exp(random.normal(0, 0.1, 3))


def haze(colors: Colors, random: Random) -> Colors:
    air = (random.uniform(0.5, 1) + random.normal(0, 0.1, 3)).clip(0, 1)
    return colors + random.uniform(0.1, 0.4) * (air - colors)


def multiply(colors: Colors, random: Random) -> Colors:
    return colors * random.uniform(0.4, 1) * (1 - np.abs(random.normal(0, 0.15, 3))).clip(0.3)


def screen(colors: Colors, random: Random) -> Colors:
    return 1 - (1 - colors) * (1 - np.abs(random.normal(0, 0.2, 3)).clip(0, 0.6))


def sepia(colors: Colors, random: Random) -> Colors:
    return colors + random.uniform(0.2, 0.6) * (colors @ SEPIA.T - colors)


def overlay(colors: Colors, random: Random) -> Colors:
    layer = (0.5 + random.normal(0, 0.2, 3)).clip(0.05, 0.95)
    laid = np.where(colors < 0.5, 2 * colors * layer, 1 - 2 * (1 - colors) * (1 - layer))
    return colors + random.uniform(0.3, 0.9) * (laid - colors)


TRANSFERS: tuple[Callable[[Colors, Colors], Colors], ...] = (
    ycbcr_statistics,
    luma_distribution,
    adaptation,
    median_statistics,
)
LOOKS: tuple[Callable[[Colors, Random], Colors], ...] = (
    hue_saturation_value,
    channel_mixer,
    sigmoid,
    logarithm,
    haze,
    multiply,
    screen,
    sepia,
    overlay,
)
