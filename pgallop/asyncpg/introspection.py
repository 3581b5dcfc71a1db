"""asyncpg's questions to the catalogue, by which libraries tell them from those of the program."""

from collections.abc import Mapping
from typing import Any, Final

from pgallop.introspect import TYPES

__all__ = ["INTRO_LOOKUP_TYPES", "INTRO_LOOKUP_TYPES_13", "TYPE_BY_NAME"]

# pgallop's own are other ones; this is that about types that it has not met.
INTRO_LOOKUP_TYPES: Final = TYPES
INTRO_LOOKUP_TYPES_13: Final = TYPES

TYPE_BY_NAME: Final = """
    SELECT t.oid, t.typelem AS elemtype, t.typtype AS kind
    FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
    WHERE t.typname = $1 AND n.nspname = $2
"""

# In pg_type.typtype: base types, domains, enums.
SCALAR_TYPE_KINDS: Final = (b"b", b"d", b"e")


def is_scalar_type(typeinfo: Mapping[str, Any]) -> bool:
    """Whether a row of `TYPE_BY_NAME` is about a type that consists of nothing else."""
    return typeinfo["kind"] in SCALAR_TYPE_KINDS and not typeinfo["elemtype"]


def is_domain_type(typeinfo: Mapping[str, Any]) -> bool:
    """Whether it is about a domain."""
    return bool(typeinfo["kind"] == b"d")


def is_composite_type(typeinfo: Mapping[str, Any]) -> bool:
    """Whether it is about a composite type."""
    return bool(typeinfo["kind"] == b"c")
