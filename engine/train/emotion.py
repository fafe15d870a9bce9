"""`engine train emotion`: the one space of feelings, by contrast around AU motion.

Everything it learns from ships with Mien: the corpus by grammar, the labelled sentences, the emotion tables with
variation, the map of the circle, and prosody drawn from the published relations that `emotion.voice` states. No
recording and no hand-written test text takes part. A fifth of each label's words, a fifth of the sentences and whole
kinds of phrase and of motion are kept apart: `engine evaluate emotion` measures on those.
"""

from __future__ import annotations

import argparse
import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..contract.errors import MienError
from ..emotion import circle, condition, corpus, meaning, space, voice
from ..emotion.command import from_text
from ..emotion.tables import data, emotions, slots, split_words

STEPS = 2500
_TEMPERATURE = 0.1
_WIDTH = {"text": 96, "bag": 96, "motion": 128, "va": 48, "voice": 32}
_ROWS = 96
_MOTIONS = 90
"""Motions a label, drawn once."""
_LEVELS = np.linspace(0.1, 1.5, 15)
_FPS = 24.0
#: Kinds of phrase for words that were kept apart; the corpus has none of them.
HELD_OUT_PHRASES = (
    "with a {word} look on the face", "as {word} as I have ever seen anyone", "somebody {word} stands there",
    "the look is {word}", "play it {word}",
)  # fmt: skip
Tell = Callable[[str], None]


def held_out(word: str) -> bool:
    """Whether a word of the lexicon is kept from training."""
    return zlib.crc32(word.encode()) % 5 == 0


@dataclass
class Examples:
    """Texts at one moment each, with the feeling that is there.

    Attributes:
        texts: What is said.
        features: [N, 10 + S] what lexicon and grammar read at that moment.
        label: [N] row in `space.labels()`.
        strength: [N].
    """

    texts: list[str]
    features: np.ndarray
    label: np.ndarray
    strength: np.ndarray


def texts(size: int, seed: int, tell: Tell) -> Examples:
    """The corpus without the words kept apart, and four fifths of the sentences in which no word names a feeling."""
    names = {name: row for row, name in enumerate(space.labels())}
    said, rows, label, strength = [], [], [], []
    for count, sample in enumerate(corpus.generate(seed, size)):
        words = {order.source for beat in sample.understanding.beats for order in beat.orders}
        if any(held_out(word) for word in words):
            continue
        read = from_text(sample.text, meaning=False)
        for start, end, feelings in sample.reading().feelings:
            if len(feelings) == 1 and feelings[0][0] in names:
                when = np.array([start + min(1.2, 0.6 * (end - start))])
                said.append(sample.text)
                rows.append(space.reading_features(read, when)[0])
                label.append(names[feelings[0][0]])
                strength.append(feelings[0][1])
        if count % 400 == 399:
            tell(f"read {count + 1} directions")
    for name, sentences in data("meaning")["examples"].items():
        for sentence in sentences:
            if name in names and not held_out(sentence):
                said.append(sentence)
                rows.append(space.reading_features(from_text(sentence, meaning=False), np.array([1.5]))[0])
                label.append(names[name])
                strength.append(float(data("meaning")["strength"]))
    return Examples(said, np.array(rows), np.array(label), np.array(strength))


