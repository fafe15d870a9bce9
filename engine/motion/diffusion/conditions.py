"""What the performer is told about speech and emotion, frame by frame at the model's rate.

Speech: what can be known of any sound anywhere. From the phones: the articulatory layer's own curves, classes of
phones, where stress and phrases lie. From the sound: bands, level and pitch beside the speaker's own usual ones.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ...emotion import circle, condition
from ...emotion.tables import emotions, slots
from ...speech.analyse import Speech
from ...speech.phones import SILENCE, VOWELS, Phone
from ...speech.prosody import STEP, Prosody
from .. import articulation, idle
from . import layout

#: Classes of phones whose mouths differ.
_CLASSES: tuple[frozenset[str], ...] = tuple(
    frozenset(symbols.split())
    for symbols in (
        "a ɑ æ ɐ ʌ aɪ aʊ ɒ", "ɛ e eɪ ə ɜ ɘ ɤ", "i ɪ j ɨ ɯ", "u ʊ w y ʉ ɥ ʏ", "o ɔ oʊ ɔɪ ø œ", "ɝ ɚ ɹ ɻ",
        "p b ɓ ʙ", "m", "f v ɱ ʋ", "s z ts dz", "ʃ ʒ tʃ dʒ ɕ ʑ tɕ dʑ ʂ ʐ tʂ dʐ", "t d n l ɾ r θ ð",
        "k ɡ ŋ x h ʔ q χ",
    )
)  # fmt: skip
_SHAPES = (
    "AU26 Jaw Drop", "AU25 Lips Part", "AU18 Lip Pucker", "AU22 Lip Funneler", "AU20 Lip Stretcher.L",
    "AU10 Upper Lip Raiser.L", "AU16 Lower Lip Depressor.L", "AU17 Chin Raiser", "AU24 Lip Pressor.L",
    "AU28 Lip Suck Lower", "AU19 Tongue Show",
)  # fmt: skip
_BANDS = 18
#: Spans of the features: what is heard, what the phones say, how it is said.
ACOUSTIC = slice(0, _BANDS + 6)
PHONETIC = slice(ACOUSTIC.stop, ACOUSTIC.stop + len(_SHAPES) + len(_CLASSES) + 1)
MANNER = slice(PHONETIC.stop, PHONETIC.stop + 5)
AUDIO_SIZE = MANNER.stop
EMOTION_SIZE = condition.SIZE + len(layout.CHANNELS)
_FRAME = 1 / layout.FPS


def frames_of(duration: float) -> int:
    """Model frames that cover so many seconds."""
    return int(np.ceil(duration * layout.FPS - 1e-9)) + 1


def speech_features(speech: Speech) -> np.ndarray:
    """[T, AUDIO_SIZE] float32 of a whole sound."""
    times = np.arange(frames_of(speech.duration)) * _FRAME
    return np.concatenate(
        [acoustic(speech.prosody, times), phonetic(speech.phones, speech.prosody, times),
         manner(speech.phones, speech.prosody, times)], axis=1
    ).astype(np.float32)  # fmt: skip


def acoustic(prosody: Prosody, times: np.ndarray) -> np.ndarray:
    """[T, 24] bands, level, hiss, their change, voicing, pitch and its change."""
    smooth = 0.012 / STEP
    floor = prosody.loud - 45.0
    bands = (gaussian_filter1d(np.maximum(prosody.bands, floor - 20.0), smooth, axis=0) - prosody.loud + 20.0) / 15.0
    level = (gaussian_filter1d(np.maximum(prosody.level, floor), smooth) - prosody.loud + 10.0) / 10.0
    high = (gaussian_filter1d(np.maximum(prosody.high, floor), smooth) - prosody.loud + 20.0) / 15.0
    change = np.gradient(level) / STEP * 0.05
    voiced = (~np.isnan(prosody.pitch)).astype(float)
    tone = _pitch(prosody)
    columns = np.column_stack([
        bands, level, high, change, gaussian_filter1d(voiced, smooth), tone, np.gradient(tone) / STEP * 0.05,
    ])  # fmt: skip
    columns = np.clip(columns, -3.0, 3.0)
    if not prosody.has_speech:
        columns = np.broadcast_to(np.concatenate([np.full(_BANDS + 2, -2.5), np.zeros(4)]), columns.shape)
    place = np.clip(times / STEP, 0, len(columns) - 1)
    low = np.minimum(place.astype(int), max(len(columns) - 2, 0))
    weight = (place - low)[:, None]
    return columns[low] * (1 - weight) + columns[np.minimum(low + 1, len(columns) - 1)] * weight


def _pitch(prosody: Prosody) -> np.ndarray:
    """[N] pitch in half octaves above the speaker's usual one; joined over unvoiced sounds, 0 without any voice."""
    voiced = np.flatnonzero(~np.isnan(prosody.pitch))
    if len(voiced) < 5:
        return np.zeros(len(prosody.pitch))
    semitones = 12 * np.log2(prosody.pitch[voiced])
    joined = np.interp(np.arange(len(prosody.pitch)), voiced, semitones - np.median(semitones))
    return gaussian_filter1d(joined, 0.03 / STEP) / 6.0


