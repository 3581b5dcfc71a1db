"""The vocabulary of errors: what becomes of a server's messages, and what programs can rely on."""

import copy
import errno
import os
import pickle
import socket
import traceback
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgallop import _sqlstate, errors
from pgallop._message import FIELD_NAMES, ExplainedError

FIELDS = {
    "S": "ERREUR",
    "V": "ERROR",
    "C": "23505",
    "M": 'duplicate key value violates unique constraint "t_pkey"',
    "D": "Key (id)=(1) already exists.",
    "H": "Take another.",
    "P": "8",
    "p": "2",
    "q": "SELECT 1",
    "W": "SQL function",
    "s": "public",
    "t": "t",
    "c": "id",
    "d": "int4",
    "n": "t_pkey",
    "F": "nbtinsert.c",
    "L": "673",
    "R": "_bt_check_unique",
}
EXCEPTIONS = [
    kind
    for kind in (getattr(errors, name) for name in errors.__all__)
    if isinstance(kind, type) and issubclass(kind, ExplainedError)
]
# What gives back the same message as another object.
Copied = Callable[[Any], Any]
COPIES: list[Copied] = [
    copy.copy,
    copy.deepcopy,
    *(
        lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
]


def test_vocabulary_is_complete() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if getattr(value, "__module__", "") == "pgallop.errors" and not name.startswith("_")
    }
    assert defined == set(errors.__all__)
    assert len(errors.__all__) == len(defined)


class TestFromFields:
    @pytest.mark.parametrize("sqlstate", sorted(_sqlstate.ERRORS))
    def test_class_by_sqlstate(self, sqlstate: str) -> None:
        error = errors.from_fields({"S": "ERROR", "C": sqlstate, "M": "no"})
        assert type(error) is _sqlstate.ERRORS[sqlstate]
        assert error.args == ("no",)
        assert error.sqlstate == sqlstate
        assert error.pgcode == sqlstate

    def test_errors_that_are_not_the_servers_have_no_sqlstate(self) -> None:
        for error in (errors.InterfaceError("no"), errors.ProtocolError("no")):
            assert (error.sqlstate, error.pgcode) == (None, None)

    @pytest.mark.parametrize(
        ("sqlstate", "kind"),
        [
            ("23999", errors.IntegrityConstraintViolationError),
            ("40ZZZ", errors.TransactionRollbackError),
            ("XXABC", errors.InternalServerError),
            ("10999", errors.UnknownPostgresError),  # the group 10 has no generic code
            ("ZZ001", errors.UnknownPostgresError),
            ("02000", errors.UnknownPostgresError),  # RAISE EXCEPTION can use a warning's code
            ("", errors.UnknownPostgresError),
            ("4", errors.UnknownPostgresError),
        ],
    )
    def test_group_of_an_unlisted_sqlstate(
        self, sqlstate: str, kind: type[errors.PostgresError]
    ) -> None:
        error = errors.from_fields({"C": sqlstate, "M": "no"})
        assert type(error) is kind
        assert error.sqlstate == sqlstate

    def test_all_fields_are_attributes(self) -> None:
        error = errors.from_fields(FIELDS, "SELECT nope")
        assert type(error) is errors.UniqueViolationError
        for code, name in FIELD_NAMES.items():
            assert getattr(error, name) == FIELDS[code]
        assert error.as_dict() == {FIELD_NAMES[code]: text for code, text in FIELDS.items()}
        assert error.query == "SELECT nope"
        assert error.unknown_fields == {}

    def test_absent_fields_are_none(self) -> None:
        error = errors.from_fields({})
        assert type(error) is errors.UnknownPostgresError
        assert [getattr(error, name) for name in FIELD_NAMES.values() if name != "message"] == (
            [None] * 17
        )
        assert error.query is None
        assert str(error) == ""

    def test_unknown_fields_are_kept(self) -> None:
        error = errors.from_fields({"M": "no", "Z": "new", "é": "odd"})
        other = errors.from_fields({"M": "no"})
        assert error.unknown_fields == {"Z": "new", "é": "odd"}
        assert other.unknown_fields == {}
        assert errors.PostgresError.unknown_fields == {}

    def test_outdated_plan_has_its_own_class(self) -> None:
        fields = {"C": "0A000", "M": "cached plan must not change result type"}
        stale = errors.from_fields({**fields, "R": "RevalidateCachedQuery"})
        assert type(stale) is errors.InvalidCachedStatementError
        assert str(stale) == fields["M"]
        assert type(errors.from_fields(fields)) is errors.FeatureNotSupportedError

    @given(fields=st.dictionaries(st.sampled_from([*FIELD_NAMES, "Z"]), st.text(max_size=9)))
    def test_any_fields_make_an_error(self, fields: dict[str, str]) -> None:
        error = errors.from_fields(fields, fields.get("M"))
        assert str(error).startswith(fields.get("M", ""))
        assert repr(error).startswith(f"{type(error).__name__}(")


