"""Names in SQL: whatever they are, one token, and the same name again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgallop.errors import InterfaceError
from pgallop.sql.lexer import Kind, Token, tokenize
from pgallop.sql.quoting import MAX_IDENTIFIER_SIZE, quote_identifier

# What may be sent: text without NUL and lone surrogates, thick with what has a meaning in SQL.
SENDABLE = st.one_of(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    st.sampled_from("\"'\\$;-/*()&U\n\r\t é\u200b\U0001f600"),
)
NAMES = st.text(SENDABLE, min_size=1, max_size=63).filter(
    lambda name: len(name.encode()) <= MAX_IDENTIFIER_SIZE
)


@given(NAMES)
def test_one_token(name: str) -> None:
    quoted = quote_identifier(name)
    tokens = tokenize(f"LISTEN {quoted} ; SELECT 1")
    assert tokens[2] == Token(Kind.QUOTED_IDENTIFIER, quoted)
    assert [token.text for token in tokens[3:]] == [" ", ";", " ", "SELECT", " ", "1"]
    assert quoted[1:-1].replace('""', '"') == name


@given(NAMES, NAMES)
def test_different_names_stay_different(one: str, other: str) -> None:
    assert (quote_identifier(one) == quote_identifier(other)) is (one == other)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "the channel is empty"),
        ("a\0b", r"the channel 'a\\x00b' has a NUL in it"),
        ("\0" * 1000, "has a NUL in it"),
        ("a" * 64, "has 64 bytes in UTF-8, PostgreSQL keeps 63"),
        ("é" * 32, "has 64 bytes"),
        ("\U0001f600" * 16, "has 64 bytes"),
        ("a" * 10_000_000, "has 10000000 bytes"),
        ("ok\ud800", "lone surrogate at index 2"),
        ("\udcff", "lone surrogate at index 0"),
        (b"bytes", "has to be a str, not bytes"),
        (None, "has to be a str, not NoneType"),
        (5, "has to be a str, not int"),
    ],
)
def test_refused(name: str, words: str) -> None:
    with pytest.raises(InterfaceError, match=words) as caught:
        quote_identifier(name, "channel")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", ["a" * 63, "é" * 31 + "x", "\U0001f600" * 15 + "abc"])
def test_as_long_as_can_be(name: str) -> None:
    assert quote_identifier(name) == f'"{name}"'


def test_a_subclass_is_its_text_and_nothing_else() -> None:
    class Sly(str):
        def replace(self, *args: object) -> str:
            return 'x"; DROP TABLE t; --'

        def __str__(self) -> str:
            return 'x"; DROP TABLE t; --'

        def __contains__(self, part: object) -> bool:
            return False

        def encode(self, *args: object) -> bytes:
            return b"x"

    assert quote_identifier(Sly('a"b')) == '"a""b"'
    with pytest.raises(InterfaceError, match="NUL"):
        quote_identifier(Sly("a\0b"))
