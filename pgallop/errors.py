"""Everything that pgallop raises, and what a server's messages become.

Two families, with asyncpg's names:

- `PostgresError`: the server refused something. One subclass per SQLSTATE, under one class per
  group of SQLSTATEs: `UniqueViolationError` is an `IntegrityConstraintViolationError`. The fields
  of the server's message are attributes (`sqlstate`, `detail`, `constraint_name`, ...), None if
  absent.
- `InterfaceError`: the program used the driver wrongly. `InternalClientError` is neither's fault:
  the server, or something between, broke the protocol.

`str(error)` shows the line of SQL with a caret under the place, where the server told it:

    syntax error at or near "FRM"
    LINE 1: SELECT * FRM users
                     ^

Three decisions:

- There is one `DataError`, SQLSTATE 22000, for values that the server refuses and for arguments
  that the driver cannot encode (asyncpg raises this class for both). It is a `ValueError` as well:
  whoever checks values need not know which side found the fault. So are all its subclasses,
  `DivisionByZeroError` included.
- Errors of connecting are `OSError`s, of the builtin kind of their cause (`ConnectionRefusedError`,
  `TimeoutError`, ...), and `ClientCannotConnectError`s too. See `cannot_connect`.
- `safe_to_retry` is True where doing the same again cannot do it twice: the server undid the whole
  transaction (a serialization failure, a deadlock: repeat the transaction, not the statement), or
  the driver knows that nothing has reached the server. False means "not known".

Errors can be pickled and copied. A copy keeps `__cause__`; a pickle keeps it if it is one of these
classes or an OSError.

Source: PostgreSQL documentation, appendix "PostgreSQL Error Codes", chapters "Error and Notice
Message Fields" and "Serialization Failure Handling".
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, NamedTuple

from pgallop import _sqlstate
from pgallop._message import (
    ExplainedError,
    FatalPostgresError,
    PostgresError,
    PostgresLogMessage,
    PostgresMessage,
    UnknownPostgresError,
    set_fields,
)
from pgallop._sqlstate import *  # noqa: F403 (all belong to this module's vocabulary)

__all__ = [
    "CannotConnectError",
    "ClientConfigurationError",
    "CollateralCancelError",
    "CommitNotReplicated",
    "ConnectDeniedError",
    "ConnectRefusedError",
    "ConnectResetError",
    "ConnectTimeoutError",
    "ConnectionBusyError",
    "FatalPostgresError",
    "GSSAuthenticationError",
    "InterfaceError",
    "InterfaceWarning",
    "InternalClientError",
    "InvalidCachedStatementError",
    "OutdatedSchemaCacheError",
    "PipelineError",
    "PoolFullError",
    "PoolTimeoutError",
    "PostgresError",
    "PostgresLogMessage",
    "PostgresMessage",
    "ProtocolError",
    "SocketNotFoundError",
    "TargetServerAttributeNotMatched",
    "TransactionAborted",
    "TransactionOutcomeUnknown",
    "UnknownPostgresError",
    "UnsupportedClientFeatureError",
    "UnsupportedServerFeatureError",
    "cannot_connect",
    "collateral_cancel",
    "from_fields",
    "not_replicated",
    "notice_from_fields",
    "pipeline_error",
]
__all__ += _sqlstate.__all__


def _move_here(*kinds: type) -> None:
    # Tracebacks, pickles and the documentation shall name the module that programs import from.
    for kind in kinds:
        kind.__module__ = __name__


_move_here(PostgresMessage, PostgresError, FatalPostgresError, UnknownPostgresError)
_move_here(PostgresLogMessage, *_sqlstate.ERRORS.values(), *_sqlstate.WARNINGS.values())


class InterfaceError(ExplainedError):
    """The driver was used in a way that cannot work.

    Arguments
        message: what is wrong, one sentence.
        detail: facts about this case, shown after the message.
        hint: what to do, shown last.
        safe_to_retry: True if nothing has reached the server.

    Example::

        raise InterfaceError("the connection is closed", hint="open a new one")
    """


class ClientConfigurationError(InterfaceError, ValueError):
    """A DSN, an option or an environment variable has a value that cannot be used."""


class ConnectionBusyError(InterfaceError, TimeoutError):
    """Another task's transaction has kept the connection for too long; nothing was sent."""


class PoolTimeoutError(InterfaceError, TimeoutError):
    """No connection of the pool became free in time; nothing was sent.

    If the pool could not connect meanwhile, why is the `__cause__`.
    """


class PoolFullError(InterfaceError):
    """As many wait for a connection of the pool already as may (`max_waiting`)."""


