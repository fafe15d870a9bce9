"""`engine train performance`: captures, spoken lines and rules → the performer's weights."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..contract.errors import MienError
from ..motion.diffusion import layout
from ..motion.diffusion.model import load
from ..motion.diffusion.network import DIRECT_KERNEL
from ..motion.diffusion.sampling import alpha
from . import data

ABLATIONS: tuple[str, ...] = ("zones", "encoder", "diffusion", "raw")
"""What can be left out, to see what it is for; "raw" leaves out zones and encoder."""
ABLATION_SIZE = 32
_ZONE_WEIGHT = {"mouth": 2.0, "transition": 1.0, "upper": 0.6}
_LIPS = ("AU26 Jaw Drop", "AU16 Lower Lip Depressor.L", "AU10 Upper Lip Raiser.L", "AU22 Lip Funneler")
_RATE = 2e-3
_TELL = 25
_WARM = 50
_RIDGE = 1000.0
_AVERAGE = 0.995


def train(
    folder: Path,
    minutes: float = 20.0,
    seed: int = 0,
    leave_out: str | None = None,
    hold: Sequence[str] = (),
    cache: Path | None = None,
    steps: int | None = None,
    size: int = 64,
    batch: int = 16,
    threads: int = 1,
    loaded: tuple[list[data.Clip], list[data.Clip]] | None = None,
    start: Path | None = None,
    keep: Callable[[dict[str, np.ndarray], dict[str, str]], None] | None = None,
    tell: Callable[[str], None] = print,
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Train the performer.

    Args:
        folder: The data: `motion/facegood` and `motion/arkit`.
        minutes: Time for the steps (reading the data comes on top); with `steps`, whichever ends first.
        leave_out: One of `ABLATIONS`.
        hold: Takes to leave out besides those that are never trained on.
        cache: Where heard and spoken lines are kept between runs.
        loaded: (captured, spoken) clips of `data.load`, where they are at hand.
        start: Weights to go on from.
        keep: Given the weights now and then, so that a run that is cut short leaves some.

    Returns:
        (weights by name, float32; what was done, as text).

    Raises:
        MienError: The data or torch is missing.
    """
    try:
        import torch
    except ImportError:
        raise MienError("Training needs torch: pip install -r engine/requirements-train.txt.") from None
    from .network import Denoiser

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    captured, spoken = loaded or data.load(folder, cache, hold, tell=tell)
    dynamics = data.load_clip(folder)
    dynamics = dynamics[: int(data.CLIP_TRAINED * len(dynamics))]
    maker = data.Maker(captured, spoken, dynamics, np.random.default_rng(seed))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parts = {name: leave_out not in (name, "raw") for name in ("zones", "encoder")}
    net = Denoiser(size, **parts)
    net.start_from(*linear_filter(captured + spoken))
    before = 0
    if start is not None:
        known = load(start)
        before = int(known.facts.get("steps", 0))
        net.load_state_dict({name: torch.from_numpy(value) for name, value in known.weights.items()})
    net.to(device)
    started, step = time.monotonic(), 0
    average = {name: value.detach().clone() for name, value in net.state_dict().items()}
    optimiser = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=1e-3)
    weight = _weights(torch).to(device)

    def result() -> tuple[dict[str, np.ndarray], dict[str, str]]:
        facts = {
            "format": "mien-performer",
            "version": "1",
            "steps": str(before + step),
            "seed": str(seed),
            "left_out": leave_out or "",
            "held_out": ", ".join((*data.HELD_OUT, *hold)),
            "trained_on": ", ".join(data.takes(folder, hold)),
        }
        return {name: value.cpu().numpy().astype(np.float32) for name, value in average.items()}, facts

    report = _reporter()
    while True:
        done = max((time.monotonic() - started) / (60 * minutes), step / steps if steps else 0.0)
        if done >= 1.0:
            break
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1.0, (step + 1) / _WARM) * (0.5 + 0.5 * np.cos(np.pi * done)) + 1e-5
        rows = {name: torch.from_numpy(value).to(device) for name, value in maker.batch(batch).items()}
        loss, losses = _loss(torch, net, rows, weight, leave_out == "diffusion")
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        kept = min(_AVERAGE, (1 + step) / (10 + step))
        for name, value in net.state_dict().items():
            average[name].lerp_(value, 1 - kept)
        report(step, done, losses, tell)
        if keep and step % _TELL == 0:
            keep(*result())
    tell(f"{step} steps in {(time.monotonic() - started) / 60:.1f} min")
    return result()


def linear_filter(clips: Sequence[data.Clip]) -> tuple[np.ndarray, np.ndarray]:
    """(kernel [C, AUDIO_SIZE, DIRECT_KERNEL], bias [C]): the best filter from features to mouths, by ridge regression.

    Found at once and in closed form, it spares the network most of its training.
    """
    reach = DIRECT_KERNEL // 2
    gram, match = 0.0, 0.0
    for clip in clips:
        padded = np.pad(clip.audio.astype(np.float64), ((reach, reach), (0, 0)), mode="edge")
        count = len(clip.audio)
        rows = np.concatenate([*(padded[k : k + count] for k in range(DIRECT_KERNEL)), np.ones((count, 1))], axis=1)
        gram, match = gram + rows.T @ rows, match + rows.T @ (clip.mouth / layout.SCALE)
    found = np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), match)
    kernel = found[:-1].reshape(DIRECT_KERNEL, -1, found.shape[1]).transpose(2, 1, 0)
    return np.ascontiguousarray(kernel, np.float32), found[-1].astype(np.float32)


