"""`Resetting`: a session as good as new, whoever has left what in it.

    ROLLBACK          where a transaction is open, or is about to be
    DEALLOCATE ALL    where the program has made statements by PREPARE
    the reset query   one script in one Query message (`Capabilities.reset_query`)

Both travel together, behind all that was sent before and in front of all that comes later, so that
nobody has to wait for the answer. Transactions are ended whoever's they are; their owners are told
when they go on with them. What is still unanswered may begin another one (`execute("BEGIN")`), in
which the script would do nothing that lasts: then it is sent again, with a ROLLBACK in front.

The order counts: a script that is wrong must not keep ROLLBACK from being run, so each has a Query
message of its own. And ROLLBACK is not sent for nothing: the server would log a warning each time.

RESET ALL goes back to the settings that the session began with. Behind a pooler that is a session
of the pooler's, to which it has said ours by SET: they would be lost, the encoding with them. So a
script that resets settings is followed by what `settings_again` says; where there is no pooler that
changes nothing, and takes the server 3 microseconds.

Source: PostgreSQL documentation, DISCARD, whose ALL cannot be used: it also forgets the prepared
statements that are the driver's, and cannot be sent together with anything.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from pgallop.deadlines import timed_out
from pgallop.dispatch import Dispatch
from pgallop.errors import CollateralCancelError, ProtocolError
from pgallop.ownership import Block, BlockState
from pgallop.session.request import Request
from pgallop.session.session import IDLE, is_open
from pgallop.sql.quoting import quote_literal

# How often it is sent again, when a cancellation hit it or a transaction showed up meanwhile.
TRIES = 3

# The server has begun these blocks, or will have.
BEGUN = (BlockState.STARTING, BlockState.OPEN)

# What leaves no setting as it was.
RESETS_SETTINGS = re.compile(r"\b(?:reset|discard)\s+all\b", re.IGNORECASE)


class Listeners(Protocol):
    """What a session forgets when it is reset."""

    def forget_all(self) -> None: ...


class Attempt:
    """One ROLLBACK and reset query on their way.

    `answers`: those that are to come. `status`: the transaction status behind the reset query, 0 as
    long as it is not known. `then` is called at its end, with whether all of it was done.
    """

    __slots__ = ("answers", "status", "then")

    def __init__(self, then: Callable[[bool], None] | None) -> None:
        self.answers: list[asyncio.Future[str]] = []
        self.status = 0
        self.then = then

    def end(self, is_done: bool) -> None:
        """Tell, once, whether all was done."""
        then, self.then = self.then, None
        if then is not None:
            then(is_done)


class Resetting:
    """Resets one connection, which forgets its `listeners` with that.

    `again`: what has to be said behind a script that resets settings, "" for nothing.
    `on_complete`: called with the script in the moment in which the server has run it, before the
    answer to anything that was sent behind it is read. If the script is that of `Capabilities`,
    role and settings are those that the session began with, as far as its server has any.
    """

    __slots__ = ("_again", "_dispatch", "_listeners", "on_complete")

    def __init__(self, dispatch: Dispatch, listeners: "tuple[Listeners, ...]", again: str) -> None:
        self._dispatch = dispatch
        self._listeners = listeners
        self._again = again
        self.on_complete: Callable[[str], None] | None = None

    async def reset(self, query: str, timeout: float | None) -> None:
        """Reset, and wait until that is done, which it will be if the caller does not wait.

        `query`: the script, "" for none. `timeout`: seconds, the connection's `command_timeout` if
        None.
        """
        dispatch = self._dispatch
        dispatch.ownership.check_free()
        timeout, deadline = dispatch.deadline(timeout)
        dispatch.claim()
        try:
            for tries in range(TRIES, -1, -1):
                attempt = self.submit(query)
                try:
                    async with asyncio.timeout_at(deadline):
                        await self.answered(attempt)
                    if not is_open(attempt.status):
                        return
                except TimeoutError:
                    raise timed_out(timeout) from None
                except CollateralCancelError:
                    # All of it is undone, and harmless to repeat.
                    if not tries and not is_open(attempt.status):
                        raise
                except Exception:
                    if not is_open(attempt.status):
                        raise
            dispatch.lose(ProtocolError("the session is in a transaction again after each reset"))
        finally:
            dispatch.release()

    def submit(self, query: str, then: Callable[[bool], None] | None = None) -> Attempt:
        """Send it, behind all that was sent before; then await `answered`, or call `leave`.

        `then`: called where the last answer is read, before anything that comes behind it, or when
        it never will be.

        Raises InterfaceError if the connection is closed.
        """
        dispatch = self._dispatch
        dispatch.check_usable()
        self.forget_listeners()
        attempt = Attempt(then)
        blocks = dispatch.ownership.blocks
        # One that is on its way to its end is seen to.
        ending = bool(blocks) and blocks[0].state is BlockState.CLOSING
        begun = any(block.state in BEGUN for block in blocks)
        outermost = dispatch.ownership.closing_all()
        if not ending and (begun or dispatch.in_transaction()):
            attempt.answers.append(
                dispatch.control(
                    "ROLLBACK",
                    lambda request: self._on_rolled_back(
                        outermost, None if query else attempt, request
                    ),
                )
            )
        elif outermost is not None:
            dispatch.ownership.ended(outermost)  # the server knows nothing of it
        if query:
            if dispatch.statements.has_others:
                # What is sent behind it prepares its statements anew.
                dispatch.statements.clear(forgotten=True)
                attempt.answers.append(dispatch.control("DEALLOCATE ALL"))
            script = query
            if self._again and RESETS_SETTINGS.search(query) is not None:
                script = f"{query}\n; {self._again}"  # the last line may be a comment
            attempt.answers.append(
                dispatch.control(script, lambda request: self._on_reset(query, attempt, request))
            )
        elif not attempt.answers:
            attempt.end(True)
        return attempt

    def forget_listeners(self) -> None:
        """Nobody hears of notifications and notices any more."""
        for listeners in self._listeners:
            listeners.forget_all()

    async def answered(self, attempt: Attempt) -> None:
        """Wait for the end of an attempt, and raise what the server has refused it with."""
        try:
            if attempt.answers:
                await asyncio.shield(attempt.answers[-1])
        finally:
            self.leave(attempt)

    def leave(self, attempt: Attempt) -> None:
        """Nobody waits for an attempt any more: it goes on, for as long as the drain timeout."""
        for answer in attempt.answers:
            self._dispatch.canceller.expect(answer)
        attempt.answers.clear()  # they know errors whose frames know the attempt

    def _on_rolled_back(
        self, block: Block | None, last: Attempt | None, request: Request, times: int = 0
    ) -> None:
        """`last`: the attempt that ends with this."""
        # Answered is not ended: a cancellation can hit ROLLBACK before it does anything.
        if is_open(request.status) and self._dispatch.roll_back(
            lambda request, times: self._on_rolled_back(block, last, request, times), times + 1
        ):
            return
        if block is not None:
            self._dispatch.ownership.ended(block)
        if last is not None:
            last.end(request.status == IDLE)

    def _on_reset(self, query: str, attempt: Attempt, request: Request) -> None:
        attempt.status = request.status
        is_done = request.error is None and request.status == IDLE
        if is_done and self.on_complete is not None:
            self.on_complete(query)
        attempt.end(is_done)


def settings_again(asked: Iterable[str], reported: Mapping[str, str]) -> str:
    """The statement that gives a session once more what it began with, "" if that is nothing.

    `asked`: the names of the settings that it was begun with. `reported`: what the server said of
    its settings then. Those that are not reported no pooler knows: it has refused them, or not
    passed them on, and then they are nobody's to set in a session that others have next.
    """
    folded = {name.lower() for name in asked}
    # SET would take the names in a search_path for one name.
    calls = [
        f"pg_catalog.set_config({quote_literal(name)}, {quote_literal(value)}, false)"
        for name, value in reported.items()
        if name.lower() in folded
    ]
    return f"SELECT {', '.join(calls)}" if calls else ""
