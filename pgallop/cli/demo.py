"""`python -m pgallop demo`: a tour of the driver on a real server.

The tour is a program, shown and run statement by statement as `python -m asyncio` would: what is on
the screen is what has run, and can be typed there.
"""

import ast
import asyncio
import contextlib
import inspect
import os
import sys
from time import perf_counter
from typing import Any, TextIO

import pgallop
from pgallop.cli.installation import EmbeddedServerError, wheel_bin_dir
from pgallop.cli.server import EmbeddedServer

# Headings and programs. Temporary tables need no permission to create a schema, cannot meet the
# user's own, and are the server's to remove however the connection ends, kill -9 included.
TOUR = (
    (
        "Connect, and ask the server what it is",
        """\
settings = {"search_path": "pg_temp"}  # all tables are temporary
conn = await pgallop.connect(dsn, server_settings=settings)
await conn.fetchval("SELECT version()")
""",
    ),
    (
        "A table, two users, and what is in it",
        '''\
await conn.execute("""
    CREATE TABLE users (
        id serial PRIMARY KEY,
        name text NOT NULL,
        email text
    )
""")
insert = "INSERT INTO users (name, email) VALUES ($1, $2)"
await conn.execute(insert, "Alice", "alice@example.com")
await conn.execute(insert, "Bob", "bob@example.com")
rows = await conn.fetch("SELECT id, name, email FROM users ORDER BY id")
for row in rows:
    print(row["id"], row["name"], row["email"])
rows[0]
''',
    ),
    (
        "An injection that fails: arguments travel beside the SQL, never inside it",
        """\
name = "Mallory', ''); DROP TABLE users; --"
await conn.execute(insert, name, None)
await conn.fetchval("SELECT name FROM users WHERE id = $1", 3)
await conn.fetchval("SELECT count(*) FROM users")
""",
    ),
    (
        "Two queries at once on one connection: they share the round trips",
        """\
count = conn.fetchval("SELECT count(*) FROM users")
newest = conn.fetchval("SELECT max(id) FROM users")
await asyncio.gather(count, newest)
""",
    ),
    (
        "A thousand lookups one after another: each waits for the answer to the last",
        """\
lookup = "SELECT name FROM users WHERE id = $1"
start = perf_counter()
for i in range(1000):
    await conn.fetchval(lookup, i % 3 + 1)
one_by_one = perf_counter() - start
print(f"{one_by_one * 1000:.1f} ms, {1000 / one_by_one:,.0f} lookups/s")
""",
    ),
    (
        "The same thousand gathered: still run one by one, but without the waiting",
        """\
lookups = [conn.fetchval(lookup, i % 3 + 1) for i in range(1000)]
start = perf_counter()
names = await asyncio.gather(*lookups)
gathered = perf_counter() - start
print(f"{gathered * 1000:.1f} ms, {1000 / gathered:,.0f} lookups/s")
print(f"{one_by_one / gathered:.1f} times as fast")
await conn.close()
""",
    ),
)

# How long a server may take to cancel what runs, after an error or Ctrl-C.
CLOSE_SECONDS = 5.0


class PackageMissing(EmbeddedServerError):
    """The package with PostgreSQL's programs is not installed."""


class Screen:
    """The tour's output: plain text, coloured on a terminal.

    Args:
        out: where it goes. Colour needs a terminal that knows it and a user who does not object
            (https://no-color.org).
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._coloured = (
            out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )

    def heading(self, text: str) -> None:
        self.print(f"\n{self._styled('1', text)}\n")

    def code(self, source: str) -> None:
        """Show a statement as the interactive interpreter does."""
        prompts = [">>> "] + ["... "] * source.count("\n")
        for prompt, line in zip(prompts, source.split("\n"), strict=True):
            self.print(f"{self._styled('2', prompt)}{self._styled('36', line)}".rstrip())

    def print(self, *values: object) -> None:
        """Show a line, at once: the next statement may take its time."""
        print(*values, file=self._out, flush=True)

    def _styled(self, style: str, text: str) -> str:
        """Wrap text in a style: its number in ECMA-48, "Select graphic rendition"."""
        return f"\033[{style}m{text}\033[0m" if self._coloured else text


def run(dsn: str | None) -> None:
    """Take the tour, on a server of its own if there is no DSN.

    Args:
        dsn: as for `pgallop.connect`.

    Raises:
        PackageMissing: there is no DSN, and no package to run a server from.
        EmbeddedServerError: the server does not start.
        PostgresError, InterfaceError, OSError: as from `pgallop.connect`.
    """
    screen = Screen(sys.stdout)
    if dsn is not None:
        asyncio.run(take_tour(dsn, screen))
        return
    try:
        programs = wheel_bin_dir()
    except EmbeddedServerError as error:
        raise PackageMissing(
            f"{error}\nor use a server that you have: python -m pgallop demo "
            "postgresql://user:password@host/database"
        ) from error
    screen.print("Starting PostgreSQL in a temporary folder ...")
    with EmbeddedServer(programs) as server:
        ignore_environment()
        asyncio.run(take_tour(server.dsn, screen))
    screen.print("\nPostgreSQL is stopped, its folder removed.")


def ignore_environment() -> None:
    """Forget PGSERVICE, PGOPTIONS and the like: they speak of another server."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


async def take_tour(dsn: str, screen: Screen) -> None:
    """Show and run the program on the server of the DSN."""
    scope: dict[str, Any] = {
        "asyncio": asyncio,
        "dsn": dsn,
        "perf_counter": perf_counter,
        "pgallop": pgallop,
        "print": screen.print,
    }
    try:
        for number, (heading, program) in enumerate(TOUR, 1):
            screen.heading(f"{number}. {heading}")
            lines = program.splitlines()
            for statement in ast.parse(program).body:
                screen.code("\n".join(lines[statement.lineno - 1 : statement.end_lineno]))
                value = await evaluate(statement, scope)
                if value is not None:
                    screen.print(repr(value))
    finally:
        if "conn" in scope:
            # After an error or Ctrl-C, when a statement may be running: close() cancels it first.
            with contextlib.suppress(TimeoutError):
                await scope["conn"].close(timeout=CLOSE_SECONDS)


async def evaluate(statement: ast.stmt, scope: dict[str, Any]) -> Any:
    """Run a statement, in which `await` is allowed, and return its value if it is an expression."""
    tree: ast.Expression | ast.Module
    if isinstance(statement, ast.Expr):
        tree, mode = ast.Expression(statement.value), "eval"
    else:
        tree, mode = ast.Module([statement], []), "exec"
    code = compile(tree, "<tour>", mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    value = eval(code, scope)
    return await value if code.co_flags & inspect.CO_COROUTINE else value
