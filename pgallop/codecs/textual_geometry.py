"""From the text forms of bit strings and of the geometric types to their binary forms.

Source: bit_out in the server's varbit.c; point_out, path_encode and so on in geo_ops.c.
"""

import re
from struct import pack

from pgallop.codecs.textual_scalars import Form, float8, malformed

BITS = re.compile(rb"[01]*")

# A coordinate: whether it is a number is seen when it is read. Possessive (++ and *+): nothing is
# kept to be tried in another way, so that a long text which is wrong at its end takes no memory.
NUMBER = re.compile(rb"[^][(){}<>,]++")
POINT = rb"\(%b,%b\)" % (NUMBER.pattern, NUMBER.pattern)
POINTS = rb"%b(?:,%b)*+" % (POINT, POINT)
POLYGON = re.compile(rb"\(%b\)" % POINTS)
OPEN_PATH = re.compile(rb"\[%b\]" % POINTS)


def bits(text: bytes) -> bytes:
    """bit and varbit."""
    if BITS.fullmatch(text) is None:
        raise malformed(text, "the text of bits")
    length = len(text)
    number = int(text or b"0", 2) << -length % 8
    return pack("!i", length) + number.to_bytes((length + 7) // 8)


def floats(text: bytes) -> bytes:
    """All numbers in a text, one behind the other."""
    return b"".join(map(float8, NUMBER.findall(text)))


def figure(name: str, pattern: bytes) -> Form:
    """For the types that always have the same number of coordinates."""
    whole = re.compile(pattern)

    def form(text: bytes) -> bytes:
        if whole.fullmatch(text) is None:
            raise malformed(text, f"the text of a {name}")
        return floats(text)

    return form


def counted(text: bytes) -> bytes:
    """The points in a text, behind their number."""
    data = floats(text)
    return pack("!i", len(data) // 16) + data


def path(text: bytes) -> bytes:
    if POLYGON.fullmatch(text) is not None:
        return b"\1" + counted(text)
    if OPEN_PATH.fullmatch(text) is not None:
        return b"\0" + counted(text)
    raise malformed(text, "the text of a path")


def polygon(text: bytes) -> bytes:
    if POLYGON.fullmatch(text) is None:
        raise malformed(text, "the text of a polygon")
    return counted(text)


# By the type's name.
FORMS: dict[str, Form] = {
    "bit": bits,
    "varbit": bits,
    "point": figure("point", POINT),
    "line": figure("line", rb"\{%b,%b,%b\}" % ((NUMBER.pattern,) * 3)),
    "lseg": figure("lseg", rb"\[%b,%b\]" % (POINT, POINT)),
    "box": figure("box", rb"%b,%b" % (POINT, POINT)),
    "path": path,
    "polygon": polygon,
    "circle": figure("circle", rb"<%b,%b>" % (POINT, NUMBER.pattern)),
}
