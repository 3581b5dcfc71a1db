"""The caps on what a server can make us keep or do.

A server is believed only as far as its bytes reach: a length or a count that lies is refused
without a cap, by comparing it with what was received. The caps here are for servers that do send
what they announce, and for work that grows faster than the bytes. What goes beyond one is a
ProtocolError and ends the connection, unless it says otherwise. `docs/limits.md` is the table of
all of them.

What may be *sent* is limited by PostgreSQL itself, and is checked where it is written
(`wire/writer.py`, `wire/frontend.py`).
"""

from typing import Final

# --- messages, in bytes (the length field counted, the type not) ---

MAX_MESSAGE_SIZE: Final = 1 << 30
"""Rows, copied data, errors and notices. PostgreSQL's values end at 1 GiB, and an error may quote
one whole. The option `max_message_size`, which holds for all other messages too."""

MAX_DESCRIPTION_SIZE: Final = 1 << 20
"""RowDescription and ParameterDescription: 1,664 columns with names of 600 bytes, where
PostgreSQL's names have 63; 262,142 parameters, where 65,535 can be given values."""

MAX_SHORT_MESSAGE_SIZE: Final = 1 << 16
"""Everything else, and before authentication everything. The longest that PostgreSQL sends is a
notification, of less than 8,000 bytes (32 KiB where its pages are that large); a setting may be
longer, but libpq takes no more than 30,000 bytes of one either."""

MAX_REFUSAL_SIZE: Final = 30_000
"""What is read of an error that a server answers instead of beginning TLS. libpq's MAX_ERRLEN."""

# --- within a message ---

MAX_COLUMNS: Final = 8192
"""Columns of a result. PostgreSQL has 1,664 at most (MaxTupleAttributeNumber); there are servers
that are almost PostgreSQL, and none with so many."""

MAX_NESTING: Final = 100
"""Records within records within one value. Each level costs stack, in C where there is no
RecursionError, and a level takes no more than 12 bytes to send."""

MAX_ARRAY_DIMENSIONS: Final = 6
"""Dimensions of an array: PostgreSQL's MAXDIM."""

# --- kept for the life of the connection ---

MAX_TYPES: Final = 50_000
"""Types of one database of which something is known. When there are more, all are asked about again
as they are needed. One takes some 500 bytes."""

MAX_SETTINGS: Final = 1000
"""Settings reported by ParameterStatus. PostgreSQL reports 15, extensions may add some."""

MAX_SECRET_KEY_SIZE: Final = 256
"""Bytes of the key that cancels statements: 4 in protocol 3.0, 256 at most in 3.2."""

# --- authentication ---

MAX_SCRAM_ITERATIONS: Final = 100_000
"""Rounds of PBKDF2 that a server may ask for. An impostor that asks for 2^31 would keep a core busy
for minutes with each connection (CVE-2026-42198); PostgreSQL's default is 4,096. The option
`scram_max_iterations`."""

MAX_SALTED_PASSWORDS: Final = 32
"""Keys of SCRAM that the process keeps for the next connection with the same password and salt, so
that it need not derive them; the most recently used ones."""

MAX_SCRAM_MESSAGE_SIZE: Final = 4096
"""Bytes of a message of SCRAM, so that salt, nonce and error text are short. PostgreSQL's have
about 100."""

MAX_SASL_MECHANISMS_SIZE: Final = 1024
"""Bytes of the list of SASL mechanisms. PostgreSQL's has two names."""

# --- for listeners, see `inbox.py`; beyond these nothing is lost, and the server has to wait ---

MAX_PENDING_MESSAGES: Final = 10_000
"""Notices and notifications that were received and not yet delivered to listeners. When there are
so many nothing more is read, until half of them are delivered."""

MAX_PENDING_BYTES: Final = 1 << 24
"""Memory that they take, roughly."""

MAX_LISTENER_TASKS: Final = 10_000
"""Calls of listeners that are coroutine functions and have not ended; further ones wait to begin.
A task takes some 2 KiB."""
