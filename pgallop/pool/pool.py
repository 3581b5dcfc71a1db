"""`Pool`: connections for many tasks."""

from __future__ import annotations

import asyncio
import warnings
import weakref
from collections.abc import Awaitable, Callable, Generator
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pgallop.connection import Connection
from pgallop.deadlines import checked_seconds
from pgallop.errors import InterfaceError
from pgallop.notifications import DEFAULT_SIZE, check_channels
from pgallop.pool.closing import close, close_after_error
from pgallop.pool.connecting import Connecting
from pgallop.pool.copying import Copying
from pgallop.pool.desk import Desk
from pgallop.pool.keeper import Keeper, State
from pgallop.pool.lease import (
    PoolAcquireContext,
    PoolConnectionProxy,
    foreign,
    held_here,
    lease_class,
)
from pgallop.pool.listening import PoolNotifications
from pgallop.pool.options import checked_sizes, taken_from
from pgallop.pool.place import Place
from pgallop.pool.statements import Statements, has_own_verbs
from pgallop.pool.transactions import run_transaction
from pgallop.rows.record import Record

if TYPE_CHECKING:
    from pgallop.pool.stats import PoolStats

T = TypeVar("T")
R = TypeVar("R", bound=Record)


class Pool(Statements, Copying):
    """Connections for many tasks, each of which has one to itself while it uses it.

    Made by `create_pool`, and with its arguments. Await it or enter it with `async with`, which
    closes it at the end. Its methods that run a statement do that on any of the connections; what
    needs several statements on one connection, such as a transaction, takes one by `acquire`. Who
    waits is served in the order of coming.
    """

    # What those have who acquire a connection, beside its own class.
    _proxy_class = PoolConnectionProxy

    def __init__(self, dsn: str | None = None, **arguments: Any) -> None:
        options = taken_from(arguments)
        self._options = options
        self._connecting = Connecting(options, dsn, arguments)
        self._keeper = Keeper(options, self._connecting.connect)
        self._desk = Desk(self._keeper)
        # Without these a statement of its own needs no more than a connection.
        self._is_plain = (
            options.setup is None
            and options.reset is None
            and not has_own_verbs(options.connection_class)
        )
        self._listening: weakref.WeakSet[PoolNotifications] = weakref.WeakSet()
        self._lease_classes: dict[type[Connection], type[PoolConnectionProxy]] = {}

    def __await__(self) -> Generator[Any, Any, Self]:
        return self._started().__await__()

    async def __aenter__(self) -> Self:
        return await self._started()

    async def _started(self) -> Self:
        if self._keeper.state is not State.OPEN:  # a second time it is there
            await self._keeper.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            await self.close()
        else:
            self._stop_listening()
            await close_after_error(self._keeper)

    # A connection for a while

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        """A connection that nobody else uses: enter it with `async with`, or await it.

        What was awaited has to be given back by `release`. A session that somebody has changed is
        reset behind him: what he has set, locked or left open is gone.

        Args:
            timeout: seconds to wait for one, the pool's `acquire_timeout` by default.

        Raises, when it is awaited or entered:
            PoolTimeoutError: no connection became free in time.
            PoolFullError: too many wait for one already.
            InterfaceError: the pool is closed, closing, or belongs to another loop or process.
            Exception: no connection could be opened; what `connect`, `init` or `setup` raises.

        Example:
            >>> async with pool.acquire() as conn:
            ...     async with conn.transaction():
            ...         await conn.execute("UPDATE accounts SET balance = 0")
        """
        return PoolAcquireContext(self, None if timeout is None else checked_seconds(timeout))

    async def acquired(self, timeout: float | None, entered: bool) -> PoolConnectionProxy:
        """What `acquire` gives. `entered`: it will be released at the end of a block."""
        keeper = self._keeper
        place = await self._desk.acquire(timeout)
        try:
            now = keeper.now()
            held = held_here(now, entered, self._options.record_stacks)
            connection = self._lease_class(type(place.connection))(self, place, held)
        except BaseException:  # such as KeyboardInterrupt
            keeper.give_back(place)
            raise
        if self._options.setup is not None:
            seconds = self._options.acquire_timeout if timeout is None else timeout
            try:
                async with asyncio.timeout(None if seconds == inf else seconds):
                    await self._options.setup(connection)
            except BaseException:
                connection.detach(self)
                keeper.give_up(place, "setup failed")
                raise
        return connection

    def _lease_class(self, kind: type[Connection]) -> type[PoolConnectionProxy]:
        """What those have who acquire a connection of this kind."""
        found = self._lease_classes.get(kind)
        if found is None:
            found = self._lease_classes[kind] = lease_class(kind, self._proxy_class)
        return found

    async def release(self, connection: Connection, *, timeout: float | None = None) -> None:
        """Give a connection back that `acquire` gave.

        This does not wait for the session's reset, which is on its way when it returns: locks are
        given up as soon as the server has read it. Only where `create_pool` was given a `reset` of
        its own that is awaited, and what it raises is raised here.

        Args:
            timeout: seconds to wait for that `reset`; after them the connection is closed.

        Raises:
            InterfaceError: it is no connection of this pool, or it was released before.

        Example:
            >>> conn = await pool.acquire()
            >>> try:
            ...     await conn.execute("LISTEN jobs")
            ... finally:
            ...     await pool.release(conn)
        """
        if not isinstance(connection, PoolConnectionProxy):
            raise foreign(connection)
        if not await self.released(connection, timeout):
            raise InterfaceError("the connection was released before, and is somebody else's now")

    async def released(self, connection: PoolConnectionProxy, timeout: float | None = None) -> bool:
        """Give a connection back; False if it was given back before."""
        self._keeper.check_loop()
        place = connection.detach(self)
        if place is None:
            return False
        resetting = self._keeper.release(place)
        if resetting is not None:
            try:
                async with asyncio.timeout(timeout):
                    await asyncio.shield(resetting)
            except TimeoutError:
                resetting.cancel()
                raise
        return True

    def forgotten(self, place: Place) -> None:
        """Nobody can release it any more; in whichever thread that is noticed."""
        loop = self._keeper.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._keeper.release, place)

    async def run_transaction(
        self,
        function: Callable[[PoolConnectionProxy], Awaitable[T]],
        *,
        retries: int = 5,
        isolation: str | None = None,
        readonly: bool = False,
        deferrable: bool = False,
        timeout: float | None = None,
    ) -> T:
        """Call a function within a transaction, and again when it met with another transaction.

        That is where the server has undone it with SerializationError or DeadlockDetectedError, in
        COMMIT too. Each try has a connection from the pool, and waits a little longer than the last
        one before. What the function does beside the database is not undone.

        Args:
            function: a coroutine function of the connection; whatever it raises rolls back.
            retries: how often it is called again.
            isolation, readonly, deferrable: as for `Connection.transaction`.
            timeout: seconds to wait for a connection, as for `acquire`.

        Returns:
            What the function has returned, when that is committed.

        Raises:
            SerializationError, DeadlockDetectedError: it met with others each time.
            TransactionOutcomeUnknown: the connection was lost behind COMMIT, before the answer: it
                may be stored, so it is not run again.
            Exception: what the function, `acquire` or COMMIT raises.

        Example:
            >>> async def transfer(conn):
            ...     await conn.execute("UPDATE accounts SET balance = balance - 10 WHERE id = 1")
            ...     await conn.execute("UPDATE accounts SET balance = balance + 10 WHERE id = 2")
            >>> await pool.run_transaction(transfer, isolation="serializable")

        Source: PostgreSQL documentation, "Serialization Failure Handling".
        """
        options = {"isolation": isolation, "readonly": readonly, "deferrable": deferrable}
        return await run_transaction(self, function, retries, timeout, options)

    def listen(self, *channels: str, size: int = DEFAULT_SIZE) -> PoolNotifications:
        """The notifications that are sent to these channels, for `async for`, for as long as it is.

        It takes a connection of the pool for itself. When that is lost, it listens on another one
        as soon as there is one. What was sent in between nobody has heard: each time that it begins
        to listen, the first included, it gives a `Gap`, and who gets that looks up what there is to
        do. It ends when the pool is closed; an `async with` around it ends it with the block.

        Args:
            channels, size: as for `Connection.notifications`.

        Raises:
            InterfaceError: a name or the size makes no sense, or the pool is not open.

        Raises, when the first one is awaited:
            InterfaceError, PostgresError, OSError: as for `acquire`, and as for
                `Connection.notifications`; later it is tried again, and logged.

        Example:
            >>> async for event in pool.listen("jobs"):
            ...     match event:
            ...         case pgallop.Gap():
            ...             print("look at all jobs")
            ...         case pgallop.Notification(payload=job):
            ...             print("look at job", job)

        Source: PostgreSQL documentation, LISTEN and NOTIFY.
        """
        self._keeper.usable()
        check_channels(channels, size)
        listening = PoolNotifications(self, channels, size)
        self._listening.add(listening)
        return listening

    # As a whole

    def resize(self, min_size: int | None = None, max_size: int | None = None) -> None:
        """Have other sizes from now on.

        Connections that are too many are closed, those that somebody has when he gives them back;
        new ones are opened in the background.

        Raises:
            ClientConfigurationError: the sizes make no sense.

        Example:
            >>> pool.resize(min_size=5, max_size=50)
        """
        policy = self._keeper.policy
        least = policy.min_size if min_size is None else min_size
        most = policy.max_size if max_size is None else max_size
        self._keeper.usable()
        policy.resize(*checked_sizes(least, most))
        self._keeper.look()

    async def expire_connections(self) -> None:
        """Have all connections replaced: idle ones now, the others when they are given back."""
        self._keeper.usable()
        self._keeper.policy.renew()
        self._keeper.look()
        for each in list(self._listening):
            each.give_back()

    async def drain(self, *, timeout: float | None = None) -> None:
        """As `expire_connections`, and wait until the last of the old connections is closed.

        Args:
            timeout: seconds to wait until TimeoutError is raised; they are replaced all the same.

        Example:
            >>> await pool.drain(timeout=10)  # behind a failover, or with another password
        """
        keeper = self._keeper
        keeper.usable()
        old = set(keeper.places)
        await self.expire_connections()
        async with asyncio.timeout(None if timeout is None else checked_seconds(timeout)):
            while not old.isdisjoint(keeper.places):
                await keeper.going()

    def set_connect_args(self, dsn: str | None = None, **connect_kwargs: Any) -> None:
        """Have new connections opened with these arguments of `connect`, and no others.

        Those that are open stay; see `expire_connections`.

        Example:
            >>> pool.set_connect_args("postgresql://db2.example.com/shop", user="ada")
        """
        self._connecting.set(dsn, connect_kwargs)

    async def close(self, *, timeout: float | None = None) -> None:
        """Close the pool, when those who have connections have given them back.

        Nobody gets a connection any more, and who waits for one gets InterfaceError. After a minute
        the log says who still has one.

        Args:
            timeout: seconds to wait for them; after that all is terminated, and a PoolTimeoutError
                says who had what.

        Raises:
            PoolTimeoutError: connections were still in use, and have been terminated.
            InterfaceError: it was called within a block of `acquire` of the same task, for whose
                end it would have to wait.

        Cancelled, it terminates the pool. Closing a closed pool does nothing.
        """
        timeout = None if timeout is None else checked_seconds(timeout)
        self._stop_listening()
        await close(self._keeper, timeout)

    def _stop_listening(self) -> None:
        for each in list(self._listening):
            each.stop()

    def terminate(self) -> None:
        """Close all connections at once, whoever has them, without a word to the server."""
        self._keeper.terminate()
        self._stop_listening()

    def is_closing(self) -> bool:
        """Whether the pool is closed, or is being closed."""
        return self._keeper.state in (State.CLOSING, State.CLOSED)

    def get_size(self) -> int:
        """How many connections are open."""
        policy = self._keeper.policy
        return policy.size - policy.opening

    def get_idle_size(self) -> int:
        """How many connections are open and nobody's."""
        return self._keeper.policy.idle

    def get_init_size(self) -> int:
        """How many connections it has opened in the beginning."""
        return self._options.init_size

    def get_min_size(self) -> int:
        """How many connections are kept open."""
        return self._keeper.policy.min_size

    def get_max_size(self) -> int:
        """How many connections there may be."""
        return self._keeper.policy.max_size

    def get_stats(self) -> PoolStats:
        """What the pool has, and what has happened since it was made.

        Example:
            >>> now = pool.get_stats()
            >>> now.in_use, now.waiting, now.wait_percentile(99)
            (10, 3, 0.002048)
        """
        from pgallop.pool.stats import stats

        keeper = self._keeper
        sessions = [place.session for place in keeper.places]
        return stats(keeper.policy, keeper.counts, sessions)

    def __repr__(self) -> str:
        policy, state = self._keeper.policy, self._keeper.state
        return (
            f"<{type(self).__module__}.{type(self).__name__} {state.name.lower()} "
            f"size={self.get_size()} idle={policy.idle} waiting={policy.waiting} "
            f"min={policy.min_size} max={policy.max_size}>"
        )

    def __del__(self) -> None:
        keeper = getattr(self, "_keeper", None)
        if keeper is None or keeper.state in (State.NEW, State.CLOSED, State.FOREIGN):
            return
        warning = f"unclosed pool {self!r}"
        keeper.forsake()
        # At the end, because it raises where warnings are errors.
        warnings.warn(warning, ResourceWarning, stacklevel=2, source=self)
