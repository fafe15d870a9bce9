"""The CPU backend's loops, compiled by numba: project, sort, bin into tiles, composite.

Arrays between them, for M Gaussians of all objects together:
    rows [M · stride] float32: what blending reads, see `blend`.
    spans [M, SPAN] float32: x, y, half width, half height, slope, lean, and two numbers of the outline; see `_project`.
    keys [M] uint32: the depth's bits, which sort as the depth does; `CULLED` where nothing is to be seen.
    boxes [M, 4] int16: first column, last column, first line, last line of the tiles it touches.
Pixels are those of the whole picture, also where only a part (region) is rendered: its values are the same.
"""

# numba calls intrinsics without their first parameter.
# pyright: reportCallIssue=false

from __future__ import annotations

import numba
import numpy as np

from ..contract.passes import DEPTH_BACKGROUND
from .blend import (
    BLOCKS,
    EXPONENT_MIN,
    GEOMETRY,
    LANES,
    SIDE,
    bits_from_float,
    blend,
    count_bits,
    finish,
    float_from_bits,
    touched,
    transpose,
)
from .interface import ALPHA_MIN

TILE = BLOCKS * SIDE
CHUNK = 128
"""Gaussians of a tile that are blended at a time, two words of bits; between chunks a tile that is full up stops."""
SPAN = 8
CULLED = np.uint32(0xFFFFFFFF)
COLOUR_FEATURES = 4
"""Red, green, blue, depth."""
ALL_FEATURES = 18
"""Also normal 3, motion 4, zones 7."""
KEEP, DECODE, ENCODE = 0, 1, 2
"""What is done to a colour: nothing, sRGB → linear, linear → sRGB."""

_f = np.float32
_LOG2E = _f(np.log2(np.e))
_ALPHA_MIN = _f(ALPHA_MIN)
_EXPONENT_MIN = _f(EXPONENT_MIN)
_SLACK = _f(1e-3)
"""Added to the exponent that decides which blocks a Gaussian touches; pixels decide for themselves."""
_inline = numba.njit(fastmath=True, forceinline=True, error_model="numpy")
# Not all of fastmath: rearranged sums would break the rounding that `blend` relies on.
_part = numba.njit(fastmath={"contract"}, forceinline=True, error_model="numpy")


@_inline
def _log2(x):
    """log2 of a positive normal float32, absolute error below 1e-6."""
    bits = bits_from_float(x)
    exponent = (bits - np.int32(0x3F3504F3)) >> np.int32(23)  # so that the mantissa lies around 1: √½ … √2
    m = float_from_bits(bits - (exponent << np.int32(23)))
    t = (m - _f(1.0)) / (m + _f(1.0))
    s = t * t
    series = _f(2.8853901) + s * (_f(0.96179669) + s * (_f(0.57707802) + s * _f(0.41219859)))
    return _f(exponent) + t * series


@_inline
def exp2(x):
    """2^x for x in -126 … 126, relative error below 1e-6."""
    n = np.floor(x + _f(0.5))
    f = x - n
    p = _f(1.32913967e-3)
    p = p * f + _f(9.67570529e-3)
    p = p * f + _f(5.55065547e-2)
    p = p * f + _f(2.40221179e-1)
    p = p * f + _f(6.93147021e-1)
    p = p * f + _f(1.00000007)
    return p * float_from_bits((np.int32(n) + np.int32(127)) << np.int32(23))


@_inline
def decode(s):
    """sRGB → linear; above 1 the curve goes on."""
    curve = exp2(_f(2.4) * _log2(max(s, _f(0.04)) * _f(1.0 / 1.055) + _f(0.055 / 1.055)))
    return curve if s > _f(0.04045) else s * _f(1.0 / 12.92)


@_inline
def encode(v):
    """Linear → sRGB; above 1 the curve goes on."""
    curve = _f(1.055) * exp2(_f(1.0 / 2.4) * _log2(max(v, _f(0.003)))) - _f(0.055)
    return curve if v > _f(0.0031308) else v * _f(12.92)


