"""Values of SQLAlchemy's types, there and back."""

import json
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from engines import Engine
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Float,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    Unicode,
    Uuid,
    literal,
    null,
    select,
    text,
    type_coerce,
)
from sqlalchemy import Enum as EnumType
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql import Range

import pgallop

# SQLAlchemy 2.0 has no class of its own.
BitString: Any = getattr(pg, "BitString", pgallop.BitString)


class Mood(Enum):
    GLAD = "glad"
    SAD = "sad"


UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)

VALUES: list[tuple[Any, Any]] = [
    (SmallInteger(), -(2**15)),
    (Integer(), 2**31 - 1),
    (BigInteger(), -(2**63)),
    (Boolean(), False),
    (Float(), 1.5),
    (Double(), 1e300),
    (Float(asdecimal=True), Decimal("1.5")),
    (Numeric(30, 10), Decimal("12345678901234567890.0123456789")),
    (Numeric(asdecimal=False), 2.25),
    (String(10), "zwölf"),
    (Text(), "a" * 5000),
    (Unicode(5), "日本語"),
    (LargeBinary(), b"\0\xff"),
    (Date(), date(2024, 2, 29)),
    (Time(), time(23, 59, 59, 999999)),
    (DateTime(), datetime(2024, 2, 29, 12)),
    (DateTime(timezone=True), NOON),
    (Interval(), timedelta(days=-3, seconds=5)),
    (pg.INTERVAL(), timedelta(hours=25)),
    (Uuid(), UUID),
    (Uuid(as_uuid=False), str(UUID)),
    (JSON(), {"a": [1, None, "x"]}),
    (pg.JSONB(), ["ä", 1.5]),
    (pg.JSON(), "only text"),
    (pg.JSONB(), 7),
    (pg.ARRAY(Integer), [[1, 2], [3, None]]),
    (pg.ARRAY(Text), ["a", None, ""]),
    (pg.ARRAY(Numeric(asdecimal=False)), [1.5, 2.0]),
    (pg.ARRAY(Float(asdecimal=True)), [Decimal("1.5")]),
    (pg.ARRAY(pg.JSONB), [{"a": 1}, [2]]),
    (pg.INET(), ip_interface("10.0.0.1/8")),
    (pg.INET(), ip_address("::1")),
    (pg.CIDR(), ip_network("10.0.0.0/8")),
    (pg.MACADDR(), "08:00:2b:01:02:03"),
    (pg.OID(), 4_000_000_000),
    (pg.REGCLASS(), "pg_class"),
    (pg.TSVECTOR(), "'a':1 'b':2"),
    (pg.INT4RANGE(), Range(1, 5)),
    (pg.INT4RANGE(), Range(empty=True)),
    (pg.NUMRANGE(), Range(Decimal("1.5"), None, bounds="()")),
    (pg.DATERANGE(), Range(date(2024, 1, 1), date(2024, 2, 1))),
    (pg.TSTZRANGE(), Range(None, NOON, bounds="(]")),
    (pg.ARRAY(pg.INT8RANGE), [Range(1, 2), Range(5, 9)]),
    (pg.INT4MULTIRANGE(), pg.ranges.MultiRange([Range(1, 3), Range(5, 7)])),
]


async def test_values(engine: Engine) -> None:
    """All of them in one table, and each alone as an argument."""
    columns = [Column(f"c{i}", each) for i, (each, _) in enumerate(VALUES)]
    table = Table("all_types", MetaData(), *columns, prefixes=["TEMPORARY"])
    values = {f"c{i}": value for i, (_, value) in enumerate(VALUES)}
    async with engine() as opened, opened.connect() as conn:
        await conn.run_sync(table.create)
        await conn.execute(table.insert(), values)
        await conn.execute(table.insert(), [dict.fromkeys(values), values])
        first, second, third = (await conn.execute(select(table))).all()
        for i, (each, value) in enumerate(VALUES):
            assert first[i] == value, each
            assert type(first[i]) is type(value), each
            assert third[i] == value, each
        jsons = [i for i, (each, _) in enumerate(VALUES) if isinstance(each, JSON)]
        assert all(second[i] is None for i in range(len(VALUES)) if i not in jsons)
        for each, value in VALUES:
            assert await conn.scalar(select(literal(value, each))) == value, each


