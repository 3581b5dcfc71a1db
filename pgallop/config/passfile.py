"""The password file: lines of `hostname:port:database:user:password`.

Source: PostgreSQL documentation, libpq, "The Password File".
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pgallop.config.files import Files, in_home
from pgallop.config.hosts import Host
from pgallop.config.sources import Given, Sources

__all__ = ["PassfileLine", "find_password", "parse_passfile", "passwords_for"]

# A colon or a backslash in a field has a backslash before it. In the password a colon needs none:
# libpq would end it there, asyncpg does not.
_LINE: Final = re.compile(r"((?:\\.|[^\\:])*):" * 4 + "(.*)")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class PassfileLine:
    """One line; a field that is `None` fits everything."""

    host: str | None
    port: str | None
    database: str | None
    user: str | None
    password: str = field(repr=False)

    def fits(self, host: str, port: int, database: str, user: str) -> bool:
        """Whether the line is for this server, database and role."""
        mine = (self.host, self.port, self.database, self.user)
        other = (host, str(port), database, user)
        return all(a is None or a == b for a, b in zip(mine, other, strict=True))


def parse_passfile(text: str) -> Iterator[PassfileLine]:
    """Yield the lines of a password file; those that are none are left out, as libpq does.

    Example:
        >>> [line] = parse_passfile("# mine\\ndb:*:shop:ada:se\\\\:cret")
        >>> line.host, line.port, line.password
        ('db', None, 'se:cret')
    """
    for line in text.split("\n"):
        match = None if line.startswith("#") else _LINE.fullmatch(line.removesuffix("\r"))
        if match is not None:
            *fields, password = match.groups()
            host, port, database, user = [
                None if text == _ANY else _unescaped(text) for text in fields
            ]
            yield PassfileLine(host, port, database, user, _unescaped(password))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def find_password(
    lines: Sequence[PassfileLine], host: Host, database: str, user: str
) -> str | None:
    """Return the password of the first line that fits; a Unix socket is `localhost`, too.

    If that line's is empty there is none, as in libpq: it keeps a server from those further down.
    """
    names = (host.host, "localhost") if host.is_unix else (host.host,)
    for line in lines:
        if any(line.fits(name, host.port, database, user) for name in names):
            return line.password or None
    return None


def passwords_for(
    sources: Sources,
    passfile: object,
    files: Files,
    hosts: Sequence[Host],
    database: str,
    user: str,
) -> Mapping[Host, str]:
    """Return what the password file has for these servers.

    Args:
        sources: the DSN and the like.
        passfile: connect()'s argument: the file, None for the usual one.
        files: the user's.
        hosts: the servers.
        database: its name.
        user: the role's name.
    """
    given = sources.find("passfile", Given("passfile", passfile))
    path = in_home(files, ".pgpass") if given is None else given.path()
    text = None if path is None else files.read_secret(path)
    lines = [] if text is None else list(parse_passfile(text))
    found = {host: find_password(lines, host, database, user) for host in hosts}
    return {host: password for host, password in found.items() if password is not None}
