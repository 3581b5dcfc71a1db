"""The SQL of COPY: what a program passes stays where it belongs."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pgallop.errors import InterfaceError, PostgresSyntaxError
from pgallop.sql import copying
from pgallop.sql.copying import CopyOptions
from pgallop.sql.lexer import Kind, tokenize

PIECES = st.sampled_from(
    ["(", ")", ";", "'", '"', "\\", "--", "\n", "/*", "*/", "$$", "$a$", "E'", "U&'", "a", " ", "1"]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("users",), '"users"'),
        (("users", "public"), '"public"."users"'),
        (("users", ""), '"users"'),
        (("users", None, ["id", 'a"b']), '"users" ("id", "a""b")'),
        (("users", None, ()), '"users"'),
        (('a"; DROP TABLE b', "s", iter(["c"])), '"s"."a""; DROP TABLE b" ("c")'),
    ],
)
def test_table(arguments: tuple[Any, ...], text: str) -> None:
    assert copying.table(*arguments) == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5,), "the table's name has to be a str, not int"),
        (("",), "the table's name is empty"),
        (("a\0b",), "has a NUL in it"),
        (("t" * 64,), "64 bytes in UTF-8, PostgreSQL keeps 63"),
        (("users", 5), "the name of the schema has to be a str, not int"),
        (("users", None, "id"), "columns: expected names of columns, got 'id'"),
        (("users", None, 5), "columns: expected names of columns, got 5"),
        (("users", None, ["id", None]), "the name of a column has to be a str, not NoneType"),
    ],
)
def test_names_that_cannot_be(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InterfaceError, match=message):
        copying.table(*arguments)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, ""),
        ({"format": "csv"}, " (FORMAT 'csv')"),
        ({"header": True, "oids": False}, " (OIDS false, HEADER true)"),
        ({"header": "match"}, " (HEADER 'match')"),
        ({"header": 2}, " (HEADER 2)"),
        ({"delimiter": "\t", "null": "it's"}, " (DELIMITER '\t', NULL 'it''s')"),
        ({"escape": "\\", "quote": "'"}, " (QUOTE '''', ESCAPE E'\\\\')"),
        ({"force_quote": True}, " (FORCE_QUOTE *)"),
        ({"force_quote": False}, ""),
        ({"force_quote": ()}, ""),
        ({"force_quote": ["a", "b)"]}, ' (FORCE_QUOTE ("a", "b)"))'),
        (
            {"force_null": ["a"], "force_not_null": ["b"]},
            ' (FORCE_NOT_NULL ("b"), FORCE_NULL ("a"))',
        ),
        ({"encoding": "latin1", "freeze": True}, " (FREEZE true, ENCODING 'latin1')"),
    ],
)
def test_options(options: dict[str, Any], text: str) -> None:
    assert copying.copy_out('"t"', CopyOptions(**options)) == f'COPY "t" TO STDOUT{text}'


@pytest.mark.parametrize(
    "option", ["format", "delimiter", "null", "quote", "escape", "encoding", "header", "freeze"]
)
@pytest.mark.parametrize("value", [b"x", 1.5, ["a"]])
def test_an_option_of_another_type(option: str, value: object) -> None:
    options: dict[str, Any] = {option: value}
    with pytest.raises(InterfaceError, match=f"{option}: expected a str, got "):
        CopyOptions(**options).sql()


@pytest.mark.parametrize("value", ["abc", 5, b"x"])
def test_columns_of_another_type(value: Any) -> None:
    with pytest.raises(InterfaceError, match="force_quote: expected names of columns, got"):
        CopyOptions(force_quote=value).sql()


@pytest.mark.parametrize(
    ("text", "enclosed"),
    [
        ("SELECT 1", "(SELECT 1\n)"),
        ("SELECT 1;", "(SELECT 1\n)"),
        (" SELECT 1 ; -- one", "( SELECT 1  -- one\n)"),
        ("SELECT ')'", "(SELECT ')'\n)"),
        ("SELECT 1 -- )", "(SELECT 1 -- )\n)"),
        ("SELECT (1) /* ) */", "(SELECT (1) /* ) */\n)"),
        ("SELECT 1;;", "(SELECT 1;\n)"),
        ("", "(\n)"),
    ],
)
def test_query(text: str, enclosed: str) -> None:
    assert copying.subquery(text) == enclosed


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1) TO STDOUT; DROP TABLE users; COPY (SELECT 1",
        "SELECT 1)",
        ") SELECT (",
        "SELECT (1))",
        "SELECT 'a\\') TO STDOUT; --'",
    ],
)
def test_a_query_that_would_leave_its_parentheses(text: str) -> None:
    with pytest.raises(PostgresSyntaxError, match="the query has a closing parenthesis too many"):
        copying.subquery(text)


def test_strings_are_read_as_the_server_reads_them() -> None:
    text = "SELECT 'a\\') TO STDOUT; --'"
    assert copying.subquery(text, standard_strings=False) == f"({text}\n)"


def test_copy_in() -> None:
    options = CopyOptions(format="binary")
    target = copying.table("t")
    statement = "COPY \"t\" FROM STDIN (FORMAT 'binary')"
    assert copying.copy_in(target, options) == statement
    assert copying.copy_in(target, options, "") == statement
    assert copying.copy_in(target, options, "a > 1 -- all") == f"{statement} WHERE (a > 1 -- all\n)"
    with pytest.raises(PostgresSyntaxError, match="the condition has a closing parenthesis"):
        copying.copy_in(target, options, "true); DROP TABLE t; --")
    with pytest.raises(InterfaceError, match="the condition has to be a str, not int"):
        copying.copy_in(target, options, 5)  # type: ignore[arg-type]


@given(TEXTS, st.booleans())
@example(";;)", True)
def test_no_query_ends_its_parentheses(text: str, standard_strings: bool) -> None:
    try:
        enclosed = copying.subquery(text, standard_strings)
    except PostgresSyntaxError:
        return
    # Up to the last one, or to something that never ends and that the server refuses.
    depth = 0
    tokens = tokenize(enclosed, standard_conforming_strings=standard_strings)
    for token in tokens[:-1]:
        depth += (token.text == "(") - (token.text == ")")
        assert depth > 0
    assert tokens[-1].text == ")" or tokens[-1].kind is Kind.INVALID


@given(st.text(), st.text(), st.booleans())
def test_options_are_one_token_each(null: str, delimiter: str, standard_strings: bool) -> None:
    options = CopyOptions(null=null, delimiter=delimiter)
    text = copying.copy_out('"t"', options)
    tokens = tokenize(text, standard_conforming_strings=standard_strings)
    tokens = [token for token in tokens if token.kind is not Kind.SPACE]
    kinds = [token.kind for token in tokens if token.kind is not Kind.IDENTIFIER]
    assert kinds == [Kind.QUOTED_IDENTIFIER, *PUNCTUATED]


PUNCTUATED = [Kind.PUNCTUATION, Kind.STRING, Kind.PUNCTUATION, Kind.STRING, Kind.PUNCTUATION]
