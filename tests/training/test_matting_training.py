"""What the matting network learns from, what it minimizes, and a whole run on a dozen pictures and a clip."""

import dataclasses
import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
import pytest
import torch
from clips import make_clip
from photographs import figure, photograph, write_index
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import train
from rvm import MattingNetwork
from video_harmonizer.engine import Engine, make_engine
from video_harmonizer.errors import InputError
from video_harmonizer.matting.network import load_network
from video_harmonizer.matting.rvm import RVMMatting
from video_harmonizer.rendering.kernels import paste
from video_harmonizer.training import matting, teacher
from video_harmonizer.training.matting import (
    SHARPER,
    Matting,
    Student,
    agreement,
    as_float,
    flicker,
    make_network,
    pyramid,
    settled,
    sharpened,
)
from video_harmonizer.training.people import People, sure
from video_harmonizer.training.photographs import Photographs
from video_harmonizer.training.runs import narrowed
from video_harmonizer.training.settings import Training
from video_harmonizer.training.shots import FRAMES, ShotDataset, filmed, over, purify, walking
from video_harmonizer.training.teacher import STRETCH, Shot, Teacher, find_clips

RED = np.array([200, 30, 30], np.uint8)


@pytest.fixture(scope="session")
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the published layout, by chance."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "rvm.pth"
    torch.save(MattingNetwork("mobilenetv3", "fast_guided_filter").state_dict(), path)
    return path


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short clips of a picture that moves."""
    root = tmp_path_factory.mktemp("clips")
    wide = photograph(64, 200, np.random.default_rng(3))

    def picture(index: int) -> av.VideoFrame:
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(wide[:, 2 * index : 2 * index + 96]), "rgb24")

    for name in ("office", "garden"):
        make_clip(root / f"{name}.mkv", range(12), Fraction(1, 25), None, (96, 64), "ffv1", "bgr0", picture)
    return root


@pytest.fixture
def settings(data: Path, clips: Path, teacher_file: Path, tmp_path: Path) -> Training:
    return Training(
        network="matting",
        data=data,
        clips=clips,
        held_out=("gard*",),
        teacher=teacher_file,
        mattes=tmp_path / "mattes",
        output=tmp_path / "run",
        batch=1,
        steps=2,
        warmup=0,
        precision="32-true",
        device="cpu",
        workers=0,
        validate_every=100,
        checkpoint_every=1,
        log_every=1,
    )


def red_person(random: np.random.Generator, height: int = 90, width: int = 120) -> Shot:
    """Somebody in red before something that is not."""
    alpha = figure(height, width, random)
    scene = np.full((height, width, 3), (20, 160, 200), np.uint8)
    person = np.broadcast_to(RED, scene.shape)
    return Shot(paste(person, alpha, scene)[None], alpha[None])


# --- people and places ----------------------------------------------------------------------------------------


def test_teacher_looks_once_and_remembers_on_disk(
    data: Path, teacher_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    photographs = Photographs(data, "train")
    images = dict(list(photographs.images.items())[:3])
    first = Teacher(teacher_file, tmp_path).photographs(images)
    assert list(first) == list(images)
    assert all(first[name].shape == image.shape[:2] for name, image in images.items())
    monkeypatch.setattr(RVMMatting, "matte", None)  # a second look would fail
    again = Teacher(teacher_file, tmp_path).photographs(images)
    assert all(np.array_equal(first[name], again[name]) for name in images)


def test_mattes_of_other_pictures_of_the_same_name_and_of_other_teachers_are_not_taken(
    teacher_file: Path, tmp_path: Path
):
    one, other = (photograph(64, 64, np.random.default_rng(seed)) for seed in (0, 1))
    first = Teacher(teacher_file, tmp_path).photographs({"0001.jpg": one})["0001.jpg"]
    second = Teacher(teacher_file, tmp_path).photographs({"0001.jpg": other})["0001.jpg"]
    assert not np.array_equal(first, second)
    torch.manual_seed(1)
    torch.save(MattingNetwork("mobilenetv3", "fast_guided_filter").state_dict(), tmp_path / "another.pth")
    third = Teacher(tmp_path / "another.pth", tmp_path).photographs({"0001.jpg": one})["0001.jpg"]
    assert not np.array_equal(first, third)


def test_mattes_do_not_depend_on_the_processor(teacher_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def noted(*given: str) -> Engine:
        asked.append(given)
        return make_engine(*given)

    monkeypatch.setattr(teacher, "make_engine", noted)
    Teacher(teacher_file, tmp_path).photographs({"0.jpg": photograph(64, 64, np.random.default_rng(0))})
    assert asked == [("auto", "cpu", "fp32")]


def test_clips_come_in_one_order_on_every_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files: list[str] = ["take2.mp4", "take1.mp4"]
    monkeypatch.setattr(os, "walk", lambda root, **how: [(root / folder, list[str](), files) for folder in "bca"])
    found = [str(path.relative_to(tmp_path)) for path in find_clips(tmp_path)]
    assert found == [f"{folder}/take{number}.mp4" for number in (1, 2) for folder in "abc"]


def test_clip_is_kept_frame_beside_matte(
    clips: Path, teacher_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = find_clips(clips)[0]
    (shot,) = Teacher(teacher_file, tmp_path).clip(path)
    assert shot.frames.shape == (12, 64, 96, 3)
    assert shot.alpha.shape == (12, 64, 96)
    monkeypatch.setattr(RVMMatting, "matte", None)
    assert np.array_equal(Teacher(teacher_file, tmp_path).clip(path)[0].alpha, shot.alpha)


def test_long_clip_is_kept_in_stretches(teacher_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("video_harmonizer.training.teacher.STRETCHES", 2)
    frames = 3 * STRETCH

    def picture(index: int) -> av.VideoFrame:
        return av.VideoFrame.from_ndarray(np.full((16, 16, 3), index, np.uint8), "rgb24")

    make_clip(tmp_path / "long.mp4", range(frames), Fraction(1, 25), None, (16, 16), "libx264rgb", "rgb24", picture)
    shots = Teacher(teacher_file, tmp_path / "kept").clip(tmp_path / "long.mp4")
    assert [len(shot.frames) for shot in shots] == [STRETCH, STRETCH]
    assert shots[1].frames[0].mean() == pytest.approx(frames // 2, abs=3)


def test_folder_without_clips_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no clips there; give a folder of videos of people"):
        find_clips(tmp_path)


def test_people_are_split_as_the_index_and_the_names_say(data: Path, clips: Path, teacher_file: Path, tmp_path: Path):
    teacher = Teacher(teacher_file, tmp_path)
    learnt, unseen = (People(data, clips, ("gard*",), teacher, split) for split in ("train", "val"))
    assert (list(learnt.clips), list(unseen.clips)) == (["office.mkv"], ["garden.mkv"])
    both = {shot.frames.tobytes() for shot in learnt.portraits} & {shot.frames.tobytes() for shot in unseen.portraits}
    assert not both
    assert not {scene.tobytes() for scene in learnt.scenes} & {scene.tobytes() for scene in unseen.scenes}


def test_a_broken_picture_does_not_mix_what_is_learnt_and_what_is_unseen(teacher_file: Path, tmp_path: Path):
    random = np.random.default_rng(0)
    names = [f"{number:02}.png" for number in range(20)]
    for name in ["one.png", "two.png", *names]:
        cv2.imwrite(str(tmp_path / name), photograph(64, 64, random))
    cv2.imwrite(str(tmp_path / "mask.png"), figure(64, 64, random))
    (tmp_path / names[0]).write_bytes(b"no picture")
    people = [(name, "mask.png", "1", split) for name in ("one.png", "two.png") for split in ("train", "val")]
    write_index(tmp_path, [*people, *((name, "mask.png", "0", "train") for name in names)])
    teacher = Teacher(teacher_file, tmp_path / "mattes")
    learnt, unseen = (People(tmp_path, None, (), teacher, split) for split in ("train", "val"))
    assert len(learnt.scenes) + len(unseen.scenes) == len(names) - 1
    both = [*learnt.scenes, *(shot.frames[0] for shot in learnt.things)]
    assert not {scene.tobytes() for scene in both} & {scene.tobytes() for scene in unseen.scenes}


def test_clip_that_cannot_be_read_is_skipped_and_named(
    data: Path, clips: Path, teacher_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    folder = tmp_path / "clips"
    shutil.copytree(clips, folder)
    (folder / "junk.mp4").write_bytes(b"no video")
    people = People(data, folder, ("garden",), Teacher(teacher_file, tmp_path / "mattes"), "train")
    assert list(people.clips) == ["office.mkv"]
    assert [message for message in caplog.messages if "junk.mp4" in message and message.endswith("; skipped")]


def test_held_out_names_that_fit_no_clip_are_told(
    data: Path, clips: Path, teacher_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    people = People(data, clips, ("cellar",), Teacher(teacher_file, tmp_path), "val")
    assert people.clips == {}
    assert "held_out (cellar) names none of its clips, so none is kept for validation" in caplog.text


def test_clips_are_looked_for_before_any_matte_is_made(data: Path, tmp_path: Path, teacher_file: Path):
    (tmp_path / "clips").mkdir()
    with pytest.raises(InputError, match=r"clips: no clips there"):
        People(data, tmp_path / "clips", (), Teacher(teacher_file, tmp_path / "mattes"), "train")
    assert not list(tmp_path.rglob("*.png"))


def test_only_people_who_are_known_as_such_are_learnt_from(
    data: Path, teacher_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def sees_somebody(_: Teacher, images: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: np.full(image.shape[:2], 255, np.uint8) for name, image in images.items()}

    monkeypatch.setattr(Teacher, "photographs", sees_somebody)
    people = People(data, None, (), Teacher(teacher_file, tmp_path), "train")
    known = sum(bool(row.person) for row in Photographs(data, "train").rows)
    assert len(people.portraits) == known > 0


def test_masks_of_one_photograph_are_joined_and_empty_ones_left_out(
    teacher_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    random = np.random.default_rng(0)
    left, right = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    left[20:40, 5:20], right[20:40, 40:60] = 255, 255
    for name, picture in (("left", left), ("right", right), ("black", np.zeros_like(left))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    for name in ("two", "one", "place", "other"):
        cv2.imwrite(str(tmp_path / f"{name}.jpg"), photograph(64, 64, random))
    rows = [("two.jpg", "left.png", "1"), ("two.jpg", "right.png", "1"), ("two.jpg", "", "0")]
    rows += [("one.jpg", "black.png", "1"), ("place.jpg", "", "0"), ("other.jpg", "", "0")]
    write_index(tmp_path, [(*row, "train") for row in rows])
    people = People(tmp_path, None, (), Teacher(teacher_file, tmp_path), "train")
    (shot,) = people.portraits
    assert np.array_equal(shot.alpha[0], np.maximum(left, right))
    assert len(people.scenes) == 2


def test_things_are_what_the_teacher_takes_for_nobody(
    data: Path, teacher_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    photographs, teacher = Photographs(data, "train"), Teacher(teacher_file, tmp_path)
    unseen = {scene.tobytes() for scene in People(data, None, (), teacher, "val").scenes}
    rows = [row for row in photographs.rows if row.mask and not row.person]
    rows = [row for row in rows if photographs.images[row.image].tobytes() not in unseen]
    doubtful = [row for row in rows if row.image == "08.png"]  # the one that is not known to show no person
    assert 0 < len(doubtful) < len(rows)
    for level, wanted in ((0, len(rows)), (255, len(rows) - len(doubtful))):

        def sees(_: Teacher, images: dict[str, np.ndarray], level: int = level) -> dict[str, np.ndarray]:
            return {name: np.full(image.shape[:2], level, np.uint8) for name, image in images.items()}

        monkeypatch.setattr(Teacher, "photographs", sees)
        assert len(People(data, None, (), Teacher(teacher_file, tmp_path), "train").things) == wanted


def test_doubtful_mattes_are_not_learnt_from():
    alpha = np.zeros((40, 40), np.uint8)
    assert not sure(alpha)
    alpha[10:30, 10:30] = 255
    assert sure(alpha)
    alpha[10:20, 10:30] = 128
    assert not sure(alpha)


# --- synthetic shots ------------------------------------------------------------------------------------------


@pytest.fixture
def shots(data: Path, clips: Path, teacher_file: Path, tmp_path: Path) -> ShotDataset:
    people = People(data, clips, (), Teacher(teacher_file, tmp_path), "train")
    return ShotDataset(people, batch=2, seed=4)


def test_sample_depends_on_its_number_alone_and_a_batch_has_one_shape(shots: ShotDataset):
    for first in range(0, 24, 2):
        pair = shots[first], shots[first + 1]
        again = ShotDataset(shots.people, 2, 4)[first]
        assert all(torch.equal(pair[0][name], again[name]) for name in again)
        for name in ("source", "alpha", "foreground"):
            assert pair[0][name].dtype == torch.uint8
            assert pair[0][name].shape == pair[1][name].shape
            assert len(pair[0][name]) == FRAMES
        assert all(pair[0][name] == pair[1][name] for name in ("following", "refined"))
    assert not torch.equal(shots[0]["source"], ShotDataset(shots.people, 2, 5)[0]["source"])


def test_frames_that_follow_are_alike_and_strangers_are_not(shots: ShotDataset):
    def change(sample: dict[str, Tensor]) -> float:
        frames = sample["source"].float()
        return (frames[1:] - frames[:-1]).abs().mean().item()

    samples = [shots[2 * number] for number in range(24)]
    following = [change(sample) for sample in samples if sample["following"]]
    strangers = [change(sample) for sample in samples if not sample["following"]]
    assert np.mean(following) < 0.5 * np.mean(strangers)


def test_things_that_their_photograph_cuts_off_are_left_out(shots: ShotDataset):
    whole = red_person(np.random.default_rng(0))
    cut_off = Shot(whole.frames, np.roll(whole.alpha, whole.alpha.shape[2] // 2, 2))
    shots.people.things = [whole, cut_off]
    assert [shot is whole for shot in ShotDataset(shots.people, 2, 0).things] == [True]


def test_things_are_put_into_places_and_are_nobody(shots: ShotDataset, monkeypatch: pytest.MonkeyPatch):
    random = np.random.default_rng(0)
    shots.people.scenes = [np.full((90, 120, 3), (20, 160, 200), np.uint8)]
    shots.things = [red_person(random)]
    for share, wanted in ((0.0, False), (1.0, True)):
        monkeypatch.setattr("video_harmonizer.training.shots.CLUTTER", share)
        places = [shots._place((64, 80), 2, random) for _ in range(10)]
        red = [(picture[..., 0] > picture[..., 2]).any() for place in places for picture, _ in place]
        assert np.mean(red) > 0.7 if wanted else not any(red)  # some things are out of the picture
        assert not any(alpha.any() for place in places for _, alpha in place)


@pytest.mark.parametrize("how", [filmed, walking])
def test_matte_moves_with_the_person(how):
    random = np.random.default_rng(2)
    for _ in range(10):
        for picture, alpha in how(red_person(random), (64, 80), 3, random):
            assert picture.shape == (64, 80, 3)
            red = picture[..., 0].astype(int) - picture[..., 2] > 0
            inside, outside = alpha > 200, alpha < 50
            if how is filmed:  # who is cut out is of no colour elsewhere
                assert not red[outside].any()
            assert red[inside].all()


def test_half_transparent_pixels_get_the_persons_colour():
    shot = red_person(np.random.default_rng(0))
    pure = purify(shot.frames[0], shot.alpha[0])
    soft = (shot.alpha[0] > 20) & (shot.alpha[0] < 250)
    assert np.abs(pure[soft].astype(int) - RED).max() <= 3
    assert np.abs(shot.frames[0][soft].astype(int) - RED).max() > 50


def test_two_people_cover_what_either_covers():
    picture = np.zeros((2, 2, 3), np.uint8)
    front, back = np.array([[255, 0], [128, 0]], np.uint8), np.array([[0, 255], [128, 0]], np.uint8)
    shown, both = over((picture + 10, front), (picture + 90, back))
    assert both.tolist() == [[255, 255], [192, 0]]
    assert shown[0, :, 0].tolist() == [10, 90]
    scene = np.full_like(picture, 200)
    one_by_one = paste(picture + 10, front, paste(picture + 90, back, scene))
    np.testing.assert_allclose(paste(shown, both, scene), one_by_one, atol=1)
    hidden = np.zeros_like(back)  # nobody behind: what colour they would have does not show
    assert over((picture + 10, front), (picture + 90, hidden))[0][1, 0, 0] == 10


# --- losses and scores ----------------------------------------------------------------------------------------


def test_guess_beyond_the_end_counts_as_right_on_its_side_only():
    guess, target = torch.tensor([-0.5, 1.5, 1.5, -0.5, 0.4]), torch.tensor([0.0, 1.0, 0.0, 1.0, 0.5])
    assert settled(guess, target).tolist() == pytest.approx([0, 1, 1.5, -0.5, 0.4])


def test_pyramid_sees_coarse_errors_more():
    fine = torch.zeros(1, 1, 64, 64)
    fine[..., ::2, ::2] = 1
    coarse = torch.zeros(1, 1, 64, 64)
    coarse[..., :32] = 0.25
    assert pyramid(torch.zeros(1, 1, 37, 53)) == 0
    assert pyramid(coarse - coarse.mean()) > 0.25 * pyramid(fine - fine.mean())
    assert pyramid(2 * fine) == pytest.approx(2 * pyramid(fine).item())


def test_perfect_answer_costs_nothing_and_flicker_costs(settings: Training):
    task = Matting(settings)
    shot = red_person(np.random.default_rng(0), 32, 32)
    source = torch.from_numpy(shot.frames.repeat(FRAMES, 0))[None]
    alpha = torch.from_numpy(shot.alpha.repeat(FRAMES, 0))[None]
    batch = {"source": source, "alpha": alpha, "foreground": source}
    batch |= {"following": torch.tensor([True]), "refined": torch.tensor([False])}
    answer = torch.cat([torch.zeros(1, FRAMES, 3, 32, 32), as_float(alpha, following=True)], 2)
    logits = torch.where(answer[:, :, 3:] > 0.5, 99.0, -99.0)
    perfect = task.loss(lambda source, ratio: (answer, logits), batch).losses  # type: ignore[arg-type]
    assert {name: value.item() for name, value in perfect.items()} == pytest.approx(dict.fromkeys(perfect, 0))
    answer[:, ::2, 3] += 0.1
    answer[:, ::2, 3].clamp_(max=1)
    shaky = task.loss(lambda source, ratio: (answer, logits), batch).losses  # type: ignore[arg-type]
    assert shaky["alpha_change"] > 0
    assert shaky["foreground_change"] == 0


def test_every_batch_names_the_same_losses(settings: Training):
    task = Matting(settings)
    names, kinds = set(), set()
    for number in range(12):  # processes that log together may be at batches of either kind
        batch = {name: value[None] for name, value in task.learning[0][number].items()}
        kinds.add(bool(batch["following"]))
        names.add(tuple(task.loss(task.learner, batch).losses))
    assert (len(names), len(kinds)) == (1, 2)


def test_scores_of_known_mattes():
    wanted = np.zeros((3, 10, 10), np.uint8)
    wanted[:, :5] = 255
    guess = np.zeros_like(wanted)
    guess[:, :4] = 255
    assert agreement(guess, wanted) == pytest.approx({"mae": 0.1, "iou": 0.8})
    assert agreement(np.zeros_like(wanted), np.zeros_like(wanted)) == {"mae": 0, "iou": 1}
    assert flicker(wanted, wanted) == 1
    guess[1] = 255
    assert flicker(guess, wanted) > 100


# --- whole runs -----------------------------------------------------------------------------------------------


def test_run_exports_weights_that_matte(settings: Training):
    train.train(settings)
    state = load_file(settings.output / "weights.safetensors")
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float16}
    network = load_network({key: value.float() for key, value in state.items()}, "mine")
    assert network.variant == "squeezenet"


def test_what_given_weights_get_wrong_comes_up_more_often(
    settings: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    known = shots_of(Matting(settings)).people
    torch.save(matting.make_network(settings).state_dict(), tmp_path / "given.pth")
    mistaken = known.scenes[0].tobytes()

    def watch(_: MattingNetwork, frames: np.ndarray, __: torch.device) -> np.ndarray:
        right = next((shot.alpha for shot in known.portraits if np.array_equal(shot.frames, frames)), None)
        return right if right is not None else np.full(frames.shape[:3], 255 * (frames.tobytes() == mistaken), np.uint8)

    monkeypatch.setattr(matting, "watch", watch)
    revised = shots_of(Matting(dataclasses.replace(settings, weights=tmp_path / "given.pth", revise=True))).people
    assert len(revised.portraits) == len(known.portraits)
    times = [sum(np.array_equal(scene, other) for other in revised.scenes) for scene in known.scenes]
    assert times == [min(matting.OFTEN, 1 + len(known.scenes))] + [1] * (len(known.scenes) - 1)


def shots_of(task: Matting) -> ShotDataset:
    return cast(ShotDataset, task.learning[0])


def test_mistakes_are_repeated_by_their_size():
    assert matting.repeated(list("abcd"), [0.0, 0.25, 0.75, 0.0]) == list("abbccccd")
    assert matting.repeated([*range(9)], [0.0] * 8 + [1.0]) == [*range(8)] + matting.OFTEN * [8]
    assert matting.repeated(["a", "b"], [0.0, 0.0]) == ["a", "b"]


@torch.no_grad()
def test_what_is_exported_is_surer_and_otherwise_the_same():
    torch.manual_seed(0)
    network = MattingNetwork("squeezenet").eval()
    picture = torch.rand(1, 3, 64, 96)
    (foreground, alpha, *_), (same, surer, *_) = (each(picture) for each in (network, sharpened(network)))
    assert torch.equal(same, foreground)
    assert torch.allclose(surer, (0.5 + SHARPER * (alpha - 0.5)).clamp(0, 1), atol=1e-5)
    assert not torch.equal(surer, alpha)


def test_a_run_goes_on_from_exported_weights_as_they_were_learnt(settings: Training, tmp_path: Path):
    network = make_network(settings)
    exported = {name: value.contiguous() for name, value in sharpened(network).state_dict().items()}
    save_file(exported, tmp_path / "exported.safetensors", {"sharper": str(SHARPER)})
    again = make_network(dataclasses.replace(settings, weights=tmp_path / "exported.safetensors"))
    for name, value in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)


def test_numbers_beyond_half_precision_are_kept_whole():
    large, small = torch.tensor([1.0, 3e5]), torch.tensor([1.0, 3e4])
    assert torch.equal(narrowed(large), large)
    assert narrowed(small).dtype == torch.float16
    assert narrowed(torch.tensor([float("inf")])).dtype == torch.float16
    assert narrowed(torch.tensor([3])).dtype == torch.int64  # a count of batches


def test_resumed_run_is_the_run_that_was_not_stopped(settings: Training, tmp_path: Path):
    settings = dataclasses.replace(settings, steps=3)
    train.train(settings)
    whole = load_file(settings.output / "weights.safetensors")
    short = dataclasses.replace(settings, output=tmp_path / "two")
    with pytest.MonkeyPatch.context() as patch:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(matting.Matting, "validate", stop)  # at the last step, before that is saved
        with pytest.raises(KeyboardInterrupt):
            train.train(short)
    train.train(short)
    resumed = load_file(short.output / "weights.safetensors")
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_few_shots_are_learnt_by_heart(settings: Training):
    settings = dataclasses.replace(settings, overfit=1, steps=30, learning_rate=3e-3)
    task = Matting(settings)
    assert isinstance(task.learner, Student)
    batch = {name: value[None] for name, value in task.learning[0][0].items()}
    before = sum(loss.item() for loss in task.loss(task.learner, batch).losses.values())
    train.train(settings)
    checkpoint = torch.load(settings.output / "checkpoint.pt", weights_only=True)
    task.learner.load_state_dict(checkpoint["network"])
    after = sum(loss.item() for loss in task.loss(task.learner.train(), batch).losses.values())
    assert after < 0.5 * before


def test_teacher_is_asked_for(settings: Training):
    with pytest.raises(InputError, match="teacher: got none; give RobustVideoMatting's weights as --teacher FILE"):
        Matting(dataclasses.replace(settings, teacher=None))
    with pytest.raises(InputError, match=r"teacher: got nowhere\.pth, which is no file"):
        Matting(dataclasses.replace(settings, teacher=Path("nowhere.pth")))


def features(network: MattingNetwork) -> nn.Module:
    return cast(nn.Module, network.backbone.features)


def test_encoder_starts_from_imagenet(settings: Training, tmp_path: Path):
    donor = features(MattingNetwork("squeezenet")).state_dict()
    torch.save({f"features.{key}": value for key, value in donor.items()}, tmp_path / "squeezenet.pth")
    network = matting.make_network(dataclasses.replace(settings, encoder=tmp_path / "squeezenet.pth"))
    for key, value in features(network).state_dict().items():
        assert torch.equal(value, donor[key])


def test_mattes_are_pictures_to_look_at(data: Path, teacher_file: Path, tmp_path: Path):
    photographs = Photographs(data, "train")
    name, image = next(iter(photographs.images.items()))
    matte = Teacher(teacher_file, tmp_path).photographs({name: image})[name]
    (path,) = tmp_path.rglob("*.png")
    kept = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert kept is not None
    assert np.array_equal(kept, matte)