@_inline
def _colour(sh, base, n, channel, x, y, z):
    """Spherical harmonics of one channel in direction (x, y, z); gsplat's constants, signs and order, plus a base."""
    total = base + _f(0.28209479177387814) * sh[0, channel, n]
    if sh.shape[0] > 1:
        total += _f(0.4886025119029199) * (z * sh[2, channel, n] - y * sh[1, channel, n] - x * sh[3, channel, n])
    if sh.shape[0] > 4:
        xx, yy, zz = x * x, y * y, z * z
        total += _f(1.0925484305920792) * (x * y * sh[4, channel, n] - y * z * sh[5, channel, n])
        total += _f(0.31539156525252005) * (_f(2) * zz - xx - yy) * sh[6, channel, n]
        total -= _f(1.0925484305920792) * x * z * sh[7, channel, n]
        total += _f(0.5462742152960396) * (xx - yy) * sh[8, channel, n]
        if sh.shape[0] > 9:
            total -= _f(0.5900435899266435) * y * (_f(3) * xx - yy) * sh[9, channel, n]
            total += _f(2.890611442640554) * x * y * z * sh[10, channel, n]
            total -= _f(0.4570457994644658) * y * (_f(4) * zz - xx - yy) * sh[11, channel, n]
            total += _f(0.3731763325901154) * z * (_f(2) * zz - _f(3) * xx - _f(3) * yy) * sh[12, channel, n]
            total -= _f(0.4570457994644658) * x * (_f(4) * zz - xx - yy) * sh[13, channel, n]
            total += _f(1.445305721320277) * z * (xx - yy) * sh[14, channel, n]
            total -= _f(0.5900435899266435) * x * (xx - _f(3) * yy) * sh[15, channel, n]
    return max(total, _f(0.0))


@_inline
def _screen(centres, n, view, lens):
    """(x, y, z): where a centre lies in the picture, pixels, and its depth."""
    cx, cy, cz = centres[0, n], centres[1, n], centres[2, n]
    x = view[0, 0] * cx + view[0, 1] * cy + view[0, 2] * cz + view[0, 3]
    y = view[1, 0] * cx + view[1, 1] * cy + view[1, 2] * cz + view[1, 3]
    z = view[2, 0] * cx + view[2, 1] * cy + view[2, 2] * cz + view[2, 3]
    return lens[0] * x / z + lens[2], lens[1] * y / z + lens[3], z


