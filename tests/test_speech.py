"""Sound and text → phones and words: reading, aligning, recognising, timing, bad input."""

from __future__ import annotations

import contextlib
import io
import itertools
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract.errors import MienError
from engine.evaluate.speech import landmark_errors, onset_errors
from engine.speech import align, analyse, lines, phones, prosody, recognise, refine, sound, text, voice, voices

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def line() -> sound.Sound:
    return sound.read(lines.SOUND)


@pytest.fixture(scope="module")
def aligned(line: sound.Sound) -> analyse.Speech:
    return analyse.analyse(line, lines.text())


@pytest.fixture(scope="module")
def recognised(line: sound.Sound) -> analyse.Speech:
    return analyse.analyse(line)


def tone(seconds: float = 0.5, rate: int = 16_000, channels: int = 1) -> np.ndarray:
    wave = 0.5 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1)


# ── reading sound ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_101, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_any_number_of_channels_reads_as_the_same_mono_sound(
    tmp_path: Path, rate: int, channels: int
) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(0.5, rate, channels), rate)
    read = sound.read(path).at_rate(16_000)
    assert read.duration == pytest.approx(0.5, abs=1e-3)
    middle = read.samples[2000:6000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_the_usual_formats_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(0.5, 22_050), 22_050)
    assert sound.read(path).duration == pytest.approx(0.5, abs=0.06)


def _wav(data: bytes, declared: int | None = None) -> bytes:
    size = len(data) if declared is None else declared
    return (
        b"RIFF"
        + struct.pack("<I", 36 + size)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
        + b"data"
        + struct.pack("<I", size)
        + data
    )


def _float_wav(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="WAV", subtype="FLOAT")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"hello, this is no sound", "is not a sound"),
        (b"RIFF\x00\x00", "is not a sound"),
        (_wav(b""), "no samples"),
        (_float_wav(np.array([0.0, np.nan, 0.1], dtype=np.float32)), "not a number"),
        (_float_wav(np.array([0.0, np.inf], dtype=np.float32)), "not a number"),
        (b"fLaC" + bytes(60), "is not a sound"),
        (b"OggS" + bytes(range(200)), "is not a sound"),
    ],
)
def test_what_is_no_sound_gets_one_sentence_with_the_file(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(MienError, match=sentence) as error:
        sound.read(path)
    assert str(path) in str(error.value)


def test_a_flac_cut_short_is_refused(tmp_path: Path) -> None:
    whole = lines.SOUND.read_bytes()
    path = tmp_path / "cut.flac"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MienError, match="export it"):
        sound.read(path)


def test_missing_files_folders_and_too_long_sounds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="cannot be read"):
        sound.read(tmp_path / "nothing.wav")
    with pytest.raises(MienError, match="is a folder"):
        sound.read(tmp_path)
    with pytest.raises(MienError, match="at most 600 s"):
        sound.from_samples(np.zeros(601 * 8000, dtype=np.float32), 8000)
    with pytest.raises(MienError, match="sample rate"):
        sound.from_samples(np.zeros(10), float("nan"))
    with pytest.raises(MienError, match="sample rate"):
        sound.from_samples(np.zeros(10), 1)


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_whatever_escape_as_anything_but_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("junk") / "junk.wav"
    path.write_bytes(b"RIFF" + junk)
    with contextlib.suppress(MienError):
        sound.read(path)


