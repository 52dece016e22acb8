"""The adversary of the paper's training: is this picture a photograph or rendered?"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (64, 128, 256, 512)


class PatchDiscriminator(nn.Sequential):
    """Five convolutions, batch norm and ReLU between them; an answer for each patch (Isola et al., CVPR 2017).

    (B, 3, H, W) RGB 0..1 -> (B, 1, H / 16, W / 16), towards 1 for photographs and 0 for rendered pictures.
    """

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in zip((3, *WIDTHS), WIDTHS, strict=False):
            # it only ever judges the batch at hand, so statistics need not be kept
            norm = nn.BatchNorm2d(outputs, track_running_stats=False)
            layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), norm, nn.ReLU()]
        super().__init__(*layers, nn.Conv2d(WIDTHS[-1], 1, 3, padding=1))


def generator_loss(discriminator: nn.Module, rendered: Tensor) -> Tensor:
    """What the renderer wants: to be taken for a photograph (least squares, Mao et al., ICCV 2017)."""
    answer = discriminator(rendered)
    return F.mse_loss(answer, torch.ones_like(answer))


def discriminator_loss(discriminator: nn.Module, photographs: Tensor, rendered: Tensor) -> Tensor:
    """What the discriminator wants: to tell them apart."""
    real, fake = discriminator(photographs), discriminator(rendered.detach())
    return 0.5 * (F.mse_loss(real, torch.ones_like(real)) + F.mse_loss(fake, torch.zeros_like(fake)))
