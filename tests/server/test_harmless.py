"""The proof that a statement is harmless to repeat, asked of a real server.

Each trick makes a statement do what a rollback does not undo: it takes an advisory lock of the
session. The test sees the lock outlive the rollback, and the proof has to say no; without the
trick it says yes, so that it is the trick that is found. What takes such a lock leaves something
in the session, so both proofs are asked.
"""

from __future__ import annotations

from collections.abc import Iterator

import proving
import psycopg
import pytest
from live import Connect
from proving import Database
from tricks import HIDING, HIDING_OPERATORS, SCHEMA, SINCE, TRICKS, UNKNOWN, function, trigger

from pgallop.cli.server import EmbeddedServer
from pgallop.sql.harmless import PROOF, TRACELESS, candidate


@pytest.fixture(scope="module")
def connection(server: EmbeddedServer) -> Iterator[psycopg.Connection]:
    with proving.new_database(server, "harmless", SCHEMA) as connection:
        yield connection


@pytest.fixture
def database(connection: psycopg.Connection) -> Iterator[Database]:
    with proving.rolled_back(connection) as database:
        yield database


ORDINARY = """
    CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE TYPE pair AS (a int, b mood);
    CREATE DOMAIN email AS text DEFAULT lower('A@B') CHECK (VALUE ~ '@' AND length(VALUE) < 100);
    CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = float8mi);
    CREATE TABLE users (
        id serial PRIMARY KEY,
        name varchar(50) NOT NULL UNIQUE DEFAULT 'x' || now()::text CHECK (name <> ''),
        email email, moods mood[] DEFAULT '{happy}', mood mood DEFAULT 'sad' CHECK (mood > 'sad'),
        pair pair, span span, tags text[], data jsonb DEFAULT '{}', document tsvector,
        price numeric(10, 2) CHECK (price BETWEEN 0 AND 100 AND price IN (1, 2, 3)),
        born date DEFAULT CURRENT_DATE, seen timestamptz DEFAULT clock_timestamp(),
        EXCLUDE (price WITH =)
    );
    ALTER TABLE users ADD added int DEFAULT 5;
    CREATE INDEX ON users (lower(name)) WHERE born > '2000-01-01' AND tags[1] IS NOT NULL;
    CREATE INDEX ON users USING gin (document);
    CREATE INDEX ON users USING gin (to_tsvector('english', name));
    CREATE TABLE orders (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        "user" int REFERENCES users ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE,
        n int NOT NULL DEFAULT nextval('users_id_seq'), UNIQUE (n) DEFERRABLE
    );
    CREATE TABLE log (at timestamptz, text text) PARTITION BY RANGE (at, (length(text)));
    CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2000-01-01', 0) TO (MAXVALUE, MAXVALUE);
    CREATE TABLE base (id int CHECK (id > 0));
    CREATE TABLE heir (more mood) INHERITS (base);
    CREATE TEMP TABLE scratch (id int) ON COMMIT DROP;
    CREATE TABLE tenants (tenant text, id int);
    ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON tenants USING (tenant = current_setting('app.tenant', true));
"""


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "SELECT id, name FROM users WHERE id = $1",
        "SELECT u.id, o.n AS count FROM users u JOIN orders o ON o.user = u.id ORDER BY 2 DESC",
        "SELECT * FROM users NATURAL JOIN orders LEFT JOIN log USING (at) FOR UPDATE",
        "SELECT count(*), sum(n) * 2, max(id), array_agg(id ORDER BY id) FROM orders GROUP BY n",
        "SELECT row_number() OVER (PARTITION BY n) FROM orders",
        "SELECT now(), lower(name), coalesce(name, ''), substring(name from 1 for 2) FROM users",
        "SELECT round(price), price::int, extract(year FROM born), age(born) FROM users",
        "SELECT name FROM users WHERE name LIKE 'a%' AND id BETWEEN 1 AND 2 AND id IN (1, 2)",
        "SELECT data -> 'a' ->> 'b', data @> '{}', jsonb_set(data, '{a}', '1') FROM users",
        "SELECT id FROM users WHERE document @@ to_tsquery('english', 'x') AND tags && ARRAY['a']",
        "SELECT span(1.5, 2), span && '[1,2]' FROM users WHERE name || price = 'x' || id",
        "SELECT mood, moods, (pair).b, span, email FROM users WHERE mood = 'happy' ORDER BY mood",
        "SELECT 'sad'::mood, CAST('x@y' AS email), ROW(1, 'sad')::pair, '[1,2]'::public.span",
        "SELECT pg_sleep(0), random(), pg_notify('x', 'y'), set_config('a.b', 'c', false)",
        "SELECT pg_advisory_xact_lock(1), nextval('users_id_seq'), gen_series.n"
        " FROM generate_series(1, 3) AS gen_series (n)",
        "INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id",
        "INSERT INTO orders (n) SELECT n FROM orders RETURNING *",
        "INSERT INTO users (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE"
        " SET name = excluded.name WHERE users.id > 0",
        "INSERT INTO scratch VALUES (1)",
        "UPDATE orders SET n = n + 1 WHERE id = $1",
        "UPDATE users u SET name = upper(u.name) FROM orders o WHERE o.user = u.id",
        "DELETE FROM users WHERE id = ANY ($1::int[]) RETURNING *",
        "MERGE INTO orders USING users ON orders.user = users.id"
        " WHEN MATCHED THEN UPDATE SET n = 1 WHEN NOT MATCHED THEN INSERT (n) VALUES (1)",
        "WITH gone AS (DELETE FROM orders RETURNING n) INSERT INTO orders (n) SELECT n FROM gone",
        "INSERT INTO log VALUES (now(), 'x')",
        "SELECT * FROM log_1 UNION SELECT * FROM log",
        "UPDATE base SET id = id + 1",
        "SELECT * FROM tenants",
        "DELETE FROM tenants",
        "SELECT * FROM information_schema.columns",
        "SELECT relname, columns.parameters FROM pg_catalog.pg_class AS columns",
    ],
)
def test_ordinary_statements_are_harmless(database: Database, query: str) -> None:
    database.run(ORDINARY)
    assert database.proves(query)


