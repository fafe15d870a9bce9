"""Lines that Mien's own voice speaks for training: free data whose phones and times are known.

Written for Mien, so that between them every English phone stands at the beginning, within and at the end of words,
beside open and rounded vowels, in statements, questions and lists.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..contract.errors import MienError
from ..speech import voice, voices
from ..speech.phones import Phone
from ..speech.sound import Sound, read

LINES: tuple[str, ...] = (
    "Maybe Bob will move the big blue piano before Thursday.",
    "My mother baked plum pie, and Pam brought the lamb home.",
    "Please pump up both bicycle tubes before we climb.",
    "A problem with the pump? Nobody remembered to mop the basement.",
    "Five very fresh flowers have fallen from the van.",
    "If Vivian leaves at half past four, we have enough coffee for everyone.",
    "The fifth verse is rough, but every voice found it.",
    "Woody would win, we were always aware of it.",
    "Why was the yellow wool wet when we walked away?",
    "You used to chew huge blueberries in June.",
    "Two new blue shoes moved through the cool room.",
    "Who knew the rules of the school pool?",
    "Joe drove home slowly, so only the road was noisy.",
    "Go home, open the door, and show Rose the snow.",
    "Those old oak boats won't float, I suppose.",
    "She sees three green trees beneath these steep peaks.",
    "We need clean sheets, tea, cheese, and a piece of beef.",
    "He really believes each leaf is unique.",
    "The cat sat on a black mat and had a nap.",
    "Dad can't catch that fat rabbit, can he?",
    "Calm palms are far from the dark harbour.",
    "Are large cars parked past the farm?",
    "Her first nurse heard the early birds turn north.",
    "Thirty worthy workers earn thirteen dollars each Thursday.",
    "Should I wish for sugar, or is the ocean fresh enough?",
    "Measure the garage, then the beige treasure chest.",
    "Charles watched each chicken scratch the kitchen bench.",
    "George enjoys ginger, orange juice and strange magic.",
    "This thing is thicker than both of those other paths.",
    "They breathe together; three thousand feathers gather there.",
    "Zoe's zebras doze as the breeze passes the museum.",
    "Six silly sisters sit still, sipping sweet sauce.",
    "Singing along, the young king brings long strings.",
    "Ten tiny tents stood in line until the wind turned.",
    "Could Kate keep the cake cool in a quick kayak?",
    "Great green goats go grazing again.",
    "How loud was the crowd around our house?",
    "Now count out loud, and shout when the cloud comes down.",
    "I tried to hide behind the white tiles, quite surprised.",
    "The boy enjoyed the noise of toys and boiling oil.",
    "Say hey to James; they may wait eight days.",
    "Let every friend guess when Emma left the desk.",
    "This little ship is bringing six big fish to him.",
    "Under the sun, lunch was fun, but nothing much was done.",
    "All the small balls fall across the long hall.",
    "Look, put the good book in the wooden nook.",
    "Happy people hope to have help at half price.",
    "Lily will roll all the yellow jelly along.",
    "Red rabbits ran around a very rural road.",
    "What is that? Nothing. Well, maybe something.",
    "No. No! I said no, and I mean it.",
    "One, two, three, four, five, six, seven, eight, nine, ten.",
    "Perhaps, if you ask politely, Bill may give up the map.",
    "Wow, that is beautiful; I have never seen anything like it.",
    "Mm, maybe. But what about my bags?",
    "Stop! Don't move. Put both hands up where I can see them.",
    "The weather over the whole valley will improve by Wednesday afternoon.",
    "I bought a bottle of warm milk, a pumpkin, and a bit of pepper.",
    "Father Peter prepared a proper farewell for both families.",
    "We are moving, and our house will be empty by the end of May.",
)  # fmt: skip

_RATE = 16_000


@dataclass(frozen=True)
class Spoken:
    """A spoken line: its sound, its phones as the voice timed them, who spoke it."""

    text: str
    voice: str
    sound: Sound
    phones: list[Phone]


def spoken(
    folder: Path, models: str | None = None, say: Callable[[str], None] = print, count: int = len(LINES)
) -> list[Spoken]:
    """The first `count` lines, the voices and three speeds by turns; kept in `folder`, so that they are spoken once.

    Raises:
        MienError: The voices are not installed, or the folder can't be written.
    """
    names = sorted(voices.VOICES)
    folder.mkdir(parents=True, exist_ok=True)
    result = []
    for number, text in enumerate(LINES[:count]):
        name, speed = names[number % len(names)], (0.9, 1.0, 1.15)[number % 3]
        path = folder / f"{number:03d}-{name}.wav"
        if not path.with_suffix(".json").is_file():
            say(f"Speaking line {number + 1} of {count}")
            _speak(path, text, name, speed, models)
        entry = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if entry["text"] != text:
            raise MienError(f"{path} holds another line; remove the folder and speak the lines again.")
        result.append(Spoken(text, name, read(path), [Phone(*row) for row in entry["phones"]]))
    return result


def _speak(path: Path, text: str, name: str, speed: float, models: str | None) -> None:
    import soundfile

    sound, phones, _ = voice.speak(text, name, speed, models)
    samples = np.clip(sound.at_rate(_RATE).samples, -1.0, 1.0)
    soundfile.write(path, samples, _RATE, subtype="PCM_16")
    rows = [[phone.symbol, phone.start, phone.end] for phone in phones]
    path.with_suffix(".json").write_text(json.dumps({"text": text, "phones": rows}), encoding="utf-8")
