"""Networks compiled by OpenVINO for the processor at hand, kept on disk for the next start."""

import contextlib
import functools
import hashlib
import logging
import os
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

# OpenVINO would report conversions to its makers, in threads of its own; without this package it does not
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov
from openvino import opset13 as opset
from openvino.frontend import FrontEndManager
from openvino.passes import ConstantFolding, Manager

from video_harmonizer.engine import NetworkRecipe, ReadyNetwork
from video_harmonizer.engine.joins import sum_instead_of_joining
from video_harmonizer.errors import InputError
from video_harmonizer.weights import cache

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

PRECISIONS = ("bf16", "int8", "fp32")  # the first that there is is taken
DIGEST = 32  # bytes of a SHA-256, which a kept network begins with
UNUSED = 30 * 24 * 3600  # seconds after which a kept network is deleted; sizes, weights and versions change
# Two networks run at a time, each half of the processor; on more threads than that they would wait for each other.
THREADS = max(1, len(os.sched_getaffinity(0)) // 2 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 2) // 2)


class OpenVINOEngine:
    """Converts a module by tracing it with the example and compiles it for one call at a time.

    Args:
        precision: auto, fp32, bf16 or int8; auto is bf16 on a processor that has instructions for it, else int8 where
            there are such for that. In int8 larger convolutions of networks whose recipe allows it are computed so,
            all else in float32.

    Raises:
        InputError: the processor can't compute so.
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, precision: str = "auto") -> None:
        self._core = _core()
        self.precision = next(filter(_computes, PRECISIONS)) if precision == "auto" else precision
        if not _computes(self.precision):
            known = " or ".join(["auto", *filter(_computes, PRECISIONS)])
            raise InputError(f"--precision {precision}: this processor has no instructions for it; give {known}")

    def prepare(self, recipe: NetworkRecipe) -> ReadyNetwork:
        make_int8 = recipe.make_int8 if self.precision == "int8" else None
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bf16" and not recipe.exact else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": THREADS,
            "ENABLE_CPU_PINNING": False,  # networks that run beside each other would be pinned to the same cores
        }
        path = _kept_as(f"{recipe.key} int8" if make_int8 else recipe.key, settings)
        compiled = self._read(path, settings)
        if compiled is None:
            _tell_of_first_time()
            module, example = recipe.make()
            try:
                model = _convert(make_int8() if make_int8 else module, example)
            except Exception as error:  # of many kinds, for instance where a frame of few pixels pools to nothing
                log.warning("engine: OpenVINO can't take this network at this size, so torch runs it")
                log.debug("%s", error)
                return self._by_torch(NetworkRecipe(recipe.key, lambda: (module, example)))
            compiled = self._core.compile_model(model, "CPU", settings)
            _keep(compiled, path)
        request = compiled.create_infer_request()

        def run(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
            request.infer(list(inputs), share_inputs=True)
            # copies, because the next call writes into the same buffers
            return tuple(tensor.data.copy() for tensor in request.output_tensors)

        return ReadyNetwork([tuple(port.shape) for port in compiled.inputs], run)

    def put(self, array: np.ndarray) -> np.ndarray:
        return array

    def _by_torch(self, recipe: NetworkRecipe) -> ReadyNetwork:
        from video_harmonizer.engine.eager import TorchEngine

        engine = TorchEngine(self.device, "fp32")
        ready = engine.prepare(recipe)

        def run(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
            return tuple(output.numpy() for output in ready(*map(engine.put, inputs)))

        return ReadyNetwork(ready.shapes, run)

    def _read(self, path: Path, settings: dict[str, Any]) -> ov.CompiledModel | None:
        """The kept network, if there is one and it is whole."""
        try:
            content = path.read_bytes()
            if content[:DIGEST] != _digest(content[DIGEST:]):
                raise ValueError("other content than was written")  # OpenVINO would take it, and answer anything
            compiled = self._core.import_model(content[DIGEST:], "CPU", settings)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RuntimeError) as error:
            log.info("%s: damaged, made anew (%s)", path, str(error).strip().splitlines()[-1])
            return None
        with contextlib.suppress(OSError):  # where nobody may write, nobody deletes either
            path.touch()  # in use: see `_forget_unused`
        return compiled


@functools.cache
def _core() -> ov.Core:
    """The only one of this process, to its end.

    Creating a core gives the creating thread another stack for signals; destroying it restores the one before. Of two
    cores the second may restore the first's, which is freed by then, and the next signal, be it Ctrl-C's or an ended
    child's, crashes the process.
    """
    return ov.Core()


@functools.cache
def _computes(precision: str) -> bool:
    """Whether the processor has instructions for it."""
    if precision == "bf16":
        return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return precision == "fp32" or (precision == "int8" and _sums_int8())


def _sums_int8() -> bool:
    """Whether products of 8 bits are summed in integers, and right.

    OpenVINO says that it computes in int8 on every processor. On those of x86 without VNNI sums of two products
    saturate at 16 bits.
    """
    channels, value, weight = 64, np.float32(255), np.float32(127)
    pixels = opset.parameter([1, channels, 8, 8], np.float32)
    values = opset.fake_quantize(pixels, 0.0, value, 0.0, value, 256)
    full = np.full((channels, channels, 1, 1), weight)
    weights = opset.fake_quantize(full, -weight, weight, -weight, weight, 255)
    product = opset.convolution(values, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    compiled = _core().compile_model(ov.Model([product], [pixels]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    about = [step.get_rt_info() for step in compiled.get_runtime_model().get_ops()]
    kinds = [str(facts["primitiveType"].value) for facts in about if "primitiveType" in facts]
    (sums,) = compiled([np.full((1, channels, 8, 8), value)]).values()
    return any(kind.lower().endswith("_i8") for kind in kinds) and bool((sums == channels * value * weight).all())


@functools.cache
def _tell_of_first_time() -> None:
    log.info("networks are made ready for pictures of this size, which takes some seconds once")


def _convert(module: "nn.Module", example: "Sequence[Tensor]") -> ov.Model:
    """Through the front end itself: `ov.convert_model` would reset the program's logging."""
    import torch
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of the tracer: shapes are constants here, as is meant
        front_end = FrontEndManager().load_by_framework("pytorch")
        # unchecked: torch would run a network three more times, which of DucoNet at 1024x1024 takes minutes
        traced = torch.jit.trace(module.eval(), tuple(example), check_trace=False)
        decoder = TorchScriptPythonDecoder(traced)
        model = front_end.convert(front_end.load(decoder))
    model.reshape({place: ov.PartialShape(list(one.shape)) for place, one in enumerate(example)})
    folding = Manager()
    folding.register_pass(ConstantFolding())  # or the plugin would not see that values are rounded
    folding.run_passes(model)
    sum_instead_of_joining(model)
    return model


def _kept_as(key: str, settings: dict[str, Any]) -> Path:
    """Where a network is kept that was compiled so, by this OpenVINO and for this processor."""
    processor = [_core().get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    name = hashlib.sha256(repr((key, settings, ov.__version__, processor)).encode()).hexdigest()[:24]
    return cache.networks() / f"{name}.network"


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _keep(compiled: ov.CompiledModel, path: Path) -> None:
    """Save a compiled network, or go on without where the cache can't be written."""
    partial = path.with_name(f"{path.stem}.{uuid4().hex}.partial")
    try:
        content = compiled.export_model().getvalue()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(_digest(content) + content)
        partial.replace(path)
        _forget_unused(path.parent)
    except (OSError, RuntimeError) as error:
        _tell_of_no_cache(path.parent, getattr(error, "strerror", None) or "nothing can be written there")
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


@functools.cache
def _tell_of_no_cache(folder: Path, error: str) -> None:
    log.info("%s: compiled networks can't be kept, so the next start takes as long: %s", folder, error)


def _forget_unused(folder: Path) -> None:
    """Delete networks that no start has needed for a while."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another process was quicker
            if time.time() - path.stat().st_mtime > UNUSED:
                path.unlink()
