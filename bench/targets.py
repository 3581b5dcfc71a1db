"""What pgallop has to reach: mostly ratios to asyncpg, or to the limit, in the same run."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.results import BLOCK, CPU, MEMORY, PEAK, RIVAL, THROUGHPUT, TIME, TRIPS, Results

SUBJECT = "pgallop"
LIMIT = "limit"


# Instead of a rival: the bound is that of the metric itself.
NOBODY = ""


@dataclass(frozen=True)
class Target:
    """A bound for the ratio of pgallop's `metric` to a rival's, or for the metric itself.

    Args:
        loop: pgallop's event loop.
        bound: the most that it may be; of the throughput, the least.
        rival: a driver, which may be pgallop in another work, or NOBODY.
        rival_loop: the rival's event loop, if it is another one.
        rival_work: the rival's work, if it is another one, of the same family.
    """

    work: str
    loop: str
    metric: str
    bound: float
    rival: str = RIVAL
    rival_loop: str = ""
    rival_work: str = ""

    def measured(self, results: Results, subject: str = SUBJECT) -> float | None:
        """Return the ratio, or the metric, that was measured; None if it was not.

        Args:
            subject: pgallop, or the limit, which nobody can do better than.
        """
        mine = results.find(self.work, self.loop, subject)
        if mine is None:
            return None
        if self.rival == NOBODY:
            return mine.median(self.metric)
        place = (self.rival_work or self.work, self.rival_loop or self.loop)
        theirs = results.find(*place, self.rival)
        return mine.ratio(self.metric, theirs) if theirs else None

    def is_met(self, measured: float) -> bool:
        return measured >= self.bound if self.metric == THROUGHPUT else measured <= self.bound

    def __str__(self) -> str:
        direction = "at least" if self.metric == THROUGHPUT else "at most"
        metric, _, unit = self.metric.partition(", ")
        what = f"{self.work} on {self.loop}: {metric} {direction} {self.bound:g}"
        if self.rival == NOBODY:
            return f"{what} {unit}"
        rival = f"{what} x {self.rival}"
        if self.rival_work:
            rival += f" in {self.rival_work}"
        return f"{rival} on {self.rival_loop}" if self.rival_loop else rival


def _on_both(
    work: str, metric: str, bound: float, rival: str = RIVAL, rival_work: str = ""
) -> list[Target]:
    return [
        Target(work, loop, metric, bound, rival, rival_work=rival_work)
        for loop in ("asyncio", "uvloop")
    ]


# Of what awaiting bytes made beforehand takes.
LITTLE_MORE = 1.5

TARGETS: Sequence[Target] = (
    *(
        target
        for work in ("select1", "pk")
        for target in (
            Target(work, "asyncio", CPU, 0.32),
            Target(work, "asyncio", CPU, 1.0, rival_loop="uvloop"),
            Target(work, "uvloop", CPU, 0.55),
            # For machines on which these are out of reach.
            Target(work, "asyncio", CPU, LITTLE_MORE, LIMIT),
            Target(work, "uvloop", CPU, LITTLE_MORE, LIMIT),
        )
    ),
    *_on_both("select1_tasks", THROUGHPUT, 0.8, LIMIT),
    *_on_both("select1_tasks", CPU, 1.0),
    *_on_both("pk_tasks", THROUGHPUT, 1.5, "postgresjs"),
    *_on_both("pk_pool", THROUGHPUT, 3.0),
    *_on_both("pk_tasks", CPU, 1.0),
    *(target for work in ("100", "5k", "24k") for target in _on_both(f"burst{work}", CPU, 1.0)),
    *(target for work in ("5k", "24k") for target in _on_both(f"burst{work}", PEAK, 1.0)),
    # What a query takes hardly depends on how many wait.
    *_on_both("burst24k", CPU, 1.3, SUBJECT, "burst100"),
    *_on_both("tls_select1", CPU, 1.0),
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
    *_on_both("copy10k", CPU, 0.45),
    *_on_both("copy10k_out", CPU, 1.0),
    *_on_both("batch1k", CPU, 0.45),
    *_on_both("connect", TIME, 0.4),
    *_on_both("connect", CPU, 0.4),
    *_on_both("connect_scram", TIME, 0.7),
    *_on_both("connect_scram", CPU, 0.7),
    # The key is derived from the password where it keeps nobody waiting.
    *_on_both("connect_scram", BLOCK, 1000, NOBODY),
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
    """A target and what was measured.

    Args:
        limit: the same for bytes made beforehand, None where that was not measured. On a machine
            where even these miss the target, their part being the kernel's, it is out of reach.
    """

    target: Target
    measured: float
    met: bool
    limit: float | None = None

    @property
    def is_missed(self) -> bool:
        """Whether it is not met although it could be."""
        return not self.met and (self.limit is None or self.target.is_met(self.limit))


def judge(results: Results) -> list[Verdict]:
    """Return a verdict on each target that this run measured."""
    verdicts = []
    for target in TARGETS:
        measured = target.measured(results)
        if measured is not None:
            limit = None if target.rival == LIMIT else target.measured(results, LIMIT)
            verdicts.append(Verdict(target, measured, target.is_met(measured), limit))
    return verdicts


def all_met(verdicts: Sequence[Verdict]) -> bool:
    """Return whether something was judged and nothing was found wanting that could be met."""
    return bool(verdicts) and not any(verdict.is_missed for verdict in verdicts)
