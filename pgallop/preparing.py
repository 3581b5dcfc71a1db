"""How a statement gets prepared, and what is done when that turns out to be out of date.

A text that was described before, by this connection or by another one that shares its knowledge,
is run at once: its Parse carries the types that its arguments are encoded with, and Bind follows in
the same trip. One without arguments needs no description either: its result comes in binary, and
what has no reader in binary is converted (`converting.py`). Everything else is described first.

Whatever is presumed is checked: the answer to Describe comes in front of the rows.
"""

import asyncio
import secrets
import weakref
from collections.abc import Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pgallop import resolving
from pgallop.deadlines import timed_out
from pgallop.errors import CollateralCancelError, PostgresError
from pgallop.ownership import Block
from pgallop.session.prepare import Prepare
from pgallop.session.request import Request
from pgallop.session.statement import Description, Statement
from pgallop.sql import changes

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch
    from pgallop.statement_cache import StatementCache

# How often a statement is run again that a cancellation has hit which was not meant for it, or
# that was out of date: where tables change all the time each new try can be late again.
TRIES = 10

# There is no statement of this name, or there is one already.
NAME_CODES = ("26000", "42P05")

# A statement that needs another description tells so by one of these, or with parameters by class
# 42: cached plan must not change result type, invalid binary representation, a wrong number of
# parameters or columns, a type that is not in the catalogue's caches.
STALE_CODES = ("0A000", "22P03", "08P01", "XX000")

# "cache lookup failed for function": functions and types are not locked while a statement is parsed
# that names them, so another session can drop one between two of the server's steps.
RACE_CODE = "XX000"

# Of class 42, but found in Bind, and each time again.
PRIVILEGE_CODE = "42501"


class Handle:
    """The key of a statement that `prepare()` has made: it has its own, under its own name."""

    __slots__ = ("name", "query")

    def __init__(self, query: str, name: str) -> None:
        self.query = query
        self.name = name


def query_of(key: Hashable) -> str:
    """The text of the statement with this key."""
    return key.query if isinstance(key, Handle) else str(key)


def new_names() -> str:
    """What the names of one connection's statements begin with.

    Behind a pooler several connections share a session, and must not take each other's statements
    for their own.
    """
    return f"pgallop_{secrets.token_hex(4)}_"


async def obtain(
    dispatch: "Dispatch",
    key: Hashable,
    has_arguments: bool,
    deadline: float | None,
    timeout: float | None,
) -> tuple[Statement, bool]:
    """The statement of `key`, when it is this context's turn; whether it was described just now."""
    block = dispatch.ownership.mine()
    await dispatch.ownership.my_turn(block, deadline, timeout)
    dispatch.check_unlost()
    statement = current(dispatch, key) or presume(dispatch, key, has_arguments)
    if statement is not None and not statement.is_unresolved:
        return statement, False
    statements = await prepared(dispatch, [key], deadline, timeout, block)
    # One that was known already has new codecs by now, and the description that it had.
    return statements[key], statement is None


def current(dispatch: "Dispatch", key: Hashable) -> Statement | None:
    """The statement of `key` that the connection has, if nothing is known against it."""
    statement = dispatch.statements.get(key)
    if statement is None or is_current(dispatch, statement):
        return statement
    if statement.described is None:
        return None
    if statement.parameter_oids:
        forget(dispatch, statement)  # as in `on_prepared`
        return None
    # Without a name it is checked each time it is run: take what came out of that.
    remember(dispatch, statement.query, statement.described, statement.generation)
    renewed = Statement(statement.query, b"", statement.described, dispatch.registry, key, True)
    renewed.generation = dispatch.scope.knowledge.generation
    keep(dispatch, renewed)
    return renewed


def is_current(dispatch: "Dispatch", statement: Statement) -> bool:
    """Whether nothing was heard against what the statement was made from."""
    return not statement.parse or (
        (statement.described is None or statement.varies)
        and statement.generation == dispatch.scope.knowledge.generation
    )


def presume(dispatch: "Dispatch", key: Hashable, has_arguments: bool) -> Statement | None:
    """A statement to be run at once, its Parse on the way; None if it has to be described first."""
    # Of two that prepare it the server would keep one that nobody knows.
    if not isinstance(key, str) or dispatch.describe_first or key in dispatch.preparing:
        return None
    description = dispatch.scope.get(key, dispatch.now())
    if description is None and (has_arguments or not may_guess(dispatch, key)):
        return None
    name = b"" if dispatch.unnamed else dispatch.new_statement_name()
    statement = Statement(key, name, description, dispatch.registry, key, True)
    statement.generation = dispatch.scope.knowledge.generation
    if name:
        submit(dispatch, key, name, statement)
    keep(dispatch, statement)
    return statement


def may_guess(dispatch: "Dispatch", query: str) -> bool:
    """Whether a statement of which nothing is known may run with its results in binary.

    The server refuses that in the middle of the statement where a type has no binary form. So not
    in a transaction, which would fail by it, and not what may commit before that.
    """
    return (
        dispatch.scope.may_guess()
        and dispatch.is_idle()
        and not dispatch.ownership.blocks
        and changes.is_one_transaction(query)
        and not changes.may_return_anyarray(query)
    )


