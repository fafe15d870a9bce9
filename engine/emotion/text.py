"""Understanding a direction: text → what the face is to do, when, how much, on which side, and what not.

The text becomes tags (`words`), the tags become clauses at commas and joining words, and each clause gives *orders*:

- a **state** is an expression that takes the place of the one before it (a feeling, a smile),
- an **addition** moves some muscles on top of it (a raised brow, "AU4 at 0.6"),
- a **release** lets some go, **never** keeps some still.

Orders that begin together form a *beat*; `timeline` gives beats their times and turns them into curves.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..contract.errors import MienError
from .clauses import STARTS, Clause, opposed
from .clauses import clauses as read_clauses
from .notation import normal, opened, stated_rate
from .orders import (
    Head,
    Order,
    feeling_face,
    kept_out,
    lean,
    make_way,
    neutral,
    never,
    order_of,
    part_family,
    region,
    release,
)  # fmt: skip
from .tables import MAX_INTENSITY, data, emotions, slots
from .words import Tag, tags

MAX_CHARACTERS = 20_000
#: A word is begun to be felt a little before it is said.
WORD_LEAD = 0.12


@dataclass(frozen=True)
class Spoken:
    """A word of the line with its times in seconds."""

    text: str
    start: float
    end: float


@dataclass(eq=False)
class Beat:
    """Orders that begin together.

    Attributes:
        start: Seconds; None where it follows from the beats around it; ("part", p) of the duration; ("last", seconds).
        after: Seconds after the beat before it, where the text says so.
    """

    orders: list[Order] = field(default_factory=list)
    start: float | tuple[str, float] | None = None
    after: float | None = None
    background: bool = False
    final: bool = False

    @property
    def has_state(self) -> bool:
        return any(order.kind == "state" for order in self.orders)


@dataclass
class Understanding:
    """What was understood.

    Attributes:
        beats: In order.
        notes: Sentences for the artist about what was not, or only in part, understood.
        uneven: The text asks for natural asymmetry.
    """

    text: str
    beats: list[Beat]
    notes: list[str]
    uneven: bool = False


def understand(text: str, words: Sequence[Spoken] = (), meaning: bool = True) -> Understanding:
    """Read a direction.

    Args:
        text: In plain English; FACS codes and names and ARKit names are understood as well.
        words: The words of the line that is spoken, for "while she says 'never'".
        meaning: Ask the sentence model about what the lexicon does not know, where it is installed.

    Raises:
        MienError: The text is longer than `MAX_CHARACTERS`.
    """
    if len(text) > MAX_CHARACTERS:
        raise MienError(
            f"The direction is {len(text)} characters long; at most {MAX_CHARACTERS} are read, so shorten it."
        )
    clean = normal(_between_words(text, words))
    notes: list[str] = []
    found = _place_words(_in_seconds(tags(clean), stated_rate(text)), words, notes)
    clauses = read_clauses(found, notes)
    _feel_the_rest(clauses, clean, meaning, notes)
    beats = _beats(clauses, notes)
    uneven = any("uneven" in tag for tag in found)
    _note_unknown(clauses, found, beats, notes)
    return Understanding(text, beats, list(dict.fromkeys(notes)), uneven)


def _between_words(text: str, words: Sequence[Spoken]) -> str:
    """A script with directions in brackets inside the line that is spoken → each direction at its pause.

    "You came back. [joy] You really came back." becomes "at 1.5 s joy" where that pause is around 1.5 s.
    """
    pieces = re.split(r"[\[(]([^\[\]()]+)[\])]", text)
    spoken = [re.findall(r"[\w']+", piece.lower()) for piece in pieces[::2]]
    line = [re.sub(r"[^\w']", "", word.text.lower()) for word in words]
    if len(pieces) < 3 or not line or list(itertools.chain(*spoken)) != line:
        return text
    result, place = [], 0
    for said, direction in zip(spoken, pieces[1::2], strict=False):
        place += len(said)
        before = words[place - 1].end if place else 0.0
        after = words[place].start if place < len(words) else before + 0.4
        result.append(f"at {max(0.0, 0.5 * (before + after)):.2f} s {direction.strip()}.")
    return " ".join(result)


# ── words of the line ────────────────────────────────────────────────────────────────────────────────────────────────


def _in_seconds(found: list[Tag], rate: float | None) -> list[Tag]:
    """Frame numbers as seconds, where the text says the frame rate; else they stay −1 − frame."""
    for tag in found if rate else ():
        for kind, value in tag.readings.items():
            if kind == "span":
                tag.readings[kind] = tuple(_frame_time(item, rate) for item in value)
            elif kind in _TIMES:
                tag.readings[kind] = _frame_time(value, rate)
    return found


_TIMES = ("lasting", "over", "until", "wait", "later", "at", "bare")


def _frame_time(value, rate: float):
    return (-1.0 - value) / rate if isinstance(value, float | int) and value < 0 else value


def _place_words(found: list[Tag], words: Sequence[Spoken], notes: list[str]) -> list[Tag]:
    """Quoted words of the line, and words after "says", become times."""
    bare = [re.sub(r"[^\w]", "", opened(word.text.lower())) for word in words]
    result: list[Tag] = []
    for tag in found:
        said = result and re.fullmatch(r"(say|says|saying|said|word|words|speaks|utters|phrase|line)", result[-1].text)
        wanted = tag.readings.get("quote", tag.text if said else None)
        span = _find_words(wanted, bare, words) if wanted else None
        if span:
            if said:
                result.pop()
            result.append(_time_of_word(tag, span, result))
        elif "quote" in tag and words:
            notes.append(f"The line has no word {tag.text}, so no time could be taken from it.")
        elif "quote" in tag and said:
            if "unknown" in result[-1]:
                result.pop()  # "While she says …" names a moment, not a feeling.
            notes.append(f"The line's words and their times are not given, so {tag.text} could not be placed.")
        elif "quote" in tag:
            inner = tags(" " + tag["quote"] + " ")
            result += inner
            if not inner or all("unknown" in item for item in inner):
                notes.append(f"The line's words and their times are not given, so {tag.text} could not be placed.")
        else:
            result.append(tag)
    return result


def _find_words(wanted: str, bare: list[str], words: Sequence[Spoken]) -> tuple[float, float] | None:
    sought = re.sub(r"[^\w]", "", opened(wanted.lower()))
    for place in range(len(bare) if sought else 0):
        end, said = place, ""
        while end < len(bare) and len(said) < len(sought):
            said, end = said + bare[end], end + 1
        if said == sought:
            return words[place].start, words[end - 1].end
    return None


def _time_of_word(tag: Tag, span: tuple[float, float], before: list[Tag]) -> Tag:
    """A word's time; with what stands before it taken in: "a second after", "between 'one' and 'two'"."""
    start, end = span
    if tag.text.startswith('">'):  # up to and including it
        return Tag(tag.text, {"word": (end, end)}, tag.start, tag.end)
    if before and "gap" in before[-1]:
        return Tag(tag.text, {"at": end + before.pop()["gap"]}, tag.start, tag.end)
    if len(before) > 1 and "before" in before[-1] and "bare" in before[-2]:
        gap = before[-2]["bare"]
        del before[-2:]
        return Tag(tag.text, {"at": max(0.0, start - gap)}, tag.start, tag.end)
    texts = [other.text for other in before[-3:]]
    if len(texts) == 3 and texts[0] == "from" and texts[2] in ("to", "through") and "word" in before[-2]:
        first = before[-2]["word"][0]
        del before[-3:]
        return Tag(tag.text, {"span": (first, start if tag.text.startswith('"<') else end)}, tag.start, tag.end)
    if len(texts) == 3 and texts[0] == "between" and texts[2] == "and" and "word" in before[-2]:
        first = before[-2]["word"][1]
        del before[-3:]
        return Tag(tag.text, {"span": (min(first, start), start)}, tag.start, tag.end)
    return Tag(tag.text, {"word": span}, tag.start, tag.end)


