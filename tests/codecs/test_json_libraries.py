"""json and jsonb by other functions than those of the standard library."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.config.codecs import Json, resolve_codecs

NAMES = ["json", "jsonb"]
LIBRARIES: list[Json] = ["stdlib", "orjson", "msgspec", (json.dumps, json.loads)]

strings = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(-(2.0**53), 2.0**53)
    | strings,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(strings, inner, max_size=5),
    max_leaves=20,
)


def codec_of(name: str, functions: Json) -> Codec:
    registry = builtin_registry(resolve_codecs("raise", functions))
    return registry.get(ARRAYS[name[:-2]] if name.endswith("[]") else OIDS[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("functions", LIBRARIES, ids=["stdlib", "orjson", "msgspec", "pair"])
@settings(deadline=None, max_examples=30)
@given(batch=st.lists(values, min_size=1, max_size=20))
def test_the_server_gives_back_the_same(
    oracle: Oracle, name: str, functions: Json, batch: list[Any]
) -> None:
    codec = codec_of(name, functions)
    data = [codec.dumps(value) for value in batch]
    assert [codec.loads(item) for item in data] == batch
    texts = oracle.text(codec.oid, data)
    assert [json.loads(str(text)) for text in texts] == batch
    echoes = oracle.binary(codec.oid, texts)
    assert [codec.loads(echo) for echo in echoes if echo is not None] == batch
    array = codec_of(f"{name}[]", functions)
    assert array.loads(array.dumps(batch)) == batch


def fate(codec: Codec, value: object) -> str:
    """The text that is sent, or what becomes of the value instead."""
    try:
        return codec.dumps(value).decode()
    except Unencodable as error:
        return "refused without a cause" if error.__cause__ is None else "refused"


# What they make of values that JSON has no place for, or not all of them: docs/json.md has a table
# of it, so this fails when a new version thinks differently.
@pytest.mark.parametrize(
    ("value", "stdlib", "by_orjson", "by_msgspec"),
    [
        (math.nan, "refused", "null", "null"),
        (-math.inf, "refused", "null", "null"),
        (2**64 - 1, str(2**64 - 1), str(2**64 - 1), str(2**64 - 1)),
        (2**64, str(2**64), "refused", str(2**64)),
        ("\ud800", '"\\ud800"', "refused", "refused"),
        ("\0", '"\\u0000"', '"\\u0000"', '"\\u0000"'),
        ({1: 2}, '{"1": 2}', "refused", '{"1":2}'),
        (b"x", "refused", "refused", '"eA=="'),
        (Decimal("1.10"), "refused", "refused", '"1.10"'),
        (object(), "refused", "refused", "refused"),
    ],
)
def test_what_they_write(value: object, stdlib: str, by_orjson: str, by_msgspec: str) -> None:
    named: list[Json] = ["stdlib", "orjson", "msgspec"]
    found = [fate(codec_of("json", functions), value) for functions in named]
    assert found == [stdlib, by_orjson, by_msgspec]


@pytest.mark.parametrize(
    ("text", "stdlib", "by_orjson", "by_msgspec"),
    [
        ("1e999", math.inf, "refused", "refused"),
        (str(2**64), 2**64, float(2**64), 2**64),
        ('"\\ud800"', "\ud800", "refused", "refused"),
        ('{"a": 1, "a": 2}', {"a": 2}, {"a": 2}, {"a": 2}),
        ("-0.0", -0.0, -0.0, -0.0),
        ("-0", 0, 0, 0),
        ("[1] [2]", "refused", "refused", "refused"),
        ("", "refused", "refused", "refused"),
        ("[" * 100_000, "refused", "refused", "refused"),
        ('"\\u0000"', "\0", "\0", "\0"),
    ],
)
def test_what_they_read(text: str, stdlib: Any, by_orjson: Any, by_msgspec: Any) -> None:
    named: list[Json] = ["stdlib", "orjson", "msgspec"]
    for functions, expected in zip(named, (stdlib, by_orjson, by_msgspec), strict=True):
        for name, version in (("json", b""), ("jsonb", b"\1")):
            codec = codec_of(name, functions)
            if expected == "refused":
                with pytest.raises(ValueError, match="cannot be decoded") as caught:
                    codec.loads(version + text.encode())
                assert isinstance(caught.value.__cause__, Exception)
                assert len(str(caught.value)) < 400
            else:
                value = codec.loads(version + text.encode())
                assert (type(value), repr(value)) == (type(expected), repr(expected))


@pytest.mark.parametrize("functions", LIBRARIES, ids=["stdlib", "orjson", "msgspec", "pair"])
def test_bytes_that_are_no_utf_8(functions: Json) -> None:
    for data in (b'"\xff"', b"\xc3", b'{"\xed\xa0\x80": 1}'):
        with pytest.raises(ValueError, match=r"cannot be decoded|can't decode"):
            codec_of("json", functions).loads(data)


def test_a_pair_keeps_the_digits_of_numbers(oracle: Oracle) -> None:
    exact = partial(json.loads, parse_float=Decimal)
    codec = codec_of("jsonb", (partial(json.dumps, default=float), exact))
    (data,) = oracle.binary(codec.oid, ["[1.10, 12345678901234567890.12345]"])
    assert data is not None
    assert str(codec.loads(data)[0]) == "1.10"
    assert codec.loads(data)[1] == Decimal("12345678901234567890.12345")
    assert codec.dumps([Decimal("0.5")]) == b"\1[0.5]"


def test_loads_of_a_pair_is_given_a_str_and_dumps_may_give_bytes() -> None:
    codec = codec_of("jsonb", (orjson.dumps, lambda text: text))
    assert codec.dumps({"a": "é"}) == '\1{"a":"é"}'.encode()
    assert codec.loads('\1{"a":"é"}'.encode()) == '{"a":"é"}'
    codec = codec_of("json", (msgspec.json.encode, msgspec.json.decode))
    assert codec.loads(codec.dumps([1, "é"])) == [1, "é"]


class Failure(Exception):
    """What only the user knows."""


def fail(value: object) -> Any:
    raise Failure("no such luck")


def speechless(value: object) -> Any:
    raise KeyError


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [(fail, Failure, "no such luck"), (speechless, KeyError, "KeyError")],
)
def test_any_error_of_the_functions_is_one_of_the_value(
    name: str, function: Any, kind: type[Exception], words: str
) -> None:
    codec = codec_of(name, (function, function))
    with pytest.raises(Unencodable) as refused:
        codec.dumps([1])
    assert refused.value.reason == f"cannot become {name}: {words}"
    assert isinstance(refused.value.__cause__, kind)
    with pytest.raises(ValueError, match=rf"'\[1\]' cannot be decoded \({words}\)") as caught:
        codec.loads(b"\1[1]" if name == "jsonb" else b"[1]")
    assert isinstance(caught.value.__cause__, kind)


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_what_is_not_about_the_value_passes(error: type[BaseException]) -> None:
    def raises(value: object) -> Any:
        raise error

    codec = codec_of("json", (raises, raises))
    with pytest.raises(error):
        codec.dumps(1)
    with pytest.raises(error):
        codec.loads(b"1")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (5, "the encoder returned int, expected str or bytes"),
        (None, "the encoder returned NoneType, expected str or bytes"),
        (bytearray(b"1"), "the encoder returned bytearray, expected str or bytes"),
        (b"\0", "the encoder returned a NUL"),
        ("\0", "has a NUL character at index 0"),
        ("\ud800", "has the lone surrogate"),
    ],
)
def test_dumps_must_give_text(made: object, reason: str) -> None:
    codec = codec_of("jsonb", (lambda value: made, json.loads))  # type: ignore[arg-type, return-value]
    with pytest.raises(Unencodable) as caught:
        codec.dumps(1)
    assert caught.value.reason.startswith(reason)
