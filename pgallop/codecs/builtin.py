"""The types every PostgreSQL has, registered family by family."""

from functools import cache

from pgallop.codecs import (
    arrays,
    binary,
    datetimes,
    json,
    numbers,
    numeric,
    records,
    text,
    uuid,
)
from pgallop.codecs.registry import Registry


@cache
def builtin_registry() -> Registry:
    """The registry all connections start from; take a `copy()` before adding to it."""
    registry = Registry()
    for family in (numbers, numeric, text, binary, uuid, datetimes, json):
        family.register(registry)
    # Arrays look their elements up.
    arrays.register(registry)
    records.register(registry)
    return registry
