"""`Connection`: what a program has of a session with a server.

A connection is a FIFO: any number of tasks may await statements on it at once, which travel
together and are answered in order.
"""

import asyncio
import warnings
import weakref
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pgallop import resolving
from pgallop.capabilities import Capabilities, capabilities
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.customization import Customs
from pgallop.config.options import ConnectOptions
from pgallop.copying_in import CopyingIn
from pgallop.copying_out import CopyingOut
from pgallop.deadlines import checked_seconds
from pgallop.dispatch import Dispatch
from pgallop.errors import InterfaceError, PostgresMessage
from pgallop.inbox import Inbox
from pgallop.knowledge import Knowledge, Scope
from pgallop.listen import Channels
from pgallop.listeners import LogListeners, TerminationListeners, weakly
from pgallop.notifications import DEFAULT_SIZE, Hearing, NotificationStream, Streams
from pgallop.pipeline import Pipeline
from pgallop.queries import Queries
from pgallop.query_log import QueryLog, QueryLogging
from pgallop.resetting import Resetting, settings_again
from pgallop.rows.record import Record
from pgallop.session.session import Session
from pgallop.statement import PreparedStatement, prepare
from pgallop.transaction import Transaction
from pgallop.transport.cancel import Canceller
from pgallop.transport.connect import Link
from pgallop.transport.stream import Stream
from pgallop.type_codecs import TypeCodecs
from pgallop.types import ServerSettings, ServerVersion, parse_server_version
from pgallop.wire import frontend

APPLICATION_NAME = "application_name"


