"""The types that travel as text, because the server has no other form of them that is of use.

A name like that of a regclass is worth more than its OID, which the binary form would be: within
records, where that is all that comes, it is an int. tsvector and tsquery are the same text there.
"""

from pgallop.codecs._oids import OIDS
from pgallop.codecs.numbers import OidCodec
from pgallop.codecs.registry import Registry
from pgallop.codecs.text import TextCodec
from pgallop.codecs.textsearch import TsqueryCodec, TsvectorCodec

# Names of what the catalogue has; in binary its OID.
NAMES = (
    *("regproc", "regprocedure", "regoper", "regoperator", "regclass", "regtype", "regrole"),
    *("regnamespace", "regconfig", "regdictionary", "regcollation"),
)

OTHERS = (
    # Without a binary form.
    *("aclitem", "gtsvector"),
    # In binary they are bytes that only the server can read.
    *("pg_ndistinct", "pg_dependencies", "pg_brin_bloom_summary", "pg_brin_minmax_multi_summary"),
    # The columns of pg_stats that are arrays of any type.
    "anyarray",
    # Of PostgreSQL 10 and 11.
    *("abstime", "reltime", "tinterval"),
)

# Said where one would have to be written in binary.
READ_ONLY = "nothing, for within a composite type it can only be read: send that as text"


def register(registry: Registry) -> None:
    for name in NAMES:
        oid = OIDS[name]
        registry.add(TextCodec(oid, name, OidCodec(oid, name, 0, 2**32 - 1)))
    vector, query = OIDS["tsvector"], OIDS["tsquery"]
    registry.add(TextCodec(vector, "tsvector", TsvectorCodec(vector, "tsvector", READ_ONLY)))
    registry.add(TextCodec(query, "tsquery", TsqueryCodec(query, "tsquery", READ_ONLY)))
    for name in OTHERS:
        registry.add(TextCodec(OIDS[name], name))
