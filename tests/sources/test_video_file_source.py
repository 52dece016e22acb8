"""Video files as they come: times, colours, orientation, damage."""

import logging
import re
import struct
import threading
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from clips import flat_frame, make_clip, moving_picture, plane_of, tone, video_pts, yuv_codes

from video_harmonizer.container import demux
from video_harmonizer.errors import InputError
from video_harmonizer.frame import VideoColor
from video_harmonizer.sources import video_file
from video_harmonizer.sources.picture import _square_pixels
from video_harmonizer.sources.video_file import VideoFileSource, _video_stream

UNEVEN = [0, 3, 4, 9, 15, 16, 30, 31, 40, 77]
ORANGE = (0.9, 0.45, 0.1)


def read(path: Path) -> list:
    source = VideoFileSource(path)
    try:
        return list(source)
    finally:
        source.close()


# Times


@pytest.mark.parametrize(
    ("name", "time_base", "unit"),
    [("a.mp4", Fraction(1, 90000), 1000), ("a.mkv", Fraction(1, 1000), 33), ("a.mov", Fraction(1, 600), 7)],
)
def test_uneven_times_are_exact(tmp_path, name, time_base, unit):
    path = make_clip(tmp_path / name, pts=[unit * time for time in UNEVEN], time_base=time_base)
    source = VideoFileSource(path)
    times = [round(Fraction(frame.seconds) / source.info.time_base) * source.info.time_base for frame in source]
    assert times == [unit * time * time_base for time in UNEVEN]


def test_a_late_start_is_told_and_times_begin_at_zero(tmp_path):
    path = make_clip(tmp_path / "a.mp4", pts=range(45000, 75000, 3000), time_base=Fraction(1, 90000), audio=["aac"])
    source = VideoFileSource(path)
    assert source.info.start == Fraction(1, 2)
    assert [frame.seconds for frame in source][:2] == [0, pytest.approx(1 / 30)]


def test_info_says_what_the_file_holds(tmp_path):
    info = VideoFileSource(make_clip(tmp_path / "a.mp4", size=(64, 48))).info
    assert (info.width, info.height, info.rate, info.frames, info.bits) == (64, 48, 25, 10, 8)
    assert info.file == tmp_path / "a.mp4"
    assert not info.live


def test_one_frame_is_enough(tmp_path):
    frames = read(make_clip(tmp_path / "a.mp4", pts=[0]))
    assert [(frame.index, frame.seconds) for frame in frames] == [(0, 0.0)]


def test_pictures_come_in_order_and_whole(tmp_path):
    frames = read(make_clip(tmp_path / "a.mkv", pts=range(40), codec="ffv1", pixel_format="bgr0"))
    assert [frame.index for frame in frames] == list(range(40))
    for frame in frames:
        assert np.array_equal(frame.rgb, moving_picture(frame.index, 64, 48))


# Colours


def tagged(matrix: int, full_range: bool) -> tuple[int, int, int, int]:
    return (2, 2, matrix, 2 if full_range else 1)


@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(("pixel_format", "bits"), [("yuv420p", 8), ("yuv422p10le", 10), ("yuv444p12le", 12)])
def test_tagged_colours_are_exact(tmp_path, matrix, full_range, pixel_format, bits):
    codes = yuv_codes(ORANGE, matrix, full_range, bits)
    path = make_clip(
        tmp_path / "a.mkv",
        codec="ffv1",
        pixel_format=pixel_format,
        picture=lambda _: flat_frame(codes, pixel_format, 64, 48),
        color=tagged(matrix, full_range),
    )
    source = VideoFileSource(path)
    rgb = next(iter(source)).rgb
    assert rgb.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert (source.info.bits, source.info.color.matrix, source.info.color.full_range) == (bits, matrix, full_range)
    one_code = 2 / 2**bits  # the colour was rounded to codes before it came here
    assert np.abs(rgb / np.iinfo(rgb.dtype).max - ORANGE).max() <= one_code


@pytest.mark.parametrize(("size", "matrix"), [((640, 480), 6), ((1280, 720), 1)])
def test_untagged_colours_are_601_in_sd_and_709_in_hd(tmp_path, size, matrix):
    codes = yuv_codes(ORANGE, matrix, full_range=False)
    picture = flat_frame(codes, "yuv420p", *size)
    path = make_clip(tmp_path / "a.mp4", pts=[0], size=size, picture=lambda _: picture, options={"crf": "0"})
    source = VideoFileSource(path)
    assert np.abs(next(iter(source)).rgb / 255 - ORANGE).max() <= 2 / 255
    assert source.info.color.matrix == matrix


