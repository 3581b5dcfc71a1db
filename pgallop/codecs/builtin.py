"""The types every PostgreSQL has, registered family by family: those that most programs meet.

The others are in `rare.py`, which is imported when the first of them is met.
"""

from functools import lru_cache

from pgallop.codecs import arrays, binary, datetimes, intervals, json, numbers, numeric, text, uuid
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
    for family in (numbers, numeric, uuid):
        family.register(registry)
    for chosen in (text, binary, datetimes, intervals, json):
        chosen.register(registry, choices)
    # Arrays look their elements up.
    arrays.register(registry)
    registry.add_late(_register_rare)
    return registry


def _register_rare(registry: Registry) -> None:
    from pgallop.codecs import rare

    rare.register(registry)
