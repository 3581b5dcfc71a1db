"""PostgreSQL's types as docs/types.md shows them: in which order, with which samples and notes.

What a type is read as, what is accepted for it and how it travels is no part of this: the registry
is asked, with the samples. A test sends the samples to a server.
"""

from __future__ import annotations

import array
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, NamedTuple
from uuid import UUID

from pgallop.values import (
    BitString,
    Box,
    Circle,
    Interval,
    Line,
    LineSegment,
    Path,
    Point,
    Polygon,
    Range,
)


class Row(NamedTuple):
    """A type: its name in pg_type, and what the table shows or needs beside the registry's word.

    `texts`: the text forms of some values, one for each Python type that they are read as.
    `values`: arguments that are accepted, one for each Python type that is. `also`: other names
    in SQL. `query`: one that returns a value, where there is no other way to get one, and `reads`:
    what that is read as.
    """

    name: str
    texts: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    note: str = ""
    also: str = ""
    query: str = ""
    reads: str = ""

    @property
    def sql(self) -> str:
        """Its name in SQL, the same for all types: `char` and `bit` mean others without quotes."""
        return f'pg_catalog."{self.name}"'


class Family(NamedTuple):
    """Types that have a table in common, under a heading."""

    heading: str
    rows: tuple[Row, ...]


SPELLINGS = "In the server's spelling; its documentation's others are accepted."

# How notes on what newer servers have not begin.
UNTIL = "Until PostgreSQL"

MONTHS = "A timedelta where that says the same; what has months is an `Interval`."
GONE = f"{UNTIL} 11."
PERIOD = '["2024-02-29 00:00:00+00" "2024-03-01 00:00:00+00"]'

BITS = (BitString("101"), b"a", bytearray(b"a"), memoryview(b"a"))

MASK = "An interface where the netmask is not that of the address alone."
ADDRESSES = (ip_address("192.0.2.1"), ip_interface("192.0.2.1/24"), "2001:db8::1")
NETWORKS = (ip_network("192.0.2.0/24"), ip_address("192.0.2.1"), "2001:db8::/32")

CORNERS = (((3, 4), (1, 2)), [(3, 4), (1, 2)])


def ranges(lower: Any, upper: Any) -> tuple[Any, ...]:
    """A range in each way that one can be given."""
    return (Range(lower, upper), (lower, upper), [lower, upper])


NUMBERS = Family(
    "Numbers and booleans",
    (
        Row("bool", ("t",), (True,), "An int is no bool, and is refused.", "boolean"),
        Row("int2", ("-1",), (7,), "-2<sup>15</sup> to 2<sup>15</sup> - 1.", "smallint"),
        Row(
            "int4",
            ("-1",),
            (7,),
            "-2<sup>31</sup> to 2<sup>31</sup> - 1. In all integer types: whatever has "
            "`__index__`, as numpy's integers have; never a float.",
            "integer, int",
        ),
        Row("int8", ("-1",), (7,), "-2<sup>63</sup> to 2<sup>63</sup> - 1.", "bigint"),
        Row(
            "float4",
            ("1.5",),
            (1.5, 2),
            "Rounded to 24 binary digits, as the type has no more; what would become infinity or 0 "
            "is refused.",
            "real",
        ),
        Row("float8", ("NaN",), (1.5, 2), "NaN, infinities and -0 included.", "double precision"),
        Row(
            "numeric",
            ("1.50", "NaN"),
            (Decimal("1.50"), 7, 0.1, "1e-3"),
            "With its scale: 1.50 is `Decimal('1.50')`. A float is written exactly, so 0.1 has 55 "
            "digits. Limits: [limits.md](limits.md).",
            "decimal",
        ),
        Row(
            "money",
            (),
            (Decimal("1.50"), 7, 0.5, "2.25"),
            "The digits after the point are those of the session's `lc_monetary`, which is asked "
            "once; more digits are refused.",
        ),
    ),
)