@numba.njit(parallel=True, fastmath=True, cache=True, error_model="numpy")
def project(centres, factors, opacity, sh, tint, turn_weight, view, eye, turn, lens, limits, near, region, change,
            dilation, first, stride, rows, spans, keys, boxes):  # fmt: skip  # pragma: no cover - compiled
    """One object's Gaussians → geometry, colour and depth in rows, and where they are in the picture.

    Args:
        tint: see `Gaussians`; [3, 0] for none.
        view: [3, 4] object → camera. eye: the camera in object space [3]. turn: see `Gaussians`.
        lens: fx, fy, cx, cy. limits: see `view_limits`. region: x, y, width, height. change: KEEP, DECODE or ENCODE.
        dilation: Square pixels added to the covariance in the picture.
        first: Where the object's Gaussians begin in the arrays to be written.
    """
    fx, fy = lens[0], lens[1]
    left, top = _f(region[0]), _f(region[1])
    right, bottom = _f(region[0] + region[2]), _f(region[1] + region[3])
    tinted = tint.shape[1] > 0
    for n in numba.prange(centres.shape[1]):
        m = first + n
        keys[m] = CULLED
        px, py, z = _screen(centres, n, view, lens)
        alpha = opacity[n]
        if not (z >= near and alpha >= _ALPHA_MIN):
            continue
        # The projection, linearised at the centre; far outside the picture, at its margin.
        inverse = _f(1.0) / z
        tx = min(max((px - lens[2]) / fx, limits[0]), limits[1])
        ty = min(max((py - lens[3]) / fy, limits[2]), limits[3])
        jx, jy = fx * inverse, fy * inverse
        u0, u1, u2 = (
            jx * (view[0, 0] - tx * view[2, 0]),
            jx * (view[0, 1] - tx * view[2, 1]),
            jx * (view[0, 2] - tx * view[2, 2]),
        )
        v0, v1, v2 = (
            jy * (view[1, 0] - ty * view[2, 0]),
            jy * (view[1, 1] - ty * view[2, 1]),
            jy * (view[1, 2] - ty * view[2, 2]),
        )
        xx, xy, yy = dilation, _f(0.0), dilation
        for k in range(3):
            a = u0 * factors[0, k, n] + u1 * factors[1, k, n] + u2 * factors[2, k, n]
            b = v0 * factors[0, k, n] + v1 * factors[1, k, n] + v2 * factors[2, k, n]
            xx += a * a
            xy += a * b
            yy += b * b
        determinant = xx * yy - xy * xy
        peak = _log2(alpha)
        room = _f(2.0) / _LOG2E * (peak - _EXPONENT_MIN + _SLACK)  # squared standard deviations to where it ends
        half_width, half_height = np.sqrt(room * xx), np.sqrt(room * yy)
        if not (determinant > _f(0.0) and px + half_width > left and px - half_width < right
                and py + half_height > top and py - half_height < bottom):  # fmt: skip
            continue
        keys[m] = np.uint32(bits_from_float(z))
        scale = _LOG2E / determinant
        row = m * stride
        rows[row] = px
        rows[row + 1] = py
        rows[row + 2] = _f(0.5) * yy * scale
        rows[row + 3] = -xy * scale
        rows[row + 4] = _f(0.5) * xx * scale
        rows[row + 5] = peak
        spans[m, 0] = px
        spans[m, 1] = py
        spans[m, 2] = half_width
        spans[m, 3] = half_height
        spans[m, 4] = xy / yy  # how the middle moves in x for a step in y
        spans[m, 5] = half_width * xy / xx  # height above the centre at which it reaches farthest right
        spans[m, 6] = room * determinant / yy  # squared half width at the centre's height …
        spans[m, 7] = determinant / (yy * yy)  # … and how it falls with squared height
        boxes[m, 0] = np.int16(max((px - half_width - left) * _f(1.0 / TILE), _f(0.0)))
        boxes[m, 1] = np.int16(min((px + half_width - left) * _f(1.0 / TILE), _f((region[2] - 1) // TILE)))
        boxes[m, 2] = np.int16(max((py - half_height - top) * _f(1.0 / TILE), _f(0.0)))
        boxes[m, 3] = np.int16(min((py + half_height - top) * _f(1.0 / TILE), _f((region[3] - 1) // TILE)))
        # The viewing direction in which the colour is looked up.
        dx, dy, dz = centres[0, n] - eye[0], centres[1, n] - eye[1], centres[2, n] - eye[2]
        w = turn_weight[n]
        rx = dx + w * (turn[0, 0] * dx + turn[1, 0] * dy + turn[2, 0] * dz - dx)
        ry = dy + w * (turn[0, 1] * dx + turn[1, 1] * dy + turn[2, 1] * dz - dy)
        rz = dz + w * (turn[0, 2] * dx + turn[1, 2] * dy + turn[2, 2] * dz - dz)
        inverse = _f(1.0) / np.sqrt(rx * rx + ry * ry + rz * rz)
        for channel in range(3):
            base = _f(0.5) + tint[channel, n] if tinted else _f(0.5)
            value = _colour(sh, base, n, channel, rx * inverse, ry * inverse, rz * inverse)
            if change == DECODE:
                value = decode(value)
            elif change == ENCODE:
                value = encode(value)
            rows[row + GEOMETRY + channel] = value
        rows[row + GEOMETRY + 3] = z


@numba.njit(parallel=True, fastmath=True, cache=True, error_model="numpy")
def add_features(centres, normals, zone, before, after, view, view_before, view_after, lens, lens_before, lens_after,
                 near, to_world, eye, first, stride, rows, keys):  # fmt: skip  # pragma: no cover - compiled
    """The features that only some passes need: normal, motion, zones, after the four of `project`.

    Args:
        before, after: centres [3, N] in the previous and next frame; the same array as `centres` where there is none.
        to_world: [3, 3], for normals.
    """
    for n in numba.prange(centres.shape[1]):
        m = first + n
        if keys[m] == CULLED:
            continue
        at = m * stride + GEOMETRY + COLOUR_FEATURES
        a, b, c = normals[0, n], normals[1, n], normals[2, n]
        towards = a * (centres[0, n] - eye[0]) + b * (centres[1, n] - eye[1]) + c * (centres[2, n] - eye[2])
        x = to_world[0, 0] * a + to_world[0, 1] * b + to_world[0, 2] * c
        y = to_world[1, 0] * a + to_world[1, 1] * b + to_world[1, 2] * c
        z = to_world[2, 0] * a + to_world[2, 1] * b + to_world[2, 2] * c
        inverse = _f(1.0) / (np.sqrt(x * x + y * y + z * z) + _f(1e-20))
        if towards > _f(0.0):
            inverse = -inverse
        rows[at], rows[at + 1], rows[at + 2] = x * inverse, y * inverse, z * inverse
        px, py, _ = _screen(centres, n, view, lens)
        bx, by, bz = _screen(before, n, view_before, lens_before)
        ax, ay, az = _screen(after, n, view_after, lens_after)
        rows[at + 3] = bx - px if bz >= near else _f(0.0)
        rows[at + 4] = py - by if bz >= near else _f(0.0)
        rows[at + 5] = px - ax if az >= near else _f(0.0)
        rows[at + 6] = ay - py if az >= near else _f(0.0)
        for k in range(ALL_FEATURES - COLOUR_FEATURES - 7):
            rows[at + 7 + k] = _f(1.0) if zone[n] == k else _f(0.0)


@numba.njit(cache=True, error_model="numpy")
def sort(keys):  # pragma: no cover - compiled
    """Indices of the keys that are not CULLED, ascending; equal keys keep their order. Radix sort, 12 bits a pass."""
    count = 0
    low, high = np.uint32(CULLED), np.uint32(0)
    for key in keys:
        if key != CULLED:
            count += 1
            low, high = min(low, key), max(high, key)
    ids = np.empty(count, np.uint32)
    values = np.empty(count, np.uint32)
    count = 0
    for n in range(len(keys)):
        if keys[n] != CULLED:
            ids[count] = n
            values[count] = keys[n] - low
            count += 1
    other_ids, other_values = np.empty_like(ids), np.empty_like(values)
    places = np.empty(4096, np.int64)
    shift = np.uint32(0)
    spread = np.uint32(high - low) if count else np.uint32(0)
    while shift < 32 and (spread >> shift) > 0:
        places[:] = 0
        for n in range(count):
            places[(values[n] >> shift) & np.uint32(4095)] += 1
        total = 0
        for digit in range(4096):
            size = places[digit]
            places[digit] = total
            total += size
        for n in range(count):
            digit = (values[n] >> shift) & np.uint32(4095)
            place = places[digit]
            places[digit] = place + 1
            other_ids[place] = ids[n]
            other_values[place] = values[n]
        ids, other_ids = other_ids, ids
        values, other_values = other_values, values
        shift += np.uint32(12)
    return ids


@numba.njit(parallel=True, cache=True, error_model="numpy")
def assign(order, boxes, columns, lines, parts):  # pragma: no cover - compiled
    """(starts [tiles + 1], ids): which Gaussians each tile sees, nearest first.

    Each thread takes a part of the order; in every tile, the nearer parts' Gaussians come first.
    """
    tiles = columns * lines
    places = np.zeros((parts, tiles), np.int64)
    for part in numba.prange(parts):
        counts = places[part]
        for k in range(len(order) * part // parts, len(order) * (part + 1) // parts):
            n = order[k]
            low, high = boxes[n, 0], boxes[n, 1] + 1
            for line in range(boxes[n, 2], boxes[n, 3] + 1):
                for tile in range(line * columns + low, line * columns + high):
                    counts[tile] += 1
    starts = np.empty(tiles + 1, np.int64)
    total = 0
    for tile in range(tiles):
        starts[tile] = total
        for part in range(parts):
            size = places[part, tile]
            places[part, tile] = total
            total += size
    starts[tiles] = total
    ids = np.empty(total, np.uint32)
    for part in numba.prange(parts):
        ends = places[part]
        for k in range(len(order) * part // parts, len(order) * (part + 1) // parts):
            n = order[k]
            low, high = boxes[n, 0], boxes[n, 1] + 1
            for line in range(boxes[n, 2], boxes[n, 3] + 1):
                for tile in range(line * columns + low, line * columns + high):
                    place = ends[tile]
                    ids[place] = n
                    ends[tile] = place + 1
    return starts, ids


@numba.njit(parallel=True, fastmath={"contract"}, cache=True, error_model="numpy")
def composite(starts, ids, spans, rows, stride, region, columns, change, width, combined, depth, mask,
              extra):  # fmt: skip  # pragma: no cover - compiled
    """Blend all tiles and write the passes asked for; returns how often a Gaussian met a block.

    Args:
        change: KEEP or DECODE, for the colour that leaves. width: a tuple as long as there are features.
        combined, depth, mask: [height, width, 4 or 1]; one with no pixels is not asked for. extra: [height, width,
            features − 4], sums as they come.
    """
    features = len(width)
    size = (features + 2) * LANES
    blends = np.zeros(len(starts) - 1, np.int64)
    for tile in numba.prange(len(starts) - 1):
        line, column = tile // columns, tile % columns
        tile_width = min(TILE, region[2] - column * TILE)
        tile_height = min(TILE, region[3] - line * TILE)
        if starts[tile] == starts[tile + 1]:
            _clear(column * TILE, line * TILE, tile_width, tile_height, combined, depth, mask, extra)
            continue
        x, y = _f(region[0] + column * TILE) + _f(0.5), _f(region[1] + line * TILE) + _f(0.5)
        state = np.zeros(BLOCKS * BLOCKS * size, np.float32)
        alive = np.uint64(0)
        for block in range(BLOCKS * BLOCKS):
            if block // BLOCKS * SIDE < tile_height and block % BLOCKS * SIDE < tile_width:
                alive |= np.uint64(1) << np.uint64(block)
                for lane in range(LANES):
                    state[block * size + lane] = _f(1.0)
        blends[tile] = _blend_tile(
            ids, starts[tile], starts[tile + 1], spans, rows, stride, x, y, alive, state, size, width
        )
        for block in range(BLOCKS * BLOCKS):
            block_x, block_y = block % BLOCKS * SIDE, block // BLOCKS * SIDE
            if block_x < tile_width and block_y < tile_height:
                _finish(state, block * size, size, column * TILE + block_x, line * TILE + block_y,
                        min(SIDE, tile_width - block_x), min(SIDE, tile_height - block_y),
                        change, combined, depth, mask, extra)  # fmt: skip
    return blends.sum()


@_part
def _blend_tile(ids, position, end, spans, rows, stride, x, y, alive, state, size, width):
    """All of a tile's Gaussians, a chunk at a time: which blocks each reaches, then block by block those that do."""
    bits = np.empty(CHUNK, np.uint64)
    blends = 0
    while position < end and alive:
        count = min(CHUNK, end - position)
        for k in range(count):
            bits[k] = touched(spans, np.int64(ids[position + k]) * SPAN, x, y)
        for k in range(count, CHUNK):
            bits[k] = 0
        transpose(bits, 0)
        transpose(bits, 64)
        for block in range(BLOCKS * BLOCKS):
            one = np.uint64(1) << np.uint64(block)
            low, high = bits[block], bits[64 + block]
            if (low | high) and alive & one:
                block_x, block_y = x + _f(block % BLOCKS * SIDE), y + _f(block // BLOCKS * SIDE)
                blends += count_bits(low) + count_bits(high)
                if not blend(rows, stride, ids, position, low, high, state, block * size, block_x, block_y, width):
                    alive &= ~one
        position += count
    return blends


@_part
def _clear(x, y, width, height, combined, depth, mask, extra):
    """A tile that nothing reaches."""
    if combined.size:
        combined[y : y + height, x : x + width] = _f(0.0)
    if depth.size:
        depth[y : y + height, x : x + width] = _f(DEPTH_BACKGROUND)
    if mask.size:
        mask[y : y + height, x : x + width] = _f(0.0)
    if extra.size:
        extra[y : y + height, x : x + width] = _f(0.0)


@_part
def _finish(state, base, size, x, y, width, height, change, combined, depth, mask, extra):
    """A block's sums → the passes' pixels at (x, y), width and height at most a block's."""
    if combined.size:
        if width == SIDE and height == SIDE:
            across = combined.shape[1] * 4
            finish(state, base, change == DECODE, combined.ravel(), y * across + x * 4, across)
        else:
            block = np.empty(4 * LANES, np.float32)
            finish(state, base, change == DECODE, block, 0, 4 * SIDE)
            for line in range(height):
                for number in range(4 * width):
                    combined[y + line, x + number // 4, number % 4] = block[line * 4 * SIDE + number]
    for line in range(height):
        for column in range(width):
            at = base + LANES + line * SIDE + column
            covered = state[at]
            if depth.size:
                expected = state[at + 4 * LANES] / max(covered, _ALPHA_MIN)
                depth[y + line, x + column, 0] = expected if covered >= _ALPHA_MIN else _f(DEPTH_BACKGROUND)
            if mask.size:
                mask[y + line, x + column, 0] = covered
            for feature in range(extra.shape[2]):
                extra[y + line, x + column, feature] = state[at + (1 + COLOUR_FEATURES + feature) * LANES]