class TestNotices:
    @given(
        severity=st.sampled_from(["WARNING", "warning", "NOTICE", "LOG", "INFO", "DEBUG", ""]),
        codes=st.sampled_from(["SV", "S", "V", ""]),
        sqlstate=st.sampled_from(
            [*_sqlstate.WARNINGS, "00000", "25P01", "01XYZ", "40ABC", "ZZ000", ""]
        ),
    )
    def test_class_and_text_are_asyncpgs(self, severity: str, codes: str, sqlstate: str) -> None:
        fields = {**dict.fromkeys(codes, severity), "C": sqlstate, "M": "look"}
        ours = errors.PostgresLogMessage.new(fields)
        # asyncpg has no type information, so it is not imported by name.
        theirs = import_module("asyncpg.exceptions").PostgresLogMessage.new(fields)
        assert type(ours).__name__ == type(theirs).__name__
        assert str(ours) == str(theirs)
        assert ours.as_dict() == theirs.as_dict()

    def test_repr_tells_the_code(self) -> None:
        notice = errors.notice_from_fields({"S": "NOTICE", "C": "00000", "M": "gone", "H": "no"})
        assert repr(notice) == "PostgresLogMessage('gone', sqlstate='00000', hint='no')"

    @pytest.mark.parametrize("sqlstate", ["00000", "01000"])
    def test_cannot_be_changed(self, sqlstate: str) -> None:
        notice = errors.notice_from_fields({"C": sqlstate, "M": "look"})
        with pytest.raises(TypeError, match="cannot be changed"):
            notice.detail = "other"
        assert notice.detail is None

    @pytest.mark.parametrize("copied", COPIES)
    @pytest.mark.parametrize("sqlstate", ["00000", "01000", "02001", "25P01"])
    def test_survives_a_copy(self, sqlstate: str, copied: Copied) -> None:
        notice = errors.notice_from_fields({**FIELDS, "C": sqlstate, "Z": "new"})
        twin = copied(notice)
        assert type(twin) is type(notice)
        assert vars(twin) == vars(notice)
        assert str(twin) == str(notice)

    def test_warning_can_be_issued_and_raised(self) -> None:
        notice = errors.notice_from_fields({"V": "WARNING", "C": "01000", "M": "look"})
        assert isinstance(notice, errors.PostgresWarning)
        with pytest.raises(errors.PostgresWarning, match="look"):
            raise notice
        with pytest.warns(errors.PostgresWarning, match="look"):
            warnings.warn(notice, stacklevel=1)


