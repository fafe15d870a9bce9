"""What the performer learns from: captured mouths, lines that Mien speaks itself, and faces made by rule.

Mouths come from FACEGOOD's captures (Mandarin, MIT), and, so that English phones are known too, from lines spoken by
Mien's voice whose mouths are the articulatory layer's, brought to the captures' size. No capture at hand shows an
upper face that speaks: it is taught by the dynamics of one ARKit clip (MIT) and by the emotion tables, of which speech
keeps its part (`emotion.combine`'s rules, system 2's targets); what stress and phrases do to brows stays with
`motion.idle`.
"""

from __future__ import annotations

import json
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..contract import channels as table
from ..contract.errors import MienError
from ..emotion import combine
from ..emotion.tables import data as tables
from ..motion import articulation
from ..motion.diffusion import conditions, layout
from ..speech import analyse, refine, sound
from ..speech.analyse import Speech
from ..speech.phones import SILENCE, Phone
from ..speech.prosody import STEP, Prosody, measure
from . import facegood, lines

HELD_OUT = facegood.HELD_OUT
"""Takes that no training ever sees: `engine evaluate performance` is measured on them."""
HELD_OUT_VOICE = "bm_fable"
"""The voice whose lines are never trained on."""
CLIP = "lam_test_expression_1s.json"
CLIP_TRAINED = 0.75
"""The part of the ARKit clip that is trained on; the rest is held out."""

#: FACEGOOD's weights by their own names → channels. What a weight looks like is told by its name alone.
CAPTURED: dict[str, dict[str, float]] = {
    "mouth_stretch_c": {"AU26 Jaw Drop": 1.0},
    "mouth_oh_c": {"AU22 Lip Funneler": 0.6, "AU18 Lip Pucker": 0.4},
    "mouth_oo_c": {"AU22 Lip Funneler": 0.4, "AU18 Lip Pucker": 0.6},
    **{f"mouth_funnel_{part}{side}": {"AU22 Lip Funneler": 0.25} for part in "du" for side in "lr"},
    **{f"mouth_pucker_{side}": {"AU18 Lip Pucker": 0.5} for side in "lr"},
    **{f"mouth_suck_d{side}": {"AU28 Lip Suck Lower": 0.5} for side in "lr"},
    **{f"mouth_suck_u{side}": {"AU28 Lip Suck Upper": 0.5} for side in "lr"},
    "mouth_chinRaise_u": {"AU17 Chin Raiser": 1.0},
    **{
        f"mouth_{theirs}_{side}": {f"{ours}.{side.upper()}": 1.0}
        for theirs, ours in (
            ("lipCornerPull", "AU12 Lip Corner Puller"), ("lipStretch", "AU20 Lip Stretcher"),
            ("lowerLipDepress", "AU16 Lower Lip Depressor"), ("upperLipRaise", "AU10 Upper Lip Raiser"),
            ("press", "AU24 Lip Pressor"),
        )
        for side in "lr"
    },
}  # fmt: skip
#: Spoken channels that the captures don't show, or only one of them does, and how much the articulatory layer's
#: curve adds to them: three of four takes never move the lip corners, though the speaker's surely did.
_BY_RULE: dict[str, float] = {"AU25 Lips Part": 0.7} | {
    f"{name}.{side}": 1.0 for name in ("AU20 Lip Stretcher", "AU12 Lip Corner Puller", "AU14 Dimpler") for side in "LR"
}
UPPER = tuple(name for name, zone in zip(layout.CHANNELS, layout.ZONE_OF, strict=True) if zone == 2)


@dataclass(frozen=True)
class Clip:
    """A stretch of speech with what a face does in it, at the model's rate.

    Attributes:
        audio: [T, AUDIO_SIZE] features.
        mouth: [T, C] channel values that speech makes; 0 in the upper face.
        room: [T, C] 0 … 1: how much of an emotion each channel may show while this is said.
    """

    audio: np.ndarray
    mouth: np.ndarray
    room: np.ndarray


