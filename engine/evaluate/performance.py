"""How good a performance is: against captured mouths beside other programs, and what each part of the performer is for.

Mouths are compared by four measures (`peers`): jaw, closure, rounding, spread. Every method gets the constant delay and
the line that fit it best on the training takes; what is printed is measured on the held-out ones. Upper faces have no
captured speech at hand, so they are asked for what can be checked: given noisy curves of a real upper face (ARKit and
Live Link clips that no training saw), how near and how smooth is what comes out, and what does that do to the lips.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..contract import channels as table
from ..contract.curves import Curves
from ..contract.errors import MienError
from ..emotion import condition
from ..motion import articulation, face
from ..motion.diffusion import conditions, layout, model
from ..motion.perform import LAYERS, perform
from ..speech import analyse, lines, sound
from ..speech.analyse import Speech
from ..speech.phones import BILABIALS, Phone
from ..train import data as training
from . import peers
from .speech import TRANSCRIPTS, Line, show

_LEVELS = dict.fromkeys(LAYERS, 1.0) | {"breath": 0.0}
_SEEDS = (0, 1, 2, 3)
_REACH = 0.04
_FINE = 100.0  # frames a second at which closures are timed
_SHOWN = tuple(name for name in layout.CHANNELS if layout.ZONE_OF[layout.INDEX[name]] == 2 and "AU43" not in name)
ABLATIONS: tuple[tuple[str, str], ...] = (
    ("whole", "the whole"),
    ("raw", "raw, unzoned conditioning"),
    ("zones", "without zones"),
    ("encoder", "without temporal encoder"),
    ("diffusion", "without diffusion"),
)
"""(what is left out, title): small nets trained alike, for as many steps (`engine train performance --ablations`)."""


@dataclass(frozen=True)
class Take:
    """A captured take with what Mien hears in it."""

    name: str
    wave: Path
    speech: Speech
    truth: peers.Measures
    fps: float

    @property
    def times(self) -> np.ndarray:
        return np.arange(int(np.ceil(self.speech.duration * self.fps - 1e-9)) + 1) / self.fps


def load_take(folder: Path, name: str, cached: Path | None = None) -> Take:
    """A take by name; `cached` keeps what was heard.

    Raises:
        MienError: It cannot be read.
    """
    weights, names, fps = training.load_take(folder, name)
    wave = folder / "motion" / "facegood" / f"{name}.wav"
    speech = training.heard(cached, name, lambda: analyse.analyse(sound.read(wave)))
    return Take(name, wave, speech, peers.captured(weights, names), fps)


def made_by(
    performer: model.Performer | None, speech: Speech, times: np.ndarray, seed: int = 0, **wish: object
) -> Curves:
    """A performance's curves without its keys, and without breaths, which captures don't show."""
    fps = 1.0 / (times[1] - times[0])
    wanted = {"emotion": None, "guidance": None, "given": None, "locked": None} | wish
    return face.make(speech, times, seed, _LEVELS, performer, face.direction(**wanted, fps=fps))  # type: ignore[arg-type]


# ── mouths against captures ──────────────────────────────────────────────────────────────────────────────────────────


def mouths(held: Sequence[Take], trained: Sequence[Take], performer: model.Performer | None) -> list[Line]:
    """Correlation and error on the held-out takes, a row a method; bars against every other method."""
    methods: dict[str, Callable[[Take], peers.Measures]] = {}
    if performer is not None:
        methods["Mien"] = lambda take: _measures(made_by(performer, take.speech, take.times))
    methods["Mien's articulatory baseline"] = lambda take: _measures(made_by(None, take.speech, take.times))
    rows, results = [], {}
    for name, method in methods.items():
        results[name] = _compare(method, held, trained)
    for name, peer in peers.PEERS.items():
        why = peers.missing(name)
        if why is not None:
            rows.append(Line(f"Mouth on {_names(held)}: {peer.title}", f"not installed ({why})"))
            continue
        run = cache(lambda path, name=name: peers.peer_curves(name, path, None, held[0].fps))
        results[peer.title] = _compare(lambda take, run=run: run(take.wave), held, trained)
    first = next(iter(results))
    for name, figures in results.items():
        ahead = None
        if name == first:
            others = [other for key, other in results.items() if key != first]
            ahead = all(
                figures[measure][0] > other[measure][0] and figures[measure][1] < other[measure][1]
                for other in others
                for measure in peers.MEASURES
            )
        value = ", ".join(f"{measure} {r:.3f} / {error:.3f}" for measure, (r, error) in figures.items())
        bar = "ahead of every row below on every figure" if name == first else ""
        rows.insert(len(rows) if name != first else 0, Line(f"Mouth on {_names(held)}: {name}", value, bar, ahead))
    rows.insert(0, Line("Mouths against captures", "correlation / root mean square error after the best line and delay "
                        "on the training takes"))  # fmt: skip
    return rows


def _names(takes: Sequence[Take]) -> str:
    return ", ".join(take.name for take in takes)


def _measures(curves: Curves) -> peers.Measures:
    return peers.of_curves(curves.values, curves.channels)


def _compare(
    method: Callable[[Take], peers.Measures], held: Sequence[Take], trained: Sequence[Take]
) -> dict[str, tuple[float, float]]:
    """{measure: (correlation, error)} over the held-out takes together."""
    fitted = peers.fit([(method(take), take.truth) for take in trained], held[0].fps)
    pairs = [(fitted.apply(method(take), take.fps), take.truth) for take in held]
    result = {}
    for measure in peers.MEASURES:
        made = np.concatenate([ours[measure][: len(truth[measure])] for ours, truth in pairs])
        true = np.concatenate([truth[measure][: len(ours[measure])] for ours, truth in pairs])
        error = float(np.sqrt(np.mean((made - true) ** 2)))
        result[measure] = (peers.correlation(made, true), error)
    return result


# ── closures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def emotions() -> dict[str, np.ndarray]:
    """Every feeling at full strength: the labels, and the corners of the pad."""
    found = {name: condition.label(name, 1.0) for name in condition.LABELS}
    for valence, arousal in itertools.product((-1.0, 1.0), repeat=2):
        vector = np.zeros(condition.SIZE)
        vector[:2] = valence, arousal
        found[f"valence {valence:+.0f}, arousal {arousal:+.0f}"] = vector
    return found


def closures(sources: Sequence[tuple[str, Speech, list[Phone]]], performer: model.Performer | None) -> list[Line]:
    """P, B, M with the lips shut within ±40 ms, and how far their onsets are off."""
    rows = []
    moods = {"neutral": None} | emotions()
    for title, wishes in (
        ("neutral, four seeds", [({"emotion": None}, seed) for seed in _SEEDS]),
        ("every emotion at full strength", [({"emotion": vector}, 0) for vector in moods.values()]),
        ("emotion followed three times over", [
            ({"emotion": vector, "guidance": {"emotion": 3.0}}, 0) for vector in list(moods.values())[1:8:2]
        ]),
    ):  # fmt: skip
        shut = total = 0
        late: list[float] = []
        tucked = tucks = 0
        for _, speech, known in sources:
            for wish, seed in wishes:
                times = np.arange(int(np.ceil(speech.duration * _FINE)) + 1) / _FINE
                curves = made_by(performer, speech, times, seed, **wish)
                found = shut_errors(curves, known)
                total += len(found)
                shut += sum(error is not None for error in found)
                late += [error for error in found if error is not None]
                near, count = tucked_share(curves, speech.phones)
                tucked, tucks = tucked + near, tucks + count
        share, median = shut / max(total, 1), 1000 * float(np.median(np.abs(late))) if late else float("nan")
        rows.append(Line(f"P, B, M shut within ±40 ms, {title}", f"{shut} of {total} ({share:.1%})", "≥ 98 %",
                         share >= 0.98))  # fmt: skip
        rows.append(Line(f"Onset of closures, {title}", f"median distance {median:.1f} ms", "≤ 20 ms", median <= 20))
        rows.append(Line(f"Lip at teeth in F and V, {title}", f"{tucked} of {tucks}", "all", tucked == tucks))
    return rows


def shut_errors(curves: Curves, known: Sequence[Phone]) -> list[float | None]:
    """For each p, b, m of known times: seconds its shutting comes late, None where the lips are not shut near it."""
    aperture = articulation.lip_aperture(curves.values, curves.channels)
    shut = aperture < 1e-3
    starts = np.flatnonzero(shut & ~np.concatenate([[False], shut[:-1]])) / curves.fps
    times = np.arange(len(shut)) / curves.fps
    errors: list[float | None] = []
    for phone in known:
        if phone.symbol not in BILABIALS:
            continue
        near = shut[(times >= phone.start - _REACH) & (times <= phone.end + _REACH)]
        onset = starts[np.abs(starts - phone.start).argmin()] - phone.start if len(starts) else np.inf
        if not near.any():
            errors.append(None)
        elif np.interp(phone.start, times, shut) > 0.5 and abs(onset) > 0.2:
            errors.append(0.0)  # lips that rested shut before it
        else:
            errors.append(float(onset))
    return errors


def tucked_share(curves: Curves, phones: Sequence[Phone]) -> tuple[int, int]:
    """(f and v in whose middle the lip is at the teeth, f and v): drawn in with nothing parting it, or, as in the v of
    "give me", both lips already shut."""
    times = np.arange(len(curves.values)) / curves.fps
    lip = curves.values[:, curves.channels.index("AU28 Lip Suck Lower")]
    part = curves.values[:, curves.channels.index("AU25 Lips Part")]
    pressed = curves.values[:, curves.channels.index("AU24 Lip Pressor.L")]
    middles = [0.5 * (phone.start + phone.end) for phone in phones if phone.symbol in ("f", "v")]
    good = [
        np.interp(time, times, part) < 0.02
        and (np.interp(time, times, lip) > 0.5 or np.interp(time, times, pressed) > 0.1)
        for time in middles
    ]
    return sum(map(bool, good)), len(middles)


# ── upper face, and what each part is for ────────────────────────────────────────────────────────────────────────────


def upper_clips(folder: Path) -> dict[str, np.ndarray]:
    """{name: [T, C]} real upper faces at 30 frames a second that no training saw.

    Raises:
        MienError: One cannot be read.
    """
    clip = training.load_clip(folder)
    found = {"ARKit clip, its held-out end": clip[int(training.CLIP_TRAINED * len(clip)) :]}
    path = folder / "motion" / "arkit" / "livelink_happy.csv"
    if path.is_file():
        found["Live Link clip (test only)"] = _live_link(path)
    return found


def _live_link(path: Path) -> np.ndarray:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
        names = [name[:1].lower() + name[1:] for name in rows[0]]
        columns = [names.index(shape) for shape in table.ARKIT_52]
        shapes = np.array([[float(row[column]) for column in columns] for row in rows[1:]])
    except (OSError, ValueError, IndexError) as error:
        raise MienError(f"{path} is not a Live Link Face recording ({error}).") from None
    # 60 frames a second → 30, each the mean of two.
    shapes = shapes[: len(shapes) // 2 * 2].reshape(-1, 2, shapes.shape[1]).mean(1)
    return table.from_arkit(shapes)[:, layout.COLUMNS]


def noisy(clean: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(given, mask): a clip as a tracker would give it: jitter of 0.05, spikes in one frame of fifty, dropouts."""
    random = np.random.default_rng(seed)
    given = clean + random.normal(0.0, 0.05, clean.shape)
    given += (random.random(clean.shape) < 0.02) * random.normal(0.0, 0.25, clean.shape)
    mask = np.where(random.random(clean.shape) < 0.05, 0.0, 0.5)
    return given, mask


