"""json and jsonb."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle

from pgallop.codecs._oids import OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.json import JsonbCodec, JsonCodec
from pgallop.errors import ProtocolError

NAMES = ["json", "jsonb"]

# jsonb stores no NUL and no lone surrogates. It keeps a number's digits but not that it was a
# float, so floats are such that the digits have the same value.
strings = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**50), 10**50)
    | st.floats(-(2.0**53), 2.0**53)
    | strings
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(strings, inner, max_size=5),
    max_leaves=20,
)


def codec_of(name: str) -> Codec:
    return builtin_registry().get(OIDS[name])


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=50)
@given(batch=st.lists(values, min_size=1, max_size=30))
def test_the_server_gives_back_the_same(oracle: Oracle, name: str, batch: list[Any]) -> None:
    codec = codec_of(name)
    data = [codec.dumps(value) for value in batch]
    assert [codec.loads(item) for item in data] == batch
    texts = oracle.text(codec.oid, data)
    assert [json.loads(str(text)) for text in texts] == batch
    echoes = oracle.binary(codec.oid, texts)
    assert [codec.loads(echo) for echo in echoes if echo is not None] == batch


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (5, "5"),
        (-1.5, "-1.5"),
        (10**40, "1" + "0" * 40),
        ("text", '"text"'),
        ('{"a": 1}', '"{\\"a\\": 1}"'),
        ("é", '"\\u00e9"'),
        ("\0", '"\\u0000"'),
        ("\ud800", '"\\ud800"'),
        ([], "[]"),
        ({}, "{}"),
        ((1, 2), "[1, 2]"),
        ({"a": [1, {"b": None}]}, '{"a": [1, {"b": null}]}'),
        ({1: 2}, '{"1": 2}'),
    ],
)
def test_the_text_is_that_of_json_dumps(value: object, text: str) -> None:
    assert codec_of("json").dumps(value) == text.encode() == json.dumps(value).encode()
    assert codec_of("jsonb").dumps(value) == b"\1" + text.encode()


@pytest.mark.parametrize("blank", ["", " ", "\n\t\r "])
@pytest.mark.parametrize("text", ['{"a": [1, 2.5, null]}', '"é"', "5", "true", "[ ]"])
def test_the_value_is_that_of_json_loads(text: str, blank: str) -> None:
    expected = json.loads(text)
    loaded = codec_of("json").loads(f"{blank}{text}{blank}".encode())
    assert loaded == expected
    assert type(loaded) is type(expected)


@pytest.mark.parametrize("name", NAMES)
def test_values_are_not_atomic(name: str) -> None:
    codec = codec_of(name)
    assert not codec.atomic
    assert codec.name == name
    assert codec.format == 1


def circle() -> list[object]:
    ring: list[object] = []
    ring.append(ring)
    return ring


def tower() -> list[object]:
    storeys: list[object] = []
    for _ in range(100_000):
        storeys = [storeys]
    return storeys


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (object, "not JSON serializable"),
        (lambda: {"a": {1, 2}}, "not JSON serializable"),
        (lambda: b"bytes", "not JSON serializable"),
        (lambda: {(1, 2): 3}, "keys must be"),
        (lambda: math.nan, "not JSON compliant"),
        (lambda: [math.inf], "not JSON compliant"),
        (circle, "Circular"),
        (tower, "recursion"),
        (lambda: 10**5000, "4300"),
    ],
)
def test_what_json_cannot_say_is_refused(
    name: str, make: Callable[[], object], reason: str
) -> None:
    value = make()
    with pytest.raises(Unencodable) as caught:
        codec_of(name).dumps(value)
    assert caught.value.value is value
    assert caught.value.reason.startswith(f"cannot become {name}: ")
    assert reason in caught.value.reason
    assert isinstance(caught.value.__context__, (TypeError, ValueError, RecursionError))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("nothing", "Expecting value"),
        ("[1] [2]", "Extra data"),
        ("\u00a01", "Expecting value"),
        ("9" * 5000, "4300"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_what_cannot_be_decoded_is_a_value_error(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        codec_of("json").loads(text.encode())
    assert "column::text" in str(caught.value)
    assert len(str(caught.value)) < 300
    assert isinstance(caught.value.__cause__, (ValueError, RecursionError))
    with pytest.raises(ValueError, match=reason):
        codec_of("jsonb").loads(b"\1" + text.encode())


@pytest.mark.parametrize("data", [b"", b"\0{}", b"\2{}", b"{}"])
def test_an_unknown_jsonb_breaks_the_protocol(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        codec_of("jsonb").loads(data)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.binary(max_size=50) | st.binary(max_size=50).map(lambda rest: b"\1" + rest))
def test_any_bytes_are_a_value_or_a_typed_error(name: str, data: bytes) -> None:
    codec = codec_of(name)
    text = data if name == "json" else data[1:]
    try:
        value = codec.loads(data)
    except (ProtocolError, ValueError):
        return
    assert json.dumps(value) == json.dumps(json.loads(text.decode()))


@pytest.mark.parametrize("kind", [JsonCodec, JsonbCodec])
def test_other_functions_can_do_it(kind: type[JsonCodec]) -> None:
    def compact(value: object) -> bytes:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

    codec = kind(OIDS["json"], "json", compact, lambda text: ("decoded", text))
    data = codec.dumps({"a": ["é", 1]})
    assert data.removeprefix(b"\1") == '{"a":["é",1]}'.encode()
    assert codec.loads(data) == ("decoded", '{"a":["é",1]}')

    as_text = kind(OIDS["json"], "json", str, json.loads)
    assert as_text.dumps("[1, 2]").removeprefix(b"\1") == b"[1, 2]"
    with pytest.raises(Unencodable, match="NUL"):
        as_text.dumps("\0")
    with pytest.raises(Unencodable, match="surrogate"):
        as_text.dumps("\ud800")
