"""Strings that are written: whatever is in them, the server reads the messages that were meant.

The bytes are read here by a parser of its own, from "Message Formats", as the server would: what
comes out must be what went in, message by message and string by string, or nothing at all.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from conversation import Answer
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts import CLEARTEXT_PASSWORD, TEXT, authentication

from pgallop.codecs.builtin import builtin_registry
from pgallop.config.options import ConnectOptions, resolve
from pgallop.errors import ClientConfigurationError, DataError, InterfaceError
from pgallop.session.execute import Execute
from pgallop.session.pipeline import Pipeline
from pgallop.session.prepare import Prepare
from pgallop.session.request import Request
from pgallop.session.session import Session
from pgallop.session.simple import SimpleQuery
from pgallop.session.startup import Startup
from pgallop.session.statement import Description, Statement

BYTEA, JSON, JSONB, TEXT_ARRAY, ACLITEM = 17, 114, 3802, 1009, 1033
REGISTRY = builtin_registry()

# Ends of strings, ends of messages, beginnings of others, ends of literals, what is no character.
NASTY = st.sampled_from(
    [
        *(
            "\0",
            "\0\0",
            "\0Q\0\0\0\x0cDROP a\0",
            "\0user\0postgres\0",
            "S\0\0\0\4",
            "\ud800",
            "\udfff",
        ),
        *("'; DROP TABLE users; --", '"', "\\", "$$", "$1", "/*", "\n", "\x1a", "😀", "é", "\x80"),
    ]
)
EXAMPLES = settings(deadline=None, max_examples=80)
TEXTS = st.lists(NASTY | st.text(max_size=5), max_size=4).map("".join)
BYTES = st.binary(max_size=20)


class Body:
    """The body of one message, read from its beginning."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def string(self) -> str:
        text, found, self._data = self._data.partition(b"\0")
        assert found
        return text.decode()

    def number(self, form: str) -> int:
        size = struct.calcsize(form)
        (number,) = struct.unpack(form, self._data[:size])
        self._data = self._data[size:]
        return int(number)

    def bytes(self) -> bytes | None:
        size = self.number("!i")
        if size == -1:
            return None
        assert 0 <= size <= len(self._data)
        data, self._data = self._data[:size], self._data[size:]
        return data

    def end(self) -> None:
        assert self._data == b""


def read(data: bytes) -> Iterator[tuple[str, Any]]:
    """The messages as the server reads them."""
    while data:
        tag, (length,) = data[:1], struct.unpack_from("!i", data, 1)
        assert 4 <= length < len(data)
        body = Body(data[5 : 1 + length])
        data = data[1 + length :]
        if tag == b"Q":
            yield "Query", body.string()
        elif tag == b"P":
            yield "Parse", (body.string(), body.string(), body.number("!H"))
        elif tag == b"D":
            yield "Describe", (body.number("!b"), body.string())
        elif tag == b"C":
            yield "Close", (body.number("!b"), body.string())
        elif tag == b"B":
            yield "Bind", bind(body)
        elif tag == b"E":
            yield "Execute", (body.string(), body.number("!i"))
        else:
            assert tag == b"S"
            yield "Sync", None
        body.end()


def bind(body: Body) -> tuple[str, str, list[bytes | None]]:
    names = body.string(), body.string()
    for _ in range(body.number("!H")):
        assert body.number("!h") in (0, 1)
    values = [body.bytes() for _ in range(body.number("!H"))]
    for _ in range(body.number("!H")):
        assert body.number("!h") in (0, 1)
    return *names, values


def written(*requests: Request) -> list[tuple[str, Any]]:
    """What a session writes of them; the error of the first that is refused."""
    session = Session()
    for request in requests:
        session.submit(request)
    return list(read(session.take()))


def sendable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


# Statements


@EXAMPLES
@given(TEXTS, st.booleans())
def test_any_script(text: str, begins: bool) -> None:
    request = SimpleQuery(None, text)
    if begins:
        request.carry("BEGIN")
    if sendable(text):
        assert written(request) == [("Query", ("BEGIN; " if begins else "") + text)]
    else:
        surrogate = any("\ud800" <= char <= "\udfff" for char in text)
        why = f"contains a NUL character (at position {text.find(chr(0))})"
        with pytest.raises(InterfaceError) as raised:
            written(request)
        assert ("cannot be encoded as UTF-8" if surrogate else why) in str(raised.value)
        assert str(raised.value).startswith("the query ")


