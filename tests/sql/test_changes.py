"""What a statement may change of the things that others were prepared under, by text and tag."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgallop.sql import changes


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "  \n\tselect 1",
        "INSERT INTO t VALUES (1)",
        "With x AS (SELECT 1) DELETE FROM t",
        "BEGIN",
        "START TRANSACTION",
        "SAVEPOINT s",
        "SHOW work_mem",
        "EXPLAIN SELECT 1",
        "FETCH 10 FROM c",
        "LISTEN attempts",
        "SELECT template, contemporary FROM t",
    ],
)
def test_ordinary(query: str) -> None:
    assert not changes.is_notable(query)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "CREATE TABLE t ()",
        "alter table t add a int4",
        "COMMIT",
        "ROLLBACK TO s",
        "END",
        "ABORT",
        "PREPARE TRANSACTION 'x'",
        "SET ROLE bob",
        "RESET ALL",
        "DISCARD ALL",
        "DEALLOCATE p",
        "CALL p()",
        "DO ''",
        "EXECUTE p",
        "REFRESH MATERIALIZED VIEW v",
        # Whatever it begins with, we do not know it.
        "/* a comment */ SELECT 1",
        "-- a comment\nDROP TABLE t",
        "(SELECT 1)",
        "; DROP TABLE t",
        # Names that mean something else behind it.
        "SELECT set_config('search_path', 'x', false)",
        "SELECT SET_CONFIG($1, $2, true)",
        "SELECT 1 INTO TEMP t",
        "UPDATE pg_settings SET setting = 'x' WHERE name = 'search_path'",
        "SELECT * FROM pg_temp_3.t",
        "select 1 into temporary t",
    ],
)
def test_notable(query: str) -> None:
    assert changes.is_notable(query)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT 1", True),
        (" Values (1)", True),
        ("DELETE FROM t", True),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", True),
        ("WITH x AS (SELECT 1) TABLE x", True),
        ("SHOW work_mem", True),
        ("SELECT $1", False),
        ("SELECT '$1'", False),  # it costs a round trip to be careful, and nothing else
        ("SELECT '$'", True),
        ("CALL p()", False),
        ("DO ''", False),
        ("VACUUM", False),
        ("CREATE INDEX CONCURRENTLY ON t (a)", False),
        ("EXPLAIN ANALYZE CALL p()", False),
        ("EXECUTE p", False),
        ("FETCH FROM c", False),
        ("COMMIT", False),
        ("/* */ SELECT 1", False),
        ("SELECTED", False),
        ("", False),
    ],
)
def test_one_transaction(query: str, expected: bool) -> None:
    assert changes.is_one_transaction(query) is expected


@pytest.mark.parametrize(
    ("tag", "schema", "what_exists"),
    [
        ("ALTER TABLE", True, True),
        ("ALTER ROLE", True, True),
        ("DROP TYPE", True, True),
        ("DROP VIEW", True, True),
        ("DROP SCHEMA", True, True),
        ("DROP OWNED", True, True),
        # A table of that name comes back, or the statement fails: the server sees to it.
        ("DROP TABLE", True, False),
        ("DROP INDEX", True, False),
        ("DROP SEQUENCE", True, False),
        ("CREATE TABLE", True, False),
        ("CREATE TABLE AS", True, False),
        ("CREATE FUNCTION", True, False),
        ("IMPORT FOREIGN SCHEMA", True, False),
        ("SELECT 1", False, False),
        ("INSERT 0 1", False, False),
        ("COMMIT", False, False),
        ("SET", False, False),
        ("DISCARD ALL", False, False),
        ("", False, False),
    ],
)
def test_the_schema(tag: str, schema: bool, what_exists: bool) -> None:
    assert changes.changes_schema(tag, "whatever it was") is schema
    assert changes.changes_what_exists(tag) is what_exists


@pytest.mark.parametrize(
    ("query", "tag", "expected"),
    [
        ("CREATE TEMP TABLE t ()", "CREATE TABLE", False),
        ("create temporary table t as select 1", "CREATE TABLE AS", False),
        ("CREATE TABLE pg_temp.t ()", "CREATE TABLE", False),
        ("CREATE TABLE template ()", "CREATE TABLE", True),
        ("CREATE TEMP VIEW v AS SELECT 1", "CREATE VIEW", True),
        ("ALTER TABLE t ADD temp int4", "ALTER TABLE", True),
        ("CREATE TEMP TABLE x (); DROP TABLE t", "DROP TABLE", True),
    ],
)
def test_temporary_tables_are_nobody_elses(query: str, tag: str, expected: bool) -> None:
    assert changes.changes_schema(tag, query) is expected


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("CREATE TABLE t ()", {"t"}),
        ("create temp table if not exists Orders (a int4)", {"orders"}),
        ("CREATE TEMPORARY VIEW v AS SELECT 1", {"v"}),
        ("CREATE OR REPLACE FUNCTION shop.price(int4) RETURNS int4", {"price"}),
        ('CREATE TYPE "My Type" AS ENUM ()', {"my type"}),
        ('CREATE MATERIALIZED VIEW "a b" . "c d" AS SELECT 1', {"c d"}),
        ("SELECT 1 AS a INTO TEMP TABLE t", {"t"}),
        ("select 1 as a into temporary t", {"t"}),
        ("CREATE TABLE t (); CREATE DOMAIN d AS int4", {"t", "d"}),
        ("SELECT 1 INTO t", set()),
        ("DROP TABLE t", set()),
        ("ALTER TABLE t ADD a int4", set()),
        ("INSERT INTO t VALUES (1)", set()),
        ("COMMIT", set()),
    ],
)
def test_what_is_created(query: str, names: set[str]) -> None:
    assert changes.created(query) == names


@pytest.mark.parametrize(
    ("query", "tag", "expected"),
    [
        ("SET search_path = x", "SET", True),
        ("SET LOCAL ROLE bob", "SET", True),
        ("SET SESSION AUTHORIZATION bob", "SET", True),
        ("SET SCHEMA 'x'", "SET", True),
        ("RESET ALL", "RESET", True),
        ("RESET ROLE", "RESET", True),
        ("DISCARD ALL", "DISCARD ALL", True),
        ("DISCARD TEMP", "DISCARD TEMP", True),
        ("SET work_mem = 64", "SET", False),
        ("SET TRANSACTION READ ONLY", "SET", False),
        ("RESET work_mem", "RESET", False),
        ("DISCARD PLANS", "DISCARD PLANS", False),
        ("SELECT role FROM people", "SELECT 1", False),
        ("SELECT set_config($1, $2, false)", "SELECT 1", True),
        ("CREATE TEMP TABLE t ()", "CREATE TABLE", True),
        ("CREATE TABLE t (role text)", "CREATE TABLE", False),
        ("ALTER ROLE bob", "ALTER ROLE", False),
    ],
)
def test_what_names_mean(query: str, tag: str, expected: bool) -> None:
    assert changes.changes_resolution(tag, query) is expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("DISCARD ALL", True),
        ("DEALLOCATE ALL", True),
        ("DEALLOCATE", False),
        ("DISCARD PLANS", False),
        ("DISCARD TEMP", False),
    ],
)
def test_prepared_statements(tag: str, expected: bool) -> None:
    assert changes.forgets_statements(tag) is expected


_WORDS = """
    select with SHOW set SET_CONFIG search_path temp TEMPORARY pg_temp_1 role all into create table
    template x $1 ( ) , ; -- /* */ '