class TestText:
    def test_syntax_error_has_a_caret(self) -> None:
        error = errors.from_fields(
            {
                "C": "42601",
                "M": 'syntax error at or near "FRM"',
                "P": "10",
                "D": "Not SQL.",
                "H": "Did you mean FROM?",
            },
            "SELECT * FRM users",
        )
        assert str(error).splitlines() == [
            'syntax error at or near "FRM"',
            "LINE 1: SELECT * FRM users",
            "                 ^",
            "DETAIL:  Not SQL.",
            "HINT:  Did you mean FROM?",
        ]

    def test_internal_query_comes_with_its_context(self) -> None:
        fields = {"C": "42703", "M": "no column", "p": "8", "q": "SELECT nope", "W": "f() line 1"}
        lines = ["no column", "LINE 1: SELECT nope", "               ^"]
        with_context = errors.from_fields(fields, "SELECT f()")
        assert str(with_context).splitlines() == [*lines, "CONTEXT:  f() line 1"]
        del fields["W"]
        assert str(errors.from_fields(fields, "SELECT f()")).splitlines() == lines

    def test_place_without_the_statement_is_left_out(self) -> None:
        assert str(errors.from_fields({"C": "42601", "M": "bad", "P": "1"})) == "bad"
        assert str(errors.from_fields({"C": "42601", "M": "bad"}, "SELECT")) == "bad"
        assert str(errors.from_fields({"C": "42601", "M": "bad", "p": "1"}, "SELECT")) == "bad"

    @pytest.mark.parametrize("kind", EXCEPTIONS)
    def test_detail_and_hint_follow(self, kind: type[ExplainedError]) -> None:
        error = kind("wrong")
        assert str(error) == "wrong"
        error.detail = "why"
        error.hint = "do this"
        assert str(error) == "wrong\nDETAIL:  why\nHINT:  do this"
        assert "detail='why', hint='do this'" in repr(error)

    def test_keywords(self) -> None:
        error = errors.InterfaceError("wrong", detail="why", hint="do this")
        assert (error.message, error.detail, error.hint) == ("wrong", "why", "do this")
        assert error.args == ("wrong",)
        assert repr(error) == "InterfaceError('wrong', detail='why', hint='do this')"

    @pytest.mark.parametrize("kind", EXCEPTIONS)
    def test_another_message(self, kind: type[ExplainedError]) -> None:
        error = kind("wrong")
        error.detail = "why"
        twin = error.with_msg("very wrong")
        assert type(twin) is kind
        assert (twin.args, str(twin)) == (("very wrong",), "very wrong\nDETAIL:  why")
        assert (error.args, str(error)) == (("wrong",), "wrong\nDETAIL:  why")

    def test_another_message_with_the_same_traceback(self) -> None:
        with pytest.raises(errors.InterfaceError) as caught:
            raise errors.InterfaceError("wrong")
        assert caught.value.with_msg("very wrong").__traceback__ is caught.value.__traceback__

    def test_another_message_with_notes_of_its_own(self) -> None:
        error = errors.InterfaceError("wrong")
        error.add_note("in step 1")
        twin = error.with_msg("very wrong")
        twin.add_note("in step 2")
        assert (error.__notes__, twin.__notes__) == (["in step 1"], ["in step 1", "in step 2"])

    def test_by_asyncpgs_name(self) -> None:
        error = errors.PostgresError.new({**FIELDS, "C": "22012"}, "SELECT 1/0")
        assert type(error) is errors.DivisionByZeroError
        assert vars(error) == vars(errors.from_fields({**FIELDS, "C": "22012"}, "SELECT 1/0"))

    def test_repr_of_a_servers_error(self) -> None:
        error = errors.from_fields({"C": "23505", "M": "twice", "n": "t_pkey", "L": "1", "t": "t"})
        assert repr(error) == (
            "UniqueViolationError('twice', sqlstate='23505', table_name='t',"
            " constraint_name='t_pkey')"
        )

    def test_traceback_names_the_public_module(self) -> None:
        error = errors.UniqueViolationError("twice")
        assert traceback.format_exception_only(error) == [
            "pgallop.errors.UniqueViolationError: twice\n"
        ]

    def test_no_message(self) -> None:
        assert str(errors.DataError()) == ""
        assert errors.DataError().args == ("",)


