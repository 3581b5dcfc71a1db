"""The text's programs as they are, import and all, by `python -m pgallop.asyncpg`."""

from __future__ import annotations

import re

import pytest
from seed.test_seed_text import OUTPUTS, PROGRAMS, Run, run


@pytest.fixture(scope="module")
def runs(empty_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """All of them, in the order of the text."""
    folder = tmp_path_factory.mktemp("unmodified")
    drop_in = ("-m", "pgallop.asyncpg")
    return {
        name: run(name, program.unmodified(empty_dsn), folder, *drop_in)
        for name, program in PROGRAMS.items()
    }


@pytest.mark.parametrize("name", OUTPUTS)
def test_program_runs(runs: dict[str, Run], name: str) -> None:
    code, out, errors = runs[name]
    assert (code, errors) == (0, "")
    assert re.fullmatch(OUTPUTS[name], out)
