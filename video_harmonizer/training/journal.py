"""What a run tells while it goes on: a progress bar, and TensorBoard's scalars, pictures and curves."""

import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from video_harmonizer.training.task import Network, as_float, harmonize

SHOWN = 6  # validation samples whose pictures and curves are kept track of
PLOT = 256  # pixels, side of a curve plot
COLORS = ((220, 40, 40), (30, 150, 60), (40, 80, 220))  # of the plotted channels


class Journal:
    """Writes to a run's ``folder``; a process that does not lead says nothing."""

    def __init__(self, folder: Path, start: int, total: int, leads: bool) -> None:
        # steps after the checkpoint that were logged before a kill are done again
        self.events = SummaryWriter(str(folder), purge_step=start + 1) if leads else None
        self.bar = tqdm(initial=start, total=total, unit="step", dynamic_ncols=True, mininterval=5, disable=not leads)
        self._samples = 0
        self._since = time.perf_counter()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
        if self.events:
            self.events.close()

    def count(self, samples: int) -> None:
        """One step is done, of so many samples."""
        self._samples += samples
        self.bar.update()

    def log_step(self, scalars: dict[str, float], step: int) -> None:
        """Losses and learning rate, with the samples per second since the last time."""
        now = time.perf_counter()
        speed = self._samples / (now - self._since)
        self._samples, self._since = 0, now
        self._scalars(scalars | {"samples_per_second": speed}, step)
        self.bar.set_postfix(loss=f"{scalars['loss']:.4f}", refresh=False)

    def log_validation(
        self, scores: dict[str, float], network: Network, batch: dict[str, Tensor], semantic: bool, step: int
    ) -> None:
        """Scores, and of the batch's first samples composite, result, target and curves."""
        tqdm.write(f"step {step}: " + ", ".join(f"{name} {scores[name]:.2f}" for name in sorted(scores)))
        self._scalars({f"validation/{name}": value for name, value in scores.items()}, step)
        if self.events:
            shown = {name: value[:SHOWN] for name, value in batch.items()}
            result, parameters = harmonize(network, shown, semantic)
            pictures = [as_float(shown["background"]), result, as_float(shown["target"])]
            rows = torch.cat([torch.cat(list(picture), 1) for picture in pictures], 2)  # a sample a row
            self.events.add_image("composite | result | target", rows, step)
            plots = [plot(curves) for curves in curves_of(network, parameters)]
            self.events.add_image("curves", np.concatenate(plots, 1), step, dataformats="HWC")
        self._since, self._samples = time.perf_counter(), 0  # the time of validation is not that of training

    def _scalars(self, scalars: dict[str, float], step: int) -> None:
        if self.events:
            for name, value in scalars.items():
                self.events.add_scalar(name, value, step)


def curves_of(network: Network, parameters: Tensor) -> np.ndarray:
    """What becomes of each level of grey: (B, 3, `PLOT`)."""
    ramp = torch.linspace(0, 1, PLOT, device=parameters.device).expand(len(parameters), 3, 1, PLOT)
    return network.draw(ramp, parameters)[-1][:, :, 0].cpu().numpy()


def plot(curves: np.ndarray) -> np.ndarray:
    """(3, `PLOT`) float 0..1, red, green and blue -> (`PLOT`, `PLOT`, 3) uint8; inputs rightwards, outputs upwards."""
    picture = np.full((PLOT, PLOT, 3), 255, np.uint8)
    x = np.arange(PLOT)
    for values, color in ((x / (PLOT - 1), (200, 200, 200)), *zip(curves, COLORS, strict=True)):
        y = np.rint((1 - np.clip(values, -1, 2)) * (PLOT - 1))
        points = np.stack([x, y], 1).astype(np.int32)[:, None]
        cv2.polylines(picture, [points], False, color, 2, cv2.LINE_AA)
    return picture
