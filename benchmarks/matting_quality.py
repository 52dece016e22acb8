"""How near the bundled matting network comes to its teacher and to masks, and how much faster it is.

``python -m benchmarks.matting_quality DATA CLIPS --teacher rvm_mobilenetv3.pth`` watches the clips that training held
out, looks at validation photographs of people and at places without anybody, and times both networks side by side.
``--pictures FOLDER`` writes teacher and student beside each other. Mattes are compared at the clips' own size.
"""

import statistics
import time
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from tyro.conf import Positional

from benchmarks.command_line import at_least, run
from rvm import MattingNetwork
from video_harmonizer import weights
from video_harmonizer.benchmark.clip import portrait
from video_harmonizer.engine import Engine, make_engine
from video_harmonizer.errors import InputError
from video_harmonizer.frame import Frame, Matte
from video_harmonizer.matting.network import load_network
from video_harmonizer.matting.rvm import RVMMatting, load_rvm
from video_harmonizer.pixels import to_depth
from video_harmonizer.rendering.kernels import paste
from video_harmonizer.sources import open_source
from video_harmonizer.training.matting import UNSETTLED, agreement, flicker, watch
from video_harmonizer.training.people import People
from video_harmonizer.training.settings import read_settings
from video_harmonizer.training.teacher import Teacher, find_clips
from video_harmonizer.weights.load import read_state

SIZES = {"720p": 720, "1080p": 1080}
ROUNDS = 40
GREEN = (0, 177, 64)
STIRRED = 3.0  # levels by which a picture changes in the mean over `NEAR` pixels a side where something moves
NEAR = 9


def main(
    data: Positional[Path],
    clips: Positional[Path],
    teacher: Path,
    student: Path | None = None,
    config: Path = Path("configs/train_matting.toml"),
    mattes: Path = Path("runs/mattes"),
    frames: int = 150,
    pictures: Path | None = None,
) -> None:
    """Print a Markdown table each of clips, photographs and times.

    Args:
        student: weights; the bundled ones if none are given.
        config: says which clips were held out.
        mattes: where training keeps the teacher's mattes of photographs.
        frames: of each clip that are watched.
    """
    at_least(UNSETTLED + 2, frames=frames)
    engine = make_engine("auto", "cpu")
    ours = student or weights.path("bundled")
    settings = read_settings([str(config)])
    unseen = People(data, None, (), Teacher(teacher, mattes), "val")
    held_out = [path for path in find_clips(clips) if any(fnmatch(path.stem, name) for name in settings.held_out)]
    if not held_out:
        raise InputError(f"{clips}: none of {', '.join(settings.held_out)}; give the folder that training had")
    print(_clips(held_out, [_matting(teacher, engine), _matting(ours, engine)], frames, pictures))
    print(_photographs(unseen, [teacher, ours]))
    print(_times([teacher, ours], engine))


def _matting(path: Path, engine: Engine, ratio: float | None = None) -> RVMMatting:
    return RVMMatting(load_rvm(path, str(path)), ratio, engine)


def _clips(clips: list[Path], both: list[RVMMatting], frames: int, pictures: Path | None) -> str:
    lines = [
        "| clip | frames | MAE | IoU | flicker / teacher's, where that is still | where the picture is |",
        "|---|---|---|---|---|---|",
    ]
    rows = []
    for path in clips:
        source = open_source(str(path))
        alphas: list[list[np.ndarray]] = [[], []]
        still: list[np.ndarray] = []
        before = None
        middle = min(frames, source.info.frames or frames) // 2
        for frame in islice(source, frames):
            if before is not None:
                still.append(_unchanged(before, frame.rgb))
            before = frame.rgb.copy()
            found = [matting.matte(frame) for matting in both]
            for kept, matte in zip(alphas, found, strict=True):
                kept.append(matte.alpha.copy())
            if frame.index == middle and pictures:
                _show(frame, found, pictures / f"{path.stem}.jpg")
        source.close()
        if len(alphas[0]) < UNSETTLED + 2:
            continue  # too short to say anything of
        wanted, guess = (np.stack(kept[UNSETTLED:]) for kept in alphas)
        ours, theirs = (np.abs(np.diff(alpha.astype(np.int16), axis=0)) for alpha in (guess, wanted))
        seen_still = np.stack(still[UNSETTLED:])
        scores = agreement(guess, wanted)
        scores["flicker"] = flicker(guess, wanted)
        scores["unrest"] = float((ours * seen_still).sum() / max((theirs * seen_still).sum(), 1))
        rows.append(scores)
        lines.append(_row(f"{path.stem} | {len(guess)}", scores))
    if not rows:
        raise InputError(f"{clips[0].parent}: no clip of {UNSETTLED + 2} frames or more; give the clips of training")
    mean = {key: float(np.mean([scores[key] for scores in rows])) for key in rows[0]}
    return "\n".join([*lines, _row("mean | ", mean), ""])


