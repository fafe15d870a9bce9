"""One space for feelings, whatever they come from: words, a voice, a label, a motion, a point of the pad.

A feeling at a moment is a *direction* on a sphere (which feeling) and a *strength* (how much of it). Each source has an
encoder into it; they were trained by contrast around AU motion (`engine train emotion`), so that the same feeling from
different sources lies in one place. Any of them, or a weighted mix, is decoded to an emotion vector (`condition`) for
the generator of motion, and to an emotion layer of its own. Encoders are two-layer networks run in numpy.

Words are read twice: by lexicon and grammar (`text`), and by MiniLM's sentence vector where it is installed, else by a
hashed bag of words. A voice gives arousal (`voice`); its valence comes from what is said, where that is given.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..contract import channels as contract
from ..contract.curves import Curves
from ..contract.errors import MienError
from ..speech.sound import Sound
from . import condition, voice
from .tables import MAX_INTENSITY, emotion, emotions, slots

WEIGHTS = Path(__file__).resolve().parent / "data" / "space.safetensors"
SIZE = 32
HASHED = 512
SOURCES: tuple[str, ...] = ("text", "audio", "label", "example", "va")
MAX_SECONDS = 600.0
WINDOW = 1.0
"""Seconds of motion that one moment of an example is understood from."""
_EASE = 0.7
_SMOOTH = 0.12


@dataclass(frozen=True)
class Track:
    """A feeling over time, in the space.

    Attributes:
        fps: Frames a second.
        direction: [T, 32] unit vectors; 0 where there is no feeling.
        strength: [T] 0 … 1.5.
    """

    fps: float
    direction: np.ndarray
    strength: np.ndarray

    @property
    def duration(self) -> float:
        return (len(self.strength) - 1) / self.fps

    def at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(direction · presence [N, 32], strength [N]) at seconds; the last frame is held."""
        frames = np.clip(np.asarray(times) * self.fps, 0, len(self.strength) - 1)
        low = np.floor(frames).astype(int)
        high = np.minimum(low + 1, len(self.strength) - 1)
        part = frames - low
        direction = self.direction[low] * (1 - part)[:, None] + self.direction[high] * part[:, None]
        return direction, self.strength[low] * (1 - part) + self.strength[high] * part


# ── the networks ─────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def weights() -> dict[str, np.ndarray]:
    """The trained arrays by name.

    Raises:
        MienError: The file is gone or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return {name: array.astype(np.float64) for name, array in load_file(WEIGHTS).items()}
    except (OSError, SafetensorError, ValueError) as error:
        raise MienError(f"{WEIGHTS} can't be read ({error}); install Mien again.") from None


def run(name: str, features: np.ndarray, arrays: dict[str, np.ndarray] | None = None) -> np.ndarray:
    """[..., F] → [..., O] through the network of that name: linear layers with SiLU between."""
    arrays = weights() if arrays is None else arrays
    layer = 0
    while f"{name}.{layer}.weight" in arrays:
        if layer:
            features = features / (1 + np.exp(-np.clip(features, -60, 60)))
        features = features @ arrays[f"{name}.{layer}.weight"].T + arrays[f"{name}.{layer}.bias"]
        layer += 1
    return features


def _place(name: str, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(direction, strength) of features, by the encoder of that name."""
    out = run(name, features)
    return unit(out[..., :SIZE]), np.clip(out[..., SIZE], 0.0, MAX_INTENSITY)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


# ── features ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def hashed(text: str) -> np.ndarray:
    """[512] words and pairs of words, hashed to ± places; a unit vector."""
    words = re.findall(r"[^\W_]+", text.lower())[:400]
    result = np.zeros(HASHED)
    for piece in (*words, *(" ".join(pair) for pair in itertools.pairwise(words))):
        code = zlib.crc32(piece.encode())
        result[code % HASHED] += 1.0 if code & 0x10000 else -1.0
    return result / max(float(np.linalg.norm(result)), 1e-9)


def reading_features(understood, times: np.ndarray) -> np.ndarray:
    """[N, 10 + S] what lexicon and grammar understood, at seconds: whether anything, the vector, the face."""
    curves = understood.curves
    frames = np.clip(np.round(times * curves.fps).astype(int), 0, len(curves.values) - 1)
    faces, vectors = condition.faces(curves, frames), condition.reading(understood, frames)
    known = (np.abs(vectors).max(axis=1, keepdims=True) > 0.02).astype(float)
    return np.concatenate([known, vectors, faces], axis=1)


