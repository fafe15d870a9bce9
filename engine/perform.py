"""`engine perform`: a recording or a typed line → a curve file (and keys)."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

from .contract import curves as curve_file
from .contract.errors import MienError

KEYS_FORMAT = "mien-keys"
KEYS_VERSION = 1


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("perform", help="make a recording or a typed line into channel curves")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--audio", metavar="FILE", help="a recording: WAV, FLAC, Ogg, MP3 …; without it, the line that ships with Mien"
    )
    source.add_argument(
        "--line", metavar="TEXT", help="an English line that the voice speaks (needs 'engine voices --install')"
    )
    parser.add_argument("--text", metavar="TRANSCRIPT", help="the words of the recording: finds phones more surely")
    parser.add_argument("--seed", type=int, default=0, help="another take of blinks, gaze and head motion")
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument(
        "--strength",
        action="append",
        default=[],
        metavar="LAYER=FACTOR",
        help="mouth, blinks, gaze, head, brows or breath",
    )
    parser.add_argument("--emotion", metavar="LABEL[=STRENGTH]", help="a feeling held throughout, such as anger=0.7")
    parser.add_argument("--va", metavar="VALENCE,AROUSAL", help="the same as a point of the pad, each from -1 to 1")
    parser.add_argument(
        "--guidance",
        action="append",
        default=[],
        metavar="SOURCE=WEIGHT",
        help="how much speech, emotion or keys are followed (1: as trained)",
    )
    parser.add_argument("--given", metavar="FILE.json", help="curves to follow, or to keep where --lock says so")
    parser.add_argument(
        "--lock",
        action="append",
        default=[],
        metavar="WHAT[@START-END]",
        help="keep a channel, a zone or 'all' of --given, throughout or between two times in seconds",
    )
    parser.add_argument("--model", default="default", metavar="default|none|FILE", help="who moves the face")
    parser.add_argument("--voice", default=None, help="see 'engine voices'")
    parser.add_argument("--speed", type=float, default=1.0, help="of the voice: 0.5 to 2")
    parser.add_argument(
        "--say",
        action="append",
        default=[],
        metavar="WORD=IPA",
        help='how the voice says a word, such as Mien=miːn; in the line itself: "[Mien](/miːn/)"',
    )
    parser.add_argument("--models", metavar="FOLDER", help="where the voice's files lie")
    parser.add_argument("--out", required=True, metavar="FILE.json", help="the curves")
    parser.add_argument("--keys", metavar="FILE.json", help="also write the reduced keys, words and phones")
    parser.add_argument("--sound", metavar="FILE.wav", help="also write the spoken line's sound")
    parser.set_defaults(func=_command)


def _command(args: argparse.Namespace) -> int:
    from .motion import perform as motion  # numerical libraries load only for the command that needs them
    from .speech import lines, voices

    given = curve_file.load(args.given) if args.given else None
    settings = {
        "seed": args.seed,
        "fps": args.fps,
        "strengths": _numbers(args.strength, "--strength", "LAYER=FACTOR, such as head=0.5"),
        "progress": _show,
        "emotion": _emotion(args),
        "guidance": _numbers(args.guidance, "--guidance", "SOURCE=WEIGHT, such as speech=1.5"),
        "given": given,
        "locked": _locks(args.lock, given),
        "model": args.model,
    }
    if args.line is not None:
        said = {"speed": args.speed, "pronunciations": _pronunciations(args.say)}
        result = motion.perform_line(args.line, args.voice or voices.DEFAULT_VOICE, args.models, **said, **settings)
    elif args.audio is not None:
        result = motion.perform(args.audio, args.text, **settings)
    else:
        result = motion.perform(lines.SOUND, args.text or lines.text(), **settings)
    curve_file.save(result.curves, args.out)
    if args.keys:
        curve_file.write_text(args.keys, json.dumps(keys_json(result), ensure_ascii=False, allow_nan=False))
    if args.sound:
        _write_sound(result, args.sound)
    frames = len(result.curves.values)
    print(
        f"{args.out}: {frames} frames of {len(result.curves.channels)} channels at {args.fps:g} fps, "
        f"{result.duration:.2f} s"
    )
    for note in result.notes:
        print(f"Note: {note}")
    return 0


def keys_json(result) -> dict:
    """A performance's keys, words and phones as the content of a key file."""
    return {
        "format": KEYS_FORMAT,
        "version": KEYS_VERSION,
        "keys": {name: [key.row() for key in entries] for name, entries in result.keys.items()},
        "words": result.words,
        "phones": result.phones,
        "duration": result.duration,
    }


