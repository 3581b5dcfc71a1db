"""One work, one driver, no measuring of others: what a profiler looks at.

    python -m bench.alone WORK DRIVER LOOP SECONDS DSN

The work's tables have to be there; `python -m bench --profile` makes them.
"""

import asyncio
import sys

from bench.drivers import load
from bench.drivers.driver import Driver
from bench.measure import WARM_UP_PART
from bench.orders import Measure
from bench.running import measure
from bench.worker import LOOPS
from bench.works import WORKS


def main() -> None:
    name, driver_name, loop, seconds, dsn = sys.argv[1:]
    work, driver = WORKS[name], load(driver_name)
    assert isinstance(driver, Driver)
    order = Measure(name, float(seconds) * WARM_UP_PART, float(seconds))
    with asyncio.Runner(loop_factory=LOOPS[loop]()) as runner:
        sample = runner.run(measure(driver, dsn, work, order, None))
    print(f"{sample.runs:,} runs of {name} in {sample.seconds:.2f} s", flush=True)


if __name__ == "__main__":
    main()
