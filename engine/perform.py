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
    parser.add_argument("--voice", default=None, help="see 'engine voices'")
    parser.add_argument("--models", metavar="FOLDER", help="where the voice's files lie")
    parser.add_argument("--out", required=True, metavar="FILE.json", help="the curves")
    parser.add_argument("--keys", metavar="FILE.json", help="also write the reduced keys, words and phones")
    parser.add_argument("--sound", metavar="FILE.wav", help="also write the spoken line's sound")
    parser.set_defaults(func=_command)


def _command(args: argparse.Namespace) -> int:
    from .motion import perform as motion  # numerical libraries load only for the command that needs them
    from .speech import lines, voices

    settings = {"seed": args.seed, "fps": args.fps, "strengths": _strengths(args.strength), "progress": _show}
    if args.line is not None:
        result = motion.perform_line(args.line, args.voice or voices.DEFAULT_VOICE, args.models, **settings)
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


def _strengths(entries: list[str]) -> dict[str, float]:
    strengths = {}
    for entry in entries:
        layer, _, factor = entry.partition("=")
        try:
            strengths[layer.strip()] = float(factor)
        except ValueError:
            raise MienError(f"--strength {entry!r} is not LAYER=FACTOR, such as head=0.5.") from None
        if not math.isfinite(strengths[layer.strip()]):
            raise MienError(f"--strength {entry!r}: the factor must be a finite number.")
    return strengths


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
