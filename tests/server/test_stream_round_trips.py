"""How often a stream goes there and back; see test_round_trips.py. asyncpg has nothing like it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from live import Monitor
from long_line import Act, Path, call, line_to, stream, transaction

import pgallop
from pgallop.cli.server import EmbeddedServer

SERIES = "SELECT generate_series(1, $1::int4)"
TABLE = "SELECT * FROM streamed_trips WHERE a = $1"


def refused(query: str) -> Act:
    async def act(conn: Any) -> None:
        with pytest.raises(pgallop.PostgresError):
            await stream(query)(conn)

    return act


STREAMED = (stream(SERIES, 1),)
ALTERED = (stream(TABLE, 1),)
MOOD = stream("SELECT ROW(1, 'sad'::streamed_mood)")

PATHS = [
    # Described; the rows with BEGIN in front of them; COMMIT.
    Path("new", stream(SERIES, 50), 3, None),
    Path("again", stream(SERIES, 50), 2, None, STREAMED),
    Path("what fetch has prepared", stream("SELECT 1"), 2, None, (call("SELECT 1"),)),
    Path("no rows", stream(SERIES, 0), 2, None, STREAMED),
    Path("100 rows by 50", stream(SERIES, 100), 3, None, STREAMED),
    # Nobody knows that it was the last one before the server is asked for more.
    Path("101 rows by 50", stream(SERIES, 101), 4, None, STREAMED),
    Path("left", stream(SERIES, 1000, until=50), 2, None, STREAMED),
    Path("not read", stream(SERIES, 1000, until=0), 0, None, STREAMED),
    Path("in a transaction", transaction(stream(SERIES, 50)), 2, None, STREAMED),
    # It was described first, so there is nothing to undo.
    Path("refused", refused("SELECT nothing"), 1, None),
    Path("failed", refused("SELECT 1/0"), 3, None),
    # What is in a record only its rows tell: the catalogue is asked before the COMMIT.
    Path("new types", MOOD, 4, None),
    Path("types that are known", MOOD, 2, None, (MOOD,)),
    # Refused, rolled back, described and run. Without a name it was not prepared before.
    Path("altered", stream(TABLE, 1), 5, None, ALTERED, "ALTER TABLE streamed_trips ADD b int", 2),
]


@pytest.fixture
def table(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TABLE streamed_trips (a int4)")
    monitor.ask("CREATE TYPE streamed_mood AS ENUM ('sad')")
    yield
    monitor.ask("DROP TABLE streamed_trips; DROP TYPE streamed_mood")


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("mode", ["named", "unnamed"])
@pytest.mark.parametrize("path", PATHS, ids=[path.what for path in PATHS])
async def test_a_path(server: EmbeddedServer, monitor: Monitor, path: Path, mode: str) -> None:
    async with line_to(server) as line, line.pgallop(statement_mode=mode) as conn:
        for act in path.before:
            await act(conn)
        if path.elsewhere:
            monitor.ask(path.elsewhere)
        unnamed = path.promised if path.unnamed is None else path.unnamed
        expected = unnamed if mode == "unnamed" else path.promised
        assert await line.trips(path.act(conn)) == expected
