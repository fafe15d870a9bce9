"""`engine train sync`: the sync network, by contrast between what belongs together and what does not.

Data: FACEGOOD's takes but the held-out one (real mouths), and lines that Mien's own voice speaks, their mouths by the
articulatory layer (free data, as EmoTalkingGaussian feeds its lips from text-to-speech). For a crop, its true alignment
is to be told from 50 others within ±0.5 s and from the mouths of all other crops (InfoNCE).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..contract.errors import MienError
from ..motion import articulation
from ..speech import prosody, refine
from ..sync import features, network
from . import facegood, lines

#: The voice whose lines are never trained on.
HELD_OUT_VOICE = "bm_fable"
_CROP = 160  # frames of 20 ms
_WINDOW = 50
_LAGS = np.arange(-25, 26)
_BATCH = 20
_SIZE = 64
_VECTOR = 32


@dataclass(frozen=True)
class Clip:
    """Sound levels and mouth shapes at one step, before any augmentation.

    Attributes:
        voice: [N, SOUND_SIZE].
        mouths: The same line's shapes [N, 6] in one or more ways.
        speaking: [N] bool.
    """

    name: str
    voice: np.ndarray
    mouths: list[np.ndarray]
    speaking: np.ndarray


def captured(data: Path, held_out: bool = False) -> list[Clip]:
    clips = []
    for name, (curves, heard) in facegood.takes(data, held_out).items():
        measured = prosody.measure(heard)
        clips.append(_clip(name, measured, [_shapes(curves.dense(), curves.fps)]))
    return clips


def synthetic(spoken: list[lines.Spoken]) -> list[Clip]:
    """Lines with their mouths by the articulatory layer at three strengths."""
    clips = []
    for line in spoken:
        measured = prosody.measure(line.sound)
        phones = refine.refine(line.phones, measured, line.sound.duration)
        times = np.arange(int(line.sound.duration / features.STEP) + 1) * features.STEP
        mouths = []
        for strength in (0.6, 1.0, 1.35):
            values = articulation.articulate(phones, measured, times, strength)
            dense = np.zeros((len(times), len(features.table.CHANNELS)))
            dense[:, [features.table.INDEX[name] for name in articulation.CHANNELS]] = values
            mouths.append(features.shapes(dense))
        clips.append(_clip(line.voice, measured, mouths))
    return clips


def _shapes(dense: np.ndarray, fps: float) -> np.ndarray:
    """Shapes at `features.STEP` of channel values [T, C] at fps."""
    values = features.shapes(dense)
    times = np.arange(int((len(values) - 1) / fps / features.STEP) + 1) * features.STEP
    frames = np.arange(len(values)) / fps
    return np.stack([np.interp(times, frames, column) for column in values.T], axis=1)


def _clip(name: str, measured: prosody.Prosody, mouths: list[np.ndarray]) -> Clip:
    voice = features.of_sound(measured)
    length = min(len(voice), *(len(mouth) for mouth in mouths))
    mouths = [mouth[:length] for mouth in mouths]
    return Clip(name, voice[:length], mouths, network.speaking(measured, length))


# ── training ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def train(clips: list[Clip], steps: int, seed: int, say) -> dict[str, np.ndarray]:
    """The network's arrays, without its calibration."""
    try:
        import torch
    except ImportError:
        raise MienError("Training needs torch, which is not installed; install torch for this computer.") from None
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    encoders = torch.nn.ModuleDict(
        {
            "sound": _encoder(torch, features.SOUND_SIZE),
            "mouth": _encoder(torch, features.MOUTH_SIZE),
        }
    )
    scale = torch.nn.Parameter(torch.tensor(2.5))
    optimiser = torch.optim.AdamW([*encoders.parameters(), scale], lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    began = time.monotonic()
    for step in range(steps):
        voice, mouth = _batch(rng, clips)
        loss = _contrast(torch, encoders, scale, torch.from_numpy(voice), torch.from_numpy(mouth))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 0 or step == steps - 1:
            say(f"step {step}: loss {loss.item():.3f}, {time.monotonic() - began:.0f} s")
    arrays: dict[str, np.ndarray] = {}
    for side, encoder in encoders.items():
        layers = [layer for layer in encoder if hasattr(layer, "weight")]
        for index, layer in enumerate(layers):
            name = f"{side}.{index}" if index < len(network.DILATIONS) else f"{side}.out"
            arrays[f"{name}.weight"] = layer.weight.detach().numpy().astype(np.float16)
            arrays[f"{name}.bias"] = layer.bias.detach().numpy().astype(np.float16)
    return arrays


def _encoder(torch, size: int):
    layers = []
    for dilation in network.DILATIONS:
        layers += [
            torch.nn.Conv1d(size, _SIZE, network.KERNEL, dilation=dilation, padding="same", padding_mode="replicate"),
            torch.nn.ReLU(),
            torch.nn.Dropout1d(0.1),
        ]
        size = _SIZE
    return torch.nn.Sequential(*layers, torch.nn.Conv1d(size, _VECTOR, 1))


def _batch(rng: np.random.Generator, clips: list[Clip]) -> tuple[np.ndarray, np.ndarray]:
    """(sound [B, F, N], mouth [B, F, N + lags]) of random crops, augmented; half of them real captures."""
    spare = len(_LAGS) // 2
    real = [clip for clip in clips if len(clip.mouths) == 1]
    made = [clip for clip in clips if len(clip.mouths) > 1] or real
    voices, mouths = [], []
    for index in range(_BATCH):
        voice, shapes = _section(rng, real if index % 2 and real else made)
        mouth, voice = features.from_shapes(_vary_mouth(rng, shapes)), _vary_voice(rng, voice)
        start = int(rng.integers(0, max(len(voice) - _CROP, 0) + 1))
        at = np.clip(np.arange(start - spare, start + _CROP + spare), 0, len(voice) - 1)
        mouths.append(mouth[at].T)
        voices.append(voice[at[spare : spare + _CROP]].T)
    return np.stack(voices).astype(np.float32), np.stack(mouths).astype(np.float32)


def _section(rng: np.random.Generator, clips: list[Clip]) -> tuple[np.ndarray, np.ndarray]:
    """(sound, shapes) of 4 to 12 seconds, spoken up to a sixth faster or slower."""
    lengths = np.array([len(clip.voice) for clip in clips])
    clip = clips[rng.choice(len(clips), p=lengths / lengths.sum())]
    shapes = clip.mouths[rng.integers(len(clip.mouths))]
    size = min(int(rng.uniform(4.0, 12.0) / features.STEP), len(shapes))
    first = int(rng.integers(0, len(shapes) - size + 1))
    at = np.arange(first, first + size - 1, np.exp(rng.uniform(-0.15, 0.15)))
    low, part = at.astype(int), (at % 1.0)[:, None]
    return tuple(  # type: ignore[return-value]
        values[low] * (1 - part) + values[np.minimum(low + 1, len(values) - 1)] * part
        for values in (clip.voice, shapes)
    )


def _vary_voice(rng: np.random.Generator, voice: np.ndarray) -> np.ndarray:
    """Other people, microphones and rooms: shifted formants, a tilted spectrum, a noise floor, another level."""
    bands = np.arange(voice.shape[1] - 1)
    at = np.clip(bands + rng.uniform(-1.5, 1.5), 0, len(bands) - 1)
    low, part = np.minimum(at.astype(int), len(bands) - 2), at - np.minimum(at.astype(int), len(bands) - 2)
    moved = np.concatenate([voice[:, low] * (1 - part) + voice[:, low + 1] * part, voice[:, -1:]], axis=1)
    tilted = (
        moved + 0.25 * rng.standard_normal() * np.linspace(-1.0, 1.0, voice.shape[1]) + 0.15 * rng.standard_normal()
    )
    floor = rng.uniform(-3.0, -1.0) if rng.random() < 0.5 else -3.0
    return np.clip(np.maximum(tilted, floor) + 0.05 * rng.standard_normal(voice.shape), -3.0, 1.5)


def _vary_mouth(rng: np.random.Generator, shapes: np.ndarray) -> np.ndarray:
    """Other rigs and moods: each shape's strength, a slow drift, smoother or noisier curves, a shape left out."""
    from scipy.ndimage import gaussian_filter1d

    made = shapes * np.exp(0.35 * rng.standard_normal(shapes.shape[1]))
    drift = gaussian_filter1d(rng.standard_normal(shapes.shape), 40, axis=0, mode="nearest")
    made = made + rng.uniform(0.0, 1.5) * drift * np.array([0.2, 0.1, 0.3, 0.6, 0.3, 0.3])
    if rng.random() < 0.4:
        made = gaussian_filter1d(made, rng.uniform(0.5, 2.0), axis=0, mode="nearest")
    if rng.random() < 0.25:
        made[:, rng.integers(1, shapes.shape[1])] = 0.0
    return made + 0.01 * rng.random() * rng.standard_normal(shapes.shape)


def _contrast(torch, encoders, scale, voice, mouth):
    """InfoNCE: the true lag against all lags of the own crop and against the other crops' mouths."""
    sounds, mouths = encoders["sound"](voice), encoders["mouth"](mouth)  # [B, E, N], [B, E, N + lags]
    spare = len(_LAGS) // 2
    ones = torch.ones(1, 1, _WINDOW)

    def over(values):  # [B, N] → windows [B, W]
        return torch.nn.functional.conv1d(values[:, None], ones, stride=_WINDOW // 2)[:, 0]

    own = over((sounds**2).sum(1))
    within = []
    for lag in _LAGS:
        moved = mouths[:, :, spare + lag : spare + lag + _CROP]
        within.append(over((sounds * moved).sum(1)) / torch.sqrt(own * over((moved**2).sum(1)) + 1e-6))
    here = mouths[:, :, spare : spare + _CROP]
    norms = over((here**2).sum(1))
    batch = len(sounds)
    pairs = torch.einsum("ien,jen->ijn", sounds, here)
    across = over(pairs.reshape(batch * batch, -1)).reshape(batch, batch, -1)
    across = across / torch.sqrt(own[:, None] * norms[None] + 1e-6)
    logits = torch.exp(scale) * torch.stack(within, -1)  # [B, W, L]
    others = torch.exp(scale) * across.permute(0, 2, 1)  # [B, W, B]: the own crop there is the true lag again
    others = others.masked_fill(torch.eye(batch, dtype=torch.bool)[:, None, :], -1e4)
    joined = torch.cat([logits, others], -1)
    # The neighbouring lags are all but right: half of the truth is spread over them.
    soft = torch.zeros_like(joined)
    soft[..., spare] = 0.6
    soft[..., spare - 1] = soft[..., spare + 1] = 0.2
    forward = -(soft * torch.log_softmax(joined, -1)).sum(-1).mean()
    return forward


def _split(clips: list[Clip]) -> tuple[list[Clip], list[Clip]]:
    """(clips to train on, clips to calibrate by): the last sixth of each capture, and every sixth line."""
    train, rest = [], []
    for index, clip in enumerate(clips):
        if len(clip.mouths) > 1:
            (rest if index % 6 == 0 else train).append(clip)
            continue
        cut = len(clip.voice) * 5 // 6
        train.append(Clip(clip.name, clip.voice[:cut], [clip.mouths[0][:cut]], clip.speaking[:cut]))
        rest.append(Clip(clip.name, clip.voice[cut:], [clip.mouths[0][cut:]], clip.speaking[cut:]))
    return train, rest


def calibrate(arrays: dict[str, np.ndarray], clips: list[Clip], rng: np.random.Generator) -> np.ndarray:
    """(slope, offset) of the chance that a window is in step, by its cosine: logistic regression on unseen clips."""
    singles = {name: array.astype(np.float32) for name, array in arrays.items()}
    width = round(network.WINDOW / features.STEP)
    good, bad = [], []
    for clip in clips:
        voice = network.encode(singles, "sound", clip.voice)
        mouths = [network.encode(singles, "mouth", features.from_shapes(shapes)) for shapes in clip.mouths[:2]]
        for mouth in mouths:
            for start in range(0, len(voice) - width, width // 2):
                if not clip.speaking[start : start + width].mean() > 0.7:
                    continue
                good.append(_window_cosine(voice, mouth, start, start, width))
                lag = int(rng.choice([-1, 1]) * rng.integers(6, 26))
                if 0 <= start + lag <= len(mouth) - width:
                    bad.append(_window_cosine(voice, mouth, start, start + lag, width))
                other = int(rng.integers(0, len(mouth) - width))
                if abs(other - start) > 5:
                    bad.append(_window_cosine(voice, mouth, start, other, width))
    x = np.array(good + bad)
    y = np.array([1.0] * len(good) + [0.0] * len(bad))
    weight = np.where(y > 0, 0.5 / len(good), 0.5 / len(bad))
    slope, offset = 8.0, -3.0
    for _ in range(50):  # Newton's method
        chance = 1.0 / (1.0 + np.exp(-(slope * x + offset)))
        basis = np.stack([x, np.ones_like(x)])
        curvature = (basis * weight * chance * (1 - chance)) @ basis.T + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, (basis * weight) @ (y - chance))
        slope, offset = slope + step[0], offset + step[1]
    return np.array([slope, offset], np.float32)


def _window_cosine(voice: np.ndarray, mouth: np.ndarray, first: int, second: int, width: int) -> float:
    a, b = voice[first : first + width], mouth[second : second + width]
    return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum() + 1e-12))


