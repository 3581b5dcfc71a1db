"""What became of a pipeline's statements, from the server's answers alone."""

from __future__ import annotations

import pytest

from pgallop.session.outcomes import Effect, Nature, Outcome, judge, nature, words

# Transaction statuses, and none because the server never said.
IDLE, OPEN, BROKEN, NEVER = ord("I"), ord("T"), ord("E"), 0

LETTERS = {
    "n": Outcome.NOT_RUN,
    "d": Outcome.DONE,
    "t": Outcome.IN_TRANSACTION,
    "f": Outcome.FAILED,
    "r": Outcome.ROLLED_BACK,
    "?": Outcome.UNKNOWN,
}
TAGS = {"begin": b"BEGIN", "commit": b"COMMIT", "rollback": b"ROLLBACK"}


def outcomes(
    script: str,
    answered: int,
    status: int,
    *,
    in_block: bool = False,
    major: int = 18,
    atomic: bool = True,
) -> str:
    """A letter for each statement of `script`, of which so many are answered; none is an error."""
    queries = [query.strip() for query in script.split(";")]
    tags = [TAGS.get(query.partition(" ")[0], b"SELECT 1") for query in queries[:answered]]
    verdict = judge(
        queries,
        tags,
        failed=answered < len(queries) and status != NEVER,
        in_block=in_block,
        status=status,
        server_major=major,
        atomic=atomic,
    )
    names = {outcome: letter for letter, outcome in LETTERS.items()}
    return "".join([names[outcome] for outcome in verdict.outcomes])


@pytest.mark.parametrize(
    ("script", "answered", "status", "expected"),
    [
        # Outside of a block: one transaction.
        ("select; select; select", 3, IDLE, "ddd"),
        ("select; select; select", 0, IDLE, "fnn"),
        ("select; select; select", 1, IDLE, "rfn"),
        ("select; select; select", 2, IDLE, "rrf"),
        # COMMIT and ROLLBACK end it.
        ("select; commit; select", 3, IDLE, "ddd"),
        ("select; commit; select; select", 3, IDLE, "ddrf"),
        ("select; commit", 1, IDLE, "rf"),
        ("select; rollback; select", 3, IDLE, "rdd"),
        ("select; rollback; select; select", 3, IDLE, "rdrf"),
        ("select; commit; rollback; commit; select", 4, IDLE, "ddddf"),
        # BEGIN makes it a block, which stays open.
        ("select; begin; select", 3, OPEN, "ttt"),
        ("select; begin; select", 2, BROKEN, "rrf"),
        ("begin; select; commit; select", 4, IDLE, "dddd"),
        ("begin; select; commit; begin; select", 5, OPEN, "dddtt"),
        ("begin; select; commit; begin; select; select", 5, BROKEN, "dddrrf"),
        ("begin; select; commit and chain; select", 4, OPEN, "dddt"),
        ("begin; select; rollback and chain; select; select", 4, BROKEN, "rrdrf"),
        # Savepoints: what came before the last one may still be kept.
        ("begin; select; savepoint a; select; select", 4, BROKEN, "tttrf"),
        ("begin; savepoint a; select; savepoint b; select; select", 5, BROKEN, "ttttrf"),
        (
            "begin; savepoint a; savepoint b; select; release b; select; select",
            6,
            BROKEN,
            "ttrrrrf",
        ),
        ("begin; savepoint a; savepoint b; select; release a; select", 5, BROKEN, "rrrrrf"),
        ("begin; select; savepoint a; select; rollback to a; select", 6, OPEN, "tttrtt"),
        ("begin; select; savepoint a; select; rollback to a; select", 5, BROKEN, "tttrrf"),
        ("begin; savepoint a; savepoint b; select; rollback to a; select", 6, OPEN, "ttrrtt"),
        ("begin; select; savepoint a; select; rollback to a; commit", 6, IDLE, "dddrdd"),
        (
            "begin; savepoint a; select; savepoint a; select; rollback to a; commit",
            7,
            IDLE,
            "ddddrdd",
        ),
        # What commits on its own.
        ("call f(); select", 2, IDLE, "dd"),
        ("call f(); select; select", 2, IDLE, "?rf"),
        ("vacuum t; select; select", 2, IDLE, "?rf"),
        ("vacuum t; call f(); select", 2, IDLE, "??f"),
        ("call f(); select", 0, IDLE, "fn"),
        ("select; call f(); select", 2, IDLE, "rrf"),
        ("select; call f(); select", 1, IDLE, "rfn"),
        ("begin; call f(); select", 2, BROKEN, "rrf"),
        ("call f(); begin; select", 2, BROKEN, "?rf"),
        ("call f(); rollback; select", 3, IDLE, "?dd"),
        ("call f(); commit; select; select", 3, IDLE, "ddrf"),
        ("begin; commit and chain; call f(); select", 3, BROKEN, "ddrf"),
        ("; call f(); select", 2, IDLE, "d?f"),
        # The connection was lost, or the caller has gone.
        ("select; select; select", 0, NEVER, "???"),
        ("select; select; select", 3, NEVER, "???"),
        ("select; commit; select; select", 3, NEVER, "dd??"),
        ("select; rollback; select", 2, NEVER, "rd?"),
        # No status may come of this.
        ("select; select", 1, OPEN, "?f"),
    ],
)
def test_outcomes(script: str, answered: int, status: int, expected: str) -> None:
    assert outcomes(script, answered, status) == expected


