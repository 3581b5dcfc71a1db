"""A result that has come in another form than its codecs read.

That happens when a statement is run before its types are known, or after they have changed: a type
that is read as text has come in binary, or the other way. It has run, and must not run again, so
the server is asked for the other form of the values: a `SELECT $1` each, all in one trip.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from pgallop import resolving
from pgallop.codecs.codec import Unresolved
from pgallop.errors import (
    DataError,
    InFailedSQLTransactionError,
    InterfaceError,
    PostgresConnectionError,
    PostgresError,
    QueryCanceledError,
)
from pgallop.rows.record import Record
from pgallop.session.convert import Convert
from pgallop.session.execute import Execute, Unreadable

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch

# So many values are converted in one trip, and so many rows are looked at in one turn of the loop.
CHUNK = 1000

# Errors that say nothing of the values.
TELLING_NOTHING = (InFailedSQLTransactionError, PostgresConnectionError, QueryCanceledError)


async def readable(
    dispatch: "Dispatch",
    request: Execute,
    unreadable: Unreadable,
    deadline: float | None,
    timeout: float | None,
) -> tuple[list[Record], bytes]:
    """The rows and the command tag of `request`, with all values as their codecs read them."""
    decoder = unreadable.decoder
    rows = request.all_rows()
    # By column, the values as they came and as they are.
    values: dict[int, dict[bytes, Any]] = {i: {} for i in unreadable.columns}
    for start in range(0, len(rows), CHUNK):
        for row in rows[start : start + CHUNK]:
            for i, known in values.items():
                if row[i] is not None:
                    known[row[i]] = None
        await asyncio.sleep(0)
    for i, known in values.items():
        column = decoder.shape.names[i], decoder.codecs[i].oid, decoder.codecs[i].format
        await read_values(dispatch, column, known, deadline, timeout)
    for start in range(0, len(rows), CHUNK):
        for k in range(start, min(start + CHUNK, len(rows))):
            fields = list(rows[k])
            for i, known in values.items():
                fields[i] = None if fields[i] is None else known[fields[i]]
            rows[k] = Record(decoder.shape, tuple(fields))
        await asyncio.sleep(0)
    return rows, request.command


async def read_values(
    dispatch: "Dispatch",
    column: tuple[str, int, int],
    known: dict[bytes, Any],
    deadline: float | None,
    timeout: float | None,
) -> None:
    """Fill in what the values of a column are, which has a name, a type and came in a format."""
    name, oid, format = column
    if isinstance(dispatch.registry.get(oid), Unresolved):
        question = resolving.question(dispatch)
        resolving.learn(dispatch, await turned(dispatch, question, deadline, timeout))
    codec = dispatch.registry.get(oid)
    wanted = list(known)
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        try:
            readable = chunk
            if codec.format != format:
                convert = Convert(dispatch.new_future(), chunk, oid, format)
                readable = await turned(dispatch, convert, deadline, timeout)
            known.update(zip(chunk, map(codec.loads, readable), strict=True))
        except TELLING_NOTHING:
            raise
        except (PostgresError, ValueError) as error:
            raise DataError(
                f"column {name!r} ({codec.name}) cannot be read: {error}",
                hint="the statement has run; cast the column to text in it",
            ) from error
        await asyncio.sleep(0)


async def turned(
    dispatch: "Dispatch", convert: Convert, deadline: float | None, timeout: float | None
) -> list[bytes]:
    """What the server makes of the values, asked in no other task's transaction."""
    try:
        await dispatch.ownership.my_turn(dispatch.ownership.mine(), deadline, timeout)
        return await dispatch.answered(convert, deadline, timeout)  # type: ignore[no-any-return]
    except (PostgresError, InterfaceError) as error:
        # Nothing of this was sent, perhaps, but the statement that it is about has run.
        vars(error)["safe_to_retry"] = False
        vars(error)["hint"] = "the statement has run; only its result could not be read"
        raise