class TestSafeToRetry:
    def test_true_for_undone_transactions(self) -> None:
        safe = {code for code in _sqlstate.ERRORS if errors.from_fields({"C": code}).safe_to_retry}
        assert safe == {"40001", "40P01"}
        assert errors.SerializationError().safe_to_retry is True

    @pytest.mark.parametrize(
        "kind", [errors.ConnectionDoesNotExistError, errors.InterfaceError, errors.ProtocolError]
    )
    def test_true_where_said(self, kind: type[ExplainedError]) -> None:
        assert kind("lost").safe_to_retry is False
        assert kind("lost", safe_to_retry=True).safe_to_retry is True
        assert kind("lost").safe_to_retry is False

    def test_false_where_said(self) -> None:
        assert errors.DeadlockDetectedError("no", safe_to_retry=False).safe_to_retry is False


class TestFamilies:
    def test_data_error_is_caught_on_both_ways(self) -> None:
        for caught in (errors.DataError, errors.PostgresError, ValueError):
            with pytest.raises(caught):
                raise errors.DataError("$1: an int is expected, not str")
            with pytest.raises(caught):
                raise errors.from_fields({"C": "22012", "M": "division by zero"})
        assert errors.DataError().sqlstate == "22000"

    def test_configuration_error_is_a_value_error(self) -> None:
        assert issubclass(errors.ClientConfigurationError, ValueError)

    def test_aborted_transaction(self) -> None:
        error = errors.TransactionAborted("COMMIT was answered by ROLLBACK")
        assert isinstance(error, errors.InFailedSQLTransactionError)
        assert error.sqlstate == "25P02"
        assert not error.safe_to_retry

    def test_outdated_schema(self) -> None:
        error = errors.OutdatedSchemaCacheError("odd", schema="s", data_type="t", position=0)
        assert (error.schema_name, error.data_type_name, error.position) == ("s", "t", 0)


class TestCopies:
    @pytest.mark.parametrize("kind", EXCEPTIONS)
    def test_every_class(self, kind: type[ExplainedError]) -> None:
        error = kind("wrong")
        error.detail = "why"
        error.safe_to_retry = True
        error.add_note("seen")
        for copied in COPIES:
            twin = copied(error)
            assert type(twin) is kind
            assert twin.args == error.args
            assert vars(twin) == vars(error)
            assert str(twin) == str(error)

    @pytest.mark.parametrize("copied", COPIES)
    def test_all_fields(self, copied: Copied) -> None:
        error = errors.from_fields({**FIELDS, "Z": "new"}, "SELECT nope")
        twin = copied(error)
        assert vars(twin) == vars(error)
        assert str(twin) == str(error)
        assert "LINE 1" in str(twin)

    @pytest.mark.parametrize("copied", COPIES)
    def test_cause_is_kept(self, copied: Copied) -> None:
        error = errors.InFailedSQLTransactionError("aborted")
        error.__cause__ = errors.UniqueViolationError("first")
        error.__cause__.__cause__ = OSError(5, "io")
        twin = copied(error)
        assert isinstance(twin.__cause__, errors.UniqueViolationError)
        assert isinstance(twin.__cause__.__cause__, OSError)
        assert twin.__suppress_context__

    def test_foreign_cause_is_kept_by_copy_and_cannot_spoil_a_pickle(self) -> None:
        class Unpicklable(Exception):
            def __reduce__(self) -> str:
                raise TypeError("no")

        error = errors.InterfaceError("wrong")
        error.__cause__ = Unpicklable()
        assert copy.copy(error).__cause__ is error.__cause__
        assert pickle.loads(pickle.dumps(error)).__cause__ is None

    def test_copy_does_not_share_its_traceback(self) -> None:
        with pytest.raises(errors.DataError) as caught:
            raise errors.DataError("once")
        assert copy.copy(caught.value).__traceback__ is None


def refused() -> OSError:
    """What the operating system says of a port where nobody listens."""
    with socket.socket() as reserved, socket.socket() as client:
        reserved.bind(("127.0.0.1", 0))
        try:
            client.connect(reserved.getsockname())
        except OSError as cause:
            return cause
    raise AssertionError("somebody listens on a port that was just reserved")


def missing_socket() -> OSError:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect("/nonexistent/.s.PGSQL.5432")
        except OSError as cause:
            return cause
    raise AssertionError("there is a socket in a directory that does not exist")


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


DIRECTORY = "/run/postgresql"


