"""SASLprep, the form of a password that SCRAM is computed with (RFC 4013)."""

import stringprep
import unicodedata

__all__ = ["saslprep"]


def saslprep(text: str) -> str | None:
    """Return the SASLprep form of a password, or None where it has none.

    It follows PostgreSQL's `pg_saslprep` where that differs from the RFC, since PostgreSQL made the
    verifier: characters are judged before they are normalized, and a text of which nothing remains
    has no form.

    Args:
        text: any string.

    Returns:
        The prepared text; None if `text` has a prohibited or (in Unicode 3.2) unassigned character,
        breaks the rule for right-to-left text, or nothing remains of it.

    Example:
        >>> saslprep("I\\u00adX"), saslprep("\\u2168"), saslprep("a\\u0007")
        ('IX', 'IX', None)

    Source: RFC 4013; RFC 3454, section 6 for bidirectional text.
    """
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in text
        # U+200B is a space in table C.1.2 and nothing in B.1: PostgreSQL asks C.1.2 first.
        if stringprep.in_table_c12(char) or not stringprep.in_table_b1(char)
    )
    if not mapped or any(map(_is_prohibited, mapped)) or _breaks_bidi_rule(mapped):
        return None
    # Today's Unicode, as in PostgreSQL, not 3.2: five ideographs were corrected in between.
    return unicodedata.normalize("NFKC", mapped)


def _is_prohibited(char: str) -> bool:
    # RFC 4013, sections 2.3 and 2.5. Mapping has already replaced table C.1.2.
    return (
        stringprep.in_table_c21_c22(char)
        or stringprep.in_table_c3(char)
        or stringprep.in_table_c4(char)
        or stringprep.in_table_c5(char)
        or stringprep.in_table_c6(char)
        or stringprep.in_table_c7(char)
        or stringprep.in_table_c8(char)
        or stringprep.in_table_c9(char)
        or stringprep.in_table_a1(char)
    )


def _breaks_bidi_rule(text: str) -> bool:
    right_to_left = [stringprep.in_table_d1(char) for char in text]
    if not any(right_to_left):
        return False
    return not (right_to_left[0] and right_to_left[-1]) or any(map(stringprep.in_table_d2, text))
