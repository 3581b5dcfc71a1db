"""The lexer, by the documentation's chapter "Lexical Structure"; tests/server asks a real one."""

from __future__ import annotations

import time

import pytest
from bounds import measures
from hypothesis import example, given
from hypothesis import strategies as st

from pgallop.sql.lexer import Kind, Token, tokenize

# What makes lexers err, so that random texts are full of it.
FRAGMENTS = r"""' '' " "" \ \' E' e' U&' U&" b' X'0 N' $ $$ $a$ $1 -- /* */ * / + - @ < > = ! ? : ::
    := .. . 1 1. .5 1e 1e5 0x 0xF 1_0 a aé _ é ( ) [ ] , ; { #"""
SPACES = [" ", "\n", "\r", "\t", "\v", "\f", "\0", "\u00a0"]
FRAGMENT = st.sampled_from([*FRAGMENTS.split(), *SPACES])
TEXTS = st.lists(FRAGMENT | st.text(max_size=3), max_size=40).map("".join)


def significant(sql: str, **settings: bool) -> list[tuple[str, str]]:
    """The tokens but for space and comments, with the names of their kinds."""
    return [
        (token.kind.value, token.text)
        for token in tokenize(sql, **settings)
        if token.kind not in (Kind.SPACE, Kind.COMMENT)
    ]


def texts(sql: str, **settings: bool) -> list[str]:
    return [text for _, text in significant(sql, **settings)]


@given(TEXTS, st.booleans())
@example("'a", True)
@example("/* /* */", False)
def test_the_tokens_are_the_whole_text(sql: str, standard: bool) -> None:
    tokens = tokenize(sql, standard_conforming_strings=standard)
    assert "".join(token.text for token in tokens) == sql
    assert all(token.text for token in tokens)


