"""Keys that took long to derive, kept for the next connection with the same password."""

import hmac
import secrets
from typing import Final

from pgallop.auth.scram import KeyParameters
from pgallop.limits import MAX_SALTED_PASSWORDS

__all__ = ["SaltedPasswords"]

_HASH: Final = "sha256"
_SECRET_SIZE: Final = 32


class SaltedPasswords:
    """SaltedPasswords of SCRAM by the password, the salt and the rounds they were derived from.

    A role's salt changes when its password does, so a key is good for as long as the password is.
    Passwords themselves are not kept, but a keyed hash of them.

    Args:
        limit: how many are kept, the most recently used ones.

    Example:
        >>> kept = SaltedPasswords()
        >>> kept.add("pencil", KeyParameters(b"salt", 4096), b"key")
        >>> kept.find("pencil", KeyParameters(b"salt", 4096))
        b'key'

    Source: RFC 5802, section 3: a client may keep them, the server will name the same salt again.
    """

    __slots__ = ("_keys", "_limit", "_secret")

    def __init__(self, limit: int = MAX_SALTED_PASSWORDS) -> None:
        self._secret = secrets.token_bytes(_SECRET_SIZE)
        self._limit = limit
        self._keys: dict[tuple[bytes, KeyParameters], bytes] = {}

    def find(self, password: str, parameters: KeyParameters) -> bytes | None:
        """Return the key, or None if it has to be derived."""
        name = self._name(password, parameters)
        key = self._keys.pop(name, None)
        if key is not None:
            self._keys[name] = key  # the most recently used one is the last
        return key

    def add(self, password: str, parameters: KeyParameters, key: bytes) -> None:
        """Keep a key; only one that a server has accepted and proven to know."""
        self._keys[self._name(password, parameters)] = key
        # At one go, as an iterator would not survive what event loops of other threads keep.
        for name in list(self._keys)[::-1][self._limit :]:
            self._keys.pop(name, None)

    def _name(self, password: str, parameters: KeyParameters) -> tuple[bytes, KeyParameters]:
        text = password.encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, text, _HASH), parameters
