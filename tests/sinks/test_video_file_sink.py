"""Video files as they should be: times, sound, colours, and nobody's file destroyed."""

import logging
import os
import re
import resource
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from av.audio.resampler import AudioResampler
from clips import audio_packets, make_clip, moving_picture, plane_of, tone, trim, video_pts

from video_harmonizer.errors import InputError
from video_harmonizer.frame import SourceInfo, VideoColor
from video_harmonizer.sinks.fragments import Fragments
from video_harmonizer.sinks.original import track_tags
from video_harmonizer.sinks.recoding import Recoding
from video_harmonizer.sinks.video_file import VideoFileSink
from video_harmonizer.sources.video_file import VideoFileSource

INFO = SourceInfo("test", 64, 48, Fraction(25), time_base=Fraction(1, 25))
UNEVEN = [0, 3, 4, 9, 15, 16, 30, 31, 40, 77]


def copy(
    source_path: Path, path: Path, stop_after: int | None = None, preset: str | None = "ultrafast", **kwargs
) -> VideoFileSink:
    """Send a clip through source and sink, unchanged."""
    source = VideoFileSource(source_path)
    info = source.info
    sink = VideoFileSink(path, info.width, info.height, info, preset=preset, audio_from=info.file, **kwargs)
    for frame in source:
        sink.write(frame.rgb, frame.seconds)
        if stop_after and frame.index + 1 == stop_after:
            break
    source.close()
    sink.close()
    return sink


def write(path: Path, pictures: list[np.ndarray], info: SourceInfo = INFO, **kwargs) -> None:
    height, width = pictures[0].shape[:2]
    sink = VideoFileSink(path, width, height, info, **kwargs)
    for index, picture in enumerate(pictures):
        sink.write(picture, index / 25)
    sink.close()


