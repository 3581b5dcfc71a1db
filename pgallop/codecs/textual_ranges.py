"""From the text forms of ranges and multiranges to their binary forms.

Source: range_out in the server's rangetypes.c, multirange_out in multirangetypes.c.
"""

import re
from struct import pack

from pgallop.codecs.textual_containers import ESCAPED_OR_DOUBLED, sized
from pgallop.codecs.textual_scalars import Form, malformed
from pgallop.values.range import EMPTY, LOWER_INC, LOWER_INF, UPPER_INC, UPPER_INF

# A bound in quotes, where it needs them, or as it is; nothing where there is none.
BOUND = rb'(?:"((?:[^"\\]++|""|\\.)*+)"|([^"\\()\[\],\s]*+))'
RANGE = re.compile(rb"empty|([\[(])" + BOUND + b"," + BOUND + rb"([\])])", re.DOTALL)


def range_of(element: Form) -> Form:
    """For ranges of a type whose text forms `element` takes."""

    def form(text: bytes) -> bytes:
        found = RANGE.fullmatch(text)
        if found is None:
            raise malformed(text, "the text of a range")
        left, *bounds, right = found.groups()
        if left is None:
            return bytes([EMPTY])
        lower = bound("lower", bounds[0], bounds[1], element)
        upper = bound("upper", bounds[2], bounds[3], element)
        if (left == b"[" and not lower) or (right == b"]" and not upper):
            raise malformed(text, "the text of a range: a bound that is missing is in it")
        flags = LOWER_INC if left == b"[" else 0 if lower else LOWER_INF
        flags |= UPPER_INC if right == b"]" else 0 if upper else UPPER_INF
        return bytes([flags]) + lower + upper

    return form


def bound(which: str, quoted: bytes | None, plain: bytes | None, form: Form) -> bytes:
    """A bound behind its length, or nothing."""
    text = plain if quoted is None else ESCAPED_OR_DOUBLED.sub(rb"\1", quoted)
    if text is None or (not text and quoted is None):
        return b""
    try:
        return sized(form(text))
    except ValueError as error:
        raise ValueError(f"{which} bound: {error}") from error


def multirange_of(element: Form) -> Form:
    """For multiranges of the ranges whose text forms `element` takes."""

    def form(text: bytes) -> bytes:
        if text == b"{}":
            return pack("!i", 0)
        if text[:1] != b"{":
            raise malformed(text, "the text of a multirange")
        count = 0
        pos = 0
        data = bytearray()
        while text[pos : pos + 1] == (b"," if count else b"{"):
            found = RANGE.match(text, pos + 1)
            if found is None:
                break
            try:
                data += sized(element(found[0]))
            except ValueError as error:
                raise ValueError(f"range {count}: {error}") from error
            count += 1
            pos = found.end()
        if not count or text[pos:] != b"}":
            raise malformed(text[pos:], "what comes next in a multirange")
        return pack("!i", count) + data

    return form
