"""The list of mechanisms that a server offers, and the choice."""

import doctest

import pytest

from pgallop.auth import sasl as sasl_module
from pgallop.auth.sasl import choose_mechanism, parse_mechanisms
from pgallop.errors import ProtocolError, UnsupportedClientFeatureError


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"SCRAM-SHA-256\0\0", ["SCRAM-SHA-256"]),
        (b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]),
        (b"A\0B_1-\0\0", ["A", "B_1-"]),
        (b"X" * 20 + b"\0\0", ["X" * 20]),
    ],
)
def test_parse_mechanisms(data: bytes, names: list[str]) -> None:
    assert parse_mechanisms(data) == names


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not terminated"),
        (b"\0", "offers no mechanism"),
        (b"\0\0", "a mechanism name"),
        (b"\0\0\0", "a mechanism name"),
        (b"SCRAM-SHA-256", "not terminated"),
        (b"SCRAM-SHA-256\0", "not terminated"),
        (b"SCRAM-SHA-256\0\0x", "not terminated"),
        (b"SCRAM-SHA-256\0\0\0", "a mechanism name"),
        (b"SCRAM-SHA-256\0\0EXTERNAL\0\0", "a mechanism name"),
        (b"\0SCRAM-SHA-256\0\0", "a mechanism name"),
        (b"scram-sha-256\0\0", "a mechanism name"),
        (b"SCRAM SHA\0\0", "a mechanism name"),
        (b"SCRAM-SHA-256\n\0\0", "a mechanism name"),
        (b"\xff\0\0", "a mechanism name"),
        (b"X" * 21 + b"\0\0", "a mechanism name"),
        (b"X\0" * 512 + b"\0", "1025 bytes"),
    ],
)
def test_a_malformed_list_of_mechanisms_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        parse_mechanisms(data)


@pytest.mark.parametrize(
    "offered", [["SCRAM-SHA-256"], ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"], ["X", "SCRAM-SHA-256"]]
)
def test_choose_mechanism(offered: list[str]) -> None:
    assert choose_mechanism(offered) == "SCRAM-SHA-256"


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        ([], "(none); supported: SCRAM-SHA-256"),
        (["OAUTHBEARER"], "OAUTHBEARER; supported"),
        (["SCRAM-SHA-1", "GSSAPI"], "SCRAM-SHA-1, GSSAPI; supported"),
    ],
)
def test_no_common_mechanism(offered: list[str], words: str) -> None:
    with pytest.raises(UnsupportedClientFeatureError) as caught:
        choose_mechanism(offered)
    assert words in str(caught.value)


def test_examples_in_the_docstrings() -> None:
    assert doctest.testmod(sasl_module) == (0, 2)
