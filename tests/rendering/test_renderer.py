"""Rendering: exact to the level, whatever the curves, alphas and depths; each view shows what it says."""

import tracemalloc

import numpy as np
import pytest
import torch

from video_harmonizer.frame import Frame, Matte, ToneCurves, Views
from video_harmonizer.harmonizers.curves import render
from video_harmonizer.harmonizers.s2crnet import S2CRNet
from video_harmonizer.rendering.renderer import CPURenderer
from video_harmonizer.rendering.views import PANELS, size_of
from video_harmonizer.tone import sample
from video_harmonizer.view import VIEWS

DTYPES = [np.uint8, np.uint16]


def noise(shape: tuple[int, ...], dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def frame_of(rgb: np.ndarray) -> Frame:
    return Frame(rgb, index=7, seconds=0.25)


def random_alpha(height: int, width: int) -> np.ndarray:
    """(H, W) uint8 with every level, and a good share of 0 and 255."""
    return np.clip(np.random.default_rng(1).integers(-100, 356, (height, width)), 0, 255).astype(np.uint8)


def random_curves(levels: int, seed: int = 0) -> ToneCurves:
    """Monotone, from anywhere to anywhere."""
    return ToneCurves(np.sort(np.random.default_rng(seed).random((3, levels), np.float32), axis=1))


def rendered(
    view: str, rgb: np.ndarray, matte: Matte, backdrop: np.ndarray, curves: ToneCurves | None = None
) -> np.ndarray:
    curves = curves or ToneCurves.identity(np.iinfo(rgb.dtype).max + 1)
    return CPURenderer([view]).render(frame_of(rgb), matte, backdrop, curves).images[view]


def blended(person: np.ndarray, alpha: np.ndarray, backdrop: np.ndarray) -> np.ndarray:
    """The blend in float64, rounded; 255 is odd, so there is never a tie."""
    share = alpha[..., None] / 255
    return np.rint(person * share + backdrop * (1 - share)).astype(backdrop.dtype)


# --- exactness ------------------------------------------------------------------------------------------------


def test_looked_up_levels_equal_the_float_curves_after_rounding():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    opaque = Matte(np.full((16, 16), 255, np.uint8))
    exact_input = torch.from_numpy(levels).permute(2, 0, 1)[None].double() / 255
    generator = torch.Generator().manual_seed(0)
    differing = 0
    for _ in range(100):
        pieces = torch.rand(1, 2, 3, 64, generator=generator) ** 3
        curves = ToneCurves(sample(S2CRNet.knots(pieces)[0].numpy(), 256).astype(np.float32))
        expected = torch.round(render(exact_input, pieces.double()) * 255)[0].permute(1, 2, 0).numpy()
        differing += int((rendered("harmonized", levels, opaque, levels, curves) != expected).sum())
    assert differing == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_looked_up_levels_are_the_nearest_to_the_curve_at_every_depth(dtype: type):
    count = np.iinfo(dtype).max + 1
    levels: np.ndarray = np.arange(count, dtype=dtype).reshape(16, -1, 1).repeat(3, 2)
    curves = random_curves(count)
    expected: np.ndarray = np.rint(curves.table.astype(np.float64) * (count - 1)).astype(dtype)
    result = rendered("harmonized", levels, Matte(np.full(levels.shape[:2], 255, np.uint8)), levels, curves)
    assert np.array_equal(result.reshape(-1, 3).T, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("view", ["harmonized", "paste"])
def test_identity_leaves_the_person_unchanged_to_the_bit(view: str, dtype: type):
    rgb, foreground, backdrop = (noise((33, 47, 3), dtype, seed) for seed in range(3))
    alpha = random_alpha(33, 47)
    result = rendered(view, rgb, Matte(alpha, foreground), backdrop)
    assert np.array_equal(result[alpha == 255], rgb[alpha == 255])
    assert np.array_equal(result[alpha == 0], backdrop[alpha == 0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_paste_equals_harmonized_with_the_identity_at_any_alpha(dtype: type):
    rgb, foreground, backdrop = (noise((33, 47, 3), dtype, seed) for seed in range(3))
    matte = Matte(random_alpha(33, 47), foreground)
    assert np.array_equal(rendered("harmonized", rgb, matte, backdrop), rendered("paste", rgb, matte, backdrop))


@pytest.mark.parametrize("dtype", DTYPES)
def test_blend_rounds_to_nearest(dtype: type):
    width = 150  # of which `simd` leaves some to others
    rgb, foreground, backdrop = (noise((256, width, 3), dtype, seed) for seed in range(3))
    alpha = np.arange(256, dtype=np.uint8)[:, None].repeat(width, 1)
    alpha[:, 32:] = random_alpha(256, width - 32)
    curves = random_curves(np.iinfo(dtype).max + 1)
    table = np.rint(curves.table.astype(np.float64) * np.iinfo(dtype).max)

    def looked_up(picture: np.ndarray) -> np.ndarray:
        return np.stack([table[channel][picture[..., channel]] for channel in range(3)], axis=2)

    person = np.where(alpha[..., None] == 255, looked_up(rgb), looked_up(foreground))
    result = rendered("harmonized", rgb, Matte(alpha, foreground), backdrop, curves)
    assert np.array_equal(result, blended(person, alpha, backdrop))


def test_faintest_trace_of_the_person_is_harmonized():
    black = np.zeros((2, 2, 3), np.uint8)
    to_white = ToneCurves(np.ones((3, 256), np.float32))
    faint = Matte(np.array([[0, 1], [2, 3]], np.uint8))
    assert rendered("harmonized", black, faint, black, to_white)[..., 0].tolist() == [[0, 1], [2, 3]]


def test_spill_free_colours_are_used_in_the_transition_only():
    rgb, foreground, backdrop = (np.full((1, 4, 3), level, np.uint8) for level in (100, 200, 0))
    alpha = np.array([[0, 1, 254, 255]], np.uint8)
    assert rendered("paste", rgb, Matte(alpha, foreground), backdrop)[0, :, 0].tolist() == [0, 1, 199, 100]
    assert rendered("paste", rgb, Matte(alpha), backdrop)[0, :, 0].tolist() == [0, 0, 100, 100]


@pytest.mark.parametrize("dtype", DTYPES)
def test_layout_in_memory_does_not_matter(dtype: type):
    rgb, foreground, backdrop = (noise((40, 60, 3), dtype, seed)[::2, ::-2] for seed in range(3))
    alpha = random_alpha(60, 40)[::2, ::2].T[:, :30]
    curves = random_curves(np.iinfo(dtype).max + 1)
    expected = rendered(
        "harmonized",
        np.ascontiguousarray(rgb),
        Matte(np.ascontiguousarray(alpha), np.ascontiguousarray(foreground)),
        np.ascontiguousarray(backdrop),
        curves,
    )
    assert np.array_equal(rendered("harmonized", rgb, Matte(alpha, foreground), backdrop, curves), expected)


# --- views ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_view_shows_what_it_says(dtype: type):
    rgb, foreground, backdrop = (noise((21, 31, 3), dtype, seed) for seed in range(3))
    matte = Matte(random_alpha(21, 31), foreground)
    unit = int(np.iinfo(dtype).max) // 255
    person = np.where(matte.alpha[..., None] == 255, rgb, foreground)
    green: np.ndarray = np.broadcast_to(np.array([0, 177, 64]) * unit, rgb.shape).astype(dtype)
    expected = {
        "original": rgb,
        "paste": blended(person, matte.alpha, backdrop),
        "alpha": (matte.alpha[..., None] * np.ones(3) * unit).astype(dtype),
        "foreground": blended(person, matte.alpha, np.zeros_like(rgb)),
        "green": blended(person, matte.alpha, green),
    }
    curves = random_curves(np.iinfo(dtype).max + 1)
    views = CPURenderer(list(expected)).render(frame_of(rgb), matte, backdrop, curves)
    for name, picture in expected.items():
        assert views.images[name].dtype == dtype
        assert np.array_equal(views.images[name], picture), name


@pytest.mark.parametrize("dtype", DTYPES)
def test_views_that_are_made_in_one_pass_are_those_made_alone(dtype: type):
    rgb, foreground, backdrop = (noise((9, 78, 3), dtype, seed) for seed in (0, 1, 2))
    matte, curves = Matte(random_alpha(9, 78), foreground), random_curves(np.iinfo(dtype).max + 1)
    together = CPURenderer(["paste", "harmonized"]).render(frame_of(rgb), matte, backdrop, curves).images
    for view, picture in together.items():
        assert np.array_equal(picture, rendered(view, rgb, matte, backdrop, curves)), view


@pytest.mark.parametrize("dtype", DTYPES)
def test_side_by_side_shows_three_views_each_with_its_label(dtype: type):
    height, width = 240, 320
    rgb, backdrop = noise((height, width, 3), dtype, 0), noise((height, width, 3), dtype, 1)
    matte, curves = Matte(random_alpha(height, width)), random_curves(np.iinfo(dtype).max + 1)
    images = CPURenderer(["side-by-side", *PANELS]).render(frame_of(rgb), matte, backdrop, curves).images
    panels = np.split(images["side-by-side"], 3, axis=1)
    changed = []
    for name, panel in zip(("original", "paste", "harmonized"), panels, strict=True):
        rows, columns = np.nonzero((panel != images[name]).any(axis=2))
        assert rows.min() > height * 0.85
        assert columns.max() < width / 2
        plate = panel[rows.min() :, : columns.max()]
        assert plate.max() > 0.95 * np.iinfo(dtype).max  # the text
        assert np.median(plate) < np.iinfo(dtype).max / 3  # on dark
        changed.append(columns.max())
    assert len(set(changed)) == 3  # three different texts


def test_sizes_are_known_before_rendering():
    rgb = noise((18, 24, 3))
    views = CPURenderer(list(VIEWS)).render(frame_of(rgb), Matte(random_alpha(18, 24)), rgb, ToneCurves.identity())
    assert {name: image.shape[:2] for name, image in views.images.items()} == {
        name: size_of(name, 18, 24) for name in VIEWS
    }
    assert size_of("side-by-side", 18, 24) == (18, 72)


@pytest.mark.parametrize("dtype", DTYPES)
def test_labels_fit_into_the_smallest_pictures(dtype: type):
    rgb = noise((2, 2, 3), dtype)
    result = rendered("side-by-side", rgb, Matte(random_alpha(2, 2)), rgb)
    assert result.shape == (2, 6, 3)


def test_views_carry_the_frames_number_and_time():
    rgb = noise((4, 4, 3))
    views = CPURenderer(["paste"]).render(frame_of(rgb), Matte(random_alpha(4, 4)), rgb, ToneCurves.identity())
    assert (views.index, views.seconds) == (7, 0.25)


def test_only_the_views_asked_for_are_made_and_each_once():
    rgb = noise((4, 4, 3))
    views = CPURenderer(["alpha", "paste", "alpha"]).render(
        frame_of(rgb), Matte(random_alpha(4, 4)), rgb, ToneCurves.identity()
    )
    assert list(views.images) == ["alpha", "paste"]


def test_unknown_view_is_refused():
    with pytest.raises(ValueError, match=r"got view 'pasted'; want one of original, paste, harmonized"):
        CPURenderer(["paste", "pasted"])


# --- memory ---------------------------------------------------------------------------------------------------


def test_frames_are_rendered_into_the_same_buffers_without_allocating():
    renderer = CPURenderer(list(VIEWS))
    rgb, backdrop = noise((240, 320, 3), seed=0), noise((240, 320, 3), seed=1)
    matte, curves = Matte(random_alpha(240, 320), rgb), random_curves(256)

    def once() -> Views:
        return renderer.render(frame_of(rgb), matte, backdrop, curves)

    first = once().images
    tracemalloc.start()
    second = once().images
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert all(first[view] is second[view] for view in VIEWS)
    assert peak < rgb.nbytes / 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_another_size_or_depth_gets_buffers_that_fit(dtype: type):
    renderer = CPURenderer(["original"])
    matte, curves = Matte(random_alpha(8, 8)), ToneCurves.identity()
    renderer.render(frame_of(noise((8, 8, 3))), matte, noise((8, 8, 3)), curves)
    other = noise((6, 10, 3), dtype)
    curves = ToneCurves.identity(np.iinfo(dtype).max + 1)
    result = renderer.render(frame_of(other), Matte(random_alpha(6, 10)), other, curves).images["original"]
    assert result.dtype == dtype
    assert np.array_equal(result, other)


@pytest.mark.parametrize(("dtype", "samples"), [(np.uint8, 65536), (np.uint16, 256)])
def test_curves_that_miss_levels_are_refused(dtype: type, samples: int):
    picture: np.ndarray = np.zeros((2, 2, 3), dtype)
    frame, matte = Frame(picture, 0, 0.0), Matte(np.full((2, 2), 255, np.uint8))
    with pytest.raises(ValueError, match=f"got curves of {samples} samples, want one for each of"):
        CPURenderer(["harmonized"]).render(frame, matte, picture, ToneCurves.identity(samples))
