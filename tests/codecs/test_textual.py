"""Text forms: what the server writes is read as what it sends in binary."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from struct import pack
from typing import Any

import psycopg
import pytest
from array_bytes import wire
from array_values import ELEMENTS, SAMPLES, SINCE, nested_lists
from fuzz.edge_values import EDGE_VALUES, TEXT_FORMS
from fuzz.grammar import Dice, Words, mutations
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import TEXT, Codec, Unencodable, Unresolved, Verbatim
from pgallop.codecs.json import JsonbCodec
from pgallop.codecs.registry import Registry
from pgallop.codecs.text import TextCodec
from pgallop.codecs.textual import textual
from pgallop.codecs.textual_containers import array
from pgallop.codecs.textual_scalars import same
from pgallop.errors import ProtocolError
from pgallop.values.infinities import InfiniteInterval

SECOND = 1_000_000
DAY = 86_400 * SECOND

# The limits of the server's dates and timestamps, counted from 2000-01-01.
FIRST_DAY, LAST_DAY = -2_451_545, 2_145_031_948
LAST_MOMENT = 9_223_371_331_199_999_999

# Before PostgreSQL 15 an interval of more hours has no text form.
MOST_HOURS = 2**31 * 3600 * SECOND - 1

# With seconds before 1937, with other odd ones, and with what no place on Earth has.
ZONES = [
    *("UTC", "Asia/Kolkata", "America/St_Johns", "Europe/Amsterdam", "Pacific/Apia"),
    *("<east>-15:59", "<far>-100:01", "<west>+23:59"),
]

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
STRINGS = st.text(CHARACTERS | st.sampled_from('"\\{}(),; \n'), max_size=20)


def seen(codec: Codec, data: bytes) -> tuple[type, str]:
    """What comes of the bytes: a value, or an error with its words."""
    try:
        value = codec.loads(data)
    except ValueError as error:
        return type(error), str(error)
    return type(value), repr(value)


def compare(oracle: Oracle, codec: Codec, data: Sequence[bytes]) -> None:
    """The server's text forms of values of `codec`'s type say the same as their bytes."""
    reader = textual(codec)
    for item, text in zip(data, oracle.text(codec.oid, data), strict=True):
        assert text is not None
        assert seen(reader, text.encode()) == seen(codec, item), text


def names() -> list[str]:
    return [name for name in EDGE_VALUES if name not in ("xml", "cstring", "unknown")]


@pytest.fixture(scope="module", params=["defaults", *ZONES, "escape"])
def settled(request: pytest.FixtureRequest, dsn: str) -> Iterator[Oracle]:
    """With settings that change text forms, all of them readable."""
    with psycopg.connect(dsn, autocommit=True, client_encoding="utf8") as connection:
        if request.param == "escape":
            connection.execute("SET bytea_output = 'escape'")
        elif request.param != "defaults":
            connection.execute("SELECT set_config('TimeZone', %s, false)", [request.param])
        yield Oracle(connection)


@pytest.mark.parametrize("name", names())
def test_edge_values(registry: Registry, settled: Oracle, name: str) -> None:
    if settled.version < SINCE.get(name, 10):
        pytest.skip(f"new in PostgreSQL {SINCE[name]}")
    codec = registry.get(OIDS[name])
    values = EDGE_VALUES[name]
    if settled.version < 16 and name == "char":  # other bytes come as they are, see below
        values = [value for value in values if len(value) < 2]
    if settled.version < 14 and name == "numeric":
        values = [value for value in values if not value.is_infinite()]
    if settled.version < 17 and name == "interval":  # to it they are the longest ones
        values = [value for value in values if not isinstance(value, InfiniteInterval)]
    if name == "jsonb":  # numbers come as the server writes them
        values = [value for value in values if value not in ("\0", 1e300)]
    compare(settled, codec, [codec.dumps(value) for value in values])
    if name in ARRAYS:
        several = registry.get(ARRAYS[name])
        lists = [[], values, [None, *values]]
        if name not in ("json", "jsonb", "int2vector", "oidvector"):
            lists += [[[value], [None]] for value in values]
        compare(settled, several, [several.dumps(value) for value in lists])


@pytest.mark.parametrize("name", SAMPLES)
def test_arrays_of_each_type(registry: Registry, oracle: Oracle, name: str) -> None:
    if oracle.version < SINCE.get(name, 10):
        pytest.skip(f"new in PostgreSQL {SINCE[name]}")
    data = oracle.binary(OIDS[name], SAMPLES[name])
    shape = (len(data), 1)
    compare(oracle, registry.get(ARRAYS[name]), [wire(data, shape, oid=OIDS[name])])


numbers: dict[str, st.SearchStrategy[bytes]] = {
    "int2": st.binary(min_size=2, max_size=2),
    "int4": st.binary(min_size=4, max_size=4),
    "int8": st.binary(min_size=8, max_size=8),
    "oid": st.binary(min_size=4, max_size=4),
    "float4": st.binary(min_size=4, max_size=4),
    "float8": st.binary(min_size=8, max_size=8),
    "uuid": st.binary(min_size=16, max_size=16),
    "bytea": st.binary(max_size=50),
    "text": STRINGS.map(str.encode),
    "numeric": st.builds(
        lambda digits, exponent: (
            builtin_registry().get(OIDS["numeric"]).dumps(Decimal(f"{digits}E{exponent}"))
        ),
        st.integers(-(10**40), 10**40),
        st.integers(-60, 300) | st.integers(900, 1100),
    ),
}


@pytest.mark.parametrize("name", numbers)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_value(oracle: Oracle, registry: Registry, name: str, data: st.DataObject) -> None:
    compare(oracle, registry.get(OIDS[name]), data.draw(st.lists(numbers[name], max_size=300)))


times = st.integers(0, DAY)
offsets = st.integers(-57599, 57599)
moments = st.integers(FIRST_DAY * DAY, LAST_MOMENT) | st.integers(-63_000_000, 252_000_000).map(
    lambda second: second * 1000 * SECOND
)
temporals: dict[str, st.SearchStrategy[bytes]] = {
    "date": st.builds(pack, st.just("!i"), st.integers(FIRST_DAY, LAST_DAY)),
    "time": st.builds(pack, st.just("!q"), times),
    "timetz": st.builds(pack, st.just("!qi"), times, offsets),
    "timestamp": st.builds(pack, st.just("!q"), moments),
    "timestamptz": st.builds(pack, st.just("!q"), moments),
    "interval": st.builds(
        pack,
        st.just("!qii"),
        st.integers(-MOST_HOURS, MOST_HOURS) | st.integers(-DAY, DAY),
        st.integers(-(2**31) + 1, 2**31 - 2) | st.integers(-2, 2),
        st.integers(-(2**31) + 1, 2**31 - 2) | st.integers(-30, 30),
    ),
}


@pytest.mark.parametrize("name", temporals)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_time(settled: Oracle, registry: Registry, name: str, data: st.DataObject) -> None:
    """In the years of Python and all others of the server, which raise in the same words."""
    compare(settled, registry.get(OIDS[name]), data.draw(st.lists(temporals[name], max_size=100)))


def test_the_years_at_the_edges(settled: Oracle, registry: Registry) -> None:
    days = [date.toordinal() - datetime(2000, 1, 1).toordinal() for date in EDGE_VALUES["date"]]
    days += [FIRST_DAY, LAST_DAY, days[-1] + 1, days[-2] - 1, days[-2] - 365]
    compare(settled, registry.get(OIDS["date"]), [pack("!i", day) for day in days])
    edges = [day * DAY for day in days if day != LAST_DAY] + [LAST_MOMENT]
    close = [edge + near for edge in edges for near in (-SECOND, -1, 0, 1, SECOND)]
    data = [pack("!q", each) for each in close if FIRST_DAY * DAY <= each <= LAST_MOMENT]
    for name in ("timestamp", "timestamptz"):
        compare(settled, registry.get(OIDS[name]), data)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (b"2562047788:00:54.775807", (2**63 - 1, 0, 0)),
        (b"-2562047788:00:54.775808", (-(2**63), 0, 0)),
        (b"178956970 years 7 mons", (0, 0, 2**31 - 1)),
        (b"-178956970 years -8 mons -2147483648 days", (0, -(2**31), -(2**31))),
        (b"-1 years +1 mon -1 days +00:00:00.5", (500_000, -1, -11)),
    ],
)
def test_the_longest_intervals(
    registry: Registry, text: bytes, fields: tuple[int, int, int]
) -> None:
    codec = registry.get(OIDS["interval"])
    assert seen(textual(codec), text) == seen(codec, pack("!qii", *fields))


@pytest.mark.parametrize("name", ELEMENTS)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_array(oracle: Oracle, registry: Registry, name: str, data: st.DataObject) -> None:
    codec = registry.get(ARRAYS[name])
    values = data.draw(st.lists(nested_lists(ELEMENTS[name]), min_size=1, max_size=10))
    compare(oracle, codec, [codec.dumps(value) for value in values])


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(-(2**31), 2**31 - 4)), min_size=1, max_size=6)
)
def test_bounds_do_not_matter(oracle: Oracle, dimensions: list[tuple[int, int]]) -> None:
    count = math.prod(length for length, _ in dimensions)
    data = wire([pack("!i", i) for i in range(count)], *dimensions)
    codec = builtin_registry().get(ARRAYS["int4"])
    compare(oracle, codec, [data])
    # They are kept in the bytes, for codecs that care.
    (text,) = oracle.text(ARRAYS["int4"], [data])
    assert text is not None
    assert array(OIDS["int4"], lambda item: pack("!i", int(item)))(text.encode()) == data


def row(fields: Sequence[str | None]) -> str:
    """A row of texts, in SQL."""
    texts = ["NULL" if each is None else "'" + each.replace("'", "''") + "'" for each in fields]
    return f"ROW({', '.join(f'{text}::text' for text in texts)})"


@settings(deadline=None)
@given(st.lists(st.lists(st.none() | STRINGS, min_size=2, max_size=5), min_size=1, max_size=20))
def test_any_row_of_texts(oracle: Oracle, rows: list[list[str | None]]) -> None:
    """Casting to text calls the output function."""
    for name, expression in [
        *[("record", row(fields)) for fields in rows],
        ("_record", f"ARRAY[{', '.join(map(row, rows))}]"),
    ]:
        codec = builtin_registry().get(OIDS[name])
        _, text = oracle.select(f"({expression})::text")
        assert seen(textual(codec), text) == seen(codec, oracle.select(expression)[1])


def test_fields_of_rows_are_texts(registry: Registry, oracle: Oracle) -> None:
    reader = textual(registry.get(OIDS["record"]))
    _, text = oracle.select("ROW(1, true, NULL, '', ROW(1, 'a b'), ARRAY[1, NULL])::text")
    assert reader.loads(text) == ("1", "t", None, "", '(1,"a b")', "{1,NULL}")
    for empty in ("ROW()", "ROW(NULL)"):
        with pytest.raises(ValueError, match="cannot be told apart"):
            reader.loads(oracle.select(f"{empty}::text")[1])


def test_float4_is_rounded_once(registry: Registry, oracle: Oracle) -> None:
    """Rounded to a float8 and then again, this is the float4 above."""
    data = b"\x15\xae\x43\xfd"
    assert oracle.text(OIDS["float4"], [data]) == ["7.038531e-26"]
    assert struct.pack("!f", float("7.038531e-26")) != data
    compare(oracle, registry.get(OIDS["float4"]), [data])
    reader = textual(registry.get(OIDS["float4"]))
    below, above = "1.000000059604644775390625", "1.000000178813934326171875"  # right between two
    for text, bits in [
        *((below, 0x3F800000), (below + "0001", 0x3F800001), (below[:-1] + "4999", 0x3F800000)),
        *((above, 0x3F800002), (above + "0001", 0x3F800002), (above[:-1] + "4999", 0x3F800001)),
    ]:
        for sign in ("", "-"):
            number = reader.loads(f"{sign}{text}".encode())
            assert abs(number) == struct.unpack("!f", pack("!I", bits))[0]
            assert (number < 0) == (sign == "-")


@pytest.mark.parametrize("digits", range(-15, 4))
def test_rounded_floats_are_what_they_say(dsn: str, registry: Registry, digits: int) -> None:
    """With extra_float_digits below 1 digits are missing, which nobody can see."""
    values = [math.pi, 1e300 / 3, -2e-300 / 7, 5e-324, 1.5]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"SET extra_float_digits = {digits}".encode())
        oracle = Oracle(connection)
        for name, precision in (("float8", 15), ("float4", 6)):
            codec = registry.get(OIDS[name])
            data = [codec.dumps(value if name == "float8" else 1 / 3) for value in values]
            for item, text in zip(data, oracle.text(codec.oid, data), strict=True):
                assert text is not None
                read, sent = textual(codec).loads(text.encode()), codec.loads(item)
                if digits > 0:
                    assert read == sent
                else:
                    error = 10.0 ** (1 - max(1, precision + digits))
                    assert math.isclose(read, sent, rel_tol=error) or sent == 5e-324


@pytest.mark.parametrize(
    ("setting", "name", "text"),
    [
        *[
            (f"DateStyle = '{style}'", name, text)
            for style in ("SQL, MDY", "SQL, DMY", "Postgres, MDY", "Postgres, DMY", "German")
            for name, text in [
                ("date", "2024-03-04"),
                ("date", "12024-10-11"),
                ("date", "0044-10-11 BC"),
                ("timestamp", "2024-03-04 05:06:07.8"),
                ("timestamptz", "2024-03-04 05:06:07.8+02"),
                ("timestamp", "12024-03-04 05:06:07"),
            ]
        ],
        *[
            (f"IntervalStyle = '{style}'", "interval", text)
            for style in ("sql_standard", "postgres_verbose", "iso_8601")
            for text in ["0", "1 day", "-1 day", "1 year -2 mons", "1 day 12:13:14", "01:02:03"]
        ],
    ],
)
def test_other_styles_are_refused(
    dsn: str, registry: Registry, setting: str, name: str, text: str
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        data = Oracle(connection).binary(OIDS[name], [text])
        connection.execute(f"SET {setting}".encode())
        (shown,) = Oracle(connection).text(OIDS[name], data)
    assert shown is not None
    with pytest.raises(ValueError, match=r"in ISO style|IntervalStyle = 'postgres'"):
        textual(registry.get(OIDS[name])).loads(shown.encode())


STYLES = [
    *("ISO, DMY", "ISO, YMD", "SQL, MDY", "SQL, DMY", "Postgres, MDY", "Postgres, DMY", "German"),
    *("sql_standard", "postgres_verbose", "iso_8601"),
]


@pytest.mark.parametrize("style", STYLES)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_no_style_gives_a_wrong_value(
    dsn: str, registry: Registry, style: str, data: st.DataObject
) -> None:
    """What is read is right, whatever the style is."""
    setting = "IntervalStyle" if "_" in style else "DateStyle"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"SET {setting} = '{style}'".encode())
        for name, strategy in temporals.items():
            codec = registry.get(OIDS[name])
            items = data.draw(st.lists(strategy, max_size=20))
            for item, text in zip(items, Oracle(connection).text(codec.oid, items), strict=True):
                assert text is not None
                kind, words = seen(textual(codec), text.encode())
                assert (kind, words) == seen(codec, item) or (
                    kind is ValueError and ("in ISO style" in words or "IntervalStyle" in words)
                )


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"", 0),
        (b"a", ord("a")),
        (b"\\", ord("\\")),
        (b"\\200", 128),
        (b"\\377", 255),
        (b"\x80", 128),
        (b"\xff", 255),
    ],
)
def test_chars(registry: Registry, text: bytes, data: int) -> None:
    """Before PostgreSQL 16 bytes that are no characters came as they are."""
    codec = registry.get(OIDS["char"])
    assert textual(codec).loads(text) == codec.loads(bytes([data]))


def test_boxes_have_another_delimiter(oracle: Oracle) -> None:
    boxes = ["(3,4),(1,2)", None, "(1,1),(0,0)"]
    (data,) = oracle.binary(ARRAYS["box"], ["{(3,4),(1,2);NULL;(1,1),(0,0)}"])
    assert data is not None
    assert oracle.text(ARRAYS["box"], [data]) == ["{(3,4),(1,2);NULL;(1,1),(0,0)}"]
    items = [None if box is None else box.encode() for box in boxes]
    made = array(OIDS["box"], same)(b"{(3,4),(1,2);NULL;(1,1),(0,0)}")
    assert made == wire(items, (3, 1), oid=OIDS["box"])


SPOILERS = [
    *(b"{", b"}", b",", b'"', b"\\", b"NULL", b"[0:1]=", b"0", b"1", b"9", b"-", b"+", b".", b"e"),
    *(b" ", b":", b"59", b"24", b" BC", b" days", b" mons", b"NaN", b"infinity"),
]

# What the server writes and does not read: settings make UTC offsets of more than 16 hours, newer
# servers have infinite numerics and intervals.
BEYOND_INPUT = (
    "time zone displacement out of range",
    'invalid input syntax for type numeric: "Infinity"',
    'invalid input syntax for type numeric: "-Infinity"',
    'invalid input syntax for type interval: "infinity"',
    'invalid input syntax for type interval: "-infinity"',
    # Whether there is anything between two bounds is the server's to know.
    "range lower bound must be less than or equal to range upper bound",
    "integer out of range",
    "bigint out of range",
)

# And what it makes, or takes in binary: SELECT circle(point '(0,0)', -1), a line before version 12.
BEYOND_FIGURES = re.compile(r'type circle: "<.*,-|line specification: A and B cannot both be zero')

# Those whose text can be any.
ANY_TEXT = {"text", "varchar", "bpchar", "name", "unknown", "cstring", "xml", "json", "jsonb"}
ANY_TEXT |= {"jsonpath", "refcursor"}


@pytest.mark.parametrize("name", [name for name in EDGE_VALUES if name not in ANY_TEXT])
def test_what_is_read_means_the_same_to_the_server(
    oracle: Oracle, registry: Registry, name: str
) -> None:
    """Of texts that are nearly right, none is read that the server does not read like that."""
    if oracle.version < SINCE.get(name, 10):
        pytest.skip(f"new in PostgreSQL {SINCE[name]}")
    dice, grammar = Dice(name), Words(SPOILERS)
    for codec in (registry.get(OIDS[name]), registry.get(ARRAYS[name])):
        texts = TEXT_FORMS[name]
        if codec.name != name:
            delimiter = b";" if name == "box" else b","
            quoted = [b'"%b"' % text for text in texts if b"\\" not in text]
            texts = [b"{" + delimiter.join(quoted) + b"}"]
        for _ in range(400):
            text = mutations(dice, grammar, texts, 100)
            try:
                value = textual(codec).loads(text)
            except (ValueError, ProtocolError):
                continue
            # Before PostgreSQL 16 such bytes are written as they are, and no escapes are read.
            if name == "char" and (oracle.version < 16 or not text.isascii()):
                continue
            try:
                (data,) = oracle.binary(codec.oid, [text.decode()])
            except ValueError as error:
                if any(words in str(error) for words in BEYOND_INPUT):
                    continue
                if BEYOND_FIGURES.search(str(error)) is not None:
                    continue
                raise
            # The server has one way to say what can be said in many.
            if "range" in name or name == "box":
                written = oracle.text(codec.oid, [codec.dumps(value)])
                assert oracle.binary(codec.oid, written) == [data], text
                continue
            assert data is not None
            assert repr(codec.loads(data)) == repr(value), text


# --- which codec reads it -------------------------------------------------------------------------


def test_every_codec_has_one(registry: Registry) -> None:
    for oid in {*OIDS.values(), *ARRAYS.values()}:
        codec = registry.get(oid)
        reader = textual(codec)
        assert (reader.oid, reader.name, reader.atomic) == (codec.oid, codec.name, codec.atomic)
        # What an unresolved type will be is not known yet.
        is_text = codec.format == TEXT or isinstance(codec, Unresolved)
        assert type(reader) is not TextCodec or is_text


def test_codecs_of_the_registry_are_asked(registry: Registry) -> None:
    """Those that somebody has registered, too."""
    own = JsonbCodec(OIDS["jsonb"], "jsonb", decoder=lambda text: f"<{text}>")
    assert textual(own).loads(b'{"a": 1}') == '<{"a": 1}>'
    as_bytes = Verbatim(OIDS["int4"], "int4", 1)
    assert textual(as_bytes).loads(b"258") == b"\0\0\1\2"


def test_unknown_types_are_texts(registry: Registry) -> None:
    unknown = registry.get(16385)
    assert textual(unknown) is unknown
    assert textual(Verbatim(16385, "mood", 1)).loads(b"happy") == "happy"


def test_they_are_for_reading_only(registry: Registry) -> None:
    with pytest.raises(Unencodable, match="expected nothing, got int"):
        textual(registry.get(OIDS["int4"])).dumps(5)


def test_values_have_their_types(registry: Registry) -> None:
    moment = textual(registry.get(OIDS["timestamptz"])).loads(b"2024-02-29 01:00:00+05:30")
    assert moment == datetime(2024, 2, 28, 19, 30, tzinfo=UTC)
    assert moment.tzinfo is UTC
    number: Any = textual(registry.get(OIDS["numeric"])).loads(b"-1.100")
    assert number.as_tuple() == Decimal("-1.100").as_tuple()