# ── feelings that no word names ──────────────────────────────────────────────────────────────────────────────────────


def _feel_the_rest(clauses: list[Clause], clean: str, meaning: bool, notes: list[str]) -> None:
    """Sentences in which nothing was understood: ask the sentence model, else look for telling situations."""
    groups: list[list[Clause]] = []
    for clause in clauses:
        if (
            groups
            and groups[-1][-1].sentence == clause.sentence
            and not clause.leads & {"then", "final", "before_next", "after_this"}
        ):
            groups[-1].append(clause)
        else:
            groups.append([clause])
    named = any(_is_state(head) or head.kind in ("move", "facs") for clause in clauses for head in clause.heads)
    asked = 0
    for group in groups:
        if any(head.kind != "part" or head.kept for clause in group for head in clause.heads) or any(
            c.stop or c.relax or (c.denied and c.side) for c in group
        ):
            continue
        contents = [tag for clause in group for tag in clause.tags if "unknown" in tag or "situation" in tag]
        if not any(re.search(r"[^\W\d_]{2,}", tag.text) for tag in contents):
            continue
        if named and _is_remark(group, contents):
            continue
        text = clean[group[0].tags[0].start : group[-1].tags[-1].end]
        situations = [tag["situation"] for tag in contents if "situation" in tag]
        label = None
        if meaning and asked < 6:
            asked += 1
            label = _ask(text, clean, group, notes, situations[0][0] if situations else None)
        if label is None:
            label = situations[0] if situations else None
        if label:
            group[0].heads = [Head("emotion", label, text, 0)]
            for clause in group:
                clause.heads = group[0].heads if clause is group[0] else []
                for tag in clause.tags:
                    tag.readings.pop("unknown", None)


def _is_remark(group: list[Clause], contents: list[Tag]) -> bool:
    """What is no sentence about somebody: a part of the face, the rest of the shot, a single word."""
    parts = any("part" in tag for clause in group for tag in clause.tags)
    return parts or len(contents) < 2 or "rest" in group[0].leads


def _ask(text: str, clean: str, group: list[Clause], notes: list[str], hint: str | None) -> tuple[str, float] | None:
    from . import meaning as model

    # The words before the first tag were fillers, yet they help the model: "as if he ..."
    found = model.feel(_widen(clean, group), hint)
    if found is None or found.label == "none":
        return None
    notes.append(f"{text!r} names no feeling; by its meaning it was taken as {found.label.replace('_', ' ')}.")
    return found.label, found.intensity


def _widen(clean: str, group: list[Clause]) -> str:
    start = max((clean.rfind(mark, 0, group[0].tags[0].start) for mark in ".!?;\n,"), default=-1) + 1
    return clean[start : group[-1].tags[-1].end].strip()


# ── beats ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _beats(clauses: list[Clause], notes: list[str]) -> list[Beat]:
    """Clauses → beats with orders."""
    _settle_relations(clauses)
    _settle_denied_times(clauses)
    _settle_asides(clauses)
    _settle_turns(clauses)
    _settle_events(clauses)
    beats: list[Beat] = [Beat()]
    waiting: dict[str, Any] = {}
    wait = 0.0
    swap: int | None = None
    recent: Beat | None = None  # the beat of which something was said last
    spoke = -1  # the sentence in which something was said last
    for position, clause in enumerate(clauses):
        own = clause.time
        coming = next((other for other in clauses[position + 1 :] if other.heads), None)
        if clause.dies and coming and not _last_orders(beats) and not own and clause.heads:
            # "The laughter dies down, she looks worried": there was laughter.
            clause.stop = clause.dies = False
            for head in clause.heads:
                head.stopped = False
            coming.leads.add("then")
        if "after_this" in clause.leads and _was_said(clause, beats) and position + 1 < len(clauses):
            clauses[position + 1].leads.add("then")  # "…, and after the smile": it was there already
            continue
        if _leans_back(clause, beats):
            lean(_last_orders(beats)[-1], clause.lean)
            continue
        only_parts = clause.again and clause.heads and all(h.kind == "part" and not h.kept for h in clause.heads)
        if only_parts:  # "… and reaches the left corner at 3 s"
            clause.side = clause.side or next((head.side for head in clause.heads if head.side), "")
        other = _is_other_side(clause, beats)
        clause.again = clause.again or other
        if (clause.silent or only_parts or other) and _last_orders(beats) and _say_again(clause, beats):
            spoke = clause.sentence
            continue
        if own.keys() & set(_WHEN_GIVEN) and _time_of_part(clause, beats):
            continue
        if clause.silent and own.keys() & set(STARTS) and _goes_back(clause, beats):
            spoke = clause.sentence
            continue
        if clause.silent and clause.denied and "word" in own and spoke == clause.sentence:
            continue  # "smiles on 'really', but not on 'never'"
        if clause.silent:
            follows = next((other for other in clauses[position + 1 :] if not other.silent), None)
            follows = follows if follows and follows.sentence == clause.sentence else None
            apart = bool(follows and follows.leads & {"then", "final"} and follows.leads & {"comma", "stop"})
            behind = _last_orders(beats) and spoke == clause.sentence
            apart = apart or bool(behind and follows and follows.leads & {"then", "final"} and clause.leads <= {"but"})
            started = bool(follows and (apart or set(follows.time) & set(STARTS)))
            if "aside" in own:  # "sad (2 s)" says how long, "(2 s) sad" and "from sad (1 s) to happy (2 s)" when
                when = _asides_rise(clauses, clause)
                started = started or when
                own["lasting" if behind and not when else "at"] = own.pop("aside")
                started = started or "lasting" in own
            if "lasting" in own and apart and not _last_orders(beats):  # "hold for a second, then smile"
                own["wait"] = own.pop("lasting")
            coming_then = position + 1 < len(clauses) and "then" in clauses[position + 1].leads
            if "until" in own and coming_then and _unknown(clause) and not beats[-1].orders:
                own["at"] = own.pop("until")  # "he listens until 2 s, then he smiles"
            if "onwards" in own and behind:  # "…, hold it to the end"
                for order in _last_orders(beats):
                    order.until = order.lasting = None
            if "wait" in own:
                wait += float(own["wait"])
            elif "span" in own and spoke == clause.sentence and follows and follows.leads & {"and", "then"}:
                _give_time(beats, clause)
            elif _is_predicate(clause) and beats[-1].orders:  # "a smile, lands at 2 s, …"
                _give_time(beats, clause, recent)
            elif own and follows and not started and not (own.keys() == {"lasting"} and beats[-1].orders):
                waiting = {**waiting, **own}
            elif own and "at" in own and clause.tags[0].text.startswith(("begin", "start")) and not follows:
                first = next((beat for beat in beats if beat.orders), beats[-1])
                first.start = first.start or own["at"]  # "…. Begin at 1 s."
            elif (
                own
                and beats[-1].orders
                and (
                    clause.sentence == spoke
                    or own.keys() & {"lasting", "until", "span"}
                    or position + 1 == len(clauses)
                )
            ):
                _give_time(beats, clause, recent)
            elif own and position + 1 < len(clauses):  # "2 s in. Her face falls."
                waiting = {**waiting, **own}
            if clause.leads & {"then", "final", "first"} and position + 1 < len(clauses):
                clauses[position + 1].leads |= clause.leads & {"then", "final", "first"}
            continue
        spoke = clause.sentence
        if _only_masks(clause, beats):
            if own:  # "wink with the left eye at 1 s"
                _give_time(beats, clause)
            continue
        clause.time = own = {**waiting, **own}
        waiting = {}
        _share_time(clause, clauses[:position], beats)
        _share_end(clause, clauses[:position], beats)
        beat = _beat_for(clause, beats, wait)
        if wait and beat.start is None and beat.after is None and beat is beats[-1]:
            if any(other.orders for other in beats[:-1]):
                before = [order.lasting or 0.0 for order in _last_orders(beats[:-1])]
                beat.after, wait = wait + max(before), 0.0
            else:
                beat.start, wait = wait, 0.0
        _start(beat, clause)
        orders = _orders(clause, beats, beat, notes)
        if clause.leads & {"to", "turn"}:
            orders = _passed_over(orders, beats[:-1]) + orders
        if clause.only or clause.instead:
            orders = _let_other_side_go(orders, beats) + orders
        if "then" in clause.leads:
            orders = _ousted(orders, beats) + orders
        if position and clauses[position - 1].gone:
            orders = [_gone(clauses[position - 1], beats), *orders]
        if clause.stop and not clause.heads and set(clause.time) & set(STARTS):
            for order in (order for other in beats if other is not beat for order in other.orders):
                order.until = None  # "a smile on 'hello', let go on 'goodbye'"
        for order in orders:
            _timing(order, clause)
            order.in_turn = any("in_turn" in tag for tag in clause.tags)
            order.onward = bool(clause.leads & {"then", "final"}) and len(beats) > 1
        _goes_on_until(beat.orders, orders)
        beat.orders += orders
        recent = beat
        following = position + 1 < len(clauses) and "word" not in own
        if "before_next" in clause.leads and following:
            clauses[position + 1].leads.add("then")
            swap = beats.index(beat)
        elif "after_this" in clause.leads and following:
            clauses[position + 1].leads.add("then")
            if "gap" in own:
                clauses[position + 1].time.setdefault("later", own["gap"])
        elif swap is not None:
            _swap(beats, swap)
            swap = None
        elif "after" in clause.leads and len(beats) > 1 and not own.keys() & {"at", "word"}:
            beats[-1], beats[-2] = beats[-2], beats[-1]
            if "gap" in clauses[position - 1].time:
                beats[-1].after = float(clauses[position - 1].time["gap"])
    _take_turns(beats)
    _keep_the_rest(beats)
    for beat in beats:
        _agree_on_sides(beat.orders)
        _keep_to_side(beat)
    return [beat for beat in beats if beat.orders]


