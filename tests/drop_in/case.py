"""What is asked of asyncpg and of the drop-in alike: cases, and what comes of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from types import ModuleType
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

# Seconds for one case with one driver; none needs more than a few.
DEADLINE = 20

# What both drivers have under one name.
VOCABULARY = set(asyncpg.exceptions.__all__)


@dataclass
class Session:
    """One driver, asyncpg or the drop-in, with a connection to the tests' server.

    `name`: how its modules' names begin.
    """

    name: str
    dsn: str
    conn: Any = None

    @property
    def apg(self) -> Any:
        """The driver itself."""
        return self.module()

    def module(self, path: str = "") -> ModuleType:
        """One of its modules."""
        return import_module(f"{self.name}.{path}" if path else self.name)


Ask: TypeAlias = Callable[[Session], Awaitable[Any]]
Decorator: TypeAlias = Callable[[Callable[..., Awaitable[Any]]], object]


@dataclass(frozen=True)
class Case:
    """One call, or a few, with what they cover.

    `covers`: the public names, such as "Connection.fetch". `differs`: the name of the difference on
    purpose that makes the two drivers answer otherwise, "" if they have to answer alike.
    """

    covers: tuple[str, ...]
    what: str
    ask: Ask
    differs: str = ""

    @property
    def id(self) -> str:
        return f"{self.covers[0]}: {self.what}"


CASES: list[Case] = []


def case(covers: str, what: str, differs: str = "") -> Decorator:
    """Add what follows to the cases; `covers`: one name, or several between blanks."""

    def add(ask: Callable[..., Awaitable[Any]]) -> object:
        CASES.append(Case(tuple(covers.split()), what, ask, differs))
        return ask

    return add


def cases(covers: str, asked: Mapping[str, Ask], differs: str = "") -> None:
    """Add several cases of the same name."""
    for what, ask in asked.items():
        case(covers, what, differs)(ask)


@dataclass(frozen=True)
class Failure:
    """An exception: its class, the names of all classes it is an instance of, its SQLSTATE."""

    kind: str
    family: frozenset[str]
    sqlstate: str | None


@dataclass(frozen=True)
class Outcome:
    """What a case has come to with one driver."""

    value: Any = None
    failure: Failure | None = None

    def stands_in_for(self, other: Outcome) -> bool:
        """Whether a program that knows `other` is served by this.

        An exception is if it is caught by all that catches the other one.
        """
        return serves(self.failure, other.failure) and serves(self.value, other.value)

    def __str__(self) -> str:
        if self.failure is None:
            return f"returned {self.value!r:.300}"
        return f"raised {self.failure.kind} {sorted(self.failure.family)} {self.failure.sqlstate}"


def serves(mine: Any, theirs: Any) -> bool:
    """Whether a program that expects `theirs` is served by `mine`."""
    if type(mine) is not type(theirs):
        return False
    if isinstance(mine, Failure):
        states = (mine.sqlstate, None)  # where they have none any will do
        return mine.family >= theirs.family and theirs.sqlstate in states
    if isinstance(mine, list | tuple):
        return len(mine) == len(theirs) and all(map(serves, mine, theirs))
    return bool(mine == theirs)


def failure_of(error: BaseException) -> Failure:
    known = [
        kind.__name__
        for kind in type(error).__mro__
        if kind.__module__ == "builtins" or kind.__name__ in VOCABULARY
    ]
    return Failure(type(error).__name__, frozenset(known), getattr(error, "sqlstate", None))


async def outcome(ask: Ask, session: Session) -> Outcome:
    """Run a case on a new connection."""
    conn = session.conn = await session.apg.connect(session.dsn)
    try:
        async with asyncio.timeout(DEADLINE):
            return Outcome(plain(await ask(session)))
    except Exception as error:
        return Outcome(failure=failure_of(error))
    finally:
        if not conn.is_closed():
            conn.terminate()
            await asyncio.sleep(0)  # asyncpg's transport is closed in the next turn


def plain(value: Any) -> Any:
    """What can be compared of a value, whichever driver it is of."""
    kind = type(value)
    if is_record(value):
        return (kind.__name__, [(name, plain(each)) for name, each in value.items()])
    if isinstance(value, BaseException):
        return failure_of(value)
    if kind in (list, tuple, set, frozenset):
        return kind(map(plain, value))
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, UUID):
        return ("UUID", str(value))
    if isinstance(value, timedelta):
        return timedelta(value.days, value.seconds, value.microseconds)
    if isinstance(value, float | Decimal):
        return (kind.__name__, repr(value))  # not a number equals nothing
    if kind.__module__.startswith(("asyncpg", "pgallop")):
        return (kind.__name__, *parts(value))
    return value


def is_record(value: Any) -> bool:
    return any(base.__name__ == "Record" for base in type(value).__mro__)


def parts(value: Any) -> Iterator[Any]:
    """What a value of a class of the driver's own consists of."""
    name = type(value).__name__
    if isinstance(value, tuple):
        yield from map(plain, value)
    elif name == "Range":
        yield from map(plain, (value.lower, value.upper))
        yield from (value.lower_inc, value.upper_inc, value.isempty)
    elif name == "BitString":
        yield value.as_string()
    elif name in ("Path", "Polygon"):
        yield from map(plain, value.points)
        yield value.is_closed
