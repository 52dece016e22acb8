"""OpenCV's Lab on tensors, against OpenCV."""

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from video_harmonizer.harmonizers.lab import opencv_lab


@pytest.fixture(scope="module")
def colors() -> np.ndarray:
    """Every fifth level of each channel, and all of the darkest, (1, N, 3) uint8: where OpenCV's steps are coarsest."""
    coarse, dark = (np.stack(np.meshgrid(*[levels] * 3), -1).reshape(-1, 3) for levels in (np.r_[:256:5], np.r_[:32]))
    return np.concatenate([coarse, dark])[None].astype(np.uint8)


def tensor(picture: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) 0..1."""
    return torch.from_numpy(picture).movedim(-1, 0)[None].float() / 255


def test_agrees_with_opencv(colors: np.ndarray):
    wanted = cv2.cvtColor(colors, cv2.COLOR_RGB2LAB).astype(int)
    got = opencv_lab(tensor(colors))[0].movedim(0, -1).numpy() * 255
    np.testing.assert_allclose(got, np.rint(got), rtol=0, atol=1e-4)
    difference = np.abs(np.rint(got) - wanted)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-4  # none at all with the OpenCV that this was written by


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_agrees_with_opencv_on_the_gpu(colors: np.ndarray):
    wanted = tensor(cv2.cvtColor(colors, cv2.COLOR_RGB2LAB))
    assert (opencv_lab(tensor(colors).cuda()).cpu() - wanted).abs().max() <= 1.001 / 255


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_batch_is_its_pictures_and_keeps_its_type(dtype: torch.dtype):
    pictures = torch.rand((3, 3, 8, 12), generator=torch.Generator().manual_seed(0)).to(dtype)
    together = opencv_lab(pictures)
    assert (together.shape, together.dtype) == (pictures.shape, dtype)
    torch.testing.assert_close(together, torch.cat([opencv_lab(one[None]) for one in pictures]), rtol=0, atol=0)


def test_colors_between_and_beyond_levels_are_rounded_and_clipped():
    picture = torch.tensor([-0.5, 100.4 / 255, 2.0]).view(1, 3, 1, 1)
    same = torch.tensor([0, 100 / 255, 1.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(opencv_lab(picture), opencv_lab(same), rtol=0, atol=0)
