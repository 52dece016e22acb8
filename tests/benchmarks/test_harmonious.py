"""How much harmonious photographs are changed."""

from pathlib import Path

import numpy as np
import pytest
from photographs import make_data, write_index

from benchmarks.harmonious import main
from video_harmonizer import assemble
from video_harmonizer.errors import InputError
from video_harmonizer.frame import ToneCurves
from video_harmonizer.thumbnails import SIZE, Thumbnails


def test_masked_validation_photographs_are_counted(data: Path, capsys: pytest.CaptureFixture[str]):
    main(data, count=3)
    assert capsys.readouterr().out.startswith("curvenet: 3 photographs, change of the foreground in levels: mean ")


class Lighter:
    """Makes everything ten levels lighter."""

    name = "lighter"
    side = SIZE
    close: int | None = None

    def estimate(self, thumbnails: Thumbnails, samples: int) -> ToneCurves:
        return ToneCurves(ToneCurves.identity(samples).table + np.float32(10 / 255))


def test_the_change_is_that_of_the_foreground_in_levels(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(assemble, "make_estimator", lambda *_: Lighter())
    main(data, count=3)
    assert capsys.readouterr().out.strip().endswith("mean 10.00, median 10.00, largest 10.00")


def test_folder_without_masks_is_refused(tmp_path: Path):
    root = make_data(tmp_path / "data")
    for path in root.glob("*_mask.png"):
        path.unlink()
    write_index(root, [(f"{number:02}.png", "", "1", "val") for number in range(4)])
    with pytest.raises(InputError, match="0 of its photographs in split 'val' have masks"):
        main(root)
