"""Connection strings, against a table, against libpq's own parser, and against nonsense."""

import doctest
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

import pgallop.config.dsn
import pgallop.config.hosts
import pgallop.config.options
import pgallop.config.parameters
from pgallop.config import parse_dsn, resolve
from pgallop.config.parameters import PARAMETERS
from pgallop.errors import ClientConfigurationError, UnsupportedClientFeatureError

# What libpq takes and we refuse on purpose (pgallop/config/dsn.py says why), and the reverse.
OUR_REFUSALS = ('has no "@"', 'before the "@"', "not UTF-8")
LIBPQ_REFUSALS = ("extra key/value separator",)


def by_libpq(dsn: str) -> Mapping[str, Any] | str:
    """Return what libpq's parser says: the parameters, or its message."""
    try:
        return conninfo_to_dict(dsn)
    except (psycopg.ProgrammingError, UnicodeDecodeError) as error:
        return str(error)


def as_strings(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in parameters.items()}


def agrees_with_libpq(dsn: str) -> None:
    expected = by_libpq(dsn)
    result: dict[str, str] | str
    try:
        result = parse_dsn(dsn)
    except ClientConfigurationError as error:
        result = str(error)
    if isinstance(result, str):
        refused = any(reason in result for reason in OUR_REFUSALS)
        assert refused or isinstance(expected, str), (dsn, expected, result)
    elif isinstance(expected, str):
        assert any(reason in expected for reason in LIBPQ_REFUSALS), (dsn, expected, result)
    else:
        assert result == as_strings(expected)


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://", {}),
        ("postgres://", {}),
        ("postgresql:///", {}),
        ("postgresql://?", {}),
        ("postgresql://@", {}),
        ("postgresql://:@:/?", {}),
        ("postgresql://localhost", {"host": "localhost"}),
        ("postgresql://localhost:5433", {"host": "localhost", "port": "5433"}),
        ("postgresql://localhost:/", {"host": "localhost"}),
        ("postgresql://:5433", {"port": "5433"}),
        ("postgresql:///shop", {"dbname": "shop"}),
        ("postgresql:///a/b", {"dbname": "a/b"}),
        ("postgresql://ada@", {"user": "ada"}),
        ("postgresql://ada:@h", {"user": "ada", "host": "h"}),
        ("postgresql://:pw@h", {"password": "pw", "host": "h"}),
        ("postgresql://ada:p:w@h", {"user": "ada", "password": "p:w", "host": "h"}),
        ("postgresql://ada:p#w@h", {"user": "ada", "password": "p#w", "host": "h"}),
        ("postgres://a%20b:p%40%2Fw@h", {"user": "a b", "password": "p@/w", "host": "h"}),
        ("postgres:///d%3Fb%2fc", {"dbname": "d?b/c"}),
        ("postgresql://%C3%A9t%C3%A9:p@h", {"user": "été", "password": "p", "host": "h"}),
        ("postgresql://été@h", {"user": "été", "host": "h"}),
        ("postgresql://[::1]", {"host": "::1"}),
        ("postgresql://[2001:db8::1]:5433", {"host": "2001:db8::1", "port": "5433"}),
        ("postgresql://[fe80::1%25eth0]/", {"host": "fe80::1%eth0"}),
        ("postgresql://h1:1,h2:2/d", {"host": "h1,h2", "port": "1,2", "dbname": "d"}),
        ("postgresql://h1,h2/d", {"host": "h1,h2", "port": ",", "dbname": "d"}),
        ("postgresql://h1:1,[::1],h3:3", {"host": "h1,::1,h3", "port": "1,,3"}),
        ("postgresql://h1,", {"host": "h1,", "port": ","}),
        ("postgresql://%2Fvar%2Frun:5433", {"host": "/var/run", "port": "5433"}),
        ("postgresql://%40abstract/d", {"host": "@abstract", "dbname": "d"}),
        ("postgresql:///d?host=/tmp", {"dbname": "d", "host": "/tmp"}),
        ("postgresql://h?sslmode=require", {"host": "h", "sslmode": "require"}),
        ("postgresql://h?ssl=true", {"host": "h", "sslmode": "require"}),
        ("postgresql://h/d?user=ada&user=bob", {"host": "h", "dbname": "d", "user": "bob"}),
        ("postgresql://h1/d?host=h2", {"host": "h2", "dbname": "d"}),
        ("postgresql://h?user=&password=", {"host": "h", "user": "", "password": ""}),
        ("postgresql://h?user=ada&", {"host": "h", "user": "ada"}),
        ("postgresql://h?application_name=a+b%20c", {"host": "h", "application_name": "a+b c"}),
        ("postgresql://h/d?us%65r=ada", {"host": "h", "dbname": "d", "user": "ada"}),
        ("postgresql://h/d#x", {"host": "h", "dbname": "d#x"}),
        ("", {}),
        (" \t\n", {}),
        ("host=h", {"host": "h"}),
        ("  host = h \n port\t=\t5433 ", {"host": "h", "port": "5433"}),
        ("host='h' user=''", {"host": "h", "user": ""}),
        ("password='two words'", {"password": "two words"}),
        (r"password='it\'s \\ it'", {"password": r"it's \ it"}),
        (r"password=a\ b\'c\\d", {"password": r"a b'c\d"}),
        ("password=a'b", {"password": "a'b"}),
        ("password=x\\", {"password": "x"}),
        ("host='a'user=b", {"host": "a", "user": "b"}),
        ("options=-csearch_path=x", {"options": "-csearch_path=x"}),
        ("user=a user=b", {"user": "b"}),
        ("user= dbname=x", {"user": "dbname=x"}),
        ("password=", {"password": ""}),
        ("host=a\xa0b", {"host": "a\xa0b"}),
    ],
)  # fmt: skip
def test_means_what_libpq_says(dsn: str, expected: dict[str, str]) -> None:
    assert parse_dsn(dsn) == expected
    assert as_strings(conninfo_to_dict(dsn)) == expected


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("POSTGRESQL://h/d", {"host": "h", "dbname": "d"}),
        ("postgresql://h?options=-cgeqo=off", {"host": "h", "options": "-cgeqo=off"}),
        ("postgresql://h?password=a=b==", {"host": "h", "password": "a=b=="}),
        ("postgresql://h?database=d", {"host": "h", "dbname": "d"}),
        ("host=h database=d", {"host": "h", "dbname": "d"}),
    ],
)
def test_takes_what_libpq_does_not(dsn: str, expected: dict[str, str]) -> None:
    assert parse_dsn(dsn) == expected
    assert isinstance(by_libpq(dsn), str)


