"""The engine's command line: bad input gives one line and exit code 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import __main__ as cli
from engine import __version__
from engine.contract.channels import NAMES
from engine.contract.errors import MienError

ROOT = Path(__file__).resolve().parent.parent


def engine(*arguments, **options):
    command = [sys.executable, "-m", "engine", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, **options)


def test_version_and_help_import_no_numerics():
    code = "import sys\nfrom engine.__main__ import main\n"
    code += "try: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'numba', 'scipy', 'torch', 'soundfile'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "serve" in result.stdout
    assert result.stdout.splitlines()[-1] == "[]"
    assert engine("--version").stdout.strip() == f"Mien engine {__version__}"


def test_channels_lists_the_table():
    lines = engine("channels").stdout.splitlines()
    assert len(lines) == len(NAMES)
    assert all(line.startswith(name) for line, name in zip(lines, NAMES, strict=True))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["frobnicate"],
        ["channels", "--frobnicate"],
        ["render", "--head", "no such head", "--size", "64x64", "--out", "out"],
        ["render", "--head", "/dev/null", "--size", "64x64", "--out", "out"],
        ["perform", "--audio", "/no/such/file.wav", "--out", "/tmp/none.json"],
        ["perform", "--line", "Hello.", "--fps", "nan", "--out", "/tmp/none.json"],
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments):
    result = engine(*arguments)
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("mien: ")
    assert result.stdout == ""


def call(monkeypatch, capsys, error):
    """Exit code and stderr of a command that raises."""

    def add_parser(subparsers):
        def fail(arguments):
            raise error

        subparsers.add_parser("fail").set_defaults(func=fail)

    module = type(sys)("failing_command")
    module.add_parser = add_parser
    monkeypatch.setitem(sys.modules, "failing_command", module)
    monkeypatch.setitem(cli.COMMANDS, "fail", ("failing_command", "fails"))
    monkeypatch.setattr(cli.importlib.util, "find_spec", lambda name: None)
    return cli.main(["fail"]), capsys.readouterr().err


def test_a_sentence_of_several_lines_becomes_one(monkeypatch, capsys):
    assert call(monkeypatch, capsys, MienError("One\n  two.")) == (2, "mien: One two.\n")


def test_a_missing_package_is_named(monkeypatch, capsys):
    code, said = call(monkeypatch, capsys, ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert code == 2
    assert said == "mien: this command needs the Python package torch, which is not installed; install it with pip.\n"


def test_a_mistake_of_miens_own_is_one_line_too_and_no_traceback(monkeypatch, capsys):
    code, said = call(monkeypatch, capsys, ZeroDivisionError("division by zero"))
    assert code == 1
    assert said.count("\n") == 1
    monkeypatch.setenv("MIEN_DEBUG", "1")
    assert "Traceback" in call(monkeypatch, capsys, ZeroDivisionError("division by zero"))[1]


def test_a_terminal_that_lacks_a_character_is_no_error():
    result = engine("channels", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0
    assert result.stdout.startswith(NAMES[0])


def test_ctrl_c_is_130(monkeypatch, capsys):
    assert call(monkeypatch, capsys, KeyboardInterrupt()) == (130, "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_reader_that_goes_early_is_no_error():
    command = f"{sys.executable} -m engine channels | head -n 1"
    result = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert result.stderr == ""
    assert result.stdout.startswith(NAMES[0])
