"""ParameterDescription and RowDescription."""

from __future__ import annotations

from struct import pack

from catalogue_script import asked
from hostile.probe import ONE, ONE_ROW, Probe, description, execute, fetch, finished, prepare, said
from scripted_server import expect, send
from scripts import (
    BIND_COMPLETE,
    INT4,
    NO_DATA,
    PARSE_COMPLETE,
    TEXT,
    column,
    data_row,
    int4,
    message,
    parameter_description,
    ready_for_query,
    row_description,
)

import pgallop
from pgallop import limits

READY = ready_for_query()
NONE = parameter_description()


def parameters(name: str, body: bytes, words: str) -> Probe:
    return Probe(
        name=name, script=prepare(PARSE_COMPLETE, message("t", body)), ask=fetch, words=words
    )


def columns(name: str, body: bytes, words: str) -> Probe:
    script = prepare(PARSE_COMPLETE, NONE, message("T", body))
    return Probe(name=name, script=script, ask=fetch, words=words)


PARAMETERS = [
    parameters("parameters: nothing", b"", "announced 2 bytes where 0 remain"),
    parameters("parameters: half a count", b"\0", "announced 2 bytes where 1 remain"),
    parameters(
        "parameters: 65,535 of them in 4 bytes",
        b"\xff\xff" + int4(INT4),
        "ParameterDescription of 65535 types in 4 bytes",
    ),
    parameters(
        "parameters: one more than announced",
        b"\0\1" + int4(INT4) * 2,
        "ParameterDescription of 1 types in 8 bytes",
    ),
    parameters(
        "parameters: one less than announced",
        b"\0\2" + int4(INT4),
        "ParameterDescription of 2 types in 4 bytes",
    ),
    parameters(
        "parameters: half a type", b"\0\1\0\0", "ParameterDescription of 1 types in 2 bytes"
    ),
    Probe(
        name="parameters: one, where none was given",
        script=prepare(description(ONE, parameters=[INT4])),
        ask=fetch,
        options={"describe_first": True},
        error=pgallop.InterfaceError,
        words="expects 1 argument, 0 given",
        usable=True,
    ),
    Probe(
        name="parameters: 100,000 of unknown types",
        script=prepare(
            PARSE_COMPLETE,
            message("t", pack("!H", 100_000 & 0xFFFF) + int4(1_000_000) * 100_000),
            NO_DATA,
            READY,
        ),
        ask=lambda conn: conn.fetch("SELECT $1", 1),
        error=pgallop.InterfaceError,
        words="100000 parameters, a statement may have 65535",
        megabytes=32.0,
        block=0.5,
        usable=True,
    ),
    Probe(
        name="parameters: none, where one was given",
        script=prepare(description(ONE)),
        ask=lambda conn: conn.fetch("SELECT $1", 1),
        error=pgallop.InterfaceError,
        words="expects 0 arguments, 1 given",
        usable=True,
    ),
]

GOOD = column("one", INT4)

COLUMNS = [
    columns("columns: nothing", b"", "announced 2 bytes where 0 remain"),
    columns("columns: half a count", b"\0", "announced 2 bytes where 1 remain"),
    columns("columns: 65,535 of them in 24 bytes", b"\xff\xff" + GOOD, "RowDescription of 65535"),
    columns(
        f"columns: one more than {limits.MAX_COLUMNS}",
        pack("!H", limits.MAX_COLUMNS + 1) + column("", INT4) * (limits.MAX_COLUMNS + 1),
        f"{limits.MAX_COLUMNS} are allowed",
    ),
    columns("columns: 1,000 in 24 bytes", b"\x03\xe8" + GOOD, "RowDescription of 1000 columns"),
    columns(
        "columns: two announced and one there",
        b"\0\2" + column("x" * 30, INT4),
        "does not end within its message",
    ),
    columns("columns: one announced and two there", b"\0\1" + GOOD * 2, "left over"),
    columns("columns: none announced and one there", b"\0\0" + GOOD, "left over"),
    columns("columns: a name without an end", b"\0\1" + b"x" * 40, "does not end within"),
    columns("columns: a name and no type", b"\0\1" + b"x" * 18 + b"\0", "where 0 remain"),
    columns(
        "columns: half a type",
        b"\0\1" + GOOD[:-3],
        "RowDescription of 1 columns in" if len(GOOD) - 3 < 19 else "remain",
    ),
    columns("columns: format code 2", b"\0\1" + column("one", INT4, 2), "unknown format code 2"),
    columns("columns: format code -1", b"\0\1" + column("one", INT4, -1), "unknown format code -1"),
    Probe(
        name="columns: a name that is not UTF-8",
        script=[
            *prepare(
                PARSE_COMPLETE, NONE, message("T", b"\0\1" + column(b"\xff\xfe", INT4)), READY
            ),
            expect("Bind", "Execute", "Sync"),
            *said(BIND_COMPLETE, ONE_ROW, finished()),
        ],
        ask=fetch,
        error=None,
        value=[(1,)],
        usable=True,
    ),
    Probe(
        name="columns: a name of 60 KB",
        script=[
            *prepare(PARSE_COMPLETE, NONE, row_description(("x" * 60_000, INT4)), READY),
            expect("Bind", "Execute", "Sync"),
            *said(BIND_COMPLETE, data_row(b"no int"), finished()),
        ],
        ask=fetch,
        words="has 6 bytes, which is not what its type int4 takes",
    ),
    Probe(
        name="columns: 1,664 of the same name",
        script=execute(
            BIND_COMPLETE,
            data_row(*[int4(1)] * 1664),
            finished(),
            columns=[ONE] * 1664,
        ),
        ask=fetch,
        error=None,
        value=[(1,) * 1664],
        usable=True,
    ),
    Probe(
        name="columns: none, and a row of none",
        script=execute(BIND_COMPLETE, data_row(), finished(), columns=[]),
        ask=fetch,
        error=None,
        value=[()],
        usable=True,
    ),
    Probe(
        name="columns: a type nobody knows, whose text is not UTF-8",
        script=[
            *prepare(description(("odd", 1_000_000))),
            *asked(),
            expect("Bind", "Execute", "Sync"),
            send(BIND_COMPLETE + data_row(b"\xff\xfe") + finished()),
        ],
        ask=fetch,
        options={"describe_first": True},
        error=pgallop.DataError,
        words="column 'odd'",
        usable=True,
    ),
    Probe(
        name="columns: described in text, sent in binary",
        script=[
            *prepare(PARSE_COMPLETE, NONE, message("T", b"\0\1" + column("t", TEXT, 0)), READY),
            expect("Bind", "Execute", "Sync"),
            *said(BIND_COMPLETE, data_row(b"\xff\xfe"), finished()),
        ],
        ask=fetch,
        error=pgallop.DataError,
        words="column 't' (text)",
        usable=True,
    ),
    Probe(
        name="columns: others at execution than were described",
        script=execute(BIND_COMPLETE, data_row(int4(1), b"more"), finished(), columns=[ONE]),
        ask=fetch,
        words="a row does not have the 1 columns that were described",
    ),
    Probe(
        name="columns: NoData, and a row",
        script=[
            *prepare(PARSE_COMPLETE, NONE, NO_DATA, READY),
            expect("Bind", "Execute", "Sync"),
            *said(BIND_COMPLETE, ONE_ROW, finished()),
        ],
        ask=fetch,
        words="a row of a statement that returns none",
    ),
]

PROBES = [*PARAMETERS, *COLUMNS]
