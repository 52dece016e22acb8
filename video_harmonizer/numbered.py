"""Names that stand for several pictures: read and written alike."""

import re
from pathlib import Path

PRINTF_NUMBER = re.compile(r"%(?:0\d+)?d")  # not %20d, a blank in an address


def is_pattern(path: Path) -> bool:
    """Whether a name is meant as ``frames/%04d.png`` or ``frames/*.png``."""
    return bool(PRINTF_NUMBER.search(path.name)) or "*" in path.name or "?" in path.name
