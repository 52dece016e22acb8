"""The matting task: a small recurrent network learns from masks and from a large network's mattes."""

from copy import deepcopy
from typing import TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from rvm import MattingNetwork
from rvm.decoder import States
from rvm.network import foreground_and_alpha
from video_harmonizer.errors import InputError
from video_harmonizer.matting.rvm import suitable_ratio
from video_harmonizer.training.imagenet import load_imagenet
from video_harmonizer.training.people import People, Shot
from video_harmonizer.training.settings import Training
from video_harmonizer.training.shots import ShotDataset, purify
from video_harmonizer.training.task import Batch, Outcome, Validation
from video_harmonizer.training.teacher import Teacher
from video_harmonizer.weights.load import load_into, read_metadata, read_state

LEVELS = 5  # of the Laplacian pyramid
STEADINESS = 5.0  # weight of how alpha and foreground change from frame to frame
SEGMENTATION = 0.1  # weight of the person mask, which nothing but `segmentation_pass` uses
UNSETTLED = 5  # first frames of a clip that do not count: memory has to fill
LOOKS = 2  # at a photograph
WATCHED = 40  # frames of each clip that validation looks at
SHOWN = 8
OFTEN = 4  # times that a photograph comes up, at most, where one that the network knows comes up once
SHARPER = 1.2  # how much steeper alpha's edges get once all is learnt: small networks are unsure, and answer softly
STILL = 2  # levels by which the teacher's alpha may change where it counts as still

Item = TypeVar("Item")


