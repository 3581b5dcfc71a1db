"""Lengths and counts that are written: one byte too many, and nothing of the message is sent.

The limit is made small, so that it can be reached; `probes/written.py` has the sizes at which
lengths would wrap. A refused message leaves no trace in the output and none in memory.
"""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from conversation import Answer
from scripts import BOOL, INT4, INT8, TEXT

from pgallop.codecs.builtin import builtin_registry
from pgallop.errors import DataError, InterfaceError
from pgallop.session.execute import Execute
from pgallop.session.pipeline import Pipeline
from pgallop.session.prepare import Prepare
from pgallop.session.request import Request
from pgallop.session.session import Session
from pgallop.session.simple import SimpleQuery
from pgallop.session.statement import Description, Statement
from pgallop.wire import frontend, writer
from pgallop.wire.writer import Writer

LIMIT = 1000
MIB = 1 << 20

BYTEA, JSON, JSONB, NUMERIC, BYTEA_ARRAY, TEXT_ARRAY = 17, 114, 3802, 1700, 1001, 1009

REGISTRY = builtin_registry()


@pytest.fixture(autouse=True)
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_LENGTH", LIMIT)


def statement(*oids: int) -> Statement:
    return Statement("SELECT ...", b"s1", Description(oids, None), REGISTRY)


def execute(arguments: tuple[Any, ...], *oids: int) -> Execute:
    return Execute(None, statement(*oids), arguments)


def messages(data: bytes) -> list[tuple[bytes, bytes]]:
    """Tags and bodies, cut by their lengths; fails if they do not add up."""
    found = []
    while data:
        (length,) = struct.unpack_from("!i", data, 1)
        assert 4 <= length <= len(data) - 1
        found.append((data[:1], data[5 : length + 1]))
        data = data[length + 1 :]
    return found