def seconds_of(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        time_base = container.streams.video[0].time_base or Fraction(1)
    return [time * time_base for time in video_pts(path)]


def duration_of(path: Path) -> float:
    with av.open(str(path)) as container:
        return (container.duration or 0) / av.time_base


# Times and sound


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
@pytest.mark.parametrize(
    ("clip", "time_base", "unit", "late"),
    [("a.mp4", Fraction(1, 90000), 900, 0), ("a.mkv", Fraction(1, 1000), 33, 0), ("a.mp4", Fraction(1, 1000), 10, 400)],
)
def test_uneven_times_and_sound_come_through_exactly(tmp_path, name, clip, time_base, unit, late):
    pts = [unit * time + late for time in UNEVEN]
    clip = make_clip(
        tmp_path / clip, pts=pts, time_base=time_base, audio=["aac", "aac"], audio_languages=["eng", "fra"]
    )
    copy(clip, tmp_path / name)
    assert seconds_of(tmp_path / name) == seconds_of(clip)
    for stream in (0, 1):
        sound, copied = audio_packets(clip, stream), audio_packets(tmp_path / name, stream)
        assert [data for _, data in copied] == [data for _, data in sound]
        # Matroska counts in milliseconds
        tolerance = Fraction(1, 1900) if ".mkv" in name else 0
        assert all(abs(a - b) <= tolerance for (a, _), (b, _) in zip(sound, copied, strict=True))
    with av.open(str(tmp_path / name)) as container:
        assert [stream.language for stream in container.streams.audio] == ["eng", "fra"]


def test_the_last_picture_lasts_as_long_as_in_the_source(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", last_duration=60, options={"bf": "0"})
    copy(clip, tmp_path / "out.mp4")
    assert duration_of(clip) == duration_of(tmp_path / "out.mp4") == pytest.approx(9 / 25 + 60 / 25)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize("audio", [[], ["aac"]])
@pytest.mark.parametrize("source", ["a.mp4", "a.mov", "a.mkv"])
def test_a_still_before_b_frames_does_not_prolong_the_end(tmp_path, name, audio, source):
    """A packet of MP4 lasts until the next is decoded, and that of the picture after the still is before it."""
    times = [*range(25), *range(275, 300)]
    clip = make_clip(tmp_path / source, pts=times, audio=audio)
    copy(clip, tmp_path / name)
    assert seconds_of(tmp_path / name) == pytest.approx([time / 25 for time in times], abs=0.001)
    assert duration_of(tmp_path / name) == pytest.approx(12, abs=0.06)


def test_width_that_x264_cannot_code_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"libx264: it can't code 18048x100 .*; use a view that is less wide"):
        VideoFileSink(tmp_path / "out.mp4", 18048, 100, INFO)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def long_clip(tmp_path: Path) -> Path:
    """Ten seconds with sound."""
    return make_clip(tmp_path / "long.mp4", range(300), Fraction(1, 30), audio=["aac"], options={"bf": "0", "g": "250"})


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_sound_goes_on_where_an_edit_list_ends_the_pictures_alone(long_clip: Path, tmp_path: Path, name: str):
    trim(long_clip, 0, 4, tracks=1)
    copy(long_clip, tmp_path / name)
    assert len(seconds_of(tmp_path / name)) == 120
    assert audio_packets(tmp_path / name)[-1][0] == pytest.approx(audio_packets(long_clip)[-1][0], abs=0.001)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize(("begin", "end"), [(4, 9.4), (0, 9.5), (4, 6)])
def test_what_an_edit_list_hides_stays_away(long_clip: Path, tmp_path: Path, name: str, begin: float, end: float):
    trim(long_clip, begin, end)
    copy(long_clip, tmp_path / name)
    times = seconds_of(tmp_path / name)
    assert times == pytest.approx([index / 30 for index in range(round(30 * (end - begin)))], abs=0.001)
    assert duration_of(tmp_path / name) == pytest.approx(end - begin, abs=0.06)
    if name == "out.mkv":  # which can't hide any; but for the one that a decoder begins with
        assert audio_packets(tmp_path / name)[0][0] >= -0.05
    with av.open(str(tmp_path / name)) as container:
        assert next(frame.time for frame in container.decode(audio=0)) == pytest.approx(0, abs=0.05)


def test_tags_of_the_source_are_kept(tmp_path):
    tags = {"title": "Señor", "creation_time": "2020-01-02T03:04:05.000000Z"}
    clip = make_clip(tmp_path / "a.mp4", tags=tags)
    copy(clip, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert tags.items() <= container.metadata.items()


@pytest.mark.parametrize("source", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_tracks_keep_title_and_language(tmp_path, source, name):
    tags = {"title": "Main camera", "language": "swe"}
    clip = make_clip(tmp_path / source, audio=["aac"], video_tags=tags)
    copy(clip, tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        assert track_tags(container.streams.video[0]) == tags


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_chapters_of_the_source_are_kept(tmp_path, name):
    clip = make_clip(tmp_path / "a.mkv", pts=range(50), chapters=((0, 800, "One"), (800, 2000, "Zwei")))
    copy(clip, tmp_path / name)
    assert seconds_of(tmp_path / name) == seconds_of(clip)
    with av.open(str(tmp_path / name)) as container:
        chapters = [
            (float(each["start"] * (each["time_base"] or 0)), each["metadata"]["title"])
            for each in container.chapters()
        ]
    assert chapters == [(0.0, "One"), (0.8, "Zwei")]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_sound_goes_on_past_the_pictures_of_a_whole_run_and_stops_with_them_otherwise(tmp_path, name):
    clip = make_clip(tmp_path / name, pts=range(50), audio=["aac"], audio_seconds=4)
    clip.write_bytes(clip.read_bytes().replace(b"DURATION", b"NOTHING_"))  # not every Matroska file has that tag
    copy(clip, tmp_path / f"whole_{name}")
    assert audio_packets(tmp_path / f"whole_{name}") == audio_packets(clip)
    copy(clip, tmp_path / f"part_{name}", stop_after=20)
    assert audio_packets(tmp_path / f"part_{name}")[-1][0] == pytest.approx(20 / 25, abs=0.05)


def test_sound_and_pictures_lie_close_together_in_the_file(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", pts=range(250), audio=["aac"])
    copy(clip, tmp_path / "out.mkv")
    latest = {"video": 0.0, "audio": 0.0}
    with av.open(str(tmp_path / "out.mkv")) as container:
        for packet in container.demux():
            if packet.dts is not None:
                latest[packet.stream.type] = float(packet.dts * packet.time_base)
                assert abs(latest["video"] - latest["audio"]) < 0.5


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_sound_goes_on_where_the_clock_of_joined_recordings_begins_anew(tmp_path, name):
    once = make_clip(tmp_path / "once.ts", range(0, 75 * 3600, 3600), Fraction(1, 90000), audio=["aac"])
    clip = tmp_path / "twice.ts"
    clip.write_bytes(once.read_bytes() * 2)
    copy(clip, tmp_path / name)
    starts = [float(start) for start, _ in audio_packets(tmp_path / name)]
    assert len(starts) == pytest.approx(2 * len(audio_packets(once)), abs=1)
    # except where they join, as a part's sound ends a little before or after its pictures
    assert np.sort(np.diff(starts))[:-1] == pytest.approx(1024 / 48000, abs=0.002)
    assert np.diff(starts).max() < 0.05
    assert starts[-1] == pytest.approx(seconds_of(tmp_path / name)[-1], abs=0.15)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_recordings_whose_clocks_are_an_hour_apart_follow_each_other_when_joined(tmp_path, name):
    parts = []
    for began in (10, 3610):  # seconds
        pts = range(began * 90000, began * 90000 + 75 * 3600, 3600)
        parts.append(
            make_clip(
                tmp_path / f"{began}.ts",
                pts,
                Fraction(1, 90000),
                audio=["aac"],
                audio_start=began,
                container_options={"mpegts_copyts": "1"},
            )
        )
    clip = tmp_path / "both.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    copy(clip, tmp_path / name)
    pictures = seconds_of(tmp_path / name)
    assert len(pictures) == 150
    np.testing.assert_allclose(np.diff([float(time) for time in pictures]), 1 / 25, atol=0.0011)
    starts = [float(start) for start, _ in audio_packets(tmp_path / name)]
    assert len(starts) == pytest.approx(2 * len(audio_packets(parts[0])), abs=3)
    assert np.diff(starts).max() < 0.05
    assert starts[-1] == pytest.approx(float(pictures[-1]), abs=0.15)


@pytest.mark.parametrize(("lengths", "stop_after"), [((2, 6), 75), ((6, 2), 125), ((6, 2), 160)])
def test_sound_stops_with_the_pictures_of_joined_recordings(tmp_path, lengths, stop_after):
    parts = [
        make_clip(tmp_path / f"{length}.ts", range(0, length * 90000, 3600), Fraction(1, 90000), audio=["aac"])
        for length in lengths
    ]
    clip = tmp_path / "both.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    copy(clip, tmp_path / "out.mp4", stop_after=stop_after)
    sound = audio_packets(tmp_path / "out.mp4")
    assert sound[-1][0] == pytest.approx(stop_after / 25, abs=0.1)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize("sound", [2.0, 3.0, 3.6])
def test_sound_stays_with_the_pictures_where_parts_of_joined_recordings_have_less_or_more_of_it(tmp_path, name, sound):
    whole = make_clip(
        tmp_path / "whole.ts", range(0, 75 * 3600, 3600), Fraction(1, 90000), audio=["aac"], audio_seconds=sound
    )
    once, clip = tmp_path / "once.ts", tmp_path / "thrice.ts"
    with av.open(str(whole)) as full, av.open(str(once), "w") as short:
        copies = {stream.index: short.add_stream_from_template(stream) for stream in full.streams}
        began = full.start_time / av.time_base
        for packet in full.demux():
            late = packet.pts is not None and packet.pts * packet.time_base - began >= sound
            if packet.pts is not None and not (late and packet.stream_index == full.streams.audio[0].index):
                packet.stream = copies[packet.stream_index]
                short.mux_one(packet)
    clip.write_bytes(once.read_bytes() * 3)
    copy(clip, tmp_path / name)
    times: dict[bytes, list[float]] = {}
    for start, data in audio_packets(tmp_path / name):
        times.setdefault(data, []).append(float(start))
    thrice = np.array([one for one in times.values() if len(one) == 3])
    assert len(thrice) > 30
    np.testing.assert_allclose(np.diff(thrice, axis=1), 3, atol=0.03)


def test_sound_that_was_announced_and_never_came_is_left_out(tmp_path, caplog):
    clip = tmp_path / "a.ts"
    with av.open(str(make_clip(tmp_path / "b.ts", audio=["mp2"]))) as full, av.open(str(clip), "w") as silent:
        copies = {stream.index: silent.add_stream_from_template(stream) for stream in full.streams}
        for packet in full.demux():
            if packet.pts is not None and packet.stream_index == full.streams.video[0].index:
                packet.stream = copies[packet.stream_index]
                silent.mux_one(packet)
    copy(clip, tmp_path / "out.mp4")
    assert len(video_pts(tmp_path / "out.mp4")) == 10
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio
    assert "an audio stream that is empty, or begins late, is left out" in caplog.text


@pytest.mark.parametrize("name", ["a.avi", "a.mkv"])
def test_plain_sound_whose_channels_have_no_places_fits_mp4(tmp_path, name):
    clip = make_clip(tmp_path / name, audio=["pcm_s16le"])
    copy(clip, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 0.4 * 48000
        assert container.streams.audio[0].layout.name == "stereo"


@pytest.mark.parametrize("place", [0.3, 0.95, 1])
@pytest.mark.parametrize(("name", "codec", "start"), [("a.ts", "aac", b"\xff\xf1"), ("a.mkv", "ac3", b"\x0b\x77")])
def test_damaged_sound_goes_on_behind_the_damage(tmp_path, caplog, name, codec, start, place):
    clip = make_clip(tmp_path / name, pts=range(50), audio=[codec], audio_seconds=4)
    whole = len(audio_packets(clip))
    data = bytearray(clip.read_bytes())
    headers = [at for at in range(len(data)) if data.startswith(start, at)]
    at = headers[round(place * (len(headers) - 1))]
    data[at : at + 5] = bytes(5)
    clip.write_bytes(data)
    copy(clip, tmp_path / "out.mp4")
    assert len(video_pts(tmp_path / "out.mp4")) == 50
    assert 0.6 * whole < len(audio_packets(tmp_path / "out.mp4")) < whole
    assert "its sound is damaged: pieces are left out" in caplog.text


def test_a_transport_streams_clock_starts_at_zero_and_its_aac_fits_mp4(tmp_path):
    late = 100 * 90000
    clip = make_clip(
        tmp_path / "a.ts",
        pts=range(late, late + 30 * 3600, 3600),
        time_base=Fraction(1, 90000),
        audio=["aac"],
        container_options={"mpegts_copyts": "1"},
        audio_start=100,
    )
    assert VideoFileSource(clip).info.start > 90
    for name in ("out.mp4", "out.mkv"):
        copy(clip, tmp_path / name)
        pictures, sound = seconds_of(tmp_path / name), audio_packets(tmp_path / name)
        gap = seconds_of(clip)[0] - audio_packets(clip)[0][0]
        assert min(pictures[0], sound[0][0]) == pytest.approx(0, abs=0.001)
        assert pictures[0] - sound[0][0] == pytest.approx(gap, abs=0.0011)
        with av.open(str(tmp_path / name)) as container:
            assert sum(frame.samples for frame in container.decode(audio=0)) > 48000


@pytest.mark.parametrize(
    ("clip", "codec", "name", "becomes", "remedy"),
    [
        ("a.mp4", "aac", "out.webm", "opus", r"; \.mkv and \.mov would keep it as it is"),
        ("a.ts", "aac", "out.webm", "opus", r"; \.mkv and \.mov would keep it as it is"),
        ("a.mov", "pcm_mulaw", "out.mp4", "aac", r"; \.mov would keep it as it is"),
        ("a.mkv", "libopus", "out.mov", "aac", r"; \.mkv would keep it as it is"),
        ("a.avi", "adpcm_ms", "out.mp4", "aac", "\n"),
    ],
)
def test_sound_that_the_format_cannot_hold_becomes_another_codecs(tmp_path, caplog, clip, codec, name, becomes, remedy):
    source = make_clip(tmp_path / clip, pts=range(50), audio=[codec, codec], audio_seconds=2)
    how: dict = {"codec": "libvpx", "preset": None} if name == "out.webm" else {}
    copy(source, tmp_path / name, **how)
    assert len(video_pts(tmp_path / name)) == 50
    for track in range(2):
        before, after = (heard(file, track) for file in (source, tmp_path / name))
        assert len(after) == pytest.approx(len(before), abs=0.03 * 48000)
        # Matroska rounds to milliseconds
        lags = [np.corrcoef(before[24000:72000], after[24000 + lag : 72000 + lag])[0, 1] for lag in range(-48, 49)]
        assert max(lags) > 0.99
    with av.open(str(tmp_path / name)) as container:
        assert [stream.codec_context.name.removeprefix("lib") for stream in container.streams.audio] == [becomes] * 2
    said = rf"its sound \(.*\) becomes (lib)?{becomes}, as {Path(name).suffix} can't hold it{remedy}"
    assert re.search(said, caplog.text)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a file that is read")
def test_source_that_is_gone_at_the_end_costs_nothing(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", pts=range(50))
    source = VideoFileSource(clip)
    sink = VideoFileSink(tmp_path / "out.mp4", source.info.width, source.info.height, source.info, audio_from=clip)
    for frame in source:
        sink.write(frame.rgb, frame.seconds)
        clip.unlink(missing_ok=True)
    source.close()
    sink.close()
    assert len(video_pts(tmp_path / "out.mp4")) == 50


@pytest.mark.parametrize(
    ("codec", "name", "warned"),
    [("flac", "out.mp4", True), ("libopus", "out.mp4", True), ("flac", "out.mkv", False), ("aac", "out.mp4", False)],
)
def test_sound_that_few_players_play_in_mp4_is_kept_with_a_warning(tmp_path, caplog, codec, name, warned):
    source = make_clip(tmp_path / "a.mkv", audio=[codec])
    copy(source, tmp_path / name)
    assert audio_packets(tmp_path / name)
    assert ("few players play" in caplog.text) == warned
    said = f"its sound stays {codec.removeprefix('lib')}, which few players play in .mp4; where that matters, give"
    assert (said in caplog.text) == warned


def test_recoded_frames_without_a_time_follow_the_one_before(tmp_path):
    """FFmpeg times only the first frame of a packet that holds several."""
    untimed = [tone(sample, 1024) for sample in range(0, 8192, 1024)]
    for frame in untimed[1:]:
        frame.pts = None
    clip = make_clip(tmp_path / "a.mp4", audio=["aac"])
    with av.open(str(clip)) as source, av.open(str(tmp_path / "out.webm"), "w") as output:
        recoding = Recoding(source.streams.audio[0], output)
        recoding._decoder = SimpleNamespace(decode=lambda packet: untimed if packet else [])  # type: ignore[assignment]
        packet = next(source.demux(audio=0))
        output.mux([*recoding.encode(packet), *recoding.encode(None)])
    with av.open(str(tmp_path / "out.webm")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == pytest.approx(8192, abs=960)


def heard(path: Path, track: int) -> np.ndarray:
    """Left channel of a track from the first picture's time on, 48,000 samples a second."""
    resampler = AudioResampler("fltp", "stereo", 48000, options={"async": "1"})
    pieces = []
    with av.open(str(path)) as container:
        for coded in container.decode(audio=track):
            pieces += resampler.resample(coded)
    first = pieces[0]
    assert first.pts is not None
    assert first.time_base is not None
    late = round((first.pts * first.time_base - seconds_of(path)[0]) * 48000)
    samples = np.concatenate([piece.to_ndarray()[0] for piece in pieces])
    return np.concatenate([np.zeros(max(late, 0), np.float32), samples[max(-late, 0) :]])


def test_names_with_colons_and_percent_signs_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clip = make_clip(tmp_path / "clip.mp4", audio=["aac"]).rename("in: 100%d ☂.mp4")
    copy(Path(clip.name), Path("out: 100%d ☂.mp4"))
    assert len(video_pts(tmp_path / "out: 100%d ☂.mp4")) == 10


def test_one_picture_makes_a_video(tmp_path):
    write(tmp_path / "a.mp4", [moving_picture(0, 64, 48)])
    assert len(video_pts(tmp_path / "a.mp4")) == 1
    assert duration_of(tmp_path / "a.mp4") == pytest.approx(1 / 25)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_pictures_make_a_video_in_h265(tmp_path, count):
    """x265 gives nonsense for when to decode the first of one or two."""
    write(tmp_path / "out.mp4", [moving_picture(n, 64, 48) for n in range(count)], codec="libx265", preset="ultrafast")
    assert seconds_of(tmp_path / "out.mp4") == [Fraction(n, 25) for n in range(count)]


def test_times_within_a_millisecond_stay_apart_in_matroska(tmp_path):
    info = SourceInfo("test", 64, 48, Fraction(25))
    sink = VideoFileSink(tmp_path / "a.mkv", 64, 48, info)
    for index in range(5):
        sink.write(moving_picture(index, 64, 48), index * 1e-4)
    sink.close()
    assert video_pts(tmp_path / "a.mkv") == [0, 1, 2, 3, 4]


# Colours

ORANGE = np.array([230, 115, 26], np.uint8)


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(("codec", "name"), [("libx264", "a.mp4"), ("libx264", "a.mkv"), ("libvpx-vp9", "a.webm")])
def test_colours_are_written_as_tagged(tmp_path, matrix, full_range, codec, name):
    info = SourceInfo("test", 64, 48, Fraction(25), color=VideoColor(9, 14, matrix, full_range))
    write(tmp_path / name, [np.full((48, 64, 3), ORANGE)], info, codec=codec, crf=1)
    with av.open(str(tmp_path / name)) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (matrix, 2 if full_range else 1)
        if codec != "libvpx-vp9":  # whose streams have no place for them
            assert (frame.color_primaries, frame.color_trc) == (9, 14)
    seen = next(iter(VideoFileSource(tmp_path / name))).rgb
    assert np.abs(seen.astype(int) - ORANGE).max() <= 2


def test_unsaid_colours_become_709_limited(tmp_path):
    write(tmp_path / "a.mp4", [np.full((48, 64, 3), 255, np.uint8)])
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range) == (1, 1, 1, 1)
    assert (plane_of(frame.planes[0]) == 235).all()


def test_chroma_lies_where_players_expect_it(tmp_path):
    """On the left pixel of each pair: a ramp of colour is not shifted."""
    ramp = np.zeros((48, 64, 3), np.uint8)
    ramp[..., 2] = np.arange(64) * 3
    write(tmp_path / "a.mp4", [ramp], crf=1)
    with av.open(str(tmp_path / "a.mp4")) as container:
        cb = plane_of(next(container.decode(video=0)).planes[1])[12, 4:28].astype(float)
    expected = 128 + 224 / 255 * 0.5 * np.arange(8, 56, 2) * 3
    assert np.abs(cb - expected).max() < 1.1
    assert abs((cb - expected).mean()) < 0.3  # half a pixel would be 0.66


def test_ten_bit_sources_make_ten_bit_files(tmp_path):
    deep = np.zeros((48, 64, 3), np.uint16)
    deep[..., :] = np.linspace(0, 65535, 64).round()[None, :, None]
    info = SourceInfo("test", 64, 48, Fraction(25), bits=10)
    write(tmp_path / "a.mp4", [deep], info, crf=0)
    source = VideoFileSource(tmp_path / "a.mp4")
    assert source.info.bits == 10
    assert np.abs(next(iter(source)).rgb.astype(int) - deep).max() <= 3 * 65535 / 1023  # and a little for the codec


def test_an_eight_bit_encoder_takes_ten_bits_with_a_warning(tmp_path, caplog):
    info = SourceInfo("test", 64, 48, Fraction(25), bits=10)
    deep = np.full((48, 64, 3), ORANGE.astype(np.uint16) * 257)
    with caplog.at_level(logging.WARNING):
        write(tmp_path / "a.webm", [deep], info, codec="libvpx-vp9", crf=1)
    assert "libvpx-vp9 codes 8 bits a channel; the source has 10" in caplog.text
    assert np.abs(next(iter(VideoFileSource(tmp_path / "a.webm"))).rgb.astype(int) - ORANGE).max() <= 3  # dithered


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_lossless_codec_loses_nothing(tmp_path, dtype):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (47, 65, 3), endpoint=True).astype(dtype)
    info = SourceInfo("test", 65, 47, Fraction(25), bits=dtype().itemsize * 8)
    write(tmp_path / "a.mkv", [image], info, codec="ffv1")
    assert np.array_equal(next(iter(VideoFileSource(tmp_path / "a.mkv"))).rgb, image)


@pytest.mark.parametrize(
    ("codec", "name"), [("mpeg4", "a.mkv"), ("mpeg4", "a.mp4"), ("msmpeg4", "a.mkv"), ("mjpeg", "a.mkv")]
)
def test_codecs_without_a_factor_are_as_good_as_they_can_be(tmp_path, codec, name):
    noise = [np.random.default_rng(index).integers(0, 256, (96, 128, 1), np.uint8) for index in range(5)]
    pictures = [np.repeat(picture.repeat(2, 0).repeat(2, 1), 3, 2) for picture in noise]
    write(tmp_path / name, pictures, codec=codec)
    seen = [frame.rgb for frame in VideoFileSource(tmp_path / name)]
    assert np.abs(np.stack(seen).astype(int) - np.stack(pictures)).mean() < 2


def test_vp8_follows_the_factor(tmp_path):
    noise = [np.random.default_rng(index).integers(0, 256, (96, 128, 3), np.uint8) for index in range(3)]
    sizes = {}
    for crf in (4, 40):
        write(tmp_path / f"{crf}.webm", noise, codec="libvpx", crf=crf)
        sizes[crf] = (tmp_path / f"{crf}.webm").stat().st_size
    assert sizes[4] > 1.5 * sizes[40]


@pytest.mark.parametrize(
    ("codec", "name", "width", "chroma"),
    [
        ("libx264", "a.mp4", 65, "yuv444p"),
        ("libx264", "a.mp4", 64, "yuv422p"),
        ("libx265", "a.mp4", 65, "yuv444p"),
        ("libvpx-vp9", "a.webm", 65, "yuv420p"),
    ],
)
def test_odd_sizes_are_kept(tmp_path, caplog, codec, name, width, chroma):
    with caplog.at_level(logging.WARNING):
        write(tmp_path / name, [moving_picture(0, width, 47)], codec=codec)
    with av.open(str(tmp_path / name)) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height, frame.format.name) == (width, 47, chroma)
    said = f"{width}x47 is odd: coded as {':'.join(chroma[3:6])}, which some players don't show"
    assert (said in caplog.text) == (chroma != "yuv420p")


# Refusals


def test_bad_places_are_refused_before_the_first_frame(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4")
    (tmp_path / "soft.mp4").symlink_to(clip)
    os.link(clip, tmp_path / "hard.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.iterdir())
    data = clip.read_bytes()
    for name, reason in {
        "clip.mp4": "it is also read",
        "soft.mp4": "it is also read",
        "hard.mp4": "it is also read",
        "folder.mp4": "it is a folder",
        "nowhere/a.mp4": "there is no folder",
        "file/a.mp4": "is a file, not a folder",
        "a.xyz": r"not a kind of video known here; use \.m4v, \.mkv, \.mov, \.mp4, \.webm",
        "a": "no such folder; make it first for pictures, or name a video such as",
        f"{'long' * 100}.mp4": "it can't be written",
    }.items():
        with pytest.raises(InputError, match=reason) as error:
            VideoFileSink(tmp_path / name, 64, 48, INFO, audio_from=clip)
        assert str(error.value).startswith(str(tmp_path / name))
    with pytest.raises(InputError, match="it is also read"):
        VideoFileSink(clip, 64, 48, INFO, inputs=[clip])
    assert sorted(tmp_path.iterdir()) == before
    assert clip.read_bytes() == data


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root can't write to")
def test_an_unwritable_folder_is_refused_before_the_first_frame():
    with pytest.raises(InputError, match=r"^/proc/self/a\.mp4: it can't be written"):
        VideoFileSink(Path("/proc/self/a.mp4"), 64, 48, INFO)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"codec": "libx246"}, r"--codec libx246: unknown; did you mean libx264\? .*libx265.*ffv1"),
        ({"codec": "gobbledygook"}, r"--codec gobbledygook: unknown; Common ones: libx264"),
        ({"codec": "aac"}, "--codec aac: it codes audio"),
        ({"preset": "quick"}, "--preset quick: libx264 does not take it; leave it out, or give one of ultrafast, "),
        ({"codec": "ffv1", "crf": 20}, "--crf: ffv1 has no such setting"),
        ({"crf": 52}, "--crf 52: want 0, the best, to 51, the smallest; 18 to 28 suit"),
        ({"crf": -1}, "--crf -1: want 0, the best, to 51"),
        ({"codec": "libvpx-vp9", "preset": "fast"}, "--preset: libvpx-vp9 has no such setting"),
        ({"codec": "prores_ks"}, r"a\.mp4: mp4 can't hold prores_ks; give another --codec or write \.mkv"),
    ],
)
def test_a_bad_choice_of_encoder_is_refused_before_the_first_frame(tmp_path, options, reason):
    with pytest.raises(InputError, match=reason):
        VideoFileSink(tmp_path / "a.mp4", 64, 48, INFO, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", range(58, 66))
def test_the_last_picture_is_shown_wherever_fragments_begin(tmp_path, count):
    """A new fragment begins every two seconds, now and then with nothing but B-frames before the end.

    Nor may what mends that prolong any other file, which would no longer have 30 frames a second.
    """
    info = SourceInfo("test", 64, 48, Fraction(30), time_base=Fraction(1, 1000))
    sink = VideoFileSink(tmp_path / "a.mp4", 64, 48, info, crf=20)
    for index in range(count):
        sink.write(moving_picture(index, 64, 48), round(index * 1000 / 30) / 1000)
    sink.close()
    with av.open(str(tmp_path / "a.mp4")) as container:
        rate = float(container.streams.video[0].average_rate or 0)
        assert rate == pytest.approx(30, abs=0.6 if count == 61 else 0.1)
        assert len(list(container.decode(video=0))) == count


def test_a_fragment_that_sound_begins_is_one_of_the_pictures_too():
    def packet(stream: int, dts: int, pts: int) -> Any:
        return SimpleNamespace(stream_index=stream, dts=dts, pts=pts, duration=1, time_base=Fraction(1))

    fragments = Fragments()
    given = [packet(0, 1, 1), packet(1, 0, 0), packet(0, 2, 5), packet(1, 2, 2), packet(0, 2, 3), packet(0, 3, 4)]
    for one in given:
        fragments.prepare(one)
    # until 6, where the picture ends that was coded before
    assert [one.duration for one in given] == [1, 1, 1, 1, 3, 1]


def test_webm_names_a_codec_that_it_holds(tmp_path):
    with pytest.raises(InputError, match=r"a\.webm: webm can't hold libx264; give --codec libvpx-vp9 or write \.mkv$"):
        VideoFileSink(tmp_path / "a.webm", 64, 48, INFO)
    VideoFileSink(tmp_path / "a.webm", 64, 48, INFO, codec="libvpx-vp9").abort()


def test_a_picture_of_another_shape_is_a_mistake(tmp_path):
    sink = VideoFileSink(tmp_path / "a.mp4", 64, 48, INFO)
    with pytest.raises(ValueError, match=r"got a picture of shape \(10, 10, 3\), wanted \(48, 64, 3\)"):
        sink.write(np.zeros((10, 10, 3), np.uint8), 0.0)
    sink.abort()


# Until it is whole


def test_an_existing_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("old")
    (tmp_path / "a.partial.mp4").write_text("from an earlier run")
    sink = VideoFileSink(path, 64, 48, INFO)
    sink.write(moving_picture(0, 64, 48), 0.0)
    assert path.read_text() == "old"
    sink.close()
    assert len(video_pts(path)) == 1
    assert (tmp_path / "a.partial.mp4").read_text() == "from an earlier run"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_as_output_stays_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "a.mp4").symlink_to(tmp_path / "disk" / "real.mp4")
    write(tmp_path / "a.mp4", [moving_picture(0, 64, 48)])
    assert (tmp_path / "a.mp4").is_symlink()
    assert len(video_pts(tmp_path / "disk" / "real.mp4")) == 1


def test_abort_keeps_a_playable_part_and_says_where(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4", pts=range(100), audio=["aac"])
    source = VideoFileSource(clip)
    sink = VideoFileSink(tmp_path / "a.mp4", 64, 48, source.info, audio_from=clip)
    for frame, _ in zip(source, range(40), strict=False):
        sink.write(frame.rgb, frame.seconds)
    sink.abort()
    source.close()
    assert sink.kept is not None
    assert sink.kept == tmp_path / "a.partial.mp4"
    assert seconds_of(sink.kept) == seconds_of(clip)[:40]
    assert 1 < audio_packets(sink.kept)[-1][0] < 2


WRITER = """
import os, signal, sys
from fractions import Fraction
from pathlib import Path
from video_harmonizer.frame import SourceInfo
from video_harmonizer.sinks.video_file import VideoFileSink
from clips import moving_picture

sink = VideoFileSink(Path(sys.argv[1]), 256, 192, SourceInfo("test", 256, 192, Fraction(25)), preset="ultrafast", crf=1)
for index in range(400):
    sink.write(moving_picture(index, 256, 192), index / 25)
    if index == 250 and sys.argv[2] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
sink.close()
"""


def run_writer(path: Path, *arguments: str, **kwargs) -> subprocess.CompletedProcess:
    paths = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])])
    environment = os.environ | {"PYTHONPATH": paths}
    command = [sys.executable, "-c", WRITER, str(path), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, **kwargs)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_killed_run_leaves_a_readable_part(tmp_path, name):
    run = run_writer(tmp_path / name, "kill")
    assert run.returncode == -signal.SIGKILL
    part = seconds_of(tmp_path / name.replace(".", ".partial."))
    assert len(part) > 150
    assert part == [Fraction(index, 25) for index in range(len(part))]
    assert not (tmp_path / name).exists()


