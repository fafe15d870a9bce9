"""`engine channels`: the channel table, for scripts and for people."""

from __future__ import annotations

import argparse
import json

from .contract.channels import CHANNELS


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("channels", help="list the channels: name, zone, range, ARKit shape, meaning")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> None:
    if arguments.json:
        rows = [
            {
                "name": row.name,
                "zone": row.zone,
                "minimum": row.minimum,
                "maximum": row.maximum,
                "unit": row.unit,
                "arkit": row.arkit,
                "tooltip": row.tooltip,
            }
            for row in CHANNELS
        ]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    width = max(len(row.name) for row in CHANNELS)
    for row in CHANNELS:
        span = f"{row.minimum:g} … {row.maximum:g}"
        print(f"{row.name:{width}}  {row.zone:12}  {span:18}  {row.arkit or '—':20}  {row.tooltip}")