class Student(nn.Module):
    """The network as it is trained: its answer before anything is clamped, which would hide from it how wrong it is."""

    def __init__(self, network: MattingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, source: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
        """T frames one after another, (B, T, 3, H, W) float 0..1.

        Returns:
            residual R, G, B and alpha (B, T, 4, H, W); logits of a person mask (B, T, 1, h, w).
        """
        answer, hidden, _ = _answer(self.network, source.flatten(0, 1), ratio, clip_length=source.shape[1])
        mask = self.network.project_seg(hidden)
        return answer.unflatten(0, source.shape[:2]), mask.unflatten(0, source.shape[:2])


class Matting:
    """The task of the bundled matting network."""

    def __init__(self, settings: Training) -> None:
        if settings.teacher is None:
            raise InputError("teacher: got none; give RobustVideoMatting's weights as --teacher FILE")
        if not settings.teacher.is_file():
            raise InputError(f"teacher: got {settings.teacher}, which is no file; give RobustVideoMatting's weights")
        # first: the teacher takes chance, too, if it is needed
        self.learner: nn.Module = Student(network := make_network(settings))
        teacher = Teacher(settings.teacher, settings.mattes)
        given = settings.data, settings.clips, settings.held_out, teacher
        people = People(*given, "train")
        if settings.revise:
            revise(people, sharpened(network))
        shots: Dataset = ShotDataset(people, settings.batch, settings.seed)
        if settings.overfit:
            shots = Again(shots, settings.batch * -(-settings.overfit // settings.batch))
        self.learning = [shots, shots]
        self.unseen = People(*given, "val")

    def loss(self, learner: nn.Module, batch: Batch) -> Outcome:
        """Of alpha L1 and a Laplacian pyramid, of the foreground L1; of both the change in time (Lin et al., 4.2)."""
        following, ratio = bool(batch["following"][0]), 0.5 if batch["refined"][0] else 1.0
        source, alpha, foreground = (as_float(batch[name], following) for name in ("source", "alpha", "foreground"))
        answer, mask = (part.float() for part in learner(source, ratio))
        guess = settled(answer[:, :, 3:], alpha)
        error = guess - alpha
        losses = {"alpha": error.abs().mean(), "pyramid": pyramid(error.flatten(0, 1))}
        inside = (F.adaptive_avg_pool2d(alpha.flatten(0, 1), mask.shape[3:]) > 0.5).float()
        losses["segmentation"] = SEGMENTATION * F.binary_cross_entropy_with_logits(mask.flatten(0, 1), inside)
        seen = alpha > 0
        off = (settled(source + answer[:, :, :3], foreground) - foreground) * seen
        losses["foreground"] = off.abs().sum() / (3 * seen.sum()).clamp(min=1)
        # strangers are shots of one frame, without change; named all the same, since all processes have to agree
        both = seen[:, 1:] & seen[:, :-1]
        changes = ((error[:, 1:] - error[:, :-1]).square().sum(), ((off[:, 1:] - off[:, :-1]).square() * both).sum())
        losses["alpha_change"] = STEADINESS * changes[0] / max(1, error[:, 1:].numel())
        losses["foreground_change"] = STEADINESS * changes[1] / (3 * both.sum()).clamp(min=1)
        return Outcome(losses)

    @torch.no_grad()
    def validate(self, learner: nn.Module, device: torch.device) -> Validation:
        """Scores on photographs' masks, on the teacher's mattes of clips that were held out, and on empty places."""
        network = sharpened(cast(Student, learner).network).eval()
        people = self.unseen
        mattes = [watch(network, shot.frames.repeat(LOOKS, 0), device)[-1:] for shot in people.portraits]
        each = [agreement(matte, shot.alpha) for matte, shot in zip(mattes, people.portraits, strict=True)]
        scores = {f"photo_{key}": float(np.mean([one[key] for one in each])) for key in each[0]}
        for name, shots in tqdm(people.clips.items(), "clips", leave=False, disable=None):
            if len(shots[0].frames) < UNSETTLED + 2:
                continue  # too short to say anything of
            guess, wanted = (x[UNSETTLED:] for x in (watch(network, shots[0].frames[:WATCHED], device), shots[0].alpha))
            wanted = wanted[: len(guess)]
            late = agreement(guess, wanted) | {"flicker": flicker(guess, wanted)}
            scores |= {f"{name}/{key}": value for key, value in late.items()}
        places = [watch(network, place[None].repeat(LOOKS, 0), device)[-1] for place in people.scenes]
        scores["empty_alpha"] = float(np.mean([alpha.mean() / 255 for alpha in places]))
        every = max(1, len(mattes) // SHOWN)
        rows = [_row(*pair) for pair in zip(people.portraits[::every], mattes[::every], strict=True)]
        return Validation(scores, {"photograph | matte | mask": np.concatenate(rows)})

    def exported(self, learner: nn.Module) -> tuple[nn.Module, dict[str, str]]:
        """The network without what it was trained in, `sharpened`."""
        return sharpened(cast(Student, learner).network), {"network": "matting", "sharper": str(SHARPER)}


def revise(people: People, network: MattingNetwork) -> None:
    """Repeat photographs that the network gets wrong among `people`, more often the more it does."""
    network, cpu = network.eval(), torch.device("cpu")
    portraits = tqdm(people.portraits, "people looked at", leave=False, disable=None)
    missed = [1 - agreement(watch(network, shot.frames, cpu), shot.alpha)["iou"] for shot in portraits]
    scenes = tqdm(people.scenes, "places looked at", leave=False, disable=None)
    imagined = [watch(network, scene[None], cpu).mean() / 255 for scene in scenes]
    people.portraits, people.scenes = repeated(people.portraits, missed), repeated(people.scenes, imagined)


def repeated(items: list[Item], faults: list[float]) -> list[Item]:
    """Each item once, and once more for every time that its fault holds the mean fault; `OFTEN` at most."""
    mean = max(float(np.mean(faults)), 1e-6)
    return [item for item, fault in zip(items, faults, strict=True) for _ in range(min(OFTEN, 1 + int(fault / mean)))]


class Again(Dataset):
    """The first so many samples, again and again."""

    def __init__(self, dataset: Dataset, number: int) -> None:
        self.samples = [dataset[index] for index in range(number)]

    def __getitem__(self, index: int) -> Batch:
        return self.samples[index % len(self.samples)]


@torch.no_grad()
def sharpened(network: MattingNetwork, factor: float = SHARPER) -> MattingNetwork:
    """A copy whose alpha lies `factor` times as far from one half: what it is nearly sure of becomes 0 or 1."""
    copy = deepcopy(network)
    last = copy.project_mat.conv
    last.weight[3] *= factor
    assert last.bias is not None
    last.bias[3] = factor * last.bias[3] + (1 - factor) / 2
    return copy


def make_network(settings: Training) -> MattingNetwork:
    """The network to train, from its own weights, from ImageNet's or from chance."""
    network = MattingNetwork("squeezenet")
    if settings.encoder:
        load_imagenet(cast(nn.Module, network.backbone.features), settings.encoder)
    if settings.weights:
        load_into(network, read_state(settings.weights), str(settings.weights))
        # as it was before its export, or each run would make it sharper still
        network = sharpened(network, 1 / float(read_metadata(settings.weights).get("sharper", 1)))
    return network.to(memory_format=torch.channels_last)


def as_float(pictures: Tensor, following: bool) -> Tensor:
    """(B, F, H, W) or (B, F, H, W, 3) uint8 -> (B, F, C, H, W) float 0..1; (B F, 1, C, H, W) for strangers."""
    if pictures.ndim == 4:
        pictures = pictures[..., None]
    pictures = pictures.movedim(-1, 2).float() / 255
    return pictures if following else pictures.flatten(0, 1)[:, None]


def settled(guess: Tensor, target: Tensor) -> Tensor:
    """The guess; the target where it is 0 or 1 and the guess lies beyond, since it will be clamped to just that."""
    beyond = ((target <= 0) & (guess < 0)) | ((target >= 1) & (guess > 1))
    return torch.where(beyond, target, guess)


def pyramid(error: Tensor) -> Tensor:
    """L1 of the error's Laplacian pyramid, (N, 1, H, W), coarse levels weighing more; the pyramid is linear."""
    kernel = error.new_tensor([1, 4, 6, 4, 1]) / 16
    kernel = (kernel[:, None] * kernel)[None, None]
    loss = error.new_zeros(())
    for level in range(LEVELS):
        small = F.conv2d(F.pad(error, (2, 2, 2, 2), mode="replicate"), kernel, stride=2)
        coarse = F.interpolate(small, error.shape[2:], mode="bilinear", align_corners=False)
        loss = loss + 2**level / LEVELS * (error - coarse).abs().mean()
        error = small
    return loss


@torch.no_grad()
def watch(network: MattingNetwork, frames: np.ndarray, device: torch.device) -> np.ndarray:
    """Alpha (T, H, W) uint8 of frames (T, H, W, 3) uint8, one after another as in use."""
    states: States | None = None
    alphas = []
    for frame in frames:
        source = torch.from_numpy(np.array(frame)).to(device).permute(2, 0, 1)[None].float() / 255
        ratio = suitable_ratio(network.variant, frame.shape[:2])
        answer, _, states = _answer(network, source, ratio, states)
        _, alpha = foreground_and_alpha(source, answer)
        alphas.append((alpha[0, 0] * 255).round().byte().cpu().numpy())
    return np.stack(alphas)


def _answer(
    network: MattingNetwork, frames: Tensor, ratio: float, states: States | None = None, clip_length: int = 1
) -> tuple[Tensor, Tensor, States]:
    """Residual R, G, B and alpha (N, 4, H, W), hidden (N, C, h, w) and states, seen as `RVMMatting` sees frames.

    `rvm.network.downsample` leaves out a rim of frames that the ratio does not divide, as published.
    """
    small = [int(side * ratio) for side in frames.shape[2:]]
    base = F.interpolate(frames, small, mode="bilinear", align_corners=False)
    states = states or network.initial_states(len(frames) // clip_length, *small)
    answer, hidden, states = network.decode(base, network.encode(base), states, clip_length)
    if ratio != 1:
        answer = network.refiner(frames, base, answer, hidden)
    return answer, hidden, states


def agreement(guess: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """Mean absolute error 0..1 and intersection over union at one half, of (T, H, W) uint8, averaged over frames."""
    mae = np.abs(guess.astype(np.int16) - wanted).mean() / 255
    one, other = guess > 127, wanted > 127
    together, either = (one & other).sum((1, 2)), (one | other).sum((1, 2))
    return {"mae": float(mae), "iou": float(np.where(either > 0, together / np.maximum(either, 1), 1).mean())}


def flicker(guess: np.ndarray, wanted: np.ndarray) -> float:
    """How much more alpha changes than the teacher's where that is still, as a ratio: (T, H, W) uint8 each."""
    ours, theirs = (np.abs(np.diff(alpha.astype(np.int16), axis=0)) for alpha in (guess, wanted))
    still = theirs <= STILL
    return float((ours[still].mean() + 1e-3) / (theirs[still].mean() + 1e-3))


def _row(shot: Shot, guess: np.ndarray) -> np.ndarray:
    """Photograph, the matte before green, and the mask, side by side: (256, 768, 3) uint8."""
    picture, alpha = shot.frames[0], guess[-1][..., None] / 255
    green = np.array([0, 180, 0])
    pasted = np.rint(alpha * purify(picture, guess[-1]) + (1 - alpha) * green).astype(np.uint8)
    mask = np.repeat(shot.alpha[0][..., None], 3, 2)
    return np.concatenate([_squared(part) for part in (picture, pasted, mask)], 1)


def _squared(picture: np.ndarray) -> np.ndarray:
    tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()
    return F.interpolate(tensor, (256, 256), mode="area")[0].permute(1, 2, 0).round().byte().numpy()
