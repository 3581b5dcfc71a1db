"""What the server is asked about types before their values can be read and written.

That is what the catalogue tells of types that are not PostgreSQL's own, one query for all that a
statement needs, and how many digits an amount of money has after the point, which depends on the
session.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from pgallop.catalogue import answered_types
from pgallop.codecs.codec import BINARY
from pgallop.codecs.introspection import Types
from pgallop.codecs.registry import Registry
from pgallop.deadlines import timed_out
from pgallop.errors import ProtocolError
from pgallop.knowledge import Scope, on_tags
from pgallop.session.convert import Convert
from pgallop.session.request import Request
from pgallop.statement_cache import StatementCache

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch

# How often the catalogue is asked for one statement: types may be deep, or change all the time.
TRIES = 100


class ConnectionTypes:
    """What one connection makes of the types of its database, of which `Types` knows.

    When that changes, codecs that were made of it are forgotten, and the statements that may have
    some are bound anew before they are run again.
    """

    def __init__(self, scope: Scope, registry: Registry, statements: StatementCache) -> None:
        self._scope = scope
        self._registry = registry
        self._statements = statements
        self._types = scope.types
        #: What the server is being asked about, with what is done when it has answered.
        self.asking: dict[frozenset[int], asyncio.Future[None]] = {}
        self.renew()

    @property
    def known(self) -> Types:
        """What is known: of this connection alone, while it has changed types in a transaction."""
        return self._types

    def renew(self) -> None:
        """Something else is known now."""
        self._types = self._scope.types
        self._types.users.add(self)
        self._registry.source = self._types
        self._registry.forget_made()
        self._statements.outdate()

    def on_tags(self, request: Request) -> None:
        """A statement has ended that may have changed what others were prepared under."""
        generation = self._scope.shared_types.generation
        on_tags(self._scope, self._statements, self._registry, request)
        if self._scope.types is not self._types:
            self.renew()
        if self._scope.shared_types.generation != generation:
            self.changed()

    def changed(self) -> None:
        """Something else is known now, to all who share it."""
        for user in list(self._types.users):
            user.renew()

    def lost(self) -> None:
        """The server has ended the connection: another one may answer at its address by now.

        There the same OIDs may be other types, an enum be an array.
        """
        types = self._scope.shared_types
        users = list(types.users) if len(types) else []  # of a thousand that are lost the first one
        types.forget_all()
        for user in users:
            user.renew()

    def doubt(self, oids: Iterable[int]) -> None:
        """What is known of these types may be wrong: ask again before it is used."""
        if self._types.doubt(oids):
            self.renew()

    def unknown(self, oids: Iterable[int]) -> tuple[set[int], bool]:
        """What has to be asked about these types, and whether it has to be about money."""
        return self._types.unknown(oids, self._registry)


async def resolve(
    dispatch: "Dispatch", oids: Iterable[int], deadline: float | None, timeout: float | None
) -> None:
    """Ask what is not known yet of these types; it is this context's turn."""
    wanted = set(oids)
    dispatch.registry.forget_made()
    for tries in range(TRIES, -1, -1):
        missing, of_money = dispatch.types.unknown(wanted)
        if of_money:
            learn(dispatch, await dispatch.answered(question(dispatch), deadline, timeout))
        if not missing:
            break
        asking = dispatch.types.asking.get(frozenset(missing))
        if asking is None:
            await ask(dispatch, missing, deadline, timeout, bool(tries))
        else:
            await wait_for(asking, deadline, timeout)
    dispatch.registry.forget_made()
    try:
        for oid in wanted:
            dispatch.registry.get(oid)
    except ProtocolError as error:  # one that is part of itself
        dispatch.lose(error)


async def ask(
    dispatch: "Dispatch",
    oids: Collection[int],
    deadline: float | None,
    timeout: float | None,
    again: bool,
) -> None:
    """Ask about these types; another task that needs the same waits for the answer."""
    types = dispatch.types.known
    generation = types.generation
    asked = frozenset(oids)
    answered = dispatch.types.asking[asked] = dispatch.new_future()
    try:
        infos = await answered_types(dispatch, oids, deadline, timeout)
    finally:
        del dispatch.types.asking[asked]
        answered.set_result(None)
    # If types have changed meanwhile, nobody knows which side of that was seen.
    is_current = types is dispatch.types.known and generation == types.generation
    if (is_current or not again) and dispatch.types.known.learn(oids, infos):
        dispatch.types.changed()


async def wait_for(
    answered: "asyncio.Future[None]", deadline: float | None, timeout: float | None
) -> None:
    """Wait until another task has its answer."""
    try:
        async with asyncio.timeout_at(deadline):
            await asyncio.wait([answered])
    except TimeoutError:
        raise timed_out(timeout) from None


def question(dispatch: "Dispatch") -> Convert:
    """What does the smallest amount look like?"""
    from pgallop.codecs import money  # few connections ever see any

    return Convert(dispatch.new_future(), [money.ONE_UNIT], money.MONEY, BINARY)


def learn(dispatch: "Dispatch", answer: list[bytes]) -> None:
    """Take the answer to `question`."""
    from pgallop.codecs import money

    try:
        digits = money.digits_of(answer[0])
    except ValueError as error:
        dispatch.lose(ProtocolError(str(error)))
    money.resolve(dispatch.registry, digits)
    if not dispatch.scope.has_left():
        dispatch.scope.money_digits = digits


def recall(dispatch: "Dispatch") -> None:
    """The session is again as it was when it began."""
    if dispatch.scope.money_digits is not None:
        from pgallop.codecs import money

        money.resolve(dispatch.registry, dispatch.scope.money_digits)
