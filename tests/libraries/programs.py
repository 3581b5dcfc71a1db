"""A program for each library: what it prints with asyncpg, it has to print with the drop-in.

They get the DSN of a server with an empty database as their argument. What differs on purpose they
leave out: BEGIN and COMMIT, of which tracers do not hear (see docs/migration.md).
"""

from __future__ import annotations

OPENTELEMETRY = """
import asyncio, sys
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
AsyncPGInstrumentor(capture_parameters=True).instrument(tracer_provider=provider)

import asyncpg

async def main():
    conn = await asyncpg.connect(sys.argv[1])
    await conn.fetch("SELECT $1::int", 1)
    await conn.execute("SELECT 1")
    await conn.fetchval("SELECT 2")
    await conn.executemany("SELECT $1::int", [(1,)])
    async with conn.transaction():
        async for row in conn.cursor("SELECT generate_series(1, 2)"):
            pass
        cursor = await conn.cursor("SELECT $1::int", 3)
        await cursor.fetchrow()
    try:
        await conn.fetch("SELECT 1 / 0")
    except asyncpg.DivisionByZeroError:
        pass
    async with asyncpg.create_pool(sys.argv[1], min_size=1) as pool:
        await pool.fetch("SELECT 5")
    await conn.close()

asyncio.run(main())
OWN = ("BEGIN", "COMMIT", "SELECT pg_advisory_unlock_all")
for span in exporter.get_finished_spans():
    if not span.attributes["db.statement"].startswith(OWN):
        print(span.name, sorted(span.attributes.items()), span.status.status_code.name)
"""

SENTRY = """
import asyncio, sys
import sentry_sdk
from sentry_sdk.integrations.asyncpg import AsyncPGIntegration
from sentry_sdk.transport import Transport

spans = []

class Kept(Transport):
    def capture_envelope(self, envelope):
        for item in envelope.items:
            spans.extend((item.payload.json or {}).get("spans", []))

sentry_sdk.init(
    dsn="http://key@localhost/1",
    transport=Kept,
    integrations=[AsyncPGIntegration()],
    traces_sample_rate=1.0,
    auto_enabling_integrations=False,
)

import asyncpg

async def main():
    with sentry_sdk.start_transaction(name="main"):
        conn = await asyncpg.connect(sys.argv[1])
        await conn.fetch("SELECT $1::int", 1)
        await conn.execute("SELECT 1")
        await conn.executemany("SELECT $1::int", [(1,)])
        await (await conn.prepare("SELECT 3")).fetch()
        async with conn.transaction():
            async for row in conn.cursor("SELECT generate_series(1, 2)"):
                pass
        await conn.close()

asyncio.run(main())
sentry_sdk.flush()
for span in spans:
    if not span["description"].startswith(("BEGIN", "COMMIT")):
        data = {key: span["data"].get(key) for key in ("db.system", "db.name", "db.user")}
        print(span["op"], span["description"], data)
"""

BUILDPG = """
import asyncio, sys
import asyncpg
from buildpg import V, Values
from buildpg.asyncpg import BuildPgConnection, BuildPgPool, connect_b, create_pool_b

async def main():
    async with create_pool_b(sys.argv[1], min_size=1, max_size=2) as pool:
        print(isinstance(pool, BuildPgPool), await pool.fetchval_b("SELECT :a::int", a=4))
        async with pool.acquire() as conn:
            print(isinstance(conn, asyncpg.Connection))
            await conn.execute("CREATE TEMP TABLE t (a int, b text)")
            await conn.execute_b(
                "INSERT INTO t (:values__names) VALUES :values", values=Values(a=1, b="x")
            )
            print(await conn.fetch_b("SELECT * FROM t WHERE :where", where=V("a") < 2))
            async with conn.transaction():
                async for row in conn.cursor_b("SELECT * FROM t WHERE a = :a", a=1):
                    print(row)
    conn = await connect_b(sys.argv[1])
    print(isinstance(conn, BuildPgConnection), await conn.fetchrow_b("SELECT :a::int AS a", a=4))
    await conn.close()

asyncio.run(main())
"""

TORTOISE = """
import asyncio, decimal, sys, uuid
from urllib.parse import urlsplit
from tortoise import Tortoise, connections, fields
from tortoise.exceptions import IntegrityError
from tortoise.models import Model
from tortoise.transactions import in_transaction

class User(Model):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(50)
    data = fields.JSONField(null=True)
    uid = fields.UUIDField(null=True)
    amount = fields.DecimalField(10, 2, null=True)
    at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "tortoise_users"

async def main():
    at = urlsplit(sys.argv[1])
    credentials = {
        "host": at.hostname,
        "port": at.port,
        "user": "postgres",
        "password": "x",
        "database": "postgres",
    }
    await Tortoise.init({
        "connections": {
            "default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}
        },
        "apps": {"models": {"models": ["__main__"], "default_connection": "default"}},
    })
    await Tortoise.generate_schemas()
    user = await User.create(
        name="a", data={"k": [1]}, uid=uuid.UUID(int=7), amount=decimal.Decimal("1.50")
    )
    await User.bulk_create([User(name=f"n{i}") for i in range(5)])
    found = await User.get(id=user.id)
    print(found.name, found.data, found.uid, found.amount, found.at.tzinfo)
    print(await User.filter(name__startswith="n").count())
    try:
        async with in_transaction() as connection:
            await User.create(name="undone", using_db=connection)
            raise KeyError
    except KeyError:
        print(await User.filter(name="undone").count())
    print(len(await asyncio.gather(*[User.get(id=user.id) for _ in range(20)])))
    try:
        await User.create(id=user.id, name="again")
    except IntegrityError as error:
        print(type(error).__name__)
    await connections.get("default").execute_script("DROP TABLE tortoise_users")
    await connections.close_all()

asyncio.run(main())
"""

