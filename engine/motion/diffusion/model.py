"""The trained performer: its weights, and curves from speech, emotion and an artist's keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...contract import channels as table
from ...contract.errors import MienError
from ...speech.analyse import Speech
from . import conditions, layout, network, sampling

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
DEFAULT = WEIGHTS / "performer.safetensors"
MAX_BYTES = 30 * 1024 * 1024


@dataclass(frozen=True)
class Performer:
    """Weights that `network` computes with.

    Attributes:
        weights: float32 arrays by name.
        facts: What the file says of its training.
    """

    weights: Mapping[str, np.ndarray]
    facts: Mapping[str, str]

    @property
    def diffuses(self) -> bool:
        """False for the ablation that answers in one step."""
        return self.facts.get("left_out") != "diffusion"

    def without(self, part: str) -> Performer:
        """The same weights with a part switched off: "zones", "encoder", "diffusion", or "raw" (zones and encoder)."""
        weights = dict(self.weights)
        if part in ("zones", "raw"):
            weights["zones"] = np.zeros_like(weights["zones"])
        if part in ("encoder", "raw"):
            weights = {name: value for name, value in weights.items() if not name.startswith(("given.", "smoothing"))}
            weights["trust"] = np.full(1, 3.0, np.float32)
        return Performer(weights, dict(self.facts) | {"left_out": part})

    def curves(
        self,
        speech: Speech | None,
        emotion: np.ndarray | None,
        frames: int,
        seed: int = 0,
        given: np.ndarray | None = None,
        mask: np.ndarray | None = None,
        guidance: Mapping[str, float] | None = None,
        audio: np.ndarray | None = None,
        steps: int = sampling.STEPS,
        temperature: float = sampling.TEMPERATURE,
        tick: Callable[[float], None] | None = None,
    ) -> np.ndarray:
        """Values of `layout.CHANNELS` [frames, C] at 30 frames a second, 0 or more.

        Args:
            speech: What is said; None where only `audio` or nothing is known.
            emotion: [frames, 9] emotion vectors (`engine.emotion.condition`); None is neutral.
            given, mask: [frames, C] channel values and how sure they are (1 an artist's own, 0.5 measured, 0 none).
            guidance: {"speech", "emotion", "keys": weight}.
            audio: Features, where they have been made already.
        """
        if speech is not None:
            audio = conditions.speech_features(speech)
        vectors = np.zeros((frames, conditions.condition.SIZE)) if emotion is None else emotion
        order = sampling.Order(
            None if audio is None else _fit(audio, frames),
            conditions.emotion_features(_fit(vectors, frames)),
            None if given is None else (given / layout.SCALE).astype(np.float32),
            None if mask is None else mask.astype(np.float32),
            guidance or {},
            seed,
        )
        steps, temperature = (steps, temperature) if self.diffuses else (1, 0.0)
        made = sampling.sample(self.weights, order, frames, steps, temperature, tick)
        return np.clip(made * layout.SCALE, 0.0, table.UNIT_LIMIT)


def _fit(array: np.ndarray, frames: int) -> np.ndarray:
    """The first frames, the last one held."""
    return np.pad(array, ((0, max(frames - len(array), 0)), (0, 0)), mode="edge")[:frames]


def load(path: str | os.PathLike[str] = DEFAULT) -> Performer:
    """Read weights.

    Raises:
        MienError: The file is missing, too large, or not a performer's.
    """
    try:
        stamp = Path(path).stat()
    except (OSError, ValueError) as error:
        raise MienError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if stamp.st_size > MAX_BYTES:
        raise MienError(f"{path} is {stamp.st_size} bytes long; a performer's weights have at most {MAX_BYTES}.")
    return _load(os.fspath(path), stamp.st_mtime_ns)


@lru_cache(maxsize=4)
def _load(path: str, _stamp: int) -> Performer:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            facts = dict(file.metadata() or {})
            weights = {name: np.asarray(file.get_tensor(name), np.float32) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise MienError(f"{path} is not a file of weights ({error}); train or install it again.") from None
    if facts.get("format") != "mien-performer" or facts.get("version") != "1":
        raise MienError(f"{path} does not hold a performer of this version; train it again.")
    if not all(np.isfinite(value).all() for value in weights.values()):
        raise MienError(f"{path} holds weights that are not numbers; train or install it again.")
    performer = Performer(weights, facts)
    _try(performer, path)
    return performer


def _try(performer: Performer, path: str) -> None:
    """One window, to see that every array is there and fits.

    Raises:
        MienError: It does not.
    """
    window, count = layout.WINDOW, len(layout.CHANNELS)
    nothing = np.zeros((1, window, count), np.float32)
    told = network.Told(
        np.zeros((1, window, conditions.AUDIO_SIZE), np.float32),
        np.zeros((1, window, conditions.EMOTION_SIZE), np.float32), nothing, nothing,
    )  # fmt: skip
    try:
        made = network.denoise(performer.weights, nothing, 1.0, network.know(performer.weights, told, 1))
    except (KeyError, ValueError, IndexError) as error:
        raise MienError(f"{path} lacks weights or holds some of another shape ({error}); train it again.") from None
    if made.shape != nothing.shape or not np.isfinite(made).all():
        raise MienError(f"{path} does not make curves of this version's channels; train it again.")
