"""What the crowd that copies does on its shared connection: COPY in both directions, and others.

As in operations.py each writes its nonce and checks it in all that it gets back.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator

from chaos.operations import (
    SCHEMA,
    Call,
    Misdelivered,
    Operation,
    Undo,
    echo,
    insert,
    insert_step,
    slow_echo,
    transaction,
)

import pgallop

# Rows that are mostly padding, so that a few of them are several pieces; it may take the server a
# while to store them.
COPY_SCHEMA = (
    SCHEMA
    + """;
    CREATE VIEW {schema}.padded AS SELECT 0 AS nonce, 0 AS step, ''::text AS padding;
    CREATE FUNCTION {schema}.unpad() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO {schema}.ledger VALUES (NEW.nonce, NEW.step);
        PERFORM pg_sleep(0.001) WHERE NEW.padding LIKE 's%';
        RETURN NEW;
    END $$;
    CREATE TRIGGER unpadding INSTEAD OF INSERT ON {schema}.padded
        FOR EACH ROW EXECUTE FUNCTION {schema}.unpad()
"""
)

STEPS = tuple(range(1, 21))
PADDING = 20_000

# Rows of copy_out and its relatives.
COUNT = 4000
QUERY = f"SELECT $1::int AS nonce, n, repeat('x', 50) FROM generate_series(1, {COUNT}) AS n"


def rows(call: Call, letter: str = "x") -> Iterator[tuple[int, int, str]]:
    for step in STEPS:
        yield call.nonce, step, letter * PADDING


async def slowly(call: Call) -> AsyncIterator[tuple[int, int, str]]:
    for row in rows(call, call.chance.choice("xs")):
        if call.chance.random() < 0.2:
            await asyncio.sleep(call.moment())
        yield row


def as_text(row: tuple[int, int, str]) -> bytes:
    return b"%d\t%d\t%s\n" % (row[0], row[1], row[2].encode())


# --- into a table ---------------------------------------------------------------------------------


async def copy_records(call: Call) -> None:
    records = [(call.nonce, step) for step in STEPS]
    tag = await call.conn.copy_records_to_table("ledger", records=records, timeout=call.timeout)
    call.expect(tag, f"COPY {len(STEPS)}")


async def copy_long_records(call: Call) -> None:
    records = rows(call) if call.chance.random() < 0.5 else slowly(call)
    tag = await call.conn.copy_records_to_table("padded", records=records, timeout=call.timeout)
    call.expect(tag, f"COPY {len(STEPS)}")


async def copy_bytes(call: Call) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        async for row in slowly(call):
            text = as_text(row)
            middle = call.chance.randrange(len(text))
            yield text[:middle]
            yield text[middle:]

    tag = await call.conn.copy_to_table("padded", source=chunks(), timeout=call.timeout)
    call.expect(tag, f"COPY {len(STEPS)}")


async def copy_file(call: Call) -> None:
    file = io.BytesIO(b"".join(map(as_text, rows(call, "s"))))
    tag = await call.conn.copy_to_table("padded", source=file, timeout=call.timeout)
    call.expect(tag, f"COPY {len(STEPS)}")


async def copy_from_a_failing_source(call: Call) -> None:
    async def failing() -> AsyncIterator[tuple[int, int, str]]:
        until = call.chance.choice((1, 5, 20))
        async for row in slowly(call):
            yield row
            if row[1] == until:
                raise Undo("w" * 12_000)

    try:
        await call.conn.copy_records_to_table("padded", records=failing(), timeout=call.timeout)
    except Undo:
        return
    raise Misdelivered(f"{call.nonce}: no error for a source that fails")


async def copy_what_is_refused(call: Call) -> None:
    async def wrong() -> AsyncIterator[bytes]:
        until = call.chance.choice((1, 5, 19))
        async for row in slowly(call):
            yield as_text(row) if row[1] != until else b"no number\t1\t\n"

    try:
        await call.conn.copy_to_table("padded", source=wrong(), timeout=call.timeout)
    except pgallop.InvalidTextRepresentationError:
        return
    raise Misdelivered(f"{call.nonce}: no error for data that is none")


async def copy_in_a_transaction(call: Call) -> None:
    async with call.conn.transaction():
        await call.conn.copy_records_to_table("padded", records=slowly(call))
        await insert_step(call, len(STEPS) + 1)


# --- from a table ---------------------------------------------------------------------------------


def check(call: Call, data: bytes) -> None:
    lines = data.splitlines()
    call.expect(len(lines), COUNT)
    call.expect({line.split(b"\t")[0] for line in lines}, {b"%d" % call.nonce})
    call.expect(lines[-1].split(b"\t")[1], b"%d" % COUNT)


async def copy_out(call: Call) -> None:
    data = io.BytesIO()
    tag = await call.conn.copy_from_query(QUERY, call.nonce, output=data, timeout=call.timeout)
    call.expect(tag, f"COPY {COUNT}")
    check(call, data.getvalue())


async def copy_to_a_slow_sink(call: Call) -> None:
    data = bytearray()

    async def sink(block: bytes) -> None:
        await asyncio.sleep(call.moment())
        data.extend(block)

    query = f"{QUERY}, pg_sleep($2)"
    seconds = call.moment()
    await call.conn.copy_from_query(query, call.nonce, seconds, output=sink, timeout=call.timeout)
    check(call, bytes(data))


async def copy_to_a_failing_sink(call: Call) -> None:
    async def sink(block: bytes) -> None:
        await asyncio.sleep(call.moment())
        if call.chance.random() < 0.5:
            raise Undo

    try:
        query = f"{QUERY} ORDER BY n"
        await call.conn.copy_from_query(query, call.nonce, output=sink, timeout=call.timeout)
    except Undo:
        return


async def copy_rows(call: Call) -> None:
    """All of them, or up to where the loop is left."""
    until = call.chance.choice((1, 1000, COUNT))
    copied = call.conn.copy_rows_from_query(QUERY, call.nonce, timeout=call.timeout)
    async with copied as rows:
        for n in range(1, until + 1):
            row = await anext(rows)
            call.expect(row[:2], (call.nonce, n))


COPIES = (
    Operation(echo, 40),
    Operation(slow_echo, 10),
    Operation(insert, 10, [(1,)], [(), (1,)]),
    Operation(transaction, 5, [(1, 2)], [(), (1, 2)], True),
    Operation(copy_records, 30, [STEPS], [(), STEPS]),
    Operation(copy_long_records, 30, [STEPS], [(), STEPS]),
    Operation(copy_bytes, 20, [STEPS], [(), STEPS]),
    Operation(copy_file, 10, [STEPS], [(), STEPS]),
    Operation(copy_from_a_failing_source, 10),
    Operation(copy_what_is_refused, 10),
    Operation(copy_in_a_transaction, 5, [(*STEPS, 21)], [(), (*STEPS, 21)], True),
    Operation(copy_out, 20),
    Operation(copy_to_a_slow_sink, 20),
    Operation(copy_to_a_failing_sink, 10),
    Operation(copy_rows, 20),
)
