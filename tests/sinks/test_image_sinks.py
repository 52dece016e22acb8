"""Pictures on disk."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import moving_picture

from video_harmonizer import staging
from video_harmonizer.errors import InputError
from video_harmonizer.frame import SourceInfo
from video_harmonizer.numbered import PRINTF_NUMBER
from video_harmonizer.sinks.image_files import ImageFileSink, ImageSequenceSink

ONE = SourceInfo("photo.jpg", 64, 48, None, frames=1)
RGB = moving_picture(0, 64, 48)
DEEP = RGB.astype(np.uint16) * 256 + 7


def load(path: Path) -> np.ndarray:
    bgr = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    assert bgr is not None
    return bgr[..., ::-1]


@pytest.mark.parametrize(("suffix", "image"), [(".png", RGB), (".png", DEEP), (".tiff", RGB), (".tif", DEEP)])
def test_lossless_pictures_come_back_to_the_bit(tmp_path, suffix, image):
    path = tmp_path / f"grün ☂{suffix}"
    sink = ImageFileSink(path, ONE)
    sink.write(image, 0.0)
    sink.close()
    assert np.array_equal(load(path), image)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
@pytest.mark.parametrize("image", [RGB, DEEP])
def test_lossy_pictures_are_eight_bits(tmp_path, suffix, image):
    sink = ImageFileSink(tmp_path / f"a{suffix}", ONE)
    sink.write(image, 0.0)
    sink.close()
    seen = load(tmp_path / f"a{suffix}")
    assert seen.dtype == np.uint8
    assert np.abs(seen.astype(float) - RGB).mean() < 6


def test_an_existing_picture_stays_until_the_new_one_is_whole(tmp_path):
    (tmp_path / "a.png").write_text("old")
    sink = ImageFileSink(tmp_path / "a.png", ONE)
    sink.write(RGB, 0.0)
    assert (tmp_path / "a.png").read_text() == "old"
    sink.abort()
    assert (tmp_path / "a.png").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_one_picture_is_not_for_a_video(tmp_path):
    with pytest.raises(InputError, match=r"a\.png: one picture, but clip\.mp4 has 300 frames.*%05d\.png"):
        ImageFileSink(tmp_path / "a.png", SourceInfo("clip.mp4", 64, 48, None, frames=300))
    sink = ImageFileSink(tmp_path / "a.png", ONE)
    sink.write(RGB, 0.0)
    with pytest.raises(InputError, match="a second one came"):
        sink.write(RGB, 0.1)
    sink.abort()


def test_bad_places_are_refused_up_front(tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    cv2.imwrite(str(tmp_path / "photo.png"), RGB)
    (tmp_path / "link.png").symlink_to(tmp_path / "photo.png")
    for name, reason in {
        "a.xyz": "not a kind of picture",
        "folder.png": "it is a folder",
        "nowhere/a.png": "there is no folder",
        "file/a.png": "is a file, not a folder",
        "photo.png": "it is also read",
        "link.png": "it is also read",
    }.items():
        with pytest.raises(InputError, match=reason):
            ImageFileSink(tmp_path / name, ONE, inputs=[tmp_path / "photo.png"])
    for name, reason in {
        "out/%03d.xyz": "not a kind of picture",
        "nowhere/new/%03d.png": "there is no folder",
        "file/%03d.png": "is a file, not a folder",
    }.items():
        with pytest.raises(InputError, match=reason):
            ImageSequenceSink(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "first"), [("out/%03d.jpg", "000.jpg"), ("made", "00000.png"), ("out/f_%d.png", "f_0.png")]
)
def test_a_sequence_is_numbered_from_zero(tmp_path, name, first):
    (tmp_path / "made").mkdir()
    sink = ImageSequenceSink(tmp_path / name)
    for index in range(12):
        sink.write(moving_picture(index, 64, 48), index / 25)
    sink.close()
    folder = (tmp_path / name).parent if "%" in name else tmp_path / name
    assert len(list(folder.iterdir())) == 12
    assert (folder / first).exists()


@pytest.mark.parametrize("name", ["my%20dog.png", "%5d.png", "50%of.png"])
def test_only_numbers_that_fill_up_with_zeros_name_a_sequence(name: str):
    assert PRINTF_NUMBER.search(name) is None
    assert PRINTF_NUMBER.search("%d.png")
    assert PRINTF_NUMBER.search("a%012d.png")


def test_names_that_differ_in_case_alone_are_taken_too(tmp_path):
    (tmp_path / "00007.PNG").touch()
    with pytest.raises(InputError, match=r"00007\.PNG is there already"):
        ImageSequenceSink(tmp_path)


def test_a_picture_that_the_format_cannot_hold_is_refused_by_size(tmp_path):
    sink = ImageFileSink(tmp_path / "a.webp", ONE)
    with pytest.raises(InputError, match=r"a \.webp file can't hold 16400x2; give the output as \.png"):
        sink.write(np.zeros((2, 16400, 3), np.uint8), 0.0)
    sink.abort()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.png", "out/%03d.png"])
def test_pictures_that_cannot_get_their_names_are_kept_and_told_of(tmp_path, monkeypatch, name):
    sink = ImageFileSink(tmp_path / name, ONE) if name == "a.png" else ImageSequenceSink(tmp_path / name)
    sink.write(RGB, 0.0)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "in use")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(InputError, match="it can't be written"):
        sink.close()
    sink.abort()
    assert sink.kept is not None
    assert sink.kept.exists()


def test_a_sequence_never_mixes_with_pictures_already_there(tmp_path):
    (tmp_path / "00007.png").touch()
    (tmp_path / "other.png").touch()
    with pytest.raises(InputError, match=r"00007\.png is there already"):
        ImageSequenceSink(tmp_path)
    ImageSequenceSink(tmp_path / "new_%05d.png").abort()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["00007.png", "other.png"]


def test_pictures_that_another_run_wrote_meanwhile_are_not_overwritten(tmp_path):
    first, second = (ImageSequenceSink(tmp_path / "out") for _ in range(2))
    for sink, picture in ((first, RGB), (second, RGB // 2)):
        sink.write(picture, 0.0)
    first.close()
    with pytest.raises(InputError, match=r"00000\.png is there already"):
        second.close()
    second.abort()
    assert np.array_equal(load(tmp_path / "out" / "00000.png"), RGB)
    assert second.kept is not None
    assert np.array_equal(load(second.kept / "00000.png"), RGB // 2)


def test_name_with_two_numbers_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"%d_%03d\.png: several numbers in its name; give it one"):
        ImageSequenceSink(tmp_path / "%d_%03d.png")


def test_folder_in_which_somebody_put_something_meanwhile_stays(tmp_path):
    sink = ImageSequenceSink(tmp_path / "out")
    (tmp_path / "out" / "note.txt").touch()
    sink.abort()
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["note.txt"]


def test_runs_that_begin_at_the_same_moment_write_apart(tmp_path, monkeypatch):
    first = ImageSequenceSink(tmp_path / "out" / "a%02d.png")
    free = iter([tmp_path / "out" / "frames.partial", tmp_path / "out" / "frames.partial2"])
    monkeypatch.setattr(staging, "free_name", lambda path: next(free))
    second = ImageSequenceSink(tmp_path / "out" / "b%02d.png")
    for sink in (first, second):
        sink.write(RGB, 0.0)
        sink.close()
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == ["a00.png", "b00.png"]


def test_an_aborted_sequence_says_where_its_pictures_are(tmp_path):
    sink = ImageSequenceSink(tmp_path / "out" / "%03d.png")
    sink.write(RGB, 0.0)
    sink.abort()
    assert sink.kept is not None
    assert [entry.name for entry in sink.kept.iterdir()] == ["000.png"]
    assert not (tmp_path / "out" / "000.png").exists()


@pytest.mark.parametrize("read", ["", "%04d.jpg", "*.jpg"])
@pytest.mark.parametrize("name", ["", "%05d.png"])
def test_pictures_do_not_get_between_those_that_are_read(tmp_path: Path, name: str, read: str):
    with pytest.raises(InputError, match="pictures are read from there; give another folder"):
        ImageSequenceSink(tmp_path / name, [tmp_path / read])
    ImageSequenceSink(tmp_path / name, [tmp_path / "clip.mp4", Path("x" * 300)]).abort()
