"""The command line of `python -m bench.pool_simulator`."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

from bench.pool_simulator.plain import PlainPool
from bench.pool_simulator.report import Run, draw, table
from bench.pool_simulator.scenarios import SCENARIOS, Requests, Scenario, requests
from bench.pool_simulator.simulation import PoolRules, Simulation
from pgallop.pool.policy import Policy

# Each is made for a load and a seed.
POOLS: dict[str, Callable[[Scenario, int], PoolRules]] = {
    "pgallop": lambda load, seed: Policy(
        load.least, load.connections, random=Random(seed).random, **load.options
    ),
    "plain FIFO": lambda load, seed: PlainPool(load.least, load.connections, last_first=False),
    "plain LIFO": lambda load, seed: PlainPool(load.least, load.connections, last_first=True),
}


def simulate(scenario: Scenario, made_up: Requests, pool: str, seed: int) -> Run:
    """Run one pool under one load."""
    simulation = Simulation(scenario, made_up, POOLS[pool](scenario, seed), seed)
    # A collection in the middle of a decision is not the decision's.
    gc.disable()
    try:
        simulation.run()
    finally:
        gc.enable()
    return Run(pool, simulation)


def main() -> int:
    """Run the simulator; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.pool_simulator",
        description="The pool's policy in virtual time, beside plain FIFO and LIFO pools.",
    )
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenario", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--plot", type=Path, help="write a picture there (.svg, .png)")
    arguments = parser.parse_args()
    loads = []
    for name in arguments.scenario:
        scenario = SCENARIOS[name]
        made_up = requests(scenario, arguments.requests, arguments.seed)
        runs = [simulate(scenario, made_up, pool, arguments.seed) for pool in POOLS]
        print(f"{scenario.title} ({name})\n{table(runs)}\n", flush=True)
        loads.append(runs)
    if arguments.plot:
        draw(loads, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
