"""Sound of a codec that the output's format can't hold: decoded, and encoded by one that it holds."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec import Codec
from av.container import OutputContainer
from av.packet import Packet

# By the number of channels, the layouts that both encoders know; of others two channels are mixed
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
ENCODERS = {"aac": "aac", "opus": "libopus"}  # by codec, the better known one first
USUAL_RATE = 48_000  # samples a second
# For the resampler: files may round times to milliseconds, and encoders would repeat that. So samples follow each other
# without a seam, but where times are off by more than these seconds: there silence fills a gap.
CONTINUOUS = {"async": "1", "min_hard_comp": "0.05"}
BIT_RATE = 96_000  # of each channel: more than what is called transparent of either


class Recoding:
    """One audio stream on its way into another codec. Sound stays where it was in time; memory stays flat.

    Args:
        original: the stream to decode.
        output: where the new stream is added, before the header is written.

    Attributes:
        stream: the new one.

    Raises:
        ValueError: the output's format holds none of `ENCODERS`.
    """

    def __init__(self, original: AudioStream, output: OutputContainer) -> None:
        codec = next((name for name in ENCODERS if name in output.supported_codecs), None)
        if codec is None:
            raise ValueError(f"got {output.format.name}; want a format that holds {' or '.join(ENCODERS)}")
        encoder = Codec(ENCODERS[codec], "w")
        assert encoder.audio_rates is not None
        assert encoder.audio_formats is not None
        rate = original.sample_rate if original.sample_rate in encoder.audio_rates else USUAL_RATE
        stream = output.add_stream(ENCODERS[codec], rate=rate)
        assert isinstance(stream, AudioStream)
        self.stream = stream
        self._decoder, self._encoder = original.codec_context, self.stream.codec_context
        self._encoder.layout = LAYOUTS.get(original.channels, "stereo")
        self._encoder.format = encoder.audio_formats[-1]  # float of the two that Opus takes
        self._encoder.bit_rate = BIT_RATE * self._encoder.layout.nb_channels
        self._kind: tuple[str, str, int] | None = None  # of the frames that come
        self._end = Fraction(0)  # of the latest frame, in seconds
        self._resampler = self._make_resampler()

    def encode(self, packet: Packet | None) -> Iterator[Packet]:
        """What comes of a packet, or of the end; FFmpegError if it is damaged."""
        for frame in self._decoder.decode(packet):
            kind = frame.format.name, frame.layout.name, frame.sample_rate
            if self._kind not in (None, kind):  # broadcasts change between stereo and surround
                yield from self._encode(self._resampler.resample(None))
                self._resampler = self._make_resampler()
            self._kind = kind
            # of several frames in a packet only the first one is timed
            start = self._end if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
            self._end = start + Fraction(frame.samples, frame.sample_rate)
            frame.pts = round(start * frame.sample_rate)
            frame.time_base = Fraction(1, frame.sample_rate)  # else the filter would count in the file's milliseconds
            yield from self._encode(self._resampler.resample(frame))
        if packet is None:
            yield from self._encode(self._resampler.resample(None))
            yield from self.stream.encode(None)

    def _encode(self, frames: Iterable[AudioFrame | None]) -> Iterator[Packet]:
        for frame in frames:
            if frame is not None:  # what a resampler that had nothing to do says at its end
                yield from self.stream.encode(frame)

    def _make_resampler(self) -> AudioResampler:
        encoder = self._encoder
        return AudioResampler(encoder.format, encoder.layout, encoder.sample_rate, options=CONTINUOUS)
