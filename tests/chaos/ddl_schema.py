"""What line 17 reads and others change: tables, views, functions and types, each in two schemas.

Whatever is read tells what it has to be: `n` is a number's text and never changes its type, `kind`
is the type of `a`, `place` the schema (or "temp") that a name led to. They are changed in the same
transaction as `a`, so a value that is read as another type, or from another place, shows.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from pgallop.rows.record import Record

# Roles with schemas of their names: where search_path says "$user", SET ROLE changes what names
# mean.
SCHEMAS = ("storm_one", "storm_two")
NUMBERS = (3, 7)


class Kind(NamedTuple):
    """A type: how SQL makes it of a text, what Python gets, alone and in an array."""

    sql: str
    value: Callable[[int], Any]
    array: Callable[[int], Any] | None = None  # [value] if not given

    def of(self, text: str) -> str:
        """An expression of this type."""
        if self.sql == "date":
            return f"(DATE '2000-01-01' + ({text})::int4)"
        if self.sql == "regclass":
            return f"({text})::oid::regclass"
        if self.sql == "int4[]":
            return f"ARRAY[({text})::int4]"
        if self.sql == "pair":
            return f"ROW(({text})::int4, ({text})::text)::pair"
        return f"({text})::{self.sql}"


# "1".."9" are no OIDs of relations, which regclass shows as they are.
KINDS: Mapping[str, Kind] = {
    "int4": Kind("int4", int),
    "int8": Kind("int8", int),
    "numeric": Kind("numeric", Decimal),
    "float8": Kind("float8", float),
    "text": Kind("text", str),
    "date": Kind("date", lambda n: date(2000, 1, 1) + timedelta(n)),
    "mood": Kind("mood", str),
    "regclass": Kind("regclass", str),
    "int4[]": Kind("int4[]", lambda n: [n], lambda n: [[n]]),
    "pair": Kind("pair", lambda n: (n, str(n))),
}

# Those that a number can be passed for.
NUMBER_KINDS = ("int4", "int8", "numeric", "float8")

# What is read before its type is known may have to be converted in a second trip, and a type that
# is dropped meanwhile is a DataError. Nothing but time keeps that from happening.
KEPT_TYPES = 20

# A column that comes and goes has its kind in its name, behind one of these.
EXTRA = ("extra_", "other_")

CREATE = """
    DROP SCHEMA IF EXISTS {schema} CASCADE;
    CREATE SCHEMA {schema};
    SET LOCAL search_path = {schema};
    CREATE TYPE mood AS ENUM ('3', '7');
    CREATE TYPE pair AS (x int4, y text);