class UnsupportedClientFeatureError(InterfaceError):
    """The driver does not have what was asked for, or what the server demands."""


class UnsupportedServerFeatureError(InterfaceError):
    """The server does not have what was asked for."""


class InterfaceWarning(ExplainedError, UserWarning):
    """The driver was used in a way that works, and probably not as intended."""


class InternalClientError(ExplainedError):
    """The driver reached a state that it should not: a fault of the driver or of its peer."""


class ProtocolError(InternalClientError):
    """The server sent something that the protocol does not allow here; the connection is closed."""


class GSSAuthenticationError(InterfaceError, InternalClientError):
    """Kerberos has no ticket for the server, or no library, or the server has not proven itself.

    The error of the library that speaks Kerberos is the `__cause__`; the hint says what to do. It
    is an InternalClientError as well, which is what asyncpg makes of the library's errors.
    """


class TargetServerAttributeNotMatched(InternalClientError):
    """None of the servers tried is of the kind that `target_session_attrs` asks for."""


class OutdatedSchemaCacheError(InternalClientError):
    """A value does not fit the type that was known for it: the type has changed on the server.

    Arguments
        message: what does not fit.
        schema, data_type: the type's schema and name, kept as `schema_name` and `data_type_name`.
        position: the number of the attribute in a composite type, from 0.
    """

    def __init__(
        self,
        message: str = "",
        *,
        schema: str | None = None,
        data_type: str | None = None,
        position: int | None = None,
    ) -> None:
        super().__init__(message)
        self.schema_name = schema
        self.data_type_name = data_type
        self.position = position


class InvalidCachedStatementError(_sqlstate.FeatureNotSupportedError):
    """A prepared statement's result has other columns now: the schema or a setting has changed."""


class TransactionAborted(_sqlstate.InFailedSQLTransactionError):
    """COMMIT was answered by ROLLBACK: a statement had failed, so nothing was stored.

    The server reports no error in this case, so a program that caught the first error inside the
    block would go on as if its work were stored. The class is that of "this transaction has failed"
    (25P02), the error that any other statement gets in the place of COMMIT.

    Example::

        async with conn.transaction():
            try:
                await conn.execute("INSERT INTO t VALUES (1)")
            except UniqueViolationError:
                pass  # use a nested transaction() around the INSERT instead
        # TransactionAborted
    """


class TransactionOutcomeUnknown(_sqlstate.TransactionResolutionUnknownError):
    """The connection was lost behind COMMIT and before its answer: it may be stored, or not.

    Nothing but a look at the data can tell. `Pool.run_transaction` does not run it again, for it
    could be done twice. The loss is the `__cause__`.
    """


class CollateralCancelError(_sqlstate.QueryCanceledError):
    """The cancellation of another task's statement on this connection hit this one.

    A CancelRequest names a connection and not a statement, so one that comes late stops whatever
    runs by then. What is safe to repeat is run again without a word; this error is for the rest:
    its transaction was rolled back, but a statement can have had effects that an error does not
    undo (a procedure that commits, an advisory lock), so its outcome is not known. The server's
    error is the `__cause__`. Statements that nobody's cancellation may hit need a connection of
    their own.
    """


class CommitNotReplicated(PostgresError):
    """The statement is committed on this server, and perhaps not on its synchronous standby.

    Its wait for the standby was cancelled. The server then reports success and a warning, whose
    fields this error has. It must not be run again: it would be done twice.

    Source: PostgreSQL documentation, section "Synchronous Replication".
    """


class PipelineError(PostgresError):
    """A pipeline has not done all that it was to do; the error that stopped it is the `__cause__`.

    It has the fields of that error (`sqlstate`, `constraint_name`, ...), and is not of its class:
    who catches UniqueViolationError around one statement means something else than a pipeline of
    which some statements may be stored. `statements` are the pipeline's, in order, each with its
    `outcome`. `safe_to_retry` is about the whole pipeline: never if any of it may be stored.
    """

    statements: tuple[Any, ...] = ()


class CannotConnectError(_sqlstate.ClientCannotConnectError, OSError):
    """No connection to the server: its message says where to, the hint what to check.

    `errno` and `strerror` are those of the cause. See `cannot_connect`.
    """

    safe_to_retry = True

    def __reduce__(self) -> tuple[Any, ...]:
        kind, args, state = super().__reduce__()
        return kind, args, {**state, "errno": self.errno, "strerror": self.strerror}


class ConnectRefusedError(CannotConnectError, ConnectionRefusedError):
    """Nobody listens there."""


