"""build_addon.py: the zip holds what Blender needs and nothing else, and is the same for the same tree."""

import ast
import subprocess
import sys
import zipfile

import pytest

from build_addon import ROOT, Stop, build, fingerprint, make_environment, packaged_files, python_version, version


@pytest.fixture(scope="module")
def archive():
    return build()


def test_the_zip_holds_the_extension_and_no_leftovers(archive):
    names = zipfile.ZipFile(archive).namelist()
    needed = {"__init__.py", "blender_manifest.toml", "LICENSE", "addon/__init__.py", "engine/contract/channels.py"}
    assert needed <= set(names)
    assert any(name.endswith(".mien") for name in names), "a head ships with it"
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests", "build", "out", "."))]
    assert archive.name == f"mien-{version()}.zip"


def test_the_same_tree_gives_the_same_bytes(archive):
    first = archive.read_bytes()
    assert build().read_bytes() == first


def test_nothing_packaged_names_a_path_of_the_machine_it_was_built_on():
    here = str(ROOT).encode()
    for path in packaged_files():
        assert here not in path.read_bytes(), path


def imports(path):
    """Every module that a file imports, as seen from the tree's root: `engine.contract.curves`, `bpy`, …"""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = [*base, *(node.module.split(".") if node.module else ())]
            yield from (".".join([*stem, alias.name]) for alias in node.names)


@pytest.mark.parametrize("path", sorted((ROOT / "engine").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_engine_never_imports_blender_or_the_addon(path):
    assert not [name for name in imports(path) if name.split(".")[0] in {"bpy", "bmesh", "mathutils", "gpu", "addon"}]


@pytest.mark.parametrize("path", sorted((ROOT / "addon").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_addon_imports_of_the_engine_only_the_contract(path):
    engine = [name for name in imports(path) if name.split(".")[0] == "engine"]
    assert not [name for name in engine if not name.startswith(("engine.contract", "engine.__version__"))]
    heavy = {"torch", "numba", "scipy", "transformers", "librosa", "onnxruntime", "safetensors", "PIL"}
    assert not [name for name in imports(path) if name.split(".")[0] in heavy]


def test_help_names_every_command():
    text = subprocess.run([sys.executable, str(ROOT / "build_addon.py"), "-h"], capture_output=True, text=True).stdout
    for command in ("demo", "test", "build", "install", "engine"):
        assert command in text


def test_an_environment_that_cannot_be_made_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("build_addon.ENVIRONMENTS", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(Stop, match="mien-no-such-package"):
        make_environment("wrong", sys.executable, ["mien-no-such-package==1.0"])
    assert not (tmp_path / "wrong" / "mien-stamp.txt").exists()


def test_a_missing_interpreter_is_no_version():
    assert python_version(["no-such-python-here"]) is None
    assert python_version([sys.executable]) == sys.version_info[:2]


def test_environments_are_remade_when_their_requirements_change(tmp_path):
    listed = tmp_path / "requirements.txt"
    listed.write_text("numpy==2.4.6")
    before = fingerprint([str(listed)])
    listed.write_text("numpy==2.4.7")
    assert fingerprint([str(listed)]) != before
