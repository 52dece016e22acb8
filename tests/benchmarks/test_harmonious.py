"""How much harmonious photographs are changed."""

from pathlib import Path

import pytest
from photographs import make_data, write_index

from benchmarks.harmonious import main
from video_harmonizer.errors import InputError


def test_masked_validation_photographs_are_counted(data: Path, capsys: pytest.CaptureFixture[str]):
    main(data, count=3)
    assert capsys.readouterr().out.startswith("curvenet: 3 photographs, change of the foreground in levels: mean ")


def test_folder_without_masks_is_refused(tmp_path: Path):
    root = make_data(tmp_path / "data")
    for path in root.glob("*_mask.png"):
        path.unlink()
    write_index(root, [(f"{number:02}.png", "", "1", "val") for number in range(4)])
    with pytest.raises(InputError, match="0 of its photographs in split 'val' have masks"):
        main(root)
