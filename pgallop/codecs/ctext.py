"""The bytes of a str, as plain Python.

Compiled modules cimport the same names from `ctext.pxd` and never reach this file. There
`ascii_bytes` points into the str itself.
"""

ascii_bytes = str.encode
utf8_bytes = str.encode


def is_ascii(text: str) -> bool:
    """False for instances of subclasses too, whose `len` may be another one's idea."""
    return type(text) is str and text.isascii()
