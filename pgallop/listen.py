"""Who listens to which channels of NOTIFY, and what the server has to know of that.

The server is told LISTEN for the first listener of a channel and UNLISTEN when the last one is
removed. Whether that is still needed is decided when it is sent, for it may have to wait for the
transaction of another task, and others come and go meanwhile. LISTEN and UNLISTEN take effect when
their transaction commits, and not at all if it, or a savepoint in it, is rolled back; so what was
said within one is said again behind its end, which does nothing where it was in effect. A listener
is added in the moment in which LISTEN is answered: notifications can come right behind.

Source: PostgreSQL documentation, LISTEN, UNLISTEN, NOTIFY; "Frontend/Backend Protocol", section
"Asynchronous Operations".
"""

import asyncio
from collections.abc import Callable
from functools import partial

from pgallop.deadlines import timed_out
from pgallop.dispatch import Dispatch
from pgallop.errors import CollateralCancelError
from pgallop.inbox import Inbox, Listener, check_callable
from pgallop.listeners import weakly
from pgallop.ownership import BlockState
from pgallop.preparing import TRIES
from pgallop.session.request import Request
from pgallop.session.session import IDLE, Session, is_open
from pgallop.sql.quoting import quote_identifier


class Join:
    """One call of `add` under way."""

    __slots__ = ("listener",)

    def __init__(self, listener: Listener) -> None:
        self.listener = listener


class Channel:
    """A channel that is, was or is about to be listened to.

    `listeners`: in the order in which they were added, with the call that may still take one back.
    `joins`: the calls that wait for LISTEN; `under_way`: how many LISTEN and UNLISTEN are not
    answered. `listening`: the server listens, whatever becomes of a transaction.
    """

    __slots__ = ("identifier", "joins", "listeners", "listening", "name", "under_way")

    def __init__(self, name: str, identifier: str) -> None:
        self.name = name
        self.identifier = identifier
        self.listeners: dict[Listener, Join | None] = {}
        self.joins: set[Join] = set()
        self.under_way = 0
        self.listening = False


