"""A real server, asked for the bytes of values that are given as text, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
from psycopg.pq import ExecStatus

# Columns that one SELECT can have (the server's MaxTupleAttributeNumber).
BATCH = 1664

TEXT, BINARY = 0, 1


class Oracle:
    """Sends values of one type as parameters and gets them back in the other format.

    Nothing here looks at them: text is read by the type's input function in the server, bytes come
    from its send function.

    Example::

        oracle.binary(23, ["1", None])          # [b"\\0\\0\\0\\1", None]
        oracle.text(23, [b"\\0\\0\\0\\1", None])    # ["1", None]
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.version = connection.info.server_version // 10000

    def binary(self, oid: int, texts: Sequence[str | None]) -> list[bytes | None]:
        """The bytes of values of the type `oid` that are given in text form."""
        values = [None if text is None else text.encode() for text in texts]
        return list(self._echo(oid, values, TEXT, BINARY))

    def text(self, oid: int, data: Sequence[bytes | None]) -> list[str | None]:
        """The text forms of values of the type `oid` that are given as bytes."""
        echoes = self._echo(oid, data, BINARY, TEXT)
        return [None if echo is None else echo.decode() for echo in echoes]

    def select(self, expression: str) -> tuple[int, bytes]:
        """The type and the bytes of what an SQL expression yields, which must not be NULL."""
        query = f"SELECT {expression}".encode()
        result = self._connection.pgconn.exec_params(query, [], result_format=BINARY)
        if result.status != ExecStatus.TUPLES_OK:
            raise ValueError(result.get_error_message())
        value = result.get_value(0, 0)
        assert value is not None
        return result.ftype(0), value

    def _echo(
        self, oid: int, values: Sequence[bytes | None], sent: int, received: int
    ) -> Iterator[bytes | None]:
        for start in range(0, len(values), BATCH):
            batch = values[start : start + BATCH]
            count = len(batch)
            query = "SELECT " + ", ".join(f"${i}" for i in range(1, count + 1))
            result = self._connection.pgconn.exec_params(
                query.encode(), batch, [oid] * count, [sent] * count, received
            )
            if result.status != ExecStatus.TUPLES_OK:
                raise ValueError(result.get_error_message())
            for column in range(count):
                yield result.get_value(0, column)