def test_ten_bits_are_kept_and_fill_sixteen(tmp_path):
    def ramp(_: int) -> av.VideoFrame:
        frame = flat_frame((0, 512, 512), "yuv420p10le", 64, 48)
        plane_of(frame.planes[0], np.uint16)[:] = np.linspace(64, 940, 64).round()
        return frame

    path = make_clip(tmp_path / "a.mkv", codec="ffv1", pixel_format="yuv420p10le", picture=ramp)
    rgb = read(path)[0].rgb
    expected = np.rint((np.linspace(64, 940, 64).round() - 64) / 876 * 65535)
    assert np.abs(rgb[20, :, 1] - expected).max() <= 1
    assert rgb[0, 0].tolist() == [0, 0, 0]
    assert rgb[0, -1].tolist() == [65535] * 3


@pytest.mark.parametrize(("pixel_format", "peak"), [("gray", 255), ("gray10le", 1023), ("gray16le", 65535)])
def test_gray_works(tmp_path, pixel_format, peak):
    path = make_clip(
        tmp_path / "a.mkv",
        codec="ffv1",
        pixel_format=pixel_format,
        picture=lambda _: flat_frame([peak], pixel_format, 64, 48),
    )
    rgb = read(path)[0].rgb
    assert rgb.shape == (48, 64, 3)
    assert (rgb == np.iinfo(rgb.dtype).max).all()


def test_gray_that_says_limited_is_stretched(tmp_path):
    path = make_clip(
        tmp_path / "a.mp4",
        pixel_format="gray",
        picture=lambda _: flat_frame([235], "gray", 64, 48),
        color=tagged(2, full_range=False),
        options={"crf": "0"},
    )
    assert (read(path)[0].rgb == 255).all()


@pytest.mark.parametrize(
    ("codec", "pixel_format"), [("qtrle", "argb"), ("png", "rgba"), ("prores_ks", "yuva444p10le"), ("ffv1", "yuva420p")]
)
def test_alpha_is_left_out(tmp_path, codec, pixel_format):
    def half_clear(index: int) -> av.VideoFrame:
        rgba = np.dstack([moving_picture(index, 64, 48), np.full((48, 64), 128, np.uint8)])
        return av.VideoFrame.from_ndarray(rgba, "rgba").reformat(format=pixel_format, dst_colorspace=5)

    name = "a.mkv" if codec == "ffv1" else "a.mov"
    path = make_clip(tmp_path / name, pts=range(2), codec=codec, pixel_format=pixel_format, picture=half_clear)
    frame = read(path)[1]
    assert frame.rgb.shape == (48, 64, 3)
    difference = frame.rgb / np.iinfo(frame.rgb.dtype).max - moving_picture(1, 64, 48) / 255
    assert np.abs(difference).mean() < 0.02


@pytest.mark.parametrize(
    ("codec", "pixel_format"),
    [("ffv1", "yuv420p"), ("libx264", "yuv444p"), ("libvpx-vp9", "yuv420p"), ("ffv1", "gray"), ("ffv1", "bgr0")],
)
def test_odd_sizes_work(tmp_path, codec, pixel_format):
    path = make_clip(
        tmp_path / "a.mkv",
        pts=range(3),
        size=(65, 47),
        codec=codec,
        pixel_format=pixel_format,
        picture=lambda i: av.VideoFrame.from_ndarray(moving_picture(i, 65, 47)).reformat(format=pixel_format),
    )
    frames = read(path)
    assert [frame.rgb.shape for frame in frames] == [(47, 65, 3)] * 3
    expected = moving_picture(2, 65, 47)
    if pixel_format == "gray":
        expected = expected @ np.array([0.299, 0.587, 0.114])[:, None]
    assert np.abs(frames[2].rgb - expected.astype(float)).mean() < 6


def test_oblong_pixels_become_square(tmp_path):
    path = make_clip(tmp_path / "a.mp4", pts=[0], size=(72, 48), pixel_aspect=Fraction(4, 3))
    source = VideoFileSource(path)
    assert (source.info.width, source.info.height) == (96, 48)
    assert np.abs(next(iter(source)).rgb[..., :2].astype(float) - moving_picture(0, 96, 48)[..., :2]).mean() < 6


