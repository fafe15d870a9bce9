"""Other programs that turn speech into mouths, run as they are, read as four measures that all can be compared by.

None of them is needed by Mien, and none of their code is here: `engine/requirements-peers.txt` says how to get them.
Each speaks its own visemes. What a viseme means for jaw, closure, rounding and spread is taken from its maker's own
documents: OpenFaceFX ships a table to ARKit shapes; HeadAudio and pyLipSync say which phonemes a viseme stands for,
and those phonemes' mouths are the means of Mien's articulatory targets. Scales differ all the same, so compare by what
has none: correlation, and the error left after the best line through the training takes (`Fit`).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..contract import channels as table
from ..contract.errors import MienError
from ..motion import articulation
from ..speech import analyse, sound
from ..speech.prosody import STEP, measure

MEASURES: tuple[str, ...] = ("jaw", "closure", "rounding", "spread")
Measures = dict[str, np.ndarray]
"""{measure: [T]}, frame k at k / fps."""

_LONGEST = 600.0
_TIMEOUT = 900.0
_TUCKED = 0.5  # of a closure: f and v draw in the lower lip alone


@dataclass(frozen=True)
class Peer:
    """A program to compare with.

    Attributes:
        title: As its maker writes it, with the version that is asked for.
        licence: By its package's own statement.
        how: How it is run and read, for the report.
        run: (sound, text or None, fps, frames) → measures.
    """

    title: str
    licence: str
    how: str
    run: Callable[[Path, str | None, float, int], Measures]


# ── what the measures mean ───────────────────────────────────────────────────────────────────────────────────────────

#: ARKit shapes whose mean over the sides makes a measure; each measure is the sum over its groups.
_ARKIT: dict[str, tuple[tuple[str, ...], ...]] = {
    "jaw": (("jawOpen",),),
    "closure": (("mouthPressLeft", "mouthPressRight"), ("mouthRollLower",), ("mouthRollUpper",), ("mouthClose",)),
    "rounding": (("mouthPucker",), ("mouthFunnel",)),
    "spread": (("mouthStretchLeft", "mouthStretchRight"), ("mouthSmileLeft", "mouthSmileRight")),
}
#: The same of FACEGOOD's captured weights, by its own names. Its lips show p, b, m as drawn in.
_CAPTURED: dict[str, tuple[tuple[str, ...], ...]] = {
    "jaw": (("mouth_stretch_c",),),
    "closure": (("mouth_suck_dl", "mouth_suck_dr"), ("mouth_suck_ul", "mouth_suck_ur")),
    "rounding": (
        ("mouth_oh_c",),
        ("mouth_funnel_dl", "mouth_funnel_dr"),
        ("mouth_funnel_ul", "mouth_funnel_ur"),
    ),
    "spread": (("mouth_lipCornerPull_l", "mouth_lipCornerPull_r"),),
}


def _sum_groups(groups: Mapping[str, tuple[tuple[str, ...], ...]], curves: Mapping[str, np.ndarray]) -> Measures:
    length = len(next(iter(curves.values())))
    found = {}
    for name, members in groups.items():
        known = [[curves[shape] for shape in group if shape in curves] for group in members]
        parts = [np.mean(sides, 0) for sides in known if sides]
        found[name] = np.sum(parts, 0) if parts else np.zeros(length)
    return found


def captured(weights: np.ndarray, names: Sequence[str]) -> Measures:
    """Measures of a FACEGOOD take: weights [T, 116] and their names."""
    return _sum_groups(_CAPTURED, dict(zip(names, np.asarray(weights, np.float64).T, strict=True)))


def of_curves(values: np.ndarray, names: Sequence[str]) -> Measures:
    """Measures of Mien's own channel values [T, C]. Closure is what shuts the lips or draws them in."""
    dense = np.zeros((len(values), len(table.CHANNELS)))
    dense[:, [table.INDEX[name] for name in names]] = values
    return _sum_groups(_ARKIT, dict(zip(table.ARKIT_52, table.to_arkit(dense).T, strict=True)))