class Connection(Queries, CopyingIn, CopyingOut, QueryLogging, TypeCodecs):
    """A connection to a PostgreSQL server, made by `pgallop.connect`.

    Every method that runs a statement takes `timeout`, in seconds; without one the connection's
    `command_timeout` holds. When it is over the caller gets TimeoutError at once; the statement is
    cancelled on the server where that cannot hit another task's, and may have run all the same.
    """

    def __init__(
        self,
        link: Link,
        options: ConnectOptions,
        loop: asyncio.AbstractEventLoop,
        knowledge: Knowledge,
    ) -> None:
        self._link = link
        self._session = link.session
        self._stream = link.stream
        self._loop = loop
        self._options = options
        self._termination_listeners = TerminationListeners(loop)
        self._canceller = Canceller(loop, link, options.drain_timeout)
        host = link.host
        # Whatever may change what a text means; the name of an application does not.
        settings = [each for each in options.server_settings.items() if each[0] != APPLICATION_NAME]
        server = (host.host, host.port, options.database, options.user, tuple(sorted(settings)))
        database = (host.host, host.port, options.database)
        scope = Scope(knowledge, server, link.session.parameters, database)
        in_text = options.statement_mode == "simple"
        choices = options.codecs._replace(money_as_text=True) if in_text else options.codecs
        registry = builtin_registry(choices).copy()
        registry.customs = Customs(options.type_codecs)
        registry.in_text = in_text
        self._dispatch = Dispatch(link, loop, registry, self._canceller, scope, options)
        self._closing = False
        self._server_version: ServerVersion | None = None
        # Weakly: the event loop holds the stream, which must not hold a forgotten connection.
        link.stream.on_lost = weakly(self._on_lost)
        self._inbox = Inbox(loop, link.stream, weakref.ref(self))
        self._log_listeners = LogListeners(link.session, self._inbox)
        self._query_log = QueryLog(loop, self._dispatch, host, options)
        self._channels = Channels(loop, link.session, self._dispatch, self._inbox)
        self._capabilities = capabilities(link.session.parameters)
        self._streams = Streams()
        # What is less than PostgreSQL is asked for no more than it is known to have.
        complete = complete_script(self._capabilities)
        again = settings_again(options.server_settings, link.session.parameters) if complete else ""
        listeners = (self._channels, self._log_listeners, self._streams)
        self._resetting = Resetting(self._dispatch, listeners, again)
        self._resetting.on_complete = partial(on_reset, scope, self._dispatch, self._capabilities)

    # What is made of it

    async def prepare(
        self,
        query: str,
        *,
        name: str | None = None,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
    ) -> PreparedStatement:
        """Prepare a statement to be kept, and to be asked about its types.

        For speed there is no need of it: what is run by its text is prepared and kept as well.

        Args:
            query: one statement, with `$1`, `$2`, ... where the arguments go.
            name: what the server shall call it, 1 to 63 bytes in UTF-8; "" to have it parsed each
                time. By default it gets a name of its own; with `statement_mode="unnamed"` it has
                none, whatever is given here.
            timeout: seconds until TimeoutError is raised.
            record_class: a subclass of Record for its rows, the connection's by default.

        Raises:
            PostgresError: the server refused; DuplicatePreparedStatementError if it has another
                statement of that name.
            InterfaceError: `name` is none that the server would take as it is, or `record_class`
                is none.
            UnsupportedClientFeatureError: the connection has `statement_mode="simple"`.

        Example:
            >>> statement = await conn.prepare("SELECT $1::int4 + 1")
            >>> await statement.fetchval(41)
            42

        Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Extended Query".
        """
        return await prepare(self, self._dispatch, query, name, timeout, record_class)

    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False, deferrable: bool = False
    ) -> Transaction:
        """A transaction, for `async with`; inside another one of this context, a savepoint.

        While it is open it has the connection to itself: statements of other tasks wait for its
        end. Tasks started from within it take part in it.

        Args:
            isolation: "read_committed", "read_uncommitted", "repeatable_read" or "serializable";
                the server's default if None.
            readonly: refuse changes.
            deferrable: with serializable and readonly, wait for a snapshot that cannot fail.

        Example:
            >>> async with conn.transaction():
            ...     await conn.execute("UPDATE accounts SET balance = balance - 10 WHERE id = 1")
            ...     await conn.execute("UPDATE accounts SET balance = balance + 10 WHERE id = 2")
        """
        return Transaction(self, self._dispatch, isolation, readonly, deferrable)

    def pipeline(self, *, timeout: float | None = None) -> Pipeline:
        """Several statements that are sent together at the end of an `async with` block.

        They travel under one Sync, so that outside of a transaction they are one: an error in any
        of them undoes all (but for what a COMMIT among them has stored). Nothing is sent before the
        end of the block, and nothing at all if an exception leaves it. The statements are prepared
        before the first of them runs; none may need what another one creates.

        Args:
            timeout: seconds from the end of the block until TimeoutError is raised.

        Raises, at the end of the block:
            PipelineError: something failed; its message and its `statements` tell which failed,
                which were rolled back and which never ran, and its `__cause__` why.
            DataError: an argument does not fit the type the server expects; nothing has run.
            InterfaceError: wrong number of arguments, or the connection is closed or belongs to
                another loop; nothing has run.
            ConnectionDoesNotExistError, TimeoutError: no answer; the outcomes tell what is known.

        Example:
            >>> async with conn.pipeline() as pipeline:
            ...     pipeline.execute("UPDATE accounts SET balance = balance - 10 WHERE id = 1")
            ...     pipeline.execute("UPDATE accounts SET balance = balance + 10 WHERE id = 2")
            ...     total = pipeline.fetchval("SELECT sum(balance) FROM accounts")
            >>> total.result()
            100

        Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Pipelining".
        """
        return Pipeline(self, self._dispatch, timeout)

    # Listeners

    async def add_listener(
        self, channel: str, callback: "Callable[[Connection, int, str, str], object]"
    ) -> None:
        """Have `callback` called with each notification that is sent to a channel.

        It is called by the event loop, in the order in which the server sends, and gets what comes
        in the same moment as the answer to LISTEN. Called within a transaction it is added at once
        and hears nothing before the commit; after a rollback LISTEN is sent again. When it is slow
        the server has to wait, and with it the answers to statements; nothing is lost.

        Args:
            channel: its name as it is, case included: `NOTIFY Jobs` sends to "jobs". 1 to 63 bytes
                in UTF-8.
            callback: a function or coroutine function of four arguments: this connection, the
                process id of the sender, the channel, the payload. What it raises goes to the
                loop's exception handler. Added twice it is called once.

        Raises:
            InterfaceError: the connection is closed, `callback` cannot be called, or `channel` is
                no name that the server would take as it is.
            PostgresError: the server refused (a standby does), and nothing was added.
            TimeoutError: no answer within `command_timeout`; nothing was added.

        Example:
            >>> await conn.add_listener("jobs", lambda conn, pid, channel, payload: print(payload))

        Source: PostgreSQL documentation, LISTEN and NOTIFY.
        """
        await self._channels.add(channel, callback)

    async def remove_listener(
        self, channel: str, callback: "Callable[[Connection, int, str, str], object]"
    ) -> None:
        """Forget a callback of `add_listener`; one that is not known is ignored.

        It is not called any more from then on; the last one of a channel takes its LISTEN along.
        On a closed connection this does nothing. Errors of the server as for `add_listener`.
        """
        if not self.is_closed():
            await self._channels.remove(channel, callback)

    def notifications(self, *channels: str, size: int = DEFAULT_SIZE) -> NotificationStream:
        """The notifications that are sent to these channels, for `async for` in an `async with`.

        The block listens: LISTEN is answered when it begins. All that comes is kept until it is
        taken; the server has to wait when there is too much of it, and nothing is lost. When the
        connection is lost, what has come can still be taken, then comes an error. `pool.listen()`
        goes on with another connection.

        While the buffer is full, other listeners of the connection wait, too; and when much more
        comes than `size`, so do answers to its statements. A consumer that is slower than the
        senders should have another connection for what it runs: with all of them waiting for each
        other for half a minute, the connection is closed.

        Args:
            channels: their names as they are, case included: `NOTIFY Jobs` sends to "jobs".
            size: how many notifications are kept here; some 10,000 more wait in front.

        Raises:
            InterfaceError: a name is none that the server would take as it is, or `size` is no
                number; when the block is entered, the connection is closed.
            PostgresError, TimeoutError: when the block is entered, as for `add_listener`.

        Example:
            >>> async with conn.notifications("jobs") as notifications:
            ...     async for notification in notifications:
            ...         print(notification.channel, notification.payload)

        Source: PostgreSQL documentation, LISTEN and NOTIFY.
        """
        session = self._session
        hearing = Hearing(
            self._channels,
            self._inbox,
            self._termination_listeners,
            self._streams,
            lambda: session.broken,
        )
        return NotificationStream(self, hearing, channels, size)

    def add_log_listener(self, callback: "Callable[[Connection, PostgresMessage], object]") -> None:
        """Have `callback` called with each message of the server that is no error.

        Those are of the levels WARNING, NOTICE, DEBUG, INFO and LOG (`client_min_messages`). What
        is said of the order, of slow callbacks and of errors in them for `add_listener` holds here.

        Args:
            callback: a function or coroutine function of two arguments: this connection, and the
                message, mostly a `PostgresLogMessage` (some warnings have an error's class).

        Raises:
            InterfaceError: the connection is closed, or `callback` cannot be called.

        Example:
            >>> conn.add_log_listener(lambda conn, message: print(message.severity, message))
        """
        if self.is_closed():
            raise InterfaceError("connection is closed: nobody would call the listener")
        self._log_listeners.add(callback)

    def remove_log_listener(
        self, callback: "Callable[[Connection, PostgresMessage], object]"
    ) -> None:
        """Forget a callback of `add_log_listener`; one that is not known is ignored."""
        self._log_listeners.remove(callback)

    # Resetting

    def get_reset_query(self) -> str:
        """The script that `reset` runs: what this server knows to make a session as good as new.

        It follows from what the server has reported, and may be empty: see `Capabilities`. A
        subclass may return another one, or "" for none.

        Example:
            >>> conn.get_reset_query()  # Amazon Redshift
            'RESET ALL'
        """
        return self.get_server_capabilities().reset_query

    async def reset(self, *, timeout: float | None = None) -> None:
        """Make the session as good as new, in one round trip.

        Any open transaction is rolled back, whichever task has begun it; `transaction()` blocks are
        over, and what is called in them raises InterfaceError until they are left. Listeners for
        notifications and notices are removed. Then `get_reset_query` runs: on PostgreSQL it goes
        back to the session's own user, role and settings, gives up advisory locks and cursors,
        stops to listen, drops temporary tables and forgets what sequences have told. Prepared
        statements stay, but for those of PREPARE. If it resets settings, those that the connection
        began with are set once more behind it, for a pooler's session has begun with others.

        Statements that are under way are answered first; what is called from now on comes behind
        the reset. A caller who is cancelled or out of time does not stop it.

        Args:
            timeout: seconds until TimeoutError is raised.

        Raises:
            InterfaceError: the connection is closed, or belongs to another loop.
            PostgresError: the server refused. The transaction is rolled back, but of the rest
                nothing is done: the connection should be closed.

        Example:
            >>> await conn.execute("SET search_path = other")
            >>> await conn.reset()

        Source: PostgreSQL documentation, DISCARD, RESET.
        """
        await self._resetting.reset(self.get_reset_query(), timeout)

    # Closing

    async def close(self, *, timeout: float | None = None) -> None:
        """Close the connection when the statements under way are answered.

        Args:
            timeout: seconds to wait for them; when they are over the connection is aborted and
                TimeoutError is raised.

        Closing a closed connection does nothing.
        """
        if self.is_closed():
            return
        self._dispatch.check_loop()
        self._dispatch.end_iterations()
        self._dispatch.ownership.check_free(closing=True)
        timeout = None if timeout is None else checked_seconds(timeout)
        self._closing = True
        self._dispatch.close_off()
        try:
            async with asyncio.timeout(timeout):
                await self._canceller.settled()
        except BaseException as error:
            self._stream.lose(error)
            raise
        if not self._stream.closed:
            # Not if the code of an argument calls this, in the middle of a message.
            if self._session.writer.message < 0:
                frontend.terminate(self._session.writer)
                self._stream.flush()
            self._stream.lose(InterfaceError("it was closed by close()"))

    def terminate(self) -> None:
        """Close the connection at once, without waiting and without a word to the server."""
        if not self._stream.closed:  # close() may be waiting
            if not self._loop.is_closed():
                self._dispatch.check_loop()
            self._stream.lose(InterfaceError("it was closed by terminate()"))

    def is_closed(self) -> bool:
        """Whether the connection is closed, by whichever side, or about to be."""
        return self._stream.closed or self._closing

    def add_termination_listener(self, callback: "Callable[[Connection], object]") -> None:
        """Have `callback` called when the connection is closed, by whichever side.

        Args:
            callback: a function or coroutine function of one argument, this connection, which is
                closed by then. It is called once, by the event loop; what it raises goes to the
                loop's exception handler. Added twice it is called once.

        Raises:
            InterfaceError: the connection is closed already, or `callback` cannot be called.

        Example:
            >>> conn.add_termination_listener(lambda conn: print("lost", conn))
        """
        if self.is_closed():
            raise InterfaceError("connection is closed: nobody would call the listener")
        self._termination_listeners.add(callback)

    def remove_termination_listener(self, callback: "Callable[[Connection], object]") -> None:
        """Forget a callback of `add_termination_listener`; one that is not known is ignored."""
        self._termination_listeners.remove(callback)

    def _on_lost(self) -> None:
        reason = self._session.broken
        if reason is not None and not isinstance(reason, InterfaceError):  # not closed here
            self._dispatch.types.lost()
        self._termination_listeners.call(self)

    def __del__(self) -> None:
        stream = getattr(self, "_stream", None)
        if stream is None or stream.closed:
            return
        warning = f"unclosed connection {self!r}"
        error = InterfaceError("it was never closed, and nobody holds it any more")
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(stream.lose, error)  # we may be in any thread
        elif self._loop.is_closed():
            stream.disconnect()  # whoever still waits there can no longer be told
        else:
            stream.lose(error)
        self._on_lost()
        # At the end, because it raises where warnings are errors.
        warnings.warn(warning, ResourceWarning, stacklevel=2, source=self)

    # Facts

    @property
    def drain_timeout(self) -> float:
        """Seconds an abandoned statement may hold up the connection."""
        return self._options.drain_timeout

    def is_in_transaction(self) -> bool:
        """Whether a transaction is open, also that of a stream, as far as the server has told."""
        return bool(self._dispatch.ownership.blocks) or self._dispatch.in_transaction()

    def get_server_pid(self) -> int:
        """The process id of the server's backend, 0 if the server has sent none (some poolers)."""
        return self._link.pid

    def get_server_version(self) -> ServerVersion:
        """The server's version, comparable with tuples: `version >= (14, 2)`."""
        if self._server_version is None:
            self._server_version = parse_server_version(
                self._session.parameters.get("server_version", "")
            )
        return self._server_version

    def get_server_capabilities(self) -> Capabilities:
        """What the server can do, as far as pgallop has to know."""
        return self._capabilities

    def get_settings(self) -> ServerSettings:
        """The settings that the server reports, as they are now: a mapping, and attributes."""
        return ServerSettings(self._session.parameters)

    def __repr__(self) -> str:
        state = "closed" if self.is_closed() else "open"
        return (
            f"<{type(self).__module__}.{type(self).__name__} {self._options.user}@"
            f"{self._link.host.host}:{self._link.host.port}/{self._options.database} {state}>"
        )


