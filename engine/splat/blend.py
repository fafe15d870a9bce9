"""The innermost loop of the CPU backend, written as LLVM vector instructions through numba.

A block is 4 × 4 pixels, one vector lane each. All a block's sums stay in registers while its Gaussians go by, nearest
first. numba's own vectoriser can't do that: it keeps the sums in memory, which made the same loop about twice as slow.
LLVM splits 16 lanes into what the processor has (AVX-512, AVX2, NEON, SSE), so this runs everywhere numba does.

A row is what blending reads of one Gaussian, contiguous float32: `[x, y, A, B, C, L, features…]`, where the opacity at
a pixel is 2^(L − A·dx² − B·dx·dy − C·dy²), dx and dy being the distance from (x, y) in pixels.

A block's state is `[transmittance, coverage, features…]`, 16 float32 each. Transmittance is 0 once blending stops.
"""

from __future__ import annotations

import math
import struct

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .interface import ALPHA_MAX, ALPHA_MIN, TRANSMITTANCE_MIN

SIDE = 4
LANES = SIDE * SIDE
GEOMETRY = 6
"""Numbers at the start of a row, before its features."""
EXPONENT_MIN = math.log2(ALPHA_MIN)

_F32 = ir.FloatType()
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_VECTOR = ir.VectorType(_F32, LANES)
_INTEGERS = ir.VectorType(_I32, LANES)
_POLYNOMIAL = (0.999999263, 0.693121646, 0.240247356, 0.0559186622, 0.00957053114)
"""2^f for |f| ≤ 0.5: the fit of least greatest relative error, 2.6e-6, found by linear programming."""


def row_size(features: int) -> int:
    """Floats in a row: a whole number of half cache lines, so that a row of few features never crosses one."""
    return (GEOMETRY + features + 7) // 8 * 8


def _rounded(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_VECTOR, [ir.Constant(_F32, _rounded(value))] * LANES)


def _integer(value: int) -> ir.Constant:
    return ir.Constant(_INTEGERS, [ir.Constant(_I32, value)] * LANES)