def _take_turns(beats: list[Beat]) -> None:
    """ "The brows rise one after the other, the left one first": each side has its beat."""
    for beat in list(beats):
        shown = [order for order in beat.orders if order.kind in ("state", "add") and _has_sides(order)]
        turns = [order for order in shown if order.in_turn]
        if not turns:
            continue
        first = _shown_side(turns[0]) or "L"
        second = [replace(order, kind="add", in_turn=False) for order in turns]
        for order, copy in zip(turns, second, strict=True):
            _turn_orders([order], first)
            _turn_orders([copy], "R" if first == "L" else "L")
        beats.insert(beats.index(beat) + 1, Beat(second, after=1.0))


def _keep_the_rest(beats: list[Beat]) -> None:
    """ "Eyes shut until 2 s, then the left one opens": what ends only on one side goes on on the other."""
    for beat, coming in itertools.pairwise([beat for beat in beats if beat.orders]):
        changed = np.any([order.mask for order in coming.orders], axis=0)
        on_side = changed.any() and len(set(slots().sides[changed])) == 1 and slots().sides[changed][0] in ("L", "R")
        if not on_side or coming.start is not None or any(order.kind == "never" for order in coming.orders):
            continue
        for order in beat.orders:
            ends = order.until if order.until is not None else order.lasting
            if ends is None or order.kind not in ("state", "add") or not (order.mask & changed).any():
                continue
            if order.until is not None:
                coming.start = order.until
            else:
                coming.after = order.lasting
            order.until = order.lasting = None


def _goes_back(clause: Clause, beats: list[Beat]) -> bool:
    """ "The eyes dart left at 1 s, back at 2 s": what moved last goes back; what had gone comes again."""
    last = _last_orders(beats)
    if not last or clause.side or clause.denied or not any(tag.readings.get("verb") == "back" for tag in clause.tags):
        return False
    if any("unknown" in tag or "part" in tag for tag in clause.tags):
        return False
    beat = Beat([release(order.mask, _head_of(clause), "back again") for order in last if order.face.any()][-1:])
    if not beat.orders:
        earlier = [order for other in beats for order in other.orders if (order.face * last[-1].mask).any()]
        beat.orders = [replace(order, until=None, lasting=None) for order in earlier[-1:]]
    if not beat.orders:
        return False
    beats.append(beat)
    _start(beat, clause)
    return True


def _asides_rise(clauses: list[Clause], clause: Clause) -> bool:
    sentence = [other for other in clauses if other.sentence == clause.sentence]
    asides = [other.time.get("aside", other.time.get("at")) for other in sentence if "paren" in other.leads]
    rise = all(one is not None and other is not None and one < other for one, other in itertools.pairwise(asides))
    return rise and len(asides) > 1 and any("to" in other.leads for other in sentence)


def _is_predicate(clause: Clause) -> bool:
    """Only a verb and a time: it says when what was named before it comes."""
    first = clause.tags[0]
    return len(clause.tags) == 2 and "unknown" in first and _is_finite(first.text) and "at" in clause.time


def _goes_on_until(said: list[Order], orders: list[Order]) -> None:
    """ "The jaw drops at 2 s and stays open until 4 s": the movement said just before ends with it."""
    for order in orders:
        ends = order.kind == "add" and (order.until is not None or order.lasting is not None)
        for other in said if ends else ():
            if other.kind == "add" and other.until is other.lasting is None and (other.face * order.face).any():
                other.until, other.lasting = order.until, order.lasting


def _share_time(clause: Clause, before: list[Clause], beats: list[Beat]) -> None:
    """ "The lips press and the chin bunches at 2 s": movements joined by a bare "and" share the time behind them."""
    first = before[-1] if before else None
    when = next((tag for tag in clause.tags if "at" in tag or "word" in tag), None)
    if first is None or when is None or clause.leads != {"and"} or clause.tags[-1] is not when:
        return
    at_once = _AT_ONCE.search(clause.source) is not None
    heads = clause.heads + first.heads
    moves = not any((_is_state(head) and not at_once) or head.negated or head.kind == "part" for head in heads)
    begins = not first.time and not first.leads & {"then", "final", "first", "and"}
    if not (moves and begins and clause.heads and first.heads) or first.sentence != clause.sentence:
        return
    beat = beats[-1]
    if beat.start is None and len(beat.orders) == len(first.heads):
        _start(beat, clause)


def _share_end(clause: Clause, before: list[Clause], beats: list[Beat]) -> None:
    """ "Brows down and lips tight until 2 s": what is there, joined by a bare "and", ends with it."""
    first = before[-1] if before else None
    if first is None or clause.leads != {"and"} or set(clause.time) != {"until"} or first.time or clause.stop:
        return
    there = all(head.kind in ("move", "act", "facs") and not head.negated for head in clause.heads + first.heads)
    finite = any(_does(tag) for tag in clause.tags + first.tags)
    same = first.sentence == clause.sentence and clause.heads and first.heads and "until" in clause.tags[-1]
    if same and there and not finite and len(beats[-1].orders) >= len(first.heads):
        for order in beats[-1].orders[-len(first.heads) :]:
            order.until = order.until if order.until is not None else float(clause.time["until"])


