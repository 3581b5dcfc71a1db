"""The lexer against the server's: where a syntax error is, a token begins.

Random texts out of what makes lexers err. The server reads as far as the text makes sense, which
operands with operators between them do for long, and says where and at what it stopped.
"""

from __future__ import annotations

import random

import psycopg
import pytest

from pgallop.sql.lexer import Kind, Token, tokenize

OPERANDS = r"""1 .5 1. 1.5e3 a _a é "a" "a""b" $1 ' '' ''' E' E'\' e'\\ U&' b'1 x'F n' $$ $a$ $a$b$$
    a$ 1a null (1) -- /* */ /** */* --- \ '\ \'"""
SIGNS = r"""+ - * / < > = ~ ! @ # % ^ & | ` ? :: : := .. . , ; ( ) [ ] /* */ -- ' " $ { }"""
BETWEEN = ["", "", "", " ", "\n", "\t", "\r", " -- c\n", "/* c */", "\f", "\u00a0", "\\"]


def text(random_: random.Random) -> str:
    parts = ["SELECT "]
    for _ in range(random_.randrange(1, 8)):
        parts.append(random_.choice(OPERANDS.split()))
        parts.append(random_.choice(BETWEEN))
        parts += random_.choices(SIGNS.split(), k=random_.choice((0, 1, 1, 1, 2, 3)))
        parts.append(random_.choice(BETWEEN))
    return "".join(parts) + random_.choice(("", " ]", "\n]"))


def complaint(connection: psycopg.Connection, sql: str) -> tuple[str, int]:
    """What the server says of a text, and how many characters before that it agrees to."""
    try:
        connection.execute(sql.encode(), prepare=False)
    except psycopg.Error as error:
        return error.diag.message_primary or "", int(error.diag.statement_position or 1) - 1
    return "", 0


def is_boundary(tokens: list[Token], place: int) -> bool:
    """Whether a token begins there; or one that is none to all servers is there."""
    begin = 0
    for token in tokens:
        end = begin + len(token.text)
        if begin == place or (begin < place < end and token.kind is Kind.INVALID):
            return True
        begin = end
    return begin == place


@pytest.mark.parametrize("standard", [True, False])
def test_errors_are_where_tokens_begin(dsn: str, standard: bool) -> None:
    random_ = random.Random(f"lexer {standard}")
    compared = 0
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"SET standard_conforming_strings = {'on' if standard else 'off'}")
        connection.execute("SET escape_string_warning = off")
        for _ in range(4000):
            sql = text(random_)
            tokens = tokenize(sql, standard_conforming_strings=standard)
            message, place = complaint(connection, sql)
            if message.startswith("syntax error"):
                assert is_boundary(tokens, place), (sql, message)
            elif message.startswith(("unterminated", "trailing junk")):
                assert any(token.kind is Kind.INVALID for token in tokens), (sql, message)
            else:
                continue
            compared += 1
    assert compared > 2000
