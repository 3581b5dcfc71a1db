"""numeric as decimal.Decimal, exact both ways whatever the thread's decimal context says.

On the wire: the count of digits in base 10,000, the weight of the first one (its power of 10,000),
the sign, the scale (how many decimal digits stand after the point), then the digits, without zeros
at either end. A Decimal keeps the scale as its exponent: '1.100' is Decimal("1.100") and '10000' is
Decimal("10000"), so that `f"{value:f}"` is PostgreSQL's own text. Where more than 1,000 zeros were
not sent the value is the same in its short form, as 1E+131068.

Source: numeric_recv and numeric_send in the server's numeric.c.
"""

from decimal import Context, Decimal, Inexact, InvalidOperation
from operator import index
from typing import Any

from pgallop.codecs import cascii
from pgallop.codecs._oids import OIDS
from pgallop.codecs.codec import Codec
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.wire import bigendian
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

NEGATIVE = 0x4000

# What is no number has no digits, and a sign of its own. The infinities (since PostgreSQL 14) carry
# a scale that means nothing; they are written as the server writes them.
SPECIAL = {
    "NaN": b"\0\0\0\0\xc0\0\0\0",
    "Infinity": b"\0\0\0\0\xd0\0\0\x20",
    "-Infinity": b"\0\0\0\0\xf0\0\0\x20",
}
SPECIAL_BY_SIGN = {
    0xC000: Decimal("NaN"),
    0xD000: Decimal("Infinity"),
    0xF000: Decimal("-Infinity"),
}

# Weights are int16: 4 * 2**15 decimal digits before the point. 14 bits are for the scale.
MAX_WEIGHT = 32767
MAX_INTEGER_DIGITS = 131072
MAX_INTEGER_BITS = 435412  # of 10 ** 131072
MAX_SCALE = 16383

# So many zeros that were not sent are written out: as many digits as a column can be declared with
# (NUMERIC_MAX_PRECISION). Ten bytes can stand for 147,455 digits: an array of 28 KB kept a core
# busy for four seconds and took 110 MB.
MAX_ZEROS = 1000

# Raises for what is no number and never rounds, which the thread's own context may see differently.
EXACT = Context(prec=2 * MAX_INTEGER_DIGITS, traps=[InvalidOperation, Inexact])

# Decimal(int) takes quadratic time: 300 ms for 100,000 digits.
LONG_INTEGER = 1 << 4096

MINUS = 0x2D
POINT = 0x2E
ZERO = 0x30
NINE = 0x39
BIG_E = 0x45
SMALL_E = 0x65


