"""COPY from the server: `Connection.copy_from_query` and its relatives.

How the data gets from the session to its output is told by `copy_drain.py`, which is imported when
one is used, and how it becomes rows by `copy_rows.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from pgallop.dispatch import Dispatch, plain_text
from pgallop.rows.record import Record
from pgallop.sql import copying
from pgallop.sql.copying import CopyOptions

if TYPE_CHECKING:
    from pgallop.connection import Connection
    from pgallop.copy_outputs import Destination
    from pgallop.copy_rows import CopiedRows

T = TypeVar("T")

# Called with how many bytes of data have been moved so far.
Progress: TypeAlias = Callable[[int], object]


class CopyingOut:
    """What a `Connection` does with COPY in the direction of the client."""

    _dispatch: Dispatch

    async def copy_from_table(
        self,
        table_name: str,
        *,
        output: Destination,
        columns: Iterable[str] | None = None,
        schema_name: str | None = None,
        timeout: float | None = None,
        format: str | None = None,
        oids: bool | None = None,
        delimiter: str | None = None,
        null: str | None = None,
        header: bool | str | None = None,
        quote: str | None = None,
        escape: str | None = None,
        force_quote: bool | Iterable[str] | None = None,
        encoding: str | None = None,
        progress: Progress | None = None,
    ) -> str:
        """Copy a table to a file or a function; the command tag, such as `COPY 100`.

        Args:
            table_name: the table, and
            schema_name: its schema; without one it is looked for in the search_path.
            columns: the names of those that are copied, by default all of them.

        All else as for `copy_from_query`.

        Example:
            >>> await conn.copy_from_table("users", output="users.csv", format="csv", header=True)
            'COPY 2'

        Source: PostgreSQL documentation, COPY.
        """
        options = CopyOptions(
            format=format,
            oids=oids,
            delimiter=delimiter,
            null=null,
            header=header,
            quote=quote,
            escape=escape,
            force_quote=force_quote,
            encoding=encoding,
        )
        table = copying.table(table_name, schema_name, columns)
        statement = copying.copy_out(table, options)
        # What the server runs for that, for who has to know what it can have left behind.
        original = f"SELECT * FROM {copying.table(table_name, schema_name)}"
        from pgallop.copy_drain import Source, copy_out

        source = Source(self._dispatch, original, (), options, statement)
        return await copy_out(source, output, timeout, progress)

    async def copy_from_query(
        self,
        query: str,
        *args: Any,
        output: Destination,
        timeout: float | None = None,
        format: str | None = None,
        oids: bool | None = None,
        delimiter: str | None = None,
        null: str | None = None,
        header: bool | str | None = None,
        quote: str | None = None,
        escape: str | None = None,
        force_quote: bool | Iterable[str] | None = None,
        encoding: str | None = None,
        progress: Progress | None = None,
    ) -> str:
        """Copy the rows of a query to a file or a function; the command tag, such as `COPY 100`.

        The data is passed on in blocks, as it comes: any amount of it takes little memory. While
        `output` does not take it the server waits. Other tasks' statements on this connection wait
        for the end of the COPY; what `output` itself calls on it is refused.

        Args:
            query: one statement that returns rows, with `$1`, `$2`, ... where the arguments go.
            args: a value for each of them. COPY takes none, so they are written into the query, as
                literals of the types that the server expects.
            output: a path, whose file is emptied and written; a binary file, which stays open; or a
                function or coroutine function that is called with each block of bytes. Files are
                written by a thread. Blocks end anywhere, not with rows.
            timeout: seconds for all of it, until TimeoutError is raised.
            format: "text" (the default), "csv" or "binary".
            oids, delimiter, null, header, quote, escape, force_quote, encoding: the options of
                COPY. `force_quote` is a list of columns, or True for all of them.
            progress: called with the number of bytes so far, behind each block that was taken.

        Raises:
            PostgresError: the server refused.
            DataError: an argument does not fit the type the server expects.
            OSError: the path cannot be opened (nothing was sent then), or the file written.
            TypeError: `output` is nothing that can be written to.
            InterfaceError: wrong number of arguments, an option of another type, or the connection
                is closed or belongs to another loop.
            Anything that `output` or `progress` raises: it ends the COPY.

        Example:
            >>> await conn.copy_from_query(
            ...     "SELECT * FROM users WHERE id > $1", 10, output="users.csv", format="csv"
            ... )
            'COPY 2'

        Source: PostgreSQL documentation, COPY; "Frontend/Backend Protocol", section "COPY
        Operations".
        """
        options = CopyOptions(
            format=format,
            oids=oids,
            delimiter=delimiter,
            null=null,
            header=header,
            quote=quote,
            escape=escape,
            force_quote=force_quote,
            encoding=encoding,
        )
        options.sql()  # raises before anything is sent or opened
        from pgallop.copy_drain import Source, copy_out

        source = Source(self._dispatch, plain_text(query), args, options)
        return await copy_out(source, output, timeout, progress)

    @overload
    def copy_rows_from_query(
        self, query: str, *args: Any, timeout: float | None = None, into: None = None
    ) -> CopiedRows[Record]: ...

    @overload
    def copy_rows_from_query(
        self, query: str, *args: Any, timeout: float | None = None, into: Callable[..., T]
    ) -> CopiedRows[T]: ...

    def copy_rows_from_query(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        into: Callable[..., Any] | None = None,
    ) -> CopiedRows[Any]:
        """The rows of a query as COPY delivers them: for very many, in little memory.

        For `async for`, row by row, or by `batches()` of what has come. They are what `stream()`
        gives, and need no transaction; the server is not asked for each portion of them, but sends
        until nobody reads, and then waits. Other tasks' statements on this connection wait for the
        end; what the task that reads calls on it in between is refused.

        Args:
            query: one statement that returns rows, with `$1`, `$2`, ... where the arguments go.
            args: a value for each of them, as for `copy_from_query`.
            timeout: seconds for each time that rows are waited for.
            into: what each row is made into, as for `fetch`.

        Raises, when rows are read:
            PostgresError: the server refused; rows may have been given out before.
            DataError: as for `fetch`, or a column has a type that is read from its text.
            InterfaceError: as for `fetch`.
            UnsupportedClientFeatureError: the connection has `statement_mode="simple"`.

        Example:
            >>> async with conn.copy_rows_from_query("SELECT generate_series(1, 3) AS n") as rows:
            ...     async for row in rows:
            ...         print(row)
            <Record n=1>
            <Record n=2>
            <Record n=3>

        Source: PostgreSQL documentation, COPY, section "Binary Format".
        """
        from pgallop.copy_rows import CopiedRows

        connection: Connection = self  # type: ignore[assignment]
        return CopiedRows(connection, self._dispatch, plain_text(query), args, timeout, into)
