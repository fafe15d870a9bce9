"""One way of writing: the many notations of directions → the one that `words` reads.

Times from scripts, clocks, lists and frame counts, strengths in words, sides as somebody else sees them, contractions
and turns of phrase are put into plain words here. Nothing is decided: what cannot be said otherwise stays as it is.
"""

from __future__ import annotations

import itertools
import re

from .tables import data

#: Strengths end here; a number beyond it is something else.
MOST_STRENGTH = 1.5


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


#: Words that a clause about somebody begins with.
_PERSONS = r"(?:the|his|her|their|its|he|she|they|it|any|an?|your|my)"
#: Turns of phrase put into the words that the lists know: "as wide as they go", "way up", "a smile from then on".
_TURNS = (
    (re.compile(r"\b(stares?|staring|peers?|peering) (?:to the )?(left|right|up|down)\b"), r"\1, looks \2"),
    (re.compile(r"\b(while|whilst|as) ((?:the|his|her|their) (?:left|right) [^,.;]+?) (?=(?:the|his|her|their) (?:left|"
                r"right|other)\b)"), r"\1 \2, "),
    (re.compile(r"\b(?:when|once|after|as soon as) (?:he|she|it|they|the) (?:has|have|is|are) (?:finished|done|through)"
                r"(?: with)? (?=[a-z])"), "after "),
    (re.compile(r"\bnot ([^,.;]+?) yet ?[-–,;:]+ ?(?:but )?first ([^.;]+)"), r"first \2, then \1"),
    (re.compile(r"\b(before|after|once|when|as soon as) (he|she|they|it) ([^,.;]+?) \2 (?=[a-z])"), r"\1 \2 \3, \2 "),
    (re.compile(r"\b((?:brow|eyebrow|corner|cheek|lid|lip|mouth|chin|head|eye|nostril)s?|one|left|right|both) up "
                r"(?=until|till)"),
     r"\1 raised "),
    (re.compile(r"\b((?:eye|lid|eyelid|mouth|lip)s?|one) closes (?=on|in|with)"), r"\1 shuts "),
    (re.compile(r"\b(?:except for|apart from|other than|aside from) ([^,.;]+), (?:which|that|who) "), r"\1 "),
    (re.compile(r"\b(?:humou?r|mirth|joy|cheer|warmth|blood)less(?:ly)? (smile|grin|laugh)"), r"cold \1"),
    (re.compile(r", one (?=(?:in|that|which|where|with)\b)"), ", "),
    (re.compile(rf",? and there,? (?={_PERSONS}\b)"), ", then "),
    (re.compile(r"\b(bilat|inf|sup|med|lat|maj|min)\.(?=[,; ]|$)"), r"\1"),
    (re.compile(r"\b(?:possibly|physically|humanly) (?=can\b|could\b|possible\b)"), ""),
    (re.compile(r"\b(drops?|dropped|falls?|sinks?|hangs?|lowered|lowers|down) as low as (?:possible|(?:it|they|"
                r"you|he|she) "
                r"(?:can|could|goes?|will)(?: go)?)"), r"\1 to the max"),
    (re.compile(r"\bas low as (?=possible|(?:it|they|you|he|she) (?:can|could|goes?|will))"), "down as much as "),
    (re.compile(r"\b(?:not until|only (?:after|when|once)) (?:that|this|then|it is there|[a-z]+ (?:is|"
                r"are) (?:there|done|over))"
                rf",? (?:(?:does|do|will|did|should|may|can|is|are) )?(?={_PERSONS}\b)"), "then "),
    (re.compile(r"\b(?:not until|only (?:after|when|once)) ([^,.;]+?),? (?:does|do|will|did|should|may|"
                rf"can) (?={_PERSONS}\b)"),
     r"once \1, "),
    (re.compile(r",? (?:and )?(?:that )?(?:it|this) (?:comes?|happens?|starts?|begins?|arrives?|occurs?|appears?|"
                r"should (?:come|happen|start|begin)) (?=(?:in )?(?:at|on|after|from) (?:the )?(?:\d|frame|second|"
                r"one |two |three |"
                r"four |five ))"), " "),
    (re.compile(r"\b(left|right|other)(?: (?:one|side))? comes? (?:right |just )?after(?: it| that)?\b"),
     r"\1 one follows"),
    (re.compile(r"\b(?:the )?(left|right|other)( one| side)?\? "), r"\1\2 "),
    (re.compile(r"\bleave (?:it|that|them)(?: (?:be|alone|there))?(?=\s*(?:[.,;!]|$))"), "motionless"),
    (re.compile(r"\bkeep(?:s|ing)? ((?:[\w']+ ){1,5}?)(?:(?:right |well |completely )?out of (?:it|"
                r"this))\b"), r"\1motionless"),
    (re.compile(r"\b(fades?|drains?|dies|melts) (?:in|on|from) (?:the |his |her )?(left|right)\b"
                r"(?! (?:side )?to\b)"), r"\1 away on the \2"),
    (re.compile(r"\b(?:until |till )?(?:nothing|none|little|much|what|not much) (?:is |of it is |"
                r"that is )?left(?: of (?:it|them))?\b"), ""),
    (re.compile(r"\bonto (?:the |his |her |their )?(left|right) shoulder\b"), r"\1"),
    (re.compile(r"\b(left|right|other) ((?:[a-z]+ )?(?:side|half|corner|brow|eye|one)) (?:has|have) not (?:got|"
                r"heard|received|"
                r"had) [^,.;]*"), r"\1 \2 motionless"),
    (re.compile(r"\b(midway|halfway|half way) (?:through|into|in) (?:the|these|this|those|its) (?:[\d.]+|"
                r"[a-z]+) ?(?:s|sec\w*)\b"), r"\1"),
    (re.compile(r"\bas (?!far\b|much\b|hard\b|soon\b|if\b|though\b)(\w+(?: open| shut| apart)?) as "
                r"(?:possible|(?:it|they|you|he|she|we|i|one) (?:can|could|go(?:es)?|will|gets?)(?: go| get| be)?\b)"),
     r"\1 to the max"),
    (re.compile(r"\b(?:up to|until|till|before) (?:then|there|that (?:point|moment|time|mark))\b"), "before then"),
    (re.compile(r"\b(?:the|that|this) (?:very )?(?:second|moment|instant|minute) "
                r"(?=(?:that |when )?(?:he|she|they|it|the|his|her|their|you|your|i|my|we|someone|somebody) )"),
                "once "),
    (re.compile(r"\b(?:(?:the|that) (?:very )?(?:moment|second|instant|minute)|as|when(?:ever)?|once|as soon as) "
                r"(?:that )?(?:he|she|they|it|someone|somebody) (?:hears?|says?|reads?|utters?|speaks?|"
                r"gets? to|reach(?:es)?) (?:the words? |the line |the phrase )?(?=[\"'])"), "at the word "),
    (re.compile(r"\b(?:from|as of|starting (?:from|with|at|on)|beginning (?:with|at|on)|since) (?:(?:the|her|his) )?"
                r"(?:words? |line |phrase )?(\"[^\"]+\"|'[^']+') on(?:wards?)?\b"),
     r"at \1 open-ended"),
    (re.compile(r"\b(?:and )?(?:holds?|held|holding|keeps?|kept|stays?|staying|remains?|lasts?|continues?|goes on)"
                r"(?: (?:it|that|this|them|there|so|on|like that|that way))? (?:right |all the way )?"
                r"(?:(?:un)?till?|to|through) the (?:very |bitter )?end(?: of (?:the |this )?\w+)?\b"),
     " open-ended"),
    (re.compile(r"\b(?:un)?till? the (?:very |bitter )?end(?: of (?:the |this )?\w+)?(?=\s*(?:[.,;!]|$))"),
     " open-ended"),
    (re.compile(r"\b((?:[a-z]+ )?[a-z]+) (?:wins? (?:out )?over|takes? over from|replaces?|displaces?|supplants?|"
                r"overcomes?|overtakes?|conquers?|drives? out|pushes (?:out|aside)|chases? (?:away|off)|"
                r"drowns?(?: out)?|triumphs? over|gets? the better of|crowds? out|swallows? up) "
                r"(?:the |his |her |their |an? )?([a-z]+)\b"),
     r"\2 gives way to \1"),
    (re.compile(r"\b(?:i\. ?e\.|e\. ?g\.|viz\.|i mean|that is to say|namely|to be precise|more precisely),?"), ", "),
    (re.compile(r",? and sorry,"), ","),
    (re.compile(r"\b((?:dies|fades|drops|goes|drains|vanishes|disappears|melts|slips)(?: away| off)?) from (?:the )?"
                r"(?:left|right)(?: side)? to (?:the )?(?:left|right)\b"), r"\1"),
    (re.compile(r"(?:,|\band|\bbut) (?:never|does not|will not) (?:recovers?|comes? back|goes? away|fades?|leaves?|"
                r"lets? go|moves? again|returns?)(?=\s*(?:[.,;!]|$))"), " open-ended"),
    (re.compile(r"\b(?:comes? |goes? |drops? |falls? )?(?:down|back down) again\b"), "back down"),
    (re.compile(r"\bas far as (?:[a-z]+ ){1,3}(?:goes?|can|will|allows?|gets?|permits?)\b"), "to the max"),
    (re.compile(r"\bwith (?:all|full|maximum|every ounce of)(?: (?:the|his|her|their|its|your|my))? "
                r"(?:force|strength|power|might|energy|effort)\b"), "to the max"),
    (re.compile(r"\bthat (?=(?:(?:upper|lower|inner|outer) )?(?:lid|eyelid|brow|eyebrow|eye|corner|cheek|nostril|"
                r"dimple|(?:lip|mouth) corner)\b)"), "same side "),
    (re.compile(r"\bstill (?=(?:raised|lifted|up|down|low|lowered|closed|shut|open|wide|pressed|pursed|furrowed|"
                r"knitted|tight|clenched|narrowed|sad|happy|angry|smiling|frowning|crying|grinning|scared|"
                r"afraid)\b)"), ""),
    (re.compile(r"\b(left|right|other)((?: (?:one|side|half|brow|eyebrow|eye|lid|corner|cheek|lip|nostril))*) (?:i |"
                r"we |you )?(?:stays?|remains?|holds?|keeps?|is kept|persists?|resists?|sits? (?:this one |it )?out)"
                r"(?: (?:on|up there|there|so|that way|like that|in place|quiet|home|at home))?"
                r"(?=\s*(?:[,.;!?)]|$|until\b|till\b|and\b))"), r"\1\2 motionless "),
    (re.compile(r"(?<!\bas )\b(?:it|they|this|that|these) (?:all )?(?:ends?|finish(?:es)?|stops?|cease(?:s)?|"
                r"is over|are over|is gone|are gone|goes|go away|goes away|is done|disappears?|vanish(?:es)?)"
                r"(?=\s*(?:[.,;!]|$|at \d|by \d|at [a-z]+ sec))"),
     "stop"),
    (re.compile(r"\b(up|down|left|right|open|wide) to the max\b"), r"\1 as much as possible"),
    (re.compile(r"\bnot (until|till|before) "), "only after "),
    (re.compile(r"\b(?:do|does|did|will)? ?not (?:move|change|budge|stir|react|respond|flinch|show (?:anything|a "
                r"thing)|"
                r"do (?:anything|a thing)|emote)(?: a muscle)?(?= (?:until|till?|before) )"), "neutral"),
    (re.compile(r"\bno (?:change|movement|expression|reaction|emotion)s?(?: at all)?(?= (?:until|till?|before|for|"
                r"up) )"), "neutral"),
    (re.compile(r"\b((?:until|till?|before|at|up to) (?:[^,.;]{1,24}(?:s|\d))),? (?:at which point|when|whereupon|"
                r"where|"
                r"and there|and that is when)\b"), r"\1, then"),
    (re.compile(r"\b(?:do|does|did|will|would|should|can|could|must|let)? ?not (?:ever )?"
                r"(?:move|change|budge|stir|react|participate|join(?: in)?|take part|follow(?: suit)?|shift|flinch|"
                r"respond|"
                r"engage|help|share in it|get involved|be involved|involved|change at all|move at all)\b(?: at all| "
                r"an inch)?"),
     " motionless "),
    (re.compile(r"\b(?:is|are|was|were|stays?|remains?) (?:kept |left )?(?:out of it|uninvolved|not involved)\b"),
     " motionless "),
    (re.compile(r"\b(?:no|without (?:any )?|zero) ((?:\w+ )?(?:brow|eyebrow|mouth|lip|eye|head|jaw|cheek|nose|face)) "
                r"(?:movement|motion|action|activity|involvement)\b"), r"\1 motionless "),
    (re.compile(r"\bwithout (?:ever )?(?:moving|using|involving|engaging) "), "without "),
    (re.compile(r"\b(?:nothing|everything stays? still|no movement|all still|everything (?:is )?still)(?: else)?(?: "
                r"at all)? "
                r"(?=(?:until|till|before) )"), "neutral "),
    (re.compile(r"\b(?:rest of (?:the|his|her|their|your) face|everything else|nothing else|the rest|(?:otherwise|"
                r"else) dead)"
                r" (?:is |stays? |remains? |moves?|still)*(?:still|neutral|calm|blank|motionless|relaxed|dead still|"
                r"put|passive)?"
                r"(?=\s*(?:[,.;!?]|$))"), "otherwise blank"),
    (re.compile(r"\botherwise (?:dead |completely |totally |perfectly )?(?:still|motionless|unmoving|calm|relaxed)\b"),
     "otherwise blank"),
    (re.compile(r"\b(?:stays?|remains?|is|are|left|kept) (?:right |exactly |just )?(?:where (?:it|they|he|she) "
                r"(?:is|are|was|were)|"
                r"alone|as (?:it|they) (?:is|are)|untouched|put)\b"), " motionless "),
    (re.compile(r"\b(left|right)-(?=(?:eye|brow|eyebrow|lip|mouth|cheek|lid|nostril|corner|wink|smirk)s?\b)"), r"\1 "),
    (re.compile(r"\b(left|right)-(?:leaning|tilted|sided|heavy|weighted|biased|skewed|slanted|cornered)\b"), r"\1"),
    (re.compile(r"\bun(smiling|frowning|blinking)\b"), r"not \1"),
    (re.compile(r"\b(smile|frown|fear|emotion|expression|feeling|joy|humou?r)less(?:ly)?\b"), r"no \1"),
    (re.compile(r"\bway (up|down|open|wide|apart|back|forward)\b"), r"very much \1"),
    (re.compile(r"\b(?:(?:stays?|remains?|staying) (?:put|still)|(?:keeps?|held|hold) still)\b"), " motionless "),
)  # fmt: skip


