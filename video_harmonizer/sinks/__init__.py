"""Where pictures go. One file a kind of sink; all keep the contract below."""

from pathlib import Path
from typing import Protocol

import numpy as np


class Sink(Protocol):
    """Opened by its constructor, which raises InputError before the first frame is processed if it can't write.

    `close` finishes what was written and gives it its final name; `abort` keeps what was written from
    taking the final name. Either ends the sink, and may be called twice.
    """

    @property
    def kept(self) -> Path | None:
        """After `abort`: where the pictures so far lie, if they can be used."""

    @property
    def replaces(self) -> bool:
        """Whether `close` would take the name of a file that is there already."""

    def write(self, image: np.ndarray, seconds: float) -> None:
        """Take one (H, W, 3) RGB picture, uint8 or uint16, presented at ``seconds`` since the first frame.

        The array belongs to the caller again when this returns.
        """

    def close(self) -> None: ...

    def abort(self) -> None: ...
