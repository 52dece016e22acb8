"""Cost against resolution, as a picture."""

from io import BytesIO

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from video_harmonizer.benchmark.results import Results


def plot(results: Results) -> bytes:
    """A PNG of milliseconds a frame over pixels, both logarithmic: a line of slope 1 is a fixed cost a pixel."""
    sizes = sorted(results.sizes, key=lambda size: size.width * size.height)
    pixels = [size.width * size.height for size in sizes]
    lines = {
        "textbook, file to file": ([1e3 / size.textbook.fps for size in sizes], "tab:red", "o-"),
        "file to file": ([1e3 / size.file.fps for size in sizes], "tab:blue", "o-"),
        "live, no encoding": ([1e3 / size.live.fps for size in sizes], "tab:cyan", "o-"),
        "render harmonized + paste": ([size.stages_ms["render_harmonized_paste"] for size in sizes], "tab:green", "o-"),
        "memcpy of what that moves": ([size.floor_ms for size in sizes], "gray", ".--"),
    }
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.subplots()
    for label, (values, color, style) in lines.items():
        axes.plot(pixels, values, style, color=color, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(pixels, [f"{size.name}\n{size.width}x{size.height}" for size in sizes])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("milliseconds a frame")
    axes.axhline(1e3 / 30, color="black", linewidth=0.8, linestyle=":", label="30 frames a second")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3, fontsize="small")
    machine = results.machine
    axes.set_title(machine["accelerator"] or f"{machine['cpu']}, {machine['cores']} cores", fontsize="medium")
    png = BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()
