"""The lines of the suite by their numbers, each a module that tells its own story."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any

from chaos import (
    both_ways,
    copy_cancels,
    crowd,
    ddl_storm,
    frozen_server,
    half_open_link,
    one_failure,
    pool_uses,
    poolers,
    random_cancels,
    restarts,
    termination,
)
from chaos.figures import Figures

from pgallop.cli.server import EmbeddedServer

# run(server, seed, scale): scale 1 is the long run.
Line = Callable[[EmbeddedServer, int, float], Coroutine[Any, Any, Figures]]

LINES: Mapping[int, Line] = MappingProxyType(
    {
        1: random_cancels.run,
        2: copy_cancels.run,
        3: pool_uses.run,
        4: termination.run,
        5: frozen_server.run,
        6: half_open_link.run,
        7: restarts.run,
        13: both_ways.run,
        14: one_failure.run,
        15: crowd.run,
        17: ddl_storm.run,
        18: poolers.run,
    }
)
