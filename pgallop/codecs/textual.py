"""Values in their text form, as the simple protocol sends them."""

from pgallop.codecs.codec import TEXT, Codec, TextCodec


def textual(codec: Codec) -> Codec:
    """The codec that reads the text form of `codec`'s type."""
    return codec if codec.format == TEXT else TextCodec(codec.oid, codec.name)
