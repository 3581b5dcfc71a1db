"""PostGIS: geometry and geography as EWKB, or as shapely's geometries."""

from __future__ import annotations

import sys
from struct import pack
from typing import Any

import pytest
from extensions.databases import Database, known
from hypothesis import given, settings
from hypothesis import strategies as st
from live import Connect
from oracle import Oracle

import pgallop
from pgallop.codecs.choices import CodecChoices
from pgallop.codecs.codec import Unencodable
from pgallop.codecs.textual import textual

GEOMETRY = known("geometry")

SRID = 0x20000000
ACCEPTED = "expected bytes (its WKB or EWKB) or a geometry of shapely's"

floats = st.floats(-1e9, 1e9)
srids = st.sampled_from([0, 4326, 3857])
points = st.tuples(floats, floats)


def head(order: str, kind: int, srid: int) -> bytes:
    """How EWKB begins."""
    flagged = kind | SRID if srid else kind
    return (
        bytes([order == "<"])
        + pack(f"{order}I", flagged)
        + (pack(f"{order}I", srid) if srid else b"")
    )


@st.composite
def geometries(draw: st.DrawFn) -> bytes:
    """Points, lines and collections of them, little-endian."""
    srid = draw(srids)
    lines = draw(st.lists(st.lists(points, min_size=2, max_size=4), max_size=3))
    if not lines:
        return head("<", 1, srid) + pack("<2d", *draw(points))
    parts = [
        head("<", 2, 0) + pack("<I", len(line)) + b"".join(pack("<2d", *point) for point in line)
        for line in lines
    ]
    if len(parts) == 1 and draw(st.booleans()):
        return head("<", 2, srid) + parts[0][5:]
    return head("<", draw(st.sampled_from([5, 7])), srid) + pack("<I", len(parts)) + b"".join(parts)


@settings(deadline=None, max_examples=30)
@given(values=st.lists(geometries(), min_size=1, max_size=20))
def test_the_server_gives_back_the_same(
    postgis: Database, postgis_oracle: Oracle, values: list[bytes]
) -> None:
    """In binary, and in text."""
    codec = postgis.types["geometry"].codec()
    forms = postgis_oracle.text(codec.oid, [codec.dumps(value) for value in values])
    echoes = postgis_oracle.binary(codec.oid, forms)
    assert [codec.loads(echo) for echo in echoes if echo is not None] == values
    reader = textual(codec)
    assert [reader.loads(form.encode()) for form in forms if form is not None] == values


POINT = head("<", 1, 4326) + pack("<2d", 1, 2)
PLAIN = head("<", 1, 0) + pack("<2d", 3, 4)
BIG = head(">", 1, 4326) + pack(">2d", 1, 2)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_what_is_taken(kind: Any) -> None:
    assert GEOMETRY.dumps(kind(POINT)) == POINT
    assert GEOMETRY.loads(POINT) == POINT


class Interface:
    """What other packages have."""

    __geo_interface__ = {"type": "Point", "coordinates": (1, 2)}  # noqa: RUF012


@pytest.mark.parametrize(
    ("value", "reason", "hint"),
    [
        (5, f"{ACCEPTED}, got int", None),
        ([1, 2], f"{ACCEPTED}, got list", None),
        (
            "POINT(1 2)",
            f"{ACCEPTED}, got str",
            "cast in SQL: $n::text::geometry, or convert the str in Python",
        ),
        (
            Interface(),
            f"{ACCEPTED}, got Interface",
            "with __geo_interface__, pass shapely.geometry.shape(value)",
        ),
        (b"", "no WKB: it begins with a byte 0 or 1 and has five bytes at least", None),
        (b"\1\0\0\0", "no WKB: it begins with a byte 0 or 1 and has five bytes at least", None),
        (b"POINT(1 2)", "no WKB: it begins with a byte 0 or 1 and has five bytes at least", None),
        (POINT.hex().encode(), "no WKB: it begins with a byte 0 or 1 and has five bytes at", None),
    ],
)
def test_what_is_refused(value: Any, reason: str, hint: str | None) -> None:
    with pytest.raises(Unencodable) as caught:
        GEOMETRY.dumps(value)
    assert caught.value.reason.startswith(reason)
    assert caught.value.hint == hint


QUERY = """
    SELECT $1::geometry AS one, $2::geography AS where, $3::geometry[] AS many,
        ROW($1::geometry), NULL::geometry, ST_AsText($1::geometry), ST_SRID($1::geometry)
"""
TEXTS = """
    SELECT ST_GeomFromText('POINT(1 2)', 4326) AS one,
        ST_GeogFromText('POINT(1 2)') AS where,
        ARRAY[ST_Point(3, 4), NULL, ST_GeomFromText('POINT(1 2)', 4326)] AS many
"""