def _numbers(entries: list[str], option: str, example: str) -> dict[str, float]:
    """["NAME=NUMBER", …] → {name: number}."""
    found = {}
    for entry in entries:
        name, _, number = entry.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise MienError(f"{option} {entry!r} is not {example}.") from None
        if not math.isfinite(found[name.strip()]):
            raise MienError(f"{option} {entry!r}: the number must be finite.")
    return found


def _pronunciations(entries: list[str]) -> dict[str, str]:
    """["WORD=IPA", …] → {word: IPA}."""
    said = {}
    for entry in entries:
        word, _, sound = entry.partition("=")
        if not word.strip() or not sound.strip():
            raise MienError(f"--say {entry!r} is not WORD=IPA, such as Mien=miːn.")
        said[word.strip()] = sound.strip()
    return said


def _emotion(args: argparse.Namespace):
    """[9] what --emotion or --va asks for; None without."""
    from .emotion import condition

    if args.emotion and args.va:
        raise MienError("--emotion and --va both say what is felt; give one of them.")
    if args.emotion:
        name, _, strength = args.emotion.partition("=")
        sizes = _numbers([args.emotion], "--emotion", "LABEL=STRENGTH, such as anger=0.7") if strength else {}
        return condition.label(name, *sizes.values())
    if args.va:
        try:
            valence, arousal = (float(part) for part in args.va.split(","))
        except ValueError:
            raise MienError(f"--va {args.va!r} is not two numbers, such as --va=-0.5,0.7.") from None
        if not (abs(valence) <= 1 and abs(arousal) <= 1):
            raise MienError(f"--va {args.va}: valence and arousal go from -1 to 1.")
        return condition.va(valence, arousal)
    return None


def _locks(entries: list[str], given):
    """[T, C] bool over --given's values from "WHAT" or "WHAT@START-END"; None without any."""
    if not entries:
        return None
    if given is None:
        raise MienError("--lock needs --given with the curves that it keeps.")
    import numpy as np

    from .contract import channels as table

    locked = np.zeros(given.values.shape, bool)
    times = np.arange(len(given.values)) / given.fps
    for entry in entries:
        what, _, span = entry.partition("@")
        low, high = _span(entry, span) if span else (0.0, math.inf)
        names = [name for name in given.channels if what in ("all", name, name.split(".")[0], table.channel(name).zone)]
        if not names:
            zones = ", ".join(table.ZONE_LABELS)
            raise MienError(f"--lock {entry!r} names nothing of --given; name a channel, a zone ({zones}) or all.")
        inside = (times >= low - 1e-9) & (times <= high + 1e-9)
        locked[np.ix_(inside, [given.channels.index(name) for name in names])] = True
    return locked


def _span(entry: str, span: str) -> tuple[float, float]:
    start, _, end = span.partition("-")
    try:
        low, high = float(start or 0.0), float(end) if end else math.inf
    except ValueError:
        raise MienError(f"--lock {entry!r}: the times are not START-END in seconds, such as brows@1.5-3.") from None
    if not low <= high:
        raise MienError(f"--lock {entry!r} ends before it starts.")
    return low, high


def _write_sound(result, path: str) -> None:
    if result.sound is None:
        raise MienError("--sound writes what --line speaks; a recording is already a file.")
    import soundfile

    try:
        soundfile.write(Path(path), result.sound.samples, result.sound.rate)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
        raise MienError(f"{path} cannot be written: {error}.") from None


def _show(fraction: float, message: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{fraction:4.0%} {message:<30}", end="\n" if fraction >= 1 else "", file=sys.stderr, flush=True)
