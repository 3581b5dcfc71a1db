"""Nothing that asyncpg has in public is left out: neither of the drop-in nor of the cases."""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import asyncpg
import pytest
from drop_in.case import CASES
from drop_in.test_differential import MODULES

import pgallop.asyncpg
from pgallop.asyncpg.differences import DIFFERENCES

pytestmark = pytest.mark.once

# The classes whose methods programs call, by the modules they are in.
CLASSES = {
    "connection": ["Connection"],
    "pool": ["Pool", "PoolAcquireContext"],
    "cursor": ["CursorFactory", "CursorIterator", "Cursor"],
    "prepared_stmt": ["PreparedStatement"],
    "transaction": ["Transaction"],
    "protocol": ["Record"],
}

# What is a method of a class for the `with`, `for` and `await` of the language.
SPOKEN = ("__aenter__", "__aexit__", "__aiter__", "__anext__", "__await__")

# Names that others than asyncpg import, beyond what `__all__` says.
TOUCHED = {
    "": ["__version__", "Range", "BitString", "Point", "Path", "Polygon", "Box", "Line"],
    "connection": ["Connection", "LoggedQuery", "connect"],
    "pool": ["Pool", "PoolAcquireContext", "PoolConnectionProxy", "create_pool"],
    "cursor": ["BaseCursor", "Cursor", "CursorFactory", "CursorIterator"],
    "transaction": ["ISOLATION_LEVELS", "Transaction"],
    "prepared_stmt": ["PreparedStatement"],
    "protocol": ["BUILTIN_TYPE_NAME_MAP", "NO_TIMEOUT", "Protocol", "Record"],
    "protocol.protocol": ["BUILTIN_TYPE_OID_MAP", "Protocol", "Record"],
    "protocol.record": ["Record"],
    "pgproto.pgproto": ["UUID"],
    "connect_utils": ["SSLMode", "SessionAttribute", "_connect_addr"],
    "introspection": ["is_scalar_type"],
    "utils": ["_mogrify", "_quote_ident", "_quote_literal"],
    "serverversion": ["split_server_version_string"],
}


def methods(kind: type) -> Iterator[str]:
    """What a class has for programs to call."""
    for name, _ in inspect.getmembers(kind, callable):
        if not name.startswith("_") or name in SPOKEN:
            yield name


def test_the_cases_are_there() -> None:
    """Importing their modules has filled CASES."""
    assert len(CASES) > 10 * len(MODULES)


def public() -> Iterator[str]:
    """All that a program may call, as the cases name it."""
    yield from ("connect", "create_pool")
    for module, names in CLASSES.items():
        for name in names:
            kind = getattr(import_module(f"asyncpg.{module}"), name)
            yield from (f"{name}.{method}" for method in methods(kind))
    yield from (name for name in asyncpg.types.__all__)


@pytest.mark.parametrize("name", sorted(set(public())))
def test_covered(name: str) -> None:
    assert any(name in case.covers for case in CASES), f"no case covers {name}"


def test_differences_are_used() -> None:
    used = {case.differs for case in CASES} - {""}
    assert used == {each.name for each in DIFFERENCES}


def modules() -> list[str]:
    return ["", "exceptions", "exceptions._base", "types", "pgproto.types", *TOUCHED]


@pytest.mark.parametrize("path", sorted(set(modules())))
def test_same_names(path: str) -> None:
    theirs, ours = both(path)
    names = {*getattr(theirs, "__all__", ()), *TOUCHED.get(path, ())}
    assert [name for name in names if not hasattr(theirs, name)] == []
    assert [name for name in names if not hasattr(ours, name)] == []


def both(path: str) -> tuple[ModuleType, ModuleType]:
    suffix = f".{path}" if path else ""
    return import_module(f"asyncpg{suffix}"), import_module(f"pgallop.asyncpg{suffix}")


# Of asyncpg's modules those that nobody else has use for.
INTERNAL = {"_asyncio_compat", "_version", "compat", "connresource"}


def test_modules_that_one_import_brings() -> None:
    brought = {name for name, value in vars(asyncpg).items() if isinstance(value, ModuleType)}
    ours = {name for name, value in vars(pgallop.asyncpg).items() if isinstance(value, ModuleType)}
    assert brought - INTERNAL <= ours
    assert isinstance(pgallop.asyncpg.pgproto.pgproto.UUID, type)


def test_version() -> None:
    assert pgallop.asyncpg.__version__ == asyncpg.__version__


@pytest.mark.parametrize("name", asyncpg.exceptions.__all__)
def test_exceptions(name: str) -> None:
    """Each is caught where asyncpg's is."""
    theirs = getattr(asyncpg.exceptions, name)
    ours = getattr(pgallop.asyncpg.exceptions, name)
    known = {*asyncpg.exceptions.__all__, *vars(builtins)}
    bases = {base.__name__ for base in theirs.__mro__} & known
    assert bases <= {base.__name__ for base in ours.__mro__}
    assert getattr(ours, "sqlstate", None) == getattr(theirs, "sqlstate", None)
    assert getattr(pgallop.asyncpg, name) is ours
    missing = {each for each in dir(theirs) if not each.startswith("_")} - set(dir(ours))
    assert missing <= {"get_message_class_for_sqlstate"}  # of the metaclass
