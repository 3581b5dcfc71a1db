"""User names and passwords as bytes, and md5."""

import doctest
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgallop.auth import password as password_module
from pgallop.auth.password import encode_credential, md5_password
from pgallop.errors import ClientConfigurationError, ProtocolError

# CREATE ROLE md5user LOGIN PASSWORD 'se''cret ü' with password_encryption = md5 on PostgreSQL 18:
# pg_authid.rolpassword, and an answer that this server accepted for this salt.
STORED = "md510a57635fa730d1ee0e585b9747cae7a"
SALT = b"G\xe5\xd9\x1e"
ANSWER = "md59605f4bb4788a857ae417bac2203403b"


def test_md5_is_what_a_server_accepted() -> None:
    assert md5_password("md5user", "se'cret ü", SALT) == ANSWER


def test_md5_is_made_of_what_a_server_stores() -> None:
    digest = hashlib.md5(STORED[3:].encode() + SALT, usedforsecurity=False).hexdigest()
    assert md5_password("md5user", "se'cret ü", SALT) == "md5" + digest


@pytest.mark.parametrize("salt", [b"", b"abc", b"abcde", bytes(1000)])
def test_md5_refuses_a_salt_of_another_size(salt: bytes) -> None:
    with pytest.raises(ProtocolError, match=f"salt of {len(salt)} bytes instead of 4"):
        md5_password("alice", "secret", salt)


@pytest.mark.parametrize(
    ("user", "password", "words"),
    [
        ("alice", "hunter\0two", "the password contains a NUL"),
        ("al\0ice", "hunter two", "the user name contains a NUL"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_not_shown(user: str, password: str, words: str) -> None:
    with pytest.raises(ClientConfigurationError, match=words) as caught:
        md5_password(user, password, SALT)
    assert "hunter" not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize("code", [0xD800, 0xDC7F, 0xDD00, 0xDFFF])
def test_a_lone_surrogate_is_refused_and_nothing_shown(code: int) -> None:
    with pytest.raises(ClientConfigurationError, match="contains a lone surrogate") as caught:
        encode_credential("hunter" + chr(code), "password")
    assert "hunter" not in repr(caught.value) + str(caught.value)
    assert caught.value.__context__ is None  # a UnicodeEncodeError would hold the text


@given(st.binary())
def test_bytes_that_are_not_utf8_come_back(raw: bytes) -> None:
    raw = raw.replace(b"\0", b"")
    assert encode_credential(raw.decode("utf-8", "surrogateescape"), "password") == raw


def test_examples_in_the_docstrings() -> None:
    results = doctest.testmod(password_module)
    assert (results.failed, results.attempted) == (0, 2)
