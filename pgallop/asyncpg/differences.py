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
    Choice(
        "a commit that the server answers by rolling back, for a statement has failed",
        "raises TransactionAborted",
        "passes silently",
        Where.METHOD,
        "Transaction.tells_of_rollback",
    ),
    Choice(
        "`isolation=` of a transaction within another one",
        "is refused",
        "is accepted if it is the one there is",
        Where.METHOD,
        "Transaction._check_isolation",
    ),
    Choice(
        "what is reset when a connection goes back to its pool, and by `reset()`",
        "settings, user and role, locks, cursors, LISTEN, temporary tables, sequences",
        "settings, locks, cursors, LISTEN",
        Where.METHOD,
        "Connection.get_reset_query",
    ),
    Choice(
        "`pool.fetch()` and the like",
        "run on a connection without taking it out of the pool",
        "acquire a connection, and call its method of that name",
        Where.METHOD,
        "Pool.fetch",
    ),
    Choice(
        "releasing a connection twice",
        "InterfaceError",
        "does nothing the second time",
        Where.METHOD,
        "Pool.release",
    ),
    Choice(
        "`get_server_version()` of PostgreSQL 18.6",
        "(18, 6, 0)",
        "(18, 0, 6)",
        Where.METHOD,
        "Connection.get_server_version",
    ),
    Choice(
        "`explain()` of a prepared statement",
        "what reads json on this connection makes of the plan",
        "a list, whatever reads json",
        Where.METHOD,
        "PreparedStatement.explain",
    ),
    Choice(
        "`reload_schema_state()` on a closed connection",
        "InterfaceError",
        "does nothing",
        Where.METHOD,
        "Connection.reload_schema_state",
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


# By topic: calls, values, errors, the pool.
DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "concurrent-statements",
        "statements of several tasks on one connection",
        'InterfaceError "another operation is in progress"',
        "they queue, and travel together",
        "it is what pgallop is for; a program that has kept its connections to one task each does "
        "not notice",
    ),
    Difference(
        "begin-travels-along",
        "BEGIN, COMMIT and ROLLBACK of `transaction()`, SAVEPOINT too",
        "are calls of `Connection.execute`, which tracers see; BEGIN has a round trip of its own",
        "are no calls; BEGIN travels with the first statement",
        "a transaction takes one round trip less; query loggers are told of them",
    ),
    Difference(
        "async-with-connect",
        "`async with connect(...)`",
        "TypeError",
        "closes the connection at the end of the block",
        "`await connect(...)` is as it was",
    ),
    Difference(
        "transaction-aenter",
        "`async with conn.transaction() as t`",
        "`t` is None",
        "`t` is the transaction",
        "nobody needs None",
    ),
    Difference(
        "closed-in-a-block",
        "`conn.close()` within `async with pool.acquire() as conn`",
        "what is called on `conn` behind it raises InterfaceError, `is_closed()` too",
        "`is_closed()` is True",
        "it is the truth",
    ),
    Difference(
        "closed-pool",
        "`await pool` of a pool that is closed",
        "gives the closed pool",
        "InterfaceError",
        "the mistake shows where it was made",
    ),
    Difference(
        "query-is-no-text",
        "a query that is no str",
        "TypeError or AttributeError, from within",
        "InterfaceError that says so",
        "a mistake gets an error of the driver's",
    ),
    Difference(
        "empty-script",
        '`execute("")`',
        "AttributeError, from within",
        '`""`, for there is no command',
        "an empty script is one",
    ),
    Difference(
        "nul",
        "a NUL character in a query or in text",
        "the server refuses it, and ends the transaction; in a query it is a violation of the "
        "protocol",
        "InterfaceError or DataError before anything is sent",
        "the transaction goes on",
    ),
    Difference(
        "arguments-are-no-sequences",
        "`executemany` with something else than sequences of arguments",
        "TypeError, or DataError",
        "InterfaceError that says what was expected",
        "a mistake gets an error of the driver's",
    ),
    Difference(
        "number-of-rows",
        "`cursor.fetch()` with something else than a number",
        "TypeError",
        "InterfaceError",
        "a mistake gets an error of the driver's",
    ),
    Difference(
        "record-keys",
        "`record[key]` where `key` is neither text, a number nor a slice",
        "KeyError",
        "TypeError",
        "as with any sequence",
    ),
    Difference(
        "copy-output-fails",
        "an `output` of COPY that raises",
        "the caller waits for ever",
        "what it has raised is raised, and the connection goes on",
        "nobody waits for ever",
    ),
    Difference(
        "copy-from-bytes",
        "bytes as the `source` of `copy_to_table`",
        "are taken for the name of a file",
        "are the data",
        "that is what is meant",
    ),
    Difference(
        "copy-of-wrong-records",
        "a record for `copy_records_to_table` that does not fit",
        "IndexError or TypeError, from within; what there is too much of is left out",
        "InterfaceError or DataError that names the row and the column",
        "a mistake gets an error of the driver's, and nothing is lost silently",
    ),
    Difference(
        "copy-of-text-types",
        "`copy_records_to_table` into a column of a type that comes as text, such as tsquery",
        "InternalClientError",
        "copied, or a DataError that says what fits",
        "they have a binary form",
    ),
    Difference(
        "service",
        "a service that is nowhere, or has a line that is none",
        "is left out silently, as is every service where no DSN is given",
        "ClientConfigurationError",
        "the program would connect to another server than it was told to",
    ),
    Difference(
        "system-authorities",
        "`sslrootcert=system`",
        "is the name of a file",
        "the authorities that the system trusts",
        "as in libpq",
    ),
    Difference(
        "no-tls",
        "`ssl='require'` where the server has no TLS",
        "ConnectionError",
        "InterfaceError with a hint",
        "trying again does not help",
    ),
    Difference(
        "fractions",
        "1.5 as an argument of an integer type",
        "1 is sent",
        "DataError",
        "nothing is lost silently",
    ),
    Difference(
        "numbers-as-addresses",
        "1 as an argument of type inet",
        "0.0.0.1 is sent",
        "DataError",
        "it is a mistake",
    ),
    Difference(
        "out-of-range",
        "dates and times that Python does not have, such as the year 10000",
        "OverflowError or ValueError from within, or another value",
        "DataError that names the column; `out_of_range=` of `pgallop.connect` has other ways",
        "DataError is a ValueError, and is caught where errors of the database are",
    ),
    Difference(
        "infinite-interval",
        "an infinite interval",
        "OverflowError",
        "an InfiniteInterval, a `timedelta`",
        "PostgreSQL 17 has them",
    ),
    Difference(
        "timetz-seconds",
        "the seconds of a UTC offset of timetz",
        "are cut off",
        "are kept",
        "it is another time without them",
    ),
    Difference(
        "circle",
        "the centre of a Circle",
        "a tuple of numbers",
        "a Point, which is a tuple of numbers",
        "as in all other classes",
    ),
    Difference(
        "representations",
        "`repr()` of values, connections and the like",
        "`<BitString 1010>`, `asyncpg.pgproto.types.Point((1.0, 2.0))`",
        "`BitString('1010')`, `Point(1.0, 2.0)`",
        "what can be typed in again",
    ),
)
