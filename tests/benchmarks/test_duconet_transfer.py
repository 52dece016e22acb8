"""How much of DucoNet's answer is carried over: nothing is lost where curves can say it all."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from checkpoints import duconet_checkpoint
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.duconet_transfer import CROP, check, compare, middle
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.errors import InputError
from video_harmonizer.harmonizers.duconet import DucoNet
from video_harmonizer.harmonizers.duconet_estimator import DucoNetEstimator
from video_harmonizer.iharmony4 import Sample

CPU = TorchEngine("cpu", "fp32")
SIDE = 64


class Standing(DucoNet):
    """Stands in for the network: brighter everywhere, or from left to right, which no curve can say."""

    def __init__(self, sideways: bool) -> None:
        super().__init__()
        self.sideways = sideways

    def forward(self, image: Tensor, mask: Tensor, lab: Tensor) -> Tensor:
        return image + (torch.linspace(0, 2, image.shape[3]) if self.sideways else 0.5)


def sample() -> Sample:
    """A textured figure, four times the network's side; the target is a little brighter."""
    random = np.random.default_rng(0)
    composite = cv2.GaussianBlur(random.integers(0, 256, (256, 256, 3), dtype=np.uint8), (0, 0), 1.5) // 2 + 20
    mask = np.zeros((256, 256), np.uint8)
    mask[40:220, 60:200] = 255
    return Sample(composite, mask, np.where(mask[..., None] > 0, composite + 25, composite).astype(np.uint8))


def test_what_curves_can_say_is_not_lost_and_stays_sharp():
    compared = compare(DucoNetEstimator(duconet_checkpoint(Standing(sideways=False)), CPU, SIDE), sample())
    assert compared is not None
    transfer, panels = compared
    assert abs(transfer.lost) < 0.3
    assert transfer.sharpness == pytest.approx(1, abs=0.05)
    assert transfer.enlarged_sharpness < 0.7
    assert panels.shape == (256, 3 * 256, 3)


def test_what_curves_cant_say_is_told_as_lost():
    one = sample()
    ramp = np.linspace(0, 2 * 0.225 * 255, 256)[None, :, None]
    target = np.where(one.mask[..., None] > 0, np.clip(one.composite + ramp, 0, 255), one.composite).astype(np.uint8)
    compared = compare(
        DucoNetEstimator(duconet_checkpoint(Standing(sideways=True)), CPU, SIDE),
        Sample(one.composite, one.mask, target),
    )
    assert compared is not None
    assert compared[0].lost > 5


def test_without_foreground_there_is_no_answer():
    one = sample()
    estimator = DucoNetEstimator(duconet_checkpoint(Standing(sideways=False)), CPU, SIDE)
    assert compare(estimator, Sample(one.composite, np.zeros_like(one.mask), one.real)) is None


def test_crop_is_of_the_foregrounds_middle_one_to_one():
    mask = np.zeros((900, 1200), np.uint8)
    mask[600:, 900:] = 255
    panels = np.random.default_rng(0).integers(0, 256, (900, 3 * 1200, 3), dtype=np.uint8)
    shown = middle(panels, mask)
    assert shown.shape[1] % 3 == 0
    np.testing.assert_array_equal(shown[0, 0], panels[750 - CROP // 2, 1050 - CROP // 2])


def test_command_reports_and_writes(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    torch.manual_seed(0)
    weights = tmp_path / "duconet.safetensors"
    save_file(DucoNet().state_dict(), weights, {"side": str(SIDE)})
    check(dataset, weights, size=128, count=2, device="cpu", json=tmp_path / "t.json", crop=tmp_path / "crop.png")
    assert capsys.readouterr().out.startswith("2 composites at 64: DucoNet's own answer ")
    assert (tmp_path / "t.json").stat().st_size > 0
    assert cv2.imread(str(tmp_path / "crop.png")) is not None
    with pytest.raises(InputError, match="there is no folder"):
        check(dataset, weights, crop=tmp_path / "nowhere" / "crop.png")
