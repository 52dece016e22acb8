"""What several tests share."""

import importlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cache of the tests' own: compiled networks of an earlier run must not stand in for today's."""
    os.environ["HARMONIZER_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """Works, though a shell's background jobs inherit it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of golden vectors, weights and clips, where there is one."""
    folder = os.environ.get("HARMONIZER_REFERENCE")
    if not folder:
        pytest.skip("HARMONIZER_REFERENCE is not set: no golden vectors, weights or clips on this machine")
    return Path(folder)


@pytest.fixture(scope="session")
def folder(reference: Path) -> Path:
    return reference / "reference"


@pytest.fixture(scope="session")
def deterministic(folder: Path) -> ModuleType:
    """The generators of states and images that the golden vectors were made with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        return importlib.import_module("deterministic")


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A virtual display's name."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed: no display to show a window on")
    reading, writing = os.pipe()
    # -noreset: it would start anew when the last window closes, and refuse the next one meanwhile
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1366x768x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as answer:
        name = f":{answer.readline().strip()}"
    yield name
    server.terminate()
    server.wait(timeout=10)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photographs to train on, not to be written to."""
    from photographs import make_data

    return make_data(tmp_path_factory.mktemp("training") / "data")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset in iHarmony4's layout: three pictures in HCOCO, two in Hday2night."""
    from triples import SHARES, triple

    from benchmarks.synthetic_iharmony4 import write_dataset  # brings torch, which few tests need

    root = tmp_path / "dataset"
    write_dataset(root, [triple(share, seed) for seed, share in enumerate(SHARES)])
    write_dataset(root, [triple(0.3, seed) for seed in (10, 11)], "Hday2night")
    return root
