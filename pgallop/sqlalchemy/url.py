"""What an engine's URL says, as the keywords of `pgallop.connect`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.engine.url import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.util import asbool

from pgallop.config.parameters import PARAMETERS

# The keywords of connect() that a URL can have, and what makes values of their texts.
KEYWORDS: Mapping[str, Callable[[str], Any]] = {
    "allow_cleartext_password": asbool,
    "command_timeout": float,
    "describe_first": asbool,
    "drain_timeout": float,
    "geometry": str,
    "max_cacheable_statement_size": int,
    "max_cached_statement_lifetime": float,
    "max_message_size": int,
    "out_of_range": str,
    "scram_max_iterations": int,
    "ssl": str,
    "statement_cache_size": int,
    "statement_mode": str,
    "strict": asbool,
    "timeout": float,
    "vectors": str,
}

# What SQLAlchemy's dialect for asyncpg calls it.
ALIASES: Mapping[str, str] = {"prepared_statement_cache_size": "statement_cache_size"}


def options_of(
    url: URL, hosts: Sequence[str | None] | None, ports: Sequence[int | None] | None
) -> dict[str, Any]:
    """The keywords that `url` stands for.

    Behind its `?` may stand keywords of `connect` and parameters of libpq, such as `sslmode`. The
    hosts and ports that are among them are given apart.

    Raises:
        sqlalchemy.exc.ArgumentError: there is no such keyword, or it cannot have this value.

    Example:
        >>> options_of(make_url("postgresql+pgallop://ada@db/shop?strict=true"), None, None)
        {'host': 'db', 'database': 'shop', 'user': 'ada', 'strict': True}
    """
    options = url.translate_connect_args(username="user")
    if hosts:
        options["host"] = [host or "" for host in hosts]
    if ports and any(ports):
        options["port"] = [port or "" for port in ports]
    libpq: list[str] = []
    for key, value in url.query.items():
        name = ALIASES.get(key, key)
        if not isinstance(value, str):
            value = value[-1]
        if name in ("host", "port"):
            continue
        if name in KEYWORDS:
            options[name] = converted(key, value)
        elif name in PARAMETERS:
            libpq.append(f"{name}='{quoted(value)}'")
        else:
            raise ArgumentError(
                f"postgresql+pgallop: {key!r} is no keyword of pgallop.connect() that a URL can "
                f"have, and no parameter of libpq; what is no text goes into connect_args"
            )
    if libpq:
        options["dsn"] = " ".join(libpq)
    return options


def converted(key: str, value: str) -> Any:
    """The value of a keyword, from its text."""
    try:
        return KEYWORDS[ALIASES.get(key, key)](value)
    except ValueError as error:
        raise ArgumentError(f"postgresql+pgallop: {key}={value!r}: {error}") from error


def quoted(value: str) -> str:
    """A value within the single quotes of a DSN of libpq's."""
    return value.replace("\\", "\\\\").replace("'", "\\'")
