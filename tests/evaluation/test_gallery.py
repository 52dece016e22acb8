"""The worst and best cases, and the page that shows them."""

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from video_harmonizer.evaluation.evaluate import Case, Pictures
from video_harmonizer.evaluation.gallery import COUNT, Gallery, data_uri, polylines
from video_harmonizer.evaluation.metrics import Scores
from video_harmonizer.evaluation.sheet import page
from video_harmonizer.frame import ToneCurves
from video_harmonizer.iharmony4 import Entry, Sample


def case(name: str, before: float, after: float) -> Case:
    def scores(fmse: float) -> Scores:
        return Scores(mse=fmse / 4, psnr=30, fmse=fmse, fpsnr=24, ssim=0.9)

    path = Path(name)
    return Case(Entry("HCOCO", name, path, path, path), 0.25, scores(after), scores(before), answered=True)


@pytest.fixture
def pictures() -> Pictures:
    color, mask = np.full((30, 40, 3), (200, 100, 0), np.uint8), np.zeros((30, 40), np.uint8)
    return Pictures(Sample(color, mask, color), color, ToneCurves.identity())


def test_sections_keep_the_extremes_in_order(pictures: Pictures):
    gallery = Gallery()
    count = 3 * COUNT
    for index in np.random.default_rng(0).permutation(count):
        gallery.show(case(str(index), before=1000, after=float(index)), pictures)
    highest = [str(index) for index in range(count - 1, count - 1 - COUNT, -1)]
    lowest = [str(index) for index in range(COUNT)]
    names = [[exhibit.case.entry.name for exhibit in section.exhibits()] for section in gallery.sections]
    assert names == [highest, highest, lowest, lowest]


def test_gain_and_error_choose_differently(pictures: Pictures):
    gallery = Gallery()
    for number in range(COUNT):
        gallery.show(case(f"hard{number}", before=9000, after=5000), pictures)
        gallery.show(case(f"spoilt{number}", before=10, after=400), pictures)
    by_error, by_gain = gallery.sections[:2]
    assert {exhibit.case.entry.name[:4] for exhibit in by_error.exhibits()} == {"hard"}
    assert {exhibit.case.entry.name[:4] for exhibit in by_gain.exhibits()} == {"spoi"}


def test_pictures_become_small_upright_jpegs_in_rgb():
    picture = np.zeros((600, 300, 3), np.uint8)
    picture[..., 0] = 250
    uri = data_uri(picture)
    assert uri.startswith("data:image/jpeg;base64,")
    encoded = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
    bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert bgr is not None
    assert bgr.shape == (256, 128, 3)
    assert bgr[128, 64].tolist() == pytest.approx([0, 0, 250], abs=6)


def test_curves_run_from_lower_left_to_upper_right():
    for points in polylines(ToneCurves.identity()).values():
        assert points.startswith("0,255.0 3,252.0 ")
        assert points.endswith(" 255,0.0")


def test_page_is_one_file_with_the_table_and_the_cases(pictures: Pictures):
    gallery = Gallery()
    gallery.show(case("<b>&.jpg", before=900, after=90), pictures)
    html = page("s2crnet", [["", "PSNR"], ["overall", "31.70"]], ["A note."], gallery)
    assert "<th>PSNR</th>" in html
    assert "<td>31.70</td>" in html
    assert "A note." in html
    assert html.count("<article>") == len(gallery.sections)
    for caption in ("mask", "composite", "result", "target"):
        assert html.count(f"<figcaption>{caption}<") == len(gallery.sections)
    assert html.count("<polyline") == 4 * len(gallery.sections)
    assert "&lt;b&gt;&amp;.jpg" in html
    assert "<script" not in html
    assert html.count("src=") == html.count('src="data:image/jpeg;base64,')
