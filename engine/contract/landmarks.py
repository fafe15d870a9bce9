"""The landmarks that an artist may place by hand on a still head's splats: enough to find and to bend a face by.

Indices are those of MediaPipe's face mesh. Left and right are the head's own.
"""

from __future__ import annotations

#: {index: name}, the eyes first; short, for they are shown beside the points. Cheeks are where the ears begin.
BY_HAND: dict[int, str] = {
    473: "Pupil.L",
    468: "Pupil.R",
    263: "Outer.L",
    362: "Inner.L",
    133: "Inner.R",
    33: "Outer.R",
    334: "Brow.L",
    105: "Brow.R",
    1: "Nose Tip",
    2: "Nose Base",
    291: "Corner.L",
    61: "Corner.R",
    0: "Upper Lip",
    13: "Lips Meet",
    17: "Lower Lip",
    152: "Chin",
    10: "Forehead",
    454: "Cheek.L",
    234: "Cheek.R",
}
#: As many at least say where a face is.
LEAST = 6
