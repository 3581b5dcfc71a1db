"""Values for arrays: text forms of each element type, and lists of any shape."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

# Text forms that every element type's array is tested with. Those of int2vector and oidvector are
# arrays themselves. xml is not here: the server may be built without it; nor is record, of which
# the server takes no values (see test_records.py).
SAMPLES: dict[str, list[str]] = {
    "bool": ["t", "f"],
    "bpchar": ["", "a", "b "],
    "bytea": ["\\x", "\\x00ff"],
    "char": ["", "a", "z"],
    "cstring": ["", "a", 'quotes " \\'],
    "date": ["2000-01-01", "1999-12-31", "9999-12-30"],
    "float4": ["0", "-1.5", "3.4028235e+38", "Infinity"],
    "float8": ["0", "-1.5", "1e-300", "-Infinity"],
    "int2": ["0", "-32768", "32767", "-1"],
    "int2vector": ["1 2 3", "-1"],
    "int4": ["0", "-2147483648", "2147483647", "-1"],
    "int8": ["0", "-9223372036854775808", "9223372036854775807", "-1"],
    "interval": ["1 day 02:03:04.5", "-1 day"],
    "json": ['{"a": [1, 2]}', "[[1], [2, 3]]", '"text"', "5"],
    "jsonb": ['{"a": [1, 2]}', "[[1], [2, 3]]", '"text"', "5"],
    "name": ["", "a", "pg_type"],
    "numeric": ["0", "-1.500", "1" + "0" * 50],
    "oid": ["0", "4294967295", "2147483648"],
    "oidvector": ["1 2 3", "4294967295"],
    "bit": ["", "1", "10101"],
    "varbit": ["", "0", "101010101"],
    "point": ["(1,2)", "(-0,1e+300)"],
    "line": ["{1,2,3}", "{-1,0,0.5}"],
    "lseg": ["[(1,2),(3,4)]", "[(0,0),(0,0)]"],
    "box": ["(3,4),(1,2)", "(0,0),(0,0)"],
    "path": ["((1,2),(3,4))", "[(1,2)]"],
    "polygon": ["((1,2),(3,4))", "((0,0))"],
    "circle": ["<(1,2),3>", "<(0,0),0>"],
    "int4range": ["empty", "[1,5)", "(,)", "(,-7)"],
    "int8range": ["empty", "[9223372036854775806,9223372036854775807)"],
    "numrange": ["(1.50,2]", "[1,)", "empty"],
    "daterange": ["[2024-02-29,2024-03-01)", "(,)"],
    "tsrange": ['["2024-02-29 12:00:00","2024-02-29 12:00:00.5"]', "empty"],
    "tstzrange": ['(,"2024-02-29 12:00:00+00"]', "empty"],
    "int4multirange": ["{}", "{(,-7),[1,5),[7,9)}"],
    "int8multirange": ["{}", "{[9223372036854775806,9223372036854775807)}"],
    "nummultirange": ["{(1.50,2],(2,3)}", "{}"],
    "datemultirange": ["{[2024-02-29,2024-03-01)}", "{(,)}"],
    "tsmultirange": ['{["2024-02-29 12:00:00","2024-02-29 12:00:00.5"]}', "{}"],
    "tstzmultirange": ['{(,"2024-02-29 12:00:00+00"],["2024-03-01 00:00:00+00",)}'],
    "text": ["", "a", "NULL", '{"quoted\\", it is}', "grüße"],
    "cid": ["0", "4294967295"],
    "cidr": ["10.0.0.0/8", "::/0", "1.2.3.4/32"],
    "inet": ["10.0.0.1", "10.0.0.1/8", "::1", "2001:db8::1/64"],
    "jsonpath": ["$", 'strict $."a"[*]?(@ > 1)'],
    "macaddr": ["08:00:2b:01:02:03", "00:00:00:00:00:00"],
    "macaddr8": ["08:00:2b:01:02:03:04:05", "ff:ff:ff:ff:ff:ff:ff:ff"],
    "pg_lsn": ["0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"],
    "pg_snapshot": ["1:1:", "10:20:10,14,15"],
    "refcursor": ["", "<unnamed portal 1>"],
    "tid": ["(0,1)", "(4294967295,65535)"],
    "txid_snapshot": ["1:1:", "10:20:10,14,15"],
    "xid": ["0", "4294967295"],
    "xid8": ["0", "18446744073709551615"],
    "time": ["00:00:00", "23:59:59.999999"],
    "timestamp": ["2000-01-01 00:00:00", "1999-12-31 23:59:59.999999"],
    "timestamptz": ["2000-01-01 00:00:00+00", "1999-12-31 23:59:59.999999+00"],
    "timetz": ["00:00:00+00", "23:59:59.999999-01:30"],
    "uuid": ["12345678-90ab-cdef-1234-567890abcdef", "0" * 32],
    "varchar": ["", "a", " b "],
}

# The first version of PostgreSQL that has a type, if that is not 10.
SINCE: dict[str, int] = {
    "jsonpath": 12,
    "pg_snapshot": 13,
    "xid8": 13,
    **{name: 14 for name in SAMPLES if name.endswith("multirange")},
}

floats = st.floats(allow_nan=False)
strings = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "bytea": st.binary(max_size=10),
    "float4": st.floats(allow_nan=False, width=32),
    "float8": floats,
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1),
    "oid": st.integers(0, 2**32 - 1),
    "text": strings,
    "uuid": st.uuids(),
}


@st.composite
def nested_lists(draw: st.DrawFn, elements: st.SearchStrategy[Any]) -> list[Any]:
    """A list of one to six dimensions, none of them empty, with NULLs."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=6))
    count = min(math.prod(shape), 64)
    items = draw(st.lists(elements | st.none(), min_size=count, max_size=count))
    source = (items[i % count] for i in range(math.prod(shape)))

    def build(depth: int) -> list[Any]:
        innermost = depth + 1 == len(shape)
        return [next(source) if innermost else build(depth + 1) for _ in range(shape[depth])]

    return build(0)
