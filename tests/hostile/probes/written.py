"""What the driver is given to send: sizes that no length field holds, strings that end inside.

Here it is the program that lies, or whoever it has its values from. Nothing of a refused call may
be sent: the servers expect what comes next, and nothing before it. Values of gigabytes cost
nothing: calloc's pages are there when somebody looks at them, which nobody may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from hostile.probe import Ask, Probe, description, finished, prepare, said
from hostile.server import HONEST
from scripted_server import WELCOME, Script, expect
from scripts import (
    BIND_COMPLETE,
    CLEARTEXT_PASSWORD,
    INT4,
    MD5_PASSWORD,
    TEXT,
    authentication,
    authentication_sasl,
)

import pgallop
from pgallop.connection import Connection
from pgallop.wire.writer import MAX_LENGTH

BYTEA, NAME, XML, ACLITEM, VARCHAR, NUMERIC = 17, 19, 142, 1033, 1043, 1700
BYTEA_ARRAY, INT4_ARRAY, TEXT_ARRAY = 1001, 1007, 1009

QUERY: Final = "SELECT $1"

# Around what a signed and an unsigned length can hold, and what is left of them after a wrap.
SIZES: Final = {
    "2^30 - 1": MAX_LENGTH + 1,
    "2^31 - 1": 2**31 - 1,
    "2^31": 2**31,
    "2^32 - 1": 2**32 - 1,
    "2^32": 2**32,
    "2^32 + 1": 2**32 + 1,
    "2^32 + 4": 2**32 + 4,
    "2^32 + 100": 2**32 + 100,
}


def call(make: Callable[[], Sequence[Any]]) -> Ask:
    """Run a prepared statement with the arguments that `make` makes."""

    async def ask(conn: Connection) -> object:
        return await conn.execute(QUERY, *make())

    return ask


def refused_argument(
    name: str, oids: Sequence[int], make: Callable[[], Sequence[Any]], words: str
) -> Probe:
    return Probe(
        name=name,
        script=prepare(description(parameters=oids)),
        ask=call(make),
        error=pgallop.DataError,
        words=words,
        usable=True,
    )


# Lengths


def lengths(size: str) -> list[Probe]:
    count = SIZES[size]
    too_long = "the value is too long: with it the message has"
    return [
        refused_argument(
            f"bytes of {size}", [BYTEA], lambda: [bytes(count)], f"$1 (bytea): {too_long}"
        ),
        refused_argument(
            f"a memoryview of {size}",
            [BYTEA],
            lambda: [memoryview(bytes(count))],
            f"$1 (bytea): {too_long}",
        ),
        refused_argument(
            f"arguments that add up to {size}",
            [INT4, BYTEA, BYTEA],
            lambda: [1, bytes(50), bytes(count - 50)],
            f"$3 (bytea): {too_long}",
        ),
        refused_argument(
            f"an array's element of {size}",
            [BYTEA_ARRAY],
            lambda: [[b"", None, bytes(count), b""]],
            f"$1 (bytea[]): {too_long}",
        ),
        refused_argument(
            f"an array whose elements add up to {size}",
            [BYTEA_ARRAY],
            lambda: [[bytes(4), bytes(count - 4)]],
            f"$1 (bytea[]): {too_long}",
        ),
    ]


class Claims:
    """Claims to have so many items, and yields others."""

    def __init__(self, length: int, *items: object) -> None:
        self._length = length
        self._items = items

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[object]:
        return iter(self._items)


def counts(size: str) -> list[Probe]:
    length = SIZES[size]
    return [
        refused_argument(
            f"an array that claims {size} elements",
            [INT4_ARRAY],
            lambda: [Claims(length, 1)],
            "has more than 134217727 elements",
        ),
        refused_argument(
            f"an array within an array that claims {size} elements",
            [INT4_ARRAY],
            lambda: [[Claims(length, 1)]],
            "has more than 134217727 elements",
        ),
    ]


async def in_a_pipeline(conn: Connection) -> object:
    async with conn.pipeline() as pipeline:
        pipeline.execute(QUERY, b"before")
        pipeline.execute(QUERY, bytes(2**32 + 4))
        pipeline.execute(QUERY, b"behind")
    return None


async def among_neighbours(conn: Connection) -> object:
    """The two good ones are answered, the bad one between them is refused: its error."""
    before, refused, behind = await asyncio.gather(
        conn.execute(QUERY, b"before"),
        conn.execute(QUERY, bytes(2**32 + 4)),
        conn.execute(QUERY, b"behind"),
        return_exceptions=True,
    )
    assert (before, behind) == ("SELECT 1", "SELECT 2")
    assert isinstance(refused, Exception)
    raise refused


async def in_a_transaction(conn: Connection) -> object:
    """What would have taken BEGIN along is refused: there is nothing to roll back."""
    await conn.execute(QUERY, b"prepares it")
    async with conn.transaction():
        return await conn.execute(QUERY, bytes(2**32 + 4))


# Strings


def refused_text(name: str, ask: Ask, words: str) -> Probe:
    return Probe(
        name=name,
        script=WELCOME,
        ask=ask,
        error=pgallop.InterfaceError,
        words=words,
        usable=True,
    )


def ways(text: str) -> dict[str, Ask]:
    """All the ways in which a statement gets to the server."""

    async def pipeline(conn: Connection) -> object:
        async with conn.pipeline() as pipeline:
            pipeline.execute("SELECT 1")
            pipeline.execute(text)
        return None

    async def transaction(conn: Connection) -> object:
        async with conn.transaction():
            return await conn.execute(text)

    return {
        "fetch": lambda conn: conn.fetch(text),
        "fetchrow with an argument": lambda conn: conn.fetchrow(text, 1),
        "fetchval": lambda conn: conn.fetchval(text),
        "execute": lambda conn: conn.execute(text),
        "execute with an argument": lambda conn: conn.execute(text, 1),
        "execute in a transaction": transaction,
        "pipeline": pipeline,
    }


STATEMENTS: Final = [
    refused_text(f"{what} in the text of {way}", ask, words)
    for what, text, words in (
        (
            "a NUL",
            "SELECT 1\0Q\0\0\0\x0bDROP t\0",
            "the query contains a NUL character (at position",
        ),
        ("a lone surrogate", "SELECT '\ud800'", "the query cannot be encoded as UTF-8"),
    )
    for way, ask in ways(text).items()
]

TEXTS: Final = {
    "text": (TEXT, "a\0b", "a\ud800"),
    "varchar": (VARCHAR, "\0", "\udfff"),
    "name": (NAME, "é\0", "é\udc80"),
    "xml": (XML, "<a>\0</a>", "<a>\ud800</a>"),
    "numeric": (NUMERIC, "1\0", "1\ud800"),
    "aclitem": (ACLITEM, "=r/a\0", "=r/a\ud800"),
    "text[]": (TEXT_ARRAY, ["a", "b\0"], ["a", "b\ud800"]),
}


def arguments(kind: str) -> list[Probe]:
    oid, nul, surrogate = TEXTS[kind]
    return [
        refused_argument(f"a NUL in a {kind}", [oid], lambda: [nul], "query argument $1"),
        refused_argument(
            f"a lone surrogate in a {kind}", [oid], lambda: [surrogate], "query argument $1"
        ),
    ]


# Connecting


def refused_option(name: str, words: str, **options: Any) -> Probe:
    """Refused before the server is called: the first connection is the honest one behind it."""
    return Probe(
        name=name,
        script=HONEST,
        error=pgallop.ClientConfigurationError,
        words=words,
        options=options,
    )


def options() -> Iterator[Probe]:
    unsendable = "expected a string without NUL characters and lone surrogates"
    for what, text in (("a NUL", "a\0user\0postgres"), ("a lone surrogate", "a\ud800")):
        for option in ("user", "database", "password"):
            yield refused_option(
                f"{what} in {option}=", f"{option}: {unsendable}", **{option: text}
            )
        yield refused_option(
            f"{what} in a setting's name",
            f"server_settings: {unsendable}",
            server_settings={text: "x"},
        )
        yield refused_option(
            f"{what} in a setting's value",
            f'server_settings["x.y"]: {unsendable}',
            server_settings={"x.y": text},
        )
    yield refused_option(
        "a setting without a name, which would end the list",
        "the name of a setting",
        server_settings={"": "x"},
    )
    for name in ("user", "database", "User", "DATABASE"):
        yield refused_option(
            f"{name} among the settings", "use the argument", server_settings={name: "postgres"}
        )
    yield refused_option(
        "a NUL in a DSN", "which cannot be sent", dsn="postgresql:///?application_name=a%00user"
    )


def passwords(what: str, text: str) -> Iterator[Probe]:
    """From a function, which is called when it is too late to look at the options."""
    requests: dict[str, Script] = {
        "in clear": said(authentication(CLEARTEXT_PASSWORD)),
        "for MD5": said(authentication(MD5_PASSWORD, b"salt")),
        "for SCRAM": said(authentication_sasl("SCRAM-SHA-256")),
    }
    for way, request in requests.items():
        yield Probe(
            name=f"{what} in a password {way} that a function returns",
            script=[expect("StartupMessage"), *request],
            error=pgallop.ClientConfigurationError,
            words=f"the password contains {what}",
            options={"password": lambda: text, "allow_cleartext_password": True},
        )


SETTING = "x" * 10_000

PROBES: Final = [
    *(probe for size in SIZES for probe in lengths(size)),
    *(probe for size in SIZES for probe in counts(size)),
    refused_argument(
        "an array that yields less than it claims",
        [INT4_ARRAY],
        lambda: [Claims(134217727, 1)],
        "yields more or fewer items",
    ),
    refused_argument(
        "an array that yields more than it claims",
        [INT4_ARRAY],
        lambda: [Claims(1, 1, 2, 3)],
        "yields more or fewer items",
    ),
    Probe(
        name="a value of 2^32 + 4 in the middle of a pipeline",
        script=prepare(description(parameters=[BYTEA])),
        ask=in_a_pipeline,
        error=pgallop.DataError,
        words="statement 2 of 3: invalid input for query argument $1 (bytea)",
        usable=True,
    ),
    Probe(
        name="a value of 2^32 + 4 among neighbours",
        script=[
            *prepare(description(parameters=[BYTEA])),
            expect("Bind", "Execute", "Sync", "Bind", "Execute", "Sync"),
            *said(BIND_COMPLETE, finished(), BIND_COMPLETE, finished("SELECT 2")),
        ],
        ask=among_neighbours,
        error=pgallop.DataError,
        words="the value is too long",
        usable=True,
    ),
    Probe(
        name="a value of 2^32 + 4 in the first statement of a transaction",
        script=[
            *prepare(description(parameters=[BYTEA])),
            expect("Bind", "Execute", "Sync"),
            *said(BIND_COMPLETE, finished()),
        ],
        ask=in_a_transaction,
        error=pgallop.DataError,
        words="the value is too long",
        usable=True,
    ),
    *STATEMENTS,
    *(probe for kind in TEXTS for probe in arguments(kind)),
    *options(),
    *passwords("a NUL character", "a\0b"),
    *passwords("a lone surrogate", "a\ud800"),
    Probe(
        name="settings that no StartupMessage holds",
        script=[],
        error=pgallop.InterfaceError,
        words="the connection parameters are too long",
        options={"server_settings": {"x.y": SETTING}},
    ),
]
