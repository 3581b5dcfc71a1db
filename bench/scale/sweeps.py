"""The sweeps: works that differ in one number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf

from bench.results import CPU, PEAK, THROUGHPUT, TIME
from bench.work import FAR, Work
from bench.works import WORKS


@dataclass(frozen=True)
class View:
    """What a plot shows of a sweep.

    Args:
        title: what stands beside the axis, with the unit.
        metric: what is shown, by its name in `bench.results.METRICS`.
        factor: what the metric is multiplied by.
        is_logarithmic: whether its axis is; else it begins with zero.
    """

    title: str
    metric: str
    factor: float = 1.0
    is_logarithmic: bool = False


@dataclass(frozen=True)
class Curve:
    """One of the things that are done in a sweep.

    Args:
        name: what the plot calls it, where there are several.
        make: the work for a number.
        units: of the metrics that are per run: how many units of the sweep a run has, such as rows.
        most: the greatest number that it is done with.
    """

    name: str
    make: Callable[[float], Work]
    units: Callable[[float], float] = lambda _: 1
    most: float = inf

    def numbers(self, numbers: Sequence[float]) -> list[float]:
        """Return those of the numbers that it is done with."""
        return [number for number in numbers if number <= self.most]


@dataclass(frozen=True)
class Sweep:
    """Works that differ in one number.

    Args:
        name: of its file, and what `--sweep` takes.
        title: what is done.
        about: what the number is, as a heading says it.
        bounds: what bounds it, for the documentation.
        axis: what the number is, with its unit.
        numbers: all that are measured.
        quick: those that are measured for a look.
        curves: what is done with each number.
        views: what the plot shows, a panel each.
        is_logarithmic: whether the plot's axis of the numbers is.
    """

    name: str
    title: str
    about: str
    bounds: str
    axis: str
    numbers: Sequence[float]
    quick: Sequence[float]
    curves: Sequence[Curve]
    views: Sequence[View]
    is_logarithmic: bool = True

    def works(self, numbers: Sequence[float]) -> list[Work]:
        """Return the works of all curves with these numbers."""
        return [curve.make(each) for curve in self.curves for each in curve.numbers(numbers)]


_PK = WORKS["pk"]

# Milliseconds there and back; the place of each is at the end of a line of its own.
_TRIPS = (0, 1, 2, 5, 10, 20, 50)


def place_of(milliseconds: float) -> str:
    """The place from which an answer takes so long, beside what the server does."""
    return f"{FAR} {milliseconds:g} ms"


def delays() -> dict[str, float]:
    """The seconds that each direction takes, of the places of all sweeps."""
    return {place_of(trip): trip / 2000 for trip in _TRIPS}


def _tasks(number: float) -> Work:
    return replace(WORKS["burst24k"], name=f"{number:g} tasks", family="tasks", tasks=int(number))


def _connections(number: float) -> Work:
    count = int(number)
    name = f"{count} connections"
    return replace(_PK, name=name, family="connections", connections=count, tasks=count)


def _rows(number: float) -> Work:
    return Work(
        f"{number:g} rows",
        "rows of an int4, a text and a timestamptz, one by one",
        "SELECT i, 'row ' || i, timestamptz '2020-01-01 00:00:00Z' + i * interval '1 minute'"
        " FROM (SELECT generate_series(1, $1::int4) AS i) AS numbers",
        ((int(number),),),
        trial=((1,),),
        verb="stream",
        connections=1,
        tasks=1,
        family="rows",
        weighs_process=True,
    )


def _fetched(number: float) -> Work:
    return replace(_rows(number), name=f"{number:g} rows fetched", verb="fetch")


def _single(number: float) -> Work:
    return replace(
        _PK,
        name=f"one statement, {number:g} ms",
        family="trips",
        place=place_of(number),
        connections=1,
        tasks=1,
    )


def _transaction(number: float) -> Work:
    return replace(_single(number), name=f"a transaction, {number:g} ms", verb="transaction")


def _connecting(number: float) -> Work:
    return replace(
        WORKS["connect"],
        name=f"connecting, {number:g} ms",
        family="trips",
        place=place_of(number),
    )


_SWEEPS = (
    Sweep(
        "tasks",
        "tasks that ask at once, one row by its primary key each, on a pool of 10",
        "the number of tasks",
        "Ten connections and the server bound it, however many wait: who waits is an entry in a"
        " queue and costs memory, that of a task and its arguments, but no time.",
        "tasks",
        (10, 100, 1000, 5000, 10_000, 24_000),
        (10, 100, 1000),
        (Curve("", _tasks),),
        (
            View("client CPU a query, µs", CPU),
            View("queries a second", THROUGHPUT),
            View("peak memory, MB", PEAK),
        ),
    ),
    Sweep(
        "connections",
        "connections with a task each, which ask for a row by its primary key",
        "the number of connections",
        "The cores bound it, of which the server's processes want their part: with a few"
        " connections they are busy. What the client takes for a query falls as long as more"
        " answers meet in one turn of the event loop.",
        "connections",
        (1, 2, 5, 10, 20, 50, 100, 200),
        (1, 10, 50),
        (Curve("", _connections),),
        (View("client CPU a query, µs", CPU), View("queries a second", THROUGHPUT)),
    ),
    Sweep(
        "rows",
        "rows of one result, of an int4, a text and a timestamptz",
        "the number of rows",
        "Few rows cost a statement and its round trips, many cost reading them. A stream asks for"
        " 1,000 at a time, so its memory is bounded by these; what is fetched is in memory all at"
        " once, and bounded by that.",
        "rows",
        (1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000),
        (1, 100, 10_000),
        (
            Curve("streamed", _rows, units=float),
            Curve("fetched", _fetched, units=float, most=1_000_000),
        ),
        (View("client CPU a row, µs", CPU, is_logarithmic=True), View("peak memory, MB", PEAK)),
    ),
    Sweep(
        "trips",
        "the time there and back between client and server",
        "round-trip time",
        "The line bounds it: the slope is the number of round trips. A statement takes one; a"
        " transaction of three takes four, for BEGIN travels with the first statement, and five in"
        " asyncpg, which looks up the type of an array in the catalogue, too.",
        "round trip, ms",
        _TRIPS,
        (0, 2, 10),
        (
            Curve("a statement", _single),
            Curve("a transaction of three", _transaction),
            Curve("connecting, the first int4[]", _connecting),
        ),
        (View("ms", TIME, 1e-3),),
        is_logarithmic=False,
    ),
)

SWEEPS = {sweep.name: sweep for sweep in _SWEEPS}
