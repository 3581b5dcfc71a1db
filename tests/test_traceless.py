"""What a pool knows of statements that leave nothing behind, and what it asks when: no server."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgallop import Knowledge
from pgallop.knowledge import Scope
from pgallop.traceless import (
    BATCH,
    GATHERING,
    LONGEST,
    MAX_TEXTS,
    PAUSE,
    REFUSED_LIFETIME,
    WORTH,
    Question,
    Traceless,
)

READ = "SELECT a FROM t WHERE a = $1"


def come(known: Traceless, query: str, now: float, times: int = WORTH) -> bool:
    """A text comes so often; what is known of it in the end."""
    return [known.is_proven(query, now) for _ in range(times)][-1]


def texts(question: Question | None) -> list[str]:
    assert question is not None
    return [query for query, _ in question.candidates]


def answered(known: Traceless, now: float, harmful: frozenset[str] = frozenset()) -> int:
    """Ask all there is to ask, a pause between questions; how many it were."""
    for number in itertools.count():
        now += 2 * PAUSE
        question = known.question(now)
        if question is None and not known.is_curious(now):
            return number
        if question is not None:
            known.judge(question, not harmful & {*texts(question)}, now)
    raise AssertionError


def test_from_the_first_use_to_the_proof() -> None:
    known = Traceless()
    assert not come(known, READ, 10.0, WORTH - 1)
    assert not known.is_curious(100.0)
    assert not come(known, READ, 10.0, 1)
    assert not known.is_curious(10.0 + GATHERING / 2)  # others may come
    assert known.question(10.0) is None
    question = known.question(10.0 + PAUSE)
    assert texts(question) == [READ]
    assert question is not None
    assert question.parameters() == (["a", "from", "select", "t", "where"], [], ["<>", "="])
    # Meanwhile it is not asked again.
    assert not come(known, READ, 12.0)
    assert not known.is_curious(100.0)
    known.judge(question, True, 12.0)
    assert come(known, READ, 12.0, 1)
    assert not known.is_curious(100.0)


def test_a_proof_counts_so_long_and_is_renewed() -> None:
    known = Traceless(lifetime=60.0)
    come(known, READ, 0.0)
    assert answered(known, 0.0) == 1  # at 2.0
    assert known.is_proven(READ, 61.9)
    assert not known.is_proven(READ, 62.0)
    # It need not come several times again.
    assert answered(known, 62.0) == 1
    assert known.is_proven(READ, 65.0)


def test_a_no_counts_longer() -> None:
    known = Traceless()
    come(known, READ, 0.0)
    assert answered(known, 0.0, frozenset({READ})) == 1
    assert not come(known, READ, REFUSED_LIFETIME)
    assert answered(known, REFUSED_LIFETIME) == 0
    come(known, READ, 2 * REFUSED_LIFETIME)
    assert answered(known, 2 * REFUSED_LIFETIME) == 1
    assert known.is_proven(READ, 2 * REFUSED_LIFETIME + 3)


def test_a_text_that_cannot_be_harmless_is_never_asked_about() -> None:
    known = Traceless()
    for query in ("LISTEN x", "SET a.b = 1", "SELECT 1; SELECT 2"):
        come(known, query, 0.0)
    assert known.is_curious(2.0)
    assert known.question(2.0) is None
    assert not known.is_curious(100.0)


@pytest.mark.parametrize(
    "query",
    [
        "BEGIN",
        "begin work;",
        "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
        "START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE, NOT DEFERRABLE ;",
        "COMMIT",
        " End Transaction ",
        "ROLLBACK",
        "ABORT",
        "SAVEPOINT pgallop_savepoint_1",
        "RELEASE SAVEPOINT a",
        "RELEASE a",
        "ROLLBACK TO SAVEPOINT a;",
        "ROLLBACK WORK TO a",
    ],
)
def test_transactions_leave_nothing_when_they_are_over(query: str) -> None:
    known = Traceless()
    assert known.is_proven(query, 0.0)
    assert not known._seen


@pytest.mark.parametrize(
    "query",
    [
        "COMMIT PREPARED 'a'",
        "PREPARE TRANSACTION 'a'",
        "COMMIT; SET a.b = 1",
        "BEGIN; SET a.b = 1",
        "SET TRANSACTION READ ONLY",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "BEGIN ISOLATION LEVEL",
        "BEGINREAD ONLY",
        "BEGIN READ ONLYREAD WRITE",
        "COMMIT\u00a0",
        "SAVEPOINT",
        'SAVEPOINT "a"',
        "END IF",
        "BEGIN " + "READ ONLY " * 399 + "x",
    ],
)
def test_what_only_looks_like_it(query: str) -> None:
    assert not Traceless().is_proven(query, 0.0)


def test_after_a_no_they_are_divided() -> None:
    known = Traceless()
    queries = [f"SELECT {n}" for n in range(16)]
    for query in queries:
        come(known, query, 0.0)
    # 16, 8 and 8, 4 and 4, 2 and 2, 1 and 1
    assert answered(known, 0.0, frozenset(queries[5:6])) == 9
    assert [known.is_proven(query, 20.0) for query in queries] == [n != 5 for n in range(16)]


def test_those_that_write_are_divided_from_those_that_read_first() -> None:
    known = Traceless()
    for n in range(4):
        come(known, f"DELETE FROM a WHERE b = {n}", 0.0)
        come(known, f"SELECT {n} FROM a", 0.0)
    question = known.question(2.0)
    assert [query.split()[0] for query in texts(question)] == ["SELECT"] * 4 + ["DELETE"] * 4


def test_all_that_is_asked_about_at_once() -> None:
    known = Traceless()
    come(known, 'SELECT lower("B") FROM t', 0.0)
    come(known, "DELETE FROM u WHERE x < 5", 0.0)
    question = known.question(2.0)
    assert question is not None
    assert question.parameters() == (
        ["B", "delete", "from", "lower", "select", "t", "u", "where", "x"],
        ["lower"],
        ["<", "<>", "="],
    )


def test_an_error_is_a_no_to_each() -> None:
    known = Traceless()
    for n in range(8):
        come(known, f"SELECT {n}", 0.0)
    question = known.question(2.0)
    assert question is not None
    known.judge(question, False, 2.0, is_final=True)
    assert not known.is_curious(100.0)
    assert not any(come(known, f"SELECT {n}", 100.0) for n in range(8))
    assert answered(known, 100.0) == 0


def test_an_answer_that_never_came() -> None:
    known = Traceless()
    come(known, READ, 0.0)
    question = known.question(2.0)
    assert question is not None
    known.judge(question, None, 2.0)
    assert not known.is_proven(READ, 2.0)
    assert answered(known, 2.0) == 1
    assert known.is_proven(READ, 5.0)


def test_the_schema_changes() -> None:
    known = Traceless()
    come(known, READ, 0.0)
    come(known, "SELECT 1", 0.0)
    answered(known, 0.0, frozenset({READ}))
    assert known.is_proven("SELECT 1", 10.0)
    known.forget_all()
    assert not known.is_proven("SELECT 1", 10.0)
    # What was proven is asked about again, without having to come again; a no remains one.
    assert answered(known, 10.0) == 1
    assert known.is_proven("SELECT 1", 13.0)
    assert not known.is_proven(READ, 13.0)


@pytest.mark.parametrize("answer", [True, False])
def test_the_schema_changes_while_the_answer_is_awaited(answer: bool) -> None:
    known = Traceless()
    come(known, READ, 0.0)
    question = known.question(2.0)
    assert question is not None
    known.forget_all()
    known.judge(question, answer, 2.0)
    assert not known.is_proven(READ, 3.0)
    assert answered(known, 3.0) == answer
    assert known.is_proven(READ, 6.0) is answer


def test_questions_come_one_a_second() -> None:
    known = Traceless()
    for n in range(3 * BATCH):
        come(known, f"SELECT {n}", 0.0)
    times = [n / 10 for n in range(100) if known.question(n / 10) is not None]
    assert len(times) == 3
    assert all(later - earlier >= PAUSE for earlier, later in itertools.pairwise(times))


def test_memory_is_bounded() -> None:
    known = Traceless()
    for n in range(5 * MAX_TEXTS):
        known.is_proven(f"SELECT {n}", 0.0)
        come(known, f"SELECT {n}, 1", 0.0)
    assert len(known._seen) == MAX_TEXTS
    assert len(known._open) == MAX_TEXTS
    answered(known, 0.0)
    for n in range(5 * MAX_TEXTS):
        come(known, f"SELECT {n}, 2", 0.0)
    answered(known, 0.0, frozenset(["SELECT 1, 2"]))
    assert len(known.proven) + len(known._refused) <= MAX_TEXTS + 1
    long = "SELECT 1 -- " + "x" * LONGEST
    come(known, long, 0.0)
    assert long not in known._open
    assert long not in known._seen


def test_long_texts_are_not_read_all_at_once() -> None:
    known = Traceless()
    for n in range(4):
        come(known, f"SELECT {n} -- " + "x" * 1000, 0.0)
    assert len(texts(known.question(2.0))) == 2


def test_a_scope_asks_for_its_server() -> None:
    knowledge = Knowledge()
    scopes = [Scope(knowledge, server, {}) for server in "aab"]
    come(scopes[0].traceless, READ, 0.0)
    answered(scopes[0].traceless, 0.0)
    assert [scope.is_traceless(READ, 5.0) for scope in scopes] == [True, True, False]
    scopes[0].leave()
    assert [scope.is_traceless(READ, 5.0) for scope in scopes] == [False, True, False]
    scopes[0].rejoin()
    knowledge.forget_all()
    assert not any(scope.is_traceless(READ, 5.0) for scope in scopes)


TEXTS = [f"SELECT {n}" for n in range(12)] + ["LISTEN x", "DELETE FROM a"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["use", "use", "use", "ask", "answer", "lose", "change", "wait"]),
        st.integers(0, len(TEXTS) - 1),
    ),
    max_size=120,
)


@given(STEPS, st.sets(st.sampled_from(TEXTS)))
def test_nothing_is_believed_that_was_not_said(
    steps: list[tuple[str, int]], harmful: set[str]
) -> None:
    """What is harmful changes with the schema; an answer tells how it was when it was asked."""
    harmful.add("LISTEN x")
    known = Traceless(lifetime=20.0)
    now = 0.0
    asked: list[tuple[Question, bool]] = []
    for step, n in steps:
        match step:
            case "use":
                if come(known, TEXTS[n], now):
                    assert TEXTS[n] not in harmful
            case "ask":
                now += PAUSE
                if question := known.question(now):
                    asked.append((question, not harmful & {*texts(question)}))
            case "answer" | "lose" if asked:
                question, answer = asked.pop()
                known.judge(question, None if step == "lose" else answer, now)
            case "change":
                harmful ^= {TEXTS[n]} - {"LISTEN x"}
                known.forget_all()
            case "wait":
                now += 7.0 * n
    for question, answer in asked:
        known.judge(question, answer, now)
    # At rest all is known that is harmless, for a no does not count for ever.
    now += REFUSED_LIFETIME + 100
    for query in TEXTS:
        come(known, query, now)
    answered(known, now, frozenset(harmful))
    assert known.proven.keys() == {*TEXTS} - harmful
    assert not known._open
