"""What the sync network hears on takes it was never trained on, beside the oldest way: level against jaw.

Held out are FACEGOOD's take_3_15 and every line of one voice. Curves are moved by known offsets within ±0.5 s and the
offset is looked for again; and true pairs are told from pairs 200 ms apart and from other moments of the same person.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..contract.errors import MienError
from ..sync import features, network
from ..sync.features import STEP
from .speech import Line, show

#: Frames of the held-out take's own rate.
FRAME = 1.0 / 30.0
_MOST = round(network.REACH / STEP)


def envelope_offset(voice: np.ndarray, mouth: np.ndarray) -> float:
    """Seconds by which the jaw comes late, by its correlation with the sound's amplitude: the baseline."""
    level = 10.0 ** voice[:, -1]
    lags = np.arange(-_MOST, _MOST + 1)
    scores = []
    for lag in lags:
        known = slice(max(-lag, 0), len(mouth) - max(lag, 0))
        moved = network._shifted(mouth[:, :1], lag)[known, 0]
        flat = moved.std() < 1e-9 or level[known].std() < 1e-9
        scores.append(-1.0 if flat else float(np.corrcoef(level[known], moved)[0, 1]))
    return float(lags[int(np.argmax(scores))] * STEP)


Vary = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def offsets(clips: list, seconds: float, vary: Vary | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Errors in seconds of the offsets found in sections, [N] by the network and [N] by the baseline."""
    rng = np.random.default_rng(3)
    ours, theirs = [], []
    for clip in clips:
        size = min(round(seconds / STEP), len(clip.voice) - 2 * _MOST - 2)
        for start in range(_MOST, len(clip.voice) - size - _MOST, max(size // 2, 25)):
            spoken = clip.speaking[start : start + size]
            if size < 50 or spoken.mean() < 0.6:
                continue
            for lag in rng.integers(-_MOST, _MOST + 1, 3):
                voice = clip.voice[start : start + size]
                shapes = clip.mouths[len(clip.mouths) // 2][start - lag : start - lag + size]
                mouth = features.from_shapes(shapes if vary is None else vary(shapes, rng))
                ours.append(network.compare(voice, mouth, spoken).offset - lag * STEP)
                theirs.append(envelope_offset(voice, mouth) - lag * STEP)
    return np.array(ours), np.array(theirs)


def scores(clips: list, seconds: float = 4.0) -> dict[str, np.ndarray]:
    """{"true" | "200 ms late" | "another moment": local scores averaged over sections}."""
    rng = np.random.default_rng(4)
    found: dict[str, list[float]] = {"true": [], "200 ms late": [], "another moment": []}
    for clip in clips:
        shapes, size = clip.mouths[len(clip.mouths) // 2], min(round(seconds / STEP), len(clip.voice) - 12)
        for start in range(10, len(clip.voice) - size + 1, size):
            spoken = clip.speaking[start : start + size]
            if spoken.mean() < 0.5:
                continue
            other = int(rng.integers(0, len(shapes) - size + 1))
            for name, place in (("true", start), ("200 ms late", start - 10), ("another moment", other)):
                if name == "another moment" and abs(place - start) < 15:
                    continue
                mouth = features.from_shapes(shapes[place : place + size])
                found[name].append(network.compare(clip.voice[start : start + size], mouth, spoken).score)
    return {name: np.array(values) for name, values in found.items()}


def _moody(shapes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A mouth under a mood: corners up or down and lips parted by slow, large amounts, and a tracker's noise."""
    from scipy.ndimage import gaussian_filter1d

    drift = np.stack(
        [gaussian_filter1d(rng.standard_normal(len(shapes)), 35, mode="nearest") for _ in range(6)], axis=1
    )
    drift *= np.array([0.0, 0.0, 0.2, 0.5, 0.2, 0.2]) / (drift.std(0) + 1e-9)
    return shapes + drift + 0.02 * rng.standard_normal(shapes.shape)


def _pair(name: str, ours: np.ndarray, theirs: np.ndarray, bar: float | None) -> Line:
    rates = [float(np.mean(np.abs(errors) <= FRAME + 1e-9)) for errors in (ours, theirs)]
    medians = [1000 * float(np.median(np.abs(errors))) for errors in (ours, theirs)]
    rival = f"envelope {rates[1]:.1%}, {medians[1]:.0f} ms"
    value = f"{rates[0]:.1%}, median error {medians[0]:.0f} ms of {len(ours)} ({rival})"
    return Line(name, value, f"≥ {bar:.0%}" if bar else "", rates[0] >= bar if bar else None)


def _auc(good: np.ndarray, bad: np.ndarray) -> float:
    return float(np.mean(good[:, None] > bad[None]) + 0.5 * np.mean(good[:, None] == bad[None]))


def report(data: Path, spoken: Path | None, models: str | None = None) -> list[Line]:
    """All figures. `spoken` is the folder of lines that training kept, for the held-out voice."""
    from ..train import lines, sync

    kinds = [("take_3_15", sync.captured(data, held_out=True))]
    if spoken is not None:
        held = [line for line in lines.spoken(spoken, models) if line.voice == sync.HELD_OUT_VOICE]
        kinds.append((f"voice {sync.HELD_OUT_VOICE}", sync.synthetic(held)))
    rows: list[Line] = []
    for name, clips in kinds:
        for seconds in (1.5, 2.0, 3.0, 5.0):
            bar = 0.95 if seconds >= 3.0 else None
            rows.append(_pair(f"{name}: offset within a frame, {seconds:g} s", *offsets(clips, seconds), bar))
        rows.append(_pair(f"{name}: the same under a mood and noise, 3 s", *offsets(clips, 3.0, _moody), None))
        found = scores(clips)
        told = ", ".join(f"{kind} {values.mean():.2f}" for kind, values in found.items() if len(values))
        rows.append(Line(f"{name}: score of 4 s", told, "true above the others", bool(found["true"].mean() > 0.5)))
        wrong = np.concatenate([found["200 ms late"], found["another moment"]])
        rows.append(
            Line(f"{name}: true pairs told from wrong ones", f"{_auc(found['true'], wrong):.1%} of all couples")
        )
    rows += _performed(data)
    return rows


def _performed(data: Path) -> list[Line]:
    """Scores of what Mien makes of real recordings, and of the same 200 ms late."""
    from ..contract.curves import Curves
    from ..motion.perform import perform
    from ..speech import sound

    rows = []
    for path in [*sorted((data / "audio").glob("*.wav")), data / "motion" / "facegood" / "take_3_15.wav"]:
        if not path.is_file():
            continue
        curves = perform(path, fps=50.0).curves
        late = Curves(50.0, curves.channels, np.concatenate([curves.values[:1].repeat(10, axis=0), curves.values]))
        first, second = (network.check(sound.read(path), entry) for entry in (curves, late))
        told = [f"score {entry.score:.2f}, offset {1000 * entry.offset:+.0f} ms" for entry in (first, second)]
        value = f"{told[0]}; 200 ms late: {told[1]}"
        rows.append(Line(f"Mien's performance of {path.name}, by sound alone", value))
    return rows


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine evaluate sync`."""
    parser = subparsers.add_parser("sync", help="held-out offsets and scores of the sync network, beside an envelope")
    parser.add_argument("--data", required=True, metavar="FOLDER", help="a folder with motion/facegood/ and audio/")
    parser.add_argument("--lines", metavar="FOLDER", help="the lines that 'engine train sync' keeps")
    parser.add_argument("--models", metavar="FOLDER", help="where the voices lie, if lines are still to be spoken")
    parser.set_defaults(func=_command)


def _command(args: argparse.Namespace) -> int:
    data = Path(args.data)
    if not data.is_dir():
        raise MienError(f"{data} is not a folder; give one with motion/facegood/.")
    rows = report(data, Path(args.lines) if args.lines else None, args.models)
    show(rows)
    return 0 if all(row.ok is not False for row in rows) else 1
