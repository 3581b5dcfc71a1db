"""COPY that nobody asked for, data that is none, and directions that were not agreed."""

from __future__ import annotations

import io

from hostile.probe import (
    ONE,
    Ask,
    Probe,
    description,
    execute,
    fetch,
    finished,
    prepare,
    rows,
    run_script,
    said,
    simple,
)
from scripted_server import Script, close, expect
from scripts import (
    BIND_COMPLETE,
    COPY_DONE,
    COPY_HEADER,
    COPY_TRAILER,
    PARSE_COMPLETE,
    command_complete,
    copy_data,
    copy_response,
    copy_row,
    data_row,
    error_response,
    int4,
    message,
    notice_response,
    parameter_description,
    ready_for_query,
    row_description,
)

import pgallop
from pgallop.connection import Connection

OUT = copy_response("H", 0)
INTO = copy_response("G", 0)
BOTH = copy_response("W", 0)
REFUSED = pgallop.UnsupportedClientFeatureError
CANCELED = error_response("57014", "COPY from stdin failed: ...") + ready_for_query()


async def copy_out(conn: Connection) -> object:
    """What a COPY to the client has brought."""
    buffer = io.BytesIO()
    await conn.copy_from_query("SELECT 1", output=buffer)
    return buffer.getvalue()


async def copy_rows(conn: Connection) -> object:
    """The rows of one, as tuples."""
    return [tuple(row) async for row in conn.copy_rows_from_query("SELECT 1")]


async def copy_argument(conn: Connection) -> object:
    """A COPY with an argument whose text the server makes."""
    await conn.copy_from_query("SELECT $1", 1, output=io.BytesIO())
    return None


def copied(*what: bytes) -> Script:
    """Said in answer to COPY, as bytes."""
    return simple(*what)


def copied_rows(*what: bytes) -> Script:
    """Said where the response to COPY is due, as rows of one int4."""
    asked = expect("Parse", "Describe", "Parse", "Bind", "Execute", "Sync")
    parsed = [PARSE_COMPLETE, parameter_description(), row_description(ONE), PARSE_COMPLETE]
    return [*prepare(description(ONE)), asked, *said(*parsed, BIND_COMPLETE, *what)]


def texts(*what: bytes) -> Script:
    """Said in answer to the question how a numeric is written."""
    numeric = PARSE_COMPLETE + parameter_description(1700) + row_description(ONE)
    asked = expect(*("Parse", "Bind", "Execute") * 2, "Sync")
    settings = PARSE_COMPLETE + BIND_COMPLETE + data_row(b"ISO", b"postgres", b"3")
    settings += command_complete("SELECT 1")
    return [*prepare(numeric + ready_for_query()), asked, *said(settings, *what)]


def lies(name: str, script: Script, words: str, ask: Ask = fetch) -> Probe:
    return Probe(name=name, script=script, ask=ask, words=words)


def broken_off(name: str, script: Script, ask: Ask = fetch) -> Probe:
    """A COPY that is refused by us, which is what is reported, and then breaks the protocol."""
    return Probe(name=name, script=script, ask=ask, error=REFUSED, words="COPY ")


def refused(name: str, script: Script, words: str, ask: Ask = fetch) -> Probe:
    """A COPY that is in order, and that a plain call cannot do."""
    return Probe(name=name, script=script, ask=ask, error=REFUSED, words=words, usable=True)


IN_BINARY = copy_response("H", 1, format=1)
ROW = copy_row(int4(1))