@given(TEXTS)
def test_a_text_without_backslashes_is_read_in_one_way(sql: str) -> None:
    sql = sql.replace("\\", "")
    assert tokenize(sql) == tokenize(sql, standard_conforming_strings=False)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        (" \t\n\r\f\v", Kind.SPACE),
        ("-- 'to the \" end", Kind.COMMENT),
        ("/* one /* in */ another */", Kind.COMMENT),
        ("/*/* / */ * / **/", Kind.COMMENT),
        ("/*/ */", Kind.COMMENT),
        ("abc", Kind.IDENTIFIER),
        ("_a1$", Kind.IDENTIFIER),
        ("a$$b$$", Kind.IDENTIFIER),  # no dollar quote in the middle of a name
        ("naïve", Kind.IDENTIFIER),
        ("a\u00a0b", Kind.IDENTIFIER),  # to the server a no-break space is a letter
        ("a٣", Kind.IDENTIFIER),  # and so are digits beyond ASCII
        ('"a ""b"" -- c"', Kind.QUOTED_IDENTIFIER),
        ('""', Kind.QUOTED_IDENTIFIER),
        ('U&"d!0061"', Kind.UNICODE_IDENTIFIER),
        ("''", Kind.STRING),
        ("'it''s; -- /*'", Kind.STRING),
        ("'a\\'", Kind.STRING),
        (r"E'a\'b\\'", Kind.STRING),
        (r"e'\''''", Kind.STRING),
        ("B'101'", Kind.STRING),
        ("x'1F'", Kind.STRING),
        (r"U&'\0061\'", Kind.STRING),
        ("'a' \t-- no comment\n\n -- two\n 'b'", Kind.STRING),
        ("E'a'\n'\\'b'", Kind.STRING),  # what continues E'' has escapes too
        ("X'1'\n'\\'", Kind.STRING),
        ("$$it's$$", Kind.STRING),
        ("$tag$ $$ $other$ $tag$", Kind.STRING),
        ("$é$x$é$", Kind.STRING),
        ("1", Kind.NUMBER),
        ("1.", Kind.NUMBER),
        (".5", Kind.NUMBER),
        ("1.5e-10", Kind.NUMBER),
        ("1_000.0_1", Kind.NUMBER),
        ("0xFF", Kind.NUMBER),
        ("0b1_0", Kind.NUMBER),
        ("0o17", Kind.NUMBER),
        ("$1", Kind.PARAMETER),
        ("$123", Kind.PARAMETER),
        ("<=", Kind.OPERATOR),
        ("@-", Kind.OPERATOR),
        ("->>", Kind.OPERATOR),
        ("?|", Kind.OPERATOR),
        ("::", Kind.PUNCTUATION),
        (":=", Kind.PUNCTUATION),
        ("..", Kind.PUNCTUATION),
        ("'open", Kind.INVALID),
        ("'a''", Kind.INVALID),
        ("'a'\n'open", Kind.INVALID),
        (r"E'\'", Kind.INVALID),
        ('"open; SELECT 1', Kind.INVALID),
        ("/* /* */", Kind.INVALID),
        ("$a$ $A$", Kind.INVALID),
        ("1abc", Kind.INVALID),  # two tokens until PostgreSQL 14
        ("1e", Kind.INVALID),
        ("0x_", Kind.INVALID),
        ("$1a", Kind.INVALID),
        ("\\", Kind.INVALID),
        ("{", Kind.INVALID),
        ("\0", Kind.INVALID),
    ],
)
def test_one_token(sql: str, kind: Kind) -> None:
    assert tokenize(sql) == [Token(kind, sql)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a.b", ["a", ".", "b"]),
        ("SELECT'x'", ["SELECT", "'x'"]),
        ("note'x'", ["note", "'x'"]),
        ("'a''b'", ["'a''b'"]),
        ("N'national'", ["N", "'national'"]),  # the word is the type's name
        ("B'1''0'", ["B'1'", "'0'"]),
        ("'a' 'b'", ["'a'", "'b'"]),  # no line break between them
        ("'a' /* \n */ 'b'", ["'a'", "'b'"]),  # a comment of this kind continues nothing
        ("1..10", ["1", "..", "10"]),
        ("a[1:2]", ["a", "[", "1", ":", "2", "]"]),
        ("x::int", ["x", "::", "int"]),
        ("1+-1", ["1", "+", "-", "1"]),
        ("1*-1", ["1", "*", "-", "1"]),
        ("1@-1", ["1", "@-", "1"]),
        ("1<>-1", ["1", "<>", "-", "1"]),
        ("1=-+-1", ["1", "=", "-", "+", "-", "1"]),
        ("2^-1", ["2", "^-", "1"]),
        ("a+--b\nc", ["a", "+", "c"]),
        ("a</*b*/c", ["a", "<", "c"]),
        ("a-/*b*/-c", ["a", "-", "-", "c"]),
        ("U&1", ["U", "&", "1"]),
        ("e 'x'", ["e", "'x'"]),
        ("$a", ["$", "a"]),
        ("$1$2", ["$1", "$2"]),
        ("a$1", ["a$1"]),
        ("{x}", ["{", "x", "}"]),
        ("--a\rb", ["b"]),
    ],
)
def test_several_tokens(sql: str, expected: list[str]) -> None:
    assert texts(sql) == expected


def test_the_setting_decides_about_backslashes() -> None:
    sql = r"'\' || 'y' -- '"
    assert texts(sql) == [r"'\'", "||", "'y'"]
    assert texts(sql, standard_conforming_strings=False) == [r"'\' || '", "y", "' -- '"]
    for same in (r"B'\'", r"U&'\'", r"""E'\''""", "$$\\'$$", "-- \\'"):
        assert tokenize(same) == tokenize(same, standard_conforming_strings=False)


UNITS = ["+", "-+", "@+", "+/*", "/*", "/**/", "'", "''", "'a'\n", "E'\\'", "$a", "$a$", '"', 'U&"']
UNITS += ["1", "1.", "1e", "0x", "_", "a ", "--\n", "- ", "'' --\n", "''\n--", "''  ", "(", "é"]


@measures
@pytest.mark.parametrize("unit", UNITS)
def test_the_time_is_linear(unit: str) -> None:
    def seconds(count: int) -> float:
        sql = unit * count
        best = 1e9
        for _ in range(3):
            start = time.perf_counter()
            tokenize(sql)
            best = min(best, time.perf_counter() - start)
        return best

    # 64 times as long; quadratic would be 4096 times the time, and machines are busy.
    assert seconds(32_000) < 800 * max(seconds(500), 1e-4)
