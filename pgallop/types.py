"""Small public types, and those of values, which asyncpg's users look for here."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pgallop import values
from pgallop.values import *  # noqa: F403 (all of them)

__all__ = ["Attribute", "ServerSettings", "ServerVersion", "Type"]
__all__ += values.__all__


class ServerVersion(NamedTuple):
    """A server's version; compares with tuples: `version >= (14, 2)`.

    `micro` is 0 since PostgreSQL 10, `releaselevel` one of "alpha", "beta", "candidate", "final".
    """

    major: int
    minor: int
    micro: int
    releaselevel: str
    serial: int


_VERSION = re.compile(
    r"(?:\D*\s)?(?P<major>\d{1,9})(?:\.(?P<minor>\d{1,9}))?(?:\.(?P<micro>\d{1,9}))?"
    r"(?P<level>alpha|beta|rc|devel)?(?P<serial>\d{1,9})?"
)
_LEVELS = {"alpha": "alpha", "beta": "beta", "rc": "candidate", "devel": "alpha"}


def parse_server_version(text: str) -> ServerVersion:
    """The version in `18.6`, `15.2 (Debian 15.2-1)`, `9.6.24`, `17beta2` or the like.

    A text without a number gives version 0.0.0. Before PostgreSQL 10 the first two numbers were the
    major version; here they are `major` and `minor`, as in asyncpg.
    """
    match = _VERSION.match(text)
    if match is None:
        return ServerVersion(0, 0, 0, "final", 0)
    major = int(match["major"])
    minor = int(match["minor"] or 0)
    micro = int(match["micro"] or 0)
    level = _LEVELS.get(match["level"] or "", "final")
    return ServerVersion(major, minor, micro, level, int(match["serial"] or 0))


class Type(NamedTuple):
    """A PostgreSQL type: `oid`, `name` (`int4`, `int4[]`), `schema`, and its `kind`.

    The kind is "scalar" (enums and domains too), "array", "composite", "range" or "multirange".
    """

    oid: int
    name: str
    kind: str
    schema: str


class Attribute(NamedTuple):
    """A column of a result: its `name` and its `type`."""

    name: str
    type: Type


class ServerSettings(Mapping[str, str]):
    """The settings a server has reported: `settings["TimeZone"]` or `settings.TimeZone`.

    PostgreSQL reports about fifteen of its settings (those marked GUC_REPORT), and again whenever
    one of them changes.
    """

    __slots__ = ("_settings",)

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = dict(settings)

    def __getitem__(self, name: str) -> str:
        return self._settings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._settings[name]
        except KeyError:
            raise AttributeError(f"the server has not reported a setting {name!r}") from None

    def __repr__(self) -> str:
        return f"<ServerSettings {self._settings!r}>"
