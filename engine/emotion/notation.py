"""One way of writing: the many notations of directions → the one that `words` reads.

Times from scripts, clocks, lists and frame counts, strengths in words, sides as somebody else sees them, contractions
and turns of phrase (`turns`) become plain words. Nothing is decided: what cannot be said otherwise stays as it is.
"""

from __future__ import annotations

import itertools
import re

from . import turns
from .tables import data, number

#: Strengths end here; a number beyond it is something else.
MOST_STRENGTH = 1.5


_CONTRACTIONS = (
    (re.compile(r"\b(wo|ca|sha)n't\b"), r"\1n not"), (re.compile(r"n't\b"), " not"),
    (re.compile(r"\bcannot\b"), "can not"),
    (re.compile(r"\b(he|she|it|that|there|what|who)'s\b"), r"\1 is"), (re.compile(r"\b(they|you|we)'re\b"), r"\1 are"),
    (re.compile(r"\b(i|you|he|she|it|we|they)'(ll|d|ve)\b"), r"\1"), (re.compile(r"\bi'm\b"), "i am"),
    (re.compile(r"\b(do|does|did|is|are|was|were|has|have|had|would|should|could)nt\b"), r"\1 not"),
    (re.compile(r"\b(wo|ca)nt\b"), r"\1n not"), (re.compile(r"\b(that|what|here)s\b"), r"\1 is"),
    (re.compile(r"\b(smile|smirk|grin|frown|scowl|sneer|pout|anger|fear|sadness|joy)'s (?=gone|over|back|there|away|"
                r"done)"),
     r"\1 is "),
)  # fmt: skip


def opened(text: str) -> str:
    """Plain apostrophes, contractions in full, so that a word of the line is found as it is quoted."""
    text = text.replace("’", "'")
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    return text


#: Fractions in digits; plain quotes and hyphens.
_PLAIN = str.maketrans({"½": ".5", "¼": ".25", "¾": ".75", "’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "«": '"',
                        "»": '"', "‑": "-"})  # fmt: skip


def normal(text: str) -> str:
    """Lower case, plain quotes, no mark-up, contractions opened."""
    text = re.sub(r"<(script|style)\b[^>]*>.*?</\1\s*>", " ", text, flags=re.IGNORECASE | re.DOTALL)
    text = re.sub(r"<[^<>]{0,200}>", " ", text)
    text = re.sub(r"&(?:nbsp|amp|lt|gt|quot|#\d+);", " ", text)
    text = text.translate(_PLAIN)
    for pattern, replacement in _BRACKETED:
        text = pattern.sub(replacement, text)
    text = re.sub(r"[*_#`~^\\{}\[\]$]+(?=\W|$)|(?<!\w)[*_#`~^\\{}\[\]$]+", " ", text).lower()
    if stated_rate(text):  # "0..29 sad, 30-59 happy (30 fps)"
        text = re.sub(r"(?<![\w.])(\d+) ?(?:\.\.+|-|–) ?(\d+)(?= (?!(?:s|secs?|seconds?|fps|frames?)\b)[a-z])",
                      r"frame \1 to frame \2", text)  # fmt: skip
    text = _AT_RATE.sub(r"\1", _time_codes(text))
    text = re.sub(r"\(\s*(left|right|both|l|r)\s*\)", r" \1 ", text)
    for pattern, replacement in (*_CONTRACTIONS, *turns.ALL, *_OTHER_FORMS, *_SIDES_APART):
        text = pattern.sub(replacement, text)
    text = re.sub(r"\(\s*\)", " ", text)
    own = re.search(r"\b(?:left|right)\b", _SEEN.sub("", text))
    text = _SEEN.sub(lambda m: "" if own else "right" if m[1] == "left" else "left", text)
    return _then_first(_one_time_form(text))


