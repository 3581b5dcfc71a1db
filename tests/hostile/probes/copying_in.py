"""COPY into a table: servers that end it early, describe other columns, or do not listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from hostile.probe import ONE, Ask, Probe, description, finished, prepare, said
from scripted_server import WELCOME, Script, Step, close, expect, flood, wait
from scripts import (
    BIND_COMPLETE,
    COPY_DONE,
    NO_DATA,
    PARSE_COMPLETE,
    TEXT,
    command_complete,
    copy_data,
    copy_response,
    error_response,
    int2,
    message,
    notice_response,
    parameter_description,
    ready_for_query,
    row_description,
)

import pgallop
from pgallop.connection import Connection

PARSED = PARSE_COMPLETE + BIND_COMPLETE
INTO = copy_response("G", 0)
INTO_BINARY = copy_response("G", 1, format=1)
ERROR = error_response("22012", "division by zero")
PIECE = b"1\n" * 50_000


async def copy_bytes(conn: Connection) -> object:
    return await conn.copy_to_table("t", source=b"1\n")


async def copy_records(conn: Connection) -> object:
    return await conn.copy_records_to_table("t", records=[(1,)])


async def copy_on(conn: Connection) -> object:
    """The source does not come to its end."""

    async def source() -> AsyncIterator[bytes]:
        yield PIECE
        await asyncio.sleep(60)

    return await conn.copy_to_table("t", source=source())


async def copy_for_ever(conn: Connection) -> object:
    """The source has as much as anybody takes."""

    async def source() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield PIECE

    try:
        return await conn.copy_to_table("t", source=source(), timeout=1)
    except TimeoutError:
        await asyncio.sleep(0.5)  # what is left of it is closed after its drain_timeout
        raise


def whole(*what: bytes | Step) -> Script:
    """Said in answer to a COPY of bytes that is sent to its end."""
    asked = expect("Parse", "Bind", "Execute", "CopyData", "CopyDone", "Sync")
    return [*WELCOME, asked, *said(*what)]


def begun(*what: bytes | Step) -> Script:
    """Said when the first piece has come, and no other one will."""
    return [*WELCOME, expect("Parse", "Bind", "Execute", "CopyData"), *said(*what)]


def of_records(*what: bytes | Step) -> Script:
    """Said in answer to a COPY of a record of one int4."""
    asked = expect("Describe", "Parse", "Bind", "Execute", "CopyData", "CopyDone", "Sync")
    return [*prepare(description(ONE)), asked, *said(*what)]


DESCRIBED = parameter_description() + row_description(ONE)

WHOLE = [
    ("the end before the response", [PARSED, command_complete("COPY 1")], "illegal b'C'"),
    ("CopyOutResponse", [PARSED, copy_response("H", 0)], "illegal b'H'"),
    ("CopyBothResponse", [PARSED, copy_response("W", 0)], "illegal b'W'"),
    ("the response in front of all", [INTO], "illegal b'G'"),
    ("the response twice", [PARSED, INTO, INTO], "illegal b'G'"),
    ("data", [PARSED, INTO, copy_data(b"1\n")], "illegal b'd'"),
    ("CopyDone", [PARSED, INTO, COPY_DONE], "illegal b'c'"),
    ("a row", [PARSED, INTO, message("D", b"\0\0")], "illegal b'D'"),
    ("no end", [PARSED, INTO, ready_for_query()], "illegal b'Z'"),
    ("the end twice", [PARSED, INTO, command_complete("COPY 1") * 2], "illegal b'C'"),
    ("ParseComplete twice", [PARSE_COMPLETE * 2], "illegal b'1'"),
    ("65,535 columns in 3 bytes", [PARSED, message("G", b"\0\xff\xff")], "65535 columns in 0"),
    ("a response in format 2", [PARSED, message("G", b"\2\0\0")], "unknown formats"),
    ("a response of two formats", [PARSED, message("G", b"\0\0\1" + int2(1))], "unknown formats"),
    ("a response without a body", [PARSED, message("G")], "announced 1 bytes"),
]
BEGUN = [
    ("success before the end", [PARSED, INTO, command_complete("COPY 1")], "before its data"),
    ("ReadyForQuery behind the response", [PARSED, INTO, ready_for_query()], "illegal b'Z'"),
]
RECORDS = [
    (
        "other columns, and no error",
        [parameter_description(), row_description(("one", TEXT))],
        "other columns than it has described",
    ),
    ("more columns, and no error", [parameter_description(), row_description(ONE, ONE)], "other"),
    ("no columns", [parameter_description(), NO_DATA], "illegal b'n'"),
    ("no description", [PARSED], "illegal b'1'"),
    ("columns in front of parameters", [row_description(ONE)], "illegal b'T'"),
]


def lies(name: str, script: Script, words: str, ask: Ask) -> Probe:
    return Probe(name=name, script=script, ask=ask, words=words)


def other_columns(name: str, response: bytes, words: str) -> Probe:
    """The response to COPY is not what was described, and the server then refuses the data."""
    said = (DESCRIBED, PARSED, response, ERROR, ready_for_query())
    return Probe(
        name=name,
        script=of_records(*said),
        ask=copy_records,
        error=pgallop.InterfaceError,
        words=words,
        usable=True,
    )


PROBES = [
    *(lies(f"bytes: {name}", whole(*what), words, copy_bytes) for name, what, words in WHOLE),
    *(lies(f"begun: {name}", begun(*what), words, copy_on) for name, what, words in BEGUN),
    *(
        lies(f"records: {name}", of_records(*what), words, copy_records)
        for name, what, words in RECORDS
    ),
    other_columns(
        "records: COPY of another number of columns",
        copy_response("G", 1, 1, format=1),
        "COPY takes 2 columns",
    ),
    other_columns("records: COPY in text", copy_response("G", 0), "COPY takes 1 column"),
    Probe(
        name="records: all as it should be",
        script=of_records(DESCRIBED, PARSED, INTO_BINARY, finished("COPY 1")),
        ask=copy_records,
        error=None,
        value="COPY 1",
        usable=True,
    ),
    Probe(
        name="an error while the source has nothing to give",
        script=begun(PARSED, INTO, ERROR, expect("Sync"), ready_for_query()),
        ask=copy_on,
        error=pgallop.DivisionByZeroError,
        words="division by zero",
        usable=True,
    ),
    Probe(
        name="ReadyForQuery without a Sync",
        # In one piece: behind the error alone the client would have sent its Sync.
        script=begun(PARSED, INTO + ERROR + ready_for_query()),
        ask=copy_on,
        error=pgallop.DivisionByZeroError,
        words="division by zero",
    ),
    Probe(
        name="the end while the source has nothing to give",
        script=begun(PARSED, INTO, close()),
        ask=copy_on,
        error=pgallop.ConnectionDoesNotExistError,
        words="closed",
    ),
    Probe(
        name="a server that does not read",
        script=[*WELCOME, wait(3)],
        ask=copy_for_ever,
        error=TimeoutError,
        words="within 1 seconds",
        options={"drain_timeout": 0.2},
        seconds=6,
    ),
    Probe(
        name="32 MB of notices from one that does not read",
        # In one piece, here too; behind the notices it would be cut where their buffers end.
        script=begun(
            flood(notice_response("x" * 8192), 4000), wait(0.1), ERROR + ready_for_query()
        ),
        ask=copy_for_ever,
        error=pgallop.DivisionByZeroError,
        words="division by zero",
        options={"drain_timeout": 0.2},
        seconds=6,
    ),
]
