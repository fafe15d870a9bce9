"""build_addon.py: the zip holds what Blender needs and nothing else, and is the same for the same tree."""

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
    assert {"__init__.py", "blender_manifest.toml", "LICENSE", "addon/__init__.py", "engine/contract/channels.py"} <= set(names)
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


def test_the_engine_room_never_imports_bpy_and_the_addon_only_the_contract():
    for path in (ROOT / "engine").rglob("*.py"):
        assert "import bpy" not in path.read_text(encoding="utf-8"), path
    for path in (ROOT / "addon").rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if "import" in line and "engine" in line and line.lstrip().startswith(("from", "import")):
                assert "engine.contract" in line or "engine import contract" in line, f"{path}: {line}"


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
