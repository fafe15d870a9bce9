"""Tags → clauses: what belongs together in a direction, what each piece names, and how it stands to its neighbours.

Tags are cut at marks and joining words, and where a second movement, time or side begins without one ("left brow up
right brow down"). A clause keeps its *heads* (feelings, expressions, codes, moves of parts) with degree, number, side
and denial, its times, and its *leads*: how it stands to what was said before ("then", "first", "before" …).
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from .orders import Head, part_family
from .tables import data, emotion, emotions, split_words
from .words import Tag


@dataclass(eq=False)
class Clause:
    """A piece of a direction.

    Attributes:
        leads: How it stands to what was said before, and how it was closed ("comma", "stop", "heading").
        side: A side that no head of its own took.
        number, degree: A strength that no head of its own took.
        only, stop, relax: Such a word is in it. dies: It speaks of the end of something that was there.
        again: It asks what was said before once more ("the right one follows").
        denied: It denies something, though it names nothing that could be denied.
        instead: What was said before moves over to its side, and leaves the other.
        gone: It says that what it names is over by then ("once the smile is gone").
        event: Something happens in it ("notices a spider"); what follows is the answer.
    """

    leads: set[str]
    tags: list[Tag]
    sentence: int = 0
    heads: list[Head] = field(default_factory=list)
    time: dict[str, Any] = field(default_factory=dict)
    side: str = ""
    number: float | None = None
    degree: float | None = None
    only: bool = False
    stop: bool = False
    relax: bool = False
    lean: str = ""
    dies: bool = False
    again: bool = False
    denied: bool = False
    instead: bool = False
    event: bool = False
    gone: bool = False

    @property
    def source(self) -> str:
        return " ".join(tag.text for tag in self.tags)

    @property
    def silent(self) -> bool:
        """It names nothing that a face could do."""
        return not (self.heads or self.relax or self.stop)


LEADS = ("and", "or", "but", "then", "final", "first", "rest", "before", "after", "without", "become")
#: Times that say when something begins.
STARTS = ("at", "word", "span", "edge", "portion", "wait", "later")
_WHEN = ("at", "bare", "span", "edge", "portion", "wait", "later", "word", "until")
_NAMES = ("emotion", "act", "facs", "va", "foreign")
_CONTENT = (*_NAMES, "part", "verb", "situation", "relax", "unknown", "stop")
#: Said behind something, these say where in the order that stands; "then" leads to what comes.
_LEADING_ONLY = frozenset(["then", "and then", "and next", "next", "ending", "ends", "end"])


def clauses(found: list[Tag], notes: list[str]) -> list[Clause]:
    """The clauses of a direction, read."""
    memory = Memory()
    result: list[Clause] = []
    cut = _cut(_ends_as_times(_name_sides(found)))
    for place, clause in enumerate(cut):
        apart = any(other.sentence == clause.sentence and _has_content(other.tags) for other in cut[place + 1 :])
        for piece in _cut_before_after(clause, apart):
            result += _cut_inside(piece)
    _lend_parts(result)
    for clause in result:
        _read(clause, memory, notes)
    _reach(result)
    _drop_titles(result)
    _spread_sides(result)
    _spread_degrees(result)
    _spread_denial(result)
    _share_numbers(result)
    return result


# ── before cutting ───────────────────────────────────────────────────────────────────────────────────────────────────

_FLIP = {"L": "R", "R": "L"}


def _name_sides(found: list[Tag]) -> list[Tag]:
    """ "The other one" is the side that was not said last; "left, not right" is left."""
    last, result = "", []
    for place, tag in enumerate(found):
        side = tag.readings.get("side")
        if side == "same":
            tag = Tag(tag.text, {**tag.readings, "side": last or "B"}, tag.start, tag.end)
        elif side == "other":
            if not last and not any("one" in other or "part" in other for other in found):
                tag = Tag(tag.text, {"unknown": True}, tag.start, tag.end)
            else:
                last = _FLIP.get(last, "R")
                tag = Tag(tag.text, {**tag.readings, "side": last}, tag.start, tag.end)
        elif side in _FLIP:
            if result and "than" in result[-1] and any("side" in earlier for earlier in result):
                continue  # "harder on the right than on the left"
            after = found[place + 1] if place + 1 < len(found) else None
            ends = after is None or "mark" in after or "stop_mark" in after or "but" in after
            if ends and result and "not" in result[-1] and any("side" in earlier for earlier in result):
                result.pop()
                continue
            last = side
        elif "facs" in tag:
            last = next((item[1] for item in reversed(tag["facs"]) if item[1] in _FLIP), last)
        result.append(tag)
    return result


def _ends_as_times(found: list[Tag]) -> list[Tag]:
    """ "Ending at 3 s", "gone by 4 s" and "until" with a time say how long; "begins at" is nothing but a time."""
    result: list[Tag] = []
    for place, tag in enumerate(found):
        before = found[place - 1] if place else None
        ends = before is not None and "final" in before and before.text.startswith(("end", "finish"))
        if ends and ("at" in tag or "bare" in tag) and not _named_next(found, place + 1):
            result.pop()
            tag = Tag(tag.text, {"until": tag.readings.get("at", tag.readings.get("bare"))}, tag.start, tag.end)
        elif "at" in tag and before is not None and ("stop" in before or "fade" in before) and _shown_at(result):
            result.pop()  # "at 2 s a jolt of surprise that is gone by 4 s"
            tag = Tag(tag.text, {"until": tag["at"]}, tag.start, tag.end)
        result.append(tag)
    return result


def _shown_at(before: list[Tag]) -> bool:
    """Whether something is named, with a time of its own, since the last mark."""
    piece: list[Tag] = []
    for tag in reversed(before):
        if any(kind in tag for kind in ("mark", "stop_mark", "then", "and", "but")):
            break
        piece.append(tag)
    timed = any(kind in tag for tag in piece for kind in ("at", "word", "portion"))
    return timed and any(_is_name(tag) for tag in piece)


def _named_next(found: list[Tag], place: int) -> bool:
    """Whether something is named before the next mark."""
    for tag in found[place:]:
        if "mark" in tag or "stop_mark" in tag:
            return False
        if any(kind in tag for kind in (*_NAMES, "part", "relax")):
            return True
    return False


# ── cutting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _has_content(current: list[Tag]) -> bool:
    return any(kind in tag for tag in current for kind in _CONTENT)


def _cut(found: list[Tag]) -> list[Clause]:
    """Cut at marks and joining words."""
    result: list[Clause] = []
    leads: set[str] = set()
    current: list[Tag] = []
    sentence = 0
    coming_from = False

    def close(*new: str) -> None:
        nonlocal leads, current
        if current:
            result.append(Clause(leads, current, sentence))
            leads, current = set(), []
        leads |= set(new)

    for position, tag in enumerate(found):
        joining = next((kind for kind in LEADS if kind in tag), None)
        coming_from = ("from" in tag or coming_from) and "stop_mark" not in tag
        coming = found[position + 1 :]
        said = _has_content(current) or (coming_from and "paren" in (result[-1].leads if result else ()))
        if "to" in tag and (coming_from or _from_here_to(current, coming)) and said:
            close("then", "to")
        elif "to" in tag and _passes_into(current, coming, tag.text):
            leads |= {"then"} if len(current) == 1 else set()
            current.pop()
            close("then", "turn")
        elif "stop_mark" in tag:
            if tag.text.startswith("!!") and current:
                current.append(Tag(tag.text, {"degree": 1.15}, tag.start, tag.end))
            close("stop")
            sentence += 1
        elif "mark" in tag and tag["mark"] == ":" and _awaits_verb(current, coming):
            continue  # "left brow: up"
        elif "mark" in tag and tag["mark"] == "+":
            close("and")
        elif "mark" in tag:
            if tag["mark"] == ":" and current:
                leads.add("heading")
            if not current and "after_this" in leads:
                leads = leads - {"after_this"} | {"then"}  # "once he is there, he smiles"
            close("comma", *(["paren"] if tag["mark"] == "(" and current else []))
        elif "again" in tag and tag.text.startswith("follow") and _named_both(current, coming):
            close("after")  # "anger follows sadness"
        elif joining and not _is_verb_here(tag, found, position):
            if joining in ("first", "final", "then") and _is_behind(tag, current, coming):
                leads.add(joining)
                current += [_without(tag, joining)] if "share" in tag else []
                close()
            elif joining == "become" and not _has_content(current):
                continue
            elif joining == "become" and coming and "to" in coming[0] and _names_next(coming[1:]):
                close("then", "turn")  # "his sadness turns to anger"
            elif joining == "then" and _is_way_of_part(tag, current, coming):
                current.append(_without(tag, "then"))  # "the gaze snaps to the left"
            elif joining in ("before", "after") and not _has_content(current):
                close("before_next" if joining == "before" else "after_this")
                if "gap" in tag:
                    current.append(Tag(tag.text, {"gap": tag["gap"]}, tag.start, tag.end))
            else:
                leads |= {"except"} if "except" in tag and not _has_content(current) else set()
                excepting = "except" in tag
                if "gap" in tag:  # "A 0.5 s after B"
                    current.append(Tag(tag.text, {"gap": tag["gap"]}, tag.start, tag.end))
                close(joining, *(["except"] if excepting else []))
                if joining == "then" and _TURNING.search(tag.text):
                    leads.add("turn")
                if any(kind in tag for kind in ("low", "sudden", "instead", "share")):
                    current.append(_without(tag, joining))
        else:
            current.append(tag)
    close()
    return result


#: "The smile turns into a frown": what stands before it was there, and becomes what follows.
_TURNING = re.compile(
    r"^(?!turning)\w+s (?:in)?to\b|^(?:gives?|makes?) (?:way|place)|^is \w+(?: away| aside| out)? by|\breplaced by|"
    r"^(?:becomes|curdles|sours|melts|morphs|fades)\b"
)


def _without(tag: Tag, kind: str) -> Tag:
    return Tag(tag.text, {name: value for name, value in tag.readings.items() if name != kind}, tag.start, tag.end)


def _is_way_of_part(tag: Tag, current: list[Tag], coming: list[Tag]) -> bool:
    """ "The gaze snaps to the left", "the lips go to a press": a part without a movement goes there."""
    moves = any(_is_name(other) or _is_verb(other) for other in current)
    bare = any("part" in other for other in current) and not moves
    following = next((other for other in coming if "degree" not in other and "value" not in other), None)
    there = following is not None and any(kind in following for kind in ("side", "verb", "relax"))
    return bare and there and tag.text.endswith(("to", "into"))


def _named_both(current: list[Tag], coming: list[Tag]) -> bool:
    return any(_is_name(tag) for tag in current) and bool(coming) and _is_name(coming[0])


def _awaits_verb(current: list[Tag], coming: list[Tag]) -> bool:
    """A part without a movement, and a movement, or rest, next."""
    turns = any(tag.readings.get("verb") == "turn" for tag in current) and not any("side" in tag for tag in current)
    if turns and coming and "side" in coming[0]:
        return True  # "the mouth twists to one side: the left"
    if current and all("side" in tag for tag in current) and coming:
        return "relax" in coming[0] or coming[0].readings.get("verb") == "still"  # "on the right: nothing"
    bare = any("part" in tag for tag in current) and not any(_is_name(tag) or _is_verb(tag) for tag in current)
    return bare and bool(coming) and any(kind in coming[0] for kind in ("verb", "relax", "degree", "value", "not"))


def _is_behind(tag: Tag, current: list[Tag], coming: list[Tag]) -> bool:
    """ "Sad first, happy last": an order word that closes the piece that it speaks about."""
    if (
        tag.text in _LEADING_ONLY
        or not tag.text[0].isalpha()
        or (tag.text.endswith((" to", " into", " with", " by", " in", " on")) and not tag.text.startswith("to "))
    ):
        return False
    coming = coming[1:] if coming and ("at" in coming[0] or "bare" in coming[0]) else coming
    edge = not coming or any(kind in coming[0] for kind in ("mark", "stop_mark", "and", "but", "then", "final", "or"))
    return edge and (_has_content(current) or any("side" in tag for tag in current))


def _from_here_to(current: list[Tag], coming: list[Tag]) -> bool:
    """ "A smile into a grin": a feeling or an expression stands on both sides."""
    if not any("emotion" in tag or "act" in tag for tag in current):
        return False
    following = next((tag for tag in coming if "degree" not in tag), None)
    return following is not None and ("emotion" in following or "act" in following)


def _passes_into(current: list[Tag], coming: list[Tag], preposition: str) -> bool:
    """ "Drops to a frown", "settles into a worried look": a verb of passing, and an expression that it passes into."""
    if not current or not any(kind in current[-1] for kind in ("fade", "stop", "relax", "unknown", "slow", "verb")):
        return False
    alone = len(current) == 1 + sum(_is_name(tag) for tag in current)
    if "unknown" in current[-1] and not (alone and preposition == "into"):
        return False  # "stepped barefoot into something warm"
    return _names_next(coming) and not any("part" in tag or "to" in tag for tag in current)


def _names_next(coming: list[Tag]) -> bool:
    """Whether a feeling or an expression comes next, with what may stand in front of it."""
    following = next((tag for tag in coming if not any(kind in tag for kind in ("degree", "unknown", "value"))), None)
    return following is not None and ("emotion" in following or "act" in following)


def _cut_before_after(clause: Clause, apart: bool) -> list[Clause]:
    """ "Before the shock he is cheerful", "without the mouth scared": no mark stands between the two."""
    tags = clause.tags
    feelings = [place for place, tag in enumerate(tags) if "emotion" in tag or "act" in tag]
    timed = any(kind in tag for tag in tags for kind in ("word", "quote", "at", "bare"))
    cut = 0
    if clause.leads & {"before_next", "after_this"} and len(feelings) > 1 and not timed and not apart:
        cut = feelings[0] + 1
    elif "after_this" in clause.leads and feelings and not (timed or apart) and _moves_behind(tags[feelings[0] + 1 :]):
        cut = feelings[0] + 1  # "after the smile wrinkle the nose"
    elif clause.leads & {"before_next", "after_this"} and len(feelings) == 1 and not (timed or apart):
        cut = feelings[0] if _moves_behind(tags[: feelings[0]]) else 0  # "after closing the eyes he frowns"
    parts = [place for place, tag in enumerate(tags) if "part" in tag]
    if clause.leads == {"without"} and len(feelings) > 1 and not apart:
        cut = feelings[0] + 1  # "instead of laughing he cries"
    if "without" in clause.leads and parts and feelings and parts[0] < feelings[0]:
        cut = max(place for place in parts if place < feelings[0]) + 1
        while cut < feelings[0] and "verb" in tags[cut]:
            cut += 1
    if not cut:
        return [clause]
    return [
        Clause(clause.leads, tags[:cut], clause.sentence),
        Clause({"comma"}, tags[cut:], clause.sentence),
    ]


def _moves_behind(tags: list[Tag]) -> bool:
    return any("part" in tag for tag in tags) and any("verb" in tag for tag in tags)


def _is_when(tag: Tag) -> bool:
    return any(kind in tag for kind in ("at", "bare", "word", "span"))


def _is_side(tag: Tag) -> bool:
    return "side" in tag


def _is_name(tag: Tag) -> bool:
    return any(kind in tag for kind in _NAMES)


def _is_feeling(tag: Tag) -> bool:
    return _is_name(tag) and "verb" not in tag


def _is_thing(tag: Tag) -> bool:
    return _is_name(tag) or "part" in tag or ("relax" in tag)


def _is_part(tag: Tag) -> bool:
    return "part" in tag and not _is_name(tag)


def _is_verb(tag: Tag) -> bool:
    return "verb" in tag and not any(kind in tag for kind in ("part", "act", "facs"))


def _is_value(tag: Tag) -> bool:
    return "value" in tag


#: Kinds of tag that alternate where several things are said without a mark between them.
_PAIRS: tuple[tuple[Callable[[Tag], bool], Callable[[Tag], bool]], ...] = (
    (_is_when, _is_thing), (_is_part, _is_verb), (_is_side, _is_feeling), (_is_side, _is_part), (_is_side, _is_value),
)  # fmt: skip


def _cut_inside(clause: Clause) -> list[Clause]:
    """Cut where a second pair of the same two kinds begins: time and thing, part and verb, side and thing."""
    tags = clause.tags
    for one, other in _PAIRS:
        marked = [(place, one(tag)) for place, tag in enumerate(tags) if one(tag) or other(tag)]
        runs = [entry for number, entry in enumerate(marked) if not number or marked[number - 1][1] != entry[1]]
        if len(runs) < 4 or len(runs) % 2:
            continue
        cut = runs[2][0]
        # Modifiers in front belong to what follows, if the first pair has its own in front as well.
        while cut > runs[1][0] + 1 and _leans_on_next(tags[cut - 1], tags[: runs[0][0]]):
            cut -= 1
        first = Clause(clause.leads, tags[:cut], clause.sentence)
        return [first, *_cut_inside(Clause({"and", "cut"}, tags[cut:], clause.sentence))]
    return [clause]


def _leans_on_next(tag: Tag, in_front: list[Tag]) -> bool:
    if "not" in tag or "slow" in tag or "sudden" in tag:
        return True
    return any(kind in tag and any(kind in other for other in in_front) for kind in ("side", "degree", "value", "verb"))


def _is_verb_here(tag: Tag, found: list[Tag], position: int) -> bool:
    """A joining word that is also a movement ("still", "turn") is one beside a part of the face."""
    if "verb" not in tag:
        return False
    near = []
    for other in reversed(found[max(0, position - 3) : position]):
        if "mark" in other or "stop_mark" in other or any(kind in other for kind in LEADS):
            break
        near.append(other)
    for other in found[position : position + 4]:
        if "mark" in other or "stop_mark" in other:
            break
        near.append(other)
    return any(
        "part" in other
        and (tag["verb"] in data("actions")["parts"][other["part"]]["verbs"] or tag["verb"] in ("turn", "still"))
        for other in near
    )


def _lend_parts(found: list[Clause]) -> None:
    """ "Raise the left, then the right brow", "first the left, then the right brow goes up": the part, and what it
    does, is named once, at the end. A part that only comes first ("left eyebrow first, then …") goes its usual way."""
    spoken: set[int] = set()
    for clause, coming in itertools.pairwise(found):
        named = any(_is_thing(tag) for tag in clause.tags)
        if named:
            spoken.add(clause.sentence)
        verbs = any("verb" in tag for tag in clause.tags)
        if clause.sentence != coming.sentence:
            continue
        part = next((tag for tag in coming.tags if "part" in tag), None)
        sided = any("side" in tag for tag in clause.tags)
        if named and not verbs and not any(_is_name(tag) for tag in clause.tags):
            _move_first(clause, coming)
        elif not named and not verbs and sided and part is not None and _in_turn(clause, coming):
            _lend(clause, part, *(tag for tag in coming.tags if _is_verb(tag)))
        elif not named and verbs and part is not None:
            moves = any("verb" in tag for tag in coming.tags)
            listed = coming.leads & {"or", "and"} and "comma" not in coming.leads and clause.sentence not in spoken
            if (sided and not moves) or listed:
                _lend(clause, part)


def _lend(clause: Clause, *tags: Tag) -> None:
    end = clause.tags[-1].end
    for tag in tags:
        lent = {kind: value for kind, value in tag.readings.items() if kind in ("part", "verb")}
        clause.tags.append(Tag(tag.text, lent, end, end))


def _in_turn(clause: Clause, coming: Clause) -> bool:
    """Whether two clauses speak of one side after the other."""
    sides = [tag["side"] for found in (clause, coming) for tag in found.tags if tag.readings.get("side") in _FLIP]
    order = "first" in clause.leads or coming.leads & {"then", "final", "before"}
    timed = any(kind in tag for tag in coming.tags for kind in ("later", "at", "bare"))
    return len(set(sides)) == 2 and bool(order or timed)


#: What a part does where only its turn is named.
_USUAL = {"brows": "up", "one brow": "up", "inner brows": "up", "outer brows": "up", "jaw": "down"}


def _move_first(clause: Clause, coming: Clause) -> None:
    parts = [tag["part"] for tag in clause.tags if "part" in tag]
    turn = ("first" in clause.leads and "then" not in coming.leads) or "final" in clause.leads
    moved = any(_is_name(tag) or "part" in tag or "again" in tag for tag in coming.tags)
    if turn and moved and len(parts) == 1 and parts[0] in _USUAL and not any("not" in tag for tag in clause.tags):
        clause.tags.append(Tag("", {"verb": _USUAL[parts[0]]}, clause.tags[-1].end, clause.tags[-1].end))


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Memory:
    """What "them", "the left one" and a bare verb refer back to."""

    part: str | None = None
    verbs: tuple[str, ...] = ()
    moved: set[str] = field(default_factory=set)
    moved_sides: set[str] = field(default_factory=set)  # of the part moved last
    side: str = ""  # of the movement said last
    pending: str | None = None  # the side of a part that was named without a movement yet; "" for no side
    sentence: int = -1
    blank: bool = False  # what was said last is a face without expression
    ended: int = -1  # the sentence in which something was let go


#: "The left one higher": one side does more than the other.
_COMPARED = frozenset(
    ["higher", "more", "stronger", "further", "wider", "bigger", "tighter", "harder", "deeper", "farther",
     "favouring", "favoring", "mostly", "mainly", "leading", "dominant", "heavier", "especially"]
)  # fmt: skip


_LESSENED = frozenset(["less", "weaker", "lesser", "smaller", "lighter", "fainter", "softer", "milder"])


def _read(clause: Clause, memory: Memory, notes: list[str]) -> None:
    tags = clause.tags = _without_looks(clause.tags)
    if memory.sentence != clause.sentence:
        waits = all(any(kind in tag for kind in ("verb", "degree", "side", "one", "only")) for tag in tags)
        memory.sentence, memory.pending = clause.sentence, (memory.pending or None) if waits else None
    parts = [(place, tag["part"]) for place, tag in enumerate(tags) if "part" in tag]
    named = any(_is_plain(tag) for tag in tags)
    looks = bool(parts) and all(name == "gaze" for _, name in parts)
    if not parts and not named and not any("verb" in tag and _fits(memory.part, tag["verb"]) for tag in tags):
        parts = [
            (place, _IMPLIED[tag["verb"]]) for place, tag in enumerate(tags) if tag.readings.get("verb") in _IMPLIED
        ][:1]
    pending = memory.pending if clause.leads <= {"comma", "and"} and memory.part in _MOUTH else None
    clause.event = any("events" in tag for tag in tags)
    verbs, negations, degrees, numbers = [], [], [], []
    sides = [(place, tag["side"]) for place, tag in enumerate(tags) if "side" in tag]
    for place, tag in enumerate(tags):
        if "not" in tag:
            negations.append(place)
        elif "low" in tag:
            degrees.append((place, -1.0))
        elif "fade" in tag and _fades(tags, place, parts):
            clause.stop = clause.dies = True
        elif "portion" in tag and "degree" in tag and not _goes_halfway(tags, place, parts):
            continue  # "halfway": a time, or how far a part goes
        elif "degree" in tag and not (parts and "verb" in tag):
            degrees.append((place, tag["degree"]))
        elif tag.readings.get("verb") in _STRETCHING and _stretches(tags, place, parts):
            degrees.append((place, 1.5 if tag.text.endswith("est") else 1.25))  # "smile wide", "brows up high"
        elif "value" in tag:
            numbers.append((place, tag["value"], tag["prefix"]))
        elif "va" in tag:
            clause.heads.append(Head("va", tag["va"], tag.text, place))
        elif "facs" in tag and "verb" in tag and any(verb_of(name, tag["verb"]) == tag["verb"] for _, name in parts):
            verbs.append((place, tag["verb"], tag.text))  # "puff the cheeks"
        elif "facs" in tag and "act" not in tag:
            if any(other.readings.get("verb") == "still" for other in tags) and not any("value" in t for t in tags):
                negations.append(-1)  # "eyeBlinkLeft untouched"
            clause.heads.append(Head("facs", tag["facs"], tag.text, place))
            region_of = data("aus")["aus"].get(tag["facs"][0][0], {}).get("region")
            if region_of in data("actions")["parts"]:  # "eyes closed, then wide open"
                memory.part, memory.verbs = region_of, ()
                memory.moved.add(region_of)
        elif "act" in tag and "verb" in tag and any(verb_of(name, tag["verb"]) == tag["verb"] for _, name in parts):
            verbs.append((place, tag["verb"], tag.text))  # "a twitch in the right cheek"
        elif "act" in tag:
            clause.heads.append(Head("act", tag["act"], tag.text, place))
            memory.verbs = ()
            _remember_part(tag.text, memory)
        elif "emotion" in tag and tag.readings.get("verb") == "still" and _moves_otherwise(tag, tags, memory):
            continue  # "the lips go to a flat press"
        elif looks and "emotion" in tag and tag.readings.get("verb") == "still":
            clause.heads.append(Head("emotion", tag["emotion"], tag.text, place))  # "a neutral look"
        elif tag.readings.get("verb") == "back" and _says_when(tags, place):
            continue  # "…, back at 3 s"
        elif "verb" in tag and (
            parts or (("emotion" not in tag or sides or _is_turn(clause, memory)) and _fits(memory.part, tag["verb"]))
        ):
            verbs.append((place, tag["verb"], tag.text))
        elif "emotion" in tag and "verb" in tag and any("emotion" in one and "verb" not in one for one in tags):
            continue  # "calms her down": the other word names the feeling
        elif "meant" in tag and (parts or named):
            tag.readings = {"unknown": True}  # a misspelt feeling is looked for only where nothing else was found
        elif "emotion" in tag and "act" not in tag and _is_by_the_way(tag, tags):
            # "The machine is broken again": the sentence is asked what it means.
            tag.readings = {"situation": (tag["emotion"][0], 0.75)}
        elif tag.readings.get("verb") == "deflate" and _fits(memory.part, "deflate"):
            verbs.append((place, "deflate", tag.text))  # "at four seconds it deflates"
        elif "emotion" in tag and "relax" in tag and memory.part and not (sides or parts) and _is_rest(tag, tags):
            clause.heads.append(Head("emotion", ("neutral", 1.0), tag.text, place))  # "at the beginning it is relaxed"
        elif "emotion" in tag and "relax" in tag and sides and not parts:
            clause.denied = clause.relax = True  # "… while the other half is relaxed"
        elif "emotion" in tag and parts and not looks and _is_rest(tag, tags):
            verbs.append((place, "still", tag.text))  # "angry, but soft eyes"
        elif "emotion" in tag:
            clause.heads.append(Head("emotion", tag["emotion"], tag.text, place))
            if "meant" in tag:
                notes.append(f"Read {tag.text!r} as {tag['meant']!r}.")
        elif "foreign" in tag:
            clause.heads.append(Head("emotion", tag["foreign"], tag.text, place))
        elif "stop" in tag:
            clause.stop = True
        elif "relax" in tag and sides and tag.text.startswith("nothing"):
            clause.denied = True  # "…, nothing on the left"
        elif "relax" in tag:
            clause.relax = True
        elif "instead" in tag:
            clause.again = clause.instead = True
        elif "again" in tag:
            clause.again = True
        elif "only" in tag and not any(kind in other for other in tags[place + 1 : place + 2] for kind in _WHEN):
            clause.only = True
    if "without" in clause.leads and not ("except" in clause.leads and memory.blank):
        negations = [-1, *negations]
    if clause.denied and clause.relax:
        clause.relax = bool(clause.leads & {"then", "final"}) or "at" in (kind for tag in tags for kind in tag.readings)
        clause.denied = not clause.relax
    _read_ends(clause, negations)
    _read_times(clause, negations)
    _read_lean(clause, sides)
    _read_moves(clause, parts, verbs, sides, negations, memory, notes)
    if clause.stop:
        memory.ended = clause.sentence
    if clause.heads or clause.relax:
        memory.blank = clause.relax or all(
            head.kind == "emotion" and not emotions()[head.value[0]].aus for head in clause.heads
        )
    clause.denied = clause.denied or (bool(negations) and not clause.heads)
    if pending and not sides and not negations and [head.kind for head in clause.heads] == ["act"]:
        sides.append((-1, pending))  # "the right corner, and only that, gives a smile"
    _modify(clause, negations, degrees, numbers, sides)
    _read_number_as_time(clause)


def _without_looks(tags: list[Tag]) -> list[Tag]:
    """ "A startled look in the right eye" looks nowhere."""
    result: list[Tag] = []
    for place, tag in enumerate(tags):
        noun = tag.text == "look" and bool(result) and "emotion" in result[-1]
        if noun and ("part" in tag) and any("part" in other for other in tags[place + 1 :]):
            continue
        result.append(tag)
    return result


def _moves_otherwise(tag: Tag, tags: list[Tag], memory: Memory) -> bool:
    """Whether the clause says another movement of the part that was spoken of before."""
    others = [other["verb"] for other in tags if other is not tag and _is_verb(other) and other["verb"] != "still"]
    named = any("part" in other or (_is_name(other) and other is not tag) for other in tags)
    return not named and any(_fits(memory.part, verb) for verb in others)


#: Movements that only say how far, where something else says what moves.
_STRETCHING = ("wide", "up", "tight", "wide open")
_FAR = frozenset(
    ["wide", "widest", "broadest", "highest", "tightest", "wider", "high", "higher", "tight", "tightly", "wide open"]
)
#: Movements that only one part makes, so that it need not be named.
_IMPLIED = {"pucker": "lips", "purse": "lips", "puff": "cheeks", "flare": "nostrils", "funnel": "lips"}


def _goes_halfway(tags: list[Tag], place: int, parts) -> bool:
    """ "Raise the brows halfway" is how far; "halfway she smiles" is when."""
    behind = any("facs" in tag or "act" in tag for tag in tags[:place]) and place == len(tags) - 1
    return bool(parts) or behind


def _stretches(tags: list[Tag], place: int, parts) -> bool:
    if tags[place].text not in _FAR:
        return False
    if not parts:
        return any("act" in tag for tag in tags)
    own = tags[place]["verb"]
    if own != "up" and any(own in data("actions")["parts"][name]["verbs"] for _, name in parts):
        return False
    return any("verb" in tag and tag is not tags[place] and (tag["verb"] != own or own == "up") for tag in tags[:place])


def _remember_part(text: str, memory: Memory) -> None:
    """ "The jaw drops … and snaps shut": an expression that names a part."""
    for name in data("actions")["parts"]:
        if name.rstrip("s") in text:
            memory.part, memory.verbs = name, ()
            memory.moved.add(name)
            return


def _is_plain(tag: Tag) -> bool:
    return "meant" not in tag and any(kind in tag for kind in ("emotion", "act", "facs"))


@cache
def _many_sided() -> frozenset[str]:
    return frozenset(split_words(data("grammar")["many_sided"]))


def _is_by_the_way(tag: Tag, tags: list[Tag]) -> bool:
    """A word that is a feeling only of people ("broken", "lost"), in a clause about other things."""
    unknown = sum("unknown" in other for other in tags)
    return (
        tag.text in _many_sided() and unknown >= 2 and not any(_is_plain(other) and other is not tag for other in tags)
    )


def _is_rest(tag: Tag, tags: list[Tag]) -> bool:
    """A word of rest beside a part, with nothing else in the clause: that part is kept out of it."""
    label = tag["emotion"][0]
    resting = label in ("neutral", "calm") or not emotions()[label].aus
    return resting and not any(_is_plain(other) and other is not tag for other in tags)


def _fits(part: str | None, verb: str) -> bool:
    return part is not None and bool(verb_of(part, verb))


def _fades(tags: list[Tag], place: int, parts) -> bool:
    """ "The smile drops", "his anger goes": what is named before it ends."""
    if (
        not parts
        and tags[place].text in ("drop", "drops", "dropping")
        and any("act" in tag for tag in tags[place + 1 :])
    ):
        return True  # "drop the smile"
    if parts or any(_is_name(tag) or "degree" in tag or "verb" in tag for tag in tags[place + 1 :]):
        return False
    if any(_is_name(tag) for tag in tags[:place]) or _says_when(tags, place):
        return True
    return not any(_is_name(tag) or _is_verb(tag) or "side" in tag for tag in tags) and tags[place].text not in _GOING


def _says_when(tags: list[Tag], place: int) -> bool:
    """ "… at 1 s and goes at 3 s": nothing but when."""
    others = [tag for tag in tags if tag is not tags[place]]
    return bool(others) and all(any(kind in tag for kind in (*_WHEN, "slow", "sudden", "over")) for tag in others)


#: Words that end something only where that is named beside them.
_GOING = frozenset(
    [
        "goes",
        "go",
        "breaks",
        "leaves",
        "passes",
        "pass",
        "lifts",
        "cools",
        "drop",
        "drops",
        "dropped",
        "clears",
        "fall",
        "falls",
    ]
)


_ANY_MORE = ("any more", "anymore", "any longer")


def _read_ends(clause: Clause, negations: list[int]) -> None:
    """What an ending word says about the heads that stand with it."""
    names = [head for head in clause.heads if head.kind in ("emotion", "act")]
    if clause.stop and negations and any(tag.text in _ANY_MORE for tag in clause.tags):
        negations.clear()  # "not sad any more after 2 s": it was there until then
        return
    if clause.dies and negations:
        clause.stop = clause.dies = False
    elif clause.stop and any("double_negation" in tag for tag in clause.tags):
        clause.stop = False
    elif clause.stop and clause.leads & {"after", "after_this"} and clause.heads and "word" not in clause.tags[0]:
        clause.stop = clause.dies = False  # "once the anger fades": there was anger
        clause.gone = True
    elif clause.stop and not clause.dies:
        clause.dies = not negations and any(
            head.place < place for head in names for place, tag in enumerate(clause.tags) if "stop" in tag
        )


def _read_times(clause: Clause, negations: list[int]) -> None:
    """Times, pace and repetition of a clause into `clause.time`."""
    own, seen = clause.time, False
    kinds = ("at", "span", "edge", "lasting", "over", "until", "wait", "later", "word", "portion", "share", "times",
             "gap")  # fmt: skip
    parts = [(place, tag["part"]) for place, tag in enumerate(clause.tags) if "part" in tag]
    timed = any(kind in tag for tag in clause.tags for kind in ("at", "word", "later"))
    for place, tag in enumerate(clause.tags):
        for kind in kinds:
            if kind == "word" in tag and "word" in own and _lies_in(tag["word"], own["word"]):
                own["word"] = tag["word"]  # "the line 'no, thanks' has a smile on 'thanks'"
            if kind in tag and not (kind == "portion" and "degree" in tag and _goes_halfway(clause.tags, place, parts)):
                own.setdefault(kind, tag[kind])
        if "bare" in tag and not seen and "paren" in clause.leads:
            own["aside"] = tag["bare"]
        elif "bare" in tag:
            # "3 s angry" says when, "angry 3 s" how long.
            # A frame's number and a clock's time say when wherever they stand.
            span = seen or timed or re.search(r"-\s*(second|sec|minute|frame|beat)$", tag.text)
            span = span and not (_POINT.search(tag.text) and "at" not in own)
            own.setdefault("lasting" if span else "at", tag["bare"])
        for kind in ("slow", "sudden", "brief", "micro", "onwards", "throughout"):
            if kind in tag:
                own[kind] = True
        seen = seen or any(kind in tag for kind in _CONTENT if kind != "stop")
    if "word" in own:
        start, end = own["word"]
        if clause.leads & {"after", "after_this"} and not clause.heads:
            own["at"] = end
        elif clause.leads & {"before", "before_next"} and not clause.heads:
            own["until"] = start
        if own.keys() & {"at", "until"}:
            del own["word"]
    if "until" in own and negations and not clause.stop and "without" not in clause.leads:
        # "Does not smile until 2 s": from then on.
        own["at"] = own.pop("until")
        negations.clear()


#: Times that can only say when: a frame's number, a clock's time, "two seconds in".
_POINT = re.compile(r"^frame|^\d+:\d|\bin(?:to it)?$")


def _lies_in(inner: tuple[float, float], outer: tuple[float, float]) -> bool:
    return inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1]


def _read_number_as_time(clause: Clause) -> None:
    """ "Lands at 1.5", "the left corner joins at 1.5": with nothing to scale, a number says when."""
    stated = any("value" in tag and tag.text.startswith(("at ", "by ")) for tag in clause.tags)
    happens = clause.again or clause.stop or clause.relax or any("unknown" in t or "verb" in t for t in clause.tags)
    if stated and happens and clause.number is not None and all(head.kind == "part" for head in clause.heads):
        clause.time.setdefault("at", clause.number)
        clause.number = None


def _read_lean(clause: Clause, sides) -> None:
    words = {word for tag in clause.tags for word in tag.text.split()}
    more = (clause.tags and clause.tags[-1].text == "lower") or words & _COMPARED
    less = words & _LESSENED
    if (more or less) and sides and sides[0][1] in _FLIP and (not less or "than" in words or not clause.heads):
        clause.lean = sides[0][1] if not less else _FLIP[sides[0][1]]


#: Where a part has no such movement, the movement that comes nearest to it.
_NEAR = {
    "crinkle": ("wrinkle", "squint", "narrow", "up"), "wrinkle": ("crinkle", "squint", "up"),
    "squint": ("narrow", "tight", "crinkle", "wrinkle"), "narrow": ("tight", "squint", "press"),
    "press": ("tight", "together", "close"), "tight": ("press", "narrow", "together"),
    "heavy": ("down", "close"), "together": ("press", "close", "tight"), "back": ("wide", "in"),
    "wide": ("open", "up"), "open": ("wide", "up"), "pucker": ("purse", "forward", "funnel"),
    "purse": ("pucker", "tight"), "funnel": ("forward", "pucker"), "forward": ("funnel", "out", "up"),
    "tremble": ("up",), "twitch": ("up", "tight"), "puff": ("up",), "turn": ("away",), "in": ("suck",),
    "stretch": ("wide", "back"), "suck": ("in",), "shut": ("close",), "up": ("back",), "flutter": ("close",),
}  # fmt: skip


def verb_of(part: str, verb: str) -> str:
    """The movement of a part that a verb means; "" if it has none."""
    known = data("actions")["parts"][part]["verbs"]
    if verb in known or verb in ("still", "turn"):
        return verb
    return next((near for near in _NEAR.get(verb, ()) if near in known), "")


def _read_moves(clause: Clause, parts, verbs, sides, negations, memory: Memory, notes: list[str]) -> None:
    """Pair parts with verbs: "raise the left upper lip", "eyes wide", "look down to the left"."""
    table = data("actions")["parts"]
    named = bool(parts)
    if not parts and sides and not clause.heads:
        parts = [
            (place, "face") for place, tag in enumerate(clause.tags) if "verb" in tag and verb_of("face", tag["verb"])
        ][:1]
        still = any(tag.readings.get("verb") == "still" for tag in clause.tags)
        held = {side for _, side in sides} <= memory.moved_sides
        held = held or any(tag.text.endswith(" one") for tag in clause.tags)
        parts = [] if memory.part and (held or not still) else parts
        verbs = verbs or [(place, clause.tags[place]["verb"], clause.tags[place].text) for place, _ in parts]
    names = [name for _, name in parts]
    if "eyes" in names and "gaze" in names:  # "eyes look left"
        parts = [entry for entry in parts if entry[1] != "eyes"]
    turning_on = bool(sides) and memory.part in ("gaze", "head") and not clause.heads
    if not parts and memory.part and (verbs or turning_on) and not (clause.heads and not sides):
        parts = [(verbs[0][0] if verbs else sides[0][0], memory.part)]
        if memory.pending and not sides:  # "her left eyebrow, and only that one, rises"
            sides.append((-1, memory.pending))
            clause.tags.append(Tag("", {"side": memory.pending}))
        elif (
            verbs and not sides and memory.side and verbs[0][1] != "still" and verbs[0][2] not in _LETTING_GO
        ):  # "the right one goes up, and down at 3 s"
            sides.append((-1, memory.side))
            clause.tags.append(Tag("", {"side": memory.side}))
    elif not parts and memory.part and clause.relax and sides and not clause.heads:
        clause.heads.append(Head("part", memory.part, clause.source, sides[0][0], side="?"))
    for place, name in parts:
        known = table[name]["verbs"]
        near = sorted((entry for entry in verbs), key=lambda entry: abs(entry[0] - place))
        if _is_kept(clause, name, near, negations, memory):
            continue
        if (
            not named
            and {side for _, side in sides if side in _FLIP} <= memory.moved_sides
            and name in memory.moved
            and "up" in memory.verbs
            and near
            and near[0][2] in _LETTING_GO
        ):
            clause.relax = True  # "the brows go up; then they drop"
            clause.heads.append(Head("part", name, near[0][2], place, side="?" if sides else memory.side))
            continue
        fitting = [verb_of(name, verb) for _, verb, _ in near if verb in known]
        fitting = fitting or [
            verb_of(name, verb) for _, verb, _ in near if verb_of(name, verb) not in ("", "turn", "still")
        ]
        if set(fitting) - {"turn"} and not (sides and name in ("jaw", "mouth", "gaze", "head")):
            fitting = [verb for verb in fitting if verb != "turn"]  # "draw the corners down": drawing is no movement
        chosen = _verbs_of(name, fitting, alone=len(parts) == 1)
        turning = name in _STEERED and sides and _steers(name, verbs, known)
        # "The mouth to the left" is a direction, "the left half of the mouth" is not.
        turning = turning and (name in ("gaze", "head") or sides[-1][0] > place)
        if turning:
            side = "left" if _nearest_side(sides, place) == "L" else "right"
            if "tilt" in chosen:
                chosen = [f"tilt {side}"]
            elif side in known:
                chosen = [verb for verb in chosen if verb not in ("away", "dart", "turn")] + [side]
        bare = not (chosen or verbs or clause.heads or clause.relax or clause.stop) and "" not in known
        again = clause.leads & {"and", "cut"} or clause.again or name == memory.part
        if bare and again and memory.verbs and not negations:
            chosen = _same_again(name, memory.verbs[0])  # "raise the brows and the chin"
        if "" in known and not chosen:
            chosen = [""]
        if name == "eyes" and chosen and set(chosen) <= set(table["gaze"]["verbs"]):
            name, known = "gaze", table["gaze"]["verbs"]  # "the eyes dart left"
        source = " ".join(tag.text for tag in clause.tags if "part" in tag or "verb" in tag or "side" in tag)
        if chosen:
            values: dict[str, float] = {}
            for verb in chosen:
                # "Turn the head right … and back": back to where it was.
                values.update({} if verb == "back" and not named else known[verb])
            side = "" if turning else "?"
            if table[name].get("one_sided"):
                side = "one"
            head = Head("move", (name, tuple(chosen), values), source, place, side=side)
            head.grade = _grade(clause, name, chosen)
            clause.heads.append(head)
            memory.part, memory.verbs = name, tuple(chosen)
            memory.side = sides[0][1] if sides and sides[0][1] in _FLIP and not turning else ""
            earlier = memory.moved_sides if name in memory.moved else set()
            memory.moved_sides = earlier | ({memory.side} if memory.side else set(_FLIP))
            memory.moved.add(name)
        elif name not in ("gaze",):
            if verbs and not clause.heads:
                notes.append(f"Not understood: {verbs[0][2]!r} of the {name}; it was left as it is.")
            idle = bool(verbs) or any("unknown" in tag for tag in clause.tags)
            clause.heads.append(Head("part", name, source, place, idle=idle))
            memory.part = name
        else:
            memory.part = name
    if not parts and sides and memory.pending is not None and not clause.heads:
        memory.pending = sides[0][1]
    elif parts or clause.heads:
        waits = (
            not clause.relax and not clause.stop and all(head.kind == "part" and not head.kept for head in clause.heads)
        )
        memory.pending = (sides[0][1] if sides else "") if waits else None


def _same_again(name: str, verb: str) -> list[str]:
    """What a part named without a verb does of the movement before it: the same, or what comes nearest to it. Looking
    is a movement of its own: "heavy lids, and he looks over there"."""
    known = data("actions")["parts"][name]["verbs"]
    near = verb if name == "gaze" else verb_of(name, verb)
    return [near] if near in known else []


def _grade(clause: Clause, name: str, chosen: list[str]) -> float:
    """How far the words for a movement go by themselves: the one that stands out most counts."""
    grades = [
        tag["grade"]
        for tag in clause.tags
        if "grade" in tag and ("verb" not in tag or verb_of(name, tag["verb"]) in chosen)
    ]
    return max(grades, key=lambda grade: abs(math.log(grade)), default=1.0)


#: Said of what was raised before, these let it go.
_LETTING_GO = frozenset(
    ["drop", "drops", "dropped", "fall", "falls", "sink", "sinks", "go down", "goes down", "come down", "comes down"]
)


def _is_turn(clause: Clause, memory: Memory) -> bool:
    """ "Look up, then down": nothing else is in the clause, and eyes or head were turned before."""
    resting = any("emotion" in tag and tag.readings.get("verb") == "still" for tag in clause.tags)
    return bool(memory.verbs) and not resting and sum(_has_content([tag]) for tag in clause.tags) == 1


#: Parts on which an expression with a side may lie.
_MOUTH = ("lip corner", "mouth", "lips", "cheeks", "dimple", "upper lip", "eyes", "upper lid")


#: Parts whose left and right may be a direction.
_STEERED = ("gaze", "head", "jaw", "mouth", "eyes")


def _nearest_side(sides, place: int) -> str:
    after = [side for where, side in sides if where > place]
    return after[0] if after else sides[-1][1]


def _is_kept(clause: Clause, name: str, verbs, negations, memory: Memory) -> bool:
    """ "The brows stay still", "his mouth does not move": kept out of what else is said. A part that was moved before
    stays where it is then."""
    if not verbs or verbs[0][1] != "still":
        return False
    bare = not any("part" in tag or "side" in tag for tag in clause.tags)
    sides = {tag["side"] for tag in clause.tags if tag.readings.get("side") in _FLIP}
    if name == "face" and sides and memory.ended == clause.sentence and not clause.heads:
        clause.denied = True  # "the right side of the smile drops while the left side stays"
        return True
    if name in memory.moved and not clause.heads and (bare or (sides and sides <= memory.moved_sides)):
        if clause.only and len(sides) == 1 and any("at" in tag for tag in clause.tags):
            clause.relax = True  # "at 2 s only the left one stays up": the other goes
            clause.heads.append(Head("part", name, clause.source, verbs[0][0], side=_FLIP[next(iter(sides))]))
        else:
            clause.denied = clause.denied or bool(sides)
        return True
    source = " ".join(tag.text for tag in clause.tags if "part" in tag or "verb" in tag or "side" in tag)
    clause.heads.append(Head("part", name, source, verbs[0][0], side="?", kept=True))
    negations.clear()
    memory.part = name
    return True


def _verbs_of(name: str, found: list[str], alone: bool) -> list[str]:
    """Which of the verbs near a part it does: "shut the eyes tight" both, "open the eyes wide" the one that moves."""
    if name in ("gaze", "head"):
        return found[:2]
    known = data("actions")["parts"][name]["verbs"]
    found = [verb for verb in found if verb != "open"] if "wide" in found else found
    found = ["puff"] if "puff" in found and part_family(name) == "cheeks" else found  # "the cheeks puff up"
    if name == "eyes" and set(found) & {
        "heavy",
        "close",
        "wide",
        "narrow",
        "squint",
        "tight",
    }:  # "the eye hangs half shut"
        found = [verb for verb in found if verb not in ("up", "down")]
    moving = [verb for verb in found if any(known[verb].values())]
    if alone and len(moving) > 1 and set(moving[:2]) in (
        {"close", "tight"}, {"close", "press"}, {"up", "together"}, {"down", "together"}, {"open", "forward"},
        {"close", "squint"},
    ):  # fmt: skip
        return moving[:2]
    return (moving or found)[:1]


def _steers(name: str, verbs, known) -> bool:
    """Whether left and right are a direction here, not a side: always for gaze and head, for others without a verb
    of their own."""
    used = {verb for _, verb, _ in verbs}
    if name in ("gaze", "head"):
        return True
    if name == "eyes" and used & set(known) - {"up", "down", "dart", "left", "right"}:
        return False
    return bool(used & {"turn", "dart", "shift"}) or (not (used & set(known)) and name in ("jaw", "mouth", "eyes"))


# ── modifiers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _modify(clause: Clause, negations, degrees, numbers, sides) -> None:
    """Give heads their negation, degree, number and side."""
    heads = sorted(clause.heads, key=lambda head: head.place)
    clause.heads = heads
    limits = [place for place, tag in enumerate(clause.tags) if "only" in tag]
    for head in heads:
        moved = head.kind == "move"
        head.negated = head.kept or any(
            (place < head.place or moved) and not any(place < end < head.place for end in limits) for place in negations
        )
        head.stopped = clause.stop
    for place, factor in degrees:
        moving = [head for head in heads if head.kind != "part"] or heads
        target = next((head for head in moving if head.place > place), moving[-1] if moving else None)
        if target is None:
            continue
        if factor < 0:
            target.low = True
        else:
            _add_degree(target, factor)
    for place, value, prefix in numbers:
        before = [head for head in heads if head.place < place and head.number is None and head.kind != "part"]
        after = [head for head in heads if head.place > place]
        for head in before or ([] if prefix else after[:1]):
            head.number = value
        if all(head.kind == "part" for head in heads):
            clause.number = value
    if not heads and degrees:
        clause.degree = degrees[0][1]
    elif not heads and not any("part" in tag for tag in clause.tags):
        words = {word for tag in clause.tags for word in tag.text.split()}
        clause.degree = 1.3 if words & _COMPARED else 0.6 if words & _LESSENED else None
    for place, side in sides:
        _give_side(clause, heads, place, side)
    if not sides and any("one" in tag for tag in clause.tags):
        for head in heads:
            head.side = "one" if head.side == "?" else head.side
    for head in heads:
        if head.side in ("?", "one"):
            head.open = head.side == "?"
            head.side = "L" if head.side == "one" else ""
        elif not head.side:
            head.open = head.kind in ("act", "facs", "emotion")


def _add_degree(head: Head, factor: float) -> None:
    if head.degree is None:
        head.degree = factor
    elif min(head.degree, factor) < 1:  # "a very slight hint": less, but not a tenth
        head.degree = 0.85 * min(head.degree, factor)
    else:
        head.degree *= 1 + 0.6 * (factor - 1)


def _give_side(clause: Clause, heads: list[Head], place: int, side: str) -> None:
    if not heads:
        clause.side = clause.side or side
        return
    free = [head for head in heads if head.side in ("", "?", "one") and not (head.kind == "move" and head.side == "")]
    # Feelings have no side of their own where a part of the face is named that has: "left eyebrow sceptically raised".
    sided = [head for head in free if head.kind != "emotion" or _is_lopsided(head)]
    free = sided or free
    # One side in a clause is everybody's; with several, each goes to what follows it, or else to what stands before.
    count = sum("side" in tag for tag in clause.tags)
    chosen = free if count == 1 else [head for head in free if head.place > place][:1] or free[-1:]
    for head in chosen:
        head.side = side


def _is_lopsided(head: Head) -> bool:
    return any(isinstance(spec, dict) for spec in emotion(head.value[0]).aus.values())


# ── between clauses ──────────────────────────────────────────────────────────────────────────────────────────────────


def _codes_follow(found: list[Clause], place: int) -> bool:
    """Whether the clause after this one names a code without a side."""
    coming = found[place + 1].heads if place + 1 < len(found) else []
    return bool(coming) and all(head.kind == "facs" and head.open for head in coming)


def _spread_sides(found: list[Clause]) -> None:
    """ "On the left: brow up, eye narrowed": a side that stands in front of everything is that of what follows."""
    said, pending, since = False, "", -1
    for place, clause in enumerate(found):
        own = clause.side or next((head.side for head in clause.heads if head.side), "")
        if clause.side in _FLIP and clause.silent:
            coming = found[place + 1] if place + 1 < len(found) else None
            heading = coming is not None and (not said or "heading" in clause.leads)
            if heading and coming is not None and any(head.open for head in coming.heads):
                pending, since, clause.side = clause.side, clause.sentence, ""
                continue
        coded = _codes_follow(found, place)
        if "heading" in clause.leads and coded and all(head.kind == "part" for head in clause.heads) and own in _FLIP:
            pending, since, clause.heads, clause.side = own, clause.sentence, [], ""  # "left brow: AU2 at 0.8"
            continue
        if pending and (own or clause.sentence > since + 1):
            pending = ""
        for head in clause.heads if pending else ():
            if head.open:
                head.side = pending
        said = said or not clause.silent


def _reach(found: list[Clause]) -> None:
    """ "The lids droop over 3 s until they are closed": until where the same part gets is how far it goes."""
    for goal in list(found):
        place = found.index(goal)
        if not goal.leads & {"before", "before_next"} or [head.kind for head in goal.heads] != ["move"]:
            continue
        moves = [(clause, head) for clause in found[:place] for head in clause.heads if head.kind == "move"]
        named = any("part" in tag for tag in goal.tags)
        if named or not moves or moves[-1][0].sentence != goal.sentence or goal.time or goal.heads[0].negated:
            continue
        clause, head = moves[-1]
        reached, part = goal.heads[0], part_family(head.value[0])
        if part_family(reached.value[0]) != part or head.negated or opposed(head.value[1], reached.value[1]):
            continue
        head.value, head.grade = reached.value, max(head.grade, reached.grade)
        head.degree = reached.degree if head.degree is None else head.degree
        for between in found[found.index(clause) + 1 : place]:
            if between.silent:
                clause.time = {**between.time, **clause.time}
                between.time = {}
        found.remove(goal)


def _drop_titles(found: list[Clause]) -> None:
    """ "The brow raise: left brow at 1 s, right brow at 2 s": what is said in detail is not done as a whole."""
    for clause, coming in itertools.pairwise(found):
        moves = [head for head in clause.heads + coming.heads[:1] if head.kind == "move" and not head.negated]
        title = "heading" in clause.leads and len(moves) == 2 and moves[0] in clause.heads and not clause.time
        if title and coming.time and part_family(moves[0].value[0]) == part_family(moves[1].value[0]):
            clause.heads = [head for head in clause.heads if head is not moves[0]]


def opposed(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return any({a, b} in OPPOSITE for a in one for b in other)


#: Movements of a part that cannot be made at once.
OPPOSITE = (
    {"up", "down"}, {"open", "close"}, {"wide", "close"}, {"wide", "narrow"}, {"left", "right"}, {"puff", "suck"},
    {"tilt left", "tilt right"}, {"press", "open"}, {"tight", "open"}, {"pucker", "stretch"},
    {"pucker", "wide"}, {"puff", "deflate"},
)  # fmt: skip


def _spread_degrees(found: list[Clause]) -> None:
    """ "A smile, half strength", "nose wrinkle, subtle": a strength behind a comma is that of what stands before it."""
    for before, clause in itertools.pairwise(found):
        lone = (
            clause.silent and not clause.side and not clause.denied and not any("unknown" in tag for tag in clause.tags)
        )
        if not lone or not clause.leads & {"comma", "and"} or before.sentence != clause.sentence:
            continue
        if clause.time.keys() & set(STARTS):
            continue  # "a big smile at 1 s, a small one at 3 s"
        degrees = [tag["degree"] for tag in clause.tags if "degree" in tag]
        for head in before.heads:
            if clause.number is not None and head.number is None:
                head.number = clause.number
            for degree in degrees if clause.number is None else ():
                _add_degree(head, degree)


def _spread_denial(found: list[Clause]) -> None:
    """ "Does not frown or smile", "no smile, frown or pout": what is denied goes on to the end of the list."""
    for place, clause in enumerate(found):
        if "or" not in clause.leads or not clause.heads:
            continue
        first = place - 1
        while first > 0 and found[first].leads <= {"comma", "or"} and not any(h.negated for h in found[first].heads):
            first -= 1
        if found[first].sentence == clause.sentence and any(head.negated for head in found[first].heads):
            for other in found[first : place + 1]:
                for head in other.heads:
                    head.negated = True


def _share_numbers(found: list[Clause]) -> None:
    """ "AU4 and AU7 at 0.3": a code without a number takes that of the code joined to it."""
    for first, second in zip(reversed(found[:-1]), reversed(found), strict=False):
        if not (second.leads <= {"and", "comma"} and "and" in second.leads and first.heads and second.heads):
            continue
        number = second.heads[0].number
        if number is not None and second.heads[0].kind == "facs":
            for head in first.heads:
                if head.kind == "facs" and head.number is None:
                    head.number = number
