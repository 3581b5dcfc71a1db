"""Rows as what the caller wants them to be (`into=`), for those who read them.

How they are made is planned by `planning.py`, which is imported when the first caller wants that.
"""

from typing import Any

from pgallop.rows.building import TypedRows, WithColumns
from pgallop.rows.decode import RowDecoder


def typed_rows(decoder: RowDecoder, into: Any) -> TypedRows:
    """What reads the rows that `decoder` reads, and makes them into `into`.

    Errors raised
        InterfaceError: rows cannot be made into that.
        DataError: these rows cannot: a column has no field, a field no column, two columns have one
            name, or a column's type does not fit what the field declares.

    Example::

        typed_rows(statement.decoder, User)
    """
    from pgallop.rows import planning

    return TypedRows(decoder, planning.builder_for(decoder, into))


def check_target(into: Any) -> None:
    """InterfaceError unless rows can be made into `into`, of whatever columns."""
    if into is WithColumns:
        return
    from pgallop.rows import planning

    planning.check_target(into)
