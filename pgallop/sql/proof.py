"""The questions to the catalogue that prove a statement harmless: to repeat, or to the session.

It asks for all that has one of the statement's names, in any schema: so it needs to know nothing of
search_path, temporary objects or the scope of a name, and takes too much for involved rather than
too little. Whatever was not there when the cluster was made (its OID is 16384 or above) counts as
unknown, unless what it is made of is known, which the libraries of some extensions are.

Source: PostgreSQL documentation, chapter "System Catalogs"; the nodes of stored expressions are
those of primnodes.h, as outfuncs.c writes them.
"""

from __future__ import annotations

from collections.abc import Iterable

from pgallop.sql._harmless_functions import FUNCTIONS, LEAVING, VOLATILE
from pgallop.sql.lexer import Kind, tokenize

__all__ = ["PROOF", "TRACELESS"]

# What stored expressions may be made of; the names of some changed with PostgreSQL 16. Left out are
# queries, and what compares or converts by functions that the node does not name.
_NODES = """
    ARRAY ARRAYCOERCEEXPR ARRAYEXPR ARRAYREF BOOLEANTEST BOOLEXPR CASE CASEEXPR CASETESTEXPR
    CASEWHEN COALESCE COALESCEEXPR COERCETODOMAIN COERCETODOMAINVALUE COERCEVIAIO COLLATE
    COLLATEEXPR CONST DISTINCTEXPR FUNCEXPR NAMEDARGEXPR NEXTVALUEEXPR NULLIFEXPR NULLTEST
    OPEXPR RELABELTYPE ROW ROWEXPR SCALARARRAYOPEXPR SQLVALUEFUNCTION SUBSCRIPTINGREF VAR WHEN
"""

# What the queries of views may be made of beside that. The relations in them are looked at, too.
_QUERY_NODES = """
    AGGREF ALIAS COMMONTABLEEXPR EREF FROMEXPR GROUPINGFUNC GROUPINGSET JOINEXPR PARAM QUERY
    RANGETBLENTRY RANGETBLFUNCTION RANGETBLREF RTE RTEPERMISSIONINFO SETOPERATIONSTMT
    SORTGROUPCLAUSE SUBLINK TARGETENTRY WINDOWCLAUSE WINDOWFUNC
"""

# The trigger functions of deferrable unique constraints (unique_key_recheck), the one that skips
# updates that change nothing, and those of foreign keys (RI_FKey_...). What a cascade writes to is
# looked at like what the statement does.
_TRIGGERS = (1250, 1291, *range(1644, 1656))

# What extensions compute by, as their functions name it: what is written there in C, and is not
# volatile, has no effects. Only a superuser can have a function call a library.
_LIBRARIES = """
    citext cube hstore isn ltree seg vector postgis-3 postgis_raster-3
"""

# What is called immutable there, and has the session read other texts as numbers from then on
# (isn_weak(), until PostgreSQL 17).
_REMEMBERED = "accept_weak_input"

