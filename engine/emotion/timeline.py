"""Orders → curves: when each beat begins, what the face is at every moment, and how muscles get there.

Between two changes the face has one target. A muscle moves to a new target along a minimum-jerk step (Flash & Hogan
1985), faster on the way in than on the way out, each code with its own time and lead, so that channels do not
move in step. Steps are superposed: a change in the middle of another stays smooth and between the targets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..contract import channels as contract
from ..contract.curves import Curves
from ..contract.errors import MienError
from .clauses import opposed
from .orders import Order
from .tables import data, emotions, slots
from .text import Beat, Understanding

BEAT_SECONDS = 2.0
LAST_SECONDS = 3.0
#: What follows something that was let go at a given time begins so much later.
RELEASE_SECONDS = 0.1
MAX_SECONDS = 3600.0
#: Seconds that a direction may take where no duration is given.
MAX_UNASKED = 600.0
MAX_BEATS = 120
#: A held expression sinks a little below its apex.
SETTLE_AFTER, SETTLE_TO, SETTLE_SECONDS = 2.4, 0.9, 1.5


@dataclass
class Part:
    """One line of the reading back."""

    start: float
    end: float
    source: str
    what: str

    def __str__(self) -> str:
        return f"{self.start:5.2f}–{self.end:.2f} s  {self.source!r}: {self.what}"


@dataclass
class Reading:
    """Curves and why they are so.

    Attributes:
        curves: All channels that move at any time, at least one.
        parts: What was understood, part by part.
        notes: What was not.
        feelings: [(start, end, [(label, intensity, side)])] of the feelings that were named, in seconds.
    """

    curves: Curves
    parts: list[Part]
    notes: list[str]
    feelings: list[tuple[float, float, list[tuple[str, float, str]]]] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The reading back in plain language."""
        return [str(part) for part in self.parts] + [f"Note: {note}" for note in self.notes]


@dataclass
class _Span:
    """An order with its times."""

    start: float
    end: float
    order: Order
    beat: int
    closes: bool = False  # its end was asked for
    whole: float = 0.0  # length of the passing movement it belongs to
    sign: float = 1.0
    asked: bool = False  # its beginning was


@dataclass
class _Change:
    """The face has a new target from `time` on."""

    time: float
    target: np.ndarray
    exact: np.ndarray
    starting: list[_Span] = field(default_factory=list)
    ending: list[_Span] = field(default_factory=list)
    settling: bool = False


def perform(
    understanding: Understanding,
    *,
    fps: float = 24.0,
    duration: float | None = None,
    asymmetry: float | None = None,
    seed: int = 0,
    at_least: float = 0.0,
) -> Reading:
    """Curves of what was understood.

    Args:
        fps: Frames a second.
        duration: Seconds; without it, as long as the beats need.
        asymmetry: 0 to 1, how far the sides differ by nature; without it, none unless the text asks for it.
        seed: Chooses which side does more.
        at_least: The duration is not shorter, where it is not given.

    Raises:
        MienError: Frame rate, duration or asymmetry out of range.
    """
    if not (math.isfinite(fps) and 1.0 <= fps <= 1000.0):
        raise MienError(f"The frame rate is {fps}; give one from 1 to 1000.")
    if duration is not None and not (math.isfinite(duration) and 0.0 < duration <= MAX_SECONDS):
        raise MienError(f"The duration is {duration} s; give one above 0 and up to {MAX_SECONDS:g}.")
    if asymmetry is not None and not 0.0 <= asymmetry <= 1.0:
        raise MienError(f"The asymmetry is {asymmetry}; give one from 0 to 1.")
    notes = list(understanding.notes)
    beats = [_in_seconds(beat, fps) for beat in understanding.beats]
    if len(beats) > MAX_BEATS:
        notes.append(f"The direction has {len(beats)} beats; the first {MAX_BEATS} were taken.")
        beats = beats[:MAX_BEATS]
    starts, length = schedule(beats, duration, notes, fps, at_least)
    spans = _spans(beats, starts, length, notes, fps)
    changes = _changes(spans, length)
    frames = math.ceil(length * fps - 1e-9) + 1
    values = _move(changes, np.arange(frames) / fps)
    uneven = (0.35 if understanding.uneven else 0.0) if asymmetry is None else asymmetry
    if uneven:
        values = values * _unevenness(uneven, seed)
    full = slots().to_channels(values)
    used = np.flatnonzero(np.abs(full).max(axis=0) > 1e-6)
    if not len(used):
        used = np.array([contract.INDEX["AU12 Lip Corner Puller.L"], contract.INDEX["AU12 Lip Corner Puller.R"]])
    curves = Curves(fps, tuple(contract.NAMES[column] for column in used), full[:, used])
    return Reading(curves, _read_back(spans, changes), notes, _feelings(spans))


