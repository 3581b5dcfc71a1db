"""A result that has come in another form than its codecs read.

That happens when a statement is run before its types are known, or after they have changed: nothing
is known of a type, a composite has other fields than it had, a type that is read as text has come
in binary, or the other way. The statement has run, and must not run again. So the catalogue is
asked about types of which it is to be known, and the server for the other form of values that have
come in one that their codec does not read: a `SELECT $1` each, all in one trip.
"""

import asyncio
from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pgallop import resolving
from pgallop.codecs.codec import Codec, TypesNeeded
from pgallop.errors import (
    DataError,
    InFailedSQLTransactionError,
    InterfaceError,
    PostgresConnectionError,
    PostgresError,
    QueryCanceledError,
)
from pgallop.into import built
from pgallop.ownership import Block
from pgallop.rows.building import Unbuilt
from pgallop.rows.decode import RowDecoder
from pgallop.rows.record import Record
from pgallop.rows.typed import typed_rows
from pgallop.session.convert import Convert
from pgallop.session.execute import Execute, Part, Unreadable
from pgallop.session.simple_rows import SimpleRows

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch

# So many values are converted in one trip, and so many rows are looked at in one turn of the loop.
CHUNK = 1000

# How often the catalogue is asked because of one result: each time new types may turn up in
# records, whose fields tell their types only when they are read.
TRIES = 10

# Errors that say nothing of the values.
TELLING_NOTHING = (InFailedSQLTransactionError, PostgresConnectionError, QueryCanceledError)

# The values of some columns, by their numbers.
Columns = dict[int, list[Any]]


async def readable(
    dispatch: "Dispatch",
    request: Execute | SimpleRows,
    unreadable: Unreadable,
    deadline: float | None,
    timeout: float | None,
    stream: Block | None = None,
) -> tuple[list[Record], bytes]:
    """The rows and the command tag of `request`, with all values as their codecs read them.

    `stream`: the block of the stream whose rows they are.
    """
    rows = request.all_rows()
    ends = [*[part.first for part in unreadable.parts[1:]], len(rows)]
    parts = list(zip(unreadable.parts, ends, strict=True))
    needed = set(unreadable.oids)
    dispatch.types.doubt(needed)
    for tries in range(TRIES, -1, -1):
        await learn(dispatch, parts, needed, deadline, timeout, stream)
        try:
            found = [
                await read_part(dispatch, part, rows[part.first : end], deadline, timeout, stream)
                for part, end in parts
            ]
        except TypesNeeded as more:
            if not tries or not more.oids - needed:
                raise disagreement(more) from None
            needed |= more.oids
            dispatch.types.doubt(more.oids)
        else:
            for (part, end), columns in zip(parts, found, strict=True):
                await put_in(rows, part, end, columns)
            if request.into is None:
                return rows, unreadable.command
            before = 0 if isinstance(request, SimpleRows) else request.before
            made = await built(to_be_built(dispatch, request, unreadable), before)
            return made, unreadable.command
    raise AssertionError("the last try returns or raises")


def to_be_built(
    dispatch: "Dispatch", request: Execute | SimpleRows, unreadable: Unreadable
) -> Unbuilt:
    """The rows, which can be read now, for the caller's objects to be made of them."""
    first = unreadable.parts[0]
    # What read them knew less of their types.
    codecs = tuple([dispatch.registry.get(codec.oid) for codec in first.decoder.codecs])
    typed = typed_rows(RowDecoder(first.decoder.shape.names, codecs), request.into)
    return typed.unbuilt(request.all_rows(), first.first)


async def learn(
    dispatch: "Dispatch",
    parts: Collection[tuple[Part, int]],
    needed: Collection[int],
    deadline: float | None,
    timeout: float | None,
    stream: Block | None,
) -> None:
    """Ask about the types that are not known."""
    oids = {*needed, *[part.decoder.codecs[i].oid for part, _ in parts for i in part.columns]}
    missing, of_money = dispatch.types.unknown(oids)
    if missing or of_money:
        with telling_that_it_ran():
            await my_turn(dispatch, stream, deadline, timeout)
            await resolving.resolve(dispatch, oids, deadline, timeout)


