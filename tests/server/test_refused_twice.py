"""What the server refuses for good is not asked for again and again."""

from __future__ import annotations

from typing import Any

import pytest
from long_line import line_to

import pgallop
from pgallop.cli.server import EmbeddedServer


@pytest.mark.parametrize("mode", ["named", "unnamed"])
@pytest.mark.parametrize(
    ("query", "argument", "kind"),
    [
        ("SELECT $1::regclass", "no_such_table", pgallop.UndefinedTableError),
        ("SELECT $1::regtype", "no_such_type", pgallop.UndefinedObjectError),
        ("SELECT $1::name", "x" * 70, pgallop.NameTooLongError),
    ],
)
async def test_a_value_that_is_refused(
    server: EmbeddedServer, mode: Any, query: str, argument: str, kind: type[pgallop.PostgresError]
) -> None:
    """Described and refused, and once more: were its types still what they had been?"""

    async def refused(conn: pgallop.Connection, many: bool) -> None:
        with pytest.raises(kind):
            await (conn.executemany(query, [[argument]]) if many else conn.fetch(query, argument))

    async with line_to(server) as line, line.pgallop(statement_mode=mode) as conn:
        for many in (False, True, False):
            assert await line.trips(refused(conn, many)) <= 4
        assert await conn.fetchval("SELECT 1") == 1
