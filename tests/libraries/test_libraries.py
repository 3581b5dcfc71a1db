"""Libraries that import asyncpg by its name, on the drop-in: `nox -s libraries` installs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from libraries.programs import PROGRAMS

import pgallop

pytestmark = pytest.mark.once


def output(source: str, dsn: str, folder: Path, *options: str) -> str:
    """What a program prints, run with these options of Python's."""
    script = folder / "program.py"
    script.write_text(source)
    done = subprocess.run(
        [sys.executable, *options, script, dsn],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(pgallop.__file__).parents[1])},
        cwd=folder,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_notices_nothing(name: str, dsn: str, tmp_path: Path) -> None:
    pytest.importorskip(name, reason="nox -s libraries installs it")
    theirs = output(PROGRAMS[name], dsn, tmp_path)
    ours = output(PROGRAMS[name], dsn, tmp_path, "-m", "pgallop.asyncpg")
    assert theirs != ""
    assert ours == theirs