def _does(tag: Tag) -> bool:
    """Said of somebody who does it: "raises", "smiles"; not "up", "pressed"."""
    said = {"verb", "act", "emotion"} & set(tag.readings)
    return bool(said) and _is_finite(tag.text) and not tag.text.endswith("ed")


def _let_other_side_go(orders: list[Order], beats: list[Beat]) -> list[Order]:
    """ "Both brows up, but from 2 s on only the left one": the right one, which was up, comes down."""
    index = slots()
    faces = [order.face > 0 for beat in beats[:-1] for order in beat.orders if order.part]
    shown = np.any(faces or [np.zeros(len(index), dtype=bool)], axis=0)
    result = []
    for order in orders:
        side = order.part[-1:]
        other = index.mask(set(index.codes[order.mask]), {"L": "R", "R": "L"}.get(side, "")) & (index.sides != "")
        if order.kind == "add" and side in ("L", "R") and order.face.any() and (shown & other).any():
            result.append(release(other, Head("part", "", order.source, 0), "the other side let go"))
    return result


def _passed_over(orders: list[Order], beats: list[Beat]) -> list[Order]:
    """ "From puffed cheeks to a dropped jaw": a movement that turns into another one ends where that begins."""
    said = [order for order in _last_orders(beats) if order.kind == "add" and order.brief is None]
    new = np.any([order.face > 0 for order in orders] or [np.zeros(len(slots()), dtype=bool)], axis=0)
    left = np.any([order.face > 0 for order in said] or [new & ~new], axis=0) & ~new
    return [release(left, Head("part", "", orders[0].source, 0), "let go")] if left.any() and orders else []


def _ousted(orders: list[Order], beats: list[Beat]) -> list[Order]:
    """ "Smile, then pucker": lips that pucker cannot smile on, so the smile ends."""
    states = [order for beat in beats[:-1] for order in beat.orders if order.kind == "state" and not order.feelings]
    codes = slots().codes
    for state in states[-1:]:
        main = str(codes[int(np.argmax(state.face))])
        for rule in data("aus")["opposing"]:
            against = rule["b"] if main in rule["a"] else rule["a"] if main in rule["b"] else ()
            moved = any((order.face[np.isin(codes, against)] > 0.3).any() for order in orders if order.kind == "add")
            if rule["strength"] >= 0.9 and moved:
                return [release(state.face > 0, Head("part", "", orders[0].source, 0), "let go")]
    return []


def _gone(clause: Clause, beats: list[Beat]) -> Order:
    """ "As soon as the smile is gone": what of it was there is let go."""
    faces = [order.face > 0 for order in (order_of(head, []) for head in clause.heads) if order is not None]
    return release(np.any(faces or [np.zeros(len(slots()), dtype=bool)], axis=0), _head_of(clause), "let go")


def _keep_to_side(beat: Beat) -> None:
    """ "A cheeky wink and a lopsided smile on the left": a feeling without a side leaves the other to what has one.
    A lopsided one ("sceptical, right brow high") is on the side of what moves beside it."""
    moved_sides = {order.part[-1:] for order in beat.orders if order.kind == "add" and order.part.endswith(("L", "R"))}
    moved_sides |= {order.one_side for order in beat.orders if order.one_side and not order.feelings}
    for order in beat.orders if len(moved_sides) == 1 else ():
        lopsided = [feeling for feeling in order.feelings if not feeling[2] and _is_lopsided(feeling[0])]
        if order.kind == "state" and lopsided and len(order.feelings) == 1:
            label, intensity, _ = lopsided[0]
            order.feelings = [(label, intensity, next(iter(moved_sides)))]
            order.face = feeling_face(order.feelings[0])
    sided = [order for order in beat.orders if order.one_side]
    if len({order.one_side for order in sided}) == 1:
        for order in beat.orders:
            if order.kind == "state" and order.feelings and not order.one_side and not order.feelings[0][2]:
                for moved in sided:
                    make_way(order, moved, moved.one_side)


def _was_said(clause: Clause, beats: list[Beat]) -> bool:
    """Whether all that it names is what the last beat shows."""
    sources = {order.source.rstrip("s") for order in _last_orders(beats) if order.kind in ("state", "add")}
    names = [head for head in clause.heads if not head.negated]
    return bool(names) and not clause.time and all(head.source.rstrip("s") in sources for head in names)


def _settle_turns(clauses: list[Clause]) -> None:
    """ "At 2 s the smile turns into a frown", "halfway through he goes from happy to sad": the first is there before,
    the second comes at that time."""
    for place, (clause, coming) in enumerate(itertools.pairwise(clauses)):
        turns = "turn" in coming.leads or ("to" in coming.leads and any("from" in tag for tag in clause.tags))
        if not turns or not clause.heads or coming.time.keys() & set(STARTS):
            continue
        first = next((tag for tag in clause.tags if any(kind in tag for kind in _WHEN)), None)
        early = first is not None and clause.tags.index(first) < clause.heads[0].place
        in_front = place > 0 and clauses[place - 1].silent and clauses[place - 1].sentence == clause.sentence
        timed = clause if early else clauses[place - 1] if in_front else None
        for kind in (timed.time.keys() & set(_WHEN)) if timed else ():
            coming.time[kind] = timed.time.pop(kind)
            if any(head.source == said.source for head in clause.heads for c in clauses[:place] for said in c.heads):
                clause.heads = []  # it was there already


#: Times that say when something that was there changes.
_WHEN = ("at", "portion", "word", "onwards")


def _settle_events(clauses: list[Clause]) -> None:
    """ "She smiles, notices something and frowns": what follows an event is the answer to it."""
    for place, clause in enumerate(clauses[:-1]):
        if not clause.event or any(head.kind not in ("emotion",) for head in clause.heads):
            continue
        coming = next((c for c in clauses[place + 1 :] if not c.silent), None)
        before = any(not c.silent for c in clauses[:place])
        meanwhile = clause.leads & {"but", "after", "before", "after_this", "before_next"} or any(
            tag.text in ("as", "while") for tag in clause.tags
        )
        if before and coming and coming.sentence <= clause.sentence + 1 and not meanwhile and not coming.time:
            clause.heads = []
            coming.leads.add("then")


def _settle_relations(clauses: list[Clause]) -> None:
    """ "X, but only once Y": with nothing after it, "once Y" speaks about what was said before."""
    for place, clause in enumerate(clauses):
        if "after_this" in clause.leads and clause.stop and not clause.heads and place + 1 == len(clauses):
            clause.leads = clause.leads - {"after_this"} | {"then"}  # "anger until 2 s, after we let it go"
        coming = clauses[place + 1] if place + 1 < len(clauses) else None
        if "before_next" in clause.leads and clause.heads and coming and coming.silent and coming.side in ("L", "R"):
            clause.leads.discard("before_next")  # "before the right one goes up, the left one does"
            coming.leads |= {"after"}
        if clause.silent and clause.side in ("L", "R") and clause.leads & {"before", "after"} and not clause.time:
            clause.again = True  # "the right eye shuts before the left does"
            clause.leads |= {"then"} if "before" in clause.leads else set()
        alone = {"after_this": "after", "before_next": "before"}
        for lead, other in alone.items():
            if lead not in clause.leads or clause.silent:
                continue
            coming = any(c.sentence == clause.sentence and not c.silent for c in clauses[place + 1 :])
            before = any(c.sentence == clause.sentence and not c.silent for c in clauses[:place])
            if before and not coming:
                clause.leads.discard(lead)
                clause.leads.add(other)