@pytest.mark.parametrize(
    ("dsn", "position", "reason"),
    [
        ("mysql://h", 1, "postgresql:// or postgres://"),
        ("postgresql+asyncpg://h", 1, "no +driver"),
        ("postgresql://[::1", 14, "[address]"),
        ("postgresql://[]", 14, "[address]"),
        ("postgresql://h1,[::1]x", 17, "[address]"),
        ("postgresql://a%2", 15, "two hexadecimal digits"),
        ("postgresql://u:%zz@h", 16, "%25"),
        ("postgresql://u:a%00@h", 17, "NUL"),
        ("postgresql://u:%ff@h", 16, "not UTF-8"),
        ("postgresql://a b", 15, "%20"),
        ("postgresql://h/ a b", 18, "%20"),
        ("postgresql://u:p@x@h", 19, "%40"),
        ("postgresql://u:p@h:5@4", 21, "%40"),
        ("postgresql://h?user=a@b", 15, "two readings"),
        ("postgresql://h?user", 16, "key=value"),
        ("postgresql://h?user=a&&port=1", 23, "key=value"),
        ("postgresql://h?=x", 16, "unknown connection parameter"),
        ("localhost", 1, 'no "="'),
        ("host=h user ada", 8, 'no "="'),
        ("=x", 1, "unknown connection parameter"),
        ("host='h", 6, "no closing single quote"),
        ("host='h\\", 6, "no closing single quote"),
    ],
)
def test_says_where_a_malformed_string_is_wrong(dsn: str, position: int, reason: str) -> None:
    with pytest.raises(ClientConfigurationError) as caught:
        parse_dsn(dsn)
    assert f"at character {position}:" in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("dsn", ["host=a\0b", "postgresql://\0", "host=\ud800", "\udfff"])
def test_refuses_what_cannot_be_sent(dsn: str) -> None:
    with pytest.raises(ClientConfigurationError, match=r"dsn: .* without NUL"):
        parse_dsn(dsn)


@pytest.mark.parametrize("dsn", [b"host=h", 5, ["host=h"], object()])
def test_refuses_other_types(dsn: Any) -> None:
    with pytest.raises(ClientConfigurationError, match="dsn: expected a str, got an object of"):
        parse_dsn(dsn)


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("postgresql://h?slmode=require", ['"slmode"', 'did you mean "sslmode"?']),
        ("host=h aplication_name=x", ['"aplication_name"', 'did you mean "application_name"?']),
        ("host=h Host=h", ['"Host"', 'did you mean "host"?']),
        (
            "postgresql://u:p@h/d?search_path=x",
            ['"search_path"', 'server_settings={"search_path": ...}', "options=-csearch_path=..."],
        ),
    ],
)
def test_an_unknown_parameter_is_told_where_it_belongs(dsn: str, words: list[str]) -> None:
    with pytest.raises(ClientConfigurationError, match="unknown connection parameter") as caught:
        parse_dsn(dsn)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    "dsn",
    [
        "password=my secret=word host=h",
        "host=h sslpassword=my secret=word",
        "postgresql://h?password=my&secret=word",
        "postgresql://u:1/my?secret=word@h",
    ],
)
def test_what_may_be_a_piece_of_a_password_is_not_quoted(dsn: str) -> None:
    with pytest.raises(ClientConfigurationError, match="unknown connection parameter") as caught:
        parse_dsn(dsn)
    assert "secret" not in str(caught.value)


