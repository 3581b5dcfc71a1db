"""uuid."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import weakref
from uuid import NAMESPACE_DNS, UUID, SafeUUID, uuid1, uuid4, uuid5

import pytest
from asyncpg.pgproto.pgproto import UUID as AsyncpgUUID
from hypothesis import given, settings
from hypothesis import strategies as st
from leaks import assert_nothing_leaks
from oracle import Oracle

import pgallop
from pgallop.codecs._oids import OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.errors import ProtocolError

TEXT = "12345678-90ab-cdef-1234-567890abcdef"
DATA = bytes.fromhex("1234567890abcdef1234567890abcdef")

# The standard library's class as no version has it: no slots, and other names in the way.
WITHOUT_SLOTS = """
import enum, sys, types

class SafeUUID(enum.Enum):
    safe = 0
    unsafe = -1
    unknown = None

class UUID:
    def __init__(self, hex=None, bytes=None, int=None):
        if hex is not None:
            int = __builtins__.int(hex.replace("-", ""), 16)
        elif bytes is not None:
            int = __builtins__.int.from_bytes(bytes)
        object.__setattr__(self, "int", int)
        object.__setattr__(self, "is_safe", SafeUUID.unknown)

    def __setattr__(self, name, value):
        raise TypeError("UUID objects are immutable")

    @property
    def bytes(self):
        return self.int.to_bytes(16)

stand_in = types.ModuleType("uuid")
stand_in.UUID, stand_in.SafeUUID = UUID, SafeUUID
sys.modules["uuid"] = stand_in
from pgallop.codecs._oids import OIDS
from pgallop.codecs.registry import Registry
from pgallop.codecs import uuid

registry = Registry()
uuid.register(registry)
codec = registry.get(OIDS["uuid"])
for data in (bytes(range(16)), b"\\0" * 16, b"\\xff" * 16):
    value = codec.loads(data)
    assert type(value) is UUID
    assert value.int == int.from_bytes(data)
    assert value.is_safe is SafeUUID.unknown
    assert codec.dumps(value) == data
assert codec.dumps("00000000-0000-0000-0000-0000000000ff") == b"\\0" * 15 + b"\\xff"
assert codec.dumps("0000-00000000-0000-0000-0000000000ff") == b"\\0" * 15 + b"\\xff"
import pgallop
print(pgallop.__compiled__)
"""


class Tagged(UUID):
    """A subclass with attributes of its own."""


class Foreign:
    """A UUID of another package, which does not derive from the standard library's."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.bytes = data


@pytest.fixture(scope="session")
def codec() -> Codec:
    return builtin_registry().get(OIDS["uuid"])


@settings(deadline=None)
@given(st.lists(st.uuids(), max_size=100))
def test_the_server_reads_and_writes_the_same(
    oracle: Oracle, codec: Codec, values: list[UUID]
) -> None:
    data = [codec.dumps(value) for value in values]
    assert oracle.text(codec.oid, data) == [str(value) for value in values]
    assert oracle.binary(codec.oid, [str(value) for value in values]) == data
    assert [codec.loads(item) for item in data] == values


@given(st.uuids())
def test_each_text_of_a_uuid_is_taken(codec: Codec, value: UUID) -> None:
    text = str(value)
    forms = [text, value.hex, text.upper(), f"{{{text}}}", value.urn, text.replace("-", "", 1)]
    for form in forms:
        assert codec.dumps(form) == value.bytes


@pytest.mark.parametrize(
    "value", [UUID(int=0), UUID(int=2**128 - 1), UUID(int=255), uuid1(), uuid4(), UUID(TEXT)]
)
def test_a_value_is_the_standard_librarys(codec: Codec, value: UUID) -> None:
    loaded = codec.loads(codec.dumps(value))
    assert type(loaded) is UUID
    assert loaded == value
    assert hash(loaded) == hash(value)
    assert (loaded.int, loaded.bytes, loaded.fields) == (value.int, value.bytes, value.fields)
    assert (str(loaded), repr(loaded)) == (str(value), repr(value))
    assert loaded.is_safe is SafeUUID.unknown
    assert pickle.loads(pickle.dumps(loaded)) == value
    assert copy.deepcopy(loaded) == value
    assert weakref.ref(loaded)() is loaded
    assert {loaded: 1}[value] == 1
    with pytest.raises(TypeError, match="immutable"):
        loaded.int = 5  # type: ignore[misc]


def test_a_value_is_nothing_for_the_collector(codec: Codec) -> None:
    # Plain Python cannot take an object out of its sight.
    assert gc.is_tracked(codec.loads(DATA)) is not pgallop.__compiled__


@pytest.mark.parametrize(
    "value",
    [
        UUID(TEXT),
        Tagged(TEXT),
        AsyncpgUUID(TEXT),
        Foreign(DATA),
        TEXT,
        TEXT.replace("-", ""),
        "1234-567890abcdef-1234-5678-90abcdef",
    ],
)
def test_what_is_taken(codec: Codec, value: object) -> None:
    assert codec.dumps(value) == DATA


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        TEXT[:-1],
        TEXT + "0",
        TEXT[:-1] + "g",
        "g" + TEXT[1:],
        "1234567890abcdef1234567890abcde/",
        "1234567890abcdef1234567890abcde:",
        "1234567890abcdef1234567890abcde@",
        "1234567890abcdef1234567890abcde`",
        "12345678_90ab_cdef_1234_567890abcdef",
        TEXT[:-1] + "é",
        TEXT + "\0",
    ],
)
def test_what_is_no_uuid_is_refused(codec: Codec, value: str) -> None:
    with pytest.raises(Unencodable, match="not the text of a UUID") as caught:
        codec.dumps(value)
    assert caught.value.value is value


@pytest.mark.parametrize(
    "value", [5, DATA, None, [TEXT], Foreign(b"short"), Foreign(bytearray(16)), object()]
)
def test_other_types_are_refused(codec: Codec, value: object) -> None:
    with pytest.raises(Unencodable) as caught:
        codec.dumps(value)
    assert caught.value.reason == f"expected uuid.UUID or its text, got {type(value).__name__}"


@pytest.mark.parametrize("size", [0, 1, 15, 17, 32])
def test_another_size_breaks_the_protocol(codec: Codec, size: int) -> None:
    with pytest.raises(ProtocolError, match=f"uuid of {size} bytes"):
        codec.loads(bytes(size))


def test_nothing_is_leaked(codec: Codec) -> None:
    value = uuid5(NAMESPACE_DNS, "example.org")

    def work() -> None:
        for _ in range(1000):
            codec.loads(codec.dumps(value))
            codec.dumps(TEXT)
            codec.dumps(f"{{{TEXT}}}")

    assert_nothing_leaks(work, SafeUUID.unknown, UUID)


def test_a_class_of_another_layout_is_filled_by_name() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_SLOTS],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.stdout, done.stderr) == (f"{pgallop.__compiled__}\n", "")
