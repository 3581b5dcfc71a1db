"""Bind, Execute, Sync, against a script."""

from __future__ import annotations

from struct import pack

import pytest
from conversation import Conversation, at_every_split, statement
from scripts import (
    BIND_COMPLETE,
    EMPTY_QUERY_RESPONSE,
    INT4,
    NO_DATA,
    PORTAL_SUSPENDED,
    TEXT,
    command_complete,
    data_row,
    error_response,
    int2,
    int4,
    message,
    ready_for_query,
)

from pgallop.errors import (
    DataError,
    DivisionByZeroError,
    ForeignKeyViolationError,
    InterfaceError,
    ProtocolError,
    UniqueViolationError,
)
from pgallop.wire import writer

BY_ID = statement(
    "SELECT id, name FROM users WHERE id < $1", (INT4,), (("id", INT4), ("name", TEXT))
)
ALL = statement("SELECT id FROM users", (), (("id", INT4),))
INSERT = statement("INSERT INTO users VALUES ($1, $2)", (INT4, TEXT), ())
BEGIN = statement("BEGIN")

ROWS = (
    BIND_COMPLETE,
    data_row(int4(1), b"Ada"),
    data_row(int4(2), None),
    command_complete("SELECT 2"),
    ready_for_query(),
)


@at_every_split
def test_rows(talk: Conversation) -> None:
    answer = talk.execute(BY_ID, 10)
    assert talk.written_bytes() == (
        b"B\0\0\0\x1a\0s1\0" + b"\0\1\0\1" + b"\0\1\0\0\0\4\0\0\0\x0a" + b"\0\1\0\1"
        b"E\0\0\0\x09\0\0\0\0\0"
        b"S\0\0\0\x04"
    )
    talk.server(*ROWS)
    rows, command = answer.result
    assert [dict(row) for row in rows] == [{"id": 1, "name": "Ada"}, {"id": 2, "name": None}]
    assert command == b"SELECT 2"
    assert answer.request.status == ord("I")
    assert not talk.session.requests


@at_every_split
def test_no_rows(talk: Conversation) -> None:
    answer = talk.execute(BY_ID, 0)
    talk.server(BIND_COMPLETE, command_complete("SELECT 0"), ready_for_query())
    assert answer.result == ([], b"SELECT 0")


@at_every_split
def test_no_columns(talk: Conversation) -> None:
    answer = talk.execute(BEGIN)
    assert talk.written_bytes() == (
        b"B\0\0\0\x0e\0s1\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04"
    )
    talk.server(BIND_COMPLETE, command_complete("BEGIN"), ready_for_query("T"))
    assert answer.result == ([], b"BEGIN")
    assert answer.request.status == talk.session.status == ord("T")


@at_every_split
def test_the_first_row_only(talk: Conversation) -> None:
    answer = talk.execute(ALL, limited=True)
    assert talk.written()[1:] == ["F Execute portal='' max_rows=1", "F Sync"]
    talk.server(BIND_COMPLETE, data_row(int4(7)), PORTAL_SUSPENDED, ready_for_query())
    rows, command = answer.result
    assert [row["id"] for row in rows] == [7]
    assert command == b""


@at_every_split
def test_the_first_row_only_with_arguments(talk: Conversation) -> None:
    answer = talk.execute(BY_ID, 3, limited=True)
    assert talk.written() == [
        "F Bind portal='' statement='s1' formats=[1] values=[4 bytes] results=[1]",
        "F Execute portal='' max_rows=1",
        "F Sync",
    ]
    talk.server(BIND_COMPLETE, command_complete("SELECT 0"), ready_for_query())
    assert answer.result == ([], b"SELECT 0")


@at_every_split
def test_more_rows_than_asked_for(talk: Conversation) -> None:
    """A server that does not mind the limit gets no memory for it."""
    answer = talk.execute(ALL, limited=True)
    rows = [data_row(int4(number)) for number in range(7, 12)]
    talk.server(BIND_COMPLETE, *rows, command_complete("SELECT 5"), ready_for_query())
    assert [row["id"] for row in answer.result[0]] == [7]


