"""Names written into SQL, so that each is one token and the same name to the server.

Values never become SQL; names of channels, tables and columns have to, where the grammar allows no
parameter.

Source: PostgreSQL documentation, chapter "Lexical Structure", section "Identifiers and Key Words";
`truncate_identifier` in scansup.c.
"""

from __future__ import annotations

from pgallop.errors import InterfaceError

# NAMEDATALEN - 1, unless the server was built otherwise.
MAX_IDENTIFIER_SIZE = 63


def quote_identifier(name: object, what: str = "identifier") -> str:
    '''Return a name in double quotes, for a place in SQL where an identifier goes.

    A name that the server would not take as it is raises instead. One that is too long the server
    shortens, with no more than a NOTICE: it would be another channel's or another table's.

    Args:
        name: any text of 1 to 63 bytes in UTF-8, without a NUL.
        what: what it names, for the error.

    Raises:
        InterfaceError: `name` is no str, empty, too long, or has a character that cannot be sent.

    Example:
        >>> quote_identifier('say "hi"')
        '"say ""hi"""'

    Source: PostgreSQL documentation, section "Identifiers and Key Words".
    '''
    if not isinstance(name, str):
        raise InterfaceError(f"the {what} has to be a str, not {type(name).__name__}")
    name = str.__str__(name)  # what a subclass makes of itself is its own affair
    shown = repr(name if len(name) <= MAX_IDENTIFIER_SIZE else name[:20] + "...")
    if not name:
        raise InterfaceError(f"the {what} is empty")
    if "\0" in name:
        raise InterfaceError(f"the {what} {shown} has a NUL in it")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise InterfaceError(
            f"the {what} {shown} cannot be sent: it has a lone surrogate at index {error.start}"
        ) from None
    if size > MAX_IDENTIFIER_SIZE:
        raise InterfaceError(
            f"the {what} {shown} has {size} bytes in UTF-8, PostgreSQL keeps "
            f"{MAX_IDENTIFIER_SIZE} of a name"
        )
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Return a text in single quotes, whatever `standard_conforming_strings` is.

    Args:
        text: any text; the server refuses a NUL in it.

    Example:
        >>> quote_literal("it's")
        "'it''s'"

    Source: PostgreSQL documentation, section "String Constants with C-Style Escapes".
    """
    quoted = "'" + text.replace("'", "''") + "'"
    return "E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted
