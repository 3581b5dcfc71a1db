"""Where pgallop, its drop-in and asyncpg differ: the one list, which drives behaviour and page.

`CHOICES`: where pgallop differs from asyncpg, and the drop-in is as asyncpg. What each of them sets
is all that makes the drop-in behave so. `DIFFERENCES`: where the drop-in differs from asyncpg, on
purpose; the differential test accepts nothing else. docs/migration.md shows both.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from pgallop.codecs.choices import CodecChoices


class Where(Enum):
    """What a choice is an option of."""

    CODECS = "CodecChoices"
    CONNECTION = "ConnectOptions"
    ARGUMENT = "resolve()"
    POOL = "PoolOptions"
    METHOD = "a method of the drop-in's classes"


class Choice(NamedTuple):
    """What pgallop does in one way and asyncpg in another; the drop-in does as asyncpg.

    `option`: what makes the difference; its `value` is the drop-in's. `None` where the drop-in has
    a method of its own.
    """

    topic: str
    native: str
    asyncpg: str
    where: Where
    option: str
    value: Any = None


CHOICES: tuple[Choice, ...] = (
    Choice(
        "json, jsonb",
        "read as what the document says, written from Python objects",
        "`str`, both ways",
        Where.CODECS,
        "json_as_text",
        True,
    ),
    Choice(
        '"char"',
        "`str` of one character",
        "`bytes`",
        Where.CODECS,
        "char_as_bytes",
        True,
    ),
    Choice(
        "money",
        "`Decimal`",
        "`str`, as the server writes it",
        Where.CODECS,
        "money_as_text",
        True,
    ),
    Choice(
        "types of extensions (hstore, citext, ltree, cube, vector, PostGIS, ...)",
        "known by their names: hstore is a `dict`, vector a `list`, geometry EWKB",
        "`str`, until a codec is set",
        Where.CODECS,
        "extensions",
        False,
    ),
    Choice(
        "the last and the first date and timestamp of Python",
        "themselves; infinity is an object that equals them",
        "infinity, both ways",
        Where.CODECS,
        "max_is_infinity",
        True,
    ),
    Choice(
        "a statement of another task while a transaction is open",
        "waits for the end of the transaction",
        "becomes part of the transaction",
        Where.CONNECTION,
        "shared_transactions",
        True,
    ),
    Choice(
        "parameters in the DSN that libpq does not have",
        "are refused, with the nearest one that it has",
        "are settings of the session",
        Where.ARGUMENT,
        "unknown_as_settings",
        True,
    ),
    Choice(
        "`acquire` without a timeout",
        "raises PoolTimeoutError after 30 seconds",
        "waits for ever",
        Where.POOL,
        "acquire_timeout",
        None,
    ),
    Choice(
        "the age of a connection in a pool",
        "it is replaced after an hour",
        "does not matter",
        Where.POOL,
        "max_lifetime",
        0,
    ),
)

# What the drop-in sets.
CODECS = CodecChoices(**{each.option: each.value for each in CHOICES if each.where is Where.CODECS})
CONNECTION: dict[str, Any] = {
    each.option: each.value for each in CHOICES if each.where is Where.CONNECTION
}
ARGUMENTS: dict[str, Any] = {
    each.option: each.value for each in CHOICES if each.where is Where.ARGUMENT
}
POOL: dict[str, Any] = {each.option: each.value for each in CHOICES if each.where is Where.POOL}


@dataclass(frozen=True)
class Difference:
    """Where the drop-in differs from asyncpg. Tests refer to it by its `name`."""

    name: str
    topic: str
    asyncpg: str
    ours: str
    why: str


DIFFERENCES: tuple[Difference, ...] = ()
