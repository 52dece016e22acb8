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

    def prepare(self, module: nn.Module, example: Sequence[Tensor], key: str) -> Prepared:
        """A function that does what the module does, for inputs of the example's shapes and dtypes.

        Args:
            module: takes tensors and gives a tuple of tensors.
            example: one call's inputs.
            key: a name for the module with its weights, under which a compiled form may be kept on disk.
        """
        ...


class TorchEngine:
    """The module itself, without gradients: the reference."""

    name = "torch"

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def prepare(self, module: nn.Module, example: Sequence[Tensor], key: str) -> Prepared:
        ready = module.to(self.device).eval()

        @torch.inference_mode()
        def run(*inputs: Tensor) -> tuple[Tensor, ...]:
            return ready(*inputs)

        return run


def make_engine(name: str, device: torch.device) -> Engine:
    """``auto``, ``openvino`` or ``torch``; auto takes OpenVINO on a processor if it is installed, and says if it isn't.

    Raises:
        InputError: OpenVINO was asked for where it can't run.
    """
    if name == "torch" or (name == "auto" and device.type != "cpu"):
        return TorchEngine(device)
    if device.type != "cpu":
        raise InputError(f"--engine openvino: it runs on the processor, not on {device}; give --device cpu")
    try:
        from video_harmonizer.engine.openvino import OpenVINOEngine
    except ImportError as error:
        if name == "openvino":
            raise InputError(f"--engine openvino: it is not installed ({error}); run pip install openvino") from error
        log.warning("engine: OpenVINO is not installed, so torch runs the networks, more slowly")
        return TorchEngine(device)
    return OpenVINOEngine()


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