class Channels:
    """The listeners for notifications of one connection, by channel.

    `unsettled`: the channels of which the server does something that depends on its transaction, or
    that it should not do. `resets`: how often the session was reset; what was sent before the last
    time is undone, whatever its answer.
    """

    __slots__ = (
        "__weakref__",
        "_channels",
        "_dispatch",
        "_inbox",
        "_loop",
        "_resets",
        "_session",
        "_unsettled",
        "_wakes",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, session: Session, dispatch: Dispatch, inbox: Inbox
    ) -> None:
        self._loop = loop
        self._session = session
        self._dispatch = dispatch
        self._inbox = inbox
        self._channels: dict[str, Channel] = {}
        self._unsettled: dict[Channel, None] = {}
        self._resets = 0
        self._wakes = weakly(self._settle)
        session.on_notification = weakly(self._on_notification)

    def _on_notification(self, pid: int, name: str, payload: str) -> None:
        channel = self._channels.get(name)
        if channel is not None and channel.listeners:
            self._inbox.put(channel.listeners, (pid, name, payload))

    async def add(self, name: str, listener: Listener) -> None:
        """Let `listener` have the channel's notifications from now on."""
        identifier = quote_identifier(name, "channel")
        check_callable(listener)
        self._dispatch.check_usable()
        name = str.__str__(name)
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(name, identifier)
        if channel.listening:
            channel.listeners[listener] = None
            return
        join = Join(listener)
        channel.joins.add(join)
        try:
            await self._tell(channel, join)
            if channel.listeners.get(listener) is join:
                channel.listeners[listener] = None
        finally:
            # Still there it was cancelled when the answer had come, and nobody else has added it.
            if channel.listeners.get(listener) is join:
                del channel.listeners[listener]
            channel.joins.remove(join)
            self._tidy(channel)

    async def remove(self, name: str, listener: Listener) -> None:
        """Let `listener` have nothing more of the channel, if it is one of its listeners."""
        self._dispatch.check_loop()
        channel = self._channels.get(name)
        if channel is None or listener not in channel.listeners:
            return
        del channel.listeners[listener]
        if not is_wanted(channel):
            try:
                await self._tell(channel, None)
            finally:
                self._tidy(channel)

    def drop(self, name: str, listener: Listener) -> None:
        """Let `listener` have nothing more of the channel; the server is told by and by."""
        channel = self._channels.get(name)
        if channel is not None and listener in channel.listeners:
            del channel.listeners[listener]
            self._tidy(channel)

    def forget_all(self) -> None:
        """The session is about to be reset: nobody listens any more, and nobody is told.

        Who waits to be added is, if LISTEN was not sent yet: it comes behind.
        """
        self._resets += 1
        self._unsettled.clear()
        self._session.on_idle = None
        for channel in list(self._channels.values()):
            channel.listeners.clear()
            channel.listening = False
            self._tidy(channel)

    async def _tell(self, channel: Channel, join: Join | None) -> None:
        """LISTEN for `join`, or UNLISTEN without one, when it is this context's turn."""
        dispatch = self._dispatch
        dispatch.check_usable()
        timeout, deadline = dispatch.deadline(None)
        dispatch.claim()
        try:
            for tries in range(TRIES, -1, -1):
                await dispatch.ownership.my_turn(dispatch.ownership.mine(), deadline, timeout)
                dispatch.check_unlost()
                if join is None and (is_wanted(channel) or not self._may_listen(channel)):
                    return
                text, on_end = self._statement(channel, join is not None, join)
                answer = dispatch.control(text, on_end, begins=True)
                try:
                    async with asyncio.timeout_at(deadline):
                        await asyncio.shield(answer)
                    return
                except TimeoutError:
                    raise timed_out(timeout) from None
                except CollateralCancelError:
                    # Undone, and harmless to repeat, unless a transaction has failed by it.
                    if not tries or dispatch.in_transaction():
                        raise
                finally:
                    # It goes on when its caller does not: the answer tells what to do then.
                    dispatch.canceller.expect(answer)
                    del answer  # else this frame is garbage that only the collector finds
        finally:
            dispatch.release()

    def _may_listen(self, channel: Channel) -> bool:
        """Whether the server may be listening, or be about to when a transaction commits."""
        return channel.listening or channel in self._unsettled

    def _statement(
        self, channel: Channel, listen: bool, join: Join | None = None
    ) -> tuple[str, Callable[[Request], None]]:
        """LISTEN or UNLISTEN, to be submitted now, and what to call with the answer."""
        channel.under_way += 1
        self._unsettled.pop(channel, None)
        if not listen:
            channel.listening = False  # who comes now says LISTEN behind it
        text = f"{'LISTEN' if listen else 'UNLISTEN'} {channel.identifier}"
        return text, partial(self._on_answer, channel, listen, join, self._resets)

    def _on_answer(
        self, channel: Channel, listen: bool, join: Join | None, resets: int, request: Request
    ) -> None:
        channel.under_way -= 1
        error = request.error
        if resets != self._resets:
            self._tidy(channel)
            return
        if error is None:
            if is_open(request.status):
                self._unsettled[channel] = None
            else:
                channel.listening = listen
            # Its caller still waits, and nobody else has added the listener for good.
            if (
                join is not None
                and join in channel.joins
                and channel.listeners.get(join.listener, join) is not None
            ):
                channel.listeners[join.listener] = join
        elif join is None:
            if is_open(request.status) or isinstance(error, CollateralCancelError):
                self._unsettled[channel] = None
            elif listen and self._session.broken is None:
                self._loop.call_exception_handler(
                    {
                        "message": f"{channel.identifier} is not listened to any more: LISTEN was "
                        f"rolled back, and has failed behind that",
                        "exception": error,
                    }
                )
        self._tidy(channel)

    def _tidy(self, channel: Channel) -> None:
        """See that a channel that nobody wants is not listened to, and forget it then."""
        if not is_wanted(channel):
            if channel.listening:
                self._unsettled[channel] = None
            elif (
                not channel.under_way
                and channel not in self._unsettled
                # Who comes late to remove the last listener may find the channel's successor.
                and self._channels.get(channel.name) is channel
            ):
                del self._channels[channel.name]
        self._settle()

    def _settle(self) -> None:
        """Tell the server what it does not do as it should, when it is in no transaction."""
        blocks = self._dispatch.ownership.blocks
        if self._session.status == IDLE and all(
            block.state is BlockState.PENDING for block in blocks
        ):
            for channel in list(self._unsettled):
                if channel.joins and not channel.listeners:
                    continue  # who comes now says LISTEN
                text, on_end = self._statement(channel, bool(channel.listeners))
                if not self._dispatch.unattended(text, on_end):
                    self._unsettled.clear()
                    break
        self._session.on_idle = self._wakes if self._unsettled else None


def is_wanted(channel: Channel) -> bool:
    """Whether somebody listens to the channel, or is about to."""
    return bool(channel.listeners or channel.joins)
