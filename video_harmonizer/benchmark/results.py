"""What was found: the contents of the JSON file, and the table."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from video_harmonizer.benchmark.stages import Shares
from video_harmonizer.benchmark.trial import Speed

STAGES = {
    "decode": "decode",
    "matting": "matting",
    "look": "- its first half, one thread",
    "matte": "- its second half, another",
    "background": "background",
    "estimate_once": "estimate, a time",
    "estimate_per_frame": "estimate, averaged a frame",
    "smooth": "smooth",
    "render_harmonized": "render harmonized",
    "render_harmonized_paste": "render harmonized + paste",
    "view_side_by_side": "view side-by-side",
    "encode": "encode",
}
TEXTBOOK_STAGES = ("decode", "matting", "estimate", "render", "encode")


@dataclass(frozen=True)
class Summary:
    """Medians over the rounds; of memory the most."""

    fps: float
    core_ms: float
    peak_mib: float | None
    fps_of_rounds: list[float]

    @classmethod
    def of(cls, speeds: Sequence[Speed]) -> "Summary":
        fps = [speed.fps for speed in speeds]
        peaks = [speed.peak_mib for speed in speeds if speed.peak_mib is not None]
        core_ms = median(speed.core_ms for speed in speeds)
        return cls(round(median(fps), 3), round(core_ms, 2), max(peaks, default=None), fps)


@dataclass(frozen=True)
class SizeResult:
    """One size."""

    name: str
    width: int
    height: int
    matte: Shares
    stages_ms: dict[str, float]  # medians of `STAGES`
    file: Summary  # file to file
    live: Summary  # without encoding
    textbook: Summary
    textbook_frames: int  # that its medians are of
    textbook_stages_ms: dict[str, float]  # medians of `TEXTBOOK_STAGES`
    floor_bytes: int  # that rendering harmonized and paste reads and writes
    floor_ms: float  # in which memory does so

    @property
    def faster(self) -> float:
        """Than the textbook, file to file."""
        return round(self.file.fps / self.textbook.fps, 2)

    @property
    def over_floor(self) -> float:
        """How many times the floor rendering takes."""
        return round(self.stages_ms["render_harmonized_paste"] / self.floor_ms, 2)


@dataclass(frozen=True)
class Results:
    """A whole benchmark."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    sizes: list[SizeResult]

    def to_json(self) -> str:
        """The dataclasses as they are, each size with ``faster_than_textbook`` and ``render_over_floor`` beside."""
        content = asdict(self)
        for size, entry in zip(self.sizes, content["sizes"], strict=True):
            entry |= {"faster_than_textbook": size.faster, "render_over_floor": size.over_floor}
        return json.dumps(content, indent=2) + "\n"

    def table(self) -> list[list[str]]:
        """Rows of cells, the headings first; a column a size."""
        sizes = self.sizes
        rows = [["", "", *(size.name for size in sizes)]]
        rows += [["", title, *(_ms(size.stages_ms[key]) for size in sizes)] for key, title in STAGES.items()]
        rows[1][0] = "stages, ms"
        rows += _speeds("file to file", [size.file for size in sizes])
        rows += _speeds("live, no encoding", [size.live for size in sizes])
        textbook = [["", key, *(_ms(size.textbook_stages_ms[key]) for size in sizes)] for key in TEXTBOOK_STAGES]
        textbook[0][0] = "textbook, ms"
        rows += textbook + _speeds("textbook", [size.textbook for size in sizes])
        rows += [
            ["", "frames measured", *(str(size.textbook_frames) for size in sizes)],
            ["", "file to file is faster by", *(f"{size.faster:.1f} x" for size in sizes)],
            ["floor", "memcpy for harmonized + paste, ms", *(_ms(size.floor_ms) for size in sizes)],
            ["", "render takes", *(f"{size.over_floor:.1f} x" for size in sizes)],
        ]
        return rows

    def notes(self) -> list[str]:
        """What one must know to read the table."""
        machine, settings = self.machine, self.settings
        versions = ", ".join(f"{name} {machine[name]}" for name in ("torch", "openvino") if machine[name])
        accelerator = f", {machine['accelerator']}" if machine["accelerator"] else ""
        ratio = f" at ratio {settings['downsample_ratio']}" if settings["downsample_ratio"] else ""
        mattes = "; ".join(
            f"{size.name} {size.matte.person:.0%} person, {size.matte.edge:.1%} edge" for size in self.sizes
        )
        return [
            f"{machine['cpu']}, {machine['cores']} cores{accelerator}; {machine['system']}; {versions}, "
            f"torch threads: {machine['torch_threads']}.",
            f"{settings['clip']}, {settings['frames']} frames a run, medians of {settings['rounds']} rounds. Matting: "
            f"{settings['matting']}{ratio}; harmonizer: {settings['harmonizer']}; networks in {settings['engine']} on "
            f"{settings['device']}, {settings['precision']}; x264 {settings['preset']}.",
            f"Mattes: {mattes}. Peak memory: {settings['memory']}.",
        ]


def _speeds(title: str, summaries: Sequence[Summary]) -> list[list[str]]:
    memory = ["?" if one.peak_mib is None else f"{one.peak_mib:.0f}" for one in summaries]
    return [
        [title, "frames a second", *(f"{one.fps:.3g}" if one.fps < 1 else f"{one.fps:.1f}" for one in summaries)],
        ["", "core-ms a frame", *(f"{one.core_ms:.1f}" for one in summaries)],
        ["", "peak memory, MiB", *memory],
    ]


def _ms(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"
