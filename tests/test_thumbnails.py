"""Thumbnails: what the crop shows, how pictures shrink, how they are pasted."""

import cv2
import numpy as np
import pytest

from video_harmonizer.frame import Matte
from video_harmonizer.rendering.kernels import paste
from video_harmonizer.thumbnails import CLOSE, MIN_PIXELS, SIZE, bounding_box, make_thumbnails, shrink


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8 with detail at every scale, less of it at the small ones, as in nature."""
    random = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for cells in (3, 7, 17, 41, 101, 257, 643):
        coarse = random.random((min(cells, height), min(cells, width), 3), np.float32)
        picture += np.float32(cells**-0.6) * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.rint(255 * picture / picture.max()).astype(np.uint8)


def standing(height: int = 512, width: int = 1024) -> Matte:
    """Somebody between a quarter and three quarters of the height, a quarter and a half of the width."""
    alpha = np.zeros((height, width), np.uint8)
    alpha[height // 4 : 3 * height // 4, width // 4 : width // 2] = 255
    return Matte(alpha)


def plain(color: tuple[int, int, int], height: int = 512, width: int = 1024, dtype: type = np.uint8) -> np.ndarray:
    return np.full((height, width, 3), color, dtype)


RED, BLUE, GREEN = (200, 30, 20), (10, 40, 220), (20, 180, 60)


@pytest.mark.parametrize("alpha", [0, 100, 200, 255])
def test_without_a_foreground_or_without_a_scene_there_are_none(alpha: int):
    matte = Matte(np.full((512, 1024), alpha, np.uint8))
    assert make_thumbnails(plain(RED), matte, plain(BLUE)) is None


# --- the two pictures -----------------------------------------------------------------------------------------


def test_crop_shows_the_person_and_the_whole_shows_the_scene():
    thumbnails = make_thumbnails(plain(RED), standing(), plain(BLUE))
    assert thumbnails is not None
    assert np.array_equal(thumbnails.foreground, plain(RED, SIZE, SIZE))
    assert (thumbnails.foreground_mask == 255).all()
    inside = np.zeros((SIZE, SIZE), bool)
    inside[64:192, 64:128] = True
    assert np.array_equal(thumbnails.background_mask == 255, inside)
    assert np.array_equal(thumbnails.background[inside], plain(RED, SIZE, SIZE)[inside])
    assert np.array_equal(thumbnails.background[~inside], plain(BLUE, SIZE, SIZE)[~inside])


@pytest.mark.parametrize("box", [(37, 611, 101, 333), (0, 719, 900, 1279), (300, 420, 640, 660)])
def test_crop_is_tight_and_cuts_nothing_off(box: tuple[int, int, int, int]):
    top, bottom, left, right = box
    alpha = np.zeros((720, 1280), np.uint8)
    alpha[top:bottom, left:right] = 255
    thumbnails = make_thumbnails(plain(RED, 720, 1280), Matte(alpha), plain(BLUE, 720, 1280))
    assert thumbnails is not None
    seen = thumbnails.foreground_mask.mean() / 255  # one thumbnail pixel of the whole may be lost or won a side
    rounding = (1 + 2 * 720 / SIZE / (bottom - top)) * (1 + 2 * 1280 / SIZE / (right - left))
    assert 1 / rounding <= seen <= 1
    whole = thumbnails.background_mask > 127
    assert abs(whole.mean() - (alpha > 127).mean()) < 3e-3


def test_crop_of_a_ready_composite_is_larger_where_it_shows_more():
    picture = photograph(900, 1200)
    near = make_thumbnails(picture, standing(900, 1200), picture, SIZE, CLOSE)
    plain_sight = make_thumbnails(picture, standing(900, 1200), picture)
    assert near is not None
    assert plain_sight is not None
    assert near.foreground.shape == (CLOSE, CLOSE, 3)
    assert near.foreground_mask.shape == (CLOSE, CLOSE)
    assert np.array_equal(near.background, plain_sight.background)
    difference = cv2.absdiff(shrink(near.foreground, SIZE), plain_sight.foreground)
    assert difference.mean() < 2  # the same crop
    detail = cv2.Laplacian(near.foreground.astype(np.float32), -1).std()
    enlarged = cv2.resize(plain_sight.foreground, (CLOSE, CLOSE), interpolation=cv2.INTER_CUBIC)
    assert detail > 1.2 * cv2.Laplacian(enlarged.astype(np.float32), -1).std()


@pytest.mark.parametrize(("height", "pasted"), [(480, False), (900, True)], ids=["small", "pasted here"])
def test_crop_is_no_larger_where_there_is_no_more_to_see(height: int, pasted: bool):
    picture = photograph(height, 4 * height // 3)
    scene = photograph(height, 4 * height // 3, 1) if pasted else picture
    thumbnails = make_thumbnails(picture, standing(height, 4 * height // 3), scene, SIZE, CLOSE)
    assert thumbnails is not None
    assert thumbnails.foreground.shape == (SIZE, SIZE, 3)


def test_crop_s_edges_are_whole_pixels_outwards():
    rows = np.arange(256, dtype=np.uint8)[:, None, None].repeat(300, 1).repeat(3, 2)
    alpha = np.zeros(rows.shape[:2], np.uint8)
    alpha[60:120, 80:160] = 255
    rows, alpha = np.pad(rows, ((0, 44), (0, 0), (0, 0))), np.pad(alpha, ((0, 44), (0, 0)))
    thumbnails = make_thumbnails(rows, Matte(alpha), rows)
    assert thumbnails is not None
    # of 256 thumbnail rows, 51..101 are more person than not: rows 59.8 to 119.5 of 300
    assert (thumbnails.foreground[0] == 59).all()
    assert (thumbnails.foreground[-1] == 119).all()
    columns = rows.transpose(1, 0, 2)
    sideways = make_thumbnails(columns, Matte(alpha.T), columns)
    assert sideways is not None
    assert (sideways.foreground[:, 0] == 59).all()
    assert (sideways.foreground[:, -1] == 119).all()


def test_person_has_the_matte_s_own_colours_where_it_gives_them():
    matte = Matte(standing().alpha, plain(GREEN))
    thumbnails = make_thumbnails(plain(RED), matte, plain(BLUE))
    assert thumbnails is not None
    assert np.array_equal(thumbnails.foreground, plain(GREEN, SIZE, SIZE))
    assert thumbnails.background[128, 96].tolist() == list(GREEN)


@pytest.mark.parametrize(("height", "width"), [(400, 600), (720, 1280)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_was_behind_the_person_does_not_show_in_the_rim(height: int, width: int, dtype: type):
    full = np.iinfo(dtype).max // 255
    alpha = np.zeros((height, width), np.uint8)
    alpha[101:333, 71:201] = 255
    person, scene = (plain(color, height, width, dtype) * full for color in (RED, BLUE))
    frame = np.where(alpha[..., None] > 0, person, plain(GREEN, height, width, dtype) * full)
    composite = np.where(alpha[..., None] > 0, person, scene)
    pasted = make_thumbnails(frame, Matte(alpha), scene)
    ready = make_thumbnails(composite, Matte(alpha), composite)
    assert pasted is not None
    assert ready is not None
    for name in ("foreground", "background"):
        off = np.abs(getattr(pasted, name).astype(int) - getattr(ready, name))
        assert off.max() < 32
        assert off.mean() < 0.1


def test_ready_composite_is_shown_as_it_is():
    composite = photograph(300, 400)
    alpha = cv2.GaussianBlur(standing(300, 400).alpha, (0, 0), 9)
    thumbnails = make_thumbnails(composite, Matte(alpha), composite)
    assert thumbnails is not None
    assert np.array_equal(thumbnails.background, shrink(composite, SIZE))


def test_they_know_whether_the_composite_was_given():
    picture = photograph(512, 1024)
    ready, pasted = (make_thumbnails(picture, standing(), scene) for scene in (picture, plain((0, 0, 0))))
    assert ready is not None
    assert pasted is not None
    assert (ready.ready, pasted.ready) == (True, False)


def test_recoloured_their_foreground_alone_has_other_colours():
    picture = photograph(512, 1024)
    thumbnails = make_thumbnails(picture, standing(), picture)
    assert thumbnails is not None
    table = np.stack([np.arange(256)[::-1], np.arange(256), np.full(256, 7)]).astype(np.uint8)
    after = thumbnails.recolored(table)
    for name in ("foreground", "background"):
        before, now = getattr(thumbnails, name), getattr(after, name)
        mask = getattr(thumbnails, f"{name}_mask")
        assert getattr(after, f"{name}_mask") is mask
        assert np.array_equal(now[mask == 0], before[mask == 0])
        wanted = np.stack([255 - before[..., 0], before[..., 1], np.full_like(before[..., 2], 7)], -1)
        assert np.array_equal(now[mask == 255], wanted[mask == 255])
    assert after.ready


def test_nobody_gives_no_thumbnails():
    empty = np.zeros((300, 400), np.uint8)
    speck, faint = empty.copy(), np.full_like(empty, 127)
    speck[100:102, 100:102] = 255
    for alpha in (empty, speck, faint):
        assert make_thumbnails(plain(RED, 300, 400), Matte(alpha), plain(BLUE, 300, 400)) is None


def test_bounding_box_needs_a_few_pixels():
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[40, 10 : 10 + MIN_PIXELS - 1] = 255
    assert bounding_box(mask) is None
    mask[90, 30] = 128
    assert bounding_box(mask) == (40, 91, 10, 31)


@pytest.mark.parametrize(("height", "width"), [(40, 30), (1, 900), (33, 2000), (720, 405)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [64, SIZE])
def test_any_frame_gives_squares_of_the_size(height: int, width: int, dtype: type, size: int):
    matte = Matte(np.full((height, width), 255, np.uint8))
    matte.alpha[:, : width // 3] = 0
    thumbnails = make_thumbnails(plain(RED, height, width, dtype), matte, plain(BLUE, height, width, dtype), size)
    assert thumbnails is not None
    for picture in (thumbnails.foreground, thumbnails.background):
        assert (picture.shape, picture.dtype) == ((size, size, 3), np.uint8)
    for mask in (thumbnails.foreground_mask, thumbnails.background_mask):
        assert (mask.shape, mask.dtype) == ((size, size), np.uint8)


def test_deep_frames_look_like_shallow_ones():
    frame, backdrop = photograph(600, 900, 1), photograph(600, 900, 2)
    matte = standing(600, 900)
    shallow = make_thumbnails(frame, matte, backdrop)
    deep = make_thumbnails(frame.astype(np.uint16) * 257, matte, backdrop.astype(np.uint16) * 257)
    assert shallow is not None
    assert deep is not None
    for name in ("foreground", "background"):
        difference = getattr(shallow, name).astype(int) - getattr(deep, name)
        assert np.abs(difference).max() <= 2
        assert abs(difference.mean()) < 0.2


# --- shrinking and pasting ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (1300, 700), (480, 640), (400, 900)])
def test_shrinking_keeps_colours_as_an_area_average_does(height: int, width: int):
    picture = photograph(height, width)
    small = shrink(picture, SIZE).astype(float)
    exact = cv2.resize(picture.astype(float), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(small.mean((0, 1)), picture.mean((0, 1)), rtol=0, atol=0.3)
    assert np.abs(small - exact).mean() < 1


def test_narrow_pictures_are_averaged_as_well():
    rows = np.zeros((850, 250, 3), np.uint8)
    rows[::4] = 200
    for picture in (rows, rows.transpose(1, 0, 2)):
        assert shrink(picture, SIZE).max() <= 62  # a pixel shows 3.32 rows, one of them lit


def test_deep_levels_become_the_nearest_shallow_ones():
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(shrink(levels, 256), np.rint(levels / 257))


def test_pasting_rounds_to_nearest_for_every_alpha_and_level():
    alpha = np.arange(256, dtype=np.uint8)[:, None].repeat(256, 1)
    person = np.arange(256, dtype=np.uint8)[None, :, None].repeat(256, 0).repeat(3, 2)
    for level in (0, 1, 77, 128, 254, 255):
        backdrop = np.full_like(person, level)
        sums = person.astype(int) * alpha[..., None] + backdrop.astype(int) * (255 - alpha[..., None].astype(int))
        assert np.array_equal(paste(person, alpha, backdrop), (2 * sums + 255) // 510)
        deep = paste(person.astype(np.uint16) * 257, alpha, backdrop.astype(np.uint16) * 257)
        assert np.array_equal(deep, (2 * 257 * sums + 255) // 510)
