"""A connection in the wrong place: another loop, another thread, another process, nobody's hands.

It has to refuse there, and to go on where it belongs as if nothing had happened.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import traceback
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from event_loops import LOOPS, LoopFactory, open_sockets
from live import Connect, Monitor
from proxy import DelayProxy

import pgallop
from pgallop import Connection

KNOWN = "SELECT $1::int8"  # prepared by its owner before others try it

# Everything that speaks to the server, as a foreigner would call it.
VERBS: dict[str, Callable[[Connection], Awaitable[Any]]] = {
    "fetch, prepared": lambda conn: conn.fetch(KNOWN, 1),
    "fetch, new": lambda conn: conn.fetch("SELECT 'new'"),
    "fetch, timeout": lambda conn: conn.fetch(KNOWN, 1, timeout=1),
    "fetch, wrong arguments": lambda conn: conn.fetch(KNOWN),
    "fetchrow": lambda conn: conn.fetchrow(KNOWN, 1),
    "fetchval": lambda conn: conn.fetchval(KNOWN, 1),
    "execute, script": lambda conn: conn.execute("SELECT 1; SELECT 2"),
    "execute, arguments": lambda conn: conn.execute(KNOWN, 1),
    "transaction": lambda conn: conn.transaction().start(),
    "block": lambda conn: conn.transaction().__aenter__(),
}


async def refused(conn: Connection, match: str, *verbs: str) -> None:
    for verb in verbs or VERBS:
        with pytest.raises(pgallop.InterfaceError, match=match):
            await VERBS[verb](conn)


@pytest.fixture(params=LOOPS.values(), ids=[f"from {name}" for name in LOOPS])
def other_loop(request: pytest.FixtureRequest) -> LoopFactory:
    factory: LoopFactory = request.param
    return factory


def run(loop_factory: LoopFactory, what: Awaitable[None]) -> None:
    async def main() -> None:
        await what

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


# Another thread


async def test_in_another_thread(connect: Connect, other_loop: LoopFactory) -> None:
    async def elsewhere() -> None:
        await refused(conn, "belongs to another event loop")
        with pytest.raises(pgallop.InterfaceError, match="another event loop"):
            await conn.close()
        with pytest.raises(pgallop.InterfaceError, match="another event loop"):
            conn.terminate()

    async with connect() as conn:
        assert await conn.fetchval(KNOWN, 1) == 1
        pid = conn.get_server_pid()
        under_way = asyncio.create_task(conn.fetchval("SELECT pg_sleep(0.2) IS NULL"))
        await asyncio.sleep(0)
        await asyncio.to_thread(run, other_loop, elsewhere())
        assert await under_way is False
        assert not conn.is_closed()
        assert await conn.fetchval("SELECT pg_backend_pid()") == pid


async def test_in_a_thread_without_a_loop(connect: Connect) -> None:
    def elsewhere() -> None:
        for verb in VERBS.values():
            call: Any = verb(conn)
            with pytest.raises(pgallop.InterfaceError, match="another event loop"):
                call.send(None)
        with pytest.raises(pgallop.InterfaceError, match="another event loop"):
            conn.terminate()

    async with connect() as conn:
        assert await conn.fetchval(KNOWN, 1) == 1
        await asyncio.to_thread(elsewhere)
        assert await conn.fetchval(KNOWN, 2) == 2


async def test_facts_are_for_everybody(connect: Connect) -> None:
    def facts() -> tuple[object, ...]:
        settings = dict(conn.get_settings())
        return (
            conn.get_server_pid(),
            conn.get_server_version(),
            settings,
            conn.is_closed(),
            conn.is_in_transaction(),
            repr(conn),
        )

    async with connect() as conn:
        assert await asyncio.to_thread(facts) == facts()


async def test_others_end_no_transaction(connect: Connect, other_loop: LoopFactory) -> None:
    async def elsewhere() -> None:
        await refused(conn, "another event loop")
        for end in (tx.commit, tx.rollback):
            with pytest.raises(pgallop.InterfaceError, match="another event loop"):
                await end()
        with pytest.raises(pgallop.InterfaceError, match="another event loop"):
            await tx.__aexit__(None, None, None)
        with pytest.raises(pgallop.InterfaceError, match="another event loop"):
            await tx.__aexit__(LookupError, LookupError(), None)

    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        tx = conn.transaction()
        await tx.start()
        await conn.execute("INSERT INTO t VALUES (1)")
        await asyncio.to_thread(run, other_loop, elsewhere())
        assert conn.is_in_transaction()
        await conn.execute("INSERT INTO t VALUES (2)")
        await tx.commit()
        assert await conn.fetch("SELECT i FROM t") == [(1,), (2,)]


@pytest.fixture
def restless_threads() -> Any:
    """Threads take turns a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless_threads")