# Orientation

CORNERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)  # seen upright
ONE = 1 << 16
# The track header's matrix, as cameras write it (ISO 14496-12, 8.3.2: p q 1 times a b u / c d v / x y w), and
# how the picture lies in the file when it is to look like CORNERS.
MATRICES = {
    "upright": ((ONE, 0, 0, ONE), CORNERS),
    "turned right to be seen": ((0, ONE, -ONE, 0), np.rot90(CORNERS)),
    "turned left to be seen": ((0, -ONE, ONE, 0), np.rot90(CORNERS, -1)),
    "upside down": ((-ONE, 0, 0, -ONE), np.rot90(CORNERS, 2)),
    "mirrored": ((-ONE, 0, 0, ONE), CORNERS[:, ::-1]),
    "mirrored and turned": ((0, ONE, ONE, 0), CORNERS.transpose(1, 0, 2)),
}


@pytest.mark.parametrize("matrix", MATRICES)
def test_the_display_matrix_makes_the_picture_upright(tmp_path, matrix):
    (a, b, c, d), stored = MATRICES[matrix]
    height, width = (48, 64) if a else (64, 48)  # upright 64 wide
    size = (64, 48) if a else (48, 64)
    blocks = stored.repeat(size[1] // 2, axis=0).repeat(size[0] // 2, axis=1)
    path = make_clip(tmp_path / "a.mp4", pts=range(3), size=size, picture=lambda _: av.VideoFrame.from_ndarray(blocks))
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack(">9i", ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30), data.index(b"tkhd"))
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)

    source = VideoFileSource(path)
    rgb = list(source)[-1].rgb
    assert (source.info.width, source.info.height) == (64, 48) == (rgb.shape[1], rgb.shape[0])
    assert height * width == 64 * 48
    centres = rgb[12::24, 16::32].astype(int)
    assert np.abs(centres - CORNERS).max() < 12


# What can't be read


def test_bad_files_are_named_with_what_was_wanted(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video at all")
    whole = make_clip(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "no_index.mp4").write_bytes(whole[: len(whole) // 2])  # moov comes last
    with av.open(str(tmp_path / "sound.m4a"), "w") as output:
        voice = output.add_stream("aac", rate=48000, layout="stereo")
        output.mux(voice.encode(tone(0, 1024)))
        output.mux(voice.encode(None))
    dot = flat_frame((128, 128, 128), "yuv444p", 1, 1)
    make_clip(tmp_path / "dot.mkv", pts=[0], size=(1, 1), codec="ffv1", pixel_format="yuv444p", picture=lambda _: dot)

    for name, reason in {
        "missing.mp4": "no such file",
        ".": "it is a folder",
        "empty.mp4": "empty file",
        "text.mp4": "not a video that can be read",
        "no_index.mp4": "without its index",
        "sound.m4a": "audio only",
        "dot.mkv": "1x1 picture; give a video of at least 2x2",
    }.items():
        with pytest.raises(InputError, match=reason) as error:
            VideoFileSource(tmp_path / name)
        assert str(error.value).startswith(str(tmp_path / name))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "options"), [("a.mp4", {"movflags": "faststart"}), ("a.mkv", {}), ("a.avi", {})])
@pytest.mark.parametrize("part", [0.5, 0.8])
def test_data_that_ends_early_is_said_after_the_last_frame(tmp_path, name, options, part):
    whole = make_clip(tmp_path / name, pts=range(60), container_options=options).read_bytes()
    (tmp_path / f"cut_{name}").write_bytes(whole[: int(len(whole) * part)])
    source = VideoFileSource(tmp_path / f"cut_{name}")
    got = 0
    with pytest.raises(InputError, match=r"ends early: got \d+ of 60 frames") as error:  # noqa: PT012
        for frame in source:
            got = frame.index + 1
    assert 5 < got < 55
    assert f"got {got} of 60" in str(error.value)


def test_a_matroska_file_without_statistics_may_have_longer_sound(tmp_path):
    path = make_clip(tmp_path / "a.mkv", pts=range(50), audio=["aac"], audio_seconds=4)
    data = path.read_bytes().replace(b"DURATION", b"NOTHING_")
    path.write_bytes(data)
    assert len(read(path)) == 50
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="ends early"):
        read(path)


