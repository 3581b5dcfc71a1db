"""What a PostgreSQL server says, and the two families of objects that carry it.

This is the part of `pgallop.errors` that the generated classes in `_sqlstate.py` stand on; programs
use the names from `pgallop.errors`.

Source: PostgreSQL documentation, chapter "Error and Notice Message Fields".
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from types import MappingProxyType
from typing import Any, NoReturn, Self

from pgallop._excerpt import excerpt

# The one-letter codes of ErrorResponse and NoticeResponse, and the attributes that carry them.
FIELD_NAMES: Mapping[str, str] = {
    "S": "severity",
    "V": "severity_en",
    "C": "sqlstate",
    "M": "message",
    "D": "detail",
    "H": "hint",
    "P": "position",
    "p": "internal_position",
    "q": "internal_query",
    "W": "context",
    "s": "schema_name",
    "t": "table_name",
    "c": "column_name",
    "d": "data_type_name",
    "n": "constraint_name",
    "F": "server_source_filename",
    "L": "server_source_line",
    "R": "server_source_function",
}

_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


def _describe(message: object, text: str | None, names: tuple[str, ...]) -> str:
    """The `repr` of a message: class, text, and those of the named attributes that are set."""
    parts = [repr(text)]
    for name in names:
        value = getattr(message, name)
        if value:
            parts.append(f"{name}={value!r}")
    return f"{type(message).__name__}({', '.join(parts)})"


class PostgresMessage:
    """What ErrorResponse and NoticeResponse have in common: the fields, None where absent."""

    severity: str | None = None
    severity_en: str | None = None
    sqlstate: str | None = None
    message: str | None = None
    detail: str | None = None
    hint: str | None = None
    position: str | None = None
    internal_position: str | None = None
    internal_query: str | None = None
    context: str | None = None
    schema_name: str | None = None
    table_name: str | None = None
    column_name: str | None = None
    data_type_name: str | None = None
    constraint_name: str | None = None
    server_source_filename: str | None = None
    server_source_line: str | None = None
    server_source_function: str | None = None

    #: The statement that `position` counts in, where the driver knows it.
    query: str | None = None
    #: Fields whose code this version does not know, by code: newer servers may send more.
    unknown_fields: Mapping[str, str] = _NO_FIELDS

    _shown_in_repr = (
        "sqlstate",
        "detail",
        "hint",
        "position",
        "schema_name",
        "table_name",
        "column_name",
        "data_type_name",
        "constraint_name",
    )

    def as_dict(self) -> dict[str, str]:
        """Return the fields that the server sent, by attribute name.

        Returns
            A new dictionary of at most 18 entries; absent fields have none.

        Example::

            log.warning("statement failed", extra={"postgres": error.as_dict()})
        """
        values = ((name, getattr(self, name)) for name in FIELD_NAMES.values())
        return {name: value for name, value in values if value is not None}

    def __repr__(self) -> str:
        return _describe(self, self.message, self._shown_in_repr)


def set_fields(message: PostgresMessage, fields: Mapping[str, str]) -> None:
    """Set a message's attributes from its fields by their codes, past `__setattr__`."""
    attributes = message.__dict__
    for code, value in fields.items():
        name = FIELD_NAMES.get(code)
        if name is not None:
            attributes[name] = value
        else:
            attributes.setdefault("unknown_fields", {})[code] = value


