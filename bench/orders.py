"""What is said between the bench and its client processes."""

from dataclasses import dataclass

from bench.work import Work


@dataclass(frozen=True)
class Check:
    """Order: run the work a few times and describe its rows. Answered by a Description.

    It comes before all other orders that are about this work.

    Args:
        weigh: also measure the memory that they take.
    """

    work: Work
    weigh: bool


@dataclass(frozen=True)
class Measure:
    """Order: run this work for `warm_up` and then for `seconds` seconds. Answered by a Sample."""

    work: str
    warm_up: float
    seconds: float


@dataclass(frozen=True)
class Peak:
    """Order: run the work once; how much memory did the process take? Answered by a Memory.

    It is for a process that has done nothing else.
    """

    work: Work


@dataclass(frozen=True)
class Description:
    """What a driver made of a work's rows.

    Args:
        digest: equal for equal rows; empty from one that makes no rows.
        example: the first row.
        bytes_per_row: memory that a row takes, where the work asks for it.
    """

    digest: str
    example: str
    bytes_per_row: float | None


@dataclass(frozen=True)
class Memory:
    """The most that a process has had, in bytes; None where that is not told (not Linux)."""

    peak: int | None


@dataclass(frozen=True)
class RoundTrips:
    """The question how many round trips there were by now on this line. Answered by an int."""

    place: str


@dataclass(frozen=True)
class Failure:
    """The answer to an order that raised."""

    reason: str
