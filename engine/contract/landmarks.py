"""The landmarks that an artist may place by hand on a still head's splats: enough to find and to bend a face by.

Indices are those of MediaPipe's face mesh. Left and right are the head's own.
"""

from __future__ import annotations

#: {index: name}, the eyes first.
BY_HAND: dict[int, str] = {
    473: "Left Pupil",
    468: "Right Pupil",
    263: "Left Eye Outer Corner",
    362: "Left Eye Inner Corner",
    133: "Right Eye Inner Corner",
    33: "Right Eye Outer Corner",
    334: "Left Brow",
    105: "Right Brow",
    1: "Nose Tip",
    2: "Under the Nose",
    291: "Left Mouth Corner",
    61: "Right Mouth Corner",
    0: "Upper Lip",
    13: "Between the Lips",
    17: "Lower Lip",
    152: "Chin",
    10: "Forehead",
    454: "Left Cheek at the Ear",
    234: "Right Cheek at the Ear",
}
#: As many at least say where a face is.
LEAST = 6
