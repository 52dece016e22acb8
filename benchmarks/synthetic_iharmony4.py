"""Write synthetic composites of validation photographs as a dataset in iHarmony4's layout, for `evaluate`.

python -m benchmarks.synthetic_iharmony4 DATA OUT --count 300

``--kind`` gives one kind of them alone: pasted with imperfect masks, the same with changes of colour that training
never makes (`unfamiliar`), cut out cleanly, with a matting network's edges, moved to another light, or retouched.
They are the composites that `train.py` validates with: photographs and colour tables that training never saw. All
are 256x256 PNGs under HCOCO, on the test list. Masks are those with which the composites were pasted, most of them as
if drawn by hand; none is made imperfect afterwards. ``--hard`` takes their soft edges away, as iHarmony4's have none.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from PIL import Image
from tqdm import tqdm

from benchmarks import unfamiliar
from benchmarks.command_line import at_least, run
from video_harmonizer.errors import InputError
from video_harmonizer.iharmony4 import FOLDERS
from video_harmonizer.staging import cannot_write
from video_harmonizer.thumbnails import SIZE
from video_harmonizer.training import perturb
from video_harmonizer.training.composites import CompositeDataset, Mixture
from video_harmonizer.training.photographs import Photographs, read_luts

PASTED = Mixture(moved=0, untouched=0, clean_cut=0, retouched=0, natural=1)
KINDS = {
    "all": Mixture(untouched=0),
    "pasted": PASTED,
    "unfamiliar": PASTED,
    "clean": Mixture(moved=0, untouched=0, clean_cut=1, matted=0, retouched=0, natural=1),
    "matted": Mixture(moved=0, untouched=0, clean_cut=1, matted=1, retouched=0, natural=1),
    "moved": Mixture(moved=1),
    "retouched": Mixture(moved=0, untouched=0, clean_cut=0, retouched=1),
}
Kind = Literal["all", "pasted", "unfamiliar", "clean", "matted", "moved", "retouched"]
Triple = tuple[np.ndarray, np.ndarray, np.ndarray]  # composite (H, W, 3) uint8 RGB, mask (H, W), real like composite


def write_dataset(root: Path, triples: Iterable[Triple], subset: str = "HCOCO") -> None:
    """Write composites, masks and real pictures as one subset.

    Raises:
        InputError: it is there already, or can't be written.
    """
    folders, listed = [root / subset / folder for folder in FOLDERS], root / subset / f"{subset}_test.txt"
    names = []
    try:
        if listed.exists():
            raise InputError(f"{listed}: is there already, and may be of a published dataset; give another folder")
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        for number, (composite, mask, real) in enumerate(triples, 1):
            names.append(f"c{number}_1_1.png")
            for folder, stem, picture in zip(folders, ("_1_1", "_1", ""), (composite, mask, real), strict=True):
                Image.fromarray(picture).save(folder / f"c{number}{stem}.png")
        listed.write_text("".join(f"{name}\n" for name in names))
    except OSError as error:
        raise cannot_write(root, error) from error


def validation_triples(data: Path, count: int, seed: int, kind: Kind = "all", hard: bool = False) -> Iterable[Triple]:
    """Composites of the validation photographs; the same for the same seed, with hard masks or without."""
    luts = read_luts(data)[1]
    changes: perturb.Changes = unfamiliar if kind == "unfamiliar" else perturb
    composites = CompositeDataset(Photographs(data, "val"), luts, SIZE, seed, KINDS[kind], changes)
    for index in tqdm(range(count), unit="composite"):
        sample = composites[index]
        mask = sample["target_mask"].numpy()
        mask = np.where(mask > 127, np.uint8(255), np.uint8(0)) if hard else mask
        yield sample["background"].numpy(), mask, sample["target"].numpy()


def main(
    data: Annotated[Path, tyro.conf.Positional],
    out: Annotated[Path, tyro.conf.Positional],
    count: int = 300,
    seed: int = 1,
    kind: Kind = "all",
    hard: bool = False,
) -> None:
    """Write COUNT composites made of DATA (index.csv, photographs, masks, luts.npz) to OUT."""
    at_least(1, count=count)
    at_least(0, seed=seed)
    write_dataset(out, validation_triples(data, count, seed, kind, hard))


if __name__ == "__main__":
    run(main)
