"""The line of SQL that an error points at, with a caret under the place."""

from __future__ import annotations

# Long enough for a whole line of most programs, short enough to be read at a glance in a log.
WINDOW = 100
# How many of these stand before the place: what comes before explains more than what follows.
BEFORE = 60
# A statement is at most 1 GiB, so longer numbers are no positions (and int() may refuse them).
_POSITION_DIGITS = 10


def excerpt(sql: str, position: str) -> list[str]:
    """Return the line of SQL at a position and a line with a caret under that place.

    Arguments
        sql: the whole text that the position counts in.
        position: a decimal number of characters from 1, as servers send it; the end is a place.

    Returns
        Two lines, or none if the number does not name a place in the text.

    Example::

        >>> print("\\n".join(excerpt("SELECT * FRM t", "10")))
        LINE 1: SELECT * FRM t
                         ^
    """
    offset = offset_of(position)
    if not 0 <= offset <= len(sql):
        return []
    if not sql[offset:].strip():
        # "syntax error at end of input" counts the white space too: point where the words end.
        offset = len(sql.rstrip())
    elif sql[offset - 1 : offset + 1] == "\r\n":
        offset -= 1  # between the characters of one line break: stay on its line
    before = sql[:offset]
    number = 1 + before.count("\n") + before.count("\r") - before.count("\r\n")
    start = 1 + max(before.rfind("\n"), before.rfind("\r"))
    ends = (at for at in (sql.find("\n", offset), sql.find("\r", offset)) if at >= 0)
    line = sql[start : min(ends, default=len(sql))]

    place = offset - start
    first = max(0, min(place - BEFORE, len(line) - WINDOW))
    last = first + WINDOW
    label = f"LINE {number}: {'...' if first else ''}"
    left = _printable(line[first:place])
    right = _printable(line[place:last]) + ("..." if last < len(line) else "")
    return [(label + left + right).rstrip(), " " * (len(label) + _columns(left)) + "^"]


def offset_of(position: str) -> int:
    """The index that a position names, or -1 if it is no decimal number from 1."""
    if not (position.isascii() and position.isdigit() and len(position) <= _POSITION_DIGITS):
        return -1
    return int(position) - 1


def _printable(text: str) -> str:
    """The text with a space for each character that would move the caret, or drive the terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " for char in text)


def _columns(text: str) -> int:
    """How many columns a terminal needs for printable text."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(char: str) -> int:
    """The columns of one character, by Unicode Standard Annex 11 and the general category."""
    import unicodedata  # needed for a few messages only

    # Marks stand on the character before them; so do vowels and finals of decomposed Hangul.
    if unicodedata.category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
