"""``python -m video_harmonizer compare``: all harmonizers in one table, beside the closest curves."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import duconet_checkpoint
from safetensors.torch import save_file
from torch import nn

from video_harmonizer import weights
from video_harmonizer.__main__ import main
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.errors import InputError
from video_harmonizer.evaluation.compare_command import CEILING, choose, closest_curves
from video_harmonizer.evaluation.compare_costs import arithmetic, cost_of
from video_harmonizer.evaluation.compare_gallery import Comparison, ComparisonGallery
from video_harmonizer.evaluation.compare_published import PUBLISHED
from video_harmonizer.evaluation.evaluate import Case, Pictures, render
from video_harmonizer.evaluation.metrics import MAX_PSNR, Scores, score
from video_harmonizer.frame import ToneCurves
from video_harmonizer.harmonizers.duconet import DucoNet
from video_harmonizer.harmonizers.duconet_estimator import DucoNetEstimator, HarmonizeStep
from video_harmonizer.harmonizers.estimate_step import EstimateStep
from video_harmonizer.harmonizers.reinhard import ReinhardEstimator
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.iharmony4 import Entry, Sample
from video_harmonizer.options import CompareOptions

CPU = TorchEngine("cpu", "fp32")
SIDE = 64  # of pictures that a random DucoNet looks at: quick


@pytest.fixture
def duconet(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "duconet.safetensors"
    save_file(DucoNet().state_dict(), path, {"network": "duconet", "side": str(SIDE)})
    return path


# --- the command ----------------------------------------------------------------------------------------------


def test_all_harmonizers_stand_in_one_table_and_in_every_file(
    dataset: Path, tmp_path: Path, duconet: Path, capsys: pytest.CaptureFixture[str]
):
    files = {name: tmp_path / f"table.{suffix}" for name, suffix in (("json", "json"), ("html", "html"), ("md", "md"))}
    outputs = ["--json", str(files["json"]), "--html", str(files["html"]), "--markdown", str(files["md"])]
    chosen = ["--harmonizers", "duconet,none,s2crnet,reinhard", "--duconet-weights", str(duconet)]
    assert main(["compare", "--dataset", str(dataset), "--device", "cpu", *chosen, *outputs]) == 0

    facts = json.loads(files["json"].read_text())
    found = facts["harmonizers"]
    assert list(found) == ["reinhard", "s2crnet", "duconet", CEILING]
    assert {name: each["overall"]["n"] for name, each in found.items()} == dict.fromkeys(found, 5)
    assert len({json.dumps(each["composite"]) for each in found.values()}) == 1
    for group in ("HCOCO", "Hday2night"):
        assert found[CEILING][group]["fmse"] <= min(each[group]["fmse"] for each in found.values())
    assert (found["duconet"]["side"], found["s2crnet"]["side"]) == (SIDE, 256)
    assert found["reinhard"]["parameters"] == 0 < found["s2crnet"]["parameters"] < found["duconet"]["parameters"]
    assert found["reinhard"]["macs"] == 0 < found["s2crnet"]["macs"]
    assert all(found[name]["milliseconds"] > 0 for name in ("reinhard", "s2crnet", "duconet"))

    table = files["md"].read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert len({len(row) for row in rows}) == 1
    names = ["composite", "reinhard", "s2crnet", "duconet", CEILING]
    measured = [row for row in rows[2:] if row[0] != "published"]
    assert [row[1] for row in measured] == 6 * names  # overall, two subsets, three shares
    assert [row[0] for row in measured if row[0]][:3] == ["overall", "HCOCO", "Hday2night"]
    assert float(measured[2][3]) == pytest.approx(found["s2crnet"]["overall"]["psnr"], abs=0.006)
    assert [bool(row[-1]) for row in measured[:6]] == [False, True, True, True, False, False]  # costs once
    assert [row[1] for row in rows if row[0] == "published"] == [each.name for each in PUBLISHED]
    printed = capsys.readouterr().out
    assert printed.count("not measured here") == 1
    assert all(" ".join(row[:2]).strip() in " ".join(printed.split()) for row in measured)
    html = files["html"].read_text(encoding="utf-8")
    assert html.count("<article>") == 3 * 5
    assert "Hday2night/c2_1_1.png" in html
    for caption in ("composite: fMSE", "reinhard:", "s2crnet:", "duconet:", f"{CEILING}:", "target"):
        assert html.count(f"<figcaption>{caption}") == 3 * 5


def test_a_harmonizers_scores_are_those_of_evaluate(dataset: Path, tmp_path: Path):
    compared, evaluated = tmp_path / "compared.json", tmp_path / "evaluated.json"
    arguments = ["--dataset", str(dataset), "--resolution", "full", "--device", "cpu"]
    assert main(["compare", *arguments, "--harmonizers", "reinhard", "--json", str(compared)]) == 0
    assert main(["evaluate", *arguments, "--harmonizer", "reinhard", "--json", str(evaluated)]) == 0
    one, other = json.loads(compared.read_text())["harmonizers"]["reinhard"], json.loads(evaluated.read_text())
    for group in ("overall", "composite", "HCOCO", "Hday2night", "ratios", "without_curves"):
        assert one[group] == other[group]


def test_broken_picture_is_counted_and_the_others_are_compared(
    dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (dataset / "HCOCO" / "masks" / "c1_1.png").write_bytes(b"not a picture")
    as_json = tmp_path / "table.json"
    assert main(["compare", "--dataset", str(dataset), "--harmonizers", "none", "--json", str(as_json)]) == 0
    facts = json.loads(as_json.read_text())
    assert (facts["skipped"], facts["harmonizers"][CEILING]["overall"]["n"]) == (1, 4)
    assert "c1_1.png" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--markdown", "table.txt"], "--markdown table.txt: no name for this; give a file name that ends in .md"),
        (["--html", "nowhere/table.html"], "nowhere/table.html: there is no folder"),
        (["--harmonizers", "s2crnet,vgg"], "--harmonizers s2crnet,vgg: 'vgg' is none; give some of reinhard,s2crnet,"),
        (["--harmonizers", "duconet"], "--harmonizers: duconet's weights are neither bundled nor known for download"),
        (["--harmonizers", "s2crnet", "--duconet-weights", "a.pth"], "--duconet-weights a.pth: duconet is not among"),
        (["--duconet-side", "1024"], "--duconet-side 1024: duconet is not among"),
        (["--duconet-weights", "a.pth"], "a.pth: no such file"),
    ],
)
def test_slips_are_refused_before_the_work(
    arguments: list[str],
    text: str,
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("video_harmonizer.evaluation.compare_command.measure", lambda *_: pytest.fail("the work began"))
    assert main(["compare", "--dataset", str(dataset), *arguments]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {text}")
    assert "; " in error or "want" in error
    assert {path.name for path in tmp_path.iterdir()} == {"dataset"}


def test_nothing_is_written_where_nothing_could_be_scored(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for path in dataset.glob("*/composite_images/*"):
        path.write_bytes(b"")
    as_json = tmp_path / "table.json"
    assert main(["compare", "--dataset", str(dataset), "--harmonizers", "none", "--json", str(as_json)]) == 2
    assert "none of 5 composites" in capsys.readouterr().err
    assert not as_json.exists()


def test_by_default_all_whose_weights_are_there_are_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(weights, "available", lambda name: name == "s2crnet")
    assert list(choose(CompareOptions(dataset=tmp_path))) == ["reinhard", "s2crnet"]
    monkeypatch.setattr(weights, "available", lambda name: True)
    chosen = choose(CompareOptions(dataset=tmp_path, duconet_weights=tmp_path / "a.pth", duconet_side=1024))
    assert list(chosen) == ["reinhard", "s2crnet", "curvenet", "duconet"]
    assert (chosen["duconet"].harmonizer_weights, chosen["duconet"].harmonizer_side) == (tmp_path / "a.pth", 1024)


# --- the ceiling ----------------------------------------------------------------------------------------------


def sample(seed: int = 0) -> Sample:
    """A foreground that no curve puts right, as what became of a level is not the same everywhere."""
    random = np.random.default_rng(seed)
    composite = random.integers(0, 256, (32, 40, 3), dtype=np.uint8)
    mask = np.zeros((32, 40), np.uint8)
    mask[4:28, 6:30] = 255
    changed = np.clip(0.6 * composite + 40 + random.normal(0, 20, composite.shape), 0, 255).astype(np.uint8)
    return Sample(composite, mask, np.where(mask[..., None] > 0, changed, composite))


def test_no_rising_curves_come_closer_than_the_closest():
    one, random = sample(), np.random.default_rng(1)
    inside = one.mask > 127
    curves = closest_curves(one)
    lowest = score(render(one, curves), one.real, inside).fmse
    assert lowest < 0.4 * score(one.composite, one.real, inside).fmse
    for amount in (0.002, 0.02, 0.2):
        other = np.sort(np.clip(curves.table + random.normal(0, amount, curves.table.shape), 0, 1), axis=1)
        assert score(render(one, ToneCurves(other.astype(np.float32))), one.real, inside).fmse >= lowest


def test_closest_curves_undo_what_curves_did():
    mask, real = sample().mask, sample().real // 2 * 2  # even, so that nothing is rounded
    dimmed = Sample(np.where(mask[..., None] > 0, real // 2 + 9, real), mask, real)
    assert score(render(dimmed, closest_curves(dimmed)), real, mask > 127).psnr == MAX_PSNR


# --- costs ----------------------------------------------------------------------------------------------------


def test_macs_are_those_of_every_convolution_and_matrix():
    step = EstimateStep(S2CRNet(), semantic=False).eval()
    counted = 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal counted
        assert isinstance(module, nn.Conv2d | nn.Linear)
        counted += output.numel() * module.weight[0].numel()

    for module in step.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        step(*step.example(SIDE))
    by_hooks, counted = counted, 0
    assert by_hooks > 1e7
    assert arithmetic(step, SIDE)[1] == by_hooks


def test_macs_grow_with_the_pixels():
    step = HarmonizeStep(DucoNet()).eval()
    assert arithmetic(step, 2048)[1] / arithmetic(step, 1024)[1] == pytest.approx(4, rel=0.01)


def test_layers_that_rest_are_no_parameters():
    network = S2CRNet(stages=1)
    semantic = sum(one.numel() for name, one in network.named_parameters() if "label" in name or "cr2" in name)
    whole = sum(one.numel() for one in network.parameters())
    assert arithmetic(EstimateStep(network, semantic=False).eval(), SIDE)[0] == whole - semantic


def test_cost_of_a_network_and_of_a_formula():
    network = DucoNet()
    cost = cost_of(DucoNetEstimator(duconet_checkpoint(network), CPU, SIDE))
    assert cost.parameters == sum(one.numel() for one in network.parameters())
    assert cost.macs == arithmetic(HarmonizeStep(network), SIDE)[1]
    assert cost.milliseconds > 0
    assert (cost_of(ReinhardEstimator()).parameters, cost_of(ReinhardEstimator()).macs) == (0, 0)


# --- pictures -------------------------------------------------------------------------------------------------


def comparison(name: str, **fmse: float) -> Comparison:
    def scores(value: float) -> Scores:
        return Scores(mse=value / 4, psnr=30, fmse=value, fpsnr=24, ssim=0.9)

    path = Path(name)
    entry = Entry("HCOCO", name, path, path, path)
    cases = {one: Case(entry, 0.25, scores(value), scores(500), True) for one, value in fmse.items()}
    return Comparison(cases | {CEILING: Case(entry, 0.25, scores(0), scores(500), True)})


def test_gallery_shows_chance_then_where_they_differ_then_where_all_fail():
    color, mask = np.full((30, 40, 3), 90, np.uint8), np.zeros((30, 40), np.uint8)
    pictures = Pictures(Sample(color, mask, color), color, ToneCurves.identity())
    gallery = ComparisonGallery()
    for number in range(30):
        gallery.show(comparison(f"alike{number}", a=100, b=110), [pictures] * 3)
        gallery.show(comparison(f"apart{number}", a=20, b=900), [pictures] * 3)
        gallery.show(comparison(f"worse{number}", a=800, b=801), [pictures] * 3)
    by_chance, apart, worse = ({one.case.entry.name[:5] for one in each.exhibits()} for each in gallery.sections)
    assert len(by_chance) == 3
    assert (apart, worse) == ({"apart"}, {"worse"})


@pytest.mark.parametrize("each", PUBLISHED, ids=lambda each: each.name)
def test_published_figures_are_whole(each):
    assert each.paper
    assert each.psnr is not None or each.mse is not None
    assert each.psnr is None or 30 < each.psnr < 45


def test_name_of_nothing_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="'' is none"):
        choose(CompareOptions(dataset=tmp_path, harmonizers=""))


def test_published_figures_are_those_of_the_reference(folder: Path):
    lines = [line.strip("| \n").split(" | ") for line in (folder / "metrics.md").read_text().splitlines()]
    given = {name: figures for name, *figures in (line for line in lines if len(line) == 4)}
    for each in PUBLISHED:
        ours = [each.psnr, each.mse, each.fmse]
        assert ours == [None if figure == "-" else float(figure) for figure in given[each.name]], each.name
