"""What sources and sinks agree on in a media file."""

from types import SimpleNamespace

from video_harmonizer.container import main_video

DEFAULT, COVER = 1, 0x400


def test_the_video_that_counts_is_the_largest_one_that_can_be_decoded_and_moves():
    cover, undecodable, small, talk, other, shown = (
        SimpleNamespace(disposition=COVER, codec_context=object(), width=900, height=900),
        SimpleNamespace(disposition=0, codec_context=None, width=900, height=900),
        SimpleNamespace(disposition=0, codec_context=object(), width=320, height=180),
        SimpleNamespace(disposition=0, codec_context=object(), width=640, height=360),
        SimpleNamespace(disposition=0, codec_context=object(), width=360, height=640),
        SimpleNamespace(disposition=DEFAULT, codec_context=object(), width=64, height=36),
    )

    def chosen(*streams: SimpleNamespace) -> object:
        return main_video(SimpleNamespace(streams=SimpleNamespace(video=streams)))  # type: ignore[arg-type]

    assert chosen(cover, undecodable, small, talk, other) is talk
    assert chosen(talk, shown) is shown
    assert chosen(cover, undecodable) is None
