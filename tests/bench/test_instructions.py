"""What counts instructions: the scripted server, and what is read of callgrind's files."""

import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest

import pgallop
from bench.instructions.counting import costs
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
