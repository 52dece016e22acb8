"""What several tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of golden vectors, weights and clips, where there is one."""
    folder = os.environ.get("HARMONIZER_REFERENCE")
    if not folder:
        pytest.skip("HARMONIZER_REFERENCE is not set: no golden vectors, weights or clips on this machine")
    return Path(folder)