# Each as the answer to a COPY of ours: what is wrong, what is said, and words of the error.
BYTES = [
    ("data in front of the response", [copy_data(b"x")], "illegal b'd'"),
    ("CopyInResponse", [INTO], "illegal b'G'"),
    ("CopyBothResponse", [BOTH], "illegal b'W'"),
    ("the response twice", [OUT, OUT], "illegal b'H'"),
    ("a row", [OUT, message("D", b"\0\0")], "illegal b'D'"),
    ("CopyDone twice", [OUT, COPY_DONE, COPY_DONE], "illegal b'c'"),
    ("data behind the end", [OUT, COPY_DONE, copy_data(b"x")], "illegal b'd'"),
    ("an end without CopyDone", [OUT, command_complete("COPY 1")], "illegal b'C'"),
    ("no end", [OUT, copy_data(b"x"), ready_for_query()], "illegal b'Z'"),
    ("another COPY behind it", [OUT, COPY_DONE, command_complete("COPY 0"), OUT], "illegal b'H'"),
    (
        "65,535 columns in a response of 3 bytes",
        [message("H", b"\0\xff\xff")],
        "65535 columns in 0",
    ),
    ("a response without a body", [message("H")], "announced 1 bytes"),
    ("a response in format 2", [message("H", b"\2\0\0")], "unknown formats"),
    ("data of length 3", [OUT, message("d", b"", 3)], "announced a b'd' message of 3 bytes"),
    ("data of length -1", [OUT, message("d", b"", -1)], "message of -1 bytes"),
    ("data of 2 GB", [OUT, message("d", b"", 2**31 - 1)], "message of 2147483647 bytes"),
]
ROWS = [
    ("a response in text", [copy_response("H", 0)], "COPY of 1 columns in format 0"),
    ("a response of other columns", [copy_response("H", 1, 1, format=1)], "COPY of 2 columns"),
    ("no header", [IN_BINARY, copy_data(ROW * 4)], "begin with its signature"),
    ("half a header", [IN_BINARY, copy_data(COPY_HEADER[:15])], "announced 4 bytes"),
    ("rows with OIDs", [IN_BINARY, copy_data(COPY_HEADER[:11] + b"\0\1" + bytes(6))], "0x00010000"),
    (
        "a header of 2 GB",
        [IN_BINARY, copy_data(COPY_HEADER[:15] + int4(2**31 - 1) + ROW)],
        "announced 2147483647 bytes",
    ),
    ("a header of -1", [IN_BINARY, copy_data(COPY_HEADER[:15] + int4(-1))], "announced -1 bytes"),
    (
        "a row of 2 columns",
        [IN_BINARY, copy_data(COPY_HEADER + copy_row(b"", b""))],
        "the 1 columns",
    ),
    ("a row of 65,535", [IN_BINARY, copy_data(COPY_HEADER + b"\xff\xff\0")], "the 1 columns"),
    ("a value that is cut", [IN_BINARY, copy_data(COPY_HEADER + ROW[:-1])], "4 bytes where 3"),
    ("a value of -2", [IN_BINARY, copy_data(COPY_HEADER + b"\0\1" + int4(-2))], "-2 bytes"),
    ("two rows at once", [IN_BINARY, copy_data(COPY_HEADER + ROW + ROW)], "left over in a row"),
    ("no trailer", [IN_BINARY, copy_data(COPY_HEADER + ROW), COPY_DONE], "no trailer"),
    (
        "a row behind the trailer",
        [IN_BINARY, copy_data(COPY_HEADER), copy_data(COPY_TRAILER), copy_data(ROW)],
        "behind the trailer",
    ),
    (
        "the trailer twice",
        [IN_BINARY, copy_data(COPY_HEADER), *[copy_data(COPY_TRAILER)] * 2],
        "behi",
    ),
]
PARSED = PARSE_COMPLETE + BIND_COMPLETE
TEXTS = [
    ("NULL for the text", [PARSED, data_row(None)], "converted to NULL"),
    ("two texts", [PARSED, data_row(b"1", b"2")], "by one value"),
    ("a text that is cut", [PARSED, message("D", b"\0\1" + int4(2) + b"1")], "field of 2 bytes"),
    ("no text", [PARSED, command_complete("SELECT 0"), ready_for_query()], "not answered each"),
]

FLOOD = [copy_data(b"x" * 8192)] * 4000

