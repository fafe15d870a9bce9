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
from .tables import data, split_words

#: Words skipped inside a phrase, so that "raise the left corner of his mouth" meets "corner of mouth".
_SOFT = frozenset(
    split_words("the, his, her, their, its, my, your, our, a, an, he, she, it, they, one's, is, are, was, were")
)
_SPELT = r"(?:half an?|an?\s+half|" + "|".join(data("grammar")["numbers"]) + r"|an?)"
_DIGITS = r"\d+(?:[.,]\d+)?"
_NUMBER = rf"(?:{_DIGITS}|{_SPELT})"
_BEFORE_UNIT = rf"(?:{_DIGITS}\s*(?:and\s+a\s+half\s*)?-?|{_SPELT}[\s-]+(?:and\s+a\s+half\s+)?)"
_UNIT = r"(?:" + "|".join(sorted(data("grammar")["units"], key=len, reverse=True)) + r")(?![^\W\d_])"
_TIME = rf"(?:\d{{1,2}}:\d{{2}}(?:\.\d+)?|frames?\s+\d+|{_BEFORE_UNIT}{_UNIT}(?:\s+and\s+a\s+half)?)"
_VALUE = r"(?:\d+(?:[.,]\d+)?\s*(?:%|per\s?cent)|\d*[.,]\d+|\d)"
_LETTER = r"[^\W\d_]"

#: In order: what comes first wins where several fit at one place.
_SCANNER = re.compile(
    "|".join(
        f"(?P<{name}>{pattern})"
        for name, pattern in (
            ("quote", r"\"[^\"]{1,120}\"|(?<![^\W_])'[^']{1,80}'(?![^\W_])"),
            ("span", rf"(?:\b(?:from|between)\s+)(?:{_TIME}|{_NUMBER})\s*(?:to|until|till|and|-|–|…)\s*{_TIME}"
                     rf"|(?<![\w.])(?:\d+(?:\.\d+)?)\s*(?:s|sec)?\s*(?:-|–|to)\s*\d+(?:\.\d+)?\s*{_UNIT}"),
            ("edge", rf"\b(?:(?:in|for|during|within|over)\s+)?(?:the\s+)?(?:very\s+)?(?:first|last|final|next)\s+"
                     rf"(?:{_NUMBER}\s+)?{_UNIT}"),
            ("lasting", rf"\b(?:for|lasting|lasts|during|held)\s+(?:(?:about|around|just|only|for)\s+)?{_TIME}"),
            ("stretch", rf"\b{_TIME}\s+of\b"),
            ("va", r"\bvalence\s*(?:at|of|[=:])?\s*[-+]?\d*\.?\d+\s*(?:,|and|;)?\s*(?:and\s+)?"
                   r"arousal\s*(?:at|of|[=:])?\s*[-+]?\d*\.?\d+"),
            ("over", rf"\b(?:over|within|across|in\s+the\s+course\s+of|taking|takes|through|throughout)\s+"
                     rf"(?:the\s+)?(?:next\s+|course\s+of\s+|about\s+)?{_TIME}"),
            ("until", rf"\b(?:until|till|up\s+to|before)\s+{_TIME}"),
            ("wait", rf"\b(?:waits?|pauses?|holds?\s+on)\s+(?:for\s+|until\s+|till\s+)?{_TIME}"),
            ("later", rf"\b{_TIME}\s+(?:later|afterwards|after\s+that)"),
            ("at", rf"(?:@\s*|\b(?:(?:starting|beginning|start|begin|only)\s+)?"
                   rf"(?:at|from|after|around|about|by|in|on|past|since|t\s*=)\s+"
                   rf"(?:about\s+|around\s+|exactly\s+)?){_TIME}(?:\s+in(?:to\s+it)?\b)?"),
            ("bare", rf"(?<![\w.]){_TIME}(?:\s+in(?:to\s+it)?\b)?"),
            ("au", r"\b(?:action\s+units?|aus?)\s*[-_]?\s*0?\d{1,2}[lr]?[a-e]?(?![^\W_])"
                   r"(?:\s*(?:\+|/|&)\s*(?:au)?\s*\d{1,2}[lr]?[a-e]?(?![^\W_.]))*"
                   r"|(?<![\w.])\d{1,2}[lr]?[a-e]?(?:\s*\+\s*\d{1,2}[lr]?[a-e]?(?![^\W_.]))+"),
            ("dotside", r"\.[lr](?![^\W_])"),
            ("value", rf"(?:(?:\bat\s+|\bto\s+|\bof\s+|\bby\s+|[=:]\s*)?(?<![\w.]){_VALUE})(?!\w)"),
            ("arrow", r"->|=>|→|⇒"),
            ("word", rf"{_LETTER}+(?:[-'_]{_LETTER}+)*"),
            ("mark", r"[.!?;:,\n()&+/|…]|[-–—](?=\s)"),
            ("number", r"\d+"),
        )
    ),
    re.IGNORECASE,
)  # fmt: skip

