"""The proof that a statement is harmless to repeat, asked of a real server.

Each trick makes a statement do what a rollback does not undo: it takes an advisory lock of the
session. The test sees the lock outlive the rollback, and the proof has to say no; without the
trick it says yes, so that it is the trick that is found.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from pgallop.cli.server import EmbeddedServer
from pgallop.sql.harmless import PROOF, candidate

LOCK = 4711

# boom() is what must not be called twice.
SCHEMA = f"""
    CREATE TABLE parent (id int PRIMARY KEY, name text);
    INSERT INTO parent SELECT n, 'name' FROM generate_series(1, 2) AS n;
    CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE, n int NOT NULL DEFAULT 0);
    INSERT INTO child VALUES (1, 1), (2, 2);
    CREATE SCHEMA other;
    CREATE FUNCTION other.take() RETURNS int LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_lock({LOCK}); RETURN 1; END';
    CREATE FUNCTION other.take_and_say(yes bool) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
        'BEGIN PERFORM other.take(); RETURN yes; END';
    CREATE FUNCTION other.take_on_change() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM other.take(); RETURN COALESCE(NEW, OLD); END';
"""


class Database:
    """A transaction that is never committed, in a database of nobody else."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.version = connection.info.server_version // 10000

    def run(self, sql: str) -> None:
        self._connection.execute(sql)  # type: ignore[call-overload]

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        return self._connection.execute(sql).fetchall()  # type: ignore[call-overload, no-any-return]

    def proves(self, query: str) -> bool:
        found = candidate(query)
        assert found is not None
        with psycopg.RawCursor(self._connection) as cursor:
            cursor.execute(PROOF, found.parameters())  # type: ignore[arg-type]
            ((answer,),) = cursor.fetchall()
        assert isinstance(answer, bool)
        assert not self.is_locked()
        return answer

    def is_locked(self) -> bool:
        # Some tricks hide the operator =.
        return (
            self.ask(
                "SELECT FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory'"
            )
            != []
        )

    def outlives_its_rollback(self, query: str) -> bool:
        """Run a statement, roll it back, and look whether the lock is still there."""
        self.run("SAVEPOINT before")
        with psycopg.RawCursor(self._connection) as cursor:
            cursor.execute(query)  # type: ignore[arg-type]
        self.run("SET CONSTRAINTS ALL IMMEDIATE")  # as a commit would
        self.run("ROLLBACK TO before")
        locked = self.is_locked()
        self.run("SELECT pg_catalog.pg_advisory_unlock_all()")
        return locked


@pytest.fixture(scope="module")
def connection(server: EmbeddedServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.dsn, autocommit=True) as administrator:
        administrator.execute("CREATE DATABASE harmless")
        with psycopg.connect(server.dsn, dbname="harmless") as connection:
            connection.execute(SCHEMA)  # type: ignore[call-overload]
            connection.commit()
            yield connection
        administrator.execute("DROP DATABASE harmless")


@pytest.fixture
def database(connection: psycopg.Connection) -> Iterator[Database]:
    yield Database(connection)
    connection.rollback()
    connection.execute("SELECT pg_advisory_unlock_all()")
    connection.rollback()


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
        "SELECT data -> 'a' ->> 'b', data @> '{}', data ? 'x', jsonb_set(data, '{a}', '1') FROM users",
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


@pytest.mark.parametrize("extension", ["citext", "hstore", "btree_gist", "pg_trgm", "ltree"])
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
        "SELECT pg_input_is_valid('1', 'int')",
        "SELECT domain_in('x', 1, 1)",
        "SELECT * FROM pg_stat_activity",
        "SELECT other.take()",
    ],
)
def test_functions_with_effects_are_not(database: Database, query: str) -> None:
    assert not database.proves(query)


def function(signature: str, result: str, body: str = "other.take()") -> str:
    """The definition of a function that takes the lock and returns something of a type."""
    return (
        f"CREATE FUNCTION {signature} RETURNS {result} LANGUAGE plpgsql IMMUTABLE AS"
        f" 'BEGIN PERFORM other.take(); RETURN {body}; END';"
    )


def operator(name: str, type: str) -> str:
    """The definition of a comparison in a schema that hides PostgreSQL's own."""
    return (
        function(f"other.compare({type}, {type})", "bool", "true")
        + f"CREATE OPERATOR other.{name} (PROCEDURE = other.compare, LEFTARG = {type},"
        f" RIGHTARG = {type});"
        "SET LOCAL search_path = other, pg_catalog, public;"
    )


