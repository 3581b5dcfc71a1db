"""Containers that come in their text form, because something in them does.

The server sends all of a value in one format. So where a part of it has no binary form (aclitem, a
type of an extension) or is read from its text by the user's choice, all other parts are read from
their texts as well. Arguments go in binary all the same if each part can be written so.
"""

from typing import Any

from pgallop.codecs import arrays
from pgallop.codecs.arrays import ArrayCodec
from pgallop.codecs.codec import Codec
from pgallop.codecs.text_arrays import TextArrayCodec
from pgallop.codecs.textual import Textual
from pgallop.codecs.textual_containers import array, array_text
from pgallop.codecs.textual_scalars import Form, same
from pgallop.wire.writer import Writer


class TextContainerCodec(Textual):
    """A composite, range or multirange in its text form, of which `form` makes what `codec` reads.

    `binary`: what reads its binary form, which within a record is the only one, if anything can.
    `writing`: what writes its binary form; without it the text form is taken, as a str.
    """

    __slots__ = ("binary", "writing")

    binary: Codec | None
    writing: Codec | None

    def __init__(
        self, codec: Codec, form: Form, binary: Codec | None, writing: Codec | None
    ) -> None:
        super().__init__(codec, form)
        self.accepts = "str (its text form)" if writing is None else codec.accepts
        self.binary = binary
        self.writing = writing

    def in_binary(self) -> Codec | None:
        return self.binary

    def writer(self) -> Codec | None:
        return self.writing

    def parameter(self) -> Codec:
        return self if self.writing is None else self.writing

    def encode(self, writer: Writer, value: Any) -> None:
        if not isinstance(value, str):
            self.refuse(value)
        writer.write_bytes(value.encode())


class MixedArrayCodec(TextArrayCodec):
    """An array of such containers, or of a type that its user reads from its text.

    `binary`, `writing`: as above. `delimiter`: what stands between its elements. `of_tuples`: its
    elements may be tuples, and only lists are sub-arrays; otherwise they may be lists.
    """

    __slots__ = ("binary", "delimiter", "of_tuples", "writing")

    binary: Codec | None
    writing: Codec | None
    delimiter: bytes
    of_tuples: bool

    def __init__(
        self,
        oid: int,
        name: str,
        element: Codec,
        delimiter: bytes,
        binary: Codec | None,
        writing: Codec | None,
        of_tuples: bool = True,
    ) -> None:
        super().__init__(oid, name, element)
        self.form = array(element.oid, same, delimiter)
        self.delimiter = delimiter
        self.binary = binary
        self.writing = writing
        self.of_tuples = of_tuples

    def in_binary(self) -> Codec | None:
        return self.binary

    def writer(self) -> Codec | None:
        return self.writing

    def parameter(self) -> Codec:
        # What is written as text in one piece goes on to be: `regclass` takes a name there.
        is_text = self.writing is None or self.element.parameter() is self.element
        return self if is_text or self.writing is None else self.writing

    def encode(self, writer: Writer, value: Any) -> None:
        buffer = Writer()
        ArrayCodec.encode(self, buffer, value)
        writer.write_bytes(array_text(buffer.take(), self.delimiter))

    def nested(self, value: Any) -> int:
        sub_array = list if self.of_tuples else tuple
        return arrays.count_items(value) if isinstance(value, sub_array) else -1
