"""Record conversations with a real PostgreSQL, for the tests to replay without one.

    python tools/record_session.py

writes `tests/session/recordings/*.json`: what pgallop wrote (F) and what the server said (B), in
words and in hexadecimal, and what came of it. The conversations are `PROGRAMS`, held without an
event loop: a blocking socket, and a `Session` in front of it.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from pgallop._message import ExplainedError
from pgallop.auth.scram import KeyParameters, derive_salted_password
from pgallop.cli.server import EmbeddedServer
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.registry import Registry
from pgallop.connecting import connect
from pgallop.errors import PostgresError, PostgresMessage
from pgallop.session.execute import Execute
from pgallop.session.pipeline import Pipeline
from pgallop.session.prepare import Prepare
from pgallop.session.request import Request
from pgallop.session.session import Session
from pgallop.session.simple import SimpleQuery
from pgallop.session.startup import Startup
from pgallop.session.statement import Statement
from pgallop.wire.trace import Trace

FOLDER = Path(__file__).parent.parent / "tests" / "session" / "recordings"

PARAMETERS = {
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "lc_messages": "C",
}

# Roles of this name have to authenticate in this way; the password is the word.
METHODS = {"scram": "scram-sha-256", "md5": "md5", "clear": "password"}
PASSWORD = "secret"

# The schema of a session's temporary tables, which has another number each time.
TEMPORARY = re.compile(r"pg_temp_\d+")

# What SCRAM calls its exchange has to be random, and here the same each time.
NONCE = "rOprNGfwEbeRWgbNEkqO"


class Connect(NamedTuple):
    """StartupMessage and what follows."""

    user: str = "postgres"
    password: str | None = None
    database: str = "postgres"


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


class Together(NamedTuple):
    """Several prepared statements under one Sync."""

    uses: tuple[Use, ...]


class Begin(NamedTuple):
    """Something that takes a BEGIN along."""

    ask: Run | Make | Use | Together
    text: str = "BEGIN"


Ask = Connect | Run | Make | Use | Together | Begin

# A column of each type that pgallop has a codec for, and a value.
VALUES = {
    "bool": True,
    "int2": -(2**15),
    "int4": 2**31 - 1,
    "int8": -(2**63),
    "oid": 2**32 - 1,
    "float4": 0.5,
    "float8": -1e300,
    "numeric": Decimal("-12345678901234567890.00012"),
    "text": "Grüße 😀",
    "varchar": "",
    "bpchar": "x ",
    "name": "users",
    '"char"': "c",
    "bytea": bytes(range(12)),
    "uuid": UUID(int=2**127 + 1),
    "date": date(1, 1, 1),
    "time": time(23, 59, 59, 999999),
    "timetz": time(1, 2, 3, tzinfo=timezone(timedelta(hours=-5))),
    "timestamp": datetime(9999, 12, 31, 23, 59, 59),
    "timestamptz": datetime(1999, 12, 31, tzinfo=UTC),
    "interval": timedelta(days=-3, microseconds=1),
    "json": {"a": [1, None]},
    "jsonb": ["é", 1.5],
}

ARRAYS = {
    "bool[]": [True, None],
    "int4[]": [[1, 2], [3, None]],
    "float8[]": [],
    "numeric[]": [Decimal("1.10")],
    "text[]": ["", None, "NULL", '{"'],
    "bytea[]": [b"\0"],
    "timestamptz[]": [datetime(2000, 1, 1, tzinfo=UTC)],
    "jsonb[]": [{}],
}


def echo(types: Any) -> str:
    """A query that returns its arguments, which have these types."""
    return "SELECT " + ", ".join([f"${i}::{name}" for i, name in enumerate(types, 1)])


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
                "SELECT true AS b, 1::int2, 2.5::float8, 'x'::bytea, NULL::int8, '{a,b}'::text[]",
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
    "values": [
        [Connect()],
        [
            Make("values", echo(VALUES)),
            Make("arrays", echo(ARRAYS)),
            Make("rows", "SELECT ROW(1, 'x'::text, NULL, ROW(true)), ARRAY[ROW(1::int2)]"),
            Make("none", "SELECT"),
        ],
        [
            Use("values", tuple(VALUES.values())),
            Use("values", (None,) * len(VALUES)),
            Use("arrays", tuple(ARRAYS.values())),
            Use("rows"),
            Use("none"),
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
        [
            Run(
                "DO $$ BEGIN RAISE 'all' USING ERRCODE = 'PG999', DETAIL = 'd', HINT = 'h',"
                " SCHEMA = 's', TABLE = 't', COLUMN = 'c', DATATYPE = 'y', CONSTRAINT = 'n';"
                " END $$"
            )
        ],
    ],
    "transactions": [
        [Connect()],
        [Run("CREATE TEMP TABLE t (id int4 PRIMARY KEY)")],
        [Make("add", "INSERT INTO t VALUES ($1)"), Make("divide", "SELECT 6 / $1::int4")],
        [Begin(Use("add", (1,)))],
        [Use("add", (2,)), Run("SAVEPOINT a"), Use("add", (1,)), Use("add", (3,))],
        [Run("ROLLBACK TO a"), Run("COMMIT")],
        [Begin(Use("divide", (0,)))],
        [Use("add", (3,)), Run("ROLLBACK")],
        [Begin(Run("DELETE FROM t; SELECT 1"))],
        [Make("all", "SELECT * FROM t"), Use("divide", (3,)), Run("ROLLBACK")],
        [Begin(Together((Use("add", (3,)), Use("all"))))],
        [Run("COMMIT")],
        [Begin(Use("all"), "BEGIN NONSENSE"), Begin(Run("SELEC 1")), Begin(Make("x", "SELECT"))],
        [Run("COMMIT")],
    ],
    "pipelines": [
        [Connect()],
        [Run("CREATE TEMP TABLE t (id int4 PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")],
        [
            Make("add", "INSERT INTO t VALUES ($1)"),
            Make("all", "SELECT * FROM t"),
            Make("divide", "SELECT 6 / $1::int4"),
            Make("commit", "COMMIT"),
            Make("empty", ""),
        ],
        [
            Together((Use("add", (1,)), Use("all"), Use("empty"))),
            # Fails in the middle, behind all of it, and behind what is committed.
            Together((Use("divide", (3,)), Use("divide", (0,)), Use("all"))),
            Together((Use("add", (1,)), Use("all", limited=True))),
            Together((Use("add", (2,)), Use("commit"), Use("divide", (0,)))),
            Use("all"),
            Together((Use("divide", (1,)),)),
        ],
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
    "terminated": [
        [Connect()],
        [
            Run("SELECT 1"),
            Run("SELECT pg_terminate_backend(pg_backend_pid())"),
            Run("SELECT 2"),
            # Has the last one wait until it is answered.
            Run("COPY t FROM STDIN"),
            Run("SELECT 3"),
        ],
    ],
    "scram": [[Connect("scram", PASSWORD)]],
    "refused": [[Connect("scram", "wrong")]],
    # Authenticated, and then refused all the same, which makes for short recordings.
    "md5": [[Connect("md5", PASSWORD, "nowhere")]],
    "clear": [[Connect("clear", PASSWORD, "nowhere")]],
}

# Where the server's salt is in what is written.
SALTED = ("refused", "scram", "md5")


class Answer:
    """A waiter that keeps what it was told, which is told once, in words.

    `ended`: how often its request has come to its end. `question`: what SCRAM wants to know.
    """

    def __init__(self) -> None:
        self.words = ""
        self.result: Any = None
        self.error: Any = None
        self.question: KeyParameters | None = None
        self.request: Request | None = None
        self.ended = 0

    def done(self) -> bool:
        return self.words != ""

    def set_result(self, result: Any, /) -> None:
        assert not self.done()
        if isinstance(result, KeyParameters):
            self.question = result
            return
        self.result = result
        if isinstance(result, Statement):
            parameters = [codec.name for codec in result.parameters]
            columns = [(column.name, column.type_oid) for column in result.columns]
            self.words = f"statement {result.name!r} of {parameters}, {columns}"
        elif isinstance(self.request, Pipeline):
            self.words = f"pipeline {self.request.answers()}"
        else:
            self.words = repr(result)

    def set_exception(self, exception: Any, /) -> None:
        assert not self.done()
        self.error = exception
        self.words = told(exception)
        if isinstance(self.request, Pipeline):
            self.words = f"pipeline {self.request.answers()}, then {self.words}"

    def on_end(self, request: Request) -> None:
        self.ended += 1


def told(error: BaseException) -> str:
    """An error in words, without those of the driver, which are not what is recorded."""
    from_server = isinstance(error, PostgresError) and error.severity is not None
    words = TEMPORARY.sub("pg_temp", repr(error)) if from_server else type(error).__name__
    if isinstance(error, ExplainedError) and error.safe_to_retry:
        words += ", safe to retry"
    return words if error.__cause__ is None else f"{words}, from {told(error.__cause__)}"


# Each replay would compute it anew, which is slow on purpose.
salted_password = lru_cache(16)(derive_salted_password)


class Program:
    """One of `PROGRAMS` held with a session; `outcomes` tells what came of it, in words.

    `asked`: the answers to all requests so far.
    """

    def __init__(self, name: str) -> None:
        self.session = Session()
        self.session.on_notice = self._on_notice
        self.session.on_notification = self._on_notification
        self.outcomes: list[str] = []
        self.asked: list[Answer] = []
        self._registry: Registry = builtin_registry()
        self._batches = iter(PROGRAMS[name])
        self._password = ""
        self._reported = 0
        self._made: dict[str, Answer] = {}

    def take(self) -> bytes:
        """What is to be sent now; all that was asked being answered, the next is asked."""
        if not self.session.requests:
            self.ask()
        self.go_on()
        return self.session.take()

    def ask(self) -> bool:
        """Submit the next requests, all earlier ones being answered; False at the end."""
        self.report()
        batch = next(self._batches, [])
        for ask in batch:
            answer = Answer()
            answer.request = self._request(ask, answer)
            answer.request.on_end = answer.on_end
            self.asked.append(answer)
            self.session.submit(answer.request)
        return bool(batch)

    def go_on(self) -> None:
        """Go on with SCRAM, if it has asked for its key."""
        answer = self.asked[0]
        question, answer.question = answer.question, None
        if question is not None:
            assert isinstance(answer.request, Startup)
            answer.request.continue_sasl(salted_password(self._password, question), answer)
            self.session.send_reply(answer.request)

    def lost(self) -> None:
        """The server has closed the connection."""
        self.session.lost(self.session.last_error or ConnectionResetError())

    def _request(self, ask: Ask, answer: Answer) -> Request:
        match ask:
            case Connect(user, password, database):
                self._password = password or ""
                parameters = {"user": user, "database": database, **PARAMETERS}
                return Startup(answer, parameters, password, True, 4096, NONCE)
            case Run(query):
                return SimpleQuery(answer, query)
            case Make(name, query):
                self._made[name] = answer
                return Prepare(answer, query, name.encode(), self._registry)
            case Use():
                return self._execute(answer, ask)
            case Together(uses):
                return Pipeline(answer, [self._execute(None, use) for use in uses])
            case Begin(first, text):
                request = self._request(first, answer)
                request.carry(text)
                return request

    def _execute(self, answer: Answer | None, use: Use) -> Execute:
        return Execute(answer, self._made[use.name].result, use.arguments, use.limited)

    def report(self) -> None:
        """Add to `outcomes` what came of the requests so far."""
        for answer in self.asked[self._reported :]:
            self.outcomes.append(f"{chr(self.session.status)} {answer.words}")
        self._reported = len(self.asked)

    def _on_notice(self, notice: PostgresMessage) -> None:
        self.outcomes.append(f"notice {notice.severity} {notice.message}")

    def _on_notification(self, pid: int, channel: str, payload: str) -> None:
        self.outcomes.append(f"notification {channel} {payload}")


def hold(
    name: str, exchange: Callable[[bytes], bytes]
) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Hold the conversation `name`; `exchange` sends bytes and returns what arrives next.

    Returns what travelled, by direction, and the outcomes. Nothing from the server is its end.
    """
    program = Program(name)
    session, traffic = program.session, list[tuple[str, bytes]]()
    while (written := program.take()) or session.requests:
        if written:
            traffic.append(("F", written))
        said = exchange(written)
        if traffic[-1][0] == "B" and said:
            traffic[-1] = "B", traffic[-1][1] + said
        else:
            traffic.append(("B", said))
        if said:
            session.feed(said)
        else:
            program.lost()
    return traffic, program.outcomes


