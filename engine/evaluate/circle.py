"""`engine evaluate circle`: twelve points around valence and arousal, shown while speaking, read by others' eyes.

Each point is keyed on the two channels over moments of the shipped line, rendered, and read by MediaPipe's scores and,
where its weights are at hand, by face-api's emotion classifier; what is compared is the change against the same moment
without a mood, so that speech itself does not count. The line's lips are measured too, with every point at full radius.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Mapping
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
from . import classifier, read_back

POINTS = 12
RADIUS = 0.9
SIGN_BAR, RANK_BAR, LIPS_BAR = 0.85, 0.8, 0.02
#: What counts for and against in a reader's scores; chosen before anything was rendered, after Russell's circumplex as
#: EMFACS' codes lie on it. Means of both sides.
VALENCE = {"mouthSmile": 1.0, "mouthFrown": -1.0, "browDown": -0.5}
AROUSAL = {
    "eyeWide": 1.0, "browOuterUp": 0.5, "browInnerUp": 0.25, "eyeBlink": -1.0, "eyeSquint": 0.25, "browDown": 0.25,
}  # fmt: skip
#: The same for the classifier's labels, chosen before it had seen a picture: where Russell (1980) places the words.
LABEL_VALENCE = {"happy": 1.0, "sad": -1.0, "angry": -1.0, "fearful": -1.0, "disgusted": -1.0}
LABEL_AROUSAL = {"angry": 1.0, "fearful": 1.0, "surprised": 1.0, "happy": 0.5, "sad": -0.5, "neutral": -0.5}
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


Reader = Callable[[np.ndarray], "tuple[float, float] | None"]
"""A picture [H, W, 3] uint8 → (valence, arousal) on the reader's own scale, or None where it sees no face."""


@contextlib.contextmanager
def readers() -> Iterator[dict[str, Reader]]:
    """Who reads the pictures, by name: MediaPipe, and face-api's classifier where its weights are found.

    Raises:
        MienError: MediaPipe is not installed, or the classifier's files are broken.
    """
    where = classifier.folder()
    with landmarks.reader() as scores, landmarks.detector() as detect:
        found: dict[str, Reader] = {"MediaPipe": lambda picture: _by_shapes(scores, picture)}
        if where is not None:
            arrays = classifier.load(where)
            found["face-api"] = lambda picture: _by_labels(arrays, detect, picture)
        yield found


def _by_shapes(read: read_back.Read, picture: np.ndarray) -> tuple[float, float] | None:
    scores = read_back.both_ways(read, picture)
    return None if scores is None else (_weighed(scores, VALENCE), _weighed(scores, AROUSAL))


def _by_labels(
    arrays: Mapping[str, np.ndarray], detect: landmarks.Detect, picture: np.ndarray
) -> tuple[float, float] | None:
    seen = []
    for way in (picture, np.ascontiguousarray(picture[:, ::-1])):
        points = detect(way)
        if points is not None:
            labels = classifier.evidence(arrays, classifier.cut_out(way, points))
            seen.append([sum(weight * labels[label] for label, weight in table.items())
                         for table in (LABEL_VALENCE, LABEL_AROUSAL)])  # fmt: skip
    return tuple(np.mean(seen, axis=0).tolist()) if seen else None


def read_head(
    head: format.Head, spoken: np.ndarray, read: Mapping[str, Reader], folder: Path | None = None
) -> dict[str, Read]:
    """The twelve points on a head, over each of the moments [N, C], by reader."""
    deformer, backend = Deformer(head), CpuBackend()
    columns = [channels.INDEX[name] for name in channels.PAD]
    found = {name: np.full((POINTS, len(spoken), 2), np.nan) for name in read}
    shots = []
    for moment, values in enumerate(spoken):
        calm = read_back.photograph(deformer, backend, values)
        still = {name: reader(calm) for name, reader in read.items()}
        for point, angle in enumerate(around()):
            felt = values.copy()
            felt[columns] = RADIUS * np.cos(angle), RADIUS * np.sin(angle)
            shots.append(read_back.photograph(deformer, backend, felt))
            for name, reader in read.items():
                now, before = reader(shots[-1]), still[name]
                if now is not None and before is not None:
                    found[name][point, moment] = np.subtract(now, before)
    if folder is not None:
        _sheet(folder / f"circle-{head.name.lower()}.png", shots)
    return {name: _told(changes) for name, changes in found.items()}


def _told(changes: np.ndarray) -> Read:
    """Means over the moments of [POINTS, N, 2], NaN where no face was seen."""
    missing = np.isnan(changes[..., 0])
    mean = np.where(missing[..., None], 0.0, changes).sum(axis=1) / np.maximum((~missing).sum(axis=1), 1)[:, None]
    return Read(mean[:, 0], mean[:, 1], int(missing.sum()))


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
    parser = subparsers.add_parser("circle", help="valence and arousal around the circle, as others read them")
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
    good = _report(names, spoken, arguments.pictures) and good
    return 0 if good else 1


def _report(names: list[str], spoken: np.ndarray, pictures: Path | None) -> bool:
    """Prints what each reader says of each head; whether all of them meet the bars."""
    good = True
    with readers() as read:
        found = {}
        for name in names:
            head = format.load(library.find(name))
            found[head.name] = read_head(head, spoken, read, pictures)
    for reader in read:
        signs, ranks = [], []
        print(f"\nRead by {reader} (bars: sign {SIGN_BAR}, rank with the angle {RANK_BAR})")
        for name, readings in found.items():
            one = readings[reader]
            signs += one.signs()
            ranks += one.ranks()
            print(f"{name}: sign agreement valence {one.signs()[0]:.2f}, arousal {one.signs()[1]:.2f}; rank "
                  f"{one.ranks()[0]:.2f}, {one.ranks()[1]:.2f}; {one.missed} pictures without a face")  # fmt: skip
            for row, label in ((one.valence, "valence"), (one.arousal, "arousal")):
                print(f"   {label} at 0°, 30°, …: " + " ".join(f"{value:+.2f}" for value in row))
        print(
            f"{len(found)} heads, {len(spoken)} moments: sign agreement {np.mean(signs):.2f}, rank {np.mean(ranks):.2f}"
        )
        good &= bool(np.mean(signs) >= SIGN_BAR and np.mean(ranks) >= RANK_BAR)
    if len(read) == 1:
        print(f"No emotion classifier was found; unpack the npm package {classifier.PACKAGE} and name its folder in "
              "MIEN_FACE_API.")  # fmt: skip
    return good