class ConnectResetError(CannotConnectError, ConnectionResetError):
    """The connection was closed from the other side before the server answered."""


class ConnectTimeoutError(CannotConnectError, TimeoutError):
    """Nobody answered in time."""


class ConnectDeniedError(CannotConnectError, PermissionError):
    """The operating system does not let this process connect there."""


class SocketNotFoundError(CannotConnectError, FileNotFoundError):
    """There is no such Unix socket."""


def from_fields(fields: Mapping[str, str], query: str | None = None) -> PostgresError:
    """Return the exception for the fields of an ErrorResponse.

    Arguments
        fields: the texts by their one-letter codes ("C" is the SQLSTATE, "M" the message, ...).
        query: the statement that was sent; `position` counts in it.

    Returns
        An instance of the SQLSTATE's class; if there is none, of its group's (`xx000`); else
        `UnknownPostgresError`. Fields with an unknown code are in `unknown_fields`.

    Example::

        raise from_fields({"S": "ERROR", "C": "22012", "M": "division by zero"})

    Source: PostgreSQL documentation, chapter "Error and Notice Message Fields".
    """
    sqlstate = fields.get("C", "")
    kind = _sqlstate.ERRORS.get(sqlstate) or _sqlstate.ERRORS.get(f"{sqlstate[:2]}000")
    # The server has one code for all that is not supported. The routine's name (in plancache.c)
    # tells this case apart; the text could not, servers translate it.
    if sqlstate == "0A000" and fields.get("R") == "RevalidateCachedQuery":
        kind = InvalidCachedStatementError
    error = (kind or UnknownPostgresError)(fields.get("M", ""))
    set_fields(error, fields)
    if query is not None:
        error.query = query
    return error


def collateral_cancel(error: PostgresError) -> CollateralCancelError:
    """Return the error for a statement that another one's cancellation has hit with `error`."""
    collateral = CollateralCancelError(
        "hit by the cancellation of another task's statement on this connection: its transaction "
        "was rolled back, effects outside of it are not known",
        hint="run it again if that can do no harm; statements that must not be hit need a "
        "connection of their own",
    )
    for name, value in vars(error).items():
        vars(collateral).setdefault(name, value)
    collateral.__cause__ = error
    return collateral


def not_replicated(fields: Mapping[str, str]) -> CommitNotReplicated:
    """Return the error for the warning (its fields) of a commit that no standby has confirmed."""
    error = CommitNotReplicated(fields.get("M", ""))
    set_fields(error, fields)
    return error


def pipeline_error(
    message: str, cause: BaseException, statements: tuple[Any, ...], safe_to_retry: bool = False
) -> PipelineError:
    """Return the error for a pipeline that `cause` has stopped, with the cause's fields."""
    error = PipelineError(message, safe_to_retry=safe_to_retry)
    error.statements = statements
    if isinstance(cause, ExplainedError):
        for name, value in vars(cause).items():
            vars(error).setdefault(name, value)
    error.__cause__ = cause
    return error


def notice_from_fields(fields: Mapping[str, str]) -> PostgresMessage:
    """Return the message for the fields of a NoticeResponse.

    Arguments
        fields: the texts by their one-letter codes ("C" is the SQLSTATE, "M" the message, ...).

    Returns
        As asyncpg does: an instance of the SQLSTATE's class, which is an error's for some warnings
        ("there is no transaction in progress" has 25P01); for other SQLSTATEs a `PostgresWarning`
        if the severity is WARNING, else a `PostgresLogMessage`.

    Example::

        log.info(notice_from_fields({"S": "NOTICE", "C": "00000", "M": "table is gone, skipping"}))
    """
    sqlstate = fields.get("C", "")
    kind: type[PostgresError | PostgresLogMessage] | None
    kind = _sqlstate.WARNINGS.get(sqlstate) or _sqlstate.ERRORS.get(sqlstate)
    if kind is None:
        # "S" may be translated; servers before 9.6 and some poolers have no "V".
        severity = fields.get("V") or fields.get("S", "")
        is_warning = severity.upper() == "WARNING"
        kind = _sqlstate.PostgresWarning if is_warning else PostgresLogMessage
    notice = kind(fields.get("M", ""))
    set_fields(notice, fields)
    return notice


class _Advice(NamedTuple):
    """What to tell about one kind of failure to connect."""

    kind: type[CannotConnectError]
    reason: str
    over_tcp: str
    over_unix: str


