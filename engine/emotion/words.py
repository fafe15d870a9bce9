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
_TIME = rf"(?:\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?:\.\d+)?|frames?\s+\d+|\d+\s*-?frames?\b|{_BEFORE_UNIT}{_UNIT}(?:\s+and\s+a\s+half)?)"
_VALUE = r"(?:\d+(?:[.,]\d+)?\s*(?:%|per\s?cent)|\d*[.,]\d+|\d{1,3})"
_LETTER = r"[^\W\d_]"
#: Strengths end here; a number beyond it is something else.
MOST_STRENGTH = 1.5

#: In order: what comes first wins where several fit at one place.
_SCANNER = re.compile(
    "|".join(
        f"(?P<{name}>{pattern})"
        for name, pattern in (
            ("quote", r"\"[^\"]{1,120}\"|(?<![^\W_])'[^']{1,80}'(?![^\W_])"),
            ("span", rf"(?:\b(?:from|between)\s+)(?:{_TIME}|{_NUMBER})\s*(?:to|until|till?|and|through|-+>?|=>|→|–|—|…)\s*{_TIME}"
                     rf"|(?<![\w.]){_TIME}\s*(?:to|until|till?|through|-+>?|=>|→|–|—|…)\s*{_TIME}"
                     rf"|(?<![\w.])(?:\d+(?:\.\d+)?)\s*(?:s|sec)?\s*(?:-|–|to)\s*\d+(?:\.\d+)?\s*{_UNIT}"),
            ("edge", rf"\b(?:(?:in|for|during|within|over)\s+)?(?:the\s+)?(?:very\s+)?(?:first|last|final|next)\s+"
                     rf"(?:{_NUMBER}\s+)?{_UNIT}"),
            ("lasting", rf"\b(?:for|lasting|lasts|last|during|held|hold(?:s|ing)?(?:\s+(?:it|that|this|them))?(?:\s+for)?)\s+(?:(?:about|around|just|only|for)\s+)?{_TIME}"),
            ("stretch", rf"\b{_TIME}\s+of\b"),
            ("va", r"\bvalence\s*(?:at|of|[=:])?\s*[-+]?\d*\.?\d+\s*(?:,|and|;)?\s*(?:and\s+)?"
                   r"arousal\s*(?:at|of|[=:])?\s*[-+]?\d*\.?\d+"),
            ("over", rf"\b(?:over|within|across|in\s+the\s+course\s+of|taking|takes|through|throughout)\s+"
                     rf"(?:the\s+)?(?:next\s+|course\s+of\s+|about\s+)?{_TIME}"),
            ("until", rf"\b(?:until|till?|up\s+to|up\s+until|before|ending\s+at)\s+"
                      rf"(?:about\s+|around\s+)?{_TIME}"),
            ("wait", rf"\b(?:waits?|pauses?|holds?\s+on)\s+(?:for\s+|until\s+|till\s+)?{_TIME}"),
            ("percent", r"\b(?:at|from|after)\s+\d{1,2}\s*(?:%|per\s?cent)\s+(?:of|into|through)\s+(?:the\s+)?(?:line|shot|clip|way|time)"),
            ("gap", rf"\b{_TIME}\s+after(?!\s+(?:that|this|the\s+(?:start|beginning|word|line|cut)|word|wards))(?=\s)"),
            ("later", rf"\b{_TIME}\s+(?:later|afterwards|after\s+that)"),
            ("at", rf"(?:@\s*|\b(?:(?:starting|beginning|start|begin|only)\s+)?"
                   rf"(?:at|from|after|around|about|by|in|on|past|since|t\s*=)\s+"
                   rf"(?:about\s+|around\s+|exactly\s+)?){_TIME}(?:\s+in(?:to\s+it)?\b)?(?!\s+of\b)"),
            ("bare", rf"(?<![\w.]){_TIME}(?:\s+in(?:to\s+it)?\b)?"),
            ("au", r"\b(?:action\s+units?|aus?)\s*[-_:]?\s*[lr]?0?\d{1,2}[lr]?[a-e]?(?![^\W_])"
                   r"(?:\s*(?:\+|/|&)\s*(?:au)?\s*[lr]?\d{1,2}[lr]?[a-e]?(?![^\W_.]))*"
                   r"|(?<![\w.])[lr]?\d{1,2}[lr]?[a-e]?(?:\s*\+\s*(?:au)?\s*[lr]?\d{1,2}[lr]?[a-e]?(?![^\W_.]))+"
                   r"|(?<![\w.])(?:[lr]\d{1,2}[a-e]?|(?![23]d)\d{1,2}[lr]?[a-e])(?![^\W_])"),
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

_CONTRACTIONS = (
    (re.compile(r"\b(wo|ca|sha)n't\b"), r"\1n not"), (re.compile(r"n't\b"), " not"),
    (re.compile(r"\bcannot\b"), "can not"),
    (re.compile(r"\b(he|she|it|that|there|what|who)'s\b"), r"\1 is"), (re.compile(r"\b(they|you|we)'re\b"), r"\1 are"),
    (re.compile(r"\b(i|you|he|she|it|we|they)'(ll|d|ve)\b"), r"\1"), (re.compile(r"\bi'm\b"), "i am"),
    (re.compile(r"\b(do|does|did|is|are|was|were|has|have|had|would|should|could)nt\b"), r"\1 not"),
    (re.compile(r"\b(wo|ca)nt\b"), r"\1n not"), (re.compile(r"\b(that|what|here)s\b"), r"\1 is"),
    (re.compile(r"\b(smile|smirk|grin|frown|scowl|sneer|pout|anger|fear|sadness|joy)'s (?=gone|over|back|there|away|done)"),
     r"\1 is "),
)  # fmt: skip


#: Turns of phrase put into the words that the lists know: "as wide as they go", "way up", "a smile from then on".
_TURNS = (
    (re.compile(r"\bas (?!far\b|much\b|hard\b|soon\b|if\b|though\b)(\w+(?: open| shut| apart)?) as "
                r"(?:possible|(?:it|they|you|he|she|we|i|one) (?:can|could|go(?:es)?|will|gets?)(?: go| get| be)?\b)"),
     r"\1 to the max"),
    (re.compile(r"\b(?:the|that|this) (?:very )?(?:second|moment|instant|minute) "
                r"(?=(?:that |when )?(?:he|she|they|it|the|his|her|their|you|your|i|my|we|someone|somebody) )"), "once "),
    (re.compile(r"\bnot (until|till|before) "), "only after "),
    (re.compile(r"\b(?:do|does|did|will)? ?not (?:move|change|budge|stir|react|respond|flinch|show (?:anything|a thing)|"
                r"do (?:anything|a thing)|emote)(?: a muscle)?(?= (?:until|till?|before) )"), "neutral"),
    (re.compile(r"\bno (?:change|movement|expression|reaction|emotion)s?(?: at all)?(?= (?:until|till?|before|for|up) )"), "neutral"),
    (re.compile(r"\b((?:until|till?|before|at) (?:[^,.;]{1,24}(?:s|\d))),? (?:at which point|when|whereupon|where)\b"), r"\1, then"),
    (re.compile(r"\b(?:do|does|did|will|would|should|can|could|must|let)? ?not (?:ever )?"
                r"(?:move|change|budge|stir|react|participate|join(?: in)?|take part|follow(?: suit)?|shift|flinch|respond|"
                r"engage|help|share in it|get involved|be involved|involved|change at all|move at all)\b(?: at all| an inch)?"),
     " motionless "),
    (re.compile(r"\b(?:is|are|was|were|stays?|remains?) (?:kept |left )?(?:out of it|uninvolved|not involved)\b"), " motionless "),
    (re.compile(r"\b(?:no|without (?:any )?|zero) ((?:\w+ )?(?:brow|eyebrow|mouth|lip|eye|head|jaw|cheek|nose|face)) "
                r"(?:movement|motion|action|activity|involvement)\b"), r"\1 motionless "),
    (re.compile(r"\bwithout (?:ever )?(?:moving|using|involving|engaging) "), "without "),
    (re.compile(r"\b(?:nothing|everything stays? still|no movement|all still|everything (?:is )?still)(?: else)?(?: at all)? "
                r"(?=(?:until|till|before) )"), "neutral "),
    (re.compile(r"\b(?:rest of (?:the|his|her|their|your) face|everything else|nothing else|the rest|(?:otherwise|else) dead)"
                r" (?:is |stays? |remains? |moves?|still)*(?:still|neutral|calm|blank|motionless|relaxed|dead still|put|passive)?"
                r"(?=\s*(?:[,.;!?]|$))"), "otherwise blank"),
    (re.compile(r"\botherwise (?:dead |completely |totally |perfectly )?(?:still|motionless|unmoving|calm|relaxed)\b"), "otherwise blank"),
    (re.compile(r"\b(?:stays?|remains?|is|are|left|kept) (?:right |exactly |just )?(?:where (?:it|they|he|she) (?:is|are|was|were)|"
                r"alone|as (?:it|they) (?:is|are)|untouched|put)\b"), " motionless "),
    (re.compile(r"\b(left|right)-(?=(?:eye|brow|eyebrow|lip|mouth|cheek|lid|nostril|corner|wink|smirk)s?\b)"), r"\1 "),
    (re.compile(r"\b(left|right)-(?:leaning|tilted|sided|heavy|weighted|biased|skewed|slanted|cornered)\b"), r"\1"),
    (re.compile(r"\bun(smiling|frowning|blinking)\b"), r"not \1"),
    (re.compile(r"\b(smile|frown|fear|emotion|expression|feeling|joy|humou?r)less(?:ly)?\b"), r"no \1"),
    (re.compile(r"\bway (up|down|open|wide|apart|back|forward)\b"), r"very much \1"),
    (re.compile(r"\b(?:(?:stays?|remains?|staying) (?:put|still)|(?:keeps?|held|hold) still)\b"), " motionless "),
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
    for pattern, replacement in _BRACKETED:
        text = pattern.sub(replacement, text)
    text = re.sub(r"[*_#`~^\\{}\[\]$]+(?=\W|$)|(?<!\w)[*_#`~^\\{}\[\]$]+", " ", text).lower()
    text = re.sub(r"\(\s*(left|right|both|l|r)\s*\)", r" \1 ", text)
    for pattern, replacement in (*_CONTRACTIONS, *_TURNS, *_OTHER_FORMS, *_SIDES_APART):
        text = pattern.sub(replacement, text)
    text = re.sub(r"\(\s*\)", " ", text)
    own = re.search(r"\b(?:left|right)\b", _SEEN.sub("", text))
    text = _SEEN.sub(lambda m: "" if own else "right" if m[1] == "left" else "left", text)
    return _then_first(_one_time_form(text))


_COUNTED = "|".join(sorted((name for name in data("grammar")["numbers"] if name != "half"), key=len, reverse=True))
#: What may stand between a number and the end of a time that is written without a unit.
_NO_UNIT = r"(?!\s*(?:%|per\s?cent|:\d|[-–]|\w))(?![.,]?\d)"

#: Times in other notations → "2 s", "at 2 s", "from 1 s to 3 s".
_TIME_FORMS = (
    (re.compile(r"\bno sooner ([^.;!?]*?),? than "), r"first \1, then "),
    (re.compile(r"\b(?:as soon as|once|when|by the time|the moment|after) (?:the |we |it |you )?(?:clock|timer|counter|timecode|playhead|time|"
                r"shot)? ?(?:hits?|reach(?:es)?|shows?|reads?|gets? to|is at|says|strikes|passes) (?=(?:the )?(?:\d|frame|one |two |three |four |five |second ))"),
     "at "),
    (re.compile(rf"\b(\d+(?:\.\d+)?|{_COUNTED}) (?:whole|full|entire|solid|good|long|more) (?=s\b|sec|frame|beat|moment)"), r"\1 "),
    (re.compile(r"\bthe (first|second|third|fourth|fifth|sixth) (and|to|until|till|through) the (first|second|third|fourth|fifth|sixth) second\b"),
     lambda m: f"{_ORDINALS[m[1]]} s {m[2]} {_ORDINALS[m[3]]} s"),
    (re.compile(r"(?<=[a-z] )(\d+(?:\.\d+)?) ?[-–] ?(\d+(?:\.\d+)?)(?=\s*(?:[,;.]|$))"),
     lambda m: f"from {m[1]} s to {m[2]} s" if float(m[2]) > MOST_STRENGTH else m[0]),
    (re.compile(rf"\b(?:with |after )?(?:a |an |the )?(\d+(?:\.\d+)?|{_COUNTED})[ -]?(?:s|secs?|seconds?)[ -](?:delay|pause|wait|gap)\b,?"),
     r"wait \1 s,"),
    (re.compile(rf"\b(?:with |after )?(?:a |an |the )?(?:delay|pause|wait|gap) of (\d+(?:\.\d+)?|{_COUNTED}) (?:s|secs?|seconds?)\b,?"),
     r"wait \1 s,"),
    (re.compile(rf"(?<=, )((?:and |then )?)(\d+(?:\.\d+)?|{_COUNTED}) of (?=[a-z])"), r"\1\2 s of "),
    (re.compile(r"\b(from|between) the (first|second|third|fourth|fifth|sixth) second (to|until|till|and|through) the "
                r"(first|second|third|fourth|fifth|sixth)(?: second)?\b"),
     lambda m: f"{m[1]} {_ORDINALS[m[2]]} s {m[3]} {_ORDINALS[m[4]]} s"),
    (re.compile(r"\b(two|three|four|five|2|3|4|5) ((?:[a-z]+ )?)(blinks|nods|winks|twitches|head shakes|shakes of the head)\b"),
     r"\2\3 \1 times"),
    (re.compile(r"\bthan (?:with|on|in|at|for|of|by) "), "than "),
    (re.compile(r"\bup to (?=\")"), "until "),
    (re.compile(r"\bafter (?:that|this|the) (?:word|line|phrase)\b"), "then"),
    (re.compile(r"\bbefore (?:that|this|the) (?:word|line|phrase)\b"), "beforehand"),
    (re.compile(r"\b(?:a )?quarter (?:of )?(?:a |of a )?(?=second|sec\b|minute)"), "0.25 "),
    (re.compile(r"\b(?:a )?(?:three|3)[ -]quarters? (?:of )?(?:a )?(?=second|sec\b|minute)"), "0.75 "),
    (re.compile(r"\bhalf (?:a |of a )?(?=second\b|sec\b|minute\b)"), "0.5 "),
    (re.compile(r"\b(?:a )?split[ -]second\b(?! of)"), "split-second"),
    (re.compile(r"\ba couple (?:of )?(?:more )?(?=sec|second|frame|beat)"), "2 "),
    (re.compile(r"\b(?:a few|some|several) (?:more )?(?=seconds|secs|beats)"), "3 "),
    (re.compile(r"\banother (?=sec\b|second\b|beat\b|moment\b|frame\b)"), "1 "),
    (re.compile(rf"\banother (?=(?:\d+(?:\.\d+)?|{_COUNTED}) (?:s|secs?|seconds?)\b)"), ""),
    (re.compile(rf"\b({_COUNTED}) point ({_COUNTED})\b"), lambda m: f"{_count(m[1])}.{_count(m[2])}"),
    (re.compile(rf"\b(?:the )?(\d+(?:\.\d+)?|{_COUNTED})[ -]*(?:s|secs?|seconds?)[ -](?:mark|point|position)\b"), r"\1 s"),
    (re.compile(r"\bthe (first|second|third|fourth|fifth|sixth) second(?: mark)?(?= on\b| onwards?\b)"), lambda m: f"{_ORDINALS[m[1]]} s"),
    (re.compile(r"\bseconds? (\d+(?:\.\d+)?) (to|and|until|till|-|–|through) (?:seconds? )?(\d+(?:\.\d+)?)\b(?! ?s)"), r"\1 s \2 \3 s"),
    (re.compile(rf"\b(?:seconds?|secs?) (\d+(?:\.\d+)?|{_COUNTED})\b(?! ?s\b| sec)"), lambda m: f"{_count(m[1])} s"),
    (re.compile(r"\b(?:at )?(?:time|t) ?(?:=|:|\+) ?(\d+(?:\.\d+)?)(?: ?s(?:ec(?:ond)?s?)?)?\b"), r"at \1 s"),
    (re.compile(r"@ ?(\d+(?:\.\d+)?)(?: ?s(?:ec(?:ond)?s?)?)?\b(?![.:]?\d)"), r"at \1 s"),
    (re.compile(rf"\b(from|between) (\d+(?:\.\d+)?|{_COUNTED}) (to|and|until|till) (\d+(?:\.\d+)?|{_COUNTED}){_NO_UNIT}"),
     lambda m: m[0] if float(_count(m[4])) <= MOST_STRENGTH else f"{m[1]} {_count(m[2])} s {m[3]} {_count(m[4])} s"),
    (re.compile(r"(^|[,.;\n(] ?)(\d+(?:\.\d+)?) ?(?:to|-|–) ?(\d+(?:\.\d+)?) ?(?:s|sec)?:"), r"\1from \2 s to \3 s "),
    (re.compile(r"\b(first|next|last|final) (\d+(?:\.\d+)?)\b(?![.\d])(?!\s*(?:s\b|sec|ms\b|min|frame|beat|moment|%|au))"), r"\1 \2 s"),
    (re.compile(r"\bframes? (\d+) ?(?:to|until|till|and|-|–|through) ?(?:frame )?(\d+)\b"), r"frame \1 to frame \2"),
    (re.compile(r"\b(\d+) ?f\b"), r"frame \1"),
    (re.compile(r"\b(?:f|fr|frame) ?#? ?(\d+)\b(?!\.\d)"), r"frame \1"),
)  # fmt: skip
_SIDE = r"(?:the |his |her |their |its |your |my )?(left|right)"
_BIT = r"(ends?|corners?|parts?|half|halves|tails?|edges?|lids?|tip|side|third)"
#: A side in the middle of a name goes before it; who stays out of it keeps still.
_SIDES_APART = (
    (re.compile(rf"\b((?:inner|outer|upper|lower|medial|lateral|top|bottom) )?{_BIT} of {_SIDE} (?=eye|brow|lip|mouth|cheek|nos)"),
     r"\3 \1\2 of "),
    (re.compile(r"\b(left|right) (?:side|half|part|end) of (?:the |his |her |their |your )?(?=(?:lower |upper |bottom |top )lip)"), r"\1 "),
    (re.compile(r"\bnot so much ([^,.;]+?) as "), r"not \1 but "),
    (re.compile(r"\bnot ([^,.;]+?),? so much as "), r"not \1 but "),
    (re.compile(rf"\b(brow|eyebrow|lid|skin|one) (?:over|above|on top of|below|under|beneath|of) {_SIDE} eye\b"), r"\2 \1"),
    (re.compile(r"\b(left|right) skin\b"), r"\1 lower lid"),
    (re.compile(r"\bskin (?:over|above|below|under|beneath|around) (?:the |his |her )?eyes?\b"), "lower lids"),
    (re.compile(r"\bleav(?:e|es|ing) ((?:[\w']+ ){1,4}?)(?:alone|be|untouched|out of it|out|still|as (?:it|they) (?:is|are)|"
                r"(?:exactly |right |just )?where (?:it|they) (?:is|are))\b"), r"\1 motionless"),
    (re.compile(r"\b(?:betrays?|shows?|reveals?|does|do|gives?|registers?|displays?|says?) (?:absolutely )?(?:nothing|not a thing|no sign of it)"
                r"(?: away)?(?: at all)?\b"), " motionless"),
)  # fmt: skip

#: Strengths in words → "40%", sides as seen by someone else → the face's own, frame rates out of the way.
_OTHER_FORMS = (
    (re.compile(r"(?:@|\bat)?\s*\b\d+(?:\.\d+)?\s*(?:fps|frames (?:per|a) second)\b"), " "),
    (re.compile(rf"\b({_COUNTED})(?:[ -]({_COUNTED}))?[ -]?(?:%|per ?cent)"),
     lambda m: f"{float(_count(m[1])) + float(_count(m[2]) if m[2] else 0):g}%"),
    (re.compile(r"\b(?:a |one )?quarter[ -](?=strength|intensity|power|amount|force|volume|size)"), "25% "),
    (re.compile(r"\b(?:a |one )?(?:third)[ -](?=strength|intensity|power|amount|force)"), "33% "),
    (re.compile(r"\b(?:a )?half[ -](?=strength|intensity|power|amount|force|volume|size)"), "50% "),
    (re.compile(r"\b(?:three|3)[ -]quarters?[ -](?=strength|intensity|power|amount|force|volume|size)"), "75% "),
    (re.compile(r"\b(\d+(?:\.\d+)?)(?:[ -]?/|[ -]out[ -]of) ?(10|100)\b"), lambda m: f"{100 * float(m[1]) / float(m[2]):g}%"),
    (re.compile(r"(?<=\d)\s*@\s*(\d{1,3})\s*%?(?![\w.])|(?<=\d[lr])\s*@\s*(\d{1,3})\s*%?(?![\w.])"),
     lambda m: f" at {m[1] or m[2]}%"),
    (re.compile(r",? (?:intensity|level|grade|strength) ([a-e])\b"), r"\1"),
    (re.compile(r"\b((?:au ?)\d{1,2}[lr]?) ?(?:at|=|:|-) ?([a-e])\b"), r"\1\2"),
    (re.compile(r"\b((?:au ?)?\d{1,2}[lr]?) ([a-e])(?=\s*(?:$|[,.;+&/]|and\b))"), r"\1\2"),
    (re.compile(r"\b(his|her|their|its|your|my|the|character's|actor's) own (left|right)\b"), r"\1 \2"),
    (re.compile(r"\((?:i\.e\.,? )?(?:his|her|their|its|your|my|character's|actor's|the) (left|right)\)"), r" \1 "),
)  # fmt: skip
_SEEN = re.compile(r"\b(?:screen|camera|frame|viewer's|viewers'|viewer|audience|our|picture|image)[ -](left|right)\b")
_ORDINALS = {name: place for place, name in enumerate(("first", "second", "third", "fourth", "fifth", "sixth"), 1)}
_BARE_AT = re.compile(rf"(?<!\d )(?<!\w\d )\b(at|by|after|until|till|from) (\d+(?:\.\d+)?)(?: on(?:wards?)?)?{_NO_UNIT}(?=\W|$)")
_LISTED = re.compile(
    r"(?:(?<=^)|(?<=[\n.,;:!] )|(?<=\n)|(?<= ))\(?([1-9])[.)](?=\s+[a-z])"
    r"|\b(?:step|phase|stage|part|pose|beat|shot|moment)\s+([1-9]|one|two|three|four|five|six)\b\s*[:.)-]?"
)


def _count(text: str) -> str:
    """A number as digits."""
    value = number(text)
    return text if value is None else f"{value:g}"


def stated_rate(text: str) -> float | None:
    """The frame rate that a direction speaks of ("frame 48 at 24 fps")."""
    found = re.search(r"\b(\d+(?:\.\d+)?)\s*(?:fps|frames (?:per|a) second)\b", text.lower())
    return float(found[1]) if found and 1.0 <= float(found[1]) <= 1000.0 else None


def _one_time_form(text: str) -> str:
    """Times in the notations of scripts, clocks, lists and frame counts → those that the scanner knows."""
    for pattern, replacement in _TIME_FORMS:
        text = pattern.sub(replacement, text)
    if re.search(r"\bframe \d+ to frame \d+", text):  # "frames 0-24 calm, 24-48 angry"
        text = re.sub(r"(?<=[,;] )(\d+) ?(?:-|–|to) ?(\d+)(?= [a-z])", r"frame \1 to frame \2", text)
    if re.search(rf"\bat (?:\d+(?:\.\d+)?|{_COUNTED}) ?(?:s|secs?|seconds?)\b", text):  # "at one second …, at two …"
        text = re.sub(rf"\b(at|by|until|till) ({_COUNTED})(?=\s*(?:[,.;]|$))", lambda m: f"{m[1]} {_count(m[2])} s", text)
    # "At 2" is a time where it can be no strength: strengths end at 1.5.
    plain = [float(found[2]) for found in _BARE_AT.finditer(text)]
    if any(value > MOST_STRENGTH for value in plain):
        text = _BARE_AT.sub(lambda m: m[0] if _names_code(text[: m.start()]) else f"{m[1]} {m[2]} s", text)
    counted = [found[1] or _count(found[2]) for found in _LISTED.finditer(text)]
    if len(counted) > 1 and counted == [str(place) for place in range(1, len(counted) + 1)]:
        text = _LISTED.sub(lambda m: " first " if (m[1] or _count(m[2])) == "1" else " then ", text)
    return text


def _names_code(before: str) -> bool:
    return re.search(r"\b(?:au|unit)\s*\d+\w?\s*$", before) is not None


_BRACKETED = (
    (re.compile(r"[\[(]\s*(\d+(?:\.\d+)?)\s*s?\s*(?:-+>?|–|—|to|:|\.\.+|,)\s*(\d+(?:\.\d+)?)\s*(?:s|sec|seconds)?\s*[\])]:?"),
     r" from \1 s to \2 s "),
    (re.compile(r"\[\s*(\d+(?:\.\d+)?)\s*(?:s|sec|seconds)?\s*\]:?"), r" at \1 s "),
)  # fmt: skip
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
            if word in _SOFT and position > start and node is not self.root:
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
    "micro, only, without, except, from, to, keep, double_negation, uneven, low_negation, again"
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
    for phrase, part in (("halfway", 0.5), ("second half", 0.5), ("last half", 0.5), ("in second half", 0.5), ("latter half", 0.5),
                         ("last third", 0.6667), ("final third", 0.6667), ("last quarter", 0.75), ("final quarter", 0.75),
                         ("middle third", 0.3333), ("second third", 0.3333), ("at midpoint", 0.5), ("mid way", 0.5),
                         ("in the middle", 0.5), ("middle", 0.5), ("halfway in", 0.5), ("half time", 0.5), ("at half time", 0.5), ("halfway into", 0.5), ("half way into", 0.5),
                         ("two thirds in", 0.6667), ("two thirds through", 0.6667), ("two thirds of way through", 0.6667),
                         ("two thirds of way in", 0.6667), ("third of way through", 0.3333), ("third of way in", 0.3333),
                         ("quarter of way through", 0.25), ("quarter of way in", 0.25), ("three quarters through", 0.75),
                         ("three quarters of way through", 0.75), ("three quarters of way in", 0.75), ("half way in", 0.5), ("halfway through", 0.5), ("midway", 0.5), ("midway through", 0.5),
                         ("half way through", 0.5), ("half way", 0.5)):  # fmt: skip
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
    return trie


def _add_codes(trie: _Trie, parts: set[str]) -> None:
    """FACS names, channel names and ARKit names."""
    table = data("aus")
    for code, row in [*table["aus"].items(), *table["stand_ins"].items()]:
        if code != "30M":  # "stretch the mouth sideways" is not it
            trie.add(row["name"], "facs", [(code, "", None)])
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
                r"\s*(?:\bto\b|\buntil\b|\btill?\b|\band\b(?! a half)|\bthrough\b|-+>?|=>|→|–|—|…)\s*", re.sub(r"^(from|between)\s+", "", text)
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
            if readings.keys() != {"filler"}:
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
