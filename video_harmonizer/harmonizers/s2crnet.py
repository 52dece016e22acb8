"""S2CRNet: colour curves for a pasted foreground, estimated from thumbnails.

Liang et al., "Spatial-Separated Curve Rendering Network for Efficient and High-Resolution Image
Harmonization", ECCV 2022, arXiv 2109.05750. Key names and shapes are those of the authors' checkpoint.
"""

import torch
from torch import Tensor, nn

from rvm.squeezenet import squeezenet_features
from video_harmonizer.harmonizers.curves import render

CLASSES = ("person", "animal", "food", "vehicle", "other")  # what a semantic label counts
FEATURES = 512
PIECES = 64  # of a curve (the paper's L)


class Projection(nn.Module):
    """One linear layer under the name that the checkpoint gives it."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(FEATURES, outputs)

    def forward(self, features: Tensor) -> Tensor:
        return self.fc1(features)


class CurveRenderingModule(nn.Module):
    """Features of foreground and background -> the pieces of one curve a channel (section 3.2)."""

    def __init__(self) -> None:
        super().__init__()
        outputs = 3 * PIECES
        self.fc_f_1 = Projection(outputs)
        self.fc_b_1 = Projection(outputs)
        # the semantic path, used in place of fc_f_1 when a label is known
        self.fc_label_1 = nn.Linear(len(CLASSES), 32)
        self.fc_label_2 = nn.Linear(32, 64)
        self.fc_f_label = nn.Linear(FEATURES + 64, outputs)
        # pieces start around 1, whose curve is the identity; around 0 they would sum to about 0, and divide by it
        nn.init.ones_(self.fc_b_1.fc1.bias)

    def forward(self, foreground: Tensor, background: Tensor, label: Tensor | None) -> Tensor:
        if label is None:
            pieces = self.fc_f_1(foreground)
        else:
            embedding = self.fc_label_2(torch.relu(self.fc_label_1(label)))
            pieces = self.fc_f_label(torch.cat([foreground, embedding], 1))
        return (pieces + self.fc_b_1(background)).unflatten(1, (3, -1))  # (B, 3, L)


class S2CRNet(nn.Module):
    """Thumbnails and masks -> raw curve parameters for `curves.render`.

    Args:
        stages: how many curves are rendered one after the other (1: single, 2: cascaded).
    """

    def __init__(self, stages: int = 2) -> None:
        super().__init__()
        if stages not in (1, 2):
            raise ValueError(f"got stages={stages}; want 1 or 2")
        self.stages = stages
        self.squeezenet1_1 = squeezenet_features(12)
        # the published checkpoint has two modules also where the single-stage network uses one
        self.fusion = nn.ModuleDict({f"cr{n}": CurveRenderingModule() for n in (1, 2)})

    def forward(
        self,
        foreground: Tensor,
        foreground_mask: Tensor,
        background: Tensor,
        background_mask: Tensor,
        label: Tensor | int | None = None,
    ) -> Tensor:
        """Estimate the curves.

        Args:
            foreground: (B, 3, h, w) RGB 0..1, the composite cropped to the foreground's bounding box.
            foreground_mask: (B, 1, h, w), 1 = foreground, cropped alike.
            background: (B, 3, h, w) RGB 0..1, the whole composite.
            background_mask: (B, 1, h, w), 1 = foreground: what the background's encoder must not see.
            label: class of the foreground, an index into `CLASSES` or (B,) of them; None where unknown.

        Returns:
            (B, stages, 3, PIECES) raw parameters. Their scale is free; smooth the curves, not these.
        """
        both = torch.cat([foreground * foreground_mask, background * (1 - background_mask)])
        features = self.squeezenet1_1(both).mean((2, 3))  # (2B, 512)
        one_hot = None if label is None else self._one_hot(label, foreground)
        of_foreground, of_background = features.chunk(2)
        modules = list(self.fusion.values())[: self.stages]
        return torch.stack([crm(of_foreground, of_background, one_hot) for crm in modules], 1)

    @staticmethod
    def knots(parameters: Tensor) -> Tensor:
        """(B, S, 3, L) raw parameters -> the curves' values at equal steps, (B, S, 3, L + 1)."""
        rises = torch.cumsum(parameters, -1)
        # as in `curves.render`: the guard only keeps a sum of exactly zero from dividing
        return nn.functional.pad(rises / (rises[..., -1:] + 1e-30), (1, 0))

    @staticmethod
    def draw(image: Tensor, parameters: Tensor) -> list[Tensor]:
        """The picture (B, 3, H, W) after each stage's curves; the last one is the result."""
        pictures = []
        for stage in parameters.split(1, dim=1):
            image = render(image, stage)
            pictures.append(image)
        return pictures

    @staticmethod
    def _one_hot(label: Tensor | int, like: Tensor) -> Tensor:
        index = torch.as_tensor(label, dtype=torch.int64, device=like.device).expand(len(like))
        if index.min() < 0 or index.max() >= len(CLASSES):
            raise ValueError(f"got label {label}; want 0..{len(CLASSES) - 1}: {', '.join(CLASSES)}")
        return nn.functional.one_hot(index, len(CLASSES)).to(like.dtype)  # (B, 5)
