"""One query for all that the catalogue tells of some types and of what they are made of.

It is not recursive: the planner knows nothing of how deep a recursion goes, takes it for expensive
and compiles it (JIT), which takes longer than the query. Instead it goes down a fixed number of
levels, by OID and through unique indexes only, so that the size of the catalogue does not count.
What is deeper than what is in rows, in arrays, in rows, in an array, is asked about once more.

It takes 2.2 ms with four levels, of which each takes 0.3, and 63 ms where the server compiles
everything (PostgreSQL 15, jit_above_cost = 0), each level 10. With 100,000 types it is the same.

A server that refuses it has types that are text to us, and no more.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.introspection import ARRAY, BASE, COMPOSITE, TypeInfo
from pgallop.errors import (
    DataError,
    InFailedSQLTransactionError,
    PostgresConnectionError,
    PostgresError,
    ProtocolError,
    QueryCanceledError,
)
from pgallop.limits import MAX_TYPES
from pgallop.session.execute import Execute
from pgallop.session.pipeline import Pipeline
from pgallop.session.simple_rows import SimpleRows
from pgallop.session.statement import Description, Statement
from pgallop.sql.quoting import quote_literal
from pgallop.types import parse_server_version
from pgallop.wire.backend import Field

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch

LEVELS = 4

# Since PostgreSQL 14 there are multiranges.
MULTIRANGES = (14,)

# The OIDs below are given by hand, to types that are known here; FirstGenbkiObjectId.
FIRST_OTHER = 10_000

# What pg_class is among the kinds of objects in pg_depend: pg_type.
PG_TYPE = 1247

# The types of what the query has for columns.
COLUMNS = (
    *("oid", "name", "name", "char", "oid", "char", "bool", "bool"),
    *("_text", "_oid"),
)

SAVEPOINT = "SAVEPOINT pgallop_types"
RELEASE = "RELEASE SAVEPOINT pgallop_types"
UNDO = "ROLLBACK TO SAVEPOINT pgallop_types; RELEASE SAVEPOINT pgallop_types"

# Errors that say nothing of what the server can do.
TELLING_NOTHING = (InFailedSQLTransactionError, PostgresConnectionError, QueryCanceledError)

# What a type refers to: elements, base type, bounds, ranges; and the types of its fields.
REFERENCES = """
    SELECT ARRAY(
        SELECT r FROM pg_catalog.pg_type AS t
            LEFT JOIN pg_catalog.pg_range AS s ON s.rngtypid OPERATOR(pg_catalog.=) t.oid
            {join}
            CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.array_cat(
                ARRAY[t.typelem, t.typbasetype, s.rngsubtype{ranges}],
                ARRAY(SELECT a.atttypid {fields})
            )) AS r
        WHERE t.oid OPERATOR(pg_catalog.=) ANY ((SELECT ids FROM level{above})::pg_catalog.oid[])
            AND r OPERATOR(pg_catalog.>=) {first}
    ) AS ids
"""

JOIN = "LEFT JOIN pg_catalog.pg_range AS m ON m.rngmultitypid OPERATOR(pg_catalog.=) t.oid"

FIELDS = """
    FROM pg_catalog.pg_attribute AS a WHERE a.attrelid OPERATOR(pg_catalog.=) t.typrelid
        AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
"""

# An array is what is the array of its elements: others have elements, too (point, name).
TYPES = """
    WITH {levels}
    SELECT t.oid, n.nspname, t.typname,
        CASE WHEN e.oid IS NULL THEN t.typtype ELSE 'a'::pg_catalog."char" END,
        CASE WHEN t.typbasetype OPERATOR(pg_catalog.<>) 0 THEN t.typbasetype
            ELSE COALESCE(e.oid, s.rngsubtype, {ranges} 0::pg_catalog.oid) END,
        COALESCE(e.typdelim, t.typdelim),
        t.typsend::pg_catalog.oid OPERATOR(pg_catalog.<>) 0,
        EXISTS (
            SELECT FROM pg_catalog.pg_depend AS d
            WHERE d.classid OPERATOR(pg_catalog.=) {pg_type}
                AND d.objid OPERATOR(pg_catalog.=) t.oid
                AND d.objsubid OPERATOR(pg_catalog.=) 0
                AND d.deptype OPERATOR(pg_catalog.=) 'e'
        ),
        ARRAY(SELECT a.attname::pg_catalog.text {fields} ORDER BY a.attnum),
        ARRAY(SELECT a.atttypid {fields} ORDER BY a.attnum)
    FROM pg_catalog.pg_type AS t
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
        LEFT JOIN pg_catalog.pg_type AS e ON e.oid OPERATOR(pg_catalog.=) t.typelem
            AND e.typarray OPERATOR(pg_catalog.=) t.oid
        LEFT JOIN pg_catalog.pg_range AS s ON s.rngtypid OPERATOR(pg_catalog.=) t.oid
        {join}
    WHERE t.oid OPERATOR(pg_catalog.=) ANY ({all}::pg_catalog.oid[])
