"""What the text of a statement says about its harm; tests/server has the other half."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgallop.sql import changes
from pgallop.sql.harmless import PROOF, TRACELESS, candidate
from pgallop.sql.lexer import Kind, tokenize


def functions(query: str) -> list[str]:
    found = candidate(query)
    assert found is not None
    return found.parameters()[1]


def operators(query: str) -> set[str]:
    found = candidate(query)
    assert found is not None
    return set(found.parameters()[2]) - {"=", "<>"}  # these two are in all


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        " select 1 ; ; -- the end",
        "VALUES (1), (2)",
        "INSERT INTO t (a, b) VALUES ($1, $2) RETURNING id",
        "insert/**/into t select * from u",
        "UPDATE t SET n = n + 1 WHERE id = $1",
        "DELETE FROM t",
        "MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id)",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "WITH RECURSIVE a (n) AS NOT MATERIALIZED (SELECT 1), b AS (SELECT 2) VALUES (3)",
        "WITH recursive AS (SELECT 1) SELECT * FROM recursive",
        'WITH "a b" AS MATERIALIZED (INSERT INTO t DEFAULT VALUES RETURNING *) DELETE FROM t',
        "WITH a AS (MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE) VALUES (1)",
        "(SELECT 1) UNION (SELECT 2)",
        "((SELECT 1))",
        "SELECT * FROM t FOR UPDATE",
        "SELECT '; SELECT 2', $$ ; $$, \";\", E'\\';'",
        r"SELECT 'C:\dir', E'it\'s'",
        "SELECT \"into\", 'into' FROM t",
    ],
)
def test_may_be_harmless(query: str) -> None:
    assert candidate(query) is not None


@pytest.mark.parametrize(
    "query",
    [
        "",
        " -- nothing",
        ";",
        "SELECT 1; SELECT 2",
        "; SELECT 1",
        "CALL job()",
        "DO $$ BEGIN END $$",
        "TABLE t",
        "BEGIN",
        "COMMIT",
        "CREATE TABLE t AS SELECT 1",
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "VACUUM t",
        "COPY (SELECT 1) TO PROGRAM 'mail'",
        "EXPLAIN ANALYZE DELETE FROM t",
        "EXECUTE prepared",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "NOTIFY x",
        "LOCK t",
        "TRUNCATE t",
        "SET x = 1",
        "DISCARD ALL",
        "SELECT 1 )",
        "( SELECT 1",
        "SELECT 'open",
        "SELECT 1abc",
        "SELECT {fn now()}",
    ],
)
def test_is_not_one_of_the_six_verbs(query: str) -> None:
    assert candidate(query) is None


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a INTO t FROM x",
        "SELECT a INTO TEMP t FROM x",
        "(SELECT a INTO t FROM x)",
        "(SELECT a FROM x) UNION SELECT a INTO t FROM x",
        "WITH c AS (SELECT 1) SELECT a INTO t FROM c",
        "WITH c AS (SELECT a INTO t FROM x) SELECT 1",
        # A column and an alias that are called insert.
        "SELECT insert INTO t FROM x",
        "(SELECT insert INTO t FROM x)",
        "SELECT (a) insert INTO t FROM x",
        "WITH c AS (SELECT 1) SELECT (a) insert INTO t FROM c",
        "WITH c AS (SELECT 1) (SELECT (a) merge INTO t FROM c)",
        "WITH insert AS (SELECT 1) SELECT insert INTO t FROM insert",
        "INSERT INTO t SELECT a INTO u FROM x",
    ],
)
def test_select_into_creates_a_table(query: str) -> None:
    assert candidate(query) is None


@pytest.mark.parametrize(
    "query",
    [
        r"SELECT '\', f(), '\'",  # a call, or all of it one string
        r"SELECT 'a\'' || f() || '",
        "SELECT U&\"!0066\" UESCAPE '!'()",
        "SELECT É()",  # folded in some encodings and locales, and in others not
        "SELECT \u212a()",  # the Kelvin sign, whose small letter is k
        f"SELECT {'a' * 64}()",  # to the server its first 63 characters
        f"SELECT {'é' * 16}()",
        f'SELECT "{"é" * 32}"()',
        'SELECT ""',
        "WITH c AS (SELECT 1) SEARCH DEPTH FIRST BY a SET b SELECT 1",  # not worth a rule
    ],
)
def test_what_is_uncertain_is_refused(query: str) -> None:
    assert candidate(query) is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT * FROM t FOR UPDATE", False),
        ("SELECT * FROM t FOR NO KEY UPDATE OF t NOWAIT;", False),
        ("SELECT * FROM (SELECT 1 FROM t FOR UPDATE SKIP LOCKED) x", False),
        ("SELECT * FROM t FOR UPDATE FOR SHARE", False),
        ("WITH x AS (SELECT * FROM t FOR UPDATE) UPDATE t SET n = 1", True),
        ("WITH x AS (DELETE FROM t RETURNING n) SELECT n FROM x FOR UPDATE", True),
        # These could be a function, a type, a schema, a column and a table.
        ("SELECT substring('a' FOR update(1))", True),
        ("SELECT substring('a' FOR update '1')", True),
        ("SELECT substring('a' FOR update.f(1))", True),
        ("SELECT substring('a' FOR update) FROM t", False),
        ("SELECT * FROM key update", True),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", True),
        ("SELECT 'insert'", False),
    ],
)
def test_who_writes(query: str, expected: bool) -> None:
    found = candidate(query)
    assert found is not None
    assert found.writes() is expected


def test_names_are_folded_as_the_server_does() -> None:
    found = candidate('SELECT Id, "Id", "a""b", naïve FROM Public.T')
    assert found is not None
    identifiers = found.parameters()[0]
    assert identifiers == ["Id", 'a"b', "from", "id", "naïve", "public", "select", "t"]


def test_the_longest_names() -> None:
    for name in ("a" * 63, "é" * 15, f'"{"a" * 63}"'):
        assert functions(f"SELECT {name}()") == [name.strip('"')]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT f(1), g (2), h/* */ -- x\n(3)", ["f", "g", "h"]),
        ('SELECT "F ("(1)', ["F ("]),
        ("SELECT a.b.c(1)", ["b", "c"]),
        ("SELECT t.f, (t).g, (SELECT u)[1] . h FROM t", ["f", "g", "h"]),
        ("SELECT f FROM t", []),
        ("SELECT 'f(1)', $$ f(1) $$ -- f(1)", []),
        ("SELECT 1AND f(1)", None),
        ("SELECT $1.f", ["f"]),
        ("VALUES (coalesce(1, 2))", ["coalesce", "values"]),
    ],
)
def test_functions(query: str, expected: list[str] | None) -> None:
    if expected is None:
        assert candidate(query) is None
    else:
        assert functions(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT a + b", {"+"}),
        ("SELECT a !== b", {"!=="}),
        ("SELECT a != b", set()),  # the server's name of it is <>
        ("SELECT a OPERATOR(s.+) b", {"+"}),
        ("SELECT a @- -b", {"@-", "-"}),
        ("SELECT a FROM t ORDER BY a USING <#", {"<#"}),
        ("SELECT a BETWEEN 1 AND 2", {"<", "<=", ">", ">="}),
        ("SELECT a NOT LIKE 'x'", {"~~", "!~~"}),
        ("SELECT a ILIKE 'x'", {"~~*", "!~~*"}),
        ("SELECT a SIMILAR TO 'x'", {"~", "!~"}),
        ("SELECT *, t.* FROM t", set()),
        ("SELECT count(*), DISTINCT * FROM t RETURNING *", set()),
        ("SELECT a * b", {"*"}),
        ("SELECT a OPERATOR(*) b", {"*"}),
        ("SELECT * FROM t ORDER BY a USING *", {"*"}),
        ("SELECT * FROM t WHERE a OPERATOR(s.*) b", {"*"}),
    ],
)
def test_operators(query: str, expected: set[str]) -> None:
    assert operators(query) == expected


WORDS = "SELECT WITH INSERT INTO AS ( ) , ; . * + 'a' \"b\" f t $1 \\ 'é É x( FROM -- /* */ \n"


@given(st.lists(st.sampled_from(WORDS.split(" ")), max_size=30).map(" ".join))
def test_any_text_is_decided(query: str) -> None:
    found = candidate(query)
    if found is not None:
        assert found.functions <= found.identifiers
        assert "" not in found.identifiers


def test_who_asks_stays_who_he_is() -> None:
    """Its text does not look as if names meant something else from then on in its session."""
    assert not changes.is_notable(TRACELESS)


@pytest.mark.parametrize("proof", [PROOF, TRACELESS], ids=["PROOF", "TRACELESS"])
def test_the_proof_depends_on_no_search_path(proof: str) -> None:
    tokens = [token for token in tokenize(proof) if token.kind is not Kind.SPACE]
    assert {token.kind for token in tokens}.isdisjoint({Kind.INVALID, Kind.COMMENT})
    words = [token.text for token in tokens]
    # The operators of these cannot be given a schema.
    assert set(words).isdisjoint({"IN", "LIKE", "BETWEEN", "USING", "NULLIF", "DISTINCT"})
    own = set(re.findall(r"(\w+)\([\w, ]+\) AS \(", proof))
    assert {"known", "relation", "reachable"} <= own
    aliases = set(re.findall(r"\) AS (\w+)\(", proof))
    skipped = ("(", "LATERAL", "ROWS")
    for i, token in enumerate(tokens):
        before = words[max(0, i - 4) : i]
        is_qualified = before[2:] == ["pg_catalog", "."]
        if token.kind is Kind.NUMBER:
            assert before[3:] == ["["]  # of any other type it could be cast
        elif token.kind is Kind.OPERATOR:
            assert before == ["OPERATOR", "(", "pg_catalog", "."], words[i - 5 : i + 5]
        elif before[3:] in (["FROM"], ["JOIN"], ["::"]) and token.text not in skipped:
            assert token.text == "pg_catalog" or token.text in own, words[i - 5 : i + 5]
        elif token.text.islower() and words[i + 1 : i + 2] == ["("]:
            assert is_qualified or token.text in own | aliases, words[i - 5 : i + 5]
