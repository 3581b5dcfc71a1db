"""The connections that the tests of every type ask the same questions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import asyncpg

import pgallop

# Values in one statement.
WIDTH = 40

# Before PostgreSQL 12, floats would be rounded in their text forms.
SETTINGS = {"extra_float_digits": "3"}


class Drivers:
    """Connections of pgallop, with different options, and of asyncpg to one server.

    The statements have `WIDTH` values each, so that some hundred of them take one round trip.

    Example::

        with Drivers(dsn) as drivers:
            values, texts = drivers.send("int4", [1, None])      # [1, None], ["1", None]
            values, texts = drivers.parse("int4", ["1", None])   # the same, from the text
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def __enter__(self) -> Drivers:
        self._runner = asyncio.Runner()
        self._runner.run(self._connect())
        return self

    async def _connect(self) -> None:
        self._open: list[Any] = []
        self.ours = await self._connected(pgallop)
        self.simple = await self._connected(pgallop, statement_mode="simple")
        self.as_text = await self._connected(pgallop, out_of_range="text")
        self.clamped = await self._connected(pgallop, out_of_range="clamp")
        self.theirs = await self._connected(asyncpg)
        self.version = self.ours.get_server_version().major
        xml = "SELECT count(*) FROM pg_config WHERE setting LIKE '%with-libxml%'"
        self.has_xml: bool = await self.ours.fetchval(xml) > 0

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._runner.run(self._close())
        self._runner.close()

    async def _connected(self, driver: Any, **options: str) -> Any:
        connection = await driver.connect(self._dsn, server_settings=SETTINGS, **options)
        self._open.append(connection)
        return connection

    async def _close(self) -> None:
        for connection in self._open:
            await connection.close()

    def ask(self, connection: Any, query: str, *args: object) -> list[Any]:
        """The columns of the only row."""
        return list(self._runner.run(connection.fetchrow(query, *args)))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return [tuple(row) for row in self._runner.run(self.ours.fetch(query))]

    def send(
        self, sql: str, values: Sequence[Any], connection: Any = None
    ) -> tuple[list[Any], list[str | None]]:
        """Send values of a type; what is read back, and their text forms in the server."""
        return self._halves(connection, f"%s::{sql}", values)

    def parse(
        self, sql: str, texts: Sequence[str | None], connection: Any = None
    ) -> tuple[list[Any], list[str | None]]:
        """The values that texts stand for, as they are read, and their text forms in the server."""
        return self._halves(connection, f"%s::text::{sql}", texts)

    def parse_simply(self, sql: str, texts: Sequence[str | None]) -> list[Any]:
        """The values that texts stand for, read in their text forms by the simple protocol."""
        literals = ["NULL" if text is None else quoted(text) for text in texts]
        return self.ask(self.simple, f"SELECT {', '.join(f'{one}::{sql}' for one in literals)}")

    def in_record(self, sql: str, values: Sequence[Any]) -> tuple[Any, ...]:
        """The values as the fields of a record."""
        fields = ", ".join(f"${i}::{sql}" for i in range(1, len(values) + 1))
        (record,) = self.ask(self.ours, f"SELECT ROW({fields})", *values)
        assert isinstance(record, tuple)
        return record

    def _halves(
        self, connection: Any, expression: str, values: Sequence[Any]
    ) -> tuple[list[Any], list[str | None]]:
        count = len(values)
        assert count <= WIDTH
        columns = [expression % f"${i}" for i in range(1, WIDTH + 1)]
        # A cast to text is not always the type's text form: bpchar, bool and inet have their own.
        columns += [f"format('%s', {column})" for column in columns]
        padded = [*values, *[None] * (WIDTH - count)]
        asked = connection or self.ours
        row = self.ask(asked, f"SELECT {', '.join(columns)}", *padded)
        texts = row[WIDTH : WIDTH + count]
        return row[:count], [
            None if value is None else text for value, text in zip(values, texts, strict=True)
        ]


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