"""


@cache
def types_query(multiranges: bool) -> str:
    """The query; `$1` are the types that are asked about."""
    join, ranges = (JOIN, "m.rngtypid") if multiranges else ("", "")
    levels = ["level0 AS (SELECT $1::pg_catalog.oid[] AS ids)"]
    everything = "(SELECT ids FROM level0)"
    for level in range(1, LEVELS + 1):
        references = REFERENCES.format(
            join=join,
            ranges=ranges and f", {ranges}",
            fields=FIELDS,
            above=level - 1,
            first=FIRST_OTHER,
        )
        levels.append(f"level{level} AS ({references})")
        everything = f"pg_catalog.array_cat({everything}, (SELECT ids FROM level{level}))"
    query = TYPES.format(
        levels=", ".join(levels),
        join=join,
        ranges=ranges and f"{ranges},",
        pg_type=PG_TYPE,
        fields=FIELDS,
        all=everything,
    )
    return " ".join(query.split())


async def answered_types(
    dispatch: "Dispatch", oids: Iterable[int], deadline: float | None, timeout: float | None
) -> list[TypeInfo]:
    """What the catalogue tells of these types, and of those that they are made of; one round trip.

    One that it does not know, or that says what no PostgreSQL says, is missing.
    """
    version = parse_server_version(dispatch.parameters().get("server_version", ""))
    wanted = sorted(oids)
    question = Question(
        types_query(version >= MULTIRANGES),
        ("_oid",),
        (wanted,),
        ("'{" + ",".join(map(str, wanted)) + "}'",),
        COLUMNS,
    )
    try:
        rows = await answered_rows(dispatch, question, deadline, timeout)
    except TELLING_NOTHING:
        raise
    except (PostgresError, DataError):
        return []
    if len(rows) > MAX_TYPES:
        dispatch.lose(ProtocolError(f"the server described {len(rows)} types"))
    infos = [info_of(row) for row in rows]
    return [info for info in infos if info is not None]


NAMED = """
    SELECT t.oid FROM pg_catalog.pg_type AS t
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
    WHERE t.typname OPERATOR(pg_catalog.=) $1::pg_catalog.name
        AND n.nspname OPERATOR(pg_catalog.=) $2::pg_catalog.name
"""


async def answered_oid(
    dispatch: "Dispatch", schema: str, name: str, deadline: float | None, timeout: float | None
) -> int | None:
    """The type of this name; None if there is none."""
    query = " ".join(NAMED.split())
    literals = (quote_literal(name), quote_literal(schema))
    question = Question(query, ("name", "name"), (name, schema), literals, ("oid",))
    rows = await answered_rows(dispatch, question, deadline, timeout)
    return rows[0][0] if rows else None


class Question(NamedTuple):
    """A query for the catalogue, with its arguments, which are `literals` in the simple protocol.

    `parameters`, `columns`: the names of their types.
    """

    query: str
    parameters: tuple[str, ...]
    arguments: tuple[Any, ...]
    literals: tuple[str, ...]
    columns: tuple[str, ...]


async def answered_rows(
    dispatch: "Dispatch", question: Question, deadline: float | None, timeout: float | None
) -> Sequence[Any]:
    """The rows of a query, which cannot make a transaction of the user fail."""
    query = question.query
    in_transaction = dispatch.in_transaction() or bool(dispatch.ownership.blocks)
    before, behind = [], []
    if in_transaction:
        before, behind = [SAVEPOINT], [RELEASE]
    try:
        if dispatch.simple:
            for i, literal in enumerate(question.literals, 1):
                query = query.replace(f"${i}", literal)
            text = "; ".join([*before, query, *behind])
            request = SimpleRows(dispatch.new_future(), text, builtin_registry(), False)
            rows, _ = await dispatch.answered(request, deadline, timeout)
            return rows  # type: ignore[no-any-return]
        asked = execute(query, question.parameters, question.arguments, question.columns)
        others = [[execute(text) for text in texts] for texts in (before, behind)]
        pipeline = Pipeline(dispatch.new_future(), [*others[0], asked, *others[1]])
        await dispatch.answered(pipeline, deadline, timeout)
    except PostgresError as error:
        if in_transaction and not isinstance(error, TELLING_NOTHING):
            await dispatch.answer(dispatch.control(UNDO))
        raise
    if asked.error is not None:
        raise asked.error
    return asked.all_rows()


def execute(
    query: str,
    parameters: tuple[str, ...] = (),
    arguments: tuple[Any, ...] = (),
    columns: tuple[str, ...] | None = None,
) -> Execute:
    """The execution of a statement without a name, whose types are known."""
    fields = None
    if columns is not None:
        fields = tuple([Field("", 0, 0, oid_of(name), -1, -1, 0) for name in columns])
    description = Description(tuple(map(oid_of, parameters)), fields)
    statement = Statement(query, b"", description, builtin_registry(), None, True)
    return Execute(None, statement, arguments)


def oid_of(name: str) -> int:
    return ARRAYS[name[1:]] if name.startswith("_") else OIDS[name]


def info_of(row: Any) -> TypeInfo | None:
    """One row of the answer; None for what no PostgreSQL says."""
    try:
        oid, schema, name, kind, part, delimiter, has_binary, extended, names, types = row
        is_right = (
            all(isinstance(each, int) for each in (oid, part, *types))
            and all(isinstance(each, str) for each in (schema, name, kind, delimiter, *names))
            and len(names) == len(types)
            and len(delimiter) == 1
            and (kind == COMPOSITE or not types)
            and all(types)
        )
    except (TypeError, ValueError):
        return None
    if not is_right or (kind == ARRAY and not part):
        return None
    fields = tuple(zip(names, types, strict=True))
    part = 0 if kind in (BASE, COMPOSITE) else part
    return TypeInfo(oid, schema, name, kind, part, delimiter, has_binary, extended, fields)