_T = r"(?:\d?\d:\d\d(?:\.\d+)?|(?:\d+(?:\.\d+)?|one|two|three|four|five|six) ?(?:s|secs?|seconds?)\b)"
_SHARE = r"(?:one|a|two|three) (?:thirds?|quarters?)"
_SHOT = r"(?:shot|clip|take|scene|line|video|animation|sequence)"
_GROWING = r"(?:grows?|builds?|swells?|spreads?|rises|creeps in|mounts?)"
#: Turns of order and time, put into plain words before everything else: "not amused any more, he …" was amused before.
_ORDER_TURNS = (
    (re.compile(r"\b(?:have|has|had) (?:risen|arisen)\b"), "rise"),
    (re.compile(r"\b(?:have|has|had) (?:sunk|sunken|fallen)\b"), "drop"),
    (re.compile(r"\b(?:have|has|had) (gone|come) (up|down)\b"), r"go \2"),
    (re.compile(r", having (?:just |only just )?(?:been|begun|started)(?: out)?(?: as)? ([^,.;]+?)(?: (?:a "
                r")?(?:moment|second|"
                r"instant|bit) (?:ago|before|earlier)| just before| before(?:hand)?)?(?=[,.;]|$)"),
     r", after being \1"),
    (re.compile(rf"\b([a-z]+) ((?:at|from|on) {_T}),? (?:and )?(?:gone|off|away|over|out) (?:again )?(?:by|at|from) "
                rf"({_T}),? (?:and |then |but )*(?:is )?(?:back|there|on|returns|comes back)(?: again)? ((?:at|from|"
                rf"by) {_T})"), r"\1 \2, gone at \3, \1 \4"),
    (re.compile(r"\b(?:up to and including|(?:up )?(?:until|till|to) (?:the end of|after)) (?:the word )?\"([^\"]+)\""),
     r'until ">\1"'),
    (re.compile(r"\bafter (?:the )?(?:word )?(\"[^\"]+\") (?:is|has been|was) (?:over|done|finished|said|spoken|"
                r"out)\b"),
     r"after \1"),
    (re.compile(r"\bafter (?:the )?word (?=\")"), "after "),
    (re.compile(r"\bwith (?=\"[^\"]+\"(?:[,.;]|$| and\b))"), "on "),
    (re.compile(r"\b(until|till|before|up to) ([^,.;]+), (?:and |but )?from (?:that (?:word|point|moment|second)|then|"
                r"there) on(?:wards?)?,? "), r"\1 \2, then "),
    (re.compile(rf"\bno longer ([a-z]+), (?={_PERSONS}\b)"), r"\1, then "),
    (re.compile(rf"(?:(?<=^)|(?<=[.;] ))not ([a-z]+) (?:any ?more|any longer), (?={_PERSONS}\b)"), r"\1, then "),
    (re.compile(r"\b(?:empty|vacant|dead|flat),? (?:and )?(?=(?:neutral|expressionless|blank)\b)"), ""),
    (re.compile(r"\b(until|till|before|when|once) (?:it (?:dawns on|hits|strikes|occurs to) (?:him|her|them)|(?:he|she|"
                r"they) (?:realises?|realizes?|understands?|grasps?|learns?|finds? out)) (?:that )?(?=[a-z])"), r"\1 "),
    (re.compile(r"\b(?:his|her|their|the) (?:calm|composure|cool|patience|self-control|restraint|mask|poker face) "
                rf"(?:breaks|cracks|snaps|slips|goes|shatters|crumbles|gives) (?:and|so) (?={_PERSONS}\b)"), ""),
    (re.compile(rf"\b(?:for )?({_SHARE})(?: of (?:it|the {_SHOT}))? (?!in\b|through|of\b|a\b)([a-z]+),? (?:and |"
                rf"then |for )*"
                rf"(?:the (?:other|last|remaining) )?({_SHARE})(?: of (?:it|the {_SHOT}))? (?!in\b|through|of\b|"
                rf"a\b)([a-z]+)"
                r"(?=\s*(?:[.;]|$))"), lambda m: _shares(m)),
    (re.compile(rf"\b(?:throughout|over|across|during) the (?:whole |entire |full )?{_SHOT},? (?:an? |the |his |"
                rf"her |their )?"
                rf"((?:[a-z]+ )?[a-z]+?) (?:very )?(?:slowly |gradually |steadily )?{_GROWING}\b[^.;]*"),
     r"from a blank face slowly to \1 over the whole shot"),
    (re.compile(rf"(?:(?<=^)|(?<=[.;] ))(?:an? |the |his |her |their )?((?:[a-z]+ )?[a-z]+?) (?:very "
                rf")?(?:slowly |gradually |"
                rf"steadily )?{_GROWING}(?: (?:very |ever so )?(?:slowly|gradually|steadily))? (?:throughout|"
                rf"over|across) the "
                rf"(?:whole |entire |full )?{_SHOT}(?=\s*[.;]|$)"),
     r"from a blank face slowly to \1 over the whole shot"),
    (re.compile(rf"\b(?:an? )?(?:slow|gradual|steady)?(?: )?(?:build(?:-up)?|rise|growth|crescendo) of [a-z]+ "
                rf"(over|across) "
                rf"the (?:whole |entire |full )?{_SHOT}, from ([^,.;]+)"), r"from \2 over the whole shot"),
    (re.compile(rf"\b(?:for|during|in) the first (half|third|quarter|two thirds|three quarters)(?: of the "
                rf"{_SHOT})?,? (?:and|"
                rf"then|but|after which) (?:then )?(?:{_PERSONS} )?(?:lets? (?:it|that|go of it)(?: go)?|stops|"
                rf"drops it|relaxes|"
                r"gives it up)(?=\s*(?:[.;,]|$))"), lambda m: f", {_way_in(m[1])} neutral"),
    (
        re.compile(
            r"\b(?:for|during|in|over) the first (third|quarter|two thirds|three quarters)"
            rf"(?: of the {_SHOT})?,? ([^,.;]+), (?:and )?(?:then|after that|afterwards),? "
        ),
        lambda m: f"{m[2]}, {_way_in(m[1])} ",
    ),
    (
        re.compile(
            r"\b(?:at|on) (\"[^\"]+\"),? (?:and |then )*(?:back )?(?:down|up|back|off|gone|away|over)(?: again)? "
            r"(?:at|on|by) \"([^\"]+)\""
        ),
        r'from \1 to "<\2"',
    ),
    (re.compile(r", (?=until [^,.;:]+: )"), " "),
    (re.compile(r"\b(someone|somebody|the \w+|an? \w+) (?:that |who |whom )?(?:he|she|they) (?:loves?|hates?|"
                r"fears?|misses|"
                r"trusts?|adores?|despises?|dreads?) (?=(?:walks?|comes?|enters?|leaves?|appears?|arrives?|calls?)\b)"),
     r"\1 "),
    (re.compile(r"(?: at the (?:midpoint|middle)[:,;] )?\bthe ([a-z]+) of the first half (?:turns|changes|gives way|"
                r"switches) (?:in)?to ([a-z]+)"), r". in the first half \1, then at the midpoint \2"),
    (re.compile(r"\bfirst (?:50 ?%|fifty per ?cent) of"), "first half of"),
    (re.compile(rf"\b(?:for|in|during) the first half of the {_SHOT}\b"), "in the first half"),
    (re.compile(rf"(?<=first half, )([a-z]+) (?:for|in|during) the rest of (?:it|the {_SHOT})(?=\s*(?:[.;]|$))"),
     r"\1 in the second half"),
    (re.compile(r"(?:(?<=^)|(?<=[.;\n] ))(?:start|beginning|opening): (?=[^:]*[.;\n,] ?(?:middle|end|ending|"
                r"finish): )"),
     "first "),
    (re.compile(r"(?<=[.;,\n] )middle: "), "then "), (re.compile(r"(?<=[.;,\n] )(?:end|ending|finish): "), "finally "),
    (re.compile(r"(?<=suddenly), (?:and )?without (?:any )?(?:transition|warning|delay|in-between),"), ""),
    (re.compile(r"\b(news|truth|penny|message|realisation|realization|loss|meaning) ((?:sinks|comes) in|drops|"
                r"lands|arrives|"
                r"hits(?: (?:him|her|them))?) ?[-–,;:]+ ?(?:and )?from (?:there|then|that (?:moment|point)) on,? "),
     r"\1 \2, "),
    (re.compile(r"(?<=, )(?:although|though|except that) (?=for |between |from )"), ". "),
    (re.compile(rf"\bfor (?:only |just )?(?:{_T}|a second), (?=(?:between|from) (?:seconds? )?\d)"), ""),
    (re.compile(r"\bthere (?:must be|is|should be|will be|can be) no (?:trace|sign|hint|remnant)(?: left)? of "
                r"(his|her|their|"
                r"the) ([a-z]+)(?: left| any ?more)?"), r"\1 \2 is gone"),
    (re.compile(r"(?<=[a-z]) by then(?=\s*(?:[.;]|$))"), ""),
    (re.compile(r"^([^;]+); (?:meanwhile,? )?from the (?:very )?(?:beginning|start|outset)(?: on)?,? ([^;.]+)$"),
     r"\2; \1"),
    (re.compile(rf"^((?:as the {_SHOT} ends|(?:at|by) the (?:very )?end(?: of the {_SHOT})?),? [^;.]+)[;.] ((?:in|at|"
                rf"during) the (?:middle|midpoint|beginning|start)[^;.]+)\.?$"), r"\2; \1"),
    (re.compile(rf"\bas the {_SHOT} (?:ends|closes|finishes)\b"), "at the end"),
    (re.compile(rf"\bwith ({_T}) (?:to go|left|remaining)\b(?: on the clock)?"), r"in the last \1"),
    (re.compile(r"(?<=[;,.] )(?:for )?(?:all )?the rest of the time,? (?=[a-z])(?<!first)"), "before that "),
)  # fmt: skip


