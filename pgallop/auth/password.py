"""User names and passwords as bytes, and the answer to AuthenticationMD5Password."""

import hashlib
import re
from typing import Final

from pgallop.errors import ClientConfigurationError, ProtocolError

_MD5_SALT_SIZE: Final = 4  # AuthenticationMD5Password: Byte4
# Those that surrogateescape (PEP 383) has no byte for: it uses U+DC80 to U+DCFF.
_LONE_SURROGATE: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def encode_credential(text: str, what: str) -> bytes:
    """Return the bytes that PostgreSQL holds for a user name or a password.

    Bytes that reached Python as lone surrogates (an environment variable or a passfile that is not
    UTF-8) become the original bytes again, as libpq would send them.

    Args:
        text: the user name or password.
        what: what it is, in words for the error: "password", "user name".

    Returns:
        UTF-8 bytes without NUL.

    Raises:
        ClientConfigurationError: `text` holds a NUL character, which the server cannot store, or
            a surrogate that stands for no byte. The error does not show `text`.

    Example:
        >>> encode_credential("grüß", "password")
        b'gr\\xc3\\xbc\\xc3\\x9f'

    Source: PEP 383; strings are NUL-terminated in PostgreSQL's "Message Data Types".
    """
    if "\0" in text:
        raise ClientConfigurationError(
            f"the {what} contains a NUL character, which PostgreSQL cannot store"
        )
    # Looked for before encoding: a UnicodeEncodeError holds the whole text and would stay in the
    # context of the error raised for it.
    if _LONE_SURROGATE.search(text):
        raise ClientConfigurationError(
            f"the {what} contains a lone surrogate, which is no character and has no UTF-8 form"
        )
    return text.encode("utf-8", "surrogateescape")


def md5_password(user: str, password: str, salt: bytes) -> str:
    """Return the text of the PasswordMessage that answers AuthenticationMD5Password.

    Args:
        user: the user name as sent in the StartupMessage.
        password: the password in clear.
        salt: the 4 bytes of the server's request.

    Returns:
        "md5" and 32 hexadecimal digits: md5(md5(password || user) || salt).

    Raises:
        ProtocolError: `salt` is not 4 bytes long.
        ClientConfigurationError: `user` or `password` cannot be sent.

    Example:
        >>> md5_password("alice", "secret", bytes.fromhex("01020304"))
        'md598a0412b9c31436fc53776e863350083'

    Source: PostgreSQL documentation, "Message Flow", AuthenticationMD5Password.
    """
    if len(salt) != _MD5_SALT_SIZE:
        raise ProtocolError(
            f"AuthenticationMD5Password carries a salt of {len(salt)} bytes instead of 4"
        )
    secret = encode_credential(password, "password") + encode_credential(user, "user name")
    stored = _md5(secret)  # what pg_authid.rolpassword holds behind "md5"
    return "md5" + _md5(stored.encode("ascii") + salt)


def _md5(data: bytes) -> str:
    # The protocol fixes MD5; the flag lets it run where OpenSSL's FIPS mode refuses it for secrets.
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