"""

ROWS = "SELECT '3' AS n UNION ALL SELECT '7'"


def rows_of(kind: str, place: str, extra: str = "") -> str:
    """A query for the rows of a table, view or function."""
    return (
        f"SELECT n, '{kind}'::text AS kind, '{place}'::text AS place, {KINDS[kind].of('n')} AS a"
        f"{extra} FROM ({ROWS}) AS rows"
    )


def create(schema: str) -> str:
    """The script that makes a schema with everything in it."""
    return CREATE.format(schema=schema) + "; ".join(
        [
            "CREATE TABLE t AS " + rows_of("int4", schema),
            *new_view(schema, "int4"),
            *new_function(schema, "int4"),
            *new_twice("int4"),
            *new_log("int4"),
        ]
    )


def new_view(schema: str, kind: str, extra: str = "") -> Sequence[str]:
    return ("DROP VIEW IF EXISTS v", "CREATE VIEW v AS " + rows_of(kind, schema, extra))


def new_function(schema: str, kind: str) -> Sequence[str]:
    return (
        "DROP FUNCTION IF EXISTS f",
        f"CREATE FUNCTION f() RETURNS TABLE (n text, kind text, place text, a {KINDS[kind].sql}) "
        f"LANGUAGE sql STABLE AS $$ {rows_of(kind, schema)} $$",
    )


def new_twice(kind: str) -> Sequence[str]:
    """A function whose parameter has another type."""
    return (
        "DROP FUNCTION IF EXISTS twice",
        f"CREATE FUNCTION twice({kind}) RETURNS text LANGUAGE sql IMMUTABLE "
        f"AS $$ SELECT '{kind}:' || ($1 + $1)::text $$",
    )


def new_log(kind: str) -> Sequence[str]:
    return ("DROP TABLE IF EXISTS log", f"CREATE TABLE log (n text, a {kind})")


class Change(NamedTuple):
    """One transaction of the storm: its statements, and what `t` is like behind it."""

    statements: Sequence[str]
    extra: str

    def script(self, schema: str) -> str:
        """As one text, which is one transaction."""
        return f"SET LOCAL search_path = {schema}; " + "; ".join(self.statements)


class Changes:
    """What happens to one schema, one change after another, each within the `lock`.

    Whoever has made a change says so by `made`; one that was rolled back is forgotten.
    """

    def __init__(self, schema: str, chance: random.Random) -> None:
        self.schema = schema
        self.lock = asyncio.Lock()
        self.count = 0
        self._chance = chance
        self._extra = ""
        self._age = KEPT_TYPES

    def made(self, change: Change) -> None:
        self.count += len(change.statements)
        self._extra = change.extra

    def next(self) -> Change:
        """Choose a change."""
        kind = self._chance.choice(list(KINDS))
        number = self._chance.choice(NUMBER_KINDS)
        extra = self._extra
        match self._chance.choice("ttttteeenrvvwffddll"):
            case "t":
                statements: Sequence[str] = [retype(kind)]
            case "e":
                statements, extra = change_extra(extra, number)
            case "n":
                statements = self._new_types(kind)
            case "r":
                statements = ["DROP TABLE t", "CREATE TABLE t AS " + rows_of(kind, self.schema)]
                extra = ""
            case "v":
                statements = new_view(self.schema, kind)
            case "w":
                more = f", {KINDS[number].of('n')} AS {EXTRA[0]}{number}"
                statements = [
                    *new_view(self.schema, kind),
                    "CREATE OR REPLACE VIEW v AS " + rows_of(kind, self.schema, more),
                ]
            case "f":
                statements = new_function(self.schema, kind)
            case "d":
                statements = new_twice(number)
            case _:
                statements = new_log(number)
        return Change(statements, extra)

    def _new_types(self, kind: str) -> Sequence[str]:
        """Other types of the same names, with other OIDs."""
        self._age += 1
        return [
            retype("text"),
            *new_view(self.schema, "int4"),
            *new_function(self.schema, "int4"),
            f"ALTER TYPE mood RENAME TO mood_{self._age}",
            f"ALTER TYPE pair RENAME TO pair_{self._age}",
            f"DROP TYPE IF EXISTS mood_{self._age - KEPT_TYPES}, pair_{self._age - KEPT_TYPES}",
            "CREATE TYPE mood AS ENUM ('7', '3')",
            "CREATE TYPE pair AS (x int4, y text)",
            retype(kind),
        ]


def retype(kind: str, table: str = "t") -> str:
    return (
        f"ALTER TABLE {table} ALTER a TYPE {KINDS[kind].sql} USING {KINDS[kind].of('n')}, "
        f"ALTER kind TYPE text USING '{kind}'"
    )


def change_extra(extra: str, kind: str) -> tuple[Sequence[str], str]:
    """Add, rename or drop a column; and its name behind that, "" for none."""
    if not extra:
        extra = EXTRA[0] + kind
        return [
            f"ALTER TABLE t ADD {extra} {kind}",
            f"UPDATE t SET {extra} = {KINDS[kind].of('n')}",
        ], extra
    if extra.startswith(EXTRA[0]):
        other = EXTRA[1] + extra.removeprefix(EXTRA[0])
        return [f"ALTER TABLE t RENAME {extra} TO {other}"], other
    return [f"ALTER TABLE t DROP {extra}"], ""


def faults_of(row: Mapping[str, Any], place: str) -> list[str]:
    """What is wrong with a row that has to come from `place`: "value: ..." or "type: ..."."""
    if row["place"] != place:
        return [f"value: from {row['place']}, not {place}: {row}"]
    n, kind = int(row["n"]), KINDS[row["kind"]]
    found = [check(row["a"], kind.value(n), row)]
    for name, value in row.items():
        if name.startswith(EXTRA):
            found.append(check(value, KINDS[name.partition("_")[2]].value(n), row))
        elif name == "several":
            found.append(check(value, kind.array(n) if kind.array else [kind.value(n)], row))
    return [fault for fault in found if fault]


def check(value: Any, expected: Any, row: Mapping[str, Any]) -> str:
    """What is wrong with `value`, or nothing."""
    if (tuple if isinstance(value, Record) else type(value)) is not type(expected):
        return f"type: {value!r}, not {expected!r}: {row}"
    return "" if value == expected else f"value: {value!r}, not {expected!r}: {row}"