@pytest.mark.parametrize(
    ("script", "answered", "status", "expected"),
    [
        ("select; select", 2, OPEN, "tt"),
        ("select; select", 1, BROKEN, "rf"),
        ("call f(); select", 1, BROKEN, "rf"),
        ("select; commit; call f(); select", 3, IDLE, "dd?f"),
        ("select; rollback to outer; select", 3, OPEN, "rtt"),
        ("savepoint a; select; rollback to outer; select; select", 4, BROKEN, "rrrrf"),
        ("select; savepoint a; release outer; select; select", 4, BROKEN, "rrrrf"),
        ("select; commit; select", 2, NEVER, "dd?"),
    ],
)
def test_outcomes_in_a_block(script: str, answered: int, status: int, expected: str) -> None:
    assert outcomes(script, answered, status, in_block=True) == expected


@pytest.mark.parametrize(
    ("script", "answered", "status", "expected"),
    [
        ("select; call f(); select; select", 4, IDLE, "?ddd"),  # it may have rolled back
        ("select; do $$$$; commit", 3, IDLE, "?dd"),
        ("select; vacuum t; select", 3, IDLE, "ddd"),
        ("select; call f(); select; select", 3, IDLE, "??rf"),
        ("select; call f(); select", 1, IDLE, "?fn"),
        ("begin; select; call f(); select", 3, BROKEN, "rrrf"),
    ],
)
def test_outcomes_on_older_servers(script: str, answered: int, status: int, expected: str) -> None:
    assert outcomes(script, answered, status, major=17) == expected


@pytest.mark.parametrize(
    ("script", "answered", "status", "expected"),
    [
        # Outside of a block each may have been committed by the next one.
        ("select; select", 2, IDLE, "dd"),
        ("select; insert; update", 2, IDLE, "??f"),
        ("select; commit; select; select", 3, IDLE, "dd?f"),
        # Inside, what changes rows is rolled back; what else there is may commit all before it.
        ("begin; insert; update; select", 3, BROKEN, "rrrf"),
        ("begin; insert; commit; select", 3, IDLE, "dddf"),
        ("begin; insert; truncate t; insert; select", 4, BROKEN, "???rf"),
        ("begin; insert; create table t (); rollback", 4, IDLE, "???d"),
        ("begin; insert; rollback; select", 4, IDLE, "rrdd"),
        ("select; begin; select", 2, BROKEN, "?rf"),
        ("begin; create table t (); select", 3, OPEN, "??t"),
    ],
)
def test_outcomes_on_servers_that_do_not_undo_everything(
    script: str, answered: int, status: int, expected: str
) -> None:
    assert outcomes(script, answered, status, atomic=False) == expected


