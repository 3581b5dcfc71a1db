"""The arguments of a query that is copied: COPY takes no parameters, so they become literals.

What they are is decided by the query's own description, as always. The text of a value is made of
its bytes, for the simplest types here, for all others by the server: in one trip, by the type's own
output function. A literal is cast to the type that the parameter has.
"""

import math
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pgallop import preparing
from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.codec import TEXT, Codec, Unencodable
from pgallop.errors import DataError, InterfaceError, UnsupportedClientFeatureError
from pgallop.preparing import Handle
from pgallop.session.execute import refused_argument, wrong_count
from pgallop.session.statement import Statement
from pgallop.session.texts import Texts
from pgallop.sql import copying
from pgallop.sql.quoting import quote_identifier, quote_literal
from pgallop.wire.frontend import MAX_PARAMETERS
from pgallop.wire.writer import TooLong

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch

# The names of PostgreSQL's own types, arrays as they are in pg_type.
NAMES = {
    **{oid: name for name, oid in OIDS.items()},
    **{oid: f"_{name}" for name, oid in ARRAYS.items()},
}


def number_of(format: str) -> Callable[[bytes], str]:
    """What makes the text of a number's bytes; all digits of a float, which repr() has."""
    unpack = struct.Struct(format).unpack

    def text(data: bytes) -> str:
        (number,) = unpack(data)
        if isinstance(number, float) and not math.isfinite(number):
            return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
        return repr(number)

    return text


def text_of_bool(data: bytes) -> str:
    return {b"\0": "false", b"\1": "true"}[data]


def text_of_text(data: bytes) -> str:
    text = data.decode()
    if "\0" in text:
        raise ValueError("a NUL is for the server to refuse")
    return text


def text_of_uuid(data: bytes) -> str:
    if len(data) != 16:
        raise ValueError("no UUID")
    return data.hex()


def text_of_bytes(data: bytes) -> str:
    return f"\\x{data.hex()}"


# What a type's bytes are in text, where that is certain; what fails is for the server to judge.
TEXT_OF: Mapping[int, Callable[[bytes], str]] = {
    OIDS["bool"]: text_of_bool,
    OIDS["int2"]: number_of("!h"),
    OIDS["int4"]: number_of("!i"),
    OIDS["int8"]: number_of("!q"),
    OIDS["oid"]: number_of("!I"),
    OIDS["float4"]: number_of("!f"),
    OIDS["float8"]: number_of("!d"),
    OIDS["text"]: text_of_text,
    OIDS["varchar"]: text_of_text,
    OIDS["uuid"]: text_of_uuid,
    OIDS["bytea"]: text_of_bytes,
}


async def described(
    dispatch: "Dispatch", query: str, deadline: float | None, timeout: float | None
) -> tuple[Statement, bool]:
    """A statement of which parameters and columns are known; whether that was asked just now.

    Of a text that was described before nothing is asked.
    """
    statement = preparing.current(dispatch, query)
    if statement is None:
        known = dispatch.scope.get(query, dispatch.now())
        if known is not None:
            statement = Statement(query, b"", known, dispatch.registry, query, True)
    if statement is not None and is_described(statement) and not statement.is_unresolved:
        return statement, False
    block = dispatch.ownership.mine()
    found = await preparing.prepared(dispatch, [query], deadline, timeout, block)
    statement = found[query]
    if not is_described(statement):
        # Without a name it is described when it is run, which it was not yet.
        handle = Handle(query, "")
        found = await preparing.prepared(dispatch, [handle], deadline, timeout, block)
        statement = found[handle]
    return statement, True


def is_described(statement: Statement) -> bool:
    """Whether the server has told of its columns, or was believed to have."""
    is_known = statement.decoder is not None or not statement.is_guess
    return is_known and statement.prepare is None


