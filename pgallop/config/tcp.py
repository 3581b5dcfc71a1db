"""How a TCP connection finds out that its peer is gone: keepalives and the limit for data sent.

libpq's five parameters. 0 leaves a number to the operating system, and so does leaving it out, but
for the keepalives' three: Linux begins to probe an idle connection after two hours (tcp(7),
tcp_keepalive_time), and "a dead peer is never noticed" is what that looks like. Ours are noticed
within two minutes.
"""

import re
from dataclasses import dataclass
from typing import Final

from pgallop.config.sources import Given, Sources

__all__ = ["TcpOptions", "resolve_tcp"]

# What Linux takes (include/net/tcp.h: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT). Other
# systems take more of it, but a DSN should mean the same everywhere.
_MAX_SECONDS: Final = 32767
_MAX_COUNT: Final = 127
_MAX_INT32: Final = 2**31 - 1

_SECONDS: Final = f"whole seconds from 0 (the system's default) to {_MAX_SECONDS}"
_COUNT: Final = f"a whole number from 0 (the system's default) to {_MAX_COUNT}"
_MILLISECONDS: Final = f"whole milliseconds from 0 (the system's default) to {_MAX_INT32}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpOptions:
    """When a silent peer counts as dead; 0 stands for the operating system's default.

    Args:
        keepalives: probe the peer while the connection is idle or waits for an answer. If False
            the three that follow mean nothing.
        keepalives_idle: seconds of silence before the first probe.
        keepalives_interval: seconds between probes.
        keepalives_count: unanswered probes after which the connection is lost.
        tcp_user_timeout: milliseconds that sent data may stay unacknowledged. Keepalives do not
            help then: they wait until everything sent has been acknowledged.

    Example:
        >>> TcpOptions(keepalives_idle=10, keepalives_interval=2, keepalives_count=3)
        TcpOptions(keepalives=True, keepalives_idle=10, keepalives_interval=2, keepalives_count=3, \
tcp_user_timeout=0)

    Source: PostgreSQL documentation, libpq, "Parameter Key Words"; tcp(7).
    """

    keepalives: bool = True
    keepalives_idle: int = 60
    keepalives_interval: int = 10
    keepalives_count: int = 6
    tcp_user_timeout: int = 0


def resolve_tcp(
    sources: Sources,
    keepalives: object,
    keepalives_idle: object,
    keepalives_interval: object,
    keepalives_count: object,
    tcp_user_timeout: object,
) -> TcpOptions:
    """Return the options from connect()'s arguments, None where not given, and the DSN.

    Raises:
        ClientConfigurationError: one is no whole number, or is negative or too large.
    """
    default = TcpOptions()

    def number(keyword: str, argument: object, most: int, expected: str) -> int:
        given = _given(sources, keyword, argument)
        if given is None:
            preset: int = getattr(default, keyword)
            return preset
        value = _whole_number(given)
        if value is None or value > most:
            raise given.bad(expected)
        return value

    return TcpOptions(
        keepalives=_switch(sources, "keepalives", keepalives, default.keepalives),
        keepalives_idle=number("keepalives_idle", keepalives_idle, _MAX_SECONDS, _SECONDS),
        keepalives_interval=number(
            "keepalives_interval", keepalives_interval, _MAX_SECONDS, _SECONDS
        ),
        keepalives_count=number("keepalives_count", keepalives_count, _MAX_COUNT, _COUNT),
        tcp_user_timeout=number("tcp_user_timeout", tcp_user_timeout, _MAX_INT32, _MILLISECONDS),
    )


def _given(sources: Sources, keyword: str, argument: object) -> Given | None:
    # An empty argument is a mistake, while an empty value in the DSN is none at all.
    return sources.find(keyword) if argument is None else Given(keyword, argument)


def _whole_number(given: Given) -> int | None:
    """The number that was given, None if it is none or below 0."""
    value = given.value
    if isinstance(value, str) and given.private:  # in the DSN everything is text
        return int(value) if re.fullmatch(r"\s*[0-9]{1,10}\s*", value, re.ASCII) else None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value


def _switch(sources: Sources, keyword: str, argument: object, default: bool) -> bool:
    given = _given(sources, keyword, argument)
    if given is None:
        return default
    if isinstance(given.value, bool):
        return given.value
    value = _whole_number(given)
    if value not in (0, 1):
        raise given.bad("1 or 0" if given.private else "True or False, or 1 or 0")
    return value == 1
