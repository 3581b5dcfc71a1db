"""Values of types, codecs that are set, records and the small classes."""

from __future__ import annotations

import datetime
import json
import pickle
import uuid
from decimal import Decimal
from typing import Any

from drop_in.case import Session, case, cases


def read(sql: str) -> Any:
    return lambda s: s.conn.fetchval(f"SELECT {sql}")


READ = (
    "'[1]'::json",
    "'{\"a\": null}'::jsonb",
    "'[\"x\"]'::jsonb::text::jsonb",
    "ARRAY['1'::jsonb]",
    "'x'::\"char\"",
    "ARRAY['x'::\"char\", 'y']",
    "'1.50'::money",
    "'{1,2}'::money[]",
    "'9999-12-31'::date",
    "'infinity'::date",
    "'10000-01-01'::date",
    "'24:00'::time",
    "'-infinity'::timestamp",
    "'infinity'::timestamptz",
    "'2024-02-29 12:00+02'::timestamptz",
    "'12:00:00.5'::time",
    "'12:00+01'::timetz",
    "'1 day 02:00'::interval",
    "'1 month'::interval",
    "'-1 hour'::interval",
    "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
    "1.50::numeric",
    "'NaN'::numeric",
    "'NaN'::float8",
    "'10.0.0.1'::inet",
    "'10.0.0.0/8'::cidr",
    "'08:00:2b:01:02:03'::macaddr",
    "'\\x00ff'::bytea",
    "B'101'",
    "B'101'::varbit",
    "point(1, 2)",
    "'((1,2),(3,4))'::box",
    "'[(1,2),(3,4)]'::lseg",
    "'[(1,2),(3,4)]'::path",
    "'((1,2),(3,4))'::polygon",
    "'{1,2,3}'::line",
    "'[1,5)'::int4range",
    "'empty'::numrange",
    "'{[1,2),[5,6)}'::int4multirange",
    "ROW(1, 'x')",
    "ARRAY[[1,2],[3,NULL]]",
    "'{}'::int[]",
    "'a & b'::tsquery",
    "'a b'::tsvector",
    "'<a/>'::xml",
    "'$.a'::jsonpath",
    "'pg_class'::regclass",
    "'1/2'::pg_lsn",
    "'(1,2)'::tid",
    "'10:20:10,15'::pg_snapshot",
    "'12'::xid",
    "'x'::name",
    "'x'::char(3)",
    "NULL::int",
    "''::void",
)
cases(
    "Connection.fetchval",
    {f"reads {sql}": read(sql) for sql in READ},
)
cases(
    "Connection.fetchval",
    {
        "reads a circle": read("circle(point(1, 2), 3)"),
    },
    differs="circle",
)
cases(
    "Connection.fetchval",
    {f"reads {sql}": read(sql) for sql in ("'12:00:00+00:19:32'::timetz",)},
    differs="timetz-seconds",
)
cases(
    "Connection.fetchval",
    {f"reads {sql}": read(sql) for sql in ("'infinity'::interval",)},
    differs="infinite-interval",
)
cases(
    "Connection.fetchval",
    {f"reads {sql}": read(sql) for sql in ("'0001-01-01 BC'::timestamp",)},
    differs="out-of-range",
)

