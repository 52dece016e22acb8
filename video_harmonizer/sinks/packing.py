"""From RGB pictures to the frames that a video encoder takes."""

import av
import numpy as np
from av.filter import Graph

from video_harmonizer import yuv
from video_harmonizer.frame import BT709, UNSPECIFIED, VideoColor
from video_harmonizer.pixels import to_depth

RGB_MATRIX = 0  # AVColorSpace
LIMITED, FULL = 1, 2  # AVColorRange


class FramePacker:
    """Converts RGB to one pixel format, and says which colour tags describe the result.

    The source's primaries, transfer, matrix and range are kept; what it leaves open, or what does not fit
    the pixel format, becomes BT.709, limited range.
    """

    def __init__(self, pixel_format: str, width: int, height: int, source: VideoColor) -> None:
        self._pixel_format = pixel_format
        self._size = f"{width}x{height}"
        layout = av.VideoFormat(pixel_format)
        self._is_rgb = layout.is_rgb
        self._is_deep = layout.components[0].bits > 8
        # what most files are; without swscale it takes a third of the time
        self._is_usual = pixel_format == "yuv420p" and width % 2 == height % 2 == 0
        self._graphs: dict[str, Graph] = {}
        self.primaries = BT709 if source.primaries == UNSPECIFIED else source.primaries
        self.transfer = BT709 if source.transfer == UNSPECIFIED else source.transfer
        self.matrix = source.matrix if source.matrix in yuv.LUMA_WEIGHTS else BT709
        self.range = FULL if source.full_range else LIMITED
        if self._is_rgb:
            self.matrix, self.range = RGB_MATRIX, FULL

    def pack(self, rgb: np.ndarray) -> av.VideoFrame:
        """(H, W, 3) uint8 or uint16 as a frame of the pixel format; shares no memory with ``rgb``."""
        # swscale would shift bits: 8 to 10 make white 1020 of 1023, and 16 to 8 are brighter by half a level
        rgb = to_depth(rgb, np.uint16 if self._is_deep else np.uint8)
        if self._is_rgb:
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24" if rgb.dtype == np.uint8 else "rgb48le")
        else:
            codes = yuv.from_rgb(rgb, self.matrix, self.range == FULL)
            frame = _halved(codes) if self._is_usual else _planar(codes)
        frame.colorspace, frame.color_range = self.matrix, self.range
        if self._is_usual:
            return frame
        frame.pts = 0  # the graph wants one; the caller sets the real one
        name = frame.format.name
        graph = self._graphs.get(name) or self._graphs.setdefault(name, self._resampler(name))
        graph.vpush(frame)
        return graph.vpull()

    def _resampler(self, pixel_format: str) -> Graph:
        """From ``pixel_format`` to the encoder's: depth, layout and chroma's size, never colour."""
        graph = Graph()
        graph.link_nodes(
            graph.add(
                "buffer",
                video_size=self._size,
                pix_fmt=pixel_format,
                time_base="1/1",
                pixel_aspect="1/1",
                colorspace=str(self.matrix),
                range=str(self.range),
            ),
            # Players take 4:2:0 chroma to lie at the left pixel of each pair; swscale would put it in between.
            graph.add("scale", "flags=bicubic+accurate_rnd:out_chroma_loc=left"),
            graph.add("format", self._pixel_format),
            graph.add("buffersink"),
        ).configure()
        return graph


def _planar(codes: np.ndarray) -> av.VideoFrame:
    """(3, H, W) Y'CbCr as a 4:4:4 frame of 8 or 16 bits."""
    height, width = codes.shape[1:]
    frame = av.VideoFrame(width, height, "yuv444p" if codes.dtype == np.uint8 else "yuv444p16le")
    for plane, channel in zip(frame.planes, codes, strict=True):
        _pixels(plane, codes.dtype)[:] = channel
    return frame


def _halved(codes: np.ndarray) -> av.VideoFrame:
    """(3, 2 h, 2 w) Y'CbCr of 8 bits as a 4:2:0 frame."""
    height, width = codes.shape[1:]
    frame = av.VideoFrame(width, height, "yuv420p")
    luma, *chroma = (_pixels(plane, codes.dtype) for plane in frame.planes)
    luma[:] = codes[0]
    for channel, out in zip(codes[1:], chroma, strict=True):
        yuv.halve(channel, out)
    return frame


def _pixels(plane: av.video.plane.VideoPlane, dtype: np.dtype) -> np.ndarray:
    """(h, w), to read and to write."""
    rows = np.frombuffer(plane, dtype).reshape(plane.height, plane.line_size // dtype.itemsize)  # type: ignore[call-overload]
    return rows[:, : plane.width]
