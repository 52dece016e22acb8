"""Where pictures go. One file a kind of sink; all keep the contract below."""

from pathlib import Path
from typing import Protocol

import numpy as np


class Sink(Protocol):
    """Opened by its constructor, which raises InputError before the first frame is processed if it can't write.

    `close` finishes what was written and gives it its final name, unless it is not the whole and a file of that name
    is there already, which stays; `abort` keeps what was written from taking the final name. Either ends the sink, and
    may be called twice.
    """

    @property
    def kept(self) -> Path | None:
        """Without the final name: where the pictures so far lie, if they can be used."""

    def write(self, image: np.ndarray, seconds: float) -> None:
        """Take one (H, W, 3) RGB picture, uint8 or uint16, presented at ``seconds`` since the first frame.

        The array belongs to the caller again when this returns.
        """

    def close(self, whole: bool = True) -> None: ...

    def abort(self) -> None: ...
