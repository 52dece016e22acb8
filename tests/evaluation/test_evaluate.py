"""From entries to scores."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from triples import SHARES, perfect_curves, triple

from benchmarks.synthetic_iharmony4 import write_dataset
from video_harmonizer.evaluation.evaluate import THREADS, Case, answer_of, evaluate, milliseconds, render
from video_harmonizer.evaluation.metrics import MAX_PSNR
from video_harmonizer.frame import Matte, ToneCurves
from video_harmonizer.harmonizers.estimator import NoHarmonizer
from video_harmonizer.iharmony4 import Sample, list_entries, read_sample
from video_harmonizer.temporal.steady import Estimator
from video_harmonizer.thumbnails import CLOSE, SIZE, Thumbnails, make_thumbnails

Estimate = Callable[[Thumbnails | None, int], ToneCurves | None]


class Answering:
    """Answers as a function does."""

    name = "answering"
    side = SIZE

    def __init__(self, estimate: Estimate, close: int | None = None) -> None:
        self.estimate = estimate
        self.close = close


def cases_of(root: Path, estimator: Estimator, size: int | None = None) -> list[Case]:
    cases = [case for ((case, _),) in evaluate(list_entries(root, "test"), [answer_of(estimator)], size)]
    assert cases
    return cases


def test_perfect_harmonizer_leaves_no_error(dataset: Path):
    for case in cases_of(dataset, Answering(lambda thumbnails, samples: perfect_curves())):
        assert (case.result.mse, case.result.fmse) == (0, 0)
        assert case.result.psnr == MAX_PSNR
        assert case.composite.fmse > 100
        assert case.gain == case.composite.fmse


@pytest.mark.parametrize("size", [None, 256])
def test_no_harmonizer_scores_as_the_composite(dataset: Path, size: int | None):
    for case in cases_of(dataset, NoHarmonizer(), size):
        assert case.result == case.composite
        assert case.answered


def test_estimator_without_an_answer_scores_as_the_composite_and_is_told(dataset: Path):
    for case in cases_of(dataset, Answering(lambda thumbnails, samples: None)):
        assert case.result == case.composite
        assert not case.answered


def test_estimator_sees_the_thumbnails_of_the_composite(dataset: Path):
    seen: list[Thumbnails | None] = []

    def estimate(thumbnails: Thumbnails | None, samples: int) -> ToneCurves:
        seen.append(thumbnails)
        return ToneCurves.identity(samples)

    cases = cases_of(dataset, Answering(estimate), 256)
    assert [case.share for case in cases[:3]] == pytest.approx(SHARES, abs=0.01)
    for case, thumbnails in zip(cases, seen, strict=True):
        assert thumbnails is not None
        assert thumbnails.background.shape == (256, 256, 3)
        full = read_sample(case.entry)  # scored at 256x256, but looked at as it came
        expected = make_thumbnails(full.composite, Matte(full.mask), full.composite)
        assert expected is not None
        np.testing.assert_array_equal(thumbnails.foreground, expected.foreground)
        np.testing.assert_array_equal(thumbnails.background_mask, expected.background_mask)


def test_soft_mask_blends_where_it_is_foreground_and_leaves_the_composite_elsewhere():
    composite = np.full((1, 4, 3), 100, np.uint8)
    mask = np.array([[255, 204, 127, 0]], np.uint8)
    white = ToneCurves(np.ones((3, 256), np.float32))
    result = render(Sample(composite, mask, composite), white)
    assert result[0, :, 0].tolist() == [255, 224, 100, 100]


def test_pictures_that_cannot_be_used_are_named_and_the_others_are_scored_in_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    triples = [triple(0.3, seed) for seed in range(6)]
    composite, mask, real = triples[2]
    triples[2] = composite, np.zeros_like(mask), real
    composite, mask, real = triples[3]
    triples[3] = composite[:8], mask[:8], real[:8]
    write_dataset(tmp_path, triples)
    broken = tmp_path / "HCOCO" / "real_images" / "c2.png"
    broken.write_bytes(broken.read_bytes()[:600])
    scored = [case.entry.name for case in cases_of(tmp_path, NoHarmonizer())]
    assert scored == ["c1_1_1.png", "c5_1_1.png", "c6_1_1.png"]
    warnings = [record.getMessage() for record in caplog.records if record.getMessage().startswith("skipped: ")]
    assert len(warnings) == 3
    for text in ("c2.png: not a picture", "c3_1.png: no foreground", "c4_1_1.png: 60x8"):
        assert sum(text in warning for warning in warnings) == 1


def test_estimator_that_looks_closely_gets_a_larger_crop_where_the_picture_has_one(tmp_path: Path):
    sizes: list[int] = []

    def estimate(thumbnails: Thumbnails | None, samples: int) -> ToneCurves:
        assert thumbnails is not None
        assert thumbnails.background.shape == (SIZE, SIZE, 3)
        sizes.append(len(thumbnails.foreground))
        return ToneCurves.identity(samples)

    composite, mask, real = triple(0.3, 0)
    large = [np.kron(picture, np.ones((12, 12, 1)[: picture.ndim], np.uint8)) for picture in (composite, mask, real)]
    write_dataset(tmp_path, [(composite, mask, real), (large[0], large[1], large[2])])
    cases_of(tmp_path, Answering(estimate, CLOSE))
    assert sizes == [SIZE, CLOSE]


def test_few_pictures_are_held_at_once(tmp_path: Path):
    write_dataset(tmp_path, [triple(0.3, seed) for seed in range(4 * THREADS + 10)])
    asked = 0

    def estimate(thumbnails: Thumbnails | None, samples: int) -> ToneCurves:
        nonlocal asked
        asked += 1
        return ToneCurves.identity(samples)

    outcomes = evaluate(list_entries(tmp_path, "test"), [answer_of(Answering(estimate))], None)
    next(outcomes)
    assert asked <= THREADS + 1


def test_speed_is_that_of_one_estimate():
    calls = []

    def estimate(thumbnails: Thumbnails | None, samples: int) -> None:
        assert thumbnails is not None
        calls.append(samples)

        time.sleep(0.01 if len(calls) == 1 else 0.03)

    assert 30 <= milliseconds(Answering(estimate), repeats=3) < 300  # the median, not the mean, of what it takes
    assert calls == [256, 256, 256]