TEXTS = Family(
    "Text and bytes",
    (
        Row("text", ("Grüße",), ("Grüße",)),
        Row("varchar", ("ab",), ("ab",), also="character varying"),
        Row("bpchar", ("ab ",), ("ab",), "`char(n)` comes padded with blanks.", "character, char"),
        Row("name", ("ab",), ("ab",), "At most 63 bytes; the server refuses more."),
        Row(
            "char",
            ("a", "\\377"),
            ("a", ""),
            'One byte; in SQL with its quotes: `"char"`.',
        ),
        Row(
            "bytea",
            ("\\x00ff",),
            (b"\0\xff", bytearray(b"a"), memoryview(b"a"), array.array("i", [1])),
            "Buffers have to be contiguous.",
        ),
        Row(
            "uuid",
            ("5bc1c1a5-6de9-4e4b-ad0d-a4ea5a1f2e4c",),
            (UUID(int=7), "5bc1c1a5-6de9-4e4b-ad0d-a4ea5a1f2e4c"),
            "Other classes of UUIDs are accepted if they have 16 `bytes`.",
        ),
        Row("bit", ("101",), BITS, "Bytes are eight bits each."),
        Row("varbit", ("101", ""), BITS, also="bit varying"),
        Row(
            "xml",
            ("<a/>",),
            ("<a/>",),
            "The server leaves out the encoding that an XML declaration names.",
        ),
    ),
)

JSON = Family(
    "JSON",
    (
        Row(
            "json",
            ("{}", "[]", '"a"', "1", "1.5", "true", "null"),
            ({}, [], "a", 1, 1.5, True),
            "A `str` is a JSON string and never taken for JSON text. Python's `None` is SQL's "
            "NULL; JSON's own `null` inside of a value is `None` too. NaN is refused. Other "
            "libraries: [json.md](json.md).",
        ),
        Row(
            "jsonb",
            ("{}", "[]", '"a"', "1", "1.5", "true", "null"),
            ({}, [], "a", 1, 1.5, True),
            "As `json`.",
        ),
        Row("jsonpath", ('$."a"',), ('$."a"',)),
    ),
)

DATES = Family(
    "Dates and times",
    (
        Row(
            "date",
            ("2024-02-29", "infinity"),
            (date(2024, 2, 29), datetime(2024, 2, 29)),
            "Infinity, years before 1 and after 9999: [dates.md](dates.md), here and below.",
        ),
        Row(
            "time",
            ("01:02:03.000004",),
            (time(1, 2, 3, 4),),
            "`24:00` is not in Python.",
            "time without time zone",
        ),
        Row(
            "timetz",
            ("01:02:03+01",),
            (time(1, 2, 3, tzinfo=timezone(timedelta(hours=1))),),
            "With its offset.",
            "time with time zone",
        ),
        Row(
            "timestamp",
            ("2024-02-29 01:02:03.000004", "infinity"),
            (datetime(2024, 2, 29, 1), date(2024, 2, 29)),
            "Without `tzinfo`; a datetime that has one is refused.",
            "timestamp without time zone",
        ),
        Row(
            "timestamptz",
            ("2024-02-29 01:02:03.000004+00", "infinity"),
            (datetime(2024, 2, 29, 1, tzinfo=UTC), datetime(2024, 2, 29), date(2024, 2, 29)),
            "Read in UTC. One without `tzinfo` is taken in the time zone of this process.",
            "timestamp with time zone",
        ),
        Row(
            "interval",
            ("1 day 02:03:04.5", "1 mon", "infinity"),
            (timedelta(days=1), Interval(months=1)),
            MONTHS,
        ),
        Row("abstime", ("2024-02-29 00:00:00+00",), ("2024-02-29 00:00:00+00",), GONE),
        Row("reltime", ("1 day",), ("1 day",), GONE),
        Row("tinterval", (PERIOD,), (PERIOD,), GONE),
    ),
)

