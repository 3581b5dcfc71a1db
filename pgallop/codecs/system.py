"""What the server itself counts with: xid, cid, xid8, pg_lsn, tid, pg_snapshot, txid_snapshot.

Transactions, commands and places in the log are numbers. A tid is where a row lies: its block and
its number there. A snapshot: which transactions it sees as ended.
Source: xid.c, pg_lsn.c, tid.c, xid8funcs.c in the server's `utils/adt`.
"""

from collections.abc import Iterable
from operator import index
from typing import Any

from pgallop.codecs import clist
from pgallop.codecs._oids import OIDS
from pgallop.codecs.codec import Codec
from pgallop.codecs.numbers import OidCodec
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

MAX_UINT16 = 2**16 - 1
MAX_UINT32 = 2**32 - 1
MAX_UINT64 = 2**64 - 1


class SystemCodec(Codec):
    """What these types share: they are made of numbers without a sign."""

    __slots__ = ()

    def number(self, value: Any, part: Any, limit: int, name: str) -> Any:
        """`part` of `value`, which is called `name`, if it is a number from 0 to `limit`."""
        try:
            number = index(part)
        except TypeError:
            self.refuse(value, f"{name} is of type {type(part).__name__}, expected an int")
        if not 0 <= number <= limit:
            self.refuse(value, f"{name} is out of range: 0 to {limit}")
        return number

    def parts(self, value: Any, length: int) -> tuple[Any, ...]:
        """The parts of a tuple (or list) of so many."""
        items: Iterable[Any] = value
        if not isinstance(value, (tuple, list)):
            self.refuse(value)
        parts = tuple(items)
        if len(parts) != length:
            self.refuse(items, f"has {len(parts)} parts, expected {self.accepts}")
        return parts


class CounterCodec(SystemCodec):
    """Unsigned, 64 bits."""

    __slots__ = ()

    def __init__(self, oid: int, name: str) -> None:
        super().__init__(oid, name, "int")

    def encode(self, writer: Writer, value: Any) -> None:
        if not hasattr(value, "__index__"):
            self.refuse(value)
        writer.write_uint64(self.number(value, value, MAX_UINT64, f"the {self.name}"))

    def decode(self, reader: Reader, size: int) -> Any:
        return reader.read_uint64()


class TidCodec(SystemCodec):
    """(block, number of the row in it)."""

    __slots__ = ()

    def __init__(self, oid: int, name: str) -> None:
        super().__init__(oid, name, "a tuple (block, offset)")

    def encode(self, writer: Writer, value: Any) -> None:
        block, offset = self.parts(value, 2)
        writer.write_uint32(self.number(value, block, MAX_UINT32, "the block"))
        writer.write_uint16(self.number(value, offset, MAX_UINT16, "the offset"))

    def decode(self, reader: Reader, size: int) -> Any:
        return reader.read_uint32(), reader.read_uint16()


class SnapshotCodec(SystemCodec):
    """(xmin, xmax, (xip, ...)): before xmin all transactions had ended, from xmax on none had.

    The xips are those in between that had not, in ascending order: others the server would refuse,
    or leave out if they are there twice.
    """

    __slots__ = ()

    def __init__(self, oid: int, name: str) -> None:
        super().__init__(oid, name, "a tuple (xmin, xmax, (xip, ...))")

    def encode(self, writer: Writer, value: Any) -> None:
        first, end, xips = self.parts(value, 3)
        items: Iterable[Any] = xips
        if not isinstance(xips, (tuple, list)):
            self.refuse(value, f"the xips are of type {type(xips).__name__}, expected a tuple")
        running = tuple(items)  # a list may change while its items are asked for their numbers
        xmin = self.number(value, first, MAX_UINT64, "xmin")
        xmax = self.number(value, end, MAX_UINT64, "xmax")
        if xmin == 0 or xmin > xmax:
            self.refuse(value, "xmin is 0 or above xmax")
        writer.write_int32(len(running))
        writer.write_uint64(xmin)
        writer.write_uint64(xmax)
        last = xmin - 1
        for xip in running:
            number = self.number(value, xip, MAX_UINT64, "an xip")
            if not last < number <= xmax:
                self.refuse(value, "the xips are not in ascending order between xmin and xmax")
            writer.write_uint64(number)
            last = number

    def decode(self, reader: Reader, size: int) -> Any:
        count = reader.read_int32()
        xmin = reader.read_uint64()
        xmax = reader.read_uint64()
        if count < 0 or count != (size - 20) // 8:
            raise ProtocolError(
                f"the server announced a {self.name} of {count} transactions in {size} bytes"
            )
        running = clist.new_list(count)
        low = xmin
        for i in range(count):
            xip = reader.read_uint64()
            if xip < low or xip > xmax or (i and xip == low):
                raise ProtocolError(f"the server sent a {self.name} whose xips are not in order")
            clist.fill(running, i, xip)
            low = xip
        if xmin == 0 or xmin > xmax:
            raise ProtocolError(f"the server sent a {self.name} from {xmin} to {xmax}")
        return xmin, xmax, tuple(clist.filled(running))


def register(registry: Registry) -> None:
    for name in ("xid", "cid"):
        registry.add(OidCodec(OIDS[name], name, 0, MAX_UINT32))
    for name in ("xid8", "pg_lsn"):
        registry.add(CounterCodec(OIDS[name], name))
    registry.add(TidCodec(OIDS["tid"], "tid"))
    for name in ("pg_snapshot", "txid_snapshot"):
        registry.add(SnapshotCodec(OIDS[name], name))
