"""What users do to a pool, and servers to its connections."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf
from random import Random

# A service time of a mean of 1, in the unit of the scenario.
Service = Callable[[Random], float]

# The longest service time of `heavy_tailed`, in means: without an end there is no mean to speak of.
_LONGEST = 10_000.0
_SHAPE = 1.5


def constant(random: Random) -> float:
    """All take the same time."""
    return 1.0


def exponential(random: Random) -> float:
    """Most are short, some take several times as long."""
    return random.expovariate(1.0)


def log_normal(random: Random) -> float:
    """What latencies of databases look like: one in a hundred takes 20 times the median."""
    return random.lognormvariate(-0.85, 1.3)


def heavy_tailed(random: Random) -> float:
    """Few take as long as all the others together (Pareto's law, with an end)."""
    return min(random.paretovariate(_SHAPE) * (_SHAPE - 1) / _SHAPE, _LONGEST)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A kind of load on a pool; all times are seconds.

    Args:
        name, title: what it is called, and what it is.
        connections: at most so many, and `least` at least.
        service: how long a user has a connection, as multiples of `mean`.
        load: the time of connections that is asked for, as a part of what there is.
        crowd: so many users come at once, one by default.
        patience: the mean time after which a user goes who still waits; inf: nobody does.
        deadline: how long a user may wait.
        connecting: the time to open a connection; resetting: to make one ready for the next user.
        clean: the part of the users whose connection needs no reset.
        up, down: the server works and is away for so long, in turn.
        options: further arguments of the policy.
    """

    name: str
    title: str
    connections: int
    service: Service
    load: float
    least: int = 10
    mean: float = 0.001
    crowd: int = 1
    patience: float = inf
    deadline: float = 30.0
    connecting: float = 0.01
    resetting: float = 0.0002
    clean: float = 0.9
    up: float = inf
    down: float = 0.0
    options: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Requests:
    """What the users of one run do, the same for each pool: `patience` as long as they wait."""

    arrivals: array[float]
    services: array[float]
    patience: array[float]


def requests(scenario: Scenario, count: int, seed: int) -> Requests:
    """Make up so many requests, from a seed."""
    random = Random(seed)
    # Crowds come so much more rarely than single users.
    rate = scenario.load * scenario.connections / scenario.mean / scenario.crowd
    crowds = accumulate(random.expovariate(rate) for _ in range(-(-count // scenario.crowd)))
    arrivals = array("d", (time for time in crowds for _ in range(scenario.crowd)))[:count]
    services = array("d", (scenario.mean * scenario.service(random) for _ in range(count)))
    patient = scenario.patience == inf
    patience = array(
        "d", (inf if patient else random.expovariate(1 / scenario.patience) for _ in range(count))
    )
    return Requests(arrivals, services, patience)


SCENARIOS = {
    scenario.name: scenario
    for scenario in [
        Scenario(
            name="constant",
            title="1 ms each, 90 % busy",
            connections=10,
            service=constant,
            load=0.9,
        ),
        Scenario(
            name="exponential",
            title="1 ms on average, 90 % busy",
            connections=10,
            service=exponential,
            load=0.9,
        ),
        Scenario(
            name="latencies",
            title="1 ms, log-normal, 85 % busy",
            connections=50,
            service=log_normal,
            load=0.85,
        ),
        Scenario(
            name="heavy",
            title="1 ms, heavy-tailed, 80 % busy",
            connections=100,
            service=heavy_tailed,
            load=0.8,
        ),
        Scenario(
            name="crowds",
            title="100,000 users at once on 1,000 connections",
            connections=1000,
            service=exponential,
            load=0.7,
            crowd=100_000,
            connecting=0.005,
        ),
        Scenario(
            name="impatient",
            title="a fifth more than there is room for: users who go",
            connections=20,
            service=log_normal,
            load=1.2,
            patience=0.5,
            deadline=2.0,
        ),
        Scenario(
            name="outages",
            title="the server is away for 2 of 12 seconds",
            connections=20,
            service=exponential,
            load=0.5,
            mean=0.01,
            patience=5.0,
            deadline=10.0,
            up=10.0,
            down=2.0,
            options={"max_lifetime": 30.0, "max_idle": 5.0},
        ),
    ]
}
