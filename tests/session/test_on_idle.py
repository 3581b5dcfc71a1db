"""`Session.on_idle`: whoever has something to say outside of transactions is told when."""

from __future__ import annotations

from conversation import Conversation
from scripts import command_complete, error_response, ready_for_query


def test_on_idle() -> None:
    """Called while it is set, for each request that ends outside of a transaction."""
    talk = Conversation()
    calls: list[bool] = []
    answers = [talk.simple(query) for query in ("BEGIN", "BAD", "ROLLBACK", "DO")]
    talk.send()
    talk.session.on_idle = lambda: calls.append(answers[2].done())
    talk.server(command_complete("BEGIN"), ready_for_query("T"))
    talk.server(error_response("42601", "bad"), ready_for_query("E"))
    assert calls == []
    talk.server(command_complete("ROLLBACK"), ready_for_query("I"))
    assert calls == [True]  # whoever waited for it knows
    talk.session.on_idle = None
    talk.server(command_complete("DO"), ready_for_query())
    assert calls == [True]
    assert answers[3].result == "DO"
