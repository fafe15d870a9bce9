"""How well speech becomes motion: timing, lip closures, keys, and agreement with captured mouths.

Timing is measured against the sound itself: at boundaries that the ear and the eye can place (a fricative's hiss
beginning or ending, a stop closing or bursting, speech beginning or ending after a pause) the sound's level crosses the
middle of its step within a few milliseconds. And against the shipped line, whose phone times the voice knew.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..contract.errors import MienError
from ..motion import articulation, keys
from ..motion.perform import Performance, perform
from ..speech import lines, sound
from ..speech.phones import SILENCE, VOWELS, Phone
from ..speech.prosody import STEP, Prosody, measure

_MARK = "With tenure, Suzie'd have all the more leisure for yachting, but her publications are no good."
#: What the three recordings say.
TRANSCRIPTS: dict[str, str] = {
    "Mark_neutral.wav": _MARK,
    "Mark_joy.wav": _MARK,
    "Claire_neutral.wav": (
        "She usually rushes to push the garage door closed. George is at the church watching a magic show. "
        "We rose with Lucy about the tall tower in her new yellow car."
    ),
}
_HISSES = frozenset(["s", "ʃ"])
_NOISY = frozenset(["s", "ʃ", "z", "ʒ", "f", "θ", "tʃ", "dʒ", "ts", "h"])
_PLOSIVES = frozenset(["p", "b", "t", "d", "k", "ɡ"])
_STEP_LEAST = 12.0  # dB that the level must change by for its crossing to be a landmark
_SEARCH = 0.06


@dataclass(frozen=True)
class Line:
    """One row of the report; `ok` is None where there is no bar."""

    what: str
    value: str
    bar: str = ""
    ok: bool | None = None


def _crossing(level: np.ndarray, low: int, high: int, rising: bool) -> float | None:
    """Seconds at which a level [N] crosses the middle of its step within [low, high); None where it makes no step."""
    part = level[max(low, 0) : high]
    if len(part) < 4 or np.ptp(part) < _STEP_LEAST:
        return None
    middle = 0.5 * (part.max() + part.min())
    extreme = int(part.argmax() if rising else part.argmin())
    before = np.flatnonzero(part[: extreme + 1] < middle if rising else part[: extreme + 1] > middle)
    return (max(low, 0) + before[-1] + 0.5) * STEP if len(before) else None


def landmark_errors(phones: list[Phone], prosody: Prosody) -> np.ndarray:
    """Seconds by which each boundary that the sound shows clearly comes after its landmark."""
    errors = []
    for left, right in itertools.pairwise(phones):
        low = int(max(right.start - _SEARCH, 0.5 * (left.start + left.end)) / STEP)
        high = int(min(right.start + _SEARCH, 0.5 * (right.start + right.end)) / STEP) + 1
        if right.symbol in _HISSES and left.symbol not in _NOISY:
            mark = _crossing(prosody.high, low, high, True)
        elif left.symbol in _HISSES and right.symbol in VOWELS:
            mark = _crossing(prosody.high, low, high, False)
        elif left.symbol in VOWELS and right.symbol in _PLOSIVES | {SILENCE}:
            mark = _crossing(prosody.level, low, high, False)
        elif (left.symbol in _PLOSIVES and right.symbol in VOWELS) or left.symbol == SILENCE:
            mark = _crossing(prosody.level, low, high, True)
        else:
            continue
        if mark is not None:
            errors.append(right.start - mark)
    return np.array(errors)


def onset_errors(found: list[Phone], known: list[Phone], reach: float = 0.12) -> np.ndarray:
    """Seconds between each known phone's onset and the nearest found one of its symbol; unmatched ones are left out."""
    errors = []
    for phone in known:
        if phone.symbol == SILENCE:
            continue
        near = [
            other.start - phone.start
            for other in found
            if other.symbol == phone.symbol and abs(other.start - phone.start) < reach
        ]
        if near:
            errors.append(min(near, key=abs))
    return np.array(errors)


def closure_share(result: Performance, keyed: bool) -> tuple[int, int]:
    """(closures whose every frame within is shut, closures) of one performance, by its curves or by its keys."""
    curves = result.curves
    if keyed:
        entries = {name: result.keys.get(name, []) for name in curves.channels}
        curves = keys.to_curves(entries, curves.fps, len(curves.values))
    aperture = articulation.lip_aperture(curves.values, curves.channels)
    shut = total = 0
    for start, end in result.closures:
        # The frames within the closure, or the nearest one where it falls between two.
        first, last = int(np.ceil(start * curves.fps - 1e-6)), int(end * curves.fps + 1e-6)
        if last < first:
            first = last = round(0.5 * (start + end) * curves.fps)
        total += 1
        shut += bool(np.all(aperture[first : last + 1] < 1e-3))
    return shut, total


def _timing(name: str, errors: np.ndarray) -> Line:
    if len(errors) == 0:
        return Line(name, "nothing to measure")
    median, spread = 1000 * np.median(errors), 1000 * np.median(np.abs(errors))
    within = np.mean(np.abs(errors) <= 0.02)
    value = f"median {median:+.1f} ms, median distance {spread:.1f} ms, {within:.0%} within ±20 ms of {len(errors)}"
    return Line(name, value, "±20 ms", bool(abs(median) <= 20 and spread <= 20))