def motion_features(faces: np.ndarray, fps: float, frames: np.ndarray | None = None) -> np.ndarray:
    """[N, 3 S] of slots [T, S]: mean, top and speed of each code in the second around each frame.

    A face at rest in the window's other half still counts: the top tells what it does, the mean for how long.
    """
    half = max(1, round(0.5 * WINDOW * fps))
    frames = np.arange(len(faces)) if frames is None else frames
    speed = np.abs(np.diff(faces, axis=0, prepend=faces[:1])) * fps
    rows = []
    for frame in frames:
        part = slice(max(frame - half, 0), frame + half + 1)
        rows.append(np.concatenate([faces[part].mean(0), faces[part].max(0), np.minimum(speed[part].mean(0), 4.0)]))
    return np.array(rows)


def va_features(valence: np.ndarray, arousal: np.ndarray) -> np.ndarray:
    """[..., 11] Fourier features of points of the pad: smooth at the centre, telling angles apart outside."""
    radius, angle = np.hypot(valence, arousal), np.arctan2(arousal, valence)
    share = radius / (radius + 0.1)
    waves = [share * wave(k * angle) for k in range(1, 5) for wave in (np.cos, np.sin)]
    return np.stack([valence, arousal, radius, *waves], axis=-1)


def voice_features(statistics: np.ndarray, valence: np.ndarray, known: float) -> np.ndarray:
    """[N, 9] prosody statistics, the arousal they mean, and the words' valence where there are words."""
    rows = len(statistics)
    return np.concatenate(
        [
            statistics,
            voice.arousal(statistics)[:, None],
            known * np.reshape(valence, (rows, 1)),
            np.full((rows, 1), known),
        ],
        axis=1,
    )


# ── encoders ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def labels() -> list[str]:
    """The labels that the space knows: every emotion of the table but neutral."""
    return [name for name, entry in emotions().items() if entry.aus]


def from_text(
    direction: str, words: Sequence = (), *, fps: float = 24.0, duration: float | None = None, model: bool = True
) -> Track:
    """A direction in words over time.

    Args:
        model: Ask MiniLM, where it is installed.

    Raises:
        MienError: As `command.from_text`.
    """
    from . import meaning
    from .command import from_text as read

    understood = read(direction, list(words), meaning=model, fps=fps, duration=duration)
    times = np.arange(len(understood.curves.values)) / fps
    features = reading_features(understood, times)
    if model and direction.strip() and meaning.available():
        sentence, name = meaning.embed([direction[:2000]])[0], "text"
    else:
        sentence, name = hashed(direction), "bag"
    full = np.concatenate([np.repeat(sentence[None], len(times), axis=0), features], axis=1)
    way, strength = _place(name, full)
    # Where nothing was understood there is nothing to feel, whatever the network makes of the sentence.
    shown = np.clip(np.abs(features[:, 1:]).max(axis=1) / 0.1, 0, 1)
    return Track(fps, way * shown[:, None], strength * shown)


def from_label(name: str, intensity: float = 1.0, *, fps: float = 24.0, duration: float | None = None) -> Track:
    """An emotion of the table, coming in from neutral.

    Raises:
        MienError: There is no such label, or the intensity is out of range.
    """
    entry = emotion(name)
    if not 0.0 <= intensity <= MAX_INTENSITY:
        raise MienError(f"The intensity of {name!r} is {intensity:g}; give one from 0 to {MAX_INTENSITY:g}.")
    way = weights()["label"][labels().index(entry.name)] if entry.aus else np.zeros(SIZE)
    return _held(unit(way) * bool(entry.aus), intensity * bool(entry.aus), fps, duration)


def from_va(points: Sequence[tuple[float, float]], *, fps: float = 24.0, duration: float | None = None) -> Track:
    """Points of the pad: from neutral to one, or evenly timed through several.

    Raises:
        MienError: As `circle.track`.
    """
    from . import circle

    path = circle.track(points, fps, duration)
    way, strength = _place("va", va_features(path[:, 0], path[:, 1]))
    return Track(fps, way, strength * np.clip(np.hypot(path[:, 0], path[:, 1]) / 0.1, 0, 1))


def from_motion(curves: Curves) -> Track:
    """An example: what a face that moves so feels, moment by moment."""
    if curves.duration > MAX_SECONDS:
        raise MienError(f"The example lasts {curves.duration:.0f} s; give one of at most {MAX_SECONDS:g} s.")
    values = np.zeros((len(curves.values), len(contract.CHANNELS)))
    values[:, [contract.INDEX[name] for name in curves.channels]] = np.clip(curves.values, -10, 10)
    faces = condition.from_channels(contract.clamp(values))
    way, strength = _place("motion", motion_features(faces, curves.fps))
    moved = np.clip(faces.max(axis=1) / 0.1, 0, 1)
    return Track(curves.fps, way * moved[:, None], strength * moved)


