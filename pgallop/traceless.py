"""`Traceless`: which statements are proven to leave nothing behind in a session.

A pool resets a session at release, unless all that ran in it since then is known to have left
nothing there: no setting, role, lock, temporary table, cursor, channel, last value of a sequence.
A text alone does not tell (a view, a default or an operator may call set_config()), so the server's
catalogue is asked (`sql.proof.TRACELESS`). Unknown means no. What a pool does:

    scope.is_traceless(query, now)  at each text that its user runs (`Request.runs`): a look into a
                                    dict. One no, and the session is reset at release; so it is
                                    where a transaction is open then, and after everything that is
                                    no text of one statement (listeners, COPY, what `init` did).
                                    BEGIN, COMMIT, savepoints and what they are in count as nothing,
                                    if it is over.
    traceless.is_curious(now)       whether there is a question to the server.
    await traceless.learn(dispatch) asks it, in 15 ms or so, on a connection that the pool has taken
                                    for that like a user, and that needs no reset behind it.

A question costs as much as some fifty resets. So texts are asked about when they have come a few
times, and many at once: their names are put together, for a yes to all of them is a yes to each.
After a no they are divided. There is one question a second at most, whatever is run.

A proof counts for a minute, and not beyond a change of the schema that one of the connections with
the same `Knowledge` sees. Changes that others make, or functions, are noticed after that minute.
Names are looked for in all schemas, so that search_path and role do not matter.
"""

import re
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from pgallop.errors import PostgresConnectionError, PostgresError
from pgallop.rows.record import Record

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch
    from pgallop.sql.harmless import Candidate

# Seconds that a proof counts, and that nothing is asked about a text again after a no.
LIFETIME = 60.0
REFUSED_LIFETIME = 3600.0

# How often a text has to come until it is asked about: many come once.
WORTH = 5

# How many texts are remembered, and of how many characters at most.
MAX_TEXTS = 1000
LONGEST = 2000

# Seconds between questions, and until the first one: others may come. How many texts one is about,
# and characters in all of them: to read so many takes 2 ms.
PAUSE = 1.0
GATHERING = 0.05
BATCH = 50
BATCH_LENGTH = 1500

# Seconds that the answer may take.
TIMEOUT = 5.0

