"""What connections share about statements: how long it is believed, and by whom."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgallop import Knowledge
from pgallop.codecs.registry import Registry
from pgallop.knowledge import Scope, on_tags
from pgallop.session.request import Request
from pgallop.session.session import IDLE
from pgallop.session.statement import Description, Statement
from pgallop.statement_cache import StatementCache

QUERY = "SELECT a FROM t WHERE a = $1"
INT, TEXT = Description((23,), None), Description((25,), None)

ON_18 = {"search_path": '"$user", public', "session_authorization": "ada"}
BEFORE_18 = {"session_authorization": "ada"}


# The knowledge


def test_what_is_put_is_found() -> None:
    knowledge = Knowledge()
    assert knowledge.get("a", 0) is None
    knowledge.put("a", INT, 0)
    assert knowledge.get("a", 0) is INT
    knowledge.put("a", TEXT, 0)
    assert knowledge.get("a", 0) is TEXT
    assert len(knowledge) == 1
    assert repr(knowledge) == "<pgallop.Knowledge of 1 statements>"


def test_a_lifetime() -> None:
    """Counted from when the server said so, not from when it was asked for last."""
    knowledge = Knowledge(lifetime=10)
    knowledge.put("a", INT, 5)
    assert knowledge.get("a", 14.9) is INT
    assert knowledge.get("a", 15) is None
    assert len(knowledge) == 0
    knowledge.put("a", INT, 20)
    knowledge.put("a", INT, 25)
    assert knowledge.get("a", 34) is INT


def test_the_least_recently_used_leaves() -> None:
    knowledge = Knowledge(max_descriptions=2)
    knowledge.put("a", INT, 0)
    knowledge.put("b", INT, 0)
    assert knowledge.get("a", 0) is INT
    knowledge.put("c", INT, 0)
    assert [knowledge.get(key, 0) for key in "abc"] == [INT, None, INT]


def test_nothing_is_kept() -> None:
    knowledge = Knowledge(max_descriptions=0)
    knowledge.put("a", INT, 0)
    assert knowledge.get("a", 0) is None
    knowledge = Knowledge(lifetime=0)
    knowledge.put("a", INT, 7)
    assert knowledge.get("a", 7) is None


def test_forgotten() -> None:
    knowledge = Knowledge()
    for key in "abc":
        knowledge.put(key, INT, 0)
    knowledge.forget("a")
    knowledge.forget("a")
    assert [knowledge.get(key, 0) for key in "abc"] == [None, INT, INT]
    assert knowledge.generation == 0
    knowledge.forget_all()
    assert [knowledge.get(key, 0) for key in "abc"] == [None] * 3
    assert knowledge.generation == 1


KEYS = st.sampled_from("abcde")
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS),
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("forget"), KEYS),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 3.0, 7.0])),
    st.tuples(st.just("forget all"), st.none()),
)


@given(st.lists(STEPS, max_size=60), st.integers(0, 4))
def test_all_of_it_beside_a_list(steps: list[tuple[str, object]], size: int) -> None:
    knowledge = Knowledge(lifetime=10, max_descriptions=size)
    model: list[tuple[object, Description, float]] = []  # the most recently used one last
    now = 0.0
    for number, (step, operand) in enumerate(steps):
        one = [entry for entry in model if entry[0] == operand]
        others = [entry for entry in model if entry[0] != operand]
        if step == "put":
            description = Description((number,), None)
            knowledge.put(operand, description, now)
            model = [*others, (operand, description, now + 10)]
            model = model[max(0, len(model) - size) :]
        elif step == "get":
            fresh = [entry for entry in one if entry[2] > now]
            found = knowledge.get(operand, now)
            assert found is (fresh[0][1] if fresh else None)
            model = [*others, *fresh]
        elif step == "forget":
            knowledge.forget(operand)
            model = others
        elif step == "forget all":
            knowledge.forget_all()
            model = []
        else:
            assert isinstance(operand, float)
            now += operand
        assert len(knowledge) == len(model)


# One connection's part


class Company:
    """Connections that share what they know."""

    def __init__(self) -> None:
        self.knowledge = Knowledge()

    def join(self, parameters: dict[str, str], server: Hashable = "db") -> Scope:
        return Scope(self.knowledge, server, parameters)


def teach(scope: Scope, description: Description = INT) -> None:
    """The server tells that connection of the query, and is quick about it."""
    scope.put(QUERY, description, scope.knowledge.generation, 0)


def run(scope: Scope, query: str, *tags: str, in_transaction: bool = False) -> None:
    scope.on_answered(query, tags or (" ".join(query.split()[:2]),), in_transaction)


@pytest.fixture(params=[ON_18, BEFORE_18], ids=["18", "before 18"])
def parameters(request: pytest.FixtureRequest) -> dict[str, str]:
    """What a server reports of its settings; each session has its own."""
    return dict(request.param)


def test_one_learns_for_all(parameters: dict[str, str]) -> None:
    company = Company()
    one, other = company.join(parameters), company.join(dict(parameters))
    teach(one)
    assert other.get(QUERY, 0) is INT
    assert other.get(QUERY + " ", 0) is None
    other.forget(QUERY)
    assert one.get(QUERY, 0) is None


@pytest.mark.parametrize(
    ("server", "changed"),
    [
        ("another", {}),
        ("db", {"session_authorization": "bob"}),
        ("db", {"search_path": "shop"}),
    ],
)
def test_strangers_share_nothing(server: str, changed: dict[str, str]) -> None:
    company = Company()
    one, other = company.join(ON_18), company.join({**ON_18, **changed}, server)
    teach(one)
    assert other.get(QUERY, 0) is None
    teach(other, TEXT)
    assert one.get(QUERY, 0) is INT
    assert other.get(QUERY, 0) is TEXT


def test_a_path_that_is_reported_is_followed() -> None:
    """Into another schema and back again."""
    company = Company()
    mine = dict(ON_18)
    one, other = company.join(mine), company.join(ON_18)
    teach(other)
    mine["search_path"] = "shop"
    assert one.get(QUERY, 0) is None
    mine["search_path"] = ON_18["search_path"]
    assert one.get(QUERY, 0) is INT


def test_what_was_asked_before_a_change_is_not_believed() -> None:
    company = Company()
    one, other = company.join(ON_18), company.join(ON_18)
    asked = one.knowledge.generation
    run(other, "ALTER TABLE t ALTER a TYPE text")
    one.put(QUERY, INT, asked, 0)
    assert one.get(QUERY, 0) is None
    one.put(QUERY, TEXT, one.knowledge.generation, 0)
    assert other.get(QUERY, 0) is TEXT


@pytest.mark.parametrize(
    "ddl",
    [
        "ALTER TABLE t ALTER a TYPE text",
        "DROP TABLE t",
        "CREATE TABLE t (a int4)",
        "CREATE TYPE mood AS ENUM ()",
        "DROP FUNCTION f",
        "IMPORT FOREIGN SCHEMA far FROM SERVER s INTO near",
    ],
)
def test_a_schema_that_changes_is_everybodys(ddl: str, parameters: dict[str, str]) -> None:
    company = Company()
    one, other = company.join(parameters), company.join(dict(parameters))
    teach(one)
    run(one, ddl)
    assert other.get(QUERY, 0) is None
    assert not one.unsettled
    teach(one, TEXT)
    assert other.get(QUERY, 0) is TEXT


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_change_in_a_transaction_is_its_own_until_the_end(end: str) -> None:
    company = Company()
    one, other = company.join(ON_18), company.join(ON_18)
    teach(other)
    run(one, "ALTER TABLE t ALTER a TYPE text", in_transaction=True)
    assert one.unsettled
    assert one.get(QUERY, 0) is None
    teach(one, TEXT)  # what it sees, nobody else does
    assert other.get(QUERY, 0) is INT
    run(one, "ROLLBACK TO s", "ROLLBACK", in_transaction=True)
    assert one.unsettled
    generation = company.knowledge.generation
    run(one, end, end)
    assert not one.unsettled
    # Rolled back nothing has changed; but what was asked meanwhile may have been seen before it.
    assert other.get(QUERY, 0) is None
    assert company.knowledge.generation == generation + 1


def test_what_is_notable_and_changes_nothing() -> None:
    company = Company()
    one, other = company.join(ON_18), company.join(ON_18)
    teach(one)
    for query in (
        "COMMIT",
        "ROLLBACK",
        "VACUUM t",
        "SET work_mem = 64",
        "DO ''",
        "PREPARE p AS TABLE t",
    ):
        run(one, query, query.split()[0])
    assert one.get(QUERY, 0) is INT
    assert other.get(QUERY, 0) is INT


@pytest.mark.parametrize(
    ("query", "tag"),
    [
        ("SET search_path = shop", "SET"),
        ("set local SEARCH_PATH to shop", "SET"),
        ("SET SCHEMA 'shop'", "SET"),
        ("SELECT set_config('search_path', $1, false)", "SELECT 1"),
        ("SELECT pg_catalog.set_config($1, $2, $3)", "SELECT 1"),
        ("RESET ALL", "RESET"),
        ("RESET search_path", "RESET"),
        ("SET ROLE bob", "SET"),
        ("RESET ROLE", "RESET"),
        ("SET SESSION AUTHORIZATION bob", "SET"),
        ("DISCARD ALL", "DISCARD ALL"),
        ("DISCARD TEMP", "DISCARD TEMP"),
        ("CREATE TEMP TABLE t (a text)", "CREATE TABLE"),
        ("CREATE TEMPORARY VIEW t AS SELECT 1", "CREATE VIEW"),
        ("SELECT 1 AS a INTO TEMP t", "SELECT 1"),
        ("CREATE TABLE pg_temp.t (a text)", "CREATE TABLE"),
    ],
)
def test_names_that_mean_something_else_here(
    query: str, tag: str, parameters: dict[str, str]
) -> None:
    """From then on it neither takes from the others nor gives them anything."""
    company = Company()
    one, other = company.join(parameters), company.join(dict(parameters))
    teach(other)
    run(one, query, tag)
    assert one.get(QUERY, 0) is None
    teach(one, TEXT)
    assert one.get(QUERY, 0) is TEXT
    third = company.join(dict(parameters))
    assert third.get(QUERY, 0) is other.get(QUERY, 0) is not TEXT
    run(one, query, tag)  # and what that means is not what it was
    assert one.get(QUERY, 0) is None


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK", "ROLLBACK TO s"])
def test_a_path_for_one_transaction(end: str) -> None:
    """SET LOCAL is over with it, and SET is undone: what was learnt meanwhile is not true then."""
    company = Company()
    one, other = company.join(BEFORE_18), company.join(BEFORE_18)
    run(one, "SET LOCAL search_path = shop", "SET", in_transaction=True)
    teach(one)
    run(one, "SAVEPOINT s", "SAVEPOINT", in_transaction=True)
    assert one.get(QUERY, 0) is INT
    in_transaction = end == "ROLLBACK TO s"
    run(one, end, end.split()[0], in_transaction=in_transaction)
    assert one.get(QUERY, 0) is None
    teach(one, TEXT)
    run(one, "COMMIT", "COMMIT")
    assert one.get(QUERY, 0) is (None if in_transaction else TEXT)
    assert other.get(QUERY, 0) is None


def test_a_temporary_table_is_nobody_elses() -> None:
    company = Company()
    one, other = company.join(ON_18), company.join(ON_18)
    teach(other)
    run(one, "CREATE TEMP TABLE t (a text)", "CREATE TABLE")
    assert other.get(QUERY, 0) is INT
    run(one, "ALTER TABLE t ADD temp int4", "ALTER TABLE")  # no temporary one, for all we know
    assert other.get(QUERY, 0) is None


def test_a_session_as_good_as_new(parameters: dict[str, str]) -> None:
    company = Company()
    one, other = company.join(parameters), company.join(dict(parameters))
    teach(other)
    run(one, "SET ROLE bob", "SET")
    one.rejoin()
    assert one.get(QUERY, 0) is INT


@pytest.mark.parametrize(
    ("change", "tag"), [("SET ROLE bob", "SET"), ("CREATE TEMP TABLE t (a text)", "CREATE TABLE")]
)
def test_a_session_with_its_settings_reset(
    parameters: dict[str, str], change: str, tag: str
) -> None:
    """Of which a role and temporary tables are none."""
    company = Company()
    one, other = company.join(parameters), company.join(dict(parameters))
    teach(other)
    run(one, "SET search_path = other", "SET")
    assert one.get(QUERY, 0) is None
    assert one.settings_reset()
    assert one.get(QUERY, 0) is INT
    run(one, change, tag)
    assert not one.settings_reset()
    assert one.get(QUERY, 0) is None
    one.rejoin()
    assert one.get(QUERY, 0) is INT


# What the connection's own statements have to do with it


@dataclass
class Answered:
    """A statement that has run outside of a transaction."""

    query: str
    tags: list[str]
    status: int = IDLE

    def text(self) -> str:
        return self.query


def answered(query: str, *tags: str) -> Request:
    return cast(Request, Answered(query, [*tags]))


def statements() -> StatementCache:
    cache = StatementCache(5)
    cache.put(Statement(QUERY, b"name", INT, Registry()), 0)
    return cache


@pytest.mark.parametrize(
    ("query", "tag", "stays", "closed"),
    [
        ("DISCARD ALL", "DISCARD ALL", False, ()),
        ("DEALLOCATE ALL", "DEALLOCATE ALL", False, ()),
        ("DEALLOCATE p", "DEALLOCATE", True, ()),
        ("DISCARD PLANS", "DISCARD PLANS", True, ()),
        ("ALTER TABLE t ADD b int4", "ALTER TABLE", False, (b"name",)),
        ("DROP TYPE mood", "DROP TYPE", False, (b"name",)),
        ("DROP TABLE t", "DROP TABLE", True, ()),
        ("CREATE TABLE others ()", "CREATE TABLE", True, ()),
        # It may hide the one that was meant.
        ("CREATE TEMP TABLE IF NOT EXISTS T (b text)", "CREATE TABLE", False, (b"name",)),
        ("CREATE VIEW mine.t AS TABLE u", "CREATE VIEW", False, (b"name",)),
        ("VACUUM", "VACUUM", True, ()),
    ],
)
def test_what_becomes_of_prepared_statements(
    query: str, tag: str, stays: bool, closed: tuple[bytes, ...]
) -> None:
    cache = statements()
    on_tags(Company().join(ON_18), cache, Registry(), answered(query, tag))
    assert (cache.get(QUERY) is not None) is stays
    assert cache.take_evicted() == closed


def test_a_script_of_several() -> None:
    """Each of them counts, whichever is the last."""
    company = Company()
    one, other = company.join(ON_18), company.join(ON_18)
    teach(other)
    cache = statements()
    script = "DEALLOCATE ALL; SET ROLE bob; DROP TABLE t; SELECT 1"
    on_tags(
        one, cache, Registry(), answered(script, "DEALLOCATE ALL", "SET", "DROP TABLE", "SELECT 1")
    )
    assert cache.get(QUERY) is None
    assert other.get(QUERY, 0) is None
    teach(other)
    assert one.get(QUERY, 0) is None
