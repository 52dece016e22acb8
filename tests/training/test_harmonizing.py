"""What a network is measured by, and its curves drawn."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from video_harmonizer.harmonizers.curvenet import CurveNet
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.training.composites import CompositeDataset
from video_harmonizer.training.harmonizing import (
    PLOT,
    curves_of,
    judge,
    make_network,
    network_inputs,
    plot,
    validate,
)
from video_harmonizer.training.photographs import Photographs, read_luts
from video_harmonizer.training.settings import Training


class Identity(nn.Module):
    draw = staticmethod(S2CRNet.draw)

    def forward(self, foreground: Tensor, *_: Tensor) -> Tensor:
        return torch.ones(len(foreground), 2, 3, 64)


@pytest.fixture
def loader(data: Path) -> DataLoader:
    composites = CompositeDataset(Photographs(data, "val"), read_luts(data)[1], 32, seed=1)
    return DataLoader(composites, 3, sampler=range(7))


def test_curves_that_change_nothing_score_as_the_composite(loader: DataLoader):
    scores = validate(Identity(), loader, torch.device("cpu"))  # type: ignore[arg-type]
    assert scores.keys() == {f"{of}{name}" for of in ("", "composite_") for name in ("psnr", "mse", "fmse")}
    for name in ("psnr", "mse", "fmse"):
        assert scores[name] == pytest.approx(scores[f"composite_{name}"])
    assert scores["fmse"] > scores["mse"] > 0


def test_each_stage_adds_its_loss_and_the_background_stays(loader: DataLoader):
    batch, whole = next(iter(loader)), Training(adversarial=1)
    network, ones = S2CRNet(), torch.ones(3, 2, 3, 64)
    both, one = (judge(network, parameters, batch, whole) for parameters in (ones, ones[:, :1]))
    loss = both.losses["relative_l1"].item()
    assert loss == pytest.approx(2 * one.losses["relative_l1"].item())
    assert both.pictures is not None
    result, target = both.pictures
    assert result.shape == target.shape == (3, 3, 32, 32)
    bent = ones.clone()
    bent[..., :32] = 3
    pictures = judge(network, bent, batch, whole).pictures
    assert pictures is not None
    outside = (batch["target_mask"] == 0)[:, None].expand_as(result)
    assert torch.equal(pictures[0][outside], result[outside])
    assert not torch.equal(pictures[0], result)
    sparse = judge(network, ones, batch, Training()).losses["relative_l1"].item()
    assert sparse == pytest.approx(loss, rel=0.15)


def test_what_shines_through_half_transparent_pixels_does_not_count(loader: DataLoader):
    batch, network, same = next(iter(loader)), CurveNet(), torch.linspace(0, 1, 33).expand(3, 3, 33)
    batch["target_mask"][:] = 0
    batch["target_mask"][:, 8:24, 8:24] = 255
    batch["target_mask"][:, 8:24, 24:] = 127
    batch["background"], batch["target"] = batch["target"].clone(), batch["target"].clone()
    assert judge(network, same, batch, Training()).losses["relative_l1"].item() < 1e-6
    batch["background"][:, :, 24:] += 50  # modulo 256
    assert judge(network, same, batch, Training()).losses["relative_l1"].item() < 1e-6
    batch["background"][:, :, 8:24] += 50
    assert judge(network, same, batch, Training()).losses["relative_l1"].item() > 0.1


def test_squared_errors_count_as_much_as_they_are_told_to(loader: DataLoader):
    batch, network, ones = next(iter(loader)), CurveNet(), torch.linspace(0, 1, 33).expand(3, 3, 33)
    without, once, twice = (judge(network, ones, batch, Training(squared=weight)).losses for weight in (0, 1, 2))
    assert without.keys() == {"relative_l1"}
    assert twice["squared"].item() == pytest.approx(2 * once["squared"].item())
    assert 0 < once["squared"] < once["relative_l1"] == without["relative_l1"]


def test_labels_go_to_the_network_only_where_it_is_semantic(loader: DataLoader):
    batch = next(iter(loader)) | {"label": torch.tensor([0, 4, 4])}
    network = S2CRNet().eval()
    told, untold = (network(*network_inputs(batch, semantic)) for semantic in (True, False))
    assert not torch.allclose(told, untold)


@pytest.mark.parametrize("name", ["s2crnet", "curvenet"])
def test_encoder_starts_from_imagenet(tmp_path: Path, name):
    features = {
        f"features.{key}": torch.rand_like(value) for key, value in S2CRNet().squeezenet1_1.state_dict().items()
    }
    torch.save(features, tmp_path / "features.pth")
    network = make_network(Training(network=name, encoder=tmp_path / "features.pth"))
    encoder = network.squeezenet1_1 if isinstance(network, S2CRNet) else network.encoder
    assert torch.equal(encoder.get_parameter("3.squeeze.weight"), features["features.3.squeeze.weight"])


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("semantic", [False, True])
def test_every_layer_that_trains_gets_a_gradient(loader: DataLoader, stages, semantic: bool):
    batch = next(iter(loader)) | {"label": torch.tensor([0, 4, 4])}
    network = make_network(Training(stages=stages, semantic=semantic))
    judge(network, network(*network_inputs(batch, semantic)), batch, Training()).losses["relative_l1"].backward()
    for name, parameter in network.named_parameters():
        assert parameter.requires_grad == (parameter.grad is not None), name


def test_plot_shows_each_channel_s_curve():
    parameters = torch.ones(1, 2, 3, 64)
    parameters[0, :, 0, :32] = 4  # red rises steeply at first
    curves = curves_of(S2CRNet(), parameters)
    assert curves.shape == (1, 3, PLOT)
    np.testing.assert_allclose(curves[0, 1], np.linspace(0, 1, PLOT), atol=1e-5)
    assert (curves[0, 0, 1:-1] > curves[0, 1, 1:-1]).all()
    picture = plot(curves[0])
    assert picture.shape == (PLOT, PLOT, 3)
    column = picture[:, PLOT // 4].astype(int)
    red = np.flatnonzero((column[:, 0] > 150) & (column[:, 1] < 120)).mean()
    assert red < 0.75 * PLOT - 20  # above the diagonal


def test_curvenet_s_curves_are_drawn(loader: DataLoader):
    network = CurveNet().eval()
    with torch.no_grad():
        parameters = network(*network_inputs(next(iter(loader)), False))
        assert curves_of(network, parameters).shape == (3, 3, PLOT)