# What is written, of so many bytes more or less, and what the error calls it.
MESSAGES: dict[str, tuple[Callable[[Writer, int], object], str]] = {
    "Query": (lambda w, n: frontend.query(w, "x" * n), "the query"),
    "Query in two bytes a character": (lambda w, n: frontend.query(w, "é" * n), "the query"),
    "Query with a prefix": (lambda w, n: frontend.query(w, "x" * n, b"BEGIN; "), "the query"),
    "Parse": (lambda w, n: frontend.parse(w, b"s1", "x" * n, (23,)), "the query"),
    "Parse, its name": (
        lambda w, n: frontend.parse(w, b"x" * n, "", ()),
        "the statement's name",
    ),
    "Parse, its types": (lambda w, n: frontend.parse(w, b"", "", (23,) * n), "the value"),
    "Describe a statement": (
        lambda w, n: frontend.describe_statement(w, b"x" * n),
        "the statement's name",
    ),
    "Describe a portal": (
        lambda w, n: frontend.describe_portal(w, b"x" * n),
        "the portal's name",
    ),
    "Close": (lambda w, n: frontend.close_statement(w, b"x" * n), "the statement's name"),
    "Execute": (lambda w, n: frontend.execute(w, b"x" * n, 0), "the portal's name"),
    "Bind": (lambda w, n: frontend.bind_execute(w, bytes(n), b"", 0), "the value"),
    "CopyFail": (lambda w, n: frontend.copy_fail(w, "x" * n), "the reason"),
    "PasswordMessage": (lambda w, n: frontend.password_message(w, b"x" * n), "the password"),
    "SASLInitialResponse": (
        lambda w, n: frontend.sasl_initial_response(w, "SCRAM-SHA-256", b"x" * n),
        "the value",
    ),
    "SASLInitialResponse, its mechanism": (
        lambda w, n: frontend.sasl_initial_response(w, "x" * n, b""),
        "the SASL mechanism",
    ),
    "SASLResponse": (lambda w, n: frontend.sasl_response(w, b"x" * n), "the value"),
    "GSSResponse": (lambda w, n: frontend.gss_response(w, b"x" * n), "the value"),
    "CancelRequest": (lambda w, n: frontend.cancel_request(w, 7, b"x" * n), "the value"),
    "StartupMessage": (
        lambda w, n: frontend.startup_message(w, {"user": "x" * n}),
        "a connection parameter",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_the_longest_message_and_one_byte_more(name: str) -> None:
    write, what = MESSAGES[name]
    longest = 0
    refused = []
    for size in range(LIMIT + 2):
        target = Writer()
        try:
            write(target, size)
        except InterfaceError as error:
            refused.append(str(error))
            continue
        assert not refused
        data = target.take()
        untyped = name in ("CancelRequest", "StartupMessage")
        (longest,) = struct.unpack_from("!i", data, 0 if untyped else 1)
        assert longest <= LIMIT
    assert longest > LIMIT - 4
    # At the edge there may be room for it, and none for what stands behind it.
    assert refused[0].startswith((what, "the value"))
    assert refused[-1].startswith(f"{what} is too long: with it the message has ")
    assert refused[-1].endswith(f" bytes or more, and PostgreSQL takes {LIMIT}")


@pytest.mark.parametrize("sizes", [(2**31 - 1,), (2**31,), (2**32,), (2**32 + 4,)])
def test_raw_bytes_of_any_size(sizes: tuple[int]) -> None:
    """What nobody looks at takes no memory, and these must not be looked at."""
    (size,) = sizes
    with pytest.raises(InterfaceError, match=f"the message has {size + 4} bytes"):
        frontend.sasl_response(Writer(), bytes(size))
    with pytest.raises(InterfaceError, match=f"the message has {size + 12} bytes"):
        frontend.cancel_request(Writer(), 7, bytes(size))
    with pytest.raises(InterfaceError, match="the value is too long"):
        frontend.bind_execute(Writer(), bytes(size), b"", 0)


def test_a_text_is_measured_before_it_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "MAX_LENGTH", 100)
    assert len(frontend.cstring("é" * 100, "the query")) == 200
    with pytest.raises(InterfaceError, match="the query is too long: it has 101 characters"):
        frontend.cstring("é" * 101, "the query")


def test_the_most_that_a_startup_message_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    head = len(b"\0\3\0\0user\0\0\0")
    target = Writer()
    frontend.startup_message(target, {"user": "x" * (10_000 - head)})
    assert len(target.take()) == 10_004
    with pytest.raises(InterfaceError, match="the StartupMessage has 10001 bytes"):
        frontend.startup_message(target, {"user": "x" * (10_001 - head)})
    with pytest.raises(InterfaceError, match="a connection parameter's name is empty"):
        frontend.startup_message(target, {"user": "ada", "": "x"})
    assert target.take() == b""


@pytest.mark.parametrize("count", [65536, 65537, 2**17])
def test_counts_of_16_bits(count: int) -> None:
    for formats in ((0,) * count, (1,) * count, (0, 1) * (count // 2) + (0,) * (count % 2)):
        with pytest.raises(InterfaceError, match=f"{count} parameters, a statement may have 65535"):
            frontend.bind_head(b"", b"", formats)
        with pytest.raises(InterfaceError, match=f"{count} columns, a statement may have 65535"):
            frontend.bind_tail(formats)


# Requests


# The arguments of a statement, of so many bytes more or less, and their types.
ARGUMENTS: dict[str, tuple[Callable[[int], tuple[Any, ...]], tuple[int, ...]]] = {
    "bytes": (lambda n: (bytes(n),), (BYTEA,)),
    "bytearray": (lambda n: (bytearray(n),), (BYTEA,)),
    "memoryview": (lambda n: (memoryview(bytes(n)),), (BYTEA,)),
    "text": (lambda n: ("x" * n,), (TEXT,)),
    "text in UTF-8": (lambda n: ("€" * n,), (TEXT,)),
    "json": (lambda n: ("x" * n,), (JSON,)),
    "jsonb": (lambda n: (["x"] * n,), (JSONB,)),
    "numeric": (lambda n: (10 ** (4 * n),), (NUMERIC,)),
    "an element": (lambda n: ([b"", bytes(n), None],), (BYTEA_ARRAY,)),
    "many elements": (lambda n: ([b""] * n,), (BYTEA_ARRAY,)),
    "many NULLs": (lambda n: ([None] * n,), (TEXT_ARRAY,)),
    "an array of arrays": (lambda n: ([["é"] * n] * 2,), (TEXT_ARRAY,)),
    "all arguments": (lambda n: (b"x" * (n // 2), b"x" * (n // 2)), (BYTEA, BYTEA)),
    "many arguments": (lambda n: (1,) * (n // 2), ()),
}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_the_longest_arguments_and_one_more(kind: str) -> None:
    make, oids = ARGUMENTS[kind]
    session = Session()
    before = execute((True,), BOOL)
    session.submit(before)
    expected = session.take()
    kinds = []
    for size in range(2, 2 * LIMIT, 13):
        arguments = make(size)
        request = execute(arguments, *(oids or (INT8,) * len(arguments)))
        session.submit(SimpleQuery(None, "before"))
        kinds.append(refusal(session, request))
        session.submit(execute((True,), BOOL))
        data = session.take()
        tags = b"".join([tag for tag, _ in messages(data)])
        assert tags == (b"QBES" if kinds[-1] else b"QBESBES")
        assert data.endswith(expected)
    # Where Bind has no room for what stands behind the arguments, no argument can be blamed.
    assert kinds.count(InterfaceError) <= 1
    order: list[type[Exception] | None] = [None, InterfaceError, DataError]
    assert kinds == sorted(kinds, key=lambda kind: order.index(kind))
    assert kinds[0] is None
    assert kinds[-1] is DataError


def refusal(session: Session, request: Request) -> type[Exception] | None:
    """Submit what may be too long; as what it is refused, or None."""
    try:
        session.submit(request)
    except (DataError, InterfaceError) as error:
        refused = error
    else:
        return None
    assert "the value is too long" in str(refused)
    if isinstance(refused, InterfaceError):
        return InterfaceError
    assert "invalid input for query argument $" in str(refused)
    return DataError


def test_what_surrounds_the_arguments_counts_too() -> None:
    """Bind is full: there is no room left for the formats of the result behind the arguments."""
    head = 4 + len(b"\0s1\0\0\1\0\1\0\1") + 4
    for size, fits in ((LIMIT - head - 2, True), (LIMIT - head - 1, False), (LIMIT - head, False)):
        session = Session()
        if fits:
            session.submit(execute((bytes(size),), BYTEA))
            assert len(messages(session.take())[0][1]) == LIMIT - 4
        else:
            with pytest.raises(InterfaceError, match="the value is too long"):
                session.submit(execute((bytes(size),), BYTEA))
            assert session.take() == b""


TOO_LONG = "x" * LIMIT
REFUSED: dict[str, Callable[[], Request]] = {
    "Prepare": lambda: Prepare(None, TOO_LONG, b"s1", REGISTRY, (b"s0",)),
    "Prepare that closes": lambda: Prepare(None, "", b"s1", REGISTRY, (b"x" * LIMIT,)),
    "SimpleQuery": lambda: SimpleQuery(None, TOO_LONG),
    "Execute": lambda: execute((1, TOO_LONG), INT4, TEXT),
    "Pipeline": lambda: Pipeline(
        None, [execute((each,), TEXT) for each in ("before", TOO_LONG, "behind")]
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("begins", [False, True])
def test_neighbours_of_a_refused_request(name: str, begins: bool) -> None:
    session = Session()
    session.submit(SimpleQuery(None, "before"))
    request = REFUSED[name]()
    if begins:
        request.carry("BEGIN")
    with pytest.raises((DataError, InterfaceError), match="too long"):
        session.submit(request)
    session.submit(SimpleQuery(None, "behind"))
    assert messages(session.take()) == [(b"Q", b"before\0"), (b"Q", b"behind\0")]


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_had_to_wait_is_refused_alone(name: str) -> None:
    session = Session()
    session.expose()  # a cancellation is on its way: nothing is written
    before, request, behind = SimpleQuery(None, "before"), REFUSED[name](), SimpleQuery(None, "x")
    answer = request.waiter = Answer()
    for each in (before, request, behind):
        session.submit(each)
    assert session.take() == b""
    session.release()
    assert messages(session.take()) == [(b"Q", b"before\0"), (b"Q", b"x\0")]
    assert "too long" in str(answer.error)


def test_the_limit_is_that_of_a_message_and_not_of_the_output() -> None:
    session = Session()
    one, none = statement(BYTEA), statement()
    for _ in range(100):
        session.submit(Execute(None, one, (bytes(LIMIT // 2),)))
        session.submit(Execute(None, none, ()))
    session.submit(Pipeline(None, [Execute(None, one, (bytes(LIMIT // 2),)) for _ in range(100)]))
    assert len(messages(session.take())) == 100 * 3 * 2 + 201


def test_what_was_not_sent_is_moved_whatever_its_length() -> None:
    """A request that is dropped makes the others' messages move, which may be many together."""
    session = Session()
    dropped = SimpleQuery(None, "dropped")
    session.submit(dropped)
    one = statement(BYTEA)
    session.submit(Pipeline(None, [Execute(None, one, (bytes(LIMIT // 2),)) for _ in range(10)]))
    assert session.discard(dropped)
    assert len(messages(session.take())) == 21


# Memory


def test_the_memory_of_a_refused_request_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    session = Session()
    session.submit(SimpleQuery(None, "before"))
    large = statement(BYTEA, INT4)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"\$2 \(int4\)"):
            session.submit(Execute(None, large, (bytes(16 * MIB), "not an int")))
        current, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak > 16 * MIB
    assert current < MIB
    assert session.writer.capacity == 1024
    session.submit(SimpleQuery(None, "behind"))
    assert messages(session.take()) == [(b"Q", b"before\0"), (b"Q", b"behind\0")]


def test_so_is_that_of_statements_before_the_refused_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    session = Session()
    large = statement(BYTEA)
    executes = [Execute(None, large, arguments) for arguments in ((bytes(16 * MIB),), (), (b"",))]
    with pytest.raises(InterfaceError, match="statement 2 of 3: the query expects 1 argument"):
        session.submit(Pipeline(None, executes))
    assert session.writer.capacity == 1024
    assert session.take() == b""


def test_a_large_value_is_moved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a second time for the few bytes behind it, and to a place of twice its size."""
    monkeypatch.undo()
    session = Session()
    session.submit(SimpleQuery(None, "before"))
    session.submit(execute((bytes(16 * MIB),), BYTEA))
    assert 16 * MIB < session.writer.capacity < 17 * MIB


def test_no_memory_is_taken_for_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_LENGTH", 8 * MIB)
    session = Session()
    large = statement(BYTEA)
    data = bytes(8 * MIB)
    tracemalloc.start()
    try:
        for value in (data, memoryview(data), bytearray(1)):
            request = Execute(None, large, (value,))
            if len(value) > 1:
                with pytest.raises(DataError, match="too long"):
                    session.submit(request)
            else:
                session.submit(request)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MIB // 2
