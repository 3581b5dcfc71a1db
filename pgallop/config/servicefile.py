"""The connection service file: connection parameters under a name.

Source: PostgreSQL documentation, libpq, "The Connection Service File".
"""

from typing import Final

from pgallop.config.files import Files, in_home
from pgallop.config.parameters import PARAMETERS, nearest_parameter
from pgallop.config.sources import Given, Sources
from pgallop.errors import ClientConfigurationError

__all__ = ["add_service", "parse_service"]

# What libpq takes from the directory server, and what would make one service refer to another.
_REFUSED: Final = ("ldap", "service", "servicefile")


def parse_service(
    text: str, name: str, path: str, *, others: bool = False
) -> dict[str, str] | None:
    """Return the parameters of one service, None if the file does not have it.

    A line is `[name]`, `parameter=value`, empty, or a comment that begins with `#`. Where a
    parameter is given twice the first one counts.

    Args:
        text: the file's.
        name: the service's.
        path: the file's, for messages.
        others: leave out parameters that libpq does not have, instead of raising.

    Raises:
        ClientConfigurationError: a line of the service is malformed.

    Example:
        >>> parse_service("[shop]\\nhost=db\\nport=5433", "shop", "pg_service.conf")
        {'host': 'db', 'port': '5433'}
    """
    found: dict[str, str] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(" \t\r\f\v")
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if found is not None:
                break
            if line.startswith(f"[{name}]"):  # what follows is left out, as libpq does
                found = {}
        elif found is not None:
            place = f"{path}, line {number}"
            keyword, separator, value = line.partition("=")
            if not separator:
                raise ClientConfigurationError(f"{place}: expected parameter=value")
            if keyword.endswith((" ", "\t")):  # as asyncpg takes it; libpq does not
                keyword, value = keyword.rstrip(), value.lstrip()
            if others:  # asyncpg does not look at their case, and sslmode must not get lost
                keyword = keyword.lower()
            keyword = "dbname" if keyword == "database" else keyword
            if keyword in _REFUSED or keyword.startswith("ldap:"):
                raise ClientConfigurationError(f"{place}: a service cannot have {keyword[:20]!r}")
            if keyword in PARAMETERS:
                found.setdefault(keyword, value)
            elif not others:
                raise ClientConfigurationError(
                    f"{place}: there is no connection parameter {keyword[:40]!r}"
                    f"{nearest_parameter(keyword)}"
                )
    return found


def add_service(
    sources: Sources, service: object, servicefile: object, files: Files, *, lenient: bool
) -> None:
    """Have `sources` ask the service that was named, if one was.

    It is looked up in the user's file and then in the system's, if PGSYSCONFDIR says where that is.

    Args:
        sources: the DSN and the like.
        service: connect()'s argument: a name or None.
        servicefile: connect()'s argument: the user's file, None for the usual one.
        files: the user's.
        lenient: leave out parameters that libpq does not have.

    Raises:
        ClientConfigurationError: there is no such service or file, or a line of it is malformed.
    """
    given = sources.find("service", Given("service", service))
    if given is None:
        return
    name = given.text()
    chosen = sources.variable("PGSERVICEFILE")
    if servicefile is not None:
        chosen = Given("servicefile", servicefile)
    path = in_home(files, ".pg_service.conf") if chosen is None else chosen.path()
    paths = [] if path is None else [path]
    if system := sources.variable("PGSYSCONFDIR"):
        paths.append(f"{system.path()}/pg_service.conf")
    for path in paths:
        text = files.read(path)
        if text is None:
            if chosen is not None and path == paths[0]:
                raise chosen.bad("the name of a file that is there")
            continue
        parameters = parse_service(text, name, path, others=lenient)
        if parameters is not None:
            sources.add_service(parameters, f'service "{name}" of {path}')
            return
    places = " and ".join(paths) or "no file"
    raise ClientConfigurationError(f"{given.origin}: there is no such service in {places}")
