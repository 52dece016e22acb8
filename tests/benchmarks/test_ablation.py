"""Each variant of CurveNet differs in what it says it does, and a table comes out."""

import sys
from pathlib import Path

import pytest
import torch
from photographs import make_data

from benchmarks import ablation
from benchmarks.command_line import run
from video_harmonizer.harmonizers.curvenet import CurveNet

STARTS_EQUAL = {"CurveNet", "a matrix of colours before the curves"}


def inputs() -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(0)
    mask = torch.zeros(2, 1, 256, 256)
    mask[..., 60:200, 40:180] = 1
    picture = torch.rand(2, 3, 256, 256, generator=random)
    return picture, mask, picture, mask


@pytest.mark.parametrize("name", ablation.VARIANTS)
def test_variant_starts_from_the_network_it_changes(name: str):
    torch.manual_seed(0)
    network = CurveNet()
    for part in network.head[-1].parameters():
        torch.nn.init.normal_(part)  # so that ends are free
    whole = network.draw(inputs()[0], network(*inputs()))[-1].detach()
    variant = ablation.VARIANTS[name](network)
    changed = variant.draw(inputs()[0], variant(*inputs()))[-1]
    assert ((changed - whole).abs().max() < 1e-5) == (name in STARTS_EQUAL)
    changed.square().mean().backward()
    assert all(part.grad is not None for part in variant.parameters())


def test_pinned_ends_stay_and_blank_inputs_do_not_matter():
    torch.manual_seed(0)
    ends = ablation.VARIANTS["ends pinned to 0 and 1"](CurveNet())(*inputs())[..., [0, -1]]
    torch.testing.assert_close(ends, torch.tensor([0.0, 1.0]).expand_as(ends))
    blind = ablation.VARIANTS["without convolutions"](CurveNet())
    before = blind(*inputs())
    for part in blind.encoder.parameters():
        torch.nn.init.zeros_(part)
    torch.testing.assert_close(blind(*inputs()), before)


def test_the_matrix_mixes_channels():
    variant = ablation.MatrixNet(CurveNet())
    parameters = variant(*inputs())
    parameters[..., -3:] = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])  # red for green
    picture = inputs()[0]
    swapped = variant.draw(picture, parameters)[-1]
    wanted = CurveNet.draw(picture[:, [1, 0, 2]], parameters[..., :-3])[-1]
    torch.testing.assert_close(swapped, wanted)


def test_trains_and_scores_variants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    chosen = ("CurveNet", "a matrix of colours before the curves")
    monkeypatch.setattr(ablation, "VARIANTS", {name: ablation.VARIANTS[name] for name in chosen})
    monkeypatch.setattr(ablation, "SCORED", 4)
    ablation.main(make_data(tmp_path / "data"), steps=1, out=tmp_path / "runs", workers=0)
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[-4:]]
    assert [row[0] for row in rows] == ["| variant", "|---|---|---|---|---|", *(f"| {name}" for name in chosen)]
    assert all(float(row[1]) > 5 for row in rows[2:])


class Lighter(CurveNet):
    """Makes everything ten levels lighter."""

    @staticmethod
    def draw(image: torch.Tensor, parameters: torch.Tensor) -> list[torch.Tensor]:
        return [image + 10 / 255]


@pytest.mark.parametrize(("network", "change"), [(CurveNet, 0), (Lighter, 10)])
def test_scores_tell_what_was_changed(network: type[CurveNet], change: float, data: Path):
    torch.manual_seed(0)
    scores = ablation.score(network().eval(), data)
    # what a fresh network leaves as it is differs by noise and compression only
    assert scores["change"] == pytest.approx(change, abs=2.5)
    assert (scores["fmse"] == pytest.approx(scores["composite_fmse"], rel=1e-3)) == (change == 0)


def test_missing_data_ends_with_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["ablation", str(tmp_path / "none"), "--out", str(tmp_path / "runs")])
    with pytest.raises(SystemExit) as stop:
        run(ablation.main)
    assert stop.value.code == 2
    assert "no such folder" in capsys.readouterr().err
