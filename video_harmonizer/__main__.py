"""The command line: ``python -m video_harmonizer COMMAND``."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Union

import tyro
from tqdm.contrib.logging import logging_redirect_tqdm
from tyro.conf import subcommand

from video_harmonizer import __version__
from video_harmonizer.config import read_toml
from video_harmonizer.errors import InputError
from video_harmonizer.options import (
    BenchOptions,
    CompareOptions,
    EvaluateOptions,
    ImageOptions,
    LiveOptions,
    Options,
    VideoOptions,
    WeightsOptions,
)
from video_harmonizer.report import WarningList
from video_harmonizer.undisturbed import endings_as_ctrl_c

COMMANDS = {
    "video": VideoOptions,
    "image": ImageOptions,
    "live": LiveOptions,
    "evaluate": EvaluateOptions,
    "compare": CompareOptions,
    "bench": BenchOptions,
    "weights": WeightsOptions,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 0 done, 1 nobody reads what it prints, 2 bad input, 130 stopped by a signal."""
    if sys.stderr is None:  # a program without a terminal, whose messages and progress bars have nowhere to go
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - to the end
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    warnings = WarningList()
    logging.getLogger().addHandler(warnings)
    try:
        try:
            given = sys.argv[1:] if arguments is None else arguments
            if list(given) == ["--version"]:
                print(f"video-harmonizer {__version__}")
                return 0
            with logging_redirect_tqdm(), endings_as_ctrl_c():
                return dispatch(parse(given), warnings)
        finally:
            _flush()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped before anything was finished", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who reads what is printed has seen enough, as head does
        return 1
    finally:
        logging.getLogger().removeHandler(warnings)


def _flush() -> None:
    """Print what is left now, where it can still be told that nobody reads it, or that there is no place for it.

    Raises:
        BrokenPipeError: nobody reads it.
        InputError: the disk is full.
    """
    try:
        print(end="", flush=True)  # there may be no stdout
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python would fail again as it ends
        if isinstance(error, BrokenPipeError):
            raise
        raise InputError(f"what this prints can't be written: {error.strerror}; free some space") from None


def parse(arguments: Sequence[str]) -> Any:
    """The options of the command that is named; a settings file gives the defaults."""
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config", type=Path)
    config = finder.parse_known_args(arguments)[0].config
    kinds: list[Any] = []
    for name, kind in COMMANDS.items():
        if config is not None and arguments[0] == name:
            if not issubclass(kind, Options):
                raise InputError(f"--config {config}: {name} reads no settings file; give its options one by one")
            settings = read_toml(kind, config)
            if "config" in settings:
                raise InputError(
                    f"{config}: config = {str(settings['config'])!r}: a file can't name another; join them"
                )
            kinds.append(Annotated[kind, subcommand(name, default=kind(**settings))])
        else:
            kinds.append(Annotated[kind, subcommand(name)])
    either: Any = Union[tuple(kinds)]  # noqa: UP007
    return tyro.cli(
        either,
        prog="python -m video_harmonizer",
        description="Replace the background behind a filmed person and harmonize the person's colours with it.",
        args=arguments,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )


def dispatch(options: Any, warnings: WarningList) -> int:
    """Do what the options say. Heavy packages are loaded here, after the options were found to be good."""
    if isinstance(options, WeightsOptions):
        from video_harmonizer.weights.command import weights_command

        weights_command(options.action, options.name)
        return 0
    if isinstance(options, EvaluateOptions):
        from video_harmonizer.evaluation.evaluate_command import evaluate_command

        evaluate_command(options)
        return 0
    if isinstance(options, CompareOptions):
        from video_harmonizer.evaluation.compare_command import compare_command

        compare_command(options)
        return 0
    if isinstance(options, BenchOptions):
        from video_harmonizer.benchmark.command import bench_command

        bench_command(options)
        return 0
    from video_harmonizer import checks, commands

    checks.check(options)
    if isinstance(options, VideoOptions):
        return commands.video(options, warnings)
    if isinstance(options, ImageOptions):
        return commands.image(options, warnings)
    return commands.live(options, warnings)


if __name__ == "__main__":
    sys.exit(main())