PROBES = [
    *(
        lies(f"copy_from_query: {name}", copied(*what), words, copy_out)
        for name, what, words in BYTES
    ),
    *(
        lies(f"copy_rows_from_query: {name}", copied_rows(*what), words, copy_rows)
        for name, what, words in ROWS
    ),
    *(
        Probe(
            name=f"the text of an argument: {name}",
            script=texts(*what),
            ask=copy_argument,
            words=words,
            usable=name == "no text",
        )
        for name, what, words in TEXTS
    ),
    Probe(
        name="32 MB of data, taken as it comes",
        script=copied(OUT, *FLOOD, COPY_DONE, finished("COPY 1")),
        ask=lambda conn: conn.copy_from_query("SELECT 1", output=lambda data: None),
        error=None,
        value="COPY 1",
        usable=True,
        seconds=5,
    ),
    Probe(
        name="data without any bytes, 10,000 times",
        script=copied(OUT, copy_data(b"") * 10_000, COPY_DONE, finished("COPY 0")),
        ask=copy_out,
        error=None,
        value=b"",
        usable=True,
    ),
    Probe(
        name="a notice within each row",
        script=copied_rows(
            IN_BINARY,
            copy_data(COPY_HEADER),
            *[notice_response("careful") + copy_data(ROW)] * 100,
            copy_data(COPY_TRAILER),
            COPY_DONE + finished("COPY 100"),
        ),
        ask=copy_rows,
        error=None,
        value=[(1,)] * 100,
        usable=True,
    ),
    Probe(
        name="the end in the middle of a COPY",
        script=[*copied(OUT, copy_data(b"x")), close()],
        ask=copy_out,
        error=pgallop.ConnectionDoesNotExistError,
        words="closed",
    ),
    lies("CopyBothResponse to Bind", execute(BOTH), "illegal b'W'"),
    lies("CopyBothResponse behind BindComplete", rows(BOTH), "illegal b'W'"),
    lies("CopyBothResponse in a script", simple(BOTH), "illegal b'W'", run_script),
    broken_off("CopyBothResponse in a COPY", rows(OUT, BOTH)),
    broken_off("CopyOutResponse twice", rows(OUT, OUT)),
    broken_off("CopyInResponse in COPY TO", rows(OUT, INTO)),
    lies("CopyData outside of a COPY", rows(copy_data(b"data")), "illegal b'd'"),
    lies("CopyData outside of a COPY, in a script", simple(copy_data(b"")), "b'd'", run_script),
    lies("CopyDone outside of a COPY", rows(COPY_DONE), "illegal b'c'"),
    broken_off("CopyData behind CopyDone", rows(OUT, COPY_DONE, copy_data(b"x"))),
    broken_off("CopyDone twice", rows(OUT, COPY_DONE, COPY_DONE)),
    broken_off("a row in a COPY", rows(OUT, message("D", b"\0\0"))),
    broken_off("the end of the statement in a COPY", rows(OUT, finished())),
    broken_off("CopyData of length 3", rows(OUT, message("d", b"", 3))),
    broken_off("CopyData of length -1", rows(OUT, message("d", b"", -1))),
    broken_off("CopyData of length 2^31-1", rows(OUT, message("d", b"", 2**31 - 1))),
    broken_off("a script's CopyData of length 3", simple(OUT, message("d", b"", 3)), run_script),
    broken_off(
        "CopyInResponse twice, in a script",
        simple(INTO, INTO),
        run_script,
    ),
    refused(
        "COPY TO",
        rows(OUT, copy_data(b"x" * 1000), COPY_DONE, finished("COPY 1")),
        "COPY TO STDOUT",
    ),
    refused(
        "COPY TO, in a script",
        simple(OUT, copy_data(b"x" * 1000), COPY_DONE, finished("COPY 1")),
        "COPY TO STDOUT",
        run_script,
    ),
    refused("COPY TO that fails", rows(OUT, copy_data(b"x"), CANCELED), "COPY TO STDOUT"),
    refused(
        "COPY FROM", [*rows(INTO), expect("CopyFail", "Sync"), *said(CANCELED)], "COPY FROM STDIN"
    ),
    refused(
        "COPY FROM, in a script",
        [*simple(INTO), expect("CopyFail"), *said(CANCELED)],
        "COPY FROM STDIN",
        run_script,
    ),
    refused(
        "COPY FROM with 65,535 columns in 3 bytes",
        [*rows(message("G", b"\0\xff\xff")), expect("CopyFail", "Sync"), *said(CANCELED)],
        "COPY FROM STDIN",
    ),
    refused(
        "COPY TO with an empty answer",
        rows(message("H"), COPY_DONE, finished("COPY 0")),
        "COPY TO STDOUT",
    ),
    # What is reported is the first thing that was wrong.
    *(
        Probe(
            name=f"COPY FROM{name}",
            script=[*rows(INTO), expect("CopyFail", "Sync"), *said(answer)],
            ask=fetch,
            error=REFUSED,
            words="COPY FROM STDIN",
        )
        for name, answer in (
            (" that succeeds all the same", command_complete("COPY 1")),
            (" that is forgotten", ready_for_query()),
            (", and nonsense", b"\0\0\0\0\0"),
            (", and the end", close()),
        )
    ),
]
