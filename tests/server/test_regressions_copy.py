"""Bugs of COPY that users of other drivers reported, as in test_regressions.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from live import Connect, Monitor

import pgallop

# In a text of one byte a character and of three, and in one that cannot be sent at all.
TEXTS = ["w" * 10_000, "w" * 1_000_000, "\u20ac" * 10_000, "a\0b", "\ud800"]

# So many records are several pieces.
MANY = 10_000


class TooLargeError(Exception):
    pass


@pytest.fixture(autouse=True)
def table(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TABLE copied (n int)")
    yield
    monitor.ask("DROP TABLE copied")


# 7


@pytest.mark.parametrize("mode", ["named", "unnamed", "simple"])
@pytest.mark.parametrize(
    ("text", "count"),
    [*((text, MANY) for text in TEXTS), (TEXTS[0], 0), (TEXTS[0], 1)],
    ids=["10 kB", "1 MB", "30 kB", "NUL", "surrogate", "no rows", "one row"],
)
async def test_7_a_source_raises_a_long_text(
    connect: Connect, monitor: Monitor, mode: str, text: str, count: int
) -> None:
    """The error is the caller's, the COPY is undone, and the transaction can be rolled back.

    A server takes up to 10,000 bytes of CopyFail, and closes the connection over more: the driver
    that puts the text of an exception into it loses the connection instead of the data.
    """

    def rows() -> Iterator[Any]:
        for n in range(count):
            yield b"%07d\n" % n if mode == "simple" else (n,)
        raise TooLargeError(text)

    async def waiting() -> AsyncIterator[Any]:
        for row in rows():
            yield row

    async def copy(conn: pgallop.Connection, source: Any) -> None:
        with pytest.raises(TooLargeError) as raised:
            if mode == "simple":
                await conn.copy_to_table("copied", source=source)
            else:
                await conn.copy_records_to_table("copied", records=source)
        assert str(raised.value) == text

    async with connect(statement_mode=mode) as conn:
        pid = conn.get_server_pid()
        for make in (rows, waiting):
            await copy(conn, make())
            transaction = conn.transaction()
            await transaction.start()
            await conn.execute("INSERT INTO copied VALUES (1)")
            await copy(conn, make())
            await transaction.rollback()
            assert not conn.is_in_transaction()
        assert await conn.fetchval("SELECT count(*) FROM copied") == 0
        assert monitor.state(pid) == "idle"