# What begins and ends transactions leaves nothing when they are over. COMMIT PREPARED and the like
# are something else.
_CONTROL = re.compile(
    r"""\s* (?:
      (?: begin (?:\s+ (?:work|transaction))? | start \s+ transaction )
        (?: \s*+ ,?+ \s*+ \b (?: isolation \s+ level \s+
              (?: serializable | repeatable \s+ read | read \s+ (?:un)?committed )
            | read \s+ (?:only|write) | (?:not \s+)? deferrable ) )*+
    | (?: commit | end | rollback | abort ) (?:\s+ (?:work|transaction))?
    | (?: savepoint
        | release (?:\s+ savepoint)?
        | rollback (?:\s+ (?:work|transaction))? \s+ to (?:\s+ savepoint)?
      ) \s+ [a-z_] [a-z0-9_]*
    ) \s* ;? \s*""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


class Question(NamedTuple):
    """What the server is asked at once about statements, by their texts and the names in them.

    `generation`: how often the schema had changed when it was asked.
    """

    candidates: "list[tuple[str, Candidate]]"
    generation: int

    def parameters(self) -> tuple[list[str], ...]:
        """The arguments of `TRACELESS`: the names of all of them."""
        names: tuple[set[str], ...] = (set(), set(), set())
        for _, candidate in self.candidates:
            for all_names, own in zip(names, candidate.parameters(), strict=True):
                all_names.update(own)
        return tuple([sorted(each) for each in names])


class Traceless:
    """The texts that are proven to leave nothing in a session, on one server for one user.

    Args:
        lifetime: seconds that a proof counts.

    Example:
        >>> traceless = Traceless()
        >>> traceless.is_proven("SELECT id FROM users", now=0.0)
        False
    """

    __slots__ = (
        "_generation",
        "_lifetime",
        "_next",
        "_open",
        "_refused",
        "_seen",
        "pieces",
        "proven",
        "wanted",
    )

    def __init__(self, lifetime: float = LIFETIME) -> None:
        self._lifetime = lifetime
        # Until when something is known of a text, on the loop's clock.
        self.proven: dict[str, float] = {}  # read by pools for each statement
        self._refused: dict[str, float] = {}
        # How often one has come of which nothing is known yet.
        self._seen: dict[str, int] = {}
        # Those that are asked about: all, those that are next, and those that were divided.
        self._open: set[str] = set()
        self.wanted: deque[str] = deque()
        self.pieces: deque[list[tuple[str, Candidate]]] = deque()
        self._next = 0.0
        self._generation = 0

    def is_proven(self, query: str, now: float) -> bool:
        """Whether `query` is known to leave nothing behind when its transaction is over.

        Args:
            query: the text as it is sent.
            now: the time on the loop's clock, in seconds.
        """
        until = self.proven.get(query)
        if until is not None and now < until:
            return True
        if len(query) <= LONGEST and query not in self._open:
            if _CONTROL.fullmatch(query) is not None:
                return True
            self._notice(query, now)
        return False

    def _notice(self, query: str, now: float) -> None:
        """A text has come of which nothing is known, or nothing any more."""
        if now < self._refused.get(query, 0.0):
            return
        seen = self._seen.get(query, 0) + 1
        if seen < WORTH and query not in self.proven:
            keep(self._seen, query, seen)
        elif len(self._open) < MAX_TEXTS:
            self._seen.pop(query, None)
            if not self.wanted:
                self._next = max(self._next, now + GATHERING)
            self._want([query])

    def _want(self, queries: list[str]) -> None:
        self._open.update(queries)
        self.wanted.extend(queries)

    def forget_all(self) -> None:
        """The schema has changed."""
        self._generation += 1
        self._want([query for query in self.proven if query not in self._open])
        self.proven.clear()

    def is_curious(self, now: float) -> bool:
        """Whether there is a question to the server by now."""
        return now >= self._next and bool(self.pieces or self.wanted)

    def question(self, now: float) -> Question | None:
        """The next question, whose answer goes to `judge`; None if there is none by now."""
        if not self.is_curious(now):
            return None
        candidates = self.pieces.popleft() if self.pieces else self._gather(now)
        if not candidates:
            return None
        self._next = now + PAUSE
        return Question(candidates, self._generation)

    def _gather(self, now: float) -> "list[tuple[str, Candidate]]":
        """The names in some of the texts that are wanted, but for those whose text is a no."""
        from pgallop.sql.harmless import candidate  # on use: it takes 20 ms to import

        candidates: list[tuple[str, Candidate]] = []
        length = 0
        while self.wanted and len(candidates) < BATCH and length < BATCH_LENGTH:
            query = self.wanted.popleft()
            length += len(query)
            found = candidate(query)
            if found is None:
                self._refuse(query, now)
            else:
                candidates.append((query, found))
        # If one of them writes, all tables count as written to: they are divided first.
        candidates.sort(key=lambda each: each[1].writes())
        return candidates

    def judge(
        self, question: Question, answer: bool | None, now: float, *, is_final: bool = False
    ) -> None:
        """Take the answer to a question.

        Args:
            question: what was asked.
            answer: whether all its statements are proven to leave nothing; None if it never came.
            now: the time on the loop's clock when it was asked, in seconds.
            is_final: a no is one to each of them.
        """
        candidates = question.candidates
        if answer is None or (answer and question.generation != self._generation):
            self.pieces.append(candidates)  # once more
        elif answer:
            for query, _ in candidates:
                self._open.discard(query)
                keep(self.proven, query, now + self._lifetime)
        elif len(candidates) > 1 and not is_final:
            middle = len(candidates) // 2
            self.pieces += (candidates[:middle], candidates[middle:])
        else:
            for query, _ in candidates:
                self._refuse(query, now)

    def _refuse(self, query: str, now: float) -> None:
        self._open.discard(query)
        self.proven.pop(query, None)
        keep(self._refused, query, now + REFUSED_LIFETIME)

    async def learn(self, dispatch: "Dispatch") -> None:
        """Ask the server one question, if there is one by now.

        Args:
            dispatch: that of a connection in no transaction, which is nobody else's meanwhile.

        Raises:
            InterfaceError, ConnectionDoesNotExistError: the connection is closed, or was lost; the
                question will be asked again. An error of the server's is a no.
        """
        now = dispatch.now()
        question = None if dispatch.simple or not dispatch.is_idle() else self.question(now)
        if question is None:
            return
        from pgallop.sql.harmless import TRACELESS

        answer: bool | None = None
        is_final = False
        try:
            rows, _ = await dispatch.attempt(
                TRACELESS, question.parameters(), False, TIMEOUT, now + TIMEOUT, 1, into=Record
            )
            answer = [tuple(row) for row in rows] == [(True,)]
        except PostgresConnectionError:
            raise
        except (PostgresError, TimeoutError):
            answer, is_final = False, True  # it would be the same about each of them
        finally:
            self.judge(question, answer, now, is_final=is_final)


def keep(known: dict[str, Any], query: str, value: float) -> None:
    """Remember something of a text, at the cost of what was remembered longest ago."""
    known.pop(query, None)
    known[query] = value
    if len(known) > MAX_TEXTS:
        del known[next(iter(known))]
