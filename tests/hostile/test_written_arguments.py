"""Arguments with code of their own, which runs in the middle of a message that is being written.

Python asks a container for its items, an encoder for JSON, a text for its length. What they do or
say then must not get into the message: no other statement, no other length.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

import pytest
from conversation import Answer
from hostile.probe import description, finished, prepare, said
from scripted_server import FAREWELL, WELCOME, ScriptedServer, expect, reply, stall
from scripts import BIND_COMPLETE, TEXT

import pgallop
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec, Unencodable, shown
from pgallop.codecs.json import JsonCodec
from pgallop.connection import Connection
from pgallop.errors import DataError, InterfaceError
from pgallop.session.execute import Execute
from pgallop.session.session import Session
from pgallop.session.simple import SimpleQuery
from pgallop.session.statement import Description, Statement
from pgallop.wire.trace import Trace

INT4_ARRAY, JSON, ACLITEM, UUID_OID, XML = 1007, 114, 1033, 2950, 142

REGISTRY = builtin_registry()


class Busy:
    """Two items, and something that is done before they come."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[int]:
        self._act()
        return iter([1, 2])


def execute(argument: object, oid: int = INT4_ARRAY) -> Execute:
    statement = Statement("SELECT $1", b"s1", Description((oid,), None), REGISTRY)
    return Execute(Answer(), statement, (argument,))


def words(data: bytes) -> list[str]:
    """The messages by their names; fails if one is malformed or more than these is there."""
    trace = Trace(startup=False)
    lines = trace.feed("F", data)
    assert sum(5 + int.from_bytes(each, "big") - 4 for each in lengths(data)) == len(data)
    return [line.split()[1] for line in lines]


def lengths(data: bytes) -> Iterator[bytes]:
    while data:
        yield data[1:5]
        data = data[1 + int.from_bytes(data[1:5], "big") :]


# What the code of an argument does to the session


def test_a_statement_in_the_middle_of_another_one() -> None:
    """It follows behind: in between it would be data, and its answer somebody else's."""
    session = Session()
    inner = SimpleQuery(Answer(), "DROP TABLE users")

    def act() -> None:
        if inner not in session.waiting:
            session.submit(inner)

    outer = execute(Busy(act))
    session.submit(outer)
    assert list(session.requests) == [outer]
    assert words(session.take()) == ["Bind", "Execute", "Sync"]
    assert list(session.requests) == [outer, inner]
    assert words(session.take()) == ["Query"]


def test_the_middle_of_a_message_is_not_sent() -> None:
    session = Session()
    session.submit(SimpleQuery(None, "before"))
    taken = []
    session.submit(execute(Busy(lambda: taken.append(session.take()))))
    assert set(taken) == {b""}
    assert words(session.take()) == ["Query", "Bind", "Execute", "Sync"]


def test_a_statement_in_the_middle_of_one_that_is_refused() -> None:
    session = Session()
    inner = SimpleQuery(Answer(), "inner")

    def act() -> None:
        session.submit(inner)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        session.submit(execute(Busy(act)))
    assert words(session.take()) == ["Query"]
    assert list(session.requests) == [inner]


def test_statements_released_in_the_middle_of_a_message() -> None:
    session = Session()
    session.expose()
    waiting = [SimpleQuery(None, "one"), execute(Busy(session.release)), SimpleQuery(None, "two")]
    for request in waiting:
        session.submit(request)
    session.release()
    assert list(session.requests) == waiting
    assert words(session.take()) == ["Query", "Bind", "Execute", "Sync", "Query"]


def test_a_statement_dropped_in_the_middle_of_a_message() -> None:
    session = Session()
    dropped, kept = SimpleQuery(None, "dropped"), SimpleQuery(None, "kept")
    session.submit(dropped)
    session.submit(kept)

    def act() -> None:
        if not dropped.discarded:
            session.discard(dropped)
        assert session.take() == b""

    outer = execute(Busy(act))
    session.submit(outer)
    assert words(session.take()) == ["Query", "Bind", "Execute", "Sync"]
    assert list(session.requests) == [kept, outer]


def test_a_connection_lost_in_the_middle_of_a_message() -> None:
    session = Session()
    with pytest.raises(InterfaceError, match="closed while the arguments were encoded") as raised:
        session.submit(execute(Busy(lambda: session.lost(ConnectionResetError("gone")))))
    assert raised.value.safe_to_retry
    assert not session.requests
    assert session.take() == b""


def test_so_for_one_that_had_to_wait() -> None:
    session = Session()
    session.expose()
    request = execute(Busy(lambda: session.lost(ConnectionResetError("gone"))))
    session.submit(request)
    answer = request.waiter
    session.release()
    assert isinstance(answer.error, InterfaceError)
    assert not session.requests


PREPARED = prepare(description(parameters=[INT4_ARRAY]))


async def call(server: ScriptedServer) -> Connection:
    return await pgallop.connect(
        host=server.host, port=server.port, user="ada", password="x", ssl="disable", timeout=5
    )


