"""From the text forms of numbers, bytes, UUIDs and what the server counts with to binary forms.

Taken is what the server writes, and nothing else that its input functions, or Python's, would take.
"""

import math
import re
from binascii import unhexlify
from collections.abc import Callable
from decimal import Decimal
from struct import pack, unpack
from typing import TypeAlias

from pgallop.codecs._oids import OIDS
from pgallop.codecs.codec import shown
from pgallop.codecs.numeric import NumericCodec

# The binary form of a value that is given in its text form; ValueError if it is none.
Form: TypeAlias = Callable[[bytes], bytes]

BOOLS = {b"t": b"\1", b"f": b"\0"}

# With a zero in front oid's input function takes a number for octal.
INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,19}")

# The server writes 17 digits and an exponent, others write 309 digits without one.
FLOAT = re.compile(rb"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")
NOT_FINITE = frozenset({b"NaN", b"Infinity", b"-Infinity"})

# As many digits as its binary form can have.
NUMERIC = re.compile(rb"-?[0-9]{1,131072}(\.[0-9]{1,16383})?|NaN|-?Infinity")

UUID = re.compile(rb"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

# What bytea_output = escape writes: printable ASCII, the backslash doubled, all others in octal.
UNPRINTABLE = re.compile(rb"[^ -~]")
ESCAPE = re.compile(rb"\\(\\|[0-3][0-7]{2}|)")

OCTAL = re.compile(rb"\\[2-3][0-7]{2}")

LSN = re.compile(rb"([0-9A-F]{1,8})/([0-9A-F]{1,8})")
TID = re.compile(rb"\(([0-9]{1,10}),([0-9]{1,5})\)")
SNAPSHOT = re.compile(rb"([0-9]{1,20}):([0-9]{1,20}):((?:[0-9]{1,20},)*+[0-9]{1,20})?")


def malformed(text: bytes, expected: str) -> ValueError:
    """The error for what is not the text form of its type."""
    return ValueError(f"{shown(text[:100].decode('utf-8', 'backslashreplace'))} is not {expected}")


def same(text: bytes) -> bytes:
    """Where the text form and the binary form are the same."""
    return text


def versioned(text: bytes) -> bytes:
    """With a version in front."""
    return b"\1" + text


def boolean(text: bytes) -> bytes:
    """t or f."""
    value = BOOLS.get(text)
    if value is None:
        raise malformed(text, "the text of a bool: t or f")
    return value


def integer(name: str, size: int, *, signed: bool = True) -> Form:
    """For integers of `size` bytes."""

    def form(text: bytes) -> bytes:
        if INTEGER.fullmatch(text) is None:
            raise malformed(text, f"the text of an {name}")
        try:
            return int(text).to_bytes(size, signed=signed)
        except OverflowError:
            raise malformed(text, f"in the range of {name}") from None

    return form


def finite(text: bytes, name: str) -> float:
    """The nearest float8; it must not have left the range."""
    if FLOAT.fullmatch(text) is None:
        raise malformed(text, f"the text of a {name}")
    number = float(text)
    if math.isinf(number) or (number == 0 and re.match(rb"[-.0]*[1-9]", text)):
        raise malformed(text, f"in the range of {name}")
    return number


def float8(text: bytes) -> bytes:
    return pack("!d", float(text) if text in NOT_FINITE else finite(text, "float8"))


def float4(text: bytes) -> bytes:
    """The float4 nearest to the text, which is not always that nearest to the nearest float8.

    7.038531e-26 is such a text: as a float8 it lies right between two float4. To round twice is
    right when the first time is "to odd": of the two float8 around a number, the one whose last bit
    is 1. (S. Boldo, G. Melquiond: Emulation of FMA and Correctly Rounded Sums, 2008.)
    """
    if text in NOT_FINITE:
        return pack("!f", float(text))
    number = finite(text, "float4")
    exact, near = Decimal(text.decode()), Decimal.from_float(number)
    if exact != near and not pack("!d", number)[7] & 1:
        number = math.nextafter(number, math.inf if exact > near else -math.inf)
    try:
        data = pack("!f", number)
    except OverflowError:
        raise malformed(text, "in the range of float4") from None
    if number and not unpack("!f", data)[0]:
        raise malformed(text, "in the range of float4")
    return data


DECIMALS = NumericCodec(OIDS["numeric"], "numeric", "str")


def numeric(text: bytes) -> bytes:
    if NUMERIC.fullmatch(text) is None:
        raise malformed(text, "the text of a numeric")
    return DECIMALS.dumps(text.decode())


def char(text: bytes) -> bytes:
    r"""The byte of a "char": nothing for zero, itself, or \377 for one that is no ASCII character.

    Before PostgreSQL 16 these, too, came as they are.
    """
    if len(text) == 1 and text != b"\0":
        return text
    if not text:
        return b"\0"
    if OCTAL.fullmatch(text) is None:
        raise malformed(text, 'the text of a "char"')
    return bytes([int(text[1:], 8)])


def bytea(text: bytes) -> bytes:
    """Both that bytea_output can be: `hex`, which begins with a backslash and x, and `escape`."""
    if text[:2] == b"\\x":
        try:
            return unhexlify(text[2:])
        except ValueError as error:
            raise malformed(text, f"the text of a bytea: {error}") from None
    if UNPRINTABLE.search(text) is not None:
        raise malformed(text, "the text of a bytea: there is more than ASCII in it")
    return ESCAPE.sub(unescaped, text)


def unescaped(escape: re.Match[bytes]) -> bytes:
    what = escape[1]
    if not what:
        around = escape.string[escape.start() : escape.start() + 4]
        raise malformed(around, r"an escape of a bytea: \\ or \ooo")
    return what if what == b"\\" else bytes([int(what, 8)])


def uuid(text: bytes) -> bytes:
    if UUID.fullmatch(text) is None:
        raise malformed(text, "the text of a uuid")
    return unhexlify(text.replace(b"-", b""))


def lsn(text: bytes) -> bytes:
    """Both halves in hexadecimal digits."""
    found = LSN.fullmatch(text)
    if found is None:
        raise malformed(text, "the text of a pg_lsn")
    return pack("!II", int(found[1], 16), int(found[2], 16))


def tid(text: bytes) -> bytes:
    found = TID.fullmatch(text)
    if found is None or int(found[1]) >= 2**32 or int(found[2]) >= 2**16:
        raise malformed(text, "the text of a tid")
    return pack("!IH", int(found[1]), int(found[2]))


def snapshot(text: bytes) -> bytes:
    """xmin:xmax:xip,xip,..."""
    found = SNAPSHOT.fullmatch(text)
    if found is None:
        raise malformed(text, "the text of a snapshot")
    xips = [int(xip) for xip in (found[3] or b"").split(b",") if xip]
    numbers = [int(found[1]), int(found[2]), *xips]
    if max(numbers) >= 2**64:
        raise malformed(text, "in the range of a snapshot's transactions")
    return pack(f"!i{len(numbers)}Q", len(xips), *numbers)


# By the type's name.
FORMS: dict[str, Form] = {
    "bool": boolean,
    "int2": integer("int2", 2),
    "int4": integer("int4", 4),
    "int8": integer("int8", 8),
    "oid": integer("oid", 4, signed=False),
    "float4": float4,
    "float8": float8,
    "numeric": numeric,
    "char": char,
    "bytea": bytea,
    "json": same,
    "jsonb": versioned,
    "jsonpath": versioned,
    "uuid": uuid,
    "xml": same,
    "void": same,
    "xid": integer("xid", 4, signed=False),
    "cid": integer("cid", 4, signed=False),
    "xid8": integer("xid8", 8, signed=False),
    "pg_lsn": lsn,
    "tid": tid,
    "pg_snapshot": snapshot,
    "txid_snapshot": snapshot,
    "pg_mcv_list": bytea,
}