def from_voice(sound: Sound, transcript: str = "", *, fps: float = 24.0, model: bool = True) -> Track:
    """A recording: arousal from how it is said, valence from what is said.

    Args:
        transcript: The words; without them only the arousal is known, and the feeling is neither good nor bad.

    Raises:
        MienError: There is no speech in it.
    """
    heard = voice.listen(sound)
    if not (heard.presence > 0).any():
        raise MienError("There is no voice in the sound to take a feeling from; choose a recording of speech.")
    valence = words_valence(transcript, model) if transcript.strip() else 0.0
    known = 1.0 if transcript.strip() else 0.0
    features = voice_features(heard.statistics, np.full(len(heard.times), valence), known)
    way, strength = _place("voice", features)
    here = Track(1.0 / voice.HOP, way * heard.presence[:, None], strength * heard.presence)
    direction, strength = here.at(np.arange(int(heard.times[-1] * fps) + 1) / fps)
    return Track(fps, direction, strength)


def words_valence(transcript: str, model: bool = True) -> float:
    """−1 … 1: how good or bad what is said is, where any word or the sentence model tells."""
    from .command import from_text as read

    understood = read(transcript[:4000], meaning=model)
    vectors = condition.reading(understood)
    told = np.abs(vectors[:, 0]) > 0.05
    return float(np.clip(vectors[told, 0].mean(), -1, 1)) if told.any() else 0.0


def _held(way: np.ndarray, strength: float, fps: float, duration: float | None) -> Track:
    length = 3.0 if duration is None else duration
    if not (np.isfinite(length) and 0 < length <= 3600 and np.isfinite(fps) and 1 <= fps <= 1000):
        raise MienError(
            f"A duration of {length:g} s at {fps:g} frames a second is out of range; give 0 to 3600 s, 1 to 1000."
        )
    times = np.arange(int(np.ceil(length * fps - 1e-9)) + 1) / fps
    phase = np.clip(times / min(_EASE, length), 0, 1)
    ease = phase**3 * (10 + phase * (6 * phase - 15))
    return Track(fps, np.repeat(way[None], len(times), axis=0), strength * ease)


# ── mixing and decoding ──────────────────────────────────────────────────────────────────────────────────────────────


def mix(tracks: Sequence[tuple[float, Track]], *, fps: float | None = None, duration: float | None = None) -> Track:
    """Several sources as one feeling, by weight.

    Raises:
        MienError: There is none, or a weight is below 0, or all are 0.
    """
    total = sum(weight for weight, _ in tracks)
    if not tracks or not all(np.isfinite(weight) and weight >= 0 for weight, _ in tracks) or total <= 0:
        raise MienError("A mix needs weights of 0 or more, and one above 0; for instance text=0.6,audio=0.4.")
    rate = fps or tracks[0][1].fps
    length = max(track.duration for weight, track in tracks if weight) if duration is None else duration
    times = np.arange(int(np.ceil(length * rate - 1e-9)) + 1) / rate
    direction, strength = np.zeros((len(times), SIZE)), np.zeros(len(times))
    for weight, track in tracks:
        way, amount = track.at(times)
        direction += weight / total * way * np.minimum(amount, 1.0)[:, None]
        strength += weight / total * amount
    long = np.linalg.norm(direction, axis=1)
    here = (long > 1e-6).astype(float)
    return Track(rate, unit(direction) * here[:, None], strength * here)


def decode(track: Track) -> tuple[np.ndarray, np.ndarray]:
    """(emotion vectors [T, 9], faces [T, S]) of a feeling over time."""
    out = run("decoder", np.concatenate([track.direction, track.strength[:, None]], axis=1))
    amount = track.strength[:, None]
    here = np.clip(np.linalg.norm(track.direction, axis=1), 0, 1)[:, None]
    vectors = condition.clip(out[:, : condition.SIZE] * amount * here)
    faces = np.maximum(out[:, condition.SIZE :], 0.0) * amount * here
    return vectors, np.where(faces < 0.03, 0.0, faces)


def layer(track: Track) -> Curves:
    """An emotion layer of its own: the decoded face over time, opposing muscles resolved, moving smoothly."""
    from scipy.ndimage import gaussian_filter1d

    _, faces = decode(track)
    index, nothing = slots(), np.zeros(len(slots()), dtype=bool)
    faces = np.stack([index.resolve(face, nothing) for face in faces])
    faces = gaussian_filter1d(faces, _SMOOTH * track.fps, axis=0, mode="nearest")
    full = index.to_channels(faces)
    used = np.flatnonzero(np.abs(full).max(axis=0) > 1e-3)
    used = used if len(used) else np.array([contract.INDEX["AU12 Lip Corner Puller.L"]])
    return Curves(track.fps, tuple(contract.NAMES[column] for column in used), full[:, used])
