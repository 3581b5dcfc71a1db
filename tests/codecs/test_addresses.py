"""Addresses made without constructors: nobody can tell them from those that constructors make."""

from __future__ import annotations

import copy
import ipaddress
import pickle
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

from pgallop.codecs._oids import OIDS
from pgallop.codecs.addresses import V4, V6, state
from pgallop.codecs.builtin import builtin_registry

ADDRESSES = ["0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "2001:db8::ff", "::ffff:1.2.3.4"]
INTERFACES = ["10.1.2.3/0", "10.1.2.3/8", "10.1.2.3/30", "10.1.2.3/31", "::1/0", "2001:db8::1/127"]
NETWORKS = ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.0/30", "10.1.2.2/31", "10.1.2.3/32", "::/0"]
NETWORKS += ["2001:db8::/32", "2001:db8::/126", "2001:db8::/127", "2001:db8::1/128"]

EXPECTED: list[tuple[str, Any]] = [
    *(("inet", ip_address(text)) for text in ADDRESSES),
    *(("inet", ip_interface(text)) for text in INTERFACES),
    *(("cidr", ip_network(text)) for text in NETWORKS),
]


@pytest.fixture(params=[True, False], ids=["directly", "by constructors"])
def made(request: pytest.FixtureRequest) -> Iterator[None]:
    assert (V4.direct, V6.direct) == (True, True)  # this Python's classes are known
    V4.direct = V6.direct = request.param
    yield
    V4.direct = V6.direct = True


def read(name: str, value: Any) -> Any:
    codec = builtin_registry().get(OIDS[name])
    return codec.loads(codec.dumps(value))


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(("name", "value"), EXPECTED, ids=str)
def test_made_as_constructed(name: str, value: Any) -> None:
    read_value = read(name, value)
    assert (read_value, str(read_value), hash(read_value)) == (value, str(value), hash(value))
    assert state(read(name, value)) == state(type(value)(str(value)))
    for twin in (copy.copy(read_value), copy.deepcopy(read_value)):
        assert twin == value
    assert pickle.loads(pickle.dumps(read_value)) == value


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("text", ["10.0.0.0/29", "10.0.0.0/30", "10.0.0.0/31", "10.0.0.0/32"])
def test_networks_work(text: str) -> None:
    network, expected = read("cidr", ip_network(text)), ip_network(text)
    assert list(network.hosts()) == list(expected.hosts())
    assert list(network) == list(expected)
    assert network.broadcast_address == expected.broadcast_address
    assert network.hostmask == expected.hostmask
    assert list(network.subnets(new_prefix=32)) == list(expected.subnets(new_prefix=32))
    assert network.overlaps(expected)
    assert network.subnet_of(ip_network("10.0.0.0/8"))
    assert network.supernet(new_prefix=8) == ip_network("10.0.0.0/8")


@pytest.mark.usefixtures("made")
def test_interfaces_work() -> None:
    interface = read("inet", ip_interface("10.1.2.3/24"))
    assert interface.network == ip_network("10.1.2.0/24")
    assert interface.ip == ip_address("10.1.2.3")
    assert interface.with_netmask == "10.1.2.3/255.255.255.0"
    assert interface.network.prefixlen == 24


@pytest.mark.usefixtures("made")
def test_a_network_with_more_than_its_mask_covers() -> None:
    codec = builtin_registry().get(OIDS["cidr"])
    data = bytes([2, 8, 1, 4]) + ipaddress.IPv4Address("10.1.0.0").packed
    with pytest.raises(ValueError, match="has host bits set"):
        codec.loads(data)


def test_a_python_with_other_classes_is_noticed() -> None:
    class Address(ipaddress.IPv4Address):
        """What a later Python might have: one attribute more."""

        def __init__(self, address: Any) -> None:
            super().__init__(address)
            self.more = 1

    family = type(V4)
    known = family(32, ipaddress.IPv4Address, ipaddress.IPv4Interface, ipaddress.IPv4Network)
    other = family(32, Address, ipaddress.IPv4Interface, ipaddress.IPv4Network)
    assert (known.direct, other.direct) == (True, False)
