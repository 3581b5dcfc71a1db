"""How good inputs are made bad ones: what is known of their form, and what is done to it.

All choices come from `Dice`, so that a seed fixes them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")

# What arithmetic on 16 and 32 bits trips over, and what the protocol's limits are made of.
EDGES_16 = (0, 1, 2, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
EDGES_32 = (
    *(0, 1, 3, 4, 5, 6, 7, 8, 0xFFFF, 0x10000, 0x10001, 0xFFFFF, 0x100001, 0x0FFFFFFF, 0x10000000),
    *(0x3FFFFFFF, 0x40000000, 0x40000001, 0x7FFFFFFB, 0x7FFFFFFC, 0x7FFFFFFF, 0x80000000),
    *(0x80000001, 0xFFFFFFFB, 0xFFFFFFFE, 0xFFFFFFFF),
)
SIZES = (1, 2, 4, 8, 16)

# All that a backend sends ("Message Formats"), and two types that it does not.
TAGS = b"RK23CdcGHWDIEVvnNAtS1sZTQ\0"


class Dice:
    """Choices that a seed fixes, at a fifth of the cost of those of `random.Random`."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random

    def below(self, limit: int) -> int:
        return int(self._random() * limit)

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self._random() * len(choices))]


class Grammar(Protocol):
    """What inputs look like."""

    def mutate(self, dice: Dice, data: bytes, seeds: Sequence[bytes]) -> bytes:
        """Another input, made of this one; `seeds` are there to borrow from."""
        ...


def mutations(dice: Dice, grammar: Grammar, seeds: Sequence[bytes], limit: int) -> bytes:
    """An input of at most `limit` bytes: a seed, changed a few times."""
    data = dice.pick(seeds)
    for _ in range(1 + dice.below(4)):
        data = grammar.mutate(dice, data, seeds)
    return data[:limit]


# --- any bytes ------------------------------------------------------------------------------------


def flip_bit(dice: Dice, data: bytes, other: bytes) -> bytes:
    if not data:
        return b"\0"
    i = dice.below(len(data))
    return data[:i] + bytes([data[i] ^ 1 << dice.below(8)]) + data[i + 1 :]


def set_byte(dice: Dice, data: bytes, other: bytes) -> bytes:
    i = dice.below(len(data) + 1)
    return data[:i] + bytes([dice.below(256)]) + data[i + 1 :]


def set_int16(dice: Dice, data: bytes, other: bytes) -> bytes:
    i = dice.below(max(1, len(data) - 1))
    return data[:i] + dice.pick(EDGES_16).to_bytes(2) + data[i + 2 :]


def set_int32(dice: Dice, data: bytes, other: bytes) -> bytes:
    i = dice.below(max(1, len(data) - 3))
    return data[:i] + dice.pick(EDGES_32).to_bytes(4) + data[i + 4 :]


def add_to_int32(dice: Dice, data: bytes, other: bytes) -> bytes:
    i = dice.below(max(1, len(data) - 3))
    number = int.from_bytes(data[i : i + 4]) + dice.below(17) - 8
    return data[:i] + (number & 0xFFFFFFFF).to_bytes(4) + data[i + 4 :]


def drop_bytes(dice: Dice, data: bytes, other: bytes) -> bytes:
    i = dice.below(len(data) + 1)
    return data[:i] + data[i + dice.pick(SIZES) :]


def cut_off(dice: Dice, data: bytes, other: bytes) -> bytes:
    return data[: dice.below(len(data) + 1)]


def repeat_bytes(dice: Dice, data: bytes, other: bytes) -> bytes:
    i = dice.below(len(data) + 1)
    piece = data[i : i + dice.pick(SIZES)]
    return data[:i] + piece * (1 + dice.below(8)) + data[i:]


def insert_bytes(dice: Dice, data: bytes, other: bytes) -> bytes:
    i, j = dice.below(len(data) + 1), dice.below(len(other) + 1)
    return data[:i] + other[j : j + dice.pick(SIZES)] + data[i:]


def cross(dice: Dice, data: bytes, other: bytes) -> bytes:
    return data[: dice.below(len(data) + 1)] + other[dice.below(len(other) + 1) :]


# Most of them keep the size, for what has another size is mostly refused at once.
BYTE_MUTATIONS: tuple[Callable[[Dice, bytes, bytes], bytes], ...] = (
    *(flip_bit, set_byte, set_int16, set_int32, add_to_int32) * 3,
    *(drop_bytes, cut_off, repeat_bytes, insert_bytes, cross),
)


class Bytes:
    """Any bytes, behind a `prefix` of so many that choose what reads them and rarely change."""

    def __init__(self, prefix: int = 0) -> None:
        self._prefix = prefix

    def mutate(self, dice: Dice, data: bytes, seeds: Sequence[bytes]) -> bytes:
        size = self._prefix if dice.below(32) else 0
        other = dice.pick(seeds)[size:]
        return data[:size] + dice.pick(BYTE_MUTATIONS)(dice, data[size:], other)


