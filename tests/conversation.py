"""A session talking to a script instead of a server: no socket, no event loop.

A test is a conversation. `at_every_split` holds it again and again, with what the server says cut
differently each time; all must end as the first one did, which got everything whole.

    @at_every_split
    def test_an_empty_query(talk: Conversation) -> None:
        answer = talk.simple("")
        assert talk.written() == ["F Query sql=''"]
        talk.server(EMPTY_QUERY_RESPONSE, ready_for_query())
        assert answer.result == ""
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Concatenate, ParamSpec

import scripts

from pgallop.auth.gss import GssService
from pgallop.codecs import numbers, text
from pgallop.codecs.registry import Registry
from pgallop.errors import PostgresMessage
from pgallop.session.execute import Execute
from pgallop.session.prepare import Prepare
from pgallop.session.request import Request
from pgallop.session.session import Session
from pgallop.session.simple import SimpleQuery
from pgallop.session.startup import Startup
from pgallop.session.statement import Description, Statement
from pgallop.wire.backend import Field
from pgallop.wire.trace import Trace

P = ParamSpec("P")

REGISTRY = Registry()
numbers.register(REGISTRY)
text.register(REGISTRY)

# How the server's bytes are cut: pieces of `data`, which stands at `offset` in all that it says.
Cut = Callable[[int, bytes], Iterator[bytes]]

# What the last of the conversations has in front of every message.
MARK = "in between"
ASYNCHRONOUS = (
    scripts.notice_response(MARK),
    scripts.notification_response(7, MARK, MARK),
    scripts.parameter_status(MARK, MARK),
)


class Answer:
    """A waiter that remembers what it was told; like a future it can be told once."""

    def __init__(self) -> None:
        self.outcomes: list[Any] = []
        self.errors: list[BaseException] = []
        self.request: Any = None

    def done(self) -> bool:
        return bool(self.outcomes or self.errors)

    def set_result(self, result: Any, /) -> None:
        assert not self.done()
        self.outcomes.append(result)

    def set_exception(self, exception: Any, /) -> None:
        assert not self.done()
        self.errors.append(exception)

    @property
    def result(self) -> Any:
        assert not self.errors, repr(self.errors[0])
        assert self.outcomes, "still waiting"
        return self.outcomes[0]

    @property
    def error(self) -> Any:
        assert not self.outcomes, f"succeeded: {self.outcomes[0]!r}"
        assert self.errors, "still waiting"
        return self.errors[0]

    def __repr__(self) -> str:
        if self.errors:
            return _told(self.errors[0])
        return _shown(self.outcomes[0]) if self.outcomes else "waiting"


def _shown(value: object) -> str:
    if isinstance(value, Statement):
        return f"{value.name!r} {value.query!r} {value.parameters} {value.columns}"
    return repr(value)


def _told(error: BaseException) -> str:
    """All of an error that a caller can see."""
    retry = getattr(error, "safe_to_retry", None)
    return f"{type(error).__name__}({error}) safe_to_retry={retry} from {error.__cause__!r}"


def statement(
    query: str,
    parameters: tuple[int, ...] = (),
    columns: tuple[tuple[str, int], ...] = (),
    name: bytes = b"s1",
) -> Statement:
    """A prepared statement with parameters and columns of these types (OIDs)."""
    fields = [Field(column, 0, 0, oid, -1, -1, 1) for column, oid in columns]
    return Statement(query, name, Description(parameters, tuple(fields) or None), REGISTRY)


class Conversation:
    """A session, what it was asked, what it wrote."""

    def __init__(self, cut: Cut | None = None, asynchronous: bool = False) -> None:
        self.session = Session()
        self.session.on_notice = self._on_notice
        self.session.on_notification = self._on_notification
        self.session.on_head = self._on_head
        self.answers: list[Answer] = []
        self.notices: list[str | None] = []
        self.notifications: list[tuple[int, str, str]] = []
        #: How many requests were queued at each call of `on_head`.
        self.heads: list[int] = []
        #: All bytes the server has said.
        self.said = 0
        self._cut = cut
        self._asynchronous = asynchronous
        self._trace = Trace(startup=False)
        self._unread = b""
        self._log: list[str] = []

    def _on_notice(self, notice: PostgresMessage) -> None:
        if notice.message != MARK:
            self.notices.append(notice.message)

    def _on_notification(self, pid: int, channel: str, payload: str) -> None:
        if channel != MARK:
            self.notifications.append((pid, channel, payload))

    def _on_head(self) -> None:
        self.heads.append(len(self.session.requests))

    # What the program asks

    def submit(self, request: Request, answer: Answer | None = None) -> Answer:
        """Submit a request made elsewhere; without its waiter, a new one is put in."""
        if answer is None:
            answer = request.waiter = Answer()
        answer.request = request
        self.answers.append(answer)
        self.session.submit(request)
        return answer

    def startup(
        self,
        password: str | None = None,
        private: bool = False,
        max_iterations: int = 100_000,
        service: GssService | None = None,
    ) -> Answer:
        """Introduce ada, who is allowed a clear password on a `private` channel only."""
        self._trace = Trace()
        user = {"user": "ada", "database": "shop"}
        return self.submit(Startup(None, user, password, private, max_iterations, service=service))

    def prepare_request(
        self, query: str, name: bytes = b"s1", closes: tuple[bytes, ...] = ()
    ) -> Prepare:
        return Prepare(None, query, name, REGISTRY, closes)

    def execute_request(
        self, statement: Statement, *arguments: Any, limited: bool = False
    ) -> Execute:
        return Execute(None, statement, arguments, limited)

    def simple_request(self, query: str) -> SimpleQuery:
        return SimpleQuery(None, query)

    def prepare(self, query: str, name: bytes = b"s1", closes: tuple[bytes, ...] = ()) -> Answer:
        return self.submit(self.prepare_request(query, name, closes))

    def execute(self, statement: Statement, *arguments: Any, limited: bool = False) -> Answer:
        return self.submit(self.execute_request(statement, *arguments, limited=limited))

    def simple(self, query: str) -> Answer:
        return self.submit(self.simple_request(query))

    def begin(self, request: Request, on_end: Callable[[Request], None] | None = None) -> Answer:
        """Submit `request` with a BEGIN in front."""
        request.carry("BEGIN")
        request.on_end = on_end
        return self.submit(request)

    def abandon(self, answer: Answer) -> None:
        """Let the caller go, after all that was written has been sent."""
        self.send()
        assert not self.session.discard(answer.request) or answer.request in self.session.waiting

    # What travels

    def written_bytes(self) -> bytes:
        """What the session has written since it was last asked."""
        data = self._unread + self.session.take()
        self._unread = b""
        self._log += self._trace.feed("F", data)
        return data

    def written(self) -> list[str]:
        """The messages the session has written since it was last asked, in words."""
        data = self._unread + self.session.take()
        self._unread = b""
        lines = self._trace.feed("F", data)
        self._log += lines
        return lines

    def send(self) -> None:
        """Send what the session has written; it is in the next `written` all the same."""
        self._unread += self.session.take()

    def server(self, *messages: bytes) -> None:
        """Let the server say `messages`; raises what `Session.feed` raises."""
        self.send()
        self._trace.feed("B", b"".join(messages))
        if self._asynchronous:
            for each in messages:
                self._feed(b"".join(ASYNCHRONOUS))
                self._feed(each)
        else:
            self._feed(b"".join(messages))

    def _feed(self, data: bytes) -> None:
        offset = self.said
        self.said += len(data)
        for piece in [data] if self._cut is None else self._cut(offset, data):
            self.session.feed(piece)

    def transcript(self) -> dict[str, object]:
        """All that can be observed of the conversation, to compare it with another."""
        session = self.session
        self.written()
        return {
            "answers": list(map(repr, self.answers)),
            "statuses": [answer.request.status for answer in self.answers],
            "written": self._log,
            "status": session.status,
            "pending": (len(session.requests), len(session.waiting)),
            "broken": session.broken and _told(session.broken),
            "last_error": session.last_error and _told(session.last_error),
            "parameters": {k: v for k, v in session.parameters.items() if k != MARK},
            "notices": self.notices,
            "notifications": self.notifications,
            "heads": self.heads,
        }


def split_at(place: int) -> Cut:
    """Cut once, `place` bytes from the start."""

    def cut(offset: int, data: bytes) -> Iterator[bytes]:
        if offset < place < offset + len(data):
            yield data[: place - offset]
            yield data[place - offset :]
        else:
            yield data

    return cut


def one_byte_each(offset: int, data: bytes) -> Iterator[bytes]:
    """Cut everywhere."""
    return (data[i : i + 1] for i in range(len(data)))


def at_every_split(
    hold: Callable[Concatenate[Conversation, P], None],
) -> Callable[P, None]:
    """Turn a conversation into a test.

    It is held with what the server says whole, cut in two at each place, cut into single bytes, and
    with asynchronous messages in front of every message.
    """

    def held(how: str, talk: Conversation, *args: P.args, **kwargs: P.kwargs) -> dict[str, object]:
        try:
            hold(talk, *args, **kwargs)
        except BaseException as error:
            error.add_note(f"what the server said was {how}")
            raise
        return talk.transcript()

    @functools.wraps(hold)
    def test(*args: P.args, **kwargs: P.kwargs) -> None:
        talk = Conversation()
        expected = held("whole", talk, *args, **kwargs)
        others = {
            f"cut at byte {place}": Conversation(split_at(place)) for place in range(1, talk.said)
        }
        others["cut into bytes"] = Conversation(one_byte_each)
        others["amid asynchronous messages"] = Conversation(asynchronous=True)
        for how, other in others.items():
            assert held(how, other, *args, **kwargs) == expected, how

    # pytest must not take the conversation for a fixture.
    parameters = list(inspect.signature(hold).parameters.values())[1:]
    test.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return test
