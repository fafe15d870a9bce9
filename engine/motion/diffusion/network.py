"""The denoiser's arithmetic in numpy: noisy windows of curves and what is known about them → clean curves.

The same as `engine.train.network` in torch, which trains it; a test holds the two together. Sizes are read from the
weights; the straight filter, the share of the tables and the window of the smoothing may be absent from older ones. For
each window: sound → convolutions → tokens; emotion → tokens; given values → one 1-D encoder applied to every channel on
its own → tokens; then every (group, patch) of the noisy curves is a token that attends at once to its fellows and to
all three, with a learned bias for each pair of zone and source: softmax(QKᵀ/√d + B)V.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import erf

from . import layout

Weights = Mapping[str, np.ndarray]
KERNEL = 5
KEY_KERNEL = 9
DIRECT_KERNEL = 11
KEY_FEATURES = 6
"""What the temporal encoder tells of a channel: its smoothed value, how sure it is of it, and four numbers more."""


@dataclass(frozen=True)
class Told:
    """What a batch of windows is told; a source that is None is left out, as it sometimes was in training.

    Attributes:
        audio: [B, WINDOW, AUDIO_SIZE].
        emotion: [B, WINDOW, EMOTION_SIZE].
        given: [B, WINDOW, C] values in the model's scale; mask: how sure they are, 1 an artist's own, less for what
            was measured with noise, 0 where nothing is given.
    """

    audio: np.ndarray | None
    emotion: np.ndarray | None
    given: np.ndarray | None
    mask: np.ndarray | None


@dataclass(frozen=True)
class Known:
    """Told, encoded: what does not change from one denoising step to the next.

    Attributes:
        keys, values: a list over layers of [B, heads, N, d / heads] of all sources' tokens.
        source: [N] index into `layout.SOURCES`; patch: [N].
        direct: [B, WINDOW, C] what the sound alone says of the channels that speech moves, and the tables of a feeling.
        smooth, trust: [B, WINDOW, C] the temporal encoder's reading of what is given, and how far it is followed.
    """

    keys: list[np.ndarray]
    values: list[np.ndarray]
    bias: list[np.ndarray]
    direct: np.ndarray
    smooth: np.ndarray
    trust: np.ndarray


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1.0 + erf(x * np.float32(0.7071067811865476)))


def linear(w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def norm(w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + 1e-5)
    return centred / spread * w[name + ".weight"] + w[name + ".bias"]


def convolve(w: Weights, name: str, x: np.ndarray, dilation: int = 1) -> np.ndarray:
    """[B, T, I] → [B, T, O]; what lies beyond a window's ends is taken to be as its ends."""
    kernel = w[name + ".weight"]  # [O, I, K]
    size = kernel.shape[2]
    reach = dilation * (size // 2)
    padded = np.pad(x, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    length = x.shape[1]
    stacked = np.concatenate([padded[:, k * dilation : k * dilation + length] for k in range(size)], axis=2)
    return stacked @ kernel.transpose(2, 1, 0).reshape(-1, kernel.shape[0]) + w[name + ".bias"]


def waves(values: np.ndarray, size: int, longest: float) -> np.ndarray:
    """[N] → [N, size] sines and cosines."""
    rates = np.exp(-np.log(longest) * np.arange(size // 2) / (size // 2))
    angle = np.asarray(values, np.float64)[:, None] * rates
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


def heard(w: Weights, audio: np.ndarray) -> np.ndarray:
    """[B, WINDOW, d] the sound and phones, each frame with its surroundings."""
    x = gelu(convolve(w, "audio.0", audio))
    x = x + gelu(convolve(w, "audio.1", x, 2))
    return x + gelu(convolve(w, "audio.2", x, 4))


def smoothed(w: Weights, x: np.ndarray) -> np.ndarray:
    """[N, WINDOW] a local mean of given values (x [N, WINDOW, 2]: value · sureness, sureness), by a learned window."""
    kernel = softmax(w["smoothing"])
    padded = np.pad(x, ((0, 0), (len(kernel) // 2, len(kernel) // 2), (0, 0)))
    frames = x.shape[1]
    total = sum(share * padded[:, k : k + frames] for k, share in enumerate(kernel))
    return total[..., 0] / (total[..., 1] + np.float32(1e-3))


def encode_given(w: Weights, given: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """[B, WINDOW, C, KEY_FEATURES]: the temporal encoder, the same for every channel and each on its own.

    Weights without an encoder ("given" absent; the ablation) hand on the bare values.
    """
    batch, frames, channels = given.shape
    bare = np.stack([given * mask, mask], axis=-1)
    if "given.0.weight" not in w:
        return np.concatenate([bare, np.zeros((*bare.shape[:3], KEY_FEATURES - 2), np.float32)], axis=-1)
    single = bare.transpose(0, 2, 1, 3).reshape(batch * channels, frames, 2)
    used = single[..., 1].any(1)  # a channel that nobody gave says nothing: the encoder's answer to that is the same
    x = single[used] if used.any() else single[:1]
    if not used.all():
        x = np.concatenate([x, np.zeros((1, frames, 2), np.float32)])
    y = gelu(convolve(w, "given.0", x))
    y = y + gelu(convolve(w, "given.1", y))
    y = convolve(w, "given.2", y)
    y[..., 0] += smoothed(w, x) if "smoothing" in w else x[..., 0]
    full = np.empty((batch * channels, frames, KEY_FEATURES), np.float32)
    full[~used] = y[-1]
    full[used] = y[: int(used.sum())]
    return full.reshape(batch, channels, frames, KEY_FEATURES).transpose(0, 2, 1, 3)


def _patches(x: np.ndarray) -> np.ndarray:
    """[B, WINDOW, F] → [B, PATCHES, PATCH · F]."""
    return x.reshape(len(x), layout.PATCHES, -1)


def _heads(x: np.ndarray, heads: int) -> np.ndarray:
    batch, count, size = x.shape
    return x.reshape(batch, count, heads, size // heads).transpose(0, 2, 1, 3)


def know(w: Weights, told: Told, batch: int) -> Known:
    """Encode what a batch of windows is told."""
    frames, channels = layout.WINDOW, len(layout.CHANNELS)
    size = w["position"].shape[1]
    direct = np.zeros((batch, frames, channels), np.float32)
    smooth = trust = np.zeros((1, 1, 1), np.float32)
    if told.audio is None:
        audio = np.broadcast_to(w["absent"][0], (batch, layout.PATCHES, size))
    else:
        features = heard(w, told.audio)
        direct = linear(w, "direct", features) * layout.SPOKEN
        if "straight.weight" in w:
            direct = direct + convolve(w, "straight", told.audio) * layout.SPOKEN
        audio = linear(w, "audio.token", _patches(features))
    if told.emotion is None:
        emotion = np.broadcast_to(w["absent"][1], (batch, layout.PATCHES, size))
    else:
        emotion = linear(w, "emotion.token", _patches(told.emotion))
        if "shown" in w:
            direct = direct + told.emotion[..., -channels:] * w["shown"]
    if told.given is None or told.mask is None:
        keys = np.broadcast_to(w["absent"][2], (batch, len(layout.GROUPS) * layout.PATCHES, size))
    else:
        features = encode_given(w, told.given, told.mask)
        smooth = features[..., 0]
        sure = features[..., 1] if "given.0.weight" in w else w["trust"]
        trust = (told.mask > 0) / (1.0 + np.exp(-sure))
        keys = np.concatenate(
            [
                linear(w, f"keys.token.{g}", _patches(features[:, :, span].reshape(batch, frames, -1)))
                for g, span in enumerate(layout.SPANS)
            ],
            axis=1,
        )
    position = w["position"]
    groups = len(layout.GROUPS)
    tokens = np.concatenate(
        [
            audio + position + w["source"][0],
            emotion + position + w["source"][1],
            keys + np.tile(position, (groups, 1)) + np.repeat(w["group"], layout.PATCHES, axis=0) + w["source"][2],
        ],
        axis=1,
    ).astype(np.float32)
    heads = w["slope"].shape[1]
    keyed, valued, bias = [], [], []
    for layer in range(len(w["slope"])):
        kv = linear(w, f"layers.{layer}.told", tokens)
        keyed.append(_heads(kv[..., :size], heads))
        valued.append(_heads(kv[..., size:], heads))
        bias.append(attention_bias(w, layer))
    return Known(keyed, valued, bias, direct, smooth, trust)


def attention_bias(w: Weights, layer: int) -> np.ndarray:
    """[heads, Q, Q + N] what is added to QKᵀ/√d: nearness in time, and a zone's preference for a source."""
    patch = np.tile(np.arange(layout.PATCHES), len(layout.GROUPS))
    zone = np.repeat(layout.GROUP_ZONE, layout.PATCHES)
    other = np.concatenate([patch, np.arange(layout.PATCHES), np.arange(layout.PATCHES), patch])
    source = np.concatenate([
        np.full(len(patch), -1), np.full(layout.PATCHES, 0), np.full(layout.PATCHES, 1), np.full(len(patch), 2),
    ])  # fmt: skip
    near = -np.log1p(np.exp(w["slope"][layer]))[:, None, None] * np.abs(patch[:, None] - other[None])
    preference = np.where(source >= 0, w["zones"][layer][zone][:, np.maximum(source, 0)], 0.0)
    return (near + preference).astype(np.float32)


def softmax(x: np.ndarray) -> np.ndarray:
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def denoise(w: Weights, noisy: np.ndarray, level: float, known: Known) -> np.ndarray:
    """Clean curves [B, WINDOW, C] in the model's scale.

    Args:
        noisy: [B, WINDOW, C] √ᾱ·clean + √(1−ᾱ)·noise.
        level: 0 (clean) … 1 (all noise).
    """
    batch, size = len(noisy), w["position"].shape[1]
    noisy = np.asarray(noisy, np.float32)
    when = linear(w, "level.1", gelu(linear(w, "level.0", waves(np.array([level * 100.0]), size, 1000.0))))[0]
    tokens = [
        linear(w, f"in.{g}", _patches(noisy[:, :, span])) + w["position"] + w["group"][g] + when
        for g, span in enumerate(layout.SPANS)
    ]
    x = np.concatenate(tokens, axis=1).astype(np.float32)
    heads = w["slope"].shape[1]
    scale = np.float32(1.0 / np.sqrt(size / heads))
    for layer in range(len(w["slope"])):
        name = f"layers.{layer}"
        qkv = linear(w, name + ".own", norm(w, name + ".norm0", x))
        q, k, v = (_heads(qkv[..., part * size : (part + 1) * size], heads) for part in range(3))
        k = np.concatenate([k, known.keys[layer]], axis=2)
        v = np.concatenate([v, known.values[layer]], axis=2)
        attention = softmax(q @ k.transpose(0, 1, 3, 2) * scale + known.bias[layer])
        mixed = (attention @ v).transpose(0, 2, 1, 3).reshape(batch, -1, size)
        x = x + linear(w, name + ".out", mixed)
        x = x + linear(w, name + ".ff1", gelu(linear(w, name + ".ff0", norm(w, name + ".norm1", x))))
    x = norm(w, "last", x).reshape(batch, len(layout.GROUPS), layout.PATCHES, size)
    clean = np.concatenate(
        [
            linear(w, f"out.{g}", x[:, g]).reshape(batch, layout.WINDOW, -1)
            for g in range(len(layout.GROUPS))
        ],
        axis=2,
    )
    clean = clean + known.direct
    return clean + known.trust * (known.smooth - clean)
