"""What training minimizes and reports."""

from torch import Tensor


def relative_l1(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """||M (I - I_gt)||_1 / sum(M), mean over the batch (Liang et al., S2CRNet, equation 5).

    Args:
        image, target: (B, 3, H, W) float.
        mask: (B, 1, H, W) float, 1 = foreground; a small foreground weighs as much as a large one.
    """
    error = ((image - target).abs() * mask).sum((1, 2, 3))
    return (error / mask.sum((1, 2, 3)).clamp(min=1)).mean()


def relative_l2(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """||M (I - I_gt)||_2^2 / sum(M), mean over the batch: as `relative_l1`, where few large errors weigh most."""
    error = ((image - target).square() * mask).sum((1, 2, 3))
    return (error / mask.sum((1, 2, 3)).clamp(min=1)).mean()


def foreground_normalized_mse(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Squared error over the foreground's area, at least 100 pixels, mean over the batch (Tan et al., DucoNet).

    Args:
        image, target: (B, 3, H, W) float.
        mask: (B, 1, H, W) float, 1 = foreground. Errors count everywhere: the background is to stay.
    """
    error = (image - target).square().sum((1, 2, 3))
    return (error / mask.sum((1, 2, 3)).clamp(min=100)).mean()


def foreground_mse(image: Tensor, target: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """(fMSE, MSE) of each picture on the 8-bit scale, the image rounded to levels first.

    Args:
        image, target: (B, 3, H, W) float 0..1.
        inside: (B, 1, H, W) bool, the foreground.
    """
    squared = ((image * 255).round() - (target * 255).round()).square()
    within = (squared * inside).sum((1, 2, 3)) / (3 * inside.sum((1, 2, 3)).clamp(min=1))
    return within, squared.mean((1, 2, 3))
