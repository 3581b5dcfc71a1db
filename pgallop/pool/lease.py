"""A connection that somebody has for a while: `PoolConnectionProxy`, and how it is acquired."""

from __future__ import annotations

import inspect
import sys
import traceback
import warnings
import weakref
from collections.abc import Generator
from pathlib import Path
from types import MemberDescriptorType, TracebackType, new_class
from typing import TYPE_CHECKING, Any

from pgallop.connection import Connection
from pgallop.errors import InterfaceError
from pgallop.ownership import caller
from pgallop.pool.place import Held, Place
from pgallop.pool.policy import GONE

if TYPE_CHECKING:
    from pgallop.pool.pool import Pool


# What a lease has beside the attributes of its connection.
SLOTS = ("_pool", "_place")

# Where the files of pgallop are, to tell them from the program's.
PACKAGE = str(Path(__file__).parents[1])


class PoolConnectionProxy(Connection):
    """A connection of a pool, from `Pool.acquire` until it is released.

    It has all that the connection has, and is one for `isinstance`. Once it is released any use of
    it raises InterfaceError, and so does what was made of it, such as prepared statements, for the
    connection is somebody else's then. One that nobody holds any more goes back to the pool, with a
    ResourceWarning.
    """

    # It has the connection's attributes, the very same: its methods work on them without a detour,
    # what they set stays there, and they find none of them when it is released. What is its own
    # has slots, in `lease_class`.

    __slots__ = ()

    if TYPE_CHECKING:
        _pool: Pool | None
        _place: Place | None

    def __init__(self, pool: Pool, place: Place, held: Held) -> None:
        self._pool = pool
        self._place = place
        self.__dict__ = vars(place.connection)
        place.held = held
        # What its listeners get is over with the lease, too.
        place.inside.inbox.connection = weakref.ref(self)

    def detach(self, pool: Pool) -> Place | None:
        """The connection is not this user's any more; None if it was not before.

        Raises InterfaceError if it is no connection of `pool`.
        """
        if self._pool is not pool:
            raise foreign(self)
        place = self._place
        if place is not None and self._closing:
            place.expires = 0.0  # close() was called, and waits for what is under way
            self._closing = False  # whoever sees the connection off will close it
        self.__dict__ = {}
        self._place = None
        return place

    if not TYPE_CHECKING:  # they know what a connection has

        def __getattr__(self, name: str) -> Any:
            if name in SLOTS:
                return None  # in the middle of being made
            if self._place is not None or name.startswith("__"):
                of_subclass = getattr(super(), "__getattr__", None)
                if of_subclass is not None:
                    return of_subclass(name)
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            frame = sys._getframe(1)
            while frame.f_back is not None and frame.f_code.co_name.startswith("_"):
                frame = frame.f_back  # to what the program has called
            verb = frame.f_code.co_name
            raise InterfaceError(
                f"cannot call Connection.{verb}(): connection has been released back to the pool",
                hint="acquire another one, and use it within the `async with` block",
            )

    def __del__(self) -> None:
        place, pool = self._place, self._pool
        if place is None or pool is None or place.state == GONE:
            return
        where = place.held.where if place.held is not None else "an unknown place"
        pool.forgotten(place)
        # Last of all, because it raises where warnings are errors.
        warnings.warn(
            f"a connection acquired at {where} was never released: it goes back to its pool, for "
            f"nobody holds it any more",
            ResourceWarning,
            stacklevel=2,
            source=self,
        )

    def __repr__(self) -> str:
        if self._place is None:
            return f"<{type(self).__module__}.{type(self).__name__} released {id(self):#x}>"
        return super().__repr__()


def lease_class(
    kind: type[Connection], proxy: type[PoolConnectionProxy] = PoolConnectionProxy
) -> type[PoolConnectionProxy]:
    """The class of what those have for a while who acquire a connection of `kind`.

    It is a subclass of that, so that it has all its methods and is one for `isinstance`, and of
    `proxy`.
    """
    bases = (proxy,) if issubclass(proxy, kind) else (proxy, kind)
    namespace = {"__slots__": SLOTS, "__module__": __name__, **forwarded(kind)}
    return new_class("PoolConnectionProxy", bases, exec_body=lambda body: body.update(namespace))


def forwarded(kind: type[Connection]) -> dict[str, property]:
    """What stands for the slots of a class, which are not in the connection's `__dict__`."""
    slots = [
        name
        for each in kind.__mro__
        for name, value in vars(each).items()
        if isinstance(value, MemberDescriptorType)
    ]
    return {name: forwarding(name) for name in slots}


def forwarding(name: str) -> property:
    """The attribute `name` of the connection that is leased."""

    def get(self: Any) -> Any:
        place: Place | None = self._place
        if place is None:
            raise AttributeError(name)  # so that Python asks __getattr__, which says why
        return getattr(place.connection, name)

    def set(self: Any, value: Any) -> None:
        place: Place | None = self._place
        if place is None:
            self.__getattr__(name)
        else:
            setattr(place.connection, name, value)

    return property(get, set)


class PoolAcquireContext:
    """A call of `Pool.acquire`: await it, or enter it with `async with`."""

    __slots__ = ("_done", "connection", "pool", "timeout")

    def __init__(self, pool: Pool, timeout: float | None) -> None:
        self.pool = pool
        self.timeout = timeout
        self.connection: PoolConnectionProxy | None = None
        self._done = False

    def __await__(self) -> Generator[Any, Any, PoolConnectionProxy]:
        self._once()
        return self.pool.acquired(self.timeout, entered=False).__await__()

    async def __aenter__(self) -> PoolConnectionProxy:
        self._once()
        self.connection = await self.pool.acquired(self.timeout, entered=True)
        return self.connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            await self.pool.released(connection)

    def _once(self) -> None:
        if self._done:
            raise InterfaceError("a connection is already acquired: call acquire() again")
        self._done = True


def held_here(now: float, entered: bool, with_stack: bool) -> Held:
    """Who acquires a connection just now, and where in his code."""
    stack = ""
    if with_stack:
        frames = traceback.extract_stack(inspect.currentframe())
        inner = [i for i, frame in enumerate(frames) if frame.filename.startswith(PACKAGE)]
        stack = "\n" + "".join(traceback.format_list(frames[: inner[0]])).rstrip()
    return Held(now, caller(), stack, entered)


def foreign(connection: object) -> InterfaceError:
    """The error for what is released to a pool that it is not of."""
    return InterfaceError(
        f"Pool.release() received invalid connection: {connection!r:.200} is not a member of this "
        f"pool"
    )
