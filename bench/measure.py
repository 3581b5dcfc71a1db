"""The measuring: every driver in turn (A B C A B C ...), each in a process of its own."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple, Self

from bench.drivers import load
from bench.orders import Check, Description, Failure, Measure, Memory, Peak, RoundTrips
from bench.places import Places, execute
from bench.results import Results, Sample, Series
from bench.targets import SUBJECT
from bench.work import NEAR, Work
from bench.worker import serve

# Far longer than any run takes: who is not back by then hangs.
_PATIENCE = 60.0

# What a turn takes in addition, of its length, before it counts.
WARM_UP_PART = 0.1


class BenchError(Exception):
    """The bench cannot go on, or its numbers would mean nothing."""


class ClientLost(BenchError):
    """A client process has ended, or gives no answer."""


@dataclass(frozen=True)
class Plan:
    """What to measure and for how long.

    Args:
        places: the servers.
        rounds: how often each driver has its turn.
        seconds: how long a turn takes, the warm-up not counted.
    """

    places: Places
    works: Sequence[Work]
    drivers: Sequence[str]
    loops: Sequence[str]
    rounds: int
    seconds: float


class Client:
    """A client process, seen from here."""

    def __init__(self, driver: str, loop: str, places: Places) -> None:
        self.driver = driver
        self.loop = loop
        self._places = places
        self._pipe: Connection
        self._start()

    def _start(self) -> None:
        # A fresh interpreter, not a fork: nothing of this process weighs on it.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve,
            args=(theirs, self.driver, self.loop, self._places.dsns),
            name=f"{self.driver} on {self.loop}",
            daemon=True,
        )
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._process.kill()  # at once: it may be stuck in code that hears nothing else
        self._process.join()
        self._pipe.close()

    def restart(self) -> None:
        """Begin anew with another process, which knows nothing of any work."""
        self._end()
        self._start()
        self.version()

    def version(self) -> str:
        """The driver's version; to be asked first, and once."""
        answer = self._answer(_PATIENCE)
        assert isinstance(answer, str)
        return answer

    def check(self, work: Work, weigh: bool) -> Description | Failure:
        """Have the work run a few times; how its rows look, or why it cannot."""
        self._pipe.send(Check(work, weigh))
        answer = self._answer(_PATIENCE)
        assert isinstance(answer, Description | Failure)
        return answer

    def measure(self, work: Work, seconds: float) -> Sample:
        """Have the work run for so many seconds, after it has warmed up."""
        self._pipe.send(Measure(work.name, seconds * WARM_UP_PART, seconds))
        answer = self._answer(_PATIENCE + 2 * seconds)
        if isinstance(answer, Failure):
            raise BenchError(f"{self._process.name} failed in {work.name}: {answer.reason}")
        assert isinstance(answer, Sample)
        return answer

    def peak(self, work: Work) -> int | None:
        """How many bytes of memory its process takes to do the work once."""
        self._pipe.send(Peak(work))
        answer = self._answer(_PATIENCE)
        if isinstance(answer, Failure):
            raise BenchError(f"{self._process.name} failed in {work.name}: {answer.reason}")
        assert isinstance(answer, Memory)
        return answer.peak

    def _answer(self, patience: float) -> object:
        if not self._pipe.poll(patience):
            raise ClientLost(f"{self._process.name} gave no answer within {patience:g} s")
        try:
            answer = self._pipe.recv()
            if not isinstance(answer, RoundTrips):
                return answer
            self._pipe.send(self._places.round_trips(answer.place))
            return self._answer(patience)
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            raise ClientLost(f"{self._process.name} ended with exit code {code}") from None


class Entry(NamedTuple):
    """A client that takes part in a work, and what was measured of it."""

    work: Work
    client: Client
    series: Series


# Told before each turn: which work, which driver on which loop, which round.
OnTurn = Callable[[Work, str, str, int], None]


