"""SQL text cut into tokens, as PostgreSQL's own lexer cuts it.

All of the text is covered: the tokens' texts put together are the text again. What the server
would refuse, and what its versions read differently (`1abc`), is a token of the kind INVALID.

Source: PostgreSQL documentation, chapter "Lexical Structure"; scan.l, whose rules decide where
the chapter is silent (which characters end an operator, what continues a string).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

__all__ = ["Kind", "Token", "tokenize"]


class Kind(Enum):
    """What a token is."""

    SPACE = "space"
    COMMENT = "comment"
    IDENTIFIER = "identifier"  # or a key word: only the grammar can tell
    QUOTED_IDENTIFIER = "quoted identifier"
    UNICODE_IDENTIFIER = "U& identifier"  # what it names depends on UESCAPE behind it
    STRING = "string"
    NUMBER = "number"
    PARAMETER = "parameter"
    OPERATOR = "operator"
    PUNCTUATION = "punctuation"
    INVALID = "invalid"


class Token(NamedTuple):
    """A token and its text, quotes and all."""

    kind: Kind
    text: str


# A server sees bytes: all of those beyond ASCII belong to identifiers, a no-break space too. So no
# class here is one of Unicode's, \s, \d and \w least of all. `++` and `*+` never try again, which
# makes each pattern linear. What may be in an identifier is told by the ASCII that may not: a set
# that ends at U+10FFFF takes `re` 25 ms to compile.
_START = r"[^\x00-@\[-^`{-\x7f]"
_START_OR_DIGIT = r"[^\x00-/:-@\[-^`{-\x7f]"
_IDENTIFIER = rf"{_START}[^\x00-#%-/:-@\[-^`{{-\x7f]*+"
_DIGITS = r"[0-9]++(?:_[0-9]++)*+"
_NUMBER = (
    r"0[xX](?:_?[0-9A-Fa-f])++|0[oO](?:_?[0-7])++|0[bB](?:_?[01])++|"
    # `1..2` is two numbers, `1.` and `.5` are one each.
    rf"(?:{_DIGITS}(?:\.(?!\.)(?:{_DIGITS})?+)?+|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?+"
)

_TOKEN = re.compile(
    rf"""
      (?P<SPACE> [ \t\n\r\f\v]++ )
    | (?P<COMMENT> --[^\n\r]*+ )
    | (?P<nested> /\* )
    | (?P<escape> [eE]' )
    | (?P<string> (?:[bBxX]|[uU]&)?+' )
    | (?P<UNICODE_IDENTIFIER> [uU]&"[^"]*+(?:""[^"]*+)*+" )
    | (?P<IDENTIFIER> {_IDENTIFIER} )
    | (?P<QUOTED_IDENTIFIER> "[^"]*+(?:""[^"]*+)*+" )
    | (?P<unclosed> " )
    | (?P<NUMBER> {_NUMBER} )
    | (?P<PARAMETER> \$[0-9]++ )
    | (?P<dollar> \$(?:{_START}{_START_OR_DIGIT}*+)?+\$ )
    | (?P<OPERATOR> (?:(?!--|/\*)[-~!@\#^&|`?+*/%<>=])++ )
    | (?P<PUNCTUATION> ::|:=|\.\.|[,()\[\].;:] )
    | (?P<INVALID> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_STANDARD_BODY = re.compile(r"'[^']*+(?:''[^']*+)*+'")
_BIT_BODY = re.compile(r"'[^']*+'")  # no quotes in B'' and X''
_ESCAPE_BODY = re.compile(r"'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'", re.DOTALL)
# White space with a line break in it, and comments of one line, join two strings to one; the
# second one is read as the first one was.
_CONTINUATION = re.compile(
    r"(?:[ \t\f\v]|--[^\n\r]*+)*+[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*+[\n\r])*+(?=')"
)
_NESTED_COMMENT = re.compile(r"/\*|\*/")
_JUNK = re.compile(_IDENTIFIER)


def tokenize(sql: str, *, standard_conforming_strings: bool = True) -> list[Token]:
    r"""Cut SQL into tokens.

    Args:
        sql: any text.
        standard_conforming_strings: the server's setting of that name; without it a backslash
            escapes in '...' too, and not in E'...' only.

    Returns:
        The tokens, white space and comments included, in time linear in the text's length.

    Example:
        >>> [token.text for token in tokenize("SELECT 'it''s'")]
        ['SELECT', ' ', "'it''s'"]

    Source: PostgreSQL documentation, chapter "Lexical Structure".
    """
    plain = _STANDARD_BODY if standard_conforming_strings else _ESCAPE_BODY
    tokens: list[Token] = []
    start = 0
    while start < len(sql):
        kind, end = _token(sql, start, plain)
        text = sql[start:end]
        if kind is Kind.OPERATOR:
            tokens += [Token(kind, operator) for operator in _operators(text)]
        else:
            tokens.append(Token(kind, text))
        start = end
    return tokens


def _token(sql: str, start: int, plain: re.Pattern[str]) -> tuple[Kind, int]:
    """The kind of the token at `start`, and its end; `plain` is the body of a string '...'."""
    match = _TOKEN.match(sql, start)
    assert match is not None  # the last alternative is any character
    name, end = match.lastgroup, match.end()
    if name == "nested":
        return _nested_comment(sql, end)
    if name == "escape":
        return _string(sql, end - 1, _ESCAPE_BODY)
    if name == "string":
        if sql[start] in "uU":
            return _string(sql, end - 1, _STANDARD_BODY)
        return _string(sql, end - 1, plain if sql[start] == "'" else _BIT_BODY)
    if name == "dollar":
        close = sql.find(match[0], end)
        return (Kind.STRING, close + len(match[0])) if close >= 0 else (Kind.INVALID, len(sql))
    if name == "unclosed":
        return Kind.INVALID, len(sql)
    if name in ("NUMBER", "PARAMETER") and (junk := _JUNK.match(sql, end)):
        # Two tokens until PostgreSQL 14, an error since.
        return Kind.INVALID, junk.end()
    return Kind[str(name)], end


def _nested_comment(sql: str, end: int) -> tuple[Kind, int]:
    depth = 1
    for mark in _NESTED_COMMENT.finditer(sql, end):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return Kind.COMMENT, mark.end()
    return Kind.INVALID, len(sql)


def _string(sql: str, quote: int, body: re.Pattern[str]) -> tuple[Kind, int]:
    """The string whose opening quote is at `quote`, with all its continuations."""
    while match := body.match(sql, quote):
        following = _CONTINUATION.match(sql, match.end())
        if following is None:
            return Kind.STRING, match.end()
        quote = following.end()
    return Kind.INVALID, len(sql)


def _operators(run: str) -> list[str]:
    """The operators that a run of operator characters is."""
    # "A multiple-character operator name cannot end in + or -, unless" it has one of these.
    if any(character in "~!@#%^&|`?" for character in run):
        return [run]
    operator = run[:1] + run[1:].rstrip("+-")
    return [operator, *run[len(operator) :]]