def trigger(words: str, table: str = "child") -> str:
    return f"CREATE TRIGGER t {words} ON {table} EXECUTE PROCEDURE other.take_on_change();"


F = function("f()", "int")
F_OF_ROW = function("f(parent)", "int")
ORDER = function("other.cmp(int, int)", "int", "$1 - $2") + (
    "CREATE OPERATOR CLASS other.order FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=,"
    " OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 other.cmp(int, int);"
)
AGGREGATE = function("step(int, int)", "int") + (
    "CREATE AGGREGATE total(int) (SFUNC = step, STYPE = int, INITCOND = '0');"
)
DOMAIN = "CREATE DOMAIN d AS int CHECK (other.take_and_say(VALUE > 0));"
PARTITIONED = (
    "CREATE TABLE whole (a int) PARTITION BY LIST (a);"
    "CREATE TABLE piece PARTITION OF whole FOR VALUES IN (1);"
)
READER = (
    "CREATE ROLE reader; GRANT USAGE ON SCHEMA other TO reader; GRANT ALL ON child TO reader;"
    "ALTER TABLE child ENABLE ROW LEVEL SECURITY; SET LOCAL ROLE reader;"
)
INSERT = "INSERT INTO child VALUES (1, 1)"

# What is made, and the statement that takes the lock by it, and says nothing of it by itself.
TRICKS: dict[str, tuple[str, str]] = {
    "function": (F, "SELECT f()"),
    "function in FROM": (F, "SELECT * FROM f() AS x"),
    "function behind its database": (F, "SELECT harmless.public.f()"),
    "function of an odd name": (function("\"F (''\"()", "int"), "SELECT \"F (''\"()"),
    "function of the session": (function("pg_temp.f()", "int"), "SELECT pg_temp.f()"),
    "function as a column": (F_OF_ROW, "SELECT parent.f FROM parent"),
    "function as a column of an alias": (F_OF_ROW, "UPDATE child SET n = p.f FROM parent AS p"),
    "function as a field": (
        "CREATE TYPE pair AS (a int);" + function("f(pair)", "int"),
        "SELECT (ROW(1)::pair).f",
    ),
    "function that hides lower()": (
        function("other.lower(text)", "text", "$1")
        + "SET LOCAL search_path = other, pg_catalog, public",
        "SELECT lower(name) FROM parent",
    ),
    "function that fits better": (function("lower(int)", "int"), "SELECT lower(id) FROM parent"),
    "function of any number of arguments": (
        function("concat(VARIADIC int[])", "int"),
        "SELECT concat(VARIADIC ARRAY[1])",
    ),
    "aggregate": (AGGREGATE, "SELECT total(id) FROM parent"),
    "window": (AGGREGATE, "SELECT total(id) OVER () FROM parent"),
    "operator": (operator("#+#", "int"), "SELECT 1 #+# 2"),
    "operator of a schema": (operator("+", "int"), "SELECT 1 OPERATOR(other.+) 2"),
    "operator of a star": (operator("*", "int"), "SELECT 1 OPERATOR(other.*) 2"),
    "operator of one operand": (
        function("one(int)", "int") + "CREATE OPERATOR @# (PROCEDURE = one, RIGHTARG = int)",
        "SELECT @# 1",
    ),
    "operator =": (operator("=", "int"), "SELECT id FROM parent WHERE id = 1"),
    "operator = in IN": (operator("=", "int"), "SELECT id FROM parent WHERE id IN (1, 2)"),
    "operator = in CASE": (operator("=", "int"), "SELECT CASE id WHEN 1 THEN 1 END FROM parent"),
    "operator = in NULLIF": (operator("=", "int"), "SELECT NULLIF(id, 1) FROM parent"),
    "operator = in DISTINCT": (operator("=", "int"), "SELECT id IS DISTINCT FROM 1 FROM parent"),
    "operator = in USING": (operator("=", "int"), "SELECT n FROM parent JOIN child USING (id)"),
    "operator = in NATURAL": (operator("=", "int"), "SELECT n FROM parent NATURAL JOIN child"),
    "operator = in ANY": (operator("=", "int"), "SELECT id = ANY ('{1,2}'::int[]) FROM parent"),
    "operator <> in NOT IN": (operator("<>", "int"), "SELECT id NOT IN (1, 2) FROM parent"),
    "operator !=": (operator("<>", "int"), "SELECT id != 1 FROM parent"),
    "operator >= in BETWEEN": (operator(">=", "int"), "SELECT id BETWEEN 1 AND 2 FROM parent"),
    "operator < in NOT BETWEEN": (
        operator("<", "int"),
        "SELECT id NOT BETWEEN 1 AND 2 FROM parent",
    ),
    "operator ~~ in LIKE": (operator("~~", "text"), "SELECT name LIKE 'a' FROM parent"),
    "operator !~~ in NOT LIKE": (operator("!~~", "text"), "SELECT name NOT LIKE 'a' FROM parent"),
    "operator ~~* in ILIKE": (operator("~~*", "text"), "SELECT name ILIKE 'a' FROM parent"),
    "operator ~ in SIMILAR TO": (operator("~", "text"), "SELECT name SIMILAR TO 'a' FROM parent"),
    "operator on texts of no type": (operator("=", "text"), "SELECT 'a' = 'b'"),
    "operator as the opposite": (
        function("other.no(anyarray, anyarray)", "bool", "true")
        + "CREATE OPERATOR other.!@> (PROCEDURE = other.no, LEFTARG = anyarray,"
        " RIGHTARG = anyarray, NEGATOR = OPERATOR(pg_catalog.@>))",
        "SELECT NOT ARRAY[id] @> '{1}'::int[] FROM parent",
    ),
    "operator to sort by": (
        operator("<#", "int")
        + function("other.cmp(int, int)", "int", "$1 - $2")
        + "CREATE OPERATOR CLASS other.c FOR TYPE int USING btree AS OPERATOR 1 other.<#,"
        " OPERATOR 3 =, FUNCTION 1 other.cmp(int, int)",
        "SELECT id FROM parent ORDER BY id USING <#",
    ),
    "order of a type that has none": (
        operator("<#", "point").replace("true", "$1[0] < $2[0]")
        + function("other.cmp(point, point)", "int", "sign($1[0] - $2[0])::int")
        + "CREATE OPERATOR CLASS other.c DEFAULT FOR TYPE point USING btree AS"
        " OPERATOR 1 other.<#, OPERATOR 3 ~=, FUNCTION 1 other.cmp(point, point)",
        "SELECT point(id, id) AS p FROM parent ORDER BY p",
    ),
    "cast to an enum": (
        "CREATE TYPE mood AS ENUM ('sad');"
        + function("m(text)", "mood", "''sad''")
        + "CREATE CAST (text AS mood) WITH FUNCTION m(text)",
        "SELECT name::mood FROM parent",
    ),
    "cast between types of PostgreSQL": (
        function("b(bigint)", "bool", "true")
        + "CREATE CAST (bigint AS bool) WITH FUNCTION b(bigint)",
        "SELECT CAST(count(*) AS bool) FROM parent",
    ),
    "cast that nobody wrote": (
        function("t(int)", "text", "''t''")
        + "CREATE CAST (int AS text) WITH FUNCTION t(int) AS IMPLICIT",
        "SELECT lower(id) FROM parent",
    ),
    "cast in an assignment": (
        function("t(int)", "text", "''t''")
        + "CREATE CAST (int AS text) WITH FUNCTION t(int) AS ASSIGNMENT",
        "UPDATE parent SET name = id",
    ),
    "cast to json": (
        "CREATE TYPE mood AS ENUM ('sad');"
        + function("j(mood)", "json", "''1''")
        + "CREATE CAST (mood AS json) WITH FUNCTION j(mood);"
        + "CREATE TABLE moods (m mood); INSERT INTO moods VALUES ('sad')",
        "SELECT to_json(m) FROM moods",
    ),
    "domain": (DOMAIN, "SELECT id::d FROM parent"),
    "domain of a literal": (DOMAIN, "SELECT d '1'"),
    "domain as a function": (DOMAIN, "SELECT d(id) FROM parent"),
    "domain in an array": (DOMAIN, "SELECT ARRAY[id]::d[] FROM parent"),
    "domain's array": (DOMAIN + "CREATE TABLE ds (a d[])", "INSERT INTO ds VALUES ('{1}')"),
    "domain in a row": (DOMAIN + "CREATE TYPE c AS (x d, y int)", "SELECT '(1,2)'::c"),
    "domain in a row of a row": (
        DOMAIN + "CREATE TYPE c AS (x d); CREATE TABLE cs (c c)",
        """SELECT c FROM jsonb_populate_record(NULL::cs, '{"c": {"x": 1}}')""",
    ),
    "domain in a list of columns": (
        DOMAIN,
        """SELECT x FROM jsonb_to_record('{"x": 1}') AS r (x d)""",
    ),
    "domain in a range": (DOMAIN + "CREATE TYPE r AS RANGE (subtype = d)", "SELECT '[1,2]'::r"),
    "domain on a domain": (DOMAIN + "CREATE DOMAIN e AS d", "SELECT 1::e"),
    "domain's default": (
        "CREATE DOMAIN d AS int DEFAULT other.take(); CREATE TABLE ds (a d, b int)",
        "INSERT INTO ds (b) VALUES (1)",
    ),
    "view": ("CREATE VIEW v AS SELECT other.take()", "SELECT * FROM v"),
    "view before a table": (
        "CREATE TEMP VIEW parent AS SELECT other.take() AS id",
        "SELECT id FROM parent",
    ),
    "view on a view": (
        "CREATE VIEW u AS SELECT other.take() AS a; CREATE VIEW v AS SELECT * FROM u",
        "SELECT v.a FROM public.v",
    ),
    "rule": (
        "CREATE RULE r AS ON INSERT TO child DO ALSO"
        " UPDATE parent SET id = id WHERE other.take_and_say(true)",
        INSERT,
    ),
    "trigger of rows": (trigger("BEFORE INSERT").replace("EXEC", "FOR EACH ROW EXEC"), INSERT),
    "trigger of statements": (trigger("AFTER UPDATE"), "UPDATE child SET n = 1 WHERE false"),
    "trigger in WITH": (
        trigger("AFTER DELETE"),
        "WITH gone AS (DELETE FROM child RETURNING n) SELECT n FROM gone",
    ),
    "trigger of a conflict": (
        trigger("AFTER UPDATE", "parent"),
        "INSERT INTO parent VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'y'",
    ),
    "trigger at the commit": (
        "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON child DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE PROCEDURE other.take_on_change()",
        INSERT,
    ),
    "trigger's condition": (
        "CREATE TRIGGER t BEFORE UPDATE ON child FOR EACH ROW WHEN (other.take_and_say(true))"
        " EXECUTE PROCEDURE suppress_redundant_updates_trigger()",
        "UPDATE child SET n = n",
    ),
    "trigger behind a cascade": (trigger("AFTER DELETE"), "DELETE FROM parent"),
    "trigger of a partition": (
        PARTITIONED + trigger("BEFORE INSERT", "piece").replace("EXEC", "FOR EACH ROW EXEC"),
        "INSERT INTO whole VALUES (1)",
    ),
    "trigger of an heir": (
        "CREATE TABLE heir () INHERITS (child); INSERT INTO heir VALUES (1, 1);"
        + trigger("BEFORE UPDATE", "heir").replace("EXEC", "FOR EACH ROW EXEC"),
        "UPDATE child SET n = 2",
    ),
    "default": (
        "ALTER TABLE child ALTER n SET DEFAULT other.take()",
        "INSERT INTO child (id) VALUES (1)",
    ),
    "default by PostgreSQL's function": (
        f"ALTER TABLE child ALTER n SET DEFAULT pg_try_advisory_lock({LOCK})::int",
        "INSERT INTO child VALUES (1, DEFAULT)",
    ),
    "check": ("ALTER TABLE child ADD CHECK (other.take_and_say(n > 0)) NOT VALID", INSERT),
    "check by PostgreSQL's function": (
        f"ALTER TABLE child ADD CHECK (pg_try_advisory_lock({LOCK})) NOT VALID",
        INSERT,
    ),
    "check by an operator": (
        operator("+", "int") + "ALTER TABLE child ADD CHECK (n OPERATOR(other.+) 1) NOT VALID",
        INSERT,
    ),
    "check by a domain": (
        DOMAIN + "ALTER TABLE child ADD CHECK (n::d > 0) NOT VALID",
        INSERT,
    ),
    "index": ("CREATE INDEX ON child (other.take_and_say(n > 0))", INSERT),
    "index of some": ("CREATE INDEX ON child (n) WHERE other.take_and_say(n > 0)", INSERT),
    "index in another order": (ORDER + "CREATE INDEX ON child (n other.order)", INSERT),
    "partition by a function": (
        "CREATE TABLE whole (a int) PARTITION BY LIST (other.take_and_say(a > 0));"
        "CREATE TABLE piece PARTITION OF whole FOR VALUES IN (true)",
        "INSERT INTO whole VALUES (1)",
    ),
    "partition in another order": (
        ORDER + "CREATE TABLE whole (a int) PARTITION BY RANGE (a other.order);"
        "CREATE TABLE piece PARTITION OF whole FOR VALUES FROM (0) TO (9)",
        "INSERT INTO whole VALUES (1)",
    ),
    "partition's parent": (
        "CREATE TABLE whole (a int) PARTITION BY LIST (other.take_and_say(a > 0));"
        "CREATE TABLE piece PARTITION OF whole FOR VALUES IN (true)",
        "INSERT INTO piece VALUES (1)",
    ),
    "policy": (
        READER + "RESET ROLE; CREATE POLICY p ON child USING (other.take_and_say(true));"
        "SET LOCAL ROLE reader",
        "SELECT n FROM child",
    ),
    "policy that asks a view": (
        "CREATE VIEW v AS SELECT other.take();" + READER + "RESET ROLE;"
        "GRANT SELECT ON v TO reader;"
        "CREATE POLICY p ON child USING (EXISTS (SELECT FROM v)); SET LOCAL ROLE reader",
        "SELECT n FROM child",
    ),
}
SINCE: dict[str, tuple[int, str, str]] = {
    "trigger of the partition's parent": (
        11,
        PARTITIONED + trigger("AFTER INSERT", "whole").replace("EXEC", "FOR EACH ROW EXEC"),
        "INSERT INTO piece VALUES (1)",
    ),
    "generated column": (
        12,
        "CREATE TABLE t (a int, b bool GENERATED ALWAYS AS (other.take_and_say(a > 0)) STORED)",
        "INSERT INTO t VALUES (1)",
    ),
    "partition by another hash": (
        11,
        function("other.hash(int, bigint)", "bigint", "5")
        + "CREATE OPERATOR CLASS other.hash FOR TYPE int USING hash AS OPERATOR 1 =,"
        " FUNCTION 2 other.hash(int, bigint);"
        "CREATE TABLE whole (a int) PARTITION BY HASH (a other.hash);"
        "CREATE TABLE piece PARTITION OF whole FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        "INSERT INTO whole VALUES (1)",
    ),
    "trigger of MERGE": (
        15,
        trigger("AFTER UPDATE"),
        "MERGE INTO child USING parent ON child.id = parent.id WHEN MATCHED THEN UPDATE SET n = 1",
    ),
    "domain in JSON_TABLE": (
        17,
        DOMAIN,
        "SELECT x FROM JSON_TABLE('1'::jsonb, '$' COLUMNS (x d PATH '$'))",
    ),
}


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_is_seen_through(database: Database, name: str) -> None:
    made, query = TRICKS[name]
    assert database.proves(query)
    database.run(made)
    database.run("SELECT pg_advisory_unlock_all()")
    assert database.outlives_its_rollback(query)
    assert not database.proves(query)


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


