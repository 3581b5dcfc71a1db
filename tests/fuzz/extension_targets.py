"""Values of extensions' types, whose OIDs are others in each database."""

from __future__ import annotations

from typing import Any

from array_bytes import wire
from fuzz.codec_targets import written_again
from fuzz.edge_values import TEXTS
from fuzz.grammar import Bytes, Words
from fuzz.target import Outcome, Target

from pgallop.codecs.codec import Codec
from pgallop.codecs.extensions import CODECS, codec_for
from pgallop.codecs.introspection import ARRAY, TypeInfo
from pgallop.codecs.textual import textual
from pgallop.codecs.user_types import array
from pgallop.errors import ProtocolError
from pgallop.values import Cube, SparseVector

POINT = bytes.fromhex("0101000020e6100000000000000000f03f0000000000000040")

VALUES: dict[str, list[Any]] = {
    "citext": TEXTS,
    "cube": [Cube([]), Cube([1, -0.0]), Cube([float("nan"), 1], [5e-324, float("-inf")])],
    "hstore": [{}, {"a": "1", "b": None, "": ""}, dict.fromkeys(TEXTS, "Ada")],
    "ltree": ["", "top.Science.Astronomy"],
    "lquery": ["*.Astro*@|b{1,2}"],
    "ltxtquery": ["Europe & !Russia*@"],
    "vector": [[1, -0.0, 2.5], [3.4028234663852886e38, 2.0**-149]],
    "halfvec": [[1, -0.0, 2.5], [65504, 2.0**-24]],
    "sparsevec": [SparseVector({0: 1.5, 7: -2}, 8), SparseVector({}, 10**9)],
    "geometry": [POINT, bytes(5)],
    "geography": [POINT],
    "seg": ["1.50 .. 2"],
    "isbn": ["0-393-04002-X"],
    "box2d": ["BOX(0 1,2 3)"],
}

TEXT_FORMS: dict[str, list[bytes]] = {
    "cube": [b"()", b"(1, -0)", b"(NaN, 1e-05),(5e-324, -Infinity)"],
    "hstore": [b"", b'"a"=>"1", "b"=>NULL, ""=>""', b'"\\"\\\\"=>"x y"'],
    "vector": [b"[1,-0,2.5]", b"[3.4028235e+38,1e-45]"],
    "halfvec": [b"[1,-0,2.5]", b"[65504,5.9604645e-08]"],
    "sparsevec": [b"{1:1.5,8:-2}/8", b"{}/1000000000"],
    "geometry": [POINT.hex().upper().encode()],
}

WORDS = [
    *(b'"', b"\\", b"=>", b", ", b"NULL", b'""', b"(", b")", b"),(", b"[", b"]", b"{", b"}", b"/"),
    *(b":", b",", b"1", b"0", b"-", b"1e99", b"NaN", b"99999999999", b"e", b"01", b"\0", b"\xff"),
]


def known(i: int, name: str) -> Codec:
    codec = codec_for(name, 90_000 + i)
    assert codec is not None
    return codec


def array_of(element: Codec) -> Codec:
    return array(TypeInfo(80_000, "public", f"_{element.name}", ARRAY, element.oid), element)


ELEMENTS = [known(i, name) for i, name in enumerate(CODECS)]
ALL = [*ELEMENTS, *map(array_of, ELEMENTS)]
INDEX = {codec.name: i for i, codec in enumerate(ALL)}


def read_value(data: bytes) -> Outcome:
    """What can be read is written and read again: it must be the same, or refused."""
    codec = ALL[data[0] % len(ALL)] if data else ALL[0]
    return written_again(codec, codec.loads(data[1:]))


def read_text(data: bytes) -> Outcome:
    """A value in text is one that can be written in binary, and is the same then."""
    codec = ALL[data[0] % len(ALL)] if data else ALL[0]
    return written_again(codec, textual(codec).loads(data[1:]))


def value_seeds() -> list[bytes]:
    seeds: list[bytes] = []
    for name, values in VALUES.items():
        several = [None, *values]
        index = INDEX[name], INDEX[f"{name}[]"]
        seeds += [bytes([index[0]]) + ALL[index[0]].dumps(value) for value in values]
        seeds.append(bytes([index[1]]) + ALL[index[1]].dumps([several, several]))
    for name in ("vector", "sparsevec", "hstore"):
        codec = ALL[INDEX[name]]
        data = wire([codec.dumps(VALUES[name][0])], (1, 1), oid=codec.oid)
        seeds.append(bytes([INDEX[f"{name}[]"]]) + data)
    return seeds


def text_seeds() -> list[bytes]:
    seeds: list[bytes] = []
    for name, texts in TEXT_FORMS.items():
        escaped = [text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') for text in texts]
        delimiter = b":" if name == "geometry" else b","
        array = b'{"' + (b'"' + delimiter + b'"').join(escaped) + b'"' + delimiter + b"NULL}"
        seeds += [bytes([INDEX[name]]) + text for text in texts]
        seeds += [bytes([INDEX[f"{name}[]"]]) + form for form in (array, b"{" + array + b"}")]
    return seeds


TARGETS = [
    Target(
        name="extensions",
        run=read_value,
        raises=(ProtocolError, ValueError),
        seeds=value_seeds,
        grammar=Bytes(prefix=1),
    ),
    Target(
        name="extension_texts",
        run=read_text,
        raises=(ProtocolError, ValueError),
        seeds=text_seeds,
        grammar=Words(WORDS, prefix=1),
    ),
]