def test_a_trimmed_mp4_is_not_taken_for_a_cut_one(tmp_path):
    """An edit list that shows the second half only, as phones write when a clip is trimmed."""
    path = make_clip(tmp_path / "a.mp4", pts=range(50), options={"bf": "0", "g": "5"})
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12
    data[at : at + 8] = struct.pack(">Ii", 1000, 12800)  # one second (movie time) from one second on (12800 a second)
    path.write_bytes(data)
    assert len(read(path)) == 25


def test_a_damaged_packet_is_left_out_with_one_warning(tmp_path, caplog):
    path = make_clip(tmp_path / "a.mov", pts=range(60), codec="png", pixel_format="rgb24")
    data = bytearray(path.read_bytes())
    starts = [at for at in range(len(data)) if data[at : at + 4] == b"\x89PNG"]
    for at in starts[20:23]:
        data[at : at + 60] = bytes(60)
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        frames = read(path)
    assert len(frames) == 57
    assert [record.message for record in caplog.records if "damaged" in record.message] == [
        f"{path}: damaged: what can't be decoded is left out (Invalid data found when processing input)"
    ]
    assert frames[20].seconds == pytest.approx(23 / 25)


@pytest.mark.parametrize("audio", [[], ["mp3"]])
def test_flash_and_mpeg_files_are_read_to_the_end_without_a_warning(tmp_path, caplog, audio):
    for name, codec in (("a.flv", "libx264"), ("a.mpg", "mpeg2video")):
        path = make_clip(tmp_path / name, pts=range(20), codec=codec, audio=audio)
        assert VideoFileSource(path).info.frames != 1  # estimated, and "one" would make it a picture
        assert len(read(path)) == 20
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_pictures_that_lie_behind_the_sound_all_come(tmp_path, name):
    clip = make_clip(tmp_path / f"b{name}", pts=range(30), audio=["mp3"])
    with av.open(str(clip)) as pictures_first, av.open(str(tmp_path / name), "w") as output:
        streams = sorted(pictures_first.streams, key=lambda stream: stream.type)
        copies = {stream.index: output.add_stream_from_template(stream) for stream in streams}
        for packet in pictures_first.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream_index]
                output.mux(packet)
    with av.open(str(tmp_path / name)) as container:
        assert container.streams[0].type == "audio"
    assert len(read(tmp_path / name)) == 30


def test_sound_that_is_found_late_does_no_harm(tmp_path):
    data = make_clip(tmp_path / "b.flv", pts=range(500), audio=["mp3"]).read_bytes()
    kept, at = bytearray(data[:13]), 13
    kept[4] = 1  # pictures alone, the header says
    while at + 11 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        late = int.from_bytes(data[at + 4 : at + 7], "big") > 15000
        if kind == 9 or (kind == 8 and late):
            kept += data[at : at + size + 15]
        at += size + 15
    (tmp_path / "a.flv").write_bytes(kept)
    with av.open(str(tmp_path / "a.flv")) as container:
        assert not container.streams.audio
    assert len(read(tmp_path / "a.flv")) == 500


def test_packets_end_where_pyav_stumbles_and_none_come_of_no_stream():
    def stumbling(streams):
        yield from streams
        raise IndexError

    container: Any = SimpleNamespace(demux=stumbling)
    packets: Any = ["first", "last"]
    assert list(demux(container, packets)) == packets
    assert list(demux(container, [])) == []


def test_fragments_count_together(tmp_path):
    options = {"movflags": "frag_keyframe", "frag_duration": "200000"}
    path = make_clip(tmp_path / "a.mp4", pts=range(50), container_options=options)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames < 20
    assert VideoFileSource(path).info.frames == 50


@pytest.mark.parametrize(
    ("average", "guessed", "wanted"),
    [(None, 1000, 30), (None, 50, 50), (Fraction(30000, 1001), 1000, Fraction(30000, 1001)), (None, None, 30)],
)
def test_a_rate_that_nothing_films_at_is_not_believed(average, guessed, wanted):
    stream: Any = SimpleNamespace(average_rate=average, guessed_rate=guessed)
    assert video_file._rate(stream) == wanted


