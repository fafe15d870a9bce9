"""Orders: one thing each that the face is told, made from what a clause names.

A *head* is what a clause names (a feeling, an expression, a code, a movement of a part) with its degree, number, side
and denial; an *order* says what that does to the face, as slots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import circle
from .tables import MAX_INTENSITY, data, emotion, emotions, expression, slots


@dataclass(eq=False)
class Order:
    """One thing the face is told.

    Attributes:
        kind: "state", "add", "release" or "never".
        what: The reading, for the artist. source: The words it comes from.
        face: [S] values. mask: [S] bool, the slots it speaks about. exact: [S] bool, values given by number.
        feelings: [(label, intensity, side)] of a state, from which blends are made.
        lasting, until, over: Seconds, or None. share: The share of the shot at which it ends.
        pace: Factor on the codes' own times. brief: Seconds a passing one lasts.
        times: How often a passing one is repeated; `swing` turns every second one round.
        firm: An addition that also holds codes at 0 ("mouth closed"), whatever the expression of its beat does there.
        against: [S] of a denied feeling: how much of each code is its own.
        whole_denied: A "never" of a whole expression, which ends where that is asked for.
        verbs: What the part does, of a movement.
        whole, zone, zone_side: The face before it was narrowed to a zone.
        onward: A "never" from its beat on, not from the beginning.
        one_side: The side of an expression that is shown on one side only.
        degree: What its own words made of it, so that "a big one" starts from the plain thing again.
    part: The part of the face that an addition moves: the next order to the same part takes its place.
        both: Both sides were asked for. in_turn: One after the other.
        soft: A "never" that gives way to what other orders need ("not scared, only surprised").
    """

    kind: str
    what: str
    source: str
    face: np.ndarray
    mask: np.ndarray
    exact: np.ndarray
    feelings: list[tuple[str, float, str]] = field(default_factory=list)
    lasting: float | None = None
    until: float | None = None
    over: float | None = None
    share: float | None = None
    pace: float = 1.0
    brief: float | None = None
    times: int = 1
    swing: bool = False
    soft: bool = False
    part: str = ""
    one_side: str = ""
    degree: float = 1.0
    onset: float = 1.0
    offset: float = 1.0
    firm: bool = False
    against: np.ndarray | None = None
    onward: bool = False
    verbs: tuple[str, ...] = ()
    whole_denied: bool = False
    whole: np.ndarray | None = None
    zone: np.ndarray | None = None
    zone_side: str = ""
    both: bool = False
    in_turn: bool = False


@dataclass(eq=False)
class Head:
    """Something a clause names: a feeling, an expression, a code, a movement of a part, or a part alone."""

    kind: str
    value: Any
    source: str
    place: int
    negated: bool = False
    low: bool = False
    degree: float | None = None
    number: float | None = None
    side: str = ""
    region: np.ndarray | None = None
    stopped: bool = False
    lean: str = ""
    open: bool = False  # no side was said, and one may be
    kept: bool = False  # a part that keeps still
    idle: bool = False  # a part whose movement was not understood
    grade: float = 1.0  # how far the verb itself goes: "quirk", "raise", "hoist"


def part_family(part: str) -> str:
    """Parts that are moved in each other's place: "outer brows" in that of "brows"."""
    return "brows" if "brow" in part else "eyes" if "lid" in part else part


def region(part: str, side: str = "") -> np.ndarray:
    return slots().mask(data("actions")["parts"][part]["region"], side)


def neutral(what: str, source: str, let_go: bool = False) -> Order:
    size = len(slots())
    everything = np.full(size, let_go)
    return Order("state", what, source, np.zeros(size), everything, np.zeros(size, dtype=bool))


def never(mask: np.ndarray, head: Head, what: str) -> Order:
    size = len(slots())
    return Order("never", what, head.source, np.zeros(size), mask, np.zeros(size, dtype=bool))


def release(mask: np.ndarray, head: Head, what: str) -> Order:
    size = len(slots())
    return Order("release", what, head.source, np.zeros(size), mask, np.zeros(size, dtype=bool))


def _intensity(head: Head, base: float) -> float:
    """How strongly: by number, or the word's own strength times its degrees."""
    if head.number is not None:
        return min(head.number, MAX_INTENSITY)
    strength = base * head.grade * (1.0 if head.degree is None else head.degree)
    if head.low:
        strength *= 0.35
    return _under_ceiling(strength)