@pytest.mark.parametrize(
    "view",
    [
        "SELECT id, name AS n FROM parent WHERE id > 1",
        "SELECT p.name, c.n FROM parent p LEFT JOIN child c USING (id)",
        "SELECT n, count(*) AS c, string_agg(id::text, ',' ORDER BY id) FILTER (WHERE n > 1)"
        " FROM child GROUP BY n HAVING count(*) > 0",
        "SELECT id, n, grouping(n) FROM child GROUP BY GROUPING SETS ((id), (n), (id, n))",
        "SELECT id, row_number() OVER w, sum(n) OVER (ORDER BY n) FROM child"
        " WINDOW w AS (ORDER BY id)",
        "SELECT id FROM parent WHERE id IN (SELECT id FROM child) AND EXISTS (SELECT FROM child)"
        " AND name = ANY (ARRAY(SELECT name FROM parent))",
        "SELECT DISTINCT ON (n) n, CASE WHEN n > 1 THEN 'a' ELSE lower('B') END FROM child"
        " ORDER BY n",
        "SELECT id FROM parent UNION SELECT id FROM child EXCEPT SELECT 5",
        "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9)"
        " SELECT n FROM r",
        "SELECT * FROM (VALUES (1, 'a')) AS v (a, b), generate_series(1, 3) AS g (n)",
        "SELECT p.id, x.n FROM parent p,"
        " LATERAL (SELECT n FROM child c WHERE c.id = p.id LIMIT 1) x",
        "SELECT now(), CURRENT_USER AS me, current_setting('a.b', true) AS it",
    ],
)
def test_views_of_what_is_harmless_are(database: Database, view: str) -> None:
    database.run(f"CREATE VIEW v AS {view}; CREATE VIEW w AS SELECT * FROM v")
    assert database.proves("SELECT * FROM w")
    assert database.proves("SELECT * FROM w JOIN parent ON true", TRACELESS)
    database.run("SELECT * FROM w")


