"""How the connections of a pool are made."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pgallop.connecting import connect
from pgallop.connection import Connection
from pgallop.knowledge import Knowledge
from pgallop.pool.options import Connector


class Connecting:
    """How new connections are made: `connect` with arguments that may change."""

    def __init__(
        self, connector: Connector | None, dsn: str | None, kwargs: Mapping[str, Any]
    ) -> None:
        self._connector = connect if connector is None else connector
        self._knowledge = Knowledge()
        self._dsn: str | None = None
        self._kwargs: Mapping[str, Any] = {}
        self.set(dsn, kwargs)

    def set(self, dsn: str | None, kwargs: Mapping[str, Any]) -> None:
        """Use these arguments from now on; raises TypeError for those that `connect` lacks."""
        kwargs = {"knowledge": self._knowledge, **kwargs}
        if self._connector is connect:
            inspect.signature(connect).bind(dsn, **kwargs)
        self._dsn = dsn
        self._kwargs = kwargs

    async def connect(self) -> Connection:
        """Open a connection."""
        return await self._connector(self._dsn, **self._kwargs)