def test_an_error_at_the_sync() -> None:
    for queries, status, expected in (
        (["select", "select"], IDLE, [Outcome.ROLLED_BACK] * 2),
        (["select", "commit"], IDLE, [Outcome.DONE] * 2),
        (["begin", "select"], BROKEN, [Outcome.ROLLED_BACK] * 2),
        (["call f()", "select"], IDLE, [Outcome.UNKNOWN, Outcome.ROLLED_BACK]),
    ):
        tags = [TAGS.get(query, b"") for query in queries]
        verdict = judge(queries, tags, failed=True, in_block=False, status=status, server_major=18)
        assert verdict == (expected, False)


def test_a_transaction_that_had_failed_before() -> None:
    """COMMIT ends it, and says ROLLBACK."""
    queries = ["rollback to outer", "commit", "select"]
    for tags, expected in (
        ([b"ROLLBACK", b"COMMIT", b"SELECT 1"], "ddd"),
        ([b"ROLLBACK", b"ROLLBACK", b"SELECT 1"], "rfd"),
    ):
        verdict = judge(queries, tags, failed=False, in_block=True, status=IDLE, server_major=18)
        assert verdict.outcomes == [LETTERS[letter] for letter in expected]


def test_prepared_transactions() -> None:
    queries = ["begin", "select", "prepare transaction 'x'", "select"]
    tag = b"PREPARE TRANSACTION"
    for tags, in_block, expected in (
        ([b"BEGIN", b"SELECT 1", tag, b"SELECT 1"], False, "ttdd"),
        ([b"BEGIN", b"SELECT 1", b"ROLLBACK", b"SELECT 1"], False, "??fd"),
    ):
        verdict = judge(
            queries, tags, failed=False, in_block=in_block, status=IDLE, server_major=18
        )
        assert verdict.outcomes == [LETTERS[letter] for letter in expected]


@pytest.mark.parametrize("name", ["ä", 'U&"\\0061"', "x" * 64])
def test_names_of_savepoints_that_the_server_may_read_differently(name: str) -> None:
    """Which of them is meant is not known, so neither is what was rolled back."""
    script = f"begin; select; savepoint {name}; select; rollback to {name}; select"
    assert outcomes(script, 6, OPEN) == "??????"
    assert outcomes(script, 5, BROKEN) == "?????f"
    assert outcomes(f"{script}; commit; select", 8, IDLE) == "??????dd"
    assert outcomes(f"{script}; rollback; select", 8, IDLE) == "??????dd"