@pytest.mark.parametrize("extension", ["citext", "hstore", "btree_gist", "pg_trgm"])
def test_extensions_do_not_spoil_what_does_not_use_them(database: Database, extension: str) -> None:
    database.run(f"CREATE EXTENSION {extension}")
    assert database.proves("SELECT * FROM parent WHERE id = $1 AND name <> 'x'")
    assert database.proves("SELECT count(*) FROM parent WHERE id IN (1, 2) GROUP BY name")
    assert database.proves("INSERT INTO parent VALUES (1, 'x' || $1) RETURNING *")
    assert database.proves("DELETE FROM child WHERE n > 1")


def test_what_an_extension_brought_is_unknown(database: Database) -> None:
    database.run("CREATE EXTENSION citext; CREATE TABLE t (a citext, b int)")
    assert not database.proves("SELECT b FROM t WHERE b = 1")
    assert not database.proves("SELECT 'a'::citext")
    assert not database.proves("SELECT citext('a') = 'A'")


@pytest.mark.parametrize(
    ("extension", "column", "index"),
    [
        ("seg", "seg", "USING gist (a)"),
        ("isn", "ean13", "(a)"),
        ("hstore", "hstore", "USING gin (a)"),
        ("ltree", "ltree", "USING gist (a)"),
        ("cube", "cube", "(a)"),
    ],
)
def test_what_is_in_a_known_library_is_known(
    database: Database, extension: str, column: str, index: str
) -> None:
    database.run(f"CREATE EXTENSION {extension}; CREATE TABLE t (a {column}, b int)")
    database.run(f"CREATE INDEX ON t {index}")
    assert database.proves("SELECT a FROM t WHERE b = 1")
    assert database.proves("INSERT INTO t VALUES ($1, 1) RETURNING *")
    assert database.proves("SELECT a FROM t WHERE a = $1")


def test_what_is_added_to_an_extension_is_not(database: Database) -> None:
    database.run("CREATE EXTENSION seg; CREATE TABLE t (a seg, b int)")
    database.run("CREATE OPERATOR #< (LEFTARG = seg, RIGHTARG = seg, PROCEDURE = seg_lt)")
    assert database.proves("SELECT a FROM t WHERE a #< $1")
    # The planner may turn it round.
    database.run(function("compare(a seg, b seg)", "bool", "true"))
    database.run(
        "CREATE OPERATOR #> (LEFTARG = seg, RIGHTARG = seg, PROCEDURE = compare, COMMUTATOR = #<);"
        "ALTER EXTENSION seg ADD OPERATOR #> (seg, seg)"
    )
    assert not database.proves("SELECT a FROM t WHERE a #> $1")
    assert not database.proves("SELECT a FROM t WHERE a #< $1")
    assert database.proves("SELECT a FROM t WHERE a = $1")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT pg_advisory_lock(4711)",
        "SELECT pg_try_advisory_lock_shared(4711)",
        "SELECT * FROM pg_catalog.pg_advisory_lock(1, 2)",
        "SELECT (4711::bigint).pg_advisory_lock",
        'SELECT "pg_advisory_lock" /* */ (4711)',
        "SELECT PG_ADVISORY_LOCK(id) FROM parent",
        "INSERT INTO parent SELECT 5 WHERE pg_try_advisory_lock(1) RETURNING id",
        "SELECT query_to_xml('SELECT other.take()', false, false, '')",
        "SELECT setval('pg_toast.x', 1)",
        "SELECT setseed(0.5)",
        "SELECT lo_create(0)",
        "SELECT lo_export(1, '/nowhere')",
        "SELECT pg_terminate_backend(0)",
        "SELECT pg_cancel_backend(0)",
        "SELECT pg_reload_conf()",
        "SELECT pg_logical_emit_message(false, 'a', 'b')",
        "SELECT pg_create_restore_point('a')",
        "SELECT pg_read_file('x')",
        "SELECT pg_stat_reset()",
        "SELECT pg_export_snapshot()",
        "SELECT * FROM ts_stat('SELECT other.take()')",
        "SELECT ts_rewrite('a'::tsquery, 'SELECT other.take()')",
        "SELECT table_to_xml('parent', false, false, '')",
        "SELECT database_to_xml(false, false, '')",
        "SELECT domain_in('x', 1, 1)",
        "SELECT * FROM pg_locks",
        "SELECT other.take()",
    ],
)
def test_functions_with_effects_are_not(database: Database, query: str) -> None:
    assert not database.proves(query)


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_is_seen_through(database: Database, name: str) -> None:
    made, query = TRICKS[name]
    assert database.proves(query)
    assert database.proves(query, TRACELESS)
    database.run(made)
    database.run("SELECT pg_advisory_unlock_all()")
    assert database.outlives_its_rollback(query)
    assert not database.proves(query)
    assert not database.proves(query, TRACELESS)


