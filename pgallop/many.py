"""How one statement is run for many rows of arguments: `executemany` and `fetchmany`.

The rows are read and encoded a piece at a time, by the task of the caller, when the pieces before
have left for the network.
"""

import asyncio
from collections.abc import Hashable, Iterable, Iterator
from itertools import chain
from typing import Any

from pgallop import converting, preparing, repetition
from pgallop.codecs.codec import shown
from pgallop.dispatch import Dispatch, plain_text
from pgallop.errors import DataError, InterfaceError, UnsupportedClientFeatureError
from pgallop.into import built, checked_target
from pgallop.preparing import TRIES, Handle
from pgallop.rows.record import Record
from pgallop.session.execute import Unreadable
from pgallop.session.execute_many import ExecuteMany
from pgallop.session.outcomes import words

NOTHING = object()


class Arguments:
    """The arguments of all executions, which may have to be read again.

    `rows`: those that are to come.
    """

    def __init__(self, args: Iterable[Any]) -> None:
        self._again = args if type(args) in (list, tuple) else None
        try:
            self.rows: Iterator[Any] = iter(args)
        except TypeError:
            raise InterfaceError(
                f"args: expected an iterable of sequences of arguments, got {shown(args)}"
            ) from None

    def are_none(self) -> bool:
        """Whether there are none at all."""
        first = next(self.rows, NOTHING)
        if first is NOTHING:
            return True
        self.rows = chain([first], self.rows)
        return False

    def rewind(self, request: ExecuteMany) -> bool:
        """Begin again, after `request` has read some; False where what was read is gone."""
        if self._again is not None:
            self.rows = iter(self._again)
        elif request.kept is not None:
            self.rows = chain(request.kept, self.rows)
        else:
            return False
        return True


async def run_many(
    dispatch: Dispatch,
    key: Hashable,
    args: Iterable[Any],
    timeout: float | None,
    keeps: bool,
    into: Any = None,
) -> tuple[list[Any], int]:
    """Run the statement of `key` for each of `args`, all of it or nothing.

    Its rows if it `keeps` them, and how many rows it was about, by its command tags. `key`: its
    text, or that of a statement of its own. `into`: what its rows are made into.
    """
    if not isinstance(key, Handle):
        key = plain_text(key)
    arguments = Arguments(args)
    target = checked_target(dispatch, into)
    dispatch.check_usable()
    check_extended(dispatch, "executemany() and fetchmany()", preparing.query_of(key))
    timeout, deadline = dispatch.deadline(timeout)
    dispatch.claim()
    try:
        call = _run_all(dispatch, key, arguments, keeps, timeout, deadline, target)
        return await dispatch.logged(preparing.query_of(key), args, timeout, call)
    finally:
        dispatch.release()


async def _run_all(
    dispatch: Dispatch,
    key: Hashable,
    arguments: Arguments,
    keeps: bool,
    timeout: float | None,
    deadline: float | None,
    into: Any,
) -> tuple[list[Any], int]:
    if arguments.are_none():
        return [], 0
    rows, affected = await _run(dispatch, key, arguments, keeps, timeout, deadline, into)
    return await built(rows), affected


def check_extended(dispatch: Dispatch, who: str, query: str) -> None:
    """Refuse what needs the extended protocol where it is not spoken, and what is a COPY."""
    if dispatch.simple:
        raise UnsupportedClientFeatureError(
            f"{who} need the extended protocol, and the connection has statement_mode='simple'"
        )
    text = query.lower()
    # The server takes both words for both directions.
    if words(text, 1) == ["copy"] and ("stdin" in text or "stdout" in text):
        raise UnsupportedClientFeatureError(
            f"COPY FROM STDIN and TO STDOUT cannot run in {who}: it transfers data beside the query"
        )


