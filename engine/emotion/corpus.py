"""A corpus of directions and the faces they mean, made by grammar: the same seed gives the same corpus.

For training a model that goes from words to AU motion. A sentence is built from clauses whose meaning is known as
they are chosen, so that the target does not come from reading the sentence: `engine/emotion/text.py` can be checked
against it, and is in tests. The hand-written texts in data/ are another thing and take no part in this.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from .orders import Order, label_order
from .tables import data, emotions, slots, split_words
from .text import Beat, Understanding
from .timeline import Reading, perform

SIZE = 2400

_SUBJECTS = ("", "", "", "she is ", "he looks ", "the old man seems ", "she becomes ", "they feel ", "the girl is ")
_DEGREES = ((0.28, ("a hint of {word}", "a trace of {word}")),
            (0.4, ("slightly {word}", "a bit {word}", "mildly {word}")),
            (1.0, ("{word}", "{word}", "{word}")), (1.25, ("very {word}", "really {word}", "deeply {word}")),
            (1.45, ("extremely {word}", "utterly {word}", "completely {word}")))  # fmt: skip
_NUMBERS = {1: "one second", 2: "two seconds", 3: "three seconds", 4: "four seconds"}
_AT = ("at {t} s", "after {t} seconds", "at {t} seconds", "from {t} s on")
_FOR = ("for {t} seconds", "for {t} s")
_PACES = (
    (1.0, ""),
    (1.0, ""),
    (1.0, ""),
    (3.0, "slowly "),
    (3.0, "gradually "),
    (0.35, "suddenly "),
    (0.35, "abruptly "),
)
_MOVES = (("raise {side}eyebrow", {"2": 0.9, "1": 0.8}, True), ("lower {side}brow", {"4": 0.9}, True),
          ("close {side}eye", {"43": 1.0}, True), ("wrinkle the nose", {"9": 0.9}, False),
          ("open the mouth", {"26": 0.65, "25": 0.45}, False), ("press the lips", {"24": 0.85, "23": 0.2}, False),
          ("raise {side}corner of the mouth", {"12": 0.85}, True), ("drop {side}mouth corner", {"15": 0.85}, True),
          ("puff the cheeks", {"34": 0.9}, False), ("pucker the lips", {"18": 0.9}, False),
          ("widen the eyes", {"5": 0.9}, False),
          ("tighten {side}eyelid", {"7": 0.9}, True), ("thrust the jaw forward", {"29": 0.8}, False))  # fmt: skip
_SIDES = (("", "the "), ("L", "the left "), ("R", "the right "))


@dataclass(frozen=True)
class Sample:
    """A direction and what it means.

    Attributes:
        text: The direction.
        understanding: Its meaning as beats, from which `reading` makes curves.
    """

    text: str
    understanding: Understanding

    def reading(self, fps: float = 24.0) -> Reading:
        """The AU curves."""
        return perform(self.understanding, fps=fps)


@cache
def _words() -> list[tuple[str, str, float]]:
    """(label, word, strength): single words of feeling that stand in "she is …" as in "… face"."""
    rows = []
    for label, grades in data("lexicon")["words"].items():
        if label == "neutral":
            continue
        for strength, phrases in grades.items():
            rows += [(label, word, float(strength)) for word in split_words(phrases) if word.isalpha()]
    return rows


def _feeling(random_: random.Random) -> tuple[str, Order]:
    label, word, strength = random_.choice(_words())
    factor, forms = random_.choice(_DEGREES)
    form = random_.choice(forms)
    subject = "" if " of " in form else random_.choice(_SUBJECTS)
    return subject + form.format(word=word), label_order(label, min(1.5, strength * factor), source=word)


def _action(random_: random.Random) -> tuple[str, Order]:
    form, values, sided = random_.choice(_MOVES)
    side, said = random_.choice(_SIDES) if sided else ("", "")
    index = slots()
    face = index.vector(values, side)
    return form.format(side=said), Order("add", form, form, face, face > 0, np.zeros(len(index), dtype=bool))


def _code(random_: random.Random) -> tuple[str, Order]:
    index = slots()
    code = random_.choice([code for code in index.aus if code.isdigit() and int(code) < 45])
    value = random_.choice((0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0))
    name = index.aus[code]["name"]
    text = random_.choice((f"AU{code} at {value}", f"{name.lower()} {value:.0%}", f"AU{code} {value:.1f}"))
    face = index.vector({code: value})
    return text, Order("add", f"AU{code}", text, face, face > 0, face > 0)


def _clause(random_: random.Random) -> tuple[str, Order]:
    kind = random_.choices((_feeling, _action, _code), (7, 2, 1))[0]
    text, order = kind(random_)
    pace, word = random_.choice(_PACES)
    order.pace = pace
    return (word + text if kind is not _code else text), (order if kind is not _code else _plain(order))


def _plain(order: Order) -> Order:
    order.pace = 1.0
    return order


def sample(random_: random.Random) -> Sample:
    """One direction: one to three beats, some with times, ends, additions."""
    count = random_.choices((1, 2, 3), (5, 4, 2))[0]
    beats, parts, now = [], [], 0
    for place in range(count):
        text, order = _clause(random_)
        beat = Beat([order])
        timed = random_.random() < 0.45
        if place and timed:
            now += random_.choice((1, 2, 3))
            beat.start = float(now)
            text = random_.choice((f"{random_.choice(_AT).format(t=now)} {text}", f"then at {now} s {text}"))
        elif place:
            text = random_.choice(("then {}", "and then {}", "afterwards {}")).format(text)
        elif count == 1 and timed:
            length = random_.choice((1, 2, 3, 4))
            order.lasting = float(length)
            text += " " + random_.choice(_FOR).format(t=random_.choice((length, _NUMBERS[length].split()[0])))
        if place == 0 and count > 1:
            beat.start = 0.0
        beats.append(beat)
        parts.append(text)
        if beat.start is None:
            now += 2
    return Sample(", ".join(parts), Understanding(", ".join(parts), beats, []))


def generate(seed: int = 0, size: int = SIZE) -> Iterator[Sample]:
    """The corpus: `size` different directions."""
    random_ = random.Random(seed)
    seen: set[str] = set()
    while len(seen) < size:
        entry = sample(random_)
        if entry.text not in seen:
            seen.add(entry.text)
            yield entry


def labels() -> list[str]:
    """The labels that occur in the corpus."""
    return [name for name in emotions() if any(name == label for label, _, _ in _words())]
