"""Blending 64 pixels at a time, on processors with AVX-512 VBMI, which looks 64 levels up in a tone table at once.

No compiler makes such lookups of a loop, so what happens to 64 pixels is written here as instructions for LLVM. The
result is that of the loops of `rendering.kernels`, which do what remains at the right, and whole pictures elsewhere.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core.registry import cpu_target
from numba.extending import intrinsic, is_jitted

from video_harmonizer.compiled import compiled

PIXELS = 64  # at a time: three vectors of 64 bytes of colour, and one of alpha

BIT, BYTES, WORDS, INDICES = (ir.VectorType(ir.IntType(bits), PIXELS) for bits in (1, 8, 16, 32))
ADDRESS = ir.IntType(64)


def blend(rgb: np.ndarray, foreground: np.ndarray, alpha: np.ndarray, table: np.ndarray, out: np.ndarray) -> int:
    """`rendering.kernels.blend` over what ``out`` holds, as far as it can be done 64 columns at a time.

    Returns:
        The columns from the left that are done: none on other processors, for uint16, where the pixels of a row do not
        lie side by side, or with a table of another shape than (3, 256).
    """
    columns = _columns(alpha, table, (rgb, foreground, out))
    if columns:
        _blend(rgb, foreground, alpha, np.ascontiguousarray(table), out, columns)
    return columns


def blend_pair(
    rgb: np.ndarray,
    foreground: np.ndarray,
    alpha: np.ndarray,
    table: np.ndarray,
    harmonized: np.ndarray,
    paste: np.ndarray,
) -> int:
    """`rendering.kernels.blend_pair`, likewise."""
    columns = _columns(alpha, table, (rgb, foreground, harmonized, paste))
    if columns:
        _blend_pair(rgb, foreground, alpha, np.ascontiguousarray(table), harmonized, paste, columns)
    return columns


def _columns(alpha: np.ndarray, table: np.ndarray, pictures: Sequence[np.ndarray]) -> int:
    """How many can be done; 0 unless all is uint8, its pixels lie side by side, and the table is (3, 256)."""
    dense = all(picture.dtype == np.uint8 and picture.strides[1:] == (3, 1) for picture in pictures)
    usual = alpha.dtype == table.dtype == np.uint8 and alpha.strides[1] == 1 and table.shape == (3, 256)
    if not (dense and usual and available()):
        return 0
    return alpha.shape[1] // PIXELS * PIXELS


@cache
def available() -> bool:
    """Whether Numba compiles, and for such a processor."""
    features = cpu_target.target_context.codegen().magic_tuple()[2]
    return "+avx512vbmi," in f"{features}," and is_jitted(_blend)


def _generate(
    context: Any, builder: ir.IRBuilder, signature: Any, addresses: Sequence[ir.Value], toned: Sequence[bool]
) -> ir.Value:
    """As Numba's `intrinsic` wants it; which pictures are ``toned``, see `_Blending.over`."""
    rgb, foreground, alpha, table, *outs = addresses
    _Blending(builder, rgb, foreground, alpha, table).over(outs, toned)
    return context.get_dummy_value()


def _type_blend(typing: Any, rgb: Any, foreground: Any, alpha: Any, table: Any, out: Any) -> Any:
    """All are addresses: of the first of 64 pixels, and of the table."""
    return numba.void(*[numba.intp] * 5), partial(_generate, toned=[True])


def _type_blend_pair(
    typing: Any, rgb: Any, foreground: Any, alpha: Any, table: Any, harmonized: Any, paste: Any
) -> Any:
    """Likewise; what lies behind the person is read from ``harmonized`` for both."""
    return numba.void(*[numba.intp] * 6), partial(_generate, toned=[True, False])


# without the types of their wrappers, which know nothing of the argument that only Numba gives
_blend_64: Any = intrinsic(_type_blend)
_blend_pair_64: Any = intrinsic(_type_blend_pair)