class _Emitter:
    """Vector arithmetic on an `ir.IRBuilder`; products and sums may be fused, nothing else may be rearranged."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    def splat(self, scalar: ir.Value) -> ir.Value:
        one = self.builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, ir.Constant(_I32, 0))
        return self.builder.shuffle_vector(one, one, ir.Constant(_INTEGERS, [ir.Constant(_I32, 0)] * LANES))

    def add(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.fadd(a, b, flags=("contract",))

    def subtract(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.fsub(a, b, flags=("contract",))

    def multiply(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.fmul(a, b, flags=("contract",))

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        return self.add(self.multiply(a, b), c)

    def load(self, pointer: ir.Value, index: ir.Value, kind: ir.Type = _F32) -> ir.Value:
        place = self.builder.gep(pointer, [index], inbounds=True)
        if kind is _VECTOR:
            place = self.builder.bitcast(place, _VECTOR.as_pointer())
        return self.builder.load(place, align=4)

    def store(self, value: ir.Value, pointer: ir.Value, index: ir.Value) -> None:
        place = self.builder.bitcast(self.builder.gep(pointer, [index], inbounds=True), _VECTOR.as_pointer())
        self.builder.store(value, place, align=4)

    def offset(self, index: ir.Value, by: int) -> ir.Value:
        return self.builder.add(index, ir.Constant(_I64, by))

    def power_of_two(self, exponent: ir.Value) -> ir.Value:
        """2^exponent for lanes in -126 … 126; other lanes give an arbitrary number."""
        b = self.builder
        # Adding 1.5 · 2^23 leaves the nearest integer in the low bits of the sum.
        magic = _constant(12582912.0)
        shifted = b.fadd(exponent, magic)
        fraction = b.fsub(exponent, b.fsub(shifted, magic))
        value = _constant(_POLYNOMIAL[-1])
        for coefficient in reversed(_POLYNOMIAL[:-1]):
            value = self.multiply_add(value, fraction, _constant(coefficient))
        whole = b.shl(b.bitcast(shifted, _INTEGERS), _integer(23))
        return b.bitcast(b.add(b.bitcast(value, _INTEGERS), whole), _VECTOR)


@intrinsic
def blend(typing_context, rows, stride, ids, first, count, state, offset, x, y, width):
    """Blend `count` Gaussians onto one block; true while any of its pixels still lets light through.

    Args:
        rows: float32 [M · stride].
        ids: uint32 or int32, which rows, nearest first, from `first` on.
        state: float32; the block's state starts at `offset`.
        x, y: float32, the centre of the block's first pixel.
        width: A tuple as long as there are features; only its length counts.
    """
    if not isinstance(width, types.BaseTuple):
        return None
    signature = types.boolean(
        rows, types.int64, ids, types.int64, types.int64, state, types.int64, types.float32, types.float32, width
    )
    return signature, _emit_blend


def _emit_blend(context, builder, signature, arguments):
    rows, stride, ids, first, count, state, offset, x, y, _ = arguments
    rows, ids, state = (
        context.make_array(kind)(context, builder, value=value).data
        for kind, value in ((signature.args[0], rows), (signature.args[2], ids), (signature.args[5], state))
    )
    features = len(signature.args[-1])
    e = _Emitter(builder)
    columns = ir.Constant(_VECTOR, [ir.Constant(_F32, float(lane % SIDE)) for lane in range(LANES)])
    lines = ir.Constant(_VECTOR, [ir.Constant(_F32, float(lane // SIDE)) for lane in range(LANES)])
    pixel_x, pixel_y = builder.fadd(e.splat(x), columns), builder.fadd(e.splat(y), lines)
    begin = [e.load(state, e.offset(offset, k * LANES), _VECTOR) for k in range(features + 2)]

    entry = builder.block
    body = builder.append_basic_block("gaussian")
    done = builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed(">", count, ir.Constant(_I64, 0)), body, done)

    builder.position_at_end(body)
    index = builder.phi(_I64)
    index.add_incoming(ir.Constant(_I64, 0), entry)
    sums = [builder.phi(_VECTOR) for _ in begin]
    for phi, value in zip(sums, begin, strict=True):
        phi.add_incoming(value, entry)
    row = builder.mul(builder.zext(e.load(ids, builder.add(first, index)), _I64), stride)
    geometry = [e.splat(e.load(rows, e.offset(row, k))) for k in range(GEOMETRY)]
    alpha = _emit_alpha(e, pixel_x, pixel_y, geometry)
    after = _emit_over(e, sums, alpha, [e.splat(e.load(rows, e.offset(row, GEOMETRY + k))) for k in range(features)])
    following = e.offset(index, 1)
    more = builder.icmp_signed("<", following, count)
    # Looking whether anything is left to do costs as much as a few Gaussians' share, so not at every one.
    check = builder.icmp_signed("==", builder.and_(following, ir.Constant(_I64, 3)), ir.Constant(_I64, 0))
    opaque = builder.and_(check, builder.not_(_emit_open(e, after[0])))
    loop_end = builder.block
    index.add_incoming(following, loop_end)
    for phi, value in zip(sums, after, strict=True):
        phi.add_incoming(value, loop_end)
    builder.cbranch(builder.and_(more, builder.not_(opaque)), body, done)

    builder.position_at_end(done)
    final = []
    for before, value in zip(begin, after, strict=True):
        phi = builder.phi(_VECTOR)
        phi.add_incoming(before, entry)
        phi.add_incoming(value, loop_end)
        final.append(phi)
    for k, value in enumerate(final):
        e.store(value, state, e.offset(offset, k * LANES))
    return _emit_open(e, final[0])


def _emit_alpha(e: _Emitter, pixel_x: ir.Value, pixel_y: ir.Value, geometry: list[ir.Value]) -> ir.Value:
    """A Gaussian's opacity in every pixel; 0 where it is below the limit."""
    x, y, a, b, c, peak = geometry
    dx, dy = e.builder.fsub(pixel_x, x), e.builder.fsub(pixel_y, y)
    across = e.multiply(e.multiply_add(a, dx, e.multiply(b, dy)), dx)
    exponent = e.subtract(e.subtract(peak, e.multiply(e.multiply(c, dy), dy)), across)
    alpha = e.power_of_two(exponent)
    limit = _constant(ALPHA_MAX)
    alpha = e.builder.select(e.builder.fcmp_ordered("<", alpha, limit), alpha, limit)
    seen = e.builder.fcmp_ordered(">=", exponent, _constant(EXPONENT_MIN))
    return e.builder.select(seen, alpha, _constant(0.0))


def _emit_over(e: _Emitter, sums: list[ir.Value], alpha: ir.Value, features: list[ir.Value]) -> list[ir.Value]:
    """Front-to-back blending of one Gaussian; a pixel that it would close stops instead."""
    transmittance = sums[0]
    weight = e.builder.fmul(alpha, transmittance)
    left = e.builder.fsub(transmittance, weight)
    going = e.builder.fcmp_ordered(">", left, _constant(TRANSMITTANCE_MIN))
    weight = e.builder.select(going, weight, _constant(0.0))
    left = e.builder.select(going, left, _constant(0.0))
    totals = [e.multiply_add(weight, feature, total) for feature, total in zip(features, sums[2:], strict=True)]
    return [left, e.builder.fadd(sums[1], weight), *totals]


def _emit_open(e: _Emitter, transmittance: ir.Value) -> ir.Value:
    lanes = e.builder.fcmp_ordered(">", transmittance, _constant(0.0))
    bits = e.builder.bitcast(lanes, ir.IntType(LANES))
    return e.builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))


@intrinsic
def float_from_bits(typing_context, bits):
    """The float32 that an int32's bits are."""

    def emit(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], _F32)

    return types.float32(types.int32), emit


@intrinsic
def bits_from_float(typing_context, value):
    """An int32 of a float32's bits."""

    def emit(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], _I32)

    return types.int32(types.float32), emit