def motions(rows: np.ndarray, strengths: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """[N, 3 S] features of motions that show labels: codes and timing vary, some codes are missing, lips talk."""
    index, features = slots(), []
    entries = [emotions()[name] for name in space.labels()]
    talking = np.array([code in ("25", "26", "16") for code in index.codes])
    fixed = np.zeros(len(index), dtype=bool)
    for row, strength in zip(rows, strengths, strict=True):
        face = entries[row].face(float(strength))
        face = face * np.exp(chance.normal(0, 0.18, len(index)))
        gain = dict(zip(index.aus, chance.random(len(index.aus)) > 0.06, strict=True))
        face = face * np.array([gain[code] for code in index.codes])
        face = index.resolve(face + 0.04 * chance.random(len(index)) * (chance.random(len(index)) < 0.2), fixed)
        count = int(_FPS) + 1
        phase = np.clip((np.arange(count) / _FPS + chance.uniform(-0.35, 1.0)) / chance.uniform(0.3, 0.9), 0, 1)
        ease = phase**3 * (10 + phase * (6 * phase - 15))
        path = ease[:, None] * face
        if chance.random() < 0.3:
            speech = np.abs(np.sin(np.arange(count) * chance.uniform(0.4, 1.0)))[:, None] * chance.uniform(0.05, 0.3)
            path = np.where(talking, np.maximum(path, speech), path)
        features.append(space.motion_features(path, _FPS, np.array([count // 2]))[0])
    return np.array(features)


def voices(arousal: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """[N, 6] prosody statistics of voices so aroused: the published signs, with as much scatter."""
    weights = np.array([weight for _, _, weight in voice.STATISTICS.values()])
    mean = np.arctanh(np.clip(arousal, -0.95, 0.95))[:, None] * weights / (weights @ weights) * 0.9
    return np.clip(mean + chance.normal(0, 0.35, (len(arousal), len(weights))), -3, 3)


def train(
    steps: int = STEPS, size: int = corpus.SIZE, seed: int = 0, threads: int = 1, tell: Tell = print
) -> dict[str, np.ndarray]:
    """The space's arrays by name.

    Args:
        size: Directions of the corpus.
        threads: Of torch.

    Raises:
        MienError: torch or the sentence model is missing.
    """
    try:
        import torch
        from torch import nn
    except ImportError:
        raise MienError("Training needs torch: pip install -r engine/requirements-train.txt.") from None
    if not meaning.available():
        raise MienError(f"Training needs the sentence model: {meaning.reason()}.")
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    chance = np.random.default_rng(seed)
    names = space.labels()
    examples = texts(size, seed, tell)
    tell(f"{len(examples.texts)} moments of directions; sentence vectors")
    sentences = meaning.embed(examples.texts)
    bags = np.array([space.hashed(text) for text in examples.texts])
    places = np.array([(emotions()[name].valence, emotions()[name].arousal) for name in names])
    by_label = [np.flatnonzero(examples.label == row) for row in range(len(names))]
    spoken = np.array([row for row in range(len(names)) if len(by_label[row])])

    tell("motions")
    pool = [(row, value) for row in range(len(names)) for value in chance.uniform(0.25, 1.4, _MOTIONS)]
    pool_rows, pool_strength = np.array([row for row, _ in pool]), np.array([value for _, value in pool])
    pool_features = motions(pool_rows, pool_strength, chance)
    goals = _goals(names)
    angle, radius = chance.uniform(0, 2 * np.pi, 2000), np.sqrt(chance.uniform(0.02, 1, 2000))
    pad = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    pad_goals = np.concatenate([condition.va(*pad.T), circle.face(*pad.T)], axis=1)
    slots_count = len(slots())
    inputs = {"text": 384 + 10 + slots_count, "bag": space.HASHED + 10 + slots_count, "motion": 3 * slots_count,
              "va": 11, "voice": 9}  # fmt: skip

    def network(name: str, outputs: int = space.SIZE + 1, wide: int | None = None) -> nn.Sequential:
        wide = wide or _WIDTH[name]
        return nn.Sequential(nn.Linear(inputs[name], wide), nn.SiLU(), nn.Linear(wide, outputs))

    nets = nn.ModuleDict({name: network(name) for name in inputs})
    inputs["decoder"] = space.SIZE + 1
    nets["decoder"] = nn.Sequential(nn.Linear(space.SIZE + 1, 128), nn.SiLU(), nn.Linear(128, 9 + slots_count))
    table = nn.Parameter(torch.randn(len(names), space.SIZE))
    optimiser = torch.optim.AdamW([*nets.parameters(), table], lr=3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    tensor = partial(torch.tensor, dtype=torch.float32)
    unit = partial(nn.functional.normalize, dim=-1)

    def contrast(a, b, wanted):
        """InfoNCE both ways, with targets that may be shared."""
        scores = a @ b.T / _TEMPERATURE
        both = []
        for matrix, target in ((scores, wanted), (scores.T, wanted.T)):
            target = target / target.sum(-1, keepdim=True)
            both.append(-(target * nn.functional.log_softmax(matrix, dim=-1)).sum(-1).mean())
        return 0.5 * (both[0] + both[1])

    started = time.monotonic()
    for step in range(steps):
        rows = chance.permutation(np.resize(chance.permutation(spoken), _ROWS))
        pick = np.array([chance.choice(by_label[row]) for row in rows])
        strength = examples.strength[pick]
        read = examples.features[pick] * (chance.random((_ROWS, 1)) > 0.35)
        moved = rows * _MOTIONS + chance.integers(_MOTIONS, size=_ROWS)
        motion, moved_strength = pool_features[moved], pool_strength[moved]
        circle_points = places[rows] + chance.normal(0, 0.05, (_ROWS, 2))
        aroused = voices(places[rows, 1], chance)
        known = (chance.random(_ROWS) < 0.5).astype(float)
        valence = places[rows, 0] + chance.normal(0, 0.15, _ROWS)
        heard = np.concatenate(
            [aroused, voice.arousal(aroused)[:, None], (known * valence)[:, None], known[:, None]], 1
        )
        out = {
            "text": nets["text"](tensor(np.concatenate([sentences[pick], read], axis=1))),
            "bag": nets["bag"](tensor(np.concatenate([bags[pick], read], axis=1))),
            "motion": nets["motion"](tensor(motion)),
            "va": nets["va"](tensor(space.va_features(*circle_points.T))),
            "voice": nets["voice"](tensor(heard)),
        }
        way = {name: unit(value[:, : space.SIZE]) for name, value in out.items()}
        way["label"] = unit(table[rows])
        same = tensor((rows[:, None] == rows[None, :]).astype(float))
        gap = np.linalg.norm(places[rows][:, None] - places[rows][None, :], axis=-1)
        near = tensor(np.exp(-0.5 * (gap / 0.18) ** 2))
        apart = np.abs(places[rows, 1][:, None] - places[rows, 1][None, :])
        alike = tensor(np.where(known[:, None] > 0, np.exp(-0.5 * (gap / 0.3) ** 2), np.exp(-0.5 * (apart / 0.2) ** 2)))
        loss = sum(
            contrast(way[one], way[other], same)
            for one, other in (("motion", "label"), ("motion", "text"), ("motion", "bag"), ("text", "label"))
        )
        loss = loss + 0.5 * contrast(way["va"], way["motion"], near) + 0.5 * contrast(way["va"], way["label"], near)
        loss = loss + 0.3 * contrast(way["voice"], way["label"], alike)
        # How much: what each source says of its own strength.
        told = {"text": strength, "bag": strength, "motion": moved_strength,
                "va": np.minimum(np.hypot(*circle_points.T), 1.0),
                "voice": 0.25 + 0.75 * np.minimum(np.abs(places[rows, 1]) + known * np.abs(valence), 1.0)}  # fmt: skip
        for name, value in told.items():
            loss = loss + 0.5 * nn.functional.mse_loss(out[name][:, space.SIZE], tensor(value))
        dots = chance.integers(len(pad), size=48)
        loss = loss + _decoding(nets, way, rows, chance, tensor, goals)
        loss = loss + _decoding_the_pad(nets, pad[dots], pad_goals[dots], tensor)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 250 == 249:
            tell(f"step {step + 1}: loss {float(loss):.3f}, {time.monotonic() - started:.0f} s")
    arrays = {"label": table.detach().numpy()}
    for name, net in nets.items():
        for layer, part in enumerate(part for part in net if isinstance(part, nn.Linear)):
            arrays[f"{name}.{layer}.weight"] = part.weight.detach().numpy()
            arrays[f"{name}.{layer}.bias"] = part.bias.detach().numpy()
    return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}


def _goals(names: list[str]) -> np.ndarray:
    """[L, levels, 9 + S] emotion vector and face of every label at `_LEVELS`."""
    rows = [[np.concatenate([condition.label(name, float(level)), emotions()[name].face(float(level))])
             for level in _LEVELS] for name in names]  # fmt: skip
    return np.array(rows)


def _decoding(nets, way, rows, chance, tensor, goals):
    """What the decoder must make of single feelings and of blends, at all strengths."""
    import torch
    from torch import nn

    level, other = chance.integers(len(_LEVELS), size=len(rows)), chance.permutation(len(rows))
    share = np.where(chance.random(len(rows)) < 0.5, 1.0, chance.random(len(rows)))[:, None]
    source = ("motion", "label", "text", "bag")[int(chance.integers(4))]
    mixed = nn.functional.normalize(tensor(share) * way[source] + tensor(1 - share) * way["label"][other], dim=-1)
    wanted = share * goals[rows, level] + (1 - share) * goals[rows[other], level]
    strength = tensor(_LEVELS[level])[:, None]
    given = nets["decoder"](torch.cat([mixed, strength], dim=1)) * strength
    return 40 * nn.functional.mse_loss(given, tensor(wanted))


def _decoding_the_pad(nets, points, wanted, tensor):
    import torch
    from torch import nn

    out = nets["va"](tensor(space.va_features(*points.T)))
    strength = tensor(np.hypot(*points.T))[:, None]
    way = nn.functional.normalize(out[:, : space.SIZE], dim=-1)
    given = nets["decoder"](torch.cat([way, strength], dim=1)) * strength
    return 20 * nn.functional.mse_loss(given, tensor(wanted)) + nn.functional.mse_loss(out[:, space.SIZE :], strength)


# ── what was kept apart ──────────────────────────────────────────────────────────────────────────────────────────────


def held_out_texts(seed: int = 1) -> list[tuple[str, str]]:
    """(label, text): words and kinds of phrase that training never saw, one word a text."""
    chance = random.Random(seed)
    rows = []
    for label, grades in data("lexicon")["words"].items():
        if label in space.labels():
            for phrases in grades.values():
                rows += [
                    (label, chance.choice(HELD_OUT_PHRASES).format(word=word))
                    for word in split_words(phrases) if held_out(word) and word.isalpha()
                ]  # fmt: skip
    return rows


def held_out_sentences() -> list[tuple[str, str]]:
    """(label, sentence) of the labelled sentences that were kept apart: no word in them names a feeling."""
    return [
        (label, sentence)
        for label, sentences in data("meaning")["examples"].items()
        for sentence in sentences
        if label in space.labels() and held_out(sentence)
    ]


# ── command line ─────────────────────────────────────────────────────────────────────────────────────────────────────


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("emotion", help="the one space of feelings, from what ships with Mien")
    parser.add_argument("--out", metavar="FILE", default=str(space.WEIGHTS), help="where the weights go (in place)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"training steps ({STEPS})")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn by chance (0)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (1)")
    parser.set_defaults(func=command)


def command(arguments: argparse.Namespace) -> int:
    """Train and write the weights."""
    from safetensors.numpy import save_file

    arrays = train(arguments.steps, seed=arguments.seed, threads=arguments.threads)
    try:
        save_file(arrays, arguments.out, {"steps": str(arguments.steps), "seed": str(arguments.seed)})
    except OSError as error:
        raise MienError(f"{arguments.out} can't be written ({error}); choose another file.") from None
    print(f"{sum(array.nbytes for array in arrays.values()) / 1e6:.2f} MB: {arguments.out}")
    return 0
