"""What was measured, and the arithmetic on it: medians, and ratios round by round."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median, quantiles

RIVAL = "asyncpg"


@dataclass(frozen=True)
class Sample:
    """One measurement: how many runs of a query, in how many seconds of clock and CPU.

    Args:
        round_trips: of all runs; counted where the server is far away.
        longest_block: seconds for which the event loop could do nothing else; measured in some
            works.
    """

    runs: int
    seconds: float
    cpu_seconds: float
    round_trips: int | None = None
    longest_block: float | None = None


@dataclass
class Series:
    """A driver on a loop in a work, round after round.

    Args:
        setting: over what its tasks ran.
        bytes_per_row: memory that a row takes; measured in some works.
        peak: the most memory that a process which does only this takes, in bytes; in some works.
    """

    work: str
    loop: str
    driver: str
    setting: str
    bytes_per_row: float | None = None
    peak: int | None = None
    samples: list[Sample] = field(default_factory=list)

    def rounds(self, metric: str) -> list[float]:
        """Return what `metric`, a key of METRICS, was in each round."""
        return METRICS[metric](self)

    def median(self, metric: str) -> float | None:
        """Return the median of the rounds; None where the metric was not measured."""
        rounds = self.rounds(metric)
        return median(rounds) if rounds else None

    def spread(self, metric: str) -> float | None:
        """Return half of the range in which the middle half of the rounds lies, by the median.

        None where there are no two rounds to compare.
        """
        rounds = self.rounds(metric)
        if len(rounds) < 2:
            return None
        low, middle, high = quantiles(rounds, n=4, method="inclusive")
        return (high - low) / 2 / middle

    def ratio(self, metric: str, other: "Series") -> float | None:
        """Return the median of the rounds' ratios to `other`; None where one was not measured.

        The machine's speed drifts by a factor of two between one minute and the next, but hardly
        between neighbours: so the ratio is taken first and the median afterwards.
        """
        mine, theirs = self.rounds(metric), other.rounds(metric)
        if not mine or not theirs:
            return None
        return median(a / b for a, b in zip(mine, theirs, strict=True))


METRICS: dict[str, Callable[[Series], list[float]]] = {
    "runs per second": lambda series: [s.runs / s.seconds for s in series.samples],
    "time per run, us": lambda series: [1e6 * s.seconds / s.runs for s in series.samples],
    "client CPU per run, us": lambda series: [1e6 * s.cpu_seconds / s.runs for s in series.samples],
    "memory per row, bytes": lambda series: (
        [] if series.bytes_per_row is None else [series.bytes_per_row]
    ),
    "round trips per run": lambda series: [
        s.round_trips / s.runs for s in series.samples if s.round_trips is not None
    ],
    "peak memory, MB": lambda series: [] if series.peak is None else [series.peak / 1e6],
    "longest block of the loop, us": lambda series: [
        1e6 * s.longest_block for s in series.samples if s.longest_block is not None
    ],
}

THROUGHPUT, TIME, CPU, MEMORY, TRIPS, PEAK, BLOCK = METRICS


@dataclass
class Results:
    """A run of the bench.

    Args:
        machine: what it ran on, under what name.
        versions: of the drivers.
        left_out: which driver took no part in which work, and why.
    """

    machine: dict[str, str]
    rounds: int
    seconds: float
    versions: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)

    def find(self, work: str, loop: str, driver: str) -> Series | None:
        """Return one series, if it was measured."""
        wanted = (work, loop, driver)
        return next((s for s in self.series if (s.work, s.loop, s.driver) == wanted), None)

    def ratio(self, series: Series, metric: str, rival: str = RIVAL) -> float | None:
        """Return the ratio of `series` to the rival on the same loop, if both were measured."""
        other = self.find(series.work, series.loop, rival)
        return None if other is None else series.ratio(metric, other)
