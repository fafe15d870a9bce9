"""A feeling from what an artist gives: one source as it is, or several as a mix in the one space (`space`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..contract.curves import Curves
from ..contract.errors import MienError
from ..speech.sound import Sound
from . import circle, condition, space
from .text import Spoken


@dataclass(frozen=True)
class Given:
    """What a feeling comes from; at least one of the first five.

    Attributes:
        text: A direction.
        audio: A recording of speech.
        labels: [(name, intensity)], all at once.
        example: A motion that shows it.
        va: Points of the pad, passed through in order.
        transcript: What the recording says.
        words: The line's words, for a direction that refers to them.
        weights: {source: weight}; a source that is not named counts 1.
    """

    text: str | None = None
    audio: Sound | None = None
    labels: Sequence[tuple[str, float]] = ()
    example: Curves | None = None
    va: Sequence[tuple[float, float]] = ()
    transcript: str = ""
    words: Sequence[Spoken] = ()
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def sources(self) -> list[str]:
        """The sources that are given, in the order of `space.SOURCES`."""
        there = {"text": self.text is not None, "audio": self.audio is not None, "label": bool(self.labels),
                 "example": self.example is not None, "va": bool(self.va)}  # fmt: skip
        return [name for name in space.SOURCES if there[name]]


@dataclass
class Feeling:
    """A feeling as curves and as a condition.

    Attributes:
        curves: The emotion layer.
        vectors: [T, 9] emotion vectors at the curves' frames, for the generator.
        rows: [(start, end, what it comes from, what was understood)].
        notes: What was not.
    """

    curves: Curves
    vectors: np.ndarray
    rows: list[tuple[float, float, str, str]]
    notes: list[str]

    def lines(self) -> list[str]:
        """The reading back in plain language."""
        said = [f"{start:5.2f}–{end:.2f} s  {source!r}: {what}" for start, end, source, what in self.rows]
        return said + [f"Note: {note}" for note in self.notes]


def feel(
    given: Given, *, fps: float = 24.0, duration: float | None = None, meaning: bool = True, **more: Any
) -> Feeling:
    """The feeling that the sources give.

    A single direction, label or path over the pad is performed by its own rules, which keep order, sides and numbers;
    a recording, an example and every mix go through the space.

    Args:
        meaning: Ask the sentence model.
        more: asymmetry and seed, of directions and labels.

    Raises:
        MienError: Nothing is given, a weight is unusable, or a source is.
    """
    sources = given.sources
    unknown = sorted(set(given.weights) - set(space.SOURCES))
    if unknown:
        raise MienError(f"There is no source {unknown[0]!r} to weigh; sources are {', '.join(space.SOURCES)}.")
    absent = sorted(set(given.weights) - set(sources))
    if absent:
        raise MienError(f"The mix weighs {absent[0]!r}, which is not given; give it, or leave it out of the mix.")
    if not sources:
        raise MienError(
            "There is nothing to take a feeling from; give a direction, a sound, a label, an example or va."
        )
    if len(sources) == 1 and sources[0] in ("text", "label", "va"):
        return _alone(given, sources[0], fps, duration, meaning, more)
    tracks = [(float(given.weights.get(name, 1.0)), _track(given, name, fps, duration, meaning)) for name in sources]
    mixed = space.mix(tracks, fps=fps, duration=duration)
    vectors, _ = space.decode(mixed)
    total = sum(weight for weight, _ in tracks)
    rows = [
        (0.0, mixed.duration, _said(given, name), f"{weight / total:.0%}: {describe(*_top(track))}")
        for name, (weight, track) in zip(sources, tracks, strict=True)
    ]
    rows.append((0.0, mixed.duration, "together", describe(*_top(mixed))))
    return Feeling(space.layer(mixed), vectors, rows, _notes(given, sources))


def _alone(given: Given, source: str, fps: float, duration: float | None, meaning: bool, more: dict) -> Feeling:
    from .command import from_labels, from_text

    if source == "va":
        curves = circle.curves(given.va, fps, duration)
        path = circle.track(given.va, fps, duration)
        times = [*np.linspace(0.0, curves.duration, len(given.va)), curves.duration]
        rows = [(float(start), float(end), "valence and arousal", f"valence {v:+.2f}, arousal {a:+.2f}")
                for (v, a), start, end in zip(given.va, times[:-1], times[1:], strict=True)]  # fmt: skip
        return Feeling(curves, condition.va(path[:, 0], path[:, 1]), rows, [])
    options = {"fps": fps, "duration": duration, **more}
    if source == "label":
        reading = from_labels(list(given.labels), **options)
    else:
        reading = from_text(given.text or "", list(given.words), meaning=meaning, **options)
    rows = [(part.start, part.end, part.source, part.what) for part in reading.parts]
    return Feeling(reading.curves, condition.reading(reading), rows, list(reading.notes))


def _track(given: Given, source: str, fps: float, duration: float | None, meaning: bool) -> space.Track:
    if source == "text":
        return space.from_text(given.text or "", given.words, fps=fps, duration=duration, model=meaning)
    if source == "audio":
        assert given.audio is not None
        return space.from_voice(given.audio, given.transcript, fps=fps, model=meaning)
    if source == "label":
        tracks = [(max(amount, 1e-6), space.from_label(name, amount, fps=fps, duration=duration))
                  for name, amount in given.labels]  # fmt: skip
        return space.mix(tracks, fps=fps, duration=duration) if len(tracks) > 1 else tracks[0][1]
    if source == "example":
        assert given.example is not None
        return space.from_motion(given.example)
    return space.from_va(given.va, fps=fps, duration=duration)


def _said(given: Given, source: str) -> str:
    if source == "text":
        return (given.text or "")[:120]
    if source == "label":
        return ", ".join(f"{name} {amount:g}" for name, amount in given.labels)
    if source == "va":
        return "; ".join(f"{v:+.2f}, {a:+.2f}" for v, a in given.va[:6])
    return {"audio": "the voice", "example": "the example"}[source]


def _notes(given: Given, sources: list[str]) -> list[str]:
    if "audio" in sources and not given.transcript.strip():
        return ["The voice tells how aroused it is, not whether it is glad: give the line's words for that."]
    return []


def _top(track: space.Track) -> tuple[np.ndarray, float]:
    """(emotion vector [9], when) of the moment at which a feeling is strongest."""
    vectors, _ = space.decode(track)
    frame = int(np.argmax(np.abs(vectors).sum(axis=1)))
    return vectors[frame], frame / track.fps


def describe(vector: np.ndarray, when: float) -> str:
    """A sentence of a moment: "valence −0.70, arousal +0.61, anger 0.92 (strongest at 1.2 s)"."""
    parts = [f"{name} {value:.2f}" for name, value in zip(condition.LABELS, vector[2:], strict=True) if value > 0.12]
    place = f"valence {vector[0]:+.2f}, arousal {vector[1]:+.2f}"
    return ", ".join([place, *parts]) + f" (strongest at {when:.1f} s)"