WRITTEN: tuple[tuple[str, Any], ...] = (
    ("json", '{"a": 1}'),
    ("json", {"a": 1}),
    ("jsonb", "[1]"),
    ("jsonb", [1]),
    ("jsonb", "no json"),
    ('"char"', b"x"),
    ('"char"', "x"),
    ("money", "1.50"),
    ("money", Decimal("1.50")),
    ("date", datetime.date.max),
    ("date", datetime.datetime(2024, 1, 2, 3)),
    ("date", "2024-01-02"),
    ("timestamp", datetime.datetime.max),
    ("timestamp", datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)),
    ("timestamptz", datetime.datetime(2024, 1, 2)),
    ("timestamptz", datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)),
    ("timestamptz", datetime.date(2024, 1, 2)),
    ("time", datetime.time(1, 2)),
    ("timetz", datetime.time(1, 2, tzinfo=datetime.UTC)),
    ("interval", datetime.timedelta(days=1, hours=2)),
    ("interval", 5),
    ("int4", 1.5),
    ("int4", True),
    ("int4", None),
    ("int4", "1"),
    ("int8", 2**63),
    ("float8", 1),
    ("float8", "1"),
    ("float4", 1e300),
    ("numeric", 1),
    ("numeric", 1.5),
    ("numeric", Decimal("Infinity")),
    ("numeric", "1.5"),
    ("bool", 1),
    ("bool", "true"),
    ("text", 1),
    ("text", b"x"),
    ("bytea", "x"),
    ("bytea", bytearray(b"x")),
    ("uuid", uuid.UUID(int=1)),
    ("uuid", str(uuid.UUID(int=1))),
    ("uuid", "x"),
    ("inet", "10.0.0.1"),
    ("inet", 1),
    ("int[]", [1, None]),
    ("int[]", [[1, 2], [3, 4]]),
    ("int[]", [[1], [2, 3]]),
    ("int[]", (1, 2)),
    ("int[]", "{1}"),
    ("int[]", 1),
    ("int[]", [1, "x"]),
    ("text[]", "abc"),
    ("point", (1, 2)),
    ("point", 1),
    ("path", [(1, 2), (3, 4)]),
    ("int4range", (1, 5)),
    ("int4range", "[1,5)"),
    ("int4range", 1),
    ("int4multirange", [(1, 2)]),
    ("bit(3)", 5),
    ("regclass", "pg_class"),
    ("regclass", 1259),
    ("xid", 5),
    ("oid", -1),
    ("tid", (1, 2)),
    ("pg_lsn", 5),
    ("tsquery", "a & b"),
    ("xml", "<a/>"),
    ("jsonpath", "$.a"),
    ("macaddr", "08:00:2b:01:02:03"),
)


def written(kind: str, value: Any) -> Any:
    return lambda s: s.conn.fetchval(f"SELECT $1::{kind}::text", value)


# What of these is meant to differ, and why.
DIFFERS: dict[tuple[str, str], str] = {
    ("int4", "1.5"): "fractions",
    ("inet", "1"): "numbers-as-addresses",
}

for kind, value in WRITTEN:
    case(
        "Connection.fetchval", f"writes {value!r} as {kind}", DIFFERS.get((kind, repr(value)), "")
    )(written(kind, value))

# --- codecs that are set --------------------------------------------------------------------------


@case("Connection.set_type_codec Connection.reset_type_codec", "json")
async def json_codec(s: Session) -> Any:
    found = [await s.conn.fetchval("SELECT '[1]'::json")]
    done = await s.conn.set_type_codec(
        "json", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
    )
    found += [await s.conn.fetchval("SELECT $1::json", {"a": [1]})]
    found += [await s.conn.fetchval("SELECT ARRAY['[1]'::json]")]
    again = await s.conn.reset_type_codec("json", schema="pg_catalog")
    return [done, again, *found, await s.conn.fetchval("SELECT '[1]'::json")]


@case("Connection.set_type_codec", "binary")
async def binary_codec(s: Session) -> Any:
    await s.conn.set_type_codec(
        "int4",
        schema="pg_catalog",
        encoder=lambda value: value.to_bytes(4, "big"),
        decoder=lambda data: int.from_bytes(data, "big") + 1,
        format="binary",
    )
    return await s.conn.fetchval("SELECT $1::int4", 5)


@case("Connection.set_type_codec", "tuple")
async def tuple_codec(s: Session) -> Any:
    await s.conn.set_type_codec(
        "interval",
        schema="pg_catalog",
        encoder=lambda value: value,
        decoder=tuple,
        format="tuple",
    )
    return await s.conn.fetchval("SELECT $1::interval", (1, 2, 3))


@case("Connection.set_type_codec", "an enum of the user")
async def enum_codec(s: Session) -> Any:
    await s.conn.execute("CREATE TYPE pg_temp.mood AS ENUM ('sad', 'ok')")
    schema = await s.conn.fetchval(
        "SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()"
    )
    plain = await s.conn.fetchval("SELECT 'ok'::pg_temp.mood")
    await s.conn.set_type_codec("mood", schema=schema, encoder=str.lower, decoder=str.upper)
    return plain, await s.conn.fetchval("SELECT $1::pg_temp.mood", "SAD")


