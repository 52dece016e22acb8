"""Files of several recordings, joined end to end: where the clock of the next one begins.

Broadcasts and cameras' transport streams are often copied behind each other; other formats are seldom.
"""

from fractions import Fraction

BACK = Fraction(1)  # seconds by which a clock falls back when it begins anew; less is an error
AHEAD = Fraction(10)  # seconds by which it jumps ahead then. Only where clocks may: elsewhere a still stays that long
JUMPING_FORMAT = "mpegts"  # whose clocks may begin anywhere


def begins_anew(passed: Fraction, file_format: str) -> bool:
    """Whether a packet that comes so many seconds after the one before is of the next recording."""
    return passed < -BACK or (file_format == JUMPING_FORMAT and passed > AHEAD)
