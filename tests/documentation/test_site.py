"""The site is built without a warning, loads nothing from elsewhere, and has all that is public."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from documentation.pages import CHECKOUT, DOCS

import pgallop
from pgallop import errors, types, values

# Nothing of this depends on the mode; building takes a while on a busy machine.
pytestmark = [pytest.mark.once, pytest.mark.timeout(180)]

# What a browser loads by itself. Links for readers (a href) are others' business.
LOADED = re.compile(r"<(?:script|img|iframe|link|source)\b[^>]*\b(?:src|href)=\"([^\"]+)\"")
IMPORTED = re.compile(r"(?:@import|url\()\s*['\"]?(?!data:)(\w+:|//)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `make docs` builds it."""
    built = tmp_path_factory.mktemp("site")
    options = ("-q", "-W", "--keep-going", "-d", built / "doctrees")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, DOCS, built / "html"],
        # Whatever mode is tested: the docstrings are those of the sources.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")
    return built / "html"


def test_every_page_is_there(site: Path) -> None:
    pages = {page.stem for page in DOCS.glob("*.md")}
    assert {page.stem for page in site.glob("*.html")} == pages | {
        "genindex",
        "py-modindex",
        "search",
    }


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = [page.read_text(encoding="utf-8") for page in site.rglob("*.html")]
    addresses = [address for page in pages for address in LOADED.findall(page)]
    assert len(addresses) > len(pages)
    assert [address for address in addresses if re.match(r"\w+:|//", address)] == []
    styles = [style.read_text(encoding="utf-8") for style in site.rglob("*.css")]
    assert [found for style in styles for found in IMPORTED.findall(style)] == []


def public_names() -> Iterator[str]:
    """What programs write behind `pgallop.`, classes and functions; exceptions by their module."""
    for name in pgallop.__all__:
        found = getattr(pgallop, name)
        if name in errors.__all__:
            if isinstance(found, type):  # the functions there are the driver's own
                yield f"errors.{name}"
        elif name in values.__all__:
            yield f"values.{name}"
        elif callable(found):
            yield name
    for name in types.__all__:
        yield f"values.{name}" if name in values.__all__ else f"types.{name}"


def names_described(site: Path) -> set[str]:
    # Four lines, and then a line for each name, compressed.
    inventory = zlib.decompress((site / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode()
    return {line.split()[0] for line in inventory.splitlines() if " py:" in line}


# What has a public name for other modules of pgallop's, and is nothing for programs.
INTERNAL = {
    "Knowledge.forget",
    "Knowledge.forget_all",
    "Knowledge.get",
    "Knowledge.put",
    "Knowledge.traceless_of",
    "Knowledge.types_of",
    "PipelinedStatement.call",
    "PipelinedStatement.settle",
    "Pool.acquired",
    "Pool.forgotten",
    "Pool.released",
    "PoolConnectionProxy.detach",
    "Record.item",
    "cursor.Cursor.open",
    "notifications.NotificationStream.end",
    "notifications.NotificationStream.leave",
    "pool.listening.PoolNotifications.give_back",
    "pool.listening.PoolNotifications.stop",
    "stream.StreamIterator.leave",
}

# What programs get without making it, so that it is nowhere in `pgallop.__all__`.
GIVEN = (
    "capabilities.Capabilities",
    "copy_rows.CopiedRows",
    "copy_rows.CopiedRowsIterator",
    "cursor.Cursor",
    "cursor.CursorFactory",
    "notifications.NotificationStream",
    "pool.listening.PoolNotifications",
    "stream.RowStream",
    "stream.StreamIterator",
)


def public_methods() -> Iterator[str]:
    """What programs call on objects of pgallop's own classes; errors have fields only.

    What overrides a method of Python's is told there.
    """
    names = {name for name in public_names() if not name.startswith("errors.")}
    for name in sorted(names | set(GIVEN)):
        module, _, kind = name.rpartition(".")
        found = getattr(import_module(f"pgallop.{module}" if module else "pgallop"), kind)
        if not isinstance(found, type):
            continue
        for member, value in vars(found).items():
            is_method = inspect.isroutine(value) or isinstance(
                value, (property, classmethod, staticmethod)
            )
            is_python_s = any(
                member in vars(base)
                for base in found.__mro__
                if not base.__module__.startswith("pgallop")
            )
            is_hidden = member.startswith("_") or f"{name}.{member}" in INTERNAL
            if is_method and not is_hidden and not is_python_s:
                yield f"{name}.{member}"


def test_all_methods_are_described(site: Path) -> None:
    methods = {f"pgallop.{name}" for name in public_methods()}
    assert {"pgallop.Pool.run_transaction", "pgallop.cursor.Cursor.forward"} <= methods
    assert sorted(methods - names_described(site)) == []


def test_all_that_is_public_is_described(site: Path) -> None:
    described = names_described(site)
    public = {f"pgallop.{name}" for name in public_names()}
    assert len(public) > 250
    assert public - described == set()
    assert {"pgallop.Connection.fetch", "pgallop.Record.get"} <= described
