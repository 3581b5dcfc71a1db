"""Types of a user, as a catalogue tells of them, and values of them."""

from __future__ import annotations

from typing import Any

from pgallop.codecs._oids import OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.introspection import (
    ARRAY,
    BASE,
    COMPOSITE,
    DOMAIN,
    ENUM,
    MULTIRANGE,
    RANGE,
    TypeInfo,
    Types,
)
from pgallop.codecs.registry import Registry
from pgallop.values import Range

INT4, TEXT_OID = OIDS["int4"], OIDS["text"]

MOOD, MOODS, PAIR, PAIRS, SMALL, SMALLS, OUTER, SPAN, SPANS, RIGHTS, ODD, GOOD = range(
    100_000, 100_012
)

INFOS = [
    TypeInfo(MOOD, "own", "mood", ENUM),
    TypeInfo(MOODS, "own", "_mood", ARRAY, MOOD),
    TypeInfo(GOOD, "own", "good", DOMAIN, MOOD),
    TypeInfo(PAIR, "own", "pair", COMPOSITE, fields=(("a", INT4), ("m", MOOD))),
    TypeInfo(PAIRS, "own", "_pair", ARRAY, PAIR),
    TypeInfo(SMALL, "own", "small", DOMAIN, INT4),
    TypeInfo(SMALLS, "own", "_small", ARRAY, SMALL),
    TypeInfo(OUTER, "own", "outer", COMPOSITE, fields=(("p", PAIR), ("ps", PAIRS), ("s", SMALL))),
    TypeInfo(SPAN, "own", "span", RANGE, PAIR),
    TypeInfo(SPANS, "own", "spans", MULTIRANGE, SPAN),
    TypeInfo(RIGHTS, "own", "rights", COMPOSITE, fields=(("r", OIDS["aclitem"]), ("p", PAIR))),
    TypeInfo(ODD, "own", "odd", BASE, delimiter=":", has_binary=False),
]

VALUES: list[tuple[int, Any]] = [
    (MOOD, "sad"),
    (MOODS, ["sad", None]),
    (MOODS, [["sad"], ["glad"]]),
    (GOOD, "sad"),
    (PAIR, (1, "sad")),
    (PAIR, (None, None)),
    (PAIRS, [(1, "s,a\"'\\d"), None]),
    (PAIRS, [[(1, "")], [(2, "x")]]),
    (SMALLS, [1, None, -1]),
    (OUTER, ((1, "sad"), [(2, "glad")], 3)),
    (SPAN, Range((1, "a"), (2, "b"))),
    (SPANS, [Range((1, "a"), None)]),
    (ODD, "any text"),
]


def known(*infos: TypeInfo, in_text: bool = False) -> Registry:
    """A registry for which the catalogue has told this."""
    types = Types()
    types.learn([], infos or INFOS)
    registry = builtin_registry().copy()
    registry.source = types
    registry.in_text = in_text
    return registry


# Text forms, and the values that they are.
TEXTS: list[tuple[int, str, Any]] = [
    (MOOD, "sad", "sad"),
    (MOODS, "{sad,NULL}", ["sad", None]),
    (PAIR, "(1,sad)", (1, "sad")),
    (PAIR, '(,"a "",b\\\\")', (None, 'a ",b\\')),
    (PAIRS, '{"(1,sad)",NULL}', [(1, "sad"), None]),
    (OUTER, '("(1,sad)","{""(2,glad)""}",3)', ((1, "sad"), [(2, "glad")], 3)),
    (SPAN, '["(1,a)","(2,b)")', Range((1, "a"), (2, "b"))),
    (SPANS, '{["(1,a)",)}', [Range((1, "a"), None)]),
    (RIGHTS, '(=r/x,"(1,sad)")', ("=r/x", (1, "sad"))),
    (ODD, "any text", "any text"),
]
