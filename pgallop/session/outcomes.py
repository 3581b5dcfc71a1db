"""What became of the statements of a pipeline, several under one Sync.

The server answers each statement, and what an answer is worth shows later. Outside of a transaction
block all statements up to the Sync are one implicit transaction, so an error takes those before it
along, at the Sync too (a deferred constraint), when every statement has reported success. COMMIT
and ROLLBACK in the middle end that transaction and the next statement begins another one; BEGIN
turns it into a block, which the Sync leaves open. Some statements (CALL, DO, VACUUM, ...) commit on
their own.

`judge` follows the answers and gives each statement its outcome. It knows nothing that the server
has not said; where that leaves several possibilities the outcome is UNKNOWN.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Pipelining"; the server's
`exec_execute_message` (postgres.c) and `PreventInTransactionBlock` (xact.c).
"""

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple

from pgallop.session.session import IDLE, IN_FAILED_TRANSACTION, IN_TRANSACTION


class Outcome(Enum):
    """What became of a statement of a pipeline.

    NOT_RUN: the server has not begun it. DONE: it ran, and its transaction is committed.
    IN_TRANSACTION: it ran in a transaction that is still open, whose end decides. FAILED: the
    server refused it; what it had done is undone, but not what a CALL or the like had committed by
    then. ROLLED_BACK: it ran, and all that it did is undone. UNKNOWN: it may be stored, or not.
    """

    NOT_RUN = "never ran"
    DONE = "done"
    IN_TRANSACTION = "in the open transaction"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    UNKNOWN = "unknown"


class Effect(Enum):
    """What a statement does to the transaction that it runs in."""

    NONE = "is empty"
    PLAIN = "is a part of it"
    OWN = "may commit on its own"
    CALL = "may commit and roll back on its own"
    BEGIN = "makes it a block"
    COMMIT = "commits it"
    ROLLBACK = "rolls it back"
    PREPARE = "leaves it to COMMIT PREPARED"
    SAVEPOINT = "sets a savepoint"
    RELEASE = "forgets a savepoint"
    ROLLBACK_TO = "rolls it back to a savepoint"


class Nature(NamedTuple):
    """`savepoint`: the name in it, None if it cannot be told; `chain`: it begins another block."""

    effect: Effect
    savepoint: str | None = None
    chain: bool = False


# A leading parenthesis is legal (a SELECT may stand in some), and so are empty statements.
WORD = re.compile(
    r"[ \t\n\r\f\v(;]*+(?:(?P<line>--[^\n\r]*)|(?P<block>/\*)"
    r"|(?P<word>[^\W\d][\w$]*+(?!&)|\"(?:[^\"]|\"\")*\"))"
)
BRACKET = re.compile(r"/\*|\*/")

FIRST_WORDS = {
    "begin": Effect.BEGIN,
    "start": Effect.BEGIN,
    "commit": Effect.COMMIT,
    "end": Effect.COMMIT,
    "rollback": Effect.ROLLBACK,
    "abort": Effect.ROLLBACK,
    "savepoint": Effect.SAVEPOINT,
    "release": Effect.RELEASE,
    "call": Effect.CALL,
    "do": Effect.CALL,
}

# The first words of statements that never commit on their own; any other may.
PLAIN_WORDS = re.compile(
    "select|insert|update|delete|merge|values|table|with|explain|execute|declare|fetch|move|close|"
    "copy|lock|set|reset|show|notify|listen|unlisten|truncate|comment|grant|revoke|refresh|"
    "deallocate"
)

# Of those, the ones that at most change rows, which every transaction restores. What else there is
# may be stored at once in servers that are almost PostgreSQL: TRUNCATE commits in Redshift, CREATE
# in YugabyteDB; in CockroachDB a part of it can fail behind the commit (XXA00).
ROW_WORDS = re.compile("select|insert|update|delete|merge|values|table|with|set|show")

# Of CREATE, ALTER and DROP those of these objects do not, without CONCURRENTLY.
PLAIN_OBJECTS = re.compile(
    "aggregate|cast|collation|column|conversion|domain|extension|function|index|materialized|"
    "operator|or|policy|procedure|role|rule|schema|sequence|statistics|table|temp|temporary|text|"
    "trigger|unlogged|user|view"
)

# From this major version on a server takes a pipeline for a block from its second statement on, so
# that CALL cannot commit there. Before, it can commit what ran before it, and roll it back. Checked
# on 13.23, 15.18 and 18.6.
ISOLATING_MAJOR = 18


def words(query: str, limit: int = 6) -> list[str]:
    """The first words of a statement, at most `limit`, up to what is no word; names in quotes."""
    found: list[str] = []
    position = 0
    while len(found) < limit and (token := WORD.match(query, position)):
        position = token.end()
        if token["block"]:
            position = end_of_comment(query, position)
        elif token["word"]:
            found.append(token["word"])
    return found


