"""The conversations that the session's tests are made of: they find what they are to find."""

from __future__ import annotations

import inspect

import pytest
from conversation import Answer, Conversation, at_every_split, one_byte_each, split_at
from scripts import notice_response, ready_for_query

NOTICE = notice_response("hello")


def test_the_cuts() -> None:
    data = b"abcdef"
    assert list(one_byte_each(10, data)) == [b"a", b"b", b"c", b"d", b"e", b"f"]
    for place in (0, 9, 10, 16, 17):
        assert list(split_at(place)(10, data)) == [data]
    assert list(split_at(11)(10, data)) == [b"a", b"bcdef"]
    assert list(split_at(15)(10, data)) == [b"abcde", b"f"]


def test_a_conversation_is_held_for_every_split() -> None:
    talks = []

    @at_every_split
    def hold(talk: Conversation) -> None:
        talks.append(talk)
        talk.server(NOTICE)

    hold()
    # Whole, at each place, in single bytes, amid asynchronous messages.
    assert len(talks) == 1 + (len(NOTICE) - 1) + 1 + 1
    assert all(talk.notices == ["hello"] for talk in talks)
    assert talks[-1].said > len(NOTICE)


@pytest.mark.parametrize("call", [2, 9])
def test_a_difference_is_found(call: int) -> None:
    calls = 0

    @at_every_split
    def hold(talk: Conversation) -> None:
        nonlocal calls
        calls += 1
        talk.server(NOTICE)
        if calls == call:
            talk.notices.append("another")

    with pytest.raises(AssertionError, match=f"cut at byte {call - 1}"):
        hold()


def test_an_error_tells_how_it_came_about() -> None:
    calls = 0

    @at_every_split
    def hold(talk: Conversation) -> None:
        nonlocal calls
        calls += 1
        talk.server(NOTICE)
        assert calls < 4

    with pytest.raises(AssertionError) as raised:
        hold()
    assert raised.value.__notes__[-1] == "what the server said was cut at byte 3"


def test_parameters_stay_parameters() -> None:
    @at_every_split
    def hold(talk: Conversation, word: str) -> None:
        talk.server(notice_response(word))
        assert talk.notices == [word]

    assert list(inspect.signature(hold).parameters) == ["word"]
    hold("hello")


def test_an_answer_is_told_once() -> None:
    talk = Conversation()
    answer = talk.simple("SELECT 1")
    with pytest.raises(AssertionError, match="still waiting"):
        _ = answer.result
    talk.server(ready_for_query())
    assert answer.result == ""
    with pytest.raises(AssertionError, match="succeeded: ''"):
        _ = answer.error
    with pytest.raises(AssertionError):
        answer.set_exception(ValueError())
    failed = Answer()
    failed.set_exception(ValueError("no"))
    with pytest.raises(AssertionError, match=r"ValueError\('no'\)"):
        _ = failed.result