# ── prosody ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_level_and_pitch_of_a_known_voice() -> None:
    rate = 16_000
    time = np.arange(rate) / rate
    buzz = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20)) * 0.1
    measured = prosody.measure(sound.from_samples(np.concatenate([np.zeros(rate // 2), buzz]), rate))
    voiced = measured.pitch[(measured.times > 0.7) & (measured.times < 1.3)]
    assert np.nanmedian(voiced) == pytest.approx(120, rel=0.03)
    assert np.isnan(measured.pitch[measured.times < 0.4]).all()
    assert measured.mean_level(0.8, 1.2) - measured.mean_level(0.1, 0.4) > 50


# ── phones ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ipa_loses_its_marks_and_keeps_its_pairs() -> None:
    assert phones.split_ipa("t͡ʃaɪˈn̩ːpʰ") == ["tʃ", "aɪ", "n", "p"]
    assert phones.split_ipa("g") == ["ɡ"]
    assert phones.normal("˥") == ""


def _is_gapless(speech: analyse.Speech) -> bool:
    bounds = [(phone.start, phone.end) for phone in speech.phones]
    joined = all(a[1] == pytest.approx(b[0]) for a, b in itertools.pairwise(bounds))
    return (
        joined
        and bounds[0][0] == 0
        and bounds[-1][1] == pytest.approx(speech.duration)
        and all(b > a for a, b in bounds)
    )


def test_the_shipped_line_aligns_with_its_text(aligned: analyse.Speech) -> None:
    assert [word.text for word in aligned.words] == [word.text for word in lines.words()]
    assert _is_gapless(aligned)
    assert aligned.notes == []
    starts = np.array([[found.start, known.start] for found, known in zip(aligned.words, lines.words(), strict=True)])
    assert np.median(np.abs(starts[:, 0] - starts[:, 1])) <= 0.02


def test_phones_are_on_time_with_the_text_and_without(aligned: analyse.Speech, recognised: analyse.Speech) -> None:
    for speech in (aligned, recognised):
        errors = onset_errors(speech.phones, lines.phones())
        assert len(errors) >= 40
        assert abs(np.median(errors)) <= 0.01
        assert np.median(np.abs(errors)) <= 0.02
        steps = landmark_errors(speech.phones, speech.prosody)
        assert abs(np.median(steps)) <= 0.01
        assert np.mean(np.abs(steps) <= 0.02) >= 0.8


def test_the_line_is_recognised_from_its_sound_alone(recognised: analyse.Speech) -> None:
    assert recognised.words == []
    assert _is_gapless(recognised)
    found = [phone.symbol for phone in recognised.phones if phone.symbol in phones.BILABIALS | phones.LABIODENTALS]
    known = [phone.symbol for phone in lines.phones() if phone.symbol in phones.BILABIALS | phones.LABIODENTALS]
    assert len(found) >= 0.8 * len(known)


def test_timing_does_not_depend_on_the_sample_rate(line: sound.Sound, recognised: analyse.Speech) -> None:
    other = analyse.analyse(line.at_rate(44_100))
    errors = onset_errors(other.phones, recognised.phones)
    assert np.median(np.abs(errors)) <= 0.005


def test_a_transcript_that_does_not_fit_falls_back_to_the_sound_and_says_so(line: sound.Sound) -> None:
    speech = analyse.analyse(line, "你好")
    assert len(speech.phones) > 20 and speech.words == []
    assert "sound alone" in speech.notes[0]


def test_silence_is_one_silent_phone() -> None:
    speech = analyse.analyse(sound.from_samples(np.zeros(16_000), 16_000), "hello")
    assert [phone.symbol for phone in speech.phones] == [phones.SILENCE]
    assert "silent" in speech.notes[0]


@pytest.mark.parametrize("seconds", [1 / 16_000, 0.01, 0.3])
def test_very_short_sounds_are_fine(seconds: float) -> None:
    noise = np.random.default_rng(1).normal(0, 0.2, max(1, round(seconds * 16_000)))
    assert _is_gapless(analyse.analyse(sound.from_samples(noise, 16_000)))


def test_the_english_recogniser_stands_in_where_hama_does_not_run(
    line: sound.Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognise, "_model", lambda: None)
    start = sound.Sound(line.samples[: 3 * line.rate], line.rate)
    found = recognise.recognise(start, prosody.measure(start))
    assert len([phone for phone in found if phone.symbol != phones.SILENCE]) > 10


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 3), min_size=1, max_size=200))
def test_refined_boundaries_stay_in_order_whatever_comes_in(times: list[float]) -> None:
    measured = prosody.measure(sound.from_samples(np.random.default_rng(0).normal(0, 0.1, 32_000), 16_000))
    bounds = sorted({0.0, *times})
    coarse = [phones.Phone("a" if k % 2 else "p", a, b) for k, (a, b) in enumerate(itertools.pairwise(bounds))]
    fine = refine.refine(coarse, measured, 2.0, 0.05)
    edges = [phone.start for phone in fine] + [fine[-1].end]
    assert edges[0] == 0 and edges[-1] == pytest.approx(2.0)
    assert (np.diff(edges) > 0).all()
    assert all(phone.release is None or phone.start <= phone.release <= phone.end for phone in fine)


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("It's 3rd!", ["it's", "third"]),
        ("1,250 at 9.5%", ["one", "thousand", "two", "hundred", "fifty", "at", "nine", "point", "five", "percent"]),
        ("in 1984", ["in", "nineteen", "eighty", "four"]),
        ("room 007", ["room", "zero", "zero", "seven"]),
        ("rock & roll", ["rock", "and", "roll"]),
        ("Suzie’d", ["suzie'd"]),
    ],
)
def test_text_becomes_spoken_words(written: str, read: list[str]) -> None:
    assert [part for _, parts in text.words(written) for part in parts] == read


