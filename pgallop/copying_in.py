"""COPY into a table: `Connection.copy_to_table` and `copy_records_to_table`.

How the data gets to the session is told by `copy_transfer.py`, which is imported when one is used.
"""

from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pgallop.errors import UnsupportedServerFeatureError
from pgallop.rows.record import Record
from pgallop.sql import copying
from pgallop.sql.copying import CopyOptions
from pgallop.types import parse_server_version

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch

# What COPY ... WHERE came with.
WHERE_VERSION = (12,)


class CopyingIn:
    """What a `Connection` does to copy into a table."""

    _dispatch: "Dispatch"

    async def copy_to_table(
        self,
        table_name: str,
        *,
        source: Any,
        columns: Iterable[str] | None = None,
        schema_name: str | None = None,
        timeout: float | None = None,
        format: str | None = None,
        oids: bool | None = None,
        freeze: bool | None = None,
        delimiter: str | None = None,
        null: str | None = None,
        header: bool | str | None = None,
        quote: str | None = None,
        escape: str | None = None,
        force_quote: bool | Iterable[str] | None = None,
        force_not_null: bool | Iterable[str] | None = None,
        force_null: bool | Iterable[str] | None = None,
        encoding: str | None = None,
        where: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> str:
        """Copy data in one of the formats of COPY into a table: all of it or nothing.

        It is read as the network takes it, so that any amount needs little memory, by the task of
        the caller; files are read by the event loop's executor. Statements of other tasks wait
        meanwhile; what the source itself calls on this connection is refused. When the source
        fails, the server refuses or the caller is cancelled, nothing is stored, the source is
        closed if it is a generator, and a transaction around it has failed.

        Args:
            table_name: the table's name as it is: case counts, and a dot is a part of it.
            source: a path, a binary file, bytes or anything like that, or an iterable or
                asynchronous iterable of those.
            columns: which columns the data has, in that order; all of them if None.
            schema_name: where the table is; it is searched for if None.
            timeout: seconds for all of it, until TimeoutError is raised.
            format: "text" by default, "csv" or "binary".
            freeze, delimiter, null, header, quote, escape, force_not_null, force_null, encoding:
                options of COPY.
            oids, force_quote: options of COPY that servers no longer know, or not in this
                direction.
            where: SQL, a condition on the rows that are stored. PostgreSQL 12 and later.
            progress: a function that is called with the number of bytes read so far, at most once
                in 64 KiB; what it raises ends the COPY as if the source had.

        Returns:
            The command tag: `COPY 3`.

        Raises:
            PostgresError: the server refused, the data or the rest.
            TypeError: `source` is nothing of the above, or has something else than bytes.
            InterfaceError: the connection is closed or belongs to another loop, or a name or an
                option is none that can be written.
            UnsupportedServerFeatureError: `where` on an older server.
            Exception: what the source raises.

        Example:
            >>> await conn.copy_to_table("users", source="users.csv", format="csv", header=True)
            'COPY 2'

        Source: PostgreSQL documentation, COPY; "Frontend/Backend Protocol", section "COPY
        Operations".
        """
        options = CopyOptions(
            format=format,
            oids=oids,
            freeze=freeze,
            delimiter=delimiter,
            null=null,
            header=header,
            quote=quote,
            escape=escape,
            force_quote=force_quote,
            force_not_null=force_not_null,
            force_null=force_null,
            encoding=encoding,
        )
        target = copying.table(table_name, schema_name, columns)
        text = self._copy_text(target, options, where)
        from pgallop.copy_sources import byte_source
        from pgallop.copy_transfer import copy_in

        data = byte_source(source)
        return await copy_in(self._dispatch, text, None, data, timeout, progress)

    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Iterable[Sequence[Any] | Record] | AsyncIterable[Sequence[Any] | Record],
        columns: Iterable[str] | None = None,
        schema_name: str | None = None,
        timeout: float | None = None,
        where: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> str:
        """Copy records into a table, which is the fastest way to store many: all or nothing.

        They are encoded as arguments of statements are, with the codecs of this connection. The
        columns' types are asked for once, and compared by the server each time.

        Args:
            records: a tuple, list or any other sequence for each row, with a value for each column;
                from an iterable or an asynchronous one.

        All else as for `copy_to_table`, and these errors besides:

        Raises:
            DataError: a value does not fit its column; the message begins with
                `invalid value in records[17], column "price" (numeric)`.
            InterfaceError: a record has too many values or too few, or is no sequence.
            UnsupportedClientFeatureError: a column is of a type without a binary form, or the
                connection has `statement_mode="simple"`.

        Example:
            >>> await conn.copy_records_to_table("users", records=[(1, "Ada"), (2, "Grace")])
            'COPY 2'

        Source: PostgreSQL documentation, COPY, section "Binary Format".
        """
        names = None if columns is None else list(columns)
        target = copying.table(table_name, schema_name, names)
        text = self._copy_text(target, CopyOptions(format="binary"), where)
        select = copying.selected(table_name, schema_name, names)
        from pgallop.copy_sources import Records
        from pgallop.copy_transfer import copy_in

        data = Records(records)
        return await copy_in(self._dispatch, text, select, data, timeout, progress)

    def _copy_text(self, target: str, options: CopyOptions, where: str | None) -> str:
        settings = self._dispatch.parameters()
        if where and parse_server_version(settings.get("server_version", "")) < WHERE_VERSION:
            raise UnsupportedServerFeatureError(
                "the `where` parameter requires PostgreSQL 12 or later"
            )
        standard = settings.get("standard_conforming_strings") != "off"
        return copying.copy_in(target, options, where, standard)
