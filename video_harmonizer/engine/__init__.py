"""What runs a network: OpenVINO on a processor, torch elsewhere. Chosen once; both are called alike."""

import hashlib
import inspect
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from video_harmonizer.errors import InputError

log = logging.getLogger(__name__)

Prepared = Callable[..., tuple[Tensor, ...]]


class Engine(Protocol):
    """Makes networks ready to run."""

    name: str
    device: torch.device  # where inputs have to be and outputs are
    precision: str  # of what is not asked for exactly: fp32, bf16 or fp16

    def prepare(self, module: nn.Module, example: Sequence[Tensor], key: str, exact: bool = False) -> Prepared:
        """A function that does what the module does, for inputs of the example's shapes and dtypes.

        Args:
            module: takes tensors and gives a tuple of tensors.
            example: one call's inputs.
            key: a name for the module with its weights, under which a compiled form may be kept on disk.
            exact: compute in float32 whatever `precision` is.
        """
        ...


class TorchEngine:
    """The module itself, without gradients. In float32 on a processor it is the reference.

    Args:
        precision: one of `PRECISIONS`; auto is fp16 with CUDA, else fp32.

    Raises:
        InputError: the device can't compute so.
    """

    name = "torch"

    def __init__(self, device: torch.device, precision: str = "auto") -> None:
        self.device = device
        self.precision = precision
        if precision == "auto":
            self.precision = "fp16" if device.type == "cuda" else "fp32"
        if self.precision == "fp16" and device.type == "cpu":
            raise InputError("--precision fp16: processors don't compute so; give auto, fp32 or bf16")

    def prepare(self, module: nn.Module, example: Sequence[Tensor], key: str, exact: bool = False) -> Prepared:
        ready = module.to(self.device).to(memory_format=torch.channels_last).eval()
        narrow = None if exact else {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)

        @torch.inference_mode()
        def run(*inputs: Tensor) -> tuple[Tensor, ...]:
            with torch.autocast(self.device.type, dtype=narrow or torch.bfloat16, enabled=narrow is not None):
                outputs = ready(*inputs)
            return tuple(output.float() if output.dtype == narrow else output for output in outputs)

        return run


def make_engine(name: str, device: torch.device, precision: str = "auto") -> Engine:
    """``auto``, ``openvino`` or ``torch``; auto takes OpenVINO on a processor if it is installed, and says if it isn't.

    Raises:
        InputError: OpenVINO was asked for where it can't run, or a precision that is not to be had.
    """
    if name == "torch" or (name == "auto" and device.type != "cpu"):
        return TorchEngine(device, precision)
    if device.type != "cpu":
        raise InputError(f"--engine openvino: it runs on the processor, not on {device}; give --device cpu")
    try:
        from video_harmonizer.engine.openvino import OpenVINOEngine
    except ImportError as error:
        if name == "openvino":
            raise InputError(f"--engine openvino: it is not installed ({error}); run pip install openvino") from error
        log.warning("engine: OpenVINO is not installed, so torch runs the networks, more slowly")
        return TorchEngine(device, precision)
    return OpenVINOEngine(precision)


def fingerprint(module: nn.Module) -> str:
    """A short name for a module: its structure, its weights and the code that it runs."""
    digest = hashlib.sha256(f"{torch.__version__} {module!r}".encode())
    folders = {Path(inspect.getfile(type(part))).parent for part in module.modules()}
    for source in sorted(source for folder in folders for source in folder.glob("*.py")):
        digest.update(source.read_bytes())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]
