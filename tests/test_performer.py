"""The performer: numpy and torch agree, no seams, locks come back, lips close whatever is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from engine.contract import channels as table
from engine.contract.curves import Curves
from engine.contract.errors import MienError
from engine.emotion import condition
from engine.evaluate import performance as figures
from engine.motion import articulation, face, locks
from engine.motion.diffusion import conditions, layout, model, network, sampling
from engine.motion.perform import LAYERS, perform, warm
from engine.speech import analyse, lines, sound
from engine.speech.analyse import Speech
from engine.speech.phones import SILENCE, Phone

LEVELS = dict.fromkeys(LAYERS, 1.0)
shipped = pytest.mark.skipif(not model.DEFAULT.is_file(), reason="no trained weights in this checkout")


def tiny(seed: int = 0, size: int = 16) -> model.Performer:
    """A performer with random weights: everything but what training gives."""
    torch = pytest.importorskip("torch")
    from engine.train.network import Denoiser

    torch.manual_seed(seed)
    net = Denoiser(size, layers=2, heads=2)
    with torch.no_grad():
        for value in net.parameters():
            value.add_(0.05 * torch.randn_like(value))
    weights = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    return model.Performer(weights, {"format": "mien-performer", "version": "1"})


@pytest.fixture(scope="module")
def untrained() -> model.Performer:
    return tiny()


@pytest.fixture(scope="module")
def line() -> Speech:
    return analyse.analyse(sound.read(lines.SOUND), lines.text())


@pytest.fixture(scope="module")
def trained() -> model.Performer:
    return model.load()


def _times(speech: Speech, fps: float = 30.0) -> np.ndarray:
    return np.arange(int(np.ceil(speech.duration * fps - 1e-9)) + 1) / fps


def _made(performer: model.Performer | None, speech: Speech, seed: int = 0, fps: float = 30.0, **wish) -> Curves:
    wanted = {"emotion": None, "guidance": None, "given": None, "locked": None} | wish
    checked = face.direction(**wanted, fps=fps)
    return face.make(speech, _times(speech, fps), seed, LEVELS, performer, checked)


# ── the network ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("has", [(1, 1, 1), (0, 1, 1), (1, 0, 0), (0, 0, 0)])
def test_numpy_computes_what_was_trained_in_torch(encoder: bool, has: tuple[int, int, int]) -> None:
    torch = pytest.importorskip("torch")
    from engine.train.network import Denoiser

    torch.manual_seed(1)
    net = Denoiser(16, layers=2, heads=2, encoder=encoder)
    with torch.no_grad():
        for value in net.parameters():
            value.add_(0.05 * torch.randn_like(value))
    random, channels = np.random.default_rng(0), len(layout.CHANNELS)
    shape = (2, layout.WINDOW)
    noisy, given = random.normal(size=(2, *shape, channels)).astype(np.float32)
    audio = random.normal(size=(*shape, conditions.AUDIO_SIZE)).astype(np.float32)
    emotion = random.normal(size=(*shape, conditions.EMOTION_SIZE)).astype(np.float32)
    mask = np.where(random.random((*shape, channels)) < 0.3, 0.5, 0.0).astype(np.float32)
    mask[..., ::2] = 0.0
    rows = [torch.from_numpy(array) for array in (noisy, np.full(2, 0.4, np.float32), audio, emotion, given, mask)]
    with torch.no_grad():
        expected = net(*rows, torch.tensor([has] * 2, dtype=torch.float32)).numpy()
    weights = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    keys = (given, mask) if has[2] else (None, None)
    told = network.Told(audio if has[0] else None, emotion if has[1] else None, *keys)
    made = network.denoise(weights, noisy, 0.4, network.know(weights, told, 2))
    assert np.abs(made - expected).max() < 1e-4


def test_each_zone_prefers_its_own_sources_and_the_hinge_says_when_it_does_not() -> None:
    torch = pytest.importorskip("torch")
    from engine.train.network import Denoiser

    net = Denoiser(16, layers=2, heads=2)
    assert float(net.hinge().detach()) == 0.0
    with torch.no_grad():
        net.zones[:, layout.ZONES.index("mouth"), layout.SOURCES.index("audio")] = -2.0
    assert float(net.hinge().detach()) > 0.5


# ── sampling ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_noise_is_of_the_absolute_frame_alone() -> None:
    whole = sampling.noise(7, 0, 700)
    assert np.array_equal(sampling.noise(7, 300, 100), whole[300:400])
    assert not np.array_equal(sampling.noise(8, 300, 100), whole[300:400])
    assert abs(whole.mean()) < 0.02 and abs(whole.std() - 1) < 0.02
    # The very numbers, so that another machine or library can be seen to differ.
    assert whole[0, 0] == pytest.approx(sampling.noise(7, 0, 1)[0, 0], abs=0) and np.isfinite(whole).all()


@pytest.mark.parametrize("frames", [1, 10, 64, 65, 96, 97, 400])
def test_any_length_is_covered_and_windows_weigh_one_in_all(frames: int) -> None:
    starts = sampling.window_starts(frames)
    assert starts[-1] + layout.WINDOW >= frames
    padded = starts[-1] + layout.WINDOW
    blend, total = sampling._blend(starts, padded), np.zeros(padded)
    for start, share in zip(starts, blend, strict=True):
        total[start : start + layout.WINDOW] += share
    assert np.allclose(total, 1.0)


def test_windows_meet_without_seams(untrained: model.Performer) -> None:
    """Where windows meet curves turn no more sharply than elsewhere."""
    audio = np.repeat(np.random.default_rng(0).normal(size=(40, conditions.AUDIO_SIZE)), 10, axis=0)
    made = untrained.curves(None, None, 400, 3, audio=audio, steps=2, temperature=0.0)
    turn = np.abs(np.diff(made, 2, axis=0)).max(axis=1)
    joins = np.arange(layout.HOP, 400 - layout.WINDOW, layout.HOP)
    near = np.concatenate([turn[join - 3 : join + 2] for join in joins])
    assert np.percentile(near, 95) <= 1.5 * np.percentile(turn, 95)


def test_guidance_of_one_is_plain_and_of_none_is_without(untrained: model.Performer) -> None:
    audio = np.random.default_rng(1).normal(size=(64, conditions.AUDIO_SIZE))
    plain = untrained.curves(None, None, 64, 0, audio=audio, steps=2)
    same = untrained.curves(None, None, 64, 0, audio=audio, steps=2, guidance={"speech": 1.0})
    deaf = untrained.curves(None, None, 64, 0, audio=audio, steps=2, guidance={"speech": 0.0})
    silent = untrained.curves(None, None, 64, 0, audio=None, steps=2)
    assert np.array_equal(plain, same)
    assert np.allclose(deaf, silent, atol=1e-6) and not np.allclose(deaf, plain, atol=1e-3)


# ── locks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=30, deadline=None)
@drawn(seed=st.integers(0, 10_000), spans=st.lists(st.tuples(st.integers(0, 99), st.integers(1, 40)), max_size=4))
def test_locked_frames_come_back_to_the_bit_and_are_met_without_a_jump(seed: int, spans: list) -> None:
    random = np.random.default_rng(seed)
    time = np.arange(100)[:, None] / 30
    made = 0.4 + 0.3 * np.sin(2 * np.pi * 0.7 * time + random.uniform(0, 6, 3))
    wanted = 0.4 + 0.3 * np.sin(2 * np.pi * 0.5 * time + random.uniform(0, 6, 3))
    lock = np.zeros((100, 3), bool)
    for start, length in spans:
        lock[start : start + length, random.integers(3)] = True
    met = locks.meet(made, wanted, lock, 30.0)
    assert np.array_equal(met[lock], wanted[lock])
    free = ~lock.any(axis=0)
    assert np.array_equal(met[:, free], made[:, free])
    # Two curves half a second apart in phase differ by 0.6 at most: a cubic over 0.35 s or more never jumps by that.
    step = np.abs(np.diff(met, axis=0))
    both = lock[1:] ^ lock[:-1]
    assert step[both].max(initial=0.0) < 0.35


@pytest.mark.parametrize("performer_of", ["untrained", "none"])
def test_what_is_locked_is_kept_and_regenerating_nothing_changes_nothing(
    performer_of: str, untrained: model.Performer, line: Speech
) -> None:
    performer = None if performer_of == "none" else untrained
    before = _made(performer, line, seed=1)
    everything = np.ones(before.values.shape, bool)
    again = _made(performer, line, seed=2, given=before, locked=everything)
    assert again.channels == before.channels and np.array_equal(again.values, before.values)
    some = np.zeros(before.values.shape, bool)
    brows = [before.channels.index(name) for name in before.channels if name.startswith(("AU01", "AU26"))]
    some[30:60, brows] = True
    some[:, before.channels.index("AU45 Blink.L")] = True
    odd = Curves(before.fps, before.channels, before.values + 1 / 3)  # values that no model would make
    after = _made(performer, line, seed=2, given=odd, locked=some)
    kept = after.values[:, [after.channels.index(name) for name in before.channels]]
    assert np.array_equal(kept[some], odd.values[some])
    assert not np.array_equal(kept, before.values)


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"locked": np.ones((2, 2), bool)}, "need the curves"),
        ({"given": Curves(25.0, ("AU26 Jaw Drop",), np.zeros((5, 1)))}, "25 frames a second"),
        ({"given": Curves(30.0, ("AU26 Jaw Drop",), np.zeros((5, 1))), "locked": np.ones((4, 1), bool)}, "shape"),
        ({"given": Curves(30.0, ("AU26 Jaw Drop",), np.zeros((5, 1))), "locked": np.ones((5, 1))}, "true or false"),
        ({"emotion": np.zeros((3, 4))}, "shape"), ({"emotion": np.full((1, 9), np.nan)}, "not a number"),
        ({"emotion": "anger"}, "not an array"), ({"guidance": {"luck": 1.0}}, "no guidance"),
        ({"guidance": {"speech": -1.0}}, "from 0 to 5"), ({"guidance": {"speech": float("nan")}}, "from 0 to 5"),
        ({"model": "/no/such/file.safetensors"}, "cannot be read"),
    ],
)  # fmt: skip
def test_wrong_wishes_get_a_sentence(wish: dict, sentence: str) -> None:
    with pytest.raises(MienError, match=sentence):
        perform((np.zeros(1600), 16_000), **wish)


# ── articulation ─────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=40, deadline=None)
@drawn(
    seed=st.integers(0, 10_000),
    symbols=st.lists(st.sampled_from(["p", "b", "m", "f", "v", "a", "i", "u", "s"]), min_size=1, max_size=10),
    each=st.floats(0.04, 0.3),
    fps=st.sampled_from([24.0, 25.0, 30.0, 60.0]),
)
def test_any_mouth_whatever_closes_its_lips_and_touches_its_teeth(
    seed: int, symbols: list[str], each: float, fps: float
) -> None:
    phones = [Phone(SILENCE, 0.0, 0.4)]
    for symbol in symbols:
        phones.append(Phone(symbol, phones[-1].end, phones[-1].end + each))
    phones.append(Phone(SILENCE, phones[-1].end, phones[-1].end + 0.4))
    times = np.arange(round(phones[-1].end * fps) + 1) / fps
    wild = table.clamp(np.random.default_rng(seed).uniform(0.0, 1.0, (len(times), len(table.CHANNELS))))
    wild[:, [index for index, entry in enumerate(table.CHANNELS) if entry.zone == "emotion"]] = 0.0
    closure, tuck = articulation.contacts(phones, times)
    made = articulation.constrain(wild, closure, tuck)
    aperture = articulation.lip_aperture(made, table.NAMES)
    assert (aperture[closure >= 1.0 - 1e-9] < 1e-3).all()
    touching = (tuck > 0.999) & (closure < 1e-3)
    assert (made[touching, table.INDEX["AU28 Lip Suck Lower"]] > 0.5).all()
    assert (made[touching, table.INDEX["AU25 Lips Part"]] < 0.01).all()
    untouched = (tuck == 0) & (closure == 0)
    assert np.array_equal(made[untouched], wild[untouched])


def test_lips_close_with_random_weights_and_every_emotion(untrained: model.Performer, line: Speech) -> None:
    for vector in figures.emotions().values():
        made = _made(untrained, line, 0, 60.0, emotion=vector, guidance={"emotion": 3.0})
        errors = figures.shut_errors(made, line.phones)
        assert len(errors) >= 8 and all(error is not None for error in errors)


# ── the weights that ship ────────────────────────────────────────────────────────────────────────────────────────────


@shipped
def test_the_weights_are_small_and_say_what_they_are(trained: model.Performer) -> None:
    assert sum(path.stat().st_size for path in model.WEIGHTS.glob("*.safetensors")) < 30e6
    assert "take_3_15" in trained.facts["held_out"] and "take_3_15" not in trained.facts["trained_on"]
    for layer in range(len(trained.weights["slope"])):
        zones = trained.weights["zones"][layer]
        mouth, upper = zones[layout.ZONES.index("mouth")], zones[layout.ZONES.index("upper")]
        assert mouth[0] > mouth[1] and mouth[0] > mouth[2]  # the mouth listens to the sound
        assert upper[2] > upper[0] and upper[1] > upper[0]  # the upper face to keys and emotion


@shipped
def test_the_trained_mouth_opens_in_vowels_and_rests_in_pauses(trained: model.Performer, line: Speech) -> None:
    made = _made(trained, line)
    jaw = made.values[:, made.channels.index("AU26 Jaw Drop")]
    times = _times(line)
    vowels = [p for p in line.phones if p.symbol in ("ɑ", "æ", "aɪ", "eɪ", "ʌ", "ɛ")]
    opened = [jaw[(times >= p.start) & (times <= p.end)].max(initial=0.0) for p in vowels]
    assert np.median(opened) > 0.1
    for pause in line.phones:
        if pause.symbol == SILENCE and pause.duration > 0.7:
            middle = jaw[(times > pause.start + 0.3) & (times < pause.end - 0.3)]
            assert middle.max(initial=0.0) < 0.1


@shipped
def test_seeds_are_other_takes_with_the_same_lips(trained: model.Performer, line: Speech) -> None:
    first, again, other = (_made(trained, line, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.values, again.values)
    apart = np.abs(first.dense() - other.dense()).mean(axis=0)
    assert apart[table.INDEX["AU26 Jaw Drop"]] > 1e-4 and apart[table.INDEX["AU02 Outer Brow Raiser.L"]] > 1e-3
    for made in (first, other):
        assert all(error is not None for error in figures.shut_errors(made, line.phones))


@shipped
def test_an_emotion_shows_and_goes_with_the_speech(trained: model.Performer, line: Speech) -> None:
    plain, happy = _made(trained, line), _made(trained, line, emotion=condition.label("happiness", 1.0))
    smile = table.INDEX["AU12 Lip Corner Puller.L"]
    assert happy.dense()[:, smile].mean() > plain.dense()[:, smile].mean() + 0.15
    cross = _made(trained, line, emotion=condition.label("anger", 1.0))
    assert cross.dense()[:, table.INDEX["AU04 Brow Lowerer.R"]].mean() > 0.25


@shipped
def test_keys_of_an_artist_are_followed_where_they_are_not_locked(trained: model.Performer, line: Speech) -> None:
    count = len(_times(line))
    brow = 0.4 + 0.3 * np.sin(np.arange(count) / 20)
    jittery = brow + np.random.default_rng(0).normal(0, 0.06, count)
    guide = Curves(30.0, ("AU04 Brow Lowerer.L",), jittery[:, None])
    made = _made(trained, line, given=guide)
    followed = made.values[:, made.channels.index("AU04 Brow Lowerer.L")]
    assert np.abs(followed - brow).mean() < np.abs(jittery - brow).mean()
    assert np.abs(np.diff(followed, 3)).mean() < 0.5 * np.abs(np.diff(jittery, 3)).mean()


@shipped
def test_a_rough_preview_comes_before_the_phones_are_known() -> None:
    seen: list[Curves] = []
    result = perform(lines.SOUND, lines.text(), preview=seen.append)
    assert len(seen) == 1 and seen[0].fps == 30.0
    count = len(seen[0].values)
    jaw = [c.values[:count, c.channels.index("AU26 Jaw Drop")] for c in (seen[0], result.curves)]
    assert np.corrcoef(*jaw)[0, 1] > 0.5


@shipped
def test_warming_leaves_the_next_preview_as_it_is() -> None:
    before, after = [], []
    for seen in (before, after):
        with pytest.raises(StopIteration):
            perform(lines.SOUND, preview=lambda rough, seen=seen: seen.append(rough) or next(iter(())))
        warm()
    assert np.array_equal(before[0].values, after[0].values)


@shipped
@pytest.mark.parametrize("kind", ["silence", "music", "clipped", "telephone", "noise"])
def test_any_sound_gets_a_sensible_performance(kind: str) -> None:
    line, random = sound.read(lines.SOUND), np.random.default_rng(0)
    rate, time = line.rate, np.arange(2 * line.rate) / line.rate
    wave = {
        "silence": np.zeros(2 * rate),
        "music": 0.2 * sum(np.sin(2 * np.pi * f * time) * (1 + np.sin(2 * np.pi * 2 * time)) for f in (220, 277, 330)),
        "clipped": np.clip(20 * line.samples[: 2 * rate], -1, 1),
        "telephone": sound.Sound(line.samples[: 2 * rate], rate).at_rate(8000).samples,
        "noise": random.normal(0, 0.2, 2 * rate),
    }[kind]
    result = perform((wave, 8000 if kind == "telephone" else rate))
    assert np.isfinite(result.curves.values).all()
    jaw = result.curves.values[:, result.curves.channels.index("AU26 Jaw Drop")]
    assert jaw.max() <= (0.0 if kind == "silence" else 1.0)


# ── files of weights ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_weights_that_are_not_whole_are_refused(tmp_path: Path, untrained: model.Performer) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "weights.safetensors"
    facts = dict(untrained.facts)
    for name, content, about, sentence in (
        ("none", None, facts, "cannot be read"),
        ("junk", b"\x08\x00\x00\x00\x00\x00\x00\x00{}nothing", facts, "not a file of weights"),
        ("other", dict(untrained.weights), {"format": "something"}, "does not hold a performer"),
        ("short", {k: v for k, v in untrained.weights.items() if k != "slope"}, facts, "lacks weights"),
        ("shape", untrained.weights | {"out.0.weight": np.zeros((3, 3), np.float32)}, facts, "lacks weights"),
        ("nan", untrained.weights | {"slope": np.full((2, 2), np.nan, np.float32)}, facts, "not numbers"),
    ):
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            save_file({key: np.ascontiguousarray(value) for key, value in content.items()}, path, about)
        with pytest.raises(MienError, match=sentence):
            model.load(path)
        assert name


# ── training ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_training_never_sees_what_is_held_out(tmp_path: Path) -> None:
    from engine.train import data

    folder = tmp_path / "motion" / "facegood"
    folder.mkdir(parents=True)
    for name in ("take_1", "take_3_15", "take_9"):
        np.savez(folder / f"{name}.npz", weights=np.zeros((2, 1)), names=["x"], fps=30.0)
    assert data.takes(tmp_path) == ["take_1", "take_9"] and data.takes(tmp_path, ["take_9"]) == ["take_1"]
    with pytest.raises(MienError, match="no captured takes"):
        data.takes(tmp_path, ["take_1", "take_9"])


def test_windows_to_train_on_hold_their_promises(line: Speech) -> None:
    from engine.train import data

    times = np.arange(conditions.frames_of(line.duration)) / layout.FPS
    clip = data.to_clip(line, data.by_rule(line, times))
    dynamics = np.random.default_rng(1).random((200, len(layout.CHANNELS)))
    maker = data.Maker([clip], [], dynamics, np.random.default_rng(2))
    batch = maker.batch(24)
    assert all(np.isfinite(value).all() for value in batch.values())
    sure = batch["mask"] == 1.0
    assert sure.any() and np.allclose(batch["given"][sure], batch["clean"][sure], atol=1e-5)
    assert (batch["clean"] >= 0).all() and not batch["given"][batch["mask"] == 0].any()


def test_splicing_keeps_sound_phones_and_mouth_together(line: Speech) -> None:
    from engine.train import data

    times = np.arange(conditions.frames_of(line.duration)) / layout.FPS
    spliced, mouth = data.splice(line, data.by_rule(line, times), np.random.default_rng(0), 12.0)
    assert spliced.duration >= 12.0 and len(mouth) == conditions.frames_of(spliced.duration)
    starts = [phone.start for phone in spliced.phones]
    assert starts == sorted(starts) and all(phone.end > phone.start for phone in spliced.phones)
    jaw = mouth[:, layout.INDEX["AU26 Jaw Drop"]]
    level = np.interp(np.arange(len(jaw)) / 30, spliced.prosody.times, spliced.prosody.level)
    assert np.corrcoef(jaw, level)[0, 1] > 0.4
