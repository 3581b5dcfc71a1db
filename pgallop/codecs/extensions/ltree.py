"""ltree, lquery and ltxtquery: paths of labels, and what searches them, as str.

On the wire: a version byte, then the text. Before PostgreSQL 13 they have no binary form.
Source: ltree_send, lquery_send and so on in the extension's ltree_io.c and ltxtquery_io.c.
"""

from pgallop.codecs.choices import CodecChoices
from pgallop.codecs.codec import Codec
from pgallop.codecs.text import VersionedCodec


def ltree(oid: int, name: str, choices: CodecChoices) -> Codec:
    return VersionedCodec(oid, name)


CODECS = dict.fromkeys(("ltree", "lquery", "ltxtquery"), ltree)
