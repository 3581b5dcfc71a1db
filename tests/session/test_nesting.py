"""Values nested 200,000 deep: an error at once, and no stack that overflows."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import pytest
from array_bytes import wire
from conversation import Conversation
from record_bytes import record, tower
from scripts import BIND_COMPLETE, command_complete, data_row, ready_for_query

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.errors import DataError, ProtocolError
from pgallop.limits import MAX_NESTING
from pgallop.session.statement import Description, Statement
from pgallop.wire.backend import Field

LEVELS = 200_000
SECONDS = 1.0  # interpreted, on a machine that does something else besides; it takes some ms

DOCUMENTS = {
    "arrays": b"[" * LEVELS + b"]" * LEVELS,
    "arrays without an end": b"[" * LEVELS,
    "objects": b'{"a":' * LEVELS + b"1" + b"}" * LEVELS,
    "both": b'[{"a":' * (LEVELS // 2) + b"1" + b"}]" * (LEVELS // 2),
}


def column(name: str, type_name: str) -> Statement:
    """A statement with one column."""
    oid = OIDS[type_name]
    description = Description((), (Field(name, 0, 0, oid, -1, -1, 1),))
    return Statement("SELECT", b"s1", description, builtin_registry())


def ask_for(talk: Conversation, statement: Statement, value: bytes) -> BaseException:
    """The error of a query whose answer is this value, read within the time."""
    answer = talk.execute(statement)
    talk.server(BIND_COMPLETE)
    start = time.perf_counter()
    talk.server(data_row(value))
    assert time.perf_counter() - start < SECONDS
    talk.server(command_complete("SELECT 1"), ready_for_query())
    error = answer.error
    assert isinstance(error, BaseException)
    return error


def forms(document: bytes) -> dict[str, bytes]:
    """The document as json, as jsonb, and within other values."""
    jsonb = b"\1" + document
    return {
        "json": document,
        "jsonb": jsonb,
        "record": record((OIDS["int4"], None), (OIDS["jsonb"], jsonb)),
        "_jsonb": wire([jsonb], (1, 1), oid=OIDS["jsonb"]),
    }


def refuse_documents(documents: dict[str, bytes]) -> None:
    talk = Conversation()
    for document in documents.values():
        for name, value in forms(document).items():
            error = ask_for(talk, column("deep", name), value)
            assert isinstance(error, DataError)
            assert str(error).startswith("column 'deep' (")
            assert "recursion" in str(error)
            assert len(str(error)) < 500
            # The connection is as good as before.
            answer = talk.execute(column("n", "int4"))
            talk.server(BIND_COMPLETE, data_row(b"\0\0\0\7"), command_complete("SELECT 1"))
            talk.server(ready_for_query())
            assert answer.result[0][0]["n"] == 7


def test_documents() -> None:
    refuse_documents(DOCUMENTS)


def test_documents_under_a_higher_limit_of_recursion() -> None:
    """Programs raise it; the C stack does not grow with it."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        refuse_documents(DOCUMENTS)
    finally:
        sys.setrecursionlimit(before)


def in_a_thread(work: Callable[[], None], stack_size: int) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    before = threading.stack_size(stack_size)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    if failures:
        raise failures[0]


def test_records() -> None:
    for levels in (MAX_NESTING + 1, LEVELS):
        talk = Conversation()
        with pytest.raises(ProtocolError, match=f"nested deeper than {MAX_NESTING} levels"):
            ask_for(talk, column("deep", "record"), tower(levels))
        array = wire([tower(levels)], (1, 1), oid=OIDS["record"])
        with pytest.raises(ProtocolError, match=f"nested deeper than {MAX_NESTING} levels"):
            ask_for(Conversation(), column("deep", "_record"), array)


@pytest.mark.unsanitized  # their frames take more of the stack
def test_records_as_deep_as_is_allowed_need_little_stack() -> None:
    value = tower(MAX_NESTING - 1)
    pair = record((ARRAYS["record"], wire([value, value], (2, 1), oid=OIDS["record"])))

    def read() -> None:
        talk = Conversation()
        answer = talk.execute(column("deep", "record"))
        talk.server(BIND_COMPLETE, data_row(pair), command_complete("SELECT 1"), ready_for_query())
        ((row,), _) = answer.result
        assert len(row["deep"][0]) == 2

    # musl's threads have 128 KiB, which is the least that is common.
    in_a_thread(read, 128 * 1024)