@pytest.mark.parametrize("refused", [False, True])
async def test_a_call_in_the_middle_of_another_one(refused: bool) -> None:
    """On a real connection, with nothing under way: what is queued meanwhile is sent."""
    outer = [expect("Bind", "Execute", "Sync"), *said(BIND_COMPLETE, finished("SELECT 1"))]
    script = [
        *PREPARED,
        *([] if refused else outer),
        expect("Query sql='inner'"),
        *said(finished("DO")),
        *FAREWELL,
    ]
    with ScriptedServer(script) as server:
        conn = await call(server)
        tasks: list[asyncio.Future[str]] = []

        def act() -> None:
            if not tasks:
                tasks.append(conn._dispatch.control("inner"))
            if refused:
                raise ZeroDivisionError

        if refused:
            with pytest.raises(ZeroDivisionError):
                await conn.execute("SELECT $1", Busy(act))
        else:
            assert await conn.execute("SELECT $1", Busy(act)) == "SELECT 1"
        assert await asyncio.wait_for(tasks[0], 2) == "DO"
        await conn.close()


def close_eagerly(conn: Connection) -> None:
    """Close as an eager task does, up to its first wait; here it has none."""
    with pytest.raises(StopIteration):
        conn.close().send(None)


@pytest.mark.parametrize("close", [Connection.terminate, close_eagerly])
async def test_closing_in_the_middle_of_a_call(close: Callable[[Connection], None]) -> None:
    with ScriptedServer([*PREPARED, stall()]) as server:
        conn = await call(server)
        with pytest.raises(InterfaceError, match="closed while the arguments were encoded"):
            await asyncio.wait_for(conn.execute("SELECT $1", Busy(lambda: close(conn))), 2)
        assert conn.is_closed()


# What an argument says of itself


class Short(str):
    """As wide as it is shown: a text with colours says that it is shorter than it is."""

    def __len__(self) -> int:
        return 1


class Long(str):
    def __len__(self) -> int:
        return 1_000_000


class Other(str):
    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\0other"

    def __str__(self) -> str:
        return "other"

    def isascii(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [Short, Long, Other])
@pytest.mark.parametrize("text", ["plain", "grün"])
@pytest.mark.parametrize("oid", [TEXT, ACLITEM, XML, 19])
def test_the_length_of_a_text_is_its_own(kind: type[str], text: str, oid: int) -> None:
    codec: Codec = REGISTRY.get(oid)
    assert codec.dumps(kind(text)) == text.encode()
    session = Session()
    session.submit(execute(kind(text), oid))
    data = session.take()
    assert words(data) == ["Bind", "Execute", "Sync"]
    assert struct.pack("!i", len(text.encode())) + text.encode() in data


class Identifier:
    """A UUID of another package, with `bytes` that are no bytes."""

    def __init__(self, data: object) -> None:
        self.bytes = data


class LongBytes(bytes):
    def __len__(self) -> int:
        return 16


@pytest.mark.parametrize("data", [b"", b"x" * 15, b"x" * 17, LongBytes(b"x"), "x" * 16, None])
def test_a_uuid_has_16_bytes(data: object) -> None:
    with pytest.raises(Unencodable):
        REGISTRY.get(UUID_OID).dumps(Identifier(data))


@pytest.mark.parametrize("made", [None, 1, bytearray(b"1"), LongBytes(b"1"), b"\0", "\0", ["1"]])
def test_an_encoder_of_json_returns_text(made: Any) -> None:
    codec = JsonCodec(JSON, "json", lambda value: made)
    with pytest.raises(Unencodable):
        codec.dumps({})


@pytest.mark.parametrize("made", [b'"x"', '"x"', Short('"x"'), Long('"x"')])
def test_its_text_is_written_as_it_is(made: str | bytes) -> None:
    codec = JsonCodec(JSON, "json", lambda value: made)
    assert codec.dumps({}) == b'"x"'


class Name(StrEnum):
    USER = "ada"
    SETTING = "my.setting"


async def test_members_of_an_enumeration_are_texts() -> None:
    """A compiled function that declares str takes no other class."""
    heard: list[bytes] = []

    def welcome(bodies: list[bytes]) -> bytes:
        heard.extend(bodies)
        return b""

    script = [expect("StartupMessage"), reply(welcome), *WELCOME[1:], *FAREWELL]
    with ScriptedServer(script) as server:
        conn = await pgallop.connect(
            host=server.host,
            port=server.port,
            user=Name.USER,
            password=Name.USER,
            database=Name.USER,
            server_settings={Name.SETTING: Name.USER, Other("x.y"): Long("z")},
            ssl="disable",
            timeout=5,
        )
        await conn.close()
    (body,) = heard
    assert b"user\0ada\0database\0ada\0my.setting\0ada\0x.y\0z\0" in body


def test_what_an_error_shows_is_cut_before_it_is_made() -> None:
    class Loud(bytes):
        def __repr__(self) -> str:
            raise AssertionError("the whole of it")

    assert shown(Loud(b"x" * 1000)) == "b'" + "x" * 75 + "..."
    assert shown("\0" * 10**6) == "'" + "\\x00" * 19 + "..."
    assert shown("x" * 78) == repr("x" * 78)
    with pytest.raises(DataError) as raised:
        Session().submit(execute("x" * 10**6 + "\0", TEXT))
    assert len(str(raised.value)) < 400
