"""From the text forms of arrays, vectors and rows to their binary forms, and back for arrays.

Source: array_out in the server's arrayfuncs.c, record_out in rowtypes.c, int2vectorout in int.c.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from struct import pack, unpack_from

from pgallop.codecs._oids import OIDS
from pgallop.codecs.textual_scalars import Form, malformed
from pgallop.limits import MAX_ARRAY_DIMENSIONS

# What stands between the elements: pg_type.typdelim, a comma for all other types of PostgreSQL.
DELIMITERS = {OIDS["box"]: b";"}

# The bounds of the dimensions, which the server writes if one of them does not begin at 1.
BOUNDS = re.compile(rb"(\[-?\d{1,10}:-?\d{1,10}\]){1,%d}=" % MAX_ARRAY_DIMENSIONS)
BOUND = re.compile(rb"\[(-?\d+):(-?\d+)\]")

# Possessive (++ and *+): nothing is kept to be tried in another way, so that a long text without
# its closing quote takes no memory.
QUOTED = rb'"((?:[^"\\]++|\\.)*+)"'
FIELD = re.compile(rb'"((?:[^"\\]++|""|\\.)*+)"|([^"\\(),\s]*+)', re.DOTALL)

SPECIAL = re.compile(rb'["\\]')
ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
ESCAPED_OR_DOUBLED = re.compile(rb'[\\"](.)', re.DOTALL)

NULL = pack("!i", -1)


def sized(data: bytes) -> bytes:
    """The bytes behind their length."""
    return pack("!i", len(data)) + data


# --- arrays ---------------------------------------------------------------------------------------


class Outline:
    """The dimensions of an array, as its braces show them.

    All elements are equally deep, and the sub-arrays of one level equally long.
    """

    __slots__ = ("counts", "depth", "elements", "lengths")

    def __init__(self) -> None:
        self.depth = 0
        self.elements = 0
        self.counts: list[int] = []  # by depth, the items so far of what is open
        self.lengths: list[int] = []  # and those of the first that was closed, 0 before

    def open(self) -> None:
        if self.depth == len(self.lengths):
            self.deepen()
        self.depth += 1

    def deepen(self) -> None:
        if self.elements:
            raise ValueError("its elements are not equally deep")
        if self.depth == MAX_ARRAY_DIMENSIONS:
            raise ValueError(f"it has more than {MAX_ARRAY_DIMENSIONS} dimensions")
        self.counts.append(0)
        self.lengths.append(0)

    def add(self) -> None:
        """An element."""
        if self.depth != len(self.lengths):
            raise ValueError("its elements are not equally deep")
        self.counts[-1] += 1
        self.elements += 1

    def close(self) -> None:
        self.depth -= 1
        count = self.counts[self.depth]
        if self.lengths[self.depth] not in (0, count):
            raise ValueError("its sub-arrays are not equally long")
        self.lengths[self.depth] = count
        self.counts[self.depth] = 0
        if self.depth:
            self.counts[self.depth - 1] += 1

    def lower_bounds(self, text: bytes) -> list[int]:
        """Those of each dimension, if `text` gives them; its upper bounds must be true."""
        if not text:
            return [1] * len(self.lengths)
        bounds = [(int(lower), int(upper)) for lower, upper in BOUND.findall(text)]
        if [upper - lower + 1 for lower, upper in bounds] != self.lengths:
            raise malformed(text, "what the array has for bounds")
        if any(lower < -(2**31) or upper >= 2**31 for lower, upper in bounds):
            raise malformed(text, "in the range of int4")
        return [lower for lower, _ in bounds]


def array(oid: int, element: Form, delimiter: bytes = b"") -> Form:
    """For arrays of the type `oid`, whose text forms `element` takes; of one of PostgreSQL's own
    the delimiter is known."""
    delimiter = delimiter or DELIMITERS.get(oid, b",")
    item = re.compile(QUOTED + rb'|([^"{}\\\s' + re.escape(delimiter) + rb"]++)", re.DOTALL)

    def form(text: bytes) -> bytes:
        if text == b"{}":
            return pack("!iiI", 0, 0, oid)
        bounds = BOUNDS.match(text)
        pos = 0 if bounds is None else bounds.end()
        outline = Outline()
        nulls = False
        data = bytearray()
        while True:
            while text[pos : pos + 1] == b"{":
                outline.open()
                pos += 1
            found = item.match(text, pos) if outline.depth else None
            if found is None:
                raise malformed(text[pos:], "what comes next in an array")
            outline.add()
            if found[1] is None and found[2].upper() == b"NULL":
                nulls = True
                data += NULL
            else:
                data += sized(element_of(outline.elements - 1, element, found))
            pos = found.end()
            while outline.depth and text[pos : pos + 1] == b"}":
                outline.close()
                pos += 1
            if not outline.depth:
                break
            if text[pos : pos + 1] != delimiter:
                raise malformed(text[pos:], "what comes next in an array")
            pos += 1
        if pos != len(text):
            raise malformed(text[pos:], "part of the array before it")
        lowers = outline.lower_bounds(b"" if bounds is None else bounds[0])
        head = pack("!iiI", len(lowers), nulls, oid)
        for length, lower in zip(outline.lengths, lowers, strict=True):
            head += pack("!ii", length, lower)
        return head + data

    return form


def element_of(index: int, form: Form, found: re.Match[bytes]) -> bytes:
    text = found[2] if found[1] is None else ESCAPED.sub(rb"\1", found[1])
    try:
        return form(text)
    except ValueError as error:
        raise ValueError(f"element {index}: {error}") from error


def array_text(data: bytes, delimiter: bytes = b",") -> bytes:
    """The text form of an array whose elements' text forms are in `data`, as in its binary form.

    All elements are quoted: so none is mistaken for NULL, a number of dimensions, or a sub-array.
    """
    dimensions, _, _ = unpack_from("!iiI", data)
    lengths = [unpack_from("!i", data, 12 + 8 * i)[0] for i in range(dimensions)]
    if not lengths:
        return b"{}"
    items = element_texts(data, 12 + 8 * dimensions)
    for length in reversed(lengths[1:]):
        items = braced(items, length, delimiter)
    return b"".join(braced(items, lengths[0], delimiter))


def element_texts(data: bytes, pos: int) -> Iterator[bytes]:
    while pos < len(data):
        (size,) = unpack_from("!i", data, pos)
        pos += 4
        if size < 0:
            yield b"NULL"
        else:
            yield b'"' + SPECIAL.sub(rb"\\\g<0>", data[pos : pos + size]) + b'"'
            pos += size


def braced(items: Iterator[bytes], length: int, delimiter: bytes) -> Iterator[bytes]:
    """Arrays of so many of the items each."""
    while group := list(islice(items, length)):
        yield b"{" + delimiter.join(group) + b"}"


def vector(oid: int, element: Form) -> Form:
    """For int2vector and oidvector: elements with blanks between them, counted from 0."""

    def form(text: bytes) -> bytes:
        if not text:
            return pack("!iiI", 0, 0, oid)
        if b"  " in text:
            element(b"")  # which is refused; to split at all of many blanks takes memory
        items = [sized(element(item)) for item in text.split(b" ")]
        return pack("!iiIii", 1, 0, oid, len(items), 0) + b"".join(items)

    return form


# --- rows -----------------------------------------------------------------------------------------


def record(text: bytes) -> bytes:
    """A row, whose fields have no types here: all of them become text."""
    if text == b"()":
        raise ValueError(
            "a row without fields and a row of one NULL, both written as (), cannot be told apart"
        )
    fields = texts(text)
    head = pack("!I", OIDS["text"])
    parts = [head + (NULL if field is None else sized(field)) for field in fields]
    return pack("!i", len(parts)) + b"".join(parts)


def composite(fields: Sequence[tuple[str, int, Form]]) -> Form:
    """For rows of a composite type, each field with its name, its type and what takes its text.

    The number of fields is the text's own, for `CompositeCodec` to compare.
    """

    def form(text: bytes) -> bytes:
        found = [] if text == b"()" and not fields else texts(text)
        data = pack("!i", len(found))
        for field, (name, oid, element) in zip(found, fields, strict=False):
            data += pack("!I", oid)
            try:
                data += NULL if field is None else sized(element(field))
            except ValueError as error:
                raise ValueError(f"field {name!r}: {error}") from error
        return data

    return form


def texts(text: bytes) -> list[bytes | None]:
    """The texts of a row's fields, None for NULL."""
    if text[:1] != b"(":
        raise malformed(text, "the text of a record")
    fields: list[bytes | None] = []
    pos = 0
    while text[pos : pos + 1] == (b"," if fields else b"("):
        found = FIELD.match(text, pos + 1)
        assert found is not None  # it matches nothing, too
        quoted, plain = found.groups()
        fields.append((plain or None) if quoted is None else ESCAPED_OR_DOUBLED.sub(rb"\1", quoted))
        pos = found.end()
    if text[pos:] != b")":
        raise malformed(text[pos:], "what comes next in a record")
    return fields
