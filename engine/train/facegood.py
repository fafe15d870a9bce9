"""FACEGOOD's captured takes as channel curves: real mouths in step with real speech.

A take is `NAME.npz` (`weights` [T, 116], `names`, `fps`) beside `NAME.wav`. About twenty weights move, all
of the mouth. They are FACS-derived and so map one to one; their scales are the capture rig's, not Mien's.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from ..contract.curves import Curves
from ..contract.errors import MienError
from ..speech import sound

#: Never trained on.
HELD_OUT = ("take_3_15",)
LICENCE = "MIT (FACEGOOD-Audio2Face repository)"
_CHANNELS: dict[str, tuple[str, ...]] = {
    "AU26 Jaw Drop": ("mouth_stretch_c",),
    "AU18 Lip Pucker": ("mouth_oh_c",),
    "AU22 Lip Funneler": ("mouth_funnel_dl", "mouth_funnel_dr", "mouth_funnel_ul", "mouth_funnel_ur"),
    "AU28 Lip Suck Lower": ("mouth_suck_dl", "mouth_suck_dr"),
    "AU28 Lip Suck Upper": ("mouth_suck_ul", "mouth_suck_ur"),
    "AU20 Lip Stretcher.L": ("mouth_lipCornerPull_l",),
    "AU20 Lip Stretcher.R": ("mouth_lipCornerPull_r",),
    "AU16 Lower Lip Depressor.L": ("mouth_lowerLipDepress_l",),
    "AU16 Lower Lip Depressor.R": ("mouth_lowerLipDepress_r",),
    "AU10 Upper Lip Raiser.L": ("mouth_upperLipRaise_l",),
    "AU10 Upper Lip Raiser.R": ("mouth_upperLipRaise_r",),
}


def load(path: Path) -> tuple[Curves, sound.Sound]:
    """A take's curves and sound.

    Raises:
        MienError: The file or its sound is missing, or it is no take.
    """
    try:
        with np.load(path, allow_pickle=False) as take:
            weights, names, fps = take["weights"].astype(float), [str(name) for name in take["names"]], take["fps"]
        curves = {
            name: weights[:, [names.index(entry) for entry in theirs]].mean(1) for name, theirs in _CHANNELS.items()
        }
        values = np.clip(np.stack(list(curves.values()), axis=1), 0.0, 1.5)
        return Curves(float(fps), tuple(curves), values), sound.read(path.with_suffix(".wav"))
    except (OSError, KeyError, ValueError, IndexError, TypeError, zipfile.BadZipFile) as error:
        raise MienError(f"{path} is not a captured take ({error}); give a FACEGOOD take with its .wav.") from None


def takes(data: Path, held_out: bool) -> dict[str, tuple[Curves, sound.Sound]]:
    """{name: take} of `data`/motion/facegood: those that may be trained on, or those that never are.

    Raises:
        MienError: There is none.
    """
    folder = data / "motion" / "facegood"
    paths = [path for path in sorted(folder.glob("take_*.npz")) if (path.stem in HELD_OUT) == held_out]
    if not paths:
        raise MienError(f"{folder} has no {'held-out ' if held_out else ''}take_*.npz; give --data a folder that has.")
    return {path.stem: load(path) for path in paths}
