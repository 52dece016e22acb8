"""What sources and sinks agree on in a media file."""

from types import SimpleNamespace

from video_harmonizer.container import main_video

COVER = 0x400


def test_the_video_that_counts_is_the_first_one_that_can_be_decoded_and_moves():
    cover, undecodable, talk, other = (
        SimpleNamespace(disposition=COVER, codec_context=object()),
        SimpleNamespace(disposition=0, codec_context=None),
        SimpleNamespace(disposition=0, codec_context=object()),
        SimpleNamespace(disposition=0, codec_context=object()),
    )

    def chosen(*streams: SimpleNamespace) -> object:
        return main_video(SimpleNamespace(streams=SimpleNamespace(video=streams)))  # type: ignore[arg-type]

    assert chosen(cover, undecodable, talk, other) is talk
    assert chosen(cover, undecodable) is None
