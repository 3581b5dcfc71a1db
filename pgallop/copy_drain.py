"""How the data of a COPY gets from the session to its output, and what may go wrong with it.

The output is written by the caller's task, a block at a time, while the next one comes in. When it
fails, or the time is over, the COPY is cancelled on the server.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from pgallop import copy_arguments, repetition
from pgallop.copy_outputs import Destination, Output, check_output, open_output
from pgallop.deadlines import timed_out
from pgallop.dispatch import Dispatch
from pgallop.errors import PostgresError
from pgallop.ownership import Block
from pgallop.preparing import TRIES
from pgallop.session.copy_out import CopyOut
from pgallop.session.statement import Statement
from pgallop.sql import copying
from pgallop.sql.copying import CopyOptions


class Source:
    """What is copied; `original`: a statement of the caller's that runs the same.

    `statement`: the COPY, None where it is made of the query.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        original: str,
        args: tuple[Any, ...],
        options: CopyOptions,
        statement: str | None = None,
    ) -> None:
        self.dispatch = dispatch
        self.original = original
        self.args = args
        self.options = options
        self.statement = statement

    async def sql(
        self, deadline: float | None, timeout: float | None
    ) -> tuple[str, Statement | None]:
        """The COPY, and what was presumed of its query."""
        if self.statement is not None:
            return self.statement, None
        query, presumed = self.original, None
        if self.args:
            query, presumed = await copy_arguments.inlined(
                self.dispatch, query, self.args, deadline, timeout
            )
        enclosed = copying.subquery(query, copy_arguments.standard_strings(self.dispatch))
        return copying.copy_out(enclosed, self.options), presumed


async def copy_out(
    source: Source,
    output: Destination,
    timeout: float | None,
    progress: Callable[[int], object] | None,
) -> str:
    """Copy `source` to `output`; the command tag."""
    dispatch = source.dispatch
    check_output(output)
    dispatch.check_usable()
    timeout, deadline = dispatch.deadline(timeout)
    dispatch.ownership.mine()  # raises where nothing may be called
    dispatch.claim()
    limit = asyncio.timeout_at(deadline)
    try:
        async with limit:
            opened = await open_output(asyncio.get_running_loop(), output)
            try:
                tag = await copied(source, opened, deadline, timeout, progress)
                await opened.close()
            except BaseException:
                opened.leave()
                raise
            return tag
    except TimeoutError:
        if limit.expired():
            raise timed_out(timeout) from None
        raise
    finally:
        dispatch.release()


async def copied(
    source: Source,
    output: Output,
    deadline: float | None,
    timeout: float | None,
    progress: Callable[[int], object] | None,
) -> str:
    """Run the COPY, and again where nobody has seen anything of it and that is safe."""
    dispatch = source.dispatch
    for tries in range(TRIES, -1, -1):
        sql, presumed = await source.sql(deadline, timeout)
        await dispatch.ownership.my_turn(dispatch.ownership.mine(), deadline, timeout)
        dispatch.check_unlost()
        request = CopyOut(dispatch.new_future(), sql, source.original)
        try:
            return await drained(dispatch, request, output, progress)
        except PostgresError as error:
            again = await repetition.may_copy_again(dispatch, request, presumed, error, timeout)
            if not again or not tries:
                raise
    raise AssertionError("the last try returns or raises")


async def drained(
    dispatch: Dispatch, request: CopyOut, output: Output, progress: Callable[[int], object] | None
) -> str:
    """Submit a COPY, and give what comes to `output`, up to its end."""
    waiter = request.waiter
    dispatch.submit(request)
    block = Block(dispatch.ownership)
    dispatch.ownership.begin_copy(block)
    try:
        while True:
            was_full = request.full
            data = request.take()
            if was_full:
                dispatch.go_on()
            if request.has_failed:
                break
            if data:
                await output.write(data)
                if progress is not None:
                    progress(request.taken)
            elif request.finished:
                break
            else:
                request.arrival = dispatch.new_future()
                await request.arrival
        return await waiter  # type: ignore[no-any-return]
    except BaseException as error:
        dispatch.leave(request, error)
        if waiter.done() and not waiter.cancelled():
            waiter.exception()  # retrieved: there is another one to be seen
        raise
    finally:
        dispatch.ownership.end_copy(block)