class TestCannotConnect:
    @pytest.mark.parametrize(
        ("host", "cause", "kind", "says"),
        [
            ("db", refused(), errors.ConnectRefusedError, "listen_addresses"),
            (DIRECTORY, missing_socket(), errors.SocketNotFoundError, "unix_socket_directories"),
            (DIRECTORY, os_error(errno.ECONNREFUSED), errors.ConnectRefusedError, "nobody"),
            (DIRECTORY, os_error(errno.EACCES), errors.ConnectDeniedError, "permissions"),
            ("db", os_error(errno.EPERM), errors.ConnectDeniedError, "firewall"),
            ("db", os_error(errno.ETIMEDOUT), errors.ConnectTimeoutError, "firewall"),
            ("db", TimeoutError(), errors.ConnectTimeoutError, "longer timeout"),
            ("@abstract", TimeoutError(), errors.ConnectTimeoutError, "overloaded"),
            ("db", os_error(errno.ECONNRESET), errors.ConnectResetError, "closed before"),
            (DIRECTORY, os_error(errno.EPIPE), errors.ConnectResetError, "log"),
            ("db", os_error(errno.ENETUNREACH), errors.CannotConnectError, "network"),
            ("db", os_error(errno.EHOSTUNREACH), errors.CannotConnectError, "network"),
            ("db", os_error(errno.EADDRNOTAVAIL), errors.CannotConnectError, "local"),
            ("db", os_error(errno.EMFILE), errors.CannotConnectError, "ulimit"),
            (DIRECTORY, os_error(errno.ENFILE), errors.CannotConnectError, "ulimit"),
            (DIRECTORY, os_error(errno.EAGAIN), errors.CannotConnectError, "queue"),
            ("db", socket.gaierror(-2, "Name unknown"), errors.CannotConnectError, "spelled"),
            ("db", os_error(errno.EAFNOSUPPORT), errors.CannotConnectError, "family"),
            ("db", OSError("AF_UNIX path too long"), errors.CannotConnectError, "path too long"),
            ("db", OSError(), errors.CannotConnectError, "no reason known"),
            ("db", FileNotFoundError(), errors.SocketNotFoundError, "Check the host"),
        ],
    )
    def test_says_where_and_what_to_check(
        self, host: str, cause: OSError, kind: type[errors.CannotConnectError], says: str
    ) -> None:
        error = errors.cannot_connect(host, 5433, cause)
        assert type(error) is kind
        text = str(error)
        where = f'"{host}", port 5433' if host == "db" else f'"{host}/.s.PGSQL.5433"'
        assert where in text
        assert says in text
        assert "HINT:  " in text
        assert error.__cause__ is cause
        assert (error.errno, error.strerror) == (cause.errno, cause.strerror)
        assert error.sqlstate == "08001"
        assert error.safe_to_retry

    @pytest.mark.parametrize(
        ("cause", "builtin"),
        [
            (ConnectionRefusedError(), ConnectionRefusedError),
            (ConnectionResetError(), ConnectionResetError),
            (PermissionError(), PermissionError),
            (FileNotFoundError(), FileNotFoundError),
            (TimeoutError(), TimeoutError),
            (OSError(), OSError),
        ],
    )
    def test_is_caught_by_every_family(self, cause: OSError, builtin: type[OSError]) -> None:
        families = (
            *(errors.CannotConnectError, errors.ClientCannotConnectError),
            *(errors.PostgresConnectionError, errors.PostgresError, OSError, builtin),
        )
        for family in families:
            with pytest.raises(family):
                raise errors.cannot_connect("db", 5432, cause) from cause

    @pytest.mark.parametrize("copied", COPIES)
    def test_survives_a_copy(self, copied: Copied) -> None:
        error = errors.cannot_connect("db", 5432, os_error(errno.ECONNREFUSED))
        twin = copied(error)
        assert isinstance(twin, errors.ConnectRefusedError)
        assert str(twin) == str(error)
        assert (twin.errno, twin.strerror) == (error.errno, error.strerror)
        assert isinstance(twin.__cause__, ConnectionRefusedError)
