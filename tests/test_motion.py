"""Phones → curves: lips that close, shapes that overlap, blinks that don't repeat; `engine perform`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract import channels as table
from engine.contract import curves as curve_file
from engine.contract.errors import Cancelled, MienError
from engine.evaluate.speech import closure_share, key_error
from engine.motion import articulation, idle, keys
from engine.motion.perform import LAYERS, Performance, perform
from engine.speech import lines, prosody, sound
from engine.speech.phones import SILENCE, Phone

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def performed() -> Performance:
    return perform(lines.SOUND, lines.text(), seed=3)


@pytest.fixture(scope="module")
def even() -> prosody.Prosody:
    """Measurements of a steady noise, for phones that are made up."""
    return prosody.measure(sound.from_samples(np.random.default_rng(0).normal(0, 0.1, 64_000), 16_000))


def say(symbols: str, each: float = 0.12, lead: float = 0.5) -> list[Phone]:
    phones = [Phone(SILENCE, 0.0, lead)]
    for symbol in symbols.split():
        phones.append(Phone(symbol, phones[-1].end, phones[-1].end + each))
    return [*phones, Phone(SILENCE, phones[-1].end, phones[-1].end + 0.6)]


def mouth(phones: list[Phone], even: prosody.Prosody, fps: float = 100.0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    times = np.arange(round(phones[-1].end * fps) + 1) / fps
    values = articulation.articulate(phones, even, times)
    return times, dict(zip(articulation.CHANNELS, values.T, strict=True)) | {
        "aperture": articulation.lip_aperture(values, articulation.CHANNELS)
    }


# ── lips ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=60, deadline=None)
@given(
    each=st.floats(0.02, 0.3),
    fps=st.sampled_from([12.0, 23.976, 25.0, 30.0, 60.0, 120.0]),
    symbols=st.lists(st.sampled_from(["p", "b", "m", "a", "i", "u", "s", "f", "w", "ɹ"]), min_size=1, max_size=12),
    strength=st.floats(0.2, 2.0),
)
def test_lips_are_shut_in_every_p_b_and_m_at_any_rate_of_speech_and_frames(
    even: prosody.Prosody, each: float, fps: float, symbols: list[str], strength: float
) -> None:
    phones = say(" ".join(symbols), each)
    times = np.arange(round(phones[-1].end * fps) + 1) / fps
    aperture = articulation.lip_aperture(articulation.articulate(phones, even, times, strength), articulation.CHANNELS)
    for start, end in articulation.closures(phones):
        inside = (times >= start - 1e-9) & (times <= end + 1e-9)
        if not inside.any():
            inside = np.abs(times - 0.5 * (start + end)) <= 0.5 / fps + 1e-9
        assert (aperture[inside] < 1e-3).all()


def test_lips_open_again_between_closures(even: prosody.Prosody) -> None:
    phones = say("m ɑ m ɑ m", 0.15)
    times, curves = mouth(phones, even)
    for phone in phones:
        if phone.symbol == "ɑ":
            assert curves["aperture"][(times > phone.start) & (times < phone.end)].max() > 0.15


def test_the_lip_touches_the_teeth_in_f_and_v(even: prosody.Prosody) -> None:
    times, curves = mouth(say("a f a v a"), even)
    for middle in (0.5 + 1.5 * 0.12, 0.5 + 3.5 * 0.12):
        assert np.interp(middle, times, curves["AU28 Lip Suck Lower"]) > 0.5
        assert np.interp(middle, times, curves["AU25 Lips Part"]) < 0.01


def test_rounding_starts_before_the_round_vowel_and_more_so_where_consonants_allow_it(even: prosody.Prosody) -> None:
    times, curves = mouth(say("s t u"), even)
    onset_of_u = 0.5 + 2 * 0.12
    assert np.interp(onset_of_u - 0.06, times, curves["AU18 Lip Pucker"]) > 0.25
    _, spread = mouth(say("s t i"), even)
    assert np.interp(onset_of_u - 0.06, times, spread["AU18 Lip Pucker"]) < 0.1


def test_open_vowels_open_more_and_silence_rests(even: prosody.Prosody) -> None:
    _, open_ = mouth(say("t ɑ t", 0.2), even)
    _, close = mouth(say("t i t", 0.2), even)
    assert open_["AU26 Jaw Drop"].max() > 2 * close["AU26 Jaw Drop"].max()
    still = articulation.articulate([Phone(SILENCE, 0.0, 2.0)], even, np.arange(60) / 30)
    assert still.max() == 0.0


def test_loud_speech_opens_the_mouth_wider() -> None:
    rate, random = 16_000, np.random.default_rng(0)
    noise = random.normal(0, 0.1, 3 * rate) * np.where(np.arange(3 * rate) < 1.5 * rate, 1.0, 0.1)
    measured = prosody.measure(sound.from_samples(noise, rate))
    phones = [Phone("ɑ", 0.0, 1.5), Phone("ɑ", 1.5, 3.0)]
    jaw = articulation.articulate(phones, measured, np.arange(90) / 30)[:, articulation.CHANNELS.index("AU26 Jaw Drop")]
    assert jaw[20] > 1.3 * jaw[70]


def test_nothing_chatters(performed: Performance) -> None:
    """A mouth has no power to speak of above 10 Hz: values between frames bend, they do not zigzag."""
    fine = perform(lines.SOUND, lines.text(), seed=3, fps=120.0).curves
    for name in ("AU26 Jaw Drop", "AU18 Lip Pucker", "AU22 Lip Funneler", "AU20 Lip Stretcher.L"):
        values = fine.values[:, fine.channels.index(name)]
        spectrum = np.abs(np.fft.rfft(values - values.mean())) ** 2
        frequencies = np.fft.rfftfreq(len(values), 1 / 120)
        assert spectrum[frequencies > 15].sum() < 0.005 * spectrum.sum(), name


def test_unknown_symbols_still_move_the_mouth(even: prosody.Prosody) -> None:
    _, curves = mouth(say("ʘ ǂ ☃"), even)
    assert 0.0 < curves["AU26 Jaw Drop"].max() < 0.5


# ── blinks, gaze, head ───────────────────────────────────────────────────────────────────────────────────────────────


def _resting(seconds: float, seed: int, even: prosody.Prosody, fps: float = 30.0) -> dict[str, np.ndarray]:
    times = np.arange(round(seconds * fps)) / fps
    return idle.perform([Phone(SILENCE, 0.0, seconds)], even, times, seed, dict.fromkeys(LAYERS, 1.0))


def test_blinks_come_at_a_natural_rate_and_shut_the_eye(even: prosody.Prosody) -> None:
    lids = _resting(180.0, 1, even)["AU45 Blink.L"]
    peaks = [
        part.max() for part in np.split(lids, np.flatnonzero(np.diff((lids > 0.02).astype(int)))) if part.max() > 0.5
    ]
    assert 12 <= len(peaks) / 3 <= 24
    assert np.mean(np.array(peaks) > 0.95) > 0.7
    assert len(set(np.round(peaks, 6))) > 5, "no two blinks are quite alike"


def test_a_lid_closes_faster_than_it_opens(even: prosody.Prosody) -> None:
    lids = _resting(60.0, 2, even, 240.0)["AU45 Blink.R"]
    first = int(np.argmax(lids > 0.9))
    last = first + int(np.argmax(lids[first:] < 0.5))
    closing = first - int(np.flatnonzero(lids[:first] < 0.05)[-1])
    opening = int(np.argmax(lids[last:] < 0.05)) + (last - first) // 2
    assert closing < opening


def test_the_head_moves_gently_and_never_jumps(performed: Performance) -> None:
    for name in table.HEAD_ROTATION:
        values = np.degrees(performed.curves.values[:, performed.curves.channels.index(name)])
        assert 0.3 < np.ptp(values) < 15.0
        assert np.abs(np.diff(values)).max() * 30 < 60.0  # degrees a second


def test_layers_are_independent_and_can_be_turned_off(performed: Performance) -> None:
    calm = perform(
        lines.SOUND, lines.text(), seed=3, strengths={"head": 0.0, "blinks": 0.0, "brows": 0.0, "breath": 0.0}
    )
    column = calm.curves.channels.index
    assert not calm.curves.values[
        :, [column("Head Yaw"), column("AU45 Blink.L"), column("AU02 Outer Brow Raiser.R")]
    ].any()
    gaze = [made.curves.values[:, made.curves.channels.index("Gaze Horizontal")] for made in (calm, performed)]
    assert np.array_equal(*gaze)


# ── whole performances ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_shipped_line_closes_its_lips_in_curves_and_keys(performed: Performance) -> None:
    for keyed in (False, True):
        shut, total = closure_share(performed, keyed)
        assert shut == total >= 8


def test_keys_are_few_and_true(performed: Performance) -> None:
    assert key_error(performed) <= keys.TOLERANCE
    assert 5 * sum(map(len, performed.keys.values())) <= performed.curves.values.size


def test_the_same_seed_gives_the_same_take_and_another_another_one(performed: Performance) -> None:
    again = perform(lines.SOUND, lines.text(), seed=3)
    other = perform(lines.SOUND, lines.text(), seed=4)
    assert np.array_equal(again.curves.values, performed.curves.values) and again.keys == performed.keys
    assert not np.array_equal(other.curves.values, performed.curves.values)
    moved = [performed.curves.channels.index(name) for name in articulation.CHANNELS]
    apart = np.abs(other.curves.values[:, moved] - performed.curves.values[:, moved])
    assert 0.0 < apart.mean() < 0.02, "another take moves the mouth a little otherwise"
    assert closure_share(other, False) == closure_share(performed, False), "a seed never changes what is said"
    ruled = [perform(lines.SOUND, lines.text(), seed=seed, model="none").curves for seed in (3, 4)]
    moved = [ruled[0].channels.index(name) for name in articulation.CHANNELS]
    assert np.array_equal(ruled[0].values[:, moved], ruled[1].values[:, moved]), "the rules have one mouth a line"


@pytest.mark.parametrize("fps", [1.0, 23.976, 120.0])
def test_frames_cover_the_sound_at_any_rate(fps: float) -> None:
    short = sound.read(lines.SOUND)
    result = perform(sound.Sound(short.samples[: 2 * short.rate], short.rate), fps=fps)
    assert result.curves.fps == fps and result.curves.duration >= result.duration
    assert len(result.curves.values) == int(np.ceil(2.0 * fps - 1e-9)) + 1
    assert {name for name in result.curves.channels} <= set(table.NAMES)


def test_silence_gets_an_idle_performance() -> None:
    result = perform((np.zeros(3 * 44_100), 44_100))
    still = [result.curves.channels.index(name) for name in articulation.CHANNELS]
    assert not result.curves.values[:, still].any()
    assert result.curves.values.any() and result.notes


def test_progress_is_reported_and_cancelling_stops(performed: Performance) -> None:
    seen: list[float] = []
    perform((np.zeros(8000), 16_000), progress=lambda fraction, message: seen.append(fraction))
    assert seen == sorted(seen) and seen[0] == 0.0 and seen[-1] == 1.0
    with pytest.raises(Cancelled):
        perform(lines.SOUND, cancelled=lambda: True)


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"seed": -1}, "seed"), ({"seed": 1.5}, "seed"), ({"fps": 0.0}, "frame rate"),
        ({"fps": float("nan")}, "frame rate"), ({"strengths": {"ears": 1.0}}, "no layer"),
        ({"strengths": {"head": -1.0}}, "strength"), ({"text": " "}, "empty"),
    ],
)  # fmt: skip
def test_wrong_settings_get_a_sentence(settings_: dict, sentence: str) -> None:
    with pytest.raises(MienError, match=sentence):
        perform((np.zeros(1600), 16_000), **settings_)


def test_a_sound_in_which_nothing_can_be_said_is_told_with_what_to_do():
    with pytest.raises(MienError, match=r"only 12 ms.*choose one of at least 0\.1 s"):
        perform((np.zeros(192), 16_000), model="none")
    assert perform((np.zeros(1600), 16_000), model="none").duration == 0.1


def _engine(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300
    )


def test_the_command_writes_curves_and_keys(tmp_path: Path) -> None:
    audio = tmp_path / "stereo.wav"
    line = sound.read(lines.SOUND)
    soundfile.write(audio, np.repeat(line.samples[: 2 * line.rate, None], 2, axis=1), line.rate)
    out, keyed = tmp_path / "out.json", tmp_path / "keys.json"
    result = _engine(
        "perform",
        "--audio",
        str(audio),
        "--text",
        "Hello, I'm Ada.",
        "--fps",
        "25",
        "--out",
        str(out),
        "--keys",
        str(keyed),
    )
    assert result.returncode == 0, result.stderr
    curves = curve_file.load(out)
    assert curves.fps == 25 and len(curves.values) == 51
    content = json.loads(keyed.read_text(encoding="utf-8"))
    entries = {name: [keys.from_row(row) for row in rows] for name, rows in content["keys"].items()}
    jaw = keys.evaluate(entries["AU26 Jaw Drop"], np.arange(51) / 25)
    assert np.abs(jaw - curves.values[:, curves.channels.index("AU26 Jaw Drop")]).max() <= 0.021
    assert [word[0] for word in content["words"]] == ["Hello", "I'm", "Ada"]


def test_the_command_refuses_bad_sound_with_one_line_and_code_2(tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF")
    result = _engine("perform", "--audio", str(bad), "--out", str(tmp_path / "out.json"))
    assert result.returncode == 2 and str(bad) in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out.json").exists()
