"""Random pipelines, whose outcomes are compared with what another session sees in the table."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from live import Connect, Monitor

import pgallop
from pgallop import Outcome, Pipeline, PipelinedStatement, PipelineError

PIPELINES = 300

ANYWHERE = {
    "SELECT generate_series(1, 3)": 2,
    "": 1,
    "COMMIT": 2,
    "ROLLBACK": 1,
    "SELECT 1/0": 1,
    "INSERT INTO entries VALUES (-1)": 1,  # refused when its transaction is committed
}
OUTSIDE = ANYWHERE | {"BEGIN": 5, "START TRANSACTION READ WRITE": 1, "SAVEPOINT a": 1}
INSIDE = ANYWHERE | {
    "BEGIN": 1,
    "COMMIT AND CHAIN": 2,
    "ROLLBACK AND CHAIN": 1,
    "SAVEPOINT a": 6,
    'SAVEPOINT "b"': 4,
    "RELEASE a": 2,
    "RELEASE SAVEPOINT b": 2,
    "ROLLBACK TO A": 3,
    "ROLLBACK WORK TO SAVEPOINT b": 2,
}
ON_THEIR_OWN = {"CALL keep()": 1, "CALL undo()": 1, "DO 'BEGIN COMMIT; END'": 1, "VACUUM extra": 1}

INSERT = "INSERT INTO entries VALUES ($1) RETURNING n"
STORE = "CALL store($1)"  # and commits

BEGINS = ("BEGIN", "START TRANSACTION READ WRITE")

# What came before, in the same session.
BEGINNINGS = {
    "": 6,
    "BEGIN": 1,
    "BEGIN; SAVEPOINT a": 2,
    "BEGIN; SAVEPOINT a; SAVEPOINT b": 1,
    "BEGIN; SAVEPOINT a; SELECT 1/0": 2,
}
# What comes after.
ENDS = ("COMMIT", "ROLLBACK", "ROLLBACK TO a; COMMIT", "ROLLBACK TO b; COMMIT")


@pytest.fixture(autouse=True)
def table(monitor: Monitor) -> None:
    monitor.ask(
        "DROP TABLE IF EXISTS entries, extra; CREATE TABLE extra ();"
        "CREATE TABLE entries (n int);"
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE check_violation; END';"
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON entries INITIALLY DEFERRED "
        "FOR EACH ROW WHEN (NEW.n < 0) EXECUTE FUNCTION refuse();"
        "CREATE OR REPLACE PROCEDURE store(n int) LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO entries VALUES (n); COMMIT; END';"
        "CREATE OR REPLACE PROCEDURE keep() LANGUAGE plpgsql AS 'BEGIN COMMIT; END';"
        "CREATE OR REPLACE PROCEDURE undo() LANGUAGE plpgsql AS 'BEGIN ROLLBACK; END'"
    )


def drawn(chance: random.Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def verb(pipeline: Pipeline, chance: random.Random) -> Callable[..., PipelinedStatement[Any]]:
    return chance.choice((pipeline.fetchval, pipeline.execute))


async def try_out(conn: pgallop.Connection, query: str) -> str:
    """The last command tag of a script, empty if it failed."""
    try:
        return await conn.execute(query)
    except pgallop.PostgresError:
        return ""


async def one(
    conn: pgallop.Connection, chance: random.Random, number: int, own: bool
) -> tuple[dict[int, Outcome], str, list[str]]:
    """Run a random pipeline that inserts numbers from `number` on.

    Returns the outcome of each, how the transaction ended that was open then, and all statements.
    """
    beginning = drawn(chance, BEGINNINGS)
    await try_out(conn, beginning)
    inside = beginning != ""
    pipeline = conn.pipeline()
    inserts = {}
    error = None
    try:
        async with pipeline:
            for _ in range(chance.randrange(1, 12)):
                if chance.random() < 0.4:
                    insert = STORE if own and chance.random() < 0.2 else INSERT
                    inserts[number] = verb(pipeline, chance)(insert, number)
                    number += 1
                else:
                    weights = (INSIDE if inside else OUTSIDE) | (ON_THEIR_OWN if own else {})
                    query = drawn(chance, weights)
                    verb(pipeline, chance)(query)
                    inside = (inside and query not in ("COMMIT", "ROLLBACK")) or query in BEGINS
    except PipelineError as caught:
        error = caught
    outcomes = [each.outcome for each in pipeline.statements]
    failed = Outcome.FAILED in outcomes
    if "refused before any of them ran" in str(error):
        assert outcomes.count(Outcome.FAILED) == 1
        assert set(outcomes) <= {Outcome.FAILED, Outcome.NOT_RUN}
    else:
        ran = [each is not Outcome.NOT_RUN for each in outcomes]
        assert ran == sorted(ran, reverse=True)
        assert all(ran) or outcomes[sum(ran) - 1] is Outcome.FAILED
    if error is None:
        assert not failed
    else:
        assert failed or "what ends the pipeline failed" in str(error)
    end = ""
    if conn.is_in_transaction():
        end = chance.choice(ENDS)
        if await try_out(conn, end) != "COMMIT":  # it has failed, or there is no such savepoint
            end = "ROLLBACK"
            await conn.execute(end)
    story = [beginning, *map(repr, pipeline.statements), end, repr(error)]
    return {n: statement.outcome for n, statement in inserts.items()}, end, story


@pytest.mark.parametrize("own", [False, True])
async def test_random_pipelines(connect: Connect, monitor: Monitor, own: bool) -> None:
    chance = random.Random(own)
    seen: Counter[Outcome] = Counter()
    async with connect() as conn:
        for number in range(0, 100 * PIPELINES, 100):
            found, end, story = await one(conn, chance, number, own)
            stored = {n for (n,) in monitor.ask("SELECT n FROM entries WHERE n >= %s", number)}
            for n, outcome in found.items():
                seen[outcome] += 1
                if outcome is Outcome.IN_TRANSACTION:
                    assert end
                    if end == "ROLLBACK":
                        assert n not in stored, (n, story)
                    elif end == "COMMIT":
                        assert n in stored, (n, story)
                elif outcome is not Outcome.UNKNOWN:
                    assert (n in stored) is (outcome is Outcome.DONE), (n, story)
    assert -1 not in {n for (n,) in monitor.ask("SELECT n FROM entries")}
    expected = set(Outcome) - {Outcome.FAILED}
    assert set(seen) - {Outcome.FAILED} == (expected if own else expected - {Outcome.UNKNOWN})
