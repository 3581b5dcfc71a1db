"""Codecs of the user, without a server: what they are part of, and what does not do."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, ClassVar, NamedTuple, TypedDict

import pytest
from array_bytes import number
from own_types import INFOS, INT4, MOOD, MOODS, OUTER, PAIR, PAIRS, RIGHTS, SPAN
from record_bytes import record

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import BINARY, TEXT, Codec, Unencodable
from pgallop.codecs.custom import CustomCodec, RefusedCodec
from pgallop.codecs.customization import Alias, Custom, Customs, TypeCodec
from pgallop.codecs.introspection import ARRAY, BASE, DOMAIN, TypeInfo, Types
from pgallop.codecs.registry import Registry
from pgallop.codecs.textual import textual
from pgallop.errors import ProtocolError
from pgallop.values import Range


class Mood(enum.Enum):
    SAD = "sad"
    GLAD = "glad"
    BLUE = "sad"  # noqa: PIE796 (another name of the same)


class Weight(enum.Enum):
    sad = 1
    glad = 2


class Pair(NamedTuple):
    a: int
    m: str


@dataclasses.dataclass(slots=True)
class Swapped:
    m: str
    a: int
    extra: list[int] = dataclasses.field(default_factory=list)


def registry_with(*customs: tuple[str, str, Custom], infos: Any = INFOS) -> Registry:
    types = Types()
    types.learn([], infos)
    registry = builtin_registry().copy()
    registry.source = types
    registered = Customs()
    for schema, name, custom in customs:
        registered.set(schema, name, custom)
    registry.customs = registered
    registry.forget_made()
    return registry


def mark(value: Any) -> Any:
    return ("own", value)


def unmark(value: Any) -> Any:
    return value[1]


OWN = TypeCodec(unmark, mark)


def there_and_back(codec: Codec, value: Any) -> Any:
    return codec.loads(codec.dumps(value))


@pytest.mark.parametrize(
    ("custom", "schema", "name", "oid", "value"),
    [
        (Mood, "own", "mood", MOOD, Mood.SAD),
        (Mood, "own", "mood", MOODS, [[Mood.SAD, None], [Mood.GLAD, Mood.BLUE]]),
        (Mood, "own", "mood", OUTER, ((1, Mood.SAD), None, None)),
        (Mood, "own", "mood", SPAN, Range((1, Mood.SAD), None)),
        (Weight, "own", "mood", MOODS, [Weight.sad, None]),
        (Pair, "own", "pair", PAIR, Pair(1, "sad")),
        (Pair, "own", "pair", PAIRS, [Pair(1, "sad"), None]),
        (Pair, "own", "pair", OUTER, (Pair(1, "sad"), [Pair(2, "x")], 3)),
        (Swapped, "own", "pair", PAIRS, [[Swapped("sad", 1)], [Swapped("x", 2)]]),
        (TypeCodec(unmark, mark, "tuple"), "own", "pair", PAIRS, [("own", (1, "sad"))]),
        (OWN, "own", "mood", MOODS, [("own", "sad"), None]),
        (TypeCodec(unmark, mark, "binary"), "own", "mood", PAIR, (1, ("own", b"sad"))),
        (TypeCodec(unmark, mark, "binary"), "pg_catalog", "int4", PAIR, (("own", number(7)), "")),
        (Alias("bytea"), "own", "mood", MOODS, [b"sad"]),
    ],
)
def test_inside(custom: Custom, schema: str, name: str, oid: int, value: Any) -> None:
    registry = registry_with((schema, name, custom))
    codec = registry.get(oid)
    assert codec.format == BINARY
    assert there_and_back(codec, value) == value
    registry.customs = None
    registry.forget_made()
    assert type(registry.get(oid)) is not type(codec) or not isinstance(codec, CustomCodec)


DAY = ("own", "2024-02-29")


@pytest.mark.parametrize(
    ("oid", "value", "text"),
    [
        (OIDS["date"], DAY, "2024-02-29"),
        (ARRAYS["date"], [[DAY], [None]], '{{"2024-02-29"},{NULL}}'),
        (OIDS["daterange"], Range(DAY, None), "[2024-02-29,)"),
        (ARRAYS["daterange"], [Range(DAY, None)], '{"[2024-02-29,)"}'),
        (OIDS["datemultirange"], [Range(DAY, None)], "{[2024-02-29,)}"),
        (ARRAYS["datemultirange"], [[Range(DAY, None)]], '{"{[2024-02-29,)}"}'),
    ],
)
def test_in_text(oid: int, value: Any, text: str) -> None:
    """Results come in text; arguments go in binary where they are more than a value or an array."""
    plain = builtin_registry().get(oid)
    codec = registry_with(("pg_catalog", "date", OWN)).get(oid)
    assert codec.format == TEXT
    assert codec.loads(text.encode()) == value
    parameter = codec.parameter()
    written = parameter.dumps(value)
    if parameter.format == TEXT:
        assert textual(plain).loads(written) == textual(plain).loads(text.encode())
    else:
        assert plain.loads(written) == textual(plain).loads(text.encode())


@pytest.mark.parametrize(
    ("name", "value", "size"),
    [
        ("date", (-1,), 4),
        ("time", (86_400_000_000,), 8),
        ("timestamp", (-(2**63),), 8),
        ("timestamptz", (2**63 - 1,), 8),
        ("timetz", (1, -7200), 12),
        ("interval", (14, -3, 5), 16),
    ],
)
def test_tuples(name: str, value: tuple[int, ...], size: int) -> None:
    identity = TypeCodec(lambda value: value, lambda value: value, "tuple")
    codec = registry_with(("pg_catalog", name, identity)).get(OIDS[name])
    data = codec.dumps(value)
    assert len(data) == size
    assert codec.loads(data) == value
    assert codec.loads(codec.dumps(list(value))) == value
    for i in range(size):
        with pytest.raises(ProtocolError):
            codec.loads(data[:i])
    with pytest.raises(ProtocolError):
        codec.loads(data + b"\0")
    for wrong in ((), (*value, 1), 5, ("x",) * len(value), (2**64,) * len(value)):
        with pytest.raises(Unencodable, match="its encoder has returned"):
            codec.dumps(wrong)


def test_enums() -> None:
    codec = registry_with(("own", "mood", Mood)).get(MOOD)
    assert codec.loads(codec.dumps("glad")) is Mood.GLAD
    for wrong in ("SAD", "other", 1, Weight.sad):
        with pytest.raises(Unencodable, match="expected Mood, or a str that is one of its labels"):
            codec.dumps(wrong)
    with pytest.raises(ValueError, match="Mood has no member for the label 'new'"):
        codec.loads(b"new")
    assert textual(codec).loads(b"sad") is Mood.SAD


def test_a_class_that_refuses() -> None:
    class Strict:
        def __init__(self, a: int, m: str) -> None:
            raise RuntimeError("no")

    codec = registry_with(("own", "pair", Strict)).get(PAIR)
    with pytest.raises(ValueError, match="Strict has raised RuntimeError: no"):
        codec.loads(record((INT4, number(1)), (MOOD, b"sad")))


def test_a_member_that_comes_in_text() -> None:
    """As a tuple or class, too, with all that is in it."""
    pair = TypeCodec(unmark, mark, "tuple")
    registry = registry_with(("own", "rights", pair), ("own", "pair", Pair))
    codec = registry.get(RIGHTS)
    assert codec.format == TEXT
    assert codec.loads(b'(=r/x,"(1,sad)")') == ("own", ("=r/x", Pair(1, "sad")))


@pytest.mark.parametrize(
    ("custom", "name", "words"),
    [
        (Mood, "pair", "Mood is an Enum, and pair is no enum type"),
        (Pair, "mood", "Pair is for a composite type, and mood is none"),
        (Pair, "outer", "Pair has no field 'p', which outer has"),
        (OWN, "pair", "only tuple-format codecs"),
        (OWN, "_mood", "neither a scalar type nor a composite type"),
        (OWN, "good", "custom codecs on domain types are not supported"),
        (TypeCodec(str, str, "tuple"), "mood", "does not support the 'tuple' exchange format"),
        (Alias("int4"), "pair", "cannot alias non-scalar type own.pair"),
    ],
)
def test_misfits(custom: Custom, name: str, words: str) -> None:
    oid = next(info.oid for info in INFOS if info.name == name)
    codec = registry_with(("own", name, custom)).get(oid)
    assert isinstance(codec, RefusedCodec)
    with pytest.raises(ValueError, match=words):
        codec.loads(b"x")
    with pytest.raises(Unencodable, match=words):
        codec.dumps(1)


def test_an_alias_of_a_domain() -> None:
    infos = [TypeInfo(PAIR, "own", "number", DOMAIN, INT4), TypeInfo(MOOD, "own", "odd", BASE)]
    registry = registry_with(("own", "number", Alias("bytea")), infos=infos)
    assert there_and_back(registry.get(PAIR), b"\0") == b"\0"
    registry = registry_with(("own", "odd", Alias("int4", "text")), infos=infos)
    assert there_and_back(registry.get(MOOD), 5) == 5


@pytest.mark.parametrize("has_binary", [False, True])
def test_an_alias_in_text(has_binary: bool) -> None:
    """Its binary form may be any; those of the other type's two forms are the same."""
    infos = [
        TypeInfo(MOOD, "own", "odd", BASE, has_binary=has_binary),
        TypeInfo(MOODS, "own", "_odd", ARRAY, MOOD),
    ]
    registry = registry_with(("own", "odd", Alias("text", "text")), infos=infos)
    for oid, value, data in [(MOOD, "a=>1", b"a=>1"), (MOODS, ["a=>1", "b"], b'{"a=>1","b"}')]:
        codec = registry.get(oid)
        assert codec.format == codec.parameter().format == TEXT
        assert codec.loads(data) == value
        assert codec.parameter().dumps(value) == data


