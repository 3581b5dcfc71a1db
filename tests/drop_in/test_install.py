"""`install`, `uninstall` and `python -m pgallop.asyncpg`, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import pgallop

pytestmark = pytest.mark.once


class Run(NamedTuple):
    code: int
    out: str
    errors: str


def python(*arguments: str, cwd: Path, code: str | None = None) -> Run:
    """Run Python where pgallop and asyncpg are installed."""
    command = [sys.executable, "-W", "error::RuntimeWarning", *arguments]
    done = subprocess.run(
        [*command, "-c", code] if code is not None else command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(pgallop.__file__).parents[1])},
        cwd=cwd,
        timeout=50,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def printed(code: str, cwd: Path) -> list[str]:
    run = python(cwd=cwd, code=code)
    assert (run.code, run.errors) == (0, "")
    return run.out.splitlines()


INSTALL = "import pgallop.asyncpg; pgallop.asyncpg.install()\n"


def test_what_is_imported(tmp_path: Path) -> None:
    code = (
        INSTALL
        + """
import asyncpg, sys
import asyncpg.pgproto.pgproto, asyncpg.exceptions._base, asyncpg.connection
from asyncpg.protocol import protocol
from asyncpg import Record, UniqueViolationError
import pgallop.asyncpg.connection
print(asyncpg is pgallop.asyncpg, asyncpg.__version__)
print(asyncpg.connection is pgallop.asyncpg.connection)
print(sys.modules["asyncpg.connection"] is sys.modules["pgallop.asyncpg.connection"])
print(asyncpg.connection.Connection is asyncpg.Connection)
print(UniqueViolationError is pgallop.UniqueViolationError)
print(asyncpg.pgproto.pgproto.UUID.__module__)
"""
    )
    assert printed(code, tmp_path) == [
        "True 0.32.0",
        *["True"] * 4,
        "pgallop.asyncpg.pgproto.pgproto",
    ]


def test_specs_before_and_after_the_import(tmp_path: Path) -> None:
    code = (
        INSTALL
        + """
from importlib.util import find_spec
import sys, importlib
for name in ("asyncpg", "asyncpg.exceptions", "asyncpg.pgproto.types"):
    spec = find_spec(name)
    print(name in sys.modules or spec.name == name, spec.origin.endswith(".py"))
    print(bool(spec.submodule_search_locations), bool(importlib.import_module(name).__spec__))
print(find_spec("asyncpg.nothing"), bool(find_spec("asyncpg").submodule_search_locations))
print(importlib.reload(sys.modules["asyncpg"]).__name__)
try:
    import asyncpg.nothing
except ModuleNotFoundError as error:
    print(error.name)
"""
    )
    assert printed(code, tmp_path) == [
        *("True True", "True True"),
        *("True True", "True True"),
        *("True True", "False True"),
        "None True",
        "pgallop.asyncpg",
        "asyncpg.nothing",
    ]


def test_distribution(tmp_path: Path) -> None:
    code = (
        INSTALL
        + """
from importlib import metadata
print(metadata.version("asyncpg"), metadata.distribution("asyncpg").metadata["Summary"])
print(metadata.distribution("asyncpg").requires, metadata.version("pip") != "")
print(sum(each.name == "asyncpg" for each in metadata.distributions()) >= 1)
"""
    )
    assert printed(code, tmp_path) == [
        "0.32.0 pgallop under asyncpg's name",
        "None True",
        "True",
    ]


def test_uninstall_takes_it_back(tmp_path: Path) -> None:
    code = """
import sys
import pgallop.asyncpg
pgallop.asyncpg.uninstall()
pgallop.asyncpg.install()
pgallop.asyncpg.install()
import asyncpg
print(asyncpg is pgallop.asyncpg, pgallop.asyncpg.is_installed())
pgallop.asyncpg.uninstall()
print([name for name in sys.modules if name.startswith("asyncpg")])
import asyncpg
print(asyncpg.__name__, asyncpg.connection.__name__, pgallop.asyncpg.is_installed())
"""
    assert printed(code, tmp_path) == ["True True", "[]", "asyncpg asyncpg.connection False"]


def test_asyncpg_that_was_imported_before(tmp_path: Path) -> None:
    (tmp_path / "early.py").write_text("from asyncpg import Connection\n")
    (tmp_path / "other.py").write_text("import json\n")
    code = """
import warnings
import early, other
import asyncpg as before
import pgallop.asyncpg
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    pgallop.asyncpg.install()
(warning,) = caught
print(warning.category.__name__, str(warning.message).splitlines()[0])
import asyncpg
print(asyncpg is pgallop.asyncpg)
pgallop.asyncpg.uninstall()
import asyncpg
print(asyncpg is before)
"""
    assert printed(code, tmp_path) == [
        "InterfaceWarning asyncpg was imported before install(), and goes on being used by "
        "__main__, early",
        "True",
        "True",
    ]


PROGRAM = """\
import sys
import asyncpg
import beside
print(__name__, asyncpg.__file__.endswith("pgallop/asyncpg/__init__.py"), sys.argv, beside.NAME)
sys.exit(3)
"""


@pytest.mark.parametrize("way", ["program", "module"])
def test_a_program(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "program.py").write_text(PROGRAM)
    (folder / "beside.py").write_text("NAME = 'beside'\n")
    # A program is given by its path, a module is looked for in the current directory.
    given, cwd = (
        (["folder/program.py"], tmp_path) if way == "program" else (["-m", "program"], folder)
    )
    run = python("-m", "pgallop.asyncpg", *given, "--flag", "x", cwd=cwd)
    argv0 = "folder/program.py" if way == "program" else str(folder / "program.py")
    assert run == Run(3, f"__main__ True {[argv0, '--flag', 'x']} beside\n", "")


@pytest.mark.parametrize("safe", [True, False])
def test_where_a_program_imports_from(tmp_path: Path, safe: bool) -> None:
    """`python -P` has neither the program's folder nor the current one."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "program.py").write_text("import asyncpg, sys\nprint(sys.path[0])\n")
    options = ["-P"] * safe
    run = python(*options, "-m", "pgallop.asyncpg", "folder/program.py", cwd=tmp_path)
    package = Path(pgallop.__file__).parents[1]
    assert run == Run(0, f"{package if safe else folder}\n", "")


def test_a_program_that_fails_shows_its_own_traceback(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import asyncpg\n1 / 0\n")
    run = python("-m", "pgallop.asyncpg", "program.py", cwd=tmp_path)
    assert run.code == 1
    assert run.errors.endswith("ZeroDivisionError: division by zero\n")
    assert 'program.py", line 2, in <module>' in run.errors


@pytest.mark.parametrize(
    ("arguments", "code"), [([], 2), (["--help"], 0), (["-h"], 0), (["-x"], 2), (["-m"], 2)]
)
def test_usage(tmp_path: Path, arguments: list[str], code: int) -> None:
    run = python("-m", "pgallop.asyncpg", *arguments, cwd=tmp_path)
    assert run.code == code
    assert "usage: python -m pgallop.asyncpg PROGRAM" in run.out + run.errors
