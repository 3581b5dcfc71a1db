"""The parameters of a pool, checked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Any, TypeAlias

from pgallop.config.sources import Given
from pgallop.connection import Connection

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
    max_idle: float
    max_lifetime: float
    max_waiting: float
    acquire_timeout: float
    check: str | Hook | None
    check_after: float
    warm_up: tuple[str, ...]
    connect: Connector | None
    init: Hook | None
    setup: Hook | None
    reset: Hook | None
    record_stacks: bool


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


def checked_options(
    *,
    init_size: object,
    min_size: object,
    max_size: object,
    max_queries: object,
    max_inactive_connection_lifetime: object,
    max_lifetime: object,
    max_waiting: object,
    acquire_timeout: object,
    check: Any,
    check_after: object,
    warm_up: Iterable[str],
    connect: Any,
    init: Any,
    setup: Any,
    reset: Any,
    record_stacks: object,
) -> PoolOptions:
    """The parameters of `create_pool`, checked.

    Raises:
        ClientConfigurationError: one of them makes no sense.
    """
    least, most = checked_sizes(min_size, max_size)
    first = least if init_size is None else _count(Given("init_size", init_size), 0)
    if not least <= first <= most:
        raise Given("init_size", init_size).bad(f"from min_size, {least}, to max_size, {most}")
    if isinstance(warm_up, str):
        raise Given("warm_up", warm_up).bad("statements, such as a list of them")
    queries = Given("max_queries", max_queries)
    return PoolOptions(
        init_size=first,
        min_size=least,
        max_size=most,
        max_queries=inf if max_queries == inf else _count(queries, 1),
        max_idle=_limit("max_inactive_connection_lifetime", max_inactive_connection_lifetime),
        max_lifetime=_limit("max_lifetime", max_lifetime),
        max_waiting=inf if max_waiting is None else _count(Given("max_waiting", max_waiting), 0),
        acquire_timeout=_patience(acquire_timeout),
        check=check if isinstance(check, str) else _hook("check", check),
        check_after=_seconds(Given("check_after", check_after)),
        warm_up=tuple([Given("warm_up", each).text() for each in warm_up]),
        connect=_hook("connect", connect),
        init=_hook("init", init),
        setup=_hook("setup", setup),
        reset=_hook("reset", reset),
        record_stacks=bool(record_stacks),
    )


def _count(given: Given, least: int) -> int:
    value = given.value
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < _MOST:
        raise given.bad(f"an int from {least} to {_MOST - 1}")
    return value


def _seconds(given: Given) -> float:
    value = given.value
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < _MOST:
        raise given.bad("seconds from 0 to 2**31")
    return float(value)


def _limit(origin: str, value: object) -> float:
    """Seconds; 0 and None are no limit, and not one that is over at once."""
    return inf if value is None else _seconds(Given(origin, value)) or inf


def _patience(value: object) -> float:
    given = Given("acquire_timeout", value)
    if value is None:
        return inf
    if _seconds(given) == 0:
        raise given.bad("seconds above 0, or None to wait for ever")
    return _seconds(given)


def _hook(origin: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise Given(origin, value).bad("a coroutine function, or None")
    return value
