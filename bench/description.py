"""What a driver makes of the rows of a work: the same as the others, if all is right."""

import gc
import hashlib
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from bench.drivers.driver import AnyDriver, Fetch, Rows
from bench.orders import Description
from bench.work import Visitor, Work

# How many of a work's arguments are tried when results are compared.
_COMPARED_RUNS = 10

# How many rows of a long result are compared, from its beginning to its end.
_COMPARED_ROWS = 1000

_WEIGHED_ROWS = 10_000


async def describe(driver: AnyDriver, dsn: str, work: Work, weigh: bool) -> Description:
    """Run the work with the first of its arguments."""
    digest = hashlib.sha256()
    example = ""
    async with driver.lanes(dsn, work) as lanes:
        if not driver.decodes:
            return Description("", "", None)
        for i, args in enumerate((work.trial or work.arguments)[:_COMPARED_RUNS]):
            rows = await lanes[i % len(lanes)](work.query, *args)
            example = example or (repr(fields_of(rows[0])) if rows else "no rows")
            _add(digest.update, rows)
        weight = await _weigh(lanes[0], work) if weigh else None
    return Description(digest.hexdigest(), example, weight)


def _add(update: Any, rows: Sequence[Any]) -> None:
    update(repr(len(rows)).encode())
    for row in rows[:: max(1, len(rows) // _COMPARED_ROWS)]:
        update(repr([comparable(value) for value in fields_of(row)]).encode())


def fields_of(row: Any) -> tuple[Any, ...]:
    """The values of a row, or of the object that it was made into."""
    return tuple(vars(row).values()) if isinstance(row, Visitor) else tuple(row)


def comparable(value: Any) -> object:
    """Bring a value into a form in which the same value looks the same from every driver.

    They disagree on two types: asyncpg gives "char" as bytes, psqlpy uuid as text. So these three
    compare by their text; all else has to have the same type.
    """
    match value:
        case bytes():
            return value.decode("latin-1")
        case UUID():
            return str(value)
        case datetime(tzinfo=tzinfo) if tzinfo is not None:
            return value.astimezone(UTC).isoformat()
        case list():
            return [comparable(item) for item in value]
    return value


async def _weigh(fetch: Fetch, work: Work) -> float:
    """The memory that the rows of one result take, in bytes a row."""
    query = f"{work.query} LIMIT {_WEIGHED_ROWS}"
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        rows: Rows = await fetch(query, *work.arguments[0])
        after, _ = tracemalloc.get_traced_memory()
        return (after - before) / len(rows)
    finally:
        tracemalloc.stop()
