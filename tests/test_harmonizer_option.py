"""``--harmonizer``: each of them through the commands, the side of DucoNet's pictures, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from red_person import make_person_clip, picture, read_picture, run_command, save_picture, save_weights
from safetensors.torch import save_file

from video_harmonizer import assemble, weights
from video_harmonizer.engine.eager import TorchEngine
from video_harmonizer.frame import Frame, Matte, ToneCurves
from video_harmonizer.harmonizers.curvenet import CurveNet
from video_harmonizer.harmonizers.duconet import DucoNet
from video_harmonizer.options import Options
from video_harmonizer.temporal.steady import SteadyEstimator
from video_harmonizer.thumbnails import Thumbnails

SIDE = 64  # of pictures that a random DucoNet looks at: quick
CPU = TorchEngine("cpu", "fp32")


def save_duconet(path: Path, **about: str) -> Path:
    torch.manual_seed(0)
    save_file(DucoNet().state_dict(), path, about)
    return path


@pytest.fixture(scope="module")
def duconet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_duconet(tmp_path_factory.mktemp("weights") / "duconet.safetensors", network="duconet", side=str(SIDE))


@pytest.fixture
def composite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A picture of many colours and its mask, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    rgb = np.random.default_rng(0).integers(60, 200, (48, 64, 3), np.uint8)
    mask = np.zeros((48, 64, 3), np.uint8)
    mask[10:40, 20:50] = 255
    save_picture(Path("composite.png"), rgb)
    save_picture(Path("mask.png"), mask)
    return rgb


def harmonized(harmonizer: str, *options: object) -> np.ndarray:
    arguments = ["image", "composite.png", "mask.png", "-o", "out.png", "--report", "report.json", "--engine", "torch"]
    assert run_command(*arguments, "--harmonizer", harmonizer, *options) == 0
    assert json.loads(Path("report.json").read_text())["harmonizer"] == harmonizer
    return read_picture(Path("out.png"))


@pytest.mark.parametrize("harmonizer", ["s2crnet", "curvenet", "duconet", "reinhard", "none"])
def test_every_harmonizer_changes_the_foreground_alone(
    harmonizer: str, composite: np.ndarray, duconet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if harmonizer == "curvenet":  # whatever is bundled: its file lies where the others do
        monkeypatch.setattr(weights, "__file__", str(tmp_path / "__init__.py"))
        torch.manual_seed(0)
        state = {key: value + 0.1 * torch.randn_like(value) for key, value in CurveNet().state_dict().items()}
        save_file(state, tmp_path / "curvenet.safetensors", {"network": "curvenet"})
    result = harmonized(harmonizer, *(["--harmonizer-weights", duconet] if harmonizer == "duconet" else []))
    changed = (result != composite).any(axis=2)
    assert changed[10:40, 20:50].any() == (harmonizer != "none")
    changed[10:40, 20:50] = False
    assert not changed.any()


def test_video_goes_through_duconet(tmp_path: Path, duconet: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    make_person_clip(Path("talk.mp4"), frames=3)
    matting = save_weights(Path("matting.pth"))
    arguments = ["video", "talk.mp4", "--background", "#00c000", "--matting-weights", matting, "-o", "out.mp4"]
    options = ["--harmonizer", "duconet", "--harmonizer-weights", duconet, "--engine", "torch", "--report", "r.json"]
    assert run_command(*arguments, *options) == 0
    report = json.loads(Path("r.json").read_text())
    assert (report["harmonizer"], report["frames_out"]) == ("duconet", 3)
    assert report["stages_ms"]["estimate"] > 0


# --- the side of the pictures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "option", "side"),
    [({}, None, 256), ({}, 1024, 1024), ({"side": "64"}, None, 64), ({"side": "64"}, 256, 256)],
)
def test_side_is_the_options_or_what_the_file_says_or_256(said: dict, option: int | None, side: int, tmp_path: Path):
    path = save_duconet(tmp_path / "duconet.safetensors", **said)
    options = Options(harmonizer="duconet", harmonizer_weights=path, harmonizer_side=option)  # type: ignore[arg-type]
    assert assemble.make_estimator(options, CPU).side == side


def test_checkpoint_that_says_nothing_is_for_256(tmp_path: Path):
    torch.save(DucoNet().state_dict(), tmp_path / "duconet.pth")
    options = Options(harmonizer="duconet", harmonizer_weights=tmp_path / "duconet.pth")
    assert assemble.make_estimator(options, CPU).side == 256


def test_frames_are_shown_at_the_side_that_the_harmonizer_wants():
    class Looking:
        name, side = "looking", 96
        close: int | None = None

        def estimate(self, thumbnails: Thumbnails | None, samples: int) -> ToneCurves | None:
            assert thumbnails is not None
            seen.append(thumbnails.background.shape)
            return ToneCurves.identity(samples)

    seen: list[tuple[int, ...]] = []
    rgb = picture()
    alpha = np.where((rgb == picture(0)[20, 15]).all(axis=2), 255, 0).astype(np.uint8)
    SteadyEstimator(Looking()).estimate(Frame(rgb, 0, 0.0), Matte(alpha), rgb)
    assert seen == [(96, 96, 3)]


# --- what is refused ------------------------------------------------------------------------------------------


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture, composite: np.ndarray) -> Callable[..., str]:
    """Runs a command that must be refused before anything is written; what is said."""

    def run(*arguments: object) -> str:
        before = set(Path().iterdir())
        assert run_command(*arguments) == 2
        assert set(Path().iterdir()) == before
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert said.count("\n") == 1
        assert "; " in said
        return said.removeprefix("error: ")

    return run


@pytest.mark.parametrize(
    "command",
    [
        ["image", "composite.png", "mask.png", "-o", "out.png"],
        ["video", "composite.png", "--background", "blur", "-o", "out.mp4"],
        ["live", "--source", "composite.png", "--background", "blur", "--no-window", "--output", "out.mp4"],
        ["evaluate", "--dataset", "nowhere"],
    ],
    ids=lambda command: command[0],
)
def test_duconet_without_weights_says_what_to_give(command: list[str], refusal: Callable[..., str]):
    said = refusal(*command, "--harmonizer", "duconet")
    assert said.startswith("--harmonizer duconet: its weights are neither bundled nor known for download; give ")
    assert "--harmonizer-weights FILE" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--harmonizer-side", "1024"], "--harmonizer-side 1024: for duconet, not for --harmonizer curvenet"),
        (["--harmonizer", "reinhard", "--harmonizer-weights", "a.pth"], "--harmonizer-weights a.pth: --harmonizer rei"),
        (["--harmonizer", "none", "--harmonizer-weights", "a.pth"], "--harmonizer-weights a.pth: --harmonizer none"),
        (["--harmonizer", "duconet", "--harmonizer-weights", "a.pth"], "a.pth: no such file"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: list[str], said: str, refusal: Callable[..., str]):
    assert refusal("image", "composite.png", "mask.png", "-o", "out.png", *options).startswith(said)


@pytest.mark.parametrize("side", ["100", "0", "large"])
def test_file_that_says_an_impossible_side_is_refused(side: str, refusal: Callable[..., str], composite: np.ndarray):
    save_duconet(Path("odd.safetensors"), side=side)
    said = refusal(
        *["image", "composite.png", "mask.png", "-o", "out.png"],
        *["--harmonizer", "duconet", "--harmonizer-weights", "odd.safetensors"],
    )
    assert said.startswith(f"odd.safetensors: says of itself side '{side}', want a multiple of 8; ")


def test_weights_of_another_network_are_refused(refusal: Callable[..., str]):
    path = weights.path("s2crnet")
    said = refusal(
        *["image", "composite.png", "mask.png", "-o", "out.png"],
        *["--harmonizer", "duconet", "--harmonizer-weights", path],
    )
    assert said.startswith(f"{path}: not weights of this DucoNet: ")


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("harmonizer", ["duconet", "reinhard"])
def test_mask_without_foreground_or_background_leaves_colours(
    level: int, harmonizer: str, composite: np.ndarray, duconet: Path
):
    save_picture(Path("mask.png"), np.full((48, 64, 3), level, np.uint8))
    given = ["--harmonizer-weights", duconet] if harmonizer == "duconet" else []
    np.testing.assert_array_equal(harmonized(harmonizer, *given), composite)
