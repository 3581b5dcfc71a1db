"""Versions of servers as asyncpg tells them."""

from pgallop.types import ServerVersion, parse_server_version

__all__ = ["split_server_version_string"]


def as_asyncpg(version: ServerVersion) -> ServerVersion:
    """Since PostgreSQL 10 with 0 in second place: 18.6 is (18, 0, 6)."""
    if version.major < 10:
        return version
    return version._replace(minor=0, micro=version.minor)


def split_server_version_string(version_string: str) -> ServerVersion:
    """The version in the text that a server has of it.

    Raises:
        ValueError: there is none in it.
    """
    version = parse_server_version(version_string)
    if not version.major:
        raise ValueError(f"no version of PostgreSQL in {version_string!r:.100}")
    return as_asyncpg(version)
