"""Heads: held-out pictures, faces read back, turns and sweeps; beside their bars."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import MienError
from ..heads import format, library
from ..heads.format import Head
from . import held_out, read_back, sheets

FIT_BARS = {"cpu": (20.0, "on 2 cores"), "cuda": (2.0, "on one H100")}
"""Minutes that a fit may take, by backend, and on what."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the report; `ok` is None where there is no bar."""

    what: str
    value: str
    bar: str = ""
    ok: bool | None = None


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine evaluate heads`."""
    parser = subparsers.add_parser("heads", help="held-out pictures, faces read back, turns and sweeps")
    parser.add_argument(
        "heads", nargs="*", metavar="HEAD", help="names of the library or .mien files (all of the library)"
    )
    parser.add_argument(
        "--dataset", action="append", default=[], metavar="NAME=FOLDER", help="a head's dataset; may be repeated"
    )
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="write contact sheets to look at")
    parser.add_argument("--only", choices=tuple(_MEASURES), action="append", help="measure only this; may be repeated")
    parser.add_argument("--every", action="store_true", help="print every channel and every view, not only what fails")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    heads = [format.load(library.find(name)) for name in args.heads or [name for name, _ in library.library()]]
    if args.pictures:
        try:
            args.pictures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MienError(f"The folder {args.pictures} can't be made ({error.strerror}); choose another.") from None
    lines: list[Line] = []
    for part in args.only or _MEASURES:
        found = _MEASURES[part](heads, args)
        for line in found:
            show(line)
        lines += found
    return 0 if all(line.ok is not False for line in lines) else 1


def show(line: Line) -> None:
    verdict = "" if line.ok is None else ("  ok" if line.ok else "  MISSED")
    print(f"{line.what}\n    {line.value}{f'  [{line.bar}]' if line.bar else ''}{verdict}", flush=True)


def _read_back(heads: list[Head], args: argparse.Namespace) -> list[Line]:
    lines = []
    for name, reading in read_back.measured(heads).items():
        right = sum(row.right for row in reading.rows)
        value = f"{right} of {len(reading.rows)} visible channels raise their own score most ({reading.share:.0%})"
        value += "".join(_row(row) for row in reading.rows if args.every or not row.right)
        together = sum(row.right for row in reading.together)
        value += (
            f"\n    both sides at once: {together} of {len(reading.together)} ({together / len(reading.together):.0%})"
        )
        value += "".join(_row(row) for row in reading.together if args.every or not row.right)
        lines.append(Line(f"{name}: read back", value, "≥ 90 %", reading.share >= read_back.SHARE_BAR))
        loudest, score = reading.loudest()
        bar = f"< {read_back.NEUTRAL_BAR}"
        lines.append(
            Line(
                f"{name}: neutral", f"{loudest} {score:.2f} is the highest but gaze", bar, score < read_back.NEUTRAL_BAR
            )
        )
    return lines


def _row(row: read_back.Row) -> str:
    rise = "no face" if row.rise is None else f"{row.rise:+.2f}"
    rival = "" if row.right else f", but {row.highest} {row.most:+.2f}"
    return f"\n      {row.channel:<29}{row.own:<20}{rise}{rival}"


def _held_out(heads: list[Head], args: argparse.Namespace) -> list[Line]:
    from ..fit import dataset as datasets

    folders = _folders(args.dataset)
    unknown = sorted(set(folders) - {head.name.casefold() for head in heads})
    if unknown:
        raise MienError(f"--dataset names {unknown[0]!r}, which is none of the measured heads; use a head's own name.")
    lines, everything = [], []
    for head in heads:
        folder = folders.get(head.name.casefold())
        if folder is None:
            lines.append(Line(f"{head.name}: held-out pictures", "not measured: give its dataset with --dataset"))
            continue
        shots = held_out.measure(head, datasets.load(folder))
        everything.append(shots)
        lines.append(Line(f"{head.name}: held-out pictures", _table(shots, args.every)))
        if args.pictures:
            sheets.held_out(shots, args.pictures / f"{head.name}_held_out.png")
    return lines + _held_out_bars(everything)


def _folders(entries: list[str]) -> dict[str, Path]:
    """["NAME=FOLDER", …] → {name in small letters: folder}."""
    folders = {}
    for entry in entries:
        name, equals, folder = entry.partition("=")
        if not equals or not name or not Path(folder).is_dir():
            raise MienError(f'--dataset {entry!r} is not of the form "NAME=FOLDER" with a folder that exists.')
        folders[name.casefold()] = Path(folder)
    return folders


def _table(shots: list[held_out.Shot], every: bool) -> str:
    still, moved = [s for s in shots if not s.expressive], [s for s in shots if s.expressive]
    unseen = [shot for shot in moved if shot.unseen]
    rows = [(f"neutral ({len(still)})", still, False), (f"expressions ({len(moved)})", moved, False)]
    rows += [(f"… unseen ({len(unseen)})", unseen, False)]
    rows += [(f"all ({len(shots)})", shots, False), ("all, no appearance", shots, True)]
    if every:
        rows += [(Path(shot.view.image).stem, [shot], False) for shot in shots]
    lines = [f"{'':<20}" + "".join(f"{name:>8}" for name in held_out.FIGURES)]
    for name, chosen, plain in rows:
        if chosen:
            found = held_out.means([shot.plain if plain else shot.figures for shot in chosen])
            lines.append(f"      {name[:20]:<20}" + "".join(_cell(found, figure) for figure in held_out.FIGURES))
    lines.append(
        f"      The dynamic appearance is worth {held_out.gain(shots):+.2f} dB inside the head on expressions."
    )
    return "\n".join(lines)


def _cell(found: dict[str, float], figure: str) -> str:
    digits = 3 if figure in ("ssim", "flip") else 1
    return f"{found[figure]:8.{digits}f}" if figure in found else f"{'–':>8}"


def _held_out_bars(everything: list[list[held_out.Shot]]) -> list[Line]:
    """Means over the heads beside the bars."""
    if not everything:
        return []
    found = held_out.means([held_out.means([shot.figures for shot in shots]) for shots in everything])
    of = f"mean of {len(everything)} head{'s' if len(everything) > 1 else ''}"
    lines = []
    for figure, (bar, label) in held_out.BARS.items():
        if figure in found:
            unit = "" if figure == "ssim" else " dB"
            value = f"{found[figure]:.3f}{unit}" if figure == "ssim" else f"{found[figure]:.2f}{unit}"
            lines.append(Line(f"{label}, {of}", value, f"≥ {bar:g}{unit}", found[figure] >= bar))
    gains = [gain for shots in everything if (gain := held_out.gain(shots)) == gain]
    if gains:
        gain = sum(gains) / len(gains)
        bar = f"≥ {held_out.GAIN_BAR} dB"
        lines.append(
            Line(f"Dynamic appearance on expressions, {of}", f"{gain:+.2f} dB", bar, gain >= held_out.GAIN_BAR)
        )
    return lines


def _sweeps(heads: list[Head], args: argparse.Namespace) -> list[Line]:
    from . import sweeps

    lines = []
    for head in heads:
        studio = sweeps.Studio(head)
        around, moved = sweeps.turns(studio), list(sweeps.channel_sweeps(studio))
        for name, runs in (("60 turns", [around]), (f"sweeps of {len(moved)} channels", moved)):
            worst = max(runs, key=lambda run: max(run.holes / sweeps.HOLE_BAR, run.flying / sweeps.FLY_BAR))
            value = (
                f"{sum(run.pops for run in runs)} pops (greatest change of a block {max(r.change for r in runs):.3f}), "
                f"holes {max(run.holes for run in runs):.3%}, flying {max(run.flying for run in runs):.3%} at most"
                + (f" (at {worst.place})" if worst.place else "")
            )
            for run in runs:
                if len(runs) > 1 and (args.every or not run.clean):
                    faults = f"{run.pops} pops, {run.change:.3f}, holes {run.holes:.3%}, flying {run.flying:.3%}"
                    faults += f" (at {run.place})" if run.place else ""
                    value += f"\n      {run.name:<29}{faults}"
            bar = f"no pop, holes ≤ {sweeps.HOLE_BAR:.1%}, flying ≤ {sweeps.FLY_BAR:.2%}"
            lines.append(Line(f"{head.name}: {name}", value, bar, all(run.clean for run in runs)))
        if args.pictures:
            sheets.turns(around, args.pictures / f"{head.name}_turns.png")
            sheets.channels(moved, args.pictures / f"{head.name}_channels.png")
    return lines


def _fits(heads: list[Head], args: argparse.Namespace) -> list[Line]:
    """How long each head's fit took, as its file says."""
    lines = []
    for head in heads:
        took = head.figures.get("fit")
        if not isinstance(took, dict) or not isinstance(took.get("seconds"), int | float):
            lines.append(Line(f"{head.name}: fit", "the head file does not say how long it took"))
            continue
        bar = FIT_BARS.get(str(took.get("backend")))
        lines.append(
            Line(
                f"{head.name}: fit",
                f"{took['seconds'] / 60:.1f} min ({took.get('device', 'on a machine that it does not name')})",
                f"≤ {bar[0]:g} min {bar[1]}" if bar else "",
                took["seconds"] <= 60 * bar[0] if bar else None,
            )
        )
    return lines


_MEASURES = {"fit": _fits, "held-out": _held_out, "read-back": _read_back, "sweeps": _sweeps}
