"""What several tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cache of the tests' own: compiled networks of an earlier run must not stand in for today's."""
    os.environ["HARMONIZER_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of golden vectors, weights and clips, where there is one."""
    folder = os.environ.get("HARMONIZER_REFERENCE")
    if not folder:
        pytest.skip("HARMONIZER_REFERENCE is not set: no golden vectors, weights or clips on this machine")
    return Path(folder)
