"""Numbers of vectors at an offset, as plain Python.

Compiled modules cimport the same names from `cvector.pxd` and never reach this file. Nothing here
checks bounds: `Reader` and `Writer` do, before they call.
"""

import math
from struct import Struct, pack_into, unpack

_half = Struct("!e")

store_half = _half.pack_into


def load_half(base: bytes, pos: int) -> float:
    return _half.unpack_from(base, pos)[0]  # type: ignore[no-any-return]


def store_floats(base: bytearray, pos: int, source: bytes, count: int) -> int:
    """Write floats that are in `source` as the machine has them.

    Returned is the index of the first that is not finite, where it ends, or -1.
    """
    numbers = unpack(f"={count}f", source)
    for i in range(count):
        if not math.isfinite(numbers[i]):
            return i
    pack_into(f"!{count}f", base, pos, *numbers)
    return -1
