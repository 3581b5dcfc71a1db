"""The measuring: every driver in turn (A B C A B C ...), each in a process of its own."""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Self

from bench.drivers import load
from bench.line import Line, LineError
from bench.results import Results, Sample, Series
from bench.targets import SUBJECT
from bench.worker import Check, Description, Failure, Measure, RoundTrips, serve
from bench.works import DELAY, Work

# Far longer than any run takes: who is not back by then hangs.
_PATIENCE = 60.0

_WARM_UP_PART = 0.1


class BenchError(Exception):
    """The bench cannot go on, or its numbers would mean nothing."""


@dataclass(frozen=True)
class Plan:
    """What to measure and for how long.

    Args:
        dsn: the server.
        rounds: how often each driver has its turn.
        seconds: how long a turn takes, the warm-up not counted.
    """

    dsn: str
    works: Sequence[Work]
    drivers: Sequence[str]
    loops: Sequence[str]
    rounds: int
    seconds: float


class Client:
    """A client process, seen from here."""

    def __init__(self, driver: str, loop: str, dsn: str, line: Line | None) -> None:
        self.driver = driver
        self.loop = loop
        self._line = line
        # A fresh interpreter, not a fork: nothing of this process weighs on it.
        context = multiprocessing.get_context("spawn")
        self._pipe: Connection
        self._pipe, theirs = context.Pipe()
        far_dsn = "" if line is None else line.dsn
        self._process = context.Process(
            target=serve,
            args=(theirs, driver, loop, dsn, far_dsn),
            name=f"{driver} on {loop}",
            daemon=True,
        )
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def version(self) -> str:
        """The driver's version; to be asked first, and once."""
        answer = self._answer(_PATIENCE)
        assert isinstance(answer, str)
        return answer

    def check(self, work: Work, weigh: bool) -> Description | Failure:
        self._pipe.send(Check(work.name, weigh))
        answer = self._answer(_PATIENCE)
        assert isinstance(answer, Description | Failure)
        return answer

    def measure(self, work: Work, seconds: float) -> Sample:
        self._pipe.send(Measure(work.name, seconds * _WARM_UP_PART, seconds))
        answer = self._answer(_PATIENCE + 2 * seconds)
        if isinstance(answer, Failure):
            raise BenchError(f"{self._process.name} failed in {work.name}: {answer.reason}")
        assert isinstance(answer, Sample)
        return answer

    def _answer(self, patience: float) -> object:
        if not self._pipe.poll(patience):
            raise BenchError(f"{self._process.name} gave no answer within {patience:g} s")
        try:
            answer = self._pipe.recv()
            if not isinstance(answer, RoundTrips):
                return answer
            assert self._line is not None
            self._pipe.send(self._line.round_trips)
            return self._answer(patience)
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            raise BenchError(f"{self._process.name} ended with exit code {code}") from None


def run(plan: Plan, results: Results) -> Iterator[list[Series]]:
    """Measure work after work; yield what was measured of each and put it into `results` as well.

    Raises:
        BenchError: drivers disagree about the rows, pgallop fails, or a client process does.
    """
    with _line(plan) as line, ExitStack() as stack:
        clients = [
            stack.enter_context(Client(driver, loop, plan.dsn, line))
            for loop in plan.loops
            for driver in plan.drivers
        ]
        for client in clients:
            results.versions[client.driver] = client.version()
        for work in plan.works:
            taking_part = compare(work, clients, results)
            for _ in range(plan.rounds):
                for client, series in taking_part:
                    series.samples.append(client.measure(work, plan.seconds))
            measured = [series for _, series in taking_part]
            results.series += measured
            yield measured


def _line(plan: Plan) -> AbstractContextManager[Line | None]:
    """The long line to the server, if any of the works needs it."""
    if not any(work.is_far for work in plan.works):
        return nullcontext()
    try:
        return Line(plan.dsn, DELAY)
    except LineError as error:
        raise BenchError(str(error)) from None


def compare(work: Work, clients: Sequence[Client], results: Results) -> list[tuple[Client, Series]]:
    """Have every driver run the work; those that can, when all of them see the same rows."""
    taking_part = []
    seen: dict[str, str] = {}
    for client in clients:
        driver = load(client.driver)
        if not driver.supports(work):
            continue
        # Memory does not depend on the loop.
        weigh = work.weighs_rows and client.loop == clients[0].loop
        answer = client.check(work, weigh)
        if isinstance(answer, Failure):
            failure = f"{client.driver} on {client.loop} fails in {work.name}: {answer.reason}"
            if client.driver == SUBJECT:
                raise BenchError(failure)
            results.left_out.append(failure)
            continue
        if answer.digest:
            seen[answer.digest] = f"{client.driver} on {client.loop}, such as {answer.example}"
        setting = driver.setting(work)
        series = Series(work.name, client.loop, client.driver, setting, answer.bytes_per_row)
        taking_part.append((client, series))
    if len(seen) > 1:
        raise BenchError("\n  ".join([f"{work.name}: drivers see different rows:", *seen.values()]))
    return taking_part
