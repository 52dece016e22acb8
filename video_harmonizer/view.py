"""The pictures that a person can ask for, by name. Apart, as the command line is to answer before NumPy is loaded."""

from typing import Literal, get_args

View = Literal["original", "paste", "harmonized", "alpha", "foreground", "green", "side-by-side"]
VIEWS: tuple[str, ...] = get_args(View)
SCENIC = ("paste", "harmonized", "side-by-side")  # those that show what is behind the person
