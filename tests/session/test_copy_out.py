"""COPY to the client against a script: bytes, rows, and the texts of arguments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from conversation import Answer, Conversation, at_every_split
from scripts import (
    BIND_COMPLETE,
    COPY_DONE,
    COPY_HEADER,
    COPY_TRAILER,
    INT4,
    NO_DATA,
    PARSE_COMPLETE,
    TEXT,
    command_complete,
    copy_data,
    copy_response,
    copy_row,
    data_row,
    error_response,
    int4,
    message,
    parameter_description,
    ready_for_query,
    row_description,
)

from pgallop.codecs.builtin import builtin_registry
from pgallop.errors import (
    CommitNotReplicated,
    DataError,
    DivisionByZeroError,
    PostgresSyntaxError,
    ProtocolError,
)
from pgallop.session import copy_out
from pgallop.session.copy_out import CopyOut
from pgallop.session.copy_rows import CopyRows
from pgallop.session.session import Session
from pgallop.session.texts import SETTINGS, Texts
from pgallop.transport.stream import Stream

SQL = "COPY (SELECT id FROM t\n) TO STDOUT"
QUERY = "SELECT id, name FROM t"
BINARY_SQL = f"COPY ({QUERY}\n) TO STDOUT (FORMAT 'binary')"
REGISTRY = builtin_registry()

DESCRIBED = (
    PARSE_COMPLETE,
    parameter_description(),
    row_description(("id", INT4), ("name", TEXT)),
    PARSE_COMPLETE,
    BIND_COMPLETE,
)
RESPONSE = copy_response("H", 1, 1, format=1)


def copy(talk: Conversation) -> Answer:
    return talk.submit(CopyOut(None, SQL, "SELECT id FROM t"))


def copy_rows(talk: Conversation, into: Any = None) -> Answer:
    return talk.submit(CopyRows(None, BINARY_SQL, QUERY, QUERY, REGISTRY, into))


# --- bytes ----------------------------------------------------------------------------------------


@at_every_split
def test_from_beginning_to_end(talk: Conversation) -> None:
    answer = copy(talk)
    assert talk.written() == [f"F Query sql={SQL!r}"]
    talk.server(copy_response("H", 0), copy_data(b"1\n"), copy_data(b""), copy_data(b"2\n"))
    assert answer.request.take() == b"1\n2\n"
    assert answer.request.take() == b""
    assert answer.request.taken == 4
    talk.server(copy_data(b"3\n"), COPY_DONE, command_complete("COPY 3"), ready_for_query())
    assert answer.result == "COPY 3"
    assert answer.request.take() == b"3\n"
    assert answer.request.taken == 6


@at_every_split
def test_nothing_to_copy(talk: Conversation) -> None:
    answer = copy(talk)
    talk.server(copy_response("H"), COPY_DONE, command_complete("COPY 0"), ready_for_query())
    assert answer.result == "COPY 0"
    assert answer.request.take() == b""


@at_every_split
def test_nothing_is_written_behind_it(talk: Conversation) -> None:
    answer = copy(talk)
    behind = talk.simple("DO")
    assert len(talk.written()) == 1
    talk.server(copy_response("H"), COPY_DONE, command_complete("COPY 0"))
    assert talk.written() == []
    talk.server(ready_for_query())
    assert answer.result == "COPY 0"
    assert talk.written() == ["F Query sql='DO'"]
    talk.server(command_complete("DO"), ready_for_query())
    assert behind.result == "DO"


@at_every_split
def test_with_a_beginning_in_front(talk: Conversation) -> None:
    answer = talk.begin(CopyOut(None, SQL, "SELECT id FROM t"))
    assert talk.written() == [f"F Query sql={'BEGIN; ' + SQL!r}"]
    talk.server(command_complete("BEGIN"), copy_response("H"), copy_data(b"1\n"), COPY_DONE)
    talk.server(command_complete("COPY 1"), ready_for_query("T"))
    assert answer.result == "COPY 1"


@at_every_split
def test_the_server_refuses(talk: Conversation) -> None:
    answer = talk.begin(CopyOut(None, SQL, "SELECT id FROM t"))
    talk.server(error_response("42601", "syntax error", P=str(8 + len("BEGIN; "))))
    talk.server(ready_for_query())
    assert isinstance(answer.error, PostgresSyntaxError)
    assert answer.error.position == "8"
    assert answer.error.query == SQL
    assert not answer.request.responded


@at_every_split
def test_an_error_in_the_middle(talk: Conversation) -> None:
    answer = copy(talk)
    talk.server(copy_response("H"), copy_data(b"1\n"), error_response("22012", "division by zero"))
    assert isinstance(answer.request.error, DivisionByZeroError)  # known at once
    talk.server(ready_for_query())
    assert isinstance(answer.error, DivisionByZeroError)
    assert answer.request.responded


@at_every_split
def test_an_error_at_the_end(talk: Conversation) -> None:
    """A deferred constraint of a query that writes fails in the commit."""
    answer = copy(talk)
    talk.server(copy_response("H"), COPY_DONE, command_complete("COPY 0"))
    talk.server(error_response("23503", "no such key"), ready_for_query())
    assert answer.error.sqlstate == "23503"


@at_every_split
def test_a_commit_that_is_not_replicated(talk: Conversation) -> None:
    answer = copy(talk)
    notice = {"S": "WARNING", "M": "canceling wait", "R": "SyncRepWaitForLSN"}
    body = b"".join([k.encode() + v.encode() + b"\0" for k, v in notice.items()]) + b"\0"
    talk.server(copy_response("H"), COPY_DONE, message("N", body))
    talk.server(command_complete("COPY 0"), ready_for_query())
    assert isinstance(answer.error, CommitNotReplicated)


@at_every_split
def test_its_caller_goes(talk: Conversation) -> None:
    answer = copy(talk)
    talk.server(copy_response("H"), copy_data(b"1\n" * 1000))
    talk.abandon(answer)
    talk.server(copy_data(b"2\n" * 1000), copy_data(b"3\n"), COPY_DONE)
    talk.server(command_complete("COPY 2001"), ready_for_query())
    assert not answer.done()
    assert answer.request.take() == b""
    assert answer.request.finished


def test_pieces_of_all_sizes() -> None:
    talk = Conversation()
    pieces = [bytes([size % 251]) * size for size in (0, 1, 5000, 0, 3, *range(300), 70_000, 1)]
    answer = copy(talk)
    talk.server(copy_response("H"), *map(copy_data, pieces[:200]))
    taken = [answer.request.take()]
    talk.server(*map(copy_data, pieces[200:]), COPY_DONE, command_complete("COPY 9"))
    talk.server(ready_for_query())
    taken.append(answer.request.take())
    assert taken == [b"".join(pieces[:200]), b"".join(pieces[200:])]


class StoppedClock:
    """The running loop, as a stream uses it, but its time stands still."""

    def call_soon(self, callback: Callable[[], object]) -> asyncio.Handle:
        return asyncio.get_running_loop().call_soon(callback)

    def time(self) -> float:
        return 1.0


def unhurried_stream() -> Stream:
    """A stream that takes as much as it has room for in one turn of the loop."""
    loop = cast("asyncio.AbstractEventLoop", StoppedClock())
    return Stream(loop, Session(), None)


async def test_it_takes_no_more_than_there_is_room_for() -> None:
    stream = unhurried_stream()
    request = CopyOut(None, SQL, "SELECT id FROM t")
    stream.session.submit(request)
    block = copy_data(b"x" * (copy_out.FULL // 4))
    end = COPY_DONE + command_complete("COPY 9") + ready_for_query()
    stream.received(copy_response("H") + block * 9 + end)
    sizes: list[int] = []
    while not request.finished:
        assert stream.session.is_full()
        stream.go_on()  # it does not
        sizes.append(len(request.take()))
        assert not stream.session.is_full()
        stream.go_on_soon()
        await asyncio.sleep(0)
    assert sizes == [copy_out.FULL, copy_out.FULL]
    assert len(request.take()) == copy_out.FULL // 4
    assert not stream.busy


async def test_who_goes_makes_room() -> None:
    stream = unhurried_stream()
    request = CopyOut(None, SQL, "SELECT id FROM t")
    stream.session.submit(request)
    stream.session.take()
    end = COPY_DONE + command_complete("COPY 9") + ready_for_query()
    stream.received(copy_response("H") + copy_data(b"x" * copy_out.FULL) * 2 + end)
    assert stream.session.is_full()
    stream.session.discard(request)
    assert not stream.session.is_full()
    stream.go_on()
    assert request.finished


@pytest.mark.parametrize(
    "lie",
    [
        [copy_data(b"1")],
        [copy_response("G")],
        [copy_response("W")],
        [copy_response("H"), copy_data(b"1") * 3 + b"d\0\0\0\3"],
        [copy_response("H"), copy_data(b"1") * 3 + b"d\x7f\xff\xff\xff"],
        [copy_response("H"), copy_data(b"1") * 3 + b"d\xff\xff\xff\xff"],
        [copy_response("H"), copy_response("H")],
        [copy_response("H"), data_row(b"1")],
        [copy_response("H"), COPY_DONE, copy_data(b"1")],
        [copy_response("H"), COPY_DONE, COPY_DONE],
        [copy_response("H"), command_complete("COPY 1")],
        [copy_response("H"), ready_for_query()],
        [copy_response("H"), COPY_DONE, ready_for_query()],
        [copy_response("H"), message("c", b"x")],
        [message("H", b"\0\0")],
        [message("H", b"\0\0\1")],
        [message("H", b"\0\xff\xff\0\0")],
        [message("H", b"\2\0\0")],
        [copy_response("H", 1)],
        [copy_response("H", 0, 1, format=1)],
        [copy_response("H", 7, format=7)],
        [command_complete("COPY 1")],
        [ready_for_query()],
    ],
)
def test_lies(lie: list[bytes]) -> None:
    talk = Conversation()
    answer = copy(talk)
    with pytest.raises(ProtocolError):
        talk.server(*lie)
    assert not answer.done()


# --- rows -----------------------------------------------------------------------------------------


def rows_of(answer: Answer) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in answer.request.take_rows()]


@at_every_split
def test_rows(talk: Conversation) -> None:
    answer = copy_rows(talk)
    assert talk.written() == [
        f"F Parse statement='' sql={QUERY!r} types=[]",
        "F Describe statement=''",
        f"F Parse statement='' sql={BINARY_SQL!r} types=[]",
        "F Bind portal='' statement='' formats=[] values=[] results=[]",
        "F Execute portal='' max_rows=0",
        "F Sync",
    ]
    talk.server(*DESCRIBED, RESPONSE)
    assert not answer.request.has_rows()
    talk.server(copy_data(COPY_HEADER + copy_row(int4(1), b"Ada")))
    assert answer.request.has_rows()
    assert rows_of(answer) == [(1, "Ada")]
    talk.server(copy_data(copy_row(int4(2), None)), copy_data(copy_row(None, b"")))
    talk.server(copy_data(COPY_TRAILER), COPY_DONE, command_complete("COPY 3"), ready_for_query())
    assert answer.result == "COPY 3"
    assert rows_of(answer) == [(2, None), (None, "")]
    assert rows_of(answer) == []
    assert answer.request.before == 3


@at_every_split
def test_no_rows(talk: Conversation) -> None:
    """The header and the trailer come together, or one by one."""
    for data in ([COPY_HEADER + COPY_TRAILER], [COPY_HEADER, COPY_TRAILER]):
        answer = copy_rows(talk)
        talk.server(*DESCRIBED, RESPONSE, *map(copy_data, data), COPY_DONE)
        talk.server(command_complete("COPY 0"), ready_for_query())
        assert answer.result == "COPY 0"
        assert not answer.request.has_rows()


@at_every_split
def test_rows_without_columns(talk: Conversation) -> None:
    answer = copy_rows(talk)
    talk.server(PARSE_COMPLETE, parameter_description(), row_description(), PARSE_COMPLETE)
    talk.server(BIND_COMPLETE, copy_response("H", format=1), copy_data(COPY_HEADER + copy_row()))
    talk.server(copy_data(copy_row()), copy_data(COPY_TRAILER), COPY_DONE)
    talk.server(command_complete("COPY 2"), ready_for_query())
    assert rows_of(answer) == [(), ()]


@at_every_split
def test_rows_behind_a_beginning(talk: Conversation) -> None:
    answer = talk.begin(CopyRows(None, BINARY_SQL, QUERY, QUERY, REGISTRY))
    assert [line.split()[1] for line in talk.written()][:3] == ["Parse", "Bind", "Execute"]
    talk.server(PARSE_COMPLETE, BIND_COMPLETE, command_complete("BEGIN"), *DESCRIBED, RESPONSE)
    talk.server(copy_data(COPY_HEADER + COPY_TRAILER), COPY_DONE)
    talk.server(command_complete("COPY 0"), ready_for_query("T"))
    assert answer.result == "COPY 0"


@at_every_split
def test_a_header_with_an_extension(talk: Conversation) -> None:
    """Flags of which a reader need not know what they mean, and bytes that it may skip."""
    answer = copy_rows(talk)
    header = b"PGCOPY\n\xff\r\n\0" + int4(0xFFFF) + int4(3) + b"abc"
    talk.server(*DESCRIBED, RESPONSE, copy_data(header + copy_row(int4(1), b"x")))
    assert rows_of(answer) == [(1, "x")]


@at_every_split
def test_the_query_is_refused(talk: Conversation) -> None:
    answer = copy_rows(talk)
    talk.server(error_response("42P01", "no such table", P="22"), ready_for_query())
    assert answer.error.query == QUERY


@at_every_split
def test_the_copy_is_refused(talk: Conversation) -> None:
    answer = copy_rows(talk)
    talk.server(PARSE_COMPLETE, parameter_description(), NO_DATA, PARSE_COMPLETE, BIND_COMPLETE)
    talk.server(error_response("0A000", "needs RETURNING"), ready_for_query())
    assert answer.error.query == BINARY_SQL


@at_every_split
def test_columns_that_are_read_from_their_text(talk: Conversation) -> None:
    answer = copy_rows(talk)
    described = row_description(("id", INT4), ("kind", 2205))  # regclass
    talk.server(PARSE_COMPLETE, parameter_description(), described)
    assert answer.request.is_unreadable
    assert isinstance(answer.request.error, DataError)
    assert "column 'kind' (regclass) is read from its text" in str(answer.request.error)
    talk.server(PARSE_COMPLETE, BIND_COMPLETE, RESPONSE)
    talk.server(copy_data(COPY_HEADER + copy_row(int4(1), int4(1))), copy_data(COPY_TRAILER))
    talk.server(COPY_DONE, command_complete("COPY 1"), ready_for_query())
    assert isinstance(answer.error, DataError)
    assert not answer.request.has_rows()


@at_every_split
def test_a_value_that_cannot_be_read(talk: Conversation) -> None:
    answer = copy_rows(talk)
    first, second = copy_row(int4(1), b"good"), copy_row(int4(2), b"\xff")
    talk.server(*DESCRIBED, RESPONSE, copy_data(COPY_HEADER + first), copy_data(second))
    assert "column 'name' (text) cannot be read" in str(answer.request.error)
    talk.server(copy_data(copy_row(int4(3), b"good")), copy_data(COPY_TRAILER), COPY_DONE)
    talk.server(command_complete("COPY 3"), ready_for_query())
    assert isinstance(answer.error, DataError)


@at_every_split
def test_who_reads_the_rows_goes(talk: Conversation) -> None:
    answer = copy_rows(talk)
    talk.server(*DESCRIBED, RESPONSE, copy_data(COPY_HEADER + copy_row(int4(1), b"x")))
    talk.abandon(answer)
    assert not answer.request.has_rows()
    talk.server(copy_data(copy_row(int4(2), b"\xff")), copy_data(b"nonsense"), COPY_DONE)
    talk.server(command_complete("COPY 2"), ready_for_query())
    assert answer.request.finished


async def test_who_reads_the_rows_goes_when_there_are_too_many() -> None:
    stream = unhurried_stream()
    request = CopyRows(None, BINARY_SQL, QUERY, QUERY, REGISTRY)
    stream.session.submit(request)
    stream.session.take()
    row = copy_data(copy_row(int4(1), b"x" * 1000))
    stream.received(b"".join([*DESCRIBED, RESPONSE, copy_data(COPY_HEADER), row * 1000]))
    assert stream.session.is_full()
    stream.session.discard(request)
    assert not stream.session.is_full()
    stream.go_on()
    assert not stream.session.is_full()
    assert not stream.busy
    stream.received(
        copy_data(COPY_TRAILER) + COPY_DONE + command_complete("COPY 1000") + ready_for_query()
    )
    assert request.finished


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ([copy_response("H", 0, 0)], "COPY of 2 columns in format 0, where 2 in binary"),
        ([copy_response("H", 1, format=1)], "COPY of 1 columns in format 1, where 2 in binary"),
        ([RESPONSE, copy_data(b"")], "announced 11 bytes"),
        ([RESPONSE, copy_data(b"PGCOPY\n")], "announced 11 bytes"),
        ([RESPONSE, copy_data(b"PGCOPY\r\n\xff\r\n\0\0\0\0\0\0\0\0")], "its signature"),
        ([RESPONSE, copy_data(copy_row(int4(1), b"x") * 3)], "its signature"),
        ([RESPONSE, copy_data(COPY_HEADER[:11] + int4(1 << 16) + int4(0))], "flags 0x00010000"),
        ([RESPONSE, copy_data(COPY_HEADER[:11] + int4(0) + int4(1))], "announced 1 bytes"),
        ([RESPONSE, copy_data(COPY_HEADER[:11] + int4(0) + int4(-1))], "announced -1 bytes"),
        ([RESPONSE, copy_data(COPY_HEADER + copy_row(int4(1)))], "the 2 columns that"),
        ([RESPONSE, copy_data(COPY_HEADER + copy_row(*[b""] * 3))], "the 2 columns that"),
        ([RESPONSE, copy_data(COPY_HEADER + b"\xff\xff\0\0")], "the 2 columns that"),
        ([RESPONSE, copy_data(COPY_HEADER + b"\0")], "the 2 columns that"),
        ([RESPONSE, copy_data(COPY_HEADER + b"\0\2" + int4(4) + b"abc")], "4 bytes where 3"),
        ([RESPONSE, copy_data(COPY_HEADER + b"\0\2" + int4(-2) + int4(0))], "-2 bytes where"),
        ([RESPONSE, copy_data(COPY_HEADER + b"\0\2" + int4(2**31 - 1))], "2147483647 bytes"),
        ([RESPONSE, copy_data(COPY_HEADER + copy_row(b"123", b""))], "4 bytes where 3 remain"),
        ([RESPONSE, copy_data(COPY_HEADER + copy_row(None, None) + b"x")], "left over in a row"),
        ([RESPONSE, copy_data(COPY_HEADER), COPY_DONE], "has no trailer"),
        ([RESPONSE, COPY_DONE], "has no trailer"),
        (
            [RESPONSE, copy_data(COPY_HEADER + COPY_TRAILER), copy_data(copy_row(None, None))],
            "behind the trailer",
        ),
        (
            [RESPONSE, copy_data(COPY_HEADER + COPY_TRAILER), copy_data(COPY_TRAILER)],
            "behind the trailer",
        ),
    ],
)
def test_lies_about_rows(lie: list[bytes], words: str) -> None:
    talk = Conversation()
    answer = copy_rows(talk)
    with pytest.raises(ProtocolError, match=words):
        talk.server(*DESCRIBED, *lie)
    assert not answer.done()


# --- the texts of arguments -----------------------------------------------------------------------

ENDED = (PARSE_COMPLETE, BIND_COMPLETE, command_complete("SET"))
STYLES = data_row(b"ISO", b"postgres", b"3")
SET = (PARSE_COMPLETE, BIND_COMPLETE, STYLES, command_complete("SELECT 1"))


def one(text: bytes | None) -> tuple[bytes, ...]:
    return PARSE_COMPLETE, BIND_COMPLETE, data_row(text), command_complete("SELECT 1")


@at_every_split
def test_texts(talk: Conversation) -> None:
    answer = talk.submit(Texts(None, [(INT4, int4(1)), (1700, b"numeric")], False))
    written = talk.written()
    assert [line.split()[1] for line in written] == ["Parse", "Bind", "Execute"] * 3 + ["Sync"]
    assert written[0] == f"F Parse statement='' sql={SETTINGS!r} types=[]"
    assert written[3] == "F Parse statement='' sql='SELECT $1' types=[23]"
    assert written[6] == "F Parse statement='' sql='SELECT $1' types=[1700]"
    talk.server(*SET, *one(b"1"), *one(b"1.50"), ready_for_query())
    assert answer.result == [b"1", b"1.50"]


@at_every_split
def test_texts_in_a_transaction(talk: Conversation) -> None:
    """The settings are gone behind it."""
    answer = talk.submit(Texts(None, [(INT4, int4(1))], True))
    texts = [line for line in talk.written() if "Parse" in line]
    assert [line.split("sql=")[1].split()[0] for line in texts] == [
        *("'SAVEPOINT", '"SELECT', "'SELECT", "'ROLLBACK", "'RELEASE")
    ]
    talk.server(*ENDED, *SET, *one(b"1"), *ENDED, *ENDED, ready_for_query("T"))
    assert answer.result == [b"1"]


@at_every_split
def test_texts_that_are_refused(talk: Conversation) -> None:
    answer = talk.submit(Texts(None, [(INT4, b"nonsense")], False))
    refusal = error_response("22P03", "incorrect binary data format")
    talk.server(*SET, PARSE_COMPLETE, refusal, ready_for_query())
    assert answer.error.sqlstate == "22P03"


@pytest.mark.parametrize(
    "lie",
    [
        [*SET, *one(None)],
        [*SET, PARSE_COMPLETE, BIND_COMPLETE, data_row(b"1", b"2")],
        [*SET, PARSE_COMPLETE, BIND_COMPLETE, data_row()],
        [*SET, PARSE_COMPLETE, BIND_COMPLETE, message("D", b"\0\1" + int4(5) + b"1")],
        [*SET, *one(b"1"), *one(b"2")],
        [*SET, *ENDED],
        [*SET, *ENDED, ready_for_query()],
    ],
)
def test_lies_about_texts(lie: list[bytes]) -> None:
    talk = Conversation()
    answer = talk.submit(Texts(None, [(INT4, int4(1))], False))
    try:
        talk.server(*lie)
    except ProtocolError:
        assert not answer.done()
    else:
        assert not answer.done() or isinstance(answer.error, ProtocolError)
