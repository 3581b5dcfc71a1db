"""The parameters of a pool, checked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, TypeAlias

from pgallop.config.sources import Given
from pgallop.connecting import check_connection_class
from pgallop.connection import Connection
from pgallop.rows.record import Record, check_record_class

# What is called with a connection.
Hook: TypeAlias = Callable[[Any], Awaitable[Any]]

# What opens one, called as `connect` is.
Connector: TypeAlias = Callable[..., Awaitable[Connection]]

DEFAULT_MIN_SIZE = 10

_MOST = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """A pool's checked parameters, see `create_pool`; inf stands for no limit."""

    init_size: int
    min_size: int
    max_size: int
    max_queries: float
    max_inactive_connection_lifetime: float
    max_lifetime: float
    max_waiting: float
    acquire_timeout: float
    check: str | Hook | None
    check_after: float
    warm_up: tuple[str, ...]
    connect: Connector | None
    setup: Hook | None
    init: Hook | None
    reset: Hook | None
    connection_class: type[Connection]
    record_class: type[Record]
    record_stacks: bool


def taken_from(arguments: dict[str, Any]) -> PoolOptions:
    """The parameters of a pool, checked and taken out of the `arguments` of `create_pool`.

    What is left of them is for `connect`.

    Raises:
        ClientConfigurationError: one of them makes no sense.
        InterfaceError: `connection_class` or `record_class` is none.
    """
    given = {name: arguments.pop(name, default) for name, (default, _) in PARAMETERS.items()}
    options: dict[str, Any] = {
        name: checked(Given(name, given[name])) for name, (_, checked) in PARAMETERS.items()
    }
    least, most = checked_sizes(given["min_size"], given["max_size"])
    first = least if given["init_size"] is None else options["init_size"]
    if not least <= first <= most:
        raise Given("init_size", first).bad(f"from min_size, {least}, to max_size, {most}")
    options |= {"init_size": first, "min_size": least, "max_size": most}
    return PoolOptions(**options)


def checked_sizes(min_size: object, max_size: object) -> tuple[int, int]:
    """The sizes of a pool.

    Raises:
        ClientConfigurationError: they make no sense.
    """
    most = _count(Given("max_size", max_size), 1)
    if min_size is None:
        return min(DEFAULT_MIN_SIZE, most), most
    least = _count(Given("min_size", min_size), 0)
    if least > most:
        raise Given("min_size", min_size).bad(f"at most max_size, which is {most}")
    return least, most


def _count(given: Given, least: int) -> int:
    value = given.value
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < _MOST:
        raise given.bad(f"an int from {least} to {_MOST - 1}")
    return value


def _size(given: Given) -> int | None:
    return None if given.value is None else _count(given, 0)


def _most_queries(given: Given) -> float:
    return inf if given.value == inf else _count(given, 1)


def _most_waiting(given: Given) -> float:
    return inf if given.value is None else _count(given, 0)


def _seconds(given: Given) -> float:
    value = given.value
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < _MOST:
        raise given.bad("seconds from 0 to 2**31")
    return float(value)


def _limit(given: Given) -> float:
    """Seconds; 0 and None are no limit, and not one that is over at once."""
    return inf if given.value is None else _seconds(given) or inf


def _patience(given: Given) -> float:
    if given.value is None:
        return inf
    if _seconds(given) == 0:
        raise given.bad("seconds above 0, or None to wait for ever")
    return _seconds(given)


def _hook(given: Given) -> Any:
    if given.value is not None and not callable(given.value):
        raise given.bad("a coroutine function, or None")
    return given.value


def _check(given: Given) -> Any:
    return given.value if isinstance(given.value, str) else _hook(given)


def _statements(given: Given) -> tuple[str, ...]:
    statements: Any = given.value
    if isinstance(statements, str):
        raise given.bad("statements, such as a list of them")
    return tuple([Given("warm_up", each).text() for each in statements])


def _connection_class(given: Given) -> Any:
    check_connection_class(given.value)
    return given.value


def _record_class(given: Given) -> Any:
    check_record_class(given.value)
    return given.value


def _flag(given: Given) -> bool:
    return bool(given.value)


# Of each parameter of a pool: what it is by default, and what checks it.
PARAMETERS: Mapping[str, tuple[Any, Callable[[Given], Any]]] = {
    "init_size": (None, _size),
    "min_size": (None, _size),
    "max_size": (10, _size),
    "max_queries": (50_000, _most_queries),
    "max_inactive_connection_lifetime": (300.0, _limit),
    "max_lifetime": (3600.0, _limit),
    "max_waiting": (None, _most_waiting),
    "acquire_timeout": (30.0, _patience),
    "check": (";", _check),
    "check_after": (60.0, _seconds),
    "warm_up": ((), _statements),
    "connect": (None, _hook),
    "setup": (None, _hook),
    "init": (None, _hook),
    "reset": (None, _hook),
    "connection_class": (Connection, _connection_class),
    "record_class": (Record, _record_class),
    "record_stacks": (False, _flag),
}
