"""The innermost loops of the CPU backend, written as LLVM vector instructions through numba.

A tile is 32 × 32 pixels in 8 × 8 blocks; a block is 4 × 4 pixels, one vector lane each. `touched` finds the blocks that a
Gaussian reaches. `blend` keeps all of a block's sums in registers while its Gaussians go by, nearest first; numba's own
vectoriser keeps them in memory, which makes the same loop about twice as slow. LLVM splits the lanes into what the
processor has (AVX-512, AVX2, NEON, SSE), so this runs everywhere numba does.

A row is what blending reads of one Gaussian, contiguous float32: `[x, y, A, B, C, L, features…]`, where the opacity at
a pixel is 2^(L − A·dx² − B·dx·dy − C·dy²), dx and dy being the distance from (x, y) in pixels.

A block's state is `[transmittance, coverage, features…]`, 16 float32 each. Transmittance is 0 once blending stops.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .interface import ALPHA_MAX, ALPHA_MIN, TRANSMITTANCE_MIN

SIDE = 4
LANES = SIDE * SIDE
BLOCKS = 8
"""Blocks along a tile's side: a lane each in `touched`, and eight of them a byte."""
GEOMETRY = 6
"""Numbers at the start of a row, before its features."""
EXPONENT_MIN = math.log2(ALPHA_MIN)

_F32 = ir.FloatType()
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_POLYNOMIAL = (0.999999263, 0.693121646, 0.240247356, 0.0559186622, 0.00957053114)
"""2^f for |f| ≤ 0.5: the fit of least greatest relative error, 2.6e-6, found by linear programming."""


def row_size(features: int) -> int:
    """Floats in a row: a whole number of half cache lines, so that a row of few features never crosses one."""
    return (GEOMETRY + features + 7) // 8 * 8