async def test_many_threads_at_it_at_once(connect: Connect) -> None:
    """With a cache so small that statements come and go under the foreigners' hands."""
    over = threading.Event()
    answers: list[object] = []

    def foreigner() -> None:
        queries = [f"SELECT {i}, $1::int8" for i in range(4)]

        async def intrude() -> None:
            while not over.is_set():
                for query in queries:
                    try:
                        answers.append(await conn.fetch(query, 1))
                    except pgallop.InterfaceError:
                        answers.append("refused")

        asyncio.run(intrude())

    async def owner(n: int) -> None:
        for i in range(60):
            nonce = 1000 * n + i
            assert await conn.fetchrow(f"SELECT {i % 4}, $1::int8", nonce) == (i % 4, nonce)

    async with connect(statement_cache_size=2) as conn:
        intruders = [asyncio.create_task(asyncio.to_thread(foreigner)) for _ in range(2)]
        try:
            await asyncio.gather(*[owner(n) for n in range(5)])
            async with conn.transaction():
                await owner(5)
        finally:
            over.set()
            await asyncio.gather(*intruders)
        assert set(answers) == {"refused"}


# Another loop


@pytest.mark.parametrize("mine", LOOPS.values(), ids=LOOPS)
def test_in_another_loop(dsn: str, mine: LoopFactory, other_loop: LoopFactory) -> None:
    with (
        asyncio.Runner(loop_factory=mine) as runner,
        asyncio.Runner(loop_factory=other_loop) as another,
    ):
        conn = runner.run(pgallop.connect(dsn))
        assert runner.run(conn.fetchval(KNOWN, 1)) == 1
        another.run(refused(conn, "belongs to another event loop"))
        with pytest.raises(pgallop.InterfaceError, match="another event loop"):
            another.run(conn.close())
        assert runner.run(conn.fetchval(KNOWN, 2)) == 2
        runner.run(conn.close())
        with pytest.raises(pgallop.InterfaceError, match="closed"):
            another.run(conn.fetch(KNOWN, 1))


# Collected in a cycle, socket and asyncio's transport may be the first to complain.
@pytest.mark.filterwarnings("ignore:unclosed (transport )?<:ResourceWarning")
@pytest.mark.parametrize("mine", LOOPS.values(), ids=LOOPS)
def test_after_its_loop_has_ended(dsn: str, mine: LoopFactory, other_loop: LoopFactory) -> None:
    before = open_sockets()
    with asyncio.Runner(loop_factory=mine) as runner:
        held = [runner.run(pgallop.connect(dsn))]
        runner.run(held[0].fetchval(KNOWN, 1))
    run(other_loop, refused(held[0], "belongs to another event loop"))
    with pytest.raises(pgallop.InterfaceError, match="another event loop"):
        run(other_loop, held[0].close())
    with pytest.warns(ResourceWarning, match="unclosed connection"):
        let_go(held)
    assert open_sockets() == before


def let_go(held: list[Connection]) -> None:
    """Drop the last reference; the tracebacks of what was refused have some, too."""
    held.clear()
    gc.collect()


# Nobody's hands


async def test_forgotten(connect: Connect, monitor: Monitor) -> None:
    conn = await connect()
    pid = conn.get_server_pid()
    await conn.fetchval(KNOWN, 1)
    with pytest.warns(ResourceWarning, match="unclosed connection .* open>"):
        del conn
    await monitor.until(pid, [None])


async def test_forgotten_in_a_thread(connect: Connect, monitor: Monitor) -> None:
    """The last reference goes in another thread, where the loop's selector is out of reach."""
    held = [await connect()]
    pid = held[0].get_server_pid()
    with pytest.warns(ResourceWarning, match="unclosed connection"):
        await asyncio.to_thread(let_go, held)
    await monitor.until(pid, [None])


async def test_forgotten_when_closed(connect: Connect) -> None:
    conn = await connect()
    await conn.close()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        del conn
        gc.collect()
    assert not [str(warning.message) for warning in seen]


async def test_a_finalizer_writes_nothing(dsn: str, unix_dsn: str) -> None:
    async with _proxied(unix_dsn) as proxy:
        conn = await pgallop.connect(dsn, host=proxy.host, port=proxy.port)
        await conn.fetchval(KNOWN, 1)
        sent = proxy.bytes_to_server
        with pytest.warns(ResourceWarning, match="unclosed connection"):
            del conn
        await asyncio.sleep(0.1)
        assert proxy.bytes_to_server == sent


def _proxied(unix_dsn: str) -> DelayProxy:
    folder, _, port = unix_dsn.partition("host=")[2].partition("&port=")
    return DelayProxy(folder.replace("%2F", "/"), int(port))


# Another process


