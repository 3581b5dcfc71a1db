"""Whether a statement is harmless: to repeat, after the server rolled it back, or to the session.

A rollback undoes what a statement did to tables and settings, and nothing else: not the lock that
pg_advisory_lock() took for the session, not the mail that a function in an untrusted language
sent. So a statement is run again only if all that it can call is known. That takes two steps:
`candidate` reads its text, and `PROOF` asks the server's catalogue about each name in the text.
Unknown means no. A superuser can fool the proof (by libraries with hooks, or by replacing
PostgreSQL's own functions), and so can DDL of another session between the two runs; users cannot.

Whether a statement leaves something behind in its session, for whoever uses that next, is asked in
the same way (`TRACELESS`): what can call none of PostgreSQL's functions that would, and none that
is not known, leaves nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pgallop.sql.lexer import Kind, Token, tokenize
from pgallop.sql.proof import PROOF, TRACELESS

__all__ = ["PROOF", "TRACELESS", "Candidate", "candidate"]

_VERBS = frozenset({"select", "values", "insert", "update", "delete", "merge"})

# The head of a statement whose parentheses are emptied. Inside of them, the grammar allows the same
# verbs and no others.
_CTE = r"[^ ]+ (?:\(\) )?as (?:(?:not )?materialized )?\(\) "
_WITH = re.compile(rf"with (?:recursive )?{_CTE}(?:, {_CTE})*")

# The operators that key words stand for; the server looks them up by these names, in the search
# path (gram.y). Equality is in so many places (USING, CASE, IS DISTINCT FROM) that it is always in.
_ALWAYS = frozenset({"=", "<>"})
_KEYWORD_OPERATORS = {
    "between": ("<", "<=", ">", ">="),
    "ilike": ("~~*", "!~~*"),
    "like": ("~~", "!~~"),
    "similar": ("~", "!~"),
}

# What can stand behind FOR UPDATE. It could be `substring(a FOR update(1))`, or a type's name.
_BEHIND_A_LOCK: tuple[list[str], ...] = (
    [],
    [")"],
    ["of"],
    ["nowait"],
    ["skip"],
    ["limit"],
    ["offset"],
    ["fetch"],
    ["for"],
)

# Servers cut names off after 63 bytes (NAMEDATALEN), so that a longer one means a shorter one. A
# character takes at most four bytes, in whatever encoding the server has.
_NAME_BYTES = 63
_CHARACTER_BYTES = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """A statement that may be harmless, and the names by which the server decides it.

    Args:
        identifiers: all names in the text, folded as the server folds them; key words too.
        functions: those that can name a function: before "(" and behind ".".
        operators: the operators in the text, and those that its key words stand for.
    """

    identifiers: frozenset[str]
    functions: frozenset[str]
    operators: frozenset[str]

    def parameters(self) -> tuple[list[str], list[str], list[str]]:
        """The three arguments of `PROOF` and `TRACELESS`: identifiers, functions, operators."""
        return sorted(self.identifiers), sorted(self.functions), sorted(self.operators)

    def writes(self) -> bool:
        """Whether `PROOF` takes the statement for one that writes to tables."""
        return not self.identifiers.isdisjoint(("insert", "update", "delete"))


def candidate(query: str) -> Candidate | None:
    """Return the names in a statement, if its text allows it to be harmless.

    That is one SELECT, VALUES, INSERT, UPDATE, DELETE or MERGE, with or without WITH, and no
    SELECT INTO. What the server's versions or settings could read in two ways is refused.

    Args:
        query: the text as it is sent.

    Returns:
        What `PROOF` or `TRACELESS` has to be asked about, or None: it is not harmless.

    Example:
        >>> candidate("SELECT lower(name) FROM users").parameters()
        (['from', 'lower', 'name', 'select', 'users'], ['lower'], ['<>', '='])
        >>> candidate("CALL job()") is None
        True

    Source: PostgreSQL documentation, "Lexical Structure" and "SQL Commands"; gram.y.
    """
    tokens = _statement(query)
    words = [_word(token) for token in tokens]
    names = [_name(token) for token in tokens]
    for i, word in enumerate(words):
        if word == "update" and _is_lock(words, i):
            names[i] = None  # which would be taken for a statement that writes
    if "" in names or not _has_right_verbs(words):
        return None
    functions: set[str] = set()
    for i, name in enumerate(names):
        # `t.f` is f(t) where the table has no column of that name.
        if name is not None and ("(" in words[i + 1 : i + 2] or "." in words[i - 1 : i]):
            functions.add(name)
    return Candidate(
        frozenset(name for name in names if name is not None),
        frozenset(functions),
        _operators(tokens, words),
    )


def _statement(query: str) -> list[Token]:
    """The tokens of the only statement in the text; none if that is not certain."""
    tokens = tokenize(query)
    if "\\" in query and tokens != tokenize(query, standard_conforming_strings=False):
        return []
    tokens = [token for token in tokens if token.kind not in (Kind.SPACE, Kind.COMMENT)]
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    if any(token.kind is Kind.INVALID or token.text == ";" for token in tokens):
        return []
    return tokens


def _word(token: Token) -> str:
    """What the grammar sees: words in small letters, signs, and the kind of everything else."""
    match token.kind:
        case Kind.IDENTIFIER:
            return token.text.lower()
        case Kind.OPERATOR | Kind.PUNCTUATION:
            return token.text
        case kind:
            return f'"{kind.name}"'


def _name(token: Token) -> str | None:
    """The name that a token is to the server, "" if that is not certain, None if it is no name."""
    match token.kind:
        case Kind.IDENTIFIER:
            # Beyond ASCII it depends on encoding and locale whether a capital letter is folded.
            certain = all(c.isascii() or c.lower() == c for c in token.text)
            name = token.text.lower() if certain else ""
        case Kind.QUOTED_IDENTIFIER:
            name = token.text[1:-1].replace('""', '"')
        case Kind.UNICODE_IDENTIFIER:
            name = ""
        case _:
            return None
    size = len(name) if name.isascii() else len(name) * _CHARACTER_BYTES
    return name if size <= _NAME_BYTES else ""


def _has_right_verbs(words: list[str]) -> bool:
    """Whether the statement is one of `_VERBS` and no SELECT INTO, which creates a table."""
    top: list[str] = []
    depth = 0
    for i, word in enumerate(words):
        if word == ")":
            depth -= 1
            if depth < 0:
                return False
        elif word == "(":
            if depth == 0:
                top.append("()")
            depth += 1
        elif depth == 0:
            top.append(word)
        # INSERT and MERGE are no reserved words: in `SELECT a insert INTO t` one is an alias.
        elif word == "into" and words[i - 2 : i] not in (["(", "insert"], ["(", "merge"]):
            return False
    if depth:
        return False
    text = " ".join([*top, ""])
    head = _WITH.match(text)
    # Not just split(): there are spaces beyond ASCII, and they belong to names.
    verb, *rest = text[head.end() if head else 0 :].split(" ")
    if verb in ("insert", "merge"):
        return rest[:1] == ["into"] and "into" not in rest[1:]
    return (verb in _VERBS or verb == "()") and "into" not in rest


def _is_lock(words: list[str], i: int) -> bool:
    """Whether the `update` there is that of FOR UPDATE or FOR NO KEY UPDATE."""
    is_behind = words[i - 1 : i] == ["for"] or words[max(i - 3, 0) : i] == ["for", "no", "key"]
    return is_behind and words[i + 1 : i + 2] in _BEHIND_A_LOCK


def _operators(tokens: list[Token], words: list[str]) -> frozenset[str]:
    """All operators, by their names in the catalogue."""
    operators = set(_ALWAYS)
    for i, (token, word) in enumerate(zip(tokens, words, strict=True)):
        operators.update(_KEYWORD_OPERATORS.get(word, ()))
        if token.kind is Kind.OPERATOR and not (word == "*" and _is_star(words, i)):
            operators.add("<>" if word == "!=" else word)
    return frozenset(operators)


def _is_star(words: list[str], i: int) -> bool:
    """Whether the `*` there means "all columns" or "all rows", and no multiplication."""
    # There is no such operator of one operand. In OPERATOR(s.*) it is one in spite of all.
    before = words[i - 1] if i else ""
    return before in ("(", ",", ".", "select", "returning", "distinct") and "operator" not in words
