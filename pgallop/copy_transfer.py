"""How the data of a COPY into a table gets to the session, and what may go wrong with it.

The source is read by the caller's task, in its context and never in the middle of a message: a
piece is encoded, handed over when there is room for it, and then the next one is read. Where the
server refuses, or the time is over, the source is interrupted wherever it waits.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from pgallop import preparing, repetition
from pgallop.codecs.codec import Codec
from pgallop.codecs.registry import Registry
from pgallop.copy_sources import Source
from pgallop.deadlines import timed_out
from pgallop.errors import (
    CollateralCancelError,
    DataError,
    InterfaceError,
    OutdatedSchemaCacheError,
    PostgresError,
    UnsupportedClientFeatureError,
)
from pgallop.ownership import Block
from pgallop.preparing import TRIES
from pgallop.session.copy_in import CopyIn
from pgallop.session.session import IDLE
from pgallop.session.statement import Statement

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch

# What the server says of a value whose bytes are of another type: invalid binary representation, a
# wrong number of fields, a field of another type.
TYPE_CODES = ("22P03", "42")


class Copy(NamedTuple):
    """What is to be copied.

    `text`: the COPY. `select`: what has the columns that records are written for, None for bytes.
    `progress` is called with the number of bytes that have left so far.
    """

    text: str
    select: str | None
    source: Source
    timeout: float | None
    deadline: float | None
    progress: Callable[[int], object] | None


class Over(Exception):
    """Nothing more is wanted: never seen by a caller, who gets what the request has failed by."""


async def copy_in(
    dispatch: "Dispatch",
    text: str,
    select: str | None,
    source: Source,
    timeout: float | None,
    progress: Callable[[int], object] | None,
) -> str:
    """Run a COPY with the data of `source`, which is closed then; its command tag."""
    dispatch.check_usable()
    timeout, deadline = dispatch.deadline(timeout)
    copy = Copy(text, select, source, timeout, deadline, progress)
    dispatch.claim()
    try:
        return await _copied(dispatch, copy)
    except GeneratorExit:
        raise  # a coroutine that is closed must not wait
    except BaseException:
        await source.close()
        raise
    finally:
        dispatch.release()


async def _copied(dispatch: "Dispatch", copy: Copy) -> str:
    """Run it, and again where nothing of it has run and it may do better."""
    was_culprit = False
    for tries in range(TRIES, -1, -1):
        if copy.select is not None:
            dispatch.statements.pin(copy.select)
        try:
            block = dispatch.ownership.mine()
            request, is_new = await _request(dispatch, copy, block)
            transfer = Transfer(dispatch, copy, request, block)
            try:
                return await transfer.run()
            except Exception as error:
                if not tries or transfer.has_failed_itself:
                    raise
                is_new |= was_culprit
                if not await _may_repeat(dispatch, copy, request, error, is_new):
                    raise
                was_culprit = request.culprit
        finally:
            if copy.select is not None:
                preparing.unpin(dispatch, copy.select)
    raise AssertionError("the last try returns or raises")


async def _request(dispatch: "Dispatch", copy: Copy, block: Block | None) -> tuple[CopyIn, bool]:
    """The request, when it is its turn; whether its columns were described just now."""
    select, deadline, timeout = copy.select, copy.deadline, copy.timeout
    if select is None:
        await dispatch.ownership.my_turn(block, deadline, timeout)
        dispatch.check_unlost()
        return CopyIn(dispatch.new_future(), copy.text, simple=dispatch.simple), False
    if dispatch.simple:
        raise UnsupportedClientFeatureError(
            "copy_records_to_table() needs the extended protocol, which tells the types of the "
            "columns, and the connection has statement_mode='simple'",
            hint="copy_to_table() takes CSV and text in every mode",
        )
    statement, is_new = await preparing.obtain(dispatch, select, True, deadline, timeout)
    if statement.prepare is not None:
        # What was presumed of it the server does not compare with anything: await its answer.
        prepared = await preparing.prepared(dispatch, [select], deadline, timeout, block)
        statement, is_new = prepared[select], True
    codecs = writers(dispatch.registry, statement)
    return CopyIn(dispatch.new_future(), copy.text, statement, codecs), is_new


async def _may_repeat(
    dispatch: "Dispatch", copy: Copy, request: CopyIn, error: Exception, is_new: bool
) -> bool:
    """Whether it may be run again, for nothing of it has run, and has a reason to.

    What has proved out of date is forgotten.
    """
    columns = request.columns
    is_undone = not request.status or request.status == IDLE
    if columns is not None and request.culprit:
        # A record does not fit the types that were known: what are they now?
        if is_new or not is_undone or not dispatch.ownership.is_my_turn():
            return False
        renewed = await preparing.anew(dispatch, columns, copy.deadline, copy.timeout)
        # The parts of a type may be others, too; but for that alone nothing is sent all over again.
        if request.position >= 0 and types_of(renewed) == types_of(columns):
            return False
    elif columns is not None and is_outdated(request, error):
        preparing.forget(dispatch, columns)
        if not is_undone:
            repetition.explain_stale(error)
            return False
        if not copy.source.rewind(request):
            repetition.explain(
                error, "some records were read by then: copy again, with all of them"
            )
            return False
        return True
    elif columns is not None and request.has_begun and is_of_types(error):
        preparing.forget(dispatch, columns)  # the parts of a type may be others, and are asked for
        return False
    elif not isinstance(error, CollateralCancelError) or request.has_begun:
        return False
    return is_undone and copy.source.rewind(request)


def is_outdated(request: CopyIn, error: Exception) -> bool:
    """Whether the columns are others than was known, by which no record has been stored."""
    assert request.columns is not None
    if isinstance(error, OutdatedSchemaCacheError):
        return True
    return not request.has_begun and preparing.is_stale(error, request.columns)


def is_of_types(error: Exception) -> bool:
    """Whether the server has met with bytes of another type than it has itself."""
    return isinstance(error, PostgresError) and (error.sqlstate or "").startswith(TYPE_CODES)


def types_of(statement: Statement) -> list[int]:
    return [column.type_oid for column in statement.columns]


def writers(registry: Registry, statement: Statement) -> tuple[Codec, ...]:
    """What writes the binary forms of the columns."""
    codecs: list[Codec] = []
    for column in statement.columns:
        codec = registry.get(column.type_oid)
        writer = codec.writer()
        if writer is None:
            raise UnsupportedClientFeatureError(
                f'records cannot be copied into column "{column.name}": values of {codec.name} '
                f"have no binary form that pgallop can write",
                hint="copy_to_table() takes CSV and text",
            )
        codecs.append(writer)
    return tuple(codecs)


class Transfer:
    """One run of a COPY, from the first piece of its data to its answer.

    `block`: the transaction that its caller is in; its own context is refused everything.
    `has_failed_itself`: by its source, or because the time is over, and not by the server.
    """

    def __init__(
        self, dispatch: "Dispatch", copy: Copy, request: CopyIn, block: Block | None
    ) -> None:
        self._dispatch = dispatch
        self._copy = copy
        self._request = request
        self._block = block
        self.has_failed_itself = False
        self._is_submitted = False
        self._reported = 0
        self._scope: asyncio.Timeout | None = None
        # For what happens to the request while it is waited for.
        self._news: asyncio.Future[None] | None = None

    async def run(self) -> str:
        """Copy all of it; the command tag."""
        dispatch, request, copy = self._dispatch, self._request, self._copy
        waiter = request.waiter
        try:
            failure = await self._write()
            if failure is not None:
                self.has_failed_itself = not request.culprit
                await self._give_up(failure, waiter)
                try:
                    raise failure
                finally:
                    del failure  # else this frame is garbage that only the collector finds
            if request.error is not None and not request.finished:
                dispatch.break_off(request, request.error)  # the server waits for the Sync
            dispatch.arm_until(request, copy.deadline, copy.timeout)
            return await waiter  # type: ignore[no-any-return]
        except BaseException as error:
            dispatch.leave(request, error)
            if waiter.done() and not waiter.cancelled():
                waiter.exception()  # retrieved, whatever is raised
            raise
        finally:
            request.watcher = None
            del waiter

    async def _write(self) -> Exception | None:
        """Write all of it; what the source has failed by, or the time that is over.

        None, too, where something else has ended it, which is the request's to tell.
        """
        ownership, copy = self._dispatch.ownership, self._copy
        block = Block(ownership)
        ownership.begin_copy(block)
        self._scope = asyncio.timeout_at(copy.deadline)
        try:
            async with self._scope:
                self._request.watcher = self._on_news
                await copy.source.feed(self._request, self._flush)
                await self._end()
        except Exception as error:
            if self._is_over():
                return None
            return timed_out(copy.timeout) if self._scope.expired() else error
        finally:
            self._scope = None
            ownership.end_copy(block)
        return None

    async def _give_up(self, failure: Exception, waiter: "asyncio.Future[Any]") -> None:
        """End what cannot be written to its end, and wait until the server has undone it."""
        dispatch, request, copy = self._dispatch, self._request, self._copy
        if isinstance(failure, TimeoutError) and self._is_late():
            return  # there is no time for that
        told = failure if isinstance(failure, (DataError, InterfaceError)) else failed(failure)
        if dispatch.break_off(request, told):
            dispatch.arm_until(request, copy.deadline, copy.timeout)
            await asyncio.wait([waiter])

    def _is_late(self) -> bool:
        deadline = self._copy.deadline
        return deadline is not None and self._dispatch.now() >= deadline

    def _is_over(self) -> bool:
        """Whether nothing more is to be written."""
        request = self._request
        return request.finished or request.discarded or request.error is not None

    def _on_news(self) -> None:
        """There may be room, or all may be over."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
        # The source may wait for something that does not come.
        if self._is_over() and self._scope is not None and not self._scope.expired():
            self._scope.reschedule(self._dispatch.now())

    async def _flush(self) -> None:
        """Hand over what was encoded, and wait until there is room for the next piece."""
        dispatch, request = self._dispatch, self._request
        if not self._is_submitted:
            await self._submit()
        elif not self._is_over():
            dispatch.write_on(request, request.piece())
        await asyncio.sleep(0)  # others want to run, and answers to be read
        while not (request.is_checked and dispatch.has_room(request)):
            if self._is_over():
                break
            self._news = dispatch.new_future()
            await self._news
        if self._is_over():
            raise Over
        self._report()

    async def _submit(self) -> None:
        """Hand over the beginning; the code of the source may have called all kinds of things."""
        dispatch = self._dispatch
        await dispatch.ownership.my_turn(self._block, self._copy.deadline, self._copy.timeout)
        dispatch.check_unlost()
        dispatch.submit(self._request)
        self._is_submitted = True

    async def _end(self) -> None:
        """Hand over the end, where the columns are known to be what they were."""
        request = self._request
        if not request.is_checked:
            await self._flush()
        request.finish()
        self._report()  # while it can still end the COPY
        request.end()
        if self._is_submitted:
            self._dispatch.write_on(request, request.piece())
        else:
            await self._submit()

    def _report(self) -> None:
        """Tell how much there was by now, if that is more than before."""
        progress, moved = self._copy.progress, self._request.moved
        if progress is not None and moved > self._reported:
            self._reported = moved
            progress(moved)


def failed(error: Exception) -> InterfaceError:
    """What the transaction has failed by when the caller's source has raised `error`."""
    text = str(error)
    told = InterfaceError(f"the source of a COPY has raised {type(error).__name__}: {text:.200}")
    told.__cause__ = error
    return told