# Functions, tables and types are written with their schema, the operators get it below.
# No IN, LIKE, BETWEEN, JOIN USING or CASE x WHEN: their operators cannot be given a schema.
_SQL = """
WITH RECURSIVE
-- The functions of PostgreSQL's own that are known. Those of the language internal (12) are part of
-- the server. The body of one in SQL (14) was mostly stored as text until PostgreSQL 13: then it
-- must not have an operator that search_path could give another meaning. Its operands' types are
-- always exact.
ambiguous(oid) AS (
    SELECT p.oid
    FROM pg_catalog.pg_operator AS o
    JOIN pg_catalog.pg_proc AS p ON pg_catalog.strpos(p.prosrc, o.oprname::pg_catalog.text) > 0
    WHERE p.prolang = 14 AND o.oid >= 16384 AND o.oprleft < 16384 AND o.oprright < 16384
),
own(oid, source) AS (
    SELECT p.oid, CASE WHEN p.prolang = 12 THEN p.prosrc END
    FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.unnest('<functions>'::pg_catalog.text[]) AS listed(name)
        ON p.proname::pg_catalog.text = listed.name
    WHERE p.oid < 16384
        AND (p.provolatile <> 'v'
            OR p.proname::pg_catalog.text = ANY ('<volatile>'::pg_catalog.text[]))
        AND (p.prolang = 12
            OR CASE WHEN p.prolang = 14 THEN
                (pg_catalog.to_jsonb(p) ->> 'prosqlbody') IS NOT NULL
                OR NOT p.oid = ANY (SELECT a.oid FROM ambiguous AS a) END)
        -- Dictionaries and parsers are called by these.
        AND (p.proname::pg_catalog.text !~
                '^(.*to_ts(vector|query)|ts_(debug|headline|lexize|match_t[tq]|parse|token_type))$'
            OR NOT EXISTS (SELECT FROM pg_catalog.pg_ts_template AS x WHERE x.oid >= 16384)
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_ts_parser AS x WHERE x.oid >= 16384))
),
-- Extensions give other names to functions of PostgreSQL's own, and have some in C (13).
simple(oid) AS (
    SELECT o.oid FROM own AS o
    UNION ALL
    -- Each range type has its own.
    SELECT p.oid FROM pg_catalog.pg_proc AS p
    WHERE p.prolang = 12 AND p.prosrc ~ '^(multi)?range_constructor[0-3]$'
    UNION ALL
    SELECT p.oid FROM pg_catalog.pg_proc AS p
    WHERE p.oid >= 16384 AND p.provolatile <> 'v'
        AND (p.prolang = 12 AND p.prosrc <> 'aggregate_dummy'
                AND p.prosrc = ANY (SELECT o.source FROM own AS o)
            OR p.prolang = 13 AND p.probin = ANY ('<libraries>'::pg_catalog.text[])
                AND NOT p.prosrc = ANY ('<remembered>'::pg_catalog.text[]))
),
-- And they make aggregates of them.
known(oid) AS (
    SELECT s.oid FROM simple AS s
    UNION ALL
    SELECT a.aggfnoid::pg_catalog.oid FROM pg_catalog.pg_aggregate AS a
    WHERE a.aggfnoid::pg_catalog.oid >= 16384 AND a.aggsortop = 0
        AND a.aggtransfn::pg_catalog.oid = ANY (SELECT s.oid FROM simple AS s)
        AND (a.aggfinalfn = 0 OR a.aggfinalfn::pg_catalog.oid = ANY (SELECT s.oid FROM simple AS s))
        AND (a.aggcombinefn = 0
            OR a.aggcombinefn::pg_catalog.oid = ANY (SELECT s.oid FROM simple AS s))
        AND (a.aggserialfn = 0
            OR a.aggserialfn::pg_catalog.oid = ANY (SELECT s.oid FROM simple AS s))
        AND (a.aggdeserialfn = 0
            OR a.aggdeserialfn::pg_catalog.oid = ANY (SELECT s.oid FROM simple AS s))
        AND a.aggmtransfn = 0
),
-- The operators of which something is unknown: their function, or those that estimate how much
-- they find.
doubtful(oid) AS (
    SELECT o.oid FROM pg_catalog.pg_operator AS o
    WHERE NOT o.oprcode::pg_catalog.oid = ANY (SELECT k.oid FROM known AS k)
        OR o.oprrest::pg_catalog.oid >= 16384
            AND NOT o.oprrest::pg_catalog.oid = ANY (SELECT k.oid FROM known AS k)
        OR o.oprjoin::pg_catalog.oid >= 16384
            AND NOT o.oprjoin::pg_catalog.oid = ANY (SELECT k.oid FROM known AS k)
),
-- Or that of an operator that may be put in their place: a negator, a commutator, one of the other.
replaced(oid) AS (
    SELECT o.oid FROM pg_catalog.pg_operator AS o
    WHERE o.oid = ANY (SELECT d.oid FROM doubtful AS d)
        OR o.oprcom = ANY (SELECT d.oid FROM doubtful AS d)
        OR o.oprnegate = ANY (SELECT d.oid FROM doubtful AS d)
),
unsound(oid) AS (
    SELECT o.oid FROM pg_catalog.pg_operator AS o
    WHERE o.oid = ANY (SELECT r.oid FROM replaced AS r)
        OR o.oid >= 16384 AND (
            o.oprcom = ANY (SELECT r.oid FROM replaced AS r)
            OR o.oprnegate = ANY (SELECT r.oid FROM replaced AS r))
),
-- The operator classes of which all functions and operators are known, and how they are used.
class(oid) AS (
    SELECT x.oid FROM pg_catalog.pg_opclass AS x
    WHERE x.oid < 16384
        OR x.opcmethod < 16384
        AND NOT x.opcfamily = ANY (
            SELECT f.amprocfamily FROM pg_catalog.pg_amproc AS f
            WHERE NOT f.amproc::pg_catalog.oid = ANY (SELECT k.oid FROM known AS k))
        AND NOT x.opcfamily = ANY (
            SELECT f.amopfamily FROM pg_catalog.pg_amop AS f
            WHERE f.amopopr = ANY (SELECT u.oid FROM unsound AS u))
),
-- Where a relation leads: to partitions and heirs, both ways, to where a foreign key cascades, and
-- to where it only reads; a view to what it reads (2618 is pg_rewrite, 1259 pg_class). `always`: if
-- only read too; `keeps`: if written to, so is the other one.
lead(source, target, always, keeps) AS (
    SELECT i.inhparent, i.inhrelid, true, true FROM pg_catalog.pg_inherits AS i
    UNION ALL
    SELECT i.inhrelid, i.inhparent, true, true FROM pg_catalog.pg_inherits AS i
    UNION ALL
    SELECT k.confrelid, k.conrelid, false,
        $1::pg_catalog.text[] && '{update,delete}'::pg_catalog.text[]
            AND pg_catalog.concat(k.confdeltype, k.confupdtype) ~ '[cnd]'
    FROM pg_catalog.pg_constraint AS k WHERE k.contype = 'f'
    UNION ALL
    SELECT k.conrelid, k.confrelid, false, false
    FROM pg_catalog.pg_constraint AS k WHERE k.contype = 'f'
    UNION ALL
    SELECT x.ev_class, d.refobjid, true, false
    FROM pg_catalog.pg_rewrite AS x JOIN pg_catalog.pg_depend AS d ON d.objid = x.oid
    WHERE d.classid = 2618 AND d.refclassid = 1259 AND d.refobjid <> x.ev_class
),
-- The relations that are named, and those that they lead to. (information_schema reads catalogues.)
involved(oid, written) AS (
    SELECT c.oid, $1::pg_catalog.text[] && '{insert,update,delete}'::pg_catalog.text[]
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relname::pg_catalog.text = ANY ($1::pg_catalog.text[])
        AND c.relkind = ANY ('{r,p,v,m,f}'::pg_catalog."char"[])
        AND (n.nspname <> 'information_schema' OR c.oid >= 16384)
    UNION
    SELECT l.target, i.written AND l.keeps
    FROM involved AS i JOIN lead AS l ON l.source = i.oid
    WHERE i.written OR l.always
),
-- The way through arrays only tells the planner that there are few: it thinks of 10,000 times as
-- many, and has such a question compiled (jit), which takes more than a second.
relation(oid, written) AS (
    SELECT r.oid, r.written
    FROM (
        SELECT pg_catalog.array_agg(i.oid) AS oids, pg_catalog.array_agg(i.written) AS writes
        FROM involved AS i
    ) AS one
    CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(one.oids), pg_catalog.unnest(one.writes))
        AS r(oid, written)
),
-- Whether something is set to its default: by INSERT, by that word, or by a foreign key.
fill(defaults) AS (
    SELECT $1::pg_catalog.text[] && '{insert,default}'::pg_catalog.text[] OR EXISTS (
        SELECT FROM pg_catalog.pg_constraint AS k
        WHERE k.contype = 'f' AND pg_catalog.concat(k.confdeltype, k.confupdtype) ~ 'd'
    )
),
-- What the server computes when it reads or writes them; `is_query`: that of a view.
expression(tree, is_query) AS (
    SELECT d.adbin::pg_catalog.text, false
    FROM relation AS r
    JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = r.oid
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    CROSS JOIN fill AS f
    WHERE r.written AND f.defaults OR (pg_catalog.to_jsonb(a) ->> 'attgenerated') <> ''
    UNION ALL
    SELECT k.conbin::pg_catalog.text, false
    FROM relation AS r JOIN pg_catalog.pg_constraint AS k ON k.conrelid = r.oid
    UNION ALL
    SELECT pg_catalog.concat(i.indexprs::pg_catalog.text, i.indpred::pg_catalog.text), false
    FROM relation AS r JOIN pg_catalog.pg_index AS i ON i.indrelid = r.oid
    UNION ALL
    SELECT p.partexprs::pg_catalog.text, false
    FROM relation AS r JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = r.oid
    UNION ALL
    SELECT pg_catalog.concat(p.polqual::pg_catalog.text, p.polwithcheck::pg_catalog.text), false
    FROM relation AS r
    JOIN pg_catalog.pg_class AS c ON c.oid = r.oid
    JOIN pg_catalog.pg_policy AS p ON p.polrelid = r.oid
    WHERE c.relrowsecurity
    UNION ALL
    SELECT x.ev_action::pg_catalog.text, true
    FROM relation AS r
    JOIN pg_catalog.pg_class AS c ON c.oid = r.oid
    JOIN pg_catalog.pg_rewrite AS x ON x.ev_class = r.oid
    WHERE c.relkind = 'v' AND x.ev_type = '1'
),
-- What a type is made of.
part(whole, oid) AS (
    SELECT y.oid, y.typelem FROM pg_catalog.pg_type AS y WHERE y.typelem >= 16384
    UNION ALL
    SELECT y.oid, y.typbasetype FROM pg_catalog.pg_type AS y WHERE y.typbasetype >= 16384
    UNION ALL
    SELECT g.rngtypid, g.rngsubtype FROM pg_catalog.pg_range AS g WHERE g.rngsubtype >= 16384
    UNION ALL
    SELECT (pg_catalog.to_jsonb(g) ->> 'rngmultitypid')::pg_catalog.oid, g.rngtypid
    FROM pg_catalog.pg_range AS g WHERE g.rngtypid >= 16384
    UNION ALL
    SELECT y.oid, a.atttypid
    FROM pg_catalog.pg_type AS y
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = y.typrelid
    WHERE a.atttypid >= 16384
    UNION ALL
    SELECT k.contypid, mention.words[1]::pg_catalog.oid
    FROM pg_catalog.pg_constraint AS k
    CROSS JOIN LATERAL
        pg_catalog.regexp_matches(k.conbin::pg_catalog.text, '<types>', 'g') AS mention(words)
    WHERE k.contypid <> 0
),
-- The types that are named, stored or used in the expressions, and those that they are made of.
used(oid) AS (
    SELECT found.oid
    FROM (
        SELECT t.oid FROM pg_catalog.pg_type AS t
        WHERE t.typname::pg_catalog.text = ANY ($1::pg_catalog.text[])
        UNION ALL
        SELECT a.atttypid
        FROM relation AS r JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid
        UNION ALL
        SELECT mention.words[1]::pg_catalog.oid
        FROM expression AS e
        CROSS JOIN LATERAL pg_catalog.regexp_matches(e.tree, '<types>', 'g') AS mention(words)
    ) AS found(oid)
    WHERE found.oid >= 16384
    UNION
    SELECT p.oid FROM used AS u JOIN part AS p ON p.whole = u.oid WHERE p.oid >= 16384
),
type(oid) AS (
    SELECT pg_catalog.unnest(one.oids)
    FROM (SELECT pg_catalog.array_agg(u.oid) AS oids FROM used AS u) AS one
),
tree(nodes, is_query) AS (
    SELECT e.tree, e.is_query FROM expression AS e
    UNION ALL
    SELECT k.conbin::pg_catalog.text, false
    FROM type AS t JOIN pg_catalog.pg_constraint AS k ON k.contypid = t.oid
    UNION ALL
    SELECT y.typdefaultbin::pg_catalog.text, false
    FROM type AS t JOIN pg_catalog.pg_type AS y ON y.oid = t.oid
),
-- All types that a value can have: PostgreSQL's own, and those above.
reachable(oid) AS (
    SELECT y.oid FROM pg_catalog.pg_type AS y WHERE y.oid < 16384
    UNION ALL
    SELECT t.oid FROM type AS t
)
SELECT
-- The server reads the characters that the statement was sent with.
pg_catalog.current_setting('client_encoding') = 'UTF8'
-- Its OIDs tell what is its own. Those that CockroachDB gives to users' tables are small.
AND pg_catalog.strpos(pg_catalog.version(), 'PostgreSQL ') = 1
-- Every function of such a name is known.
AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_proc AS p
    WHERE p.proname::pg_catalog.text = ANY ($2::pg_catalog.text[])
        AND NOT p.oid = ANY (SELECT k.oid FROM known AS k)
)
-- So is every operator. One on types that no value has is not chosen, where the same operator is
-- there for text, which literals of no type become ("Operator Type Resolution").
AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_operator AS o
    WHERE o.oprname::pg_catalog.text = ANY ($3::pg_catalog.text[])
        AND o.oid = ANY (SELECT u.oid FROM unsound AS u)
        AND NOT (
            o.oid >= 16384
            AND EXISTS (
                SELECT FROM pg_catalog.pg_operator AS x
                WHERE x.oid < 16384 AND x.oprname = o.oprname AND x.oprleft = 25 AND x.oprright = 25
            )
            AND 2 = (
                SELECT pg_catalog.count(y.oid)
                FROM pg_catalog.unnest(ARRAY[o.oprleft, o.oprright]) AS operand(type)
                JOIN pg_catalog.pg_type AS y ON y.oid = operand.type
                WHERE NOT y.oid = ANY (SELECT t.oid FROM reachable AS t)
                    AND y.typtype = ANY ('{b,e,r,m}'::pg_catalog."char"[]) AND y.typelem = 0
                    AND NOT EXISTS (
                        SELECT FROM pg_catalog.pg_cast AS k
                        WHERE k.casttarget = y.oid AND k.castcontext = 'i'
                            AND k.castsource = ANY (SELECT t.oid FROM reachable AS t)
                    )
            )
        )
)
-- No operator of PostgreSQL's own has been given another one's negator or commutator.
AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_operator AS o
    WHERE o.oid < 16384 AND (o.oprcom >= 16384 OR o.oprnegate >= 16384)
)
-- Nor has one of its operator families got an operator or a function of others, in_range() say.
AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_amproc AS x
    WHERE x.amprocfamily < 16384 AND x.amproc::pg_catalog.oid >= 16384
)
AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_amop AS x
    WHERE x.amopfamily < 16384 AND x.amopopr >= 16384
)
-- No cast between such types calls an unknown function.
AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_cast AS k
    WHERE k.castmethod = 'f'
        AND NOT k.castfunc = ANY (SELECT x.oid FROM known AS x)
        AND k.castsource = ANY (SELECT t.oid FROM reachable AS t)
        AND k.casttarget = ANY (SELECT t.oid FROM reachable AS t)
)
-- They are sorted and hashed (403, 405) by nothing unknown.
AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_opclass AS x
    WHERE x.opcdefault AND NOT x.oid = ANY (SELECT c.oid FROM class AS c)
        AND x.opcmethod = ANY ('{403,405}'::pg_catalog.oid[])
        AND x.opcintype = ANY (SELECT t.oid FROM reachable AS t)
)
-- The types are enums, arrays (read by array_in, 750), rows, domains and ranges, or what known
-- functions read and write.
AND NOT EXISTS (
    SELECT FROM type AS t
    JOIN pg_catalog.pg_type AS y ON y.oid = t.oid
    LEFT JOIN pg_catalog.pg_range AS g ON g.rngtypid = t.oid
    WHERE NOT (y.typtype = ANY ('{c,d,e,m}'::pg_catalog."char"[])
        OR y.typtype = 'b' AND y.typelem <> 0 AND y.typinput::pg_catalog.oid = 750
        OR y.typtype = 'b' AND NOT EXISTS (
            SELECT FROM pg_catalog.unnest(ARRAY[
                y.typinput::pg_catalog.oid, y.typoutput::pg_catalog.oid,
                y.typmodin::pg_catalog.oid, y.typreceive::pg_catalog.oid,
                y.typsend::pg_catalog.oid]) AS needed(oid)
            WHERE needed.oid <> 0 AND NOT needed.oid = ANY (SELECT k.oid FROM known AS k))
        OR y.typtype = 'r' AND g.rngsubopc < 16384
            AND g.rngcanonical::pg_catalog.oid < 16384 AND g.rngsubdiff::pg_catalog.oid < 16384)
)
-- The relations are tables, without rules, kept by an access method of PostgreSQL's own, or views
-- that are only read.
AND NOT EXISTS (
    SELECT FROM relation AS r JOIN pg_catalog.pg_class AS c ON c.oid = r.oid
    WHERE NOT (c.relkind = ANY ('{r,p}'::pg_catalog."char"[])
            OR c.relkind = 'v' AND NOT r.written)
        OR c.relam >= 16384
        OR EXISTS (SELECT FROM pg_catalog.pg_rewrite AS x WHERE x.ev_class = r.oid AND r.written)
)
AND NOT EXISTS (
    SELECT FROM relation AS r JOIN pg_catalog.pg_trigger AS x ON x.tgrelid = r.oid
    WHERE r.written
        AND (x.tgqual IS NOT NULL OR NOT x.tgfoid = ANY ('<triggers>'::pg_catalog.oid[]))
)
AND NOT EXISTS (
    SELECT FROM relation AS r JOIN pg_catalog.pg_index AS i ON i.indrelid = r.oid
    CROSS JOIN LATERAL pg_catalog.unnest(i.indclass::pg_catalog.oid[]) AS needed(oid)
    WHERE NOT needed.oid = ANY (SELECT c.oid FROM class AS c)
)
AND NOT EXISTS (
    SELECT FROM relation AS r JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = r.oid
    CROSS JOIN LATERAL pg_catalog.unnest(p.partclass::pg_catalog.oid[]) AS needed(oid)
    WHERE NOT needed.oid = ANY (SELECT c.oid FROM class AS c)
)
-- The expressions consist of known nodes, which call known functions; operators tell theirs.
AND NOT EXISTS (
    SELECT FROM tree AS x
    CROSS JOIN LATERAL pg_catalog.regexp_matches(x.nodes, '[{]([A-Z_]+)', 'g') AS node(words)
    WHERE NOT node.words[1] = ANY ('<nodes>'::pg_catalog.text[])
        AND NOT (x.is_query AND node.words[1] = ANY ('<query_nodes>'::pg_catalog.text[]))
)
AND NOT EXISTS (
    SELECT FROM tree AS x
    CROSS JOIN LATERAL pg_catalog.regexp_matches(x.nodes,
        ':(?:(?:func|opfunc|elemfunc|hashfunc|negfunc)id|aggfnoid|winfnoid|startInRangeFunc'
        '|endInRangeFunc) ([1-9][0-9]*)', 'g') AS call(words)
    WHERE NOT call.words[1]::pg_catalog.oid = ANY (SELECT k.oid FROM known AS k)
)
-- The operators of a query can be put in the place of others, and sort.
AND NOT EXISTS (
    SELECT FROM tree AS x
    CROSS JOIN LATERAL pg_catalog.regexp_matches(
        x.nodes, ':(?:opno|eqop|sortop) ([1-9][0-9]*)', 'g') AS call(words)
    WHERE x.is_query AND call.words[1]::pg_catalog.oid = ANY (SELECT u.oid FROM unsound AS u)
)
"""