def test_cover_art_is_not_the_video(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        cover = output.add_stream("png", rate=25, width=16, height=16, pix_fmt="rgb24")
        cover.disposition = Disposition.attached_pic
        video = output.add_stream("libx264", rate=25, width=64, height=48)
        output.mux(cover.encode(av.VideoFrame.from_ndarray(moving_picture(0, 16, 16))))
        for index in range(3):
            output.mux(video.encode(av.VideoFrame.from_ndarray(moving_picture(index, 64, 48))))
        output.mux(video.encode(None))
    assert [frame.size for frame in read(path)] == [(48, 64)] * 3


def test_tags_in_an_old_encoding_do_no_harm(tmp_path):
    path = make_clip(tmp_path / "a.mkv", tags={"title": "caf#"})
    path.write_bytes(path.read_bytes().replace(b"caf#", b"caf\xe9"))
    assert len(read(path)) == 10


# Closing


def test_closing_from_another_thread_ends_the_iteration(tmp_path):
    source = VideoFileSource(make_clip(tmp_path / "a.mp4", pts=range(200)))
    seen = []
    for frame in source:
        seen.append(frame.index)
        if frame.index == 5:
            closer = threading.Thread(target=source.close)
            closer.start()
            closer.join()
    assert seen == [0, 1, 2, 3, 4, 5]


def test_real_clips_have_the_times_in_the_file(reference):
    for name in ("intel/asl_book.mkv", "intel/asl_yes.mkv"):
        path = reference / "videos" / name
        source = VideoFileSource(path)
        times = [round(Fraction(frame.seconds) / source.info.time_base) for frame in source]
        pts = video_pts(path)
        assert times == [time - pts[0] for time in pts]


def test_tiles_of_a_photograph_are_no_video():
    tiles = [SimpleNamespace(disposition=0x80000, codec_context=object()) for _ in range(4)]
    container = SimpleNamespace(streams=SimpleNamespace(video=tiles, audio=[]))
    with pytest.raises(InputError, match=r"me\.heic: a photograph in tiles"):
        _video_stream(Path("me.heic"), container)  # type: ignore[arg-type]


@pytest.mark.parametrize(("transfer", "said"), [(18, ["HLG"]), (16, ["PQ"]), (1, [])])
def test_hdr_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture, transfer: int, said: list[str]):
    clip = make_clip(tmp_path / "a.mp4", color=(9, transfer, 9, 1))
    VideoFileSource(clip).close()
    assert [name for name in ("HLG", "PQ") if f"HDR video ({name})" in caplog.text] == said


@pytest.mark.parametrize(("pixel_format", "tolerance"), [("yuv420p10le", 2), ("yuv420p", 4), ("gbrp10le", 2)])
def test_hdr_becomes_sdr(tmp_path: Path, pixel_format: str, tolerance: int):
    """A white sheet and 18 % gray as HLG has them: 75 % and 38 % of the signal."""

    def sheet(_: int) -> av.VideoFrame:
        half = np.repeat(np.rint(65535 * np.repeat([0.75, 0.38], 32)), 3).reshape(1, 64, 3).repeat(48, 0)
        frame = av.VideoFrame.from_ndarray(half.astype(np.uint16), "rgb48le")
        frame.colorspace = 9
        return frame.reformat(format=pixel_format, dst_colorspace=9, dst_color_range=1)

    matrix = 0 if pixel_format.startswith("gbrp") else 9
    codec = "ffv1" if matrix == 0 else "libx264"
    color = 9, 18, matrix, 1
    clip = make_clip(tmp_path / "a.mkv", codec=codec, pixel_format=pixel_format, picture=sheet, color=color)
    source = VideoFileSource(clip)
    frame = next(iter(source))
    white = np.iinfo(frame.rgb.dtype).max
    levels = frame.rgb[24, [16, 48]] / white * 255
    np.testing.assert_allclose(levels, np.repeat([[230], [108.5]], 3, axis=1), atol=tolerance)
    assert source.info.color == VideoColor(1, 1, 0 if matrix == 0 else 1)
    source.close()


