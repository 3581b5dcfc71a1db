"""The types of extensions that are known by their names, one file an extension.

An extension's types have another OID in each database, so their codecs are made when the catalogue
has told it.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from pgallop.codecs.choices import DEFAULT, CodecChoices
from pgallop.codecs.codec import Codec
from pgallop.codecs.extensions import citext, cube, hstore, isn, ltree, postgis, vector
from pgallop.codecs.text import TextCodec

# What makes the codec of a type from its OID, its name and what the connection has chosen.
Maker: TypeAlias = Callable[[int, str, CodecChoices], Codec]

CODECS: Final[Mapping[str, Maker]] = {
    **citext.CODECS,
    **cube.CODECS,
    **hstore.CODECS,
    **isn.CODECS,
    **ltree.CODECS,
    **postgis.CODECS,
    **vector.CODECS,
}


def codec_for(
    name: str, oid: int, choices: CodecChoices = DEFAULT, *, binary: bool = True
) -> Codec | None:
    """The codec of a type of an extension.

    Arguments
        name: the type's, as in pg_type.
        oid: the type's.
        choices: what the connection has chosen about values.
        binary: whether the server has a binary form of it (pg_type.typsend); older ones have none
            of cube and ltree.

    Returns None for a type that is not known here.

    Errors raised
        ImportError: a library that was chosen is not installed; connect() has looked.

    Example::

        registry.add(codec_for("hstore", 16385))
    """
    make = CODECS.get(name)
    if make is None:
        return None
    if not binary:
        make = cube.TEXT_CODECS.get(name)
        return TextCodec(oid, name) if make is None else make(oid, name, choices)
    return make(oid, name, choices)
