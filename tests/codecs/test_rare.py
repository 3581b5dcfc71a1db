"""Types that come late: they are registered when one of them is looked for."""

import threading

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.arrays import ArrayCodec
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.choices import CodecChoices
from pgallop.codecs.geometry import PointCodec
from pgallop.codecs.registry import Registry
from pgallop.codecs.text import StrCodec

POINT, RECORD = OIDS["point"], OIDS["record"]


def unused(name: str) -> Registry:
    """A registry that nobody has asked yet."""
    return builtin_registry(CodecChoices(out_of_range=(("date", name),)))


def test_who_has_added_something_finds_them_too() -> None:
    base = unused("one")
    mine = base.copy()
    word = StrCodec(16385, "word")
    mine.add(word)
    codec = mine.get(POINT)
    assert type(codec) is PointCodec
    assert mine.get(16385) is word
    assert base.get(POINT) is codec is base.copy().get(POINT)
    assert 16385 not in base


def test_what_was_added_for_such_a_type_stays() -> None:
    base = unused("two")
    mine = base.copy()
    text = StrCodec(POINT, "point")
    mine.add(text)
    assert isinstance(mine.get(ARRAYS["point"]), ArrayCodec)  # all of them come now
    assert mine.get(POINT) is text
    assert type(base.get(POINT)) is PointCodec


def test_several_threads_at_once() -> None:
    base = unused("three")
    threads = 8
    together = threading.Barrier(threads)
    found: list[list[object]] = []

    def look() -> None:
        mine = base.copy()
        together.wait()
        names = ("point", "inet", "int4range", "record", "aclitem", "money")
        found.append([type(mine.get(OIDS[name])).__name__ for name in names])

    running = [threading.Thread(target=look) for _ in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    expected = ["PointCodec", "InetCodec", "RangeCodec", "RecordCodec", "TextCodec", "Unresolved"]
    assert found == [expected] * threads
    assert base.get(RECORD) is base.get(RECORD)


def test_types_that_do_not_exist() -> None:
    registry = unused("four").copy()
    assert 9999 not in registry
    assert registry.get(9999).name == "type with OID 9999"
