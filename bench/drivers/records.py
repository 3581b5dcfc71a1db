"""pgallop without `into=`: what making the rows into objects is compared with."""

import pgallop
from bench.drivers.driver import Fetch
from bench.drivers.pgallop import Pgallop
from bench.work import Visitor, Work


class Records(Pgallop):
    def supports(self, work: Work) -> bool:
        return work.into is not None

    def fetcher_into(self, connection: pgallop.Connection, kind: type[Visitor]) -> Fetch:
        return connection.fetch


DRIVER = Records()
