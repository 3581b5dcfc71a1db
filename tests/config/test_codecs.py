"""out_of_range, json, vectors and geometry, the arguments about values."""

from __future__ import annotations

import json
import sys
from enum import Enum, StrEnum
from typing import Any

import msgspec
import orjson
import pytest

from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.choices import LIMITED, CodecChoices
from pgallop.config.codecs import resolve_codecs
from pgallop.config.options import resolve
from pgallop.errors import ClientConfigurationError


class Policy(str, Enum):  # noqa: UP042 (str() of a StrEnum is its value, of these it is not)
    CLAMP = "clamp"


class Name(StrEnum):
    DATE = "date"


@pytest.mark.parametrize(
    ("given", "pairs"),
    [
        ("raise", ()),
        ({}, ()),
        ({"date": "raise"}, ()),
        ("text", tuple((name, "text") for name in sorted(LIMITED))),
        ("clamp", tuple((name, "clamp") for name in sorted(LIMITED))),
        ({"time": "text", "date": "clamp"}, (("date", "clamp"), ("time", "text"))),
        (dict.fromkeys(LIMITED, "text"), tuple((name, "text") for name in sorted(LIMITED))),
        ({Name.DATE: Policy.CLAMP}, (("date", "clamp"),)),
    ],
)
def test_policies(given: Any, pairs: tuple[tuple[str, str], ...]) -> None:
    choices = resolve_codecs(given, "stdlib")
    assert choices.out_of_range == pairs
    assert all(type(part) is str for pair in choices.out_of_range for part in pair)
    for name in LIMITED:
        assert choices.policy(name) == dict(pairs).get(name, "raise")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("ignore", 'out_of_range: expected "raise", "clamp" or "text", or a mapping of types'),
        (None, 'out_of_range: expected "raise", "clamp" or "text", or a mapping of types'),
        (True, "out_of_range: expected"),
        (["date"], "out_of_range: expected"),
        ({"numeric": "text"}, "out_of_range: expected the names of types among date, time, timetz"),
        ({"Date": "text"}, "out_of_range: expected the names of types among"),
        ({5: "text"}, "out_of_range: expected the names of types among"),
        ({"date": "ignore"}, 'out_of_range["date"]: expected "raise", "clamp" or "text", got'),
        ({"date": None}, 'out_of_range["date"]: expected "raise", "clamp" or "text", got None'),
        ({"date": ["text"]}, 'out_of_range["date"]: expected "raise", "clamp" or "text", got an'),
    ],
)
def test_bad_policies(given: Any, words: str) -> None:
    with pytest.raises(ClientConfigurationError) as caught:
        resolve_codecs(given, "stdlib")
    assert str(caught.value).startswith(words)


def test_json() -> None:
    assert resolve_codecs("raise", "stdlib").json is None
    by_orjson = resolve_codecs("raise", "orjson").json
    assert by_orjson == (orjson.dumps, orjson.loads, True)
    by_msgspec = resolve_codecs("raise", "msgspec").json
    assert by_msgspec is not None
    assert by_msgspec.dumps({"a": [1]}) == msgspec.json.encode({"a": [1]})
    assert by_msgspec.loads(b'{"a":[1]}') == {"a": [1]}
    assert by_msgspec.takes_bytes
    for pair in ((json.dumps, json.loads), [json.dumps, json.loads]):
        assert resolve_codecs("raise", pair).json == (json.dumps, json.loads, False)


@pytest.mark.parametrize(
    "given", ["ujson", "", None, True, json, json.loads, (), (json.dumps,), (json.dumps, "loads")]
)
def test_bad_json(given: Any) -> None:
    with pytest.raises(ClientConfigurationError) as caught:
        resolve_codecs("raise", given)
    words = 'json: expected "stdlib", "orjson", "msgspec" or a pair of functions (dumps, loads)'
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("name", ["orjson", "msgspec"])
def test_a_library_that_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    from pgallop.config.codecs import _library

    _library.cache_clear()
    with pytest.raises(ClientConfigurationError, match=f"python -m pip install {name}") as caught:
        resolve_codecs("raise", name)
    assert isinstance(caught.value.__cause__, ImportError)


class Choice(str, Enum):  # noqa: UP042 (as above)
    NUMPY = "numpy"
    LIST = "list"


def test_libraries_of_values() -> None:
    choices = resolve_codecs("raise", "stdlib")
    assert (choices.vectors, choices.geometry) == ("list", "bytes")
    choices = resolve_codecs("raise", "stdlib", "numpy", "bytes")
    assert (choices.vectors, choices.geometry) == ("numpy", "bytes")
    for choice, name in ((Choice.NUMPY, "numpy"), (Choice.LIST, "list")):
        choices = resolve_codecs("raise", "stdlib", choice)
        assert choices.vectors == name
        assert type(choices.vectors) is str


@pytest.mark.parametrize("given", ["array", "", "shapely", None, True, list, ["list"]])
def test_bad_choices(given: Any) -> None:
    with pytest.raises(ClientConfigurationError) as caught:
        resolve_codecs("raise", "stdlib", given)
    assert str(caught.value).startswith('vectors: expected "list" or "numpy"')
    with pytest.raises(ClientConfigurationError) as caught:
        resolve_codecs("raise", "stdlib", "list", "numpy" if given == "shapely" else given)
    assert str(caught.value).startswith('geometry: expected "bytes" or "shapely"')


@pytest.mark.parametrize(("option", "library"), [("vectors", "numpy"), ("geometry", "shapely")])
def test_libraries_that_are_missing(
    option: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    words = f'{option}: "{library}" is not installed .*: python -m pip install {library}'
    with pytest.raises(ClientConfigurationError, match=words) as caught:
        resolve_codecs("raise", "stdlib", **{option: library})
    assert isinstance(caught.value.__cause__, ImportError)


def test_connect_passes_them_on() -> None:
    options = resolve(
        environ={},
        default_user=lambda: "me",
        out_of_range={"date": "text"},
        json="orjson",
        vectors="numpy",
    )
    assert options.codecs == resolve_codecs({"date": "text"}, "orjson", "numpy")
    assert resolve(environ={}, default_user=lambda: "me").codecs == CodecChoices()
    hash(options)


class Odd:
    """A function of the user's that cannot be hashed."""

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, value: Any) -> Any:
        return "1"


def test_equal_choices_share_their_codecs() -> None:
    """So that connecting again costs nothing for them."""
    one = builtin_registry(resolve_codecs({"time": "text", "date": "clamp"}, "msgspec"))
    assert one is builtin_registry(resolve_codecs({"date": "clamp", "time": "text"}, "msgspec"))
    assert one is not builtin_registry(resolve_codecs({"date": "clamp"}, "msgspec"))
    assert builtin_registry() is builtin_registry(resolve_codecs({"date": "raise"}, "stdlib"))
    pair = (json.JSONEncoder().encode, json.loads)
    assert builtin_registry(resolve_codecs("raise", pair)) is builtin_registry(
        resolve_codecs("raise", pair)
    )
    assert builtin_registry(resolve_codecs("raise", (Odd(), Odd()))) is not builtin_registry()
