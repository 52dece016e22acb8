"""What ImageNet's networks, torchvision's among them, expect of a picture."""

import torch
from torch import Tensor, nn

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the channels, red, green and blue, on 0..1


class Normalize(nn.Module):
    """(..., 3, H, W) RGB 0..1 to mean 0 and deviation 1 of each channel."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Not persistent: published checkpoints know nothing of these two.
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        return (image - self.mean) / self.deviation
