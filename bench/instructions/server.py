"""A server of a few statements, whose answers are made before anybody asks.

It is told nothing and remembers nothing: what a text returns follows from the text. Each batch of
messages up to a Sync is answered in one piece, so a client gets the same receptions each time.
"""

import selectors
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pgallop.sql.harmless import TRACELESS

INT4, TEXT, NUMERIC, TIMESTAMPTZ, FLOAT8, BOOL, INT8, UUID = 23, 25, 1700, 1184, 701, 16, 20, 2950
TEXTS = 1009

_READY = b"Z\0\0\0\5I"
_COPY_IN = 7  # columns, all of them binary

# What a client is told when it connects, before the first ReadyForQuery.
_SETTINGS = {
    "server_version": "18.0",
    "server_encoding": "UTF8",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "integer_datetimes": "on",
    "standard_conforming_strings": "on",
    "session_authorization": "bench",
    "is_superuser": "off",
    "search_path": '"$user", public',
}


def _message(tag: bytes, body: bytes = b"") -> bytes:
    return tag + struct.pack("!i", len(body) + 4) + body


@dataclass(frozen=True)
class Answer:
    """What a statement takes and returns.

    Args:
        parameters: the OIDs of its parameters' types.
        columns: the names and the types' OIDs of its columns.
        rows: all DataRows.
        tag: the command tag.
    """

    parameters: tuple[int, ...]
    columns: tuple[tuple[str, int], ...]
    rows: bytes
    tag: bytes

    def description(self) -> bytes:
        """ParameterDescription, and RowDescription or NoData."""
        count = len(self.parameters)
        parameters = _message(b"t", struct.pack(f"!h{count}i", count, *self.parameters))
        return parameters + self.row_description()

    def row_description(self) -> bytes:
        if not self.columns:
            return _message(b"n")
        fields = [
            name.encode() + b"\0" + struct.pack("!ihihih", 0, 0, oid, -1, -1, 1)
            for name, oid in self.columns
        ]
        return _message(b"T", struct.pack("!h", len(fields)) + b"".join(fields))

    def result(self) -> bytes:
        return self.rows + _message(b"C", self.tag + b"\0")


def _row(*values: bytes) -> bytes:
    fields = b"".join(struct.pack("!i", len(value)) + value for value in values)
    return _message(b"D", struct.pack("!h", len(values)) + fields)


def _visitor(number: int) -> tuple[bytes, ...]:
    """The bytes of a row of seven columns, each another one."""
    microseconds = timedelta(seconds=61.234567) // timedelta(microseconds=1) * number
    since_2000 = (datetime(2020, 1, 1) - datetime(2000, 1, 1)) // timedelta(microseconds=1)
    return (
        struct.pack("!i", number),
        f"visitor {number}".encode(),
        struct.pack("!d", number * 0.37),
        struct.pack("!q", since_2000 + microseconds),
        struct.pack("!?", number % 2 == 0),
        struct.pack("!q", number * 1000000007),
        number.to_bytes(16, "big"),
    )


_VISITOR = (
    *(("id", INT4), ("name", TEXT), ("score", FLOAT8), ("seen", TIMESTAMPTZ), ("active", BOOL)),
    *(("visits", INT8), ("token", UUID)),
)
_VISITOR_TYPES = tuple(oid for _, oid in _VISITOR)

# numeric: 4 digits of base 10,000 with a weight of 1 and 2 decimals, 12345678.90
_BALANCE = struct.pack("!hhhhhhh", 3, 1, 0, 2, 1234, 5678, 9000)

ANSWERS = {
    "SELECT 1+1": Answer((), (("?column?", INT4),), _row(struct.pack("!i", 2)), b"SELECT 1"),
    "SELECT id, name, balance, opened FROM accounts WHERE id = $1": Answer(
        (INT4,),
        (("id", INT4), ("name", TEXT), ("balance", NUMERIC), ("opened", TIMESTAMPTZ)),
        _row(struct.pack("!i", 4711), b"account 4711", _BALANCE, struct.pack("!q", 637_000_000)),
        b"SELECT 1",
    ),
    "SELECT i FROM generate_series(1, $1) AS i": Answer(
        (INT4,),
        (("i", INT4),),
        b"".join(_row(struct.pack("!i", number)) for number in range(1, 1001)),
        b"SELECT 1000",
    ),
    "SELECT id, name, score, seen, active, visits, token FROM visitors": Answer(
        (),
        _VISITOR,
        b"".join(_row(*_visitor(number)) for number in range(1000)),
        b"SELECT 1000",
    ),
    "INSERT INTO visitors VALUES ($1, $2, $3, $4, $5, $6, $7)": Answer(
        _VISITOR_TYPES, (), b"", b"INSERT 0 1"
    ),
}