async def prepared(
    dispatch: "Dispatch",
    keys: Sequence[Hashable],
    deadline: float | None,
    timeout: float | None,
    block: Block | None,
) -> dict[Hashable, Statement]:
    """The statements of `keys`, when they are prepared and it is the turn of `block`."""
    tries = TRIES
    # One bound for all the waiting for others, however often it is taken up.
    patience, until = dispatch.ownership.patience(timeout, deadline)
    # What was described just now is run even if the schema has changed meanwhile: where that
    # happens all the time, it would never be.
    new: dict[Hashable, Statement] = {}
    while True:
        await dispatch.ownership.my_turn(block, until, patience)
        dispatch.check_unlost()
        found = [current(dispatch, key) or new.get(key) for key in keys]
        statements = {each.key: each for each in found if each is not None and not each.prepare}
        missing = [key for key in keys if key not in statements]
        unknown = renew(dispatch, statements, new)
        if unknown:
            await resolving.resolve(dispatch, unknown, deadline, timeout)
            continue
        if not missing:
            return statements
        # Another task may be at it already.
        others = [dispatch.preparing[key][1] for key in missing if key in dispatch.preparing]
        own = [describe(dispatch, key) for key in missing if key not in dispatch.preparing]
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.wait([*others, *own])
        except TimeoutError:
            raise timed_out(timeout) from None
        # What failed for another task is tried again here, and so is what a cancellation hit
        # that was not meant for it, and what raced: nothing of the statement has run.
        failure = first_failure(own)
        if failure is None:
            answers = [answer.result() for answer in own]
            new.update({answer.key: answer for answer in answers if answer.parse})
        own.clear()
        may_repeat = isinstance(failure, CollateralCancelError) or is_race(failure)
        if may_repeat and tries and not dispatch.in_transaction():
            tries -= 1
        elif failure is not None:
            try:
                raise failure
            finally:
                del failure  # else this frame is garbage that only the collector finds


def renew(
    dispatch: "Dispatch", statements: dict[Hashable, Statement], new: dict[Hashable, Statement]
) -> list[int]:
    """Bind those anew whose types have other codecs by now; the types that are still unknown."""
    unknown: list[int] = []
    for key, statement in statements.items():
        if statement.is_unresolved:
            renewed = statement.renewed()
            statements[key] = renewed
            if dispatch.statements.has(statement):
                keep(dispatch, renewed)
            if new.get(key) is statement:
                new[key] = renewed
            if renewed.is_unresolved:
                unknown += renewed.types()
    return unknown


async def anew(
    dispatch: "Dispatch", statement: Statement, deadline: float | None, timeout: float | None
) -> Statement:
    """The same statement, described anew: what is known of it has refused an argument."""
    forget(dispatch, statement)
    block = dispatch.ownership.mine()
    key = statement.key
    return (await prepared(dispatch, [key], deadline, timeout, block))[key]


def describe(dispatch: "Dispatch", key: Hashable) -> "asyncio.Future[Statement]":
    """Submit a Prepare for a statement of which nothing is known."""
    if isinstance(key, Handle):
        return submit(dispatch, key, key.name.encode(), None)
    if dispatch.unnamed:
        return submit(dispatch, key, b"", None)
    return submit(dispatch, key, dispatch.new_statement_name(), None)


def submit(
    dispatch: "Dispatch", key: Hashable, name: bytes, presumed: Statement | None
) -> "asyncio.Future[Statement]":
    """Submit a Prepare; it goes on when its caller is cancelled, for others may rely on it."""
    answer = dispatch.new_future()
    answer.add_done_callback(retrieve)
    closes = dispatch.statements.take_evicted()
    request = Prepare(answer, query_of(key), name, dispatch.registry, closes, key, presumed)
    request.generation = dispatch.scope.knowledge.generation
    request.on_end = partial(on_prepared, dispatch)
    try:
        # What follows at once begins its block itself: with BEGIN in front of Parse it would have
        # to wait, for it must not run if that fails.
        dispatch.submit(request, presumed is None)
    except BaseException:
        dispatch.statements.evicted.extend(closes)
        raise
    if presumed is not None:
        presumed.prepare = request
    dispatch.preparing[key] = request, answer
    return answer


def retrieve(answer: "asyncio.Future[Statement]") -> None:
    """Its failure is told by what relied on it, if anything did."""
    if not answer.cancelled():
        answer.exception()


