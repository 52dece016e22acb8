"""From HDR video to what an ordinary screen shows: SDR, BT.709.

Scenes, views and what the networks have learnt from are SDR; a phone's HDR video pasted among them as it is would be
flat and pale. Light up to a face's brightness stays what it is, highlights are rolled off instead of being cut off.
"""

from functools import cache

import numpy as np

from video_harmonizer import lut

TRANSFERS = {16: "PQ", 18: "HLG"}  # by the number of the transfer characteristics (ITU-T H.273)
PEAK = 1000.0  # cd/m2, for which most HDR video is made; PQ's greater values are cut off there
WHITE = 203.0  # cd/m2 of a white sheet (ITU-R BT.2408); an SDR screen's white

_LUMA = np.array([0.2627, 0.6780, 0.0593])  # BT.2020
_TO_BT709 = np.array(  # from BT.2020's primaries, the only ones of BT.2100 (ITU-R BT.2407, section 2.2)
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
NODES = 65


def to_sdr(rgb: np.ndarray, transfer: int) -> np.ndarray:
    """HDR signal, BT.2020 primaries, to SDR signal of BT.709 primaries for a screen of gamma 2.4 (BT.1886).

    Args:
        rgb: (H, W, 3), integers that use their whole type.
        transfer: a key of `TRANSFERS`.

    Returns:
        The same shape and dtype.
    """
    return lut.look_up(rgb, _table(transfer))


@cache
def _table(transfer: int) -> np.ndarray:
    steps = np.linspace(0, 1, NODES)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    signal = np.stack([red, green, blue], axis=-1)
    light = _hlg_light(signal) if TRANSFERS[transfer] == "HLG" else _pq_light(signal)
    brightest = np.maximum(light.max(-1, keepdims=True), 1e-6)
    light *= _roll_off(brightest) / brightest  # one factor for three channels: hues stay
    return (np.clip(light @ _TO_BT709.T / WHITE, 0, 1) ** (1 / 2.4)).astype(np.float32)


def _hlg_light(signal: np.ndarray) -> np.ndarray:
    """cd/m2 on a screen of `PEAK` (ITU-R BT.2100, table 5): the camera's curve undone, then the screen's gamma."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return PEAK * scene * (scene @ _LUMA)[..., None] ** 0.2


_M1, _M2, _C1, _C2, _C3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875


def _pq_light(signal: np.ndarray) -> np.ndarray:
    """cd/m2 (ITU-R BT.2100, table 4)."""
    root = signal ** (1 / _M2)
    return 10000 * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)


def _pq_signal(light: np.ndarray) -> np.ndarray:
    power = (light / 10000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _roll_off(light: np.ndarray) -> np.ndarray:
    """0..`PEAK` into 0..`WHITE` cd/m2 (ITU-R BT.2390, section 5.4.1): a spline in PQ's even steps, from its knee on."""
    peak = _pq_signal(np.array(PEAK))
    white = _pq_signal(np.array(WHITE)) / peak
    knee = 1.5 * white - 0.5
    x = np.minimum(_pq_signal(light) / peak, 1)
    t = (x - knee) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * white
    return _pq_light(np.where(x < knee, x, spline) * peak)