class _Blending:
    """Writes the instructions for 64 pixels."""

    def __init__(
        self, builder: ir.IRBuilder, rgb: ir.Value, foreground: ir.Value, alpha: ir.Value, table: ir.Value
    ) -> None:
        self._builder = builder
        self._rgb, self._foreground, self._alpha, self._table = rgb, foreground, alpha, table

    def over(self, outs: Sequence[ir.Value], toned: Sequence[bool]) -> None:
        """Blend over each of the pictures, of which those that are ``toned`` get colours of the table."""
        builder = self._builder
        alpha = self._load(self._alpha, 0)
        somebody, background = (self._any(builder.icmp_unsigned("!=", alpha, _all(BYTES, level))) for level in (0, 255))
        with builder.if_then(somebody), builder.if_else(background) as (mixed, opaque):
            with opaque:
                for part in range(3):
                    levels = self._load(self._rgb, part)
                    for out, look_up in zip(outs, toned, strict=True):
                        self._store(self._toned(levels, part) if look_up else levels, out, part)
            with mixed:
                for part in range(3):
                    self._mix(alpha, outs, toned, part)

    def _mix(self, alpha: ir.Value, outs: Sequence[ir.Value], toned: Sequence[bool], part: int) -> None:
        """(level * alpha + behind * (255 - alpha) + 127) / 255, which 16 bits hold."""
        builder = self._builder
        own_pixel = ir.Constant(INDICES, [(PIXELS * part + i) // 3 for i in range(PIXELS)])
        alpha = builder.shuffle_vector(alpha, alpha, own_pixel)
        opaque = builder.icmp_unsigned("==", alpha, _all(BYTES, 255))
        levels = builder.select(opaque, self._load(self._rgb, part), self._load(self._foreground, part))
        share = builder.zext(alpha, WORDS)
        behind = builder.zext(self._load(outs[0], part), WORDS)
        behind = builder.mul(behind, builder.sub(_all(WORDS, 255), share))
        behind = builder.add(behind, _all(WORDS, 127))
        for out, look_up in zip(outs, toned, strict=True):
            level = builder.zext(self._toned(levels, part) if look_up else levels, WORDS)
            mixed = builder.udiv(builder.add(builder.mul(level, share), behind), _all(WORDS, 255))
            self._store(builder.trunc(mixed, BYTES), out, part)

    def _toned(self, levels: ir.Value, part: int) -> ir.Value:
        """What the table (3, 256) has for each byte of that third of the pixels; their channels alternate."""
        builder = self._builder
        permute = builder.module.declare_intrinsic(
            "llvm.x86.avx512.vpermi2var.qi.512", fnty=ir.FunctionType(BYTES, [BYTES] * 3)
        )
        upper = builder.icmp_unsigned(">=", levels, _all(BYTES, 128))
        toned = levels
        for channel in range(3):
            quarters = [self._load(self._table, 4 * channel + quarter) for quarter in range(4)]
            low = builder.call(permute, [quarters[0], levels, quarters[1]])
            high = builder.call(permute, [quarters[2], levels, quarters[3]])
            here = ir.Constant(BIT, [(PIXELS * part + i) % 3 == channel for i in range(PIXELS)])
            toned = builder.select(here, builder.select(upper, high, low), toned)
        return toned

    def _any(self, bits: ir.Value) -> ir.Value:
        return self._builder.icmp_unsigned("!=", self._builder.bitcast(bits, ADDRESS), ir.Constant(ADDRESS, 0))

    def _load(self, address: ir.Value, vector: int) -> ir.Value:
        return self._builder.load(self._at(address, vector), align=1)

    def _store(self, value: ir.Value, address: ir.Value, vector: int) -> None:
        self._builder.store(value, self._at(address, vector), align=1)

    def _at(self, address: ir.Value, vector: int) -> ir.Value:
        moved = self._builder.add(address, ir.Constant(ADDRESS, PIXELS * vector))
        return self._builder.inttoptr(moved, BYTES.as_pointer())


def _all(kind: ir.VectorType, value: int) -> ir.Constant:
    return ir.Constant(kind, [value] * PIXELS)


@compiled
def _blend(
    rgb: np.ndarray, foreground: np.ndarray, alpha: np.ndarray, table: np.ndarray, out: np.ndarray, columns: int
) -> None:
    tones = table.ctypes.data
    for y in range(alpha.shape[0]):
        frame, person, drawn = rgb[y].ctypes.data, foreground[y].ctypes.data, out[y].ctypes.data
        shares = alpha[y].ctypes.data
        for x in range(0, columns, PIXELS):
            _blend_64(frame + 3 * x, person + 3 * x, shares + x, tones, drawn + 3 * x)


@compiled
def _blend_pair(
    rgb: np.ndarray,
    foreground: np.ndarray,
    alpha: np.ndarray,
    table: np.ndarray,
    harmonized: np.ndarray,
    paste: np.ndarray,
    columns: int,
) -> None:
    tones = table.ctypes.data
    for y in range(alpha.shape[0]):
        frame, person, shares = rgb[y].ctypes.data, foreground[y].ctypes.data, alpha[y].ctypes.data
        first, second = harmonized[y].ctypes.data, paste[y].ctypes.data
        for x in range(0, columns, PIXELS):
            _blend_pair_64(frame + 3 * x, person + 3 * x, shares + x, tones, first + 3 * x, second + 3 * x)