def _row(name: str, scores: dict[str, float]) -> str:
    agreed = f"{scores['mae']:.4f} | {scores['iou']:.3f}"
    return f"| {name} | {agreed} | {scores['flicker']:.2f} | {scores['unrest']:.2f} |"


def _unchanged(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """(H, W) bool: where hardly more than noise tells two frames apart; (H, W, 3) each."""
    change = cv2.absdiff(before, now).max(2).astype(np.float32)
    return cv2.blur(change, (NEAR, NEAR)) < STIRRED * (257 if now.dtype == np.uint16 else 1)


def _show(frame: Frame, mattes: list[Matte], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [to_depth(frame.rgb, np.uint8)]
    green = np.full_like(parts[0], GREEN)
    for matte in mattes:
        assert matte.foreground is not None  # networks give one
        parts.append(paste(to_depth(matte.foreground, np.uint8), matte.alpha, green))
    Image.fromarray(np.hstack(parts)).save(path, quality=88)


def _photographs(unseen: People, paths: list[Path]) -> str:
    """In torch: an engine would prepare itself for every size anew. Each is looked at twice."""
    lines = ["| photographs | teacher | student |", "|---|---|---|"]
    columns = []
    for path in paths:
        network = load_network(read_state(path), str(path)).eval()

        def look(picture: np.ndarray, network: MattingNetwork = network) -> np.ndarray:
            return watch(network, picture[None].repeat(2, 0), torch.device("cpu"))[-1:]

        each = [agreement(look(shot.frames[0]), shot.alpha) for shot in unseen.portraits]
        empty = [look(scene).mean() / 255 for scene in unseen.scenes]
        agreed = [np.mean([scores[key] for scores in each]) for key in ("iou", "mae")]
        columns.append((*agreed, np.mean(empty), np.median(empty)))
    names = (
        f"IoU, {len(unseen.portraits)} masks of people",
        "mean absolute error there",
        f"mean alpha, {len(unseen.scenes)} marked as without people",
        "median there",
    )
    for name, teacher, student in zip(names, *columns, strict=True):
        lines.append(f"| {name} | {teacher:.4f} | {student:.4f} |")
    return "\n".join([*lines, ""])


def _times(paths: list[Path], engine: Engine) -> str:
    """Both networks in turns, so that whatever else the machine does meets both, with somebody to find."""
    lines = ["| milliseconds a frame, median | teacher | student | ratio |", "|---|---|---|---|"]
    for name, side in SIZES.items():
        pictures = list(islice(portrait(side), ROUNDS))
        for ratio in (0.25, None):
            both = [_matting(path, engine, ratio) for path in paths]
            times: list[list[float]] = [[], []]
            for index, picture in enumerate(pictures):
                frame = Frame(picture, index, index / 30)
                for spent, matting in zip(times, both, strict=True):
                    began = time.perf_counter()
                    seen = matting.look(frame)
                    matting.matte(frame, seen)
                    spent.append(1e3 * (time.perf_counter() - began))
            slow, fast = (statistics.median(spent[3:]) for spent in times)
            lines.append(
                f"| {name}, ratio {ratio or 'as it suits each'} | {slow:.1f} | {fast:.1f} | {slow / fast:.2f} |"
            )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    run(main)