def on_prepared(dispatch: "Dispatch", request: Request) -> None:
    """A Prepare is answered, dropped or lost."""
    assert isinstance(request, Prepare)
    key, statement, presumed = request.key, request.statement, request.presumed
    was_given_up = dispatch.preparing.get(key, (None,))[0] is not request
    if request.status:
        # A BEGIN that failed, or a cancellation: the server has not come to these.
        unclosed = request.closes[len(request.closes) - request.unanswered :]
        dispatch.statements.evicted.extend(unclosed)
        if request.parsed and request.name and statement is None and not was_given_up:
            dispatch.statements.evicted.append(request.name)
    if was_given_up:
        return
    del dispatch.preparing[key]
    if statement is None:
        if presumed is not None:
            presumed.prepare = None
            dispatch.statements.drop(presumed)
        return
    if presumed is not None and presumed.parameter_oids:
        # Of its parameters nothing new was asked. Where the columns are others, they may be, too.
        if presumed.described is not None:
            forget(dispatch, presumed)
        return
    if request.description is not None and not statement.varies:
        remember(dispatch, request.query, request.description, request.generation)
    # One that has left the cache meanwhile must not come back: its name will be closed.
    if presumed is None or (presumed.described is not None and dispatch.statements.has(presumed)):
        statement.generation = request.generation
        keep(dispatch, statement)


def remember(dispatch: "Dispatch", query: str, description: Description, generation: int) -> None:
    """Let all that share the knowledge know of `query`, unless it is too long to be kept."""
    if not dispatch.statements.is_too_long(query):
        dispatch.scope.put(query, description, generation, dispatch.now())


def keep(dispatch: "Dispatch", statement: Statement) -> None:
    """Put `statement` into the cache, from which it will be taken at the end of its lifetime."""
    cache = dispatch.statements
    cache.put(statement, dispatch.now())
    if cache.lifetime and cache.timer is None:
        # Weakly: the loop must not hold what a forgotten connection has left.
        cache.timer = dispatch.call_later(cache.lifetime, expire, weakref.ref(cache))


def expire(reference: "weakref.ref[StatementCache]") -> None:
    """Let go of statements at the end of their lifetime."""
    cache = reference()
    if cache is not None:
        loop = asyncio.get_running_loop()
        due = cache.expire(loop.time())
        cache.timer = None if due is None else loop.call_at(due, expire, reference)


def ride(statement: Statement) -> None:
    """Somebody relies on the Prepare of `statement`, if that is on the way."""
    if statement.prepare is not None:
        statement.prepare.riders += 1


def get_off(dispatch: "Dispatch", statement: Statement) -> None:
    """Somebody who relied on it has gone; without anybody the Prepare is given up."""
    request = statement.prepare
    if request is not None:
        request.riders -= 1
        is_under_way = dispatch.preparing.get(statement.key, (None,))[0] is request
        if is_under_way and not request.riders and not dispatch.statements.is_pinned(statement.key):
            give_up(dispatch, statement.key)


def unpin(dispatch: "Dispatch", key: Hashable) -> None:
    """One caller less for the statement of `key`; without any its Prepare is given up."""
    if dispatch.statements.unpin(key) and key in dispatch.preparing:
        request, _ = dispatch.preparing[key]
        if not request.riders:
            give_up(dispatch, key)


def let_go(dispatch: "Dispatch", handle: Handle) -> None:
    """Nobody has the statement of `prepare()` any more."""
    unpin(dispatch, handle)
    dispatch.statements.remove(handle)


def give_up(dispatch: "Dispatch", key: Hashable) -> None:
    """Nobody needs the Prepare of `key` any more."""
    request, _ = dispatch.preparing.pop(key)
    if request.presumed is not None:
        request.presumed.prepare = None
        dispatch.statements.drop(request.presumed)
    if dispatch.abandon(request):
        dispatch.statements.evicted.extend(request.closes)  # the server was not told
    elif request.name:
        dispatch.statements.evicted.append(request.name)


def forget(dispatch: "Dispatch", statement: Statement) -> None:
    """`statement` has proved out of date: nothing that is known of its text can be relied on."""
    dispatch.statements.forget(statement)
    dispatch.types.doubt(statement.types())
    if isinstance(statement.key, str):
        dispatch.scope.forget(statement.key)


def is_stale(error: BaseException, statement: Statement) -> bool:
    """Whether a new description may help against `error`, by which nothing has run."""
    if not isinstance(error, PostgresError) or error.sqlstate is None:
        return False
    if error.sqlstate in NAME_CODES:
        return True
    if statement.refusal is not None and not statement.parameter_oids:
        return is_race(error)  # Parse was refused, and nothing in it was presumed
    if error.sqlstate in STALE_CODES:
        return True
    # Without parameters the server resolves the names anew each time, and would say the same again;
    # what the role may not do, no description changes.
    is_class_42 = error.sqlstate.startswith("42") and error.sqlstate != PRIVILEGE_CODE
    return is_class_42 and bool(statement.parameter_oids)


def is_race(error: BaseException | None) -> bool:
    """Whether the server has lost sight of what another session was changing."""
    return isinstance(error, PostgresError) and error.sqlstate == RACE_CODE


def first_failure(answers: "list[asyncio.Future[Statement]]") -> BaseException | None:
    """The first error among answers that have come."""
    for answer in answers:
        if answer.exception() is not None:
            return answer.exception()
    return None