def run(
    plan: Plan, results: Results, on_turn: OnTurn = lambda *_: None
) -> Iterator[tuple[Work, list[Series]]]:
    """Measure work after work; yield what was measured of each and put it into `results` as well.

    Raises:
        BenchError: drivers disagree about the rows, pgallop fails, or a client process does.
    """
    for family in families(plan.works):
        with ExitStack() as stack:
            clients = _clients(plan, family, stack, results)
            entries = []
            for work in family:
                if reason := plan.places.missing.get(work.place):
                    results.left_out.append(f"{work.name}: {reason}")
                else:
                    entries += compare(work, clients, results, plan.places)
            entries = measure(plan, entries, results, on_turn)
        for work in family:
            measured = [entry.series for entry in entries if entry.work is work]
            results.series += measured
            if measured:
                yield work, measured


def _clients(
    plan: Plan, family: Sequence[Work], stack: ExitStack, results: Results
) -> list[Client]:
    """Start those who take part in these works; the stack ends them.

    They are new for each family: what a work leaves behind, such as a heap in pieces, would weigh
    on the next one.
    """
    clients = [
        stack.enter_context(Client(driver, loop, plan.places))
        for loop in plan.loops
        for driver in plan.drivers
        if any(load(driver).supports(work) for work in family)
    ]
    for client in clients:
        results.versions[client.driver] = client.version()
    return clients


def families(works: Sequence[Work]) -> list[list[Work]]:
    """Return the works, those of a family together, where its first one stands."""
    found: dict[str, list[Work]] = {}
    for work in works:
        found.setdefault(work.family or work.name, []).append(work)
    return list(found.values())


def compare(work: Work, clients: Sequence[Client], results: Results, places: Places) -> list[Entry]:
    """Have every driver run the work; those that can, when all of them see the same rows."""
    entries = []
    seen: dict[str, str] = {}
    for client in clients:
        participant = load(client.driver)
        if not participant.supports(work):
            continue
        # Memory of rows does not depend on the loop.
        weigh = work.weighs_rows and client.loop == clients[0].loop
        _clear(work, places)
        try:
            answer = client.check(work, weigh)
        except ClientLost as error:
            answer = Failure(str(error))
            client.restart()
        if isinstance(answer, Failure):
            failure = f"{client.driver} on {client.loop} fails in {work.name}: {answer.reason}"
            if client.driver == SUBJECT:
                raise BenchError(failure)
            results.left_out.append(failure)
            continue
        effect = execute(places.dsns[NEAR], work.effect) if work.effect else ""
        if answer.digest:
            who = f"{client.driver} on {client.loop}, such as {answer.example} {effect}"
            seen[f"{answer.digest} {effect}"] = who.rstrip()
        series = Series(
            work.name,
            client.loop,
            client.driver,
            participant.setting(work),
            answer.bytes_per_row,
            _peak(work, client, places) if work.weighs_process else None,
        )
        entries.append(Entry(work, client, series))
    if len(seen) > 1:
        raise BenchError("\n  ".join([f"{work.name}: drivers see different rows:", *seen.values()]))
    return entries


def measure(plan: Plan, entries: Sequence[Entry], results: Results, on_turn: OnTurn) -> list[Entry]:
    """Let all have their turns, round by round; those that have had them all.

    Raises:
        BenchError: pgallop fails. Others are left out from then on.
    """
    left = list(entries)
    for number in range(plan.rounds):
        for entry in list(left):
            work, client, series = entry
            if entry not in left:
                continue
            on_turn(work, client.driver, client.loop, number)
            _clear(work, plan.places)
            try:
                series.samples.append(client.measure(work, plan.seconds))
            except BenchError as error:
                if client.driver == SUBJECT:
                    raise
                results.left_out.append(f"{work.name}: {error}")
                # With all works that it is measured in now: a new process knows none of them.
                left = [other for other in left if other.client is not client]
                client.restart()
    return left


def _clear(work: Work, places: Places) -> None:
    if work.clearing:
        execute(places.dsns[NEAR], work.clearing)


def _peak(work: Work, client: Client, places: Places) -> int | None:
    """The memory of a new process of the same kind that does nothing but the work, once."""
    with Client(client.driver, client.loop, places) as fresh:
        fresh.version()
        return fresh.peak(work)