NETWORK = Family(
    "Network addresses",
    (
        Row(
            "inet", ("192.0.2.1", "192.0.2.1/24", "2001:db8::1", "2001:db8::1/64"), ADDRESSES, MASK
        ),
        Row(
            "cidr",
            ("192.0.2.0/24", "2001:db8::/32"),
            NETWORKS,
            "Nothing is set to the right of the netmask.",
        ),
        Row("macaddr", ("08:00:2b:01:02:03",), ("08:00:2b:01:02:03",), SPELLINGS),
        Row("macaddr8", ("08:00:2b:01:02:03:04:05",), ("08:00:2b:01:02:03:04:05",)),
    ),
)

GEOMETRY = Family(
    "Geometry",
    (
        Row("point", ("(1,2)",), (Point(1, 2), (1, 2))),
        Row("line", ("{1,2,3}",), (Line(1, 2, 3), (1, 2, 3)), "`ax + by + c = 0`."),
        Row("lseg", ("[(1,2),(3,4)]",), (LineSegment((1, 2), (3, 4)), *CORNERS)),
        Row(
            "box",
            ("(3,4),(1,2)",),
            (Box((3, 4), (1, 2)), *CORNERS),
            "The server puts the upper right corner first.",
        ),
        Row("path", ("[(1,2),(3,4)]", "((1,2),(3,4))"), (Path((1, 2), (3, 4)), *CORNERS)),
        Row("polygon", ("((1,2),(3,4),(5,6))",), (Polygon((1, 2), (3, 4)), *CORNERS)),
        Row("circle", ("<(1,2),3>",), (Circle((1, 2), 3), ((1, 2), 3))),
    ),
)

RANGES = Family(
    "Ranges and multiranges",
    (
        Row(
            "int4range",
            ("[1,4)",),
            ranges(1, 4),
            "The server writes ranges of whole numbers and dates in one way: `[1,3]` comes back "
            "as `[1,4)`.",
        ),
        Row("int8range", ("[1,4)",), ranges(1, 4)),
        Row("numrange", ("[1.5,2.50]",), ranges(Decimal("1.5"), None)),
        Row("daterange", ("[2024-01-01,2024-02-01)",), ranges(date(2024, 1, 1), None)),
        Row("tsrange", ('["2024-01-01 00:00:00",)',), ranges(datetime(2024, 1, 1), None)),
        Row(
            "tstzrange",
            ('["2024-01-01 00:00:00+00",)',),
            ranges(datetime(2024, 1, 1, tzinfo=UTC), None),
        ),
        Row(
            "int4multirange",
            ("{[1,4),[6,8)}",),
            ([Range(1, 4)],),
            "Multiranges are there since PostgreSQL 14.",
        ),
        Row("int8multirange", ("{[1,4),[6,8)}",), ([Range(1, 4)],)),
        Row("nummultirange", ("{[1.5,2.50]}",), ([Range(Decimal("1.5"), None)],)),
        Row("datemultirange", ("{[2024-01-01,2024-02-01)}",), ([Range(date(2024, 1, 1), None)],)),
        Row(
            "tsmultirange", ('{["2024-01-01 00:00:00",)}',), ([Range(datetime(2024, 1, 1), None)],)
        ),
        Row(
            "tstzmultirange",
            ('{["2024-01-01 00:00:00+00",)}',),
            ([Range(datetime(2024, 1, 1, tzinfo=UTC), None)],),
        ),
    ),
)

SEARCH = Family(
    "Text search",
    (
        Row("tsvector", ("'cat':3 'fat':2A",), ("cat fat",)),
        Row("tsquery", ("'fat' & 'cat'",), ("fat & cat",)),
        Row("regconfig", ("simple",), ("simple",)),
        Row("regdictionary", ("simple",), ("simple",)),
    ),
)