def _settle_asides(clauses: list[Clause]) -> None:
    """ "A smile (at 1 s), a frown (at 3 s)": a time in brackets is that of what stands before it."""
    for clause, aside in itertools.pairwise(clauses):
        beside = "paren" in aside.leads or "heading" in clause.leads
        bracket = aside.silent and beside and clause.sentence == aside.sentence
        if bracket and not clause.silent and not clause.time and aside.time.keys() <= {"at", "span"}:
            clause.time, aside.time = aside.time, {}


def _settle_denied_times(clauses: list[Clause]) -> None:
    """ "Not smiling at first; the smile arrives at 2 s", "does not react until 3 s, when …": nothing,
    then something."""
    for clause, coming in itertools.pairwise(clauses):
        if "first" in clause.leads and clause.heads and all(head.negated for head in clause.heads):
            clause.heads = []
            clause.leads.discard("first")
            coming.leads.add("then")


def _beat_for(clause: Clause, beats: list[Beat], wait: float) -> Beat:
    """The beat that a clause belongs to; a new one where it begins something."""
    if "throughout" in clause.time and beats[-1].orders and not clause.time.keys() & set(STARTS):
        beats.insert(0, Beat(start=0.0))
        return beats[0]
    if "rest" in clause.leads and beats[-1].orders:
        beats.insert(0, Beat(background=True, start=0.0))
        return beats[0]
    if "first" in clause.leads and beats[-1].orders and not clause.time.keys() & set(STARTS):
        # "A smile, but first a frown": in front of what was said before.
        place = next((number for number, beat in enumerate(beats) if not beat.background), 0)
        if beats[place].start == 0.0:
            beats[place].start = None
        beats.insert(place, Beat(start=0.0))
        return beats[place]
    if _begins_new(clause, beats[-1], wait):
        beats.append(Beat(final="final" in clause.leads))
    beats[-1].final = beats[-1].final or "final" in clause.leads
    return beats[-1]


def _is_other_side(clause: Clause, beats: list[Beat]) -> bool:
    """ "A frown: first the left brow, then the right brow": the part again, on its other side and in its turn."""
    sides = {head.side for head in clause.heads}
    if not clause.heads or any(head.kind != "part" or head.negated or head.kept or head.idle for head in clause.heads):
        return False
    source = next((beat for beat in reversed(beats) if beat.orders), beats[0])
    timed = clause.time.keys() & set(STARTS) and source.start is not None
    last, turn = source.orders, timed or clause.leads & {"then", "final"}
    if not last or len(sides) != 1 or clause.stop or clause.relax or not turn:
        return False
    if sides == {"L", "R"} - {_shown_side(last[-1])}:
        clause.side = next(iter(sides))
        return True
    return False


_WHEN_GIVEN = ("at", "lasting")


def _time_of_part(clause: Clause, beats: list[Beat]) -> bool:
    """ "He looks up before he lifts the head: look at 1 s, head at 2 s": when a part moves that was spoken of."""
    names = {part_family(tag["part"]) for tag in clause.tags if "part" in tag}
    if len(names) != 1 or any(head.kind != "part" or head.negated or head.kept for head in clause.heads):
        return False
    if clause.stop or clause.relax or clause.again or any("unknown" in tag or "side" in tag for tag in clause.tags):
        return False

    def speaks(order: Order) -> bool:
        return order.part.rstrip("LR") in names or any(name.rstrip("s") in order.source for name in names)

    last = [beat for beat in beats if any(speaks(order) for order in beat.orders)]
    if len(last) != 1 or last[0].start is not None:
        return False
    beat, start = last[0], float(clause.time.get("at", clause.time.get("lasting")))
    others = [order for order in beat.orders if not speaks(order)]
    if others:
        beats.insert(beats.index(beat) + 1, Beat([order for order in beat.orders if order not in others]))
        beat.orders, beat = others, beats[beats.index(beat) + 1]
    beat.start = start
    return True


_SIDES = ("L", "R")


def _say_again(clause: Clause, beats: list[Beat]) -> bool:
    """ "…, then the other one", "the right one follows at 2 s", "80 % left, 20 % right": what was said before, on
    another side or as much as this. True if the clause is done with."""
    last = _last_orders(beats)[-1]
    if last.kind == "never":  # "not the left brow. The other one"
        return False
    timed = bool(set(clause.time) & set(STARTS) or clause.leads & {"then", "final"})
    if clause.degree is not None and timed and not clause.side and last.face.any() and not _unknown(clause):
        louder = replace(
            last, face=np.minimum(last.face * _again_by(clause, last), MAX_INTENSITY), feelings=[], until=None,
            lasting=None,
        )  # fmt: skip
        louder.what, louder.source = f"{last.what}, {'more' if clause.degree > 1 else 'less'}", clause.source
        beats.append(Beat([louder]))
        _start(beats[-1], clause)
        _timing(louder, clause)
        return True
    if not clause.side and not clause.again and clause.number is None:
        return False
    if clause.side in _SIDES and last.until is not None and clause.time.get("until", 0.0) > last.until > 0.0:
        clause.time.setdefault("at", last.until)  # "left until 2 s, right until 4 s"
    if clause.again and not clause.side and clause.time.keys() & {"at", "word"}:
        for order in _last_orders(beats):  # "a blink at 1 s and again at 3 s": the first is over by then
            if order.kind in ("state", "add") and order.lasting is None and order.until is None:
                order.brief = order.brief or 1.0
    if clause.side == "B" and not clause.again and not clause.time and _both_sides_shown(beats):
        return True  # "smirk left, brow up right, hold both"
    sided = last.part.endswith(("L", "R")) or "on the " in last.what
    if last.in_turn and clause.side and clause.leads & {"then", "final"} and not clause.time:
        return True  # "…, left first, right second": that is its turn
    if "first" in clause.leads and clause.side in ("L", "R") and not sided and _has_sides(last) and not clause.time:
        last.in_turn = True
        _turn_side(beats, clause.side)
        return True
    if sided and not clause.again and _unknown(clause) and not clause.leads & {"then", "final"}:
        return True  # "…, since the left one is behind a patch"
    if clause.denied and clause.side and not clause.again:
        return True  # "…, the left is not"
    source = next(beat for beat in reversed(beats) if beat.orders)
    if clause.side == "B" and clause.time and source.start is None and not clause.leads & {"then", "final"}:
        _give_time(beats, clause)  # "the right one up, the left one down, both at 1.5 s"
        return True
    if clause.degree is not None and clause.side in ("L", "R") and not clause.again and not sided:
        if clause.degree < 1:
            _weigh_side(last, clause.side, 0.35 * float(last.face.max()))
        else:
            lean(last, clause.side)
        return True
    ended = last.until is not None and "then" in clause.leads  # "AU4 at 0.3 until 2 s, then 0.9"
    valued = clause.number is not None and not (clause.side or _unknown(clause))
    if valued and (ended or clause.time.keys() & {"at", "word"}):
        if beats[-1].start is None and not ended:
            return False
        _say_value(clause, last, beats)
        return True
    if not clause.side and not clause.again:
        return False
    if clause.number is not None and clause.side in ("L", "R"):
        _weigh_side(last, clause.side, clause.number)
        return True
    apart = bool(clause.leads & {"then", "final", "after_this"} or set(clause.time) & set(STARTS))
    other = sided
    if _is_schedule(clause, source):
        apart = False
        _turn_side(beats, clause.side)
        for order in source.orders:
            _timing(order, clause)
        _start(source, clause)
        return True
    if clause.again or apart:
        orders = [replace(order) for order in source.orders if order.kind in ("state", "add")][-1:]
        if not orders:
            return False
        if clause.only or clause.instead:
            orders = [release(last.mask & ~slots().mask(slots().aus, clause.side), _head_of(clause),
            "the other side let go"),
                      *orders]  # fmt: skip
        beats.append(Beat(orders))
        if "after" in clause.leads:  # "the left one goes up after the right one"
            beats.remove(beats[-1])
            beats.insert(beats.index(source), Beat(orders))
            _turn_orders(orders, clause.side)
            return True
    elif other and "and" in clause.leads and clause.side in ("L", "R"):
        source.orders.append(replace(last))  # "raise the left brow and the right"
    _turn_side(beats, clause.side or "B")
    _start(beats[-1], clause)
    for order in beats[-1].orders if clause.again or apart else ():
        order.until = order.lasting = None
        _timing(order, clause)
        order.kind = "add" if order.kind == "state" else order.kind
    return True


