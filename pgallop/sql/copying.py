"""The SQL of COPY between a table or a query and the client.

COPY takes no parameters, so everything in it is text: names are quoted, and so are the values of
the options, which the server judges, for what is allowed depends on its version. A query and a
condition are the caller's own SQL; each is kept within the parentheses around it.

Source: PostgreSQL documentation, COPY.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from pgallop.codecs.codec import shown
from pgallop.errors import InterfaceError, PostgresSyntaxError
from pgallop.sql.lexer import Kind, tokenize
from pgallop.sql.quoting import quote_identifier, quote_literal

_BLANK = (Kind.SPACE, Kind.COMMENT)

# "$" and as many digits as Python makes a number of at little cost; a statement has 65,535.
_LONGEST_NUMBER = 20


class CopyOptions(NamedTuple):
    """The options of COPY, each None where the server's default is to hold.

    Args:
        format: "text", "csv" or "binary".
        delimiter, null, quote, escape, encoding: texts.
        header: whether there is a line of names; "match" to compare it with the columns.
        oids, freeze: whether.
        force_quote, force_not_null, force_null: names of columns, or True for all of them.

    Source: PostgreSQL documentation, COPY.
    """

    format: str | None = None
    oids: bool | None = None
    freeze: bool | None = None
    delimiter: str | None = None
    null: str | None = None
    header: bool | str | None = None
    quote: str | None = None
    escape: str | None = None
    force_quote: bool | Iterable[str] | None = None
    force_not_null: bool | Iterable[str] | None = None
    force_null: bool | Iterable[str] | None = None
    encoding: str | None = None

    def sql(self) -> str:
        """The options in parentheses; nothing if there are none."""
        parts: list[str] = []
        for name, value in self._asdict().items():
            if value is None:
                continue
            if name.startswith("force_"):
                setting = _columns_or_all(value, name)
            elif name in ("oids", "freeze", "header"):
                setting = _flag(value, name)
            else:
                setting = _text(value, name)
            if setting:
                parts.append(f"{name.upper()} {setting}")
        return f" ({', '.join(parts)})" if parts else ""


def table(name: object, schema: object = None, columns: Iterable[str] | None = None) -> str:
    """Return a table, and those of its columns that are copied, as they stand in COPY.

    Args:
        name: the table's name as it is.
        schema: its schema's name; None, or "", to have it searched for.
        columns: names of columns; None, or none at all, for all of them.

    Raises:
        InterfaceError: a name that is no str, or that the server would not take as it is.

    Example:
        >>> table("users", "public", ["id", "name"])
        '"public"."users" ("id", "name")'
    """
    text = quote_identifier(name, "table's name")
    if schema is not None and schema != "":
        text = f"{quote_identifier(schema, 'name of the schema')}.{text}"
    names = [] if columns is None else _names(columns, "columns")
    return f"{text} ({', '.join(names)})" if names else text


def selected(name: object, schema: object = None, columns: Iterable[str] | None = None) -> str:
    """Return a query for the columns that are copied, to be asked about; arguments as for `table`.

    Example:
        >>> selected("users", "public", ["id", "name"])
        'SELECT "id", "name" FROM "public"."users"'
    """
    names = [] if columns is None else _names(columns, "columns")
    return f"SELECT {', '.join(names) or '*'} FROM {table(name, schema)}"


def subquery(text: str, standard_strings: bool = True) -> str:
    """Return a query as it stands in COPY, in parentheses; a semicolon behind it is left out.

    Args:
        text: the caller's SQL.
        standard_strings: the server's setting `standard_conforming_strings`.

    Raises:
        PostgresSyntaxError: it has a parenthesis too many, which would end ours.

    Example:
        >>> subquery("SELECT 1; -- one")
        '(SELECT 1 -- one\\n)'
    """
    return _enclosed(text, "query", standard_strings)


def with_literals(text: str, literals: Sequence[str], standard_strings: bool = True) -> str:
    """Return a query with a literal in the place of each parameter.

    Args:
        text: the caller's SQL, which the server has parsed.
        literals: for `$1`, `$2`, ... an expression each, which stands in parentheses then.
        standard_strings: the server's setting `standard_conforming_strings`.

    Raises:
        InterfaceError: it has other parameters, or a token of which it is not certain what it is.

    Example:
        >>> with_literals("SELECT $1, '$1'", ["'a'::text"])
        "SELECT ('a'::text), '$1'"
    """
    tokens = tokenize(text, standard_conforming_strings=standard_strings)
    numbers: set[int] = set()
    parts: list[str] = []
    for kind, piece in tokens:
        if kind is Kind.INVALID:
            raise InterfaceError(
                f"the arguments of the query cannot be written into it: {shown(piece)} is nothing "
                f"that every version of the server reads in the same way"
            )
        if kind is Kind.PARAMETER:
            number = int(piece[1:]) if len(piece) <= _LONGEST_NUMBER else 0
            numbers.add(number)
            piece = f"({literals[number - 1]})" if 1 <= number <= len(literals) else ""
        parts.append(piece)
    if numbers != set(range(1, len(literals) + 1)):
        raise InterfaceError(
            f"the query has the parameters {sorted(numbers)}, and {len(literals)} were described"
        )
    return "".join(parts)


def copy_out(source: str, options: CopyOptions) -> str:
    """Return the COPY of a `table` or a `subquery` to the client.

    Example:
        >>> copy_out(table("users"), CopyOptions(format="csv", header=True))
        'COPY "users" TO STDOUT (FORMAT \\'csv\\', HEADER true)'
    """
    return f"COPY {source} TO STDOUT{options.sql()}"


def copy_in(
    target: str, options: CopyOptions, where: str | None = None, standard_strings: bool = True
) -> str:
    """Return the COPY of what the client sends to a `table`.

    Args:
        target: what `table` returns.
        where: the caller's SQL, a condition on the rows that are stored; None, or "", for all.
        standard_strings: the server's setting `standard_conforming_strings`.

    Raises:
        PostgresSyntaxError: `where` has a parenthesis too many.

    Example:
        >>> copy_in(table("users"), CopyOptions(format="binary"), "id > 7")
        'COPY "users" FROM STDIN (FORMAT \\'binary\\') WHERE (id > 7\\n)'
    """
    statement = f"COPY {target} FROM STDIN{options.sql()}"
    if where is None or where == "":
        return statement
    return f"{statement} WHERE {_enclosed(where, 'condition', standard_strings)}"


def _enclosed(text: object, what: str, standard_strings: bool) -> str:
    """The caller's SQL in parentheses, which it cannot leave."""
    if not isinstance(text, str):
        raise InterfaceError(f"the {what} has to be a str, not {type(text).__name__}")
    tokens = tokenize(str.__str__(text), standard_conforming_strings=standard_strings)
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth < 0:
            raise PostgresSyntaxError(
                f"the {what} has a closing parenthesis too many: {shown(text)}"
            )
    last = next((i for i in range(len(tokens) - 1, -1, -1) if tokens[i].kind not in _BLANK), None)
    if last is not None and tokens[last].text == ";":
        del tokens[last]
    # A comment of one line must not take our parenthesis along.
    return f"({''.join([token.text for token in tokens])}\n)"


def _names(columns: object, what: str) -> list[str]:
    if isinstance(columns, (str, bytes)) or not isinstance(columns, Iterable):
        raise InterfaceError(f"{what}: expected names of columns, got {shown(columns)}")
    names = cast("Iterable[object]", columns)
    return [quote_identifier(name, "name of a column") for name in names]


def _columns_or_all(value: object, option: str) -> str:
    if isinstance(value, bool):
        return "*" if value else ""
    names = _names(value, option)
    return f"({', '.join(names)})" if names else ""


def _flag(value: object, option: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, int) else _text(value, option)


def _text(value: object, option: str) -> str:
    if not isinstance(value, str):
        raise InterfaceError(
            f"{option}: expected a str, got {shown(value)}",
            hint="the options of COPY are written into its text",
        )
    return quote_literal(str.__str__(value))
