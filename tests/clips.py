"""Clips made on the spot, with PyAV alone, so that the code under test has no hand in them."""

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.video.plane import VideoPlane
from av.video.stream import VideoStream

MATRICES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def yuv_codes(rgb: Sequence[float], matrix: int, full_range: bool, bits: int = 8) -> tuple[int, int, int]:
    """Code values of one colour given as R'G'B' in 0..1, straight from ITU-T H.273."""
    red, green, blue = rgb
    kr, kb = MATRICES[matrix]
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
    if full_range:
        peak = 2**bits - 1
        return round(luma * peak), round(cb * peak) + 2 ** (bits - 1), round(cr * peak) + 2 ** (bits - 1)
    scale = 2 ** (bits - 8)
    return round((219 * luma + 16) * scale), round((224 * cb + 128) * scale), round((224 * cr + 128) * scale)


def flat_frame(codes: Sequence[int], pixel_format: str, width: int, height: int) -> av.VideoFrame:
    """A planar frame whose planes hold one value each."""
    frame = av.VideoFrame(width, height, pixel_format)
    for plane, value, component in zip(frame.planes, codes, frame.format.components, strict=False):
        plane_of(plane, np.uint8 if component.bits <= 8 else np.uint16)[:] = value
    return frame


def plane_of(plane: VideoPlane, dtype: type = np.uint8) -> np.ndarray:
    """(height, width) view of a frame's plane, which can be written to."""
    rows = np.frombuffer(plane, dtype)  # type: ignore[call-overload]
    return rows.reshape(plane.height, -1)[:, : plane.width]


def moving_picture(index: int, width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8: a smooth picture that differs from frame to frame."""
    y, x = np.mgrid[:height, :width]
    red, green = 255 * x / max(width - 1, 1), 255 * y / max(height - 1, 1)
    blue = 127 + 127 * np.sin(index / 3 + x / 7)
    return np.stack([red, green, blue], axis=2).astype(np.uint8)


def tone(sample: int, count: int, rate: int = 48000) -> av.AudioFrame:
    """``count`` stereo samples of a 440 Hz tone, from ``sample`` on."""
    wave = 0.2 * np.sin(2 * np.pi * 440 * (sample + np.arange(count)) / rate)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]).astype(np.float32), "fltp", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = rate, sample, Fraction(1, rate)
    return frame


def make_clip(
    path: Path,
    pts: Sequence[int] = range(10),
    time_base: Fraction = Fraction(1, 25),
    last_duration: int | None = None,  # default: the first frame's
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    picture: Callable[[int], av.VideoFrame] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    audio: Sequence[str] = (),
    audio_languages: Sequence[str] = (),
    audio_seconds: float | None = None,  # at least
    audio_start: int = 0,  # seconds
    tags: dict[str, str] | None = None,
    video_tags: dict[str, str] | None = None,
    chapters: Sequence[tuple[int, int, str]] = (),  # start and end in milliseconds, title
    color: tuple[int, int, int, int] | None = None,  # primaries, transfer, matrix, range
    pixel_aspect: Fraction = Fraction(1),
) -> Path:
    """Write a clip whose frames have exactly these ``pts`` in ``time_base``, and sound if asked for."""
    width, height = size
    output = av.open(str(path), "w", container_options=container_options or {})
    output.metadata.update(tags or {})
    output.set_chapters(
        [
            {"id": n, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
            for n, (start, end, title) in enumerate(chapters, 1)
        ]
    )
    stream = output.add_stream(codec, rate=round(1 / time_base) if time_base > Fraction(1, 200) else 25)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
    stream.codec_context.time_base = time_base
    stream.codec_context.options = {"preset": "ultrafast", "crf": "1", "bf": "2"} if codec == "libx264" else {}
    stream.codec_context.options |= options or {}
    if color:
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = color
    stream.codec_context.sample_aspect_ratio = pixel_aspect
    added = [output.add_stream(name, rate=48000, layout="stereo") for name in audio]
    voices = [voice for voice in added if isinstance(voice, AudioStream)]
    stream.metadata.update(video_tags or {})
    for voice, language in zip(voices, audio_languages, strict=False):
        voice.metadata["language"] = language
    stream.codec_context.flags |= Flags.frame_duration
    last_duration = last_duration or (pts[1] - pts[0] if len(pts) > 1 else 1)
    sample = audio_start * 48000
    for index, time in enumerate(pts):
        frame = picture(index) if picture else av.VideoFrame.from_ndarray(moving_picture(index, width, height))
        frame.pts, frame.time_base = time, time_base
        is_last = index + 1 == len(pts)
        frame.duration = last_duration if is_last else pts[index + 1] - time
        output.mux(stream.encode(frame))
        sample = _sound_until((time + 1) * time_base, sample, voices, output)
    output.mux(stream.encode(None))
    _sound_until(Fraction(audio_seconds or 0), sample, voices, output)
    for voice in voices:
        output.mux(voice.encode(None))
    output.close()
    return path


def _sound_until(
    seconds: Fraction, sample: int, voices: list[AudioStream], output: av.container.OutputContainer
) -> int:
    while sample < seconds * 48000:
        for voice in voices:
            output.mux(voice.encode(tone(sample, 1024)))
        sample += 1024
    return sample


def video_pts(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [frame.pts for frame in container.decode(video=0) if frame.pts is not None]


def audio_packets(path: Path, stream: int = 0) -> list[tuple[Fraction, bytes]]:
    """(start in seconds, bytes) of every packet of an audio stream."""
    with av.open(str(path)) as container:
        packets = container.demux(audio=stream)
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets if packet.pts is not None]


def trim(path: Path, begin: float, end: float, tracks: int | None = None) -> Path:
    """Hide what is outside of these seconds by edit lists, as phones trim an MP4 without writing it anew.

    Args:
        tracks: how many of the first ones; all where it is not given.
    """
    data = bytearray(path.read_bytes())
    (movie,) = _boxes(data, [b"moov", b"mvhd"])
    scale = struct.unpack_from(">I", data, movie + 12)[0]
    edits = _boxes(data, [b"moov", b"trak", b"edts", b"elst"])
    media = _boxes(data, [b"moov", b"trak", b"mdia", b"mdhd"])
    for edit, header in list(zip(edits, media, strict=True))[:tracks]:
        (began,), (rate,) = struct.unpack_from(">i", data, edit + 12), struct.unpack_from(">I", data, header + 12)
        struct.pack_into(">Ii", data, edit + 8, round((end - begin) * scale), began + round(begin * rate))
    path.write_bytes(data)
    return path


def _boxes(data: bytearray, names: Sequence[bytes], start: int = 0, end: int | None = None) -> list[int]:
    """Where the contents of an MP4's boxes begin that lie in each other by these names."""
    found = []
    while start < (len(data) if end is None else end):
        size, name = struct.unpack_from(">I4s", data, start)
        if name == names[0]:
            found += [start + 8] if len(names) == 1 else _boxes(data, names[1:], start + 8, start + size)
        start += size
    return found