def _under_ceiling(strength: float) -> float:
    """More is more up to the end: above `_EASY` steps become smaller, and none reaches `MAX_INTENSITY`."""
    room = MAX_INTENSITY - _EASY
    return strength if strength <= _EASY else _EASY + room * math.tanh((strength - _EASY) / room)


#: Strengths up to here are taken as they are.
_EASY = 1.0


#: What the weaker side keeps, where one is to do more than the other.
LEAN = 0.4


def lean(order: Order, side: str) -> None:
    """One side does more than the other: "a smile, stronger on the left"."""
    index = slots()
    left, right = index.sides == "L", index.sides == "R"
    strong, weak = (left, right) if side == "L" else (right, left)
    most = np.maximum(order.face[left], order.face[right])
    order.face = order.face.copy()
    order.face[strong], order.face[weak] = most, LEAN * most
    order.mask = order.mask.copy()
    order.mask[strong] = order.mask[weak] = order.mask[left] | order.mask[right]
    order.feelings = []
    order.what += f", more on the {'left' if side == 'L' else 'right'}"


def make_way(order: Order, moved: Order, side: str) -> None:
    """ "Raise the left upper lip in a snarl": what the movement does on one side, the expression does there too."""
    index = slots()
    codes = set(index.codes[moved.face > 0])
    other = index.mask(codes, "R" if side == "L" else "L") & (index.sides != "")
    order.face = np.where(other, 0.3 * order.face, order.face)
    order.feelings = []


def order_of(head: Head, notes: list[str]) -> Order | None:
    order = _order_of(head, notes)
    if order is not None:
        order.both = head.side == "B"
        order.degree = 1.0 if head.degree is None or head.number is not None else head.degree
    return order


def _order_of(head: Head, notes: list[str]) -> Order | None:
    if head.kind == "emotion":
        return _feeling(head)
    if head.kind == "va":
        return _place_on_pad(head)
    if head.kind == "act":
        return _act(head)
    if head.kind == "facs":
        return _facs(head, notes)
    return _move(head, notes)


def feeling_face(feeling: tuple[str, float, str]) -> np.ndarray:
    label, intensity, side = feeling
    return emotion(label).face(intensity, side)


def label_order(label: str, intensity: float, side: str = "", source: str = "") -> Order:
    """The state of one emotion at an intensity."""
    size, entry, name = len(slots()), emotions()[label], label.replace("_", " ")
    where = {"L": ", on the left", "R": ", on the right"}.get(side, "")
    what = name if not entry.aus else f"{name} at {intensity:.2f}{where}"
    face, everything, nothing = entry.face(intensity, side), np.ones(size, dtype=bool), np.zeros(size, dtype=bool)
    feelings = [(label, intensity, side)]
    source = source or name
    return Order("state", what, source, face, everything, nothing, feelings, onset=entry.onset, offset=entry.offset)


def _feeling(head: Head) -> Order:
    label, strength = head.value
    name = label.replace("_", " ")
    if head.negated:
        face = emotion(label).face(1.0, head.side)
        order = never(face > 0, head, f"no {name}")
        order.soft, order.against, order.whole_denied = True, face, True
        return order
    return label_order(label, _intensity(head, strength), head.side, head.source)


def _place_on_pad(head: Head) -> Order:
    valence, arousal = head.value
    size = len(slots())
    values = np.asarray(circle.face(valence, arousal))
    if head.negated:
        return never(values > 0.05, head, f"not {head.source}")
    what = f"valence {valence:+.2f}, arousal {arousal:+.2f}"
    return Order("state", what, head.source, values, np.ones(size, dtype=bool), np.zeros(size, dtype=bool))


def _act(head: Head) -> Order:
    act = data("actions")["acts"][head.value]
    size = len(slots())
    intensity = _intensity(head, act["base"])
    if head.negated:
        least = 0.6 if act.get("expressive") else 0.0
        codes = [code for code, spec in act["aus"].items() if not isinstance(spec, int | float) or spec >= least]
        order = never(slots().mask(codes, head.side), head, f"no {head.source}")
        order.whole_denied = True
        return order
    face = expression(act["aus"], intensity, head.side)
    kind = "state" if act.get("expressive") else "add"
    mask = np.ones(size, dtype=bool) if kind == "state" else slots().mask(act["aus"])
    side = {"L": ", on the left", "R": ", on the right"}.get(head.side, "")
    order = Order(kind, f"{head.value} at {intensity:.2f}{side}", head.source, face, mask, np.zeros(size, dtype=bool))
    if "part" in act:  # a squint takes the place of widened eyes
        order.part, order.verbs = act["part"] + (head.side if head.side in ("L", "R") else ""), (act["verb"],)
    order.brief = act.get("seconds")
    order.times = act.get("times", 1)
    order.swing = bool(act.get("swing"))
    order.one_side = head.side if head.side in ("L", "R") else "L" if act.get("one_sided") and not head.side else ""
    return order


