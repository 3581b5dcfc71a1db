"""What pgallop has to reach: ratios to asyncpg, or to the limit, in the same run."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.results import CPU, MEMORY, RIVAL, THROUGHPUT, TIME, TRIPS, Results

SUBJECT = "pgallop"


@dataclass(frozen=True)
class Target:
    """A bound for the ratio of pgallop's `metric` to a rival's.

    Args:
        loop: pgallop's event loop.
        bound: the most that the ratio may be; of the throughput, the least.
        rival_loop: the rival's event loop, if it is another one.
    """

    work: str
    loop: str
    metric: str
    bound: float
    rival: str = RIVAL
    rival_loop: str = ""

    def ratio(self, results: Results) -> float | None:
        """Return the ratio that was measured, or None if it was not."""
        mine = results.find(self.work, self.loop, SUBJECT)
        theirs = results.find(self.work, self.rival_loop or self.loop, self.rival)
        return mine.ratio(self.metric, theirs) if mine and theirs else None

    def is_met(self, ratio: float) -> bool:
        return ratio >= self.bound if self.metric == THROUGHPUT else ratio <= self.bound

    def __str__(self) -> str:
        rival = f"{self.rival} on {self.rival_loop}" if self.rival_loop else self.rival
        direction = "at least" if self.metric == THROUGHPUT else "at most"
        metric = self.metric.partition(",")[0]
        return f"{self.work} on {self.loop}: {metric} {direction} {self.bound:g} x {rival}"


def _on_both(work: str, metric: str, bound: float, rival: str = RIVAL) -> list[Target]:
    return [Target(work, loop, metric, bound, rival) for loop in ("asyncio", "uvloop")]


TARGETS: Sequence[Target] = (
    *(
        target
        for work in ("select1", "pk")
        for target in (
            Target(work, "asyncio", CPU, 0.32),
            Target(work, "asyncio", CPU, 1.0, rival_loop="uvloop"),
            Target(work, "uvloop", CPU, 0.55),
        )
    ),
    *_on_both("select1_tasks", THROUGHPUT, 0.8, "limit"),
    *_on_both("select1_tasks", CPU, 1.0),
    *_on_both("pk_tasks", THROUGHPUT, 10.0),
    *_on_both("pk_pool", THROUGHPUT, 3.0),
    *_on_both("pk_tasks", CPU, 1.0),
    *_on_both("pg_type", CPU, 0.60),
    *_on_both("series1000", CPU, 0.35),
    *_on_both("bytea100k", CPU, 0.65),
    *_on_both("arrays", CPU, 0.60),
    *_on_both("wide100k", CPU, 0.42),
    *_on_both("wide100k", MEMORY, 1.2),
    *_on_both("rows1000", CPU, 0.42),
    *_on_both("typed1000", CPU, 0.42),
    # A dataclass costs little more than a Record.
    *_on_both("typed1000", CPU, 1.5, "records"),
    *_on_both("connect", TIME, 0.4),
    *_on_both("connect", CPU, 0.4),
    # asyncpg prepares each of them first, so it goes there and back twice.
    *_on_both("first_plain", TRIPS, 0.5),
    *_on_both("first_plain", TIME, 0.6),
    *_on_both("first_args", TRIPS, 1.0),
    *_on_both("first_args", TIME, 1.05),
    # Connecting, the first two statements of each connection in two trips, the others in one.
    *_on_both("warm_up", TRIPS, 0.6),
    *_on_both("warm_up", TIME, 0.65),
)


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured."""

    target: Target
    ratio: float
    met: bool


def judge(results: Results) -> list[Verdict]:
    """Return a verdict on each target that this run measured."""
    verdicts = []
    for target in TARGETS:
        ratio = target.ratio(results)
        if ratio is not None:
            verdicts.append(Verdict(target, ratio, target.is_met(ratio)))
    return verdicts


def all_met(verdicts: Sequence[Verdict]) -> bool:
    """Return whether something was judged and nothing was found wanting."""
    return bool(verdicts) and all(verdict.met for verdict in verdicts)