def _shares(found: re.Match) -> str:
    """ "Two thirds angry, one third sad": the second begins where the share of the first is over."""
    return f"{found[2]}, {_way_in(found[1])} {found[4]}"


def _way_in(share: str) -> str:
    """A share of the shot as the time at which it is over."""
    share = f"a {share}" if share in ("third", "quarter") else share.replace("one", "a")
    return "halfway in" if share == "half" else f"{share} of the way in"


def opened(text: str) -> str:
    """Plain apostrophes, contractions in full, so that a word of the line is found as it is quoted."""
    text = text.replace("’", "'")
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    return text


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
    text = _AT_RATE.sub(r"\1", _time_codes(text))
    text = re.sub(r"\(\s*(left|right|both|l|r)\s*\)", r" \1 ", text)
    for pattern, replacement in (*_CONTRACTIONS, *_ORDER_TURNS, *_TURNS, *_OTHER_FORMS, *_SIDES_APART):
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
    (re.compile(r"\bfrom the (first|second|third|fourth) second (?:to|until|till) the (second|third|fourth|fifth|"
                r"sixth)\b"
                r"(?! second)"), lambda m: f"from {_ORDINALS[m[1]]} s to {_ORDINALS[m[2]]} s"),
    (re.compile(r"\b(by|at|until|till|from) the (first|second|third|fourth|fifth|sixth)(?: second)?(?=\s*(?:[.,;]|$))"),
     lambda m: f"{m[1]} {_ORDINALS[m[2]]} s"),
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


def _ramp(found: re.Match) -> str:
    """ "Builds from 1 s to 3 s": begins at 1 s and takes two seconds."""
    value = re.search(r"[\d.]+ ?%? $", found[1])
    start, end = number(found[2].rstrip(" second")), number(found[3].rstrip(" second"))
    if start is None or end is None or end <= start:
        return found[0]
    return f"{value[0] if value else ''}at {start:g} s over {end - start:g} s"


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
    r"(?:(?<=^)|(?<=[\n.,;:!] )|(?<=\n)|(?<= ))\(?([1-9])[.)](?=\s+[a-z])"
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