def _say_value(clause: Clause, last: Order, beats: list[Beat]) -> None:
    """ "AU15 0.2 at 1 s, 0.9 at 3 s": the same with another strength; with none, it is let go."""
    top, value = float(last.face.max()), float(clause.number or 0.0)
    if value == 0.0 or top <= 0.0:
        order = release(last.mask, _head_of(clause), "let go")
    else:
        order = replace(last, face=last.face * value / top, feelings=[], until=None, lasting=None, source=clause.source)
        order.what = f"{last.source} at {value:.2f}"
    beats.append(Beat([order]))
    _start(beats[-1], clause)


def _again_by(clause: Clause, last: Order) -> float:
    """How much of what was said before is asked for: "a bigger one" starts from it, "a big one" anew."""
    degree = clause.degree or 1.0
    compared = [tag for tag in clause.tags if tag.text.endswith(("er", "more", "less"))]
    if not compared:
        return degree / last.degree  # "faintly at 1 s and broadly at 3 s"
    much = any("degree" in tag for tag in clause.tags if tag not in compared)
    return (2.4 if much else 1.5) if degree > 1 else (0.3 if much else 0.5)


def _both_sides_shown(beats: list[Beat]) -> bool:
    sides = {_shown_side(order) for beat in beats for order in beat.orders if order.kind in ("state", "add")}
    return {"L", "R"} <= sides


def _is_schedule(clause: Clause, source: Beat) -> bool:
    """ "A grin: right at 0.5 s, left at 1.5 s": the first side and time are those of what was said before."""
    unsaid = source.start is None and source.after is None and len(source.orders) == 1
    order = source.orders[-1]
    unsided = order.part[-1:] not in ("L", "R") and "on the " not in order.what and not order.both
    timed = bool(clause.time.keys() & {"at", "word", "later", "until"}) and clause.side in ("L", "R")
    return unsaid and unsided and timed and not clause.leads & {"then", "final", "and", "but"} and not clause.instead


def _unknown(clause: Clause) -> bool:
    return any("unknown" in tag for tag in clause.tags)


def _head_of(clause: Clause) -> Head:
    return Head("part", "", clause.source, 0)


def _weigh_side(order: Order, side: str, value: float) -> None:
    """One side of what was said before gets a strength of its own."""
    index = slots()
    rows, others = index.sides == side, (index.sides != "") & (index.sides != side)
    most = np.zeros(len(index))
    most[rows] = np.maximum(order.face[rows], order.face[others]) if rows.sum() == others.sum() else order.face[rows]
    top = float(most.max(initial=0.0))
    if top <= 0:
        return
    order.face = order.face.copy()
    order.face[rows] = most[rows] * value / top
    order.mask = order.mask | (order.face > 0)
    order.feelings = []
    order.what += f", {'left' if side == 'L' else 'right'} at {value:.2f}"


def _last_orders(beats: list[Beat]) -> list[Order]:
    return next((beat.orders for beat in reversed(beats) if beat.orders), [])


def _leans_back(clause: Clause, beats: list[Beat]) -> bool:
    """ "Both brows up, the left one higher": says how the sides of what was said before differ."""
    last = _last_orders(beats)
    if not clause.lean or not last or last[-1].kind not in ("state", "add") or clause.leads & {"then", "final"}:
        return False
    if any(head.negated or head.kind not in ("move", "part") for head in clause.heads):
        return False
    moved = [head.value[0] for head in clause.heads if head.kind == "move"]
    return all(last[-1].part.rstrip("LR") in ("", part_family(name)) for name in moved)


def _turn_side(beats: list[Beat], side: str) -> None:
    """ "One-sided smile, right": the side belongs to what was said before."""
    _turn_orders(_last_orders(beats), side)


def _turn_orders(orders: list[Order], side: str) -> None:
    index = slots()
    last = orders[-1]
    keep = index.mask(index.aus, side)
    if last.feelings:
        label, intensity, _ = last.feelings[-1]
        last.feelings[-1] = (label, intensity, side)
        last.face = feeling_face(last.feelings[-1])
        return
    where = {"L": ", on the left", "R": ", on the right"}
    last.what = re.sub(", on the (left|right)", "", last.what) + where.get(side, "")
    last.part = last.part.rstrip("LR") + (side if side in "LR" and last.part else "")
    left, right = index.sides == "L", index.sides == "R"
    if not last.mask.all():
        mask = last.mask.copy()
        mask[left] = mask[right] = last.mask[left] | last.mask[right]
        last.mask = mask & keep
    high = np.zeros(len(index))
    high[left] = high[right] = np.maximum(last.face[left], last.face[right])
    last.face = np.where(index.sides == "", last.face, np.where(keep, high, 0.0) if side in "LR" else high)


def _swap(beats: list[Beat], place: int) -> None:
    """ "Before A, B": the beat after A comes first."""
    if place + 1 < len(beats):
        beats[place], beats[place + 1] = beats[place + 1], beats[place]


def _only_masks(clause: Clause, beats: list[Beat]) -> bool:
    """A clause that names parts alone narrows, or spares, what was said before it. True if that was all it did."""
    if not clause.heads or any(head.kind != "part" for head in clause.heads) or clause.relax:
        return False
    last = _last_orders(beats)
    index = slots()
    named = np.zeros(len(index), dtype=bool)
    for head in clause.heads:
        named |= region(head.value, head.side)
    if clause.number == 0 and clause.heads[0].side:
        return True  # "AU9 left 0.45, right nostril 0"
    negated = clause.heads[0].negated
    if clause.stop or negated or (clause.heads[0].idle and not clause.only):
        return False
    side = clause.heads[0].side
    if side in ("L", "R") and last and (last[-1].kind == "add" or not last[-1].feelings):  # "wink with the right eye"
        _turn_side(beats, side)
        if last[-1].kind == "add":
            return True
    state = next((order for order in reversed(last) if order.kind == "state"), None)
    if state is None:
        return True
    if state.whole is not None and "and" in clause.leads:  # "with the lip and the nose alone"
        if not any(head.side for head in clause.heads) and state.zone_side:
            named = np.any([region(head.value, state.zone_side) for head in clause.heads], axis=0)
        named, state.face = named | state.zone, state.whole
    else:
        state.whole, state.zone_side = state.face, clause.heads[0].side
    state.zone = named
    state.face = np.where(named, state.face, 0.0)
    state.mask = state.mask & named if "and" not in clause.leads else named
    if state.feelings:
        state.kind = "add" if len(beats) > 1 else "state"
        state.feelings = []
    state.what += f", in the {' and '.join(str(head.value) for head in clause.heads)} alone"
    return True