@EXAMPLES
@given(TEXTS, TEXTS)
def test_any_statement(text: str, name: str) -> None:
    if not sendable(name):
        name = "s1"
    request = Prepare(None, text, name.encode(), REGISTRY, (b"s0",))
    if sendable(text):
        assert written(request) == [
            ("Close", (ord("S"), "s0")),
            ("Parse", (name, text, 0)),
            ("Describe", (ord("S"), name)),
            ("Sync", None),
        ]
    else:
        with pytest.raises(InterfaceError, match="the query"):
            written(request)


@pytest.mark.parametrize(
    "request_", [Prepare(None, "", b"s\0", REGISTRY), Prepare(None, "", b"s", REGISTRY, (b"s\0",))]
)
def test_a_nul_in_a_name(request_: Request) -> None:
    with pytest.raises(InterfaceError, match="the statement's name contains a NUL byte"):
        written(request_)


# Arguments


def execute(oid: int, *arguments: object) -> Execute:
    statement = Statement("SELECT ...", b"s1", Description((oid,) * len(arguments), None), REGISTRY)
    return Execute(None, statement, arguments)


def bound(*values: bytes | None) -> list[tuple[str, Any]]:
    return [("Bind", ("", "s1", list(values))), ("Execute", ("", 0)), ("Sync", None)]


@EXAMPLES
@given(st.lists(TEXTS | st.none(), min_size=1, max_size=4), st.sampled_from([TEXT, ACLITEM]))
def test_any_texts(texts: list[str | None], oid: int) -> None:
    bad = [i for i, text in enumerate(texts, 1) if text is not None and not sendable(text)]
    if bad:
        with pytest.raises(DataError) as raised:
            written(execute(oid, *texts))
        assert f"invalid input for query argument ${bad[0]} (" in str(raised.value)
    else:
        values = [None if text is None else text.encode() for text in texts]
        assert written(execute(oid, *texts)) == bound(*values)


@EXAMPLES
@given(st.lists(BYTES | st.none(), min_size=1, max_size=4))
def test_any_bytes(values: list[bytes | None]) -> None:
    assert written(execute(BYTEA, *values)) == bound(*values)
    pipeline = Pipeline(None, [execute(BYTEA, each) for each in values])
    messages = written(SimpleQuery(None, "before"), pipeline, SimpleQuery(None, "behind"))
    expected = [message for each in values for message in bound(each)[:2]]
    assert messages == [("Query", "before"), *expected, ("Sync", None), ("Query", "behind")]


@EXAMPLES
@given(st.lists(TEXTS | st.none(), max_size=4))
def test_any_array_of_texts(texts: list[str | None]) -> None:
    if not all(text is None or sendable(text) for text in texts):
        with pytest.raises(DataError, match=r"query argument \$1\[\d\] \(text\)"):
            written(execute(TEXT_ARRAY, texts))
        return
    ((_, (_, _, [value])), *_) = written(execute(TEXT_ARRAY, texts))
    dimensions, nulls, oid, *_ = struct.unpack_from("!iiI", value)
    assert (dimensions, oid) == (1 if texts else 0, TEXT)
    assert nulls == (None in texts)
    items = Body(value[12 + 8 * dimensions :])
    assert [items.bytes() for _ in texts] == [
        text if text is None else text.encode() for text in texts
    ]
    items.end()


@EXAMPLES
@given(
    TEXTS | st.lists(TEXTS | st.none() | st.integers(), max_size=4) | st.dictionaries(TEXTS, TEXTS),
    st.sampled_from([JSON, JSONB]),
)
def test_any_json(value: object, oid: int) -> None:
    """Whatever it is, its text is ASCII without a NUL: JSON writes that as an escape."""
    ((_, (_, _, [data])), *_) = written(execute(oid, value))
    assert data.isascii()
    assert b"\0" not in data


# Connecting


def startup(parameters: Mapping[str, str]) -> bytes:
    session = Session()
    session.submit(Startup(None, dict(parameters), None, False, 4096))
    return session.take()


