"""Ways to make a harmless statement call a function that it does not name, or seems not to.

The function takes an advisory lock of the session, which outlives the statement's rollback.
"""

from __future__ import annotations

LOCK = 4711

# take() is what must not be called twice.
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
        'BEGIN PERFORM other.take(); IF TG_LEVEL = ''STATEMENT'' THEN RETURN NULL; END IF;
         IF TG_OP = ''DELETE'' THEN RETURN OLD; END IF; RETURN NEW; END';
"""


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
# A type whose input and output are not PostgreSQL's own, to the catalogue.
NUMBER = (
    "CREATE TYPE number;"
    "CREATE FUNCTION number(cstring) RETURNS number LANGUAGE internal STRICT IMMUTABLE AS 'int4in';"
    "CREATE FUNCTION say(number) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS 'int4out';"
    "CREATE TYPE number (INPUT = number, OUTPUT = say, LIKE = int4);"
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
    "function of the server by another name": (
        "CREATE FUNCTION lower(bigint) RETURNS bool LANGUAGE internal STRICT IMMUTABLE"
        " AS 'pg_try_advisory_lock_int8'",
        "SELECT lower(id::bigint) FROM parent",
    ),
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
    "operator on literals of no type": (
        NUMBER + operator("<=>", "public.number"),
        "SELECT '1' <=> '2'",
    ),
    "operator on one literal of no type": (
        NUMBER
        + function("other.join(int, public.number)", "text", "''a''")
        + "CREATE OPERATOR || (PROCEDURE = other.join, LEFTARG = int, RIGHTARG = number)",
        "SELECT id || '5' FROM parent",
    ),
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
    "range in another order": (
        ORDER + "CREATE TYPE r AS RANGE (subtype = int, subtype_opclass = other.order)",
        "SELECT '[1,2]'::r",
    ),
    "domain on a domain": (DOMAIN + "CREATE DOMAIN e AS d", "SELECT 1::e"),
    "domain in a domain's check": (
        DOMAIN + "CREATE DOMAIN e AS int CHECK (VALUE::d > 0)",
        "SELECT 1::e",
    ),
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
    "view of a function in FROM": (
        F + "CREATE VIEW v AS SELECT x FROM parent, LATERAL f() AS x",
        "SELECT * FROM v",
    ),
    "view of an aggregate": (
        AGGREGATE + "CREATE VIEW v AS SELECT total(id) AS t FROM parent",
        "SELECT t FROM v",
    ),
    "view of a window": (
        AGGREGATE + "CREATE VIEW v AS SELECT total(id) OVER () AS t FROM parent",
        "SELECT t FROM v",
    ),
    "view of an operator": (
        operator("+", "int") + "CREATE VIEW v AS SELECT id OPERATOR(other.+) 2 AS a FROM parent",
        "SELECT a FROM v",
    ),
    "view of an operator to sort by": (
        operator("<#", "int")
        + function("other.cmp(int, int)", "int", "$1 - $2")
        + "CREATE OPERATOR CLASS other.c FOR TYPE int USING btree AS OPERATOR 1 other.<#,"
        " OPERATOR 3 =, FUNCTION 1 other.cmp(int, int);"
        "CREATE VIEW v AS SELECT id FROM parent ORDER BY id USING OPERATOR(other.<#)",
        "SELECT id FROM v",
    ),
    "view of a query in a condition": (
        F + "CREATE VIEW v AS SELECT id FROM parent WHERE id IN (SELECT f() FROM child)",
        "SELECT id FROM v",
    ),
    "view of WITH": (
        F + "CREATE VIEW v AS WITH x AS (SELECT f() AS a) SELECT a FROM x",
        "SELECT a FROM v",
    ),
    "view of a union": (
        F + "CREATE VIEW v AS SELECT 1 AS a UNION ALL SELECT f()",
        "SELECT a FROM v",
    ),
    "view of a cast": (
        DOMAIN + "CREATE VIEW v AS SELECT id::d AS a FROM parent",
        "SELECT a FROM v",
    ),
    "view of a table with a policy": (
        READER + "RESET ROLE; CREATE POLICY p ON child USING (other.take_and_say(true));"
        "GRANT CREATE ON SCHEMA other TO reader; SET LOCAL ROLE reader;"
        "CREATE VIEW other.v AS SELECT n FROM public.child",
        "SELECT n FROM other.v",
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
    "foreign key by an operator": (
        function("other.same(int, bool)", "bool", "true")
        + "CREATE OPERATOR other.#=# (PROCEDURE = other.same, LEFTARG = int, RIGHTARG = bool);"
        "ALTER OPERATOR FAMILY integer_ops USING btree ADD OPERATOR 3 other.#=# (int, bool),"
        " OPERATOR 3 = (bool, bool), FUNCTION 1 (int, bool) btint4cmp(int, int);"
        "CREATE TABLE bools (id bool REFERENCES parent);"
        "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off",
        "INSERT INTO bools VALUES (true)",
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
    "domain in an array": (11, DOMAIN, "SELECT ARRAY[id]::d[] FROM parent"),
    "domain's array": (
        11,
        DOMAIN + "CREATE TABLE ds (a d[])",
        "INSERT INTO ds VALUES ('{1}')",
    ),
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
    "domain in a multirange": (
        14,
        DOMAIN + "CREATE TYPE r AS RANGE (subtype = d, multirange_type_name = rs)",
        "SELECT '{[1,2]}'::rs",
    ),
    "distance in a window": (
        11,
        function("other.within(text, text, int, bool, bool)", "bool", "true")
        + "ALTER OPERATOR FAMILY text_ops USING btree"
        " ADD FUNCTION 3 (text, int) other.within(text, text, int, bool, bool)",
        "SELECT count(*) OVER (ORDER BY name RANGE BETWEEN 1 PRECEDING AND CURRENT ROW)"
        " FROM parent",
    ),
    "distance in a window of a view": (
        11,
        function("other.within(text, text, int, bool, bool)", "bool", "true")
        + "ALTER OPERATOR FAMILY text_ops USING btree"
        " ADD FUNCTION 3 (text, int) other.within(text, text, int, bool, bool);"
        "CREATE VIEW v AS SELECT count(*) OVER"
        " (ORDER BY name RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS c FROM parent",
        "SELECT c FROM v",
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


FOREIGN = "CREATE EXTENSION file_fdw; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw;"
TEMPLATE = "CREATE TEXT SEARCH TEMPLATE t (INIT = dsimple_init, LEXIZE = dsimple_lexize);"

# What is not known to be harmless, though it may be: since which version, what is made, and the
# statement.
UNKNOWN: dict[str, tuple[int, str, str]] = {
    "view of a foreign table": (
        10,
        FOREIGN + "CREATE FOREIGN TABLE f (a text) SERVER s OPTIONS (program 'mail');"
        "CREATE VIEW v AS SELECT a FROM f",
        "SELECT a FROM v",
    ),
    "view that can be written to": (
        10,
        "CREATE VIEW v AS SELECT id, n FROM child",
        "INSERT INTO v VALUES (1, 1)",
    ),
    "view of a sample": (
        10,
        "CREATE EXTENSION tsm_system_rows;"
        "CREATE VIEW v AS SELECT id FROM parent TABLESAMPLE system_rows(1)",
        "SELECT id FROM v",
    ),
    "view of a materialized view": (
        10,
        "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a; CREATE VIEW v AS SELECT a FROM m",
        "SELECT a FROM v",
    ),
    "view that locks": (
        10,
        "CREATE VIEW v AS SELECT id FROM parent FOR UPDATE",
        "SELECT id FROM v",
    ),
    "materialized view": (10, "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a", "SELECT a FROM m"),
    "foreign table": (
        10,
        FOREIGN + "CREATE FOREIGN TABLE f (a text) SERVER s OPTIONS (program 'mail')",
        "SELECT a FROM f",
    ),
    "foreign partition": (
        10,
        FOREIGN + "CREATE TABLE f (a text) PARTITION BY LIST (a); CREATE FOREIGN TABLE g"
        " PARTITION OF f FOR VALUES IN ('a') SERVER s OPTIONS (program 'mail')",
        "SELECT a FROM f",
    ),
    "dblink": (10, "CREATE EXTENSION dblink", "SELECT dblink('host=/tmp', 'DELETE FROM t')"),
    "text search": (10, TEMPLATE, "SELECT to_tsvector('english', name) FROM parent"),
    "text search by an operator": (10, TEMPLATE, "SELECT name @@ 'x' FROM parent"),
    "type": (
        10,
        NUMBER + "CREATE TABLE numbers (a number, b int)",
        "SELECT b FROM numbers",
    ),
    "type in an array in a row": (
        10,
        NUMBER + "CREATE TABLE numbers (a number); CREATE TABLE t (a numbers[], b int)",
        "INSERT INTO t (b) VALUES (1)",
    ),
    "type behind a cascade": (
        10,
        NUMBER + "CREATE TABLE numbers (a number, id int REFERENCES parent ON DELETE CASCADE)",
        "DELETE FROM parent",
    ),
    "distance in a range": (
        10,
        function("other.away(int, int)", "float8", "1")
        + "CREATE TYPE span AS RANGE (subtype = int, subtype_diff = other.away)",
        "SELECT '[1,2]'::span",
    ),
    "kind of index": (
        10,
        "CREATE EXTENSION bloom; CREATE INDEX ON child USING bloom (n)",
        "INSERT INTO child VALUES (1, 1)",
    ),
    "kind of table": (
        12,
        "CREATE ACCESS METHOD pile TYPE TABLE HANDLER heap_tableam_handler;"
        "CREATE TABLE t (a int) USING pile",
        "SELECT a FROM t",
    ),
    "index of an extension": (
        10,
        "CREATE EXTENSION pg_trgm; CREATE INDEX ON parent USING gin (name gin_trgm_ops)",
        "SELECT id FROM parent",
    ),
    "cast without an effect": (
        10,
        "CREATE TYPE odd AS ENUM ('x'); CREATE CAST (text AS odd) WITH INOUT AS IMPLICIT;"
        "CREATE FUNCTION compare(odd, odd) RETURNS bool LANGUAGE sql AS 'SELECT true';"
        "CREATE OPERATOR = (LEFTARG = odd, RIGHTARG = odd, PROCEDURE = compare)",
        "SELECT id FROM parent WHERE name = 'x'",
    ),
    "function of PostgreSQL's that was changed": (
        10,
        "ALTER FUNCTION pg_catalog.lower(text) VOLATILE",
        "SELECT lower(name) FROM parent",
    ),
    "function of PostgreSQL's that was replaced": (
        10,
        "CREATE OR REPLACE FUNCTION pg_catalog.lower(text) RETURNS text"
        " LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN other.take(); END'",
        "SELECT lower(name) FROM parent",
    ),
    "generated column": (
        12,
        # Immutable, and not known. Since 18 reading computes it if it is not STORED.
        "CREATE TABLE t (a oid, b bool"
        " GENERATED ALWAYS AS (postgresql_fdw_validator(ARRAY[]::text[], a)) STORED)",
        "SELECT a FROM t",
    ),
    "encoding": (10, "SET LOCAL client_encoding = 'SJIS'", "SELECT 1"),
}

# What the proof is written with, hidden by other things of these names.
HIDING = """
    CREATE SCHEMA hiding;
    CREATE FUNCTION hiding.unnest(text[]) RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL::text';
    CREATE FUNCTION hiding.regexp_matches(text, text, text) RETURNS SETOF text[] LANGUAGE sql AS
        'SELECT NULL::text[]';
    CREATE FUNCTION hiding.count(oid) RETURNS bigint LANGUAGE sql AS 'SELECT 2::bigint';
    CREATE FUNCTION hiding.concat(text, text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
    CREATE DOMAIN hiding.text AS pg_catalog.text CHECK (other.take_and_say(true));
    CREATE TABLE hiding.pg_trigger AS SELECT * FROM pg_catalog.pg_trigger WHERE false;
    CREATE TABLE hiding.pg_class AS SELECT * FROM pg_catalog.pg_class WHERE false;
    CREATE VIEW hiding.pg_proc AS SELECT p.* FROM pg_catalog.pg_proc AS p, other.take() WHERE false;
    CREATE VIEW other.view AS SELECT other.take();
"""
HIDING_OPERATORS = ("=", "<>", "<", ">=", "<=", "&&", "~", "!~", "->>")
