"""From the text forms of extensions' types to their binary forms.

Source: hstore_out in hstore's hstore_io.c, cube_out in cube's cube.c; vector_out, halfvec_out and
sparsevec_out in pgvector; LWGEOM_out in PostGIS's lwgeom_inout.c.
"""

import re
from struct import pack

from pgallop.codecs.textual_containers import NULL, QUOTED, sized
from pgallop.codecs.textual_scalars import finite, float4, float8, malformed

# Possessive (++ and *+): nothing is kept to be tried in another way.
PAIR = re.compile(QUOTED + rb"=>(?:" + QUOTED + rb"|NULL)", re.DOTALL)
ESCAPED = re.compile(rb"\\(.)", re.DOTALL)

CORNER = rb"\(([^()]*+)\)"
CUBE = re.compile(CORNER + rb"(?:," + CORNER + rb")?")

VECTOR = re.compile(rb"\[([^][]++)\]")
SPARSE = re.compile(rb"\{([^{}]*+)\}/([1-9][0-9]{0,9})")
ELEMENT = re.compile(rb"([1-9][0-9]{0,9}):([^:]++)")

HEXADECIMAL = re.compile(rb"(?:[0-9A-Fa-f]{2})++")


def hstore(text: bytes) -> bytes:
    """Pairs such as `"a"=>"1", "b"=>NULL`."""
    data = bytearray()
    count = 0
    pos = 0
    while pos < len(text):
        if count and text[pos : pos + 2] != b", ":
            raise malformed(text[pos:], "what comes next in an hstore")
        found = PAIR.match(text, pos + 2 if count else pos)
        if found is None:
            raise malformed(text[pos:], "what comes next in an hstore")
        key, value = found.groups()
        data += sized(ESCAPED.sub(rb"\1", key))
        data += NULL if value is None else sized(ESCAPED.sub(rb"\1", value))
        count += 1
        pos = found.end()
    return pack("!i", count) + data


def cube(text: bytes) -> bytes:
    """One corner or two: `(1, 2),(3, 4)`."""
    found = CUBE.fullmatch(text)
    if found is None:
        raise malformed(text, "the text of a cube")
    corners = [each.split(b", ") if each else [] for each in found.groups() if each is not None]
    if len(corners[0]) != len(corners[-1]):
        raise malformed(text, "the text of a cube: its corners differ in their dimensions")
    head = len(corners[0]) + (1 << 31 if len(corners) == 1 else 0)
    return pack("!I", head) + b"".join([float8(number) for each in corners for number in each])


def numbers_of(text: bytes, name: str) -> list[bytes]:
    """What stands between the brackets of a vector."""
    found = VECTOR.fullmatch(text)
    numbers = [] if found is None else found[1].split(b",")
    if not 0 < len(numbers) < 1 << 16:
        raise malformed(text, f"the text of a {name}")
    return numbers


def vector(text: bytes) -> bytes:
    """Numbers such as `[1,2.5]`."""
    numbers = numbers_of(text, "vector")
    return pack("!HH", len(numbers), 0) + b"".join(map(float4, numbers))


def halfvec(text: bytes) -> bytes:
    """The same; the server writes half-precision numbers as the float4 that they are."""
    numbers = [finite(number, "halfvec's numbers") for number in numbers_of(text, "halfvec")]
    try:
        return pack(f"!HH{len(numbers)}e", len(numbers), 0, *numbers)
    except OverflowError:
        raise malformed(text, "in the range of halfvec") from None


def sparsevec(text: bytes) -> bytes:
    """Indices that count from 1 with their numbers, and how many there are: `{1:1.5,3:2}/5`."""
    found = SPARSE.fullmatch(text)
    if found is None or int(found[2]) >= 1 << 31:
        raise malformed(text, "the text of a sparsevec")
    indices, numbers = bytearray(), bytearray()
    count = 0
    for element in found[1].split(b",") if found[1] else []:
        pair = ELEMENT.fullmatch(element)
        if pair is None or int(pair[1]) > 1 << 31:
            raise malformed(element, "an element of a sparsevec")
        indices += pack("!i", int(pair[1]) - 1)
        numbers += float4(pair[2])
        count += 1
    return pack("!iii", int(found[2]), count, 0) + indices + numbers


def ewkb(text: bytes) -> bytes:
    """Two hexadecimal digits a byte."""
    if HEXADECIMAL.fullmatch(text) is None:
        raise malformed(text, "the text of a geometry")
    return bytes.fromhex(text.decode())