@pytest.mark.parametrize("name", SINCE)
def test_a_trick_of_newer_versions_is_seen_through(database: Database, name: str) -> None:
    version, made, query = SINCE[name]
    assert database.proves(query)
    if database.version < version:
        # Then there is no such trick, and no such statement that could be run twice.
        with pytest.raises(psycopg.Error):
            database.run(made)
            database.run(query)
        return
    database.run(made)
    database.run("SELECT pg_advisory_unlock_all()")
    assert database.outlives_its_rollback(query)
    assert not database.proves(query)
    assert not database.proves(query, TRACELESS)


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_means_no(database: Database, name: str) -> None:
    version, made, query = UNKNOWN[name]
    assert database.proves(query)
    if database.version < version:
        with pytest.raises(psycopg.Error):
            database.run(made)
        return
    database.run(made)
    assert not database.proves(query)
    assert not database.proves(query, TRACELESS)


def test_functions_written_in_sql_depend_on_the_search_path_until_13(database: Database) -> None:
    query = "SELECT (now(), now()) OVERLAPS (now(), interval '1 day')"  # which adds
    assert database.proves(query)
    database.run(
        function("other.plus(timestamptz, interval)", "timestamptz", "$1")
        + "CREATE OPERATOR other.+ (PROCEDURE = other.plus, LEFTARG = timestamptz,"
        " RIGHTARG = interval); SET LOCAL search_path = other, pg_catalog"
    )
    is_called = database.outlives_its_rollback(query)
    assert is_called is (database.version <= 13)
    assert database.proves(query) is not is_called


def test_what_is_not_called_does_no_harm(database: Database) -> None:
    database.run(
        trigger("AFTER INSERT", "parent")
        + trigger("AFTER INSERT")
        + "CREATE RULE r AS ON DELETE TO child DO ALSO SELECT other.take();"
        "ALTER TABLE child ALTER n SET DEFAULT other.take();"
        "CREATE VIEW v AS SELECT other.take();"
        "CREATE FUNCTION n() RETURNS int LANGUAGE sql AS 'SELECT 1'"
    )
    assert database.proves("SELECT n FROM child WHERE id = 1")  # nothing is written
    assert not database.proves("SELECT child.n FROM child")  # n(child), were there no column n
    assert not database.proves("INSERT INTO child VALUES (1, 1)")
    database.run("DROP RULE r ON child; DROP TRIGGER t ON child")
    assert database.proves("DELETE FROM child")  # nothing is set to its default
    assert database.proves("UPDATE child SET n = 2")
    assert not database.proves("UPDATE child SET n = DEFAULT")
    assert not database.proves("INSERT INTO child VALUES (1, 1)")
    database.run("ALTER TABLE child ALTER n DROP DEFAULT")
    # Its foreign key reads the other table, whose triggers are not called by that.
    assert database.proves("INSERT INTO child VALUES (1, 1)")
    assert not database.proves("DELETE FROM parent")