async def inlined(
    dispatch: "Dispatch",
    query: str,
    args: tuple[Any, ...],
    deadline: float | None,
    timeout: float | None,
) -> tuple[str, Statement | None]:
    """`query` with its arguments in it, and what was presumed of it, if anything was."""
    if dispatch.simple:
        raise UnsupportedClientFeatureError(
            f"{len(args)} arguments given, and the connection has statement_mode='simple', in "
            f"which they cannot be described"
        )
    if len(args) > MAX_PARAMETERS:
        raise InterfaceError(f"{len(args)} arguments, a statement may have {MAX_PARAMETERS}")
    statement, is_new = await described(dispatch, query, deadline, timeout)
    try:
        values = encoded(statement, args)
    except DataError:
        if is_new:
            raise
        # Refused by what was known of the types: what are they now?
        statement, is_new = await preparing.anew(dispatch, statement, deadline, timeout), True
        values = encoded(statement, args)
    texts = await texts_of(dispatch, statement, values, deadline, timeout)
    literals = [
        literal(dispatch, oid, text)
        for oid, text in zip(statement.parameter_oids, texts, strict=True)
    ]
    text = copying.with_literals(query, literals, standard_strings(dispatch))
    return text, None if is_new else statement


def standard_strings(dispatch: "Dispatch") -> bool:
    """Whether a backslash is a backslash in the server's strings."""
    return dispatch.parameters().get("standard_conforming_strings") != "off"


def encoded(statement: Statement, args: tuple[Any, ...]) -> list[tuple[Codec, bytes] | None]:
    """The bytes of the arguments, with what has written them; None for NULL."""
    if len(args) != len(statement.parameters):
        raise wrong_count(statement, args)
    values: list[tuple[Codec, bytes] | None] = []
    for i, (codec, value) in enumerate(zip(statement.parameters, args, strict=True)):
        try:
            values.append(None if value is None else (codec, codec.dumps(value)))
        except (Unencodable, UnicodeEncodeError, TooLong) as error:
            raise refused_argument(statement, i, value, error) from error
    return values


async def texts_of(
    dispatch: "Dispatch",
    statement: Statement,
    values: list[tuple[Codec, bytes] | None],
    deadline: float | None,
    timeout: float | None,
) -> list[str | None]:
    """The text forms of values; at most one round trip."""
    texts: list[str | None] = []
    asked: dict[int, tuple[int, bytes]] = {}
    for i, value in enumerate(values):
        text = None
        if value is not None:
            codec, data = value
            oid = statement.parameter_oids[i]
            text = known_text(codec, oid, data)
            if text is None:
                asked[i] = oid, data
        texts.append(text)
    if asked:
        block = dispatch.ownership.mine()
        await dispatch.ownership.my_turn(block, deadline, timeout)
        dispatch.check_unlost()
        in_transaction = dispatch.in_transaction() or bool(dispatch.ownership.blocks)
        request = Texts(dispatch.new_future(), list(asked.values()), in_transaction)
        answer = await dispatch.answered(request, deadline, timeout)
        for i, data in zip(asked, answer, strict=True):
            texts[i] = data.decode("utf-8", "surrogateescape")
    return texts


def known_text(codec: Codec, oid: int, data: bytes) -> str | None:
    """The text form of a value, None if the server has to be asked."""
    try:
        return text_of_text(data) if codec.format == TEXT else TEXT_OF[oid](data)
    except (KeyError, ValueError, struct.error):
        return None


def literal(dispatch: "Dispatch", oid: int, text: str | None) -> str:
    """A value of the type `oid` as an expression of SQL."""
    schema, name = "pg_catalog", NAMES.get(oid)
    if name is None:
        info = dispatch.types.known.get(oid)
        if info is None:
            raise DataError(
                f"nothing is known of the type with OID {oid}",
                hint="cast the argument in the query to a type that it can be written as",
            )
        schema, name = info.schema, info.name
    value = "NULL" if text is None else quote_literal(text)
    kind = f"{quote_identifier(schema, 'schema of a type')}.{quote_identifier(name, 'type')}"
    return f"{value}::{kind}"