async def test_a_statement(extended_postgis: Connect) -> None:
    many = [PLAIN, None, POINT]
    async with extended_postgis() as conn, extended_postgis(statement_mode="simple") as simple:
        row = await conn.fetchrow(QUERY, BIG, POINT, [[PLAIN], [POINT]])
        assert row is not None
        expected = [POINT, POINT, [[PLAIN], [POINT]], (POINT,), None, "POINT(1 2)", 4326]
        assert list(row.values()) == expected
        for each in (conn, simple):
            row = await each.fetchrow(TEXTS)
            assert row is not None
            assert list(row.values()) == [POINT, POINT, many]
        # Well-Known Text is the server's to read.
        query = "SELECT $1::text::geometry"
        assert await conn.fetchval(query, "SRID=4326;POINT(1 2)") == POINT
        with pytest.raises(pgallop.InternalServerError):
            await conn.fetchval("SELECT $1::geometry", POINT[:-1])


async def test_boxes_and_rasters_are_text(extended_postgis: Connect) -> None:
    query = "SELECT $1::box2d, $2::box3d, ARRAY[$1::box2d, NULL]"
    async with extended_postgis() as conn:
        row = await conn.fetchrow(query, "BOX(0 1,2 3)", "BOX3D(0 1 2,3 4 5)")
        assert row is not None
        assert list(row.values()) == ["BOX(0 1,2 3)", "BOX3D(0 1 2,3 4 5)", ["BOX(0 1,2 3)", None]]
    # The first statement of a connection, before anything is known of its result.
    for query in (
        "SELECT 'BOX(0 1,2 3)'::box2d",
        "SELECT box2d('LINESTRING(0 1,2 3)'::geometry)",
        "SELECT ST_Extent(p) FROM unnest(ARRAY['POINT(0 1)', 'POINT(2 3)']::geometry[]) AS p",
    ):
        async with extended_postgis() as conn:
            assert await conn.fetchval(query) == "BOX(0 1,2 3)"


# --- shapely --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shapely() -> Any:
    return pytest.importorskip("shapely", reason="shapely is not installed: pip install shapely")


def test_shapely_is_not_imported_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shapely", None)
    assert GEOMETRY.dumps(POINT) == POINT
    with pytest.raises(Unencodable):
        GEOMETRY.dumps(5)
    with pytest.raises(ImportError):
        known("geometry", CodecChoices(geometry="shapely"))


def test_geometries_of_shapely(shapely: Any) -> None:
    codec = known("geometry", CodecChoices(geometry="shapely"))
    for geometry in (
        shapely.Point(1, 2),
        shapely.Point(1, 2, 3),
        shapely.Point(),
        shapely.LineString([(0, 0), (1, 1)]),
        shapely.Polygon([(0, 0), (1, 0), (1, 1)]),
        shapely.GeometryCollection([shapely.Point(1, 2), shapely.MultiPoint([(1, 2), (3, 4)])]),
    ):
        for srid in (0, 4326):
            value = shapely.set_srid(geometry, srid)
            data = codec.dumps(value)
            assert data == GEOMETRY.dumps(value)
            for read in (codec.loads(data), textual(codec).loads(data.hex().encode())):
                assert shapely.equals_identical(read, value)
                assert shapely.get_srid(read) == srid
    assert codec.dumps(POINT) == POINT


def test_what_shapely_cannot_read(shapely: Any) -> None:
    """A TIN, and what is no geometry."""
    codec = known("geometry", CodecChoices(geometry="shapely"))
    tin = head("<", 16, 0) + pack("<I", 0)
    for data in (tin, b"", POINT[:-1], b"\1\xff\xff\xff\xff"):
        with pytest.raises(ValueError, match=r"shapely cannot read this geometry .* column::bytea"):
            codec.loads(data)


@pytest.mark.parametrize("mode", ["named", "simple"])
async def test_a_statement_with_shapely(extended_postgis: Connect, shapely: Any, mode: Any) -> None:
    async with extended_postgis(geometry="shapely", statement_mode=mode) as conn:
        row = await conn.fetchrow(TEXTS)
        assert row is not None
        point = shapely.set_srid(shapely.Point(1, 2), 4326)
        assert list(row.values()) == [point, point, [shapely.Point(3, 4), None, point]]
        assert [shapely.get_srid(value) for value in row["many"]] == [0, -1, 4326]
        if mode == "named":
            row = await conn.fetchrow(QUERY, point, point, [[point], [POINT]])
            assert row is not None
            expected = [point, point, [[point], [point]], (point,), None, "POINT(1 2)", 4326]
            assert list(row.values()) == expected
            words = r"column 'tin' \(geometry\) cannot be read: shapely cannot read this geometry"
            with pytest.raises(pgallop.DataError, match=words):
                await conn.fetchval("SELECT 'TIN EMPTY'::geometry AS tin")