def test_the_proof_itself_cannot_be_fooled(database: Database) -> None:
    answers = {
        "INSERT INTO child VALUES (1, 1)": False,
        "INSERT INTO parent VALUES (1, 'x')": True,
        "SELECT upper('x')": True,
        "SELECT other.take()": False,
        "SELECT pg_advisory_lock(1)": False,
        "SELECT * FROM view": False,
    }
    database.run(HIDING + trigger("AFTER INSERT"))
    for path in ("public", "hiding, pg_catalog, public"):
        database.run(f"SET LOCAL search_path = {path}")
        assert {query: database.proves(query) for query in answers} == answers
    for type in ("oid", "text", "name", "int4", '"char"', "anyarray", "int8"):
        built_in = f"pg_catalog.{type}"
        definition = function(f"hiding.f({built_in}, {built_in})", "pg_catalog.bool", "true")
        database.run(definition.replace("IMMUTABLE", "IMMUTABLE SET search_path = pg_catalog"))
        for name in HIDING_OPERATORS:
            database.run(
                f"CREATE OPERATOR hiding.{name} (PROCEDURE = hiding.f, LEFTARG = {built_in},"
                f" RIGHTARG = {built_in})"
            )
    for source, target in (("oid", "text"), ("int4", "text"), ("name", "int4")):
        database.run(
            function(f"hiding.cast({source})", target, "NULL")
            + f"CREATE CAST ({source} AS {target}) WITH FUNCTION hiding.cast({source}) AS IMPLICIT"
        )
    # = and <> could be in every statement, and are no longer PostgreSQL's alone; and what counts is
    # that the question has not called one of them.
    assert not any(database.proves(query) for query in answers)


async def test_the_driver_can_ask(connect: Connect) -> None:
    async with connect() as connection:
        for query, answer in (("SELECT count(*) FROM t", True), ("SELECT setseed(0)", False)):
            found = candidate(query)
            assert found is not None
            assert await connection.fetchval(PROOF, *found.parameters()) is answer


def test_everybody_may_ask(database: Database) -> None:
    database.run("CREATE ROLE anybody; SET LOCAL ROLE anybody")
    assert database.proves("SELECT id FROM parent")
    assert database.proves("UPDATE child SET n = n + 1")
    assert not database.proves("SELECT other.take()")


def test_the_functions_behind_information_schema_are_no_danger(database: Database) -> None:
    """Its views are let pass without being looked at, for a column can be called like one."""
    rows = database.ask(
        """
        SELECT DISTINCT p.oid::regprocedure, p.provolatile
        FROM pg_rewrite r
        JOIN pg_class c ON c.oid = r.ev_class
        CROSS JOIN LATERAL regexp_matches(
            r.ev_action::text, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') AS m
        JOIN pg_proc p ON p.oid = m[1]::oid
        WHERE c.relnamespace = 'information_schema'::regnamespace
        """
    )
    assert len(rows) > 20
    assert {volatility for _, volatility in rows} <= {"i", "s"}


def test_what_postgresql_computes_with_is_known(database: Database) -> None:
    """No operator and no aggregate is missing by accident; were a cast, all answers would be no."""
    operators = database.ask("SELECT DISTINCT oprname FROM pg_operator")
    assert len(operators) > 60
    called = " ".join(f"OPERATOR(pg_catalog.{name})" for (name,) in operators)
    assert database.proves(f"SELECT {called}")
    aggregates = database.ask("SELECT DISTINCT aggfnoid::regproc::text FROM pg_aggregate")
    assert len(aggregates) > 40
    assert database.proves("SELECT " + ", ".join(f"{name}(1)" for (name,) in aggregates))


def test_another_product_proves_nothing(database: Database) -> None:
    """CockroachDB's catalogue looks like this one, but the OIDs of users' objects are small."""
    version = "'CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu)'"
    assert "pg_catalog.version()" in PROOF
    assert database.proves("SELECT 1")
    assert not database.proves("SELECT 1", PROOF.replace("pg_catalog.version()", version))