# ── when ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _in_seconds(beat: Beat, fps: float) -> Beat:
    """The beat with frame numbers, which come as −1 − frame, as seconds."""

    def seconds(value):
        return (-1.0 - value) / fps if isinstance(value, float | int) and value < 0 else value

    orders = [
        replace(order, lasting=seconds(order.lasting), until=seconds(order.until), over=seconds(order.over))
        for order in beat.orders
    ]
    return replace(beat, orders=orders, start=seconds(beat.start), after=seconds(beat.after))


def schedule(
    beats: Sequence[Beat], duration: float | None, notes: list[str], fps: float, at_least: float = 0.0
) -> tuple[list[float], float]:
    """Start times of the beats and the whole length in seconds.

    Beats with a time of their own keep it. The others stand evenly between those, after a passing one at its end, or
    `BEAT_SECONDS` after the one before.
    """
    fixed: list[float | None] = [None] * len(beats)
    for place, beat in enumerate(beats):
        if isinstance(beat.start, float | int):
            fixed[place] = float(beat.start)
    length = duration or max(_free_length(beats, fixed, fps), at_least)
    for place, beat in enumerate(beats):
        if isinstance(beat.start, tuple):
            kind, amount = beat.start
            fixed[place] = max(0.0, length - amount) if kind == "last" else length * amount
        elif beat.final and fixed[place] is None and (duration or at_least or len(beats) == 1):
            # An ending comes after all that has a time, however short the line is.
            before = max((when for when in fixed[:place] if when is not None and when < length), default=0.0)
            fixed[place] = max(0.6 * length, length - 2.0, 0.5 * (before + length))
    starts = _fill(beats, fixed, length, bool(duration or at_least), fps)
    late = [place for place, start in enumerate(starts) if start >= length]
    if late:
        what = beats[late[0]].orders[0].source
        notes.append(f"{what!r} begins at {starts[late[0]]:.2f} s, after the end at {length:g} s, so it is not seen.")
    return starts, length


def _stay(beat: Beat, fps: float) -> float:
    """Seconds until the next beat may begin, where it has no time of its own."""
    orders = [order for order in beat.orders if order.kind in ("state", "add")]
    lasting = [order.lasting for order in orders if order.lasting is not None]
    if orders and len(lasting) == len(orders):
        return max(lasting)
    passing = [order.brief * (1.6 * order.times - 0.6) for order in orders if order.brief is not None]
    if orders and len(passing) == len(orders):
        return max(passing) + 0.3
    over = max((order.over for order in orders if order.over is not None), default=0.0)
    slow = max((order.pace for order in orders), default=1.0)
    return max(BEAT_SECONDS, over + 0.8, BEAT_SECONDS + 0.5 * (slow - 1.0))


def _free_length(beats: Sequence[Beat], fixed: list[float | None], fps: float) -> float:
    """How long beats need that nobody gave a length."""
    now, end = 0.0, 0.0
    for place, beat in enumerate(beats):
        known = fixed[place]
        start = now if known is None else known
        last = _stay(beat, fps) + (LAST_SECONDS - BEAT_SECONDS)
        ends = [start + last]
        ends += [start + order.lasting + 1.0 for order in beat.orders if order.lasting is not None]
        ends += [order.until + 1.0 for order in beat.orders if order.until is not None]
        end, now = max(end, *ends), max(now, start + _stay(beat, fps))
    return float(min(max(end, LAST_SECONDS), MAX_UNASKED))