def test_knows_the_parameters_and_variables_of_libpq() -> None:
    theirs = {
        option.keyword.decode(): option.envvar.decode() if option.envvar else None
        for option in Conninfo.get_defaults()
    }
    assert {name: each.variable for name, each in PARAMETERS.items()} == theirs


def test_what_libpq_hides_is_secret() -> None:
    hidden = {
        option.keyword.decode() for option in Conninfo.get_defaults() if option.dispchar == b"*"
    }
    # libpq shows the SCRAM keys ("D" is for debugging), which let their holder log in.
    keys = {"scram_client_key", "scram_server_key"}
    assert {name for name, each in PARAMETERS.items() if each.secret} == hidden | keys


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0,"), min_size=1)
ports = st.integers(1, 65535).map(str)
keywords = st.sampled_from(sorted(set(PARAMETERS) - {"host", "port"}))


@given(
    user=texts,
    password=texts,
    servers=st.lists(st.tuples(names, ports), min_size=1, max_size=4),
    dbname=texts,
    parameters=st.dictionaries(keywords, texts),
)
def test_an_encoded_uri_gives_back_its_parts(
    user: str,
    password: str,
    servers: list[tuple[str, str]],
    dbname: str,
    parameters: dict[str, str],
) -> None:
    def encode(text: str) -> str:
        return quote(text, safe="")

    authority = ",".join(f"{encode(name)}:{port}" for name, port in servers)
    query = "&".join(f"{encode(name)}={encode(value)}" for name, value in parameters.items())
    uri = f"postgresql://{encode(user)}:{encode(password)}@{authority}/{encode(dbname)}?{query}"
    expected = {
        "user": user,
        "password": password,
        "host": ",".join(name for name, _ in servers),
        "port": ",".join(port for _, port in servers),
        "dbname": dbname,
    }
    given_parts = {name: value for name, value in expected.items() if value}
    assert parse_dsn(uri) == given_parts | parameters
    agrees_with_libpq(uri)


@given(st.dictionaries(keywords, texts))
def test_quoted_pairs_give_back_their_values(parameters: dict[str, str]) -> None:
    dsn = make_conninfo("", **parameters)
    assert parse_dsn(dsn) == parameters == as_strings(conninfo_to_dict(dsn))


uri_pieces = st.lists(
    st.sampled_from(
        [
            *":/?#[]@,&=% \t\n'\\+",
            *["user", "h", "::1", "[::1]", "5432", "é", "%41", "%2C", "%c3%a9", "%00", "%ff"],
            *["host=", "port=", "password=", "&dbname=", "ssl=true", "sslmode", "bogus=", "&&"],
        ]
    )
).map("".join)  # fmt: skip
pair_pieces = st.lists(
    st.sampled_from(
        [
            *" \t\n\r\f\v'\\=\x85\xa0",
            *["host", "port", "user=", "password", " dbname=", "bogus", "a", "é", "\\'", "'x'"],
        ]
    )
).map("".join)


@given(st.sampled_from(["postgresql://", "postgres://"]), uri_pieces)
@example("postgresql://", "h?user=a@b")
def test_any_uri_is_read_as_libpq_reads_it(scheme: str, rest: str) -> None:
    agrees_with_libpq(scheme + rest)


@given(pair_pieces)
def test_any_pairs_are_read_as_libpq_reads_them(dsn: str) -> None:
    agrees_with_libpq(dsn)


@given(st.one_of(st.text(), uri_pieces.map("postgresql://{}".format), pair_pieces))
def test_arbitrary_text_raises_nothing_else(dsn: str) -> None:
    try:
        result = parse_dsn(dsn)
    except ClientConfigurationError:
        return
    assert set(result) <= set(PARAMETERS)


# Capital letters that stand in no message of ours: one of them shown is a leak.
leaky = st.text("QXZ@:/?#&=%[] ,'\\\0\ud800", min_size=1, max_size=12)


@given(
    st.sampled_from(
        [
            "postgresql://ada:{}@h:5432/shop",
            "postgresql://ada:{}@h:bad/shop?nonsense=1",
            "postgresql://:{}@[::1/shop",
            "postgresql://ada:{}",
            "postgresql://h/shop?password={}",
            "postgresql://h/shop?user=ada&password={}&port=x&nonsense=1",
            "postgresql+asyncpg://ada:{}@h/shop",
            "password={} host=h",
            "host=h password={} port=x",
            "host=h password='{}' nonsense=1",
            "host=h password = {}",
            "sslpassword={} host=h port=1,2",
        ]
    ),
    leaky,
)
def test_no_error_shows_the_password(template: str, password: str) -> None:
    try:
        resolve(template.format(password), environ={}, default_user=lambda: "me")
    except (ClientConfigurationError, UnsupportedClientFeatureError) as error:
        cause: BaseException | None = error
        while cause is not None:
            assert re.search("[QXZ]", f"{cause} {cause!r} {cause.args}") is None
            cause = cause.__cause__ or cause.__context__


@pytest.mark.parametrize(
    "module",
    [
        pgallop.config.dsn,
        pgallop.config.hosts,
        pgallop.config.options,
        pgallop.config.parameters,
    ],
)
def test_the_examples_in_the_documentation_run(module: Any) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
