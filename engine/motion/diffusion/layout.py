"""What the performer moves: channels in groups, groups in zones, and the sizes that its windows and weights share."""

from __future__ import annotations

import numpy as np

from ...contract import channels as table

FPS = 30.0
"""Frames a second of the model: that of the captures. Blinks and saccades are quicker and are made by `motion.idle`."""
WINDOW = 64
"""Frames of a window."""
PATCH = 4
"""Frames of a token."""
PATCHES = WINDOW // PATCH
HOP = 30
"""Frames from a window to the next: every frame but those at the ends is seen by two, in patches half a patch apart."""

ZONES: tuple[str, ...] = ("mouth", "transition", "upper")
SOURCES: tuple[str, ...] = ("audio", "emotion", "keys")


def _sided(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}.{side}" for name in names for side in "LR")


#: (group, zone, channels). A token stands for one group over one patch.
GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("jaw", "mouth", ("AU26 Jaw Drop", "AU25 Lips Part", "AU17 Chin Raiser",
                      *_sided("AU16 Lower Lip Depressor", "AU10 Upper Lip Raiser"))),
    ("lips", "mouth", ("AU18 Lip Pucker", "AU22 Lip Funneler", "AU28 Lip Suck Upper", "AU28 Lip Suck Lower",
                       *_sided("AU24 Lip Pressor"))),
    ("corners", "transition", _sided("AU12 Lip Corner Puller", "AU14 Dimpler", "AU15 Lip Corner Depressor",
                                     "AU20 Lip Stretcher", "AU23 Lip Tightener")),
    ("cheeks", "transition", _sided("AU06 Cheek Raiser", "AU09 Nose Wrinkler", "AU11 Nasolabial Deepener")),
    ("brows", "upper", _sided("AU01 Inner Brow Raiser", "AU02 Outer Brow Raiser", "AU04 Brow Lowerer")),
    ("lids", "upper", _sided("AU05 Upper Lid Raiser", "AU07 Lid Tightener", "AU43 Eyes Closed")),
)  # fmt: skip

CHANNELS: tuple[str, ...] = tuple(name for _, _, names in GROUPS for name in names)
INDEX: dict[str, int] = {name: index for index, name in enumerate(CHANNELS)}
COLUMNS: np.ndarray = np.array([table.INDEX[name] for name in CHANNELS])
"""[C] columns of `CHANNELS` in the contract's table."""
SPANS: tuple[slice, ...] = tuple(
    slice(start, start + len(names))
    for start, (_, _, names) in zip(
        np.cumsum([0, *(len(names) for _, _, names in GROUPS)]).tolist(), GROUPS, strict=False
    )
)
"""Columns of each group within `CHANNELS`."""
GROUP_ZONE: np.ndarray = np.array([ZONES.index(zone) for _, zone, _ in GROUPS])
ZONE_OF: np.ndarray = np.repeat(GROUP_ZONE, [len(names) for _, _, names in GROUPS])
"""[C] zone of each channel."""

#: How large an ordinary movement of each channel is: the model works on values divided by it.
_USUAL: dict[str, float] = {
    "AU26": 0.16, "AU25": 0.14, "AU17": 0.06, "AU16": 0.08, "AU10": 0.06, "AU18": 0.2, "AU22": 0.2, "AU28": 0.08,
    "AU24": 0.08, "AU12": 0.12, "AU14": 0.08, "AU15": 0.1, "AU20": 0.1, "AU23": 0.1, "AU06": 0.14, "AU09": 0.1,
    "AU11": 0.08, "AU01": 0.14, "AU02": 0.14, "AU04": 0.14, "AU05": 0.12, "AU07": 0.12, "AU43": 0.1,
}  # fmt: skip
SCALE: np.ndarray = np.array([_USUAL[name[:4]] for name in CHANNELS])
"""[C] what 1 inside the model is in a channel's own unit."""
#: Channels that speech moves: what the sound can be heard to do to a face.
SPOKEN: np.ndarray = ZONE_OF < 2
