"""Photographs and sequences of pictures."""

import struct
import warnings
import zlib
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import moving_picture
from PIL import Image, ImageCms

from video_harmonizer import hdr
from video_harmonizer.errors import InputError
from video_harmonizer.sources import open_source
from video_harmonizer.sources.image import ImageSequenceSource, PhotographSource, read_image

RGB = moving_picture(0, 64, 48)


def save(path: Path, image: np.ndarray) -> Path:
    """Write with OpenCV: BGR, BGRA or gray."""
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


def test_a_picture_is_read_as_rgb(tmp_path):
    path = save(tmp_path / "grün ☂.png", RGB[..., ::-1])
    frame = next(iter(PhotographSource(path)))
    assert np.array_equal(frame.rgb, RGB)


def test_sixteen_bits_are_kept(tmp_path):
    deep = RGB.astype(np.uint16) * 256 + 7
    source = PhotographSource(save(tmp_path / "a.png", deep[..., ::-1]))
    assert source.info.bits == 16
    assert np.array_equal(next(iter(source)).rgb, deep)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_is_spread_and_alpha_left_out(tmp_path, dtype):
    gray = RGB[..., 0].astype(dtype)
    assert np.array_equal(read_image(save(tmp_path / "gray.png", gray)), np.dstack([gray] * 3))
    clear = np.dstack([RGB[..., ::-1], np.zeros((48, 64), np.uint8)]).astype(dtype)
    assert np.array_equal(read_image(save(tmp_path / "clear.png", clear)), RGB)
    assert not read_image(tmp_path / "clear.png", as_mask=True).any()


def test_the_orientation_in_a_photograph_is_obeyed(tmp_path):
    path = save(tmp_path / "a.jpg", cv2.resize(RGB[..., ::-1], (64, 48)))
    # EXIF with one entry: orientation (0x0112) 6, to be turned right
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    segment = b"Exif\x00\x00" + tiff
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:])
    turned = read_image(path)
    assert turned.shape == (64, 48, 3)
    assert np.abs(turned.astype(float) - np.rot90(RGB, -1)).mean() < 8


def test_bad_pictures_are_named_with_what_was_wanted(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "folder.png").mkdir()
    save(tmp_path / "dot.png", RGB[:1, :1])
    save(tmp_path / "float.tiff", RGB.astype(np.float32))
    for name, reason in {
        "missing.png": "no such file",
        "folder.png": "it is a folder",
        "empty.png": "empty file",
        "text.png": "not a picture that can be read",
        "dot.png": "1x1 picture; give one of at least 2x2",
        "float.tiff": "float32 pixels",
    }.items():
        with pytest.raises(InputError, match=reason) as error:
            PhotographSource(tmp_path / name)
        assert str(error.value).startswith(str(tmp_path / name))


