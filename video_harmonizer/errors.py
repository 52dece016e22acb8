"""What a person is told of their input: the one exception that they may see, and warnings that are given once."""

import logging

_said: set[str] = set()


class InputError(Exception):
    """Something the user gave can't be used. The commands print the message and exit with status 2.

    The message says what was got, what was wanted and what to do, on one line, naming the file or
    option first: ``background.png: 0x0 image; give an image or video of at least 2x2``.
    """


def warn_once(log: logging.Logger, key: str, text: str) -> None:
    """Warn unless that was done under this key before: a looped video is opened again and again."""
    if key not in _said:
        _said.add(key)
        log.warning("%s", text)
