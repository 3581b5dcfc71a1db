"""The client process: one driver on one event loop, which does what the orders in its pipe say.

Each driver has a process of its own, so CPU time is that of the driver alone, with all its threads.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.connection import Connection

from bench.description import describe
from bench.drivers import load
from bench.drivers.driver import AnyDriver
from bench.drivers.foreign import Foreign
from bench.orders import Check, Description, Failure, Measure, Memory, Peak, RoundTrips
from bench.running import measure, peak
from bench.work import Work


def serve(orders: Connection, driver_name: str, loop_name: str, places: Mapping[str, str]) -> None:
    """Obey orders until the other end of the pipe is closed.

    Args:
        driver_name: one of `bench.drivers.DRIVERS`.
        loop_name: one of `LOOPS`.
        places: the DSN of each place.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    driver = load(driver_name)
    orders.send(driver.version())
    hand = Hand(driver, places, orders)
    with asyncio.Runner(loop_factory=LOOPS[loop_name]()) as runner:
        while True:
            try:
                order = orders.recv()
            except EOFError:
                return
            try:
                answer = runner.run(hand.obey(order))
            except Exception as error:  # whatever it is, the parent reports it
                answer = Failure(f"{type(error).__name__}: {error}")
            orders.send(answer)


class Hand:
    """Does what it is told, with one driver."""

    def __init__(
        self, driver: AnyDriver | Foreign, places: Mapping[str, str], orders: Connection
    ) -> None:
        self._driver = driver
        self._places = places
        self._orders = orders
        self._works: dict[str, Work] = {}

    async def obey(self, order: Check | Measure | Peak) -> object:
        """Return the answer."""
        if isinstance(order, Measure):
            work = self._works[order.work]
        else:
            work = self._works[order.work.name] = order.work
        dsn = self._places[work.place]
        if isinstance(self._driver, Foreign):
            return await _obey(self._driver, order, work, dsn)
        match order:
            case Check():
                return await describe(self._driver, dsn, work, order.weigh)
            case Peak():
                return Memory(await peak(self._driver, dsn, work))
        count = partial(self._round_trips, work.place) if work.is_far else None
        return await measure(self._driver, dsn, work, order, count)

    def _round_trips(self, place: str) -> int:
        self._orders.send(RoundTrips(place))
        answer: int = self._orders.recv()
        return answer


async def _obey(driver: Foreign, order: Check | Measure | Peak, work: Work, dsn: str) -> object:
    """A program of another language measures itself; what it makes of rows is its own business."""
    match order:
        case Measure():
            return await driver.measure(dsn, work, order)
        case Peak():
            return Memory(None)
    await driver.measure(dsn, work, Measure(work.name, 0, 0))
    return Description("", "", None)


def _asyncio_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    return asyncio.new_event_loop


def _uvloop_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop

    return uvloop.new_event_loop


LOOPS = {"asyncio": _asyncio_loop, "uvloop": _uvloop_loop}
