"""The bytes of a str, as plain Python.

Compiled modules cimport the same names from `ctext.pxd` and never reach this file. There
`ascii_bytes` points into the str itself.
"""

is_ascii = str.isascii
ascii_bytes = str.encode
utf8_bytes = str.encode
