"""Values: every codec, and rows of many columns."""

from __future__ import annotations

import scripts
from array_bytes import wire
from fuzz.edge_values import EDGE_VALUES, RAW, TEXT_FORMS
from fuzz.grammar import Bytes, Fields, Words
from fuzz.session_targets import Waiter, told
from fuzz.target import Outcome, Target, Wrong
from record_bytes import record

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.arrays import SEQUENCES
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import TEXT, Codec, TypesNeeded, Unencodable
from pgallop.codecs.textual import textual
from pgallop.errors import ProtocolError
from pgallop.session.execute import Execute
from pgallop.session.session import Session
from pgallop.session.statement import Description, Statement
from pgallop.wire.backend import Field

REGISTRY = builtin_registry()
CODECS = [REGISTRY.get(oid) for oid in [*OIDS.values(), *ARRAYS.values()] if oid in REGISTRY]

# What is not written as it was read: xml loses the encoding that it declares.
CHANGED_BY_WRITING = {"xml"}


# --- one value: the OID of its type, then its bytes -----------------------------------------------


def read_value(data: bytes) -> Outcome:
    """What can be read is written and read again: it must be the same, or refused."""
    codec = REGISTRY.get(int.from_bytes(data[:4]))
    return written_again(codec, codec.loads(data[4:]))


def written_again(codec: Codec, value: object) -> Outcome:
    try:
        written = codec.dumps(value)
    except Unencodable:
        return Outcome("only read", value)
    try:
        again = codec.loads(written)
    except Exception as error:
        raise Wrong(f"{codec!r} cannot read what it has written: {error}") from error
    if codec.name.removesuffix("[]") not in CHANGED_BY_WRITING and not same(value, again):
        raise Wrong(f"{codec!r}: {value!r} is {again!r} when it was written and read again")
    return Outcome("value", value)


def same(one: object, other: object) -> bool:
    """Equal as far as one can see: NaN is NaN, 0.0 is not -0.0, 1 is not True."""
    return repr(one) == repr(other)


def values_of(codec: Codec) -> list[bytes]:
    """The bytes of some values that `codec` takes, in extremes, and of some that nobody sends."""
    name = codec.name.removesuffix("[]")
    if codec.format == TEXT:
        return [b"a word"] if codec.name == name else [b"{}", b'{{a,NULL},{"\\"b, c\\\\","NULL"}}']
    if name not in EDGE_VALUES:  # one that cannot be sent
        raw = RAW.get(name, [b""])
        return raw if codec.name == name else [wire(raw, (len(raw), 1), oid=OIDS[name])]
    values = EDGE_VALUES[name]
    if codec.name == name:
        return [codec.dumps(value) for value in values] + RAW.get(name, [])
    nested = [[[value, value], [None, value]] for value in values[:2]]
    if name in SEQUENCES:  # lists in it are values
        nested = []
    return [codec.dumps(value) for value in [[], values, [None, *values], *nested]]


def value_seeds() -> list[bytes]:
    return [codec.oid.to_bytes(4) + data for codec in CODECS for data in values_of(codec)]


# --- one value in text: the OID of its type, then its text form ----------------------------------

TEXT_WORDS = [
    *(b"{", b"}", b",", b'"', b"\\", b"(", b")", b"NULL", b"[0:1]=", b"[1:1]", b"{{", b"}}", b'""'),
    *(b"0", b"1", b"-", b"+", b".", b"e", b"99999999999", b":", b" ", b"59", b"24", b" BC", b"\n"),
    *(b" days", b" mons", b"2024-02-29", b"12:00:00", b"NaN", b"infinity", b"\\x", b"\\377", b"\0"),
    *(b"[(", b"),(", b"<(", b">", b";", b"Infinity"),
]


def read_text(data: bytes) -> Outcome:
    """A value in text is one that can be written in binary, and is the same then."""
    codec = REGISTRY.get(int.from_bytes(data[:4]))
    return written_again(codec, textual(codec).loads(data[4:]))


def text_seeds() -> list[bytes]:
    seeds: list[bytes] = []
    for name, texts in TEXT_FORMS.items():
        escaped = [text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') for text in texts]
        one = b'{"' + b'","'.join(escaped) + b'",NULL}'
        seeds += [OIDS[name].to_bytes(4) + text for text in texts]
        seeds += [ARRAYS[name].to_bytes(4) + form for form in (one, b"{" + one + b"," + one + b"}")]
    return seeds


# --- rows: which statement, then the body of a DataRow --------------------------------------------


def statement(codecs: list[Codec]) -> Statement:
    fields = [Field(f"c{i}", 0, 0, codec.oid, -1, -1, 1) for i, codec in enumerate(codecs)]
    return Statement("SELECT", b"s1", Description((), tuple(fields)), REGISTRY)


# What is read as text and came in binary is converted by the server afterwards.
BINARIES = [codec for codec in CODECS if codec.in_binary() is codec]
SCALARS = [codec for codec in BINARIES if not codec.name.endswith("[]")]
STATEMENTS = [
    statement(SCALARS),
    statement([REGISTRY.get(ARRAYS[name]) for name in ("int4", "text", "numeric", "jsonb")]),
    statement([REGISTRY.get(OIDS[name]) for name in ("int4", "text", "bool", "float8")]),
    statement([]),
]


def read_row(data: bytes) -> Outcome:
    """The row as the answer to a statement that has such columns."""
    index = data[0] % len(STATEMENTS) if data else 0
    session = Session()
    answer = Waiter()
    session.submit(Execute(answer, STATEMENTS[index], ()))
    session.take()
    session.feed(scripts.BIND_COMPLETE + scripts.message("D", data[1:]))
    session.feed(scripts.command_complete("SELECT 1") + scripts.ready_for_query())
    kind = told(answer)
    return Outcome("row" if kind == "answered" else kind, answer.words)


def row_seeds() -> list[bytes]:
    seeds: list[bytes] = []
    for index, each in enumerate(STATEMENTS):
        columns = [values_of(REGISTRY.get(column.type_oid)) for column in each.columns]
        for number in range(max(map(len, columns), default=1)):
            values = [column[number % len(column)] for column in columns]
            seeds.append(bytes([index]) + scripts.data_row(*values)[5:])
        seeds.append(bytes([index]) + scripts.data_row(*[None] * len(columns))[5:])
    unknown = record((ARRAYS["money"], b""))  # a part of it has a type that has to be asked for
    row = [unknown if each.name == "record" else None for each in SCALARS]
    return [*seeds, b"\0" + scripts.data_row(*row)[5:]]


TARGETS = [
    Target(
        name="values",
        run=read_value,
        raises=(ProtocolError, ValueError, TypesNeeded),
        seeds=value_seeds,
        grammar=Bytes(prefix=4),
        share=3,
    ),
    Target(
        name="texts",
        run=read_text,
        raises=(ProtocolError, ValueError, TypesNeeded),
        seeds=text_seeds,
        grammar=Words(TEXT_WORDS, prefix=4),
    ),
    Target(
        name="rows",
        run=read_row,
        raises=(ProtocolError,),
        seeds=row_seeds,
        grammar=Fields(prefix=1),
        share=2,
    ),
]