def disagreement(needed: TypesNeeded) -> DataError:
    return DataError(
        f"a result cannot be read: {needed}, and the catalogue tells what was known before",
        hint="the statement has run; in a transaction with a snapshot from before a type was "
        "altered, the catalogue tells what the type was then",
    )


async def read_part(
    dispatch: "Dispatch",
    part: Part,
    rows: list[Record],
    deadline: float | None,
    timeout: float | None,
    stream: Block | None,
) -> Columns:
    """The values of the columns of some rows that are the bytes that have come."""
    # All at once: while the server is asked for anything, what is known of types may change.
    codecs = {i: dispatch.registry.get(part.decoder.codecs[i].oid) for i in part.columns}
    columns: Columns = {}
    for i, codec in codecs.items():
        come = part.decoder.codecs[i]
        name = part.decoder.shape.names[i]
        values = [row[i] for row in rows]
        if dispatch.simple:
            from pgallop.codecs.textual import textual

            columns[i] = await read_column(textual(codec), name, values)
        elif codec.format == come.format:
            columns[i] = await read_column(codec, name, values)
        else:
            other = await converted(dispatch, come, name, values, deadline, timeout, stream)
            columns[i] = await read_column(codec, name, other)
    return columns


async def read_column(codec: Codec, name: str, values: list[Any]) -> list[Any]:
    """What the bytes of values are."""
    found: list[Any] = []
    for start in range(0, len(values), CHUNK):
        try:
            chunk = values[start : start + CHUNK]
            found += [None if value is None else codec.loads(value) for value in chunk]
        except ValueError as error:
            raise cannot_be_read(codec, name, error) from error
        await asyncio.sleep(0)
    return found


def cannot_be_read(codec: Codec, name: str, error: Exception) -> DataError:
    return DataError(
        f"column {name!r} ({codec.name}) cannot be read: {error}",
        hint="the statement has run; cast the column to text in it",
    )


async def put_in(rows: list[Record], part: Part, end: int, columns: Columns) -> None:
    """Put values in the place of bytes."""
    if not columns:
        return
    for start in range(part.first, end, CHUNK):
        for k in range(start, min(start + CHUNK, end)):
            fields = list(rows[k])
            for i, values in columns.items():
                fields[i] = values[k - part.first]
            rows[k] = Record(part.decoder.shape, tuple(fields))
        await asyncio.sleep(0)


async def converted(
    dispatch: "Dispatch",
    come: Codec,
    name: str,
    values: list[bytes | None],
    deadline: float | None,
    timeout: float | None,
    stream: Block | None,
) -> list[bytes | None]:
    """The same values in the other form than that in which they have come."""
    different = list(dict.fromkeys([value for value in values if value is not None]))
    known: dict[bytes | None, bytes | None] = {None: None}
    for start in range(0, len(different), CHUNK):
        chunk = different[start : start + CHUNK]
        convert = Convert(dispatch.new_future(), chunk, come.oid, come.format)
        try:
            with telling_that_it_ran():
                await my_turn(dispatch, stream, deadline, timeout)
                answer = await dispatch.answered(convert, deadline, timeout)
        except TELLING_NOTHING:
            raise
        except PostgresError as error:
            raise cannot_be_read(dispatch.registry.get(come.oid), name, error) from error
        known.update(zip(chunk, answer, strict=True))
        await asyncio.sleep(0)
    return [known[value] for value in values]


async def my_turn(
    dispatch: "Dispatch", stream: Block | None, deadline: float | None, timeout: float | None
) -> None:
    """Wait until the server may be asked, in the block of a stream if they are its rows."""
    block = dispatch.ownership.mine() if stream is None else stream
    await dispatch.ownership.my_turn(block, deadline, timeout)


@contextmanager
def telling_that_it_ran() -> Generator[None]:
    """Have what goes wrong say so: nothing of it was sent, perhaps, but the statement has run."""
    try:
        yield
    except (PostgresError, InterfaceError) as error:
        vars(error)["safe_to_retry"] = False
        vars(error)["hint"] = "the statement has run; only its result could not be read"
        raise
