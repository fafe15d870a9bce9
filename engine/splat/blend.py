"""The innermost loops of the CPU backend, written as LLVM vector instructions through numba.

A tile is 32 × 32 pixels in 8 × 8 blocks; a block is 4 × 4 pixels, one vector lane each. `touched` finds the blocks that
a Gaussian reaches, `transpose` turns that into the Gaussians that reach a block, `finish` writes pixels. `blend` keeps
all of a block's sums in registers while its Gaussians go by, nearest first; numba's own vectoriser keeps them in memory
and is about half as fast at it. LLVM splits the lanes into what the processor has (AVX-512, AVX2, NEON,
SSE), so this runs everywhere numba does.

A row is what blending reads of one Gaussian, contiguous float32: `[x, y, A, B, C, L, features…]`, where the opacity at
a pixel is 2^(L − A·dx² − B·dx·dy − C·dy²), dx and dy being the distance from (x, y) in pixels.

A block's state is `[transmittance, coverage, features…]`, 16 float32 each. Transmittance is 0 once blending stops.
"""

# llvmlite says that builder calls may return None, which these do not.
# pyright: reportArgumentType=false, reportReturnType=false, reportCallIssue=false, reportAttributeAccessIssue=false

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable

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
def blend(typing_context, rows, stride, ids, first, low, high, state, offset, x, y, width):
    """Blend up to 128 Gaussians onto one block; true while any of its pixels still lets light through.

    Args:
        rows: float32 [M · stride].
        ids: uint32, rows, nearest first. Of the 128 from `first` on, those whose bit is set in `low`, then `high`; at
            least one is.
        state: float32; the block's state starts at `offset`.
        x, y: float32, the centre of the block's first pixel.
        width: A tuple as long as there are features; only its length counts.
    """
    if not isinstance(width, types.BaseTuple):
        return None
    place, word, number = types.int64, types.uint64, types.float32
    signature = types.boolean(rows, place, ids, place, word, word, state, place, number, number, width)
    return signature, _emit_blend


