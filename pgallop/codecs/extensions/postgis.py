"""PostGIS's geometry and geography as EWKB or shapely's geometries; box2d, box3d, raster as str.

On the wire: EWKB, which is the WKB of the Open Geospatial Consortium with a place for the SRID.
box2d, box3d and raster have no binary form.
Source: LWGEOM_recv and LWGEOM_send in PostGIS's lwgeom_inout.c, geography_recv and geography_send
in its geography_inout.c; GEOS's WKBWriter.
"""

import sys
from importlib import import_module
from typing import Any

from pgallop.codecs.binary import ByteaCodec
from pgallop.codecs.choices import SHAPELY, CodecChoices
from pgallop.codecs.codec import Codec
from pgallop.codecs.text import TextCodec
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

# The first byte tells the order of the others, and four of them what kind of geometry it is.
MIN_SIZE = 5

# Taken, both of them, whatever is read.
ACCEPTS = "bytes (its WKB or EWKB) or a geometry of shapely's"
HINT = "with __geo_interface__, pass shapely.geometry.shape(value)"


class EwkbCodec(ByteaCodec):
    """The bytes as they are. The server reads WKB, too; its SRID is that of no system, 0."""

    __slots__ = ()

    def __init__(self, oid: int, name: str, atomic: bool = True) -> None:
        super().__init__(oid, name, ACCEPTS, atomic=atomic)

    def encode(self, writer: Writer, value: Any) -> None:
        data = value if type(value) is bytes else self.ewkb(writer, value)
        if len(data) < MIN_SIZE or data[0] > 1:
            self.refuse(value, "no WKB: it begins with a byte 0 or 1 and has five bytes at least")
        writer.write_bytes(data)

    def ewkb(self, writer: Writer, value: Any) -> bytes:
        # Who has a geometry of shapely's has imported it.
        shapely = sys.modules.get("shapely")
        if shapely is not None and isinstance(value, shapely.Geometry):
            return shapely.to_wkb(value, include_srid=True)  # type: ignore[no-any-return]
        if hasattr(value, "__geo_interface__"):
            self.refuse(value, f"expected {ACCEPTS}, got {type(value).__name__}", HINT)
        return self.copy(writer, value)


class ShapelyCodec(EwkbCodec):
    """A geometry of shapely's, whose SRID `shapely.get_srid` tells."""

    __slots__ = ("from_wkb",)

    from_wkb: Any

    def __init__(self, oid: int, name: str) -> None:
        super().__init__(oid, name, atomic=False)
        self.from_wkb = import_module("shapely").from_wkb

    def decode(self, reader: Reader, size: int) -> Any:
        data = reader.read_bytes(size)
        try:
            return self.from_wkb(data)
        except MemoryError:
            raise
        except Exception as error:
            # shapely.errors.GEOSException, for what GEOS does not know: TINs, say.
            raise ValueError(
                f"shapely cannot read this {self.name} ({error}); to get its EWKB, cast it in SQL: "
                "column::bytea"
            ) from error


def geometry(oid: int, name: str, choices: CodecChoices) -> Codec:
    return ShapelyCodec(oid, name) if choices.geometry == SHAPELY else EwkbCodec(oid, name)


def text(oid: int, name: str, choices: CodecChoices) -> Codec:
    return TextCodec(oid, name)


CODECS = {
    **dict.fromkeys(("geometry", "geography"), geometry),
    **dict.fromkeys(("box2d", "box3d", "raster"), text),
}