class _Emitter:
    """Vector arithmetic on an `ir.IRBuilder`; products and sums may be fused, nothing else may be rearranged."""

    def __init__(self, builder: ir.IRBuilder, lanes: int) -> None:
        self.builder = builder
        self.lanes = lanes
        self.floats = ir.VectorType(_F32, lanes)
        self.integers = ir.VectorType(_I32, lanes)

    def numbers(self, values: Iterable[float]) -> ir.Constant:
        """A constant vector, rounded to float32."""
        return ir.Constant(self.floats, [ir.Constant(_F32, struct.unpack("f", struct.pack("f", v))[0]) for v in values])

    def constant(self, value: float) -> ir.Constant:
        return self.numbers([value] * self.lanes)

    def integer(self, value: int) -> ir.Constant:
        return ir.Constant(self.integers, [ir.Constant(_I32, value)] * self.lanes)

    def splat(self, scalar: ir.Value) -> ir.Value:
        one = self.builder.insert_element(ir.Constant(self.floats, ir.Undefined), scalar, ir.Constant(_I32, 0))
        return self.builder.shuffle_vector(one, one, self.integer(0))

    def add(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.fadd(a, b, flags=("contract",))

    def subtract(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.fsub(a, b, flags=("contract",))

    def multiply(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.fmul(a, b, flags=("contract",))

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        return self.add(self.multiply(a, b), c)

    def lesser(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def greater(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def root(self, a: ir.Value) -> ir.Value:
        kind = ir.FunctionType(self.floats, [self.floats])
        root = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.sqrt.v{self.lanes}f32")
        return self.builder.call(root, [a])

    def load(self, pointer: ir.Value, index: ir.Value) -> ir.Value:
        return self.builder.load(self.builder.gep(pointer, [index], inbounds=True), align=4)

    def load_vector(self, pointer: ir.Value, index: ir.Value) -> ir.Value:
        place = self.builder.bitcast(self.builder.gep(pointer, [index], inbounds=True), self.floats.as_pointer())
        return self.builder.load(place, align=4)

    def store_vector(self, value: ir.Value, pointer: ir.Value, index: ir.Value) -> None:
        place = self.builder.bitcast(self.builder.gep(pointer, [index], inbounds=True), self.floats.as_pointer())
        self.builder.store(value, place, align=4)

    def offset(self, index: ir.Value, by: int) -> ir.Value:
        return self.builder.add(index, ir.Constant(_I64, by))

    def power_of_two(self, exponent: ir.Value) -> ir.Value:
        """2^exponent for lanes in -126 … 126; other lanes give an arbitrary number."""
        b = self.builder
        # Adding 1.5 · 2^23 leaves the nearest integer in the low bits of the sum.
        magic = self.constant(12582912.0)
        shifted = b.fadd(exponent, magic)
        fraction = b.fsub(exponent, b.fsub(shifted, magic))
        value = self.constant(_POLYNOMIAL[-1])
        for coefficient in reversed(_POLYNOMIAL[:-1]):
            value = self.multiply_add(value, fraction, self.constant(coefficient))
        whole = b.shl(b.bitcast(shifted, self.integers), self.integer(23))
        return b.bitcast(b.add(b.bitcast(value, self.integers), whole), self.floats)


@intrinsic
def blend(typing_context, rows, stride, ids, first, count, state, offset, x, y, width):
    """Blend `count` Gaussians onto one block; true while any of its pixels still lets light through.

    Args:
        rows: float32 [M · stride].
        ids: uint32, which rows, nearest first, from `first` on.
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
    e = _Emitter(builder, LANES)
    pixel_x = builder.fadd(e.splat(x), e.numbers(float(lane % SIDE) for lane in range(LANES)))
    pixel_y = builder.fadd(e.splat(y), e.numbers(float(lane // SIDE) for lane in range(LANES)))
    begin = [e.load_vector(state, e.offset(offset, k * LANES)) for k in range(features + 2)]

    entry = builder.block
    body = builder.append_basic_block("gaussian")
    done = builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed(">", count, ir.Constant(_I64, 0)), body, done)

    builder.position_at_end(body)
    index = builder.phi(_I64)
    index.add_incoming(ir.Constant(_I64, 0), entry)
    sums = [builder.phi(e.floats) for _ in begin]
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
        phi = builder.phi(e.floats)
        phi.add_incoming(before, entry)
        phi.add_incoming(value, loop_end)
        final.append(phi)
    for k, value in enumerate(final):
        e.store_vector(value, state, e.offset(offset, k * LANES))
    return _emit_open(e, final[0])


def _emit_alpha(e: _Emitter, pixel_x: ir.Value, pixel_y: ir.Value, geometry: list[ir.Value]) -> ir.Value:
    """A Gaussian's opacity in every pixel; 0 where it is below the limit."""
    x, y, a, b, c, peak = geometry
    dx, dy = e.builder.fsub(pixel_x, x), e.builder.fsub(pixel_y, y)
    across = e.multiply(e.multiply_add(a, dx, e.multiply(b, dy)), dx)
    exponent = e.subtract(e.subtract(peak, e.multiply(e.multiply(c, dy), dy)), across)
    alpha = e.lesser(e.power_of_two(exponent), e.constant(ALPHA_MAX))
    seen = e.builder.fcmp_ordered(">=", exponent, e.constant(EXPONENT_MIN))
    return e.builder.select(seen, alpha, e.constant(0.0))


def _emit_over(e: _Emitter, sums: list[ir.Value], alpha: ir.Value, features: list[ir.Value]) -> list[ir.Value]:
    """Front-to-back blending of one Gaussian; a pixel that it would close stops instead."""
    transmittance = sums[0]
    weight = e.builder.fmul(alpha, transmittance)
    left = e.builder.fsub(transmittance, weight)
    going = e.builder.fcmp_ordered(">", left, e.constant(TRANSMITTANCE_MIN))
    weight = e.builder.select(going, weight, e.constant(0.0))
    left = e.builder.select(going, left, e.constant(0.0))
    totals = [e.multiply_add(weight, feature, total) for feature, total in zip(features, sums[2:], strict=True)]
    return [left, e.builder.fadd(sums[1], weight), *totals]


def _emit_open(e: _Emitter, transmittance: ir.Value) -> ir.Value:
    lanes = e.builder.fcmp_ordered(">", transmittance, e.constant(0.0))
    bits = e.builder.bitcast(lanes, ir.IntType(e.lanes))
    return e.builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(e.lanes), 0))


@intrinsic
def touched(typing_context, spans, at, x, y):
    """Which blocks of a tile a Gaussian's ellipse reaches: uint64, bit 8 · line + column.

    Every block with a pixel centre in the ellipse is among them. Within a block's lines of pixels, the ellipse's extent
    lies at its own extreme if that is there, else at the nearer line; so some blocks that it just misses may be, too.

    Args:
        spans: float32; the ellipse's eight numbers start at `at`: x, y, half width, half height, slope, lean, square,
            fall. See `kernels.project`.
        x, y: float32, the centre of the tile's first pixel.
    """
    return types.uint64(spans, types.int64, types.float32, types.float32), _emit_touched


def _emit_touched(context, builder, signature, arguments):
    spans, at, x, y = arguments
    spans = context.make_array(signature.args[0])(context, builder, value=spans).data
    e = _Emitter(builder, BLOCKS)
    centre_x, centre_y, _, half_height, slope, lean, square, fall = (e.load(spans, e.offset(at, k)) for k in range(8))
    centre_x, centre_y = e.splat(builder.fsub(centre_x, x)), e.splat(builder.fsub(centre_y, y))
    half_height, slope, lean, square, fall = map(e.splat, (half_height, slope, lean, square, fall))
    top = builder.fsub(e.numbers(float(SIDE * line) for line in range(BLOCKS)), centre_y)
    above = e.greater(top, builder.fneg(half_height))
    below = e.lesser(builder.fadd(top, e.constant(SIDE - 1)), half_height)

    def middle_and_width(place: ir.Value) -> tuple[ir.Value, ir.Value]:
        height = e.lesser(e.greater(place, above), below)
        squared = e.subtract(square, e.multiply(fall, e.multiply(height, height)))
        return e.multiply_add(slope, height, centre_x), e.root(e.greater(squared, e.constant(0.0)))

    right = builder.fadd(*middle_and_width(lean))
    left = builder.fsub(*middle_and_width(builder.fneg(lean)))
    # From the first column whose last pixel centre is not left of the ellipse, to the last whose first is not right of it.
    quarter = e.constant(1.0 / SIDE)
    start = e.multiply_add(left, quarter, e.constant(1.0 / SIDE - 1e-4))
    end = e.multiply_add(right, quarter, e.constant(1.0 + 1e-4))
    start, end = (
        builder.fptosi(e.lesser(e.greater(edge, e.constant(0.0)), e.constant(BLOCKS)), e.integers)
        for edge in (start, end)
    )
    columns = builder.and_(
        builder.sub(builder.shl(e.integer(1), end), e.integer(1)), builder.shl(e.integer(255), start)
    )
    columns = builder.select(builder.fcmp_ordered("<=", above, below), columns, e.integer(0))
    return builder.bitcast(builder.trunc(columns, ir.VectorType(ir.IntType(8), BLOCKS)), _I64)


@intrinsic
def lowest_bit(typing_context, bits):
    """The index of the lowest bit that is set in a uint64 other than 0."""

    def emit(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), emit


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