# ── command ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine train sync`."""
    parser = subparsers.add_parser("sync", help="the sync network, from captured takes and lines that Mien speaks")
    parser.add_argument("--data", required=True, metavar="FOLDER", help="a folder with motion/facegood/")
    parser.add_argument("--lines", required=True, metavar="FOLDER", help="where spoken lines are kept between runs")
    parser.add_argument("--models", metavar="FOLDER", help="where the voices lie")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=str(network.WEIGHTS), metavar="FILE.safetensors")
    parser.set_defaults(func=_command)


def _command(args: argparse.Namespace) -> int:
    from safetensors.numpy import save_file

    if not 1 <= args.steps <= 1_000_000:
        raise MienError(f"--steps is {args.steps}; give 1 to 1000000.")
    real = captured(Path(args.data))
    spoken = [line for line in lines.spoken(Path(args.lines), args.models) if line.voice != HELD_OUT_VOICE]
    clips = real + synthetic(spoken)
    shares = [sum(len(clip.voice) for clip in group) * features.STEP for group in (real, clips[len(real) :])]
    print(f"{shares[0]:.0f} s captured, {shares[1]:.0f} s in {len(spoken)} spoken lines")
    seen, unseen = _split(clips)
    arrays = train(seen, args.steps, args.seed, lambda line: print(line, flush=True))
    arrays["calibration"] = calibrate(arrays, unseen, np.random.default_rng(args.seed))
    metadata = {
        "format": "mien-sync",
        "trained_on": json.dumps([clip.name for clip in real] + ["lines spoken by Mien"]),
        "held_out": json.dumps([*facegood.HELD_OUT, f"voice {HELD_OUT_VOICE}"]),
        "steps": str(args.steps),
        "seed": str(args.seed),
    }
    save_file(arrays, args.out, metadata)
    print(f"{args.out}: {Path(args.out).stat().st_size / 1024:.0f} KiB")
    return 0