def in_child(check: Callable[[], object]) -> str:
    """Run `check` in a forked child; "fine", or the traceback of what it raised."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        report = "fine"
        try:
            check()
        except BaseException:
            report = traceback.format_exc()
        os.write(writing, report.encode()[:60_000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        report = pipe.read()
    os.waitpid(child, 0)
    return report


async def test_a_forked_child_is_refused(
    unix_dsn: str, monitor: Monitor, other_loop: LoopFactory
) -> None:
    async def in_its_loop() -> None:
        await refused(conn, "belongs to the parent process")
        await conn.close()  # closed it is, here
        conn.terminate()

    def child() -> None:
        assert conn.is_closed()
        run(other_loop, in_its_loop())
        # And without a loop of its own, in the midst of the parent's.
        for verb in VERBS.values():
            call: Any = verb(conn)
            with pytest.raises(pgallop.InterfaceError, match="parent process"):
                call.send(None)

    async with pgallop.connect(unix_dsn) as conn:
        pid = conn.get_server_pid()
        assert await conn.fetchval(KNOWN, 1) == 1
        assert in_child(child) == "fine"
        assert await conn.fetchval("SELECT pg_backend_pid()") == pid
        assert await conn.fetchval(KNOWN, 2) == 2
        assert monitor.state(pid) == "idle"


async def test_a_forked_child_holds_no_socket(unix_dsn: str) -> None:
    before = open_sockets()

    def child() -> None:
        gc.collect()
        assert not open_sockets() - before

    conns = [await pgallop.connect(unix_dsn) for _ in range(5)]
    assert len(open_sockets() - before) == 5
    assert in_child(child) == "fine"
    for i, conn in enumerate(conns):
        assert await conn.fetchval(KNOWN, i) == i
        await conn.close()


async def test_a_living_child_keeps_no_session_alive(unix_dsn: str, monitor: Monitor) -> None:
    conn = await pgallop.connect(unix_dsn)
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    try:
        conn.terminate()
        await monitor.until(conn.get_server_pid(), [None], seconds=2)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


async def test_a_forked_child_says_nothing_to_the_server(dsn: str, unix_dsn: str) -> None:
    def child() -> None:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            held.clear()
            gc.collect()
        assert not [w for w in seen if "unclosed connection" in str(w.message)]

    async with _proxied(unix_dsn) as proxy:
        held = [await pgallop.connect(dsn, host=proxy.host, port=proxy.port)]
        await held[0].fetchval(KNOWN, 1)
        sent = proxy.bytes_to_server
        assert in_child(child) == "fine"
        await asyncio.sleep(0.05)
        assert proxy.bytes_to_server == sent
        assert await held[0].fetchval(KNOWN, 2) == 2
        await held[0].close()


async def test_a_fork_in_the_midst_of_work(unix_dsn: str) -> None:
    def child() -> None:
        with pytest.raises(pgallop.InterfaceError, match="parent process"):
            asyncio.run(_begin(conn))
        asyncio.run(tx.__aexit__(LookupError, LookupError(), None))

    async with pgallop.connect(unix_dsn) as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        async with conn.transaction() as tx:
            await conn.execute("INSERT INTO t VALUES (1)")
            calls = [conn.fetchval(f"SELECT {i} FROM pg_sleep(0.02)") for i in range(5)]
            under_way = asyncio.gather(*calls)
            await asyncio.sleep(0.03)
            assert in_child(child) == "fine"
            assert await under_way == list(range(5))
            await conn.execute("INSERT INTO t VALUES (2)")
        assert await conn.fetch("SELECT i FROM t") == [(1,), (2,)]


async def _begin(conn: Connection) -> None:
    async with conn.transaction():
        pytest.fail("the block must not be entered")


async def test_a_forked_child_connects_for_itself(unix_dsn: str, other_loop: LoopFactory) -> None:
    async def work() -> None:
        async with pgallop.connect(unix_dsn) as mine:
            assert mine.get_server_pid() != conn.get_server_pid()
            assert await mine.fetchval(KNOWN, 1) == 1

    async with pgallop.connect(unix_dsn) as conn:
        assert in_child(lambda: run(other_loop, work())) == "fine"
        assert await conn.fetchval(KNOWN, 2) == 2


def test_children_of_multiprocessing(unix_dsn: str) -> None:
    context = multiprocessing.get_context("fork")
    with asyncio.Runner() as runner:
        conn = runner.run(pgallop.connect(unix_dsn))
        for _ in range(3):
            process = context.Process(target=functools.partial(_expect_refusal, conn))
            process.start()
            process.join()
            assert process.exitcode == 0
            assert runner.run(conn.fetchval(KNOWN, 1)) == 1
        runner.run(conn.close())


def _expect_refusal(conn: Connection) -> None:
    asyncio.run(refused(conn, "parent process"))
    assert conn.is_closed()


# A child that ends like any program, with all finalizers.
PROGRAM = """
    import asyncio, os, sys
    import pgallop
    from event_loops import LOOPS

    with asyncio.Runner(loop_factory=LOOPS[sys.argv[2]]) as runner:
        conn = runner.run(pgallop.connect(sys.argv[1]))
        runner.run(conn.execute("BEGIN"))
        pid = runner.run(conn.fetchval("SELECT pg_backend_pid()"))
        child = os.fork()
        if child == 0:
            sys.exit(7)
        print("child:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        print("same session:", runner.run(conn.fetchval("SELECT pg_backend_pid()")) == pid)
        print("same transaction:", runner.run(conn.execute("COMMIT")))
        runner.run(conn.close())
"""


@pytest.mark.parametrize("loop", LOOPS)
def test_a_child_that_ends_like_a_program(unix_dsn: str, loop: str) -> None:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(PROGRAM), unix_dsn, loop],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "child: 7",
        "same session: True",
        "same transaction: COMMIT",
    ]
