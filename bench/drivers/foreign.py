"""Drivers of other languages, whose programs run by themselves."""

from abc import abstractmethod

from bench.drivers.driver import Participant
from bench.orders import Measure
from bench.results import Sample
from bench.work import Work


class Foreign(Participant):
    """A driver that is no Python: its program does the work and measures itself."""

    @abstractmethod
    async def measure(self, dsn: str, work: Work, order: Measure) -> Sample:
        """Run the work in a process of its own.

        Raises:
            RuntimeError: the program failed; with what it said.
        """
