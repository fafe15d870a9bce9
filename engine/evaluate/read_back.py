"""Set one channel, render, and see which of MediaPipe's ARKit scores rises: does a face read as what it was told?

MediaPipe's scores are an outside reader, not a measure of truth: it looks at 146 landmarks in the picture's plane and
was not made for half a face moving alone. Which channels it can see at all was decided before the library was made, see
`UNSEEN`. A picture is read as it is and mirrored, and the two readings are averaged, because the reader itself is
lopsided (the same brow reads 0.36 on one side and 0.19 on the other).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..contract import channels
from ..contract.errors import MienError
from ..heads.deform import Deformer
from ..heads.foreign import landmarks
from ..heads.format import Head
from ..pictures import to_srgb
from ..render import view
from ..splat.cpu import CpuBackend
from ..splat.interface import Camera, Frame

SHARE_BAR, NEUTRAL_BAR = 0.90, 0.25
SIZE = 512
_GREY = 0.2
"""Linear: what stands behind the head."""
_ACROSS, _BELOW = 0.30, 0.04
"""Metres that a picture shows, with air around the face as MediaPipe likes it; how far below the eyes its middle is."""
NO_SCORE = "MediaPipe gives no such score (google-ai-edge/mediapipe issue 4403)"
NEVER_RISES = "its score stays below 0.05 on 600 random expressions of two heads made by different hands"
#: ARKit shapes that MediaPipe can't see, and why. Decided on the LAM avatar and on Ada's first version, each in 300
#: random mixtures of 1 to 5 channels at 0.4 to 1.5, half of them with the head turned by up to 29°.
UNSEEN: dict[str, str] = {
    "tongueOut": NO_SCORE,
    "cheekPuff": NEVER_RISES + "; known (issue 4436)",
    "noseSneerLeft": NEVER_RISES + "; known (issue 4450)",
    "noseSneerRight": NEVER_RISES + "; known (issue 4450)",
    "cheekSquintLeft": NEVER_RISES,
    "cheekSquintRight": NEVER_RISES,
    "jawForward": NEVER_RISES + "; it moves along the line of sight",
    "mouthClose": NEVER_RISES + "; by ARKit's meaning it shows only over an open jaw",
}

Read = Callable[[np.ndarray], "dict[str, float] | None"]


@dataclass(frozen=True, slots=True)
class Row:
    """What one channel does to the scores.

    Attributes:
        channel: Its name. `own`: the ARKit score that is meant.
        rise: How much that score rises against neutral, or None where no face was seen.
        highest, most: The score that rises most, partner side aside, and by how much.
    """

    channel: str
    own: str
    rise: float | None
    highest: str
    most: float

    @property
    def right(self) -> bool:
        """Whether the meant score rises most."""
        return self.rise is not None and self.highest == self.own and self.rise > 0


@dataclass(frozen=True, slots=True)
class Reading:
    """All of a head's channels that MediaPipe can see, and neutral's scores.

    Attributes:
        together: The same with both sides of a channel moved at once, as faces mostly move.
    """

    rows: list[Row]
    together: list[Row]
    neutral: dict[str, float]

    @property
    def share(self) -> float:
        """Of the channels, how many raise their own score most."""
        return sum(row.right for row in self.rows) / max(len(self.rows), 1)

    def loudest(self) -> tuple[str, float]:
        """The highest score in neutral that is not gaze."""
        return max(((k, v) for k, v in self.neutral.items() if not k.startswith("eyeLook")), key=lambda item: item[1])


def visible() -> list[channels.Channel]:
    """The channels that are ARKit shapes which MediaPipe can see."""
    return [entry for entry in channels.CHANNELS if entry.arkit and entry.arkit not in UNSEEN]


def pairs() -> list[tuple[channels.Channel, list[str]]]:
    """The visible channels once for both sides: (the left one, or the only one; the names of all).

    Ways that exclude each other (mouth and jaw to the left and to the right) are no pairs.
    """
    names = {entry.name for entry in visible()}
    found = []
    for entry in visible():
        stem, _, side = entry.name.rpartition(".")
        single = entry.arkit in ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
        if single or side != "R" or f"{stem}.L" not in names:
            found.append((entry, [entry.name] if single or side != "L" else [f"{stem}.L", f"{stem}.R"]))
    return found


def partner(shape: str) -> str:
    """The same shape on the other side; itself where there is none."""
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if shape.endswith(side):
            return shape.removesuffix(side) + other
    return shape


def face_view(head: Head, size: int, across: float = _ACROSS) -> Camera:
    """The face from the front, `across` metres wide; a portrait where the head file does not say where its eyes are."""
    portrait = view(head, 0.0, size, size)
    if head.eyes is None:
        return portrait
    eyes = np.mean([eye.centre for eye in head.eyes.values()], axis=0)
    matrix = np.eye(4)
    matrix[:3, :3] = portrait.world_to_camera[:3, :3]
    matrix[:3, 3] = -matrix[:3, :3] @ (eyes - np.array([0.0, head.camera_distance, _BELOW]))
    focal = size * head.camera_distance / across
    return Camera(matrix, np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]]), size, size)


def aside(shape: str) -> set[str]:
    """The scores that may rise with a shape's own: its partner's; of gaze also the other eye's in the same direction.

    MediaPipe learned from people, whose eyes move together, and reads one eye's turn from both.
    """
    other = partner(shape)
    together = other
    for way, opposite in (("LookIn", "LookOut"), ("LookOut", "LookIn")):
        if way in other:
            together = other.replace(way, opposite)
    return {other, together} - {shape}


def photograph(deformer: Deformer, backend: CpuBackend, values: np.ndarray) -> np.ndarray:
    """A front view on grey, sRGB uint8 [SIZE, SIZE, 3]."""
    frame = Frame([deformer(values)], face_view(deformer.head, SIZE))
    plane = backend.render(frame, ["Combined"])["Combined"]
    linear = plane[..., :3] + (1 - plane[..., 3:]) * _GREY
    return (np.clip(to_srgb(linear), 0, 1) * 255 + 0.5).astype(np.uint8)


def both_ways(read: Read, picture: np.ndarray) -> dict[str, float] | None:
    """The mean of the scores as the picture is and of those of its mirror image, sides changed."""
    found = [scores for scores in (read(picture), _other_sides(read(picture[:, ::-1]))) if scores]
    return {name: float(np.mean([scores[name] for scores in found])) for name in found[0]} if found else None


def _other_sides(scores: dict[str, float] | None) -> dict[str, float] | None:
    # mouthLeft and jawLeft are directions, and change sides in a mirror as well.
    return {partner(name): value for name, value in scores.items()} if scores else None


def compare(entry: channels.Channel, scores: dict[str, float] | None, neutral: dict[str, float]) -> Row:
    """A channel's row from the scores that it was read as."""
    own = entry.arkit or ""
    if not scores:
        return Row(entry.name, own, None, "no face seen", 0.0)
    rises = {name: value - neutral[name] for name, value in scores.items() if name not in aside(own)}
    highest = max(rises, key=lambda name: rises[name])
    return Row(entry.name, own, rises[own], highest, rises[highest])


def measure(head: Head, read: Read) -> Reading:
    """Read every visible channel of a head at 1.0, one at a time.

    Raises:
        MienError: No face is seen in neutral.
    """
    deformer, backend = Deformer(head), CpuBackend()
    neutral = both_ways(read, photograph(deformer, backend, np.zeros(len(channels.CHANNELS))))
    if neutral is None:
        raise MienError(f"MediaPipe sees no face in {head.name}'s front view; look at it with 'engine render'.")

    def row(entry: channels.Channel, names: list[str]) -> Row:
        values = channels.from_mapping(dict.fromkeys(names, 1.0))
        return compare(entry, both_ways(read, photograph(deformer, backend, values)), neutral)

    return Reading(
        [row(entry, [entry.name]) for entry in visible()], [row(entry, names) for entry, names in pairs()], neutral
    )


def measured(heads: list[Head]) -> dict[str, Reading]:
    """Readings by head's name.

    Raises:
        MienError: MediaPipe is not installed.
    """
    with landmarks.reader() as read:
        return {head.name: measure(head, read) for head in heads}