class Inside(NamedTuple):
    """What a pool has to know of a connection beside its verbs."""

    dispatch: Dispatch
    session: Session
    stream: Stream
    resetting: Resetting
    inbox: Inbox


def inside(connection: Connection) -> Inside:
    """What `connection` is made of, for a pool."""
    link = connection._link  # pyright: ignore[reportPrivateUsage]
    return Inside(
        connection._dispatch,  # pyright: ignore[reportPrivateUsage]
        link.session,
        link.stream,
        connection._resetting,  # pyright: ignore[reportPrivateUsage]
        connection._inbox,  # pyright: ignore[reportPrivateUsage]
    )


def on_reset(scope: Scope, dispatch: Dispatch, server: Capabilities, script: str) -> None:
    """The session was reset: names mean again what they meant when it began.

    Not where the server cannot do all of that, nor after what a subclass does instead.
    """
    if script and script == complete_script(server):
        scope.rejoin()
        resolving.recall(dispatch)
    elif server.settings and script == server.settings_reset_query and scope.settings_reset():
        resolving.recall(dispatch)


def complete_script(server: Capabilities) -> str:
    """The script after which names mean what they meant in the beginning, "" if there is none."""
    is_complete = server.roles and server.settings and server.temporary_tables
    return server.reset_query if is_complete else ""