"""
QUERIES = st.lists(st.sampled_from([*_WORDS.split(), "\n"]), max_size=8).map(" ".join)


@given(QUERIES)
def test_what_is_not_looked_at_changes_nothing(query: str) -> None:
    """The tag of a statement that is not notable is never seen, so it must have nothing to tell."""
    if not changes.is_notable(query):
        for tag in "SELECT 1", "INSERT 0 1", "SHOW", "EXPLAIN", "BEGIN":
            assert not changes.changes_resolution(tag, query)
            assert not changes.changes_schema(tag, query)
            assert not changes.changes_what_exists(tag)
            assert not changes.forgets_statements(tag)


@given(QUERIES)
def test_case_and_space_mean_nothing(query: str) -> None:
    for tag in "SET", "SELECT 1", "CREATE TABLE":
        expected = changes.changes_resolution(tag, query)
        for other in query.upper(), query.lower(), query.replace(" ", "\n\t"):
            assert changes.changes_resolution(tag, other) is expected
            assert changes.is_notable(other) is changes.is_notable(query)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("CREATE TABLE t (a int)", {"t"}),
        ("create temp table if not exists T as select 1", {"t"}),
        ('CREATE TEMPORARY VIEW "My view" AS SELECT 1', {"my view"}),
        ("CREATE UNLOGGED TABLE app.t ()", {"t"}),
        ('CREATE TABLE "my app"."t" ()', {"t"}),
        ("CREATE OR REPLACE FUNCTION app . f(a int) RETURNS int", {"f"}),
        ("CREATE TYPE mood AS ENUM ('low')", {"mood"}),
        ("SELECT 1 AS a INTO TEMPORARY TABLE t FROM u", {"t"}),
        ("SELECT 1 AS a INTO temp t", {"t"}),
        ("CREATE TABLE t (); CREATE SCHEMA s CREATE VIEW v AS SELECT 1", {"t", "v"}),
        ("INSERT INTO pg_temp.t VALUES (1)", set()),
        ("DROP TABLE t", set()),
        ("SELECT created FROM t", set()),
        ("", set()),
    ],
)
def test_created(query: str, names: set[str]) -> None:
    assert changes.created(query) == names
