"""citext: text that is compared without regard to case, as a str.

On the wire it is what text is.
Source: the extension's citext--1.4.sql, in which its functions are those of text.
"""

from pgallop.codecs.choices import CodecChoices
from pgallop.codecs.codec import Codec
from pgallop.codecs.text import StrCodec


def citext(oid: int, name: str, choices: CodecChoices) -> Codec:
    return StrCodec(oid, name)


CODECS = {"citext": citext}
