"""What may come at any time (notices, notifications, settings), and errors."""

from __future__ import annotations

from collections.abc import Iterator

from hostile.probe import (
    ONE,
    ONE_ROW,
    Probe,
    description,
    execute,
    fetch,
    finished,
    idle,
    look_on,
    rows,
    run_script,
    simple,
)
from scripted_server import Flood, Step, close, expect, flood, send, wait
from scripts import (
    CLOSE_COMPLETE,
    command_complete,
    error_response,
    int4,
    message,
    notice_response,
    notification_response,
    parameter_status,
    ready_for_query,
    string,
)

import pgallop
from pgallop.preparing import TRIES

READY = ready_for_query()


def aside(name: str, data: bytes, words: str) -> Probe:
    """Something that comes in the midst of a result and is refused."""
    script = rows(ONE_ROW, data, ONE_ROW, finished())
    return Probe(name=name, script=script, ask=fetch, words=words)


def ignored(name: str, data: bytes) -> Probe:
    """Something that comes in the midst of a result and does it no harm."""
    return Probe(
        name=name,
        script=rows(ONE_ROW, data, ONE_ROW, finished()),
        ask=fetch,
        error=None,
        value=[(1,), (1,)],
        usable=True,
    )


MALFORMED = (
    [
        aside(f"{name}: {lie}", message(tag, data), words)
        for name, tag in (("ErrorResponse", "E"), ("NoticeResponse", "N"))
        for lie, data, words in (
            ("nothing", b"", "announced 1 bytes where 0 remain"),
            ("a field without an end", b"SERROR\0Mno end", "does not end within its message"),
            ("fields without an end", b"SERROR\0Mno end\0", "announced 1 bytes where 0 remain"),
            ("a code and nothing", b"M", "does not end within its message"),
            ("bytes behind its end", b"MHelp\0\0more", "left over"),
        )
    ]
    + [
        aside(f"NotificationResponse: {lie}", message("A", data), words)
        for lie, data, words in (
            ("nothing", b"", "announced 4 bytes where 0 remain"),
            ("no channel", int4(7), "does not end within its message"),
            ("a channel without an end", int4(7) + b"news", "does not end within its message"),
            ("no payload", int4(7) + b"news\0", "does not end within its message"),
            ("bytes behind its end", int4(7) + b"news\0\0x", "left over"),
            ("a payload of 1 MB", int4(7) + b"news\0" + b"x" * 1_000_000 + b"\0", "between 4 and"),
        )
    ]
    + [
        aside(f"ParameterStatus: {lie}", message("S", data), words)
        for lie, data, words in (
            ("nothing", b"", "does not end within its message"),
            ("no value", b"TimeZone\0", "does not end within its message"),
            ("a value without an end", b"TimeZone\0UTC", "does not end within its message"),
            ("bytes behind its end", b"TimeZone\0UTC\0x", "left over"),
            ("1 MB", string("TimeZone") + string("x" * 1_000_000), "between 4 and"),
        )
    ]
)

ODD = [
    ignored("NoticeResponse: no fields", message("N", b"\0")),
    ignored("NoticeResponse: a field twice", message("N", b"Mone\0Mtwo\0\0")),
    ignored(
        "NoticeResponse: all codes there are",
        message("N", b"".join([bytes([code]) + b"x\0" for code in range(1, 256)]) + b"\0"),
    ),
    ignored("NoticeResponse: not UTF-8", message("N", b"M\xff\xfe\0\0")),
    ignored("NoticeResponse: severity FATAL", notice_response("no", "FATAL", "57P01")),
    ignored("NoticeResponse: of 1 MB", notice_response("x" * 1_000_000)),
    ignored("NotificationResponse: of nobody", notification_response(-1, "", "")),
    ignored("NotificationResponse: not UTF-8", notification_response(7, b"\xff", b"\xfe")),
    ignored("ParameterStatus: empty", parameter_status("", "")),
    ignored("ParameterStatus: not UTF-8", parameter_status(b"\xff", b"\xfe")),
]


def again(count: int, answer: bytes) -> list[Step]:
    """The statement closed, prepared and run anew, so many times, with this answer."""
    return [
        expect("Close", "Parse", "Describe", "Sync"),
        send(CLOSE_COMPLETE, description(ONE)),
        expect("Bind", "Execute", "Sync"),
        send(answer, READY),
    ] * count


def failure(name: str, data: bytes, error: type[BaseException], words: str) -> Probe:
    """An ErrorResponse that is none of PostgreSQL's, and is the statement's error all the same."""
    script = execute(data, READY)
    return Probe(
        name=f"ErrorResponse: {name}",
        script=script,
        ask=fetch,
        error=error,
        words=words,
        usable=True,
    )