class NumericCodec(Codec):
    """Decimal both ways; takes int, float (its exact value) and str (a number's text) as well.

    PostgreSQL has no negative zero, one NaN, and no exponents: -0 arrives as 0, 1E+2 as 100.
    """

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        number = value if type(value) is Decimal else self.number(value)
        # Its text tells all about a Decimal in 70 ns; as_tuple() takes 450.
        text = str(number).encode()
        if text[1 if text[0] == MINUS else 0] > NINE:
            writer.write_bytes(SPECIAL["NaN" if number.is_nan() else str(number)])
        else:
            self.encode_finite(writer, value, text)

    def encode_finite(self, writer: Writer, value: Any, text: bytes) -> None:
        """`text`: of `value` as a Decimal, such as b"-1.50", b"1E+20" or b"0E-7"."""
        base = text
        size = len(text)
        negative = base[0] == MINUS
        start = 1 if negative else 0
        end = size
        point = -1
        exponent = 0  # of the last digit
        for i in range(start, size):
            if base[i] == POINT:
                point = i
            elif base[i] == BIG_E or base[i] == SMALL_E:
                end = i
                exponent = int(text[i + 1 :])
                break
        digits = end - start
        if point >= 0:
            digits -= 1
            exponent -= end - point - 1
        if exponent < -MAX_SCALE:
            self.refuse(value, f"more than {MAX_SCALE} digits after the decimal point")
        header = writer.reserve(8)
        weight = self.write_digits(writer, base, start, end, exponent, exponent + digits - 1)
        if weight > MAX_WEIGHT:
            self.refuse(value, f"more than {MAX_INTEGER_DIGITS} digits before the decimal point")
        count = (writer.pos - header - 8) // 2
        scale = -exponent if exponent < 0 else 0
        target = writer.base
        bigendian.store_uint16(target, header, count)
        bigendian.store_int16(target, header + 2, weight)
        bigendian.store_uint16(target, header + 4, NEGATIVE if negative and count else 0)
        bigendian.store_uint16(target, header + 6, scale)

    def write_digits(
        self, writer: Writer, base: bytes, start: int, end: int, exponent: int, place: int
    ) -> int:
        """Write the digits of base 10,000 and return the weight of the first one.

        `base[start:end]`: decimal digits, maybe with a point among them; `place`, `exponent`: the
        powers of ten that the first and the last one stand for. Zeros at either end are left out.
        Writes nothing if the weight is too high.
        """
        begin = kept = writer.pos  # kept: the end of the last group that is not zero
        first = 0  # the weight of the first one
        group = 0
        padding = exponent & 3  # zeros that complete the last group of four
        for i in range(start, end + padding):
            if i >= end:
                group *= 10
            elif base[i] == POINT:
                continue
            else:
                group = 10 * group + base[i] - ZERO
            if place & 3 == 0 and (group or kept > begin):
                if kept == begin:
                    first = place >> 2
                    if first > MAX_WEIGHT:
                        break
                writer.write_uint16(group)
                if group:
                    kept = writer.pos
                    group = 0
            place -= 1
        writer.truncate(kept)
        return first

    def number(self, value: Any) -> Decimal:
        """What is no Decimal, or of a subclass, as a Decimal."""
        if isinstance(value, int):
            return self.integer(value)
        try:
            return Decimal(value, EXACT)
        except (InvalidOperation, OverflowError, ValueError):
            self.refuse(value, "not a decimal number")
        except TypeError:
            # What Decimal does not know: numpy's integers.
            try:
                return self.integer(index(value))
            except TypeError:
                self.refuse(value)

    def integer(self, value: int) -> Decimal:
        """An int as a Decimal; a long one by halves: multiplying is faster than quadratic."""
        if -LONG_INTEGER < value < LONG_INTEGER:
            return Decimal(value)
        bits = value.bit_length()
        if bits > MAX_INTEGER_BITS:
            self.refuse(value, f"more than {MAX_INTEGER_DIGITS} digits before the decimal point")
        half = bits // 2
        high = self.integer(value >> half)
        low = self.integer(value & ((1 << half) - 1))
        return EXACT.fma(high, EXACT.power(2, half), low)

    def decode(self, reader: Reader, size: int) -> Any:
        count = reader.read_uint16()
        weight = reader.read_int16()
        sign = reader.read_uint16()
        scale = reader.read_uint16()
        if size != 8 + 2 * count:
            raise ProtocolError(f"a numeric of {count} digits has {size} bytes")
        if sign != 0 and sign != NEGATIVE:
            return self.decode_special(sign, count)
        if scale > MAX_SCALE:
            raise ProtocolError(f"a numeric has the scale {scale}, which is above {MAX_SCALE}")
        # Neither an int nor a text is rounded; Decimal's arithmetic would ask the thread's context.
        if 4 * (max(weight, 0) + 1 - count) + scale > MAX_ZEROS:
            return self.read_short(reader, count, weight, sign, scale)
        if scale == 0 and count <= weight + 1 <= 4:
            number = 0
            for place in range(weight + 1):
                number *= 10000
                if place < count:
                    number += self.read_digit(reader)
            return Decimal(-number if sign else number)
        return Decimal(self.read_text(reader, count, weight, sign, scale))

    def read_short(self, reader: Reader, count: int, weight: int, sign: int, scale: int) -> Decimal:
        """The value without the zeros at its end: 1E+131068, in as many bytes as were sent."""
        digits = "".join([f"{self.read_digit(reader):04}" for _ in range(count)])
        exponent = 4 * (weight + 1 - count)
        if exponent < -scale:
            digits = digits[: exponent + scale]
            exponent = -scale
        significant = digits.rstrip("0")
        if not significant:
            return Decimal(f"0E{-scale}")
        exponent += len(digits) - len(significant)
        # Written again it has no scale, and what is read then is to be the same.
        if exponent > 0 and exponent - exponent % 4 <= MAX_ZEROS:
            significant += "0" * exponent
            exponent = 0
        return Decimal(f"{'-' if sign else ''}{significant}E{exponent}")

    def read_text(self, reader: Reader, count: int, weight: int, sign: int, scale: int) -> str:
        """The value as PostgreSQL prints it, but with zeros at the front."""
        highest = max(weight, 0)
        size = 1 + 4 * (highest + 1) + (1 + scale if scale else 0)
        text = cascii.new_ascii(size)
        target = cascii.base(text)
        significant = 0  # not zero once a digit is not
        pos = 1
        lowest = weight - count + 1
        for place in range(highest, min(lowest, -((scale + 3) // 4)) - 1, -1):
            digit = self.read_digit(reader) if lowest <= place <= weight else 0
            if place == -1 and scale:
                target[pos] = POINT
                pos += 1
            # What is beyond the scale does not count: numeric_recv drops it as well.
            for _ in range(min(4, size - pos)):
                decimal = digit // 1000
                significant |= decimal
                target[pos] = ZERO + decimal
                digit = digit % 1000 * 10
                pos += 1
        target[0] = MINUS if sign and significant else ZERO
        return cascii.filled(text)

    def read_digit(self, reader: Reader) -> int:
        digit = reader.read_uint16()
        if digit > 9999:
            raise ProtocolError(f"a numeric has a digit {digit}, which is above 9999")
        return digit

    def decode_special(self, sign: int, count: int) -> Decimal:
        value = SPECIAL_BY_SIGN.get(sign)
        if value is None or count:
            raise ProtocolError(f"a numeric has the sign {sign:#06x} and {count} digits")
        return value


def register(registry: Registry) -> None:
    registry.add(NumericCodec(OIDS["numeric"], "numeric", "Decimal, int, float or str"))
