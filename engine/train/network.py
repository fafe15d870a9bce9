"""The performer's denoiser in torch: what `engine.motion.diffusion.network` computes, with gradients.

Parameters carry the names that the numpy side reads.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..motion.diffusion import conditions, layout
from ..motion.diffusion.network import DIRECT_KERNEL, KERNEL, KEY_FEATURES, KEY_KERNEL

HINGE_MARGIN = 1.0
#: (zone, preferred source, the others): what the hinge keeps. The transition zone listens to all alike.
_PREFERS = (("mouth", "audio", ("emotion", "keys")), ("upper", "keys", ("audio",)), ("upper", "emotion", ("audio",)))


def _convolve(layer: nn.Conv1d, x: torch.Tensor) -> torch.Tensor:
    """[B, T, I] → [B, T, O], edges repeated."""
    reach = layer.dilation[0] * (layer.kernel_size[0] // 2)
    return layer(F.pad(x.transpose(1, 2), (reach, reach), mode="replicate")).transpose(1, 2)


class _Layer(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm0, self.norm1 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.own, self.told = nn.Linear(size, 3 * size), nn.Linear(size, 2 * size)
        self.out = nn.Linear(size, size)
        self.ff0, self.ff1 = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)


class Denoiser(nn.Module):
    """See `engine.motion.diffusion.network`.

    Args:
        zones: False leaves the preference of zones out (ablation): every source is as near to every zone.
        encoder: False hands given values on as they are (ablation), without the temporal encoder.
    """

    def __init__(self, size: int = 64, layers: int = 3, heads: int = 4, zones: bool = True, encoder: bool = True):
        super().__init__()
        channels = len(layout.CHANNELS)
        self.size, self.heads, self.has_zones, self.has_encoder = size, heads, zones, encoder
        self.audio = nn.ModuleDict({
            "0": nn.Conv1d(conditions.AUDIO_SIZE, size, KERNEL),
            "1": nn.Conv1d(size, size, KERNEL, dilation=2),
            "2": nn.Conv1d(size, size, KERNEL, dilation=4),
            "token": nn.Linear(layout.PATCH * size, size),
        })  # fmt: skip
        self.straight = nn.Conv1d(conditions.AUDIO_SIZE, channels, DIRECT_KERNEL)
        self.direct = nn.Linear(size, channels)
        for module in (self.straight, self.direct):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
        self.emotion = nn.ModuleDict({"token": nn.Linear(layout.PATCH * conditions.EMOTION_SIZE, size)})
        share = torch.tensor([0.15, 0.35, 0.7, 1.0, 1.0, 1.0])  # what speech leaves of an emotion, a group each
        self.shown = nn.Parameter(share.repeat_interleave(torch.tensor([len(names) for _, _, names in layout.GROUPS])))
        if encoder:
            self.given = nn.ModuleDict({
                "0": nn.Conv1d(2, 12, KEY_KERNEL), "1": nn.Conv1d(12, 12, KEY_KERNEL),
                "2": nn.Conv1d(12, KEY_FEATURES, KEY_KERNEL),
            })  # fmt: skip
            nn.init.zeros_(self.given["2"].weight)
            nn.init.zeros_(self.given["2"].bias)
            with torch.no_grad():
                self.given["2"].bias[1] = 3.0  # to begin with, what is given is believed
            self.smoothing = nn.Parameter(-0.5 * (torch.arange(-4.0, 5.0) / 1.5) ** 2)
        else:
            self.trust = nn.Parameter(torch.full((1,), 3.0))
        counts = [len(names) for _, _, names in layout.GROUPS]
        self.keys = nn.ModuleDict({
            "token": nn.ModuleList(nn.Linear(layout.PATCH * KEY_FEATURES * count, size) for count in counts)
        })  # fmt: skip
        for name, module in (
            ("in", [nn.Linear(layout.PATCH * count, size) for count in counts]),
            ("out", [nn.Linear(size, layout.PATCH * count) for count in counts]),
        ):
            setattr(self, name, nn.ModuleList(module))
        for module in self.out:
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
        self.level = nn.ModuleList([nn.Linear(size, size), nn.Linear(size, size)])
        self.layers = nn.ModuleList(_Layer(size) for _ in range(layers))
        self.last = nn.LayerNorm(size)
        self.position = nn.Parameter(0.02 * torch.randn(layout.PATCHES, size))
        self.group = nn.Parameter(0.02 * torch.randn(len(layout.GROUPS), size))
        self.source = nn.Parameter(0.02 * torch.randn(len(layout.SOURCES), size))
        self.absent = nn.Parameter(0.02 * torch.randn(len(layout.SOURCES), size))
        self.slope = nn.Parameter(torch.linspace(-3.0, 0.5, heads).repeat(layers, 1))
        start = torch.zeros(layers, len(layout.ZONES), len(layout.SOURCES))
        if zones:
            for zone, preferred, others in _PREFERS:
                start[:, layout.ZONES.index(zone), layout.SOURCES.index(preferred)] = 0.75
                for other in others:
                    start[:, layout.ZONES.index(zone), layout.SOURCES.index(other)] = -0.75
        self.zones = nn.Parameter(start, requires_grad=zones)
        patch = torch.arange(layout.PATCHES).repeat(len(layout.GROUPS))
        single = torch.arange(layout.PATCHES)
        other = torch.cat([patch, single, single, patch])
        self.register_buffer("_far", (patch[:, None] - other[None]).abs().float(), persistent=False)
        count = [len(single), len(single), len(patch)]
        self.register_buffer("_source", torch.repeat_interleave(torch.arange(3), torch.tensor(count)), persistent=False)
        zone = torch.as_tensor(layout.GROUP_ZONE).repeat_interleave(layout.PATCHES)
        self.register_buffer("_zone", zone, persistent=False)
        self.register_buffer("_spoken", torch.as_tensor(layout.SPOKEN).float(), persistent=False)

    def start_from(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        """Begin with what a linear filter [C, AUDIO_SIZE, DIRECT_KERNEL] makes of the sound."""
        with torch.no_grad():
            self.straight.weight.copy_(torch.from_numpy(kernel))
            self.straight.bias.copy_(torch.from_numpy(bias))

    def hinge(self) -> torch.Tensor:
        """How far the zones' preferences fall short of the margin: 0 while each zone keeps to its own sources."""
        total = self.zones.new_zeros(())
        for zone, preferred, others in _PREFERS:
            row = self.zones[:, layout.ZONES.index(zone)]
            for other in others:
                gap = row[:, layout.SOURCES.index(preferred)] - row[:, layout.SOURCES.index(other)]
                total = total + F.relu(HINGE_MARGIN - gap).mean()
        return total if self.has_zones else total * 0.0

    def _bias(self, layer: int) -> torch.Tensor:
        near = -F.softplus(self.slope[layer])[:, None, None] * self._far
        preference = self.zones[layer][self._zone][:, self._source]
        return near + F.pad(preference, (len(self._zone), 0))

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(len(x), -1, self.heads, self.size // self.heads).transpose(1, 2)

    def forward(self, noisy, level, audio, emotion, given, mask, has) -> torch.Tensor:
        """Clean curves [B, WINDOW, C].

        Args:
            noisy, given, mask: [B, WINDOW, C]; level: [B]; audio: [B, WINDOW, A]; emotion: [B, WINDOW, E].
            has: [B, 3] float: 0 where a source is left out of that window.
        """
        batch, frames, channels = noisy.shape
        heard, emotional, keyed = (has[:, k, None, None] for k in range(3))
        x = F.gelu(_convolve(self.audio["0"], audio))
        x = x + F.gelu(_convolve(self.audio["1"], x))
        x = x + F.gelu(_convolve(self.audio["2"], x))
        direct = (_convolve(self.straight, audio) + self.direct(x)) * self._spoken * heard
        audio = self.audio["token"](x.reshape(batch, layout.PATCHES, -1))
        direct = direct + emotion[..., -channels:] * self.shown * emotional
        emotion = self.emotion["token"](emotion.reshape(batch, layout.PATCHES, -1))
        features = self._encode(given, mask)
        trust = torch.sigmoid(features[..., 1] if self.has_encoder else self.trust)
        trust, smooth = trust * (mask > 0) * keyed, features[..., 0]
        keys = torch.cat([
            self.keys["token"][g](features[:, :, span].reshape(batch, layout.PATCHES, -1))
            for g, span in enumerate(layout.SPANS)
        ], 1)  # fmt: skip
        absent, groups = self.absent[:, None, None], len(layout.GROUPS)
        told = torch.cat([
            heard * audio + (1 - heard) * absent[0] + self.position + self.source[0],
            emotional * emotion + (1 - emotional) * absent[1] + self.position + self.source[1],
            keyed * keys + (1 - keyed) * absent[2] + self.position.repeat(groups, 1)
            + self.group.repeat_interleave(layout.PATCHES, 0) + self.source[2],
        ], 1)  # fmt: skip
        rates = torch.exp(-math.log(1000.0) * torch.arange(self.size // 2, device=noisy.device) / (self.size // 2))
        angle = 100.0 * level[:, None] * rates
        when = self.level[1](F.gelu(self.level[0](torch.cat([angle.sin(), angle.cos()], 1))))[:, None]
        x = torch.cat([
            getattr(self, "in")[g](noisy[:, :, span].reshape(batch, layout.PATCHES, -1)) + self.position
            + self.group[g] + when for g, span in enumerate(layout.SPANS)
        ], 1)  # fmt: skip
        for index, layer in enumerate(self.layers):
            q, k, v = layer.own(layer.norm0(x)).chunk(3, -1)
            k2, v2 = layer.told(told).chunk(2, -1)
            k, v = self._split(torch.cat([k, k2], 1)), self._split(torch.cat([v, v2], 1))
            score = self._split(q) @ k.transpose(-1, -2) / math.sqrt(self.size / self.heads) + self._bias(index)
            mixed = (score.softmax(-1) @ v).transpose(1, 2).reshape(batch, -1, self.size)
            x = x + layer.out(mixed)
            x = x + layer.ff1(F.gelu(layer.ff0(layer.norm1(x))))
        x = self.last(x).reshape(batch, groups, layout.PATCHES, self.size)
        clean = torch.cat([self.out[g](x[:, g]).reshape(batch, frames, -1) for g in range(groups)], 2) + direct
        return clean + trust * (smooth - clean)

    def _smoothed(self, x: torch.Tensor) -> torch.Tensor:
        kernel, reach = self.smoothing.softmax(0), len(self.smoothing) // 2
        total = F.conv1d(F.pad(x.transpose(1, 2).reshape(-1, 1, x.shape[1]), (reach, reach)), kernel[None, None])
        value, sure = total.reshape(len(x), 2, -1).unbind(1)
        return value / (sure + 1e-3)

    def _encode(self, given: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        batch, frames, channels = given.shape
        bare = torch.stack([given * mask, mask], -1)
        if not self.has_encoder:
            return F.pad(bare, (0, KEY_FEATURES - 2))
        single = bare.transpose(1, 2).reshape(batch * channels, frames, 2)
        # Most channels are given nothing, and the answer to that is one and the same: row 0.
        used = single[..., 1].any(1)
        single = torch.cat([single.new_zeros(1, frames, 2), single[used]])
        y = F.gelu(_convolve(self.given["0"], single))
        y = y + F.gelu(_convolve(self.given["1"], y))
        y = _convolve(self.given["2"], y)
        y = torch.cat([y[..., :1] + self._smoothed(single)[..., None], y[..., 1:]], -1)
        row = torch.where(used, used.long().cumsum(0), 0)
        return y[row].reshape(batch, channels, frames, KEY_FEATURES).transpose(1, 2)