def record(name: str, host: str, port: int) -> dict[str, Any]:
    """The conversation `name` with the server whose Unix socket is in the folder `host`."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(f"{host}/.s.PGSQL.{port}")

        def exchange(written: bytes) -> bytes:
            if written:
                sock.sendall(written)
            return sock.recv(65536)

        traffic, outcomes = hold(name, exchange)
    trace = Trace()
    return {
        "traffic": [
            {"from": direction, "words": trace.feed(direction, data), "bytes": data.hex()}
            for direction, data in traffic
        ],
        "outcomes": outcomes,
    }


@contextmanager
def server_to_record(bin_dir: Path | None = None) -> Iterator[EmbeddedServer]:
    """A server that knows the roles of `METHODS`."""
    lines = [f"local all {role} {method}" for role, method in METHODS.items()]
    with EmbeddedServer(bin_dir, hba=lines, auth="trust") as server:
        asyncio.run(make_roles(server.dsn))
        yield server


async def make_roles(dsn: str) -> None:
    async with connect(dsn) as conn:
        for role, method in METHODS.items():
            encryption = "md5" if method == "md5" else "scram-sha-256"
            await conn.execute(f"SET password_encryption = '{encryption}'")
            # A superuser, who may set lc_messages.
            await conn.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with server_to_record() as server:
        for name in PROGRAMS:
            recording = record(name, server.host, server.port)
            text = json.dumps(recording, indent=1, ensure_ascii=False)
            (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