@pytest.mark.parametrize(
    ("made", "query"),
    [
        ("CREATE MATERIALIZED VIEW m AS SELECT 1 AS a", "SELECT a FROM m"),
        (
            "CREATE EXTENSION file_fdw; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw;"
            "CREATE FOREIGN TABLE f (a text) SERVER s OPTIONS (program 'mail')",
            "SELECT a FROM f",
        ),
        (
            "CREATE EXTENSION file_fdw; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw;"
            "CREATE TABLE f (a text) PARTITION BY LIST (a); CREATE FOREIGN TABLE g"
            " PARTITION OF f FOR VALUES IN ('a') SERVER s OPTIONS (program 'mail')",
            "SELECT a FROM f",
        ),
        ("CREATE EXTENSION dblink", "SELECT dblink('host=/tmp', 'DELETE FROM t')"),
        (
            "CREATE TEXT SEARCH TEMPLATE t (INIT = dsimple_init, LEXIZE = dsimple_lexize)",
            "SELECT to_tsvector('english', name) FROM parent",
        ),
        (
            "CREATE TEXT SEARCH TEMPLATE t (INIT = dsimple_init, LEXIZE = dsimple_lexize)",
            "SELECT name @@ 'x' FROM parent",
        ),
        (
            "CREATE EXTENSION citext; CREATE TABLE t (a int, b citext)",
            "INSERT INTO t (a) VALUES (1)",
        ),
        (
            "CREATE EXTENSION bloom; CREATE INDEX ON child USING bloom (n)",
            "INSERT INTO child VALUES (1, 1)",
        ),
        (
            "CREATE EXTENSION pg_trgm; CREATE INDEX ON parent USING gin (name gin_trgm_ops)",
            "SELECT id FROM parent",
        ),
        (
            "CREATE EXTENSION citext; CREATE TABLE t (a citext);CREATE TABLE u (t t[], b int)",
            "SELECT b FROM u",
        ),
        (
            "CREATE EXTENSION hstore; CREATE CAST (text AS hstore) WITH INOUT AS IMPLICIT",
            "SELECT id FROM parent WHERE name = 'x'",  # hstore has a = too
        ),
        (
            "CREATE OR REPLACE FUNCTION pg_catalog.lower(text) RETURNS text"
            " LANGUAGE plpgsql AS 'BEGIN RETURN other.take(); END'",
            "SELECT lower(name) FROM parent",
        ),
    ],
)
def test_what_could_be_harmless_and_is_not_known_to_be(
    database: Database, made: str, query: str
) -> None:
    assert database.proves(query)
    database.run(made)
    assert not database.proves(query)


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
    assert not database.proves("DELETE FROM child")  # the default alone: it may be set again
    database.run("ALTER TABLE child ALTER n DROP DEFAULT")
    # Its foreign key reads the other table, whose triggers are not called by that.
    assert database.proves("INSERT INTO child VALUES (1, 1)")
    assert not database.proves("DELETE FROM parent")