def end_of_comment(query: str, position: int) -> int:
    """Where the comment ends inside which `position` is; comments nest."""
    depth = 1
    for bracket in BRACKET.finditer(query, position):
        depth += 1 if bracket[0] == "/*" else -1
        if depth == 0:
            return bracket.end()
    return len(query)


def nature(query: str, atomic: bool = True) -> Nature:
    """What `query`, one statement, does to its transaction; `atomic`: as for `judge`."""
    found = words(query)
    if not found:
        return Nature(Effect.CALL if query.strip(" \t\n\r\f\v;") else Effect.NONE)
    first, *rest = [word.lower() for word in found]
    if first == "prepare":
        is_transaction = rest[:1] == ["transaction"]
        return Nature(Effect.PREPARE if is_transaction else Effect.PLAIN)
    if rest[:1] == ["prepared"]:  # COMMIT PREPARED, ROLLBACK PREPARED
        return Nature(Effect.OWN)
    effect = FIRST_WORDS.get(first)
    if effect is None:
        known = is_plain(first, rest, query) if atomic else ROW_WORDS.fullmatch(first)
        effect = Effect.PLAIN if known else Effect.OWN
    if effect is Effect.COMMIT or effect is Effect.ROLLBACK:
        return end_of_transaction(effect, found)
    if effect is Effect.RELEASE or effect is Effect.SAVEPOINT:
        return Nature(effect, savepoint(found[1:], optional=effect is Effect.RELEASE))
    return Nature(effect)


def end_of_transaction(effect: Effect, found: list[str]) -> Nature:
    """The nature of COMMIT or ROLLBACK [WORK] [TO [SAVEPOINT] name] [AND [NO] CHAIN]."""
    rest = found[2:] if found[1:] and found[1].lower() in ("work", "transaction") else found[1:]
    options = [word.lower() for word in rest[:2]]
    if effect is Effect.ROLLBACK and options[:1] == ["to"]:
        return Nature(Effect.ROLLBACK_TO, savepoint(rest[1:], optional=True))
    return Nature(effect, chain=options == ["and", "chain"])


def savepoint(found: list[str], optional: bool) -> str | None:
    """The name at the beginning of `found`, perhaps behind the `optional` word SAVEPOINT."""
    if optional and len(found) > 1 and found[0].lower() == "savepoint":
        found = found[1:]
    return identifier(found[0]) if found else None


def is_plain(first: str, rest: list[str], query: str) -> bool:
    """Whether a statement that begins with these words never commits on its own."""
    if first in ("create", "alter", "drop"):
        known = bool(rest) and PLAIN_OBJECTS.fullmatch(rest[0]) is not None
        return known and "concurrently" not in query.lower()
    return PLAIN_WORDS.fullmatch(first) is not None


def identifier(word: str) -> str | None:
    """The name that `word` stands for; None where that depends on the server."""
    if word.startswith('"'):
        name = word[1:-1].replace('""', '"')
    elif word.isascii():
        name = word.lower()
    else:
        return None  # folded by the locale in some encodings
    return name if len(name.encode()) < 64 else None  # longer ones are cut


class Verdict(NamedTuple):
    """`partial`: whether the statement that failed may have stored a part of its work."""

    outcomes: list[Outcome]
    partial: bool