HUGE = [
    Probe(
        name="NoticeResponse: of 20 MB",
        script=rows(
            ONE_ROW,
            message("N", b"M", length=20_000_007),
            flood(b"x" * 1_000_000, 20),
            b"\0\0",
            finished(),
        ),
        ask=fetch,
        error=None,
        value=[(1,)],
        usable=True,
        megabytes=100.0,
        seconds=5.0,
    ),
]

ERRORS = [
    failure("no fields", message("E", b"\0"), pgallop.UnknownPostgresError, ""),
    failure(
        "a field twice", message("E", b"C22012\0Mone\0Mtwo\0\0"), pgallop.DivisionByZeroError, "two"
    ),
    failure(
        "all codes there are",
        message("E", b"".join([bytes([code]) + b"x\0" for code in range(1, 256)]) + b"\0"),
        pgallop.UnknownPostgresError,
        "x",
    ),
    failure(
        "not UTF-8",
        message("E", b"C22012\0M\xff\xfe\0\0"),
        pgallop.DivisionByZeroError,
        "\N{REPLACEMENT CHARACTER}",
    ),
    failure(
        "the SQLSTATE of a success",
        message("E", b"C00000\0Mno\0\0"),
        pgallop.UnknownPostgresError,
        "no",
    ),
    failure(
        "no SQLSTATE of five characters",
        message("E", b"C" + b"x" * 5000 + b"\0Mno\0\0"),
        pgallop.UnknownPostgresError,
        "no",
    ),
    *(
        failure(
            f"the position {words}",
            error_response("42601", "syntax", P=position),
            pgallop.PostgresSyntaxError,
            "syntax",
        )
        for words, position in (
            ("-1", "-1"),
            ("0", "0"),
            ("10^20", "1" + "0" * 20),
            ("10^5000", "1" + "0" * 5000),
            ("x", "x"),
            ("3 in Arabic", "\N{ARABIC-INDIC DIGIT THREE}"),
        )
    ),
    failure(
        "two of them",
        error_response("22012", "one") + error_response("23505", "two"),
        pgallop.DivisionByZeroError,
        "one",
    ),
    failure(
        "1,000 of them", error_response("22012", "one") * 1000, pgallop.DivisionByZeroError, "one"
    ),
    Probe(
        name="ErrorResponse: of 20 MB",
        script=execute(
            message("E", b"C22012\0M", length=20_000_014),
            flood(b"x" * 1_000_000, 20),
            b"\0\0" + READY,
        ),
        ask=fetch,
        error=pgallop.DivisionByZeroError,
        words="xxx",
        megabytes=100.0,
        seconds=5.0,
        usable=True,
    ),
    Probe(
        name="ErrorResponse: a position in a script that is none",
        script=simple(error_response("42601", "syntax", P="9" * 5000), READY),
        ask=run_script,
        error=pgallop.PostgresSyntaxError,
        words="syntax",
        usable=True,
    ),
    Probe(
        name="ErrorResponse: FATAL, and it goes on",
        script=execute(error_response("57P01", "shutting down", "FATAL"), READY),
        ask=fetch,
        error=pgallop.AdminShutdownError,
        words="shutting down",
        usable=True,
    ),
    Probe(
        name="ErrorResponse: FATAL, and the end",
        script=execute(error_response("57P01", "shutting down", "FATAL"), close()),
        ask=fetch,
        error=pgallop.ConnectionDoesNotExistError,
        words="shutting down",
    ),
    Probe(
        name="ErrorResponse: when nothing was asked, and the end",
        script=idle(error_response("57P01", "shutting down", "FATAL"), close()),
        ask=look_on,
        error=pgallop.InterfaceError,
        words="shutting down",
    ),
    Probe(
        name="ErrorResponse: without an end when nothing was asked",
        script=idle(message("E", b"MHelp")),
        ask=look_on,
        error=pgallop.InterfaceError,
        words="does not end within its message",
    ),
]


# The server has "forgotten" the statement, however often it is prepared.
FORGOTTEN = error_response("26000", "no such statement")

ODD_ERRORS = [
    Probe(
        name="ErrorResponse: the statement is not there, again and again",
        script=[
            *execute(FORGOTTEN, READY),
            *again(TRIES, FORGOTTEN),
        ],
        ask=fetch,
        error=pgallop.InvalidSQLStatementNameError,
        words="no such statement",
        usable=True,
    ),
    Probe(
        name="ErrorResponse: a cancellation that nobody asked for",
        script=execute(error_response("57014", "canceled"), READY),
        ask=fetch,
        error=pgallop.QueryCanceledError,
        words="canceled",
        usable=True,
    ),
    Probe(
        name="NoticeResponse: a commit that no standby has, in the midst of rows",
        script=rows(
            ONE_ROW,
            message("N", b"SWARNING\0C01000\0Mnot replicated\0RSyncRepWaitForLSN\0\0"),
            finished(),
        ),
        ask=fetch,
        error=pgallop.CommitNotReplicated,
        words="not replicated",
        usable=True,
    ),
]