@at_every_split
def test_an_empty_query(talk: Conversation) -> None:
    answer = talk.execute(statement(""))
    talk.server(BIND_COMPLETE, EMPTY_QUERY_RESPONSE, ready_for_query())
    assert answer.result == ([], b"")


@at_every_split
def test_arguments(talk: Conversation) -> None:
    answer = talk.execute(INSERT, -1, "grüße")
    talk.execute(INSERT, None, None)
    talk.execute(INSERT, 0, "")
    ending = int2(0) + b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\4"
    head = b"\0s1\0" + int2(1) + int2(1) + int2(2)

    def bind(values: bytes) -> bytes:
        return b"B" + pack("!i", 4 + len(head) + len(values) + 2) + head + values + ending

    assert talk.written_bytes() == (
        bind(int4(4) + int4(-1) + int4(7) + "grüße".encode())
        + bind(int4(-1) + int4(-1))
        + bind(int4(4) + int4(0) + int4(0))
    )
    talk.server(BIND_COMPLETE, command_complete("INSERT 0 1"), ready_for_query())
    assert answer.result == ([], b"INSERT 0 1")


# --- errors ---------------------------------------------------------------------------------------


@at_every_split
def test_refused_in_bind(talk: Conversation) -> None:
    answer = talk.execute(BY_ID, 1)
    talk.server(error_response("22P03", "incorrect binary data format"), ready_for_query())
    assert answer.error.sqlstate == "22P03"
    assert answer.error.query == BY_ID.query


@pytest.mark.parametrize("before", [1, 2, 3])
@at_every_split
def test_an_error_in_the_middle_of_the_rows(talk: Conversation, before: int) -> None:
    answer = talk.execute(BY_ID, 10)
    talk.server(*ROWS[:before], error_response("22012", "division by zero"))
    assert not answer.done()
    talk.server(ready_for_query())
    assert isinstance(answer.error, DivisionByZeroError)


@at_every_split
def test_an_error_after_command_complete(talk: Conversation) -> None:
    """A deferred constraint is checked at Sync: the statement had looked like a success."""
    answer = talk.execute(INSERT, 1, "Ada")
    talk.server(BIND_COMPLETE, command_complete("INSERT 0 1"))
    assert not answer.done()
    talk.server(error_response("23503", "no such group"), ready_for_query())
    assert isinstance(answer.error, ForeignKeyViolationError)


@at_every_split
def test_an_error_in_a_transaction(talk: Conversation) -> None:
    answer = talk.execute(INSERT, 1, "Ada")
    talk.server(
        BIND_COMPLETE, error_response("23505", "duplicate", n="users_pkey"), ready_for_query("E")
    )
    assert isinstance(answer.error, UniqueViolationError)
    assert answer.error.constraint_name == "users_pkey"
    assert answer.request.status == ord("E")


@at_every_split
def test_of_two_errors_the_first_counts(talk: Conversation) -> None:
    answer = talk.execute(ALL)
    talk.server(
        BIND_COMPLETE,
        error_response("22012", "first"),
        error_response("23505", "second"),
        ready_for_query(),
    )
    assert answer.error.message == "first"


@at_every_split
def test_the_wrong_number_of_arguments(talk: Conversation) -> None:
    with pytest.raises(InterfaceError, match="the query expects 1 argument, 0 given"):
        talk.execute(BY_ID)
    with pytest.raises(InterfaceError, match="the query expects 2 arguments, 3 given"):
        talk.execute(INSERT, 1, "a", 2)
    with pytest.raises(InterfaceError, match="the query expects 0 arguments, 1 given"):
        talk.execute(ALL, 1)
    assert talk.written_bytes() == b""
    assert not talk.session.requests