def _fill(beats: Sequence[Beat], fixed: list[float | None], length: float, bound: bool, fps: float) -> list[float]:
    starts: list[float] = []
    for place, beat in enumerate(beats):
        known = fixed[place]
        if known is not None:
            starts.append(known)
            continue
        previous = next(
            (s for s, b in zip(reversed(starts), reversed(beats[:place]), strict=True) if not b.background), None
        )
        if previous is None:
            starts.append(0.0)
            continue
        before = beats[place - 1]
        if beat.after is not None:
            starts.append(previous + beat.after)
            continue
        ends = [order.until for order in before.orders if order.until is not None]
        ends += [order.share * length for order in before.orders if order.share is not None]
        if ends:
            starts.append(max(previous, ends[0]))
            continue
        step = _stay(before, fps)
        if before.start is not None and all(order.kind == "release" for order in before.orders):
            starts.append(previous + RELEASE_SECONDS)  # "gone by 3 s, then …"
            continue
        ahead = next(((k, when) for k, when in enumerate(fixed[place:], place) if when is not None), None)
        if not (before.orders and all(order.lasting is not None for order in before.orders if order.kind != "never")):
            if ahead is not None and ahead[1] > previous:
                step = (ahead[1] - previous) / (ahead[0] - place + 1)
            elif bound and length > previous:
                step = min((length - previous) / (len(beats) - place + 1), max(step, length / 3))
        starts.append(previous + step)
    return starts


def _spans(beats: Sequence[Beat], starts: list[float], length: float, notes: list[str], fps: float) -> list[_Span]:
    """Every order with its start and end; passing movements as often as they are repeated."""
    spans: list[_Span] = []
    for place, (beat, start) in enumerate(zip(beats, starts, strict=True)):
        for order in beat.orders:
            if order.kind == "never":
                timed = order.onward or (isinstance(beat.start, float | int) and beat.start and not beat.background)
                end = _said_after_all(order, beats[place + 1 :], starts[place + 1 :], length)
                end = min(end, start + order.lasting) if order.lasting is not None else end
                end = order.until if order.until is not None and order.until > start else end
                spans.append(_Span(start if timed else 0.0, end, order, place))
                continue
            end, closes = length, False
            if order.lasting is not None:
                end, closes = start + order.lasting, True
            elif order.until is not None:
                end, closes = order.until, True
                if end <= start:
                    notes.append(f"{order.source!r} would end at {end:g} s, before it begins; its end was left open.")
                    end, closes = length, False
            elif order.share is not None and order.share * length > start:
                end, closes = order.share * length, True
            elif order.brief is not None:
                spans += _pulses(order, start, place)
                continue
            asked = start > 0 and _is_asked(beats, place, starts)
            spans.append(_Span(start, min(end, length), order, place, closes and end < length, asked=asked))
    shown = [span.order.face for span in spans if span.order.kind in ("state", "add")]
    wanted = np.max(shown or [np.zeros(len(slots()))], axis=0)
    asked = [span.order.face > 0 for span in spans if span.order.kind == "add" and span.order.brief is None]
    named = np.any(asked or [np.zeros(len(slots()), dtype=bool)], axis=0)
    for span in spans:
        if span.order.soft:
            # What another order needs more than the denied feeling is made of it stays.
            least = 0.1 if span.order.against is None else np.maximum(0.1, 0.4 * span.order.against)
            span.order.mask = span.order.mask & (wanted <= least)
        if span.order.whole_denied:  # "no smile, but lips parted"
            span.order.mask = span.order.mask & ~named
    return [span for span in spans if span.start < length]


def _said_after_all(order: Order, beats: Sequence[Beat], starts: Sequence[float], length: float) -> float:
    """ "Not smiling. At 2 s she smiles": what was denied as a whole holds until it is asked for."""
    if not order.whole_denied:
        return length
    for beat, start in zip(beats, starts, strict=True):
        for other in beat.orders:
            if other.kind in ("state", "add") and other.face.any() and order.mask[int(np.argmax(other.face))]:
                return start
    return length


def _is_asked(beats: Sequence[Beat], place: int, starts: list[float]) -> bool:
    """Whether the text says when a beat begins, by its own time or by the end of what was before it."""
    beat, before = beats[place], beats[place - 1] if place else None
    released = before is not None and before.start is not None and all(o.kind == "release" for o in before.orders)
    own = beat.start is not None or beat.after is not None
    return own or released or _ends_at(beats[:place], starts, starts[place])


def _ends_at(beats: Sequence[Beat], starts: list[float], time: float) -> bool:
    """Whether a time that was asked for as the end of a beat is the beginning of the next."""
    return any(
        (order.until is not None and abs(order.until - time) < 1e-6)
        or (order.lasting is not None and abs(start + order.lasting - time) < 1e-6)
        for beat, start in zip(beats, starts, strict=False) for order in beat.orders
    )  # fmt: skip


def _pulses(order: Order, start: float, place: int) -> list[_Span]:
    brief = order.brief or 0.5
    return [
        _Span(start + 1.6 * brief * count, start + 1.6 * brief * count + brief, order, place, True, brief,
              -1.0 if order.swing and count % 2 else 1.0)
        for count in range(order.times)
    ]  # fmt: skip


