"""What counts instructions: the scripted server, and what is read of callgrind's files."""

import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest

import pgallop
from bench.instructions.comparing import FIGURES as FILE
from bench.instructions.comparing import compiler, interpreter, report
from bench.instructions.counting import Count, costs
from bench.instructions.operations import OPERATIONS
from bench.instructions.server import serve

pytestmark = pytest.mark.once

DUMP = """\
version: 1
positions: line
events: Ir
ob=(1) /usr/lib/libc.so.6
fn=(1) memcpy
0 10
fn=(2) read
0 5
cob=(2) /site-packages/pgallop/wire/reader.cpython-311-x86_64-linux-gnu.so
cfn=(3) take
calls=2 +3
* 700
ob=(2)
fn=(3)
16 3
+2 4
-1 20
cob=(1)
cfn=(1)
calls=1 0
* 10
* 1
ob=(1)
fn=(2)
0 100
"""


def test_the_costs_of_a_dump() -> None:
    own, total = costs(DUMP, Path("/site-packages/pgallop"))
    assert own == 3 + 4 + 20 + 1
    assert total == own + 10 + 5 + 100


async def test_the_scripted_server_answers_all_operations(tmp_path: Path) -> None:
    path = tmp_path / ".s.PGSQL.5432"
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(path,), daemon=True)
    process.start()
    try:
        deadline = time.monotonic() + 10
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        server: dict[str, Any] = {"host": str(tmp_path), "user": "a", "database": "b"}
        async with (
            pgallop.connect(**server) as connection,
            pgallop.create_pool(**server, min_size=2, max_size=2) as pool,
        ):
            answers: dict[str, Any] = {
                name: await operation.run(pool if operation.pools else connection)
                for name, operation in OPERATIONS.items()
            }
    finally:
        process.kill()
        process.join()
    assert repr(answers["select1"]) == "[<Record ?column?=2>]"
    (row,) = answers["pk"]
    assert (row["id"], row["name"]) == (4711, "account 4711")
    assert f"{row['balance']:.2f} {row['opened']:%Y}" == "12345678.90 2000"
    assert answers["pk_pool"] == [[row]] * 100
    assert [row["i"] for row in answers["series1000"]] == list(range(1, 1001))
    visitors = answers["rows1000"]
    assert len(visitors) == 1000
    assert visitors[1]["name"] == "visitor 1"
    assert visitors[1]["token"].int == 1
    assert answers["copy1000"] == "COPY 1000"


FIGURES = {"own": {"select1": 6000}, "total": {"select1": 60_000}}
HERE = {"compiler": compiler(), "interpreter": interpreter()}


@pytest.mark.parametrize(
    ("own", "total", "elsewhere", "worse"),
    [
        (6000, 60_000, {}, False),
        (6180, 61_800, {}, False),
        (6181, 60_000, {}, True),
        (6000, 61_801, {}, True),
        (3000, 30_000, {}, False),
        # another build of Python takes another number for what is not ours
        (6180, 90_000, {"interpreter": "another"}, False),
        (6181, 60_000, {"interpreter": "another"}, True),
        # another compiler makes other code of ours
        (6600, 90_000, {"compiler": "another"}, False),
        (6601, 60_000, {"compiler": "another"}, True),
    ],
)
def test_what_is_a_regression(
    own: int, total: int, elsewhere: dict[str, str], worse: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {"select1": Count(own, total)}
    assert bool(report(counts, {**FIGURES, **HERE, **elsewhere})) is worse
    assert ("select1 takes more" in capsys.readouterr().err) is worse


def test_the_figures_are_of_the_operations_there_are() -> None:
    for version, figures in json.loads(FILE.read_text()).items():
        assert set(figures["own"]) == set(figures["total"]) == set(OPERATIONS), version
        assert {"compiler", "interpreter"} <= set(figures)
