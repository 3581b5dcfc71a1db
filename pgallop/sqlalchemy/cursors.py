"""Cursors as SQLAlchemy wants them: the rows of a result, all of them or a number at a time."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_cursor
from sqlalchemy.util.concurrency import await_only, in_greenlet

from pgallop.cursor import MAX_ROWS, BaseCursor, Cursor, reading
from pgallop.described import Column, fetch_described
from pgallop.many import run_many
from pgallop.stream import StreamIterator

if TYPE_CHECKING:
    from pgallop.sqlalchemy.adapter import AdaptedConnection

Row = tuple[Any, ...]

# As PEP 249 has it: name, type, and five things that nobody knows.
Description = Sequence[tuple[str, int, None, None, None, None, None]]

# So many rows come with the answer that a cursor of the server's is open.
PREFETCH = 50


@lru_cache(maxsize=1000)
def description_of(columns: tuple[Column, ...]) -> Description:
    """The columns as PEP 249 has them."""
    return [(each.name, each.type_oid, None, None, None, None, None) for each in columns]


def count_of(command: bytes) -> int:
    """How many rows a statement was about, by its command tag; -1 where that does not tell."""
    number = command.rpartition(b" ")[2]
    return int(number) if number.isdigit() else -1


class AdaptedCursor(AsyncAdapt_dbapi_cursor):
    """What runs one statement at a time, and keeps all of its rows."""

    __slots__ = ("_adapted", "_arraysize", "_description", "_fetched", "_next", "_rowcount")

    _awaitable_cursor_close = False

    def __init__(self, adapted: "AdaptedConnection") -> None:
        self._adapt_connection = self._adapted = adapted
        self._arraysize = 1
        self._forget()

    def _forget(self) -> None:
        self._description: Description | None = None
        self._rowcount = -1
        # Those from the place `_next` on are still to be given out.
        self._fetched: list[Row] = []
        self._next = 0

    @property
    def description(self) -> Description | None:
        return self._description

    @property
    def rowcount(self) -> int:
        return self._rowcount

    @property
    def arraysize(self) -> int:
        return self._arraysize

    @arraysize.setter
    def arraysize(self, value: int) -> None:
        self._arraysize = value

    def execute(self, operation: Any, parameters: Any = None) -> None:
        self._forget()
        await_only(self._execute(operation, tuple(parameters or ())))

    async def _execute(self, operation: str, parameters: tuple[Any, ...]) -> None:
        adapted = self._adapted
        await adapted.begin()
        result = await fetch_described(adapted.dispatch, operation, parameters)
        if result.columns is not None:
            self._description = description_of(result.columns)
            self._fetched = result.rows
        self._rowcount = count_of(result.command)

    def executemany(self, operation: Any, seq_of_parameters: Any) -> None:
        self._forget()
        await_only(self._executemany(operation, seq_of_parameters))

    async def _executemany(self, operation: str, rows: Sequence[Sequence[Any]]) -> None:
        adapted = self._adapted
        await adapted.begin()
        _, self._rowcount = await run_many(adapted.dispatch, operation, rows, None, keeps=False)

    def fetchone(self) -> Row | None:
        place = self._next
        if place == len(self._fetched):
            return None
        self._next = place + 1
        return self._fetched[place]

    def fetchmany(self, size: int | None = None) -> list[Row]:
        start = self._next
        end = min(len(self._fetched), start + (self._arraysize if size is None else size))
        self._next = end
        return self._fetched[start:end]

    def fetchall(self) -> list[Row]:
        rows, start = self._fetched, self._next
        self._fetched, self._next = [], 0
        return rows[start:] if start else rows

    def __iter__(self) -> Iterator[Row]:
        while (row := self.fetchone()) is not None:
            yield row

    def close(self) -> None:
        self._fetched, self._next = [], 0


class Reading(BaseCursor[Row]):
    """Rows of the server's cursor, a number at a time, with what they are called."""

    async def read(self, most: int) -> list[Row]:
        """The next rows, up to so many; fewer, at last none, when there are no more."""
        return [] if self._exhausted else await self._fetch(most, None)

    def columns(self) -> tuple[Column, ...] | None:
        """What the columns are, once some rows were read."""
        statement = self._statement
        if statement is None or statement.decoder is None:
            return None
        return tuple([Column(each.name, each.type_oid) for each in statement.columns])

    def end(self) -> None:
        """Let the server forget it."""
        self._close()


class CursorReading(Reading, Cursor[Row]):
    """Inside of a transaction."""


class StreamReading(Reading, StreamIterator[Row]):
    """In a transaction of its own, for a connection that has none."""

    def end(self) -> None:
        # Elsewhere it ends when nobody holds it any more.
        if in_greenlet():
            await_only(self.leave(None))


class ServerSideCursor(AdaptedCursor):
    """What fetches rows from the server as they are asked for."""

    __slots__ = ("_reading",)

    server_side = True

    _reading: Reading | None

    def __init__(self, adapted: "AdaptedConnection") -> None:
        super().__init__(adapted)
        self._reading = None

    async def _execute(self, operation: str, parameters: tuple[Any, ...]) -> None:
        adapted = self._adapted
        await adapted.begin()
        connection, dispatch = adapted.driver_connection, adapted.dispatch
        what = reading(connection, dispatch, operation, parameters, PREFETCH, None, tuple)
        kind = StreamReading if adapted.transaction is None else CursorReading
        self._reading = kind(what)
        self._fetched = await self._reading.read(PREFETCH)
        columns = self._reading.columns()
        self._description = None if columns is None else description_of(columns)

    async def _read(self, most: int) -> list[Row]:
        if self._reading is None:
            return []
        await self._adapted.begin()
        return await self._reading.read(most)

    def fetchone(self) -> Row | None:
        if self._next == len(self._fetched):
            self._fetched, self._next = await_only(self._read(PREFETCH)), 0
        return super().fetchone()

    def fetchmany(self, size: int | None = None) -> list[Row]:
        size = self._arraysize if size is None else size
        rows = super().fetchmany(size)
        if len(rows) < size:
            rows += await_only(self._read(size - len(rows)))
        return rows

    def fetchall(self) -> list[Row]:
        return super().fetchall() + await_only(self._read(MAX_ROWS))

    def executemany(self, operation: Any, seq_of_parameters: Any) -> None:
        raise self._adapted.dbapi.NotSupportedError(
            "a cursor of the server's runs one statement, for one row of arguments"
        )

    def close(self) -> None:
        super().close()
        reading, self._reading = self._reading, None
        if reading is not None and not self._adapted.is_closed():
            reading.end()