PICCOLO = """
import asyncio, sys
from urllib.parse import urlsplit
from piccolo.columns import JSONB, UUID, Array, Integer, Interval, Numeric, Varchar
from piccolo.engine.postgres import PostgresEngine
from piccolo.table import Table

at = urlsplit(sys.argv[1])
config = {
    "host": at.hostname,
    "port": at.port,
    "user": "postgres",
    "password": "x",
    "database": "postgres",
}
DB = PostgresEngine(config, extensions=())

class Band(Table, db=DB):
    name = Varchar()
    info = JSONB(null=True)
    uid = UUID()
    numbers = Array(Integer())
    price = Numeric()
    length = Interval()

async def main():
    await DB.start_connection_pool()
    await Band.create_table(if_not_exists=True)
    await Band.insert(Band(name="a", info={"a": 1}, numbers=[1, 2]), Band(name="b"))
    print(await Band.select(Band.name, Band.info, Band.numbers).order_by(Band.name))
    print(await Band.select(Band.info, Band.price, Band.length).output(load_json=True).first())
    band = await Band.objects().get(Band.name == "a")
    band.name = "c"
    await band.save()
    async with DB.transaction():
        await Band.update({Band.name: "z"}).where(Band.name == "b")
    print(await Band.count(), await Band.exists().where(Band.name == "z"))
    async with await Band.select(Band.name).order_by(Band.name).batch(batch_size=1) as batch:
        async for rows in batch:
            print(rows)
    await Band.alter().drop_table()
    await DB.close_connection_pool()

asyncio.run(main())
"""

DATABASES = """
import asyncio, sys
from databases import Database

async def main():
    database = Database(sys.argv[1])
    await database.connect()
    print([dict(row._mapping) for row in await database.fetch_all("SELECT 1 AS a")])
    print((await database.fetch_one("SELECT CAST(:x AS int) AS b", {"x": 2}))["b"])
    await database.execute("CREATE TABLE databases_t (a int)")
    await database.execute_many("INSERT INTO databases_t VALUES (:a)", [{"a": 1}, {"a": 2}])
    async for row in database.iterate("SELECT * FROM databases_t"):
        print(dict(row._mapping))
    try:
        async with database.transaction():
            await database.execute("INSERT INTO databases_t VALUES (9)")
            raise KeyError
    except KeyError:
        print(await database.fetch_val("SELECT count(*) FROM databases_t"))
    await database.execute("DROP TABLE databases_t")
    await database.disconnect()

asyncio.run(main())
"""

SQLALCHEMY = """
import asyncio, sys, uuid
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, INT4RANGE, JSONB, Range
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class User(Base):
    __tablename__ = "sqlalchemy_users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    data = mapped_column(JSONB)
    numbers = mapped_column(ARRAY(sa.Integer))
    uid = mapped_column(sa.Uuid)
    span = mapped_column(INT4RANGE)

def user(i):
    return User(
        name=f"n{i}", data={"a": i}, numbers=[i], uid=uuid.UUID(int=i), span=Range(1, 5)
    )

async def main():
    engine = create_async_engine(sys.argv[1].replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    session = async_sessionmaker(engine)
    async with session() as s:
        s.add_all([user(i) for i in range(50)])
        await s.commit()
        first = (await s.execute(sa.select(User).order_by(User.id))).scalars().first()
        print(first.name, first.data, first.numbers, first.uid, first.span)
        s.add(user(0))
        try:
            await s.commit()
        except sa.exc.IntegrityError as error:
            print(error.orig.sqlstate)
    async with engine.connect() as conn:
        rows = await conn.stream(sa.select(User.name))
        print(len([row async for row in rows]))
        await conn.rollback()
        await conn.execution_options(isolation_level="SERIALIZABLE")
        print((await conn.execute(sa.text("SHOW transaction_isolation"))).scalar())
        try:
            await conn.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
        except sa.exc.DBAPIError as error:
            print(error.connection_invalidated)
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.drop_all)
    await engine.dispose()

asyncio.run(main())
"""

# By the module that tells whether it is installed.
PROGRAMS = {
    "opentelemetry.instrumentation.asyncpg": OPENTELEMETRY,
    "sentry_sdk": SENTRY,
    "buildpg": BUILDPG,
    "tortoise": TORTOISE,
    "piccolo": PICCOLO,
    "databases": DATABASES,
    "sqlalchemy": SQLALCHEMY,
}