def test_names_of_own_types() -> None:
    for name in ("timestamptz", "TIMESTAMPTZ", "timestamp with time zone"):
        codec = registry_with(("pg_catalog", name, OWN)).get(OIDS["timestamptz"])
        assert isinstance(codec, CustomCodec)
    customs = Customs()
    customs.set("pg_catalog", "int", OWN)
    customs.reset("pg_catalog", "integer")
    assert not customs.of_own_types(builtin_registry())


def test_class_variables_are_no_fields() -> None:
    @dataclasses.dataclass
    class Counted:
        a: int
        m: str
        count: ClassVar[int]

    codec = registry_with(("own", "pair", Counted)).get(PAIR)
    assert there_and_back(codec, Counted(1, "sad")) == Counted(1, "sad")


def test_an_enum_that_has_no_hash() -> None:
    class Odd(enum.Enum):
        SAD = "sad"

        def __eq__(self, other: object) -> bool:
            return self is other

        __hash__ = None  # type: ignore[assignment]

    codec = registry_with(("own", "mood", Odd)).get(MOOD)
    assert there_and_back(codec, Odd.SAD) is Odd.SAD


def test_several_flags_are_no_member() -> None:
    class Flags(enum.Flag):
        sad = 1
        glad = 2

    codec = registry_with(("own", "mood", Flags)).get(MOOD)
    assert there_and_back(codec, Flags.glad) is Flags.glad
    with pytest.raises(Unencodable, match="expected Flags, or a str that is one of its labels"):
        codec.dumps(Flags.sad | Flags.glad)


def test_classes_of_dicts() -> None:
    class Row(TypedDict):
        a: int
        m: str

    for kind in (Row, dict):
        codec = registry_with(("own", "pair", kind)).get(PAIR)
        value = {"a": 1, "m": "sad"}
        assert there_and_back(codec, value) == value
        assert type(there_and_back(codec, value)) is dict


def test_fields_that_cannot_be_read() -> None:
    class Hiding:
        def __init__(self, a: int, m: str) -> None:
            pass

    codec = registry_with(("own", "pair", Hiding)).get(PAIR)
    with pytest.raises(Unencodable, match="reading its fields has raised AttributeError"):
        codec.dumps(Hiding(1, "sad"))
