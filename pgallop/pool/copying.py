"""COPY on any connection of a pool."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgallop.pool.lease import PoolAcquireContext
    from pgallop.rows.record import Record


class Copying:
    """What a `Pool` does with COPY: it takes a connection for each call.

    What `Connection` says of these methods holds; `timeout` counts the waiting for a connection and
    the COPY each, and the errors of `Pool.fetch` are raised besides.
    """

    if TYPE_CHECKING:  # what a pool has

        def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext: ...

    async def copy_from_table(
        self,
        table_name: str,
        *,
        output: Any,
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
        progress: Callable[[int], object] | None = None,
    ) -> str:
        """Copy a table to a file or a function, see `Connection.copy_from_table`."""
        async with self.acquire(timeout=timeout) as connection:
            return await connection.copy_from_table(
                table_name,
                output=output,
                columns=columns,
                schema_name=schema_name,
                timeout=timeout,
                format=format,
                oids=oids,
                delimiter=delimiter,
                null=null,
                header=header,
                quote=quote,
                escape=escape,
                force_quote=force_quote,
                encoding=encoding,
                progress=progress,
            )

    async def copy_from_query(
        self,
        query: str,
        *args: Any,
        output: Any,
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
        progress: Callable[[int], object] | None = None,
    ) -> str:
        """Copy the rows of a query to a file or a function, see `Connection.copy_from_query`."""
        async with self.acquire(timeout=timeout) as connection:
            return await connection.copy_from_query(
                query,
                *args,
                output=output,
                timeout=timeout,
                format=format,
                oids=oids,
                delimiter=delimiter,
                null=null,
                header=header,
                quote=quote,
                escape=escape,
                force_quote=force_quote,
                encoding=encoding,
                progress=progress,
            )

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
        """Copy data into a table, see `Connection.copy_to_table`."""
        async with self.acquire(timeout=timeout) as connection:
            return await connection.copy_to_table(
                table_name,
                source=source,
                columns=columns,
                schema_name=schema_name,
                timeout=timeout,
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
                where=where,
                progress=progress,
            )

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
        """Copy records into a table, see `Connection.copy_records_to_table`."""
        async with self.acquire(timeout=timeout) as connection:
            return await connection.copy_records_to_table(
                table_name,
                records=records,
                columns=columns,
                schema_name=schema_name,
                timeout=timeout,
                where=where,
                progress=progress,
            )
