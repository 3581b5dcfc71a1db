"""Names and values written into SQL, by asyncpg's names for that."""

from collections.abc import Sequence
from typing import Any

from pgallop.sql.lexer import Kind, tokenize

__all__ = ["_mogrify", "_quote_ident", "_quote_literal"]


def _quote_ident(ident: str) -> str:
    doubled = ident.replace('"', '""')
    return f'"{doubled}"'


def _quote_literal(string: str) -> str:
    doubled = string.replace("'", "''")
    return f"'{doubled}'"


async def _mogrify(conn: Any, query: str, args: Sequence[Any]) -> str:
    """`query` with its arguments written into it, as texts that the server has made of them."""
    statement = await conn.prepare(query)
    types: list[str] = []
    for each in statement.get_parameters():
        name = f"_{each.name[:-2]}" if each.name.endswith("[]") else each.name
        types.append(f"{_quote_ident(each.schema)}.{_quote_ident(name)}")
    del statement
    if not types:
        return query
    columns = [f"quote_literal(${n}::{type}::text)" for n, type in enumerate(types, 1)]
    texts = await conn.fetchrow(f"SELECT {', '.join(columns)}", *args)
    written: list[str] = []
    for token in tokenize(query):
        if token.kind is Kind.PARAMETER:
            text = texts[int(token.text[1:]) - 1]
            written.append("NULL" if text is None else text)
        else:
            written.append(token.text)
    return "".join(written)
