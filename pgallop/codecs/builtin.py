"""The types every PostgreSQL has, registered family by family."""

from functools import lru_cache

from pgallop.codecs import (
    arrays,
    binary,
    bits,
    datetimes,
    geometry,
    intervals,
    json,
    money,
    network,
    numbers,
    numeric,
    ranges,
    records,
    system,
    text,
    text_arrays,
    text_only,
    uuid,
)
from pgallop.codecs.choices import DEFAULT, CodecChoices
from pgallop.codecs.registry import Registry


def builtin_registry(choices: CodecChoices = DEFAULT) -> Registry:
    """The registry all connections of these choices start from; `copy()` it before adding to it."""
    return _registry(choices)


# As many as a program will have, unless it makes new functions for JSON at each connect().
@lru_cache(maxsize=32)
def _registry(choices: CodecChoices) -> Registry:
    registry = Registry()
    registry.choices = choices
    for family in (numbers, numeric, uuid, bits, geometry):
        family.register(registry)
    for chosen in (text, binary, datetimes, intervals, json):
        chosen.register(registry, choices)
    for family in (network, system, text_only):
        family.register(registry)
    # Arrays look their elements up.
    arrays.register(registry)
    money.register(registry, choices)  # with an array of its own: both wait to be resolved
    ranges.register(registry)  # of types that are known, with arrays of their own
    text_arrays.register(registry)
    records.register(registry)
    return registry