class ExplainedError(Exception):
    """An exception with a message, and where known a detail, a hint, a word about retrying."""

    message: str | None = None
    detail: str | None = None
    hint: str | None = None
    #: The server's code for it; None where it is no error of the server's.
    sqlstate: str | None = None
    #: True only where doing the same again cannot do it twice; see `pgallop.errors`.
    safe_to_retry: bool = False

    def __init__(
        self,
        message: str = "",
        *,
        detail: str | None = None,
        hint: str | None = None,
        safe_to_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if detail is not None:
            self.detail = detail
        if hint is not None:
            self.hint = hint
        if safe_to_retry is not None:
            self.safe_to_retry = safe_to_retry

    @property
    def pgcode(self) -> str | None:
        """`sqlstate` by the name that it has in psycopg, and in SQLAlchemy's dialects."""
        return self.sqlstate

    def with_msg(self, msg: str) -> Self:
        """Return the same error with another message, and with this one's traceback.

        Example::

            raise error.with_msg(f"in step {step}: {error.message}") from error
        """
        twin = copy(self)
        twin.args = (msg,)
        twin.message = msg
        return twin.with_traceback(self.__traceback__)

    def __str__(self) -> str:
        lines = [self.message or "", *self._excerpt()]
        if self.detail:
            lines.append(f"DETAIL:  {self.detail}")
        if self.hint:
            lines.append(f"HINT:  {self.hint}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return _describe(self, self.message, ("detail", "hint"))

    def _excerpt(self) -> list[str]:
        """The lines between the message and its detail."""
        return []

    def __reduce__(self) -> tuple[Any, ...]:
        state = dict(self.__dict__)
        # Python leaves the cause out of a pickle. It travels here where it is known to survive the
        # trip: another class may refuse to be rebuilt, and would then take this error with it.
        if isinstance(self.__cause__, ExplainedError | OSError):
            state["__cause__"] = self.__cause__
        return type(self), self.args, state

    def __copy__(self) -> Self:
        rebuild, args, state = self.__reduce__()
        twin: Self = rebuild(*args)
        twin.__setstate__(state)
        if hasattr(twin, "__notes__"):
            twin.__notes__ = list(twin.__notes__)
        if self.__cause__ is not None:
            twin.__cause__ = self.__cause__
        return twin


class PostgresError(PostgresMessage, ExplainedError):
    """An error that the server reported; its subclasses are named after the SQLSTATE codes."""

    @classmethod
    def new(cls, fields: Mapping[str, str], query: str | None = None) -> PostgresError:
        """Return the error for the fields of an ErrorResponse, of its SQLSTATE's class.

        The same as `pgallop.errors.from_fields`, by the name that it has in asyncpg.

        Example::

            raise PostgresError.new({"C": "22012", "M": "division by zero"})
        """
        from pgallop.errors import from_fields  # its classes are made from this one

        return from_fields(fields, query)

    def _excerpt(self) -> list[str]:
        if self.query is not None and self.position is not None:
            return excerpt(self.query, self.position)
        if self.internal_query is not None and self.internal_position is not None:
            lines = excerpt(self.internal_query, self.internal_position)
            # This SQL is not in the statement that was sent: the context tells whose it is.
            return [*lines, f"CONTEXT:  {self.context}"] if self.context else lines
        return []


class FatalPostgresError(PostgresError):
    """An error after which the connection cannot be used."""


class UnknownPostgresError(FatalPostgresError):
    """An error whose SQLSTATE belongs to no class that this version knows."""


class PostgresLogMessage(PostgresMessage):
    """A message that is no error (NOTICE, LOG, INFO, DEBUG); it cannot be changed.

    One instance is given to every log listener of a connection, hence the protection.
    """

    @classmethod
    def new(cls, fields: Mapping[str, str], query: str | None = None) -> PostgresMessage:
        """Return the message for the fields of a NoticeResponse.

        The same as `pgallop.errors.notice_from_fields`, by the name that it has in asyncpg.
        """
        from pgallop.errors import notice_from_fields

        return notice_from_fields(fields)

    def __init__(self, message: str = "") -> None:
        self.__dict__["message"] = message

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self.message}"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be changed: setting {name!r} is refused")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_log_message, (type(self), self.message, dict(self.__dict__))


def _rebuild_log_message(
    kind: type[PostgresLogMessage], message: str, attributes: dict[str, Any]
) -> PostgresLogMessage:
    rebuilt = kind(message)
    rebuilt.__dict__.update(attributes)
    return rebuilt
