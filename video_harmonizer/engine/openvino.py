"""Networks compiled by OpenVINO for the processor at hand, kept on disk for the next start."""

import hashlib
import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import openvino as ov
import torch
from torch import Tensor, nn

from video_harmonizer.engine import Prepared
from video_harmonizer.weights import cache

log = logging.getLogger(__name__)


class OpenVINOEngine:
    """Converts a module by tracing it with the example, in float32, and compiles it for one call at a time."""

    name = "openvino"
    device = torch.device("cpu")

    def __init__(self) -> None:
        self._core = ov.Core()

    def prepare(self, module: nn.Module, example: Sequence[Tensor], key: str) -> Prepared:
        path = _kept_as(key, example)
        if path.is_file():
            model = self._core.read_model(path)
        else:
            model = _convert(module.eval(), example)
            _keep(model, path)
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        request = self._core.compile_model(model, "CPU", settings).create_infer_request()

        def run(*inputs: Tensor) -> tuple[Tensor, ...]:
            request.infer([tensor.detach().numpy() for tensor in inputs], share_inputs=True)
            # copies, because the next call writes into the same buffers
            return tuple(torch.from_numpy(tensor.data.copy()) for tensor in request.output_tensors)

        return run


def _convert(module: nn.Module, example: Sequence[Tensor]) -> ov.Model:
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of the tracer: shapes are constants here, as is meant
        return ov.convert_model(module, example_input=tuple(example), input=[tuple(one.shape) for one in example])


def _kept_as(key: str, example: Sequence[Tensor]) -> Path:
    kinds = [(tuple(tensor.shape), str(tensor.dtype)) for tensor in example]
    name = hashlib.sha256(repr((key, kinds, ov.__version__)).encode()).hexdigest()[:24]
    return cache.folder() / "openvino" / f"{name}.xml"


def _keep(model: ov.Model, path: Path) -> None:
    """Save the converted model, or go on without where the cache can't be written."""
    partial = path.with_name(f"{path.stem}.{os.getpid()}.xml")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ov.save_model(model, partial, compress_to_fp16=False)
        # the weights first: a model is there when its .xml is
        partial.with_suffix(".bin").replace(path.with_suffix(".bin"))
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        log.info("%s: the compiled network can't be kept, so the next start takes as long: %s", path.parent, error)