@pytest.mark.parametrize(("codec", "name"), [("libx264", "a.mp4"), ("libvpx-vp9", "a.webm"), ("ffv1", "a.mkv")])
def test_chroma_lies_at_the_left_where_nothing_is_said(tmp_path: Path, codec: str, name: str):
    """A stroke of blue that lies around column 32, whether the decoder names chroma's place or not."""

    def stroke(_: int) -> av.VideoFrame:
        frame = av.VideoFrame(64, 48, "yuv420p")
        blue = np.rint(128 + 60 * np.exp(-(((np.arange(32) * 2 - 32) / 6) ** 2)))
        for plane, levels in zip(frame.planes, (np.full(64, 128), blue, np.full(32, 128)), strict=True):
            plane_of(plane)[:] = levels
        frame.colorspace, frame.color_range = 1, 1
        return frame

    options = {"crf": "2"} if codec.startswith("libvpx") else {}
    clip = make_clip(tmp_path / name, range(2), Fraction(1, 25), codec=codec, picture=stroke, options=options)
    source = VideoFileSource(clip)
    frames = list(source)
    assert len(frames) == 2
    rgb = frames[1].rgb.astype(float)
    weight = np.maximum((rgb[..., 2] - rgb[..., 1]).mean(0) - 4, 0)
    assert abs((weight * np.arange(64)).sum() / weight.sum() - 32) < 0.1


def copied(clip: Path, name: str) -> Path:
    """Its video in another file, as FFmpeg copies it: Matroska's tags come out in capitals."""
    path = clip.with_name(name)
    with av.open(str(clip)) as given, av.open(str(path), "w") as output:
        stream = given.streams.video[0]
        copy = output.add_stream_from_template(stream)
        copy.metadata.update(stream.metadata)
        for packet in given.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                output.mux(packet)
    return path


def see_through(index: int) -> av.VideoFrame:
    """Red; the first frame's left half can be seen through, the next frame is opaque."""
    rgba = np.zeros((48, 64, 4), np.uint8)
    rgba[..., 0], rgba[..., 3] = 200, 255
    if index == 0:
        rgba[:, :32, 3] = 0
    return av.VideoFrame.from_ndarray(rgba, "rgba")


@pytest.mark.parametrize(
    ("codec", "pixel_format", "name"),
    [
        ("ffv1", "yuva420p", "a.mkv"),
        ("qtrle", "argb", "a.mov"),
        ("prores_ks", "yuva444p10le", "a.mov"),
        ("libvpx", "yuva420p", "a.webm"),
        ("libvpx-vp9", "yuva420p", "a.webm"),
    ],
)
def test_alpha_is_the_mask(tmp_path: Path, caplog: pytest.LogCaptureFixture, codec: str, pixel_format: str, name: str):
    options = {"auto-alt-ref": "0", "crf": "4", "b": "1M"} if codec == "libvpx" else {}  # VP8's alpha wants the first
    clip = make_clip(
        tmp_path / name, range(2), codec=codec, pixel_format=pixel_format, picture=see_through, options=options
    )
    masks = [frame.rgb for frame in VideoFileSource(clip, as_mask=True)]
    white = np.iinfo(masks[0].dtype).max
    assert not masks[0][:, :30].any()
    assert (masks[0][:, 34:] >= 0.999 * white).all()
    assert (masks[1] >= 0.999 * white).all()
    assert not caplog.messages
    again = VideoFileSource(copied(clip, f"again{clip.suffix}"), as_mask=True)
    assert not next(iter(again)).rgb[:, :30].any()
    frame = next(iter(VideoFileSource(clip)))
    assert abs(frame.rgb[..., 0].mean() / white * 255 - 200) < 4
    assert "seen as if it were opaque; its transparency counts where it is --matting" in caplog.text


@pytest.mark.parametrize(("codec", "color", "kept"), [("libvpx-vp9", (9, 16, 9, 1), 16), ("libvpx", None, None)])
def test_colours_of_webm_with_alpha_are_the_file_s(
    tmp_path: Path, codec: str, color: tuple[int, int, int, int] | None, kept: int | None
):
    def red(index: int) -> av.VideoFrame:
        rgba = np.full((720, 1280, 4), (200, 50, 40, 255 - index), np.uint8)
        return av.VideoFrame.from_ndarray(rgba, "rgba").reformat(format="yuva420p", dst_colorspace=5)

    options = {"auto-alt-ref": "0", "crf": "4", "b": "1M"}
    clip = make_clip(
        tmp_path / "a.webm",
        range(2),
        size=(1280, 720),
        codec=codec,
        pixel_format="yuva420p",
        picture=red,
        options=options,
        color=color,
    )
    source = VideoFileSource(clip)
    assert source._reader.hdr == kept
    if kept is None:  # BT.601, as VP8 always is
        assert np.abs(next(iter(source)).rgb[300, 300].astype(int) - (200, 50, 40)).max() <= 4


