"""The statements that a connection keeps: who leaves, when, and what the server is told of it."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Hashable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pgallop.codecs.registry import Registry
from pgallop.session.prepare import Prepare
from pgallop.session.statement import Description, Statement
from pgallop.statement_cache import StatementCache

REGISTRY = Registry()
DESCRIPTION = Description((), None)


def made(key: Hashable, name: str) -> Statement:
    """A statement of that key; without a name it is parsed each time."""
    return Statement(str(key), name.encode(), DESCRIPTION, REGISTRY, key)


def filled(size: int, keys: str, lifetime: float = 0) -> StatementCache:
    """A cache with a statement for each letter, whose name is the same letter."""
    cache = StatementCache(size, lifetime=lifetime)
    for key in keys:
        cache.put(made(key, key), 0)
    return cache


def kept(cache: StatementCache, keys: str) -> str:
    """Those of the keys that are there; asking makes them the most recently used ones."""
    return "".join(key for key in keys if cache.get(key) is not None)


# Who leaves


def test_the_least_recently_used_leaves() -> None:
    cache = filled(3, "abc")
    assert cache.get("a") is not None
    cache.put(made("d", "d"), 0)
    assert cache.take_evicted() == (b"b",)
    assert kept(cache, "abcd") == "acd"
    cache.put(made("e", "e"), 0)
    assert cache.take_evicted() == (b"a",)


def test_names_are_given_out_once() -> None:
    cache = filled(1, "abc")
    assert cache.take_evicted() == (b"a", b"b")
    assert cache.take_evicted() == ()


def test_another_statement_of_the_same_text_takes_its_place() -> None:
    cache = filled(3, "abc")
    again = made("a", "a2")
    cache.put(again, 0)
    assert cache.get("a") is again
    assert cache.take_evicted() == (b"a",)
    assert len(cache) == 3


def test_the_same_name_again_is_not_closed() -> None:
    """It was described anew, and is the same statement to the server."""
    cache = filled(3, "a")
    again = made("a", "a")
    cache.put(again, 0)
    assert cache.get("a") is again
    assert cache.take_evicted() == ()


def test_without_a_name_there_is_nothing_to_close() -> None:
    cache = StatementCache(1)
    cache.put(made("a", ""), 0)
    cache.put(made("b", ""), 0)
    cache.remove("b")
    assert cache.take_evicted() == ()
    assert len(cache) == 0


@pytest.mark.parametrize(("length", "stays"), [(9, True), (10, True), (11, False)])
def test_a_long_text_is_not_kept(length: int, stays: bool) -> None:
    cache = StatementCache(3, max_text=10)
    cache.put(made("x" * length, "long"), 0)
    assert len(cache) == stays
    assert cache.take_evicted() == (() if stays else (b"long",))


def test_a_long_text_stays_while_it_is_pinned() -> None:
    cache = StatementCache(3, max_text=10)
    key = "x" * 11
    cache.pin(key)
    cache.put(made(key, "long"), 0)
    assert cache.get(key) is not None
    cache.unpin(key)
    assert cache.get(key) is None
    assert cache.take_evicted() == (b"long",)


def test_what_prepare_has_returned_has_no_length() -> None:
    """Its key is no text, and it was asked for."""
    cache = StatementCache(3, max_text=10)
    key = ("a handle",) * 20
    cache.put(made(key, "own"), 0)
    assert cache.get(key) is not None


# Pins


def test_what_is_pinned_stays() -> None:
    cache = StatementCache(0)
    cache.pin("a")
    cache.pin("a")
    cache.put(made("a", "a"), 0)
    cache.put(made("b", "b"), 0)
    assert cache.take_evicted() == (b"b",)
    assert not cache.unpin("a")
    assert cache.is_pinned("a")
    assert kept(cache, "ab") == "a"
    assert cache.unpin("a")
    assert not cache.is_pinned("a")
    assert kept(cache, "ab") == ""
    assert cache.take_evicted() == (b"a",)


def test_who_is_pinned_takes_nobodys_place() -> None:
    cache = StatementCache(2)
    for key in "ab":
        cache.pin(key)
    for key in "abcd":
        cache.put(made(key, key), 0)
    assert kept(cache, "abcd") == "abcd"
    cache.unpin("a")  # the least recently used of three
    assert kept(cache, "abcd") == "bcd"


# Who is sent away


def test_forgotten_or_never_made() -> None:
    cache = filled(5, "abc")
    a, b, c = (cache.get(key) for key in "abc")
    assert a is not None
    assert b is not None
    assert c is not None
    cache.forget(a)
    cache.drop(b)
    cache.put(made("c", "c2"), 0)
    for gone in a, b, c:  # another one has its place, or nobody
        cache.forget(gone)
        cache.drop(gone)
    assert cache.take_evicted() == (b"a", b"c")
    assert kept(cache, "abc") == "c"


@pytest.mark.parametrize("forgotten", [False, True])
def test_cleared(forgotten: bool) -> None:
    """Those whose Parse is on the way stay: the server will see it after what has cleared them."""
    cache = filled(5, "ab")
    under_way = made("c", "c")
    under_way.prepare = Prepare(None, "c", b"c", REGISTRY, presumed=under_way)
    cache.put(under_way, 0)
    cache.clear(forgotten)
    assert kept(cache, "abc") == "c"
    assert cache.take_evicted() == (() if forgotten else (b"a", b"b"))


def test_those_that_name_something() -> None:
    cache = StatementCache(9)
    for name, query in {
        "a": "SELECT * FROM Orders",
        "b": 'SELECT "orders"."n"',
        "c": "SELECT * FROM disorders",
        "d": "SELECT * FROM orders_old",
        "e": "SELECT 'it.s'",
        "f": "SELECT * FROM its",
    }.items():
        cache.put(Statement(query, name.encode(), DESCRIPTION, REGISTRY, name), 0)
    under_way = Statement("TABLE orders", b"g", DESCRIPTION, REGISTRY, "g")
    under_way.prepare = Prepare(None, "TABLE orders", b"g", REGISTRY, presumed=under_way)
    cache.put(under_way, 0)
    cache.forget_naming(set())
    assert kept(cache, "abcdefg") == "abcdefg"
    cache.forget_naming({"orders", "i.s"})
    assert kept(cache, "abcdefg") == "cdefg"
    assert cache.take_evicted() == (b"a", b"b")


# Lifetime


def test_a_lifetime() -> None:
    cache = StatementCache(5, lifetime=10)
    cache.put(made("a", "a"), 0)
    cache.put(made("b", "b"), 4)
    assert cache.expire(9.9) == 10
    assert kept(cache, "ab") == "ab"
    assert cache.expire(10) == 14
    assert kept(cache, "ab") == "b"  # that it was used does not count
    assert cache.expire(14) is None
    assert cache.take_evicted() == (b"a", b"b")


def test_a_life_for_ever() -> None:
    cache = filled(5, "abc")
    assert cache.expire(1e9) is None
    assert kept(cache, "abc") == "abc"


def test_what_is_pinned_lives_on() -> None:
    cache = filled(5, "a", lifetime=10)
    cache.pin("a")
    assert cache.expire(10) == 20
    cache.unpin("a")
    assert kept(cache, "a") == "a"
    assert cache.expire(20) is None
    assert kept(cache, "a") == ""


@pytest.mark.parametrize("name", ["a", ""])
def test_made_anew_it_has_a_new_life(name: str) -> None:
    cache = StatementCache(5, lifetime=10)
    cache.put(made("a", name), 0)
    cache.put(made("a", name), 6)
    assert cache.expire(10) == 16
    assert kept(cache, "a") == "a"
    assert cache.expire(16) is None
    assert kept(cache, "a") == ""


class Text(str):
    """A text that can be watched."""


def test_what_has_left_is_not_held() -> None:
    """A program that writes its values into its statements has a new text each time."""
    cache = StatementCache(2, lifetime=300)
    left = []
    for number in range(10):
        key = Text(f"SELECT {number}")
        left.append(weakref.ref(key))
        cache.put(Statement("", b"name", DESCRIPTION, REGISTRY, key), 0)
        del key
    cache.take_evicted()
    assert [watch() is not None for watch in left] == [False] * 8 + [True] * 2


# All of it, beside a list

KEYS = st.sampled_from("abcdef")
LIFETIME = 10.0


class Comparison(RuleBasedStateMachine):
    """What the cache does, beside a list in the order of use and a dictionary of deadlines."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 3
        self.cache = StatementCache(self.size, lifetime=LIFETIME)
        self.order: list[str] = []
        self.statements: dict[str, Statement] = {}
        self.ends: dict[str, float] = {}
        self.pins: Counter[str] = Counter()
        self.evicted: list[bytes] = []
        self.now = 0.0
        self.made = 0

    def lose(self, key: str, evict: bool = True) -> None:
        if key in self.order:
            self.order.remove(key)
            name = self.statements.pop(key).name
            del self.ends[key]
            if evict:
                self.evicted.append(name)

    def shrink(self) -> None:
        loose = [key for key in self.order if not self.pins[key]]
        while len(self.order) > self.size and len(loose) > self.size:
            self.lose(loose.pop(0))

    @rule(key=KEYS)
    def put(self, key: str) -> None:
        self.made += 1
        statement = made(key, f"s{self.made}")
        self.cache.put(statement, self.now)
        self.lose(key)
        self.order.append(key)
        self.statements[key] = statement
        self.ends[key] = self.now + LIFETIME
        self.shrink()

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        assert self.cache.get(key) is self.statements.get(key)
        if key in self.order:
            self.order.remove(key)
            self.order.append(key)

    @rule(key=KEYS)
    def pin(self, key: str) -> None:
        self.cache.pin(key)
        self.pins[key] += 1

    @precondition(lambda self: self.pins.total())
    @rule(data=st.data())
    def unpin(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.pins.elements())))
        self.pins[key] -= 1
        assert self.cache.unpin(key) is (self.pins[key] == 0)
        if not self.pins[key]:
            self.shrink()

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        due = self.cache.expire(self.now)
        for key in sorted(self.ends, key=self.ends.__getitem__):
            if self.ends[key] <= self.now:
                if self.pins[key]:
                    self.ends[key] = self.now + LIFETIME
                else:
                    self.lose(key)
        assert due == min(self.ends.values(), default=None)

    @rule(key=KEYS)
    def remove(self, key: str) -> None:
        self.cache.remove(key)
        self.lose(key)

    @precondition(lambda self: self.order)
    @rule(data=st.data(), never_made=st.booleans())
    def send_away(self, data: st.DataObject, never_made: bool) -> None:
        statement = self.statements[data.draw(st.sampled_from(sorted(self.order)))]
        (self.cache.drop if never_made else self.cache.forget)(statement)
        self.lose(str(statement.key), evict=not never_made)

    @rule(forgotten=st.booleans())
    def clear(self, forgotten: bool) -> None:
        self.cache.clear(forgotten)
        for key in list(self.order):
            self.lose(key, evict=not forgotten)

    @rule()
    def take_evicted(self) -> None:
        assert sorted(self.cache.take_evicted()) == sorted(self.evicted)
        self.evicted.clear()

    @invariant()
    def the_same(self) -> None:
        assert len(self.cache) == len(self.order)
        assert sorted(self.cache.evicted) == sorted(self.evicted)
        assert all(self.cache.is_pinned(key) is (self.pins[key] > 0) for key in "abcdef")


TestComparison = Comparison.TestCase
TestComparison.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
