"""README.md is true: its Python runs and prints what is shown, and its links lead somewhere."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

import pgallop
from pgallop.cli.server import EmbeddedServer

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")
DSN = "postgresql://postgres:secret@localhost/postgres"

BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    line: int
    source: str
    output: str

    @property
    def is_program(self) -> bool:
        return "asyncio.run(" in self.source


BLOCKS = [
    Block(TEXT.count("\n", 0, found.start()) + 1, found[1], found[2] or "")
    for found in BLOCK.finditer(TEXT)
]


@pytest.fixture
def empty_dsn(server: EmbeddedServer) -> Iterator[str]:
    """A database of its own, in which no session may be left."""
    with psycopg.connect(server.dsn, autocommit=True) as owner:
        owner.execute("CREATE DATABASE readme")
        yield f"{server.tcp_dsn.rpartition('/')[0]}/readme"
        owner.execute("DROP DATABASE readme")  # fails if a session is still there after 5 s


def test_all_blocks_are_found() -> None:
    assert len(BLOCKS) == TEXT.count("```python\n") > 5
    assert sum(bool(block.output) for block in BLOCKS) == TEXT.count("```text\n")
    assert any(block.is_program for block in BLOCKS)


def test_programs_run(dsn: str, tmp_path: Path) -> None:
    for block in BLOCKS:
        if block.is_program:
            script = tmp_path / f"line_{block.line}.py"
            script.write_text(block.source.replace(DSN, dsn), encoding="utf-8")
            done = subprocess.run(
                [sys.executable, "-W", "error", script],
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONPATH": str(Path(pgallop.__file__).parents[1])},
                cwd=tmp_path,
                timeout=50,
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, block.output, "")


def test_excerpts_run_one_after_another(empty_dsn: str) -> None:
    async def run_all() -> None:
        async with pgallop.connect(empty_dsn) as conn:
            scope = {"asyncio": asyncio, "pgallop": pgallop, "conn": conn}
            for block in BLOCKS:
                if not block.is_program:
                    assert await output_of(block, empty_dsn, scope) == block.output

    asyncio.run(run_all())


async def output_of(block: Block, dsn: str, scope: dict[str, Any]) -> str:
    """Run a block, in which `await` may stand at the top level, and return what it prints."""
    source = "\n" * block.line + block.source.replace(DSN, dsn)
    code = compile(source, README, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert code.co_flags & inspect.CO_COROUTINE
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        await eval(code, scope)
    return printed.getvalue()


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    headings = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = {"#" + heading.lower().replace(" ", "-") for heading in headings}
    assert len(links) >= 5
    assert [
        link for link in links if link not in anchors and not (README.parent / link).exists()
    ] == []