# ── what ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def blend(orders: Sequence[Order]) -> np.ndarray:
    """[S] of states that are there together: a compound of the tables where there is one, else what each does."""
    feelings = [feeling for order in orders for feeling in order.feelings if emotions()[feeling[0]].aus]
    names = frozenset(label for label, _, _ in feelings)
    rest = [order for order in orders if not order.feelings]
    if len(names) == len(feelings) == 2 and not any(side for _, _, side in feelings):
        compound = next((entry for entry in emotions().values() if entry.of == names), None)
        if compound:
            faces = [compound.face(float(np.mean([strength for _, strength, _ in feelings])))]
            return _union(faces + [order.face for order in rest])
    faces = [order.face for order in orders if order.face.any()]
    return _union(faces)


def _union(faces: Sequence[np.ndarray]) -> np.ndarray:
    """Two expressions together: each code as the stronger has it, a little more where both do (a 4-norm)."""
    if not faces:
        return np.zeros(len(slots()))
    return np.sum(np.asarray(faces) ** 4, axis=0) ** 0.25


def _target(spans: list[_Span], time: float) -> tuple[np.ndarray, np.ndarray]:
    """(values, exact) [S] of the face between two changes, at a time."""
    here = [span for span in spans if span.start <= time < span.end]
    size = len(slots())
    states = [span for span in here if span.order.kind == "state"]
    values, since = np.zeros(size), 0.0
    if states:
        newest = max(states, key=lambda span: (span.start, span.beat))
        values = blend([span.order for span in states if span.beat == newest.beat])
        feeling = any(span.order.feelings for span in states if span.beat == newest.beat)
        if feeling and not newest.closes and time >= newest.start + SETTLE_AFTER:
            values = values * SETTLE_TO
        since = newest.start
    let_go = [
        span.start
        for span in here
        if span.order.kind == "state" and span.order.mask.any() and not span.order.face.any()
    ]
    cleared = max(let_go, default=-1.0)
    added, exact = np.zeros(size), np.zeros(size, dtype=bool)
    firm, placed = np.zeros(size, dtype=bool), np.full(size, -1.0)
    moved: dict[str, tuple[np.ndarray, _Span]] = {}
    for span in sorted(here, key=lambda entry: (entry.start, entry.beat)):
        order = span.order
        if order.kind == "add" and not span.closes and _gave_way(span, spans, time, since, values):
            continue
        if order.kind == "add" and span.start >= cleared:
            for part in _replaced(span, moved):
                mask, other = moved.pop(part)
                gone, kept = mask & _side_mask(order.part), mask & ~_side_mask(order.part)
                if kept.any():
                    moved[part] = kept, other  # the other side goes on
                added, firm = np.where(gone, 0.0, added), firm & ~gone
            if order.part:
                moved[order.part] = order.mask, span
            ousted = _opposed_codes(order) & (placed < span.start)
            added, firm = np.where(ousted, 0.0, added), firm & ~ousted
            placed = np.where(order.mask, span.start, placed)
            added = np.where(order.mask, order.face * span.sign, added)
            exact = np.where(order.mask, order.exact, exact)
            firm = np.where(order.mask, order.firm and span.start >= since, firm)
        elif order.kind == "release":
            added = np.where(order.mask, 0.0, added)
            if span.start > since:
                values = np.where(order.mask, 0.0, values)
    values = np.where(exact | firm, added, np.where(np.abs(added) > values, added, values))
    for span in here:
        if span.order.kind == "never":
            values = np.where(span.order.mask, 0.0, values)
    swing = np.sign(values)
    return slots().resolve(np.abs(values), exact) * swing, exact


#: What is less than this share of an expression ("a frown" a little in the mouth) leaves a part to others.
_MINOR = 0.3


def _gave_way(span: _Span, spans: list[_Span], time: float, since: float, values: np.ndarray) -> bool:
    """Whether an expression has taken over the part that a movement from before it moved: for good, if it was not
    a passing one."""
    if span.start < since and _gives_way(span.order, values, _MINOR):
        return True
    for other in spans:
        later = other.order.kind == "state" and not other.closes and span.start < other.start <= time
        if later and _gives_way(span.order, other.order.face, 0.0 if other.order.feelings else _MINOR):
            return True
    return False


