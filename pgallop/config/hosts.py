"""The servers to try: hosts paired with ports, and what stands in for those left out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from pgallop.config.sources import Given, Sources
from pgallop.errors import ClientConfigurationError

__all__ = ["DEFAULT_PORT", "SOCKET_DIRECTORIES", "Host", "resolve_hosts"]

DEFAULT_PORT: Final = 5432

# Where packages put the server's socket: Red Hat, Debian, and PostgreSQL's own default.
SOCKET_DIRECTORIES: Final = ("/run/postgresql", "/var/run/postgresql", "/tmp")

_NOT_IN_A_HOST: Final = re.compile(r"[\s/@\[\]]")
_HOST_AND_PORT: Final = re.compile(r"[^:]*:[^:]*")
_HOST_WITH_PORT: Final = re.compile(r"(?:\[([^\[\]]+)\]|([^:/@\[\]]+)(?=:))(?::([^:]*))?")
_PORT: Final = "a port from 1 to 65535, or several with commas between them"
# `u:a/b@h` is a host, a port and a database: what a password with a "/" in it becomes.
_IN_A_URI: Final = ' (in a URI the "/" of a password is written %2F)'


@dataclass(frozen=True, slots=True)
class Host:
    """One server to try.

    Args:
        host: a name, an IP address, the directory of a Unix socket (it starts with "/"), or the
            name of one in the abstract namespace (it starts with "@").
        port: 1 to 65535; for a Unix socket it is part of the file's name.

    Example:
        >>> Host("/tmp", 5433).socket_path
        '/tmp/.s.PGSQL.5433'

    Source: PostgreSQL documentation, libpq, parameter "host".
    """

    host: str
    port: int

    @property
    def is_unix(self) -> bool:
        """Whether this is a Unix socket."""
        return self.host.startswith(("/", "@"))

    def __str__(self) -> str:
        if self.is_unix:
            return f'socket "{self.socket_path}"'
        return f'host "{self.host}", port {self.port}'

    @property
    def socket_path(self) -> str:
        """The path of the Unix socket; a leading "@" stands for the NUL of an abstract name.

        One that is given itself, instead of its directory, is taken, as asyncpg does.
        """
        if ".s.PGSQL." in self.host:
            return self.host
        return f"{self.host}/.s.PGSQL.{self.port}"


def resolve_hosts(
    sources: Sources,
    host: object,
    port: object,
    socket_directories: Sequence[str],
    *,
    others: bool = False,
) -> tuple[Host, ...]:
    """Pair the hosts with their ports.

    Each port comes from the strongest source that has one for that host, so that PGPORT fills
    the gap in `postgresql://one:5433,two/`. A host left out, alone or in a list, becomes the
    usual socket directories and then localhost, as in asyncpg.

    Args:
        sources: the DSN and the environment.
        host: connect()'s argument: a str (commas separate several), a sequence of str, or None.
        port: connect()'s argument: an int, a str (commas again), a sequence of both, or None.
        socket_directories: the directories that stand in for a missing host.
        others: hosts of a parameter or a variable may have their ports with them, as in asyncpg.

    Raises:
        ClientConfigurationError: a host or port is malformed, or their numbers do not match.
    """
    argument = Given("host", host)
    given = sources.find("host", argument)
    own_ports = None
    if others and given is not None and given is not argument:
        given, own_ports = _parted(given)
    names = _names(given) if given is not None else [""]
    hosts: list[Host] = []
    for name, number in zip(names, _ports(sources, port, own_ports, len(names)), strict=True):
        stand_ins = (*socket_directories, "localhost")
        hosts.extend(Host(each, number) for each in ([name] if name else stand_ins))
    return tuple(hosts)


def _elements(given: Given, kinds: str) -> list[Given]:
    """Split a comma list or a sequence into its elements."""
    value = given.value
    if isinstance(value, str):
        return [given.part(text) for text in value.split(",")]
    if isinstance(value, (list, tuple)) and value:
        return [given.part(element) for element in cast("Sequence[object]", value)]
    raise given.bad(kinds)


def _parted(given: Given) -> tuple[Given, Given]:
    """The hosts of `one:5432,[::1]:5433,two`, and the ports."""
    names: list[str] = []
    ports: list[str] = []
    for text in given.text().split(","):
        match = _HOST_WITH_PORT.fullmatch(text)
        names.append(text if match is None else match[1] or match[2])
        ports.append("" if match is None else match[3] or "")
    return given.part(",".join(names)), given.part(",".join(ports))


def _names(given: Given) -> list[str]:
    kinds = "a host name, an IP address, a socket directory, or a sequence of these"
    elements = _elements(given, kinds)
    # A whole DSN in the wrong place must not reach a message, nor a name server.
    private = given.private or any(_may_be_dsn(element.value) for element in elements)
    return [_name(Given(given.origin, element.value, private)) for element in elements]


def _may_be_dsn(value: object) -> bool:
    return isinstance(value, str) and ("@" in value or "://" in value)


def _name(given: Given) -> str:
    name = given.text()
    if name.startswith(("/", "@")):
        return name
    if _NOT_IN_A_HOST.search(name):
        raise given.bad(
            'a host name or an IP address (with no space, "/", "@" or brackets; a DSN goes into '
            "dsn=)"
        )
    if _HOST_AND_PORT.fullmatch(name):
        raise given.bad("a host name or an IP address (the port goes into port)")
    return name


def _ports(sources: Sources, port: object, own: Given | None, count: int) -> list[int]:
    """The ports; `own`: those that came with the hosts, which count more than the environment."""
    ports: list[int | None] = [None] * count
    sought = list(sources.each("port", Given("port", port)))
    if own is not None:
        sought.insert(len(sought) - (sources.variable("PGPORT") is not None), own)
    for given in sought:
        numbers = _numbers(given)
        if len(numbers) == 1:
            numbers *= count
        if len(numbers) != count:
            hosts = "1 host" if count == 1 else f"{count} hosts"
            raise ClientConfigurationError(
                f"{given.origin}: expected one port, or as many as hosts, got {len(numbers)} ports "
                f"for {hosts}"
            )
        ports = [mine or other for mine, other in zip(ports, numbers, strict=True)]
        if all(ports):
            break
    return [number or DEFAULT_PORT for number in ports]


def _numbers(given: Given) -> list[int | None]:
    if isinstance(given.value, int):
        return [_number(given)]
    return [_number(element) for element in _elements(given, _PORT)]


def _number(given: Given) -> int | None:
    """Return the port, or None for an empty element of a comma list."""
    value = given.value
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        # int() takes "5_432", other scripts' digits, and raises on more than 4,300 of them.
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise given.bad(_PORT + (_IN_A_URI if given.private else ""))
        value = int(text)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise given.bad(_PORT)
    return value