def distinct_settings(count: int) -> Step:
    def pieces() -> Iterator[bytes]:
        for i in range(0, count, 1000):
            yield b"".join([parameter_status(f"s.{i + j}", "x") for j in range(1000)])

    return Flood(pieces)


ENCODING = [
    Probe(
        name=f"client_encoding is changed to {encoding}, {where}",
        script=make(parameter_status("client_encoding", encoding), finished()),
        ask=ask,
        error=error,
        words=f"client_encoding was changed to {encoding}",
    )
    for encoding, where, make, ask, error in (
        ("LATIN1", "among rows", rows, fetch, pgallop.UnsupportedClientFeatureError),
        ("SJIS", "in a script", simple, run_script, pgallop.UnsupportedClientFeatureError),
        ("EUC_JP", "in between", idle, look_on, pgallop.InterfaceError),
        ("utf8'; --", "among rows", rows, fetch, pgallop.UnsupportedClientFeatureError),
    )
]

SETTINGS = [
    Probe(
        name="300,000 settings in the midst of a result",
        script=rows(ONE_ROW, distinct_settings(300_000), finished()),
        ask=fetch,
        words="more than 1000 settings",
    ),
    Probe(
        name="300,000 settings when nothing was asked",
        script=idle(distinct_settings(300_000)),
        ask=look_on,
        error=pgallop.InterfaceError,
        words="more than 1000 settings",
    ),
]

TAGS = [
    Probe(
        name=f"CommandComplete: {lie}",
        script=make(command),
        ask=ask,
        words=words,
    )
    for lie, command, make, ask, words in (
        ("no tag", message("C"), rows, fetch, "does not end within its message"),
        ("a tag without an end", message("C", b"SELECT 1"), rows, fetch, "does not end within"),
        ("a script's without an end", message("C", b"DO"), simple, run_script, "does not end"),
    )
] + [
    Probe(
        name="CommandComplete: a tag that is not UTF-8",
        script=simple(message("C", b"\xff\0"), READY),
        ask=run_script,
        error=None,
        value="\N{REPLACEMENT CHARACTER}",
        usable=True,
    ),
    Probe(
        name="CommandComplete: a tag of 60 KB",
        script=simple(command_complete("x" * 60_000), READY),
        ask=run_script,
        error=None,
        value="x" * 60_000,
        usable=True,
    ),
    Probe(
        name="CommandComplete: 10,000 of them",
        script=simple(command_complete("DO") * 10_000, READY),
        ask=run_script,
        error=None,
        value="DO",
        usable=True,
    ),
]

READINESS = [
    Probe(
        name=f"ReadyForQuery: {lie}",
        script=make(tag, message("Z", status), *more),
        ask=ask,
        words=words,
    )
    for lie, status, make, tag, more, ask, words in (
        ("an unknown status", b"X", rows, command_complete("SELECT 0"), (), fetch, "status b'X'"),
        ("no status", b"", rows, command_complete("SELECT 0"), (), fetch, "where 0 remain"),
        ("two statuses", b"II", rows, command_complete("SELECT 0"), (), fetch, "left over"),
        (
            "an unknown status of a script",
            b"i",
            simple,
            command_complete("DO"),
            (),
            run_script,
            "status b'i'",
        ),
    )
]


async def after_a_while(conn: pgallop.Connection) -> object:
    """The answer to a script, and what is found when the connection is used again."""
    await conn.execute("DO")
    return await look_on(conn)


async def status(conn: pgallop.Connection) -> object:
    await conn.execute("DO")
    return conn.is_in_transaction()


UNASKED = [
    Probe(
        name="ReadyForQuery: two in a row",
        script=simple(command_complete("DO"), READY, wait(0.05), READY),
        ask=after_a_while,
        error=pgallop.InterfaceError,
        words="b'Z' when nothing was asked of it",
    ),
    Probe(
        name="ReadyForQuery: in a transaction that nobody began",
        script=simple(command_complete("DO"), ready_for_query("T")),
        ask=status,
        error=None,
        value=True,
        usable=True,
    ),
    Probe(
        name="the answer to a statement that was not asked for",
        script=simple(command_complete("DO"), READY, wait(0.05), command_complete("MORE"), READY),
        ask=after_a_while,
        error=pgallop.InterfaceError,
        words="b'C' when nothing was asked of it",
    ),
]

PROBES = [
    *MALFORMED,
    *ODD,
    *HUGE,
    *ERRORS,
    *ODD_ERRORS,
    *ENCODING,
    *SETTINGS,
    *TAGS,
    *READINESS,
    *UNASKED,
]
