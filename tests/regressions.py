"""What the tests of other drivers' bugs share."""

from __future__ import annotations

from typing import Any

from proxy import DelayProxy

import pgallop
from pgallop.connecting import ConnectCall

LOST = pgallop.ConnectionDoesNotExistError


def through(proxy: DelayProxy, **options: Any) -> ConnectCall:
    """Connect to the server behind a proxy."""
    return pgallop.connect(
        host=proxy.host, port=proxy.port, user="postgres", ssl="disable", **options
    )


def check_disconnection(error: BaseException) -> None:
    """Check that the error says so: the connection is lost, or has been for a while."""
    if type(error) is pgallop.InterfaceError:
        assert "connection is closed" in str(error), repr(error)
    else:
        assert isinstance(error, LOST), repr(error)