class Course:
    """The transactions that a pipeline's statements run in, followed answer by answer.

    `running`: the statements of the transaction that is open, by their numbers; `savepoints`: its
    savepoints that this pipeline made, and how many of `running` came before each. `doubtful`:
    statements that may have been committed on the way; `undone`: those that may have been rolled
    back; `lost_track`: whether it is not known any more what a savepoint rolled back.
    """

    def __init__(self, count: int, in_block: bool, isolated: bool, atomic: bool) -> None:
        self.outcomes = [Outcome.NOT_RUN] * count
        self.in_block = in_block
        self.isolated = isolated
        self.atomic = atomic
        self.running: list[int] = []
        self.savepoints: list[tuple[str | None, int]] = []
        self.doubtful: set[int] = set()
        self.undone: set[int] = set()
        self.lost_track = False

    def answered(self, i: int, nature: Nature, tag: bytes) -> None:
        """Statement `i` has reported success by its command tag."""
        effect = nature.effect
        if effect in (Effect.COMMIT, Effect.ROLLBACK, Effect.PREPARE):
            self.ended(i, nature, tag)
        elif effect is Effect.NONE:
            self.outcomes[i] = Outcome.DONE
        else:
            if effect is Effect.OWN or effect is Effect.CALL:
                self.may_commit(i, effect)
            elif effect is Effect.PLAIN and not (self.atomic or self.in_block):
                self.may_commit(i, Effect.OWN)
            elif effect is not Effect.PLAIN:
                self.in_block = True  # BEGIN makes a block, and savepoints are refused without one
            if effect in (Effect.RELEASE, Effect.ROLLBACK_TO):
                self.back_to(nature)
            self.running.append(i)
            if effect is Effect.SAVEPOINT:
                self.lost_track |= nature.savepoint is None
                self.savepoints.append((nature.savepoint, len(self.running)))

    def ended(self, i: int, nature: Nature, tag: bytes) -> None:
        """Statement `i` has ended the transaction; the tag tells which way."""
        self.outcomes[i] = Outcome.DONE
        if nature.effect is Effect.ROLLBACK:
            self.close(Outcome.ROLLED_BACK)
        elif tag == b"ROLLBACK":
            # A block that had failed before the pipeline. Without any block PREPARE TRANSACTION
            # says so too, and does nothing.
            self.outcomes[i] = Outcome.FAILED
            aborted = nature.effect is Effect.COMMIT
            self.close(Outcome.ROLLED_BACK if aborted else Outcome.UNKNOWN)
        elif nature.effect is Effect.PREPARE:
            self.close(Outcome.IN_TRANSACTION)
        else:
            self.close(Outcome.DONE)
        self.in_block = nature.chain

    def may_commit(self, i: int, effect: Effect) -> bool:
        """Statement `i` may have committed itself and what ran before it; False if in a block."""
        first = self.doubtful.issuperset(self.running)
        if self.atomic and (self.in_block or (self.isolated and not first)):
            return False
        self.doubtful.update(self.running, [i])
        if effect is Effect.CALL:
            self.undone.update(self.running)
        return True

    def back_to(self, nature: Nature) -> None:
        """A savepoint is released, or what came behind it is rolled back."""
        if nature.savepoint is None:
            self.lost_track = True
            return
        depth = len(self.savepoints)
        while depth and self.savepoints[depth - 1][0] != nature.savepoint:
            depth -= 1
        # One that is not among them is older than the pipeline.
        length = self.savepoints[depth - 1][1] if depth else 0
        if nature.effect is Effect.ROLLBACK_TO:
            self.settle(self.running[length:], Outcome.ROLLED_BACK)
            del self.running[length:], self.savepoints[depth:]
        else:
            del self.savepoints[max(depth - 1, 0) :]

    def close(self, outcome: Outcome) -> None:
        """The transaction has ended."""
        self.settle(self.running, outcome)
        self.running.clear()
        self.savepoints.clear()
        self.lost_track = False

    def settle(self, statements: Iterable[int], outcome: Outcome) -> None:
        for i in statements:
            doubtful = i in self.doubtful and outcome is not Outcome.DONE
            if doubtful or i in self.undone or self.lost_track:
                self.outcomes[i] = Outcome.UNKNOWN
            else:
                self.outcomes[i] = outcome

    def finished(self, status: int, failed: bool) -> None:
        """The Sync was answered, with this transaction status."""
        if status == IDLE:
            self.close(Outcome.ROLLED_BACK if failed else Outcome.DONE)
        elif status == IN_TRANSACTION and not failed:
            self.close(Outcome.IN_TRANSACTION)
        elif status == IN_FAILED_TRANSACTION:
            # Whoever goes back to the last savepoint keeps what came before it.
            length = self.savepoints[-1][1] if self.savepoints else 0
            self.settle(self.running[length:], Outcome.ROLLED_BACK)
            self.settle(self.running[:length], Outcome.IN_TRANSACTION)
        else:
            self.close(Outcome.UNKNOWN)


def judge(
    queries: Sequence[str],
    tags: Sequence[bytes],
    *,
    failed: bool,
    in_block: bool,
    status: int,
    server_major: int,
    atomic: bool = True,
) -> Verdict:
    """Say what became of each statement of a pipeline.

    Args:
        queries: the statements, all of which were sent.
        tags: the command tags of those that reported success, from the first on; empty where the
            server gave none.
        failed: whether the server reported an error.
        in_block: whether the pipeline began inside a transaction block.
        status: the transaction status it ended in, 0 if the server never said.
        server_major: the server's major version.
        atomic: whether an error undoes all that its transaction has done, as in PostgreSQL; else
            only rows that were changed inside of a block are known to be restored.
    """
    course = Course(len(queries), in_block, server_major >= ISOLATING_MAJOR, atomic)
    natures: dict[str, Nature] = {}
    partial = False
    for i, query in enumerate(queries[: len(tags) + 1]):
        if query not in natures:
            natures[query] = nature(query, atomic)
        if i < len(tags):
            course.answered(i, natures[query], tags[i])
        elif failed:
            course.outcomes[i] = Outcome.FAILED
            effect = natures[query].effect
            partial = effect in (Effect.OWN, Effect.CALL) and course.may_commit(i, effect)
    course.finished(status, failed)
    if status == 0:
        course.outcomes[len(tags) :] = [Outcome.UNKNOWN] * (len(queries) - len(tags))
    return Verdict(course.outcomes, partial)
