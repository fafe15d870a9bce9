"""Rendering that can be differentiated, on the CPU: Gaussians in triangle frames → picture, and the way back.

The rules are those of engine/splat (gsplat 1.5.3's): α below 1/255 skipped, α at most 0.999, a pixel ends where its
transmittance would fall to 1e-4. The forward pass is engine/splat's job; here it also keeps what the backward pass
needs: each pixel's last contributor. Notation follows Kerbl et al. 2023, "3D Gaussian Splatting", appendix A.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from ..splat.blend import bits_from_float
from ..splat.cpu import device
from ..splat.interface import DILATION
from ..splat.kernels import CULLED, assign, exp2, sort

TILE = 16
LANES = 8
"""Pixels handled at once; a tile's line is a whole number of them."""
PIXELS = TILE * TILE
ALPHA_MIN, ALPHA_MAX, T_MIN = np.float32(1 / 255), np.float32(0.999), np.float32(1e-4)
LOG_ALPHA_MIN = np.float32(np.log(1 / 255))
SH_0, SH_1 = np.float32(0.28209479177387814), np.float32(0.4886025119029199)
SH_2 = tuple(
    np.float32(number) for number in (1.0925484305920792, 0.9461746957575601, 0.31539156525252, 0.5462742152960395)
)
"""Factors of the harmonics, with gsplat's signs and order."""
_f = np.float32
_u = np.uint64
_OPEN, _RED, _GREEN, _BLUE, _LAST, _BEHIND = (np.uint64(row * PIXELS) for row in range(1, 7))
"""Where the rows of a tile's state begin; in the backward pass _OPEN holds the last contributor, _LAST the rest."""
_options = {"cache": True, "error_model": "numpy"}


