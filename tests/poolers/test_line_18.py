"""A slice of line 18 of the chaos suite, with a fixed seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos import poolers
from event_loops import LOOPS, run_watched

from pgallop.cli.server import EmbeddedServer

pytestmark = pytest.mark.pooler("transaction")


@pytest.fixture(scope="module")
def own_server(bin_dir: Path | None) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(bin_dir, listen=True, auth="trust") as server:
        yield server


@pytest.mark.timeout(120)  # it takes 5 to 10 seconds, and tells after 70 that somebody is stuck
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_slice(own_server: EmbeddedServer, loop: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def run() -> None:
        figures = await poolers.run(own_server, 1986, 0.04)
        with capsys.disabled():
            print(f"\n{figures}")
        assert not figures.wrong, "\n".join([str(figures), *figures.wrong])
        assert "not_run" not in str(figures)

    run_watched(LOOPS[loop], run())
