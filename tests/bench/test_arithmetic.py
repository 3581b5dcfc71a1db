"""Ratios, targets and the comparison of rows, on figures made up for the purpose."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import cast
from uuid import UUID

import pytest

from bench.description import comparable
from bench.line import Line, LineError
from bench.measure import BenchError, Client, ClientLost, Entry, Plan, compare, families, measure
from bench.orders import Description, Failure
from bench.places import Places
from bench.results import (
    BLOCK,
    CPU,
    MEMORY,
    PEAK,
    THROUGHPUT,
    TIME,
    TRIPS,
    Results,
    Sample,
    Series,
)
from bench.targets import NOBODY, TARGETS, Target, Verdict, all_met, judge
from bench.work import Work
from bench.works import WORKS

pytestmark = pytest.mark.once


def series(
    driver: str, *cpu_microseconds: float, loop: str = "asyncio", work: str = "select1"
) -> Series:
    """1,000 runs a round, each as long as the CPU time it takes."""
    samples = [Sample(1000, cpu / 1000, cpu / 1000) for cpu in cpu_microseconds]
    return Series(work, loop, driver, "10 connections", samples=samples)


def results(*measured: Series) -> Results:
    return Results({}, 1, 1.0, {}, [], list(measured))


def test_metrics() -> None:
    one = series("pgallop", 10, 30, 20)
    assert one.median(CPU) == pytest.approx(20)
    assert one.median(TIME) == pytest.approx(20)
    assert one.median(THROUGHPUT) == pytest.approx(50_000)
    assert one.median(MEMORY) is None
    assert one.median(TRIPS) is None


def test_round_trips_are_counted_per_run() -> None:
    samples = [Sample(10, 1, 0.1, 20), Sample(4, 1, 0.1, 12)]
    one = Series("warm_up", "asyncio", "pgallop", "10 connections", samples=samples)
    assert one.rounds(TRIPS) == [2, 3]


def test_what_some_works_measure_in_addition() -> None:
    samples = [Sample(10, 1, 0.1, longest_block=0.002), Sample(10, 1, 0.1, longest_block=0.004)]
    one = Series("any", "asyncio", "pgallop", "1 connection", None, 50_000_000, samples)
    assert one.median(BLOCK) == pytest.approx(3000)
    assert one.rounds(PEAK) == [50]


def test_the_spread_leaves_out_what_is_far_off() -> None:
    assert series("pgallop", 90, 95, 100, 105, 9000).spread(CPU) == pytest.approx(0.05)
    assert series("pgallop", 100).spread(CPU) is None


@pytest.mark.parametrize(
    ("dsn", "far"),
    [
        ("postgresql://ada:s%40@db.example:6432/shop?a=b", "postgresql://ada:s%40@{}/shop?a=b"),
        ("postgres://db.example", "postgres://{}"),
        ("postgresql://ada@[::1]/", "postgresql://ada@{}/"),
    ],
)
def test_the_way_through_the_line(dsn: str, far: str) -> None:
    with Line(dsn, 0) as line:
        port = line.dsn.partition("127.0.0.1:")[2].partition("/")[0]
        assert int(port)
        assert line.dsn == far.format(f"127.0.0.1:{port}")


@pytest.mark.parametrize("dsn", ["host=localhost", "postgresql:///shop", "postgresql://ada@/shop"])
def test_no_way_for_a_line(dsn: str) -> None:
    with pytest.raises(LineError, match="needs a DSN"):
        Line(dsn, 0)


def test_the_ratio_is_taken_round_by_round() -> None:
    # The machine slowed down threefold in the second round and tenfold in the third.
    mine, theirs = series("pgallop", 10, 30, 90), series("asyncpg", 20, 60, 200)
    assert mine.ratio(CPU, theirs) == pytest.approx(0.5)
    assert mine.ratio(THROUGHPUT, theirs) == pytest.approx(2)
    assert mine.ratio(MEMORY, theirs) is None


def test_the_rival_on_another_loop_is_another_series() -> None:
    mine, theirs = series("pgallop", 10), series("asyncpg", 20, loop="uvloop")
    assert results(mine, theirs).ratio(mine, CPU) is None
    assert Target("select1", "asyncio", CPU, 1.0).measured(results(mine, theirs)) is None
    target = Target("select1", "asyncio", CPU, 1.0, rival_loop="uvloop")
    assert target.measured(results(mine, theirs)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("metric", "ratio", "met"),
    [(CPU, 0.31, True), (CPU, 0.33, False), (THROUGHPUT, 0.33, True), (THROUGHPUT, 0.31, False)],
)
def test_costs_have_a_ceiling_and_throughput_a_floor(metric: str, ratio: float, met: bool) -> None:
    assert Target("select1", "asyncio", metric, 0.32).is_met(ratio) is met


def test_only_what_was_measured_is_judged() -> None:
    verdicts = judge(results(series("pgallop", 40), series("asyncpg", 100)))
    assert [str(v.target) for v in verdicts] == [
        "select1 on asyncio: client CPU per run at most 0.32 x asyncpg"
    ]
    assert verdicts[0].measured == pytest.approx(0.4)
    assert not verdicts[0].met
    assert judge(results(series("pgallop", 40))) == []


def test_a_target_may_be_another_work_of_ones_own() -> None:
    many, few = series("pgallop", 12, work="burst24k"), series("pgallop", 10, work="burst100")
    target = Target("burst24k", "asyncio", CPU, 1.3, "pgallop", rival_work="burst100")
    assert target.measured(results(many, few)) == pytest.approx(1.2)
    assert str(target).endswith("client CPU per run at most 1.3 x pgallop in burst100")
    assert target.measured(results(many)) is None


def test_a_target_may_be_a_bound_of_its_own() -> None:
    target = Target("select1", "asyncio", TIME, 1000, NOBODY)
    assert target.measured(results(series("pgallop", 800))) == pytest.approx(800)
    assert target.measured(results()) is None
    assert str(target) == "select1 on asyncio: time per run at most 1000 us"


def test_works_of_a_family_are_measured_in_turn() -> None:
    works = [
        Work("a", "", "", family="x"),
        Work("b", "", ""),
        Work("c", "", "", family="x"),
        Work("d", "", ""),
    ]
    assert [[work.name for work in family] for family in families(works)] == [
        ["a", "c"],
        ["b"],
        ["d"],
    ]


def test_no_verdict_is_no_success() -> None:
    met, missed = Verdict(TARGETS[0], 0.1, True), Verdict(TARGETS[0], 9.0, False)
    assert all_met([met, met])
    assert not all_met([met, missed])
    assert not all_met([])


def test_what_the_limit_misses_is_out_of_reach() -> None:
    """For it is the kernel's part, and the event loop's, that is too large on this machine."""

    def judged(mine: float, limit: float) -> Verdict:
        measured = series("pgallop", mine), series("asyncpg", 100), series("limit", limit)
        return judge(results(*measured))[0]

    assert judged(31, 20).met
    assert judged(31, 20).limit == pytest.approx(0.2)
    assert judged(40, 31).is_missed
    assert not judged(40, 33).met
    assert not judged(40, 33).is_missed
    assert all_met([judged(31, 20), judged(40, 33)])
    assert not all_met([judged(31, 20), judged(40, 31)])
    assert judge(results(series("pgallop", 40), series("asyncpg", 100)))[0].is_missed


def test_every_work_has_targets_on_both_loops() -> None:
    assert {(target.work, target.loop) for target in TARGETS} == {
        (work, loop) for work in WORKS for loop in ("asyncio", "uvloop")
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("B", b"B"),
        (UUID(int=7), str(UUID(int=7))),
        (
            datetime(2026, 1, 1, 12, tzinfo=UTC),
            datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        ),
        ([b"B", ["x"]], ["B", [b"x"]]),
    ],
)
def test_the_same_value_from_two_drivers(one: object, other: object) -> None:
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(
    ("one", "other"), [(Decimal("1"), "1"), (1, "1"), (Decimal("1.50"), Decimal("1.5")), (1, True)]
)
def test_values_that_differ(one: object, other: object) -> None:
    assert repr(comparable(one)) != repr(comparable(other))


@dataclass
class Answering:
    """A client that has its answer ready."""

    driver: str
    answer: Description | Failure | Sample | BenchError
    loop: str = "asyncio"
    restarts: int = 0

    def check(self, work: Work, weigh: bool) -> Description | Failure:
        assert not isinstance(self.answer, Sample)
        if isinstance(self.answer, BenchError):
            raise self.answer
        return self.answer

    def measure(self, work: Work, seconds: float) -> Sample:
        if isinstance(self.answer, BenchError):
            raise self.answer
        assert isinstance(self.answer, Sample)
        return self.answer

    def restart(self) -> None:
        self.restarts += 1


def compared(*clients: Answering) -> tuple[list[str], list[str]]:
    """Which drivers take part, and the reasons of the others."""
    outcome = results()
    everybody = [cast(Client, client) for client in clients]
    entries = compare(WORKS["pk"], everybody, outcome, Places())
    return [entry.series.driver for entry in entries], outcome.left_out


def test_drivers_that_see_the_same_rows_are_measured() -> None:
    same = Description("digest", "(1,)", None)
    assert compared(Answering("pgallop", same), Answering("asyncpg", same)) == (
        ["pgallop", "asyncpg"],
        [],
    )


def test_different_rows_stop_the_bench() -> None:
    one, other = Description("one", "(1,)", None), Description("other", "(2,)", None)
    with pytest.raises(BenchError, match=r"pgallop on asyncio, such as \(1,\)"):
        compared(Answering("pgallop", one), Answering("asyncpg", other))


def test_a_rival_that_fails_is_left_out() -> None:
    same = Description("digest", "(1,)", None)
    taking_part, reasons = compared(Answering("pgallop", same), Answering("psqlpy", Failure("no")))
    assert taking_part == ["pgallop"]
    assert reasons == ["psqlpy on asyncio fails in pk: no"]


def test_pgallop_that_fails_stops_the_bench() -> None:
    with pytest.raises(BenchError, match="pgallop on asyncio fails in pk: no"):
        compared(Answering("pgallop", Failure("no")))


def test_a_rival_that_is_lost_begins_anew() -> None:
    same, stuck = Description("digest", "(1,)", None), Answering("psqlpy", ClientLost("it hangs"))
    taking_part, reasons = compared(Answering("pgallop", same), stuck)
    assert (taking_part, stuck.restarts) == (["pgallop"], 1)
    assert reasons == ["psqlpy on asyncio fails in pk: it hangs"]


def turns(*clients: Answering) -> tuple[list[str], list[str]]:
    """Who is measured to the end of two rounds of two works, and why others are not."""
    works = [WORKS["pk"], WORKS["select1"]]
    entries = [
        Entry(work, cast(Client, client), Series(work.name, "asyncio", client.driver, ""))
        for work in works
        for client in clients
    ]
    outcome = results()
    drivers = [client.driver for client in clients]
    plan = Plan(Places(), works, drivers, ["asyncio"], 2, 0.1)
    left = measure(plan, entries, outcome, lambda *_: None)
    assert all(len(entry.series.samples) == 2 for entry in left)
    return [f"{entry.client.driver} {entry.work.name}" for entry in left], outcome.left_out


def test_a_rival_that_fails_in_its_turn_is_left_out() -> None:
    good, stuck = Answering("pgallop", Sample(1, 1, 1)), Answering("psqlpy", ClientLost("it hangs"))
    assert turns(good, stuck) == (["pgallop pk", "pgallop select1"], ["pk: it hangs"])
    assert (good.restarts, stuck.restarts) == (0, 1)


def test_pgallop_that_fails_in_its_turn_stops_the_bench() -> None:
    with pytest.raises(BenchError, match="it hangs"):
        turns(Answering("pgallop", ClientLost("it hangs")))
