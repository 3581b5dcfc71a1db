"""`BitString`: values of PostgreSQL's `bit` and `varbit`."""

import builtins
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NoReturn, Self, TypeVar, overload

BitOrder = Literal["big", "little"]
Bits = TypeVar("Bits", bound="BitString")

# What stands for a bit where a string of bits is made; blanks are left out.
DIGITS: dict[object, str] = {"0": "0", "1": "1", " ": "", 0: "0", 1: "1"}


class BitString:
    """Any number of bits, in the order in which PostgreSQL writes them; immutable.

    It is a sequence of the ints 0 and 1, can be a key of a dict, and is ordered as the server
    orders bit strings: by their bits from the left, and a beginning before what it begins.

    Arguments
        bitstring: a str of 0 and 1, in which blanks do not count, or the bits one by one.

    Attributes
        bytes: the bits, eight a byte from the left; the last byte is filled up with zeros.
        length: how many bits there are, which `len` tells, too.

    Errors raised
        ValueError: something in `bitstring` is no bit.

    Example::

        bits = BitString("1010 1")
        bits[0], bits[1:3], len(bits)       # (1, BitString('01'), 5)
        bits ^ BitString("11111")           # BitString('01010')
        bits.to_int()                       # 21

    Source: PostgreSQL documentation, "Bit String Types" and "Bit String Functions and Operators".
    """

    __slots__ = ("bytes", "length")

    bytes: builtins.bytes
    length: int

    def __init__(self, bitstring: Iterable[int] | str | None = None) -> None:
        text = "" if bitstring is None else "".join(each_digit(bitstring))
        object.__setattr__(self, "bytes", packed(int(text or "0", 2), len(text)))
        object.__setattr__(self, "length", len(text))

    @classmethod
    def frombytes(cls, bytes_: builtins.bytes | None = None, bitlength: int | None = None) -> Self:
        """The bits of some bytes.

        Arguments
            bytes_: eight bits each; by default as many zeros as `bitlength` needs.
            bitlength: how many bits there are, by default all. Those that the last byte has beyond
                are no part of it, whatever they are.

        Errors raised
            ValueError: so many bits take another number of bytes.

        Example::

            BitString.frombytes(b"\\xa8", 5)     # BitString('10101')
        """
        if bitlength is None:
            bitlength = 0 if bytes_ is None else 8 * len(bytes_)
        elif bitlength < 0:
            raise ValueError("invalid bit length specified: it must not be negative")
        size = (bitlength + 7) // 8
        data = builtins.bytes(size) if bytes_ is None else builtins.bytes(bytes_)
        if len(data) != size:
            raise ValueError(
                f"invalid bit length specified: {bitlength} bits take {size} bytes, not {len(data)}"
            )
        if bitlength % 8:
            kept = 0xFF00 >> bitlength % 8 & 0xFF
            data = data[:-1] + builtins.bytes([data[-1] & kept])
        bits = cls.__new__(cls)
        object.__setattr__(bits, "bytes", data)
        object.__setattr__(bits, "length", bitlength)
        return bits

    @classmethod
    def from_int(
        cls, x: int, length: int, bitorder: BitOrder = "big", *, signed: bool = False
    ) -> Self:
        """The bits of a number.

        Arguments
            x: the number.
            length: how many bits to make of it.
            bitorder: "big" if the first bit is the most significant one, as in PostgreSQL's casts,
                "little" if the last one is.
            signed: whether it is written as two's complement; without it, no number may be
                negative.

        Errors raised
            OverflowError: the number does not fit.
            ValueError: `length` is negative, or `bitorder` is something else.

        Example::

            BitString.from_int(5, 4)                    # BitString('0101')
            BitString.from_int(-2, 4, signed=True)      # BitString('1110')
        """
        if length < 0:
            raise ValueError("length argument must be non-negative")
        if x < 0 and not signed:
            raise OverflowError("can't convert negative int to unsigned")
        # Of two's complement the first bit is the sign: all others say the same as those of ~x.
        if (~x if x < 0 else x).bit_length() > length - (signed and x != 0):
            raise OverflowError(f"int too big to convert: {length} bits")
        number = in_order(x & ((1 << length) - 1), length, bitorder)
        return cls.frombytes(packed(number, length), length)

    def to_int(self, bitorder: BitOrder = "big", *, signed: bool = False) -> int:
        """The number that the bits are; how many there are cannot be told from it.

        Arguments
            bitorder: "big" if the first bit is the most significant one, as in PostgreSQL's casts,
                "little" if the last one is.
            signed: whether it is written as two's complement.

        Errors raised
            ValueError: `bitorder` is something else.

        Example::

            BitString("1110").to_int()                  # 14
            BitString("1110").to_int(signed=True)       # -2
            BitString("1110").to_int("little")          # 7
        """
        number = in_order(unpacked(self), self.length, bitorder)
        if signed and self.length and number >> (self.length - 1):
            number -= 1 << self.length
        return number

    def as_string(self, separator: str = " ") -> str:
        """The bits as text, four of them together.

        Arguments
            separator: what to write between the fours; with "" it is as the server writes it.

        Example::

            BitString("10101").as_string()              # '1010 1'
        """
        text = f"{unpacked(self):0{self.length}b}" if self.length else ""
        if not separator:
            return text
        return separator.join(text[i : i + 4] for i in range(0, self.length, 4))

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        return map(int, self.as_string(""))

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> int | Self:
        if isinstance(index, slice):
            return of_text(type(self), self.as_string("")[index])
        if index < 0:
            index += self.length
        if not 0 <= index < self.length:
            raise IndexError("index out of range")
        return self.bytes[index // 8] >> 7 - index % 8 & 1

    def __add__(self, other: object) -> Self:
        """One behind the other, as PostgreSQL's `||` has it."""
        if not isinstance(other, BitString):
            return NotImplemented
        return of_text(type(self), self.as_string("") + other.as_string(""))

    def __and__(self, other: object) -> Self:
        if not isinstance(other, BitString):
            return NotImplemented
        return combined(int.__and__, self, other)

    def __or__(self, other: object) -> Self:
        if not isinstance(other, BitString):
            return NotImplemented
        return combined(int.__or__, self, other)

    def __xor__(self, other: object) -> Self:
        if not isinstance(other, BitString):
            return NotImplemented
        return combined(int.__xor__, self, other)

    def __invert__(self) -> Self:
        return self.from_int(unpacked(self) ^ ((1 << self.length) - 1), self.length)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BitString):
            return NotImplemented
        return self.bytes == other.bytes and self.length == other.length

    def __hash__(self) -> int:
        return hash((self.bytes, self.length))

    # As bit_cmp in the server's varbit.c: the bytes, then the lengths.
    def __lt__(self, other: object) -> bool:
        if not isinstance(other, BitString):
            return NotImplemented
        return (self.bytes, self.length) < (other.bytes, other.length)

    def __le__(self, other: object) -> bool:
        if not isinstance(other, BitString):
            return NotImplemented
        return (self.bytes, self.length) <= (other.bytes, other.length)

    def __gt__(self, other: object) -> bool:
        if not isinstance(other, BitString):
            return NotImplemented
        return (self.bytes, self.length) > (other.bytes, other.length)

    def __ge__(self, other: object) -> bool:
        if not isinstance(other, BitString):
            return NotImplemented
        return (self.bytes, self.length) >= (other.bytes, other.length)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return self.frombytes, (self.bytes, self.length)

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.as_string('')}')"


