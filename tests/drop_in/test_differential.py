"""asyncpg and the drop-in are asked the same, and answer the same, but for what is on purpose."""

from __future__ import annotations

import asyncio
import warnings

import pytest
from drop_in import (
    cases_connect,
    cases_connection,
    cases_copy,
    cases_kerberos,
    cases_listeners,
    cases_pool,
    cases_statements,
    cases_tracers,
    cases_values,
)
from drop_in.case import CASES, Case, Outcome, Session, outcome

from pgallop.asyncpg.differences import DIFFERENCES

MODULES = (
    cases_connect,
    cases_connection,
    cases_copy,
    cases_kerberos,
    cases_listeners,
    cases_pool,
    cases_statements,
    cases_tracers,
    cases_values,
)

ON_PURPOSE = {each.name for each in DIFFERENCES}


def ask(name: str, case: Case, dsn: str) -> Outcome:
    """What comes of a case with the driver of this name."""
    with warnings.catch_warnings():
        # asyncpg warns of what it has left behind, of which the cases have some.
        warnings.simplefilter("ignore")
        return asyncio.run(outcome(case.ask, Session(name, dsn)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_same(case: Case, dsn: str) -> None:
    theirs = ask("asyncpg", case, dsn)
    ours = ask("pgallop.asyncpg", case, dsn)
    alike = ours.stands_in_for(theirs)
    if case.differs:
        assert case.differs in ON_PURPOSE
        assert not alike, f"no difference any more: both have {ours}"
    else:
        assert alike, f"asyncpg {theirs}\n the drop-in {ours}"
