"""What a work is: something that every driver does, again and again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

# How a run is done. What the query and the arguments of a work are to each:
#   fetch        the statement and its arguments; all rows
#   stream       the same, the rows one by one, in memory that does not grow with their number
#   transaction  the same, three times in a transaction
#   executemany  the statement and one argument, a list with the arguments of each run of it
#   copy_in      the name of a table in the bench's schema, and a list of records that go into it
#   copy_out     a query; its rows as text, from COPY to a function of the program's
Verb = Literal["fetch", "stream", "transaction", "executemany", "copy_in", "copy_out"]

# Where the server is that a work asks for.
NEAR = "near"  # as it was given, or started
FAR = "far"  # at the end of a long line, on which round trips are counted
SCRAM = "scram"  # near, and wants a password, as SCRAM does it
TLS = "tls"  # near, and speaks TLS

# Seconds that each direction takes, of what is far away.
DELAY = 0.005


@dataclass
class Visitor:
    """What rows are made into: an ordinary dataclass."""

    id: int
    name: str
    score: float
    seen: datetime
    active: bool
    visits: int
    token: UUID


@dataclass(frozen=True)
class Work:
    """One thing to measure: `query`, run again and again.

    Args:
        name: what `--work` takes.
        title: what the report calls it.
        query: one statement, with `$1`, `$2`, ... for its arguments; see `Verb` for others.
        arguments: what each run takes in turn; begins again at its end.
        trial: arguments of the runs that are not measured, where those are too long.
        verb: how a run is done.
        place: which server it asks, NEAR, FAR or another one.
        connections: how many connections.
        tasks: how many tasks ask at the same time, spread evenly over the connections.
        family: works of the same family are measured in turn, as drivers are, so that they can be
            compared with one another; one without a family stands for itself.
        pools: the tasks share a pool of so many connections, each of which one has to itself.
        bursts: each task asks once; when all have their answers, as many begin anew.
        reconnects: each run connects, asks once and closes.
        watches_loop: also measure for how long the event loop could do nothing else.
        is_new: each run has a text that was never seen before.
        warms_up: each run opens all connections, which then run so many statements each, at the
            same time and all of them the same statements, and closes them.
        weighs_rows: also measure the memory that the rows take.
        weighs_process: also measure the memory of a process that does this once.
        into: the class whose objects the rows are made into, in the way that a driver has for it.
        setup: statements that make its table.
        clearing: a statement that takes away what its runs have left, before a driver's turn.
        effect: a query for one value that tells what a run has left, the same with every driver.
    """

    name: str
    title: str
    query: str
    arguments: tuple[tuple[object, ...], ...] = ((),)
    trial: tuple[tuple[object, ...], ...] = ()
    verb: Verb = "fetch"
    place: str = NEAR
    connections: int = 10
    tasks: int = 10
    family: str = ""
    pools: bool = False
    bursts: bool = False
    reconnects: bool = False
    watches_loop: bool = False
    is_new: bool = False
    warms_up: int = 0
    weighs_rows: bool = False
    weighs_process: bool = False
    into: type[Visitor] | None = None
    setup: tuple[str, ...] = ()
    clearing: str = ""
    effect: str = ""

    def texts(self, count: int) -> list[str]:
        """Return so many texts that do the same and are not the same."""
        return [f"{self.query} -- {number}" for number in range(count)]

    @property
    def shares_connections(self) -> bool:
        """Whether several tasks ask on one connection at the same time."""
        return self.tasks > self.connections

    @property
    def is_far(self) -> bool:
        """Whether round trips are counted."""
        return self.place.startswith(FAR)
