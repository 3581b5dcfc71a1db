"""What the server is asked about types before their values can be read and written.

That is how many digits an amount of money has after the point, which depends on the session.
"""

from typing import TYPE_CHECKING

from pgallop.codecs import money
from pgallop.codecs.codec import BINARY
from pgallop.errors import ProtocolError
from pgallop.session.convert import Convert

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch


async def resolve(dispatch: "Dispatch", deadline: float | None, timeout: float | None) -> None:
    """Ask what is not known yet; it is this context's turn."""
    learn(dispatch, await dispatch.answered(question(dispatch), deadline, timeout))


def question(dispatch: "Dispatch") -> Convert:
    """What does the smallest amount look like?"""
    return Convert(dispatch.new_future(), [money.ONE_UNIT], money.MONEY, BINARY)


def learn(dispatch: "Dispatch", answer: list[bytes]) -> None:
    """Take the answer to `question`."""
    try:
        digits = money.digits_of(answer[0])
    except ValueError as error:
        dispatch.lose(ProtocolError(str(error)))
    money.resolve(dispatch.registry, digits)
    if not dispatch.scope.has_left():
        dispatch.scope.money_digits = digits


def recall(dispatch: "Dispatch") -> None:
    """The session is again as it was when it began."""
    if dispatch.scope.money_digits is not None:
        money.resolve(dispatch.registry, dispatch.scope.money_digits)