# Neither is undone by the end of a transaction: the last value of a sequence, for currval() and
# lastval(), and what is written to a temporary table. The default of an identity column is made
# when a statement is planned, and stored nowhere.
_NOTHING_KEPT = """
AND NOT EXISTS (
    SELECT FROM relation AS r JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid
    CROSS JOIN fill AS f
    WHERE r.written AND f.defaults AND a.attidentity <> ''
)
AND NOT EXISTS (
    SELECT FROM relation AS r JOIN pg_catalog.pg_class AS c ON c.oid = r.oid
    WHERE r.written AND c.relpersistence = 't'
)
"""


def _literal(names: Iterable[object]) -> str:
    return "'{" + ",".join(map(str, names)) + "}'"


def _qualified(sql: str) -> str:
    """The same without comments, all operators taken from pg_catalog, and nothing cast.

    A quoted number is of the type that it is compared with, so that casts and operators which
    somebody has added cannot get between.
    """
    parts: list[str] = []
    for kind, text in tokenize(sql):
        if kind is Kind.OPERATOR:
            parts.append(f"OPERATOR(pg_catalog.{text})")
        elif kind is Kind.NUMBER and parts[-1] != "[":
            parts.append(f"'{text}'")
        elif kind is Kind.SPACE or kind is Kind.COMMENT:
            parts.append(" ")
        else:
            parts.append(text)
    return " ".join("".join(parts).split(" "))


