"""inet, cidr, macaddr, macaddr8."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_interface,
    ip_network,
)
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.codec import Unencodable
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError

ADDRESS = b"\x0a\x01\x02\x03"

interfaces = st.one_of(
    st.builds(lambda ip, bits: ip_interface((ip, bits)), st.ip_addresses(v=4), st.integers(0, 32)),
    st.builds(lambda ip, bits: ip_interface((ip, bits)), st.ip_addresses(v=6), st.integers(0, 128)),
)


def host_of(interface: Any) -> Any:
    """What an inet is read as: an address where the netmask leaves nothing out."""
    return interface.ip if interface.network.num_addresses == 1 else interface


@settings(deadline=None)
@given(st.lists(interfaces, max_size=100))
def test_inet_is_the_same_on_the_server(
    oracle: Oracle, registry: Registry, values: list[Any]
) -> None:
    inet = registry.get(OIDS["inet"])
    data = [inet.dumps(value) for value in values]
    texts = [text or "" for text in oracle.text(inet.oid, data)]
    assert [ip_interface(text) for text in texts] == values
    # The server leaves the length of a whole netmask out.
    assert ["/" in text for text in texts] == ["/" in str(host_of(value)) for value in values]
    assert oracle.binary(inet.oid, [str(value) for value in values]) == data
    assert [inet.dumps(str(value)) for value in values] == data
    assert [inet.loads(item) for item in data] == [host_of(value) for value in values]
    assert [inet.dumps(inet.loads(item)) for item in data] == data


@settings(deadline=None)
@given(st.lists(interfaces, max_size=100))
def test_cidr_is_the_same_on_the_server(
    oracle: Oracle, registry: Registry, values: list[Any]
) -> None:
    cidr = registry.get(OIDS["cidr"])
    networks = [value.network for value in values]
    data = [cidr.dumps(network) for network in networks]
    assert [ip_network(text or "") for text in oracle.text(cidr.oid, data)] == networks
    assert oracle.binary(cidr.oid, [str(network) for network in networks]) == data
    assert [cidr.dumps(str(network)) for network in networks] == data
    assert [cidr.loads(item) for item in data] == networks


@pytest.mark.parametrize(
    ("value", "bits", "read"),
    [
        (IPv4Address("10.1.2.3"), 32, IPv4Address("10.1.2.3")),
        (IPv4Interface("10.1.2.3/32"), 32, IPv4Address("10.1.2.3")),
        (IPv4Interface("10.1.2.3/8"), 8, IPv4Interface("10.1.2.3/8")),
        (IPv4Network("10.1.2.3"), 32, IPv4Address("10.1.2.3")),
        ("10.1.2.3", 32, IPv4Address("10.1.2.3")),
        ("10.1.2.3/0", 0, IPv4Interface("10.1.2.3/0")),
        ("10.1.2.3/255.0.0.0", 8, IPv4Interface("10.1.2.3/8")),
    ],
)
def test_what_inet_takes(registry: Registry, value: object, bits: int, read: object) -> None:
    inet = registry.get(OIDS["inet"])
    data = bytes([2, bits, 0, 4]) + ADDRESS
    assert inet.dumps(value) == data
    assert (type(inet.loads(data)), inet.loads(data)) == (type(read), read)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (IPv4Network("10.0.0.0/8"), b"\2\x08\1\4\x0a\0\0\0"),
        (IPv4Interface("10.0.0.0/8"), b"\2\x08\1\4\x0a\0\0\0"),
        (IPv4Address("10.1.2.3"), b"\2\x20\1\4" + ADDRESS),
        ("10.1.2.3", b"\2\x20\1\4" + ADDRESS),
        ("10.0.0.0/8", b"\2\x08\1\4\x0a\0\0\0"),
        (IPv6Network("ff00::/8"), b"\3\x08\1\x10\xff" + bytes(15)),
        (IPv6Address("::1"), b"\3\x80\1\x10" + bytes(15) + b"\1"),
        (IPv6Interface("ff00::/8"), b"\3\x08\1\x10\xff" + bytes(15)),
    ],
)
def test_what_cidr_takes(registry: Registry, value: object, data: bytes) -> None:
    cidr = registry.get(OIDS["cidr"])
    assert cidr.dumps(value) == data
    assert type(cidr.loads(data)) in (IPv4Network, IPv6Network)
    assert cidr.dumps(cidr.loads(data)) == data


def test_a_network_is_an_element_and_no_array(registry: Registry) -> None:
    """It can be iterated over."""
    codec = registry.get(ARRAYS["cidr"])
    value = [[IPv4Network("10.0.0.0/30")], [None]]
    assert codec.loads(codec.dumps(value)) == value


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("inet", 5, "expected ipaddress's addresses, .* got int"),
        ("inet", ADDRESS, "got bytes"),
        ("inet", (ADDRESS, 8), "got tuple"),
        ("inet", IPv6Address("fe80::1%eth0"), "has a scope"),
        ("inet", "fe80::1%eth0", "has a scope"),
        ("inet", "10.1", "not the text of an IP address"),
        ("inet", "10.1.2.3/33", "not the text of an IP address"),
        ("inet", "", "not the text of an IP address"),
        ("inet", "\ud800", "not the text of an IP address"),
        ("cidr", 5, "expected ipaddress's networks, .* got int"),
        ("cidr", IPv6Network("fe80::%eth0/128"), "has a scope"),
        ("cidr", IPv4Interface("10.1.2.3/8"), "bits set to the right of its netmask"),
        ("cidr", "10.1.2.3/8", "anything set to the right of its netmask"),
        ("cidr", "10/8", "not the text of a network"),
    ],
)
def test_what_is_refused(registry: Registry, name: str, value: object, reason: str) -> None:
    with pytest.raises(Unencodable, match=reason) as caught:
        registry.get(OIDS[name]).dumps(value)
    assert caught.value.value is value
    if "not the text" in reason:
        assert caught.value.hint == f"cast in SQL: $n::text::{name}"


# --- macaddr, macaddr8 ----------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.binary(min_size=8, max_size=8), max_size=100))
def test_macaddrs_are_the_same_on_the_server(
    oracle: Oracle, registry: Registry, values: list[bytes]
) -> None:
    for name, width in (("macaddr", 6), ("macaddr8", 8)):
        codec = registry.get(OIDS[name])
        data = [value[:width] for value in values]
        texts = [codec.loads(item) for item in data]
        assert texts == oracle.text(codec.oid, data)
        assert [codec.dumps(text) for text in texts] == data
        assert oracle.binary(codec.oid, texts) == data


# The ways that PostgreSQL's documentation gives.
MACADDRS = [
    *("08:00:2b:01:02:03", "08-00-2b-01-02-03", "08002b:010203", "08002b-010203"),
    *("0800.2b01.0203", "0800-2b01-0203", "08002b010203", "08:00:2B:01:02:03"),
]
MACADDR8S = [
    *("08:00:2b:01:02:03:04:05", "08-00-2b-01-02-03-04-05", "08002b:0102030405"),
    *("08002b-0102030405", "0800.2b01.0203.0405", "0800-2b01-0203-0405", "08002b01:02030405"),
    *("08002b0102030405", "08:00:2B:01:02:03:04:05"),
]


@pytest.mark.parametrize(
    ("name", "texts"), [("macaddr", MACADDRS), ("macaddr8", [*MACADDRS, *MACADDR8S])]
)
def test_every_spelling_is_taken(
    oracle: Oracle, registry: Registry, name: str, texts: list[str]
) -> None:
    codec = registry.get(OIDS[name])
    data = [codec.dumps(text) for text in texts]
    assert oracle.text(codec.oid, data) == oracle.text(codec.oid, oracle.binary(codec.oid, texts))


@pytest.mark.parametrize(
    "value",
    [
        *("", "08", "08:00:2b:01:02", "08:00:2b:01:02:03:04", "08:00-2b:01:02:03", "8:0:2b:1:2:3"),
        *(":08002b010203", "08002b010203:", "08::002b010203", "08:00:2b:01:02:0g", "08002b01020"),
        *("08002b010203\n", " 08002b010203", "\u0660\u0668002b010203", "080:02b010203", "\ud800"),
    ],
)
def test_what_is_no_macaddr(registry: Registry, value: str) -> None:
    for name in ("macaddr", "macaddr8"):
        with pytest.raises(Unencodable, match=f"not a {name}: ") as caught:
            registry.get(OIDS[name]).dumps(value)
        assert caught.value.value is value
        with pytest.raises(Unencodable, match="expected str, such as"):
            registry.get(OIDS[name]).dumps(5)
    with pytest.raises(Unencodable, match="not a macaddr: 12 hexadecimal"):
        registry.get(OIDS["macaddr"]).dumps(MACADDR8S[0])


# --- what no server sends -------------------------------------------------------------------------

INET4 = b"\2\x20\0\4" + ADDRESS
INET6 = b"\3\x80\0\x10" + bytes(16)


@pytest.mark.parametrize("whole", [INET4, INET6])
@pytest.mark.parametrize("name", ["inet", "cidr"])
def test_each_truncation_and_each_wrong_byte(registry: Registry, name: str, whole: bytes) -> None:
    codec = registry.get(OIDS[name])
    codec.loads(whole)
    wrong = [whole[:size] for size in range(len(whole))] + [whole + b"\0", b""]
    for i, allowed in enumerate([{whole[0]}, set(range(whole[1] + 1)), None, {whole[3]}]):
        if allowed is not None:
            others = set(range(256)) - allowed
            wrong += [whole[:i] + bytes([byte]) + whole[i + 1 :] for byte in others]
    for data in wrong:
        with pytest.raises(ProtocolError):
            codec.loads(data)


def test_whether_it_is_a_cidr_does_not_matter(registry: Registry) -> None:
    """The server does not look at it either."""
    for byte in (0, 1, 255):
        data = bytes([2, 32, byte, 4]) + ADDRESS
        assert registry.get(OIDS["inet"]).loads(data) == IPv4Address("10.1.2.3")
        assert registry.get(OIDS["cidr"]).loads(data) == IPv4Network("10.1.2.3/32")


def test_a_cidr_with_bits_beside_its_netmask(registry: Registry) -> None:
    with pytest.raises(ValueError, match="has host bits set"):
        registry.get(OIDS["cidr"]).loads(b"\2\x08\1\4" + ADDRESS)


@pytest.mark.parametrize(("name", "width"), [("macaddr", 6), ("macaddr8", 8)])
def test_macaddrs_of_another_size(registry: Registry, name: str, width: int) -> None:
    for size in {*range(17)} - {width}:
        with pytest.raises(ProtocolError, match=f"{name} of {size} bytes instead of {width}"):
            registry.get(OIDS[name]).loads(bytes(size))