def _gives_way(order: Order, values: np.ndarray, least: float = 0.0) -> bool:
    """A movement from before an expression ends where that expression uses the same part of the face itself."""
    if order.exact.any() or order.brief is not None:
        return False
    regions = np.array([slots().aus[code]["region"] for code in slots().codes])
    mine = set(regions[order.mask & ((order.face > 0) | order.firm)])
    return bool(mine & set(regions[values > max(0.15, least * float(values.max()))]))


def _replaced(span: _Span, moved: dict[str, tuple[np.ndarray, _Span]]) -> list[str]:
    """The parts moved before that a new order speaks about: the same one, on either or both sides. What is asked for
    in one beat is there together ("looks down and to the left"), unless a part cannot do both."""
    part, family = span.order.part, span.order.part.rstrip("LR")

    def together(other: _Span) -> bool:
        return other.beat == span.beat and not opposed(other.order.verbs, span.order.verbs)

    return [name for name, (_, other) in moved.items() if part and name.rstrip("LR") == family and not together(other)]


def _opposed_codes(order: Order) -> np.ndarray:
    """[S] what a movement leaves no room for, of what was there before it: lips that part are no longer pressed."""
    index, result = slots(), np.zeros(len(slots()), dtype=bool)
    for rule in data("aus")["opposing"] if order.brief is None else ():
        for mine, others in ((rule["a"], rule["b"]), (rule["b"], rule["a"])):
            if rule["strength"] >= 0.9 and (order.face[np.isin(index.codes, mine)] > 0.3).any():
                result |= np.isin(index.codes, others) & ~order.mask
    shown = set(index.sides[order.face > 0]) - {""}
    return result & ((index.sides == next(iter(shown))) | (index.sides == "")) if len(shown) == 1 else result


def _side_mask(part: str) -> np.ndarray:
    index = slots()
    return index.mask(index.aus, part[-1] if part and part[-1] in "LR" else "")


def _changes(spans: list[_Span], length: float) -> list[_Change]:
    """Every moment at which the face's target changes, in order."""
    times = {0.0}
    settles = set()
    for span in spans:
        times |= {span.start, span.end}
        if span.order.feelings and not span.closes and span.end - span.start > SETTLE_AFTER + 1.0:
            settles.add(span.start + SETTLE_AFTER)
    ordered = sorted(time for time in times | settles if 0.0 <= time < length)
    changes = []
    for time in ordered:
        values, exact = _target(spans, time + 1e-9)
        starting = [span for span in spans if abs(span.start - time) < 1e-9 and span.order.kind != "never"]
        ending = [span for span in spans if abs(span.end - time) < 1e-9 and span.closes]
        changes.append(_Change(time, values, exact, starting, ending, time in settles and time not in times))
    return changes


# ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _steps(change: _Change, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(delay, duration) [S] in seconds of the movement from `before` to the change's target."""
    index = slots()
    delta = change.target - before
    rising = np.abs(change.target) > np.abs(before)
    size = 0.55 + 0.45 * np.minimum(np.abs(delta), 1.0)
    if change.settling:
        return np.zeros(len(index)), np.full(len(index), SETTLE_SECONDS)
    over = next((span.order.over for span in change.starting if span.order.over is not None), None)
    if over is not None:
        return np.zeros(len(index)), np.full(len(index), max(over, 0.05))
    pace = next((span.order.pace for span in change.starting if span.order.pace != 1.0), 1.0)
    onset = next((span.order.onset for span in change.starting if span.order.onset != 1.0), 1.0)
    offset = next((span.order.offset for span in change.ending if span.order.offset != 1.0), 1.0)
    duration = np.where(rising, index.onset * onset, index.offset * offset) * size * pace
    delay = np.where(rising, index.lead, 0.5 * index.lead) * min(pace, 2.0)
    passing = [span.whole for span in change.starting + change.ending if span.whole]
    if passing:
        duration, delay = np.minimum(duration, 0.5 * min(passing)), np.minimum(delay, 0.1 * min(passing))
    if any(span.asked for span in change.starting) and not passing:
        # A time that was asked for is when the face is seen to be so, not when it begins to move.
        delay = delay - 0.35 * duration
    if change.ending:
        # An end that was asked for is the middle of the way out, not its beginning.
        delay = np.where(rising, delay, delay - 0.45 * duration)
    return delay, np.maximum(duration, 0.05)


