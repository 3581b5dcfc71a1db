"""The codecs of the user on a connection: `set_type_codec` and what belongs to it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pgallop import resolving
from pgallop.catalogue import answered_oid
from pgallop.codecs._oids import OIDS
from pgallop.codecs.customization import (
    FORMATS,
    HSTORE,
    OWN_SCHEMA,
    Alias,
    Custom,
    Customs,
    Format,
    TypeCodec,
    kind_of_own,
    misfit,
    other_fields,
    own_name,
)
from pgallop.codecs.introspection import COMPOSITE, DOMAIN, TypeInfo
from pgallop.errors import InterfaceError, UnsupportedClientFeatureError

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch

TUPLES_HINT = "pass format='tuple': the functions get and return a tuple of the fields"
DOMAINS_HINT = "set the codec on the base type, which PostgreSQL reports for a column of a domain"


class TypeCodecs:
    """What a `Connection` does with codecs of its user."""

    _dispatch: "Dispatch"

    async def set_type_codec(
        self,
        typename: str,
        *,
        schema: str = "public",
        encoder: Callable[[Any], Any] | None = None,
        decoder: Callable[[Any], Any] | None = None,
        format: Format = "text",
        into: Callable[..., Any] | None = None,
    ) -> None:
        """Have values of a type written and read by two functions, or as an enum or class.

        This holds for the statements that are called from now on, wherever values of the type
        are: in arrays, composite types, ranges, domains and records, too. None is NULL and
        given to neither function. Where a codec is to hold for every connection, and without a
        round trip, pass it to `connect(codecs=...)`.

        Args:
            typename: the name of a scalar, enum or composite type.
            schema: where it is; "pg_catalog" for PostgreSQL's own types.
            encoder: makes of a value what is sent.
            decoder: makes a value of what has come.
            format: what the two exchange. "text": a str, PostgreSQL's text form of the value.
                "binary": bytes, its binary form. "tuple": a tuple, of all fields of a composite
                type; for date `(days,)`, time, timestamp and timestamptz `(microseconds,)`, timetz
                `(microseconds, seconds west of UTC)`, interval `(months, days, microseconds)`, all
                of them counted from 2000-01-01 or midnight.
            into: instead of the functions, a class: an `Enum` for an enum type, whose labels are
                the values of the members if these are all str, and their names if not; for a
                composite type a dataclass, NamedTuple, msgspec.Struct, pydantic model or any other
                that is made by keyword arguments, with the names of the fields.

        Raises:
            ValueError: there is no such type.
            InterfaceError: the type is an array or a range, or has no such format.
            UnsupportedClientFeatureError: it is a domain, or a composite type and the format is
                not "tuple".

        Example:
            >>> await conn.set_type_codec(
            ...     "json", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
            ... )

        Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Formats and Format
        Codes"; the server's send and recv functions.
        """
        custom: Custom
        if not all(each is None or callable(each) for each in (encoder, decoder, into)):
            raise InterfaceError("set_type_codec() takes functions, or a class")
        if into is None:
            if encoder is None or decoder is None:
                raise InterfaceError("set_type_codec() needs an encoder and a decoder, or into=")
            custom = TypeCodec(encoder, decoder, format)
        elif encoder is not None or decoder is not None:
            raise InterfaceError("set_type_codec() takes an encoder and a decoder, or into=")
        else:
            custom = into
        info = await self._find_type(typename, schema)
        if format not in FORMATS:
            raise InterfaceError(
                f"invalid `format` argument, expected 'text', 'binary' or 'tuple', got {format!r}"
            )
        check(custom, info)
        self._customize(lambda customs: customs.set(schema, typename, custom))

    async def set_builtin_type_codec(
        self,
        typename: str,
        *,
        schema: str = "public",
        codec_name: str,
        format: str | None = None,
    ) -> None:
        """Have values of a type written and read as those of one of PostgreSQL's own types.

        Types of extensions that pgallop knows, such as hstore, need no such call.

        Args:
            typename: the name of a scalar type whose values have the form of the other one's.
            schema: where it is.
            codec_name: the other type, such as "int4", or "pg_contrib.hstore".
            format: "text" or "binary" where the type has no other form than that.

        Raises:
            ValueError: there is no such type.
            InterfaceError: it is no scalar type, or the codec is not known.

        Example:
            >>> await conn.set_builtin_type_codec("my_int", codec_name="int4")
        """
        info = await self._find_type(typename, schema)
        if format not in (None, "text", "binary"):
            raise InterfaceError(
                f"invalid `format` argument, expected 'text' or 'binary', got {format!r}"
            )
        custom = Alias(codec_name, format)
        check(custom, info)
        if codec_name != HSTORE and own_name(OWN_SCHEMA, codec_name) not in OIDS:
            raise InterfaceError(
                f"cannot alias {typename} to {codec_name}: there is no codec for {codec_name}"
            )
        self._customize(lambda customs: customs.set(schema, typename, custom))

    async def reset_type_codec(self, typename: str, *, schema: str = "public") -> None:
        """Have values of a type written and read again as without `set_type_codec`.

        Args:
            typename: the name of a type.
            schema: where it is.

        Raises:
            ValueError: there is no such type.

        Example:
            >>> await conn.reset_type_codec("json", schema="pg_catalog")
        """
        await self._find_type(typename, schema)
        self._customize(lambda customs: customs.reset(schema, typename))

    async def reload_schema_state(self) -> None:
        """Forget what is known of types and statements: all of it is asked for again.

        Changes of types are noticed without this where values show them, or this connection or one
        that shares its `Knowledge` has made them. What does not show is a composite type whose
        fields another session has given other names.

        Example:
            >>> await conn.reload_schema_state()
        """
        self._dispatch.check_usable()
        self._dispatch.forget_schema()

    async def _find_type(self, typename: str, schema: str) -> TypeInfo:
        """What is known of a type; it is asked for unless it is one of PostgreSQL's own."""
        dispatch = self._dispatch
        dispatch.check_usable()
        name = own_name(schema, typename)
        if schema == OWN_SCHEMA and name in OIDS:
            return TypeInfo(OIDS[name], schema, name, kind_of_own(name))
        timeout, deadline = dispatch.deadline(None)
        dispatch.claim()
        try:
            await dispatch.ownership.my_turn(dispatch.ownership.mine(), deadline, timeout)
            dispatch.check_unlost()
            oid = await answered_oid(dispatch, schema, typename, deadline, timeout)
            info = None
            if oid is not None:
                await resolving.resolve(dispatch, [oid], deadline, timeout)
                info = dispatch.types.known.get(oid)
        finally:
            dispatch.release()
        if info is None:
            raise ValueError(f"unknown type: {schema}.{typename}")
        return info

    def _customize(self, change: Callable[[Customs], None]) -> None:
        """Change what is registered; statements that are under way keep their codecs."""
        registry = self._dispatch.registry
        customs = registry.customs
        if not isinstance(customs, Customs):
            customs = registry.customs = Customs()
        change(customs)
        self._dispatch.types.renew()


def check(custom: Custom, info: TypeInfo) -> None:
    """Raise unless `custom` can serve a type."""
    reason = misfit(custom, info)
    if info.kind == DOMAIN and reason:
        raise UnsupportedClientFeatureError(reason, hint=DOMAINS_HINT)
    if info.kind == COMPOSITE and isinstance(custom, TypeCodec) and reason:
        raise UnsupportedClientFeatureError(reason, hint=TUPLES_HINT)
    if not reason and info.kind == COMPOSITE and not isinstance(custom, TypeCodec):
        assert not isinstance(custom, Alias)
        reason = other_fields(custom, info)
    if reason:
        raise InterfaceError(reason)
