"""No type is forgotten: of each that a server has there is a case, or a reason why there is none.

With a version of PostgreSQL that brings new types this fails, until somebody has thought of them.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from builtin_types.drivers import Drivers
from builtin_types.every_case import CASES

import pgallop
from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry

# Of these the server takes no values: they are written by ANALYZE, CREATE RULE and the like. Their
# text can be read.
NOT_TAKEN = {
    "pg_node_tree": "expressions of the catalogue",
    "pg_ndistinct": "extended statistics",
    "pg_dependencies": "extended statistics",
    "pg_mcv_list": "extended statistics",
    "pg_brin_bloom_summary": "what a BRIN index keeps of a block",
    "pg_brin_minmax_multi_summary": "what a BRIN index keeps of a block",
    "gtsvector": "what a GiST index keeps of a tsvector",
    "gtsvector[]": "its array",
}

# Of PostgreSQL 10 and 11 only, and as deprecated there as can be. Their text can be read.
GONE = {"abstime", "reltime", "tinterval", "smgr", "abstime[]", "reltime[]", "tinterval[]"}

# What has a codec though no values are sent of it.
READ_ONLY = {
    "void": "the result of a function that has none",
    "unknown": "a literal whose type nobody has asked for",
    "cstring": "a parameter cannot be one; arrays of it can",
    "record": "a row without a type; see test_records.py",
    "record[]": "an array of these",
    "anyarray": "the most common values in pg_stats",
}


class Type(NamedTuple):
    name: str
    oid: int


def types_of(drivers: Drivers) -> list[Type]:
    """The base types, ranges and multiranges that the server has from the start, and arrays."""
    query = """
        SELECT coalesce(e.typname || '[]', t.typname), t.oid
        FROM pg_type AS t LEFT JOIN pg_type AS e ON e.typarray = t.oid
        WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm')
            AND coalesce(e.typtype, 'b') <> 'c'
    """
    return [Type(*row) for row in drivers.rows(query)]


def test_every_type_has_a_case_or_a_reason(drivers: Drivers) -> None:
    names = {each.name for each in types_of(drivers)}
    assert len(names) > 100
    assert names - CASES.keys() == names & (NOT_TAKEN.keys() | GONE)


def test_every_codec_has_a_case_or_a_reason() -> None:
    registry = builtin_registry()
    arrays = {oid: f"{name}[]" for name, oid in ARRAYS.items()}
    names = {arrays.get(oid, name) for name, oid in OIDS.items() if oid in registry}
    assert names - CASES.keys() <= NOT_TAKEN.keys() | READ_ONLY.keys() | GONE
    assert names >= READ_ONLY.keys()
    assert names & CASES.keys() == CASES.keys()


def test_the_types_are_those_of_the_server(drivers: Drivers) -> None:
    """By the same numbers; and those that it should not have yet, it has not."""
    oids = {**OIDS, **{f"{name}[]": oid for name, oid in ARRAYS.items()}}
    found = dict(types_of(drivers))
    for case in CASES.values():
        expected = oids[case.name] if drivers.version >= case.since else None
        assert found.get(case.name) == expected, case.name


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_the_reasons_are_true(drivers: Drivers, name: str) -> None:
    if name not in {each.name for each in types_of(drivers)}:
        pytest.skip(f"PostgreSQL {drivers.version} has no {name}")
    sql = f'"{name}"' if not name.endswith("[]") else name
    with pytest.raises(
        pgallop.FeatureNotSupportedError, match=r"cannot accept a value|not implemented"
    ):
        drivers.parse(sql, ["{x}"])
