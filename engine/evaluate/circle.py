"""`engine evaluate circle`: twelve points around valence and arousal, shown while speaking, read by another's eyes.

Each point is keyed on the two channels over moments of the shipped line, rendered, and read by MediaPipe's scores; what
is compared is the change against the same moment without a mood, so that speech itself does not count. The line's lips
are measured too, with every point at full radius.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..contract import channels
from ..contract.curves import Curves
from ..contract.errors import MienError
from ..heads import format, library
from ..heads.deform import Deformer
from ..heads.foreign import landmarks
from ..motion import articulation
from ..pictures import write_png
from ..speech import lines
from ..speech.phones import SILENCE
from ..speech.prosody import measure as measure_sound
from ..speech.sound import read as read_sound
from ..splat.cpu import CpuBackend
from . import read_back

POINTS = 12
RADIUS = 0.9
SIGN_BAR, RANK_BAR, LIPS_BAR = 0.85, 0.8, 0.02
#: What counts for and against in a reader's scores; chosen before anything was rendered, after Russell's circumplex as
#: EMFACS' codes lie on it. Means of both sides.
VALENCE = {"mouthSmile": 1.0, "mouthFrown": -1.0, "browDown": -0.5}
AROUSAL = {
    "eyeWide": 1.0, "browOuterUp": 0.5, "browInnerUp": 0.25, "eyeBlink": -1.0, "eyeSquint": 0.25, "browDown": 0.25,
}  # fmt: skip
_CLEAR = 0.3
"""Sine or cosine from which a sign is expected."""
_FPS = 60.0


@dataclass(frozen=True)
class Read:
    """A head's twelve points as they are read.

    Attributes:
        valence, arousal: [12] change of the reading, point by point.
        missed: Pictures in which no face was seen.
    """

    valence: np.ndarray
    arousal: np.ndarray
    missed: int

    def signs(self) -> tuple[float, float]:
        """Share of points whose reading has the sign that is meant: (valence, arousal)."""
        angles = around()
        shares = []
        for found, meant in ((self.valence, np.cos(angles)), (self.arousal, np.sin(angles))):
            clear = np.abs(meant) > _CLEAR
            shares.append(float((np.sign(found[clear]) == np.sign(meant[clear])).mean()))
        return shares[0], shares[1]

    def ranks(self) -> tuple[float, float]:
        """Rank correlation (Spearman) with cosine and sine of the angle."""
        angles = around()
        return _spearman(self.valence, np.cos(angles)), _spearman(self.arousal, np.sin(angles))


def around() -> np.ndarray:
    return np.arange(POINTS) * 2 * np.pi / POINTS


def _spearman(found: np.ndarray, meant: np.ndarray) -> float:
    ranks = [_ranks(np.round(values, 6)) for values in (found, meant)]
    return float(np.corrcoef(*ranks)[0, 1]) if all(np.ptp(rank) > 0 for rank in ranks) else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    """Mean ranks where values tie."""
    return np.array([0.5 * ((values < value).sum() + (values <= value).sum() - 1) for value in values])


def moments(count: int) -> np.ndarray:
    """[count, C] channel values of the shipped line at moments of open and of closed lips, evenly over what is said."""
    phones = lines.phones()
    times = np.arange(int(phones[-1].end * _FPS)) / _FPS
    spoken = Curves(
        _FPS, articulation.CHANNELS, articulation.articulate(phones, measure_sound(read_sound(lines.SOUND)), times)
    ).dense()
    said = [int((phone.start + phone.end) / 2 * _FPS) for phone in phones if phone.symbol != SILENCE]
    return spoken[[said[int(k)] for k in np.linspace(0, len(said) - 1, count + 2)[1:-1]]]


def read_head(head: format.Head, spoken: np.ndarray, read: read_back.Read, folder: Path | None = None) -> Read:
    """The twelve points on a head, over each of the moments [N, C]."""
    deformer, backend = Deformer(head), CpuBackend()
    columns = [channels.INDEX[name] for name in channels.PAD]
    found, missed, shots = np.full((POINTS, len(spoken), 2), np.nan), 0, []
    for moment, values in enumerate(spoken):
        still = _scores(deformer, backend, values, read)[0]
        for point, angle in enumerate(around()):
            felt = values.copy()
            felt[columns] = RADIUS * np.cos(angle), RADIUS * np.sin(angle)
            scores, picture = _scores(deformer, backend, felt, read)
            shots.append(picture)
            if scores is None or still is None:
                missed += 1
                continue
            found[point, moment] = [_weighed(scores, table) - _weighed(still, table) for table in (VALENCE, AROUSAL)]
    if folder is not None:
        _sheet(folder / f"circle-{head.name.lower()}.png", shots)
    mean = np.nan_to_num(np.nanmean(found, axis=1)) if np.isfinite(found).any() else np.zeros((POINTS, 2))
    return Read(mean[:, 0], mean[:, 1], missed)


def _scores(deformer, backend, values, read) -> tuple[dict[str, float] | None, np.ndarray]:
    picture = read_back.photograph(deformer, backend, values)
    return read_back.both_ways(read, picture), picture


def _weighed(scores: dict[str, float], table: dict[str, float]) -> float:
    total = 0.0
    for shape, weight in table.items():
        sides = [value for name, value in scores.items() if name in (shape, shape + "Left", shape + "Right")]
        total += weight * float(np.mean(sides)) if sides else 0.0
    return total


def _sheet(path: Path, shots: list[np.ndarray]) -> None:
    """A row for each moment, a column for each point."""
    rows = [np.concatenate(shots[k : k + POINTS], axis=1) for k in range(0, len(shots), POINTS)]
    write_png(path, np.ascontiguousarray(np.concatenate(rows, axis=0)[::2, ::2]))


def lips() -> tuple[float, float]:
    """(share of closures lost, most that the lips' opening over time changes) with the pad at full radius all the time.

    The pad is added to the line as it is, as an artist's keys on the channels are.
    """
    phones = lines.phones()
    times = np.arange(int(phones[-1].end * _FPS)) / _FPS
    spoken = Curves(
        _FPS, articulation.CHANNELS, articulation.articulate(phones, measure_sound(read_sound(lines.SOUND)), times)
    ).dense()
    alone = articulation.lip_aperture(spoken, channels.NAMES)
    spans = [(int(np.ceil(start * _FPS)), int(end * _FPS)) for start, end in articulation.closures(phones)]
    spans = [(first, last) for first, last in spans if last >= first and alone[first : last + 1].max() < 1e-3]
    lost, change = 0, 0.0
    for angle in around():
        felt = spoken.copy()
        felt[:, channels.INDEX["Valence"]], felt[:, channels.INDEX["Arousal"]] = np.cos(angle), np.sin(angle)
        opening = articulation.lip_aperture(felt, channels.NAMES)
        lost += sum(bool(opening[first : last + 1].max() >= 1e-3) for first, last in spans)
        change = max(change, 1.0 - float(np.corrcoef(alone, opening)[0, 1]))
    return lost / max(len(spans) * POINTS, 1), change


# ── command line ─────────────────────────────────────────────────────────────────────────────────────────────────────


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("circle", help="valence and arousal around the circle, read by MediaPipe")
    parser.add_argument("heads", nargs="*", metavar="HEAD", help="names of the library or files (three of the library)")
    parser.add_argument("--moments", type=int, default=3, help="moments of the line (3)")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="write what was read, to look at")
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the figures with the bars beside; 0 where all are met."""
    if not 1 <= arguments.moments <= 50:
        raise MienError(f"{arguments.moments} moments can't be shown; give 1 to 50.")
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    lost, change = lips()
    print(f"Pad at full radius over the shipped line: closures lost {lost:.1%}, the lips' opening changes by up to "
          f"{change:.1%} (bar {LIPS_BAR:.0%} each)")  # fmt: skip
    good = lost <= LIPS_BAR and change <= LIPS_BAR
    names = arguments.heads or [name for name, _ in library.library()][:3]
    spoken = moments(arguments.moments)
    signs, ranks = [], []
    with landmarks.reader() as read:
        for name in names:
            head = format.load(library.find(name))
            found = read_head(head, spoken, read, arguments.pictures)
            signs += found.signs()
            ranks += found.ranks()
            print(f"{head.name}: sign agreement valence {found.signs()[0]:.2f}, arousal {found.signs()[1]:.2f} "
                  f"(bar {SIGN_BAR}); rank with the angle {found.ranks()[0]:.2f}, {found.ranks()[1]:.2f} "
                  f"(bar {RANK_BAR}); {found.missed} pictures without a face")  # fmt: skip
            for row, label in ((found.valence, "valence"), (found.arousal, "arousal")):
                print(f"   {label} at 0°, 30°, …: " + " ".join(f"{value:+.2f}" for value in row))
    print(f"Over {len(names)} heads, {arguments.moments} moments: sign agreement {np.mean(signs):.2f}, rank "
          f"{np.mean(ranks):.2f}. MediaPipe is the only reader: Mien has no facial-emotion classifier.")  # fmt: skip
    return 0 if good and np.mean(signs) >= SIGN_BAR and np.mean(ranks) >= RANK_BAR else 1