def _move(changes: list[_Change], times: np.ndarray) -> np.ndarray:
    """[T, S] values: minimum-jerk steps from target to target, superposed."""
    size = len(slots())
    values, jumps = np.zeros((len(times), size)), np.zeros((len(times) + 1, size))
    before, last_start, last_end = np.zeros(size), np.full(size, -1e9), np.full(size, -1e9)
    for place, change in enumerate(changes):
        delta = change.target - before
        delay, duration = _steps(change, before)
        # Steps that begin in order and end in order keep the sum between the targets.
        start = np.maximum(np.maximum(change.time + delay, last_start), 0.0)
        end = np.maximum(start + duration, last_end)
        if change.settling:  # what comes next need not wait until the face has settled
            end = np.maximum(np.minimum(end, _next_change(changes[place:])), np.maximum(start + 0.3, last_end))
        for slot in np.flatnonzero(np.abs(delta) > 1e-9):
            first, last = np.searchsorted(times, (start[slot], end[slot]))
            phase = (times[first:last] - start[slot]) / (end[slot] - start[slot])
            values[first:last, slot] += delta[slot] * phase**3 * (10 + phase * (6 * phase - 15))
            jumps[last, slot] += delta[slot]
            last_start[slot], last_end[slot] = start[slot], end[slot]
        before = change.target
    return values + np.cumsum(jumps[:-1], axis=0)


def _next_change(changes: list[_Change]) -> np.ndarray:
    """[S] seconds at which each slot leaves the target of the first of these changes; infinite where it stays."""
    now, *coming = changes
    when = np.full(len(now.target), np.inf)
    for change in reversed(coming):
        when = np.where(np.abs(change.target - now.target) > 1e-9, change.time, when)
    return when


def _unevenness(amount: float, seed: int) -> np.ndarray:
    """[S] gains: what one side gains the other loses, up to a fifth at full amount."""
    index = slots()
    random = np.random.default_rng(seed)
    lean = random.normal(0.0, 0.5, len(index.aus)) + random.normal(0.0, 0.5)
    by_code = dict(zip(index.aus, 0.2 * amount * np.tanh(lean), strict=True))
    sign = np.where(index.sides == "L", 1.0, np.where(index.sides == "R", -1.0, 0.0))
    return 1.0 + sign * np.array([by_code[code] for code in index.codes])


# ── reading back ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _read_back(spans: list[_Span], changes: list[_Change]) -> list[Part]:
    parts = []
    for span in sorted(spans, key=lambda entry: (entry.start, entry.beat)):
        what = span.order.what
        if span.order.kind in ("state", "add") and span.order.face.any():
            now = next(change for change in reversed(changes) if change.time <= span.start + 1e-9)
            what += f" ({_codes(np.where(span.order.face > 0, now.target, 0.0))})" if not span.order.exact.any() else ""
        elif span.order.kind == "never":
            what = f"{what}: {_codes(span.order.mask.astype(float), values=False)} kept at 0"
        later = [other.start for other in spans if other.order.kind == "state" and other.start > span.start]
        end = min([span.end, *later]) if span.order.kind == "state" else span.end
        parts.append(Part(span.start, end, span.order.source, what))
    return parts


def _feelings(spans: list[_Span]) -> list[tuple[float, float, list[tuple[str, float, str]]]]:
    """When which feelings are there: a state until the next one, those of a beat together."""
    states = sorted((span for span in spans if span.order.kind == "state"), key=lambda span: (span.start, span.beat))
    found: dict[int, tuple[float, float, list[tuple[str, float, str]]]] = {}
    for span in states:
        end = min([span.end, *(other.start for other in states if other.start > span.start)])
        _, _, before = found.get(span.beat, (0.0, 0.0, []))
        found[span.beat] = (span.start, end, before + span.order.feelings)
    return [entry for entry in found.values() if entry[2]]


def _codes(strength: np.ndarray, values: bool = True, shown: int = 8) -> str:
    """[S] → "AU4 Brow Lowerer 0.90, …", strongest first; sides where they differ."""
    index = slots()
    said = []
    for code in index.aus:
        rows = np.flatnonzero(index.codes == code)
        strengths = strength[rows]
        if np.abs(strengths).max() < 0.02:
            continue
        name = f"AU{code.rstrip('LRMUD')} {index.aus[code]['name']}"
        if len(rows) == 2 and abs(strengths[0] - strengths[1]) > 0.05:
            name += ".L" if strengths[0] > strengths[1] else ".R"
        top = float(np.abs(strengths).max())
        said.append((top, f"{name} {top:.2f}" if values else name))
    said.sort(key=lambda entry: -entry[0])
    return ", ".join(text for _, text in said[:shown]) + (" …" if len(said) > shown else "")