def test_empty_and_broken_text_is_refused() -> None:
    for bad in ("", "   \n", "a\x00b", "x" * 30_000):
        with pytest.raises(MienError):
            text.check(bad)


def test_letters_alone_give_a_pronunciation() -> None:
    assert text.letters_to_ipa("blipper") == ["b", "l", "ɪ", "p", "ɝ"]
    assert text.letters_to_ipa("phone") == ["f", "oʊ", "n"]
    assert text.letters_to_ipa("漢字") == []
    for word in ("zyzzyva", "qwrt", "e", "aaa", "rhythm"):
        assert text.letters_to_ipa(word)


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=80))
def test_any_text_becomes_words_or_a_sentence(written: str) -> None:
    with contextlib.suppress(MienError):
        assert all(part for _, parts in text.words(written) for part in parts)


def test_invented_words_are_aligned_too(line: sound.Sound) -> None:
    found, texts = align.align(line, lines.text().replace("Ada", "Aydaboo"))
    assert "Aydaboo" in texts and any(phone.word == texts.index("Aydaboo") for phone in found)


# ── the voice ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_voice_that_is_not_installed_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "_package_file", lambda module, inside: None)
    assert voices.installed(tmp_path) == []
    with pytest.raises(MienError, match="voices --install"):
        voice.speak("Hello.", models=str(tmp_path))


def test_a_model_file_that_is_another_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / voices.MODEL.name).write_bytes(b"not a network")
    with pytest.raises(MienError, match="sha256"):
        voices.find(voices.MODEL, tmp_path)


def test_an_unknown_voice_and_an_unspeakable_line_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MienError, match="choose one of"):
        voice.speak("Hello.", "nobody", models=str(tmp_path))
    with pytest.raises(MienError, match="empty"):
        voice.speak("  ", models=str(tmp_path))


@pytest.mark.skipif(not voices.installed(), reason="no voice is installed (engine voices --install)")
def test_the_voice_speaks_a_line_whose_times_fit_its_sound() -> None:
    spoken, found, texts = voice.speak("Bob moved the map. It was very warm!")
    assert texts == ["Bob", "moved", "the", "map", "It", "was", "very", "warm"]
    measured = prosody.measure(spoken)
    refined = refine.refine(found, measured, spoken.duration)
    heard = analyse.analyse(spoken, "Bob moved the map. It was very warm!").phones
    assert np.median(np.abs(onset_errors(heard, refined))) <= 0.02
    again, _, _ = voice.speak("Bob moved the map. It was very warm!")
    assert np.array_equal(spoken.samples, again.samples)


def test_the_command_lists_voices_and_their_licences(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "engine", "voices", "--models", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert "af_heart" in result.stdout and "Apache-2.0" in result.stdout