# All that the proof is written with, hidden by something of the same name.
HIDDEN = """
    CREATE SCHEMA hiding;
    CREATE FUNCTION hiding.unnest(text[]) RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL::text';
    CREATE FUNCTION hiding.regexp_matches(text, text, text) RETURNS SETOF text[] LANGUAGE sql AS
        'SELECT NULL::text[]';
    CREATE FUNCTION hiding.count(oid) RETURNS bigint LANGUAGE sql AS 'SELECT 2::bigint';
    CREATE FUNCTION hiding.concat(text, text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
    CREATE DOMAIN hiding.text AS pg_catalog.text CHECK (other.take_and_say(true));
    CREATE TABLE hiding.pg_proc AS TABLE pg_catalog.pg_proc;
    CREATE TABLE hiding.pg_trigger AS TABLE pg_catalog.pg_trigger WITH NO DATA;
"""


def test_the_proof_itself_cannot_be_fooled(database: Database) -> None:
    database.run(HIDDEN)
    types = ["oid", "text", "name", "int", '"char"', "anyarray", "bigint"]
    for i, type in enumerate(f"pg_catalog.{type}" for type in types):
        database.run(function(f"hiding.f{i}({type}, {type})", "bool", "true"))
        for name in ("=", "<>", "<", ">=", "<=", "&&", "~", "!~"):
            database.run(
                f"CREATE OPERATOR hiding.{name} (PROCEDURE = hiding.f{i}, LEFTARG = {type},"
                f" RIGHTARG = {type})"
            )
    queries = {
        "INSERT INTO child VALUES (1, 1)": False,
        "SELECT upper('x')": True,
        "SELECT other.take()": False,
        "SELECT pg_advisory_lock(1)": False,
        "SELECT * FROM view": False,
    }
    database.run("CREATE VIEW other.view AS SELECT other.take();" + trigger("AFTER INSERT"))
    for path in ("public", "hiding, pg_catalog, public"):
        database.run(f"SET LOCAL search_path = {path}")
        # The operators = and <> are in every statement, and no longer PostgreSQL's alone.
        database.run("SELECT pg_catalog.pg_advisory_unlock_all()")
        assert not any(database.proves(query) for query in queries)
    database.run("SET LOCAL search_path = public; DROP SCHEMA hiding CASCADE")
    assert {query: database.proves(query) for query in queries} == queries


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
        JOIN pg_class c ON c.oid = r.ev_class AND c.relnamespace = 'information_schema'::regnamespace
        CROSS JOIN LATERAL regexp_matches(r.ev_action::text, ':[a-z]*func?(?:id|oid) ([0-9]+)', 'g') m
        JOIN pg_proc p ON p.oid = m[1]::oid
        """
    )
    assert len(rows) > 20
    assert {volatility for _, volatility in rows} <= {"i", "s"}


def test_what_postgresql_computes_with_is_known(database: Database) -> None:
    """No operator, cast or aggregate of a server of any version is missing by accident."""
    for (name,) in database.ask("SELECT DISTINCT oprname FROM pg_operator"):
        assert database.proves(f"SELECT OPERATOR(pg_catalog.{name})"), name
    database.run("CREATE TABLE everything (id int)")
    aggregates = database.ask("SELECT DISTINCT aggfnoid::regproc::text FROM pg_aggregate")
    unknown = [name for (name,) in aggregates if not database.proves(f"SELECT {name}(id)")]
    assert unknown == []