def _begins_new(clause: Clause, beat: Beat, wait: float) -> bool:
    if not beat.orders:
        return False
    if beat.background:
        return True
    if wait or set(clause.time) & set(STARTS):
        return True
    if clause.leads & {"then", "final", "before", "after"}:
        return True
    ends = [order.until for order in beat.orders if order.until is not None]
    if "until" in clause.time and ends and len(ends) == len(beat.orders) and clause.time["until"] > max(ends) > 0:
        return True  # "a smile until 2 s, a frown until 4 s"
    expressive = any(_is_state(head) for head in clause.heads) or clause.relax
    if (clause.relax or clause.stop) and not clause.heads:
        return True
    if clause.relax and all(head.kind == "part" for head in clause.heads):  # "… rise from 1 s to 2 s and fall back"
        return any(order.part.rstrip("LR") == part_family(head.value) for head in clause.heads for order in beat.orders)
    if clause.leads & {"stop", "become"} and expressive and beat.has_state:
        return True
    if clause.leads & {"stop", "comma"} and not clause.leads & {"and"} and _turns_back(clause, beat):
        return True
    if _comes_back(clause, beat):
        return True
    if "comma" in clause.leads and "paren" not in clause.leads and _goes_on(clause, beat):
        return True
    passing = [order for order in beat.orders if order.kind == "state" and (order.lasting or order.brief) is not None]
    return bool(passing) and expressive


#: Said with a list of verbs, these make one moment of it.
_AT_ONCE = re.compile(r"\b(?:at (?:once|the same time)|simultaneously|together|while|both)\b")


def _goes_on(clause: Clause, beat: Beat) -> bool:
    """ "Blinks, nods, smiles", "smiles, frowns", "laughs, stops laughing": one after the other."""
    head = clause.heads[0] if clause.heads else None
    if head is None or head.negated or _AT_ONCE.search(clause.source):
        return False
    if head.source.endswith("ing") and not clause.stop:
        return False
    shown = [order for order in beat.orders if order.kind in ("state", "add") and order.face.any()]
    if clause.stop and head.kind in ("act", "emotion"):
        return any(_is_like(head, order) for order in shown)
    acts = [order for order in shown if order.kind == "add" and order.brief is not None and not order.part]
    if head.kind == "act" and acts and len(acts) == len(beat.orders):
        return True
    finite = _is_state(head) and _is_finite(head.source) and all(_is_finite(order.source) for order in shown)
    return finite and bool(shown) and not any(_is_like(head, order) for order in shown if order.kind == "state")


def _is_finite(source: str) -> bool:
    """A verb in the third person: "smiles", "laughs out loud"."""
    first = source.split()[0]
    noun = first.endswith(("ss", "us")) or first in ("tears", "chills", "blues", "nerves")
    return first.endswith("s") and not noun


def _is_like(head: Head, order: Order) -> bool:
    """Whether an expression moves about what an order does."""
    other = order_of(replace(head, stopped=False), [])
    size = 0.0 if other is None else float(np.linalg.norm(other.face) * np.linalg.norm(order.face))
    return other is not None and size > 0 and float(other.face @ order.face) > 0.4 * size


def _turns_back(clause: Clause, beat: Beat) -> bool:
    """ "Looks left, looks right": a part cannot do both at once, so the second comes after the first."""
    for head in clause.heads:
        if head.kind != "move" or head.negated:
            continue
        name, verbs, _ = head.value
        for order in beat.orders:
            same = order.kind == "add" and order.part.rstrip("LR") == part_family(name)
            sides = {order.part[len(part_family(name)) :], head.side if head.side in ("L", "R") else ""}
            if same and sides != {"L", "R"} and opposed(verbs, order.verbs):
                return True
    return False


def _comes_back(clause: Clause, beat: Beat) -> bool:
    """ "Looks left and back to the middle": a part comes back from where it was."""
    moves = [head.value for head in clause.heads if head.kind == "move" and not head.negated]
    back = {part_family(name) for name, verbs, _ in moves if set(verbs) & {"straight", "back"}}
    return any(order.kind == "add" and order.face.any() and order.part.rstrip("LR") in back for order in beat.orders)


def _is_lopsided(label: str) -> bool:
    return any(isinstance(spec, dict) for spec in emotions()[label].aus.values())


def _is_state(head: Head) -> bool:
    if head.negated:
        return False
    return head.kind in ("emotion", "va") or (
        head.kind == "act" and bool(data("actions")["acts"][head.value].get("expressive"))
    )


def _start(beat: Beat, clause: Clause) -> None:
    own = clause.time
    if beat.start is not None:
        return
    if "word" in own:
        start, end = own["word"]
        if "before_next" in clause.leads:
            beat.start = 0.0
        else:
            beat.start = end if clause.leads & {"after", "after_this"} else max(0.0, start - WORD_LEAD)
    elif "span" in own:
        beat.start = own["span"][0]
    elif "edge" in own:
        which, length = own["edge"]
        beat.start = {"first": 0.0, "last": ("last", length), "next": None}[which]
    elif "at" in own:
        beat.start = own["at"]
    elif "wait" in own:
        beat.start = own["wait"]
    elif "later" in own:
        beat.after = own["later"]
    elif "over" in own and "to" in clause.leads:
        beat.after = 0.25 * float(own["over"])
    elif "portion" in own:
        beat.start = ("part", own["portion"])
    elif "first" in clause.leads:
        beat.start = 0.0


def _timing(order: Order, clause: Clause) -> None:
    own = clause.time
    if order.kind == "release":  # what is let go stays so
        own = {kind: value for kind, value in own.items() if kind in ("slow", "sudden")}
    if "word" in own and "before_next" in clause.leads:
        order.until = own["word"][0]
    elif "word" in own and not clause.leads & {"after", "after_this"} and "onwards" not in own and not _lets_go(order):
        order.until = own["word"][1]
    if "span" in own:
        order.until = own["span"][1]
    if "share" in own and order.kind in ("state", "add"):
        order.share = own["share"]
    if "edge" in own and own["edge"][0] != "last":
        order.lasting = own["edge"][1]
    for key in ("lasting", "until", "over") if order.kind != "release" else ():
        if key in own:
            setattr(order, key, float(own[key]))
    if "lasting" in own and "wait" in own:
        order.lasting = float(own["lasting"])
    if "span" in own and (own.get("slow") or clause.leads & {"turn", "to"} or clause.stop):
        # "Eases into a smile from 1 s to 3 s": that is its way in; "fades from 1 s to 3 s", its way out.
        order.over, order.until = own["span"][1] - own["span"][0], None
        own = {kind: value for kind, value in own.items() if kind != "slow"}
    if "over" in own and "to" in clause.leads:  # "from A to B over 4 s": A is seen first, and B whole at the end
        order.over = 0.75 * float(own["over"])
    if any("keep" in tag for tag in clause.tags) and order.kind == "state" and order.lasting is None:
        order.kind, order.mask = "add", order.face > 0
    if own.get("slow"):
        order.pace = 3.0
        order.brief = order.brief and 2.0 * order.brief
    if own.get("sudden"):
        order.pace = 0.35
    if own.get("micro"):
        order.brief = 0.35
        order.pace = 0.4
    elif own.get("brief") and order.brief is None:
        order.brief = 0.8
        order.pace = 0.6
    if "onwards" in own and order.kind == "state":
        order.brief = None  # "a gasp, held to the end"
    if "times" in own:
        order.times = int(own["times"])
        order.brief = order.brief or 0.7


