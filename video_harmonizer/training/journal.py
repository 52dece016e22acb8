"""What a run tells while it goes on: a progress bar, and TensorBoard's scalars and pictures."""

import time
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from video_harmonizer.training.task import Validation


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

    def log_validation(self, validation: Validation, step: int) -> None:
        """Scores and pictures."""
        scores = validation.scores
        tqdm.write(f"step {step}: " + ", ".join(f"{name} {scores[name]:.4g}" for name in sorted(scores)))
        self._scalars({f"validation/{name}": value for name, value in scores.items()}, step)
        if self.events:
            for title, picture in validation.pictures.items():
                self.events.add_image(title, picture, step, dataformats="HWC")
        self._since, self._samples = time.perf_counter(), 0  # the time of validation is not that of training

    def _scalars(self, scalars: dict[str, float], step: int) -> None:
        if self.events:
            for name, value in scalars.items():
                self.events.add_scalar(name, value, step)