_CONTRACTIONS = (
    (re.compile(r"\b(wo|ca|sha)n't\b"), r"\1n not"), (re.compile(r"n't\b"), " not"),
    (re.compile(r"\bcannot\b"), "can not"),
    (re.compile(r"\b(he|she|it|that|there|what|who)'s\b"), r"\1 is"), (re.compile(r"\b(they|you|we)'re\b"), r"\1 are"),
    (re.compile(r"\b(i|you|he|she|it|we|they)'(ll|d|ve)\b"), r"\1"), (re.compile(r"\bi'm\b"), "i am"),
)  # fmt: skip


#: Turns of phrase put into the words that the lists know: "as wide as they go", "way up", "a smile from then on".
_TURNS = (
    (re.compile(r"\bas (?!far\b|much\b|hard\b|soon\b|if\b|though\b)(\w+(?: open| shut| apart)?) as "
                r"(?:possible|(?:it|they|you|he|she|we|i|one) (?:can|could|go(?:es)?|will|gets?)(?: go| get| be)?\b)"),
     r"\1 to the max"),
    (re.compile(r"\bway (up|down|open|wide|apart|back|forward)\b"), r"very much \1"),
    (re.compile(r"\bseconds? (\d+(?:\.\d+)?)\b(?! s)"), r"\1 s"),
    (re.compile(r"\b(?:(?:stays?|remains?|staying) (?:put|still)|(?:keeps?|held|hold) still)\b"), "motionless"),
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


def normal(text: str) -> str:
    """Lower case, plain quotes, no mark-up, contractions opened."""
    text = re.sub(r"<(script|style)\b[^>]*>.*?</\1\s*>", " ", text, flags=re.IGNORECASE | re.DOTALL)
    text = re.sub(r"<[^<>]{0,200}>", " ", text)
    text = re.sub(r"&(?:nbsp|amp|lt|gt|quot|#\d+);", " ", text)
    text = text.translate(
        str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‑": "-"})
    )
    text = re.sub(r"[*_#`~^\\{}\[\]$]+(?=\W|$)|(?<!\w)[*_#`~^\\{}\[\]$]+", " ", text).lower()
    text = re.sub(r"\(\s*(left|right|both)\s*\)", r" \1 ", text)
    for pattern, replacement in (*_CONTRACTIONS, *_TURNS):
        text = pattern.sub(replacement, text)
    return _then_first(text)


_FROM_THEN = re.compile(
    r"\bfrom (?:then|there|that (?:point|moment)) on(?:wards?)?\b|\b(?:afterwards?|thereafter)\b(?=\s*(?:[,.;!?]|$))"
)
_PHRASE_STARTS = re.compile(r"[,.;:!?\n]|\b(?:and|but|then)\b")


def _then_first(text: str) -> str:
    """ "A smile, a frown from then on": says "then" in front of the phrase that it stands behind."""
    parts, done = [], 0
    for found in _FROM_THEN.finditer(text):
        before = text[done : found.start()]
        start = max((mark.end() for mark in _PHRASE_STARTS.finditer(before)), default=0)
        if before[start:].strip():
            parts += [before[:start], " then ", before[start:]]
            done = found.end()
    return "".join(parts) + text[done:]


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
        node, best, position = self.root, None, start
        while position < len(words):
            word = words[position]
            if word in node:
                node = node[word]
                if "" in node:
                    best = position + 1, node[""]
            elif position == start or word not in _SOFT:
                break
            position += 1
        return best


def _words(phrase: str) -> list[str]:
    return [match.group() for match in re.finditer(rf"{_LETTER}+(?:[-'_]{_LETTER}+)*|->|=>|→|⇒|&", normal(phrase))]


def _spellings(name: str) -> set[str]:
    return {name.lower(), name.lower().replace("_", "")}


#: Lists of data/grammar.json that only say that a word is of a kind.
_GRAMMAR = split_words(
    "negators, stop, relax, then, become, final, first, rest, and, but, before, after, slow, sudden, brief, micro, "
    "only, without, from, to, keep, double_negation, uneven, low_negation"
)


@cache
def _phrases() -> _Trie:
    """Every phrase of the data files. Where two mean the same kind of thing, the first stands."""
    trie, grammar, actions, lexicon = _Trie(), data("grammar"), data("actions"), data("lexicon")
    for kind in _GRAMMAR:
        for phrase in split_words(grammar[kind]):
            trie.add(phrase, {"negators": "not", "low_negation": "low"}.get(kind, kind), True)
    for side, key in (("L", "left"), ("R", "right"), ("B", "both")):
        for phrase in split_words(grammar[key]):
            trie.add(phrase, "side", side)
    for factor, phrases in grammar["degrees"].items():
        for phrase in split_words(phrases):
            trie.add(phrase, "degree", float(factor))
    for count, phrases in grammar["times"].items():
        for phrase in split_words(phrases):
            trie.add(phrase, "times", int(count))
    for phrase, part in (("halfway", 0.5), ("halfway through", 0.5), ("midway", 0.5), ("midway through", 0.5),
                         ("in middle", 0.5), ("half way through", 0.5), ("half way", 0.5)):  # fmt: skip
        trie.add(phrase, "portion", part)
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
    for label, phrases in lexicon["situations"].items():
        for phrase in split_words(phrases):
            trie.add(phrase, "situation", (label, 0.75))
    for label, phrases in lexicon["other_languages"].items():
        for phrase in split_words(phrases):
            trie.add(phrase, "foreign", (label, 0.75))
    _add_codes(trie)
    return trie


def _add_codes(trie: _Trie) -> None:
    """FACS names, channel names and ARKit names."""
    table = data("aus")
    for code, row in [*table["aus"].items(), *table["stand_ins"].items()]:
        trie.add(row["name"], "facs", [(code, "", None)])
    for code, name in table["missing"].items():
        trie.add(name, "facs", [(code, "", None)])
    for entry in contract.CHANNELS:
        code = next((code for code, au in table["aus"].items() if entry.name.split(".")[0] in au["channels"]), None)
        if not entry.arkit or code is None:
            continue
        split = entry.arkit in contract.SPLIT_UNITS
        item = (code.replace("17", "17"), "" if split else entry.side or "", None)
        for spelling in _spellings(entry.arkit):
            trie.add(spelling, "facs", [item])
            for side, ending in (("L", "left"), ("R", "right")):
                if split:
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
        if readings:
            if "emotion" in readings and factor != 1.0:
                label, strength = readings["emotion"]
                readings["emotion"] = label, min(1.5, strength * factor)
            return readings
    return {}


@cache
def _spelling_targets() -> dict[str, dict[str, Any]]:
    """Words with one letter left out or two swapped → readings; for misspelt words of feeling."""
    result: dict[str, dict[str, Any]] = {}
    for word, node in _phrases().root.items():
        found = node.get("", {})
        if len(word) < 5 or not {"emotion", "act"} & set(found):
            continue
        for place in range(1, len(word)):
            result.setdefault(word[:place] + word[place + 1 :], {**found, "meant": word})
            result.setdefault(
                word[:place] + word[place : place + 2][::-1] + word[place + 2 :], {**found, "meant": word}
            )
    return result


def _misspelt(word: str) -> dict[str, Any]:
    if len(word) < 4 or word in _friends():
        return {}
    found = _spelling_targets().get(word)
    if found:
        return found
    for place in range(1, len(word)):  # one letter too many
        shorter = word[:place] + word[place + 1 :]
        node = _phrases().root.get(shorter, {}).get("", {})
        if len(shorter) >= 5 and {"emotion", "act"} & set(node):
            return {**node, "meant": shorter}
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
    clock = re.search(r"(\d{1,2}):(\d{2}(?:\.\d+)?)", text)
    if clock:
        return int(clock[1]) * 60 + float(clock[2])
    frame = re.search(r"frames?\s+(\d+)", text)
    if frame:
        return -1.0 - float(frame[1])
    grammar = data("grammar")
    found = re.search(rf"({_NUMBER})\s*(and\s+a\s+half\s*)?-?({_UNIT})(\s+and\s+a\s+half)?", text)
    if not found:
        return number(text)
    value = number(found[1])
    if value is None:
        return None
    value += 0.5 if found[2] or found[4] else 0.0
    return value * grammar["units"][found[3]]


def number(text: str) -> float | None:
    text = text.strip().replace(",", ".")
    if "half" in text:
        return 0.5
    if text in ("a", "an"):
        return 1.0
    try:
        return float(text)
    except ValueError:
        return data("grammar")["numbers"].get(text)


_TIMES = ("span", "edge", "lasting", "over", "until", "wait", "later", "at", "bare")


def _time_reading(kind: str, text: str) -> Any:
    if kind == "span":
        parts = [
            part
            for part in re.split(
                r"\s*(?:\bto\b|\buntil\b|\btill\b|\band\b|-|–|…)\s*", re.sub(r"^(from|between)\s+", "", text)
            )
            if part
        ]
        return tuple(abs(seconds(part) or 0.0) for part in (parts[0], parts[-1]))
    if kind == "edge":
        which = re.search(r"first|last|final|next", text)[0].replace("final", "last")
        rest = re.sub(r".*\b(?:first|last|final|next)\b", "", text).strip()
        return which, (
            seconds(rest) if re.match(_NUMBER + r"\s", rest) else data("grammar")["units"].get(rest, 1.0)
        ) or 1.0
    return seconds(re.sub(r"^.*?(?=\d|\bframe|\bhalf\b)", "", text) if re.search(r"\d", text) else _last_number(text))


def _last_number(text: str) -> str:
    found = list(re.finditer(rf"\b{_BEFORE_UNIT}{_UNIT}(?:\s+and\s+a\s+half)?", text))
    return found[-1].group() if found else text


def _codes(text: str) -> list[tuple[str, str, float | None]]:
    """ "au1+2l+5b" → [(code, side, intensity or None)]."""
    letters, found = data("aus")["letters"], []
    for digits, side, letter in re.findall(r"0?(\d{1,2})([lr]?)([a-e]?)(?![^\W_])", text):
        found.append((str(int(digits)), side.upper(), letters.get(letter) if letter else None))
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
            result.append(Tag(text[first:last], dict(readings), first, last))
            position = end
            continue
        tag = _single(kind, piece)
        if tag:
            tag.start, tag.end = matches[position].span()
            result.append(tag)
        position += 1
    return result


def _single(kind: str, piece: str) -> Tag | None:
    if kind in _TIMES:
        value = _time_reading(kind, piece)
        return Tag(piece, {kind: value}) if value is not None else Tag(piece, {"unknown": True})
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
        percent = "%" in piece or "cent" in piece
        return Tag(
            piece.strip(), {"value": value / 100 if percent else value, "prefix": not piece.strip()[0].isdigit()}
        )
    if kind == "quote":
        return Tag(piece, {"quote": piece.strip("\"'")})
    if kind == "mark":
        return Tag(piece, {"stop_mark" if piece in ".!?;\n…" else "mark": piece})
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
