"""Loops over pixels, compiled by Numba when they are first called and kept on disk for the next start."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import numba

from video_harmonizer.errors import warn_once

log = logging.getLogger(__name__)

Loop = TypeVar("Loop", bound=Callable)


def compiled(loop: Loop, **options: Any) -> Loop:
    """The loop in machine code, during which other threads go on; ``options`` are `numba.njit`'s."""
    njit = partial(numba.njit, nogil=True, **options)
    try:
        return cast(Loop, njit(loop, cache=True))
    except RuntimeError:  # neither beside the code nor among the user's own caches may anything be written
        what = "no folder for compiled loops: each start takes longer; set NUMBA_CACHE_DIR to one that may be written"
        warn_once(log, "compiled loops", what)
        return cast(Loop, njit(loop))
