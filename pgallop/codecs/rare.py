"""The types every PostgreSQL has and few programs meet; the others are in `builtin.py`."""

from pgallop.codecs import (
    arrays,
    bits,
    geometry,
    money,
    network,
    ranges,
    records,
    system,
    text_arrays,
    text_only,
)
from pgallop.codecs.registry import Registry


def register(registry: Registry) -> None:
    """Add them to a registry that has the others."""
    for family in (bits, geometry, network, system, text_only):
        family.register(registry)
    # Arrays look their elements up.
    arrays.register(registry)
    money.register(registry, registry.choices)  # with an array of its own: both are to be resolved
    ranges.register(registry)  # of types that are known, with arrays of their own
    text_arrays.register(registry)
    records.register(registry)
