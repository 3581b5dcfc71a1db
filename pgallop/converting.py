"""A result that has come in another form than its codecs read.

That happens when a statement is run before its types are known, or after they have changed: a type
that is read as text has come in binary, or the other way. It has run, and must not run again, so
the server is asked for the other form of the values: a `SELECT $1` each, all in one trip.
"""

from typing import TYPE_CHECKING, Any

from pgallop.errors import DataError, PostgresError
from pgallop.rows.record import Record
from pgallop.session.convert import Convert
from pgallop.session.execute import Execute, Unreadable

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch

# So many values at a time.
CHUNK = 1000


async def readable(
    dispatch: "Dispatch",
    request: Execute,
    unreadable: Unreadable,
    deadline: float | None,
    timeout: float | None,
) -> tuple[list[Record], bytes]:
    """The rows and the command tag of `request`, with all values as their codecs read them."""
    decoder = unreadable.decoder
    rows = [list(row) for row in request.all_rows()]
    for i in unreadable.columns:
        codec = dispatch.registry.get(decoder.codecs[i].oid)
        values = list({row[i]: None for row in rows if row[i] is not None})
        known: dict[bytes, Any] = {}
        for start in range(0, len(values), CHUNK):
            chunk = values[start : start + CHUNK]
            convert = Convert(dispatch.new_future(), chunk, codec.oid, decoder.codecs[i].format)
            try:
                converted = await dispatch.answered(convert, deadline, timeout)
                known.update(zip(chunk, map(codec.loads, converted), strict=True))
            except (PostgresError, ValueError) as error:
                raise DataError(
                    f"column {decoder.shape.names[i]!r} ({codec.name}) cannot be read: {error}",
                    hint="the statement has run; cast the column to text in it",
                ) from error
        for row in rows:
            if row[i] is not None:
                row[i] = known[row[i]]
    return [Record(decoder.shape, tuple(row)) for row in rows], request.command
