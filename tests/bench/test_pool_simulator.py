"""The simulator of the pool's policy, and what it shows of it: small runs, the same each time."""

from __future__ import annotations

from dataclasses import replace
from math import factorial, inf
from pathlib import Path
from random import Random

import pytest

from bench.pool_simulator.__main__ import POOLS, simulate
from bench.pool_simulator.report import draw, quantile, table
from bench.pool_simulator.scenarios import (
    SCENARIOS,
    Scenario,
    exponential,
    heavy_tailed,
    log_normal,
    requests,
)
from bench.pool_simulator.simulation import Simulation, Stopwatch

pytestmark = pytest.mark.once

COUNT = 6000
# As there, but so small that something happens in so few requests.
SMALL = {
    "crowds": {"crowd": COUNT // 3, "connections": 50},
    "outages": {"up": 0.5, "down": 0.3, "deadline": 0.2},
}


def small(name: str) -> Scenario:
    return replace(SCENARIOS[name], **SMALL.get(name, {}))  # type: ignore[arg-type]


def run(scenario: Scenario, pool: str, count: int = COUNT, seed: int = 1) -> Simulation:
    return simulate(scenario, requests(scenario, count, seed), pool, seed).simulation


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_request_comes_to_one_end(name: str, pool: str) -> None:
    scenario = small(name)
    simulation = run(scenario, pool)
    served = len(simulation.waited)
    assert served + simulation.went + simulation.expired + simulation.refused == COUNT
    assert min(simulation.waited) >= 0
    assert max(simulation.waited) <= scenario.deadline
    assert simulation.rules.waiting == 0
    assert simulation.opened - simulation.closed == len(simulation._connections)
    assert simulation.rules.size <= scenario.connections
    assert simulation.watch.calls > 2 * COUNT


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_policy_lets_nobody_overtake(name: str) -> None:
    simulation = run(small(name), "pgallop")
    assert simulation.inversions == 0
    assert simulation.crowd > 0
    assert run(small(name), "plain LIFO").inversions > 0  # who is overtaken shows


def test_nobody_of_those_who_stay_is_starved() -> None:
    """Who comes last waits for those before him, and for no others."""
    scenario = replace(small("crowds"), load=0.9)
    ours, last_first = (run(scenario, pool) for pool in ("pgallop", "plain LIFO"))
    assert max(ours.waited) <= max(last_first.waited)
    longest = scenario.crowd / scenario.connections * scenario.mean
    assert max(ours.waited) < 3 * longest


def test_a_server_that_is_away() -> None:
    """Who waits is told, and it is not asked for a connection all the time."""
    ours, plain = (run(small("outages"), pool) for pool in ("pgallop", "plain FIFO"))
    assert ours.broken > 0
    assert ours.opened > SCENARIOS["outages"].connections
    assert ours.attempts - ours.opened < (plain.attempts - plain.opened) / 5
    assert len(ours.waited) > 0.5 * COUNT


def test_the_same_seed_gives_the_same_run() -> None:
    first, again, other = (run(small("heavy"), "pgallop", 2000, seed) for seed in (1, 1, 2))
    assert first.waited == again.waited
    assert first.waited != other.waited


def test_the_simulator_agrees_with_erlang() -> None:
    """The part of those who wait and their mean waiting time, for random users (M/M/c)."""
    servers, load = 5, 0.8
    scenario = Scenario(
        name="",
        title="",
        connections=servers,
        least=servers,
        service=exponential,
        load=load,
        connecting=0.0,
        clean=1.0,
    )
    simulation = run(scenario, "pgallop", 60_000)
    offered = servers * load
    full = offered**servers / factorial(servers) / (1 - load)
    waits = full / (sum(offered**n / factorial(n) for n in range(servers)) + full)
    mean = waits * scenario.mean / (servers * (1 - load))
    assert sum(time > 0 for time in simulation.waited) / 60_000 == pytest.approx(waits, rel=0.05)
    assert sum(simulation.waited) / 60_000 == pytest.approx(mean, rel=0.15)


def test_services_have_the_mean_that_loads_are_made_of() -> None:
    random = Random(0)
    for service in (exponential, log_normal, heavy_tailed):
        assert sum(service(random) for _ in range(200_000)) / 200_000 == pytest.approx(1, rel=0.1)


def test_requests_of_a_crowd_come_together() -> None:
    made_up = requests(replace(small("crowds"), patience=inf), 2 * COUNT, 0)
    assert len(set(made_up.arrivals)) == 6
    assert list(made_up.arrivals) == sorted(made_up.arrivals)


def test_what_decisions_take_is_measured() -> None:
    watch = Stopwatch()
    assert watch(0, sum, range(10)) == 45
    assert watch(1000, sum, range(100_000)) > 0
    assert set(watch.buckets) == {0, 10}
    assert watch.longest > 50_000
    assert watch.longest / 3 < watch.mean() < watch.longest


def test_the_report(tmp_path: Path) -> None:
    scenario = small("impatient")
    made_up = requests(scenario, 500, 0)
    runs = [simulate(scenario, made_up, pool, 0) for pool in POOLS]
    heading, *lines = table(runs).splitlines()
    assert heading.split()[:3] == ["pool", "served", "left"]
    assert [line.startswith(pool) for line, pool in zip(lines, POOLS, strict=True)] == [True] * 3
    assert len({len(line) for line in (heading, *lines)}) == 1
    draw([runs, runs], tmp_path / "pool.svg")
    assert "plain LIFO" in (tmp_path / "pool.svg").read_text("utf-8")
    assert (quantile([], 0.5), quantile([1, 2, 3], 0.5), quantile([1, 2, 3], 1.0)) == (0, 2, 3)
