"""The generated classes are what the tool makes of PostgreSQL's list, under asyncpg's names."""

import builtins
import importlib.util
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from pgallop import _sqlstate, errors
from pgallop._message import FIELD_NAMES, PostgresMessage

# asyncpg has no type information, so it is not imported by name.
ASYNCPG = import_module("asyncpg.exceptions")
ASYNCPG_MESSAGES = import_module("asyncpg.exceptions._base").PostgresMessageMeta
TOOL = Path(__file__).parents[1] / "tools" / "generate_sqlstate.py"
ALL_CODES: dict[str, type[PostgresMessage]] = {**_sqlstate.ERRORS, **_sqlstate.WARNINGS}
# Not among the names that asyncpg exports: programs do not catch it.
PRIVATE_IN_ASYNCPG = {"InterfaceMessage"}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_sqlstate", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_module_is_what_the_tool_writes(tool: ModuleType) -> None:
    text = tool.find_errcodes().read_text("utf-8")
    assert tool.generate(tool.parse(text)) == tool.OUTPUT.read_text("utf-8")


def test_command_line_writes_from_a_given_list(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "pgallop").mkdir()
    copied = tmp_path / "tools" / TOOL.name
    copied.write_text(TOOL.read_text("utf-8"), "utf-8")
    listing = tmp_path / "errcodes.txt"
    listing.write_text("22000    E    ERRCODE_DATA_EXCEPTION    data_exception\n", "utf-8")
    subprocess.run([sys.executable, copied, listing], check=True)
    written = (tmp_path / "pgallop" / "_sqlstate.py").read_text("utf-8")
    assert "class DataError(PostgresError, ValueError):" in written


def test_only_named_errors_and_warnings_are_read(tool: ModuleType) -> None:
    listing = """
# 99999    E    ERRCODE_COMMENT    comment
Section: Class 22 - Data Exception
00000    S    ERRCODE_SUCCESSFUL_COMPLETION    successful_completion
22000    E    ERRCODE_DATA_EXCEPTION           data_exception
22008    E    ERRCODE_DATETIME_VALUE_OUT_OF_RANGE
"""
    assert [row.sqlstate for row in tool.parse(listing)] == ["22000", *tool.RETIRED]


def test_a_name_for_two_codes_is_refused(tool: ModuleType) -> None:
    listing = "22001 E ERRCODE_A same_name\n22002 E ERRCODE_B same_name\n"
    with pytest.raises(ValueError, match="IRREGULAR: SameNameError"):
        tool.generate(tool.parse(listing))


@pytest.mark.parametrize(
    ("sqlstate", "condition", "is_warning", "name"),
    [
        ("22012", "division_by_zero", False, "DivisionByZeroError"),
        ("P0004", "assert_failure", False, "AssertError"),
        ("2F000", "sql_routine_exception", False, "SQLRoutineError"),
        ("01003", "null_value_eliminated", True, "NullValueEliminated"),
        ("42601", "syntax_error", False, "PostgresSyntaxError"),  # SyntaxError is a builtin
        ("42000", "syntax_error_or_access_rule_violation", False, "SyntaxOrAccessError"),
    ],
)
def test_naming_rule(
    tool: ModuleType, sqlstate: str, condition: str, is_warning: bool, name: str
) -> None:
    assert tool.Condition(sqlstate, is_warning, condition).class_name == name


def test_no_builtin_is_shadowed() -> None:
    assert not set(errors.__all__) & set(vars(builtins))


def ancestors(kind: type) -> set[str]:
    return {ancestor.__name__ for ancestor in kind.__mro__} - PRIVATE_IN_ASYNCPG


@pytest.mark.parametrize("name", ASYNCPG.__all__)
def test_class_has_the_ancestors_and_the_code_of_asyncpgs(name: str) -> None:
    theirs = getattr(ASYNCPG, name)
    ours = getattr(errors, name)
    assert ancestors(theirs) <= ancestors(ours)
    assert getattr(ours, "sqlstate", None) == getattr(theirs, "sqlstate", None)


def test_every_code_of_asyncpg_has_its_name() -> None:
    theirs = {code: kind.__name__ for code, kind in ASYNCPG_MESSAGES._message_map.items()}
    assert len(theirs) >= 262
    assert theirs == {code: ALL_CODES[code].__name__ for code in theirs}


def test_asyncpg_has_the_same_fields() -> None:
    assert ASYNCPG_MESSAGES._field_map == FIELD_NAMES


@pytest.mark.parametrize("sqlstate", sorted(ALL_CODES))
def test_class_stands_below_its_group(sqlstate: str) -> None:
    kind = ALL_CODES[sqlstate]
    assert kind.sqlstate == sqlstate
    assert kind.__module__ == "pgallop.errors"
    assert getattr(errors, kind.__name__) is kind
    generic = ALL_CODES.get(f"{sqlstate[:2]}000")
    assert generic is None or issubclass(kind, generic)