@at_every_split
def test_an_argument_that_cannot_be_encoded(talk: Conversation) -> None:
    before = talk.execute(ALL)
    for arguments in ((1, 2), ("one", "Ada"), (2**31, "Ada"), (1, "a\0"), (1, "\ud800")):
        with pytest.raises(DataError, match=r"query argument \$[12] \((int4|text)\)"):
            talk.execute(INSERT, *arguments)
    after = talk.execute(INSERT, 1, "Ada")
    # Not a byte of the refused ones.
    assert [line.split()[1] for line in talk.written()] == ["Bind", "Execute", "Sync"] * 2
    talk.server(BIND_COMPLETE, data_row(int4(1)), command_complete("SELECT 1"), ready_for_query())
    talk.server(BIND_COMPLETE, command_complete("INSERT 0 1"), ready_for_query())
    assert len(before.result[0]) == 1
    assert after.result == ([], b"INSERT 0 1")


def test_arguments_too_long_for_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_LENGTH", 100)
    talk = Conversation()
    for size in (101, 90):  # the field alone, the message around it
        with pytest.raises(DataError, match=r"\$2 \(text\): the value is too long"):
            talk.execute(INSERT, 1, "x" * size)
    assert talk.written_bytes() == b""
    answer = talk.execute(INSERT, 1, "Ada")
    talk.server(BIND_COMPLETE, command_complete("INSERT 0 1"), ready_for_query())
    assert answer.result == ([], b"INSERT 0 1")


def test_the_most_arguments() -> None:
    talk = Conversation()
    many = statement("SELECT ...", (INT4,) * 65535)
    answer = talk.execute(many, *range(65535))
    data = talk.written_bytes()
    values = b"".join([int4(4) + int4(i) for i in range(65535)])
    assert data[5:] == (b"\0s1\0\0\1\0\1\xff\xff" + values + b"\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\4")
    talk.server(BIND_COMPLETE, command_complete("SELECT 0"), ready_for_query())
    assert answer.result == ([], b"SELECT 0")
    with pytest.raises(InterfaceError, match="expects 65535 arguments, 65536 given"):
        talk.execute(many, *range(65536))
    with pytest.raises(InterfaceError, match="65536 parameters, a statement may have 65535"):
        statement("SELECT ...", (INT4,) * 65536)


# --- rows that lie --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "does not have the 2 columns"),
        (b"\0", "does not have the 2 columns"),
        (int2(0), "does not have the 2 columns"),
        (int2(1) + int4(-1), "does not have the 2 columns"),
        (int2(3) + int4(-1) * 3, "does not have the 2 columns"),
        (int2(-1), "does not have the 2 columns"),
        (int2(2), "'id' would take 4 bytes where 0 are left"),
        (int2(2) + int4(-1), "'name' would take 4 bytes where 0 are left"),
        (int2(2) + int4(-1) + b"\0\0\0", "'name' would take 4 bytes where 3 are left"),
        (int2(2) + int4(-2) + int4(-1), "'id' would take -2 bytes where 4"),
        (int2(2) + int4(-(2**31)) + int4(-1), "'id' would take -2147483648 bytes"),
        (int2(2) + int4(2**31 - 1) + int4(-1), "'id' would take 2147483647 bytes where 4"),
        (int2(2) + int4(5) + int4(7), "'id' would take 5 bytes where 4 are left"),
        (int2(2) + int4(-1) + int4(4) + b"abc", "'name' would take 4 bytes where 3"),
        (int2(2) + int4(-1) + int4(2) + b"abc", "1 bytes are left over"),
        (int2(2) + int4(-1) * 3, "4 bytes are left over"),
        (int2(2) + int4(0) + int4(-1), "announced 4 bytes where 0 remain"),
        (int2(2) + int4(3) + b"abc" + int4(-1), "announced 4 bytes where 3 remain"),
        (int2(2) + int4(5) + b"abcde" + int4(-1), "column 'id' has 5 bytes"),
    ],
)
@at_every_split
def test_a_row_that_lies(talk: Conversation, body: bytes, words: str) -> None:
    answer = talk.execute(BY_ID, 1)
    with pytest.raises(ProtocolError, match=words):
        talk.server(BIND_COMPLETE, message("D", body), *ROWS[3:])
    assert not answer.done()


