"""What goes wrong: SQLAlchemy's classes, pgallop's errors in them, and lost connections."""

import asyncio
import pickle

import pytest
from engines import Engine
from sqlalchemy import exc, text
from sqlalchemy.exc import DBAPIError

import pgallop


@pytest.mark.parametrize(
    ("query", "kind", "code"),
    [
        ("SELEC 1", exc.ProgrammingError, "42601"),
        ("SELECT * FROM nowhere", exc.ProgrammingError, "42P01"),
        ("SELECT 1/0", exc.DataError, "22012"),
        ("SELECT 'x'::int", exc.DataError, "22P02"),
        ("INSERT INTO pg_type SELECT * FROM pg_type LIMIT 1", exc.IntegrityError, "23505"),
        ("DO $$ BEGIN RAISE 'mine'; END $$", exc.InternalError, "P0001"),
        ("COMMIT PREPARED 'none'", exc.InternalError, "25001"),
        ("SELECT set_config('transaction_isolation', 'x', false)", exc.DataError, "22023"),
        ("CREATE DATABASE postgres", exc.InternalError, "25001"),
        ("SET LOCAL idle_session_timeout = -5", exc.DataError, "22023"),
        ("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(5)", exc.OperationalError, "57014"),
    ],
)
async def test_classes(engine: Engine, query: str, kind: type[DBAPIError], code: str) -> None:
    async with engine() as opened, opened.connect() as conn:
        with pytest.raises(kind) as info:
            await conn.exec_driver_sql(query)
        assert type(info.value) is kind
        error = info.value.orig
        assert isinstance(error, pgallop.PostgresError)
        assert (error.sqlstate, error.pgcode) == (code, code)
        assert not info.value.connection_invalidated
        await conn.rollback()
        assert await conn.scalar(text("SELECT 1")) == 1


async def test_the_error_is_pgallops(engine: Engine) -> None:
    async with engine() as opened, opened.connect() as conn:
        await conn.execute(
            text("CREATE TEMPORARY TABLE t (n int CONSTRAINT positive CHECK (n > 0))")
        )
        with pytest.raises(exc.IntegrityError) as info:
            await conn.execute(text("INSERT INTO t VALUES (:n)"), {"n": -1})
        error = info.value.orig
        assert isinstance(error, pgallop.CheckViolationError)
        assert error.constraint_name == "positive"
        copied = pickle.loads(pickle.dumps(info.value))
        assert copied.orig.constraint_name == "positive"


async def test_wrong_arguments(engine: Engine) -> None:
    async with engine() as opened, opened.connect() as conn:
        with pytest.raises(exc.DataError, match=r"\$1"):
            await conn.exec_driver_sql("SELECT $1::int", ("no number",))
        with pytest.raises(exc.InterfaceError, match="1 argument, 0 given") as info:
            await conn.exec_driver_sql("SELECT $1::int")
        assert info.value.orig is not None
        assert getattr(info.value.orig, "pgcode") is None  # noqa: B009 (nor is it declared)
        assert await conn.exec_driver_sql("SELECT 1")


async def test_nobody_there() -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine("postgresql+pgallop://nobody@127.0.0.1:1/nothing")
    with pytest.raises(exc.OperationalError) as info:
        await engine.connect()
    assert isinstance(info.value.orig, ConnectionRefusedError)
    await engine.dispose()


async def test_a_backend_that_is_gone(engine: Engine) -> None:
    async with engine(pool_size=1, max_overflow=0) as opened:
        async with opened.connect() as conn:
            pid = await conn.scalar(text("SELECT pg_backend_pid()"))
            async with engine() as other, other.begin() as killer:
                await killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            with pytest.raises(DBAPIError) as info:
                for _ in range(100):
                    await conn.execute(text("SELECT 1"))
                    await asyncio.sleep(0.01)
            assert info.value.connection_invalidated
        async with opened.connect() as conn:
            assert await conn.scalar(text("SELECT pg_backend_pid()")) != pid


async def test_a_backend_that_is_gone_commits_nothing(engine: Engine) -> None:
    async with engine(pool_size=1, max_overflow=0) as opened, opened.connect() as conn:
        pid = await conn.scalar(text("SELECT pg_backend_pid()"))
        async with engine() as other, other.begin() as killer:
            await killer.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        await asyncio.sleep(0.1)  # it is known by now
        with pytest.raises(DBAPIError) as info:
            await conn.commit()
        assert info.value.connection_invalidated
        await conn.rollback()
        assert await conn.scalar(text("SELECT pg_backend_pid()")) != pid


async def test_a_backend_that_is_gone_is_noticed_before_use(engine: Engine) -> None:
    async with engine(pool_size=1, max_overflow=0, pool_pre_ping=True) as opened:
        async with opened.connect() as conn:
            pid = await conn.scalar(text("SELECT pg_backend_pid()"))
        async with engine() as other, other.begin() as killer:
            await killer.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        async with opened.connect() as conn:
            assert await conn.scalar(text("SELECT pg_backend_pid()")) != pid


async def test_a_statement_that_is_out_of_time(engine: Engine) -> None:
    async with engine("?command_timeout=0.1") as opened:
        async with opened.connect() as conn:
            with pytest.raises(TimeoutError):
                await conn.execute(text("SELECT pg_sleep(10)"))
        async with opened.connect() as conn:
            assert await conn.scalar(text("SELECT 1")) == 1


async def test_a_caller_who_is_cancelled(engine: Engine) -> None:
    async with engine(pool_size=1, max_overflow=0) as opened:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), opened.connect() as conn:
                await conn.execute(text("SELECT pg_sleep(10)"))
        async with opened.connect() as conn:
            assert await conn.scalar(text("SELECT 1")) == 1


async def test_a_stream_whose_caller_goes(engine: Engine) -> None:
    async with engine(pool_size=1, max_overflow=0) as opened:
        async with opened.connect() as conn:
            with pytest.raises(ZeroDivisionError):
                async for row in await conn.stream(text("SELECT generate_series(1, 1000) AS n")):
                    assert 1 // (row.n - 100)
        async with opened.connect() as conn:
            assert await conn.scalar(text("SELECT 1")) == 1
            with pytest.raises(exc.DataError):
                async for _ in await conn.stream(
                    text("SELECT 1/(50 - n) FROM generate_series(1, 99) n")
                ):
                    pass
            await conn.rollback()
            assert await conn.scalar(text("SELECT 1")) == 1