def each_digit(bits: Iterable[object]) -> Iterator[str]:
    """The digit of each bit, or ValueError."""
    for i, bit in enumerate(bits):
        try:
            yield DIGITS[bit]
        except (KeyError, TypeError):
            raise ValueError(f"invalid bit value at position {i}: {bit!r}") from None


def packed(number: int, length: int) -> bytes:
    """The bytes of so many bits."""
    return (number << -length % 8).to_bytes((length + 7) // 8)


def unpacked(bits: BitString) -> int:
    """The bits as an unsigned number."""
    return int.from_bytes(bits.bytes) >> -bits.length % 8


def of_text(kind: type[Bits], text: str) -> Bits:
    return kind.from_int(int(text or "0", 2), len(text))


def combined(operator: Callable[[int, int], int], one: Bits, other: BitString) -> Bits:
    """Bit by bit; as in the server there must be equally many."""
    if one.length != other.length:
        raise ValueError(f"bit strings of {one.length} and {other.length} bits cannot be combined")
    return one.from_int(operator(unpacked(one), unpacked(other)), one.length)


def in_order(number: int, length: int, bitorder: BitOrder) -> int:
    """`number` with its bits in `bitorder`; ValueError if it is none."""
    if bitorder == "little":
        return int(f"{number:0{length}b}"[::-1], 2) if length else 0
    if bitorder != "big":
        raise ValueError("bitorder must be either 'big' or 'little'")
    return number