OBJECTS = Family(
    "Names and numbers of the catalogue",
    (
        Row("oid", ("1259",), (1259,), "0 to 2<sup>32</sup> - 1."),
        Row(
            "regclass",
            ("pg_class",),
            ("pg_class",),
            "Here and below: the name; for the number cast it to `oid` in SQL.",
        ),
        Row("regtype", ("integer",), ("int4",)),
        Row("regproc", ("now",), ("now",)),
        Row("regprocedure", ("abs(integer)",), ("abs(int4)",)),
        Row("regoper", ("|/",), ("|/",)),
        Row("regoperator", ("+(integer,integer)",), ("+(int4,int4)",)),
        Row("regrole", ("pg_monitor",), ("pg_monitor",)),
        Row("regnamespace", ("pg_catalog",), ("pg_catalog",)),
        Row("regcollation", ('"C"',), ('"C"',), "Since PostgreSQL 13."),
        Row("int2vector", ("1 2",), ([1, 2],), "Counted from 0 on by the server."),
        Row("oidvector", ("1 2",), ([1, 2],)),
        Row("aclitem", ("=r/pg_monitor",), ("=r/pg_monitor",), "A right, as in `relacl`."),
        Row("refcursor", ("c",), ("c",), "The name of a portal."),
    ),
)

INTERNALS = Family(
    "Transactions and storage",
    (
        Row("xid", ("7",), (7,), "0 to 2<sup>32</sup> - 1."),
        Row("xid8", ("7",), (7,), "0 to 2<sup>64</sup> - 1; since PostgreSQL 13."),
        Row("cid", ("7",), (7,), "As `xid`."),
        Row("tid", ("(1,2)",), ((1, 2),)),
        Row("pg_lsn", ("16/B374D848",), (97500059720,), "The position in bytes."),
        Row(
            "pg_snapshot",
            ("10:20:10,14",),
            ((10, 20, (10, 14)),),
            "Since PostgreSQL 13.",
        ),
        Row("txid_snapshot", ("10:20:10,14",), ((10, 20, (10, 14)),), "As `pg_snapshot`."),
    ),
)


def statistics(column: str) -> str:
    """A query for extended statistics."""
    return f"SELECT {column} FROM pg_statistic_ext_data WHERE {column} IS NOT NULL"


OTHERS = Family(
    "Rows, and what can only be read",
    (
        Row(
            "record",
            query="SELECT ROW(1, 'a')",
            reads="tuple",
            note="The values of the fields; PostgreSQL tells their types, and no names.",
        ),
        Row(
            "void",
            query="SELECT pg_sleep(0)",
            reads="None",
            note="What a function without a result returns.",
        ),
        Row(
            "pg_node_tree",
            query="SELECT conbin FROM pg_constraint WHERE conbin IS NOT NULL LIMIT 1",
            reads="str",
        ),
        Row("pg_ndistinct", query=statistics("stxdndistinct"), reads="str"),
        Row("pg_dependencies", query=statistics("stxddependencies"), reads="str"),
        Row("pg_mcv_list", query=statistics("stxdmcv"), reads="bytes"),
    ),
)

FAMILIES = (
    NUMBERS,
    TEXTS,
    JSON,
    DATES,
    NETWORK,
    GEOMETRY,
    RANGES,
    SEARCH,
    OBJECTS,
    INTERNALS,
    OTHERS,
)

# Types of pg_type that no table has, as patterns, and why.
LEFT_OUT = {
    "unknown": "a literal without a type, which a column has not since PostgreSQL 10",
    "cstring": "for the functions that read and write types, not for columns",
    "gtsvector": "inside of indexes only",
    "pg_brin_bloom_summary": "inside of indexes only",
    "pg_brin_minmax_multi_summary": "inside of indexes only",
    "any*": "kinds of arguments of functions",
    "*_handler": "for functions in C",
    "pg_ddl_command": "for functions in C",
    "internal": "for functions in C",
    "trigger": "what a trigger's function returns, which no statement calls",
    "event_trigger": "what an event trigger's function returns",
}
