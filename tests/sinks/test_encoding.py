"""What encoders are told."""

from fractions import Fraction

import av
import pytest
from av.video.codeccontext import VideoCodecContext

from video_harmonizer.frame import SourceInfo
from video_harmonizer.sinks.encoding import HURRIED, Encoding

INFO = SourceInfo("camera", 64, 48, Fraction(25))


def told(codec: str, preset: str | None, hurried: bool) -> dict[str, str]:
    """The settings that the encoder gets, which it was found to take."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    Encoding(codec, None, preset, 64, 48, INFO, Fraction(1, 25), hurried).set_up(context)
    return dict(context.options)


@pytest.mark.parametrize("codec", HURRIED)
def test_encoders_hurry_where_somebody_watches(codec: str):
    assert told(codec, None, hurried=True).items() >= HURRIED[codec].items()
    assert not told(codec, None, hurried=False).keys() & HURRIED[codec].keys()


def test_a_preset_that_is_given_is_kept():
    assert told("libx264", "slow", hurried=True)["preset"] == "slow"
