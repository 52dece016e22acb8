"""How a benchmark is started, and what it says where it is given something that it can't use."""

import logging
import sys
from collections.abc import Callable
from typing import Any

import tyro

from video_harmonizer.errors import InputError
from video_harmonizer.undisturbed import endings_as_ctrl_c


def run(main: Callable[..., Any]) -> None:
    """Call it with what the command line gives; an `InputError` is one line and status 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        with endings_as_ctrl_c():
            tyro.cli(main)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        raise SystemExit(130) from None


def at_least(least: int, **options: int | None) -> None:
    """Raise InputError where one of the options is given and smaller."""
    for name, value in options.items():
        if value is not None and value < least:
            raise InputError(f"--{name}: got {value}; want {least} or more")
