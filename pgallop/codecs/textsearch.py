"""tsvector and tsquery in their binary forms, as the text that the server writes for them.

They travel as text. Within records everything is in binary, so there these codecs read them.
Source: tsvectorsend and tsvectorout in the server's tsvector.c, tsquerysend and tsqueryout in
tsquery.c.
"""

from typing import Any, NamedTuple

from pgallop.codecs.codec import Codec
from pgallop.errors import ProtocolError
from pgallop.wire.reader import Reader

# The weights of a position, by its two highest bits. D is what counts as none.
WEIGHTS = ("", "C", "B", "A")
POSITION_BITS = 14

# The two kinds of items in a query.
VALUE, OPERATOR = 1, 2

# The operators, and which ones bind more tightly.
NOT, AND, OR, PHRASE = 1, 2, 3, 4
BINDING = {NOT: 4, AND: 2, OR: 1, PHRASE: 3}


def quoted(lexeme: bytes) -> str:
    text = lexeme.decode().replace("\\", "\\\\").replace("'", "''")
    return f"'{text}'"


class TsvectorCodec(Codec):
    """Lexemes and where they stand in the document: `'cat':3A,5 'mat'`."""

    __slots__ = ()

    def decode(self, reader: Reader, size: int) -> Any:
        count = reader.read_int32()
        # Each lexeme takes three bytes at least: its end and how many positions it has.
        if count < 0 or count > (reader.end - reader.pos) // 3:
            raise ProtocolError(
                f"the server announced a tsvector of {count} lexemes in "
                f"{reader.end - reader.pos} bytes"
            )
        lexemes: list[str] = []
        for _ in range(count):
            lexeme = quoted(reader.read_cstring())
            positions = [self.position(reader) for _ in range(reader.read_uint16())]
            lexemes.append(f"{lexeme}:{','.join(positions)}" if positions else lexeme)
        return " ".join(lexemes)

    def position(self, reader: Reader) -> str:
        position = reader.read_uint16()
        return f"{position % (1 << POSITION_BITS)}{WEIGHTS[position >> POSITION_BITS]}"


class Item(NamedTuple):
    """One word or operator of a query, which are in the order operator, right side, left side.

    `text`: how it is written; `operator`: 0 for a word; `left`: the number of the item that its
    left side begins with, or its only one.
    """

    text: str
    operator: int
    left: int


class TsqueryCodec(Codec):
    """Words and operators: `'fat' & !( 'rat':*AB | 'cat' )`."""

    __slots__ = ()

    def decode(self, reader: Reader, size: int) -> Any:
        count = reader.read_int32()
        # Each item takes two bytes at least.
        if count < 0 or count > (reader.end - reader.pos) // 2:
            raise ProtocolError(
                f"the server announced a tsquery of {count} items in "
                f"{reader.end - reader.pos} bytes"
            )
        return written(linked([self.item(reader) for _ in range(count)]))

    def item(self, reader: Reader) -> tuple[str, int]:
        """The next item: its text and its operator, 0 for a word."""
        kind = reader.read_byte()
        if kind == VALUE:
            weights = reader.read_byte()
            prefix = "*" if reader.read_byte() else ""
            text = quoted(reader.read_cstring())
            letters = "".join(["ABCD"[i] for i in range(4) if weights & 8 >> i])
            return f"{text}:{prefix}{letters}" if prefix or letters else text, 0
        operator = reader.read_byte()
        if kind != OPERATOR or operator not in BINDING:
            raise ProtocolError(f"a tsquery has an item {kind} with the operator {operator}")
        if operator != PHRASE:
            return {NOT: "!", AND: " & ", OR: " | "}[operator], operator
        distance = reader.read_int16()
        return " <-> " if distance == 1 else f" <{distance}> ", operator


def linked(items: list[tuple[str, int]]) -> list[Item]:
    """The items with their left sides. Nothing is recursive here: queries nest without end."""
    result: list[Item] = []
    ends: list[int] = []  # from behind, where those that have no operator yet end
    for i in range(len(items) - 1, -1, -1):
        text, operator = items[i]
        end = left = i + 1
        for _ in range(0 if not operator else 1 if operator == NOT else 2):
            if not ends:
                raise ProtocolError("a tsquery has an operator without operands")
            left, end = end, ends.pop()
        result.append(Item(text, operator, left))
        ends.append(end)
    if len(ends) > 1:
        raise ProtocolError("a tsquery has operands without an operator")
    return result[::-1]


def written(items: list[Item]) -> str:
    """The query as the server writes it, with no more parentheses than it needs."""
    pieces: list[str] = []
    # What is still to be written, the next one last: text, or the number of an item.
    rest: list[str | int] = [0] if items else []
    while rest:
        part = rest.pop()
        if isinstance(part, str):
            pieces.append(part)
            continue
        item = items[part]
        if not item.operator:
            rest.append(item.text)
        elif item.operator == NOT:
            rest += [*operand(items, item.left, item, False), item.text]
        else:
            right = operand(items, part + 1, item, True)
            rest += [*right, item.text, *operand(items, item.left, item, False)]
    return "".join(pieces)


def operand(items: list[Item], number: int, outer: Item, is_right: bool) -> list[str | int]:
    """One side of `outer`, from its end: in parentheses where its own operator would lose it."""
    inner = items[number].operator
    if not inner or BINDING[inner] > BINDING[outer.operator]:
        return [number]
    if inner == outer.operator and not (inner == PHRASE and is_right):
        return [number]
    return [" )", number, "( "]