def test_a_disk_that_fills_up_is_an_error_and_the_old_file_stays(tmp_path):
    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    (tmp_path / "a.mp4").write_text("old")
    run = run_writer(tmp_path / "a.mp4", "write", preexec_fn=small_disk)
    assert run.returncode == 1
    assert "InputError" in run.stderr
    assert "a.mp4: it can't be written (File too large); free some space" in run.stderr
    assert (tmp_path / "a.mp4").read_text() == "old"


# Real clips


@pytest.mark.parametrize("name", ["intel/asl_book.mkv", "intel/one-by-one-person-detection.mp4"])
def test_a_real_clip_keeps_its_times_and_memory_stays_flat(reference, tmp_path, name):
    clip = reference / "videos" / name
    out = tmp_path / f"out{clip.suffix}"
    source = VideoFileSource(clip)
    sink = VideoFileSink(out, source.info.width, source.info.height, source.info, preset="ultrafast", audio_from=clip)
    memory = {}
    for frame in source:
        sink.write(frame.rgb, frame.seconds)
        memory[frame.index] = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    sink.close()
    assert seconds_of(out) == seconds_of(clip)
    assert duration_of(out) == pytest.approx(duration_of(clip), abs=0.002)
    assert memory[max(memory)] - memory[min(200, max(memory) // 2)] < 20e6