# The question of pools what a statement leaves in its session: nothing.
_PROOF = Answer((TEXTS,) * 3, (("proven", BOOL),), _row(b"\1"), b"SELECT 1")

# What is asked before a COPY: the types of a table's columns.
_TABLE = Answer((), _VISITOR, b"", b"SELECT 0")


# COPY FROM STDIN takes what comes next instead of answering.
_COPY = Answer((), (), b"", b"COPY 1000")


def answer(query: str) -> Answer:
    """What is answered to `query`; a text that is not known asks for a table's columns."""
    if query.startswith("COPY"):
        return _COPY
    return _PROOF if query == TRACELESS else ANSWERS.get(query, _TABLE)


@dataclass
class Client:
    """One connection: what has come of it, and the statements that it has prepared."""

    sock: socket.socket
    received: bytes = b""
    started: bool = False
    statements: dict[bytes, Answer] = field(default_factory=dict[bytes, Answer])
    portal: Answer = _TABLE
    out: list[bytes] = field(default_factory=list[bytes])

    def on_readable(self) -> bool:
        """Answer what has come; False at the end."""
        data = self.sock.recv(1 << 20)
        self.received += data
        if data and not self.started:
            self._start()
        while len(self.received) >= 5:
            end = 1 + int.from_bytes(self.received[1:5], "big")
            if len(self.received) < end:
                break
            tag, body = self.received[:1], self.received[5:end]
            self.received = self.received[end:]
            if tag in _HANDLERS:
                _HANDLERS[tag](self, body)
        return bool(data)

    def _start(self) -> None:
        """Answer StartupMessage: no password, the settings, no key to cancel by."""
        length = int.from_bytes(self.received[:4], "big")
        self.received = self.received[length:]
        self.started = True
        settings = [
            _message(b"S", name.encode() + b"\0" + value.encode() + b"\0")
            for name, value in _SETTINGS.items()
        ]
        key = _message(b"K", struct.pack("!ii", 1, 1))
        self.out += [_message(b"R", b"\0\0\0\0"), *settings, key]
        self._ready(b"")

    def _parse(self, body: bytes) -> None:
        name, query, _ = body.split(b"\0", 2)
        self.statements[name] = answer(query.decode())
        self.out.append(_message(b"1"))

    def _bind(self, body: bytes) -> None:
        _, name, _ = body.split(b"\0", 2)
        self.portal = self.statements[name]
        self.out.append(_message(b"2"))

    def _describe(self, body: bytes) -> None:
        is_statement = body.startswith(b"S")
        described = self.statements[body[1:-1]] if is_statement else self.portal
        self.out.append(described.description() if is_statement else described.row_description())

    def _execute(self, body: bytes) -> None:
        if self.portal is _COPY:
            formats = struct.pack(f"!bh{_COPY_IN}h", 1, _COPY_IN, *([1] * _COPY_IN))
            self.out.append(_message(b"G", formats))
            self._flush(b"")
        else:
            self.out.append(self.portal.result())

    def _query(self, body: bytes) -> None:
        """A script that returns nothing."""
        self.out.append(_message(b"C", body.split(None, 1)[0].rstrip(b";\0") + b"\0"))
        self._ready(b"")

    def _copy_done(self, body: bytes) -> None:
        self.out.append(self.portal.result())

    def _close(self, body: bytes) -> None:
        self.out.append(_message(b"3"))

    def _ready(self, body: bytes) -> None:
        self.out.append(_READY)
        self._flush(b"")

    def _flush(self, body: bytes) -> None:
        self.sock.sendall(b"".join(self.out))
        self.out.clear()


_HANDLERS: dict[bytes, Callable[[Client, bytes], None]] = {
    b"P": Client._parse,
    b"B": Client._bind,
    b"D": Client._describe,
    b"E": Client._execute,
    b"C": Client._close,
    b"Q": Client._query,
    b"S": Client._ready,
    b"H": Client._flush,
    b"c": Client._copy_done,
}


def serve(path: Path) -> None:
    """Answer whoever connects to the Unix socket `path`, until this process is ended."""
    with selectors.DefaultSelector() as selector, socket.socket(socket.AF_UNIX) as listener:
        # Who waits for the path shall find somebody who listens there.
        early = path.with_name("early")
        listener.bind(str(early))
        listener.listen(100)
        early.rename(path)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                client = key.data
                if client is None:
                    sock, _ = listener.accept()
                    selector.register(sock, selectors.EVENT_READ, Client(sock))
                elif not client.on_readable():
                    selector.unregister(client.sock)
                    client.sock.close()
