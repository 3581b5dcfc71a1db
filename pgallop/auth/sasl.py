"""SASL: the list of mechanisms that the server offers, and the one to take."""

import re
from collections.abc import Sequence
from typing import Final

from pgallop.errors import ProtocolError, UnsupportedClientFeatureError
from pgallop.limits import MAX_SASL_MECHANISMS_SIZE

SUPPORTED: Final = ("SCRAM-SHA-256",)
"""The mechanisms spoken here, the strongest first: the first that is offered is taken."""

# RFC 4422, section 3.1: 1 to 20 of these characters.
_NAME: Final = re.compile(rb"[A-Z0-9_-]{1,20}")


def parse_mechanisms(data: bytes) -> list[str]:
    """Return the mechanism names of an AuthenticationSASL message.

    Args:
        data: the message behind its int32 code: NUL-terminated names, then one more NUL.

    Returns:
        At least one name, in the server's order of preference.

    Raises:
        ProtocolError: the list is empty, too long or not terminated, bytes follow it, or a name
            is no mechanism name.

    Example:
        >>> parse_mechanisms(b"SCRAM-SHA-256-PLUS\\0SCRAM-SHA-256\\0\\0")
        ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']

    Source: PostgreSQL documentation, "Message Formats", AuthenticationSASL; RFC 4422, section 3.1.
    """
    if len(data) > MAX_SASL_MECHANISMS_SIZE:
        raise ProtocolError(
            f"AuthenticationSASL: {len(data)} bytes of mechanism names,"
            f" more than {MAX_SASL_MECHANISMS_SIZE}"
        )
    if data == b"\0":
        raise ProtocolError("AuthenticationSASL: the server offers no mechanism")
    if not data.endswith(b"\0\0"):
        raise ProtocolError("AuthenticationSASL: the list of mechanisms is not terminated")
    names = data[:-2].split(b"\0")
    # An empty name before the last one, which would end the list early, is refused here as well.
    if not all(map(_NAME.fullmatch, names)):
        raise ProtocolError("AuthenticationSASL: a mechanism name is not as RFC 4422 has them")
    return [name.decode("ascii") for name in names]


def choose_mechanism(offered: Sequence[str]) -> str:
    """Return the mechanism to authenticate with.

    Args:
        offered: the names that the server offers.

    Returns:
        The first of `SUPPORTED` that is offered.

    Raises:
        UnsupportedClientFeatureError: none of them is; the error names the offered ones.

    Example:
        >>> choose_mechanism(["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"])
        'SCRAM-SHA-256'

    Source: PostgreSQL documentation, "SASL Authentication".
    """
    for mechanism in SUPPORTED:
        if mechanism in offered:
            return mechanism
    raise UnsupportedClientFeatureError(
        f"the server offers the SASL mechanisms {', '.join(offered) or '(none)'};"
        f" supported: {', '.join(SUPPORTED)}"
    )