def read_startup(data: bytes) -> dict[str, str]:
    length, version = struct.unpack_from("!ii", data)
    assert (length, version) == (len(data), 196608)
    body = Body(data[8:])
    found: dict[str, str] = {}
    while name := body.string():
        assert name not in found
        found[name] = body.string()
    body.end()
    return found


@EXAMPLES
@given(st.dictionaries(TEXTS, TEXTS, max_size=5))
def test_any_startup_parameters(parameters: dict[str, str]) -> None:
    if all(parameters) and all(map(sendable, [*parameters, *parameters.values()])):
        assert read_startup(startup(parameters)) == parameters
    else:
        with pytest.raises(InterfaceError, match="connection parameter"):
            startup(parameters)


def unresolvable(user: str, database: str, settings: Mapping[str, str]) -> bool:
    folded = [name.lower() for name in settings]
    return (
        not all([user, database, *settings])
        or not all(map(sendable, [user, database, *settings, *settings.values()]))
        or any(name in ("user", "database", "replication") for name in folded)
        or any(name.startswith("_pq_.") for name in folded)
    )


NAMES = TEXTS | st.sampled_from(["user", "Database", "replication", "_pq_.x", "options", "my.x"])


@EXAMPLES
@given(TEXTS, TEXTS, st.dictionaries(NAMES, TEXTS, max_size=3))
def test_any_options(user: str, database: str, settings: dict[str, str]) -> None:
    """From the arguments of connect() to what the server reads: no parameter more, none less."""

    def options() -> ConnectOptions:
        return resolve(
            host="h",
            user=user,
            database=database,
            server_settings=settings,
            environ={},
            default_user=lambda: "nobody",
        )

    if unresolvable(user, database, settings):
        with pytest.raises(InterfaceError):
            options()
        return
    found = options()
    parameters = {"user": found.user, "database": found.database, **found.server_settings}
    expected = {"user": user, "database": database, **settings, "client_encoding": "UTF8"}
    assert read_startup(startup(parameters)) == expected


def uri(user: str, database: str, name: str) -> str:
    user, database, name = (
        quote(text, "", errors="surrogatepass") for text in (user, database, name)
    )
    return f"postgresql://{user}@h/{database}?application_name={name}"


def pairs(user: str, database: str, name: str) -> str:
    user, database, name = (
        "'" + text.replace("\\", r"\\").replace("'", r"\'") + "'" for text in (user, database, name)
    )
    return f"host=h user={user} dbname={database} application_name={name}"


@EXAMPLES
@given(TEXTS, TEXTS, TEXTS, st.sampled_from([uri, pairs]))
def test_any_dsn(user: str, database: str, name: str, write: Callable[..., str]) -> None:
    """Properly written, each part of a DSN arrives as it is, and as nothing else."""

    def options() -> ConnectOptions:
        return resolve(write(user, database, name), environ={}, default_user=lambda: "nobody")

    if not all(map(sendable, [user, database, name])):
        with pytest.raises(ClientConfigurationError):
            options()
        return
    found = options()
    parameters = {"user": found.user, "database": found.database, **found.server_settings}
    # What is empty counts as not given.
    expected = {"user": user or "nobody", "client_encoding": "UTF8"}
    expected["database"] = database or expected["user"]
    if name:
        expected["application_name"] = name
    assert read_startup(startup(parameters)) == expected
    assert [host.host for host in found.hosts] == ["h"]


@EXAMPLES
@given(TEXTS)
def test_any_password_in_clear(password: str) -> None:
    session = Session()
    request = Startup(Answer(), {"user": "ada"}, password, True, 4096)
    session.submit(request)
    session.take()
    if "\0" in password or "\ud800" in password or "\udfff" in password:
        with pytest.raises(ClientConfigurationError, match="the password contains"):
            session.feed(authentication(CLEARTEXT_PASSWORD))
        assert session.take() == b""
    else:
        session.feed(authentication(CLEARTEXT_PASSWORD))
        data = session.take()
        body = password.encode("utf-8", "surrogateescape") + b"\0"
        assert data == b"p" + struct.pack("!i", 4 + len(body)) + body
        assert body.index(b"\0") == len(body) - 1