def kept_out(head: Head) -> list[Order]:
    """Codes that an expression excludes by its nature: a smile without teeth parts no lips."""
    if head.kind != "act" or head.negated:
        return []
    codes = data("actions")["acts"][head.value].get("never")
    return [never(slots().mask(codes), head, f"without {code_names(codes)}")] if codes else []


def _facs(head: Head, notes: list[str]) -> Order | None:
    index, table = slots(), data("aus")
    size = len(index)
    face, mask, exact = np.zeros(size), np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    said = []
    for code, side, letter in head.value:
        side = side or head.side
        if code in table["missing"]:
            notes.append(f"AU{code} {table['missing'][code]} has no channel in Mien; it was left out.")
            continue
        stand_in = table["stand_ins"].get(code)
        parts = stand_in["as"] if stand_in else {code: 1.0}
        if not stand_in and code not in table["aus"]:
            notes.append(f"There is no AU{code} in FACS that Mien can move; it was left out.")
            continue
        value = head.number if head.number is not None else letter
        given = value is not None
        value = _intensity(head, 1.0 if code in ("43", "45", "46") else 0.7) if value is None else value
        if value > MAX_INTENSITY:
            notes.append(f"AU{code} at {value:g} is beyond {MAX_INTENSITY}; it was held there.")
            value = MAX_INTENSITY
        rows = index.mask(parts, side if side in "LR" else "")
        for part, share in parts.items():
            face[index.mask([part], side if side in "LR" else "")] = value * share
        mask |= rows
        exact |= rows & given
        name = stand_in["name"] if stand_in else table["aus"][code]["name"]
        said.append(f"AU{code} {name}{'.' + side if side in ('L', 'R') else ''} at {value:.2f}")
    if not said:
        return None
    if head.negated:
        return never(mask, head, "no " + ", ".join(text.split(" at ")[0] for text in said))
    order = Order("add", ", ".join(said), head.source, face, mask, exact)
    passing = [_PASSING_CODES.get(code) if letter is None else None for code, _, letter in head.value]
    if head.number is None and None not in passing:
        order.brief = max(passing)
    return order


#: Codes that are over by themselves, in seconds: a blink and a wink; closed eyes are AU43.
_PASSING_CODES = {"45": 0.3, "46": 0.5}

#: Movements that pass: seconds and how often.
_PASSING = {"twitch": (0.22, 2), "flutter": (0.16, 3)}


def _move(head: Head, notes: list[str]) -> Order | None:
    part, verbs, values = head.value
    index, table = slots(), data("aus")
    known: dict[str, float] = {}
    for code, value in values.items():
        if code in table["stand_ins"]:
            known |= {inner: share * value for inner, share in table["stand_ins"][code]["as"].items()}
        elif code in table["missing"]:
            notes.append(f"{table['missing'][code]} has no channel in Mien; it was left out.")
        else:
            known[code] = value
    if not known and values:
        return None
    side_of = head.side if head.side in ("L", "R") else ""
    faces = index.vector(known, side_of)
    if head.negated:
        return never((faces > 0) if any(known.values()) else region(part, side_of), head,
        f"{part} not {' '.join(verbs)}")
    intensity = _intensity(head, 0.85)
    faces = faces * (intensity if head.number is not None else intensity / 0.85)
    side = {"L": ", on the left", "R": ", on the right"}.get(head.side, "")
    what = f"{part} {' '.join(verbs)}".strip() + side
    family = part_family(part)
    mask = region(part, side_of) if not known else index.mask([code for code in known if code in index.aus],
    side_of) | (faces > 0)
    firm = any(value == 0 for value in known.values())
    exact = np.zeros(len(index), dtype=bool)
    order = Order("add", what, head.source, faces, mask, exact, part=family + side_of, firm=firm, verbs=verbs)
    order.brief, order.times = next((_PASSING[verb] for verb in verbs if verb in _PASSING), (None, 1))
    return order


def code_names(codes) -> str:
    table = data("aus")["aus"]
    return ", ".join(
        f"AU{code.rstrip('LRMUD')}" + (f" {table[code]['name']}" if code in table else "") for code in codes
    )
