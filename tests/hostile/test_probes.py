"""The probes, in this process and on asyncio's loop; `make hostile` holds all of them on all loops.

In plain Python those that may take long are left to that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hostile.catalogue import find, keys
from hostile.server import HostileServer
from hostile.trial import frozen_heap, hold

import pgallop

LONG_SECONDS = 5.0


def held_here() -> list[str]:
    return [key for key in keys() if pgallop.__compiled__ or find(key).seconds <= LONG_SECONDS]


@pytest.fixture(scope="module")
def hostile() -> Iterator[HostileServer]:
    with frozen_heap(), HostileServer() as server:
        yield server


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        yield runner


@pytest.mark.parametrize("key", held_here())
def test_probe(hostile: HostileServer, runner: asyncio.Runner, key: str) -> None:
    result = runner.run(hold(hostile, key))
    assert not result.faults, "\n".join([result.outcome, *result.faults])
