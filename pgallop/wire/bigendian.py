"""Big-endian loads and stores at an offset, the one place where C and Python spell it differently.

Compiled modules cimport the same names from `bigendian.pxd` and never reach this file. Nothing here
checks bounds: `Reader` and `Writer` do, before they call.
"""

from operator import index
from struct import Struct
from typing import Any

_int16 = Struct("!h")
_uint16 = Struct("!H")
_int32 = Struct("!i")
_uint32 = Struct("!I")
_int64 = Struct("!q")
_uint64 = Struct("!Q")
_float32 = Struct("!f")
_float64 = Struct("!d")

store_int16 = _int16.pack_into
store_uint16 = _uint16.pack_into
store_int32 = _int32.pack_into
store_uint32 = _uint32.pack_into
store_int64 = _int64.pack_into
store_uint64 = _uint64.pack_into
store_float32 = _float32.pack_into
store_float64 = _float64.pack_into


def load_uint16(base: bytes, pos: int) -> int:
    return _uint16.unpack_from(base, pos)[0]  # type: ignore[no-any-return]


def load_int16(base: bytes, pos: int) -> int:
    return _int16.unpack_from(base, pos)[0]  # type: ignore[no-any-return]


def load_uint32(base: bytes, pos: int) -> int:
    return _uint32.unpack_from(base, pos)[0]  # type: ignore[no-any-return]


def load_int32(base: bytes, pos: int) -> int:
    return _int32.unpack_from(base, pos)[0]  # type: ignore[no-any-return]


def load_uint64(base: bytes, pos: int) -> int:
    return _uint64.unpack_from(base, pos)[0]  # type: ignore[no-any-return]


def load_int64(base: bytes, pos: int) -> int:
    return _int64.unpack_from(base, pos)[0]  # type: ignore[no-any-return]


def load_float32(base: bytes, pos: int) -> float:
    return _float32.unpack_from(base, pos)[0]  # type: ignore[no-any-return]


def load_float64(base: bytes, pos: int) -> float:
    return _float64.unpack_from(base, pos)[0]  # type: ignore[no-any-return]


def find_nul(base: bytes, start: int, end: int) -> int:
    return base.find(0, start, end)


def store_bytes(base: bytearray, pos: int, source: bytes, size: int) -> None:
    base[pos : pos + size] = source


def copy_bytes(base: bytearray, pos: int, source: bytes, start: int, size: int) -> None:
    base[pos : pos + size] = source[start : start + size]


def int64(value: Any) -> int:
    """`value` as an int of 64 bits: TypeError if it is none, OverflowError if too large."""
    number = index(value)
    if not -0x8000_0000_0000_0000 <= number <= 0x7FFF_FFFF_FFFF_FFFF:
        raise OverflowError("int too big to convert")
    return number


def float64(value: Any) -> float:
    """`value` as a float: TypeError if it is no number, OverflowError if it is too large."""
    # float() would also parse text.
    if not hasattr(value, "__float__") and not hasattr(value, "__index__"):
        raise TypeError(f"must be real number, not {type(value).__name__}")
    return float(value)