def phonetic(phones: list[Phone], prosody: Prosody, times: np.ndarray) -> np.ndarray:
    """[T, 25] the articulatory layer's curves, in the model's scale, and soft classes of the phones."""
    baseline = articulation.articulate(phones, prosody, times, breath=0.0)
    picked = baseline[:, [articulation.CHANNELS.index(name) for name in _SHAPES]]
    scale = [layout.SCALE[layout.INDEX[name]] if name in layout.INDEX else 0.1 for name in _SHAPES]
    return np.concatenate([picked / np.array(scale) - 0.5, _classes(phones, times)], axis=1)


def _classes(phones: list[Phone], times: np.ndarray) -> np.ndarray:
    """[T, 14] how much of each frame's 67 ms (a triangle) each class of phones fills; silence is the last."""
    fine = np.arange(-0.1, float(times[-1]) + 0.2, 0.005)
    lines = np.zeros((len(fine), len(_CLASSES) + 1))
    for phone in phones:
        first, last = np.searchsorted(fine, (phone.start, phone.end))
        if phone.symbol == SILENCE:
            lines[first:last, -1] = 1.0
        for column, members in enumerate(_CLASSES):
            if phone.symbol in members:
                lines[first:last, column] = 1.0
    smooth = gaussian_filter1d(lines, 0.018 / 0.005, axis=0)
    return np.column_stack([np.interp(times, fine, line) for line in smooth.T])


def manner(phones: list[Phone], prosody: Prosody, times: np.ndarray) -> np.ndarray:
    """[T, 5] stress, speaking rate, nearness of a phrase's start and of its end, rising phrase ends."""
    stress = np.zeros(len(times))
    for accent in idle.accents(phones, prosody):
        stress = np.maximum(stress, accent.weight * np.exp(-0.5 * ((times - accent.time) / 0.12) ** 2))
    spoken = [phone for phone in phones if phone.symbol != SILENCE]
    count = np.zeros(len(times))
    for phone in spoken:
        if phone.symbol in VOWELS:
            count += np.exp(-0.5 * ((times - 0.5 * (phone.start + phone.end)) / 0.5) ** 2) / (0.5 * np.sqrt(2 * np.pi))
    starts, ends = np.zeros(len(times)), np.zeros(len(times))
    for pause in phones:
        if pause.symbol == SILENCE and pause.duration > 0.2:
            starts = np.maximum(starts, np.exp(-np.abs(times - pause.end) / 0.25))
            ends = np.maximum(ends, np.exp(-np.abs(times - pause.start) / 0.25))
    rising = np.zeros(len(times))
    for start, end in idle.questions(phones, prosody):
        rising[(times >= start) & (times <= end + 0.3)] = 1.0
    return np.column_stack([stress * 2, count / 4.0 - 1.0, starts, ends, gaussian_filter1d(rising, 3.0)])


# ── emotion ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def emotion_faces(vectors: np.ndarray) -> np.ndarray:
    """[T, 71] what the tables show for emotion vectors [T, 9] (`engine.emotion.condition`), articulation aside.

    Labels show their own faces, mixed by strength; what of valence and arousal no label explains shows as the circle's.
    """
    vectors = condition.clip(vectors)
    strength = vectors[:, 2:]
    total = strength.sum(1)
    # Three feelings at full strength are one face, not three on top of each other.
    share = strength / np.maximum(total, 1.0)[:, None]
    faces, own = _labels()
    shown = share @ faces
    rest = vectors[:, :2] - share @ own
    left = np.clip(1.0 - total, 0.0, 1.0)[:, None]
    shown = shown + left * circle.face(*np.clip(rest, -1, 1).T)
    return slots().to_channels(shown)


@cache
def _labels() -> tuple[np.ndarray, np.ndarray]:
    """([7, S] whole faces, [7, 2] valence and arousal) of the labels."""
    rows = [emotions()[name] for name in condition.LABELS]
    return np.array([row.face(1.0) for row in rows]), np.array([(row.valence, row.arousal) for row in rows])


def emotion_features(vectors: np.ndarray) -> np.ndarray:
    """[T, EMOTION_SIZE] float32 of emotion vectors [T, 9] at the model's rate."""
    faces = emotion_faces(vectors)[:, layout.COLUMNS] / layout.SCALE
    return np.concatenate([condition.clip(vectors), faces], axis=1).astype(np.float32)
