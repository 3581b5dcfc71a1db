"""What the bench measures with: memory, the loop's heartbeat, the limit, profilers, progress."""

import asyncio
import io
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from bench import memory
from bench.drivers.limit import DRIVER as LIMIT
from bench.heartbeat import Heartbeat
from bench.measure import Client
from bench.orders import Failure
from bench.places import PlaceError, Places, execute, open_places
from bench.profiling import TOOLS, ProfilingError, Subject, Tool, profile
from bench.progress import Progress
from bench.work import FAR, NEAR, SCRAM, TLS, Work
from bench.works import WORKS

pytestmark = pytest.mark.once


@pytest.mark.skipif(sys.platform != "linux", reason="proc(5) is Linux's")
def test_the_peak_of_memory_is_since_the_reset() -> None:
    before = memory.peak()
    block = bytearray(b"x" * 50_000_000)
    grown = memory.peak()
    assert before is not None
    assert grown is not None
    assert grown >= len(block)
    del block
    memory.reset_peak()
    after = memory.peak()
    assert after is not None
    assert after < grown - 25_000_000


async def test_the_heartbeat_notices_what_blocks_the_loop() -> None:
    with Heartbeat() as heartbeat:
        await asyncio.sleep(0.01)
        time.sleep(0.2)
        await asyncio.sleep(0)
    assert 0.19 < heartbeat.longest < 5
    with Heartbeat() as heartbeat:
        await asyncio.sleep(0.01)
    assert heartbeat.longest < 0.19


@pytest.mark.parametrize(
    "name", ["pg_type", "pk", "pk_pool", "pk_tasks", "select1", "select1_tasks"]
)
def test_which_works_have_a_limit(name: str) -> None:
    assert LIMIT.supports(WORKS[name])


@pytest.mark.parametrize(
    "name",
    ["connect", "burst100", "batch1k", "first_args", "tls_select1", "typed1000", "warm_up"],
)
def test_which_works_have_none(name: str) -> None:
    assert not LIMIT.supports(WORKS[name])


@pytest.mark.parametrize(("connections", "tasks"), [(1, 1), (1, 7), (3, 3), (3, 12)])
async def test_the_limit_takes_all_of_its_answers(dsn: str, connections: int, tasks: int) -> None:
    arguments = tuple((length,) for length in range(5))
    query = "SELECT i, repeat('x', $1::int4) FROM generate_series(1, $1::int4) AS i"
    work = Work("any", "any", query, arguments, connections=connections, tasks=tasks)
    async with LIMIT.lanes(dsn, work) as (fetch,):
        for _ in range(3):  # what was left over would come in the next one
            assert await fetch(query) == ()


def test_answers_are_awaited_one_by_one(dsn: str) -> None:
    """On the loops that the bench measures: they can watch sockets."""
    work = replace(WORKS["select1"], connections=3, tasks=3)

    async def main() -> None:
        async with LIMIT.lanes(dsn, work) as lanes:
            assert len(lanes) == 3
            for _ in range(3):
                assert await asyncio.gather(*[fetch(work.query) for fetch in lanes]) == [()] * 3

    asyncio.run(main())


async def test_the_limit_tells_when_the_server_refuses(dsn: str) -> None:
    work = Work("any", "any", "SELECT 1 / 0", connections=1, tasks=1)
    with pytest.raises(ConnectionError, match="understands no other answer"):
        async with LIMIT.lanes(dsn, work):
            pass


def test_a_server_of_ones_own_knows_a_user_with_a_password() -> None:
    with open_places(None, [SCRAM, FAR], {"far 2 ms": 0.001}) as places:
        assert "SCRAM" in str(execute(places.dsns[NEAR], "SHOW password_encryption")).upper()
        assert execute(places.dsns[SCRAM], "SELECT current_user") == "pgallop_bench"
        wrong = places.dsns[SCRAM].replace("pgallop_bench:", "pgallop_bench:not")
        with pytest.raises(Exception, match="password authentication failed"):
            execute(wrong, "SELECT 1")
        assert execute(places.dsns[FAR], "SELECT 1") == 1
        assert places.round_trips(FAR) > 0
        assert places.missing == {}


def test_a_server_that_is_given_gets_no_user(dsn: str) -> None:
    with open_places(dsn, [SCRAM]) as places:
        assert places.dsns == {NEAR: dsn}
        assert "no user with a password" in places.missing[SCRAM]


@pytest.mark.parametrize(
    ("spec", "programs", "reason"),
    [
        (None, "15/bin", "trustme"),
        (trustme.__spec__, "", "no server with TLS"),
        (trustme.__spec__, "15/bin", "15/bin"),  # its programs end with an error
    ],
)
def test_a_place_that_cannot_be_had_has_a_reason(
    spec: object,
    programs: str,
    reason: str,
    dsn: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if programs:
        initdb = tmp_path / programs / "initdb"
        initdb.parent.mkdir(parents=True)
        initdb.write_text("#!/bin/sh\nexit 1\n")
        initdb.chmod(0o755)
        (initdb.parent / "postgres").symlink_to(initdb)
    monkeypatch.setattr("bench.places._PROGRAMS", (tmp_path,))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    with open_places(dsn, [TLS]) as places:
        assert places.dsns == {NEAR: dsn}
        assert reason in places.missing[TLS]


def test_no_line_without_an_address(unix_dsn: str) -> None:
    with pytest.raises(PlaceError, match="needs a DSN"), open_places(unix_dsn, [FAR]):
        pass


def test_a_client_tells_what_went_wrong(dsn: str) -> None:
    with Client("pgallop", "asyncio", Places({NEAR: dsn})) as client:
        client.version()
        answer = client.check(Work("any", "any", "SELECT nothing", connections=1, tasks=1), False)
    assert isinstance(answer, Failure)
    assert answer.reason.startswith("UndefinedColumnError")


def test_a_profile_of_a_work(dsn: str, tmp_path: Path) -> None:
    (tool,) = (tool for tool in TOOLS if tool.name == "cProfile")
    told = profile(Subject("select1", "pgallop", "asyncio", dsn, 0.01), tmp_path / "new", [tool])
    path = tmp_path / "new" / "select1-pgallop-asyncio.cProfile"
    assert path.stat().st_size > 1000
    assert "runs of select1 in 0." in told
    assert f"python -m pstats {path}" in told


def test_a_profiler_that_is_not_there_is_not_used() -> None:
    assert not Tool("no-such-profiler", ("no-such-profiler",), (), ()).is_usable
    assert TOOLS[-1].is_usable


@pytest.mark.parametrize(
    ("work", "driver", "reason"),
    [("select1", "postgresjs", "profilers of its language"), ("connect", "limit", "take part")],
)
def test_what_cannot_be_profiled(work: str, driver: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ProfilingError, match=reason):
        profile(Subject(work, driver, "asyncio", "postgresql:///", 1), tmp_path)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_line_that_goes() -> None:
    terminal = Terminal()
    progress = Progress([WORKS["pk"], WORKS["select1"]], 5, terminal)
    progress(WORKS["select1"], "asyncpg", "uvloop", 1)
    progress.clear()
    assert terminal.getvalue() == (
        "\r\x1b[Kselect1 (2 of 2), round 2 of 5: asyncpg on uvloop\r\x1b[K"
    )


def test_no_progress_where_nobody_looks() -> None:
    file = io.StringIO()
    Progress([WORKS["pk"]], 5, file)(WORKS["pk"], "asyncpg", "uvloop", 1)
    assert file.getvalue() == ""
