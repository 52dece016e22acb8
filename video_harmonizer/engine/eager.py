"""Networks run by torch as they are."""

import numpy as np
import torch
from torch import Tensor

from video_harmonizer.engine import NetworkRecipe, ReadyNetwork
from video_harmonizer.errors import InputError


class TorchEngine:
    """The module itself, without gradients. In float32 on a processor it is the reference.

    Args:
        precision: auto, fp32, bf16 or fp16; auto is fp16 with CUDA, else fp32.

    Raises:
        InputError: the device can't compute so.
    """

    name = "torch"

    def __init__(self, device: str, precision: str = "auto") -> None:
        self.device = device
        self._kind = torch.device(device).type
        self.precision = precision
        if precision == "auto":
            self.precision = "fp16" if self._kind == "cuda" else "fp32"
        if self.precision == "fp16" and self._kind == "cpu":
            raise InputError("--precision fp16: processors don't compute so; give auto, fp32 or bf16")
        if self.precision == "int8":
            raise InputError("--precision int8: torch does not compute so here; give auto, or --engine openvino")

    def prepare(self, recipe: NetworkRecipe) -> ReadyNetwork:
        module, example = recipe.make()
        ready = module.to(self.device).to(memory_format=torch.channels_last).eval()
        narrow = None if recipe.exact else {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)

        @torch.inference_mode()
        def run(*inputs: Tensor) -> tuple[Tensor, ...]:
            with torch.autocast(self._kind, dtype=narrow or torch.bfloat16, enabled=narrow is not None):
                outputs = ready(*inputs)
            return tuple(output.float() if output.dtype == narrow else output for output in outputs)

        return ReadyNetwork([tuple(one.shape) for one in example], run)

    def put(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)