@dataclass(frozen=True)
class Pinhole:
    """A camera: `view` [3,4] world → camera (x right, y down, z forward), `lens` fx, fy, cx, cy and size in pixels."""

    view: np.ndarray
    lens: tuple[float, float, float, float]
    width: int
    height: int

    @property
    def eye(self) -> np.ndarray:
        return (-self.view[:, :3].T @ self.view[:, 3]).astype(np.float32)

    @property
    def tiles(self) -> tuple[int, int]:
        """Columns and rows of tiles."""
        return (self.width + TILE - 1) // TILE, (self.height + TILE - 1) // TILE

    def smaller(self, factor: int) -> Pinhole:
        """The same camera with a picture that many times smaller; its sides are whole after cutting."""
        lens = tuple(number / factor for number in self.lens)
        return Pinhole(self.view, lens, self.width // factor, self.height // factor)


@dataclass
class Parameters:
    """What is fitted, float32: position [N,3], rotation [N,4] wxyz, log_scale [N,3], opacity_logit [N], sh [N,S,3]."""

    position: np.ndarray
    rotation: np.ndarray
    log_scale: np.ndarray
    opacity_logit: np.ndarray
    sh: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        return self.__dict__


@dataclass(frozen=True)
class Pose:
    """Where the triangles are: `origin` [N,3] and `axes` [N,3,3] (any linear map) of each Gaussian's triangle."""

    origin: np.ndarray
    axes: np.ndarray


@dataclass
class Trace:
    """What one forward pass leaves for the backward pass."""

    screen: np.ndarray
    colour: np.ndarray
    starts: np.ndarray
    ids: np.ndarray
    transmittance: np.ndarray
    last: np.ndarray
    background: np.ndarray


@numba.njit(fastmath=True, inline="always", error_model="numpy")
def _exp(x):
    """exp(x) for x in −80 … 10, relative error below 1e-6."""
    return exp2(x * _f(1.4426950408889634))


@numba.njit(fastmath=True, **_options)
def _rotation(q, n):
    """Rows of the rotation of quaternion n, and 1/|q|."""
    w, x, y, z = q[n, 0], q[n, 1], q[n, 2], q[n, 3]
    inverse = _f(1) / np.sqrt(w * w + x * x + y * y + z * z)
    w, x, y, z = w * inverse, x * inverse, y * inverse, z * inverse
    one, two = _f(1), _f(2)
    return (
        (one - two * (y * y + z * z), two * (x * y - w * z), two * (x * z + w * y)),
        (two * (x * y + w * z), one - two * (x * x + z * z), two * (y * z - w * x)),
        (two * (x * z - w * y), two * (y * z + w * x), one - two * (x * x + y * y)),
        (w, x, y, z, inverse),
    )


@numba.njit(parallel=True, fastmath=True, **_options)
def _project(position, rotation, log_scale, logit, sh, origin, axes, view, eye, lens, width, height,
             dilation, screen, colour, keys, boxes):  # fmt: skip
    """screen [N,9]: x, y, conic a, b, c, log opacity, half width, half height, opacity; colour [N,3]; keys; boxes."""
    columns, rows = (width + TILE - 1) // TILE, (height + TILE - 1) // TILE
    fx, fy, middle_x, middle_y = lens[0], lens[1], lens[2], lens[3]
    for n in numba.prange(len(logit)):
        keys[n] = CULLED
        p0, p1, p2 = position[n, 0], position[n, 1], position[n, 2]
        m = np.empty(3, np.float32)
        for i in range(3):
            m[i] = origin[n, i] + axes[n, i, 0] * p0 + axes[n, i, 1] * p1 + axes[n, i, 2] * p2
        x = view[0, 0] * m[0] + view[0, 1] * m[1] + view[0, 2] * m[2] + view[0, 3]
        y = view[1, 0] * m[0] + view[1, 1] * m[1] + view[1, 2] * m[2] + view[1, 3]
        z = view[2, 0] * m[0] + view[2, 1] * m[1] + view[2, 2] * m[2] + view[2, 3]
        opacity = _f(1) / (_f(1) + np.exp(-logit[n]))
        if z < _f(0.01) or opacity < ALPHA_MIN:
            continue
        r0, r1, r2, _ = _rotation(rotation, n)
        inverse = _f(1) / z
        jx, jy = fx * inverse, fy * inverse
        a, b, c = dilation, _f(0), dilation
        for j in range(3):
            s = np.exp(log_scale[n, j])
            w0 = (axes[n, 0, 0] * r0[j] + axes[n, 0, 1] * r1[j] + axes[n, 0, 2] * r2[j]) * s
            w1 = (axes[n, 1, 0] * r0[j] + axes[n, 1, 1] * r1[j] + axes[n, 1, 2] * r2[j]) * s
            w2 = (axes[n, 2, 0] * r0[j] + axes[n, 2, 1] * r1[j] + axes[n, 2, 2] * r2[j]) * s
            cx = view[0, 0] * w0 + view[0, 1] * w1 + view[0, 2] * w2
            cy = view[1, 0] * w0 + view[1, 1] * w1 + view[1, 2] * w2
            cz = view[2, 0] * w0 + view[2, 1] * w1 + view[2, 2] * w2
            u = jx * (cx - x * inverse * cz)
            v = jy * (cy - y * inverse * cz)
            a += u * u
            b += u * v
            c += v * v
        determinant = a * c - b * b
        room = _f(2) * (np.log(opacity) - LOG_ALPHA_MIN)
        wide, high = np.sqrt(room * a), np.sqrt(room * c)
        px, py = jx * x + middle_x, jy * y + middle_y
        if not (determinant > 0 and px + wide > 0 and px - wide < width and py + high > 0 and py - high < height):
            continue
        screen[n, 0], screen[n, 1] = px, py
        screen[n, 2], screen[n, 3], screen[n, 4] = c / determinant, -b / determinant, a / determinant
        screen[n, 5], screen[n, 6], screen[n, 7], screen[n, 8] = np.log(opacity), wide, high, opacity
        keys[n] = np.uint32(bits_from_float(z))
        boxes[n, 0] = max(0, int((px - wide) // TILE))
        boxes[n, 1] = min(columns - 1, int((px + wide) // TILE))
        boxes[n, 2] = max(0, int((py - high) // TILE))
        boxes[n, 3] = min(rows - 1, int((py + high) // TILE))
        dx, dy, dz = m[0] - eye[0], m[1] - eye[1], m[2] - eye[2]
        length = _f(1) / np.sqrt(dx * dx + dy * dy + dz * dz)
        dx, dy, dz = dx * length, dy * length, dz * length
        for k in range(3):
            value = _f(0.5) + SH_0 * sh[n, 0, k]
            if sh.shape[1] > 1:
                value += SH_1 * (dz * sh[n, 2, k] - dy * sh[n, 1, k] - dx * sh[n, 3, k])
            if sh.shape[1] > 4:
                value += SH_2[0] * (dx * dy * sh[n, 4, k] - dy * dz * sh[n, 5, k] - dx * dz * sh[n, 7, k])
                value += (SH_2[1] * dz * dz - SH_2[2]) * sh[n, 6, k] + SH_2[3] * (dx * dx - dy * dy) * sh[n, 8, k]
            colour[n, k] = max(_f(0), value)


@numba.njit(parallel=True, fastmath=True, **_options)
def _forward(starts, ids, screen, colour, width, height, background, picture, transmittance, last):
    """Blends all tiles. `last` [H,W]: 1 + the place of the pixel's last contributor in its tile's list."""
    tiles = (width + TILE - 1) // TILE
    for tile in numba.prange(len(starts) - 1):
        left, top = _f((tile % tiles) * TILE) + _f(0.5), _f((tile // tiles) * TILE) + _f(0.5)
        lines = min(TILE, height - (tile // tiles) * TILE)
        # One array, unsigned indices: the compiler must see that nothing overlaps and nothing wraps to use its lanes.
        # Rows: transmittance, still open, red, green, blue, last contributor.
        state = np.zeros(6 * PIXELS, np.float32)
        state[: 2 * PIXELS] = _f(1)
        for k in range(starts[tile], starts[tile + 1]):
            g = ids[k]
            place = _f(k - starts[tile] + 1)
            x, y = screen[g, 0] - left, screen[g, 1] - top
            a, b, c, peak = _f(0.5) * screen[g, 2], screen[g, 3], _f(0.5) * screen[g, 4], screen[g, 5]
            r0, g0, b0 = colour[g, 0], colour[g, 1], colour[g, 2]
            first = max(0, int(np.ceil(y - screen[g, 7])))
            final = min(lines, int(np.floor(y + screen[g, 7])) + 1)
            low = max(0, int(np.floor(x - screen[g, 6])) // LANES)
            high = min(TILE // LANES, int(np.floor(x + screen[g, 6])) // LANES + 1)
            for line in range(first, final):
                dy = _f(line) - y
                along, across = peak - c * dy * dy, b * dy
                if across * across + _f(4) * a * (along - LOG_ALPHA_MIN) <= 0:
                    continue
                for block in range(low, high):
                    at = _u(line * TILE + block * LANES)
                    start = _f(block * LANES) - x
                    for i in range(_u(LANES)):
                        j = at + i
                        dx = start + _f(i)
                        power = along - dx * (a * dx + across)
                        alpha = min(_exp(max(power, _f(-20))), ALPHA_MAX) * state[j + _OPEN]
                        alpha = alpha if power >= LOG_ALPHA_MIN else _f(0)
                        weight = alpha * state[j]
                        going = _f(1) if state[j] - weight > T_MIN else _f(0)
                        state[j + _OPEN] *= going
                        weight *= going
                        state[j] -= weight
                        state[j + _RED] += weight * r0
                        state[j + _GREEN] += weight * g0
                        state[j + _BLUE] += weight * b0
                        hit = _f(1) if weight > _f(0) else _f(0)
                        state[j + _LAST] += hit * (place - state[j + _LAST])
            if (k - starts[tile]) % 32 == 31 and state[PIXELS : 2 * PIXELS].max() == 0:
                break
        for line in range(lines):
            for column in range(min(TILE, width - (tile % tiles) * TILE)):
                j = line * TILE + column
                Y, X = (tile // tiles) * TILE + line, (tile % tiles) * TILE + column
                T = state[j]
                picture[Y, X, 0] = state[j + 2 * PIXELS] + T * background[0]
                picture[Y, X, 1] = state[j + 3 * PIXELS] + T * background[1]
                picture[Y, X, 2] = state[j + 4 * PIXELS] + T * background[2]
                transmittance[Y, X] = T
                last[Y, X] = int(state[j + 5 * PIXELS])


@numba.njit(parallel=True, fastmath=True, **_options)
def _backward(starts, ids, screen, colour, width, height, background, transmittance, last, to_picture, to_alpha, pairs):
    """pairs [P,9]: gradients of x, y, conic a, b, c, opacity, colour for every (tile, Gaussian)."""
    tiles = (width + TILE - 1) // TILE
    for tile in numba.prange(len(starts) - 1):
        left, top = _f((tile % tiles) * TILE) + _f(0.5), _f((tile // tiles) * TILE) + _f(0.5)
        lines = min(TILE, height - (tile // tiles) * TILE)
        columns = min(TILE, width - (tile % tiles) * TILE)
        # Rows: transmittance, last contributor, gradient of red, green, blue, the background's and alpha's share, and
        # what lies behind the current Gaussian, already weighted by the gradient.
        state = np.zeros(7 * PIXELS, np.float32)
        state[:PIXELS] = _f(1)
        deepest = 0
        for line in range(lines):
            for column in range(columns):
                j = line * TILE + column
                Y, X = (tile // tiles) * TILE + line, (tile % tiles) * TILE + column
                v0, v1, v2 = to_picture[Y, X, 0], to_picture[Y, X, 1], to_picture[Y, X, 2]
                deepest = max(deepest, last[Y, X])
                state[j] = transmittance[Y, X]
                state[j + PIXELS] = _f(last[Y, X])
                state[j + 2 * PIXELS], state[j + 3 * PIXELS], state[j + 4 * PIXELS] = v0, v1, v2
                through_all = background[0] * v0 + background[1] * v1 + background[2] * v2
                state[j + 5 * PIXELS] = transmittance[Y, X] * (to_alpha[Y, X] - through_all)
        for k in range(starts[tile] + deepest, starts[tile + 1]):
            pairs[k] = 0
        for step in range(deepest):
            k = starts[tile] + deepest - 1 - step
            g = ids[k]
            place = _f(k - starts[tile] + 1)
            x, y = screen[g, 0] - left, screen[g, 1] - top
            a, b, c, peak = _f(0.5) * screen[g, 2], screen[g, 3], _f(0.5) * screen[g, 4], screen[g, 5]
            r0, g0, b0 = colour[g, 0], colour[g, 1], colour[g, 2]
            first = max(0, int(np.ceil(y - screen[g, 7])))
            final = min(lines, int(np.floor(y + screen[g, 7])) + 1)
            low = max(0, int(np.floor(x - screen[g, 6])) // LANES)
            high = min(TILE // LANES, int(np.floor(x + screen[g, 6])) // LANES + 1)
            sx, sy, sxx, sxy, syy, so, sr, sg, sb = _f(0), _f(0), _f(0), _f(0), _f(0), _f(0), _f(0), _f(0), _f(0)
            for line in range(first, final):
                dy = _f(line) - y
                along, across = peak - c * dy * dy, b * dy
                if across * across + _f(4) * a * (along - LOG_ALPHA_MIN) <= 0:
                    continue
                for block in range(low, high):
                    at = _u(line * TILE + block * LANES)
                    start = _f(block * LANES) - x
                    for i in range(_u(LANES)):
                        j = at + i
                        dx = start + _f(i)
                        power = along - dx * (a * dx + across)
                        raw = _exp(max(power, _f(-20)))
                        strong = _f(1) if power >= LOG_ALPHA_MIN else _f(0)
                        reached = _f(1) if place <= state[j + _OPEN] else _f(0)
                        free = _f(1) if raw <= ALPHA_MAX else _f(0)
                        alpha = min(raw, ALPHA_MAX) * (strong * reached)
                        through = _f(1) / (_f(1) - alpha)
                        before = state[j] * through
                        state[j] = before
                        weight = alpha * before
                        v0, v1, v2 = state[j + _RED], state[j + _GREEN], state[j + _BLUE]
                        shine = r0 * v0 + g0 * v1 + b0 * v2
                        slope = shine * before + (state[j + _LAST] - state[j + _BEHIND]) * through
                        state[j + _BEHIND] += weight * shine
                        slope *= alpha * free
                        across_x, across_y = slope * dx, slope * dy
                        sx += across_x
                        sy += across_y
                        sxx += across_x * dx
                        sxy += across_x * dy
                        syy += across_y * dy
                        so += slope
                        sr += weight * v0
                        sg += weight * v1
                        sb += weight * v2
            pairs[k, 0] = _f(2) * a * sx + b * sy
            pairs[k, 1] = b * sx + _f(2) * c * sy
            pairs[k, 2], pairs[k, 3], pairs[k, 4] = _f(-0.5) * sxx, -sxy, _f(-0.5) * syy
            pairs[k, 5], pairs[k, 6], pairs[k, 7], pairs[k, 8] = so, sr, sg, sb


@numba.njit(**_options)
def _gather(ids, pairs, result):
    """Adds up each Gaussian's pairs."""
    for k in range(len(ids)):
        for i in range(9):
            result[ids[k], i] += pairs[k, i]


@numba.njit(parallel=True, fastmath=True, **_options)
def _unproject(position, rotation, log_scale, logit, sh, origin, axes, view, eye, lens, screen, colour, keys,
               to_screen, to_position, to_rotation, to_scale, to_logit, to_sh):  # fmt: skip
    """Gradients of what is fitted from gradients on the screen [N,9]; writes every Gaussian's, 0 where culled."""
    for n in numba.prange(len(logit)):
        to_position[n] = 0
        to_rotation[n] = 0
        to_scale[n] = 0
        to_logit[n] = 0
        to_sh[n] = 0
        if keys[n] == CULLED:
            continue
        to_logit[n] = to_screen[n, 5] * (_f(1) - screen[n, 8])
        m = np.empty(3, np.float32)
        for i in range(3):
            m[i] = origin[n, i]
            for j in range(3):
                m[i] += axes[n, i, j] * position[n, j]
        x = view[0, 0] * m[0] + view[0, 1] * m[1] + view[0, 2] * m[2] + view[0, 3]
        y = view[1, 0] * m[0] + view[1, 1] * m[1] + view[1, 2] * m[2] + view[1, 3]
        z = view[2, 0] * m[0] + view[2, 1] * m[1] + view[2, 2] * m[2] + view[2, 3]
        inverse = _f(1) / z
        j0, j1 = lens[0] * inverse, lens[1] * inverse
        jx, jy = -j0 * x * inverse, -j1 * y * inverse
        r0, r1, r2, unit = _rotation(rotation, n)
        # dΣ = −Q G Q for conic Q.
        a, b, c = screen[n, 2], screen[n, 3], screen[n, 4]
        ga, gb, gc = to_screen[n, 2], _f(0.5) * to_screen[n, 3], to_screen[n, 4]
        t00, t01, t10, t11 = a * ga + b * gb, a * gb + b * gc, b * ga + c * gb, b * gb + c * gc
        s00, s01, s11 = -(t00 * a + t01 * b), -(t00 * b + t01 * c), -(t10 * b + t11 * c)
        to_j0x, to_j0y, to_jx, to_jy = _f(0), _f(0), _f(0), _f(0)
        to_r = np.empty((3, 3), np.float32)
        for j in range(3):
            s = np.exp(log_scale[n, j])
            w = np.empty(3, np.float32)
            for i in range(3):
                w[i] = (axes[n, i, 0] * r0[j] + axes[n, i, 1] * r1[j] + axes[n, i, 2] * r2[j]) * s
            cx = view[0, 0] * w[0] + view[0, 1] * w[1] + view[0, 2] * w[2]
            cy = view[1, 0] * w[0] + view[1, 1] * w[1] + view[1, 2] * w[2]
            cz = view[2, 0] * w[0] + view[2, 1] * w[1] + view[2, 2] * w[2]
            u, v = j0 * cx + jx * cz, j1 * cy + jy * cz
            gu, gv = _f(2) * (s00 * u + s01 * v), _f(2) * (s01 * u + s11 * v)
            to_j0x += gu * cx
            to_j0y += gv * cy
            to_jx += gu * cz
            to_jy += gv * cz
            gx, gy, gz = gu * j0, gv * j1, gu * jx + gv * jy
            total = _f(0)
            for i in range(3):
                gw = view[0, i] * gx + view[1, i] * gy + view[2, i] * gz
                w[i] = gw
            for i in range(3):
                to_r[i, j] = (axes[n, 0, i] * w[0] + axes[n, 1, i] * w[1] + axes[n, 2, i] * w[2]) * s
            total = to_r[0, j] * r0[j] + to_r[1, j] * r1[j] + to_r[2, j] * r2[j]
            to_scale[n, j] = total
        px, py = to_screen[n, 0], to_screen[n, 1]
        gx = px * j0 - to_jx * j0 * inverse
        gy = py * j1 - to_jy * j1 * inverse
        gz = (px * jx + py * jy) - (to_j0x * j0 + to_j0y * j1) * inverse
        gz += _f(2) * inverse * inverse * (to_jx * x * j0 + to_jy * y * j1)
        g = np.empty(3, np.float32)
        for i in range(3):
            g[i] = view[0, i] * gx + view[1, i] * gy + view[2, i] * gz
        dx, dy, dz = m[0] - eye[0], m[1] - eye[1], m[2] - eye[2]
        length = _f(1) / np.sqrt(dx * dx + dy * dy + dz * dz)
        dx, dy, dz = dx * length, dy * length, dz * length
        hx, hy, hz = _f(0), _f(0), _f(0)
        for k in range(3):
            value = to_screen[n, 6 + k] if colour[n, k] > 0 else _f(0)
            to_sh[n, 0, k] = SH_0 * value
            if sh.shape[1] > 1:
                to_sh[n, 1, k], to_sh[n, 2, k], to_sh[n, 3, k] = (
                    -SH_1 * dy * value,
                    SH_1 * dz * value,
                    -SH_1 * dx * value,
                )
                hx -= SH_1 * sh[n, 3, k] * value
                hy -= SH_1 * sh[n, 1, k] * value
                hz += SH_1 * sh[n, 2, k] * value
            if sh.shape[1] > 4:
                factor = SH_2[0] * value
                to_sh[n, 4, k], to_sh[n, 5, k], to_sh[n, 7, k] = factor * dx * dy, -factor * dy * dz, -factor * dx * dz
                to_sh[n, 6, k] = (SH_2[1] * dz * dz - SH_2[2]) * value
                to_sh[n, 8, k] = SH_2[3] * (dx * dx - dy * dy) * value
                twice = _f(2) * SH_2[3] * value * sh[n, 8, k]
                hx += factor * (dy * sh[n, 4, k] - dz * sh[n, 7, k]) + twice * dx
                hy += factor * (dx * sh[n, 4, k] - dz * sh[n, 5, k]) - twice * dy
                hz += _f(2) * SH_2[1] * dz * value * sh[n, 6, k] - factor * (dy * sh[n, 5, k] + dx * sh[n, 7, k])
        inward = hx * dx + hy * dy + hz * dz
        g[0] += (hx - inward * dx) * length
        g[1] += (hy - inward * dy) * length
        g[2] += (hz - inward * dz) * length
        for i in range(3):
            to_position[n, i] = axes[n, 0, i] * g[0] + axes[n, 1, i] * g[1] + axes[n, 2, i] * g[2]
        qw, qx, qy, qz, scale = unit
        two = _f(2)
        h0 = two * (qx * (to_r[2, 1] - to_r[1, 2]) + qy * (to_r[0, 2] - to_r[2, 0]) + qz * (to_r[1, 0] - to_r[0, 1]))
        h1 = two * (-two * qx * (to_r[1, 1] + to_r[2, 2]) + qy * (to_r[0, 1] + to_r[1, 0])
                    + qz * (to_r[0, 2] + to_r[2, 0]) + qw * (to_r[2, 1] - to_r[1, 2]))  # fmt: skip
        h2 = two * (qx * (to_r[0, 1] + to_r[1, 0]) - two * qy * (to_r[0, 0] + to_r[2, 2])
                    + qz * (to_r[1, 2] + to_r[2, 1]) + qw * (to_r[0, 2] - to_r[2, 0]))  # fmt: skip
        h3 = two * (qx * (to_r[0, 2] + to_r[2, 0]) + qy * (to_r[1, 2] + to_r[2, 1])
                    - two * qz * (to_r[0, 0] + to_r[1, 1]) + qw * (to_r[1, 0] - to_r[0, 1]))  # fmt: skip
        along = h0 * qw + h1 * qx + h2 * qy + h3 * qz
        to_rotation[n, 0] = (h0 - along * qw) * scale
        to_rotation[n, 1] = (h1 - along * qx) * scale
        to_rotation[n, 2] = (h2 - along * qy) * scale
        to_rotation[n, 3] = (h3 - along * qz) * scale


class Renderer:
    """Forward and backward for a fixed number of Gaussians; keeps its working memory.

    `dilation`: pixels² that the covariance in the picture gains on its diagonal.
    """

    name = "cpu"
    device = staticmethod(device)

    def __init__(self, count: int, sh_count: int = 4, dilation: float = DILATION) -> None:
        self.dilation = _f(dilation)
        self.screen = np.zeros((count, 9), np.float32)
        self.colour = np.zeros((count, 3), np.float32)
        self.keys = np.zeros(count, np.uint32)
        self.boxes = np.zeros((count, 4), np.int16)
        self.gradient = Parameters(
            np.zeros((count, 3), np.float32), np.zeros((count, 4), np.float32), np.zeros((count, 3), np.float32),
            np.zeros(count, np.float32), np.zeros((count, sh_count, 3), np.float32),
        )  # fmt: skip

    def forward(
        self, p: Parameters, pose: Pose, camera: Pinhole, background: np.ndarray, colour: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, Trace]:
        """Picture [H,W,3] over the background [3], alpha [H,W], and the trace for `backward`.

        `colour` [N,3] is shown instead of the Gaussians' own.
        """
        _project(p.position, p.rotation, p.log_scale, p.opacity_logit, p.sh, pose.origin, pose.axes,
                 camera.view.astype(np.float32), camera.eye, np.array(camera.lens, np.float32), camera.width,
                 camera.height, self.dilation, self.screen, self.colour, self.keys, self.boxes)  # fmt: skip
        if colour is not None:
            self.colour[:] = colour
        columns, rows = camera.tiles
        starts, ids = assign(sort(self.keys), self.boxes, columns, rows, min(rows, numba.get_num_threads()))
        shape = camera.height, camera.width
        picture = np.empty((*shape, 3), np.float32)
        transmittance, last = np.empty(shape, np.float32), np.empty(shape, np.int32)
        background = np.asarray(background, np.float32)
        _forward(starts, ids, self.screen, self.colour, camera.width, camera.height, background, picture,
                 transmittance, last)  # fmt: skip
        return picture, 1 - transmittance, Trace(
            self.screen, self.colour, starts, ids, transmittance, last, background
        )  # fmt: skip

    def to_screen(self, trace: Trace, to_picture: np.ndarray, to_alpha: np.ndarray | None = None) -> np.ndarray:
        """Gradients on the screen [N,9]: x, y, conic, log opacity, colour (columns 6–8: Σ weight · to_picture)."""
        height, width = trace.last.shape
        to_alpha = np.zeros((height, width), np.float32) if to_alpha is None else to_alpha
        pairs = np.empty((len(trace.ids), 9), np.float32)
        _backward(trace.starts, trace.ids, trace.screen, trace.colour, width, height, trace.background,
                  trace.transmittance, trace.last, to_picture.astype(np.float32), to_alpha.astype(np.float32),
                  pairs)  # fmt: skip
        result = np.zeros((len(self.keys), 9), np.float32)
        _gather(trace.ids, pairs, result)
        return result

    def backward(
        self, p: Parameters, pose: Pose, camera: Pinhole, trace: Trace, to_picture: np.ndarray, to_alpha: np.ndarray
    ) -> Parameters:
        """Gradients of all parameters; valid until the next call."""
        screen = self.to_screen(trace, to_picture, to_alpha)
        g = self.gradient
        _unproject(p.position, p.rotation, p.log_scale, p.opacity_logit, p.sh, pose.origin, pose.axes,
                   camera.view.astype(np.float32), camera.eye, np.array(camera.lens, np.float32), self.screen,
                   self.colour, self.keys, screen, g.position, g.rotation, g.log_scale, g.opacity_logit,
                   g.sh)  # fmt: skip
        return g
