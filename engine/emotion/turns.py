"""Turns of phrase put into the words that the lists know: "as wide as they go", "a smile from then on".

Each rule is (pattern, what it becomes), with an example of what it is for above it. Rules are applied to a whole
direction in lower case, group by group, from `ALL`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

from .tables import number

#: Pieces of patterns that many rules share, written "{person}" in them.
_SHARED = {
    "person": r"(?:the|his|her|their|its|he|she|they|it|any|an?|your|my)",  # what a clause about somebody begins with
    "the": r"(?:the |his |her |their )?",
    "time": r"(?:\d?\d:\d\d(?:\.\d+)?|(?:\d+(?:\.\d+)?|one|two|three|four|five|six) ?(?:s|secs?|seconds?)\b)",
    "amount": r"(?:{time}|half a second|a second(?: and a half)?|a moment|a beat|a while|\d+ frames)",
    "share": r"(?:one|a|two|three) (?:thirds?|quarters?)",
    "shot": r"(?:shot|clip|take|scene|line|video|animation|sequence)",
    "whole": r"(?:whole |entire |full )?",
    "growing": r"(?:grows?|builds?|swells?|spreads?|rises|creeps in|mounts?)",
    "phrase": r"(?<!\w)([^,.;]{1,100}?)",  # not longer, so that a long text takes no longer than its length
    "rest": r"([^,.;]{1,160})",
    "opening": r"(?:(?<=^)|(?<=[.;] ))",
    "expression": r"(?:smile|grin|smirk|frown|laugh|scowl|sneer|pout|grimace|glare|stare|look|expression|face)",
    "onset": r"(?:with )?(?:the |its |an )?onset:? ?(?:at |from |on |@ ?)?(?P<onset>{time})",
    "apex": r"(?:with )?(?:the |its |an )?(?:apex|peak(?:s|ing)?|(?:fully|completely) (?:there|formed|in|on)|"
    r"at full strength):? ?(?:at |by |on |@ ?)?(?P<apex>{time})",
    "offset": r"(?:with )?(?:the |its |an )?offset:? ?(?:completed? |done |finished )?(?:at |by |from |on |@ ?)?"
    r"(?P<offset>{time})",
    "closes": r"(?=\s*(?:[,.;)]|$|and\b))",
    "end": r"(?=\s*(?:[.,;!?]|$))",
    "stop": r"(?=\s*(?:[.;]|$))",
}

Rule = tuple[re.Pattern, str | Callable[[re.Match], str]]


def _rules(*rules: tuple[str, str | Callable[[re.Match], str]]) -> tuple[Rule, ...]:
    """Compiled, with the shared pieces in their places."""
    return tuple((re.compile(_filled(pattern)), becomes) for pattern, becomes in rules)


def _filled(pattern: str) -> str:
    """A pattern with the shared pieces in their places; pieces may have pieces."""
    return re.sub(r"\{([a-z]+)\}", lambda m: _filled(_SHARED[m[1]]), pattern)


def _shares(found: re.Match) -> str:
    """ "Two thirds angry, one third sad": the second begins where the share of the first is over."""
    return f"{found[2]}, {_way_in(found[1])} {found[4]}"


def _let_go_after(found: re.Match) -> str:
    return f", {_way_in(found[1])} neutral"


def _then_after(found: re.Match) -> str:
    return f"{found[2]}, {_way_in(found[1])} "


def _phases(found: re.Match) -> str:
    """ "Onset at 1 s, apex at 2 s, offset at 4 s": begins, is there, lets go."""
    onset, apex, offset = (_seconds(found.groupdict().get(name)) for name in ("onset", "apex", "offset"))
    if apex is not None and onset is None:
        onset = max(0.0, apex - _RISE)
    said = [] if onset is None else [f"at {onset:g} s"]
    if apex is not None and apex > (onset or 0.0):
        said.append(f"over {apex - (onset or 0.0):g} s")
    named = found.groupdict().get("said") or ""
    return named + (", " + " ".join(said) if said else "") + (f", gone at {offset:g} s" if offset is not None else "")


#: Seconds before its apex at which a movement begins where nothing else is said.
_RISE = 0.6


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    minutes, _, rest = text.rpartition(":")
    value = number(re.sub(r" ?(?:s|secs?|seconds?)$", "", rest))
    return None if value is None else value + (60.0 * float(minutes) if minutes else 0.0)


def _crossed(found: re.Match) -> str:
    """ "A fades while B builds, from 2 s to 4 s": the way out of one is the way in of the other."""
    first, last = _seconds(found["first"]), _seconds(found["last"])
    if first is None or last is None or last <= first:
        return found[0]
    return f"{found['one']} fades from {first:g} s to {last:g} s, at {first:g} s over {last - first:g} s {found['two']}"


def _of_its_part(found: re.Match) -> str:
    """ "Brows: inner up, outer still": which of them."""
    ends = r"\b(inner|outer|upper|lower)(?: ends?| ones?| parts?)?(?= (?!ends?\b|ones?\b|parts?\b|brow|lid|eye|lip))"
    return f"{found[1]}:" + re.sub(ends, rf"\1 {found[1]}", found[2])


def _one_after_the_other(found: re.Match) -> str:
    """ "2 s happy, 2 s sad": times that do not rise are lengths."""
    first, second = _seconds(found["first"]), _seconds(found["second"])
    if first is None or second is None or second > first:
        return found[0]
    return f"{found['one']} until {first:g} s, then {found['two']} until {first + second:g} s"


def _in_a_row(found: re.Match) -> str:
    """ "In this order: A, B, C", "A, B, C, two seconds each": one after the other, for as long."""
    groups = found.groupdict()
    listed = groups.get("list") or found[1]
    length = groups.get("last") or (found[2] if found.re.groups > 1 else None)
    items = [item for item in re.split(r"\s*(?:,? (?:and |then )+|[,/])\s*", listed) if item.strip()]
    if len(items) < 2 or re.search(r"\d", listed):
        return found[0]
    return ", then ".join(f"{item} for {length}" if length else item for item in items)


def _rising(found: re.Match) -> str:
    """ "Puckers 1 s, stretches 2 s, relaxes 3 s": when, as the times rise; else they are lengths."""
    pattern = re.compile(rf"(?<!at )(?<!by )(?<!for )(?<!to )(?<!until )\(?({_SHARED['time']})\)?(?=[,;]|$)")
    times = [_seconds(entry[1]) for entry in pattern.finditer(found[1])]
    rise = all(one is not None and other is not None and one < other for one, other in itertools.pairwise(times))
    return pattern.sub(r"at \1", found[1]) if rise and len(times) > 1 else found[0]


def _interrupted(found: re.Match) -> str:
    when = found[1] or found[3]
    return f", then at {when} {found[2]}" if when else f", then {found[2]}"


def _at_share(found: re.Match) -> str:
    parts = {"third": 3, "quarter": 4}
    count, unit = found[0].split()[1], found[0].split()[2].rstrip("s")
    share = {"one": 1, "a": 1, "two": 2, "three": 3}[count] / parts[unit]
    return f"at {100 * share:.0f}% of the shot"


def _way_in(share: str) -> str:
    """A share of the shot as the time at which it is over."""
    share = f"a {share}" if share in ("third", "quarter") else share.replace("one", "a")
    return "halfway in" if share == "half" else f"{share} of the way in"


#: Tenses of what moved before: "the brows have risen".
TENSES = _rules(
    # "have risen"
    (r"\b(?:have|has|had) (?:risen|arisen)\b", "rise"),
    (r"\b(?:have|has|had) (?:sunk|sunken|fallen)\b", "drop"),
    # "have gone down"
    (r"\b(?:have|has|had) (gone|come) (up|down)\b", r"go \2"),
)  # fmt: skip

#: Times by words of the line that is spoken.
WORDS_OF_THE_LINE = _rules(
    # "at the end of "really""
    (r'\bat the (?:very )?end of (?:the word )?(?=")', "after "),
    (r'\bat the (?:very )?(?:start|beginning) of (?:the word )?(?=")', "on "),
    # "up to and including "loved""
    (r'\b(?:up to and including|(?:up )?(?:until|till|to) (?:the end of|after)) (?:the word )?"([^"]+)"',
     r'until ">\1"'),
    # "after the word "father" is over she"
    (r'\bafter (?:the )?(?:word )?("[^"]+") (?:is|has been|was) (?:over|done|finished|said|spoken|out)\b',
     r"after \1"),
    (r'\bafter (?:the )?word (?=")', "after "),
    # "with "okay""
    (r'\bwith (?="[^"]+"(?:[,.;]|$| and\b))', "on "),
    (r'\b(?:at|on) ("[^"]+"),? (?:and |then )*(?:(?:comes?|go(?:es)?|drops?|falls?|sinks?|lets?) (?=back ))?(?:back )?'
     r'(?:down|up|back|off|gone|away|over)(?: again)? (?:at|on|by) "([^"]+)"',
     r'from \1 to "<\2"'),
    # "not before "there" do the lips part"
    (r'\bnot (?:until|till|before) (?:the word )?("[^"]+")', r"at \1 open-ended"),
    # "as soon as he hears "married" he looks heartbroken": from then on
    (r"\b(?:(?:the|that) (?:very )?(?:moment|second|instant|minute)|once|as soon as) (?:that )?"
     r"(?:he|she|they) hears? (?:the words? |the line |the phrase )?(\"[^\"]+\")",
     r"at \1 open-ended"),
    # "when she hears the word 'sorry'"
    (r"\b(?:(?:the|that) (?:very )?(?:moment|second|instant|minute)|as|when(?:ever)?|once|as soon as) (?:that "
     r")?(?:he|she|they|it|someone|somebody) (?:hears?|says?|reads?|utters?|speaks?|gets? to|reach(?:es)?) "
     r"(?:the words? |the line |the phrase )?(?=[\"'])",
     "at the word "),
    # "from the line 'i trusted you' onwards"
    (r"\b(?:from|as of|starting (?:from|with|at|on)|beginning (?:with|at|on)|since) (?:(?:the|her|his) "
     r")?(?:words? |line |phrase )?(\"[^\"]+\"|'[^']+') on(?:wards?)?\b",
     r"at \1 open-ended"),
)  # fmt: skip

#: Shares of the shot, its beginning, middle and end.
SHARES = _rules(
    # "frown before the halfway point, smile after it"
    (r"\b(?:until|till|before|up to) (?:the )?(?:half-?way(?: point| mark)?|midpoint|middle|half-?time)(?: of "
     r"(?:it|the {shot}))?",
     "in the first half"),
    (r"(?<=first half, )(?:and |then )*{phrase} (?:after (?:it|that)|past it|beyond it){end}", r"then \1"),
    # "half a second before the end of the shot"
    (r"\b({amount}|one second) before (?:the )?(?:very )?(?:end|close|cut)(?: of (?:it|the "
     r"{shot}))?\b", r"in the last \1"),
    (r"\b({amount}|one second) before the {shot} (?:ends|closes|is over|finishes)\b", r"in the last \1"),
    # "smile except for the last second"
    (r"{phrase},? (?:except|but not|other than|apart from|save|all but)(?: for| in| during)* the last ({amount}|"
     r"second)",
     r"\1, in the last \2 neutral"),
    (r"\bin the last a (?=second|moment|beat)", "in the last "),
    # "happy for half the shot, sad for the other half"
    (r"\b(?:for )?half (?:of )?the {shot},? (?:and )?{phrase} (?:for )?the other "
     r"half", r"in the first half, \1 in the second half"),
    # "happy for the first half and sad for the second"
    (r"\b(first half\b[^.;]*?\b(?:for|in|during) the (?:second|other))(?! half)", r"\1 half"),
    # "after one third of the shot", "at two thirds of the way"
    (r"\b(?:at|after|from|by) {share}(?: of the (?:way|{shot})| (?:in|through))+", _at_share),
    (r"\bat {share}(?= *(?:[.,;]|$)| (?!of\b|strength|intensity|power|volume|the\b)[a-z])", _at_share),
    # "gradually over the first four seconds"
    (r"\bover the (?:first|opening) ({time})", r"at 0 s over \1"),
    # "two thirds angry, one third disgusted"
    (r"\b(?:for )?({share})(?: of (?:it|the {shot}))? (?!in\b|through|of\b|a\b)([a-z]+),? (?:and |then |for "
     r")*(?:the (?:other|last|remaining) )?({share})(?: of (?:it|the {shot}))? (?!in\b|through|of\b|"
     r"a\b)([a-z]+){stop}",
     _shares),
    (r"\b(?:throughout|over|across|during) the {whole}{shot},? (?:an? |the |his |her |their )?((?:[a-z]+ "
     r")?[a-z]+?) (?:very )?(?:slowly |gradually |steadily )?{growing}\b[^.;]*",
     r"from a blank face slowly to \1 over the whole shot"),
    (r"{opening}(?:an? |the |his |her |their )?((?:[a-z]+ )?[a-z]+?) (?:very )?(?:slowly |gradually |steadily "
     r")?{growing}(?: (?:very |ever so )?(?:slowly|gradually|steadily))? (?:throughout|over|across) the "
     r"{whole}{shot}(?=\s*[.;]|$)",
     r"from a blank face slowly to \1 over the whole shot"),
    (r"\b(?:an? )?(?:slow|gradual|steady)?(?: )?(?:build(?:-up)?|rise|growth|crescendo) of [a-z]+ (over|"
     r"across) the {whole}{shot}, from {rest}",
     r"from \2 over the whole shot"),
    # "during the first quarter of the take and lets it go"
    (r"\b(?:for|during|in) the first (half|third|quarter|two thirds|three quarters)(?: of the {shot})?,? "
     r"(?:and|then|but|after which) (?:then )?(?:{person} )?(?:lets? (?:it|that|go of it)(?: go)?|stops|drops "
     r"it|relaxes|gives it up)(?=\s*(?:[.;,]|$))",
     _let_go_after),
    (r"\b(?:for|during|in|over) the first (third|quarter|two thirds|three quarters)(?: of the {shot})?,? "
     r"{rest}, (?:and )?(?:then|after that|afterwards),? ",
     _then_after),
    # "at the midpoint: the gloom of the first half turns to happiness in"
    (r"(?: at the (?:midpoint|middle)[:,;] )?\bthe ([a-z]+) of the first half (?:turns|changes|gives way|"
     r"switches) (?:in)?to ([a-z]+)",
     r". in the first half \1, then at the midpoint \2"),
    # "first 50 % of the"
    (r"\bfirst (?:50 ?%|fifty per ?cent) of", "first half of"),
    # "for the first half of the clip"
    (r"\b(?:for|in|during) the first half of the {shot}\b", "in the first half"),
    # "contempt for the rest of it"
    (r"(?<=first half, )([a-z]+) (?:for|in|during) the rest of (?:it|the {shot}){stop}",
     r"\1 in the second half"),
    # "beginning: worried"
    (r"(?:(?<=^)|(?<=[.;\n] ))(?:start|beginning|opening): (?=[^:]*[.;\n,] ?(?:middle|end|ending|finish): )",
     "first "),
    # "middle: relief"
    (r"(?<=[.;,\n] )middle: ", "then "),
    # "end: eyes"
    (r"(?<=[.;,\n] )(?:end|ending|finish): ", "finally "),
    # "as the shot ends"
    (r"\bas the {shot} (?:ends|closes|finishes)\b", "at the end"),
    # "with 1 s to go his"
    (r"\bwith ({time}) (?:to go|left|remaining)\b(?: on the clock)?", r"in the last \1"),
    # "all the rest of the time he"
    (r"(?<=[;,.] )(?:for )?(?:all )?the rest of the time,? (?=[a-z])(?<!first)", "before that "),
    # "midway through these 4 s hope"
    (r"\b(midway|halfway|half way) (?:through|into|in) (?:the|these|this|those|its) (?:[\d.]+|[a-z]+) ?(?:s|"
     r"sec\w*)\b",
     r"\1"),
)  # fmt: skip

#: The phases of a movement as FACS coders name them, and one movement that goes while another comes.
PHASES = _rules(
    # "AU12 (onset 1.0, apex 1.5, offset 3.0)", "onset 1 s / apex 2 s"
    (r"\b(onset|apex|offset):? (?:at )?(\d+(?:\.\d+)?)(?=\s*(?:[,;)/]|\.(?!\d)|$))", r"\1 \2 s"),
    (r"(?:(?<=\ds)|(?<=\d s)) ?/ ?(?=apex|offset)", ", "),
    (r"\( ?(?={onset}|{apex})", ", "),
    # "starts from neutral at 1 s and arrives at rage at 3 s", "reaches a grin by 3 s"
    (r"\b(?:starts?|starting|begins?) (?:from|at|in) (?:neutral|blank|nothing|zero)(?: at (?P<onset>{time}))?,? "
     r"(?:and )?"
     r"(?:arrives? at|reach(?:es)?|builds? to|gets? to) (?:full )?(?P<said>[^,.;]{1,100}?) (?:at|by) "
     r"(?P<apex>{time})", _phases),
    (r"\b(?:reach(?:es)?|arrives? at|(?:builds?|works|ramps?) (?:up )?to) (?!{the}(?:left|right|other|eyes?)\b)"
     r"(?:an? )?(?:full )?(?P<said>[^,.;]{1,100}?) "
     r"(?:at|by) "
     r"(?P<apex>{time})(?:,? starting from (?:neutral|blank|nothing|zero) at (?P<onset>{time}))?", _phases),
    # "anger swells from 1 s, peaks at 3 s and is gone by 5 s"
    (r"(?: (?:swells?|builds?|grows?|rises?))?,? (?:from|at|starting (?:at|from)) (?P<onset>{time}),? (?:and |"
     r"then )*(?:it |which )?"
     r"{apex}{closes}", _phases),
    # "offset of AU5 and onset of AU43 at 2 s"
    (r"\boffset of {phrase} and onset of {phrase} (at|on) ({time})", r"\1 fades \3 \4 and \2 \3 \4"),
    # "the onset of a smile at 1 s, apex at 2 s"
    (r"\b(?:the )?onset of {phrase} (?:at|from|on) (?={time})", r"\1, onset "),
    # "smile, onset 1 s, apex 2 s, offset complete by 4 s"
    (r",? {onset}(?:,? (?:and )?{apex})?(?:,? (?:and )?{offset})?{closes}", _phases),
    (r",? {apex}(?:,? (?:and )?{offset})?{closes}", _phases),
    (r",? {offset}{closes}", _phases),
    # "offset of the smile at 3 s"
    (r"\b(?:the )?offset of {rest}(?= (?:at|on|by|from|between|and)\b)", r"\1 fades"),
    # "happiness fades while sadness builds, from 2 s to 4 s"
    (r"(?<!\w)(?P<one>[^,.;]{1,100}?) (?:fades?|goes|eases?|dies|drains)(?: out| away| off)? (?:while|as) "
     r"(?P<two>[^,.;]{1,100}?) "
     r"(?:builds?|grows?|rises?|fades? in|eases? in|comes? (?:up|in))(?: up)?,? "
     r"(?:from|between) (?P<first>{time}) (?:to|and|until) (?P<last>{time})", _crossed),
)  # fmt: skip

#: How long something is there, alone or in a list, and how long until it comes.
LENGTHS = _rules(
    # "mouth puckers 1s, stretches 2s, relaxes 3s": times that rise along a list
    (r"{opening}((?:[^,.;\d]+ \(?{time}\)?[,;] ){2,}(?:and )?[^,.;\d]+ \(?{time}\)?){end}", _rising),
    (r"{opening}((?:au ?\d+[lr]?(?:\+\d+)* {time}[,;] )+(?:and )?au ?\d+[lr]?(?:\+\d+)* {time}){end}", _rising),
    # "in this order: frown, pucker, smile", "happy, sad, angry - two seconds each"
    (r"\bin (?:this |that |the following )?(?:order|sequence): ([^.;:]+)", _in_a_row),
    (r"{opening}([^.;:]+), in (?:this|that) (?:order|sequence)", _in_a_row),
    (r"{opening}([^.;:]+?)(?:,| -| –)? (?:for )?({amount}|one second) each{end}", _in_a_row),
    (r"\b(?P<last>{amount}|one second) each of (?P<list>[^.;:]+)", _in_a_row),
    # "a frown of half a second", "a 2 s long frown", "with a duration of 2 s"
    (r"\b({expression}|blink|wink|nod|pout|sigh) of ({amount})", r"\1 for \2"),
    (r"\ban? ({time})[- ](?:long )?(?={expression}\b|blink|wink|pout|yawn|sigh|stretch)", r"\1 of "),
    (r"({time})[- ]long (?=[a-z])", r"\1 "),
    (r"\bstart(?:s|ing)?(?: at)? ({time}),? (?:and )?(?:with )?(?:a )?(?:duration|length)(?: of|:)? "
     r"({time})", r"at \1 for \2"),
    (r",? (?:with |for )?(?:a |the )?(?:duration|length)(?: of|:| =|=)? ?({time})", r" for \1"),
    # "fear through 2 s"
    (r"(?<=[a-z] )through (?={time}(?:[,;.]|$| and\b))", "until "),
    # "it takes until 3 s for a smile to appear", "not for three seconds does he smile"
    (r"\bit takes (?:until )?({time}) (?:for|before) {phrase} to (?:appear|show|come(?: in)?|start|arrive|happen)",
     r"at \1 \2"),
    (r"\bnot for (?:another )?({time}) (?:does|do|will) ", r"at \1 "),
    # "once two seconds have gone by", "the instant 2 s is reached"
    (r"\b(?:once|when|after|as soon as|the (?:moment|instant|second)) ({time}) (?:have |has |is |are )?(?:gone "
     r"by|passed|"
     r"elapsed|pass(?:es)?|go(?:es)? by|over|up|reached|hit)\b", r"at \1"),
    # "three seconds in neutral"
    (r"({time}) in (?=neutral|silence|a neutral|a blank)", r"\1 of "),
    # "…, starting at 2 s and done by 4 s"
    (r",? (?:starting|beginning) (?:at|from) ({time}),? (?:and )?(?:done|finished|completed?|finishing) (?:by|"
     r"at) ({time})",
     r" from \1 to \2"),
    # "2 s happy, 2 s sad", "three seconds sad, the rest angry"
    (r"{opening}(?P<first>{time}) (?P<one>[a-z]+), (?:then )?(?P<second>{time}) (?P<two>[a-z]+)(?=\s*(?:[,.;]|$))",
     _one_after_the_other),
    (r"{opening}({time}) ([a-z]+),? (?:and )?(?:for )?the (?:rest|remainder) ", r"\2 until \1, then "),
    (r"(?<=, )(?:and )?(?:for )?the (?:rest|remainder) (?=[a-z]+{stop})", "then "),
    # "hold. smile", "hold two seconds. smile"
    (r"(?<=[.;] )(?:hold|hold (?:it|that|there)|let it sit|let it breathe|count to \w+|stay there)[.;,] (?:then )?",
     "then "),
    (r"(?<=[.;] )hold (?:it |that |there )?(?:for )?({time})[.;,] (?:then )?", r"wait \1. then "),
    # "held to 3 s"
    (r"\b(?:held|holds?|holding|kept|keeps?|stays?|lasts?|remains?)(?: it| that| on)? (?:to|through|up to) (?={time})",
     "until "),
    # "for the first two seconds …, for the next two"
    (r"(?<=seconds)([^.;]*\bthe (?:next|last|following|final) (?:two|three|four|\d))(?=\s*(?:[.,;]|$))", r"\1 seconds"),
    (r"\bthe following (?={time})", "the next "),
    # "one second surprised, the next second scared"
    (r"{opening}({time}|one second) ([a-z]+), (?:and )?(?=the next )", r"\2 for \1, "),
    # "two seconds pass"
    (r"\b({time}) (?:pass(?:es)?|go(?:es)? by|elapses?|tick by)\b", r"wait \1"),
    # "for one second, between"
    (r"\bfor (?:only |just )?(?:{time}|a second), (?=(?:between|from) (?:seconds? )?\d)", ""),
)  # fmt: skip

#: One thing in the place of another, and what ends or comes back.
CHANGES = _rules(
    # "after the surprise wears off at 2 s, anger"
    (r"\b(?:after|once|when|until|as soon as) {phrase} (?:wears off|fades|is over|ends|is gone|has passed|dies "
     r"down|subsides)"
     r" (?:at|by) ({time}),? (?:then )?", r"\1 until \2, then "),
    (r"\bafter an? (\d+(?:\.\d+)?|one|two|three|four|five)[- ]?(?:s|secs?|seconds?)[- ](?:long )?([a-z]+),? "
     r"(?={person}\b)", r"\2 for \1 s, then "),
    # "a smile, interrupted at 2 s by a blink", "cut short by a frown at 4 s"
    (r",? (?:is |gets )?(?:interrupted|cut short|broken off|broken|cut off)(?: (?:at|after) ({time}))? by {phrase}"
     r"(?: at ({time}))?{end}", _interrupted),
    (r"\bexcept (?:for|that) (an?|one) (short|brief|quick|fleeting) ", r", \1 \2 "),
    (r"\b(?:flash(?:es|ing)?|flicker(?:s|ing)?|flitting) (?:across|over|past)(?: {the}face)?", "briefly"),
    # "disappears at 2 s and reappears at 4 s", "comes out of the frown at 3 s"
    (r"\b(?:reappears?|re-emerges?|resurfaces?|returns?|resumes?|(?:comes?|is) back)(?: again)? (?=(?:at|on|by|"
     r"from) {time})",
     "back "),
    (r"\b(?:comes?|snaps?|drops?|pulls?|slips?) out of (?=(?:the|his|her|an?) )", "stops "),
    (r"\b(?:has to|must|should|needs to|ought to|have to) be (?=gone|over|off|away)", "is "),
    # "at 3 s the smile ends and a frown begins", "a smile ends as a frown begins, at 3 s"
    (r"\bat ({time}),? {phrase} (?:ends?|stops?|go(?:es)?(?: away)?|vanish(?:es)?|disappears?|fades?) and {phrase} "
     r"(?:begins?|starts?|comes?(?: in)?|appears?|takes? (?:its place|over))", r"\2 until \1, then \3"),
    (r"{phrase} (?:ends?|stops?|vanish(?:es)?|disappears?) (?:as|when|and|while) {phrase} (?:begins?|starts?|comes in|"
     r"appears?|takes over),? at ({time})", r"\1 until \3, then \2"),
    # "swap the smile for a frown at 3 s", "a frown instead of a smile from 3 s"
    (r"\b(?:swaps?|exchanges?|trades?|substitutes?|replaces?) {phrase} (?:for|with) {phrase},? (?:(?:at|on|by|"
     r"after|from) )?"
     r"({time})(?: in)?\b", r"\1 until \3, then \2"),
    (r"{phrase} instead of {phrase} (?:from|after|starting at) ({time})(?: on(?:wards)?)?", r"\2 until \3, then \1"),
    # "fear follows disgust at 3 s"
    (r"{opening}{phrase} (?:follows|succeeds) {phrase} (?:at|from) ({time})", r"\2 until \3, then \1"),
    # "off at 2 s, on at 3 s"
    (r"\b((?:off|gone|out) (?:at|by|from) {time}),? (?:and |then )*(?:on|in|there) (?:again )?(?=(?:at|from|by) "
     r")", r"\1, back "),
    # "no longer amused, he", "no longer afraid: angry"
    (r"\bno longer ([a-z]+)[,:;] ", r"\1, then "),
    (r"{opening}not ([a-z]+) (?:any ?more|any longer), (?={person}\b)", r"\1, then "),
    # "disgust wins over the sadness"
    (r"\b((?:(?!(?:s|secs?|seconds?)\b)[a-z]+ )?[a-z]+) (?:wins? (?:out )?over|breaks through|takes? over from|"
     r"replaces?|displaces?|supplants?|"
     r"overcomes?|overtakes?|conquers?|drives? out|pushes (?:out|aside)|chases? (?:away|off)|drowns?(?: out)?|"
     r"triumphs? over|gets? the better of|crowds? out|swallows? up) (?:the |his |her |their |an? )?([a-z]+)\b",
     r"\2 gives way to \1"),
)  # fmt: skip

#: What is there first, and what follows it.
ORDER = _rules(
    # "ends on nothing: joy, anger, then a blank face": the details say it again
    (r"{opening}(?:ends?|ending|finish(?:es|ing)?|closes|closing) (?:on|with|in) [^,.;:]{1,40}: "
     r"(?=[^;]{0,160}?\b(?:then|finally|at the end)\b)", ""),
    # "mild amusement, stronger and stronger, until she is laughing"
    (r",? (?:([a-z]+er) and \1|more and more|ever [a-z]+er),? (?:un)?till? (?={person}\b)", ", then "),
    # "brows raised, 1 s to 2 s, while the mouth stays closed": the time of what stands before it
    (r"(?<=[a-z]), ((?:from |between )?{time} (?:to|and|until|-) {time}), (?=(?:while|whilst|as) )", r" \1, "),
    # "he frowns, two seconds later than the smile"
    (r"{phrase},? ({amount}|two seconds) (?:later|after) than {phrase}{end}", r"\3, \2 later \1"),
    (r"{phrase},? ({amount}|two seconds) (?:earlier|sooner) than {phrase}{end}", r"\1, \2 later \3"),
    # "no smile until the wink is over"
    (r"\bno ([a-z]+) (?:until|before) (?:the|his|her|a) ([a-z ]+?)(?: is over| is done| has "
     r"passed)?{end}", r"\2, then \1"),
    # "a smile stops at 3 s, at which point he frowns"
    (r"\b((?:at|by|from|on) {time}),? (?:at which point|whereupon|and that is when|when) ", r"\1, \1 "),
    # "a smile, with a frown following a second later"
    (r",? with {phrase} (?:following|coming|appearing|joining|starting)(?: in)? ({amount}) (?:later|"
     r"after(?:wards)?|after "
     r"that)", r", \2 later \1"),
    # "followed immediately by"
    (r"\bfollowed,? (?:immediately|closely|quickly|soon|shortly|directly|at once|straight away|instantly) by\b",
     "followed by"),
    # "before which she is sad"
    (r",? before which(?: time)?,? ", "; before that "),
    # "by the time he frowns his eyes have closed"
    (r"\bby the time (?!\d|of\b|at\b)((?:he|she|they|it|the|his|her) [^,.;]+?),? "
     r"(?=(?:he|she|they|it|(?:the|his|her) [^,.;]+) (?:has|have|is|was|had|are|will)\b)([^.;]+)", r"\2, then \1"),
    # "when the smile is over, he frowns"
    (r"\b(?:when|once|after|as soon as) {the}(?!he\b|she\b|they\b|it\b|that\b)((?:[a-z]+ )?[a-z]+) (?:is|are|"
     r"has been|have been) "
     r"(?:over|done|finished|out of the way),? ", r"after the \1, "),
    # "open on a smile, close on a frown"
    (r"\bopens? (?:on|with) {rest}, (?:and |then )*(?:closes?|ends?) (?:on|with) ", r"first \1, finally "),
    (r"\bopens? (?:on|with) {phrase} and (?:closes?|ends?) (?:on|with) ", r"first \1, finally "),
    # "happy past it"
    (r"(?<=, )(?:and |but |then )*{phrase} (?:past|beyond) (?:it|that)(?: point)?{end}", r"then \1"),
    # "not yet happy, still angry"
    (r"\bnot yet ", "not "),
    # "having been pressed tight a moment ago"
    (r", having (?:just |only just )?(?:been|begun|started)(?: out)?(?: as)? {phrase}(?: (?:a )?(?:moment|"
     r"second|instant|bit) (?:ago|before|earlier)| just before| before(?:hand)?)?(?=[,.;]|$)",
     r", after being \1"),
    # "not smiling until the very end, when"
    (r"\b(?:does|do|will|is|are) not {phrase} until the (?:very )?end(?: of (?:the |this )?{shot})?,? "
     r"(?:when|where|at which point) ", r"not \1. at the very end "),
    (r"\b(?:does|do|will|is|are) not {phrase} until the (?:very )?end(?: of (?:the |this )?{shot})?{end}",
     r"\1 at the very end"),
    # "by the end of the five seconds"
    (r"\b(at|by|in|towards?|near) the (?:very )?(start|beginning|middle|end) of (?:the|these|this|those|its|his|her) "
     r"(?:\d+|[a-z]+)?[ -]?(?:s|secs?|seconds?)\b", r"\1 the \2"),
    # "orbicularis leads zygomaticus by half a second"
    (r"{phrase} (?:leads|precedes|goes before|comes before|is ahead of) {phrase} by ({time}|a second|half a second)",
     r"\1, \3 later \2"),
    (r"{phrase} (?:lags(?: behind)?|trails(?: behind)?|follows|comes after) {phrase} by ({time}|a second|"
     r"half a second)", r"\2, \3 later \1"),
    # "and again at 3 s"
    (r"(?:(?<=and )|(?<=then )|(?<=, ))(?:again|once again|once more|a second time|another time) (?=(?:at|on|"
     r"by) (?:{time}|frame|f\d|\"))", "repeat "),
    # "until "let's", and from that word on excited"
    (r"\b(until|till|before|up to) {rest}, (?:and |but )?from (?:that (?:word|point|moment|second)|then|there) "
     r"on(?:wards?)?,? ",
     r"\1 \2, then "),
    # "until it dawns on him that he"
    (r"\b(until|till|before|when|once) (?:it (?:dawns on|hits|strikes|occurs to) (?:him|her|them)|(?:he|she|"
     r"they) (?:realises?|realizes?|understands?|grasps?|learns?|finds? out)) (?:that )?(?=[a-z])",
     r"\1 "),
    # "his calm breaks and he"
    (r"\b(?:his|her|their|the) (?:calm|composure|cool|patience|self-control|restraint|mask|poker face) "
     r"(?:breaks|cracks|snaps|slips|goes|shatters|crumbles|gives) (?:and|so) (?={person}\b)",
     ""),
    (r", (?=until [^,.;:]+: )", " "),
    # "someone she loves walks"
    (r"\b(someone|somebody|the \w+|an? \w+) (?:that |who |whom )?(?:he|she|they) (?:loves?|hates?|fears?|"
     r"misses|trusts?|adores?|despises?|dreads?) (?=(?:walks?|comes?|enters?|leaves?|appears?|arrives?|"
     r"calls?)\b)",
     r"\1 "),
    # "and without transition, devastated."
    (r"(?<=suddenly), (?:and )?without (?:any )?(?:transition|warning|delay|in-between),", ""),
    # "news sinks in - from there on she"
    (r"\b(news|truth|penny|message|realisation|realization|loss|meaning) ((?:sinks|comes) in|drops|lands|"
     r"arrives|hits(?: (?:him|her|them))?) ?[-–,;:]+ ?(?:and )?from (?:there|then|that (?:moment|point)) on,? ",
     r"\1 \2, "),
    # "although for"
    (r"(?<=, )(?:although|though|except that) (?=for |between |from )", ". "),
    # "there must be no trace left of her smile"
    (r"\bthere (?:must be|is|should be|will be|can be) no (?:trace|sign|hint|remnant)(?: left)? of (his|her|"
     r"their|the) ([a-z]+)(?: left| any ?more)?",
     r"\1 \2 is gone"),
    (r"(?<=[a-z]) by then{stop}", ""),
    (r"^([^;]+); (?:meanwhile,? )?from the (?:very )?(?:beginning|start|outset)(?: on)?,? ([^;.]+)$", r"\2; \1"),
    (r"^([^;]+); ([^;.]+) from the (?:very )?(?:beginning|start|outset)(?: on)?\.?$", r"\2; \1"),
    (r"^((?:as the {shot} ends|(?:at|by) the (?:very )?end(?: of the {shot})?),? [^;.]+)[;.] ((?:in|at|during) "
     r"the (?:middle|midpoint|beginning|start)[^;.]+)\.?$",
     r"\2; \1"),
    # "after he has finished laughing"
    (r"\b(?:when|once|after|as soon as) (?:he|she|it|they|the) (?:has|have|is|are) (?:finished|done|"
     r"through)(?: with)? (?=[a-z])",
     "after "),
    (r"\bnot {phrase} yet ?[-–,;:]+ ?(?:but )?first ([^.;]+)", r"first \2, then \1"),
    # "before he smiles he frowns"
    (r"\b(before|after|once|when|as soon as) (he|she|they|it) {phrase} \2 (?=[a-z])", r"\1 \2 \3, \2 "),
    # "and there the"
    (r",? and there,? (?={person}\b)", ", then "),
    # "not until it is there does the"
    (r"\b(?:not until|only (?:after|when|once)) (?:that|this|then|it is there|[a-z]+ (?:is|are) (?:there|done|"
     r"over)),? (?:(?:does|do|will|did|should|may|can|is|are) )?(?={person}\b)",
     "then "),
    # "not until 3 s does he"
    (r"\b(?:not until|only (?:after|when|once)) {phrase},? (?:does|do|will|did|should|may|can) (?={person}\b)",
     r"once \1, "),
    # "that it comes at"
    (r",? (?:and )?(?:that )?(?:it|this) (?:comes?|happens?|starts?|begins?|arrives?|occurs?|appears?|should "
     r"(?:come|happen|start|begin)) (?=(?:in )?(?:at|on|after|from) (?:the )?(?:\d|frame|second|one |two |"
     r"three |four |five ))",
     " "),
    # "until nothing is left of it"
    (r"\b(?:until |till )?(?:nothing|none|little|much|what|not much) (?:is |of it is |that is )?left(?: of "
     r"(?:it|them))?\b",
     ""),
    # "up to that point she"
    (r"\b(?:up to|until|till|before) (?:then|there|that (?:point|moment|time|mark))\b", "before then"),
    # "the second the"
    (r"\b(?:the|that|this) (?:very )?(?:second|moment|instant|minute) (?=(?:that |when )?(?:he|she|they|it|the|"
     r"his|her|their|you|your|i|my|we|someone|somebody) )",
     "once "),
)  # fmt: skip

#: As far as it goes: "as wide as they can".
LIMITS = _rules(
    (r"\b(?:possibly|physically|humanly) (?=can\b|could\b|possible\b)", ""),
    (r"\b(drops?|dropped|falls?|sinks?|hangs?|lowered|lowers|down) as low as (?:possible|(?:it|they|you|he|"
     r"she) (?:can|could|goes?|will)(?: go)?)",
     r"\1 to the max"),
    (r"\bas low as (?=possible|(?:it|they|you|he|she) (?:can|could|goes?|will))", "down as much as "),
    # "as wide as you can"
    (r"\bas (?!far\b|much\b|hard\b|soon\b|if\b|though\b)(\w+(?: open| shut| apart)?) as (?:possible|(?:it|they|"
     r"you|he|she|we|i|one) (?:can|could|go(?:es)?|will|gets?)(?: go| get| be)?\b)",
     r"\1 to the max"),
    (r"\bas far as (?:[a-z]+ ){1,3}(?:goes?|can|will|allows?|gets?|permits?)\b", "to the max"),
    (r"\bwith (?:all|full|maximum|every ounce of)(?: (?:the|his|her|their|its|your|my))? (?:force|strength|"
     r"power|might|energy|effort)\b",
     "to the max"),
    # "wide to the max"
    (r"\b(up|down|left|right|open|wide) to the max\b", r"\1 as much as possible"),
    # "way bigger"
    (r"\b(?:way|far|much|lots|loads|tons|a lot) (?=(?:bigger|wider|broader|stronger|harder|larger|deeper|higher|"
     r"smaller|weaker)\b)", "very "),
    (r"\bway (up|down|open|wide|apart|back|forward)\b", r"very much \1"),
)  # fmt: skip

#: How long: to the end, never again, over.
ENDS = _rules(
    # "and holds to the end"
    (r"\b(?:and )?(?:holds?|held|holding|keeps?|kept|stays?|staying|remains?|lasts?|continues?|goes on)(?: "
     r"(?:it|that|this|them|there|so|on|like that|that way))? (?:right |all the way )?(?:(?:un)?till?|to|"
     r"through) the (?:very |bitter )?end(?: of (?:the |this )?\w+)?\b",
     " open-ended"),
    (r"\b(?:un)?till? the (?:very |bitter )?end(?: of (?:the |this )?\w+)?{end}", " open-ended"),
    # "and does not come back."
    (r"(?:,|\band|\bbut) (?:never|does not|will not) (?:recovers?|comes? back|go(?:es)? away|stops?|ends?|lets? "
     r"up|fades?|leaves?|lets? "
     r"go|moves? again|returns?){end}",
     " open-ended"),
    # "the brows drop back down"
    (r"\b(?:comes?|goes|go|drops?|falls?|sinks?|slides?|settles?|floats?) (?=back down\b)", ""),
    # "down again at"
    (r"\b(?:comes? |goes? |drops? |falls? )?(?:down|back down) again\b", "back down"),
    # "that is gone by"
    (r"(?<!\bas )\b(?:it|they|this|that|these) (?:all )?(?:ends?|finish(?:es)?|stops?|cease(?:s)?|is over|are "
     r"over|is gone|are gone|goes|go away|goes away|is done|disappears?|vanish(?:es)?)(?=\s*(?:[.,;!]|$|at \d|"
     r"by \d|at [a-z]+ sec))",
     "stop"),
)  # fmt: skip

#: Who does not move, and until when nobody does.
STILLNESS = _rules(
    # "does not open his eyes until 2 s"
    (r"\b(?:do|does|did|will)? ?not open {the}(eyes?|lids?|mouth|(?:left|right) eye) (?:again )?(?=(?:until|"
     r"till|before) )",
     r"\1 closed "),
    # "unwrinkles"
    (r"\bun(?:wrinkles?|purses?|clench(?:es)?|furrows?|puckers?|curls?|knits?|tenses?|squints?|creases?)\b", "relaxes"),
    # "empty, neutral"
    (r"\b(?:empty|vacant|dead|flat),? (?:and )?(?=(?:neutral|expressionless|blank)\b)", ""),
    # "leave it."
    (r"\bleave (?:it|that|them)(?: (?:be|alone|there))?{end}", "motionless"),
    # "keep the eyes and brows out of it."
    (r"\bkeep(?:s|ing)? ((?:[\w']+ ){1,5}?)(?:(?:right |well |completely )?out of (?:it|this))\b",
     r"\1motionless"),
    # "right half has not got the memo"
    (r"\b(left|right|other) ((?:[a-z]+ )?(?:side|half|corner|brow|eye|one)) (?:has|have) not (?:got|heard|"
     r"received|had) [^,.;]*",
     r"\1 \2 motionless"),
    # "still smiling."
    (r"\bstill (?=(?:raised|lifted|up|down|low|lowered|closed|shut|open|wide|pressed|pursed|furrowed|knitted|"
     r"tight|clenched|narrowed|sad|happy|angry|smiling|frowning|crying|grinning|scared|afraid)\b)",
     ""),
    # "right corner stays home."
    (r"\b(left|right|other)((?: (?:one|side|half|brow|eyebrow|eye|lid|corner|cheek|lip|nostril))*) (?:i |we |"
     r"you )?(?:stays?|remains?|holds?|keeps?|is kept|persists?|resists?|sits? (?:this one |it )?out)(?: (?:on|"
     r"up there|there|so|that way|like that|in place|quiet|home|at home))?(?=\s*(?:[,.;!?)]|$|until\b|till\b|"
     r"and\b))",
     r"\1\2 motionless "),
    # "not before the"
    (r"\bnot (until|till|before) ", "only after "),
    # "does not react until"
    (r"\b(?:do|does|did|will)? ?not (?:move|change|budge|stir|react|respond|flinch|show (?:anything|a thing)|"
     r"do (?:anything|a thing)|emote)(?: a muscle)?(?= (?:until|till?|before) )",
     "neutral"),
    (r"\bno (?:change|movement|expression|reaction|emotion)s?(?: at all)?(?= (?:until|till?|before|for|up) )",
     "neutral"),
    # "till 0:02, whereupon they"
    (r"\b((?:until|till?|before|at|up to) (?:[^,.;]{1,24}(?:s|\d)(?: in| mark)?)),? (?:at which point|when|whereupon|"
     r"where|and there|and that is when)\b",
     r"\1, then"),
    # "does not react at all for"
    (r"\b(?:do|does|did|will|would|should|can|could|must|let)? ?not (?:ever )?(?:move|change|budge|stir|react|"
     r"participate|join(?: in)?|take part|follow(?: suit)?|shift|flinch|respond|engage|help|share in it|get "
     r"involved|be involved|involved|change at all|move at all)\b(?: at all| an inch)?",
     " motionless "),
    (r"\b(?:is|are|was|were|stays?|remains?) (?:kept |left )?(?:out of it|uninvolved|not involved)\b",
     " motionless "),
    # "no brow movement whatsoever"
    (r"\b(?:no|without (?:any )?|zero) ((?:\w+ )?(?:brow|eyebrow|mouth|lip|eye|head|jaw|cheek|nose|face)) "
     r"(?:movement|motion|action|activity|involvement)\b",
     r"\1 motionless "),
    # "takes it without a flicker"
    (r",? without (?:so much as )?(?:a|any|the slightest) (?:flicker|twitch|flinch|tremor|reaction|sign of (?:feeling|"
     r"emotion)|(?:hint|trace|flicker) of (?:feeling|emotion))\b", ", neutral"),
    # "without moving the"
    (r"\bwithout (?:ever )?(?:moving|using|involving|engaging) ", "without "),
    # "nothing before"
    (r"\b(?:nothing|everything stays? still|no movement|all still|everything (?:is )?still)(?: else)?(?: at "
     r"all)? (?=(?:until|till|before) )",
     "neutral "),
    # "otherwise dead still."
    (r"\b(?:rest of (?:the|his|her|their|your) face|everything else|nothing else|the rest|(?:otherwise|else) "
     r"dead) (?:is |stays? |remains? |moves?|still)*(?:still|neutral|calm|blank|motionless|relaxed|dead still|"
     r"put|passive)?(?=\s*(?:[,.;!?]|$))",
     "otherwise blank"),
    # "otherwise calm"
    (r"\botherwise (?:dead |completely |totally |perfectly )?(?:still|motionless|unmoving|calm|relaxed)\b",
     "otherwise blank"),
    # "stays where it was."
    (r"\b(?:stays?|remains?|is|are|left|kept) (?:right |exactly |just )?(?:where (?:it|they|he|she) (?:is|are|"
     r"was|were)|alone|as (?:it|they) (?:is|are)|untouched|put)\b",
     " motionless "),
    # "hold still for"
    (r"\b(?:(?:stays?|remains?|staying) (?:put|still)|(?:keeps?|held|hold) still)\b", " motionless "),
)  # fmt: skip

#: Sides.
SIDES = _rules(
    # "on the right after that", "so does the right one"
    (r"\b(on|with) the (left|right) (?:after that|after it|from then on|afterwards|thereafter)\b", r"then \1 the \2"),
    (r"\bso (?:does|do|will|is) {the}(left|right|other)(?: one)?\b", r"the \1 one follows"),
    # "a smirk on the right after 'tomorrow'": not "right after"
    (r"\bon (?:the |his |her |their )right (?=after |before )", "on the right side "),
    # "both corners rise, the left a second ahead of the right"
    (r"\b(?:the )?(left|right)(?: one| side)?,? (?:{amount}|just|slightly|a bit|a little) (?:ahead of|before|"
     r"earlier than|"
     r"sooner than) (?:the )?(left|right)(?: one| side)?{end}", r"one after the other, \1 first"),
    # "brow raise l 1 s, r 2 s"
    (r"\b(l|r|left|right)(?: side| one)? ({time})(?=,? (?:and |then )*(?:the )?(?:l|r|left|right)(?: side| "
     r"one)? (?:at )?{time})",
     r"\1 at \2"),
    # "from 2 s on only with the left"
    (r"\bonly (?:with|on|in) (?:the |his |her )?(left|right)(?= *(?:[.,;]|$| one| side| eye))", r"only the \1"),
    # "glares off to the left"
    (r"\b(stares?|staring|peers?|peering|glares?|glaring|glowers?|squints?|scowls?|gazes?) (?:off |away |over |out )?"
     r"(?:to )?{the}(left|right|up|down|l|r)\b(?! (?:eye|brow|side|corner|lid))", r"\1, looks \2"),
    # "turns away to the left"
    (r"\b(turn(?:s|ed|ing)?)(?: {the}(?:head|face))? (?:away |aside |off )(?:to|towards) {the}(left|right)\b",
     r"\1 the head to the \2"),
    (r"\b(while|whilst|as) ((?:the|his|her|their) (?:left|right) [^,.;]+?) (?=(?:the|his|her|their) (?:left|"
     r"right|other)\b)",
     r"\1 \2, "),
    # "right one comes after it at"
    (r"\b(left|right|other)(?: (?:one|side))? comes? (?:right |just )?after(?: it| that)?\b", r"\1 one follows"),
    # "the left? leave"
    (r"\b(?:the )?(left|right|other)( one| side)?\? ", r"\1\2 "),
    # "fades in left cheek"
    (r"\b(fades?|drains?|dies|melts) (?:in|on|from) (?:the |his |her )?(left|right)\b(?! (?:side )?to\b)",
     r"\1 away on the \2"),
    # "onto her left shoulder while"
    (r"\bonto {the}(left|right) shoulder\b", r"\1"),
    # "dies from right to left -"
    (r"\b((?:dies|fades|drops|goes|drains|vanishes|disappears|melts|slips)(?: away| off)?) from (?:the "
     r")?(?:left|right)(?: side)? to (?:the )?(?:left|right)\b",
     r"\1"),
    # "that corner"
    (r"\bthat (?=(?:(?:upper|lower|inner|outer) )?(?:lid|eyelid|brow|eyebrow|eye|corner|cheek|nostril|dimple|"
     r"(?:lip|mouth) corner)\b)",
     "same side "),
    (r"\b(left|right)-(?=(?:eye|brow|eyebrow|lip|mouth|cheek|lid|nostril|corner|wink|smirk)s?\b)", r"\1 "),
    # "right-sided smirk"
    (r"\b(left|right)-(?:leaning|tilted|sided|heavy|weighted|biased|skewed|slanted|cornered)\b", r"\1"),
)  # fmt: skip

#: Words that look like others.
WORDING = _rules(
    # "a micro frown"
    (r"\bmicro[- ](?!expression)(?=[a-z])", "micro-expression of a "),
    # "lets the air out"
    (r"\b(?:lets?|blows?) (?:(?:it|them) (?:all )?out|{the}(?:air|breath) (?:all )?(?:out|go|escape))\b"
     r"(?= *(?:[.,;]|$|at\b|slowly))", "deflates"),
    # "one quick brow raise": one raise, not one brow
    (r"\bone ([a-z]+ (?:brow|eyebrow|lid|lip|nose|chin|cheek|head) (?:raise|lift|drop|twitch|wrinkle|scrunch|flash))\b",
     r"a \1"),
    # "sad eyes, yes. sad mouth, no."
    (r"{opening}([^,.;?]{1,40})(?:\?|,) yes(?=[.,;!]|$)", r"\1"),
    (r"(?<=[.;] )([^,.;?]{1,40}), no(?=[.;!]|$)", r"no \1"),
    # short forms
    (r"\bfwds?\b", "forward"), (r"\bw/o\b", "without"), (r"\bw/ ?(?=[a-z])", "with "), (r"\bthru\b", "through"),
    (r"\bb4\b", "before"),
    # "a big, honest smile"
    (r"\b(an?|his|her|their|one|the) ([a-z-]+), (?!(?:he|she|it|they|then|and|a|no|not|the|with)\b)([a-z-]+) "
     r"(?=(?:smile|grin|smirk|frown|laugh|scowl|sneer|stare|look|expression|face)\b)", r"\1 \2 \3 "),
    # "brows: inner up, outer still"
    (r"\b((?:eye)?brows|(?:eye)?lids|lips): ([^.;]*\b(?:inner|outer|upper|lower)\b[^.;]*)", _of_its_part),
    # "the smile drops off"
    (r"\b({expression}|anger|joy|fear|sadness|it) (?:drops|falls|slides|slips|wears) (?:off|away)\b", r"\1 fades"),
    # "keeps his face still"
    (r"\b(?:keeps?|kept|holds?|keeping|holding) {the}face (?:perfectly |completely |absolutely |very )?(?:still|blank|"
     r"neutral|straight|motionless|frozen)\b", "blank"),
    # "relaxes the smile", "opens it again"
    (r"\b(opens|closes|shuts|lowers|raises|lifts) (it|them) again\b", r"\1 \2"),
    (r"\b((?:brow|eyebrow|corner|cheek|lid|lip|mouth|chin|head|eye|nostril)s?|one|left|right|both) up (?=until|"
     r"till)",
     r"\1 raised "),
    (r"\b((?:eye|lid|eyelid|mouth|lip)s?|one) closes (?=on|in|with)", r"\1 shuts "),
    (r"\b(?:except for|apart from|other than|aside from) {rest}, (?:which|that|who) ", r"\1 "),
    # "humourless smile"
    (r"\b(?:humou?r|mirth|joy|cheer|warmth|blood)less(?:ly)? (smile|grin|laugh)", r"cold \1"),
    (r", one (?=(?:in|that|which|where|with)\b)", ", "),
    (r"\b(bilat|inf|sup|med|lat|maj|min)\.(?=[,; ]|$)", r"\1"),
    # "i mean the"
    (r"\b(?:i\. ?e\.|e\. ?g\.|viz\.|i mean|that is to say|namely|to be precise|more precisely),?", ", "),
    # "and sorry, at"
    (r",? and sorry,", ","),
    # "unsmiling"
    (r"\bun(smiling|frowning|blinking)\b", r"not \1"),
    (r"\b(smile|frown|fear|emotion|expression|feeling|joy|humou?r)less(?:ly)?\b", r"no \1"),
)  # fmt: skip

ALL: tuple[Rule, ...] = (
    *TENSES, *WORDS_OF_THE_LINE, *SHARES, *PHASES, *LENGTHS, *CHANGES, *ORDER, *LIMITS, *ENDS, *STILLNESS, *SIDES,
    *WORDING,
)  # fmt: skip
