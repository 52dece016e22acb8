"""On what was measured: numbers mean little without it."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from video_harmonizer import __version__

PACKAGES = ("torch", "openvino", "numpy", "numba", "opencv-python", "av")


def describe(device: str) -> dict[str, str | int | None]:
    """Processor, accelerator, system and versions, for people."""
    versions = {package: _version(package) for package in PACKAGES}
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "accelerator": torch.cuda.get_device_name(device) if device.startswith("cuda") else None,
        "torch_threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "video_harmonizer": __version__,
        **versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # OpenVINO is not everywhere
        return None
