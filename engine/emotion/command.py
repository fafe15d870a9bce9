"""`engine emotion`: words, a label or valence–arousal → a curve file, and in plain language what was understood."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from ..contract import curves as curve_file
from ..contract.errors import MienError
from ..contract.files import read_json
from . import condition
from .orders import label_order
from .sources import Given, feel
from .tables import MAX_INTENSITY, emotion, emotions
from .text import Beat, Spoken, Understanding, understand
from .timeline import Reading, perform

MAX_WORDS_BYTES = 4 * 1024 * 1024


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine emotion`."""
    parser = subparsers.add_parser("emotion", help="turn words, a label or valence–arousal into channel curves")
    what = parser.add_argument_group("what the feeling comes from", "several are mixed")
    what.add_argument(
        "--text", metavar="TEXT", help='a direction: "calm, then furious at 3 s, ending in a bitter smile"'
    )
    what.add_argument("--audio", metavar="FILE", help="a recording of speech: how aroused its voice is")
    what.add_argument("--transcript", metavar="TEXT", default="", help="what the recording says: how glad it is")
    what.add_argument(
        "--label", action="append", metavar="NAME[:INTENSITY]", help="an emotion, 0 to 1.5; may be repeated for a blend"
    )
    what.add_argument("--example", metavar="FILE", help="a curve file: feel as this face does")
    what.add_argument(
        "--va", nargs="+", metavar="V,A", help="points of valence and arousal, each -1 to 1, passed through in order"
    )
    what.add_argument("--mix", metavar="SOURCE=WEIGHT,…", help="how much each counts, such as text=0.6,audio=0.4")
    parser.add_argument("--labels", action="store_true", help="list the labels with their valence and arousal")
    parser.add_argument("--fps", type=float, default=24.0, help="frames a second (24)")
    parser.add_argument("--duration", type=float, metavar="S", help="seconds; without it, what the direction needs")
    parser.add_argument(
        "--words",
        metavar="FILE",
        help='the line\'s words, [["never", 1.9, 2.5], …], or a performance\'s JSON with "words"',
    )
    parser.add_argument("--asymmetry", type=float, metavar="A", help="0 to 1: how far the sides differ by nature (0)")
    parser.add_argument("--seed", type=int, default=0, help="which side does more (0)")
    parser.add_argument("--no-model", action="store_true", help="lexicon and grammar alone")
    parser.add_argument("--out", metavar="FILE", help="the curve file to write")
    parser.add_argument("--vectors", metavar="FILE", help="write the emotion vectors [T, 9] too, as JSON")
    # argparse would take "-0.5,0.3" for an option: it knows negative numbers, not points.
    parser._negative_number_matcher = re.compile(r"-[\d.]+(,-?[\d.]+)?$")
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the curves and print the reading back."""
    if arguments.labels:
        for name, entry in emotions().items():
            place = f"valence {entry.valence:+.2f}  arousal {entry.arousal:+.2f}"
            print(f"{name.replace('_', ' '):24s} {place}  {', '.join(entry.source)}")
        return 0
    feeling = feel(
        _given(arguments),
        fps=arguments.fps,
        duration=arguments.duration,
        meaning=not arguments.no_model,
        asymmetry=arguments.asymmetry,
        seed=arguments.seed,
    )
    for path in (arguments.out, arguments.vectors):
        if path and not Path(path).parent.is_dir():
            raise MienError(f"The folder of {path} does not exist; make it or choose another.")
    if arguments.out:
        curve_file.save(feeling.curves, arguments.out)
    if arguments.vectors:
        rows = {"fps": arguments.fps, "dimensions": condition.DIMENSIONS, "values": feeling.vectors.round(5).tolist()}
        try:
            Path(arguments.vectors).write_text(json.dumps(rows), encoding="utf-8")
        except OSError as error:
            raise MienError(f"{arguments.vectors} can't be written ({error}).") from None
    for line in feeling.lines():
        print(line)
    if arguments.out:
        result = feeling.curves
        print(
            f"{len(result.values)} frames at {result.fps:g} a second, {len(result.channels)} channels: {arguments.out}"
        )
    return 0


def _given(arguments: argparse.Namespace) -> Given:
    from ..speech.sound import read as read_sound

    others = any((arguments.audio, arguments.label, arguments.example, arguments.va))
    said = arguments.text is not None and (arguments.text.strip() or not others)  # empty and alone: a neutral face
    return Given(
        text=arguments.text if said else None,
        audio=read_sound(arguments.audio) if arguments.audio else None,
        labels=[_label(text) for text in arguments.label or ()],
        example=curve_file.load(arguments.example) if arguments.example else None,
        va=[_point(text) for text in arguments.va or ()],
        transcript=arguments.transcript,
        words=read_words(arguments.words) if arguments.words else [],
        weights=_weights(arguments.mix) if arguments.mix else {},
    )


def _weights(text: str) -> dict[str, float]:
    weights = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            weights[name.strip()] = float(value)
        except ValueError:
            raise MienError(f"{part!r} is no weight; write a mix as text=0.6,audio=0.4.") from None
    return weights


def from_text(text: str, words: list[Spoken] | None = None, *, meaning: bool = True, **options) -> Reading:
    """A direction → curves and the reading back. `options`: those of `timeline.perform`.

    Raises:
        MienError: The text is too long, or an option is out of range.
    """
    words = words or []
    at_least = words[-1].end + 0.5 if words else 0.0
    return perform(understand(text, words, meaning), at_least=at_least, **options)


def from_labels(labels: list[tuple[str, float]], **options) -> Reading:
    """Emotions by label, with intensities of 0 to 1.5, all at once.

    Raises:
        MienError: No such label, or an intensity out of range.
    """
    orders = []
    for name, intensity in labels:
        if not 0 <= intensity <= MAX_INTENSITY:
            raise MienError(f"The intensity of {name!r} is {intensity:g}; give one from 0 to {MAX_INTENSITY:g}.")
        orders.append(label_order(emotion(name).name, intensity))
    text = ", ".join(f"{name}:{intensity:g}" for name, intensity in labels)
    return perform(Understanding(text, [Beat(orders, start=0.0)], []), **options)


def _point(text: str) -> tuple[float, float]:
    try:
        valence, arousal = (float(part) for part in text.split(","))
    except ValueError:
        raise MienError(f"{text!r} is not a point; give valence and arousal as V,A, for instance 0.5,-0.2.") from None
    return valence, arousal


def _label(text: str) -> tuple[str, float]:
    name, _, intensity = text.partition(":")
    try:
        return name, float(intensity or 0.8)
    except ValueError:
        raise MienError(
            f"{intensity!r} in {text!r} is not an intensity; give a number from 0 to {MAX_INTENSITY:g}."
        ) from None


def read_words(path: str) -> list[Spoken]:
    """The words of a line from a JSON file.

    Raises:
        MienError: It cannot be read, or holds no words with times.
    """
    content = read_json(path, MAX_WORDS_BYTES)
    rows = content.get("words") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise MienError(f'{path} holds no words; it must be a list of ["word", start, end], or have one as "words".')
    words = []
    for place, row in enumerate(rows):
        good = isinstance(row, list) and len(row) == 3 and isinstance(row[0], str)
        if not good or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in row[1:]):
            raise MienError(f'{path}: word {place} must be ["word", start, end] with times in seconds.')
        if not 0 <= row[1] <= row[2] <= 3600:
            raise MienError(
                f"{path}: word {place} ({row[0]!r}) runs from {row[1]:g} to {row[2]:g} s; "
                "times must rise, within an hour."
            )
        words.append(Spoken(row[0], float(row[1]), float(row[2])))
    return words
