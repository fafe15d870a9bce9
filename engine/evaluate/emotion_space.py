"""The one space of feelings: does what belongs together lie together, for words and motions that were kept apart.

A case is a feeling seen from one side (a text, a motion, its label) that must lie nearer to the same feeling seen from
another side than to any other feeling seen from there. Texts: words that training left out, in phrases of kinds that it
had none of. Motions: performed by `timeline` with asymmetry and other strengths, which training's motions were not.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..emotion import condition, space
from ..emotion.command import from_labels
from ..emotion.tables import emotions
from ..train.emotion import held_out_sentences, held_out_texts

BAR = 0.95
#: Labels of one family: their codes and their words differ by degree only.
_SIDES = ("text", "label", "example")


@dataclass(frozen=True)
class Nearness:
    """Share of cases in which the same feeling is the nearest.

    Attributes:
        pairs: {(from, to): share}, over the labels that texts were kept apart for.
        share: Of all cases.
        cases: How many.
        basic: The share among EMFACS' seven labels alone.
        sentences: Share of sentences whose nearest label is their own; no word of theirs names a feeling.
    """

    pairs: dict[tuple[str, str], float]
    share: float
    cases: int
    basic: float
    sentences: float


def measure(model: bool = True, seed: int = 5) -> Nearness:
    """Nearness of texts, labels and motions that training had no part of."""
    texts: dict[str, list[np.ndarray]] = {}
    for label, text in held_out_texts():
        texts.setdefault(label, []).append(_top(space.from_text(text, duration=3.0, model=model)))
    names = sorted(texts)
    chance = random.Random(seed)
    examples = {name: [_example(name, chance) for _ in range(4)] for name in names}
    table = {name: [space.unit(space.weights()["label"][space.labels().index(name)])] for name in names}
    sides = {"text": texts, "label": table, "example": examples}
    hits: dict[tuple[str, str], list[bool]] = {}
    basic: list[bool] = []
    for one in _SIDES:
        for other in _SIDES:
            if one == other:
                continue
            for name in names:
                for vector in sides[one][name]:
                    hits.setdefault((one, other), []).append(_nearest(vector, sides[other], names) == name)
                    if name in condition.LABELS:
                        basic.append(_nearest(vector, sides[other], condition.LABELS) == name)
    found = [hit for values in hits.values() for hit in values]
    told = [
        _nearest(_top(space.from_text(sentence, duration=3.0, model=model)), table, names) == label
        for label, sentence in held_out_sentences()
        if label in names
    ]
    pairs = {pair: float(np.mean(values)) for pair, values in hits.items()}
    return Nearness(pairs, float(np.mean(found)), len(found), float(np.mean(basic)), float(np.mean(told)))


def _nearest(vector: np.ndarray, side: dict[str, list[np.ndarray]], names) -> str:
    """The feeling one of whose vectors lies nearest: each feeling is there by the mean of what shows it."""
    return max((name for name in names if name in side), key=lambda name: float(vector @ _mean(side[name])))


def _mean(vectors: list[np.ndarray]) -> np.ndarray:
    return space.unit(np.mean(vectors, axis=0))


def _top(track: space.Track) -> np.ndarray:
    """[32] the direction at the strongest moment."""
    return track.direction[int(np.argmax(track.strength * np.linalg.norm(track.direction, axis=1)))]


def _example(name: str, chance: random.Random) -> np.ndarray:
    strength = chance.uniform(0.5, 1.3)
    curves = from_labels([(name, strength)], asymmetry=chance.uniform(0, 0.7), seed=chance.randrange(1000)).curves
    return _top(space.from_motion(curves))


def report(say: Callable[[str], None] = print) -> bool:
    """Print the figures beside the bar; whether it is met."""
    from ..emotion import meaning

    met = True
    for model in (True, False) if meaning.available() else (False,):
        found = measure(model)
        met = met and (found.share >= BAR or not model)
        name = "words by MiniLM" if model else "words by hashed bag"
        say(f"One space, {name}: the same feeling is nearest in {found.share:.1%} of {found.cases} held-out cases "
            f"(bar {BAR:.0%}); among the seven basic labels {found.basic:.1%}")  # fmt: skip
        say("   " + ", ".join(f"{one} → {other} {share:.0%}" for (one, other), share in found.pairs.items()))
        say(f"   sentences without a word of feeling, {len(emotions()) - 1} labels: own label nearest in "
            f"{found.sentences:.0%} (no bar)")  # fmt: skip
    return met
