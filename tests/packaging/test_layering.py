"""The layers of the package: an import points to an earlier layer, or stays in its own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

CHECKOUT = Path(__file__).parents[2]

# From the ground up. A name is a module or a folder in pgallop/; those in a set share a layer.
SANS_IO: list[set[str]] = [
    {"_version", "capabilities", "limits", "types", "values"},
    {"_excerpt", "_message", "_sqlstate", "errors"},
    {"wire"},
    {"auth"},
    {"codecs", "rows"},  # a value of a composite type is a row
    {"sql"},
    {"session"},
    {"config"},
]
ASYNCIO: list[set[str]] = [
    {"transport"},
    {
        "catalogue",
        "connecting",
        "connection",
        "copy_arguments",
        "copy_drain",
        "copy_outputs",
        "copy_rows",
        "copy_sources",
        "copy_transfer",
        "copying_in",
        "copying_out",
        "cursor",
        "converting",
        "deadlines",
        "described",
        "dispatch",
        "files",
        "inbox",
        "into",
        "introspect",
        "knowledge",
        "listen",
        "listeners",
        "notifications",
        "many",
        "ownership",
        "pipeline",
        "pipelining",
        "preparing",
        "queries",
        "query_log",
        "resolving",
        "repetition",
        "resetting",
        "statement",
        "statement_cache",
        "stream",
        "traceless",
        "transaction",
        "type_codecs",
    },
    {"pool"},
    {"__init__"},
    {"asyncpg"},
    {"sqlalchemy"},
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(SANS_IO + ASYNCIO) for name in names}

# Input and output begin above the line: nothing below it may know of an event loop or a socket.
IO_MODULES = {
    "_socket",
    "_ssl",
    "anyio",
    "asyncio",
    "select",
    "selectors",
    "socket",
    "ssl",
    "uvloop",
}

CIMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<source>[\w.]+)[ \t]+)?cimport[ \t]+(?P<names>\([^)]*\)|[^\n]+)",
    re.MULTILINE,
)


class Import(NamedTuple):
    file: str  # relative to the checkout, as in a message of a compiler
    line: int
    module: str  # absolute: "pgallop.wire.reader"; a name imported from a module is appended

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def absolute(file: Path, dots: int, module: str) -> str:
    """The full name of `module`, imported with so many leading dots in a file of the checkout."""
    if not dots:
        return module
    package = file.parts[: len(file.parts) - dots]
    return ".".join([*package, *filter(None, [module])])


def python_imports(file: Path, source: str) -> Iterator[Import]:
    """All imports of a module, wherever they stand: under TYPE_CHECKING and in functions too."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield Import(str(file), node.lineno, alias.name)
            case ast.ImportFrom():
                module = absolute(file, node.level, node.module or "")
                for alias in node.names:
                    yield Import(str(file), node.lineno, f"{module}.{alias.name}")
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield Import(str(file), node.lineno, module)


def cython_imports(file: Path, source: str) -> Iterator[Import]:
    """All cimports of a Cython header."""
    source = re.sub(r"#.*", "", source)
    for found in CIMPORT.finditer(source):
        line = source.count("\n", 0, found.start()) + 1
        origin = found["source"] or ""
        module = origin.lstrip(".")
        prefix = absolute(file, len(origin) - len(module), module)
        for name in found["names"].strip("() \t").split(","):
            if words := name.split():  # "Reader as R" imports Reader
                yield Import(str(file), line, ".".join(filter(None, [prefix, words[0]])))


def all_imports(checkout: Path) -> Iterator[Import]:
    for path in sorted((checkout / "pgallop").rglob("*.py")):
        yield from python_imports(path.relative_to(checkout), path.read_text(encoding="utf-8"))
    for path in sorted((checkout / "pgallop").rglob("*.pxd")):
        yield from cython_imports(path.relative_to(checkout), path.read_text(encoding="utf-8"))


def entry_of_file(file: str) -> str:
    """The module or folder in pgallop/ that a file belongs to."""
    return Path(file).with_suffix("").parts[1]


def entry_of_module(checkout: Path, module: str) -> str:
    """The module or folder in pgallop/ that an import takes something from."""
    _, _, rest = module.partition(".")
    entry = rest.partition(".")[0]
    package = checkout / "pgallop"
    is_module = entry and ((package / entry).is_dir() or (package / f"{entry}.py").exists())
    return entry if is_module else "__init__"


def layering_faults(checkout: Path) -> list[str]:
    faults = []
    for found in all_imports(checkout):
        if found.module.partition(".")[0] != "pgallop":
            continue
        importer, imported = entry_of_file(found.file), entry_of_module(checkout, found.module)
        if unknown := [name for name in (importer, imported) if name not in RANK]:
            faults.append(f"{found}: no layer is known for {unknown[0]}")
        elif RANK[imported] > RANK[importer]:
            faults.append(f"{found}: {imported} is a later layer than {importer}")
    return faults


