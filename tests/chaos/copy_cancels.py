"""Line 2: a crowd that copies, in both directions, gives up at random moments.

Sources and outputs are slow, fail, or have what the server refuses, while neighbours on the same
connection ask for other things. What a COPY stores is all of it or nothing, what it reads is its
own, and no connection is lost by any of that. How that is known is told in random_cancels.py.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from chaos.administrator import Administrator
from chaos.copies import COPIES, COPY_SCHEMA
from chaos.figures import Figures
from chaos.outcomes import Outcome
from chaos.random_cancels import Crowd, Manner, Record, check_process
from event_loops import open_sockets

from pgallop.cli.server import EmbeddedServer

CANCELS = 10_000  # at scale 1
CROWDS = 3
TASKS = 12  # on each connection
CANCELS_PER_WAVE = 1500  # of all crowds

# One crowd each; statements have no names in the second.
OPTIONS: tuple[dict[str, Any], ...] = ({}, {"statement_mode": "unnamed"}, {})


async def run(server: EmbeddedServer, seed: int, scale: float) -> Figures:
    """Give up `scale` times 10,000 operations."""
    figures = Figures(2, "cancelled COPY")
    chance = random.Random(seed)
    record = Record()
    sockets = open_sockets()
    goal = max(1, round(CANCELS * scale))
    async with Administrator(server.dsn) as administrator:
        while record.cancels < goal and not record.stuck:
            cancels = -(-min(CANCELS_PER_WAVE, goal - record.cancels) // CROWDS)
            crowds = [
                Crowd(
                    server.tcp_dsn,
                    chance,
                    number,
                    cancels,
                    record,
                    Manner(COPIES, COPY_SCHEMA, TASKS, OPTIONS[number]),
                )
                for number in range(CROWDS)
            ]
            await asyncio.gather(*[crowd.run(administrator) for crowd in crowds])
    await check_process(record, sockets)
    faults = record.faults
    wrong = [*record.misdelivered, *record.misdirected, *record.untyped]
    wrong += [*faults.doubled, *faults.lost, *faults.torn, *faults.mixed]
    figures.show("operations", record.outcomes.total())
    figures.at_least("cancels", record.cancels, 1)
    figures.zero("wrong", wrong)
    figures.zero("broken_connections", record.reconnects)
    figures.zero("stuck", record.stuck)
    figures.zero("leaked", record.leaked)
    figures.show("collateral", record.outcomes[Outcome.COLLATERAL])
    figures.show("administrator", record.outcomes[Outcome.CANCELED] - len(record.misdirected))
    figures.show("busy", record.outcomes[Outcome.BUSY])
    figures.show("freed_max_ms", record.freed_max * 1000)
    return figures.finish()