def _of_visemes(weights: Mapping[str, np.ndarray], phonemes: Mapping[str, str]) -> Measures:
    """Measures of viseme weights {viseme: [T]}, by the phonemes {viseme: "a ɑ …"} that its maker says it stands for."""
    length = len(next(iter(weights.values())))
    total = {name: np.zeros(length) for name in MEASURES}
    for viseme, curve in weights.items():
        for name, value in _mouth(phonemes[viseme].split()).items():
            total[name] += value * curve
    return total


def _mouth(symbols: Iterable[str]) -> dict[str, float]:
    """The mean mouth of some phonemes, by Mien's articulatory targets."""
    mouths = []
    for symbol in symbols:
        wants = articulation.target(symbol).wants
        value = {shape: wants.get(shape, (0.0, 0.0))[0] for shape in ("jaw", "round", "funnel", "spread")}
        shut = 1.0 if symbol in articulation.BILABIALS else _TUCKED if symbol in articulation.LABIODENTALS else 0.0
        mouths.append((value["jaw"], shut, value["round"] + value["funnel"], value["spread"]))
    return dict(zip(MEASURES, np.mean(mouths, 0) if mouths else np.zeros(4), strict=True))


# ── the peers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _openfacefx(path: Path, text: str | None, fps: float, frames: int) -> Measures:
    """OpenFaceFX's accurate way: phones with times from a recogniser, its coarticulation, its own ARKit table."""
    peer = _package("openfacefx", "OpenFaceFX")
    speech = analyse.analyse(sound.read(path), text)
    segments = [peer.PhonemeSegment(phone.symbol, phone.start, phone.end) for phone in speech.phones]
    ipa = importlib.import_module("openfacefx.ipa").IPA_MAPPING
    return _arkit_track(peer, peer.generate_from_alignment(segments, fps=60.0, mapping=ipa), fps, frames)


def _openfacefx_energy(path: Path, text: str | None, fps: float, frames: int) -> Measures:
    """OpenFaceFX's way without a transcript or a recogniser: the mouth follows loudness."""
    peer = _package("openfacefx", "OpenFaceFX")
    heard = sound.read(path)
    with tempfile.TemporaryDirectory(prefix="mien-peer-") as folder:
        import soundfile

        wave = Path(folder) / "sound.wav"
        soundfile.write(wave, heard.samples, heard.rate, subtype="PCM_16")
        track = peer.generate_from_energy(str(wave), fps=60.0)
    return _arkit_track(peer, track, fps, frames)


def _arkit_track(peer, track, fps: float, frames: int) -> Measures:
    times = np.arange(frames) / fps
    curves = {}
    for channel in peer.retarget(track, peer.PRESETS["arkit"]).channels:
        keys = np.array([(key.time, key.value) for key in channel.keys])
        curves[channel.name] = np.interp(times, keys[:, 0], keys[:, 1])
    return _sum_groups(_ARKIT, curves or {"jawOpen": np.zeros(frames)})


#: pyLipSync's README: which sound each of its phonemes is.
_PYLIPSYNC = {"aa": "a", "ee": "e", "ih": "i", "oh": "o", "ou": "u", "silence": "sil"}


def _pylipsync(path: Path, text: str | None, fps: float, frames: int) -> Measures:
    """pyLipSync with its shipped templates and defaults: six templates, no consonants."""
    peer = _package("pylipsync", "pyLipSync")
    heard = sound.read(path)
    mono = np.asarray(heard.samples, np.float32).reshape(len(heard.samples), -1).mean(1)
    segments = peer.PhonemeAnalyzer().extract_phoneme_segments(mono, int(heard.rate), fps=60, return_seconds=True)
    middle = np.array([0.5 * (segment.start + segment.end) for segment in segments])
    weights = {
        name: np.interp(
            np.arange(frames) / fps,
            middle,
            [next((entry.target for entry in segment.phonemes if entry.name == name), 0.0) for segment in segments],
        )
        for name in _PYLIPSYNC
    }
    return _of_visemes(weights, _PYLIPSYNC)


