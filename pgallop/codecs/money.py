"""money as decimal.Decimal.

On the wire: a count of the smallest unit, as int8. How many of them make one depends on the
session's `lc_monetary`: 100 in most countries, 1 in Japan, 1,000 in Tunisia. The server does not
report that setting, so it is asked once (`resolving.py`) what a single unit looks like.

Source: cash_in, cash_out, cash_recv and cash_send in the server's cash.c.
"""

import re
from typing import Any

from pgallop.codecs._oids import OIDS
from pgallop.codecs.arrays import array_of
from pgallop.codecs.choices import DEFAULT, CodecChoices
from pgallop.codecs.codec import Unresolved
from pgallop.codecs.numeric import EXACT, NumericCodec
from pgallop.codecs.registry import Registry
from pgallop.codecs.text import TextCodec
from pgallop.codecs.text_arrays import TextArrayCodec
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

MONEY = OIDS["money"]

# One unit, whose text has all the digits behind the point, and one in front of it.
ONE_UNIT = b"\0\0\0\0\0\0\0\1"

MAX_UNITS = 2**63 - 1

# The server takes no more for what a locale has (cash_in).
MAX_DIGITS = 10


class MoneyCodec(NumericCodec):
    """Decimal both ways, with `digits` digits after the point; takes what numeric takes."""

    __slots__ = ("digits",)

    digits: int

    def __init__(self, oid: int, name: str, accepts: str, digits: int) -> None:
        super().__init__(oid, name, accepts)
        self.digits = digits

    def encode(self, writer: Writer, value: Any) -> None:
        number = self.number(value)
        if not number.is_finite():
            self.refuse(value, "not a finite number")
        # Compared as it is: an int of it could have a million digits.
        if number and number.adjusted() > 19:
            self.refuse(value, "out of range for money")
        scaled = number.scaleb(self.digits, EXACT)
        units = int(scaled)
        if units != scaled:
            self.refuse(
                value,
                f"more than {self.digits} digits after the decimal point",
                "round it, or let the server do so: $n::numeric::money",
            )
        if units > MAX_UNITS or units < -MAX_UNITS - 1:
            self.refuse(value, "out of range for money")
        writer.write_int64(units)

    def decode(self, reader: Reader, size: int) -> Any:
        return EXACT.create_decimal(reader.read_int64()).scaleb(-self.digits, EXACT)


def digits_of(text: bytes) -> int:
    """How many digits a session's amounts have after the point, by what it makes of `ONE_UNIT`.

    Errors raised
        ValueError: that is no amount.
    """
    digits = re.sub(rb"[^0-9]", b"", text)
    if len(digits) > MAX_DIGITS + 1 or int(digits or b"0") != 1:
        raise ValueError(f"{text[:100]!r} is not the text of the smallest amount of money")
    return len(digits) - 1


def resolve(registry: Registry, digits: int) -> None:
    """Have amounts read and written with so many digits after the point."""
    codec = MoneyCodec(MONEY, "money", "Decimal, int, float or str", digits)
    registry.add(codec)
    registry.add(array_of(codec))


def unresolve(registry: Registry) -> bool:
    """Forget what is known of amounts; whether anything was."""
    if not isinstance(registry.get(MONEY), MoneyCodec):
        return False
    register(registry)
    return True


def as_text(registry: Registry) -> None:
    """Have amounts read as the server writes them, where it cannot be asked or is not to be."""
    codec = TextCodec(MONEY, "money")
    registry.add(codec)
    registry.add(TextArrayCodec(OIDS["_money"], "money[]", codec))


def register(registry: Registry, choices: CodecChoices = DEFAULT) -> None:
    if choices.money_as_text:
        as_text(registry)
        return
    registry.add(Unresolved(MONEY, "money"))
    registry.add(Unresolved(OIDS["_money"], "money[]"))
