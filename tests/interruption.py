"""Cancel a coroutine at each of its awaits in turn, before the answer comes or just as it does."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Literal

# While it waits, or in the moment in which that future is answered and the task not yet awake: then
# what it waited for has happened, and it learns of nothing but the cancellation.
Moment = Literal["waiting", "answered"]
MOMENTS: tuple[Moment, ...] = ("waiting", "answered")


class Interrupted:
    """Runs a coroutine in a task that is cancelled at its await number `at`, counted from 1.

    After `await self.run()`: `awaits` it came to, `cancelled` whether there were that many, and
    `result` and `error` it ended with.
    """

    def __init__(self, awaitable: Awaitable[Any], at: int, moment: Moment) -> None:
        self._awaitable = awaitable
        self._at = at
        self._moment = moment
        self.awaits = 0
        self.cancelled = False
        self.result: Any = None
        self.error: BaseException | None = None

    async def run(self) -> None:
        self._task = asyncio.create_task(self._drive())
        await asyncio.wait([self._task])
        if self._task.cancelled():
            self.error = asyncio.CancelledError()
        elif self._task.exception() is not None:
            self.error = self._task.exception()
        else:
            self.result = self._task.result()

    @types.coroutine
    def _steps(self) -> Generator[Any, Any, Any]:
        steps = self._awaitable.__await__()
        try:
            waits_for = steps.send(None)
            while True:
                self.awaits += 1
                if self.awaits == self._at:
                    self._interrupt(waits_for)
                try:
                    yield waits_for
                except BaseException as error:
                    waits_for = steps.throw(error)
                else:
                    waits_for = steps.send(None)
        except StopIteration as end:
            return end.value

    async def _drive(self) -> Any:
        return await self._steps()

    def _interrupt(self, waits_for: Any) -> None:
        self.cancelled = True
        if self._moment == "answered" and waits_for is not None:
            # Before the task's own callback, which is added when it gets to see the future.
            waits_for._asyncio_future_blocking = True
            waits_for.add_done_callback(lambda _: self._task.cancel())
        else:
            asyncio.get_running_loop().call_soon(self._task.cancel)


async def interruptions(
    make: Callable[[], Awaitable[Any]], moment: Moment, least: int = 1
) -> AsyncIterator[Interrupted]:
    """Run what `make` returns and cancel it at its first await, again at its second, and so on.

    Ends with the run that needed no cancellation any more, which is not yielded; fails if it had
    fewer than `least` awaits, for then the test would prove nothing.
    """
    at = 1
    while True:
        run = Interrupted(make(), at, moment)
        await run.run()
        if not run.cancelled:
            assert run.awaits >= least, f"there were only {run.awaits} awaits"
            if run.error is not None:
                raise run.error
            return
        yield run
        at += 1
