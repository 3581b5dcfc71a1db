"""How the connections of a pool are made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from pgallop import preparing
from pgallop.connecting import connect
from pgallop.connection import Connection, inside
from pgallop.errors import InterfaceError
from pgallop.knowledge import Knowledge
from pgallop.pool.options import PoolOptions
from pgallop.rows.record import Record


class Connecting:
    """Opens connections, with arguments that may change, and makes them ready for use."""

    def __init__(self, options: PoolOptions, dsn: str | None, kwargs: Mapping[str, Any]) -> None:
        self._options = options
        self._connector = connect if options.connect is None else options.connect
        # They are the pool's, and not even mentioned to a function that need not know of them.
        self._fixed: dict[str, Any] = {"knowledge": Knowledge()}
        if options.connection_class is not Connection:
            self._fixed["connection_class"] = options.connection_class
        if options.record_class is not Record:
            self._fixed["record_class"] = options.record_class
        self._dsn: str | None = None
        self._kwargs: Mapping[str, Any] = {}
        self.set(dsn, kwargs)

    def set(self, dsn: str | None, kwargs: Mapping[str, Any]) -> None:
        """Use these arguments from now on; raises TypeError for those that `connect` lacks."""
        kwargs = {**self._fixed, **kwargs}
        if self._connector is connect:
            inspect.signature(connect).bind(dsn, **kwargs)
        self._dsn = dsn
        self._kwargs = kwargs

    async def connect(self, see_off: Callable[[Connection], None]) -> Connection:
        """Open a connection; `see_off` gets one that was opened and cannot be used."""
        connection = cast(object, await self._connector(self._dsn, **self._kwargs))
        kind = self._options.connection_class
        if not isinstance(connection, kind):
            if isinstance(connection, Connection):
                see_off(connection)
            raise InterfaceError(
                f"connect: expected a function that returns a {name_of(kind)}, got "
                f"{name_of(type(connection))} from it"
            )
        try:
            if self._options.init is not None:
                await self._options.init(connection)
            if self._options.warm_up:
                dispatch = inside(connection).dispatch
                await preparing.prepared(dispatch, self._options.warm_up, None, None, None)
            if connection.is_closed():
                raise InterfaceError("the connection was closed before the pool could use it")
        except BaseException:
            see_off(connection)
            raise
        return connection


def name_of(kind: type) -> str:
    """What a class is called, and where it is from."""
    if kind is Connection:
        return "pgallop.Connection"
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