async def test_enums(engine: Engine) -> None:
    table = Table(
        "moods",
        MetaData(),
        Column("one", EnumType(Mood, name="mood")),
        Column("many", pg.ARRAY(EnumType(Mood, name="mood"))),
    )
    async with engine() as opened, opened.connect() as conn:
        await conn.run_sync(table.create)
        row = {"one": Mood.SAD, "many": [Mood.GLAD, Mood.SAD]}
        await conn.execute(table.insert(), row)
        assert (await conn.execute(select(table))).one() == (Mood.SAD, [Mood.GLAD, Mood.SAD])
        where = table.c.one == Mood.SAD
        assert await conn.scalar(select(table.c.many).where(where)) == [Mood.GLAD, Mood.SAD]
        await conn.rollback()


async def test_bits(engine: Engine) -> None:
    table = Table("bits", MetaData(), Column("b", pg.BIT(8, varying=True)), prefixes=["TEMPORARY"])
    async with engine() as opened, opened.connect() as conn:
        await conn.run_sync(table.create)
        await conn.execute(table.insert(), {"b": BitString("00101")})
        found = await conn.scalar(select(table))
        assert found == BitString("00101")
        assert isinstance(found, BitString)


async def test_hstore(engine: Engine) -> None:
    table = Table("stores", MetaData(), Column("h", pg.HSTORE), prefixes=["TEMPORARY"])
    async with engine() as opened, opened.connect() as conn:
        await conn.execute(text("CREATE EXTENSION IF NOT EXISTS hstore"))
        await conn.run_sync(table.create)
        await conn.execute(table.insert(), {"h": {"a": "1", "b": None}})
        assert await conn.scalar(select(table)) == {"a": "1", "b": None}
        assert await conn.scalar(select(table.c.h["a"])) == "1"
        await conn.rollback()


async def test_parts_of_json(engine: Engine) -> None:
    table = Table("jsons", MetaData(), Column("data", pg.JSONB), prefixes=["TEMPORARY"])
    data = table.c.data
    async with engine() as opened, opened.connect() as conn:
        await conn.run_sync(table.create)
        await conn.execute(table.insert(), {"data": {"a": {"b": [1, "two", {"c": None}]}}})
        assert await conn.scalar(select(data["a"]["b"][1].astext)) == "two"
        assert await conn.scalar(select(data[("a", "b", 0)].as_integer())) == 1
        assert await conn.scalar(select(data[("a", "b", 2)])) == {"c": None}
        assert await conn.scalar(select(type_coerce(None, JSON(none_as_null=True)))) is None
        assert await conn.scalar(select(null())) is None
        # Past SQLAlchemy's types, too.
        plain = await conn.exec_driver_sql("SELECT $1::jsonb", ({"a": 1},))
        assert plain.scalar() == {"a": 1}


async def test_functions_for_json(engine: Engine) -> None:
    written: list[Any] = []

    def dumps(value: Any) -> str:
        written.append(value)
        return json.dumps(value)

    options = {
        "json_serializer": dumps,
        "json_deserializer": lambda text: ["read", json.loads(text)],
    }
    async with engine(**options) as opened, opened.connect() as conn:
        for kind in (JSON, pg.JSONB):
            assert await conn.scalar(select(literal({"a": 1}, kind))) == ["read", {"a": 1}]
        assert written == [{"a": 1}, {"a": 1}]


async def test_addresses_as_text(engine: Engine) -> None:
    async with engine(native_inet_types=False) as opened, opened.connect() as conn:
        assert await conn.scalar(text("SELECT '10.0.0.1/8'::inet")) == "10.0.0.1/8"
        row = await conn.exec_driver_sql("SELECT $1::cidr", ("10.0.0.0/8",))
        assert row.scalar() == "10.0.0.0/8"


async def test_values_of_types_that_the_server_takes_from_the_context(engine: Engine) -> None:
    async with engine() as opened, opened.connect() as conn:
        assert await conn.scalar(select(literal(1) + literal(2))) == 3
        assert await conn.scalar(select(literal("a") + literal("b"))) == "ab"
        assert await conn.scalar(
            select(literal(NOON) - literal(timedelta(days=1)))
        ) == NOON.replace(day=28)
        assert await conn.scalar(select(literal(7).in_([1, 7]))) is True
