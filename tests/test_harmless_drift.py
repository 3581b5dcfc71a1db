"""The generated names of functions are what the tool makes of the catalogue."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from pgallop.sql._harmless_functions import FUNCTIONS, VOLATILE

ROOT = Path(__file__).parent.parent
GENERATED = ROOT / "pgallop" / "sql" / "_harmless_functions.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "generate_harmless", ROOT / "tools" / "generate_harmless.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.once
def test_the_file_is_what_the_tool_writes(tool: ModuleType) -> None:
    functions = tool.parse(tool.find_bki().read_text("utf-8"))
    assert GENERATED.read_text("utf-8") == tool.generate(functions)


@pytest.mark.once
def test_a_file_of_another_form_is_refused(tool: ModuleType) -> None:
    head = "# PostgreSQL 99\ncreate pg_proc 1255 bootstrap\n (\n oid = oid ,\n proname = name\n )\n"
    with pytest.raises(ValueError, match="substring not found"):
        tool.parse("# PostgreSQL 99\n")
    with pytest.raises(ValueError, match="no rows"):
        tool.parse(head + "close pg_proc\n")
    with pytest.raises(ValueError, match=r"argument 2 is (shorter|longer)"):
        tool.parse(head + "insert ( 16 bool 11 )\nclose pg_proc\n")
    with pytest.raises(ValueError, match=r"no such function: .*nextval"):
        tool.generate([])


def test_who_is_listed() -> None:
    listed = set(FUNCTIONS.split())
    assert set(VOLATILE.split()) < listed
    assert listed >= {"lower", "count", "sum", "now", "nextval", "jsonb_agg", "to_tsvector", "int4"}
    # Locks of the session, effects elsewhere, and what runs a query or a type's input by its name.
    assert listed.isdisjoint(
        {
            "cursor_to_xml",
            "lo_export",
            "pg_advisory_lock",
            "pg_advisory_unlock_all",
            "pg_input_is_valid",
            "pg_logical_emit_message",
            "pg_terminate_backend",
            "query_to_xml",
            "record_in",
            "setval",
            "table_to_xml",
            "ts_rewrite",
            "ts_stat",
        }
    )