_UNRESOLVED = _Advice(
    CannotConnectError,
    "the host name could not be resolved",
    "Is the name spelled correctly, and does this machine's name service know it?",
    "",
)
_TOO_MANY_FILES = _Advice(
    CannotConnectError,
    "too many open files",
    "Close what is not needed, use a smaller pool, or raise the limit (ulimit -n).",
    "Close what is not needed, use a smaller pool, or raise the limit (ulimit -n).",
)
_UNREACHABLE = _Advice(
    CannotConnectError,
    "the network does not reach it",
    "Is the address right, and is the network (a VPN, a container's network) up?",
    "",
)

# By the builtin class of the cause, which is the same on every platform where error numbers differ.
_BY_TYPE: tuple[tuple[type[OSError], _Advice], ...] = (
    (
        ConnectionRefusedError,
        _Advice(
            ConnectRefusedError,
            "connection refused",
            "Is the server running there, and does it listen on this port and address "
            "(port and listen_addresses in postgresql.conf)?",
            "The socket is there but nobody listens: is the server running?",
        ),
    ),
    (
        FileNotFoundError,
        _Advice(
            SocketNotFoundError,
            "no such socket",
            "",
            "Is the server running on this machine with this port, and is this one of its "
            "unix_socket_directories?",
        ),
    ),
    (
        PermissionError,
        _Advice(
            ConnectDeniedError,
            "permission denied",
            "Does a firewall or a sandbox on this machine forbid it?",
            "May this user enter the directory and write to the socket (unix_socket_permissions)?",
        ),
    ),
    (
        TimeoutError,
        _Advice(
            ConnectTimeoutError,
            "no answer in time",
            "Is the address right, and does a firewall drop the packets? "
            "A slow server needs a longer timeout.",
            "Is the server stopped or overloaded? A slow server needs a longer timeout.",
        ),
    ),
    (
        ConnectionError,
        _Advice(
            ConnectResetError,
            "the connection was closed before the server answered",
            "Is this a PostgreSQL server, or a proxy in front of one that is down? "
            "The server's log may tell.",
            "The server's log may tell why.",
        ),
    ),
)

_BY_ERRNO: Mapping[int, _Advice] = {
    errno.ENETUNREACH: _UNREACHABLE,
    errno.EHOSTUNREACH: _UNREACHABLE,
    errno.EMFILE: _TOO_MANY_FILES,
    errno.ENFILE: _TOO_MANY_FILES,
    errno.EADDRNOTAVAIL: _Advice(
        CannotConnectError,
        "no local address or port is free for it",
        "Is the address right? Many short connections use up the local ports: use a pool.",
        "",
    ),
    errno.EAGAIN: _Advice(
        CannotConnectError,
        "the server's queue of new connections is full",
        "",
        "Too many programs connect at once: try again, or use a pool.",
    ),
}


def _advice(cause: OSError) -> _Advice | None:
    # socket.gaierror by name, for its numbers mean something else as errno, and only the transport
    # and what is above it may import socket.
    if any(kind.__name__ == "gaierror" for kind in type(cause).__mro__):
        return _UNRESOLVED
    for kind, advice in _BY_TYPE:
        if isinstance(cause, kind):
            return advice
    return _BY_ERRNO.get(cause.errno or 0)


def cannot_connect(host: str, port: int, cause: OSError) -> CannotConnectError:
    """Return the error for a server that could not be reached.

    Arguments
        host: the name or address; a directory if it begins with "/" or "@" (a Unix socket).
        port: the TCP port, or the number in the Unix socket's name.
        cause: what the operating system, the name service or a deadline (`TimeoutError`) raised.

    Returns
        A `CannotConnectError` with the cause as its `__cause__`; for a refused, reset, denied or
        timed-out connection and a missing socket, its subclass that is the same builtin error too,
        so `except ConnectionRefusedError` catches it.

    Example::

        try:
            sock.connect((host, port))
        except OSError as cause:
            raise cannot_connect(host, port, cause) from cause
    """
    is_unix = host.startswith(("/", "@"))
    advice = _advice(cause)
    kind, reason, hint = CannotConnectError, cause.strerror or str(cause) or "no reason known", ""
    if advice is not None:
        kind, reason = advice.kind, advice.reason
        hint = advice.over_unix if is_unix else advice.over_tcp
    place = f'socket "{host}/.s.PGSQL.{port}"' if is_unix else f'host "{host}", port {port}'
    error = kind(
        f"cannot connect to {place}: {reason}",
        hint=hint or "Check the host and the port, and that the server is running.",
    )
    error.errno, error.strerror = cause.errno, cause.strerror
    error.__cause__ = cause
    return error