@pytest.mark.parametrize("pattern", ["", "frame%d.png", "frame*.png"])
def test_a_sequence_is_read_in_natural_order(tmp_path, pattern):
    for number in (10, 9, 2, 1):
        save(tmp_path / f"frame{number}.png", np.full((4, 4, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("not a frame")
    source = ImageSequenceSource(tmp_path / pattern, rate=Fraction(50))
    frames = list(source)
    assert [int(frame.rgb[0, 0, 0]) for frame in frames] == [1, 2, 9, 10]
    assert [frame.seconds for frame in frames] == [0, 0.02, 0.04, 0.06]
    assert (source.info.frames, source.info.rate) == (4, 50)


def test_star_takes_pictures_alone(tmp_path):
    for name in ("0.png", "1.png"):
        save(tmp_path / name, RGB)
    (tmp_path / "notes.txt").write_text("taken in May")
    (tmp_path / "more").mkdir()
    assert ImageSequenceSource(tmp_path / "*").info.frames == 2


def test_brackets_in_a_pattern_stand_for_themselves(tmp_path):
    for name in ("shot[1]_0.png", "shot[1]_1.png", "shot1_0.png"):
        save(tmp_path / name, RGB)
    assert ImageSequenceSource(tmp_path / "shot[1]_*.png").info.frames == 2


def test_pictures_of_another_size_or_depth_are_refused_with_both(tmp_path):
    save(tmp_path / "0.png", RGB)
    save(tmp_path / "1.png", RGB[:24])
    with pytest.raises(InputError, match=r"1\.png: 64x24 at 8 bits, after pictures of 64x48 at 8 bits"):
        list(ImageSequenceSource(tmp_path))
    save(tmp_path / "1.png", RGB.astype(np.uint16))
    with pytest.raises(InputError, match="64x48 at 16 bits"):
        list(ImageSequenceSource(tmp_path))


def test_a_sequence_of_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="no pictures there"):
        ImageSequenceSource(tmp_path)
    with pytest.raises(InputError, match="no pictures there"):
        ImageSequenceSource(tmp_path / "nowhere" / "%04d.png")


def swapped_profile() -> bytes:
    """sRGB under another name, with red and green in each other's place."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entries = {}
    for number in range(struct.unpack_from(">I", profile, 128)[0]):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        entries[name] = slice(offset, offset + size)
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    profile[red], profile[green] = profile[green], profile[red]
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_other_colour_profiles_become_srgb(tmp_path: Path, name: str):
    picture = Image.fromarray(np.full((16, 16, 3), (200, 60, 30), np.uint8))
    picture.save(tmp_path / name, icc_profile=swapped_profile(), quality=100)
    assert np.abs(read_image(tmp_path / name)[8, 8].astype(int) - (60, 200, 30)).max() <= 4
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for harmless in (srgb, b"damaged"):
        picture.save(tmp_path / name, icc_profile=harmless, quality=100)
        assert np.abs(read_image(tmp_path / name)[8, 8].astype(int) - (200, 60, 30)).max() <= 2


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG"), (1, None)])
def test_hdr_png_becomes_sdr(tmp_path: Path, caplog: pytest.LogCaptureFixture, transfer: int, name: str | None):
    picture = RGB.astype(np.uint16) * 257
    path = save(tmp_path / "a.png", picture[..., ::-1])
    content = b"cICP" + bytes((9, transfer, 0, 1))
    chunk = struct.pack(">I", 4) + content + struct.pack(">I", zlib.crc32(content))
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunk + data[33:])  # right behind the header
    assert np.array_equal(read_image(path), hdr.to_sdr(picture, transfer) if name else picture)
    assert (f"HDR picture ({name})" in caplog.text) == bool(name)
    assert np.array_equal(read_image(path, as_mask=True), picture)


def test_a_profile_of_16_bits_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((4, 4, 3), 40000, np.uint16))
    profile = swapped_profile()
    packed = b"mine\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(packed)) + b"iCCP" + packed + struct.pack(">I", zlib.crc32(b"iCCP" + packed))
    encoded = path.read_bytes()
    path.write_bytes(encoded[:33] + chunk + encoded[33:])  # behind the header
    assert read_image(path).dtype == np.uint16
    assert "a.png: colours of profile mine" in caplog.text


def test_pictures_larger_than_pillow_likes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((16, 16, 3), 90, np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_image(tmp_path / "a.png").shape == (16, 16, 3)


def test_levels_stay_where_they_are_no_colours(tmp_path: Path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    profile = swapped_profile()
    Image.fromarray(np.stack([levels, levels[::-1], levels.T], 2)).save(tmp_path / "0.png", icc_profile=profile)
    assert np.array_equal(read_image(tmp_path / "0.png", as_mask=True)[..., 0], levels)
    for name in ("", "0.png"):
        (frame,) = open_source(str(tmp_path / name), as_mask=True)
        assert np.array_equal(frame.rgb[..., 0], levels)


def test_damaged_or_huge_tags_do_not_keep_a_picture_from_being_read(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((16, 16, 3), 90, np.uint8))
    text = b"comment\0\0" + zlib.compress(bytes(2 << 20))
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    encoded = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(encoded[:33] + chunk + encoded[33:])
    assert (read_image(tmp_path / "a.png") == 90).all()


def test_large_pictures_are_read_without_a_fuss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    cv2.imwrite(str(tmp_path / "a.png"), np.full((16, 16, 3), 90, np.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("pattern", ["", "*.png"])
def test_hidden_files_are_left_out(tmp_path: Path, pattern: str):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((16, 16, 3), 90, np.uint8))
    (tmp_path / "._a.png").write_bytes(b"not a picture")
    assert len(list(ImageSequenceSource(tmp_path / pattern))) == 1


def test_digits_that_are_no_numbers_are_letters(tmp_path: Path):
    for name in ("5²1.png", "10.png", "9.png"):
        cv2.imwrite(str(tmp_path / name), np.full((16, 16, 3), len(name), np.uint8))
    assert [frame.rgb[0, 0, 0] for frame in ImageSequenceSource(tmp_path)] == [7, 5, 6]


def test_transparency_is_told_of_in_pictures_and_taken_in_masks(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    alpha = np.zeros((48, 64), np.uint8)
    alpha[10:30, 20:50] = 200
    path = save(tmp_path / "cut out.png", np.dstack([RGB[..., ::-1], alpha]))
    assert np.array_equal(read_image(path), RGB)
    assert f"{path}: seen as if it were opaque" in caplog.text
    assert np.array_equal(read_image(path, as_mask=True), np.dstack([alpha] * 3))
    turned = Image.fromarray(np.dstack([RGB, alpha]))
    turned.getexif()[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=turned.getexif())
    assert np.array_equal(read_image(tmp_path / "turned.png", as_mask=True)[..., 0], np.rot90(alpha, -1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_cut_outs_are_masks_also_where_nobody_or_nothing_else_is_seen(tmp_path: Path, dtype: type):
    top = np.iinfo(dtype).max
    half: np.ndarray = np.tile(np.array([0, top], dtype), (16, 8))
    for number, alpha in enumerate((half, np.zeros_like(half), np.full_like(half, top))):
        save(tmp_path / f"{number}.png", np.dstack([np.full_like(half, top // 2)] * 3 + [alpha]))
    masks = [frame.rgb[..., 0] for frame in ImageSequenceSource(tmp_path, as_mask=True)]
    assert [mask.dtype for mask in masks] == [dtype] * 3
    assert [mask.mean() / top for mask in masks] == [0.5, 0, 1]


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.tiff"])
def test_further_pictures_of_a_file_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str):
    pictures = [Image.fromarray(np.full((16, 16, 3), level, np.uint8)) for level in (50, 150, 250)]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], lossless=True)
    assert (read_image(tmp_path / name) == 50).all()
    assert "the first of its 3 pictures is taken" in caplog.text


def test_photographs_as_browsers_name_them_are_read(tmp_path: Path):
    save(tmp_path / "a.jpg", RGB).rename(tmp_path / "a.jfif")
    assert open_source(str(tmp_path / "a.jfif")).info.frames == 1


def test_a_folder_whose_name_is_a_number_is_no_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "2024").mkdir()
    cv2.imwrite(str(tmp_path / "2024" / "a.png"), np.full((16, 16, 3), 90, np.uint8))
    monkeypatch.chdir(tmp_path)
    assert len(list(open_source("2024"))) == 1