def codec(typename: str, **options: Any) -> Any:
    def ask(s: Session) -> Any:
        given = {"encoder": str, "decoder": str, **options}
        return s.conn.set_type_codec(typename, **given)

    return ask


cases(
    "Connection.set_type_codec",
    {
        "no such type": codec("nothing"),
        "an array": codec("_int4", schema="pg_catalog"),
        "a range": codec("int4range", schema="pg_catalog"),
        "a format that is none": codec("json", schema="pg_catalog", format="xml"),
        "a tuple of what has none": codec("json", schema="pg_catalog", format="tuple"),
        "without a decoder": lambda s: s.conn.set_type_codec("json", encoder=str),
    },
)
cases(
    "Connection.reset_type_codec",
    {
        "no such type": lambda s: s.conn.reset_type_codec("nothing"),
        "nothing set": lambda s: s.conn.reset_type_codec("json", schema="pg_catalog"),
    },
)
cases(
    "Connection.set_builtin_type_codec",
    {
        "no such codec": lambda s: s.conn.set_builtin_type_codec(
            "json", schema="pg_catalog", codec_name="nothing"
        ),
        "no such type": lambda s: s.conn.set_builtin_type_codec("nothing", codec_name="int4"),
        "an array": lambda s: s.conn.set_builtin_type_codec(
            "_int4", schema="pg_catalog", codec_name="int4"
        ),
    },
)


@case("Connection.set_builtin_type_codec", "hstore")
async def hstore(s: Session) -> Any:
    async with s.conn.transaction():
        await s.conn.execute("CREATE SCHEMA drop_in; CREATE EXTENSION hstore SCHEMA drop_in")
        found = [await s.conn.fetchval("SELECT 'a=>1'::drop_in.hstore")]
        await s.conn.set_builtin_type_codec(
            "hstore", schema="drop_in", codec_name="pg_contrib.hstore"
        )
        found.append(await s.conn.fetchval("SELECT $1::drop_in.hstore", {"a": None, "b": "2"}))
        await s.conn.execute("DROP SCHEMA drop_in CASCADE")
    return found


@case("Connection.fetchval", "citext and ltree are text")
async def extensions(s: Session) -> Any:
    async with s.conn.transaction():
        await s.conn.execute(
            "CREATE SCHEMA drop_in; CREATE EXTENSION citext SCHEMA drop_in;"
            " CREATE EXTENSION cube SCHEMA drop_in"
        )
        found = [
            await s.conn.fetchval("SELECT $1::drop_in.citext", "Ab"),
            await s.conn.fetchval("SELECT '(1,2)'::drop_in.cube"),
        ]
        await s.conn.execute("DROP SCHEMA drop_in CASCADE")
    return found


# --- records --------------------------------------------------------------------------------------


async def record(s: Session) -> Any:
    return await s.conn.fetchrow("SELECT 1 AS a, 'x' AS b, 3 AS a")


@case(
    "Record.keys Record.values Record.items Record.get Record.__getitem__ Record.__len__"
    " Record.__iter__ Record.__contains__",
    "reading",
)
async def read_record(s: Session) -> Any:
    row = await record(s)
    return (
        list(row.keys()),
        list(row.values()),
        list(row.items()),
        row["a"],
        row[0],
        row[-1],
        row[0:2],
        row.get("b"),
        row.get("z"),
        row.get("z", 5),
        len(row),
        list(row),
        "a" in row,
        "x" in row,
        1 in row,
        dict(row),
        repr(row),
        bool(row),
    )


@case("Record.__eq__ Record.__hash__ Record.__lt__ Record.__repr__", "comparing")
async def compare_record(s: Session) -> Any:
    row, other = await record(s), await record(s)
    return (
        row == other,
        row == (1, "x", 3),
        row == [1, "x", 3],
        row != other,
        hash(row) == hash(other),
        hash(row) == hash((1, "x", 3)),
        row < (2,),
        sorted([row, other]) == [row, other],
        pickle.loads(pickle.dumps(tuple(row))),
    )


