"""Text of all kinds, "char", xml, json and jsonb, bytea and uuid, bit and varbit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

from builtin_types.case import Case
from hypothesis import strategies as st

from pgallop import BitString

TEXTS = ["", " ", "a", "NULL", "null", '{"quoted\\", it is}', "(,)", "\\", "'", '"', "\t\n\r\x01"]
TEXTS += ["grüße", "\x7f", "世界", "\U0010ffff", "a" * 1000, "é" * 500, " b "]

# What a database can store.
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(characters, max_size=20)

# A name has 63 bytes at most.
NAMES = [text for text in TEXTS if len(text.encode()) < 64] + ["n" * 63, "é" * 31]
names = texts.filter(lambda text: len(text.encode()) < 64)

# Bytes that are no ASCII characters came as such before PostgreSQL 16, which is no text.
ASCII = ["", *map(chr, range(1, 128))]
OCTAL = {16: [f"\\{byte:03o}" for byte in range(128, 256)]}

XML = ["", "text", "<a/>", "<a>&lt;&amp;</a>", "<a b='c'>grüße</a>", "<!-- a --><a><b/>t</a>"]
elements = st.text("abc äß世\n", max_size=10).map(lambda text: f"<e a='{len(text)}'>{text}</e>")

DOCUMENTS = [True, 0, -1, 10**100, 0.5, -0.0, 1e300, "", "text", [], {}, [[]], [None], {"": None}]
DOCUMENTS += [{"a": [1, {"b": [2.25, "c"]}], "grüße": "世界"}, [[1, 2], [3, 4]], '{"a": 1}', "null"]
DOCUMENTS += ["\x01\u2028"]


def documents(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """What JSON can say, with strings of such text."""
    floats = st.floats(allow_nan=False, allow_infinity=False)
    inner = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | floats | text
    nested = st.recursive(
        inner,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
        max_leaves=8,
    )
    return nested.filter(lambda value: value is not None)  # that is NULL


def jsonb_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def jsonb_kept(value: Any) -> Any:
    """jsonb's numbers are numeric: 1e300 becomes an integer, and there is no negative zero."""
    if isinstance(value, float):
        return json.loads(f"{Decimal(repr(value)):f}") if value else 0.0
    if isinstance(value, list):
        return [jsonb_kept(item) for item in value]
    if isinstance(value, dict):
        return {key: jsonb_kept(item) for key, item in value.items()}
    return value


def itself(value: str) -> str:
    return value


def hexadecimal(value: bytes) -> str:
    return f"\\x{value.hex()}"


BYTES = [b"", b"\0", b"\xff", b"\\", b"'", bytes(range(256)), b"\0" * 1000]
UUIDS = [UUID(int=0), UUID(int=2**128 - 1), UUID("12345678-90ab-cdef-1234-567890abcdef")]

BITS = [BitString(text) for text in ("", "0", "1", "10000000", "000000001", "1" * 100)]
bits = st.text("01", max_size=70).map(BitString)


def digits(value: BitString) -> str:
    return "".join(map(str, value))


# jsonb has no NUL, and no half of a surrogate pair.
CASES = [
    Case("text", TEXTS, texts, itself),
    Case("varchar", TEXTS, texts, itself),
    Case("bpchar", TEXTS, texts, itself),
    Case("refcursor", TEXTS, texts, itself),
    Case("name", NAMES, names, itself),
    Case("char", ASCII, st.sampled_from(ASCII), itself, later=OCTAL),
    Case("xml", XML, elements, itself),
    Case("json", [*DOCUMENTS, "\0", "\ud800"], documents(st.text(max_size=8)), json.dumps),
    Case("jsonb", DOCUMENTS, documents(st.text(characters, max_size=8)), jsonb_text, jsonb_kept),
    Case("bytea", BYTES, st.binary(max_size=40), hexadecimal),
    Case("uuid", UUIDS, st.uuids(), str),
    Case("bit", BITS, bits, digits),
    Case("varbit", BITS, bits, digits),
]

# What functions that are written in C take and give.
CSTRING = Case("cstring", TEXTS, texts, itself)
