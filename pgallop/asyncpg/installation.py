"""`install`: libraries that import asyncpg by its name get pgallop's.

The modules are those of `pgallop.asyncpg` under a second name, not copies: a class has one
identity, whichever name it was imported by.
"""

import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder
from importlib.util import find_spec
from os import PathLike
from types import ModuleType
from typing import Any

from pgallop.asyncpg._version import __version__
from pgallop.errors import InterfaceWarning

__all__ = ["install", "is_installed", "uninstall"]

NAME = "asyncpg"
OURS = "pgallop.asyncpg"

METADATA = f"""\
Metadata-Version: 2.1
Name: {NAME}
Version: {__version__}
Summary: pgallop under asyncpg's name
"""


def is_asyncpg(name: str) -> bool:
    """Whether this is the name of asyncpg or of one of its modules."""
    return name == NAME or name.startswith(f"{NAME}.")


class AliasLoader(Loader):
    """Gives out the module of another name, which is imported under that."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._own_spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(self._target)
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has written the alias's spec into it. Reloading, and imports that are
        # relative, go by the name that it was made under.
        module.__spec__ = self._own_spec


class StandInDistribution(Distribution):
    """What `importlib.metadata` tells of asyncpg: which version of it this stands in for."""

    def read_text(self, filename: str) -> str | None:
        return METADATA if filename == "METADATA" else None

    def locate_file(self, path: "str | PathLike[str]") -> Any:
        raise FileNotFoundError(f"{path}: asyncpg is stood in for by pgallop, and has no files")


class StandInFinder(DistributionFinder, MetaPathFinder):
    """Finds asyncpg's modules, and its metadata, in `pgallop.asyncpg`."""

    def __init__(self) -> None:
        # What was imported as asyncpg before, to be put back.
        self.displaced: dict[str, ModuleType] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not is_asyncpg(fullname):
            return None
        ours = find_spec(OURS + fullname.removeprefix(NAME))
        if ours is None:
            return None
        spec = ModuleSpec(fullname, AliasLoader(ours.name), origin=ours.origin)
        spec.submodule_search_locations = ours.submodule_search_locations
        spec.has_location = ours.has_location
        return spec

    def find_distributions(
        self, context: DistributionFinder.Context | None = None
    ) -> Iterator[Distribution]:
        name = None if context is None else context.name
        if name is None or name.lower() == NAME:
            yield StandInDistribution()


_finder = StandInFinder()


def install() -> None:
    """Put `pgallop.asyncpg` in place of asyncpg, for all that is imported from now on.

    `import asyncpg` then gives `pgallop.asyncpg`, whether asyncpg is installed or not, and so do
    its modules, `importlib.util.find_spec("asyncpg")` and `importlib.metadata.version("asyncpg")`.
    Calling it again does nothing. Call it first of all in a program: what has imported asyncpg
    before keeps that, and an `InterfaceWarning` names it.

    Example:
        >>> import pgallop.asyncpg
        >>> pgallop.asyncpg.install()
        >>> import asyncpg
        >>> asyncpg is pgallop.asyncpg
        True

    Source: Python documentation, "The import system", section "The meta path".
    """
    if is_installed():
        return
    users = users_of_asyncpg()
    sys.meta_path.insert(0, _finder)
    _finder.displaced = taken_out()
    if users:
        warnings.warn(
            InterfaceWarning(
                f"asyncpg was imported before install(), and goes on being used by "
                f"{', '.join(users)}",
                hint="call pgallop.asyncpg.install() before anything imports asyncpg, or start the "
                "program by `python -m pgallop.asyncpg`",
            ),
            stacklevel=2,
        )


def uninstall() -> None:
    """Take back `install`: `import asyncpg` gives what it gave before.

    Modules that have imported `pgallop.asyncpg` by the name of asyncpg keep it. Without an
    `install` before it this does nothing.
    """
    if is_installed():
        sys.meta_path.remove(_finder)
        taken_out()
        sys.modules.update(_finder.displaced)
        _finder.displaced = {}


def is_installed() -> bool:
    """Whether `import asyncpg` gives `pgallop.asyncpg`."""
    return _finder in sys.meta_path


def taken_out() -> dict[str, ModuleType]:
    """What `sys.modules` has had of asyncpg, and has no more."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if is_asyncpg(name)}


def users_of_asyncpg() -> list[str]:
    """The modules that hold asyncpg, one of its modules, or a class or function of it."""
    modules = [module for name, module in sys.modules.items() if is_asyncpg(name)]
    if not modules:
        return []
    users: set[str] = set()
    for name, module in list(sys.modules.items()):
        if is_asyncpg(name) or module in modules:
            continue
        for value in list(getattr(module, "__dict__", {}).values()):
            origin = value.__name__ if isinstance(value, ModuleType) else module_of(value)
            if is_asyncpg(origin):
                users.add(name)
                break
    return sorted(users)


def module_of(value: object) -> str:
    """The name of the module that a class or function was defined in, "" for other values."""
    if isinstance(value, type) or type(value).__name__ in ("function", "cython_function_or_method"):
        origin = getattr(value, "__module__", None)
        return origin if isinstance(origin, str) else ""
    return ""
