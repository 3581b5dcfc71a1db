"""What is called in asyncpg's way is taken in asyncpg's way."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest
from drop_in.test_complete import CLASSES, methods

pytestmark = pytest.mark.once

# Functions, and what libraries override or wrap of what is not public.
FUNCTIONS = [
    ("connection", "connect"),
    ("pool", "create_pool"),
    ("connect_utils", "_connect_addr"),
    ("utils", "_mogrify"),
    ("utils", "_quote_ident"),
    ("utils", "_quote_literal"),
    ("serverversion", "split_server_version_string"),
]
UNDERLINED = {
    "Connection": ["__init__", "_execute", "_executemany"],
    "Pool": ["__init__"],
    "CursorFactory": ["__init__"],
    "CursorIterator": ["__init__"],
    "Cursor": ["__init__"],
    "PreparedStatement": ["__init__"],
    "Transaction": ["__init__"],
}
PROTOCOL = ["bind", "bind_execute", "bind_execute_many", "execute", "prepare"]

# What the drop-in takes beyond asyncpg; nobody notices who does not ask for it.
BEYOND = {"progress"}


def names() -> list[tuple[str, str]]:
    found = list(FUNCTIONS)
    for module, kinds in CLASSES.items():
        for kind in kinds:
            theirs = getattr(import_module(f"asyncpg.{module}"), kind)
            # Those of the language are called with no names.
            public = [name for name in methods(theirs) if not name.startswith("_")]
            public = [] if kind == "Record" else public
            members = sorted({*public, *UNDERLINED.get(kind, ())})
            found += [(module, f"{kind}.{member}") for member in members]
    return [*found, *[("protocol.protocol", f"Protocol.{name}") for name in PROTOCOL]]


def signature(driver: str, module: str, name: str) -> dict[str, tuple[Any, Any]]:
    """The parameters by name: of which kind, and with which default."""
    found: Any = import_module(f"{driver}.{module}")
    for part in name.split("."):
        found = getattr(found, part)
    parameters = inspect.signature(found).parameters.values()
    return {each.name: (each.kind.name, default(each)) for each in parameters}


def default(parameter: inspect.Parameter) -> Any:
    value = parameter.default
    if value is inspect.Parameter.empty:
        return "required"
    return f"a class called {value.__name__}" if isinstance(value, type) else repr(value)


@pytest.mark.parametrize(("module", "name"), names())
def test_same_signature(module: str, name: str) -> None:
    theirs = signature("asyncpg", module, name)
    ours = signature("pgallop.asyncpg", module, name)
    for beyond in BEYOND - theirs.keys():
        ours.pop(beyond, None)
    assert ours == theirs
    assert [name for name, (kind, _) in ours.items() if kind.startswith("POS")] == [
        name for name, (kind, _) in theirs.items() if kind.startswith("POS")
    ]
