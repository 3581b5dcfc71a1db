"""What a lost connection keeps of what it had to send: nothing."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest
from scripted_server import WELCOME, ScriptedServer, expect, reset, send, wait
from scripts import NO_DATA, PARSE_COMPLETE, parameter_description, ready_for_query

import pgallop
from pgallop.codecs._oids import OIDS

SIZE = 30_000_000
SCRIPT = [
    *WELCOME,
    expect("Parse", "Describe", "Sync"),
    send(PARSE_COMPLETE, parameter_description(OIDS["bytea"]), NO_DATA, ready_for_query()),
    wait(0.2),
    reset(),
]


async def test_an_argument_that_was_not_sent_to_its_end() -> None:
    with ScriptedServer(SCRIPT) as server:
        conn = await pgallop.connect(host=server.host, port=server.port, user="u", ssl="disable")
        tracemalloc.start()
        try:
            with pytest.raises(pgallop.ConnectionDoesNotExistError):
                await conn.execute("INSERT", bytes(SIZE))
            await asyncio.sleep(0.01)  # the task's last step holds the error, and so the argument
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] < SIZE // 10
        finally:
            tracemalloc.stop()
        assert conn.is_closed()
