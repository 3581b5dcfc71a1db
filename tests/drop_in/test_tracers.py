"""What tracers do that asyncpg's own classes do not let us compare."""

from __future__ import annotations

from typing import Any

import pytest

import pgallop.asyncpg
from pgallop.asyncpg import protocol


class Proxy:
    """All of another object, but for what it runs, which is written down."""

    def __init__(self, inner: Any, calls: list[str]) -> None:
        self.__dict__.update(inner=inner, calls=calls)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.inner, name, value)

    async def bind_execute(self, state: Any, *args: Any, **kwargs: Any) -> Any:
        self.calls.append(state.query)
        return await self.inner.bind_execute(state, *args, **kwargs)

    async def query(self, query: str, *args: Any, **kwargs: Any) -> Any:
        self.calls.append(query)
        return await self.inner.query(query, *args, **kwargs)


async def test_a_function_in_place_of_the_class(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    """New Relic's agent puts proxies of its own around each `Protocol`."""
    calls: list[str] = []
    before = protocol.Protocol
    monkeypatch.setattr(protocol, "Protocol", lambda *args: Proxy(before(*args), calls))
    conn = await pgallop.asyncpg.connect(dsn)
    assert await conn.fetchval("SELECT 1") == 1
    await conn.execute("SELECT 2")
    await conn.close()
    assert calls == ["SELECT 1", "SELECT 2"]
