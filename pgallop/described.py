"""A result with its columns: for adapters, whose callers ask for names and types as well.

`Connection.fetch` tells the columns by its Records, so that a result without a row tells nothing.
"""

from typing import Any, NamedTuple

from pgallop.dispatch import Dispatch
from pgallop.into import built
from pgallop.rows.building import Unbuilt, WithColumns


class Column(NamedTuple):
    """What a column is called, and the OID of its type."""

    name: str
    type_oid: int


class Described(NamedTuple):
    """What became of a statement: its rows, their columns, and the command tag.

    `columns` is None if the statement returns no rows.
    """

    rows: list[tuple[Any, ...]]
    columns: tuple[Column, ...] | None
    command: bytes


async def fetch_described(
    dispatch: Dispatch, query: str, args: tuple[Any, ...], timeout: float | None = None
) -> Described:
    """Run a statement; its rows as plain tuples, and what is told of it.

    Args:
        query: one statement, with `$1`, `$2`, ... where the arguments go.
        args: a value for each of them.
        timeout: seconds until TimeoutError is raised.

    Raises: as `Connection.fetch`.

    Example:
        >>> await fetch_described(dispatch, "SELECT 1 AS one", ())
        Described(rows=[(1,)], columns=(Column(name='one', type_oid=23),), command=b'SELECT 1')
    """
    rows: Any
    request = dispatch.begin(query, args, False, timeout, WithColumns)
    if request is None:
        rows, command = await dispatch.run(query, args, False, timeout, WithColumns)
    else:
        try:
            rows, command = await request.waiter
        except BaseException as error:
            answer = await dispatch.recover(request, error, timeout)
            if answer is None:
                raise
            rows, command = answer
    told: Any = await built(rows)
    if not isinstance(told, Unbuilt):
        return Described(told, None, command)
    return Described(told.rows, columns_of(told), command)


def columns_of(rows: Unbuilt) -> tuple[Column, ...]:
    """The columns of a result that tells them."""
    builder = rows.builder
    assert isinstance(builder, WithColumns)
    return tuple([Column(*each) for each in zip(builder.columns, builder.oids, strict=True)])
