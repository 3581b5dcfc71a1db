"""The text that started the project: its programs run as they are, on pgallop.

They were written for asyncpg, where two of the five fail: the queries gathered on one connection,
and `async with` around `connect`. Each runs as a program of its own, in the text's order, because
the later ones use the table of the earlier ones.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from seed.flattened import TEXTS, TUTORIAL_DSN, cut

import pgallop

TEXT = TEXTS[0].read_text(encoding="utf-8")
PROGRAMS = {program.name: program for program in cut(TEXT)}

# What each has to say, as the text shows it where it does.
OUTPUTS = {
    "fetch_version": r"Server: PostgreSQL \d+\.\d+ on .*\n",
    "fetch_users": (
        r"ID: 1, Name: Alice, Email: \[email protected\]\n"
        r"ID: 2, Name: Bob, Email: \[email protected\]\n"
    ),
    "insert_user": r"Inserted: INSERT 0 1\n",
    "concurrent_queries": r"Total users: 3, Max ID: 3\n",
    "async_with": r"1\nTrue\n",
}


class Run(NamedTuple):
    code: int
    out: str
    errors: str


def run(name: str, source: str, folder: Path, *options: str) -> Run:
    script = folder / f"{name}.py"
    script.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", *options, script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(pgallop.__file__).parents[1])},
        cwd=folder,
        timeout=50,
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def runs(empty_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """All of them, in the order of the text."""
    folder = tmp_path_factory.mktemp("programs")
    return {name: run(name, each.against(empty_dsn), folder) for name, each in PROGRAMS.items()}


def test_all_programs_are_found() -> None:
    assert len(TEXTS) == 1
    assert list(PROGRAMS) == list(OUTPUTS)


@pytest.mark.parametrize("name", OUTPUTS)
def test_only_the_indentation_the_import_and_the_dsn_differ(name: str) -> None:
    source = PROGRAMS[name].against("postgresql://elsewhere/x")
    lines = [line.strip() for line in source.splitlines()]
    assert lines.count("import pgallop as asyncpg") == 1
    back = "\n".join(lines).replace("import pgallop as asyncpg", "import asyncpg")
    back = back.replace("postgresql://elsewhere/x", TUTORIAL_DSN)
    if name == "async_with":
        (back,) = [line for line in back.split("\n") if line.startswith("async with")]
        back = back.replace(f"'{TUTORIAL_DSN}'", "...")
    assert back in TEXT


@pytest.mark.parametrize("name", OUTPUTS)
def test_program_runs(runs: dict[str, Run], name: str) -> None:
    code, out, errors = runs[name]
    assert (code, errors) == (0, "")
    assert re.fullmatch(OUTPUTS[name], out)