class Words(Bytes):
    """Text, in which the `words` have a meaning, behind a `prefix` as in `Bytes`."""

    def __init__(self, words: Sequence[bytes], prefix: int = 0) -> None:
        super().__init__(prefix)
        self._words = words

    def mutate(self, dice: Dice, data: bytes, seeds: Sequence[bytes]) -> bytes:
        if dice.below(2):
            return super().mutate(dice, data, seeds)
        i = self._prefix + dice.below(max(0, len(data) - self._prefix) + 1)
        return data[:i] + dice.pick(self._words) + data[i + dice.below(2) * dice.pick(SIZES) :]


# --- messages -------------------------------------------------------------------------------------


def split_messages(data: bytes) -> list[bytes]:
    """The messages in `data`, as their lengths say; the last one may be anything."""
    messages: list[bytes] = []
    start = 0
    while start < len(data):
        length = int.from_bytes(data[start + 1 : start + 5], signed=True)
        end = start + 1 + length if length >= 4 else len(data)
        messages.append(data[start:end])
        start = end
    return messages


def with_true_length(message: bytes) -> bytes:
    return message[:1] + (len(message) - 1).to_bytes(4) + message[5:] if message else message


def change_message(dice: Dice, message: bytes, other: bytes) -> bytes:
    """Change its type, its length, or its body, whose length is then true or not."""
    choice = dice.below(8)
    if choice == 0:
        return bytes([dice.pick(TAGS)]) + message[1:]
    if choice == 1:
        return message[:1] + dice.pick(EDGES_32).to_bytes(4) + message[5:]
    if choice == 2:
        length = int.from_bytes(message[1:5]) + dice.below(9) - 4
        return message[:1] + (length & 0xFFFFFFFF).to_bytes(4) + message[5:]
    body = dice.pick(BYTE_MUTATIONS)(dice, message[5:], other[5:])
    changed = message[:5] + body
    return changed if choice == 3 else with_true_length(changed)


class Messages:
    """Messages of a backend, behind a `prefix` as in `Bytes`."""

    def __init__(self, prefix: int = 0) -> None:
        self._prefix = prefix

    def mutate(self, dice: Dice, data: bytes, seeds: Sequence[bytes]) -> bytes:
        size = self._prefix if dice.below(32) else 0
        messages = split_messages(data[size:])
        others = split_messages(dice.pick(seeds)[self._prefix :])
        i = dice.below(len(messages) + 1)
        choice = dice.below(12)
        if choice == 0:
            messages[i:i] = messages[i : i + 1] * (1 + dice.below(3))
        elif choice == 1:
            del messages[i : i + 1 + dice.below(2)]
        elif choice == 2:
            messages[i : i + 2] = messages[i : i + 2][::-1]
        elif choice == 3 and others:
            messages.insert(i, dice.pick(others))
        elif choice == 4:
            del messages[i:]
        elif choice == 5:
            messages[i:] = others[dice.below(len(others) + 1) :]
        elif choice == 6:
            return data[:size] + dice.pick(BYTE_MUTATIONS)(dice, data[size:], b"".join(others))
        elif i < len(messages):
            other = dice.pick(others) if others else b""
            messages[i] = change_message(dice, messages[i], other)
        return data[:size] + b"".join(messages)


class Fields:
    """A count of 16 bits and so many fields, each behind its length of 32: the body of a DataRow.

    In front of it is a `prefix` as in `Bytes`.
    """

    def __init__(self, prefix: int = 0) -> None:
        self._prefix = prefix

    def mutate(self, dice: Dice, data: bytes, seeds: Sequence[bytes]) -> bytes:
        size = self._prefix if dice.below(32) else 0
        other = dice.pick(seeds)
        head, body = data[: size + 2], data[size + 2 :]
        if not dice.below(4):
            return data[:size] + dice.pick(BYTE_MUTATIONS)(dice, data[size:], other[size:])
        fields, others = split_fields(body), split_fields(other[self._prefix + 2 :])
        i = dice.below(len(fields) + 1)
        choice = dice.below(6)
        if choice == 0:
            fields[i : i + 1] = [b"\xff\xff\xff\xff"]
        elif choice == 1 and others:
            fields[i : i + 1] = [dice.pick(others)]
        elif choice == 2:
            del fields[i : i + 1]
        elif i < len(fields):
            value = dice.pick(BYTE_MUTATIONS)(dice, fields[i][4:], b"".join(others))
            fields[i] = len(value).to_bytes(4) + value if choice != 3 else fields[i][:4] + value
        return head + b"".join(fields)


def split_fields(data: bytes) -> list[bytes]:
    """The fields in `data` with their lengths, as these say; the last one may be anything."""
    fields: list[bytes] = []
    start = 0
    while start < len(data):
        length = int.from_bytes(data[start : start + 4], signed=True)
        end = start + 4 + max(0, length)
        fields.append(data[start:end])
        start = end
    return fields
