"""Values of enums, composites, domains, and of arrays and ranges of them."""

from __future__ import annotations

from fuzz.codec_targets import written_again
from fuzz.grammar import Bytes, Words
from fuzz.target import Outcome, Target
from own_types import INFOS, TEXTS, VALUES, known

from pgallop.codecs.codec import TypesNeeded
from pgallop.codecs.textual import textual
from pgallop.errors import ProtocolError

REGISTRY = known()
ALL = [REGISTRY.get(info.oid) for info in INFOS]
INDEX = {info.oid: i for i, info in enumerate(INFOS)}

WORDS = [
    *(b'"', b'""', b"\\", b"(", b")", b"{", b"}", b"[", b"]", b",", b"NULL", b"empty", b"sad"),
    *(b"1", b"-1", b"99999999999", b" ", b"\0", b"\xff", b"(,)", b'"(1,sad)"'),
]


def read_value(data: bytes) -> Outcome:
    """What can be read is written and read again: it must be the same, or refused."""
    codec = ALL[data[0] % len(ALL)] if data else ALL[0]
    return written_again(codec, codec.loads(data[1:]))


def read_text(data: bytes) -> Outcome:
    """A value in text is one that can be written in binary, and is the same then."""
    codec = ALL[data[0] % len(ALL)] if data else ALL[0]
    return written_again(codec, textual(codec).loads(data[1:]))


def value_seeds() -> list[bytes]:
    return [bytes([INDEX[oid]]) + REGISTRY.get(oid).dumps(value) for oid, value in VALUES]


def text_seeds() -> list[bytes]:
    return [bytes([INDEX[oid]]) + text.encode() for oid, text, _ in TEXTS]


TARGETS = [
    Target(
        name="own_types",
        run=read_value,
        raises=(ProtocolError, ValueError, TypesNeeded),
        seeds=value_seeds,
        grammar=Bytes(prefix=1),
    ),
    Target(
        name="own_type_texts",
        run=read_text,
        raises=(ProtocolError, ValueError, TypesNeeded),
        seeds=text_seeds,
        grammar=Words(WORDS, prefix=1),
    ),
]
