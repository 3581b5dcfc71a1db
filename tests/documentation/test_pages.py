"""The pages are true: their Python runs and prints what is shown, their links lead somewhere."""

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
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
from documentation.pages import (
    CHECKOUT,
    DOCS,
    PAGES,
    README,
    Block,
    anchors,
    blocks,
    fences,
    links,
)

import pgallop
from pgallop.cli.server import EmbeddedServer

# What the pages connect to; the tests' own server takes its place.
DSN = "postgresql://postgres:secret@localhost/postgres"

# What a page needs that not every server has.
EXTENSION = re.compile(r"CREATE EXTENSION (\w+)")

FRAMEWORK = re.compile(r"^from (fastapi|sqlalchemy|starlette)\b", re.MULTILINE)

# The same place, in an address of SQLAlchemy's.
ENGINE = "postgresql+pgallop" + DSN.removeprefix("postgresql")

# What may be fenced in a page; in other languages it would be code that nobody has tried.
LANGUAGES = {"python", "text", "sh", ""}

RUNNING = [
    page
    for page in PAGES
    if any(not block.excuse for block in blocks(page.read_text(encoding="utf-8")))
]
LINKING = [*PAGES, CHECKOUT / "CHANGELOG.md", CHECKOUT / "CONTRIBUTING.md"]


def name_of(page: Path) -> str:
    return str(page.relative_to(CHECKOUT))


@pytest.fixture
def empty_dsn(server: EmbeddedServer) -> Iterator[str]:
    """A database of its own, in which no session may be left."""
    with psycopg.connect(server.dsn, autocommit=True) as owner:
        owner.execute("CREATE DATABASE documentation")
        yield f"{server.tcp_dsn.rpartition('/')[0]}/documentation"
        owner.execute("DROP DATABASE documentation")  # fails if a session is still there after 5 s


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_all_code_is_found(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    fenced = [fence for fence in fences(text) if not fence.language.startswith("{")]
    assert [fence for fence in fenced if fence.language not in LANGUAGES] == []
    languages = [fence.language for fence in fenced]
    assert len(blocks(text)) == languages.count("python"), "Python stands at the left edge"
    outputs = sum(bool(block.output) for block in blocks(text))
    assert outputs == languages.count("text"), "text stands behind the Python that prints it"
    assert text.count("not run:") == sum(bool(block.excuse) for block in blocks(text))


def test_there_is_something_to_run() -> None:
    assert README in RUNNING
    assert DOCS / "getting-started.md" in RUNNING


@pytest.mark.parametrize("page", RUNNING, ids=name_of)
def test_code_prints_what_is_shown(page: Path, empty_dsn: str, tmp_path: Path) -> None:
    """Programs run in a process, all else in one after another with a connection `conn`."""
    skip_without(EXTENSION.findall(page.read_text(encoding="utf-8")), empty_dsn)
    for name in FRAMEWORK.findall(page.read_text(encoding="utf-8")):
        pytest.importorskip(name)
    if "postgresql+pgallop" in page.read_text(encoding="utf-8"):
        import_module("engines").register()

    async def run_all() -> None:
        async with pgallop.connect(empty_dsn) as conn:
            scope = {"asyncio": asyncio, "pgallop": pgallop, "conn": conn}
            for block in blocks(page.read_text(encoding="utf-8")):
                block = block._replace(source=with_dsn(block.source, empty_dsn))
                where = f"{name_of(page)}:{block.line}"
                if block.excuse:
                    continue
                if block.is_program:
                    printed = await asyncio.to_thread(output_of_program, block, tmp_path)
                    assert (where, *printed) == (where, block.output, "", 0)
                else:
                    assert (where, await output_of(block, page, scope)) == (where, block.output)

    asyncio.run(run_all())


def with_dsn(source: str, dsn: str) -> str:
    engine_dsn = "postgresql+pgallop" + dsn.removeprefix("postgresql")
    return source.replace(DSN, dsn).replace(ENGINE, engine_dsn)


def skip_without(extensions: list[str], dsn: str) -> None:
    """Skip the test if the server lacks one of these."""
    with psycopg.connect(dsn, autocommit=True) as owner:
        for name in extensions:
            try:
                owner.execute(f"CREATE EXTENSION {name}".encode())
            except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile):
                pytest.skip(f"the server has no extension {name}")
            owner.execute(f"DROP EXTENSION {name}".encode())


def output_of_program(block: Block, folder: Path) -> tuple[str, str, int]:
    """Run a block as a program; what it prints, what it complains of, how it ends."""
    script = folder / f"line_{block.line}.py"
    script.write_text(block.source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(pgallop.__file__).parents[1])},
        cwd=folder,
        timeout=50,
    )
    return done.stdout, done.stderr, done.returncode


async def output_of(block: Block, page: Path, scope: dict[str, Any]) -> str:
    """Run a block, in which `await` may stand at the top level, and return what it prints."""
    source = "\n" * (block.line - 1) + block.source
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    # Without the __future__ of this module: a reader's program has its own.
    code = compile(source, page, "exec", flags=flags, dont_inherit=True)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        result = eval(code, scope)
        if code.co_flags & inspect.CO_COROUTINE:
            await result
    return printed.getvalue()


@pytest.mark.parametrize("page", LINKING, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (
            anchor and anchor not in anchors(target.read_text(encoding="utf-8"))
        ):
            broken.append(link)
    assert broken == []


PAGE = """\
# A `page`: of *two* parts?

```python
print(1)
```

```text
1
```

<!-- not run: a product that is not here -->
```python
print(await conn.fetch("```"))
```

| Name | `a\\|b` |
| --- | --- |
| [one](#other) | `[x](y)` |

- in a list

  ```python
  print(2)
  ```
"""


def test_how_a_page_is_read() -> None:
    run, excused = blocks(PAGE)
    assert run == Block(4, "print(1)\n", "1\n", "")
    assert excused.excuse == "a product that is not here"
    assert not excused.output
    assert [fence.language for fence in fences(PAGE)] == ["python", "text", "python", "python"]
    assert links(PAGE) == ["#other"]
    assert anchors(PAGE) == {"a-page-of-two-parts"}
