"""Transactions: who takes part, isolation levels, two phases, and what a failure leaves."""

import asyncio
import contextvars

import pytest
from engines import Engine
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError
from sqlalchemy.ext.asyncio import AsyncConnection

import pgallop

PREPARED = text("SELECT count(*) FROM pg_prepared_xacts WHERE gid = :xid")


async def is_in_transaction(conn: AsyncConnection) -> bool:
    raw = await conn.get_raw_connection()
    assert raw.driver_connection is not None
    return bool(raw.driver_connection.is_in_transaction())


async def test_commit_rollback_and_savepoints(engine: Engine) -> None:
    async with engine() as opened:
        async with opened.begin() as conn:
            await conn.execute(text("CREATE TABLE kept (n int UNIQUE)"))
        try:
            async with opened.connect() as conn:
                async with conn.begin():
                    await conn.execute(text("INSERT INTO kept VALUES (1)"))
                    with pytest.raises(IntegrityError):
                        async with conn.begin_nested():
                            await conn.execute(text("INSERT INTO kept VALUES (1)"))
                    await conn.execute(text("INSERT INTO kept VALUES (2)"))
                await conn.execute(text("INSERT INTO kept VALUES (3)"))
                await conn.rollback()
                assert await conn.scalar(text("SELECT array_agg(n ORDER BY n) FROM kept")) == [1, 2]
        finally:
            async with opened.begin() as conn:
                await conn.execute(text("DROP TABLE kept"))


async def test_every_task_takes_part(engine: Engine) -> None:
    """Fixtures and frameworks open a session in one task, and close it in another."""
    async with engine() as opened, opened.connect() as conn:

        async def elsewhere(query: str) -> object:
            return await conn.scalar(text(query))

        async def in_a_new_context(query: str) -> object:
            context = contextvars.Context()
            return await asyncio.get_running_loop().create_task(elsewhere(query), context=context)

        await in_a_new_context("SELECT 1")
        await conn.execute(text("CREATE TEMPORARY TABLE shared AS SELECT 7 AS n"))
        assert await in_a_new_context("SELECT n FROM shared") == 7
        async with asyncio.timeout(5):
            task = asyncio.get_running_loop().create_task(
                conn.rollback(), context=contextvars.Context()
            )
            await task
        assert await conn.scalar(text("SELECT to_regclass('shared')::text")) is None


async def test_another_connection_changes_the_schema(engine: Engine) -> None:
    """A statement that is out of date fails, and a transaction with it."""
    async with engine() as opened, opened.connect() as conn:
        for kind in ("int", "text", "bool"):
            async with opened.begin() as other:
                await other.execute(text(f"CREATE TABLE changing (c {kind})"))
            for _ in range(2):
                assert (await conn.execute(text("SELECT * FROM changing"))).all() == []
                await conn.commit()
            async with opened.begin() as other:
                await other.execute(text("DROP TABLE changing"))


async def test_levels(engine: Engine) -> None:
    async with engine() as opened, opened.connect() as conn:
        assert await conn.get_isolation_level() == "READ COMMITTED"
        assert not await is_in_transaction(conn)
        for level in ("SERIALIZABLE", "REPEATABLE READ", "READ UNCOMMITTED"):
            changed = await conn.execution_options(isolation_level=level)
            assert await changed.get_isolation_level() == level
            shown = await changed.scalar(text("SHOW transaction_isolation"))
            assert shown == level.lower()
            await changed.rollback()
        automatic = await conn.execution_options(isolation_level="AUTOCOMMIT")
        await automatic.execute(text("SELECT 1"))
        assert not await is_in_transaction(automatic)
    async with engine(isolation_level="SERIALIZABLE") as opened, opened.connect() as conn:
        assert await conn.scalar(text("SHOW transaction_isolation")) == "serializable"


async def test_read_only_and_deferrable(engine: Engine) -> None:
    options = {
        "isolation_level": "SERIALIZABLE",
        "postgresql_readonly": True,
        "postgresql_deferrable": True,
    }
    async with engine(pool_size=1, max_overflow=0) as opened:
        async with opened.connect() as plain:
            conn = await plain.execution_options(**options)
            assert await conn.scalar(text("SHOW transaction_read_only")) == "on"
            assert await conn.scalar(text("SHOW transaction_deferrable")) == "on"
        async with opened.connect() as conn:  # the same connection, as it was before
            assert await conn.scalar(text("SHOW transaction_read_only")) == "off"
            assert await conn.scalar(text("SHOW transaction_isolation")) == "read committed"


async def test_two_phases(engine: Engine) -> None:
    async with engine() as opened:
        for xid, ends, left in (("one", "commit", 1), ("it's", "rollback", 0)):
            async with opened.connect() as conn:
                await conn.execute(text("DROP TABLE IF EXISTS phases"))
                await conn.commit()

                def phases(sync: object, xid: str = xid, ends: str = ends) -> None:
                    transaction = sync.begin_twophase(xid)  # type: ignore[attr-defined]
                    sync.execute(text("CREATE TABLE phases (n int)"))  # type: ignore[attr-defined]
                    transaction.prepare()
                    getattr(transaction, ends)()

                await conn.run_sync(phases)
                found = await conn.scalar(text("SELECT count(to_regclass('phases'))"))
                assert (found, await conn.scalar(PREPARED, {"xid": xid})) == (left, 0)
                await conn.execute(text("DROP TABLE IF EXISTS phases"))
                await conn.commit()


async def test_a_prepared_transaction_is_found_again(engine: Engine) -> None:
    async with engine() as opened, opened.connect() as conn:

        def lost(sync: object) -> None:
            transaction = sync.begin_twophase("lost")  # type: ignore[attr-defined]
            transaction.prepare()
            sync.invalidate()  # type: ignore[attr-defined]

        await conn.run_sync(lost)
        async with opened.connect() as other:
            xids = await other.run_sync(lambda sync: sync.recover_twophase())
            assert xids == ["lost"]
            await other.run_sync(lambda sync: sync.rollback_prepared("lost", recover=True))
            assert await other.run_sync(lambda sync: sync.recover_twophase()) == []


async def test_what_was_rolled_back_is_not_said_to_be_stored(engine: Engine) -> None:
    async with engine() as opened, opened.connect() as conn:
        with pytest.raises(DBAPIError):
            await conn.execute(text("SELECT 1/0"))
        with pytest.raises(InternalError) as info:
            await conn.commit()
        assert isinstance(info.value.orig, pgallop.TransactionAborted)
        await conn.rollback()
        assert await conn.scalar(text("SELECT 1")) == 1
