"""What the bench asks of a driver."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Generic, Self, TypeVar

from bench.work import Verb, Visitor, Work

ConnectionT = TypeVar("ConnectionT")

# Of values, or the objects that they were made into.
Rows = Sequence[Any]

# Called with the query and its arguments.
Fetch = Callable[..., Awaitable[Rows]]


# Rows that one call of a stream asks the server for, of every driver.
STREAMED_ROWS = 1000


class Participant(ABC):
    """Who takes part in works."""

    # What it can do.
    verbs: frozenset[Verb] = frozenset({"fetch"})

    # Whether it has a pool.
    pools = False

    @abstractmethod
    def version(self) -> str:
        """The version, and the build where there are several."""

    def supports(self, work: Work) -> bool:
        """Whether it takes part in this work."""
        return work.verb in self.verbs and (self.pools or not work.pools)

    def setting(self, work: Work) -> str:
        """Over what the tasks of this work run."""
        if work.pools:
            return f"pool of {work.connections}"
        return "1 connection" if work.connections == 1 else f"{work.connections} connections"


class Driver(Participant, Generic[ConnectionT]):
    """One driver, through the fastest of its usual interfaces."""

    # Whether it makes Python values, which can then be compared.
    decodes = True

    @abstractmethod
    async def connect(self, dsn: str) -> ConnectionT:
        """Open a connection."""

    @abstractmethod
    def fetcher(self, connection: ConnectionT) -> Fetch:
        """What one task calls to run a query on a connection that it may share with others."""

    def fetcher_into(self, connection: ConnectionT, kind: type[Visitor]) -> Fetch:
        """The same, with rows made into objects: by hand, unless the driver can do that itself."""
        fetch = self.fetcher(connection)

        async def fetch_into(query: str, *args: object) -> Rows:
            return [kind(*row) for row in await fetch(query, *args)]

        return fetch_into

    def streamer(self, connection: ConnectionT) -> Fetch:
        """What runs a query and looks at its rows one by one; the only row is their number."""
        raise self._cannot("stream rows")

    def transactor(self, connection: ConnectionT) -> Fetch:
        """What runs a query three times in a transaction."""
        raise self._cannot("begin transactions")

    def batcher(self, connection: ConnectionT) -> Fetch:
        """What runs a statement for each item of a list of arguments; no rows."""
        raise self._cannot("run a statement for many rows of arguments")

    def copier_in(self, connection: ConnectionT) -> Fetch:
        """What copies records into a table of the bench's schema; no rows."""
        raise self._cannot("copy records")

    def copier_out(self, connection: ConnectionT) -> Fetch:
        """What copies the rows of a query out, as text; the only row is the number of bytes."""
        raise self._cannot("copy rows out")

    @abstractmethod
    async def close(self, connection: ConnectionT) -> None:
        """Close a connection, politely."""

    def group(self) -> Self:
        """The same driver, for connections of one program, which share what they can share."""
        return self

    def pool(self, dsn: str, size: int) -> AbstractAsyncContextManager[Fetch]:
        """What each task calls to run a query on a pool of so many connections."""
        raise self._cannot("pool connections")

    def runs_per_call(self, work: Work) -> int:
        """How many runs of the query one call of a `Fetch` stands for."""
        return 1

    @asynccontextmanager
    async def lanes(self, dsn: str, work: Work) -> AsyncIterator[list[Fetch]]:
        """Open what the work needs; gives what each of its tasks calls."""
        if work.pools:
            async with self.pool(dsn, work.connections) as fetch:
                yield [fetch] * work.tasks
            return
        if work.reconnects:
            yield [self._fetch_once(dsn)] * work.tasks
            return
        if work.warms_up:
            yield [self._warm_up(dsn, work)] * work.tasks
            return
        async with AsyncExitStack() as stack:
            connections = []
            for _ in range(work.connections):
                connection = await self.connect(dsn)
                stack.push_async_callback(self.close, connection)
                connections.append(connection)
            shares = [connections[i % len(connections)] for i in range(work.tasks)]
            yield [self._doer(connection, work) for connection in shares]

    def _doer(self, connection: ConnectionT, work: Work) -> Fetch:
        """What does the work on a connection."""
        if work.into is not None:
            return self.fetcher_into(connection, work.into)
        makers = {
            "fetch": self.fetcher,
            "stream": self.streamer,
            "transaction": self.transactor,
            "executemany": self.batcher,
            "copy_in": self.copier_in,
            "copy_out": self.copier_out,
        }
        return makers[work.verb](connection)

    def _cannot(self, what: str) -> TypeError:
        return TypeError(f"{type(self).__name__} cannot {what}, or not in the way of this bench")

    def _fetch_once(self, dsn: str) -> Fetch:
        async def fetch_once(query: str, *args: object) -> Rows:
            connection = await self.connect(dsn)
            try:
                return await self.fetcher(connection)(query, *args)
            finally:
                await self.close(connection)

        return fetch_once

    def _warm_up(self, dsn: str, work: Work) -> Fetch:
        texts = work.texts(work.warms_up)

        async def warm_up(query: str, *args: object) -> Rows:
            group = self.group()
            rows: Rows = ()
            async with AsyncExitStack() as stack:

                async def use(first: int) -> None:
                    nonlocal rows
                    connection = await group.connect(dsn)
                    stack.push_async_callback(group.close, connection)
                    fetch = group.fetcher(connection)
                    for text in texts[first:] + texts[:first]:
                        rows = await fetch(text, *args)

                # Tasks do not walk in step: each connection begins with another statement.
                step = len(texts) / work.connections
                await asyncio.gather(*[use(int(i * step)) for i in range(work.connections)])
            return rows

        return warm_up


AnyDriver = Driver[Any]