def io_faults(checkout: Path) -> list[str]:
    return [
        str(found)
        for found in all_imports(checkout)
        if found.module.partition(".")[0] in IO_MODULES
        and RANK.get(entry_of_file(found.file), len(SANS_IO)) < len(SANS_IO)
    ]


def test_imports_point_to_earlier_layers() -> None:
    faults = layering_faults(CHECKOUT)
    assert not faults, "\n".join(faults)


def test_nothing_below_the_transport_knows_of_input_and_output() -> None:
    faults = io_faults(CHECKOUT)
    assert not faults, "\n".join(faults)


def test_every_module_has_a_layer() -> None:
    entries = {
        path.stem
        for path in (CHECKOUT / "pgallop").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert "wire" in entries
    assert entries <= set(RANK)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A made-up package without a fault."""
    write(tmp_path, "__init__.py", "from pgallop.connection import Connection\n")
    write(tmp_path, "errors.py", "import sys\n")
    write(tmp_path, "wire/__init__.py", "")
    write(tmp_path, "wire/reader.py", "from pgallop import errors\nfrom . import writer\n")
    write(tmp_path, "wire/writer.py", "from pgallop.errors import ProtocolError\n")
    write(tmp_path, "wire/reader.pxd", "from libc.stdint cimport int32_t\ncimport pgallop.wire\n")
    write(tmp_path, "session/__init__.py", "from pgallop.wire import reader\n")
    write(tmp_path, "transport/__init__.py", "import asyncio\nimport socket\n")
    write(tmp_path, "connection.py", "import pgallop.transaction\n")
    write(tmp_path, "transaction.py", "from .connection import Connection\n")
    assert layering_faults(tmp_path) == []
    assert io_faults(tmp_path) == []
    return tmp_path


def write(checkout: Path, name: str, source: str) -> None:
    path = checkout / "pgallop" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "source", "imported"),
    [
        ("wire/reader.py", "import pgallop.session\n", "pgallop.session"),
        ("wire/reader.py", "from pgallop import session\n", "pgallop.session"),
        ("wire/reader.py", "from pgallop.session import x\n", "pgallop.session.x"),
        ("wire/reader.py", "from ..session import x\n", "pgallop.session.x"),
        ("wire/reader.py", "from .. import session\n", "pgallop.session"),
        ("wire/__init__.py", "from ..session import x\n", "pgallop.session.x"),
        ("wire/reader.py", "if TYPE_CHECKING:\n    import pgallop.session\n", "pgallop.session"),
        ("wire/reader.py", "def f():\n    import pgallop.session\n", "pgallop.session"),
        ("wire/reader.py", "import_module('pgallop.session')\n", "pgallop.session"),
        ("wire/reader.py", "importlib.import_module('pgallop.session')\n", "pgallop.session"),
        ("wire/reader.py", "import pgallop\n", "pgallop"),
        ("wire/reader.py", "from pgallop import Connection\n", "pgallop.Connection"),
        ("errors.py", "from pgallop.wire import reader\n", "pgallop.wire.reader"),
        ("transport/__init__.py", "import pgallop.connection\n", "pgallop.connection"),
        ("wire/reader.pxd", "from pgallop.session cimport Session\n", "pgallop.session.Session"),
        ("wire/reader.pxd", "from ..session cimport Session\n", "pgallop.session.Session"),
        ("wire/reader.pxd", "cimport pgallop.session as s\n", "pgallop.session"),
        ("wire/reader.pxd", "from pgallop cimport (\n    session,\n)\n", "pgallop.session"),
        ("elsewhere.py", "import pgallop.errors\n", "pgallop.errors"),
    ],
)
def test_an_upward_import_is_found(checkout: Path, name: str, source: str, imported: str) -> None:
    write(checkout, name, source)
    (fault,) = layering_faults(checkout)
    assert fault.startswith(f"pgallop/{name}:")
    assert f" imports {imported}: " in fault


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("session/__init__.py", "import asyncio\n"),
        ("session/__init__.py", "import asyncio.events\n"),
        ("session/__init__.py", "from asyncio import Future\n"),
        ("wire/reader.py", "def f():\n    import socket\n"),
        ("errors.py", "if TYPE_CHECKING:\n    import ssl\n"),
    ],
)
def test_input_and_output_below_the_transport_is_found(
    checkout: Path, name: str, source: str
) -> None:
    write(checkout, name, source)
    (fault,) = io_faults(checkout)
    assert fault.startswith(f"pgallop/{name}:")
