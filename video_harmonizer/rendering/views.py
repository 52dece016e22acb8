"""How the pictures that a person can ask for are laid out."""

PANELS = ("original", "paste", "harmonized")  # of the side-by-side view, from left to right


def size_of(view: str, height: int, width: int) -> tuple[int, int]:
    """(height, width) that the view of a frame of that size has."""
    return (height, width * len(PANELS)) if view == "side-by-side" else (height, width)
