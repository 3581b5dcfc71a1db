"""The cases of all types by their names: scalars, and arrays of those that have array types."""

from __future__ import annotations

from builtin_types import (
    array_cases,
    geometry_cases,
    network_cases,
    number_cases,
    range_cases,
    system_cases,
    text_cases,
    time_cases,
)
from builtin_types.array_cases import array_of
from builtin_types.case import Case

from pgallop.codecs._oids import ARRAYS

SCALARS: list[Case] = [
    *number_cases.CASES,
    *text_cases.CASES,
    *time_cases.CASES,
    *network_cases.CASES,
    *geometry_cases.CASES,
    *system_cases.CASES,
    *range_cases.CASES,
    *array_cases.VECTORS,
]


# Types of which values can be sent in arrays only.
ONLY_IN_ARRAYS: list[Case] = [text_cases.CSTRING]

ARRAY_CASES = [array_of(case) for case in (*SCALARS, *ONLY_IN_ARRAYS) if case.name in ARRAYS]

CASES: dict[str, Case] = {case.name: case for case in (*SCALARS, *ARRAY_CASES)}
