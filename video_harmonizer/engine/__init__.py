"""What runs a network: OpenVINO on a processor, torch elsewhere. Chosen once; both are called alike.

Importing torch takes longer than all else that a start does. Where a network was compiled before nothing needs it, so
that neither this module nor any other that every start needs imports it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from video_harmonizer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

Array = Any  # a NumPy array, or a tensor where torch runs the networks


@dataclass(frozen=True)
class NetworkRecipe:
    """How to make a network, for an engine that may have it ready already."""

    key: str  # stands for the network with its weights, its code and the size of its inputs; names it in the cache
    # The module, which takes tensors and gives a tuple of them, and one call's inputs. Called where the cache has none.
    make: "Callable[[], tuple[nn.Module, Sequence[Tensor]]]"
    exact: bool = False  # computed in float32 whatever the engine's precision is
    # The module once more, with values and weights rounded to 8 bits where that does little harm. None: nowhere.
    make_int8: "Callable[[], nn.Module] | None" = None


@dataclass(frozen=True)
class ReadyNetwork:
    """A network to call with inputs of just these shapes."""

    shapes: list[tuple[int, ...]]  # of the inputs
    run: Callable[..., tuple[Array, ...]]

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        return self.run(*inputs)


class Engine(Protocol):
    """Makes networks ready to run."""

    name: str
    device: str  # as torch names it
    precision: str  # of what is not asked for exactly: fp32, bf16, fp16 or int8

    def prepare(self, recipe: NetworkRecipe) -> ReadyNetwork:
        """Ready to be called. A compiled form may be kept on disk; the network is made only where there is none."""
        ...

    def put(self, array: np.ndarray) -> Array:
        """As ready networks take it; results are of the same kind."""
        ...


def as_numpy(array: Array) -> np.ndarray:
    """The way back from `Engine.put`."""
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()


def make_engine(name: str, device: str, precision: str = "auto") -> Engine:
    """``auto``, ``openvino`` or ``torch``; auto takes OpenVINO on a processor if it is installed, and says if it isn't.

    Raises:
        InputError: OpenVINO was asked for where it can't run, or a precision that is not to be had.
    """
    if name == "torch" or (name == "auto" and device != "cpu"):
        return _torch_engine(device, precision)
    if device != "cpu":
        raise InputError(f"--engine openvino: it runs on the processor, not on {device}; give --device cpu")
    try:
        from video_harmonizer.engine.openvino import OpenVINOEngine
    except ImportError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # Ctrl-C meanwhile, which its modules take for a failure
            raise error.__cause__ from None
        if name == "openvino":
            raise InputError(f"--engine openvino: it is not installed ({error}); run pip install openvino") from error
        log.warning("engine: OpenVINO is not installed, so torch runs the networks, more slowly")
        return _torch_engine(device, precision)
    return OpenVINOEngine(precision)


def _torch_engine(device: str, precision: str) -> Engine:
    from video_harmonizer.engine.eager import TorchEngine

    return TorchEngine(device, precision)
