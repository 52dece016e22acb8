"""What the commands do: open what the options name, run the pipeline, say what was done."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from tqdm import tqdm

from video_harmonizer import assemble, checks
from video_harmonizer.engine import Engine
from video_harmonizer.errors import InputError
from video_harmonizer.frame import SourceInfo, Views
from video_harmonizer.live import LiveWatch, Pace
from video_harmonizer.matting import Matting
from video_harmonizer.matting.given import GivenMask
from video_harmonizer.options import ImageOptions, LiveOptions, Options, VideoOptions
from video_harmonizer.pipeline import Pipeline, Run, StageTimer, run
from video_harmonizer.report import Report, WarningList
from video_harmonizer.sinks import Sink
from video_harmonizer.sinks.image_files import ImageFileSink
from video_harmonizer.sinks.window import WindowSink
from video_harmonizer.sinks.writer import ThreadedWriter
from video_harmonizer.sources import CAMERA_RATE, NO_WISH, Source, Wish, open_source
from video_harmonizer.sources.image import files_of, read_image
from video_harmonizer.sources.prefetch import PrefetchSource
from video_harmonizer.staging import free_name, staged
from video_harmonizer.undisturbed import Undisturbed

log = logging.getLogger(__name__)

SOMEBODY = 0.005  # share of a picture: less, in all frames, is nobody
EVERYWHERE = 0.995  # likewise: more leaves no scene
INTERRUPTED = 130  # the exit status that shells give a program ended by Ctrl-C


def video(options: VideoOptions, warnings: WarningList) -> int:
    """Harmonize a file into a file; the exit status."""
    engine = assemble.choose_engine(options.engine, options.device, options.precision)
    with Undisturbed() as cleanup:
        source = _opened(cleanup, str(options.input), Wish(options.fps))
        if source.info.live:
            raise InputError(f"{options.input}: a camera; for live video use run_webcam.py --source {options.input}")
        _tell_unused_rate(options, source.info)
        inputs = _read_from(options.input, options.background, options.matting)
        sink = _opened_file(cleanup, options.output, source, options, inputs)
        background = assemble.make_background(options)
        matting = assemble.make_matting(options, engine, source.info, cleanup)
        ahead = PrefetchSource(source)
        cleanup.callback(ahead.close)
        pipeline = assemble.make_pipeline(options, matting, background, engine)
        return _process(options, engine, ahead, pipeline, [sink], warnings, cleanup)


def image(options: ImageOptions, warnings: WarningList) -> int:
    """Harmonize one picture; the exit status."""
    engine = assemble.choose_engine(options.engine, options.device, options.precision)
    with Undisturbed() as cleanup:
        source = _opened(cleanup, str(options.picture))
        if source.info.frames != 1:
            raise InputError(f"{options.picture}: not one picture; for videos and sequences use the video command")
        inputs = _read_from(options.picture, options.mask, options.background, options.matting)
        sink = _abandoned_on_failure(cleanup, ImageFileSink(options.output, source.info, inputs))
        background = assemble.make_background(options)
        matting: Matting
        if options.mask is not None:
            matting = GivenMask(read_image(options.mask, as_mask=True), str(options.mask))
        else:
            matting = assemble.make_matting(options, engine, source.info, cleanup)
        pipeline = assemble.make_pipeline(options, matting, background, engine)
        status = _process(options, engine, source, pipeline, [sink], warnings, cleanup)
        if options.mask is not None and pipeline.estimator.largest > EVERYWHERE:
            log.warning("%s: white everywhere, so that no scene is left to harmonize with", options.mask)
        return status


def live(options: LiveOptions, warnings: WarningList) -> int:
    """Harmonize a camera, or a file at its own pace, in a window; the exit status."""
    if not options.window and options.output is None:
        raise InputError("--no-window: nothing would be shown or written; give --output FILE too")
    engine = assemble.choose_engine(options.engine, options.device, options.precision)
    with Undisturbed() as cleanup:
        sinks: list[Sink] = []
        window = None
        if options.window:  # before any source: a window that opens after PyAV is loaded freezes
            window = WindowSink("Video Harmonizer")
            cleanup.callback(window.close)
            sinks.append(window)
        wish = Wish(options.fps, checks.camera_size(options), options.mirror)
        source = _opened(cleanup, options.source, wish)
        live_source = source.info.live
        if not live_source:
            _tell_unused_wishes(options, source.info)
        in_real_time = live_source or window is not None  # else nobody waits for a frame
        if options.output is not None and live_source and options.output.is_file():
            free = free_name(options.output)
            log.warning("%s: is there already; this is recorded into %s", options.output, free)
            options = replace(options, output=free)
        if options.output is not None:
            inputs = _read_from(options.source, options.background, options.matting)
            sinks.append(_opened_file(cleanup, options.output, source, options, inputs, in_real_time))
        background = assemble.make_background(options, live_source)
        matting = assemble.make_matting(options, engine, source.info, cleanup)
        if not live_source:
            source = PrefetchSource(source)
            cleanup.callback(source.close)
        pipeline = assemble.make_pipeline(options, matting, background, engine)
        if live_source:
            _warm_up(pipeline, source)
        # more frames than a camera gives need no effort, and a file's all have to be shown
        wanted = options.fps or CAMERA_RATE
        rate = float(source.info.rate or wanted)
        fps = min(wanted, rate) if live_source else rate
        watch = LiveWatch(pipeline, fps, window, None if live_source else Pace(), source.info.frames == 1)
        return _process(options, engine, source, pipeline, sinks, warnings, cleanup, watch if in_real_time else None)


def _tell_unused_wishes(options: LiveOptions, source: SourceInfo) -> None:
    wished = {"--size": options.size != LiveOptions.size, "--mirror": options.mirror}
    for name in (name for name, given in wished.items() if given):
        log.warning("%s: not used, as %s is no camera", name, source.name)
    _tell_unused_rate(options, source)


def _tell_unused_rate(options: VideoOptions | LiveOptions, source: SourceInfo) -> None:
    if options.fps is not None and source.rate != Fraction(options.fps).limit_denominator(1001):
        log.warning("--fps %g: not used, as %s has a rate of its own", options.fps, source.name)


def _warm_up(pipeline: Pipeline, camera: Source) -> None:
    """Send one picture of it through and forget it: what a first frame waits for would be a still in the recording."""
    pipeline.process(next(iter(camera)))
    pipeline.timer = StageTimer()


def _process(
    options: VideoOptions | ImageOptions | LiveOptions,
    engine: Engine,
    source: Source,
    pipeline: Pipeline,
    sinks: Sequence[Sink],
    warnings: WarningList,
    cleanup: Undisturbed,
    watch: LiveWatch | None = None,
) -> int:
    report = staged(cleanup, "--report", options.report, ".json")
    with tqdm(total=source.info.frames, unit="frame", dynamic_ncols=True, disable=None) as bar:

        def advance(views: Views) -> bool:
            bar.update()
            return watch is None or watch.after_frame(views)

        def wait(views: Views) -> bool:
            return watch is None or watch.before_frame(views)

        def idle() -> bool:
            return watch is None or watch.while_waiting()

        done = run(source, pipeline, [(options.view, sink) for sink in sinks], wait, advance, idle, cleanup)
    written = next((sink.kept for sink in sinks if sink.kept), options.output)
    _tell(options, done, written)
    if done.frames_out and pipeline.estimator.largest < SOMEBODY:
        share = f"{pipeline.estimator.largest:.1%} of a picture at most"
        log.warning("hardly anybody was found (%s); %s", share, assemble.remedy_for_nobody(options))
    if report:
        changes = watch.budget.changes if watch else []
        report.publish_text(Report.of(done, pipeline, engine, written, warnings.texts, changes).to_json())
    if done.failure:
        raise done.failure
    return INTERRUPTED if done.interrupted else 0


def _tell(options: VideoOptions | ImageOptions | LiveOptions, done: Run, written: Path | None) -> None:
    log.info("%d frames in %.1f s (%.1f a second)", done.frames_out, done.seconds, done.frames_out / done.seconds)
    if written is None:
        return
    log.info("written to %s%s", written, f", as {options.output} is there already" if written != options.output else "")
    if done.interrupted:
        log.info("stopped: what was done until then is complete and playable")


def _opened(cleanup: ExitStack, text: str, wish: Wish = NO_WISH) -> Source:
    source = open_source(text, wish)
    cleanup.callback(source.close)
    return source


def _read_from(*names: str | Path | None) -> list[Path]:
    return [file for name in names if name is not None for file in files_of(Path(name))]


def _opened_file(
    cleanup: ExitStack, path: Path, source: Source, options: Options, inputs: list[Path], hurried: bool = False
) -> Sink:
    sink = assemble.open_file_sink(path, source.info, options, inputs, hurried)
    return _abandoned_on_failure(cleanup, ThreadedWriter(sink))


def _abandoned_on_failure(cleanup: ExitStack, sink: Sink) -> Sink:
    def abandon(failed: type[BaseException] | None, *_: object) -> None:
        sink.abort()  # does nothing once the sink is closed
        if failed and sink.kept:
            log.warning("%s: holds what could be written before it failed", sink.kept)

    cleanup.push(abandon)
    return sink
