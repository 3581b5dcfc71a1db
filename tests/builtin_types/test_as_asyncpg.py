"""The same values through asyncpg: it reads what we read, and writes what we write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from builtin_types.asyncpg_values import DIFFERENCES, HOLED, Difference, in_asyncpg, meant_to_differ
from builtin_types.case import Case
from builtin_types.drivers import WIDTH, Drivers
from builtin_types.every_case import CASES
from builtin_types.sameness import same
from builtin_types.test_round_trip import chunks, every_type, hold, need, some_values
from hypothesis import given
from hypothesis import strategies as st


def compare(drivers: Drivers, case: Case, values: Sequence[Any]) -> None:
    """asyncpg reads what we read, and writes what we write."""
    read, texts = drivers.send(case.sql, values)
    known = zip(read, texts, strict=True)
    alike = [each for each in known if not meant_to_differ(case.name, each[0], "read")]
    theirs, _ = drivers.parse(case.sql, [text for _, text in alike], drivers.theirs)
    hold("asyncpg reads", alike, theirs, [in_asyncpg(value) for value, _ in alike])

    alike = [each for each in alike if not meant_to_differ(case.name, each[0], "written")]
    sent = [in_asyncpg(value) for value, _ in alike]
    _, written = drivers.send(case.sql, sent, drivers.theirs)
    hold("asyncpg writes", sent, written, [text for _, text in alike])


@every_type
def test_edges(drivers: Drivers, case: Case) -> None:
    need(drivers, case)
    for values in chunks(case.edges_in(drivers.version)):
        compare(drivers, case, values)


@every_type
@given(data=st.data())
@some_values
def test_any_values(drivers: Drivers, case: Case, data: st.DataObject) -> None:
    need(drivers, case)
    compare(
        drivers,
        case,
        data.draw(st.lists(case.any_value(drivers.version), min_size=24, max_size=WIDTH)),
    )


@pytest.mark.parametrize("difference", DIFFERENCES, ids=repr)
def test_the_differences_are_real(drivers: Drivers, difference: Difference) -> None:
    if drivers.version < difference.since:
        pytest.skip(f"new in PostgreSQL {difference.since}")
    for name in difference.types.split():
        case = CASES[name]
        (value,), (text,) = drivers.parse(case.sql, [difference.text])
        assert meant_to_differ(name, value, difference.when)
        theirs = difference.theirs
        if isinstance(theirs, type):
            with pytest.raises(theirs):
                drivers.parse(case.sql, [difference.text], drivers.theirs)
                drivers.send(case.sql, [in_asyncpg(value)], drivers.theirs)
        elif difference.when == "read":
            (found,), _ = drivers.parse(case.sql, [difference.text], drivers.theirs)
            assert same(found, theirs)
            assert not same(found, in_asyncpg(value))
        else:
            _, (written,) = drivers.send(case.sql, [in_asyncpg(value)], drivers.theirs)
            assert written == theirs
            assert written != text


@pytest.mark.parametrize("name", HOLED)
def test_the_holes_are_real(drivers: Drivers, name: str) -> None:
    (found,), _ = drivers.parse(f"{name}[]", ["{\"\",'a'}"], drivers.theirs)
    assert repr(found).endswith(", <NULL>]")
    (found,), _ = drivers.parse(f"{name}[]", ["{\"\",'a'}"])
    assert found == ["", "'a'"]
