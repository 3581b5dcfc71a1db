"""Values of every type to the server and back, in binary and as text, next to the server's text."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from builtin_types.case import Case
from builtin_types.drivers import WIDTH, Drivers
from builtin_types.every_case import ARRAY_CASES, CASES, SCALARS
from builtin_types.sameness import same
from hypothesis import given, settings
from hypothesis import strategies as st

import pgallop

every_type = pytest.mark.parametrize("case", CASES.values(), ids=repr)
# Not a fixed profile for the whole suite: the one that conftest.py has made for these tests.
some_values = settings.get_profile("every type")


def need(drivers: Drivers, case: Case) -> None:
    """Skip the test if the server has no such type."""
    if drivers.version < case.since:
        pytest.skip(f"new in PostgreSQL {case.since}")
    if case.name.startswith("xml") and not drivers.has_xml:
        pytest.skip("the server was built without XML")


def chunks(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[i : i + WIDTH] for i in range(0, len(values), WIDTH)]


def hold(what: str, values: Sequence[Any], found: Sequence[Any], expected: Sequence[Any]) -> None:
    """Fail, naming them, if what was found for values is not what was expected."""
    wrong = [
        f"\n  {value!r}:\n    {one!r}, not\n    {other!r}"
        for value, one, other in zip(values, found, expected, strict=True)
        if not same(one, other)
    ]
    assert not wrong, f"{what}: {len(wrong)} differ, among them{''.join(wrong[:3])}"


def round_trip(drivers: Drivers, case: Case, values: Sequence[Any]) -> None:
    """The property of every type: whichever way a value goes, it stays the same."""
    values = [*values, None][:WIDTH]
    present = [value for value in values if value is not None]
    read, texts = drivers.send(case.sql, values)
    if case.expected is not None:
        kept = [None if value is None else case.expected(value) for value in values]
        hold("read back", values, read, kept)

    again, texts_again = drivers.parse(case.sql, texts)
    hold("read from its text form", texts, again, read)
    hold("its text form", texts, texts_again, texts)

    simple = [None if value is None else case.in_simple(value) for value in read]
    hold("read in its text form", texts, drivers.parse_simply(case.sql, texts), simple)

    if case.literal is not None:
        literals = [case.literal(value) for value in present]
        made, made_texts = drivers.parse(case.sql, literals)
        hold("the server's text for", present, texts[: len(present)], made_texts)
        hold("the server's value for", present, read[: len(present)], made)


@every_type
def test_edges(drivers: Drivers, case: Case) -> None:
    need(drivers, case)
    for values in chunks(case.edges_in(drivers.version)):
        round_trip(drivers, case, values)


def test_the_longest_numbers(drivers: Drivers) -> None:
    """131,072 digits before the point and 16,383 behind it are what PostgreSQL has."""
    digits = "987654321" * 15000
    longest = Decimal(f"{digits[:131072]}.{digits[:16383]}")
    # Its text: the context of an operation would round it.
    least = Decimal(f"-{longest}")
    round_trip(drivers, CASES["numeric"], [longest, least])
    round_trip(drivers, CASES["numeric[]"], [[longest, None, least]])


@every_type
@given(data=st.data())
@some_values
def test_any_values(drivers: Drivers, case: Case, data: st.DataObject) -> None:
    need(drivers, case)
    values = data.draw(st.lists(case.any_value(drivers.version), min_size=24, max_size=WIDTH - 1))
    round_trip(drivers, case, values)


@every_type
def test_in_records(drivers: Drivers, case: Case) -> None:
    need(drivers, case)
    if not case.alike_in_records:
        pytest.skip("it is something else in a record: see the next test")
    for values in chunks([*case.edges_in(drivers.version), None]):
        read, _ = drivers.send(case.sql, values)
        hold("as a field of a record", values, drivers.in_record(case.sql, values), read)


@pytest.mark.parametrize("case", [case for case in SCALARS if not case.alike_in_records], ids=repr)
def test_what_is_something_else_in_records(drivers: Drivers, case: Case) -> None:
    """There the server sends what has a binary form only, and that of names is their OID."""
    need(drivers, case)
    if case.name == "aclitem":
        with pytest.raises(pgallop.UndefinedFunctionError, match="no binary output"):
            drivers.in_record(case.sql, case.edges)
        return
    numbers, _ = drivers.send(f"{case.sql}::oid::int8", case.edges)
    fields = drivers.in_record(case.sql, case.edges)
    hold("as a field of a record", case.edges, fields, numbers)


@pytest.mark.parametrize("case", ARRAY_CASES, ids=repr)
def test_lower_bounds_do_not_count(drivers: Drivers, case: Case) -> None:
    need(drivers, case)
    values = [value for value in case.edges if len(value) == 1]
    read, texts = drivers.send(case.sql, values)
    moved = [f"[-7:-7]={text}" for text in texts]
    found, kept = drivers.parse(case.sql, moved)
    hold("read", moved, found, read)
    hold("its text form", moved, kept, moved)
    simple = [case.in_simple(value) for value in read]
    hold("read in its text form", moved, drivers.parse_simply(case.sql, moved), simple)