def _proof(sql: str, excepted: str = "", remembered: str = "") -> str:
    """The question in which what is listed is known, but for some functions, there and in C."""
    literals = {
        "functions": _literal(sorted({*FUNCTIONS.split()}.difference(excepted.split()))),
        "volatile": _literal(sorted({*VOLATILE.split()}.difference(excepted.split()))),
        "nodes": _literal(_NODES.split()),
        "query_nodes": _literal(_QUERY_NODES.split()),
        "libraries": _literal([f"$libdir/{name}" for name in _LIBRARIES.split()]),
        "remembered": _literal(remembered.split()),
        "triggers": _literal(_TRIGGERS),
        "types": "':[a-z_]*type(?:id|Id)? ([0-9]+)'",
    }
    for name, literal in literals.items():
        sql = sql.replace(f"'<{name}>'", literal)
    return sql


# Once for both: it takes 15 ms.
_QUALIFIED = _qualified(_SQL)

PROOF = _proof(_QUALIFIED)
"""One row with one bool: whether the statement with the names `$1`, `$2`, `$3` may be run again.

`$1` text[]: all identifiers; `$2` text[]: names of functions; `$3` text[]: operators, as
`Candidate.parameters` returns them. For PostgreSQL 10 and newer, any role and any search_path. An
error in answer to it is a no. The names of several statements at once are asked about as one: a yes
is one to each of them.
"""

TRACELESS = _proof(_QUALIFIED + _qualified(_NOTHING_KEPT), LEAVING, _REMEMBERED)
"""The same, but asked is whether it leaves nothing in its session once its transaction has ended.

That is what the next user of the session could see: settings, role, locks, temporary tables,
cursors, prepared statements, channels listened to, the last values of sequences.
"""
