"""`Pipeline`: several statements under one Sync on purpose, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pgallop._message import ExplainedError
from pgallop.dispatch import Dispatch, plain_text
from pgallop.errors import (
    CommitNotReplicated,
    ConnectionDoesNotExistError,
    InterfaceError,
    PipelineError,
    PostgresError,
    TransactionAborted,
    UnsupportedClientFeatureError,
    pipeline_error,
)
from pgallop.pipelining import run_pipeline
from pgallop.rows.record import Record
from pgallop.session.outcomes import Outcome, Verdict, judge, words
from pgallop.session.pipeline import Pipeline as PipelineRequest
from pgallop.session.session import IDLE, IN_FAILED_TRANSACTION
from pgallop.wire import frontend

if TYPE_CHECKING:
    from pgallop.connection import Connection

T = TypeVar("T")

# A statement's rows and its command tag.
Answer = tuple[list[Record], bytes]

# In the order in which an error counts them up.
COUNTED = (
    Outcome.DONE,
    Outcome.IN_TRANSACTION,
    Outcome.FAILED,
    Outcome.ROLLED_BACK,
    Outcome.UNKNOWN,
    Outcome.NOT_RUN,
)

NO_RESULT = {
    Outcome.NOT_RUN: "never ran",
    Outcome.DONE: "is done, but its result was not received",
    Outcome.IN_TRANSACTION: "ran in a transaction, but its result was not received",
    Outcome.FAILED: "failed",
    Outcome.ROLLED_BACK: "was rolled back",
    Outcome.UNKNOWN: "was sent, and whether it is stored is not known",
}


class PipelinedStatement(Generic[T]):
    """One statement of a pipeline: `query`, `args`, and after the block what became of it.

    `outcome`: an `Outcome`. `error`: what was wrong with this very statement, or None.

    Example:
        >>> async with conn.pipeline() as pipeline:
        ...     count = pipeline.fetchval("SELECT count(*) FROM users")
        >>> count.outcome, count.result()
        (<Outcome.DONE: 'done'>, 3)
    """

    def __init__(
        self,
        query: str,
        args: tuple[Any, ...],
        limited: bool,
        convert: Callable[[list[Record], bytes], T],
    ) -> None:
        self.query = query
        self.args = args
        self.outcome = Outcome.NOT_RUN
        self.error: BaseException | None = None
        self._limited = limited
        self._convert = convert
        self._answer: Answer | None = None
        self._cause: BaseException | None = None

    @property
    def call(self) -> tuple[str, tuple[Any, ...], bool]:
        """What is to be run: the text, the arguments, whether the first row is enough."""
        return self.query, self.args, self._limited

    def result(self) -> T:
        """Return what the same call on a connection would have returned.

        Raises:
            PostgresError, DataError: this statement's own `error`.
            PipelineError: it was rolled back or never ran, or it is not known whether it is stored;
                what stopped the pipeline is the `__cause__`.
            InterfaceError: it has not been sent.
        """
        if self.error is not None:
            raise self.error
        if self._answer is not None:
            return self._convert(*self._answer)
        if self._cause is None:
            raise InterfaceError(
                "the statement was not sent: results are there after the block of its pipeline"
            )
        message = f"the statement {NO_RESULT[self.outcome]}: {message_of(self._cause)}"
        raise pipeline_error(message, self._cause, ())

    def settle(
        self,
        outcome: Outcome,
        answer: Answer | None = None,
        error: BaseException | None = None,
        cause: BaseException | None = None,
    ) -> None:
        """Set what became of the statement; `cause` is why there is no `answer`."""
        self.outcome = outcome
        self.error = error
        self._answer = answer
        self._cause = cause

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.query!r} {self.outcome.value}>"


class Pipeline:
    """Statements that are sent together at the end of an `async with` block, under one Sync.

    Made by `Connection.pipeline`. Its methods only queue; each returns a `PipelinedStatement`,
    which tells the outcome and the result after the block. `statements` are all of these, in order.
    """

    def __init__(self, connection: Connection, dispatch: Dispatch, timeout: float | None) -> None:
        self._connection = connection
        self._dispatch = dispatch
        self._timeout = timeout
        self._statements: list[PipelinedStatement[Any]] = []
        self._entered = False
        self._open = False
        self._request: PipelineRequest | None = None

    @property
    def statements(self) -> tuple[PipelinedStatement[Any], ...]:
        """The statements queued, in order."""
        return tuple(self._statements)

    def fetch(self, query: str, *args: Any) -> PipelinedStatement[list[Record]]:
        """Queue a query; its result will be its rows.

        Args:
            query: one statement, with `$1`, `$2`, ... where the arguments go.
            args: a value for each of them.

        Raises:
            InterfaceError: the block has not begun or is over, or the query is no str.
            UnsupportedClientFeatureError: it is a COPY beside the query.
        """
        return self._queue(query, args, False, rows_of)

    def fetchrow(self, query: str, *args: Any) -> PipelinedStatement[Record | None]:
        """Queue a query; its result will be its first row, or None. All else as for `fetch`."""
        return self._queue(query, args, True, first_of)

    def fetchval(self, query: str, *args: Any, column: int | str = 0) -> PipelinedStatement[Any]:
        """Queue a query; its result will be one value of its first row, or None.

        Args:
            column: which one, by index or name.

        All else as for `fetch`.
        """
        return self._queue(query, args, True, partial(value_of, column))

    def execute(self, query: str, *args: Any) -> PipelinedStatement[str]:
        """Queue one statement; its result will be its command tag. All else as for `fetch`."""
        return self._queue(query, args, False, tag_of)

    def _queue(
        self,
        query: str,
        args: tuple[Any, ...],
        limited: bool,
        convert: Callable[[list[Record], bytes], T],
    ) -> PipelinedStatement[T]:
        if not self._open:
            raise InterfaceError(
                "statements are queued inside the block of the pipeline",
                hint="async with conn.pipeline() as pipeline: pipeline.execute(...)",
            )
        query = plain_text(query)
        frontend.cstring(query, "the query")
        text = query.lower()
        # The server takes both words for both directions.
        if words(text, 1) == ["copy"] and ("stdin" in text or "stdout" in text):
            raise UnsupportedClientFeatureError(
                f"statement {len(self._statements) + 1} is a COPY FROM STDIN or TO STDOUT, which "
                f"cannot run in a pipeline: it transfers data beside the query"
            )
        statement = PipelinedStatement(query, args, limited, convert)
        self._statements.append(statement)
        return statement

    async def __aenter__(self) -> Pipeline:
        if self._entered:
            raise InterfaceError("cannot enter the same pipeline twice")
        self._entered = self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open = False
        if kind is not None or not self._statements:
            return
        failure = await self._run()
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # else this frame is garbage that only the collector finds

    async def _run(self) -> BaseException | None:
        """Run the statements; returns what the block has to raise, unless that is raised here."""
        calls = [statement.call for statement in self._statements]
        try:
            self._connection.is_closed()  # raises where it was given back to its pool
            await run_pipeline(self._dispatch, calls, self._timeout, self._on_submit)
        except BaseException as stop:
            failure = self._report(stop)
            if failure is None or failure is stop:
                raise
            # The statements keep it, and its traceback leads through here back to them.
            stop.__traceback__ = None
            return failure
        return self._report(None)

    def _on_submit(self, request: PipelineRequest | None) -> None:
        self._request = request

    # What became of it

    def _report(self, stop: BaseException | None) -> BaseException | None:
        """Settle all statements; returns what the block has to raise, `stop` itself or None.

        `stop`: what the request has ended with, or kept it from being sent.
        """
        request = self._request
        if request is None or self._was_kept_back(request, stop):
            return self._report_nothing_sent(stop)
        orphaned = isinstance(request.failure, TransactionAborted)
        failed = request.refusal is not None or orphaned
        cause = stop if request.failure is None else request.failure
        outcomes, partial = self._verdict(request, failed, orphaned)
        answers = request.answers()
        for i, statement in enumerate(self._statements):
            answer, error = None, None
            if i < len(answers):
                rows, command, error = answers[i]
                if not failed or outcomes[i] in (Outcome.DONE, Outcome.IN_TRANSACTION):
                    answer = rows, command
            if outcomes[i] is Outcome.FAILED:
                error = aborted() if i < len(answers) else cause
            statement.settle(outcomes[i], answer, error, cause)
        if not is_answered(request) or stop is not request.failure:
            return stop  # no answer, or the caller had gone in the moment in which it came
        return self._failure(request, cause, partial)

    def _was_kept_back(self, request: PipelineRequest, stop: BaseException | None) -> bool:
        """Whether the server has certainly not seen the request."""
        if request.position < 0:
            return True
        return isinstance(stop, ConnectionDoesNotExistError) and stop.safe_to_retry

    def _verdict(self, request: PipelineRequest, failed: bool, orphaned: bool) -> Verdict:
        if not request.begun:
            return Verdict([Outcome.NOT_RUN] * len(self._statements), partial=False)
        if orphaned:
            # It came into a transaction that was rolled back for nobody would have ended it.
            ran = [Outcome.ROLLED_BACK] * request.answered
            rest = [Outcome.NOT_RUN] * (len(self._statements) - request.answered)
            return Verdict(ran + rest, partial=False)
        return judge(
            [statement.query for statement in self._statements],
            [command for _, command, _ in request.answers()],
            failed=failed,
            in_block=bool(request.prologue) or request.status_before != IDLE,
            # Refused, and then the connection was lost: nothing is open any more.
            status=IDLE if request.status == 0 and is_answered(request) else request.status,
            server_major=self._connection.get_server_version().major,
            atomic=self._connection.get_server_capabilities().atomic,
        )

    def _report_nothing_sent(self, stop: BaseException | None) -> BaseException | None:
        for statement in self._statements:
            statement.settle(Outcome.NOT_RUN, cause=stop)
        request = self._request
        if request is not None:
            if request.culprit >= 0:
                self._statements[request.culprit].settle(Outcome.NOT_RUN, error=stop)
            return stop
        if not isinstance(stop, PostgresError) or stop.query is None:
            return stop
        # The server has refused to prepare a statement.
        i = [statement.query for statement in self._statements].index(stop.query)
        self._statements[i].settle(Outcome.FAILED, error=stop)
        return self._error(f"{self._number(i)} was refused before any of them ran", stop, i)

    def _failure(
        self, request: PipelineRequest, cause: BaseException | None, partial: bool
    ) -> BaseException | None:
        """What the block raises of a pipeline that the server has answered."""
        count = len(self._statements)
        if cause is not None and not request.begun:
            return self._error(f"BEGIN failed, so none of the {count} statements ran", cause)
        if cause is not None and request.refusal is not None:
            i = request.answered
            if i == count:
                what = f"{self._all()} ran, but what ends the pipeline failed"
                return self._error(what, cause)
            what = "may have stored a part of its work" if partial else "was not stored"
            error = self._error(f"{self._number(i)} failed and {what}", cause, i)
            error.safe_to_retry &= not partial
            if request.status == IN_FAILED_TRANSACTION and error.hint is None:
                error.hint = "the transaction it ran in can only be rolled back now"
            return error
        if cause is not None:  # CommitNotReplicated
            return self._error(f"{self._all()} ran", cause)
        for i, statement in enumerate(self._statements):
            if statement.outcome is Outcome.FAILED and statement.error is not None:
                return self._error(f"{self._number(i)} failed", statement.error, i)
            if statement.error is not None:
                what = "ran, but its result cannot be read"
                if isinstance(statement.error, CommitNotReplicated):
                    what = "is done on this server"
                return self._error(f"{self._number(i)} {what}", statement.error)
        return None

    def _error(self, what: str, cause: BaseException, i: int = -1) -> PipelineError:
        """The error that says `what`, and counts up all statements but number `i`."""
        statements = self.statements
        outcomes = Counter(each.outcome for k, each in enumerate(statements) if k != i)
        rest = ", ".join(f"{outcomes[each]} {each.value}" for each in COUNTED if outcomes[each])
        message = f"{what}: {message_of(cause)}" + (f"; {rest}" if rest else "")
        # What may be stored must not be done again, whatever the server thinks of the rest.
        stored = outcomes[Outcome.DONE] or outcomes[Outcome.UNKNOWN]
        safe_to_retry = isinstance(cause, ExplainedError) and cause.safe_to_retry and not stored
        return pipeline_error(message, cause, statements, safe_to_retry)

    def _number(self, i: int) -> str:
        return f"statement {i + 1} of {len(self._statements)}"

    def _all(self) -> str:
        count = len(self._statements)
        return "the statement" if count == 1 else f"all {count} statements"


def is_answered(request: PipelineRequest) -> bool:
    """Whether the server has told what the request came to.

    A connection that is lost behind a refusal leaves nothing open to doubt. FATAL is no refusal: it
    can come behind a commit.
    """
    refused = request.refusal is not None and request.failure is not None
    lost = isinstance(request.failure, ConnectionDoesNotExistError)
    return request.status != 0 or (refused and not lost)


def rows_of(rows: list[Record], command: bytes) -> list[Record]:
    return rows


def first_of(rows: list[Record], command: bytes) -> Record | None:
    return rows[0] if rows else None


def value_of(column: int | str, rows: list[Record], command: bytes) -> Any:
    return rows[0][column] if rows else None


def tag_of(rows: list[Record], command: bytes) -> str:
    return command.decode("utf-8", "replace")


def aborted() -> TransactionAborted:
    return TransactionAborted(
        "the server answered it by ROLLBACK: its transaction had failed before, or there was none"
    )


def message_of(error: BaseException) -> str:
    """What `error` says, without its excerpt, detail and hint."""
    return (error.message if isinstance(error, ExplainedError) else None) or str(error)
