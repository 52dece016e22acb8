"""What training minimizes and reports, against the definitions."""

import numpy as np
import pytest
import torch

from video_harmonizer.training.losses import foreground_mse, relative_l1


def test_relative_l1_is_the_error_inside_over_the_mask_s_area():
    image, target, mask = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2), torch.zeros(2, 1, 2, 2)
    image[0, :, 0, 0] = torch.tensor([0.5, 0.25, -0.25])  # in one of two foreground pixels
    mask[0, 0, 0] = 1
    image[1, 0] = 0.5  # everywhere, in one channel
    image[1, 1, 1, 1] = 9.0  # outside the mask
    mask[1, 0, 0] = torch.tensor([1.0, 0.5])
    # (0.5 + 0.25 + 0.25) / 2 = 0.5 and (0.5 * 1 + 0.5 * 0.5) / 1.5 = 0.5
    assert relative_l1(image, target, mask).item() == pytest.approx(0.5)
    assert relative_l1(image[:1] * 2, target[:1], mask[:1]).item() == pytest.approx(1.0)


def test_relative_l1_of_an_empty_mask_is_zero():
    assert relative_l1(torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 2, 2)).item() == 0


def test_foreground_mse_is_that_of_the_published_tables():
    random = np.random.default_rng(0)
    image, target = random.random((4, 3, 9, 7), np.float32), random.random((4, 3, 9, 7), np.float32)
    inside = random.random((4, 1, 9, 7)) < 0.3
    levels, wanted = np.rint(image * 255), np.rint(target * 255)
    squared = (levels - wanted) ** 2
    # squared error summed over the mask / (3 * mask area); mean over all pixels and channels
    fmse = [(squared[n] * inside[n]).sum() / (3 * inside[n].sum()) for n in range(4)]
    mse = [squared[n].mean() for n in range(4)]
    got = foreground_mse(torch.from_numpy(image), torch.from_numpy(target), torch.from_numpy(inside))
    np.testing.assert_allclose(got[0], fmse, rtol=1e-5)
    np.testing.assert_allclose(got[1], mse, rtol=1e-5)