def test_each_prefix_of_a_row() -> None:
    body = data_row(int4(1), b"Ada")[5:]
    for size in range(len(body)):
        talk = Conversation()
        talk.execute(BY_ID, 1)
        with pytest.raises(ProtocolError):
            talk.server(BIND_COMPLETE, message("D", body[:size]))


def test_each_changed_byte_of_a_row() -> None:
    """Another value, an error of the caller's, or of the protocol: never a row that is wrong."""
    body = data_row(int4(1), b"Ada", None)[5:]
    three = statement("SELECT ...", (), (("a", INT4), ("b", TEXT), ("c", TEXT)))
    for i in range(len(body)):
        for lie in (0x00, 0x01, 0x04, 0x7F, 0x80, 0xFE, 0xFF):
            changed = body[:i] + bytes([lie]) + body[i + 1 :]
            talk = Conversation()
            answer = talk.execute(three)
            try:
                talk.server(BIND_COMPLETE, message("D", changed), *ROWS[3:])
            except ProtocolError:
                assert not answer.done()
                continue
            if not answer.errors:
                ((a, *texts),) = answer.result[0]
                values = [None if text is None else text.encode() for text in texts]
                assert data_row(None if a is None else int4(a), *values)[5:] == changed


@at_every_split
def test_text_that_is_not_utf8_is_the_callers(talk: Conversation) -> None:
    answer = talk.execute(BY_ID, 1)
    talk.server(BIND_COMPLETE, data_row(int4(1), b"\xff"), *ROWS[1:])
    assert isinstance(answer.error, DataError)
    assert isinstance(answer.error.__cause__, UnicodeDecodeError)
    assert str(answer.error).startswith("column 'name' (text) cannot be read: ")
    assert not talk.session.requests
    again = talk.execute(BY_ID, 1)
    talk.server(*ROWS)
    assert len(again.result[0]) == 2


@at_every_split
def test_a_row_where_none_was_described(talk: Conversation) -> None:
    talk.execute(BEGIN)
    with pytest.raises(ProtocolError, match="a row of a statement that returns none"):
        talk.server(BIND_COMPLETE, data_row())


@pytest.mark.parametrize(
    "messages",
    [
        (message("2", b"x"),),
        (BIND_COMPLETE, message("C", b"SELECT 1")),
        (BIND_COMPLETE, message("C", b"SELECT 1\0x")),
        (BIND_COMPLETE, message("I", b"x")),
        (BIND_COMPLETE, message("s", b"x")),
        (BIND_COMPLETE, message("E", b"x")),
        (BIND_COMPLETE, NO_DATA),
        (BIND_COMPLETE, BIND_COMPLETE),
        (BIND_COMPLETE, ready_for_query()),
        (BIND_COMPLETE, command_complete("SELECT 0"), command_complete("SELECT 0")),
        (BIND_COMPLETE, command_complete("SELECT 0"), data_row(int4(1), b"Ada")),
        (data_row(int4(1), b"Ada"),),
    ],
)
@at_every_split
def test_a_malformed_answer(talk: Conversation, messages: tuple[bytes, ...]) -> None:
    answer = talk.execute(BY_ID, 1)
    with pytest.raises(ProtocolError):
        talk.server(*messages)
    assert not answer.done()


@at_every_split
def test_rows_behind_one_that_python_cannot_hold(talk: Conversation) -> None:
    """Received at once, and fed at once: nothing behind them is left unread."""
    answer = talk.execute(BY_ID, 1)
    rows = [data_row(int4(1), b"a"), data_row(int4(2), b"\xff"), data_row(int4(3), b"c")]
    talk.server(BIND_COMPLETE, *rows, *rows, *ROWS[-2:])
    assert isinstance(answer.error, DataError)
    assert not talk.session.requests