def test_a_failed_statement_may_have_stored_a_part() -> None:
    def partial(
        queries: list[str], in_block: bool = False, major: int = 18, atomic: bool = True
    ) -> bool:
        tags = [b"SELECT 1"] * (len(queries) - 1)
        return judge(
            queries,
            tags,
            failed=True,
            in_block=in_block,
            status=IDLE,
            server_major=major,
            atomic=atomic,
        ).partial

    assert partial(["call f()"])
    assert partial(["create index concurrently on t (i)"])
    assert partial(["create table t ()"], in_block=True, atomic=False)
    assert not partial(["insert into t values (1)"], atomic=False)
    assert not partial(["select"])
    assert not partial(["call f()"], in_block=True)
    assert not partial(["select", "call f()"])
    assert partial(["select", "call f()"], major=17)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT 1", Effect.PLAIN),
        ("(SELECT 1)", Effect.PLAIN),
        (";; ((SELECT 1))", Effect.PLAIN),
        ("-- CALL\nSELECT 1", Effect.PLAIN),
        ("/* a /* nested */ CALL */SELECT 1", Effect.PLAIN),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", Effect.PLAIN),
        ("copy t TO '/dev/null'", Effect.PLAIN),
        ("CREATE TABLE t ()", Effect.PLAIN),
        ("CREATE UNIQUE INDEX ON t (i)", Effect.OWN),  # not known: it might be CONCURRENTLY
        ("CREATE INDEX ON t (i)", Effect.PLAIN),
        ("CREATE INDEX Concurrently ON t (i)", Effect.OWN),
        ("DROP INDEX CONCURRENTLY i", Effect.OWN),
        ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", Effect.OWN),
        ("CREATE DATABASE d", Effect.OWN),
        ("DROP SUBSCRIPTION s", Effect.OWN),
        ("ALTER SYSTEM RESET ALL", Effect.OWN),
        ("ALTER TYPE e ADD VALUE 'x'", Effect.OWN),  # on PostgreSQL before 12
        ("CREATE", Effect.OWN),
        ("VACUUM", Effect.OWN),
        ("ANALYZE a, b", Effect.OWN),
        ("REINDEX TABLE t", Effect.OWN),
        ("DISCARD ALL", Effect.OWN),
        ("COMMIT PREPARED 'x'", Effect.OWN),
        ("rollback prepared 'x'", Effect.OWN),
        ("whatever comes next", Effect.OWN),
        ("CALL p()", Effect.CALL),
        ("DO 'BEGIN END'", Effect.CALL),
        ("$$", Effect.CALL),
        ("/* never closed", Effect.CALL),
        ("", Effect.NONE),
        (" ;\t\n;", Effect.NONE),
        ("PREPARE s AS SELECT 1", Effect.PLAIN),
        ("PREPARE TRANSACTION 'x'", Effect.PREPARE),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", Effect.BEGIN),
        ("START TRANSACTION", Effect.BEGIN),
        ("COMMIT", Effect.COMMIT),
        ("END WORK", Effect.COMMIT),
        ("ABORT", Effect.ROLLBACK),
        ("Rollback Transaction", Effect.ROLLBACK),
    ],
)
def test_natures(query: str, expected: Effect) -> None:
    assert nature(query) == Nature(expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("COMMIT AND CHAIN", Nature(Effect.COMMIT, chain=True)),
        ("END WORK AND CHAIN", Nature(Effect.COMMIT, chain=True)),
        ("ROLLBACK TRANSACTION/**/AND--\nCHAIN", Nature(Effect.ROLLBACK, chain=True)),
        ("COMMIT AND NO CHAIN", Nature(Effect.COMMIT)),
        ("SAVEPOINT a", Nature(Effect.SAVEPOINT, "a")),
        ("SAVEPOINT Work", Nature(Effect.SAVEPOINT, "work")),
        ('SAVEPOINT "A ""b"""', Nature(Effect.SAVEPOINT, 'A "b"')),
        ("SAVEPOINT /* b */ a$1", Nature(Effect.SAVEPOINT, "a$1")),
        ("SAVEPOINT ä", Nature(Effect.SAVEPOINT)),
        ('SAVEPOINT "ä"', Nature(Effect.SAVEPOINT, "ä")),
        ('SAVEPOINT u&"a"', Nature(Effect.SAVEPOINT)),
        ("SAVEPOINT " + "x" * 63, Nature(Effect.SAVEPOINT, "x" * 63)),
        ("SAVEPOINT " + "x" * 64, Nature(Effect.SAVEPOINT)),
        ("SAVEPOINT", Nature(Effect.SAVEPOINT)),
        ("RELEASE a", Nature(Effect.RELEASE, "a")),
        ("RELEASE SAVEPOINT a", Nature(Effect.RELEASE, "a")),
        ("RELEASE savepoint", Nature(Effect.RELEASE, "savepoint")),
        ("ROLLBACK TO a", Nature(Effect.ROLLBACK_TO, "a")),
        ("ROLLBACK WORK TO SAVEPOINT A", Nature(Effect.ROLLBACK_TO, "a")),
        ("ABORT TO a", Nature(Effect.ROLLBACK_TO, "a")),  # no syntax, so no harm
        ("ROLLBACK TO work", Nature(Effect.ROLLBACK_TO, "work")),
    ],
)
def test_natures_of_transaction_control(query: str, expected: Nature) -> None:
    assert nature(query) == expected


def test_words_of_a_long_query() -> None:
    assert words("SELECT " + "x " * 1_000_000) == ["SELECT", *"xxxxx"]
    assert words("/*" * 100_000 + "*/" * 100_000 + "COMMIT") == ["COMMIT"]
    assert words("--\n" * 100_000 + "COMMIT") == ["COMMIT"]
