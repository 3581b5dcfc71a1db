"""The generated OIDs are what the tool makes of the catalogue, and what a running server has."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

from pgallop.codecs._oids import ARRAYS, OIDS

ROOT = Path(__file__).parent.parent
GENERATED = ROOT / "pgallop" / "codecs" / "_oids.py"

# The version that the file is generated from.
NEWEST = 18


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "generate_oids", ROOT / "tools" / "generate_oids.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.once
def test_the_file_is_what_the_tool_writes(tool: ModuleType) -> None:
    types = tool.parse(tool.find_bki().read_text("utf-8"))
    assert GENERATED.read_text("utf-8") == tool.generate(types)


@pytest.mark.once
def test_a_file_of_another_form_is_refused(tool: ModuleType) -> None:
    head = "# PostgreSQL 99\ncreate pg_type 1247 bootstrap\n (\n oid = oid ,\n typname = name\n )\n"
    with pytest.raises(ValueError, match="substring not found"):
        tool.parse("# PostgreSQL 99\n")
    with pytest.raises(ValueError, match="no rows"):
        tool.parse(head + "close pg_type\n")
    with pytest.raises(ValueError, match=r"argument 2 is (shorter|longer)"):
        tool.parse(head + "insert ( 16 bool 11 )\nclose pg_type\n")


def test_the_server_has_the_same(tool: ModuleType, dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        version = connection.info.server_version // 10000
        rows = connection.execute(
            "SELECT typname, oid::int8, typarray::int8 FROM pg_type"
            " WHERE oid < 10000 AND typtype IN ('b', 'p', 'r', 'm')"
        ).fetchall()
    oids = {name: oid for name, oid, _ in rows}
    arrays = {name: array for name, _, array in rows if array}
    if version < NEWEST:
        # An older one lacks some types, and has some that are gone; no OID serves two types, but
        # for that of smgr, which has no values.
        assert oids.keys() & OIDS.keys() >= {"bool", "int4", "text", "jsonb", "_timestamptz"}
        assert all(OIDS.get(name, oid) == oid for name, oid in oids.items())
        assert all(ARRAYS.get(name, array) == array for name, array in arrays.items())
        gone = {oids[name] for name in oids.keys() - OIDS.keys() - {"smgr"}}
        assert not gone & set(OIDS.values())
    else:
        gone_since = {row.name for row in tool.GONE}
        assert gone_since.isdisjoint(oids)
        assert oids == {name: oid for name, oid in OIDS.items() if name not in gone_since}
        assert arrays == {name: oid for name, oid in ARRAYS.items() if name not in gone_since}