def _lets_go(order: Order) -> bool:
    """Everything is let go, which stays so."""
    return order.kind == "state" and bool(order.mask.any()) and not order.face.any()


def _give_time(beats: list[Beat], clause: Clause, recent: Beat | None = None) -> None:
    """A time that stands alone at the end belongs to what was said before it; "and at 3 s" says it again."""
    beat = recent if recent in beats else next((beat for beat in reversed(beats) if beat.orders), None)
    if beat is None:
        return
    if "before" in clause.leads and "word" in clause.time:
        for order in beat.orders:
            order.until = clause.time["word"][0]
        return
    if beat.start is not None and "span" in clause.time and all(order.until is not None for order in beat.orders):
        start, end = clause.time["span"]  # "from 1 s to 2 s and from 3 s to 4 s"
        beats.append(Beat([replace(order, until=end) for order in beat.orders], start=start))
        return
    if beat.start is not None and "at" in clause.time:
        for order in beat.orders:
            order.brief = order.brief or 1.0
        beats.append(Beat([replace(order) for order in beat.orders], start=float(clause.time["at"])))
        return
    _start(beat, clause)
    for order in beat.orders:
        if "span" in clause.time:
            order.lasting = order.brief = None
        _timing(order, clause)
        if "lasting" in clause.time and order.over is not None and "over" not in clause.time:
            order.lasting = order.over + float(clause.time["lasting"])  # "puffs over 2 s, holds for 1 s"


# ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _orders(clause: Clause, beats: list[Beat], beat: Beat, notes: list[str]) -> list[Order]:
    """The orders of one clause."""
    if (clause.relax or clause.stop) and not clause.heads:
        if clause.side in ("L", "R"):  # "the left one relaxes"
            return [release(slots().sides == clause.side, _head_of(clause), "this side let go")]
        return [neutral("relaxed" if clause.relax else "everything let go", clause.source, let_go=True)]
    regions = [head for head in clause.heads if head.kind == "part" and not head.negated]
    mask = None
    if regions and any(head.kind in ("emotion", "act") for head in clause.heads):
        mask = np.any([region(head.value, head.side) for head in regions], axis=0)
    orders: list[Order] = []
    for head in clause.heads:
        if head.kind == "part":
            if head.negated:
                orders.append(never(_half(head), head, f"{head.value} kept still"))
            elif clause.relax or clause.stop:
                orders.append(release(_half(head), head, f"{head.value} relaxed"))
            continue
        order = order_of(head, notes)
        if order is None:
            continue
        if mask is not None and order.kind in ("state", "never") and _is_narrowed(order, head, mask, clause):
            _narrow(order, mask, regions, beats)
        if head.stopped and not head.negated and order.kind != "never":
            orders += _stop(order, head, beats, beat, clause)
            continue
        if clause.lean and order.kind in ("state", "add") and order.face.any() and _has_sides(order):
            lean(order, clause.lean)
        orders.append(order)
        orders += kept_out(head)
    return orders


def _has_sides(order: Order) -> bool:
    return bool((order.face[slots().sides != ""] > 0).any())


def _agree_on_sides(orders: list[Order]) -> None:
    """Expressions keep to the side on which a movement of the same clause is asked for."""
    for moved in orders:
        side = _shown_side(moved) if moved.kind == "add" and moved.brief is None else ""
        if side in ("L", "R"):
            for order in orders:
                turns = order.feelings and _is_lopsided(order.feelings[0][0]) and not order.feelings[0][2]
                if order.kind == "state" and order is not moved and not turns:
                    make_way(order, moved, side)


def _half(head: Head) -> np.ndarray:
    """The region of a part; of one side, what the sides share (the jaw, say) is no part of it."""
    whole = region(head.value, head.side)
    half = whole & (slots().sides != "") if head.side in ("L", "R") else whole
    return half if half.any() else whole


def _shown_side(order: Order) -> str:
    sides = set(slots().sides[order.face > 0]) - {""}
    return next(iter(sides)) if len(sides) == 1 else ""


def _is_narrowed(order: Order, head: Head, mask: np.ndarray, clause: Clause) -> bool:
    """An expression that lives in the named part anyway is whole there: "pouting lips"."""
    if head.kind != "act" or clause.only or order.kind == "never":
        return True
    return not (order.face[mask] >= 0.5 * order.face.max()).any()


def _narrow(order: Order, mask: np.ndarray, regions: list[Head], beats: list[Beat]) -> None:
    where = " and ".join(str(head.value) for head in regions)
    order.face = np.where(mask, order.face, 0.0)
    order.mask = order.mask & mask
    if order.kind == "state":
        earlier = any(beat.has_state for beat in beats)
        order.kind, order.feelings = ("add" if earlier else "state"), []
    order.what += f", in the {where} alone"


def _stop(order: Order, head: Head, beats: list[Beat], beat: Beat, clause: Clause) -> list[Order]:
    """ "Stop smiling at 2 s": let go, and where nobody had said so before, it was there until then."""
    earlier = [
        other for entry in beats if entry is not beat for other in entry.orders if other.kind in ("state", "add")
    ]
    active = any((other.face * (order.mask & (order.face > 0))).any() for other in earlier)
    let_go = release(order.mask & (order.face > 0), head, f"no more {head.source}")
    if not active and head.side in ("L", "R"):  # "her smile fades on the left at 2 s": it was on both
        whole = order_of(replace(head, side="", stopped=False), [])
        order = whole if whole is not None and not _shown_side(whole) else order
    if clause.dies and not active and not clause.time.keys() & {"at", "word", "portion", "span", "edge"}:
        # "A smile that slowly fades": it is there first.
        let_go.pace = 3.0 if clause.time.get("slow") else 1.0
        order.lasting = clause.time.get("lasting")
        beats.insert(beats.index(beat) + 1, Beat([let_go]))
        return [order]
    if not active and beat.start is not None and clause.time.keys() & {"at", "word", "portion", "span", "edge"}:
        if "edge" in clause.time:  # "melts away over the last two seconds"
            let_go.over = clause.time["edge"][1]
        if "over" in clause.time:  # "dies at 2 s, over two seconds"
            let_go.over = float(clause.time["over"])
        if "span" in clause.time:  # "fades out between 2 and 3 s"
            let_go.over = clause.time["span"][1] - clause.time["span"][0]
        first = Beat([order], start=0.0)
        beats.insert(beats.index(beat), first)
    elif not active and not earlier:
        let_go.kind, let_go.what, let_go.soft = "never", f"no {head.source}", True
    return [let_go]


def _note_unknown(clauses: list[Clause], found: list[Tag], beats: list[Beat], notes: list[str]) -> None:
    unknown = [tag.text for tag in found if "unknown" in tag and re.search(r"\w", tag.text)]
    if not found or not any(re.search(r"\w", tag.text) for tag in found):
        notes.append("The direction is empty, so the face stays neutral.")
    elif not beats:
        said = " ".join(unknown)[:80]
        notes.append(
            f"Nothing in it names a feeling or a movement that Mien knows ({said or 'no words'}); "
            "the face stays neutral."
        )
    elif unknown:
        shown = ", ".join(dict.fromkeys(unknown[:12])) + (" …" if len(unknown) > 12 else "")
        notes.append(f"Not used: {shown}.")
