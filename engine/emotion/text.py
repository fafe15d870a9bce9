"""Understanding a direction: text → what the face is to do, when, how much, on which side, and what not.

The text becomes tags (`words`), the tags become clauses at commas and joining words, and each clause gives *orders*:

- a **state** is an expression that takes the place of the one before it (a feeling, a smile),
- an **addition** moves some muscles on top of it (a raised brow, "AU4 at 0.6"),
- a **release** lets some go, **never** keeps some still.

Orders that begin together form a *beat*; `timeline` gives beats their times and turns them into curves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..contract.errors import MienError
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
from .tables import data, emotion, slots
from .words import Tag, normal, tags

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


@dataclass
class _Clause:
    leads: set[str]
    tags: list[Tag]
    heads: list[Head] = field(default_factory=list)
    time: dict[str, Any] = field(default_factory=dict)
    side: str = ""
    only: bool = False
    stop: bool = False
    relax: bool = False
    sentence: int = 0
    lean: str = ""
    dies: bool = False  # "the laughter dies down": it was there

    @property
    def source(self) -> str:
        return " ".join(tag.text for tag in self.tags)


_LEADS = ("and", "but", "then", "final", "first", "rest", "before", "after", "without", "become")
_STARTS = ("at", "word", "span", "edge", "portion", "wait", "later")


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
    clean = normal(text)
    notes: list[str] = []
    found = _place_words(tags(clean), words, notes)
    clauses = _clauses(found)
    memory = _Memory()
    for clause in clauses:
        _read_clause(clause, memory, notes)
    _share_numbers(clauses)
    _feel_the_rest(clauses, clean, meaning, notes)
    beats = _beats(clauses, notes)
    uneven = any("uneven" in tag for tag in found)
    _note_unknown(clauses, found, beats, notes)
    return Understanding(text, beats, list(dict.fromkeys(notes)), uneven)


# ── words of the line ────────────────────────────────────────────────────────────────────────────────────────────────


def _place_words(found: list[Tag], words: Sequence[Spoken], notes: list[str]) -> list[Tag]:
    """Quoted words of the line, and words after "says", become times."""
    bare = [re.sub(r"[^\w]", "", word.text.lower()) for word in words]
    result: list[Tag] = []
    for tag in found:
        said = result and re.fullmatch(r"(say|says|saying|said|word|words|speaks|utters|phrase|line)", result[-1].text)
        wanted = tag.readings.get("quote", tag.text if said else None)
        span = _find_words(wanted, bare, words) if wanted else None
        if span:
            if said:
                result.pop()
            result.append(Tag(tag.text, {"word": span}, tag.start, tag.end))
        elif "quote" in tag and words:
            notes.append(f"The line has no word {tag.text}, so no time could be taken from it.")
        elif "quote" in tag and said:
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
    parts = [part for part in re.sub(r"[^\w\s]", "", wanted.lower()).split() if part]
    for place in range(len(bare) - len(parts) + 1):
        if parts and bare[place : place + len(parts)] == parts:
            return words[place].start, words[place + len(parts) - 1].end
    return None


# ── clauses ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _clauses(found: list[Tag]) -> list[_Clause]:
    """Tags → clauses, cut at marks and joining words."""
    clauses: list[_Clause] = []
    leads, current, sentence = set(), [], 0
    coming_from = False

    def close(*new: str) -> None:
        nonlocal leads, current
        if current:
            for part in _part_before_after(leads, current):
                clauses.append(_Clause(leads, part, sentence=sentence))
                leads = set()
            leads, current = set(), []
        leads |= set(new)

    for position, tag in enumerate(found):
        joining = next((kind for kind in _LEADS if kind in tag), None)
        coming_from = ("from" in tag or coming_from) and "stop_mark" not in tag
        if "to" in tag and (coming_from or _from_here_to(current, found[position + 1 :])) and _has_content(current):
            close("then", "to")
        elif "stop_mark" in tag:
            close("stop")
            sentence += 1
        elif "mark" in tag:
            close("comma")
        elif joining and not _is_verb_here(tag, found, position):
            if joining == "become" and not _has_content(current):
                continue
            if joining == "before" and not _has_content(current):
                close("before_next")
            elif joining == "after" and not _has_content(current):
                close("after_this")
            else:
                close(joining)
        else:
            current.append(tag)
    close()
    return clauses


def _from_here_to(current: list[Tag], coming: list[Tag]) -> bool:
    """ "A smile into a grin": a feeling or an expression stands on both sides."""
    if not any("emotion" in tag or "act" in tag for tag in current):
        return False
    following = next((tag for tag in coming if "degree" not in tag), None)
    return following is not None and ("emotion" in following or "act" in following)


def _part_before_after(leads: set[str], current: list[Tag]) -> list[list[Tag]]:
    """ "Before the shock he is cheerful": no mark stands between the two feelings."""
    feelings = [place for place, tag in enumerate(current) if "emotion" in tag or "act" in tag]
    timed = any(kind in tag for tag in current for kind in ("word", "quote", "at", "bare"))
    if leads & {"before_next", "after_this"} and len(feelings) > 1 and not timed:
        return [current[: feelings[0] + 1], current[feelings[0] + 1 :]]
    return [current]


_CONTENT = ("emotion", "act", "facs", "part", "verb", "situation", "foreign", "relax", "unknown", "stop")


def _has_content(current: list[Tag]) -> bool:
    return any(kind in tag for tag in current for kind in _CONTENT)


def _is_verb_here(tag: Tag, found: list[Tag], position: int) -> bool:
    """A joining word that is also a movement ("still", "turn") is one beside a part of the face."""
    if "verb" not in tag:
        return False
    near = found[max(0, position - 1) : position + 4]
    for other in near:
        if "mark" in other or "stop_mark" in other:
            break
        if "part" in other and tag["verb"] in (*data("actions")["parts"][other["part"]]["verbs"], "turn", "still"):
            return True
    return False


@dataclass
class _Memory:
    """What "them", "the left one" and a bare verb refer back to."""

    part: str | None = None
    verbs: tuple[str, ...] = ()


def _read_clause(clause: _Clause, memory: _Memory, notes: list[str]) -> None:
    _read_times(clause)
    parts = [(place, tag["part"]) for place, tag in enumerate(clause.tags) if "part" in tag]
    verbs, negations, degrees, numbers = [], [], [], []
    sides = [(place, tag["side"]) for place, tag in enumerate(clause.tags) if "side" in tag]
    for place, tag in enumerate(clause.tags):
        if "not" in tag:
            negations.append(place)
        elif "low" in tag:
            degrees.append((place, -1.0))
        elif "degree" in tag and not (parts and "verb" in tag):
            degrees.append((place, tag["degree"]))
        elif "value" in tag:
            numbers.append((place, tag["value"], tag["prefix"]))
        elif "va" in tag:
            clause.heads.append(Head("va", tag["va"], tag.text, place))
        elif "facs" in tag and "act" not in tag:
            clause.heads.append(Head("facs", tag["facs"], tag.text, place))
            region_of = data("aus")["aus"].get(tag["facs"][0][0], {}).get("region")
            if region_of in data("actions")["parts"]:  # "eyes closed, then wide open"
                memory.part, memory.verbs = region_of, ()
        elif "act" in tag:
            clause.heads.append(Head("act", tag["act"], tag.text, place))
        elif "verb" in tag and (parts or ("emotion" not in tag and _fits(memory.part, tag["verb"]))):
            verbs.append((place, tag["verb"], tag.text))
        elif (
            "emotion" in tag
            and "verb" in tag
            and any("emotion" in other and "verb" not in other for other in clause.tags)
        ):
            continue  # "calms her down": the other word names the feeling
        elif "meant" in tag and (parts or any(_is_plain(other) for other in clause.tags)):
            tag.readings = {"unknown": True}  # a misspelt feeling is looked for only where nothing else was found
        elif "emotion" in tag:
            clause.heads.append(Head("emotion", tag["emotion"], tag.text, place))
            if "meant" in tag:
                notes.append(f"Read {tag.text!r} as {tag['meant']!r}.")
        elif "foreign" in tag:
            clause.heads.append(Head("emotion", tag["foreign"], tag.text, place))
        elif "stop" in tag:
            clause.stop = True
        elif "relax" in tag:
            clause.relax = True
        elif "only" in tag:
            clause.only = True
    negations = [-1] if "without" in clause.leads else negations
    if clause.stop and clause.leads & {"after", "after_this"} and any(h.kind != "part" for h in clause.heads):
        clause.stop = False  # "once the anger fades": there was anger
    elif clause.stop:
        clause.dies = not negations and any(
            head.kind in ("emotion", "act") and head.place < place
            for head in clause.heads for place, tag in enumerate(clause.tags) if "stop" in tag
        )  # fmt: skip
    more = (clause.tags and clause.tags[-1].text == "lower") or any(
        word in _COMPARED for tag in clause.tags for word in tag.text.split()
    )
    if more and sides and sides[0][1] in ("L", "R"):
        clause.lean = sides[0][1]
    _read_moves(clause, parts, verbs, sides, memory, notes)
    _modify(clause, negations, degrees, numbers, sides)


#: "The left one higher": one side does more than the other.
_COMPARED = frozenset(
    ["higher", "more", "stronger", "further", "wider", "bigger", "tighter", "harder", "deeper", "farther"]
)


def _is_plain(tag: Tag) -> bool:
    return "meant" not in tag and any(kind in tag for kind in ("emotion", "act", "facs"))


def _fits(part: str | None, verb: str) -> bool:
    return part is not None and verb in data("actions")["parts"][part]["verbs"]


def _read_times(clause: _Clause) -> None:
    """Times, pace and repetition of a clause into `clause.time`."""
    seen_head = False
    for place, tag in enumerate(clause.tags):
        for kind in ("at", "span", "edge", "lasting", "over", "until", "wait", "later", "word", "portion", "times"):
            if kind in tag:
                clause.time.setdefault(kind, tag[kind])
        if "bare" in tag:
            # "3 s angry" says when, "angry 3 s" how long.
            clause.time.setdefault("lasting" if seen_head else "at", tag["bare"])
        for kind in ("slow", "sudden", "brief", "micro"):
            if kind in tag:
                clause.time[kind] = True
        seen_head = seen_head or (place < len(clause.tags) and any(kind in tag for kind in _CONTENT))


def _read_moves(clause: _Clause, parts, verbs, sides, memory: _Memory, notes: list[str]) -> None:
    """Pair parts with verbs: "raise the left upper lip", "eyes wide", "look down to the left"."""
    table = data("actions")["parts"]
    steered = ("gaze", "head", "jaw", "mouth", "eyes")
    named = bool(parts)
    names = [name for _, name in parts]
    if "eyes" in names and "gaze" in names:  # "eyes look left"
        parts = [entry for entry in parts if entry[1] != "eyes"]
    turning_on = bool(sides) and memory.part in ("gaze", "head") and not clause.heads
    if not parts and memory.part and (verbs or turning_on):
        parts = [(verbs[0][0] if verbs else sides[0][0], memory.part)]
    for place, name in parts:
        known = table[name]["verbs"]
        near = sorted((entry for entry in verbs), key=lambda entry: abs(entry[0] - place))
        chosen = _verbs_of(name, [verb for _, verb, _ in near if verb in known], alone=len(parts) == 1)
        turning = name in steered and sides and _steers(name, verbs, known)
        # "The mouth to the left" is a direction, "the left half of the mouth" is not.
        turning = turning and (name in ("gaze", "head") or sides[-1][0] > place)
        if turning:
            side = "left" if sides[0][1] == "L" else "right"
            if "tilt" in chosen:
                chosen = [f"tilt {side}"]
            elif side in known:
                chosen = [verb for verb in chosen if verb not in ("away",)] + [side]
        bare = not (chosen or verbs or clause.heads) and "" not in known
        again = "and" in clause.leads or name == memory.part
        if bare and again and memory.verbs and _fits(name, memory.verbs[0]):
            chosen = [memory.verbs[0]]  # "raise the brows and the chin", "left brow up, right brow a little"
        if "" in known and not chosen:
            chosen = [""]
        source = " ".join(tag.text for tag in clause.tags if "part" in tag or "verb" in tag or "side" in tag)
        if chosen:
            values: dict[str, float] = {}
            for verb in chosen:
                # "Turn the head right … and back": back to where it was.
                values.update({} if verb == "back" and not named else known[verb])
            side = "" if turning else "?"
            if table[name].get("one_sided"):
                side = "one"
            clause.heads.append(Head("move", (name, tuple(chosen), values), source, place, side=side))
            memory.part, memory.verbs = name, tuple(chosen)
        elif name not in ("gaze",):
            if verbs:
                notes.append(
                    f"A {name} cannot {verbs[0][2]!r}; it was left as it is.".replace("A eyes", "Eyes").replace(
                        "A ", "The ", 1
                    )
                )
            clause.heads.append(Head("part", name, source, place))
            memory.part = name
        else:
            memory.part = name


def _verbs_of(name: str, found: list[str], alone: bool) -> list[str]:
    """Which of the verbs near a part it does: "shut the eyes tight" both, "open the eyes wide" the one that moves."""
    if name in ("gaze", "head"):
        return found[:2]
    known = data("actions")["parts"][name]["verbs"]
    found = [verb for verb in found if verb != "open"] if "wide" in found else found
    moving = [verb for verb in found if known[verb]]
    if alone and len(moving) > 1 and set(moving[:2]) in ({"close", "tight"}, {"close", "press"}, {"up", "together"}):
        return moving[:2]
    return (moving or found)[:1]


def _steers(name: str, verbs, known) -> bool:
    """Whether left and right are a direction here, not a side: always for gaze and head, for others without a verb
    of their own."""
    used = {verb for _, verb, _ in verbs}
    if name in ("gaze", "head"):
        return True
    return bool(used & {"turn", "dart"}) or (not (used & set(known)) and name in ("jaw", "mouth"))


def _modify(clause: _Clause, negations, degrees, numbers, sides) -> None:
    """Give heads their negation, degree, number and side."""
    heads = sorted(clause.heads, key=lambda head: head.place)
    clause.heads = heads
    for head in heads:
        moved = head.kind == "move"
        head.negated = any(place < head.place or moved for place in negations)
        head.stopped = clause.stop
    for place, factor in degrees:
        target = next((head for head in heads if head.place > place), heads[-1] if heads else None)
        if target is None:
            continue
        if factor < 0:
            target.low = True
        elif target.degree is None:
            target.degree = factor
        elif min(target.degree, factor) < 1:  # "a very slight hint": less, but not a tenth
            target.degree = 0.85 * min(target.degree, factor)
        else:
            target.degree *= 1 + 0.6 * (factor - 1)
    for place, value, prefix in numbers:
        before = [head for head in heads if head.place < place and head.number is None and head.kind != "part"]
        after = [head for head in heads if head.place > place]
        for head in before or ([] if prefix else after[:1]):
            head.number = value
    for place, side in sides:
        _give_side(clause, heads, place, side)
    if not sides and any("one" in tag for tag in clause.tags):
        for head in heads:
            head.side = "one" if head.side == "?" else head.side
    for head in heads:
        if head.side in ("?", "one"):
            head.side = "L" if head.side == "one" else ""


def _give_side(clause: _Clause, heads: list[Head], place: int, side: str) -> None:
    if not heads:
        clause.side = side
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


def _share_numbers(clauses: list[_Clause]) -> None:
    """ "AU4 and AU7 at 0.3": a code without a number takes that of the code joined to it."""
    for first, second in zip(reversed(clauses[:-1]), reversed(clauses), strict=False):
        if not (second.leads <= {"and", "comma"} and "and" in second.leads and first.heads and second.heads):
            continue
        number = second.heads[0].number
        if number is not None and second.heads[0].kind == "facs":
            for head in first.heads:
                if head.kind == "facs" and head.number is None:
                    head.number = number


# ── feelings that no word names ──────────────────────────────────────────────────────────────────────────────────────


def _feel_the_rest(clauses: list[_Clause], clean: str, meaning: bool, notes: list[str]) -> None:
    """Sentences in which nothing was understood: ask the sentence model, else look for telling situations."""
    groups: list[list[_Clause]] = []
    for clause in clauses:
        if (
            groups
            and groups[-1][-1].sentence == clause.sentence
            and not clause.leads & {"then", "final", "before_next", "after_this"}
        ):
            groups[-1].append(clause)
        else:
            groups.append([clause])
    asked = 0
    for group in groups:
        if any(head.kind != "part" for clause in group for head in clause.heads) or any(
            c.stop or c.relax for c in group
        ):
            continue
        contents = [tag for clause in group for tag in clause.tags if "unknown" in tag or "situation" in tag]
        if not any(re.search(r"[^\W\d_]{2,}", tag.text) for tag in contents):
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


def _ask(text: str, clean: str, group: list[_Clause], notes: list[str], hint: str | None) -> tuple[str, float] | None:
    from . import meaning as model

    # The words before the first tag were fillers, yet they help the model: "as if he ..."
    found = model.feel(_widen(clean, group), hint)
    if found is None or found.label == "none":
        return None
    notes.append(f"{text!r} names no feeling; by its meaning it was taken as {found.label.replace('_', ' ')}.")
    return found.label, found.intensity


def _widen(clean: str, group: list[_Clause]) -> str:
    start = max((clean.rfind(mark, 0, group[0].tags[0].start) for mark in ".!?;\n,"), default=-1) + 1
    return clean[start : group[-1].tags[-1].end].strip()


# ── beats ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _beats(clauses: list[_Clause], notes: list[str]) -> list[Beat]:
    """Clauses → beats with orders."""
    beats: list[Beat] = [Beat()]
    waiting: dict[str, Any] = {}
    wait = 0.0
    swap: int | None = None
    sentence = -1
    for position, clause in enumerate(clauses):
        own = clause.time
        coming = next((other for other in clauses[position + 1 :] if other.heads), None)
        if clause.dies and coming and not _last_orders(beats) and not own:
            clause.stop = False
            for head in clause.heads:
                head.stopped = False
            coming.leads.add("then")
        if _leans_back(clause, beats):
            lean(_last_orders(beats)[-1], clause.lean)
            continue
        if clause.side and not clause.heads and _last_orders(beats):
            if clause.leads & {"then", "final"} or set(own) & set(_STARTS):  # "the right brow, then the left one"
                beats.append(Beat([replace(_last_orders(beats)[-1])]))
            _turn_side(beats, clause.side)
            _start(beats[-1], clause)
            continue
        silent = not clause.heads and not clause.relax and not clause.stop
        if not silent:
            sentence = clause.sentence
        else:
            if "wait" in own:
                wait += float(own["wait"])
            elif own:
                follows = next(
                    (other for other in clauses[position + 1 :] if other.heads or other.relax or other.stop), None
                )
                follows = follows if follows and follows.sentence == clause.sentence else None
                if follows and not (set(follows.time) & set(_STARTS)) and not follows.leads & {"then", "final"}:
                    waiting = {**waiting, **own}
                elif beats[-1].orders and clause.sentence == sentence:
                    _give_time(beats, clause)
            if clause.leads & {"then", "final"} and position + 1 < len(clauses):
                clauses[position + 1].leads |= clause.leads & {"then", "final"}
            continue
        if _only_masks(clause, beats):
            if own:  # "wink with the left eye at 1 s"
                _give_time(beats, clause)
            continue
        clause.time = own = {**waiting, **own}
        waiting = {}
        if _begins_new(clause, beats[-1], wait):
            beats.append(Beat(final="final" in clause.leads))
        beat = beats[-1]
        beat.final = beat.final or "final" in clause.leads
        if wait and beat.start is None:
            beat.start, wait = wait, 0.0
        if "rest" in clause.leads:
            beat = Beat(background=True, start=0.0)
            beats.insert(0, beat)
        _start(beat, clause)
        orders = _orders(clause, beats, beat, notes)
        for order in orders:
            _timing(order, clause)
        beat.orders += orders
        following = position + 1 < len(clauses) and "word" not in own
        if "before_next" in clause.leads and following:
            clauses[position + 1].leads.add("then")
            swap = beats.index(beat)
        elif "after_this" in clause.leads and following:
            clauses[position + 1].leads.add("then")
        elif swap is not None:
            _swap(beats, swap)
            swap = None
        elif "after" in clause.leads and len(beats) > 1 and not own.keys() & {"at", "word"}:
            beats[-1], beats[-2] = beats[-2], beats[-1]
    return [beat for beat in beats if beat.orders]


def _last_orders(beats: list[Beat]) -> list[Order]:
    return next((beat.orders for beat in reversed(beats) if beat.orders), [])


def _leans_back(clause: _Clause, beats: list[Beat]) -> bool:
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
    index = slots()
    last = _last_orders(beats)[-1]
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
    if last.kind != "state":
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


def _only_masks(clause: _Clause, beats: list[Beat]) -> bool:
    """A clause that names parts alone narrows, or spares, what was said before it. True if that was all it did."""
    if not clause.heads or any(head.kind != "part" for head in clause.heads) or clause.relax:
        return False
    last = _last_orders(beats)
    index = slots()
    named = np.zeros(len(index), dtype=bool)
    for head in clause.heads:
        named |= region(head.value, head.side)
    negated = clause.heads[0].negated
    if clause.stop or negated:
        return False
    side = clause.heads[0].side
    if side in ("L", "R") and last and (last[-1].kind == "add" or not last[-1].feelings):  # "wink with the right eye"
        _turn_side(beats, side)
        if last[-1].kind == "add":
            return True
    state = next((order for order in reversed(last) if order.kind == "state"), None)
    if state is None:
        return True
    state.face = np.where(named, state.face, 0.0)
    state.mask = state.mask & named
    if state.feelings:
        state.kind = "add" if len(beats) > 1 else "state"
        state.feelings = []
    state.what += f", in the {' and '.join(str(head.value) for head in clause.heads)} alone"
    return True


def _begins_new(clause: _Clause, beat: Beat, wait: float) -> bool:
    if not beat.orders:
        return False
    if beat.background:
        return True
    if wait or set(clause.time) & set(_STARTS):
        return True
    if clause.leads & {"then", "final", "before", "after"}:
        return True
    expressive = any(_is_state(head) for head in clause.heads) or clause.relax
    if clause.leads & {"stop", "become"} and expressive and beat.has_state:
        return True
    return any(order.kind == "state" and order.lasting is not None for order in beat.orders) and expressive


def _is_state(head: Head) -> bool:
    if head.negated:
        return False
    return head.kind in ("emotion", "va") or (
        head.kind == "act" and bool(data("actions")["acts"][head.value].get("expressive"))
    )


def _start(beat: Beat, clause: _Clause) -> None:
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


def _timing(order: Order, clause: _Clause) -> None:
    own = clause.time
    if "word" in own and "before_next" in clause.leads:
        order.until = own["word"][0]
    elif "word" in own and not clause.leads & {"after", "after_this"}:
        order.until = own["word"][1]
    if "span" in own:
        order.until = own["span"][1]
    if "edge" in own and own["edge"][0] != "last":
        order.lasting = own["edge"][1]
    for key in ("lasting", "until", "over"):
        if key in own:
            setattr(order, key, float(own[key]))
    if "over" in own and "to" in clause.leads:  # "from A to B over 4 s": A is seen first, and B whole at the end
        order.over = 0.75 * float(own["over"])
    if any("keep" in tag for tag in clause.tags) and order.kind == "state" and order.lasting is None:
        order.kind, order.mask = "add", order.face > 0
    if own.get("slow"):
        order.pace = 3.0
    if own.get("sudden"):
        order.pace = 0.35
    if own.get("micro"):
        order.brief = 0.35
        order.pace = 0.4
    elif own.get("brief") and order.brief is None:
        order.brief = 0.8
        order.pace = 0.6
    if "times" in own:
        order.times = int(own["times"])
        order.brief = order.brief or 0.7


def _give_time(beats: list[Beat], clause: _Clause) -> None:
    """A time that stands alone at the end belongs to what was said before it; "and at 3 s" says it again."""
    beat = next((beat for beat in reversed(beats) if beat.orders), None)
    if beat is None:
        return
    if "before" in clause.leads and "word" in clause.time:
        for order in beat.orders:
            order.until = clause.time["word"][0]
        return
    if beat.start is not None and "at" in clause.time:
        for order in beat.orders:
            order.brief = order.brief or 1.0
        beats.append(Beat([replace(order) for order in beat.orders], start=float(clause.time["at"])))
        return
    _start(beat, clause)
    for order in beat.orders:
        _timing(order, clause)


# ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _orders(clause: _Clause, beats: list[Beat], beat: Beat, notes: list[str]) -> list[Order]:
    """The orders of one clause."""
    if clause.relax and not clause.heads:
        return [neutral("relaxed", clause.source, let_go=True)]
    if clause.stop and not any(head.kind != "part" for head in clause.heads):
        return [neutral("everything let go", clause.source, let_go=True)]
    regions = [head for head in clause.heads if head.kind == "part"]
    mask = None
    if regions and any(head.kind in ("emotion", "act") for head in clause.heads):
        mask = np.any([region(head.value, head.side) for head in regions], axis=0)
    orders: list[Order] = []
    for head in clause.heads:
        if head.kind == "part":
            if head.negated:
                orders.append(never(region(head.value, head.side), head, f"{head.value} kept still"))
            elif clause.relax or clause.stop:
                orders.append(release(region(head.value, head.side), head, f"{head.value} relaxed"))
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
    _agree_on_sides(orders)
    return orders


def _has_sides(order: Order) -> bool:
    return bool((order.face[slots().sides != ""] > 0).any())


def _agree_on_sides(orders: list[Order]) -> None:
    """Expressions keep to the side on which a movement of the same clause is asked for."""
    for moved in orders:
        side = moved.part[-1:] if moved.kind == "add" else ""
        if side in ("L", "R"):
            for order in orders:
                if order.kind == "state" and order is not moved:
                    make_way(order, moved, side)


def _is_narrowed(order: Order, head: Head, mask: np.ndarray, clause: _Clause) -> bool:
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


def _stop(order: Order, head: Head, beats: list[Beat], beat: Beat, clause: _Clause) -> list[Order]:
    """ "Stop smiling at 2 s": let go, and where nobody had said so before, it was there until then."""
    earlier = [
        other for entry in beats if entry is not beat for other in entry.orders if other.kind in ("state", "add")
    ]
    active = any((other.face * (order.mask & (order.face > 0))).any() for other in earlier)
    let_go = release(order.mask & (order.face > 0), head, f"no more {head.source}")
    if not active and beat.start is not None and clause.time.keys() & {"at", "word", "portion"}:
        first = Beat([order], start=0.0)
        beats.insert(beats.index(beat), first)
    elif not active and not earlier:
        let_go.kind, let_go.what, let_go.soft = "never", f"no {head.source}", True
    return [let_go]


def _note_unknown(clauses: list[_Clause], found: list[Tag], beats: list[Beat], notes: list[str]) -> None:
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