def _sources(data: Path | None) -> list[tuple[str, Path, str | None]]:
    sources: list[tuple[str, Path, str | None]] = [("the shipped line", lines.SOUND, lines.text())]
    if data is not None:
        sources += [(name, data / "audio" / name, text) for name, text in TRANSCRIPTS.items()]
    return [source for source in sources if source[1].is_file()]


def report(data: Path | None = None) -> list[Line]:
    """All figures. `data` is a folder with `audio/` and `motion/facegood/`, for the recordings and captures."""
    rows: list[Line] = []
    frames = cells = count = 0
    worst = 0.0
    shut = {False: np.zeros(2, int), True: np.zeros(2, int)}
    for name, path, text in _sources(data):
        prosody = measure(sound.read(path))
        for how, words in (("with text", text), ("sound alone", None)):
            result = perform(path, words)
            phones = [Phone(*row) for row in result.phones]
            rows.append(_timing(f"Onsets, {name}, {how}: against the sound", landmark_errors(phones, prosody)))
            if path == lines.SOUND:
                rows.append(
                    _timing(
                        f"Onsets, {name}, {how}: against the voice's own times", onset_errors(phones, lines.phones())
                    )
                )
        for fps in (24.0, 25.0, 30.0, 59.94):
            result = perform(path, text, fps=fps)
            for keyed in shut:
                shut[keyed] += closure_share(result, keyed)
            if fps == 30.0:
                frames += len(result.curves.values)
                cells += result.curves.values.size
                count += sum(len(entries) for entries in result.keys.values())
                worst = max(worst, key_error(result))
    for keyed, (closed, total) in shut.items():
        what = "Lip closures at p, b, m, by the " + ("keys" if keyed else "curves") + " at 24, 25, 30 and 59.94 fps"
        rows.append(Line(what, f"{closed} of {total} shut ({closed / max(total, 1):.1%})", "100 %", closed == total))
    rows.append(
        Line(
            "Keys",
            f"{count} for {cells} channel values ({frames} frames at 30 fps): {cells / count:.1f} times fewer",
            "≥ 5 times",
            cells >= 5 * count,
        )
    )
    rows.append(Line("Greatest key error at any frame", f"{worst:.4f}", "≤ 0.02", worst <= 0.02))
    if data is not None:
        for path in sorted((data / "motion" / "facegood").glob("take_*.npz")):
            rows += _capture(path)
    return rows


def key_error(result: Performance) -> float:
    """Greatest distance between a performance's curves and its keys over all frames and channels."""
    entries = {name: result.keys.get(name, []) for name in result.curves.channels}
    keyed = keys.to_curves(entries, result.curves.fps, len(result.curves.values))
    return float(np.abs(keyed.values - result.curves.values).max())


#: Captured weights beside what they are compared with: the capture's own names of FACEGOOD.
_CAPTURED: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("jaw", ("mouth_stretch_c",), ("AU26 Jaw Drop",)),
    ("rounding", ("mouth_oh_c", "mouth_funnel_dl", "mouth_funnel_ul"), ("AU18 Lip Pucker", "AU22 Lip Funneler")),
    ("lips in", ("mouth_suck_dl", "mouth_suck_ul"), ("AU24 Lip Pressor.L", "AU28 Lip Suck Lower")),
    ("spread", ("mouth_lipCornerPull_l",), ("AU20 Lip Stretcher.L",)),
    ("lower lip", ("mouth_lowerLipDepress_l",), ("AU16 Lower Lip Depressor.L",)),
)


def _capture(path: Path) -> list[Line]:
    """Correlation over time with captured weights, beside a baseline that opens the mouth with the sound's level."""
    wave = path.with_suffix(".wav")
    with np.load(path) as take:
        weights, names, fps = take["weights"].astype(float), [str(name) for name in take["names"]], float(take["fps"])
    result = perform(wave, fps=fps, strengths={"breath": 0.0})
    prosody = measure(sound.read(wave))
    values, channels = result.curves.values, result.curves.channels
    length = min(len(weights), len(values))
    times = np.arange(length) / fps
    envelope = np.interp(
        times, prosody.times, gaussian_filter1d(10 ** (np.maximum(prosody.level, -60) / 20), 0.03 / STEP)
    )
    parts = []
    for label, theirs, ours in _CAPTURED:
        captured = weights[:length, [names.index(name) for name in theirs]].sum(1)
        made = values[:length, [channels.index(name) for name in ours]].sum(1)
        parts.append(f"{label} {_correlation(captured, made):.2f} ({_correlation(captured, envelope):.2f})")
    return [Line(f"Correlation with {path.stem} (envelope baseline)", ", ".join(parts))]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 1e-9 and b.std() > 1e-9 else 0.0


def show(rows: list[Line]) -> None:
    for row in rows:
        verdict = "" if row.ok is None else ("  ok" if row.ok else "  MISSED")
        print(f"{row.what}\n    {row.value}{f'  [{row.bar}]' if row.bar else ''}{verdict}")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine evaluate speech`."""
    speech = subparsers.add_parser("speech", help="timing, lip closures, keys, agreement with captured mouths")
    speech.add_argument("--data", metavar="FOLDER", help="a folder with audio/ and motion/facegood/")
    speech.set_defaults(func=_command)


def _command(args: argparse.Namespace) -> int:
    data = Path(args.data) if args.data else None
    if data is not None and not data.is_dir():
        raise MienError(f"{data} is not a folder; give one with audio/ and motion/facegood/.")
    rows = report(data)
    show(rows)
    return 0 if all(row.ok is not False for row in rows) else 1
