"""The numbers of books, serials, music and goods of the extension isn, as str.

The server has no binary form of them, and writes them with hyphens: `978-0-393-04002-9`.
Source: the extension's isn--1.1.sql; ean13_out and isn_out in its isn.c.
"""

from pgallop.codecs.choices import CodecChoices
from pgallop.codecs.codec import Codec
from pgallop.codecs.text import TextCodec

NAMES = ("ean13", "isbn", "isbn13", "ismn", "ismn13", "issn", "issn13", "upc")


def isn(oid: int, name: str, choices: CodecChoices) -> Codec:
    return TextCodec(oid, name)


CODECS = dict.fromkeys(NAMES, isn)
