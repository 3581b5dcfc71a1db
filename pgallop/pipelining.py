"""How the statements of a pipeline get to the session: prepared first, then as one request."""

from collections.abc import Callable, Sequence
from typing import Any

from pgallop import converting, preparing, repetition
from pgallop.dispatch import Dispatch
from pgallop.errors import DataError, UnsupportedClientFeatureError
from pgallop.session.execute import Execute, Unreadable
from pgallop.session.pipeline import Pipeline
from pgallop.session.session import IDLE

# Of each statement its text, its arguments, and whether the first row is enough.
Calls = Sequence[tuple[str, tuple[Any, ...], bool]]

# Is given the request before it is submitted, and None if it is dropped or to be made anew. While
# there is none, only what prepares the statements was sent.
OnSubmit = Callable[[Pipeline | None], None]


async def run_pipeline(
    dispatch: Dispatch, calls: Calls, timeout: float | None, on_submit: OnSubmit
) -> None:
    """Run several statements under one Sync, when it is this context's turn.

    `timeout`: seconds for all of it; the connection's `command_timeout` if None. Raises whatever
    kept the statements from running, or stopped them.
    """
    dispatch.check_usable()
    if dispatch.simple:
        raise UnsupportedClientFeatureError(
            "a pipeline needs the extended protocol, and the connection has statement_mode='simple'"
        )
    timeout, deadline = dispatch.deadline(timeout)
    dispatch.claim()
    try:
        call = _run(dispatch, calls, timeout, deadline, on_submit)
        for query, args, _ in calls:
            call = dispatch.logged(query, args, timeout, call)
        await call
    finally:
        dispatch.release()


async def _run(
    dispatch: Dispatch,
    calls: Calls,
    timeout: float | None,
    deadline: float | None,
    on_submit: OnSubmit,
) -> None:
    tries = preparing.TRIES
    while await _was_stale(dispatch, calls, timeout, deadline, on_submit, again=tries > 0):
        tries -= 1


async def _was_stale(
    dispatch: Dispatch,
    calls: Calls,
    timeout: float | None,
    deadline: float | None,
    on_submit: OnSubmit,
    again: bool,
) -> bool:
    """Run them; whether nothing has run because a statement was stale, and shall be run `again`."""
    request = await _submit(dispatch, calls, timeout, deadline, on_submit)
    dispatch.arm_until(request, deadline, timeout)
    try:
        await request.waiter
    except BaseException as error:
        if dispatch.leave(request, error):
            on_submit(None)
        if not _forget_stale(dispatch, request, error):
            raise
        # Refused in Bind nothing of it has run; in a transaction that is over now all the same.
        if not again or request.answered or request.status != IDLE:
            repetition.explain_stale(error)
            raise
        on_submit(None)
        return True
    for execute in request.executes:
        if isinstance(execute.error, Unreadable):
            await _convert(dispatch, execute, execute.error, deadline, timeout)
    return False


async def _convert(
    dispatch: Dispatch,
    execute: Execute,
    unreadable: Unreadable,
    deadline: float | None,
    timeout: float | None,
) -> None:
    """Have the server convert a result that has come in another form."""
    try:
        rows, _ = await converting.readable(dispatch, execute, unreadable, deadline, timeout)
    except DataError as error:
        execute.error = error
    else:
        execute.rows, execute.error = rows, None


async def _submit(
    dispatch: Dispatch,
    calls: Calls,
    timeout: float | None,
    deadline: float | None,
    on_submit: OnSubmit,
) -> Pipeline:
    queries = list(dict.fromkeys(query for query, _, _ in calls))
    for query in queries:
        dispatch.statements.pin(query)
    try:
        block = dispatch.ownership.mine()
        known = [query for query in queries if dispatch.statements.get(query) is not None]
        while True:
            statements = await preparing.prepared(dispatch, queries, deadline, timeout, block)
            kind = dispatch.record_class
            executes = [
                Execute(None, statements[query], args, one, kind) for query, args, one in calls
            ]
            request = Pipeline(dispatch.new_future(), executes)
            on_submit(request)
            try:
                dispatch.submit(request)
                break
            except DataError:
                query = calls[request.culprit][0]
                if query not in known:
                    raise
                # Refused by what was known of the types: what are they now?
                known.remove(query)
                preparing.forget(dispatch, statements[query])
                on_submit(None)
        for statement in statements.values():
            if statement.once:
                dispatch.statements.forget(statement)
        return request
    finally:
        for query in queries:
            preparing.unpin(dispatch, query)


def _forget_stale(dispatch: Dispatch, request: Pipeline, error: BaseException) -> bool:
    """Forget a statement that proved stale; whether one has, and was refused by that."""
    if request.culprit >= 0:  # it had to wait to be written, and the type may be another one by now
        preparing.forget(dispatch, request.executes[request.culprit].statement)
    if request.refusal is not error or request.answered == len(request.executes) or request.bound:
        return False
    statement = request.executes[request.answered].statement
    if not preparing.is_stale(error, statement):
        return False
    preparing.forget(dispatch, statement)
    return True
