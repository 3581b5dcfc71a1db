"""Record conversations with a real PostgreSQL, for the tests to replay without one.

    python tools/record_session.py

writes `tests/session/recordings/*.json`: what pgallop wrote (F) and what the server said (B), in
words and in hexadecimal, and what came of it. The conversations are `PROGRAMS`. There is no event
loop here: a blocking socket, and a `Session` in front of it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pgallop.cli.server import EmbeddedServer
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.registry import Registry
from pgallop.errors import PostgresError, PostgresMessage
from pgallop.session.execute import Execute
from pgallop.session.prepare import Prepare
from pgallop.session.request import Request
from pgallop.session.session import Session
from pgallop.session.simple import SimpleQuery
from pgallop.session.startup import Startup
from pgallop.session.statement import Statement
from pgallop.wire.trace import Trace

FOLDER = Path(__file__).parent.parent / "tests" / "session" / "recordings"

PARAMETERS = {
    "user": "postgres",
    "database": "postgres",
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "lc_messages": "C",
}


class Connect(NamedTuple):
    """StartupMessage and what follows."""


class Run(NamedTuple):
    """A simple query."""

    query: str


class Make(NamedTuple):
    """A prepared statement of this name."""

    name: str
    query: str


class Use(NamedTuple):
    """A prepared statement, executed; `limited` to its first row."""

    name: str
    arguments: tuple[Any, ...] = ()
    limited: bool = False


Ask = Connect | Run | Make | Use

# What is asked together travels together; the next is asked when all of that is answered.
PROGRAMS: dict[str, list[list[Ask]]] = {
    "statements": [
        [Connect()],
        [Run("CREATE TEMP TABLE users (id int4 PRIMARY KEY, name text, age numeric)"), Run("")],
        [
            Make("add", "INSERT INTO users VALUES ($1, $2, $3)"),
            Make("find", "SELECT * FROM users WHERE id = ANY ($1) ORDER BY id"),
            Make(
                "values",
                "SELECT true, 1::int2, 2.5::float8, 'x'::bytea, NULL::int8, '{a,b}'::text[]",
            ),
        ],
        [
            Use("add", (1, "Ada", 36)),
            Use("add", (2, "Grüße 😀", None)),
            Use("find", ([1, 2, 3],)),
            Use("find", ([2, 1],), limited=True),
            Use("find", ([3],)),
            Use("values"),
            Run("BEGIN; SELECT 1; SELECT 2 WHERE false; COMMIT"),
        ],
    ],
    "errors": [
        [Connect()],
        [
            Run("SELECT 1; SELEC 2"),
            Make("wrong", "SELECT * FRM users"),
            Make("divide", "SELECT 6 / $1::int4 AS x"),
            Make("rows", "SELECT 2 / (3 - x) AS x FROM generate_series(1, 4) AS x"),
        ],
        [Use("divide", (2,)), Use("divide", (0,)), Use("divide", (3,)), Use("rows")],
        [Run("CREATE TEMP TABLE t (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")],
        [Make("twice", "INSERT INTO t VALUES (1), (1)")],
        # Fails behind CommandComplete. Then one failure and its neighbours in a transaction.
        [Use("twice"), Run("BEGIN"), Use("divide", (0,)), Use("divide", (1,)), Run("COMMIT")],
    ],
    "asides": [
        [Connect()],
        [Run("DO $$ BEGIN RAISE NOTICE 'look out'; END $$"), Run("SET TimeZone = 'Asia/Tokyo'")],
        [Run("LISTEN news; NOTIFY news, 'extra'"), Run("SELECT 1")],
        [
            Run("CREATE TEMP TABLE t AS SELECT generate_series(1, 3)"),
            Make("out", "COPY t TO STDOUT"),
        ],
        [Make("in", "COPY t FROM STDIN")],
        [Use("out"), Run("SELECT 2")],
        [Use("in"), Run("SELECT 3")],
        [Run("COPY t FROM STDIN; SELECT 4"), Run("COPY t TO STDOUT; SELECT 5")],
    ],
}


class Answer:
    """A waiter that keeps what it was told, in words."""

    def __init__(self) -> None:
        self.words = ""
        self.result: Any = None

    def done(self) -> bool:
        return self.words != ""

    def set_result(self, result: Any, /) -> None:
        self.result = result
        if isinstance(result, Statement):
            parameters = [codec.name for codec in result.parameters]
            columns = [(column.name, column.type_oid) for column in result.columns]
            self.words = f"statement {result.name!r} of {parameters}, {columns}"
        else:
            self.words = repr(result)

    def set_exception(self, exception: Any, /) -> None:
        # The driver's own words are not what is recorded.
        self.words = type(exception).__name__
        if isinstance(exception, PostgresError):
            self.words += f" {exception.sqlstate}: {exception.message}"


class Program:
    """One of `PROGRAMS` held with a session; `outcomes` tells what came of it, in words."""

    def __init__(self, name: str) -> None:
        self.session = Session()
        self.session.on_notice = self._on_notice
        self.session.on_notification = self._on_notification
        self.outcomes: list[str] = []
        self._registry: Registry = builtin_registry()
        self._batches = iter(PROGRAMS[name])
        self._answers: list[Answer] = []
        self._made: dict[str, Answer] = {}

    def ask(self) -> bool:
        """Submit the next requests, all earlier ones being answered; False at the end."""
        self.report()
        batch = next(self._batches, [])
        for ask in batch:
            answer = Answer()
            self._answers.append(answer)
            self.session.submit(self._request(ask, answer))
        return bool(batch)

    def _request(self, ask: Ask, answer: Answer) -> Request:
        match ask:
            case Connect():
                return Startup(answer, PARAMETERS, None, False, 4096)
            case Run(query):
                return SimpleQuery(answer, query)
            case Make(name, query):
                self._made[name] = answer
                return Prepare(answer, query, name.encode(), self._registry)
            case Use(name, arguments, limited):
                return Execute(answer, self._made[name].result, arguments, limited)

    def report(self) -> None:
        """Add to `outcomes` what came of the requests so far."""
        for answer in self._answers:
            status = chr(self.session.status)
            self.outcomes.append(f"{status} {answer.words}")
        self._answers.clear()

    def _on_notice(self, notice: PostgresMessage) -> None:
        self.outcomes.append(f"notice {notice.severity} {notice.message}")

    def _on_notification(self, pid: int, channel: str, payload: str) -> None:
        self.outcomes.append(f"notification {channel} {payload}")


def hold(
    name: str, exchange: Callable[[bytes], bytes]
) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Hold the conversation `name`; `exchange` sends bytes and returns what arrives next.

    Returns what travelled, by direction, and the outcomes.
    """
    program = Program(name)
    session, traffic = program.session, list[tuple[str, bytes]]()
    while program.ask():
        while session.requests:
            written = session.writer.take()
            if written:
                traffic.append(("F", written))
            said = exchange(written)
            if traffic[-1][0] == "B":
                said_before = traffic.pop()[1]
                traffic.append(("B", said_before + said))
            else:
                traffic.append(("B", said))
            session.feed(said)
    return traffic, program.outcomes


def record(name: str, host: str, port: int) -> dict[str, Any]:
    """The conversation `name` with the server whose Unix socket is in the folder `host`."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(f"{host}/.s.PGSQL.{port}")

        def exchange(written: bytes) -> bytes:
            sock.sendall(written)
            said = sock.recv(65536)
            if not said:
                raise ConnectionResetError("the server closed the connection")
            return said

        traffic, outcomes = hold(name, exchange)
    trace = Trace()
    return {
        "traffic": [
            {"from": direction, "words": trace.feed(direction, data), "bytes": data.hex()}
            for direction, data in traffic
        ],
        "outcomes": outcomes,
    }


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with EmbeddedServer(auth="trust") as server:
        for name in PROGRAMS:
            recording = record(name, server.host, server.port)
            text = json.dumps(recording, indent=1, ensure_ascii=False)
            (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
