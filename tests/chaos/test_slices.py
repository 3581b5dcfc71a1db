"""A slice of each line of the suite, with a fixed seed; `make chaos` is the long run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bounds import measures
from chaos.figures import Figures
from chaos.lines import LINES
from event_loops import LOOPS, run_watched

from pgallop.cli.server import EmbeddedServer

SEED = 1986

# What part of the long run each line has here: a few seconds. Line 18, which fetches what it needs,
# has its slice in tests/poolers.
SCALES = {
    1: 0.006,
    2: 0.02,
    3: 0.03,
    4: 0.03,
    5: 0.05,
    6: 1.0,
    7: 0.04,
    13: 0.05,
    14: 0.05,
    15: 0.15,
    17: 0.035,
}

# How long they keep the loop busy is what these are about.
MEASURING = {13}


@pytest.fixture(scope="module")
def own_server(bin_dir: Path | None) -> Iterator[EmbeddedServer]:
    """One that may be stopped, frozen and restarted."""
    with EmbeddedServer(bin_dir, listen=True, auth="trust") as server:
        yield server


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(
    "line", [pytest.param(line, marks=measures if line in MEASURING else ()) for line in SCALES]
)
def test_line(
    own_server: EmbeddedServer, line: int, loop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        figures: Figures = await LINES[line](own_server, SEED, SCALES[line])
        with capsys.disabled():
            print(f"\n{figures}")
        assert not figures.wrong, "\n".join([str(figures), *figures.wrong])

    run_watched(LOOPS[loop], run())