for what in ("z", 3, 1.5, None, (0,)):
    wrong_type = "" if isinstance(what, str | int) else "record-keys"

    @case("Record.__getitem__", f"{what!r}", differs=wrong_type)
    async def wrong_key(s: Session, what: Any = what) -> Any:
        return (await record(s))[what]


@case("Record.__getattr__", "columns are no attributes")
async def no_attributes(s: Session) -> Any:
    return (await record(s)).b


@case("Record.__init__", "cannot be made")
async def make_record(s: Session) -> Any:
    return s.apg.Record()


@case("Record.__setitem__", "cannot be changed")
async def change_record(s: Session) -> Any:
    (await record(s))["a"] = 2


# --- the small classes ----------------------------------------------------------------------------


@case("Range", "its attributes and comparisons")
async def ranges(s: Session) -> Any:
    kinds = [
        s.apg.Range(),
        s.apg.Range(1, 5),
        s.apg.Range(1, 5, lower_inc=False, upper_inc=True),
        s.apg.Range(empty=True),
        s.apg.Range(None, 3),
    ]
    facts = [
        (each, each.lower_inf, each.upper_inf, bool(each), str(each), repr(each)) for each in kinds
    ]
    return facts, [[a.issubset(b) for b in kinds] for a in kinds], kinds[1] == s.apg.Range(1, 5)


@case("BitString", "its methods")
async def bit_strings(s: Session) -> Any:
    bits = s.apg.BitString("1010")
    other = s.apg.BitString.from_int(5, 8)
    return (
        bits.as_string(),
        bits.to_int(),
        bits.to_int(bitorder="little"),
        len(bits),
        bits.bytes,
        other,
        other.to_int(),
        s.apg.BitString.frombytes(b"\xf0", 4),
        bits == s.apg.BitString("1010"),
        hash(bits) == hash(s.apg.BitString("1010")),
        s.apg.BitString(),
    )


@case("BitString Point Line Box Circle Path Polygon", "shown", differs="representations")
async def shown(s: Session) -> Any:
    return repr(s.apg.BitString("1010")), repr(s.apg.Point(1, 2)), repr(s.apg.Line(1, 2, 3))


cases(
    "BitString",
    {
        "no bits": lambda s: made(s, "BitString", "12"),
        "a number": lambda s: made(s, "BitString", 5),
    },
)


async def made(s: Session, name: str, *args: Any) -> Any:
    return getattr(s.apg, name)(*args)


@case("Point Line LineSegment Box Circle Path Polygon", "made and compared")
async def geometry(s: Session) -> Any:
    point, other = s.apg.Point(1, 2), s.apg.Point(3.5, 4)
    shapes = [
        point,
        s.apg.Line(1, 2, 3),
        s.apg.LineSegment(point, other),
        s.apg.Box(other, point),
        s.apg.Circle(point, 3.0),
        s.apg.Path(point, other, is_closed=True),
        s.apg.Polygon(point, other),
    ]
    return (
        [len(each) for each in shapes[:4]],
        (point.x, point.y),
        shapes[4].center == point,
        shapes[4].radius,
        shapes[5].is_closed,
        shapes[5].points == (point, other),
        point == (1.0, 2.0),
    )


@case("Type Attribute ServerVersion", "tuples of these fields")
async def tuples(s: Session) -> Any:
    types = s.module("types")
    kinds = (types.Type, types.Attribute, types.ServerVersion)
    return [(kind._fields, kind.__name__) for kind in kinds]


@case("UUID", "of pgproto")
async def uuids(s: Session) -> Any:
    kind = s.module("pgproto.pgproto").UUID
    value = await s.conn.fetchval("SELECT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid")
    return (
        isinstance(value, kind),
        isinstance(value, uuid.UUID),
        kind("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11") == value,
        kind(value.bytes) == value,
        issubclass(kind, uuid.UUID),
        str(kind(value.bytes)),
    )


@case("UUID", "no uuid")
async def no_uuid(s: Session) -> Any:
    return s.module("pgproto.pgproto").UUID("x")
