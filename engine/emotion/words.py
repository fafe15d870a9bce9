"""A direction's text → tags: which words are feelings, movements, times, degrees, sides, and which are unknown.

Phrases come from the data files; times, numbers and FACS codes are read here. Nothing is decided in this file: a word
that can be two things ("down") keeps both readings until `text` sees what stands beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..contract import channels as contract
from .tables import data, number, split_words

#: Words skipped inside a phrase, so that "raise the left corner of his mouth" meets "corner of mouth".
_SOFT = frozenset(
    split_words("the, his, her, their, its, my, your, our, a, an, he, she, it, they, one's, is, are, was, were")
)
_SPELT = r"(?:half an?|an?\s+half|" + "|".join(data("grammar")["numbers"]) + r"|an?)"
_DIGITS = r"\d+(?:[.,]\d+)?"
_NUMBER = rf"(?:{_DIGITS}|{_SPELT})"
_BEFORE_UNIT = rf"(?:{_DIGITS}\s*(?:and\s+a\s+half\s*)?-?|{_SPELT}[\s-]+(?:and\s+a\s+half\s+)?)"
_UNIT = r"(?:" + "|".join(sorted(data("grammar")["units"], key=len, reverse=True)) + r")(?![^\W\d_])"
_TIME = (
    r"(?:\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?|frames?\s+\d+|\d+\s*-?frames?\b|"
    rf"{_BEFORE_UNIT}{_UNIT}(?:\s+and\s+a\s+half)?)"
)
_VALUE = r"(?:\d+(?:[.,]\d+)?\s*(?:%|per\s?cent)|\d*[.,]\d+|\d{1,3})"
_LETTER = r"[^\W\d_]"

#: In order: what comes first wins where several fit at one place.
_SCANNER = re.compile(
    "|".join(
        f"(?P<{name}>{pattern})"
        for name, pattern in (
            ("quote", r"\"[^\"]{1,120}\"|(?<![^\W_])'(?:[^']|(?<=[a-z])'(?=[a-z])){1,80}?'(?![^\W_])"),
            ("span", rf"(?:\b(?:from|between)\s+)(?:{_TIME}|{_NUMBER})\s*(?:to|until|till?|and|through|-+>?|=>|→|–|"
                     rf"—|…)\s*{_TIME}"
                     rf"|(?<![\w.]){_TIME}\s*(?:to|until|till?|through|-+>?|=>|→|–|—|…)\s*{_TIME}"
                     rf"|(?<![\w.])(?:\d+(?:\.\d+)?)\s*(?:s|sec)?\s*(?:-|–|to)\s*\d+(?:\.\d+)?\s*{_UNIT}"),
            ("edge", rf"\b(?:(?:in|for|during|within|over)\s+)?(?:the\s+)?(?:very\s+)?(?:first|last|final|next)\s+"
                     rf"(?:{_NUMBER}\s+)?{_UNIT}"),
            ("lasting", rf"\b(?:for|lasting|lasts|last|during|held|hold(?:s|ing)?(?:\s+(?:it|that|this|"
                        rf"them))?(?:\s+for)?)\s+(?:(?:about|around|just|only|for)\s+)?{_TIME}"),
            ("stretch", rf"\b{_TIME}\s+of\b"),
            ("va", r"\bvalence\s*(?:at|of|[=:])?\s*[-+]?\d*\.?\d+\s*(?:,|and|;)?\s*(?:and\s+)?"
                   r"arousal\s*(?:at|of|[=:])?\s*[-+]?\d*\.?\d+"),
            ("over", rf"\b(?:over|within|across|in\s+the\s+course\s+of|taking|takes|through|throughout)\s+"
                     rf"(?:the\s+)?(?:next\s+|course\s+of\s+|about\s+)?{_TIME}"),
            ("until", rf"\b(?:until|till?|up\s+to|up\s+until|before|ending\s+at)\s+"
                      rf"(?:about\s+|around\s+)?{_TIME}"),
            ("wait", rf"\b(?:waits?|pauses?|holds?\s+on)\s+(?:for\s+|until\s+|till\s+)?{_TIME}"),
            ("percent", r"\b(?:at|from|after)\s+\d{1,2}\s*(?:%|per\s?cent)\s+(?:of|into|"
                        r"through)\s+(?:the\s+)?(?:line|shot|clip|way|time)"),
            ("gap", rf"\b{_TIME}\s+after(?!\s+(?:that|this|the\s+(?:start|beginning|word|line|cut)|word|wards))(?=\s)"),
            ("later", rf"\b{_TIME}\s+(?:later|afterwards|after\s+that|after(?=\s*(?:[.,;!?)]|$)))"),
            ("at", rf"(?:@\s*|\b(?:(?:starting|beginning|start|begin|only)\s+)?"
                   rf"(?:at|from|after|around|about|by|in|on|past|since|t\s*=)\s+"
                   rf"(?:about\s+|around\s+|exactly\s+)?){_TIME}(?:\s+in(?:to\s+it)?\b)?(?!\s+of\b)"),
            ("bare", rf"(?<![\w.]){_TIME}(?:\s+in(?:to\s+it)?\b)?"),
            ("au", r"\b(?:action\s+units?|aus?)\s*[-_:]?\s*[lr]?0?\d{1,2}[lr]?[a-e]?(?![^\W_])"
                   r"(?:\s*(?:\+|/|&)\s*(?:au)?\s*[lr]?\d{1,2}[lr]?[a-e]?(?![^\W_.]))*"
                   r"|(?<![\w.])[lr]?\d{1,2}[lr]?[a-e]?(?:\s*\+\s*(?:au)?\s*[lr]?\d{1,2}[lr]?[a-e]?(?![^\W_.]))+"
                   r"|(?<![\w.])(?:[lr]\d{1,2}[a-e]?|(?![23]d)\d{1,2}(?:[lr]?[a-e]|[lr]))(?![^\W_])"),
            ("dotside", r"\.[lr](?![^\W_])"),
            ("value", rf"(?:(?:\bat\s+|\bto\s+|\bof\s+|\bby\s+|[=:]\s*)?(?<![\w.]){_VALUE})(?!\w)"),
            ("arrow", r"-+>|=+>|→|⇒|>+"),
            ("word", rf"{_LETTER}+(?:[-'_]{_LETTER}+)*"),
            ("mark", r"!{2,}|[.!?;:,\n()&+/|…]|[-–—](?=\s)"),
            ("number", r"\d+"),
        )
    ),
    re.IGNORECASE,
)  # fmt: skip


@dataclass
class Tag:
    """A stretch of text and what it may mean.

    Attributes:
        text: The words, as normalised.
        start, end: Where they stand in the normalised text.
        readings: {kind: value}. Kinds: emotion, situation, act, part, verb, facs, value, side, degree, time words …
    """

    text: str
    readings: dict[str, Any] = field(default_factory=dict)
    start: int = 0
    end: int = 0

    def __contains__(self, kind: str) -> bool:
        return kind in self.readings

    def __getitem__(self, kind: str):
        return self.readings[kind]


_SIDE_WORDS = {"left": "L", "right": "R"}


class _Trie:
    """Phrases by their words."""

    def __init__(self) -> None:
        self.root: dict = {}

    def add(self, phrase: str, kind: str, value: object) -> None:
        node = self.root
        for word in _words(phrase):
            node = node.setdefault(word, {})
        node.setdefault("", {}).setdefault(kind, value)

    def longest(self, words: Sequence[str], start: int) -> tuple[int, dict[str, Any]] | None:
        """(end, readings) of the longest phrase that begins at `start`; soft words inside it are skipped."""
        best: tuple[int, dict[str, Any]] | None = None
        paths: list[tuple[dict, int, bool, str]] = [(self.root, start, False, "")]
        while paths:
            node, position, skipped, side = paths.pop()
            if "" in node and not skipped and (best is None or position > best[0]):
                best = position, {**node[""], "side": side} if side else node[""]
            if position >= len(words):
                continue
            word = words[position]
            if word in node:
                paths.append((node[word], position + 1, False, side))
            elif word in _SIDE_WORDS and position > start and not side and ("part" not in node.get("", {})):
                paths.append((node, position + 1, True, _SIDE_WORDS[word]))  # "bites her right lower lip"
            apart = words[position - 1] == "lower" and position == start + 1  # "lower the lid": what it does
            if word in _SOFT and position > start and node is not self.root and not apart:
                paths.append((node, position + 1, True, side))
        return best


def _words(phrase: str) -> list[str]:
    return [match.group() for match in re.finditer(rf"{_LETTER}+(?:[-'_]{_LETTER}+)*|->|=>|→|⇒|>+|&", phrase.lower())]


def _adverbs(word: str) -> set[str]:
    """ "intense" → "intensely" and back."""
    if not word.isalpha():
        return set()
    if word.endswith("ily"):
        return {word[:-3] + "y"}
    if word.endswith("ly"):
        return {word[:-2], word[:-1] + "e"} if word.endswith("bly") else {word[:-2]}
    return {word[:-1] + "ily"} if word.endswith("y") else {word[:-1] + "y"} if word.endswith("le") else {word + "ly"}


def _spellings(name: str) -> set[str]:
    return {name.lower(), name.lower().replace("_", "")}


#: Lists of data/grammar.json that only say that a word is of a kind.
_GRAMMAR = split_words(
    "negators, stop, fade, relax, then, become, final, first, rest, and, or, but, before, after, slow, sudden, brief, "
    "micro, only, without, except, from, to, keep, double_negation, uneven, low_negation, again, instead, events, "
    "onwards, in_turn, throughout"
)


@cache
def _phrases() -> _Trie:
    """Every phrase of the data files. Where two mean the same kind of thing, the first stands."""
    trie, grammar, actions, lexicon = _Trie(), data("grammar"), data("actions"), data("lexicon")
    for kind in _GRAMMAR:
        for phrase in split_words(grammar[kind]):
            trie.add(phrase, {"negators": "not", "low_negation": "low"}.get(kind, kind), True)
    for side, key in (("L", "left"), ("R", "right"), ("B", "both"), ("other", "other"), ("same", "same")):
        for phrase in split_words(grammar[key]):
            trie.add(phrase, "side", side)
    adverbs_apart = set(split_words(grammar["adverbs_apart"]))
    for factor, phrases in grammar["degrees"].items():
        for phrase in split_words(phrases):
            trie.add(phrase, "degree", float(factor))
    for count, phrases in grammar["times"].items():
        for phrase in split_words(phrases):
            trie.add(phrase, "times", int(count))
    for part, phrases in grammar["portions"].items():
        for phrase in split_words(phrases):
            trie.add(phrase, "portion", float(part))
    for ends, phrases in grammar["shares"].items():  # a share of the shot, from here to there
        start, end = (float(number) for number in ends.split("-"))
        for phrase in split_words(phrases):
            trie.add(phrase, "share", end)
            trie.add(phrase, *(("portion", start) if start else ("first", True)))
    for name, act in actions["acts"].items():
        for phrase in split_words(act["words"]):
            trie.add(phrase, "act", name)
    for name, part in actions["parts"].items():
        for phrase in split_words(part["words"]):
            trie.add(phrase, "part", name)
    for verb, phrases in actions["verbs"].items():
        for phrase in split_words(phrases):
            trie.add(phrase, "verb", verb)
    for label, grades in lexicon["words"].items():
        for strength, phrases in grades.items():
            for phrase in split_words(phrases):
                trie.add(phrase, "emotion", (label, float(strength)))
    for name, row in data("emotions")["emotions"].items():
        trie.add(name.replace("_", " "), "emotion", (name, 0.0 if not row["aus"] else 0.75))
    trie.add("one", "one", True)
    trie.add("than", "than", True)
    for phrase in split_words(grammar["fillers"]):
        if " " in phrase:
            trie.add(phrase, "filler", True)
    for label, phrases in lexicon["situations"].items():
        for phrase in split_words(phrases):
            trie.add(phrase, "situation", (label, 0.75))
    for label, phrases in lexicon["other_languages"].items():
        for phrase in split_words(phrases):
            trie.add(phrase, "foreign", (label, 0.75))
    _add_codes(trie, set(actions["parts"]))
    for factor, phrases in grammar["degrees"].items():  # "mild" and "mildly" are one, whichever is listed
        for phrase in split_words(phrases):
            for other in _adverbs(phrase) - adverbs_apart - _fillers():
                if not trie.root.get(other, {}).get(""):
                    trie.add(other, "degree", float(factor))
    for factor, phrases in grammar["grades"].items():
        for phrase in split_words(phrases):
            trie.add(phrase, "grade", float(factor))
    return trie


def _add_codes(trie: _Trie, parts: set[str]) -> None:
    """FACS names, channel names and ARKit names."""
    table = data("aus")
    for code, row in [*table["aus"].items(), *table["stand_ins"].items()]:
        if code != "30M":  # "stretch the mouth sideways" is not it
            trie.add(row["name"], "facs", [(code, "", None)])
    for codes, phrases in table["muscles"].items():  # the names of muscles in anatomy, for the codes that they move
        for phrase in split_words(phrases):
            trie.add(phrase, "facs", [(code, "", None) for code in codes.split("+")])
    for code, name in table["missing"].items():
        trie.add(name, "facs", [(code, "", None)])
    for entry in contract.CHANNELS:
        code = next((code for code, au in table["aus"].items() if entry.name.split(".")[0] in au["channels"]), None)
        if not entry.arkit or code is None:
            continue
        split = entry.arkit in contract.SPLIT_UNITS
        own = re.fullmatch(r"(.*)(Left|Right)", entry.arkit)
        item = (code.replace("17", "17"), "" if split else entry.side or "", None)
        for spelling in _spellings(entry.arkit):
            trie.add(spelling, "facs", [item])
            if own:  # "eyeBlink_L"
                trie.add(f"{own[1]}_{own[2][0]}", "facs", [item])
                if own[1] not in parts:  # "mouthSmile"; "mouth" is a part
                    trie.add(own[1], "facs", [(code, "", None)])
            for side, endings in (("L", ("left", "_l", "_left")), ("R", ("right", "_r", "_right"))):
                for ending in endings if split else ():
                    trie.add(spelling + ending, "facs", [(code, side, None)])


def _stems(word: str) -> Iterator[tuple[str, float]]:
    """(possible base word, how much stronger its ending makes it)."""
    for ending, replacements, factor in (
        ("iest", ("y",), 1.3), ("est", ("", "e"), 1.3), ("ier", ("y",), 1.15), ("er", ("", "e"), 1.15),
        ("ily", ("y",), 1.0), ("ly", ("", "le"), 1.0), ("iness", ("y",), 1.0), ("ness", ("",), 1.0),
        ("ing", ("", "e"), 1.0), ("ied", ("y",), 1.0), ("ed", ("", "e"), 1.0), ("ies", ("y",), 1.0),
        ("es", ("", "e"), 1.0), ("s", ("",), 1.0), ("ful", ("",), 1.0), ("ish", ("", "e"), 0.7),
    ):  # fmt: skip
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)]
            for replacement in replacements:
                yield stem + replacement, factor
            if len(stem) > 3 and stem[-1] == stem[-2]:
                yield stem[:-1], factor


def _inflected(word: str) -> dict[str, Any]:
    """Readings of a word through its base form: feelings, movements and expressions only."""
    root = _phrases().root
    stems = list(_stems(word))
    # "Startles" and "terrifying" are known by "startled" and "terrified".
    stems += [
        (stem[:-1] + "ied" if stem.endswith("y") else stem + end, 1.0) for stem, _ in stems for end in ("d", "ed")
    ]
    for stem, factor in stems:
        found = root.get(stem, {}).get("", {})
        readings = {
            kind: value for kind, value in found.items() if kind in ("emotion", "situation", "verb", "act", "part")
        }
        if "degree" in found and not readings:
            # "The faintest": less still; "the hardest": more still.
            more = factor if found["degree"] > 1 else 1 / factor
            readings = {"degree": min(1.6, found["degree"] * more)}
        if readings:
            if "emotion" in readings and factor != 1.0:
                label, strength = readings["emotion"]
                readings["emotion"] = label, min(1.5, strength * factor)
            return readings
    return {}


#: Kinds of word that are looked for behind a misspelling.
_SPELT_KINDS = frozenset(["emotion", "act", "part", "verb", "side", "degree", "slow", "sudden", "then", "relax"])


@cache
def _spelling_targets() -> dict[str, dict[str, Any]]:
    """Words with one letter left out, two swapped, or one covered by "*" → readings."""
    result: dict[str, dict[str, Any]] = {}
    for word, node in _phrases().root.items():
        found = node.get("", {})
        if len(word) < 5 or not _SPELT_KINDS & set(found) or not word.isalpha():
            continue
        meant = {**found, "meant": word}
        for place in range(1, len(word)):
            result.setdefault(word[:place] + word[place + 1 :], meant)
            result.setdefault(word[:place] + word[place : place + 2][::-1] + word[place + 2 :], meant)
            if len(word) > 6:
                result.setdefault(word[:place] + "*" + word[place + 1 :], meant)
    return result


def _misspelt(word: str) -> dict[str, Any]:
    """Readings of the word of the lists that is one slip of the pen away; "meant" names it."""
    if len(word) < 4 or word in _friends():
        return {}
    targets = _spelling_targets()
    found = targets.get(word) or targets.get(word.replace("iz", "is"))
    if found:
        return found
    for place in range(1, len(word)):
        shorter = word[:place] + word[place + 1 :]  # one letter too many
        node = _phrases().root.get(shorter, {}).get("", {})
        if len(shorter) >= 5 and _SPELT_KINDS & set(node):
            return {**node, "meant": shorter}
        other = targets.get(word[:place] + "*" + word[place + 1 :])
        if other:
            return other
    return {}


@cache
def _friends() -> frozenset[str]:
    return frozenset(split_words(data("grammar")["false_friends"]))


@cache
def _fillers() -> frozenset[str]:
    return frozenset(split_words(data("grammar")["fillers"]))


def seconds(text: str) -> float | None:
    """A time as written → seconds; a frame number comes back negative. None if there is none."""
    text = text.strip()
    clock = re.search(r"(?:(\d{1,2}):)?(\d{1,2}):(\d{2}(?:\.\d+)?)", text)
    if clock:
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
    frame = re.search(r"frames?\s+(\d+)|(\d+)\s*-?frames?\b", text)
    if frame:
        return -1.0 - float(frame[1] or frame[2])
    grammar = data("grammar")
    found = re.search(rf"({_NUMBER})\s*(and\s+a\s+half\s*)?-?({_UNIT})(\s+and\s+a\s+half)?", text)
    if not found:
        return number(text)
    value = number(found[1])
    if value is None:
        return None
    value += 0.5 if found[2] or found[4] else 0.0
    return value * grammar["units"][found[3]]


_TIMES = ("span", "edge", "lasting", "over", "until", "wait", "later", "at", "bare")


def _time_reading(kind: str, text: str) -> Any:
    if kind == "span":
        parts = [
            part
            for part in re.split(
                r"\s*(?:\bto\b|\buntil\b|\btill?\b|\band\b(?! a half)|\bthrough\b|-+>?|=>|→|–|—|…)\s*",
                re.sub(r"^(from|between)\s+", "", text),
            )
            if part
        ]
        return tuple(seconds(part) or 0.0 for part in (parts[0], parts[-1]))
    if kind == "edge":
        which = re.search(r"first|last|final|next", text)[0].replace("final", "last")
        rest = re.sub(r".*\b(?:first|last|final|next)\b", "", text).strip()
        return which, (
            seconds(rest) if re.match(_NUMBER + r"\s", rest) else data("grammar")["units"].get(rest, 1.0)
        ) or 1.0
    digits = re.search(r"\bframe|\d", text)
    return seconds(text[digits.start() :] if digits else _last_number(text))


def _last_number(text: str) -> str:
    found = list(re.finditer(rf"\b{_BEFORE_UNIT}{_UNIT}(?:\s+and\s+a\s+half)?", text))
    return found[-1].group() if found else text


def _codes(text: str) -> list[tuple[str, str, float | None]]:
    """ "au1+2l+5b" → [(code, side, intensity or None)]."""
    letters, found = data("aus")["letters"], []
    for first, digits, side, letter in re.findall(r"([lr]?)0?(\d{1,2})([lr]?)([a-e]?)(?![^\W_])", text):
        found.append((str(int(digits)), (first or side).upper(), letters.get(letter) if letter else None))
    return found


def tags(text: str) -> list[Tag]:
    """A `normal` text as tags, in order; fillers are left out, unknown words are tags of the kind "unknown"."""
    matches = list(_SCANNER.finditer(text))
    scanned = [(match.lastgroup or "", match.group()) for match in matches]
    words = [piece if kind in ("word", "arrow") or piece == "&" else f"\0{kind}" for kind, piece in scanned]
    trie, result, position = _phrases(), [], 0
    while position < len(scanned):
        kind, piece = scanned[position]
        found = trie.longest(words, position) if not words[position].startswith("\0") else None
        if found:
            end, readings = found
            first, last = matches[position].start(), matches[end - 1].end()
            if readings.get("side") in ("L", "R") and len(readings) > 1 and "act" in readings:
                readings = dict(readings)
                result.append(Tag(text[first:last], {"side": readings.pop("side")}, first, first))
            if "events" in readings and text[first:last] not in _fillers():
                readings = {**readings, "unknown": True}
            if readings.keys() != {"filler"}:
                result.append(Tag(text[first:last], dict(readings), first, last))
            position = end
            continue
        tag = _single(kind, piece)
        inner = tags(piece.replace("-", " ")) if tag and "unknown" in tag and "-" in piece else []
        if inner and not any("unknown" in part or "meant" in part for part in inner):  # "half-laugh"
            begin = matches[position].start()
            result += [Tag(part.text, part.readings, begin + part.start, begin + part.end) for part in inner]
        elif tag:
            tag.start, tag.end = matches[position].span()
            result.append(tag)
        position += 1
    return result


def _single(kind: str, piece: str) -> Tag | None:
    if kind in _TIMES:
        value = _time_reading(kind, piece)
        return Tag(piece, {kind: value}) if value is not None else Tag(piece, {"unknown": True})
    if kind == "percent":
        return Tag(piece, {"portion": float(re.search(r"\d+", piece)[0]) / 100})
    if kind == "gap":
        value = _time_reading("later", piece)
        return Tag(piece, {"after": True, "gap": value}) if value is not None else Tag(piece, {"after": True})
    if kind == "stretch":
        value = _time_reading("lasting", piece)
        return Tag(piece, {"lasting": value}) if value is not None else Tag(piece, {"unknown": True})
    if kind == "va":
        valence, arousal = (max(-1.0, min(1.0, float(found))) for found in re.findall(r"[-+]?\d*\.?\d+", piece)[:2])
        return Tag(piece, {"va": (valence, arousal)})
    if kind == "au":
        return Tag(piece, {"facs": _codes(piece)})
    if kind == "dotside":
        return Tag(piece, {"side": piece[1].upper()})
    if kind == "value":
        digits = re.search(r"\d*[.,]?\d+", piece)
        value = float(digits.group().replace(",", ".")) if digits else 0.0
        percent = "%" in piece or "cent" in piece or value >= 10
        return Tag(
            piece.strip(), {"value": value / 100 if percent else value, "prefix": not piece.strip()[0].isdigit()}
        )
    if kind == "quote":
        return Tag(piece, {"quote": piece.strip("\"'")})
    if kind == "mark":
        return Tag(piece, {"stop_mark" if piece[0] in ".!?;\n…" else "mark": piece})
    if kind == "number":
        return Tag(piece, {"unknown": True})
    if piece in _fillers():
        return None
    readings = _inflected(piece) or _script(piece) or _misspelt(piece)
    return Tag(piece, dict(readings) if readings else {"unknown": True})


@cache
def _unspaced() -> tuple[tuple[str, tuple[str, float]], ...]:
    """Words of scripts that put no spaces between words."""
    lists = data("lexicon")["other_languages"].items()
    return tuple((word, (label, 0.75)) for label, text in lists for word in split_words(text) if ord(word[0]) > 0x2E80)


def _script(piece: str) -> dict[str, Any]:
    if ord(piece[0]) <= 0x2E80:
        return {}
    return next(({"foreign": value} for word, value in _unspaced() if word in piece), {})
