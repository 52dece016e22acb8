"""The one exception a person may see: their input does not fit, and they can do something about it."""


class InputError(Exception):
    """Something the user gave can't be used. The commands print the message and exit with status 2.

    The message says what was got, what was wanted and what to do, on one line, naming the file or
    option first: ``background.png: 0x0 image; give an image or video of at least 2x2``.
    """
