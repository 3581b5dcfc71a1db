"""The harness finds what it looks for: each figure that has to be zero can be something else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest
from chaos.administrator import Administrator
from chaos.blocks import watched
from chaos.figures import Figures, percentile
from chaos.ledger import Ledger
from chaos.operations import Misdelivered
from chaos.outcomes import Outcome, is_loss, outcome_of
from event_loops import LOOPS, LoopFactory

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.errors import CollateralCancelError

pytestmark = pytest.mark.once


def test_figures() -> None:
    figures = Figures(1, "random cancels")
    figures.show("operations", 10)
    figures.zero("stuck", 0)
    figures.below("overrun_s", 0.1, 0.25)
    figures.at_least("cancels", 3, 3)
    assert str(figures) == "line 1 random cancels: operations=10 stuck=0 overrun_s=0.1 cancels=3"
    assert figures.wrong == []
    figures.zero("doubled", ["insert 7"])
    figures.zero("stuck", 2)
    figures.below("overrun_s", 0.25, 0.25)
    figures.at_least("cancels", 2, 3)
    assert figures.wrong == [
        "doubled=1, must be 0",
        "  doubled: insert 7",
        "stuck=2, must be 0",
        "overrun_s=0.25, must be below 0.25",
        "cancels=2, must be at least 3",
    ]


def test_percentile() -> None:
    assert percentile([], 99) == 0.0
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([3.0, 1.0, 2.0], 100) == 3.0


def test_ledger(server: EmbeddedServer) -> None:
    async def run() -> None:
        ledger = Ledger("harness")
        async with Administrator(server.dsn) as administrator:
            await ledger.create(administrator)
            for nonce, allowed, acknowledged in (
                (1, [(1, 2)], True),
                (2, [(), (1,)], False),
                (3, [(1,)], True),  # will be doubled
                (4, [(1,)], True),  # will be lost
                (5, [(), (1, 2)], False),  # will be torn
                (6, [()], False),  # was never sent, and will be there
            ):
                ledger.expect(nonce, "insert", allowed, acknowledged=acknowledged)
            for rows in ("(1, 1), (1, 2)", "(3, 1)", "(3, 1)", "(5, 2), (7, 1)", "(6, 1)"):
                await administrator.run(f"INSERT INTO harness VALUES {rows}")
            faults = await ledger.check(administrator)
            nothing = await ledger.check(administrator)
            await administrator.run("DROP TABLE harness")
        assert [text.split(" left")[0] for text in faults.doubled] == ["insert 3"]
        assert [text.split(" left")[0] for text in faults.lost] == ["insert 4"]
        torn = sorted(text.split(" left")[0] for text in faults.torn)
        assert torn == ["insert 5", "insert 6", "nobody's 7"]
        assert len(faults.mixed) == 1
        assert "insert 5" in faults.mixed[0]
        assert nothing == ([], [], [], [])

    asyncio.run(run())


async def fail(error: BaseException) -> None:
    raise error


LOSS = pgallop.ConnectionDoesNotExistError("gone")
ABORTED = pgallop.InFailedSQLTransactionError("aborted")
ABORTED_BY_A_NEIGHBOUR = pgallop.InFailedSQLTransactionError("aborted")
ABORTED_BY_A_NEIGHBOUR.__cause__ = CollateralCancelError("canceled")


@pytest.mark.parametrize(
    ("error", "given_up", "expected"),
    [
        (Misdelivered("7"), True, Outcome.MISDELIVERED),
        (CollateralCancelError("canceled"), True, Outcome.COLLATERAL),
        (pgallop.QueryCanceledError("canceled"), True, Outcome.CANCELED),
        (TimeoutError(), True, Outcome.TIMED_OUT),
        (TimeoutError(), False, Outcome.UNTYPED),
        (asyncio.CancelledError(), False, Outcome.UNTYPED),
        (LOSS, False, Outcome.LOST),
        (ABORTED, False, Outcome.UNTYPED),
        (ABORTED_BY_A_NEIGHBOUR, False, Outcome.COLLATERAL),
        (ExceptionGroup("", [LOSS, ValueError()]), False, Outcome.UNTYPED),
        (ExceptionGroup("", [LOSS, TimeoutError()]), True, Outcome.LOST),
        (RuntimeError(), True, Outcome.UNTYPED),
    ],
)
def test_outcomes(error: BaseException, given_up: bool, expected: Outcome) -> None:
    async def run() -> Outcome:
        task = asyncio.create_task(fail(error))
        await asyncio.wait([task])
        return outcome_of(task, cancelled=False, timed=given_up, in_block=True)

    assert asyncio.run(run()) is expected


def test_a_foreign_transaction_is_no_outcome_of_a_single_statement() -> None:
    async def run() -> Outcome:
        task = asyncio.create_task(fail(ABORTED_BY_A_NEIGHBOUR))
        await asyncio.wait([task])
        return outcome_of(task, cancelled=True, timed=True, in_block=False)

    assert asyncio.run(run()) is Outcome.UNTYPED


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (LOSS, True),
        (pgallop.InterfaceError("connection is closed: it was lost"), True),
        (pgallop.InterfaceError("another operation"), False),
        (pgallop.AdminShutdownError("terminating connection"), False),
        (OSError("reset"), False),
    ],
)
def test_losses(error: Exception, expected: bool) -> None:
    assert is_loss(error) is expected


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_blocks(loop: str) -> None:
    async def run() -> tuple[float, float, float]:
        with watched() as quiet:
            await asyncio.sleep(0.05)
        with watched() as busy:
            await asyncio.sleep(0.01)
            spin(0.05)
            await asyncio.sleep(0.01)
        with watched() as at_the_end:
            await asyncio.sleep(0.01)
            spin(0.05)
        return quiet.longest, busy.longest, at_the_end.longest

    quiet, busy, at_the_end = run_on(LOOPS[loop], run())
    assert min(busy, at_the_end) > 0.03
    assert quiet < busy


def run_on(factory: LoopFactory, test: Coroutine[Any, Any, tuple[float, ...]]) -> Any:
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(test)


def spin(seconds: float) -> None:
    """Keep the loop and the processor busy."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
