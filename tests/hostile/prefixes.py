"""Every prefix of the recorded conversations, and then the end, without a network.

Wherever the server falls silent for good: what it had answered stays as it was, and everybody who
still waits is told so once, by the right error, which says truly whether anything was sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recorded import TOOL, outcomes_of, read, said_in, traffic_of

from pgallop.errors import ConnectionDoesNotExistError, InterfaceError
from pgallop.session.simple import SimpleQuery


def places_of(name: str) -> range:
    """How many bytes the server may have said when it ends."""
    return range(said_in(traffic_of(name)) + 1)


def requests_in(words: list[str]) -> int:
    """How many requests these written messages hold.

    Each ends in its StartupMessage, Query or Sync; behind CopyFail it is the same one's second.
    """
    ends = sum(line.startswith(("F StartupMessage", "F Query", "F Sync")) for line in words)
    again = sum(line.startswith("F CopyFail") for line in words) if "F Sync" in words else 0
    return ends - again


class EndedSession:
    """The conversation `name`, in which the server says `place` bytes and nothing more.

    `faults`: what is wrong with it, in words. `waiting`: how many still waited at the end; `told`:
    how many of them were told the right error. If they are `abandoned`, they must be told nothing.
    """

    def __init__(self, name: str, place: int, abandoned: bool = False) -> None:
        self.faults: list[str] = []
        self.waiting = 0
        self.told = 0
        self._program = TOOL.Program(name)
        self._recorded = [
            words[2:]
            for words in outcomes_of(name)
            if not words.startswith(("notice ", "notification "))
        ]
        self._requests_sent = 0
        self._hold(name, place)
        if abandoned:
            self._end_abandoned()
        else:
            self._end()
        for i, answer in enumerate(self._program.asked):
            if answer.ended != 1:
                self._fault(f"request {i} came {answer.ended} times to its end")
        self._try_another()

    def _hold(self, name: str, place: int) -> None:
        left = place
        for piece, (direction, data) in zip(read(name)["traffic"], traffic_of(name), strict=True):
            if direction == "F":
                if self._program.take() != data:
                    self._fault("it writes something else")
                self._requests_sent += requests_in(piece["words"])
            elif left == 0:
                return
            else:
                self._program.session.feed(data[:left])
                if left < len(data):
                    return
                left -= len(data)

    def _end(self) -> None:
        before = [answer.words for answer in self._program.asked]
        self._program.lost()
        self._go_on_with_startup()
        for i, answer in enumerate(self._program.asked):
            if before[i]:
                if answer.words != self._recorded[i] or before[i] != answer.words:
                    self._fault(f"request {i} was answered: {before[i]}, then: {answer.words}")
            else:
                wrong = list(self._wrong_with(answer, i))
                self.faults += [f"request {i}: {text}" for text in wrong]
                self.waiting += 1
                self.told += not wrong

    def _end_abandoned(self) -> None:
        left = [answer for answer in self._program.asked if not answer.done()]
        for answer in left:
            self._program.session.discard(answer.request)
        self._program.lost()
        self.waiting = len(left)
        for answer in left:
            if answer.done():
                self._fault(f"nobody waited, and was told {answer.words}")

    def _go_on_with_startup(self) -> None:
        """The key that SCRAM has asked for is there when the connection is not any more."""
        startup = self._program.asked[0]
        if startup.question is None:
            return
        try:
            self._program.go_on()
        except ConnectionDoesNotExistError as error:
            startup.set_exception(error)
        else:
            self._fault("the startup goes on without a connection")

    def _wrong_with(self, answer: Any, i: int) -> Iterator[str]:
        """What is wrong with an answer that was to be an error."""
        error = answer.error
        if error is None:
            yield f"no error, but {answer.words or 'nothing'}"
        elif isinstance(error, ConnectionDoesNotExistError):
            if error.safe_to_retry is not (i >= self._requests_sent):
                yield f"safe_to_retry={error.safe_to_retry}, {self._requests_sent} were sent"
            if error.__cause__ is not self._program.session.broken:
                yield f"its cause is {error.__cause__!r}"
        elif answer.words != self._recorded[i]:  # the server had said why it fails
            yield f"{answer.words}, not {self._recorded[i]}"

    def _try_another(self) -> None:
        try:
            self._program.session.submit(SimpleQuery(None, "SELECT 1"))
        except InterfaceError as error:
            if not error.safe_to_retry or error.__cause__ is not self._program.session.broken:
                self._fault(f"another request is refused by {error!r}")
        else:
            self._fault("another request is taken")

    def _fault(self, text: str) -> None:
        self.faults.append(text)