#: HeadAudio's README, appendix A: the phonemes of its visemes.
_HEADAUDIO = {
    "viseme_aa": "a ɑ ɐ aɪ aʊ",
    "viseme_E": "ɛ e eɪ œ ɜ ʌ ə ɚ ɘ",
    "viseme_I": "i ɪ ɨ y ʏ",
    "viseme_O": "o ɔ ɒ ø",
    "viseme_U": "u ʊ ɯ ɤ",
    "viseme_PP": "p b m",
    "viseme_SS": "s z ʃ ʒ ɕ ʑ ç x ɣ h",
    "viseme_TH": "θ ð",
    "viseme_DD": "t d",
    "viseme_FF": "f v",
    "viseme_kk": "k ɡ q ɢ",
    "viseme_nn": "n ŋ ɲ ɳ",
    "viseme_RR": "ɹ r ɾ ɽ l ɫ j w",
    "viseme_CH": "tʃ dʒ ts dz",
    "viseme_sil": "sil",
}


def _headaudio(path: Path, text: str | None, fps: float, frames: int) -> Measures:
    """HeadAudio's processor, classifier, model and easing in node, updated 60 times a second."""
    folder, node = headaudio_folder(), shutil.which("node")
    if folder is None or node is None:
        what = "node is not installed" if node is None else "its npm package is not installed"
        raise MienError(f"HeadAudio can't be run: {what}; engine/requirements-peers.txt says how to get it.")
    heard = sound.read(path)
    mono = np.asarray(heard.samples, "<f4").reshape(len(heard.samples), -1).mean(1)
    rate, count = 60.0, int(np.ceil(frames * 60.0 / fps)) + 1
    with tempfile.TemporaryDirectory(prefix="mien-peer-") as scratch:
        raw = Path(scratch) / "sound.f32"
        raw.write_bytes(mono.tobytes())
        script = Path(__file__).with_name("headaudio.mjs")
        command = [node, str(script), str(folder), str(raw), str(heard.rate), str(rate), str(count)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    if done.returncode != 0:
        raise MienError(f"HeadAudio ended with an error: {(done.stderr.strip().splitlines() or ['none told'])[-1]}")
    content = json.loads(done.stdout.splitlines()[-1])
    values = np.array(content["values"])
    times = np.arange(frames) / fps
    weights = {
        name: np.interp(times, np.arange(count) / rate, values[:, column])
        for column, name in enumerate(content["names"])
    }
    return _of_visemes(weights, _HEADAUDIO)


def _envelope(path: Path, text: str | None, fps: float, frames: int) -> Measures:
    """The sound's amplitude, smoothed over 30 ms, as every measure: what any method must beat."""
    prosody = measure(sound.read(path))
    amplitude = gaussian_filter1d(10 ** (np.maximum(prosody.level, -60.0) / 20), 0.03 / STEP)
    curve = np.interp(np.arange(frames) / fps, prosody.times, amplitude)
    # Closed where it is quiet; the other three open with it.
    return {name: -curve if name == "closure" else curve.copy() for name in MEASURES}


PEERS: dict[str, Peer] = {
    "openfacefx": Peer("OpenFaceFX 0.24.0", "MIT", "the phones that Mien hears; its ARKit table", _openfacefx),
    "openfacefx-energy": Peer("OpenFaceFX 0.24.0, energy", "MIT", "loudness; its ARKit table", _openfacefx_energy),
    "pylipsync": Peer("pyLipSync 0.2.1", "MIT", "its shipped templates and defaults", _pylipsync),
    "headaudio": Peer("HeadAudio 0.1.0", "MIT", "its shipped model, in node; viseme aa mended", _headaudio),
    "envelope": Peer("Energy envelope", "–", "amplitude over 30 ms as every measure", _envelope),
}


def missing(name: str) -> str | None:
    """Why a peer can't be run here, as a sentence; None where it can."""
    try:
        if name.startswith("openfacefx"):
            _package("openfacefx", "OpenFaceFX")
        elif name == "pylipsync":
            _package("pylipsync", "pyLipSync")
        elif name == "headaudio" and (headaudio_folder() is None or shutil.which("node") is None):
            return "HeadAudio needs node and its npm package; engine/requirements-peers.txt says how to get them."
    except MienError as error:
        return str(error)
    return None


def peer_curves(name: str, audio: Path, text: str | None, fps: float) -> Measures:
    """What a peer makes of a sound.

    Args:
        name: One of `PEERS`.
        audio: A sound file of at most ten minutes.
        text: What it says, in English, for those that can use it.

    Returns:
        {measure: [T]} for `MEASURES`, as many frames as cover the sound.

    Raises:
        MienError: There is no such peer, it is not installed, or it can't use the sound.
    """
    if name not in PEERS:
        raise MienError(f"There is no peer {name!r}; there are {', '.join(PEERS)}.")
    duration = sound.read(audio).duration
    if duration > _LONGEST:
        raise MienError(f"{audio} lasts {duration:.0f} s; peers are compared on at most {_LONGEST:.0f} s.")
    return PEERS[name].run(Path(audio), text, fps, int(np.ceil(duration * fps - 1e-9)) + 1)


def _package(module: str, title: str):
    try:
        return importlib.import_module(module)
    except ImportError as error:
        remedy = "pip install --no-deps -r engine/requirements-peers.txt"
        raise MienError(f"{title} can't be run: {error}; {remedy}.") from None


def headaudio_folder() -> Path | None:
    """HeadAudio's package: named by MIEN_HEADAUDIO, or in node_modules here or in a folder above; None if nowhere."""
    named = os.environ.get("MIEN_HEADAUDIO")
    here = Path.cwd()
    places = [Path(named)] if named else [
        folder / "node_modules" / "@met4citizen" / "headaudio" for folder in (here, *here.parents)
    ]  # fmt: skip
    return next((place for place in places if (place / "modules" / "processor.mjs").is_file()), None)


# ── fair comparison ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Fit:
    """One method's best constant delay and best line a measure, found on training takes alone.

    Attributes:
        delay: Seconds by which its curves come late; taken off.
        lines: {measure: (slope, offset)}.
    """

    delay: float
    lines: dict[str, tuple[float, float]]

    def apply(self, curves: Measures, fps: float) -> Measures:
        """Curves without the delay and on the captured scale."""
        moved = {name: _earlier(curve, self.delay * fps) for name, curve in curves.items()}
        return {name: slope * moved[name] + offset for name, (slope, offset) in self.lines.items()}


def fit(pairs: Sequence[tuple[Measures, Measures]], fps: float, most: float = 0.2) -> Fit:
    """The best fit of a method's measures to captured ones over [(made, captured)] of the training takes.

    HeadAudio's maker, for one, asks for the sound to be delayed by 50 to 100 ms: every method gets the delay, within
    ±`most` seconds, at which its mean correlation is best.
    """
    delays = np.arange(-round(most * fps), round(most * fps) + 1) / fps

    def score(delay: float) -> float:
        return float(np.mean([
            correlation(_earlier(made[name], delay * fps)[: len(truth[name])], truth[name][: len(made[name])])
            for made, truth in pairs for name in MEASURES
        ]))  # fmt: skip

    delay = float(max(delays, key=score))
    lines = {}
    for name in MEASURES:
        x = np.concatenate([_earlier(made[name], delay * fps)[: len(truth[name])] for made, truth in pairs])
        y = np.concatenate([truth[name][: len(made[name])] for made, truth in pairs])
        slope = float(np.cov(x, y)[0, 1] / x.var(ddof=1)) if x.std() > 1e-9 else 0.0
        lines[name] = (slope, float(y.mean() - slope * x.mean()))
    return Fit(delay, lines)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; 0 where one of them never moves."""
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 1e-9 and b.std() > 1e-9 else 0.0


def _earlier(curve: np.ndarray, frames: float) -> np.ndarray:
    return np.interp(np.arange(len(curve)) + frames, np.arange(len(curve)), curve)


def version(name: str) -> str | None:
    """The installed version of a peer's Python package; None where it has none."""
    try:
        return importlib.metadata.version(name.partition("-")[0])
    except importlib.metadata.PackageNotFoundError:
        return None