async def _run(
    dispatch: Dispatch,
    key: Hashable,
    arguments: Arguments,
    keeps: bool,
    timeout: float | None,
    deadline: float | None,
    into: Any,
) -> tuple[list[Record], int]:
    """Run it, and again where nothing has stayed of it and that is safe."""
    refused: Hashable = None
    for tries in range(TRIES, -1, -1):
        request, is_new = await _submit(dispatch, key, arguments, keeps, timeout, deadline, into)
        waiter = request.waiter
        dispatch.arm_until(request, deadline, timeout)
        try:
            await _write_on(dispatch, request, arguments, waiter)
        except BaseException as error:
            dispatch.leave(request, error)
            if (
                not is_refused_argument(request, error)
                or is_new
                or not tries
                or not await _was_outdated(dispatch, request, timeout, deadline)
                or not arguments.rewind(request)
            ):
                raise
            continue
        try:
            rows, _ = await waiter
            return rows, request.affected
        except BaseException as error:
            if not request.finished or isinstance(error, asyncio.CancelledError):
                dispatch.leave(request, error)
                raise
            if isinstance(error, Unreadable):
                rows, _ = await converting.readable(dispatch, request, error, deadline, timeout)
                return rows, request.affected
            refusal = repetition.refusal(request, error)
            again = await repetition.may_repeat(dispatch, request, error, timeout)
            again = again and (refusal is None or refusal != refused)
            if not again or not tries or not arguments.rewind(request):
                raise
            refused = refusal
    raise AssertionError("the last try returns or raises")


async def _submit(
    dispatch: Dispatch,
    key: Hashable,
    arguments: Arguments,
    keeps: bool,
    timeout: float | None,
    deadline: float | None,
    into: Any,
) -> tuple[ExecuteMany, bool]:
    """Submit the request with its first piece; whether its statement was described just now."""
    dispatch.statements.pin(key)
    try:
        statement, is_new = await preparing.obtain(dispatch, key, True, deadline, timeout)
        while True:
            request = None
            try:
                request = ExecuteMany(dispatch.new_future(), statement, keeps, into)
                request.fill(arguments.rows)
            except DataError as error:
                if is_new or not (request is None or is_refused_argument(request, error)):
                    raise
                if request is not None:
                    arguments.rewind(request)
                # Refused by what was known of the types: what are they now?
                statement, is_new = (
                    await preparing.anew(dispatch, statement, deadline, timeout),
                    True,
                )
                continue
            if dispatch.ownership.is_my_turn():
                dispatch.submit(request)
                break
            # The code of the arguments has begun a transaction in another task.
            arguments.rewind(request)
            statement, is_new = await preparing.obtain(dispatch, key, True, deadline, timeout)
        preparing.ride(statement)
        if statement.once:
            dispatch.statements.forget(statement)
        return request, is_new
    finally:
        preparing.unpin(dispatch, key)


async def _write_on(
    dispatch: Dispatch, request: ExecuteMany, arguments: Arguments, waiter: "asyncio.Future[Any]"
) -> None:
    """Write the other pieces, each when there is room for it; up to the first error."""
    while request.open and not request.finished and not request.discarded:
        if request.error is not None:  # the server will take no more
            dispatch.break_off(request, request.error)
            return
        if not dispatch.has_room(request):
            request.room = dispatch.new_future()
            await request.room
            continue
        try:
            request.fill(arguments.rows)
        except Exception as error:
            told = error if isinstance(error, (DataError, InterfaceError)) else failed(error)
            if not request.finished and dispatch.break_off(request, told):
                await asyncio.wait([waiter])
                if not waiter.cancelled():
                    waiter.exception()
            raise
        if not request.finished and not request.discarded:
            dispatch.write_on(request, request.piece())
            await asyncio.sleep(0)  # others want to run, and answers to be read


def is_refused_argument(request: ExecuteMany, error: BaseException) -> bool:
    """Whether an argument does not fit its type; the iterable may have raised just anything."""
    return isinstance(error, DataError) and request.culprit >= 0


def failed(error: Exception) -> InterfaceError:
    """What the transaction has failed by when the caller's iterable has raised `error`."""
    told = InterfaceError(f"the iterable of arguments has raised {type(error).__name__}: {error}")
    told.__cause__ = error
    return told


async def _was_outdated(
    dispatch: Dispatch, request: ExecuteMany, timeout: float | None, deadline: float | None
) -> bool:
    """Whether the types have changed that an argument of a later piece did not fit."""
    if not dispatch.is_idle():
        preparing.forget(dispatch, request.statement)
        return False
    oids = request.statement.parameter_oids
    renewed = await preparing.anew(dispatch, request.statement, deadline, timeout)
    return renewed.parameter_oids != oids