def test_levels_of_a_gray_mask_are_exact_though_its_chroma_is_a_code_off(tmp_path: Path):
    def nearly_gray(index: int) -> av.VideoFrame:
        frame = flat_frame((0, 127, 129), "yuv420p", 64, 48)
        plane_of(frame.planes[0])[:, 32:] = 255
        return frame

    clip = make_clip(tmp_path / "a.mkv", codec="ffv1", picture=nearly_gray, color=(1, 1, 1, 2))
    frame = next(iter(VideoFileSource(clip, as_mask=True)))
    assert np.unique(frame.rgb[:, :32]).tolist() == [0]
    assert np.unique(frame.rgb[:, 32:]).tolist() == [255]
    colored = make_clip(tmp_path / "b.mp4")
    assert np.ptp(next(iter(VideoFileSource(colored, as_mask=True))).rgb.astype(int), axis=2).max() > 50


def test_of_two_videos_the_larger_one_is_taken_and_that_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    small, large = make_clip(tmp_path / "a.mkv"), make_clip(tmp_path / "b.mkv", size=(128, 96))
    both = tmp_path / "both.mkv"
    with av.open(str(both), "w") as output:
        inputs = [av.open(str(clip)) for clip in (small, large)]
        copies = [output.add_stream_from_template(clip.streams.video[0]) for clip in inputs]
        for clip, stream in zip(inputs, copies, strict=True):
            for packet in clip.demux(video=0):
                if packet.pts is not None:
                    packet.stream = stream
                    output.mux(packet)
            clip.close()
    source = VideoFileSource(both)
    assert (source.info.width, source.info.height) == (128, 96)
    assert f"{both}: one of its 2 videos is taken, of 128x96" in caplog.text
    assert len(list(source)) == 10


def test_masks_keep_their_levels(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    clip = make_clip(tmp_path / "a.mp4", color=(9, 16, 9, 1))
    plain, mask = VideoFileSource(clip), VideoFileSource(clip, as_mask=True)
    assert np.abs(next(iter(plain)).rgb.astype(int) - next(iter(mask)).rgb).max() > 20
    assert mask.info.color.transfer == 16


def test_interlaced_video_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    clip = make_clip(tmp_path / "a.mp4", options={"x264-params": "interlaced=1"})
    VideoFileSource(clip).close()
    assert "interlaced: moving edges stay combed" in caplog.text


@pytest.mark.parametrize(("matrix", "told"), [(8, True), (1, False), (2, False)])
def test_a_matrix_that_is_not_known_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, matrix: int, told: bool
):
    clip = make_clip(tmp_path / "a.mkv", codec="ffv1", pixel_format="yuv444p", color=(1, 1, matrix, 1))
    assert len(read(clip)) == 10
    assert ("matrix 8, unknown here" in caplog.text) == told


@pytest.mark.parametrize("tag", ["00.4800Q0000", "soon", "1:2", ""])
def test_a_duration_that_is_none_is_as_if_it_were_not_there(tmp_path: Path, tag: str):
    clip = make_clip(tmp_path / "a.mkv")
    written = re.search(rb"\d\d:\d\d:\d\d\.\d{9}", clip.read_bytes())
    assert written is not None
    clip.write_bytes(clip.read_bytes().replace(written[0], tag.encode().ljust(len(written[0]), b"\0")))
    assert len(list(VideoFileSource(clip))) == 10


@pytest.mark.parametrize(
    ("size", "aspect", "wanted"),
    [
        ((720, 480), Fraction(32, 27), (854, 480)),
        ((720, 576), Fraction(64, 45), (1024, 576)),
        ((720, 576), Fraction(12, 11), (786, 576)),
        ((65, 48), Fraction(2, 3), (65, 72)),
        ((65, 49), Fraction(1), (65, 49)),
    ],
)
def test_made_up_pixels_make_even_sides(size: tuple[int, int], aspect: Fraction, wanted: tuple[int, int]):
    assert _square_pixels(*size, aspect) == wanted