def _reporter():
    """A function that tells the losses' means now and then."""
    sums: dict[str, float] = {}

    def report(step: int, done: float, parts: dict[str, float], tell: Callable[[str], None]) -> None:
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value / _TELL
        if step % _TELL == 0:
            tell(f"{done:4.0%} step {step}: " + ", ".join(f"{name} {value:.4f}" for name, value in sums.items()))
            sums.clear()

    return report


def _weights(torch):
    return torch.tensor([_ZONE_WEIGHT[layout.ZONES[zone]] for zone in layout.ZONE_OF], dtype=torch.float32)


def _loss(torch, net, rows, weight, regression: bool):
    """Clean curves, their velocity and acceleration, the lips' opening, and the zones' hinge."""
    clean = rows["clean"]
    level = torch.rand(len(clean), device=clean.device)
    if regression:  # the ablation: one answer from what is told, nothing to denoise
        noisy, level = torch.zeros_like(clean), torch.ones_like(level)
    else:
        signal = alpha(level)[:, None, None]
        noisy = signal.sqrt() * clean + (1 - signal).sqrt() * torch.randn_like(clean)
    made = net(noisy, level, rows["audio"], rows["emotion"], rows["given"], rows["mask"], rows["has"])
    error = made - clean
    speed = error[:, 1:] - error[:, :-1]
    turn = speed[:, 1:] - speed[:, :-1]
    shape = (error.square() * weight).mean()
    motion = (speed.square() * weight).mean() + (turn.square() * weight).mean()
    lips = [layout.INDEX[name] for name in _LIPS]
    share = torch.tensor([1.0, 0.3, 0.24, 0.2], device=clean.device) * torch.tensor(
        layout.SCALE[lips] / layout.SCALE[lips[0]], dtype=torch.float32, device=clean.device
    )
    lip = ((error[..., lips] * share).sum(-1)).square().mean()
    hinge = net.hinge()
    total = shape + 0.5 * motion + 0.8 * lip / len(layout.CHANNELS) + 0.01 * hinge
    return total, {"shape": shape.item(), "motion": motion.item(), "lips": lip.item(), "hinge": hinge.item()}


def ablate(folder: Path, out: Path, steps: int, seed: int, cache: Path | None, tell: Callable[[str], None]) -> None:
    """Small performers, the whole and one without each part, trained alike for as many steps: `ablation-*.safetensors`.

    Raises:
        MienError: As `train` and `save`.
    """
    loaded = data.load(folder, cache, spliced=2, tell=tell)
    for part in (None, *ABLATIONS):
        tell(f"Training {'the whole' if part is None else 'without ' + part}")
        weights, facts = train(
            folder, 600.0, seed, part, (), cache, steps, ABLATION_SIZE, batch=12, loaded=loaded, tell=tell
        )
        save(weights, facts, out / f"ablation-{part or 'whole'}.safetensors")


def save(weights: dict[str, np.ndarray], facts: dict[str, str], path: Path) -> None:
    """Weights as safetensors, half precision, with what was done in the header.

    Raises:
        MienError: The file cannot be written.
    """
    from safetensors.numpy import save_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        halved = {name: np.ascontiguousarray(value.astype(np.float16)) for name, value in weights.items()}
        save_file(halved, path, facts)
    except OSError as error:
        raise MienError(f"{path} cannot be written: {error.strerror or error}.") from None


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine train performance`."""
    parser = subparsers.add_parser("performance", help="the performer: speech, emotion and keys → curves")
    parser.add_argument("--data", required=True, metavar="FOLDER", help="has motion/facegood and motion/arkit")
    parser.add_argument("--out", required=True, metavar="FILE.safetensors", help="with --ablations: a folder")
    parser.add_argument("--ablations", action="store_true", help="train the small nets that tell what each part is for")
    parser.add_argument("--minutes", type=float, default=60.0, help="time for the steps (default: 60)")
    parser.add_argument("--steps", type=int, help="so many steps at most")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default: 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without", choices=ABLATIONS, help="leave a part out, to see what it is for")
    parser.add_argument("--hold", action="append", default=[], metavar="TAKE", help="another take to leave out")
    parser.add_argument("--start", metavar="FILE", help="weights to go on from")
    parser.add_argument("--cache", metavar="FOLDER", help="keeps what was heard and spoken between runs")
    parser.set_defaults(func=_command)


def _command(args: argparse.Namespace) -> int:
    folder = Path(args.data)
    if not folder.is_dir():
        raise MienError(f"{folder} is not a folder; give one with motion/facegood and motion/arkit in it.")
    if not args.minutes > 0:
        raise MienError(f"--minutes is {args.minutes}; give a number above 0.")
    if args.ablations:
        cache = Path(args.cache) if args.cache else None
        ablate(folder, Path(args.out), args.steps or 600, args.seed, cache, lambda line: print(line, flush=True))
        return 0
    out = Path(args.out)
    weights, facts = train(
        folder, args.minutes, args.seed, args.without, args.hold, Path(args.cache) if args.cache else None,
        args.steps, threads=max(1, args.threads), start=Path(args.start) if args.start else None,
        keep=lambda weights, facts: save(weights, facts, out), tell=lambda line: print(line, flush=True),
    )  # fmt: skip
    save(weights, facts, out)
    count, size = sum(value.size for value in weights.values()), out.stat().st_size
    print(f"{args.out}: {count} numbers, {size / 1e6:.1f} MB; {json.dumps(facts)}")
    return 0
