"""How much jitter clean-up takes away and how much of the peaks it leaves, beside a Gaussian of the same jerk."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from ..clean import files, smooth
from ..contract.curves import Curves
from ..contract.errors import MienError
from ..speech import lines
from .speech import Line, show

PROMINENCE = 0.1
"""What counts as a peak: it stands out from its surroundings by this much."""
_SLACK = 0.067  # seconds that a peak may move by
_MOVES = 0.01  # standard deviation of a channel that is measured
_NOISE = 0.02


def jerk(values: np.ndarray, fps: float) -> float:
    """Mean |third difference| over frames and channels of [T, C], a second cubed."""
    return float(np.abs(np.diff(values, 3, axis=0)).mean() * fps**3)


def peak_losses(truth: np.ndarray, made: np.ndarray, fps: float) -> np.ndarray:
    """The share of each of the truth's peaks that is lost in what was made of it; negative where it grew."""
    reach, losses = round(_SLACK * fps), []
    for before, after in zip(truth.T, made.T, strict=True):
        for place in find_peaks(before, prominence=PROMINENCE)[0]:
            near = after[max(place - reach, 0) : place + reach + 1]
            losses.append(1.0 - near.max() / before[place])
    return np.array(losses)


def gaussian_at(values: np.ndarray, wanted: float, fps: float) -> np.ndarray:
    """Values smoothed by the narrowest Gaussian that brings the jerk down to `wanted`."""
    low, high = 0.1, 20.0
    for _ in range(30):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if jerk(gaussian_filter1d(values, middle, axis=0), fps) > wanted else (low, middle)
    return gaussian_filter1d(values, high, axis=0)


def _rows(name: str, captured: Curves, truth: Curves | None = None, bars: bool = True) -> list[Line]:
    moving = (captured.values if truth is None else truth.values).std(0) > _MOVES
    given = captured.values[:, moving]
    real = given if truth is None else truth.values[:, moving]
    made = smooth.smooth(captured).values[:, moving]
    fps = captured.fps
    before, after = jerk(given, fps), jerk(made, fps)
    rival = gaussian_at(given, after, fps)
    losses, theirs = peak_losses(real, made, fps), peak_losses(real, rival, fps)
    rows = [
        Line(
            f"{name}: AU jerk of {moving.sum()} channels",
            f"{before:.0f} → {after:.0f}, {after / before:.1%}",
            "≤ 50 %",
            after <= 0.5 * before,
        ),
        Line(
            f"{name}: peak loss, mean of {len(losses)} peaks (a Gaussian of the same jerk)",
            f"{losses.mean():.1%} ({theirs.mean():.1%})",
            "≤ 5 %" if bars else "",
            bool(losses.mean() <= 0.05) if bars else None,
        ),
    ]
    if truth is not None:
        errors = [float(np.sqrt(np.mean((values - real) ** 2))) for values in (given, made, rival)]
        rows.append(
            Line(
                f"{name}: error against the truth: noisy, cleaned (a Gaussian)",
                f"{errors[0]:.4f}, {errors[1]:.4f} ({errors[2]:.4f})",
                "below a Gaussian's",
                errors[1] < errors[2],
            )
        )
    return rows


def noisy(clean: Curves, level: float, seed: int = 1) -> Curves:
    """Curves with white noise of a known level, as a tracker adds it, kept above zero where they are."""
    noise = level * np.random.default_rng(seed).standard_normal(clean.values.shape)
    least = np.minimum(clean.values.min(0), 0.0)
    return Curves(clean.fps, clean.channels, np.maximum(clean.values + noise, least))


def report(data: Path | None) -> list[Line]:
    """All figures; `data` is a folder with `motion/`, for real captures."""
    from ..motion.perform import perform

    rows: list[Line] = []
    known: list[tuple[str, Curves]] = []
    for fps in (30.0, 60.0):
        known.append((f"Mien's own line at {fps:g} fps", perform(lines.SOUND, lines.text(), fps=fps).curves))
    if data is not None:
        from ..train import facegood

        motion = data / "motion" / "arkit"
        for path in (*sorted(motion.glob("*.csv")), *sorted(motion.glob("*.json"))):
            captured, _ = files.read(path)
            rows += _rows(path.name, captured)
            if path.suffix == ".json":
                known.append((path.name, captured))
        known += [(name, curves) for name, (curves, _) in facegood.takes(data, held_out=True).items()]
    for name, curves in known:
        rows += _rows(f"{name}, noise {_NOISE:g} added", noisy(curves, _NOISE), curves)
    return rows


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine evaluate clean`."""
    parser = subparsers.add_parser("clean", help="jerk and peaks of cleaned captures, beside a Gaussian")
    parser.add_argument("--data", metavar="FOLDER", help="a folder with motion/arkit/ and motion/facegood/")
    parser.set_defaults(func=_command)


def _command(args: argparse.Namespace) -> int:
    data = Path(args.data) if args.data else None
    if data is not None and not data.is_dir():
        raise MienError(f"{data} is not a folder; give one with motion/arkit/.")
    rows = report(data)
    show(rows)
    return 0 if all(row.ok is not False for row in rows) else 1