_COUNTED = "|".join(sorted((name for name in data("grammar")["numbers"] if name != "half"), key=len, reverse=True))
#: What may stand between a number and the end of a time that is written without a unit.
_NO_UNIT = r"(?!\s*(?:%|per\s?cent|:\d|[-–]|(?!(?:and|then|but|while)\b)\w))(?![.,]?\d)"

_CLOCK = rf"\d?\d:\d\d(?:\.\d+)?|frame \d+|(?:\d+(?:\.\d+)?|{_COUNTED})(?: ?(?:s|secs?|seconds?)\b)?"
#: Times in other notations → "2 s", "at 2 s", "from 1 s to 3 s".
_TIME_FORMS = (
    # "1 1/2 s", "at three and a half", "at roughly 2 s", "no later than 2 s", "t2", "a frown x 2 s"
    (re.compile(r"(?<=\d) 1/2\b"), ".5"),
    (re.compile(rf"\b(at|by|until|till|from) (\d+|{_COUNTED}) and a half(?=\s*(?:[,;]|\.(?!\d)|$))"),
     lambda m: f"{m[1]} {_count(m[2])}.5 s"),
    (re.compile(r"\b(?:roughly|approximately|approx\.?|circa|ca\.?|more or less|precisely|exactly|just about) (?=\d|"
                rf"(?:{_COUNTED}|half) )"), ""),
    (re.compile(rf"\bno(?:t)? (?:later|earlier|sooner) than (?=\d|{_COUNTED})"), "at "),
    (re.compile(r"(?<![\w.])t ?(\d+(?:\.\d+)?)s?\b(?![.:]\d)"), r"at \1 s"),
    (re.compile(rf"(?<=[a-z]) x (?=(?:\d+(?:\.\d+)?|{_COUNTED}) ?(?:s|secs?|seconds?)\b)"), " for "),
    (re.compile(r"(?<![\d.:])(?:from )?(\d+(?:\.\d+)?) ?(?:s|sec)? ?(?:-+>|=>|→|\.\.+|…|-|–|—) ?"
                r"(\d+(?:\.\d+)?) ?(?:s|secs?|seconds?)\b"), r"from \1 s to \2 s"),
    (re.compile(r"\bfrom the (first|second|third|fourth) second (?:to|until|till) the (second|third|fourth|fifth|"
                r"sixth)\b"
                r"(?! second)"), lambda m: f"from {_ORDINALS[m[1]]} s to {_ORDINALS[m[2]]} s"),
    (re.compile(r"\b(by|at|on|until|till|from) the (first|second|third|fourth|fifth|sixth)(?: "
                r"second)?(?=\s*(?:[.,;]|$))"),
     lambda m: f"{'at' if m[1] == 'on' else m[1]} {_ORDINALS[m[2]]} s"),
    # "a smile grows from 1 s to 3 s", "gets angry between 2 s and 4 s"
    (re.compile(rf"\b(?:grow(?:s|ing)?|get(?:s|ting)?|becom(?:es|ing)|turn(?:s|ing)?) ()((?:[a-z]+ )?[a-z]+),? "
                rf"(?:from|between) ({_CLOCK}) (?:to|and|until|till) ({_CLOCK})(?![\d.]*\d)"),
     lambda m: _ramp(m, 3, f"{m[2]} ")),
    # "fades in …, and out from 4 s to 5 s"
    (re.compile(r"(?:[,;] |(?:, )?\band )(?:then )?(?:fades? |eases? |goes )?(?:back )?(?:out|off) (?:again )?"
                r"(?=(?:from|between) )"), ", fades "),
    (re.compile(r"\b(?:linear(?:ly)? )?(?:ramp(?:s|ed|ing)?|builds?|building|grows?|growing|mounts?|intensif(?:y|"
                r"ies)|increases?|"
                r"swells?|rises?)(?: (?:up|slowly|steadily|gradually|linearly|evenly))* ((?:[\d.]+ ?%? ?(?:to|->|"
                r"-|–|→) ?[\d.]+ ?%? )?)"
                rf"(?:from|between) ({_CLOCK}) (?:to|and|until|till) ({_CLOCK})(?![\d.]*\d)"), lambda m: _ramp(m)),
    (re.compile(r"(?<![\d.:])(\d*\.?\d+) ?%? ?(?:->|→|=>) ?(\d*\.?\d+)( ?%)?(?! ?(?:s\b|sec|f\b))(?![.:\d])"), r"\2\3"),
    (re.compile(rf"\b(?:(?:goes|comes|fades|switched|pops|cuts) )?(?:in|on) (?:(?:at|on|by|@) ?)?({_CLOCK})"
                rf"(?:,| and|, and|;|,? then)? (?:(?:goes|comes|fades|switched|pops|cuts) )?(?:out|off)(?: again)? "
                rf"(?:(?:at|on|by|@) ?)?({_CLOCK})(?![\d.]*\d)"),
     lambda m: f"from {_with_unit(m[1])} to {_with_unit(m[2])}"),
    (re.compile(rf"(?<=[,;/.] )(?:then )?(?:out|off)(?: again)? (?:at|on|by|@) ?({_CLOCK})"), r"gone at \1"),
    (re.compile(rf"\bafter (?:another )?(\d+(?:\.\d+)?|{_COUNTED}) more (?:s|secs?|seconds?)\b"), r"\1 s later"),
    (re.compile(rf"\bafter another (\d+(?:\.\d+)?|{_COUNTED}) (?:s|secs?|seconds?)\b"), r"\1 s later"),
    (re.compile(r"\bafter another (?:s|sec|second)\b"), "1 s later"),
    (re.compile(r"\b(?:during|in|over|for) seconds? (?=\d)"), "from second "),
    (re.compile(r"\bfor (\d+(?:\.\d+)?)(?=\s*(?:;|[.,](?!\d)|$))"), r"for \1 s"),
    (re.compile(rf"\b(from|between) seconds? (\d+(?:\.\d+)?|{_COUNTED}) (to|and|until|till|through) (?:seconds? )?"
                rf"(\d+(?:\.\d+)?|{_COUNTED})\b(?! ?s)"),
     lambda m: f"{m[1]} {_count(m[2])} s {m[3]} {_count(m[4])} s"),
    (re.compile(r"\bon (?:the )?(?:count of )?(\d+(?:\.\d+)?)(?=\s*(?:[,;]|\.(?!\d)|$))"), r"at \1 s"),
    (re.compile(r"\bno sooner ([^.;!?]*?),? than "), r"first \1, then "),
    (re.compile(r"\b(?:as soon as|once|when|by the time|the moment|after) (?:the |we |it |you )?(?:clock|timer|"
                r"counter|timecode|playhead|time|"
                r"shot)? ?(?:hits?|reach(?:es)?|shows?|reads?|gets? to|is at|says|strikes|passes) (?=(?:the )?(?:\d|"
                r"frame|one |two |three |four |five |second ))"),
     "at "),
    (re.compile(rf"\b(\d+(?:\.\d+)?|{_COUNTED}|an?|another) (?:whole|full|entire|solid|good|long|more) (?=s\b|sec|"
                rf"frame|beat|moment)"), r"\1 "),
    (re.compile(r"\bthe (first|second|third|fourth|fifth|sixth) (and|to|until|till|through) the (first|second|third|"
                r"fourth|fifth|sixth) second\b"),
     lambda m: f"{_ORDINALS[m[1]]} s {m[2]} {_ORDINALS[m[3]]} s"),
    (re.compile(r"(?<=[a-z] )(\d+(?:\.\d+)?) ?[-–] ?(\d+(?:\.\d+)?)(?=\s*(?:[,;.]|$))"),
     lambda m: f"from {m[1]} s to {m[2]} s" if float(m[2]) > MOST_STRENGTH else m[0]),
    (re.compile(rf"\b(?:with |after )?(?:a |an |the )?(\d+(?:\.\d+)?|{_COUNTED})[ -]?(?:s|secs?|seconds?)[ "
                rf"-](?:delay|pause|wait|gap)\b,?"),
     r"wait \1 s,"),
    (re.compile(rf"\b(?:with |after )?(?:a |an |the )?(?:delay|pause|wait|gap) of (\d+(?:\.\d+)?|{_COUNTED}) (?:s|"
                rf"secs?|seconds?)\b,?"),
     r"wait \1 s,"),
    (re.compile(rf"(?<=, )((?:and |then )?)(\d+(?:\.\d+)?|{_COUNTED}) of (?=[a-z])"), r"\1\2 s of "),
    (re.compile(r"\b(from|between) the (first|second|third|fourth|fifth|sixth) second (to|until|till|and|through) the "
                r"(first|second|third|fourth|fifth|sixth)(?: second)?\b"),
     lambda m: f"{m[1]} {_ORDINALS[m[2]]} s {m[3]} {_ORDINALS[m[4]]} s"),
    (re.compile(r"\b(two|three|four|five|2|3|4|5) ((?:[a-z]+ )?)(blinks|nods|winks|twitches|head shakes|shakes of "
                r"the head)\b"),
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
    (re.compile(rf"\b(?:the )?(\d+(?:\.\d+)?|{_COUNTED})[ -]*(?:s|secs?|seconds?)[ -](?:mark|point|position)\b"),
     r"\1 s"),
    (re.compile(r"\bthe (first|second|third|fourth|fifth|sixth) second(?: mark)?(?= on\b| onwards?\b)"),
     lambda m: f"{_ORDINALS[m[1]]} s"),
    (re.compile(r"\bseconds? (\d+(?:\.\d+)?) (to|and|until|till|-|–|through) (?:seconds? )?(\d+(?:\.\d+)?)\b(?! ?s)"),
     r"\1 s \2 \3 s"),
    (re.compile(rf"\b(?:seconds?|secs?) (\d+(?:\.\d+)?|{_COUNTED})\b(?! ?s\b| sec)"), lambda m: f"{_count(m[1])} s"),
    (re.compile(rf"\b(?:(?:very )?(?:slowly|gradually|steadily|smoothly)),? ()(?:from|between) ({_CLOCK}) (?:to|"
                rf"and|until|"
                rf"till) ({_CLOCK})(?![\d.]*\d)"), lambda m: _ramp(m)),
    (re.compile(r"\b(?:at )?(?:time|t) ?(?:=|:|\+) ?(\d+(?:\.\d+)?)(?: ?s(?:ec(?:ond)?s?)?)?\b"), r"at \1 s"),
    (re.compile(r"@ ?(\d+(?:\.\d+)?)(?: ?s(?:ec(?:ond)?s?)?)?\b(?![.:]?\d)"), r"at \1 s"),
    (re.compile(rf"\b(from|between) (\d+(?:\.\d+)?|{_COUNTED}) (to|and|until|till) (\d+(?:\.\d+)?|"
                rf"{_COUNTED}){_NO_UNIT}"),
     lambda m: m[0] if float(_count(m[4])) <= MOST_STRENGTH else f"{m[1]} {_count(m[2])} s {m[3]} {_count(m[4])} s"),
    (re.compile(r"(^|[,.;\n(] ?)(\d+(?:\.\d+)?) ?(?:to|-|–) ?(\d+(?:\.\d+)?) ?(?:s|sec)?:"), r"\1from \2 s to \3 s "),
    (re.compile(r"\b(first|next|last|final) (\d+(?:\.\d+)?)\b(?![.\d])(?!\s*(?:s\b|sec|ms\b|min|frame|beat|moment|%|"
                r"au))"), r"\1 \2 s"),
    (re.compile(r"\bframes? (\d+) ?(?:to|until|till|and|-|–|through) ?(?:frame )?(\d+)\b"), r"frame \1 to frame \2"),
    (re.compile(r"\b(\d+) ?f\b"), r"frame \1"),
    (re.compile(r"\b(?:f|fr|frame) ?#? ?(\d+)\b(?!\.\d)"), r"frame \1"),
)  # fmt: skip


def _ramp(found: re.Match, first: int = 2, said: str = "") -> str:
    """ "Builds from 1 s to 3 s": begins at 1 s and takes two seconds."""
    value = re.search(r"[\d.]+ ?%? $", found[1])
    said = found[0].split()[0] + " " if found[0].startswith("ris") else said  # a movement too: "the brows rise from …"
    start, end = (number(found[place].rstrip(" second")) for place in (first, first + 1))
    if start is None or end is None or end <= start:
        return found[0]
    return f"{said}{value[0] if value else ''}at {start:g} s over {end - start:g} s"


def _with_unit(time: str) -> str:
    return f"{_count(time)} s" if number(time) is not None else time


_SIDE = r"(?:the |his |her |their |its |your |my )?(left|right)"
_BIT = r"(ends?|corners?|parts?|half|halves|tails?|edges?|lids?|tip|side|third)"
#: A side in the middle of a name goes before it; who stays out of it keeps still.
_SIDES_APART = (
    (re.compile(rf"\b((?:inner|outer|upper|lower|medial|lateral|top|bottom) )?{_BIT} of {_SIDE} (?=eye|brow|lip|"
                rf"mouth|cheek|nos)"),
     r"\3 \1\2 of "),
    (re.compile(r"\b(left|right) (?:side|half|part|end) of (?:the |his |her |their |your )?(?=(?:lower |upper |"
                r"bottom |top )lip)"), r"\1 "),
    (re.compile(r"\bnot so much ([^,.;]+?) as "), r"not \1 but "),
    (re.compile(r"\bnot ([^,.;]+?),? so much as "), r"not \1 but "),
    (re.compile(rf"\b(brow|eyebrow|lid|skin|one) (?:over|above|on top of|below|under|beneath|of) {_SIDE} eye\b"),
     r"\2 \1"),
    (re.compile(r"\b(left|right) skin\b"), r"\1 lower lid"),
    (re.compile(r"\bskin (?:over|above|below|under|beneath|around) (?:the |his |her )?eyes?\b"), "lower lids"),
    (re.compile(r"\bleav(?:e|es|ing) ((?:[\w']+ ){1,4}?)(?:alone|be|untouched|out of it|out|still|as (?:it|they) "
                r"(?:is|are)|"
                r"(?:exactly |right |just )?where (?:it|they) (?:is|are))\b"), r"\1 motionless"),
    (re.compile(r"\b(?:betrays?|shows?|reveals?|does|do|gives?|registers?|displays?|says?) (?:absolutely "
                r")?(?:nothing|not a thing|no sign of it)"
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
    (re.compile(r"\b(\d+(?:\.\d+)?)(?:[ -]?/|[ -]out[ -]of) ?(10|100)\b"),
     lambda m: f"{100 * float(m[1]) / float(m[2]):g}%"),
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
_BARE_AT = re.compile(
    rf"(?<!\d )(?<!\w\d )\b(at|by|after|until|till|from) (\d+(?:\.\d+)?)(?: "
    rf"on(?:wards?)?)?{_NO_UNIT}(?=\W|$)"
)
_LISTED = re.compile(
    r"(?:(?<=^)|(?<=[\n.,;:!] )|(?<=\n)|(?<= ))\(?([1-9])[.):](?=\s+[a-z])"
    r"|\b(?:step|phase|stage|part|pose|beat|shot|moment)\s+([1-9]|one|two|three|four|five|six)\b\s*[:.)-]?"
)


_BARE_SPAN = re.compile(
    r"\b(?:from|between) (\d+(?:\.\d+)?)(?: s)? (?:to|and|until|till) (\d+(?:\.\d+)?)(?: s)?"
    r"(?![.,]?\d)(?=\s*(?:[,.;]|$|[a-z]))"
)


def _count(text: str) -> str:
    """A number as digits."""
    value = number(text)
    return text if value is None else f"{value:g}"


_AT_RATE = re.compile(r"\b((?:f|fr|frames?) ?\d+) ?(?:@|at) ?(\d\d)\b(?!\s*(?:%|per\s?cent|s\b|sec|fps))(?![.:]\d)")


def stated_rate(text: str) -> float | None:
    """The frame rate that a direction speaks of ("frame 48 at 24 fps", "f48 @ 24")."""
    text = text.lower()
    found = re.search(r"\b(\d+(?:\.\d+)?)\s*(?:fps|frames (?:per|a) second)\b|" + _AT_RATE.pattern, text)
    found = found and (found[1] or found[3])
    return float(found) if found and 1.0 <= float(found) <= 1000.0 else None


#: An editor's time code: hours, minutes, seconds, frames; without hours where the frame rate is stated.
_CODE = re.compile(r"\b(?:tc ?)?((?:\d\d[:;]){3}\d\d|\d\d:\d\d:\d\d)\b")


def _time_codes(text: str) -> str:
    """Time codes in seconds, from the hour at which they begin."""
    rate = stated_rate(text)

    def seconds(code: str) -> float | None:
        fields = [int(field) for field in re.split("[:;]", code)]
        if len(fields) == 3 and not rate:
            return None
        hours, minutes, whole, frames = [0] * (4 - len(fields)) + fields
        return 3600.0 * hours + 60.0 * minutes + whole + frames / (rate or 24.0)

    found = [seconds(entry[1]) for entry in _CODE.finditer(text)]
    origin = 3600.0 * min((value // 3600.0 for value in found if value is not None), default=0.0)

    def replaced(entry: re.Match) -> str:
        value = seconds(entry[1])
        return entry[0] if value is None else f"at {value - origin:g} s"

    return re.sub(r"\bat (?=at \d)", "", _CODE.sub(replaced, text))


def _one_time_form(text: str) -> str:
    """Times in the notations of scripts, clocks, lists and frame counts → those that the scanner knows."""
    text = _leading_times(_shared_times(text))
    for pattern, replacement in _TIME_FORMS:
        text = pattern.sub(replacement, text)
    spans = [(found[1], found[2]) for found in _BARE_SPAN.finditer(text)]
    seconds = len(spans) > 1 and any(float(end) > MOST_STRENGTH for _, end in spans)
    if seconds or re.search(r"\bat \d+(?:\.\d+)? s\b", text):
        text = _BARE_SPAN.sub(r"from \1 s to \2 s", text)
    if re.search(r"\bframe \d+ to frame \d+", text):  # "frames 0-24 calm, 24-48 angry"
        text = re.sub(r"(?<=[,;] )(\d+) ?(?:-|–|to) ?(\d+)(?= [a-z])", r"frame \1 to frame \2", text)
    counted = len(re.findall(rf"\bat (?:{_COUNTED})\b(?! \w*(?:time|once|end))", text)) > 1
    if counted:  # "at zero …, at two …"
        text = re.sub(rf"\bat ({_COUNTED})\b(?! ?(?:s|secs?|seconds?|beats?|frames?)\b)",
                      lambda m: f"at {_count(m[1])} s", text)  # fmt: skip
    if re.search(rf"\bat (?:\d+(?:\.\d+)?|{_COUNTED}) ?(?:s|secs?|seconds?)\b", text):  # "at one second …, at two …"
        text = re.sub(
            rf"\b(at|by|until|till) ({_COUNTED})(?=\s*(?:[,.;]|$))", lambda m: f"{m[1]} {_count(m[2])} s", text
        )
    # "At 2" is a time where it can be no strength: strengths end at 1.5.
    plain = [float(found[2]) for found in _BARE_AT.finditer(text)]
    if any(value > MOST_STRENGTH for value in plain) or _HAPPENS.search(text):
        text = _TRAILING.sub(r"\1 at \2 s", text) if _HAPPENS.search(text) else text
        text = _BARE_AT.sub(lambda m: m[0] if _names_code(text[: m.start()]) else f"{m[1]} {m[2]} s", text)
    counted = [found[1] or _count(found[2]) for found in _LISTED.finditer(text)]
    if len(counted) > 1 and counted == [str(place) for place in range(1, len(counted) + 1)]:
        text = _LISTED.sub(lambda m: " first " if (m[1] or _count(m[2])) == "1" else " then ", text)
    return text


def _shared_times(text: str) -> str:
    """ "Neutral / fear / neutral, cuts at 1 s and 3 s", "a smile and a frown at 1 s and 3 s respectively": each has its
    time."""
    found = _SHARED.search(text)
    if not found:
        return text
    times = [_with_unit(entry[0]) for entry in re.finditer(_CLOCK, found[3])]
    items = [item for item in re.split(r"\s*(?:/|->|→|>|,? (?:then|and)\b|[,;])\s*", found[1]) if item.strip()]
    first = [""] if found[2] else []
    if not (found[2] or found[4]) or len(items) != len(times) + len(first):
        return text
    starts = first + [f"at {time} " for time in times]
    return (
        text[: found.start()]
        + ", then ".join(f"{when}{item}" for when, item in zip(starts, items, strict=True))
        + (text[found.end() :])
    )


_SHARED = re.compile(
    r"(?:^|(?<=[.:] ))([^.:]+?)[,;]? (?:((?:cuts|changes|switch(?:es)?|transitions|changeovers?|cutting|"
    r"changing)(?: over)?) )?"
    rf"(?:at|on) ((?:{_CLOCK})(?:(?:,| and|, and) (?:at )?(?:{_CLOCK}))+)(,? respectively)?(?=\s*(?:[.;]|$))"
)


def _leading_times(text: str) -> str:
    """ "1.0 cheeks puff out; 2.5 they deflate": numbers that lead their phrases, and rise, are times."""
    values = [float(found[1]) for found in _LEADING.finditer(text)]
    if re.search(r"\b(?:key ?)?frames?:|\bkeys:", text) and len(values) > 1:
        return _LEADING.sub(r"at frame \1 ", text)
    rising = all(one < other for one, other in itertools.pairwise(values))
    if len(values) < 2 or not rising or values[-1] <= MOST_STRENGTH or "." not in _LEADING.search(text)[1]:
        return text
    return _LEADING.sub(r"at \1 s ", text)


#: What comes about, or is over, at a number does so at a time.
_HAPPENS = re.compile(
    r"\b(?:starts?|starting|begins?|beginning|joins?(?: in)?|follows?|lands?|arrives?|kicks? in|sets? in|ends?|gone|"
    r"off|stops?|switch(?:es)?|swaps?|releases?d?|relax(?:es|ed)?|deflates?|comes? (?:in|back)|catch(?:es)? up|fires?) "
    r"(?:at|by|on) (?:\d+(?:\.\d+)?)(?!\s*(?:%|per\s?cent|\w))(?![.:,]?\d)"
)
_TRAILING = re.compile(
    r"(?<=[a-z])( (?:corner|brow|eyebrow|eye|lid|cheek|side|one|left|right)) (\d+\.\d+)(?=\s*(?:[,;]|$))"
)
_LEADING = re.compile(
    r"(?:(?<=^)|(?<=[;/|\n,.] )|(?<=[;/|\n]))(\d+(?:\.\d+)?)(?: ?[-–:])? (?=[a-z])"
    r"(?!s\b|sec|of\b|frames?\b|beats?\b|fps\b)"
)


def _names_code(before: str) -> bool:
    return re.search(r"\b(?:au|unit)\s*\d+\w?\s*$", before) is not None


_BRACKETED = (
    (re.compile(r"[\[(]\s*(\d+(?:\.\d+)?)\s*s?\s*(?:-+>?|–|—|to|:|\.\.+|,)\s*(\d+(?:\.\d+)?)\s*(?:s|sec|"
                r"seconds)?\s*[\])]:?"),
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
