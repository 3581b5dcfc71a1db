"""COPY FROM STDIN, in pieces, against a script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conversation import REGISTRY, Answer, Conversation, at_every_split, statement
from scripts import (
    BIND_COMPLETE,
    COPY_DONE,
    EMPTY_QUERY_RESPONSE,
    INT4,
    NO_DATA,
    PARSE_COMPLETE,
    TEXT,
    command_complete,
    copy_data,
    copy_response,
    data_row,
    error_response,
    int2,
    int4,
    message,
    parameter_description,
    ready_for_query,
    row_description,
)

from pgallop.errors import (
    BadCopyFileFormatError,
    ConnectionDoesNotExistError,
    DataError,
    InterfaceError,
    OutdatedSchemaCacheError,
    ProtocolError,
    QueryCanceledError,
    UndefinedTableError,
)
from pgallop.session.copy_in import BINARY_HEADER, PIECE, CopyIn
from pgallop.session.statement import Statement

COPY = "COPY users FROM STDIN"
COLUMNS = (("id", INT4), ("name", TEXT))
NAMED = statement("SELECT * FROM users", (), COLUMNS)
UNNAMED = statement("SELECT * FROM users", (), COLUMNS, b"")
EMPTY = statement("")

DESCRIBED = (parameter_description(), row_description(*COLUMNS))
BEGUN = (PARSE_COMPLETE, BIND_COMPLETE, copy_response("G", 0, 0))
BEGUN_BINARY = (*DESCRIBED, PARSE_COMPLETE, BIND_COMPLETE, copy_response("G", 1, 1, format=1))
OPENING = ["Parse", "Bind", "Execute"]
LARGE = b"x" * PIECE
REFUSED = error_response("57014", "COPY from stdin failed: its source has failed by ValueError")


def of_bytes(talk: Conversation, *chunks: bytes, simple: bool = False) -> tuple[CopyIn, Answer]:
    """A COPY that is begun with these chunks, and not ended."""
    request = CopyIn(None, COPY, simple=simple)
    for chunk in chunks:
        request.add_bytes(chunk)
    return request, talk.submit(request)


def of_records(columns: Statement, *records: Any) -> CopyIn:
    codecs = (REGISTRY.get(INT4), REGISTRY.get(TEXT))
    request = CopyIn(None, COPY, columns, codecs)
    assert not request.fill(iter(records))
    return request


def end(talk: Conversation, request: CopyIn) -> None:
    request.finish()
    request.end()
    talk.session.write_on(request, request.piece())


def names(lines: list[str]) -> list[str]:
    return [line.split()[1] for line in lines]


def data_of(written: bytes) -> bytes:
    """What the CopyData messages in `written` have, as one."""
    data = b""
    while written:
        size = int.from_bytes(written[1:5], "big")
        if written[:1] == b"d":
            data += written[5 : size + 1]
        written = written[size + 1 :]
    return data


@at_every_split
def test_bytes(talk: Conversation) -> None:
    request = CopyIn(None, COPY)
    assert not request.add_bytes(b"1\tAda\n")
    assert not request.add_bytes(b"2\tGrace\n")
    request.finish()
    request.end()
    answer = talk.submit(request)
    assert talk.written() == [
        "F Parse statement='' sql='COPY users FROM STDIN' types=[]",
        "F Bind portal='' statement='' formats=[] values=[] results=[]",
        "F Execute portal='' max_rows=0",
        "F CopyData 14 bytes",
        "F CopyDone",
        "F Sync",
    ]
    talk.server(*BEGUN, command_complete("COPY 2"))
    assert not answer.done()
    talk.server(ready_for_query())
    assert answer.result == "COPY 2"


@at_every_split
def test_no_bytes(talk: Conversation) -> None:
    request = CopyIn(None, COPY)
    request.add_bytes(b"")
    request.finish()
    request.end()
    answer = talk.submit(request)
    assert names(talk.written()) == [*OPENING, "CopyDone", "Sync"]
    talk.server(*BEGUN, command_complete("COPY 0"), ready_for_query())
    assert answer.result == "COPY 0"


@at_every_split
def test_in_the_simple_protocol(talk: Conversation) -> None:
    request, answer = of_bytes(talk, b"1\n", simple=True)
    end(talk, request)
    other = talk.simple("")
    assert names(talk.written()) == ["Query", "CopyData", "CopyDone", "Query"]
    talk.server(copy_response("G", 0), command_complete("COPY 1"), ready_for_query())
    assert answer.result == "COPY 1"
    talk.server(EMPTY_QUERY_RESPONSE, ready_for_query())
    assert other.result == ""


@pytest.mark.parametrize("simple", [False, True])
@at_every_split
def test_behind_a_begin(talk: Conversation, simple: bool) -> None:
    request = CopyIn(None, COPY, simple=simple)
    request.finish()
    request.end()
    answer = talk.begin(request)
    begun = (command_complete("BEGIN"), copy_response("G", 0))
    if simple:
        assert talk.written()[0] == "F Query sql='BEGIN; COPY users FROM STDIN'"
    else:
        assert names(talk.written()) == [*OPENING, *OPENING, "CopyDone", "Sync"]
        begun = (PARSE_COMPLETE, BIND_COMPLETE, command_complete("BEGIN"), *BEGUN)  # type: ignore[assignment]
    talk.server(*begun, command_complete("COPY 0"), ready_for_query("T"))
    assert answer.result == "COPY 0"


@pytest.mark.parametrize("simple", [False, True])
@at_every_split
def test_where_the_error_is(talk: Conversation, simple: bool) -> None:
    request = CopyIn(None, COPY, simple=simple)
    answer = talk.begin(request)
    begun = () if simple else (PARSE_COMPLETE, BIND_COMPLETE)
    place = "6" if not simple else "13"
    talk.server(*begun, *(() if simple else (command_complete("BEGIN"),)))
    talk.server(error_response("42P01", "no table", P=place))
    if not simple:
        talk.session.break_off(request)
    talk.server(ready_for_query())
    assert isinstance(answer.error, UndefinedTableError)
    assert answer.error.position == "6"


# --- records --------------------------------------------------------------------------------------


@at_every_split
def test_records(talk: Conversation) -> None:
    request = of_records(NAMED, (1, "Ada"), [2, None])
    request.finish()
    request.end()
    answer = talk.submit(request)
    written = talk.written_bytes()
    assert data_of(written) == (
        BINARY_HEADER
        + (int2(2) + int4(4) + int4(1) + int4(3) + b"Ada")
        + (int2(2) + int4(4) + int4(2) + int4(-1))
        + int2(-1)
    )
    talk.server(*BEGUN_BINARY, command_complete("COPY 2"), ready_for_query())
    assert answer.result == "COPY 2"


@at_every_split
def test_no_records(talk: Conversation) -> None:
    request = of_records(NAMED)
    request.finish()
    request.end()
    answer = talk.submit(request)
    assert data_of(talk.written_bytes()) == BINARY_HEADER + int2(-1)
    talk.server(*BEGUN_BINARY, command_complete("COPY 0"), ready_for_query())
    assert answer.result == "COPY 0"


@at_every_split
def test_the_columns_are_described_in_front(talk: Conversation) -> None:
    request = of_records(NAMED, (1, "Ada"))
    request.finish()
    request.end()
    answer = talk.submit(request)
    assert talk.written()[0] == "F Describe statement='s1'"
    # The server compares.
    talk.server(parameter_description(), error_response("0A000", "cached plan must not change"))
    talk.server(ready_for_query())
    assert answer.error.sqlstate == "0A000"
    assert answer.request.kept == [(1, "Ada")]


@at_every_split
def test_without_a_name(talk: Conversation) -> None:
    """Nothing is sent before the columns are known to be the right ones."""
    request = of_records(UNNAMED, (1, "Ada"))
    answer = talk.submit(request)
    assert names(talk.written()) == ["Parse", "Describe", *OPENING]
    assert not request.is_checked
    talk.server(PARSE_COMPLETE, *BEGUN_BINARY)
    assert request.is_checked
    end(talk, request)
    written = talk.written_bytes()
    assert data_of(written).startswith(BINARY_HEADER + int2(2))
    talk.server(command_complete("COPY 1"), ready_for_query())
    assert answer.result == "COPY 1"


@at_every_split
def test_without_a_name_and_other_columns(talk: Conversation) -> None:
    request = of_records(UNNAMED, (1, "Ada"))
    answer = talk.submit(request)
    talk.written()
    others = row_description(("id", TEXT), ("name", TEXT))
    talk.server(PARSE_COMPLETE, parameter_description(), others)
    assert isinstance(request.error, OutdatedSchemaCacheError)
    talk.session.break_off(request)
    assert names(talk.written()) == ["CopyFail", "Sync"]
    talk.server(*BEGUN_BINARY[2:], REFUSED, ready_for_query())
    assert isinstance(answer.error, OutdatedSchemaCacheError)


@at_every_split
def test_a_server_that_does_not_compare(talk: Conversation) -> None:
    request = of_records(NAMED, (1, "Ada"))
    request.finish()
    request.end()
    talk.submit(request)
    with pytest.raises(ProtocolError, match="other columns than it has described"):
        talk.server(parameter_description(), row_description(("id", TEXT), ("name", TEXT)))


@pytest.mark.parametrize("formats", [(1,), (1, 1, 1), (0, 0), ()])
@at_every_split
def test_other_columns_are_copied(talk: Conversation, formats: tuple[int, ...]) -> None:
    """Generated columns are described, and not copied."""
    request = of_records(NAMED, (1, "Ada"))
    answer = talk.submit(request)
    begun = copy_response("G", *formats, format=max(formats, default=1))
    talk.server(*DESCRIBED, PARSE_COMPLETE, BIND_COMPLETE, begun)
    talk.session.break_off(request)
    talk.server(REFUSED, ready_for_query())
    assert isinstance(answer.error, InterfaceError)
    assert "2: id, name" in str(answer.error)


@pytest.mark.parametrize(
    ("record", "kind", "words"),
    [
        ((1,), InterfaceError, "records[1]: 1 value, and there are 2 columns: id, name"),
        ([1, "", 3], InterfaceError, "records[1]: 3 values, and there are 2 columns: id, name"),
        ({"id": 1}, InterfaceError, "records[1]: expected a sequence of values, got {'id': 1}"),
        ("ab", InterfaceError, "records[1]: expected a sequence of values, got 'ab' (str)"),
        (7, InterfaceError, "records[1]: expected a sequence of values, got 7 (int)"),
        (("x", ""), DataError, "in records[1], column \"id\" (int4): 'x': expected int, got str"),
        ((2**31, ""), DataError, 'in records[1], column "id" (int4): 2147483648: '),
        ((1, "a\0"), DataError, "in records[1], column \"name\" (text): 'a\\x00': has a NUL"),
        ((1, "\ud800"), DataError, 'in records[1], column "name" (text): '),
    ],
)
def test_a_record_that_cannot_be_encoded(record: Any, kind: type[Exception], words: str) -> None:
    request = of_records(NAMED, (1, "Ada"))
    with pytest.raises(kind) as raised:
        request.fill(iter([record]))
    assert words in str(raised.value)
    assert "$" not in str(raised.value)
    assert request.culprit


def test_one_column() -> None:
    columns = statement("SELECT id FROM users", (), COLUMNS[:1])
    request = CopyIn(None, COPY, columns, (REGISTRY.get(INT4),))
    with pytest.raises(InterfaceError, match="2 values, and there is 1 column: id"):
        request.add_record((1, 2))


# --- pieces ---------------------------------------------------------------------------------------


@at_every_split
def test_nothing_comes_between_the_pieces(talk: Conversation) -> None:
    request, answer = of_bytes(talk, LARGE)
    other = talk.execute(EMPTY)
    assert names(talk.written()) == [*OPENING, "CopyData"]
    talk.server(*BEGUN)
    request.add_bytes(LARGE)
    talk.session.write_on(request, request.piece())
    assert names(talk.written()) == ["CopyData"]
    request.add_bytes(b"end")
    end(talk, request)
    assert names(talk.written()) == [
        *("CopyData", "CopyDone", "Sync"),
        *("Bind", "Execute", "Sync"),
    ]
    assert request.moved == 2 * PIECE + 3
    talk.server(command_complete("COPY 7"), ready_for_query())
    talk.server(BIND_COMPLETE, EMPTY_QUERY_RESPONSE, ready_for_query())
    assert answer.result == "COPY 7"
    assert other.result == ([], b"")


def test_records_in_pieces() -> None:
    """The header is at the beginning of the first, the end mark at that of the last."""
    talk = Conversation()
    text = "x" * 1000

    def records() -> Iterator[tuple[int, str]]:
        for n in range(200):
            yield n, text

    more = records()
    request = CopyIn(None, COPY, NAMED, (REGISTRY.get(INT4), REGISTRY.get(TEXT)))
    assert request.fill(more)
    talk.submit(request)
    written = talk.written_bytes()
    assert len(request.kept or []) == 65
    while request.fill(more):
        talk.session.write_on(request, request.piece())
        assert request.kept is None
        written += talk.written_bytes()
    end(talk, request)
    written += talk.written_bytes()
    rows = [int2(2) + int4(4) + int4(n) + int4(1000) + text.encode() for n in range(200)]
    assert data_of(written) == BINARY_HEADER + b"".join(rows) + int2(-1)
    assert request.count == 200
    assert request.moved == len(data_of(written))
    assert written.count(b"PGCOPY") == 1


def test_who_writes_on_is_told_of_room() -> None:
    talk = Conversation()
    request, _ = of_bytes(talk, LARGE)
    told: list[bool] = []
    request.watcher = lambda: told.append(talk.session.has_room(request))
    assert talk.session.has_room(request)
    for _ in range(4):
        request.add_bytes(LARGE)
        talk.session.write_on(request, request.piece())
    assert not talk.session.has_room(request)
    assert told == []
    talk.send()
    assert told == [True]


# --- ended before its end -------------------------------------------------------------------------


@at_every_split
def test_refused_at_once(talk: Conversation) -> None:
    """The server skips what it gets up to the Sync, which is all that is still due."""
    request, answer = of_bytes(talk, LARGE)
    told: list[None] = []
    request.watcher = lambda: told.append(None)
    talk.send()
    told.clear()
    talk.server(error_response("42P01", "no table"))
    assert told
    talk.written()
    talk.session.break_off(request)
    assert names(talk.written()) == ["Sync"]
    talk.server(ready_for_query())
    assert isinstance(answer.error, UndefinedTableError)


@at_every_split
def test_refused_at_once_in_the_simple_protocol(talk: Conversation) -> None:
    """ReadyForQuery comes without a Sync, and the server ignores what it gets behind that."""
    request, answer = of_bytes(talk, LARGE, simple=True)
    talk.written()
    talk.server(error_response("42P01", "no table"), ready_for_query())
    assert isinstance(answer.error, UndefinedTableError)
    talk.session.break_off(request)
    assert talk.written() == []
    other = talk.simple("")
    talk.server(EMPTY_QUERY_RESPONSE, ready_for_query())
    assert other.result == ""


@pytest.mark.parametrize("simple", [False, True])
@at_every_split
def test_an_error_in_the_data(talk: Conversation, simple: bool) -> None:
    request, answer = of_bytes(talk, b"x\n", simple=simple)
    end(talk, request)
    talk.server(*(BEGUN if not simple else BEGUN[2:]))
    talk.server(error_response("22P04", "missing data"), ready_for_query())
    assert isinstance(answer.error, BadCopyFileFormatError)


@at_every_split
def test_an_error_of_the_sync(talk: Conversation) -> None:
    """That of a deferred constraint."""
    request, answer = of_bytes(talk, b"1\n")
    end(talk, request)
    talk.server(*BEGUN, command_complete("COPY 1"))
    talk.server(error_response("23503", "nobody"), ready_for_query())
    assert answer.error.sqlstate == "23503"


@pytest.mark.parametrize("said", [0, 1, 2, 3])
@pytest.mark.parametrize("simple", [False, True])
@at_every_split
def test_broken_off(talk: Conversation, simple: bool, said: int) -> None:
    begun = BEGUN[2:] if simple else BEGUN
    request, answer = of_bytes(talk, LARGE, simple=simple)
    talk.written()
    talk.server(*begun[:said])
    request.fail(ValueError("w" * 20_000))
    talk.session.break_off(request)
    reason = "'its source has failed by ValueError'"
    assert talk.written() == [f"F CopyFail reason={reason}", *["F Sync"][: 1 - simple]]
    talk.server(*begun[said:], REFUSED, ready_for_query("E"))
    assert isinstance(answer.error, ValueError)
    assert talk.session.failure is answer.error


def test_a_reason_is_short() -> None:
    """Over a CopyFail of more than 10,000 bytes the server ends the connection."""
    talk = Conversation()
    request, _ = of_bytes(talk, LARGE)
    talk.written()
    request.fail(type("\u20ac" * 10_000, (Exception,), {})())
    talk.session.break_off(request)
    assert 200 < len(talk.written_bytes()) < 300


@pytest.mark.parametrize("simple", [False, True])
@at_every_split
def test_the_caller_goes(talk: Conversation, simple: bool) -> None:
    request, answer = of_bytes(talk, LARGE, simple=simple)
    told: list[None] = []
    request.watcher = lambda: told.append(None)
    other = talk.simple("")
    talk.written()
    talk.abandon(answer)
    assert told
    assert names(talk.written()) == ["CopyFail", *["Sync"][: 1 - simple], "Query"]
    talk.server(*(BEGUN[2:] if simple else BEGUN), REFUSED, ready_for_query())
    talk.server(EMPTY_QUERY_RESPONSE, ready_for_query())
    assert not answer.done()
    assert other.result == ""


@at_every_split
def test_the_caller_goes_behind_the_end(talk: Conversation) -> None:
    """What is written to its end is cancelled like any other statement, and not by CopyFail."""
    request, answer = of_bytes(talk, b"1\n")
    end(talk, request)
    talk.written()
    talk.abandon(answer)
    assert talk.written() == []
    talk.server(*BEGUN, error_response("57014", "canceled"), ready_for_query())
    assert not answer.done()


@at_every_split
def test_the_caller_goes_before_anything_was_sent(talk: Conversation) -> None:
    request, answer = of_bytes(talk, LARGE)
    other = talk.execute(EMPTY)
    assert talk.session.discard(request)
    assert names(talk.written()) == ["Bind", "Execute", "Sync"]
    talk.server(BIND_COMPLETE, EMPTY_QUERY_RESPONSE, ready_for_query())
    assert not answer.done()
    assert other.result == ([], b"")


@at_every_split
def test_cancelled_by_somebody(talk: Conversation) -> None:
    request, answer = of_bytes(talk, LARGE)
    talk.server(*BEGUN, error_response("57014", "canceling statement due to user request"))
    talk.session.break_off(request)
    talk.server(ready_for_query())
    assert isinstance(answer.error, QueryCanceledError)


@at_every_split
def test_the_connection_is_lost(talk: Conversation) -> None:
    request, answer = of_bytes(talk, LARGE)
    told: list[None] = []
    request.watcher = lambda: told.append(None)
    talk.written()
    talk.server(*BEGUN)
    talk.session.lost(ConnectionResetError("gone"))
    assert isinstance(answer.error, ConnectionDoesNotExistError)
    assert told
    request.add_bytes(b"more")
    talk.session.write_on(request, request.piece())  # which nobody takes
    talk.session.break_off(request)
    assert talk.written_bytes() == b""


# --- servers that lie -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "messages",
    [
        (ready_for_query(),),
        (command_complete("COPY 0"),),
        (PARSE_COMPLETE, PARSE_COMPLETE),
        (PARSE_COMPLETE, BIND_COMPLETE, NO_DATA),
        (PARSE_COMPLETE, BIND_COMPLETE, copy_response("H", 0)),
        (PARSE_COMPLETE, BIND_COMPLETE, copy_response("W", 0)),
        (PARSE_COMPLETE, BIND_COMPLETE, command_complete("COPY 0")),
        (PARSE_COMPLETE, BIND_COMPLETE, data_row(int4(1))),
        (PARSE_COMPLETE, BIND_COMPLETE, message("G", b"\0\0")),
        (PARSE_COMPLETE, BIND_COMPLETE, message("G", b"\0" + int2(2) + int2(0))),
        (PARSE_COMPLETE, BIND_COMPLETE, message("G", b"\0" + int2(-1))),
        (*BEGUN, BEGUN[-1]),
        (*BEGUN, copy_data(b"1\n")),
        (*BEGUN, COPY_DONE),
        (*BEGUN, command_complete("COPY 1")),  # the data is not at its end
        (*BEGUN, ready_for_query()),
        (error_response("22012", "zero"), ready_for_query()),  # and no Sync
        (message("1", b"x"),),
    ],
)
@at_every_split
def test_a_malformed_answer(talk: Conversation, messages: tuple[bytes, ...]) -> None:
    _, answer = of_bytes(talk, LARGE)
    with pytest.raises(ProtocolError):
        talk.server(*messages)
    assert not answer.done()


@pytest.mark.parametrize("end", [(command_complete("COPY 1"), ready_for_query()), ()])
@at_every_split
def test_success_of_what_was_broken_off(talk: Conversation, end: tuple[bytes, ...]) -> None:
    request, answer = of_bytes(talk, LARGE)
    talk.server(*BEGUN)
    talk.session.break_off(request)
    with pytest.raises(ProtocolError):
        talk.server(*(end or (ready_for_query(),)))
    assert not answer.done()