def from_capture(weights: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """FACEGOOD weights [T, 116] → values of the model's channels [T, C]."""
    column = {name: index for index, name in enumerate(names)}
    values = np.zeros((len(weights), len(layout.CHANNELS)))
    for theirs, shares in CAPTURED.items():
        for ours, share in shares.items():
            values[:, layout.INDEX[ours]] += share * weights[:, column[theirs]]
    return values


def by_rule(speech: Speech, times: np.ndarray) -> np.ndarray:
    """[T, C] the articulatory layer's values of the model's channels."""
    made = articulation.articulate(speech.phones, speech.prosody, times, breath=0.0)
    values = np.zeros((len(times), len(layout.CHANNELS)))
    for name, curve in zip(articulation.CHANNELS, made.T, strict=True):
        if name in layout.INDEX:
            values[:, layout.INDEX[name]] = curve
    return values


def takes(data: Path, hold: Sequence[str] = ()) -> list[str]:
    """Names of the captured takes that may be trained on.

    Raises:
        MienError: There is none.
    """
    folder = data / "motion" / "facegood"
    names = sorted(path.stem for path in folder.glob("take_*.npz") if path.stem not in {*HELD_OUT, *hold})
    if not names:
        raise MienError(f"{folder} has no captured takes to train on; give --data a folder with motion/facegood in it.")
    return names


def load_take(data: Path, name: str) -> tuple[np.ndarray, list[str], float]:
    """(weights [T, 116], names, frames a second) of a captured take.

    Raises:
        MienError: It cannot be read.
    """
    path = data / "motion" / "facegood" / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as take:
            return take["weights"].astype(np.float64), [str(entry) for entry in take["names"]], float(take["fps"])
    except (OSError, ValueError, KeyError) as error:
        raise MienError(f"{path} is not a captured take ({error}); copy it again.") from None


def load_clip(data: Path) -> np.ndarray:
    """[T, C] the ARKit clip's values of the model's channels, at 30 frames a second.

    Raises:
        MienError: It cannot be read.
    """
    path = data / "motion" / "arkit" / CLIP
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names, frames = content["names"], np.array([frame["weights"] for frame in content["frames"]], np.float64)
        shapes = frames[:, [names.index(shape) for shape in table.ARKIT_52]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MienError(f"{path} is not the ARKit clip that is trained on ({error}); copy it again.") from None
    return table.from_arkit(shapes)[:, layout.COLUMNS]


# ── speech, as it is and spliced ─────────────────────────────────────────────────────────────────────────────────────


def splice(speech: Speech, mouth: np.ndarray, random: np.random.Generator, seconds: float) -> tuple[Speech, np.ndarray]:
    """Another utterance from the words of a take: shuffled, quicker, with little between them.

    Most takes are words said one by one; real speech runs on. Sounds keep their spectrum: only time is scaled.
    """
    segments = _segments(speech.phones)
    prosody, parts, frames, clock = speech.prosody, [], [], 0.0
    said: list[Phone] = [Phone(SILENCE, 0.0, 0.2)]
    pieces = [_stretch(prosody, mouth, 0.0, 0.2, 1.0)]
    clock = 0.2
    while clock < seconds:
        start, end = segments[random.integers(len(segments))]
        speed = float(random.uniform(1.0, 2.3))
        pad = float(random.uniform(0.03, 0.08))
        low, high = max(start - pad, 0.0), min(end + pad, speech.duration)
        pieces.append(_stretch(prosody, mouth, low, high, speed))
        for phone in speech.phones:
            if phone.end > low and phone.start < high:
                a, b = (clock + (min(max(t, low), high) - low) / speed for t in (phone.start, phone.end))
                release = None if phone.release is None else clock + (phone.release - low) / speed
                said.append(replace(phone, start=a, end=b, release=release, word=None))
        clock += (high - low) / speed
        if random.random() < 0.15:
            gap = float(random.uniform(0.15, 0.6))
            quiet = _stretch(prosody, mouth * 0.0, 0.0, min(gap, 0.2), min(gap, 0.2) / gap)
            pieces.append(quiet)
            said.append(Phone(SILENCE, clock, clock + gap))
            clock += gap
    parts = [np.concatenate([piece[0][k] for piece in pieces]) for k in range(4)]
    count = conditions.frames_of(clock)
    fine = np.concatenate([piece[1] for piece in pieces])
    times = np.arange(count) / layout.FPS
    frames = np.column_stack([np.interp(times, np.arange(len(fine)) * STEP, line) for line in fine.T])
    return Speech(_merge(said), [], Prosody(*parts), clock, []), gaussian_filter1d(frames, 0.6, axis=0)


def _segments(said: list[Phone]) -> list[tuple[float, float]]:
    """[(start, end)] of what is spoken between pauses."""
    spans, start = [], None
    for phone in said:
        if phone.symbol == SILENCE and phone.duration > 0.12:
            if start is not None:
                spans.append((start, phone.start))
            start = None
        elif start is None:
            start = phone.start
    return [(a, b) for a, b in spans if b - a > 0.1] or [(said[0].start, said[-1].end)]


def _stretch(prosody: Prosody, mouth: np.ndarray, low: float, high: float, speed: float):
    """((level, bands, high, pitch), mouth) at the measurements' step, `speed` times as fast."""
    count = max(round((high - low) / speed / STEP), 1)
    times = low + np.arange(count) * STEP * speed
    place = np.clip(np.round(times / STEP).astype(int), 0, len(prosody.level) - 1)
    measured = (prosody.level[place], prosody.bands[place], prosody.high[place], prosody.pitch[place])
    frame = np.arange(len(mouth)) / layout.FPS
    return measured, np.column_stack([np.interp(times, frame, line) for line in mouth.T])


def _merge(said: list[Phone]) -> list[Phone]:
    merged: list[Phone] = []
    for phone in said:
        if merged and phone.symbol == SILENCE == merged[-1].symbol:
            merged[-1] = merged[-1].moved(merged[-1].start, phone.end)
        elif phone.end > phone.start:
            merged.append(phone)
    return merged


def to_clip(speech: Speech, mouth: np.ndarray) -> Clip:
    """Features and the emotion's room for a stretch of speech."""
    audio = conditions.speech_features(speech)
    count = min(len(audio), len(mouth))
    times = np.arange(count) / layout.FPS
    return Clip(audio[:count], mouth[:count], room(speech.phones, times))


def room(said: list[Phone], times: np.ndarray) -> np.ndarray:
    """[T, C] how much of an emotion each channel may show, by the rules that keep articulation (`emotion.combine`)."""
    need = combine.needs([(phone.symbol, phone.start, phone.end) for phone in said], times)
    rules = tables("speech_needs")
    free = np.ones((len(times), len(layout.CHANNELS)))
    for column, name in enumerate(layout.CHANNELS):
        if column < layout.SPANS[2].stop:  # jaw, lips and their corners
            for row in rules["limits"]:
                if name.split(".")[0] in row["channels"]:
                    free[:, column] *= 1 - row["share"] * need[row["need"]]
        if name.split(".")[0] in rules["opening"]:
            free[:, column] *= 1 - np.maximum(need["closure"], need["tuck"])
    return free


def load(
    data: Path, cache: Path | None = None, hold: Sequence[str] = (), with_lines: bool = True,
    spliced: int = 5,
    tell: Callable[[str], None] = print,
) -> tuple[list[Clip], list[Clip]]:  # fmt: skip
    """(captured clips, spoken lines).

    Args:
        cache: A folder in which what was heard and spoken is kept between runs.
        hold: More takes to leave out.
        spliced: How many spliced minutes are made from each take.
    """
    listened = []
    for name in takes(data, hold):
        weights, names, fps = load_take(data, name)
        wave = data / "motion" / "facegood" / f"{name}.wav"
        speech = heard(cache, name, lambda wave=wave: analyse.analyse(sound.read(wave)))
        times = np.arange(conditions.frames_of(speech.duration)) / layout.FPS
        mouth = from_capture(weights, names)
        mouth = np.column_stack([np.interp(times, np.arange(len(mouth)) / fps, line) for line in mouth.T])
        listened.append((name, speech, mouth, by_rule(speech, times)))
    gains = _gains([(mouth, rule) for _, _, mouth, rule in listened])
    captured = []
    for name, speech, mouth, rule in listened:
        tell(f"{name}: {speech.duration:.0f} s")
        for channel, share in _BY_RULE.items():
            mouth[:, layout.INDEX[channel]] += share * rule[:, layout.INDEX[channel]]
        random = np.random.default_rng(zlib.crc32(name.encode()))
        captured.append(to_clip(speech, mouth))
        for _ in range(spliced):
            captured.append(to_clip(*splice(speech, mouth, random, 60.0)))
    spoken = []
    for speech, said_by in _spoken(cache, tell) if with_lines else ():
        times = np.arange(conditions.frames_of(speech.duration)) / layout.FPS
        if said_by != HELD_OUT_VOICE:
            spoken.append(to_clip(speech, by_rule(speech, times) * gains))
    tell(f"{sum(len(clip.audio) for clip in captured) / layout.FPS / 60:.1f} min from captures, spliced ones included; "
         f"{sum(len(clip.audio) for clip in spoken) / layout.FPS / 60:.1f} min spoken by rule")  # fmt: skip
    return captured, spoken


def _spoken(cache: Path | None, tell: Callable[[str], None]) -> Iterator[tuple[Speech, str]]:
    """(speech, voice) of the lines that Mien speaks to train on; none, with a word about it, without its voices."""
    with tempfile.TemporaryDirectory(prefix="mien-lines-") as scratch:
        try:
            for line in lines.spoken((cache or Path(scratch)) / "lines", say=tell):
                measured = measure(line.sound)
                refined = refine.refine(line.phones, measured, line.sound.duration)
                yield Speech(refined, [], measured, line.sound.duration, []), line.voice
        except MienError as error:
            tell(f"English lines are left out: {error}")


def heard(cache: Path | None, name: str, make: Callable[[], Speech]) -> Speech:
    """What is heard in a sound: from the cache folder, or made and put there (arrays and JSON, no pickle)."""
    if cache is None:
        return make()
    path = cache / f"{name}.npz"
    if not path.is_file():
        speech = make()
        cache.mkdir(parents=True, exist_ok=True)
        rows = [[p.symbol, p.start, p.end, p.release, p.word] for p in speech.phones]
        measured = speech.prosody
        np.savez_compressed(path, phones=json.dumps(rows), duration=speech.duration, level=measured.level,
                            bands=measured.bands, high=measured.high, pitch=measured.pitch)  # fmt: skip
    with np.load(path, allow_pickle=False) as content:
        said = [Phone(*row) for row in json.loads(str(content["phones"]))]
        measured = Prosody(content["level"], content["bands"], content["high"], content["pitch"])
        return Speech(said, [], measured, float(content["duration"]), [])


def _gains(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """[C] the captures' size of each channel beside the articulatory layer's, held within reason."""
    captured, ruled = (np.concatenate([pair[k] for pair in pairs]) for k in range(2))
    gains = np.ones(len(layout.CHANNELS))
    for column in range(len(gains)):
        if ruled[:, column].max() > 0.02 and captured[:, column].max() > 0.02:
            theirs, ours = (np.percentile(curves[:, column], 97) for curves in (captured, ruled))
            gains[column] = np.clip(theirs / max(ours, 1e-3), 0.6, 1.6)
    return gains


# ── windows ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Maker:
    """Draws training windows.

    Attributes:
        captured, spoken: Clips. dynamics: [T, C] the ARKit clip's trained part.
        random: Everything is drawn from it.
    """

    captured: list[Clip]
    spoken: list[Clip]
    dynamics: np.ndarray
    random: np.random.Generator

    def batch(self, size: int) -> dict[str, np.ndarray]:
        """{"clean", "audio", "emotion", "given", "mask", "has", "weight"}: float32 arrays of `size` windows."""
        rows = [self._window() for _ in range(size)]
        return {name: np.stack([row[name] for row in rows]).astype(np.float32) for name in rows[0]}

    def _window(self) -> dict[str, np.ndarray]:
        random = self.random
        clips = self.spoken if self.spoken and random.random() < 0.22 else self.captured
        lengths = np.array([len(clip.audio) - layout.WINDOW for clip in clips], float)
        clip = clips[random.choice(len(clips), p=np.maximum(lengths, 1) / np.maximum(lengths, 1).sum())]
        start = int(random.integers(max(len(clip.audio) - layout.WINDOW, 1)))
        cut = slice(start, start + layout.WINDOW)
        audio, mouth, free = (_fill(array[cut]) for array in (clip.audio, clip.mouth, clip.room))
        upper = self._lively() if random.random() < 0.7 else 0.0
        vectors = self._feeling()
        face = conditions.emotion_faces(vectors)[:, layout.COLUMNS]
        clean = mouth * (1.0 + 0.2 * vectors[:, 1:2]) + upper + face * free
        sides = random.uniform(0.9, 1.1, len(layout.CHANNELS))
        clean = np.clip(clean * np.where(layout.ZONE_OF == 2, sides, 1.0), 0.0, table.UNIT_LIMIT)
        clean, given, mask = self._keys(clean)
        return {
            "clean": clean / layout.SCALE,
            "audio": self._blurred(audio),
            "emotion": conditions.emotion_features(vectors),
            "given": given / layout.SCALE * (mask > 0),
            "mask": mask,
            "has": self._has(),
        }

    def _lively(self) -> np.ndarray:
        """[WINDOW, C] the ARKit clip's upper face somewhere, above its own rest."""
        start = int(self.random.integers(len(self.dynamics) - layout.WINDOW))
        part = self.dynamics[start : start + layout.WINDOW]
        part = np.maximum(part - np.percentile(self.dynamics, 30, axis=0), 0.0)
        return np.where(layout.ZONE_OF == 2, part, 0.0) * self.random.uniform(0.3, 1.0)

    def _feeling(self) -> np.ndarray:
        """[WINDOW, 9] none, a label, a point of the circle, or one on its way to another."""
        random = self.random
        vectors = np.zeros((layout.WINDOW, conditions.condition.SIZE))
        if random.random() < 0.35:
            return vectors
        ends = []
        for _ in range(2):
            kind = random.random()
            if kind < 0.55:
                name = conditions.condition.LABELS[random.integers(len(conditions.condition.LABELS))]
                ends.append(conditions.condition.label(name, float(random.uniform(0.2, 1.2))))
            elif kind < 0.9:
                angle, radius = random.uniform(0, 2 * np.pi), np.sqrt(random.random())
                ends.append(np.concatenate([radius * np.array([np.cos(angle), np.sin(angle)]), np.zeros(7)]))
            else:
                ends.append(vectors[0])
        if random.random() < 0.5:
            return vectors + ends[0]
        middle, width = random.uniform(0, layout.WINDOW), random.uniform(6, 30)
        phase = np.clip((np.arange(layout.WINDOW) - middle) / width + 0.5, 0, 1)
        phase = (phase * phase * (3 - 2 * phase))[:, None]
        return ends[0] * (1 - phase) + ends[1] * phase

    def _keys(self, clean: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(clean, given, mask): what an artist, or a noisy measurement, gives of it; what is given may differ from
        what would have been, and is then what is wanted."""
        random = self.random
        mask = np.zeros_like(clean)
        kind = random.random()
        if kind < 0.4:
            return clean, mask, mask
        chosen = random.random(len(layout.CHANNELS)) < random.choice([0.15, 0.5, 0.9])
        if random.random() < 0.6:
            chosen &= layout.ZONE_OF == 2
        chosen[random.integers(len(chosen))] = True
        wanted = clean.copy()
        if random.random() < 0.7:
            wanted[:, chosen] = np.clip(wanted[:, chosen] + self._whim(int(chosen.sum())), 0.0, table.UNIT_LIMIT)
        given = wanted.copy()
        if kind < 0.65:  # tracked: jitter, spikes, dropouts
            given = given + random.normal(0.0, random.uniform(0.01, 0.08), given.shape)
            spikes = random.random(given.shape) < 0.02
            given = given + spikes * random.normal(0.0, 0.2, given.shape)
            mask[:, chosen] = 0.5
            mask[random.random(mask.shape) < 0.05] = 0.0
        elif kind < 0.8:  # keys: single frames
            frames = random.random(layout.WINDOW) < random.uniform(0.05, 0.3)
            mask[np.ix_(frames, chosen)] = 1.0
        else:  # locked: a stretch, or everything but a stretch
            start, end = np.sort(random.integers(0, layout.WINDOW + 1, 2))
            inside = (np.arange(layout.WINDOW) >= start) & (np.arange(layout.WINDOW) < end)
            mask[np.ix_(inside if random.random() < 0.5 else ~inside, chosen)] = 1.0
        return wanted, given, mask

    def _whim(self, count: int) -> np.ndarray:
        """[WINDOW, count] smooth changes that nothing else explains."""
        random = self.random
        knots = random.normal(0.0, 1.0, (layout.WINDOW // 6 + 4, count))
        x = np.arange(layout.WINDOW) / 6 + 1
        curve = gaussian_filter1d(knots, 0.7, axis=0)
        low = x.astype(int)
        part = (x - low)[:, None]
        part = part * part * (3 - 2 * part)
        return 0.3 * random.uniform(0.2, 1.2) * (curve[low] * (1 - part) + curve[low + 1] * part)

    def _blurred(self, audio: np.ndarray) -> np.ndarray:
        """Features as another voice, room or recogniser might have given them."""
        random = self.random
        audio = audio.copy()
        bands = conditions.ACOUSTIC.stop - 6
        shift = random.normal(0.0, 1.0)
        place = np.clip(np.arange(bands) + shift, 0, bands - 1)
        low = np.minimum(place.astype(int), bands - 2)
        audio[:, :bands] = audio[:, low] * (1 - (place - low)) + audio[:, low + 1] * (place - low)
        tilt = np.linspace(-1, 1, bands)
        audio[:, :bands] += random.normal(0, 0.3) + random.normal(0, 0.3) * tilt + random.normal(0, 0.15, bands)
        audio[:, bands : bands + 2] += random.normal(0, 0.15, 2)
        audio += random.normal(0.0, 0.08, audio.shape)
        which = random.random()
        if which < 0.12:
            audio[:, conditions.ACOUSTIC] = 0.0
        elif which < 0.3:
            audio[:, conditions.PHONETIC] = 0.0
            audio[:, conditions.MANNER] = 0.0
        return audio

    def _has(self) -> np.ndarray:
        has = (self.random.random(3) > np.array([0.12, 0.12, 0.1])).astype(float)
        return has * 0.0 if self.random.random() < 0.03 else has


def _fill(part: np.ndarray) -> np.ndarray:
    """A window's worth of frames: the last one is held where a clip is shorter."""
    return np.pad(part, ((0, layout.WINDOW - len(part)), (0, 0)), mode="edge") if len(part) < layout.WINDOW else part
