"""What each request runs: a pool has to know all of it, and trusts none that does not say."""

from __future__ import annotations

import pytest
from conversation import statement
from scripts import INT4

from pgallop.codecs.builtin import builtin_registry
from pgallop.session.convert import Convert
from pgallop.session.copy_in import CopyIn
from pgallop.session.copy_out import CopyOut
from pgallop.session.copy_rows import CopyRows
from pgallop.session.execute import Execute
from pgallop.session.execute_many import ExecuteMany
from pgallop.session.pipeline import Pipeline
from pgallop.session.portal import ClosePortal, FetchPortal
from pgallop.session.prepare import Prepare
from pgallop.session.request import Request
from pgallop.session.simple import SimpleQuery
from pgallop.session.simple_rows import SimpleRows
from pgallop.session.startup import Startup
from pgallop.session.texts import Texts
from pgallop.session.transitions import CLOSE, compile_table

SET, ASK = statement("SET a.b = 1"), statement("SELECT f($1)", (INT4,), name=b"s2")
REGISTRY = builtin_registry()

REQUESTS: list[tuple[Request, tuple[str, ...] | None]] = [
    (Execute(None, ASK, (1,), False), ("SELECT f($1)",)),
    (ExecuteMany(None, ASK, False), ("SELECT f($1)",)),
    (FetchPortal(None, ASK, (1,), b"p", 10, True), ("SELECT f($1)",)),
    (FetchPortal(None, ASK, (), b"p", 10, False), ("SELECT f($1)",)),
    (
        Pipeline(None, [Execute(None, ASK, (1,), False), Execute(None, SET, (), False)]),
        ("SELECT f($1)", "SET a.b = 1"),
    ),
    (SimpleQuery(None, "SELECT 1; SELECT 2"), ("SELECT 1; SELECT 2",)),
    (SimpleRows(None, "SELECT 1", REGISTRY, False), ("SELECT 1",)),
    (CopyIn(None, "COPY t FROM STDIN"), ("COPY t FROM STDIN",)),
    (CopyOut(None, "COPY (SELECT 1) TO STDOUT", "SELECT $1"), ("SELECT $1",)),
    (CopyRows(None, "COPY (SELECT 1) TO STDOUT", "SELECT $1", "", REGISTRY), ("SELECT $1",)),
    # These run nothing of the caller's.
    (Prepare(None, "SELECT f()", b"s", REGISTRY), ()),
    (Convert(None, [b"x"], 25, 0), ()),
    (Texts(None, [(25, b"x")], True), ()),
    (ClosePortal(None, b"p"), ()),
    (Request(compile_table(CLOSE), None), None),
]


@pytest.mark.parametrize(("request_", "texts"), REQUESTS, ids=lambda each: type(each).__name__)
def test_what_it_runs(request_: Request, texts: tuple[str, ...] | None) -> None:
    assert request_.runs() == texts


def test_all_kinds_are_there() -> None:
    """A new kind of request has to say what it runs, or that nobody can know."""
    kinds = set(Request.__subclasses__())
    kinds |= {kind for each in list(kinds) for kind in each.__subclasses__()}
    ours = {kind for kind in kinds if kind.__module__.startswith("pgallop.")}
    assert ours - {Startup} <= {type(request) for request, _ in REQUESTS}
