"""Conversations: what a server says, in answer to sessions that ask always the same.

An input is a byte that chooses the conversation, and all that the server says in it. What is asked
next is submitted when everything before is answered. At the end the connection is lost; then every
caller must have been told something, and every error must be one of the driver's classes. The same
bytes, cut in other places, must come to the same.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import scripts
from fuzz.grammar import Messages, split_messages
from fuzz.target import Outcome, Target, Wrong, seen, somewhere

from pgallop.auth.scram import KeyParameters, derive_salted_password
from pgallop.codecs.builtin import builtin_registry
from pgallop.errors import InterfaceError, InternalClientError, PostgresError, PostgresMessage
from pgallop.session.execute import Execute, Unreadable
from pgallop.session.outcomes import judge
from pgallop.session.pipeline import Pipeline
from pgallop.session.prepare import Prepare
from pgallop.session.request import Request
from pgallop.session.session import IN_TRANSACTION, Session
from pgallop.session.simple import SimpleQuery
from pgallop.session.startup import Startup
from pgallop.session.statement import Description, Statement
from pgallop.wire.backend import Field

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "tests" / "session" / "recordings"

# All that callers ever see.
TYPED = (PostgresError, InterfaceError, InternalClientError)

# All that a request tells whom it answers: parts of a value may have types that are to be asked for
# (`pgallop.converting`) before a caller sees anything.
TOLD = (*TYPED, Unreadable)

# So long are the proofs of the SCRAM that is recorded; a mutated count must not cost seconds.
MAX_ITERATIONS = 16
PASSWORD = "pencil"
NONCE = "rOprNGfwEbeRWgbNEkqO"

MAX_MESSAGE_SIZE = 1 << 20


class Waiter:
    """Keeps what it was told, in words too."""

    def __init__(self) -> None:
        self.words = ""
        self.result: Any = None
        self.error: BaseException | None = None

    def done(self) -> bool:
        return self.words != ""

    def set_result(self, result: Any, /) -> None:
        self.result = result
        self.words = repr(result)

    def set_exception(self, exception: Any, /) -> None:
        self.error = exception
        self.words = f"{type(exception).__name__}: {exception}"


class Told(Protocol):
    """What is asked of a waiter in the end."""

    error: BaseException | None

    def done(self) -> bool: ...


def told(waiter: Told) -> str:
    """What the waiter was told, in one word; raises the error if nobody expects such a one."""
    if waiter.error is None:
        return "answered" if waiter.done() else "waiting"
    if not isinstance(waiter.error, TOLD):
        raise waiter.error
    return type(waiter.error).__name__


class Talk(Protocol):
    """One side of a conversation: the one that asks."""

    session: Session

    def take(self) -> bytes:
        """What is to be sent now; asks the next, all that was asked being answered."""
        ...

    def waiters(self) -> Sequence[Told]: ...

    def report(self) -> list[str]:
        """What came of it, in words."""
        ...


def whole(piece: bytes) -> list[bytes]:
    return [piece]


def in_two(piece: bytes) -> list[bytes]:
    place = somewhere(piece)
    return [piece[:place], piece[place:]]


def pieces(data: bytes) -> Iterator[bytes]:
    """What may arrive at once: up to a message on which the client may have something to say."""
    piece = b""
    for message in split_messages(data):
        piece += message
        if message[:1] in (b"Z", b"R"):
            yield piece
            piece = b""
    yield piece


def hold(talk: Talk, data: bytes, cut: Callable[[bytes], list[bytes]]) -> Outcome:
    """Let the server of `talk` say `data`."""
    session = talk.session
    ended = "the script is over"
    try:
        talk.take()
        for piece in pieces(data):
            for part in cut(piece):
                session.feed(part)
            talk.take()
    except TYPED as error:
        kind, ended = type(error).__name__, str(error)
        session.lost(error)
    else:
        kind = "unanswered" if session.requests else "answered"
        session.lost(ConnectionResetError(ended))
    for waiter in talk.waiters():
        if told(waiter) == "waiting":
            raise Wrong("the connection is lost and a caller was told nothing")
    return Outcome(kind, [*talk.report(), *sorted(session.parameters.items()), ended])


def hold_twice(make: Callable[[], Talk], data: bytes) -> Outcome:
    outcome = hold(make(), data, whole)
    other = hold(make(), data, in_two)
    if seen(outcome) != seen(other):
        raise Wrong(f"whole: {seen(outcome)}, in two pieces: {seen(other)}")
    return outcome


# --- recorded with a real server ------------------------------------------------------------------


def load_tool() -> ModuleType:
    path = ROOT / "tools" / "record_session.py"
    spec = importlib.util.spec_from_file_location("record_session", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()
NAMES = sorted(path.stem for path in RECORDINGS.glob("*.json"))


class Recorded:
    """One of the programs that were recorded."""

    def __init__(self, name: str) -> None:
        self._program = TOOL.Program(name)
        self.session: Session = self._program.session
        self.session.trust(MAX_MESSAGE_SIZE)

    def take(self) -> bytes:
        if any(isinstance(each.request, Prepare) and each.error for each in self._program.asked):
            return self.session.take()  # the next statements would need this one
        try:
            return bytes(self._program.take())
        except TYPED as error:
            # Raised to the caller: arguments that do not fit what was described, or a refusal that
            # came while the key was computed.
            self._program.asked[-1].set_exception(error)
            return self.session.take()

    def waiters(self) -> Sequence[Told]:
        asked: Sequence[Told] = self._program.asked
        return asked

    def report(self) -> list[str]:
        self._program.report()
        return list(self._program.outcomes)


def follow_recording(data: bytes) -> Outcome:
    name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
    return hold_twice(lambda: Recorded(name), data[1:])


def recordings() -> list[bytes]:
    seeds: list[bytes] = []
    for i, name in enumerate(NAMES):
        recording = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))
        said = [piece["bytes"] for piece in recording["traffic"] if piece["from"] == "B"]
        seeds.append(bytes([i]) + bytes.fromhex("".join(said)))
    return seeds


# --- startup --------------------------------------------------------------------------------------


class Introduction:
    """StartupMessage and a password, over a connection that is `private` or not."""

    def __init__(self, private: bool) -> None:
        self.session = Session(MAX_MESSAGE_SIZE)
        self._asked = [Waiter()]
        parameters = {"user": "ada", "database": "shop"}
        self._startup = Startup(
            self._asked[0], parameters, PASSWORD, private, MAX_ITERATIONS, NONCE
        )
        self.session.submit(self._startup)

    def take(self) -> bytes:
        question = self._asked[-1].result
        if isinstance(question, KeyParameters):
            self._asked.append(Waiter())
            key = derive_salted_password(PASSWORD, question)
            try:
                self._startup.continue_sasl(key, self._asked[-1])
            except TYPED as error:  # refused while the key was computed
                self._asked[-1].set_exception(error)
            else:
                self.session.send_reply(self._startup)
        return self.session.take()

    def waiters(self) -> Sequence[Told]:
        return self._asked

    def report(self) -> list[str]:
        words = [waiter.words for waiter in self._asked]
        return [*words, repr((self._startup.pid, self._startup.key, self._startup.status))]


def introduce(data: bytes) -> Outcome:
    private = bool(data and data[0] & 1)
    return hold_twice(lambda: Introduction(private), data[1:])


def introductions() -> list[bytes]:
    server = scripts.ScramServer(PASSWORD)
    talk = Introduction(private=False)
    talk.take()
    scram = scripts.authentication_sasl("SCRAM-SHA-256")
    talk.session.feed(scram)
    first = scripts.authentication(scripts.SASL_CONTINUE, server.first(talk.take()[5:]))
    talk.session.feed(first)
    final = scripts.authentication(scripts.SASL_FINAL, server.final(talk.take()[5:]))
    accepted = scripts.authentication(scripts.AUTHENTICATION_OK)
    settings = (
        scripts.parameter_status("server_version", "18.1")
        + scripts.parameter_status("client_encoding", "UTF8")
        + scripts.backend_key_data(7, b"\0key")
        + scripts.ready_for_query()
    )
    negotiated = scripts.negotiate_protocol_version(3 << 16, "_pq_.x")
    refused = scripts.error_response("28P01", "password authentication failed", "FATAL")
    salted = scripts.authentication(scripts.MD5_PASSWORD, b"salt")
    plain = scripts.authentication(scripts.CLEARTEXT_PASSWORD)
    return [
        *(b"\0" + scram + first + final + accepted + settings,),
        *(b"\0" + negotiated + scram + first + refused, b"\0" + accepted + settings),
        *(b"\0" + salted + accepted + settings, b"\1" + plain + accepted + settings),
        *(b"\1" + scripts.authentication(7) + settings, b"\0" + plain, b"\0" + refused),
    ]


# --- a pipeline and its neighbours ----------------------------------------------------------------

QUERIES = ("SELECT 1", "INSERT INTO t VALUES (1)", "COMMIT", "SELECT x")
ONE_INT = Description((), (Field("a", 0, 0, 23, -1, -1, 1),))
ROWS = Statement("SELECT", b"s1", ONE_INT, builtin_registry())


class Pipelined:
    """Perhaps a BEGIN in front of statements under one Sync, with more to do behind them."""

    def __init__(self, begins: bool) -> None:
        self.session = Session(MAX_MESSAGE_SIZE)
        self.session.on_notice = self._on_notice
        self._notices: list[str | None] = []
        self._begins = begins
        self._asked = [Waiter() for _ in range(3)]
        executes = [
            Execute(None, Statement(query, b"s", ONE_INT, builtin_registry()), ())
            for query in QUERIES
        ]
        self._pipeline = Pipeline(self._asked[0], executes)
        if begins:
            self._pipeline.carry("BEGIN")
        behind: list[Request] = [
            SimpleQuery(self._asked[1], "SELECT 1; COMMIT"),
            Execute(self._asked[2], ROWS, (), limited=True),
        ]
        for request in (self._pipeline, *behind):
            self.session.submit(request)

    def _on_notice(self, notice: PostgresMessage) -> None:
        self._notices.append(notice.message)

    def take(self) -> bytes:
        return self.session.take()

    def waiters(self) -> Sequence[Told]:
        return self._asked

    def report(self) -> list[str]:
        pipeline = self._pipeline
        answers = pipeline.answers()
        verdict = judge(
            QUERIES,
            [tag for _, tag, _ in answers],
            failed=pipeline.refusal is not None,
            in_block=self._begins or pipeline.status_before == IN_TRANSACTION,
            status=pipeline.status,
            server_major=18,
        )
        words = [waiter.words for waiter in self._asked]
        return [*words, repr(answers), repr(verdict), repr(self._notices)]


def answer_pipeline(data: bytes) -> Outcome:
    begins = bool(data and data[0] & 1)
    return hold_twice(lambda: Pipelined(begins), data[1:])


def pipelines() -> list[bytes]:
    def ran(tag: str) -> bytes:
        return scripts.BIND_COMPLETE + scripts.command_complete(tag)

    row = scripts.data_row(scripts.int4(1))
    begun = scripts.PARSE_COMPLETE + ran("BEGIN")
    first = scripts.BIND_COMPLETE + row + scripts.command_complete("SELECT 1")
    all_four = first + ran("INSERT 0 1") + ran("COMMIT") + first
    simple = (
        scripts.row_description(("a", scripts.INT4))
        + row
        + scripts.command_complete("SELECT 1")
        + scripts.command_complete("COMMIT")
        + scripts.ready_for_query()
    )
    one = scripts.BIND_COMPLETE + row + scripts.PORTAL_SUSPENDED + scripts.ready_for_query()
    failed = scripts.error_response("22012", "division by zero", P="8")
    # What makes a success of COMMIT none: an error's fields in a notice.
    warning = scripts.error_response("01000", "canceling wait", "WARNING", R="SyncRepWaitForLSN")
    unsure = b"N" + warning[1:]
    empty = scripts.BIND_COMPLETE + scripts.EMPTY_QUERY_RESPONSE
    done, broken = scripts.ready_for_query(), scripts.ready_for_query("E")
    return [
        *(b"\0" + all_four + done + simple + one, b"\1" + begun + all_four + done + simple + one),
        *(b"\0" + first + failed + done + simple + one, b"\1" + failed + done + simple + one),
        *(b"\1" + begun + first + failed + broken, b"\0" + all_four + failed + done + simple),
        *(b"\0" + first + ran("INSERT 0 1") + unsure + ran("COMMIT") + empty + done + simple,),
    ]


TARGETS = [
    Target(
        name="recordings",
        run=follow_recording,
        seeds=recordings,
        grammar=Messages(prefix=1),
        share=6,
    ),
    Target(
        name="startup",
        run=introduce,
        seeds=introductions,
        grammar=Messages(prefix=1),
        share=3,
    ),
    Target(
        name="pipeline",
        run=answer_pipeline,
        seeds=pipelines,
        grammar=Messages(prefix=1),
        share=3,
    ),
]