def jerk(values: np.ndarray) -> float:
    """Mean size of the third difference, a frame."""
    return float(np.abs(np.diff(values, 3, axis=0)).mean())


def _ablation_row(performer: model.Performer, take: Take, clips: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Upper-face error and jerk given noisy curves; the mouth's agreement while they are given; takes' diversity."""
    audio = conditions.speech_features(take.speech)
    columns = [layout.INDEX[name] for name in _SHOWN]
    errors, jerks, mouth = [], [], []
    for clip in clips.values():
        frames = min(len(clip), len(audio), 1400)
        given, mask = noisy(clip[:frames])
        mask[:, [column for column in range(mask.shape[1]) if column not in columns]] = 0.0
        made = performer.curves(None, None, frames, 0, given, mask, audio=audio[:frames])
        errors.append(np.abs(made[:, columns] - clip[:frames][:, columns]).mean())
        jerks.append(jerk(made[:, columns]))
        mouth.append(_agreement(made, take))
    takes = np.stack([performer.curves(None, None, 900, seed, audio=audio[:900]) for seed in _SEEDS])
    return {
        "error": float(np.mean(errors)), "jerk": float(np.mean(jerks)), "mouth": float(np.mean(mouth)),
        "spread": float(takes.std(0)[:, columns].mean()), "size": float(takes[:, :, columns].std(1).mean()),
    }  # fmt: skip


def _agreement(made: np.ndarray, take: Take) -> float:
    """Mean correlation over the measures of a mouth [T, C] with the take's."""
    names = [layout.CHANNELS[column] for column in range(made.shape[1])]
    ours = peers.of_curves(made, names)
    return float(np.mean([
        peers.correlation(ours[m][: len(take.truth[m])], take.truth[m][: len(ours[m])]) for m in ("jaw", "rounding")
    ]))  # fmt: skip


def ablations(take: Take, folder: Path, weights: Path) -> list[Line]:
    """Each part's figures beside the whole's; a part that makes nothing better is said to."""
    clips = upper_clips(folder)
    columns = [layout.INDEX[name] for name in _SHOWN]
    rows = []
    figures: dict[str, dict[str, float]] = {}
    files = {part: weights / f"ablation-{part}.safetensors" for part, _ in ABLATIONS}
    trained = all(path.is_file() for path in files.values())
    how = "trained without it" if trained else "switched off in the shipped weights"
    shipped = None if trained else model.load(weights / "performer.safetensors")
    for part, _ in ABLATIONS:
        performer = shipped.without(part) if shipped else model.load(files[part])
        figures[part] = _ablation_row(performer, take, clips)
    errors, jerks = [], []
    for clip in clips.values():
        given, mask = noisy(clip[:1400])
        as_given = np.where(mask > 0, given, 0.0)[:, columns]
        errors.append(np.abs(as_given - clip[:1400][:, columns]).mean())
        jerks.append(jerk(as_given))
    true = np.mean([jerk(clip[:1400][:, columns]) for clip in clips.values()])
    rows.append(Line("Upper face: the noisy curves as given", f"error {np.mean(errors):.4f}, jerk {np.mean(jerks):.4f} "
                     f"(the true curves' own jerk {true:.4f})"))  # fmt: skip
    whole, raw = figures.get("whole"), figures.get("raw")
    for file, title in ABLATIONS:
        if file not in figures:
            continue
        row = figures[file]
        value = (f"error {row['error']:.4f}, jerk {row['jerk']:.4f}, mouth's correlation meanwhile {row['mouth']:.3f}, "
                 f"between takes {row['spread']:.4f}, movement {row['size']:.4f}")  # fmt: skip
        bar, ok = "", None
        if file == "whole" and raw:
            bar = "error and jerk below raw, unzoned conditioning"
            ok = row["error"] < raw["error"] and row["jerk"] < raw["jerk"]
        elif whole and file != "raw":
            bar, ok = _earned(file, whole, row)
        note = "" if file == "whole" else f" ({how})"
        rows.append(Line(f"Upper face given noisy curves: {title}{note}", value, bar, ok))
    return rows


def _earned(file: str, whole: Mapping[str, float], without: Mapping[str, float]) -> tuple[str, bool]:
    """(what the part has to be better at, whether it is)."""
    if file == "zones":
        return "zones: a smaller error, or a better mouth while curves are given", (
            whole["error"] < without["error"] or whole["mouth"] > without["mouth"]
        )
    if file == "encoder":
        return "encoder: less jerk and less error", (
            whole["jerk"] < without["jerk"] and whole["error"] < without["error"]
        )
    return "diffusion: takes that differ, and a livelier face", (
        whole["spread"] > without["spread"] and whole["size"] > without["size"]
    )


# ── takes, time ──────────────────────────────────────────────────────────────────────────────────────────────────────


def variety(take: Take, performer: model.Performer) -> list[Line]:
    """How far takes differ, and whether that costs lip accuracy."""
    made = [made_by(performer, take.speech, take.times, seed) for seed in _SEEDS]
    dense = np.stack([curves.dense() for curves in made])
    spread = dense.std(axis=0).mean(axis=0)
    mouth = [layout.COLUMNS[k] for k in range(len(layout.CHANNELS)) if layout.ZONE_OF[k] == 0]
    upper = [layout.COLUMNS[k] for k in range(len(layout.CHANNELS)) if layout.ZONE_OF[k] == 2]
    scores = []
    for curves in made:
        ours = _measures(curves)
        scores.append(np.mean([
            peers.correlation(ours[m][: len(take.truth[m])], take.truth[m][: len(ours[m])]) for m in peers.MEASURES
        ]))  # fmt: skip
    shut = [sum(e is not None for e in shut_errors(c, take.speech.phones)) for c in made]
    agreed = ", ".join(f"{score:.3f}" for score in scores)
    value = (f"between takes: mouth {spread[mouth].mean():.4f}, upper face {spread[upper].mean():.4f}; mouth's mean "
             f"correlation {agreed}; closures shut {', '.join(map(str, shut))}")  # fmt: skip
    good = min(spread[mouth].mean(), spread[upper].mean()) > 0 and max(scores) - min(scores) < 0.02
    return [Line("Four seeds of one line", value, "differ; lips as good in each (±0.01)", bool(good))]


def speed(wave: Path, seconds: float = 60.0) -> list[Line]:
    """Time for a minute of speech and to the first curves."""
    heard = sound.read(wave)
    repeat = int(np.ceil(seconds / heard.duration))
    minute = sound.Sound(np.tile(heard.samples, repeat)[: round(seconds * heard.rate)], heard.rate)
    perform(sound.Sound(heard.samples[: 2 * heard.rate], heard.rate))  # libraries and weights are loaded once
    first: list[float] = []
    started = time.perf_counter()
    perform(minute, preview=lambda _: first.append(time.perf_counter() - started))
    whole = time.perf_counter() - started
    rows = [Line(f"Time for {seconds:.0f} s of speech, keys included", f"{whole:.2f} s", "≤ 6 s", whole <= 6.0)]
    if first:
        rows.append(Line("Time to the first preview", f"{first[0]:.2f} s", "≤ 1 s", first[0] <= 1.0))
    return rows


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _spoken(folder: Path) -> list[tuple[str, Speech, list[Phone]]]:
    """[(name, speech, phones of known times)]: the shipped line by its voice's own times, recordings by alignment."""
    shipped = analyse.analyse(sound.read(lines.SOUND), lines.text())
    sources = [("the shipped line", shipped, lines.phones())]
    for name, text in TRANSCRIPTS.items():
        path = folder / "audio" / name
        if path.is_file():
            speech = analyse.analyse(sound.read(path), text)
            sources.append((name, speech, speech.phones))
    return sources


def report(folder: Path, weights: Path, parts: Sequence[str], cached: Path | None = None) -> list[Line]:
    """The figures of the asked-for parts."""
    performer = model.load(weights / "performer.safetensors") if (weights / "performer.safetensors").is_file() else None
    held = [load_take(folder, name, cached) for name in training.HELD_OUT]
    rows: list[Line] = []
    if "mouths" in parts:
        rows += mouths(held, [load_take(folder, name, cached) for name in training.takes(folder)], performer)
    if "closures" in parts:
        rows += closures(_spoken(folder), performer)
    if "ablations" in parts:
        rows += ablations(held[0], folder, weights)
    if "takes" in parts and performer is not None:
        rows += variety(held[0], performer)
    if "speed" in parts:
        rows += speed(held[0].wave)
    return rows


PARTS = ("mouths", "closures", "ablations", "takes", "speed")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine evaluate performance`."""
    parser = subparsers.add_parser("performance", help="mouths beside other programs, closures, ablations, time")
    parser.add_argument("--data", required=True, metavar="FOLDER", help="has audio/ and motion/")
    parser.add_argument("--weights", metavar="FOLDER", help="performer.safetensors and ablation-*.safetensors")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part")
    parser.add_argument("--cache", metavar="FOLDER", help="keeps what is heard in the takes between runs")
    parser.set_defaults(func=_command)


def _command(args: argparse.Namespace) -> int:
    folder = Path(args.data)
    if not folder.is_dir():
        raise MienError(f"{folder} is not a folder; give one with audio/ and motion/.")
    weights = Path(args.weights) if args.weights else model.WEIGHTS
    cached = Path(args.cache) if args.cache else None
    with tempfile.TemporaryDirectory(prefix="mien-evaluate-") as scratch:
        rows = report(folder, weights, args.part or PARTS, cached or Path(scratch))
    show(rows)

    return 0 if all(row.ok is not False for row in rows) else 1
