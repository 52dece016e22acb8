"""Imports point one way, as docs/architecture.md says; heavy packages are loaded by those who need them only."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]

NOUNS, NETWORKS, ADAPTERS, PIPELINE, TRAINING, COMMANDS = range(6)
# The longest name that fits a module says where it stands.
LAYERS = {
    "rvm": NOUNS,
    "video_harmonizer": NOUNS,
    "video_harmonizer.errors": NOUNS,
    "video_harmonizer.frame": NOUNS,
    "video_harmonizer.compiled": NOUNS,
    "video_harmonizer.config": NOUNS,
    "video_harmonizer.ahead": NOUNS,
    "video_harmonizer.undisturbed": NOUNS,
    "video_harmonizer.container": NOUNS,
    "video_harmonizer.pixels": NOUNS,
    "video_harmonizer.simd": NOUNS,
    "video_harmonizer.tone": NOUNS,
    "video_harmonizer.view": NOUNS,
    "video_harmonizer.yuv": NOUNS,
    "video_harmonizer.hdr": NOUNS,
    "video_harmonizer.label": NOUNS,
    "video_harmonizer.iharmony4": NOUNS,
    "video_harmonizer.lut": NOUNS,
    "video_harmonizer.numbered": NOUNS,
    "video_harmonizer.staging": NOUNS,
    "video_harmonizer.weights": NETWORKS,
    "video_harmonizer.engine": NETWORKS,
    "video_harmonizer.thumbnails": NETWORKS,
    "video_harmonizer.rendering.kernels": NETWORKS,
    "video_harmonizer.harmonizers": NETWORKS,
    "video_harmonizer.harmonizers.estimator": ADAPTERS,
    "video_harmonizer.sources": ADAPTERS,
    "video_harmonizer.matting": ADAPTERS,
    "video_harmonizer.temporal": ADAPTERS,
    "video_harmonizer.rendering": ADAPTERS,
    "video_harmonizer.sinks": ADAPTERS,
    "video_harmonizer.background": PIPELINE,
    "video_harmonizer.pipeline": PIPELINE,
    "video_harmonizer.report": PIPELINE,
    "video_harmonizer.options": COMMANDS,
    "video_harmonizer.checks": COMMANDS,
    "video_harmonizer.assemble": COMMANDS,
    "video_harmonizer.live": COMMANDS,
    "video_harmonizer.commands": COMMANDS,
    "video_harmonizer.__main__": COMMANDS,
    "run_webcam": COMMANDS,
    "video_harmonizer.training": TRAINING,
    "video_harmonizer.evaluation": TRAINING,
    "video_harmonizer.evaluation.evaluate_command": COMMANDS,
    "video_harmonizer.evaluation.compare_command": COMMANDS,
    "video_harmonizer.evaluation.measure": COMMANDS,
    "video_harmonizer.benchmark": COMMANDS,
    "train": TRAINING,
}


def modules() -> dict[str, Path]:
    files = [ROOT / "run_webcam.py", ROOT / "train.py"]
    files += sorted(path for package in ("rvm", "video_harmonizer") for path in (ROOT / package).rglob("*.py"))
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files)
    return dict(zip(names, files, strict=True))


MODULES = modules()


def imports(module: str) -> set[str]:
    """The modules that the file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            assert node.module is not None
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else node.module)
    return found


def place(module: str) -> tuple[int, str]:
    """(layer, the name in the table that says so)."""
    parts = module.split(".")
    names = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    name = next(name for name in names if name in LAYERS)
    assert name != "video_harmonizer" or module == name, f"{module}: say in LAYERS where it stands"
    return LAYERS[name], name


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str):
    layer, name = place(module)
    for imported in imports(module) & MODULES.keys():
        other_layer, other_name = place(imported)
        crossing = f"{module} imports {imported}"
        assert other_layer <= layer, crossing
        if layer == ADAPTERS:  # never each other
            assert other_layer < ADAPTERS or other_name == name, crossing
        if layer == TRAINING:
            assert other_layer != PIPELINE, crossing
            assert other_name != "video_harmonizer.sinks", crossing
            # clips of people are read as the application reads them, by nobody else
            assert other_name != "video_harmonizer.sources" or module.endswith(".training.teacher"), crossing


def test_rvm_needs_torch_only():
    for module in MODULES:
        if module.split(".")[0] == "rvm":
            packages = {imported.split(".")[0] for imported in imports(module)}
            assert packages <= {"torch", "torchvision", "rvm"} | sys.stdlib_module_names, module


def test_only_video_file_adapters_import_pyav():
    users = {module for module in MODULES if any(name.split(".")[0] == "av" for name in imports(module))}
    users.remove("video_harmonizer.container")  # which both share
    assert all(module.startswith(("video_harmonizer.sources.", "video_harmonizer.sinks.")) for module in users)


def test_heavy_packages_are_loaded_when_they_are_needed():
    program = """
import sys
import video_harmonizer.__main__
print(sorted({"av", "torch", "cv2", "numba", "numpy"} & sys.modules.keys()))
import video_harmonizer.commands
print("av" in sys.modules)  # an OpenCV window that opens after PyAV was loaded freezes
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["[]", "False"], done.stderr


def test_a_second_start_needs_no_torch(tmp_path: Path):
    """It takes longer to import than all else that a start does."""
    pytest.importorskip("video_harmonizer.engine.openvino", exc_type=ImportError)  # which silences its telemetry
    program = """
import sys
from video_harmonizer.__main__ import main
code = main()
print("torch" in sys.modules)
sys.exit(code)
"""
    picture, composite = tmp_path / "person.png", tmp_path / "out.png"
    cv2.imwrite(str(picture), np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8))
    command = [sys.executable, "-c", program, "image", str(picture), "--background", "#204060", "--device", "cpu"]
    environment = os.environ | {"HARMONIZER_CACHE": str(tmp_path / "cache")}
    told = []
    for _ in range(2):
        run = [*command, "--output", str(composite)]
        done = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        told.append(done.stdout.splitlines()[-1])
    assert told == ["True", "False"]
