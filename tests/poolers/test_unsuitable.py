"""The list of tests that poolers are spared is true: all of them exist."""

from __future__ import annotations

import ast
from fnmatch import fnmatch
from pathlib import Path

import pytest
from poolers.unsuitable import PGPOOL_FILES, UNSUITABLE, reason_against

SERVER_TESTS = Path(__file__).parents[1] / "server"

pytestmark = pytest.mark.once


def names_of_the_server_tests() -> set[str]:
    names = set()
    for path in SERVER_TESTS.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names.add(f"{path.name}::{node.name}")
    return names


@pytest.mark.parametrize("kind", UNSUITABLE)
def test_each_pattern_matches_a_test(kind: str) -> None:
    names = names_of_the_server_tests()
    patterns = [pattern for group in UNSUITABLE[kind].values() for pattern in group]
    assert [pattern for pattern in patterns if not any(fnmatch(n, pattern) for n in names)] == []
    assert len(patterns) == len(set(patterns))


def test_the_files_for_pgpool_exist() -> None:
    assert [name for name in PGPOOL_FILES if not (SERVER_TESTS / name).is_file()] == []


def test_reasons() -> None:
    assert reason_against("tests/server/test_queries.py::test_nothing[asyncio]", "session") is None