def _emit_blend(context, builder, signature, arguments):
    rows, stride, ids, first, low, high, state, offset, x, y, _ = arguments
    rows, ids, state = (
        context.make_array(kind)(context, builder, value=value).data
        for kind, value in ((signature.args[0], rows), (signature.args[2], ids), (signature.args[6], state))
    )
    features = len(signature.args[-1])
    e = _Emitter(builder, LANES)
    pixel_x = builder.fadd(e.splat(x), e.numbers(float(lane % SIDE) for lane in range(LANES)))
    pixel_y = builder.fadd(e.splat(y), e.numbers(float(lane // SIDE) for lane in range(LANES)))
    begin = [e.load_vector(state, e.offset(offset, k * LANES)) for k in range(features + 2)]
    wide = ir.IntType(128)
    chosen = builder.or_(builder.zext(low, wide), builder.shl(builder.zext(high, wide), ir.Constant(wide, 64)))

    entry = builder.block
    body = builder.append_basic_block("gaussian")
    done = builder.append_basic_block("done")
    builder.branch(body)

    builder.position_at_end(body)
    left = builder.phi(wide)
    left.add_incoming(chosen, entry)
    sums = [builder.phi(e.floats) for _ in begin]
    for phi, value in zip(sums, begin, strict=True):
        phi.add_incoming(value, entry)
    index = builder.trunc(builder.cttz(left, ir.Constant(ir.IntType(1), 1)), _I64)
    row = builder.mul(builder.zext(e.load(ids, builder.add(first, index)), _I64), stride)
    geometry = [e.splat(e.load(rows, e.offset(row, k))) for k in range(GEOMETRY)]
    alpha = _emit_alpha(e, pixel_x, pixel_y, geometry)
    after = _emit_over(e, sums, alpha, [e.splat(e.load(rows, e.offset(row, GEOMETRY + k))) for k in range(features)])
    following = builder.and_(left, builder.sub(left, ir.Constant(wide, 1)))
    more = builder.icmp_unsigned("!=", following, ir.Constant(wide, 0))
    left.add_incoming(following, body)
    for phi, value in zip(sums, after, strict=True):
        phi.add_incoming(value, body)
    builder.cbranch(builder.and_(more, _emit_open(e, after[0])), body, done)

    builder.position_at_end(done)
    for k, value in enumerate(after):
        e.store_vector(value, state, e.offset(offset, k * LANES))
    return _emit_open(e, after[0])


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
    # From the first column whose last pixel centre is not left of the ellipse to the last whose first is not right.
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
def finish(typing_context, state, offset, decode, combined, at, line):
    """A whole block's sums → its pixels of Combined, four of RGBA a line.

    Args:
        state: float32; the block's state starts at `offset`.
        decode: Whether the sums are sRGB colours; they are decoded to linear, divided by coverage for that.
        combined: float32, where the block's first pixel is at `at`, and a line of the picture has `line` numbers.
    """
    signature = types.void(state, types.int64, types.boolean, combined, types.int64, types.int64)
    return signature, _emit_finish


def _emit_finish(context, builder, signature, arguments):
    state, offset, decode, combined, at, line = arguments
    state, combined = (
        context.make_array(kind)(context, builder, value=value).data
        for kind, value in ((signature.args[0], state), (signature.args[3], combined))
    )
    e = _Emitter(builder, LANES)
    coverage = e.load_vector(state, e.offset(offset, LANES))
    colours = [e.load_vector(state, e.offset(offset, (2 + channel) * LANES)) for channel in range(3)]
    entry = builder.block
    with builder.if_then(decode):
        inverse = builder.fdiv(e.constant(1.0), e.greater(coverage, e.constant(1e-12)))
        decoded = [e.multiply(_emit_decode(e, e.multiply(colour, inverse)), coverage) for colour in colours]
        decoding = builder.block
    for k, colour in enumerate(colours):
        phi = builder.phi(e.floats)
        phi.add_incoming(colour, entry)
        phi.add_incoming(decoded[k], decoding)
        colours[k] = phi
    red, green, blue = colours
    # Two and two interleaved, then by pairs: red, green, blue, coverage of each pixel side by side.
    for row in range(SIDE):
        lanes = [row * SIDE + k for k in range(SIDE)]
        pairs = [k for lane in lanes for k in (lane, lane + LANES)]
        kind = ir.VectorType(_I32, len(pairs))
        both = [builder.shuffle_vector(a, b, ir.Constant(kind, pairs)) for a, b in ((red, green), (blue, coverage))]
        order = [k for pixel in range(SIDE) for k in (2 * pixel, 2 * pixel + 1, 2 * pixel + 8, 2 * pixel + 9)]
        pixels = builder.shuffle_vector(*both, ir.Constant(e.integers, order))
        e.store_vector(pixels, combined, builder.add(at, builder.mul(line, ir.Constant(_I64, row))))
    return context.get_dummy_value()


def _emit_decode(e: _Emitter, colour: ir.Value) -> ir.Value:
    """sRGB → linear: ((s + 0.055) / 1.055)^2.4 as 2^(2.4 · log2), and s / 12.92 for dark colours."""
    b = e.builder
    base = e.multiply_add(e.greater(colour, e.constant(0.04)), e.constant(1 / 1.055), e.constant(0.055 / 1.055))
    bits = b.bitcast(base, e.integers)
    exponent = b.ashr(b.sub(bits, e.integer(0x3F3504F3)), e.integer(23))  # so that the mantissa is √½ … √2
    mantissa = b.bitcast(b.sub(bits, b.shl(exponent, e.integer(23))), e.floats)
    ratio = b.fdiv(b.fsub(mantissa, e.constant(1.0)), b.fadd(mantissa, e.constant(1.0)))
    square = e.multiply(ratio, ratio)
    # 2 artanh(t) / ln 2
    series = e.constant(2.8853901 / 7)
    for divisor in (5, 3, 1):
        series = e.multiply_add(series, square, e.constant(2.8853901 / divisor))
    logarithm = e.multiply_add(ratio, series, b.sitofp(exponent, e.floats))
    curve = e.power_of_two(e.multiply(logarithm, e.constant(2.4)))
    return b.select(b.fcmp_ordered(">", colour, e.constant(0.04045)), curve, e.multiply(colour, e.constant(1 / 12.92)))


@intrinsic
def transpose(typing_context, bits, at):
    """Transpose 64 × 64 bits in place: 64 uint64 from `at` on. Bit i of word k becomes bit k of word i."""
    return types.void(bits, types.int64), _emit_transpose


def _emit_transpose(context, builder, signature, arguments):
    bits, at = arguments
    bits = context.make_array(signature.args[0])(context, builder, value=bits).data
    count = 64
    words = ir.VectorType(_I64, count)
    place = builder.bitcast(builder.gep(bits, [at], inbounds=True), words.as_pointer())
    value = builder.load(place, align=8)

    def each(number: Callable[[int], int]) -> ir.Constant:
        return ir.Constant(words, [ir.Constant(_I64, number(word)) for word in range(count)])

    # Swap the off-diagonal quarters of squares of bits of side 64, 32, … 2 (Hacker's Delight, 7-3).
    for step in (32, 16, 8, 4, 2, 1):
        low = sum(1 << bit for bit in range(count) if not bit & step)
        other = builder.shuffle_vector(
            value, value, ir.Constant(ir.VectorType(_I32, count), [word ^ step for word in range(count)])
        )
        upper = builder.and_(builder.shl(other, each(lambda _, step=step: step)), each(lambda _, low=low: ~low))
        lower = builder.and_(builder.lshr(other, each(lambda _, step=step: step)), each(lambda _, low=low: low))
        first = ir.Constant(
            ir.VectorType(ir.IntType(1), count),
            [ir.Constant(ir.IntType(1), int(not word & step)) for word in range(count)],
        )
        kept = builder.and_(value, each(lambda word, low=low, step=step: ~low if word & step else low))
        value = builder.or_(kept, builder.select(first, upper, lower))
    builder.store(value, place, align=8)
    return context.get_dummy_value()


@intrinsic
def count_bits(typing_context, bits):
    """How many bits of a uint64 are set."""

    def emit(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

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
