"""A long line to the server: what a work takes there is mostly its round trips."""

import asyncio
import threading
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from bench.proxy import DelayProxy


class LineError(Exception):
    """There is no way to put a line in front of this server."""


class Line:
    """The delaying proxy, in a thread of this process, which waits while the clients work.

    Args:
        dsn: the server's; `dsn` is then the one that leads through the line.
        delay: seconds that each direction takes.

    Raises:
        LineError: the DSN has no host and no port to be exchanged.
    """

    def __init__(self, dsn: str, delay: float) -> None:
        self._parts = urlsplit(dsn)
        if self._parts.hostname is None:
            raise LineError(
                "what is measured on a long line needs a DSN like postgresql://user@host/database"
            )
        self._proxy = DelayProxy(self._parts.hostname, self._parts.port or 5432, delay=delay)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True)

    @property
    def dsn(self) -> str:
        user, at, _ = self._parts.netloc.rpartition("@")
        netloc = f"{user}{at}{self._proxy.host}:{self._proxy.port}"
        return urlunsplit(self._parts._replace(netloc=netloc))

    @property
    def round_trips(self) -> int:
        """How many there were by now, of all connections."""
        return self._proxy.round_trips

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with self._proxy:
            self._ready.set()
            await self._end.wait()
