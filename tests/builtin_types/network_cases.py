"""inet, cidr, macaddr and macaddr8."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Interface,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any

from builtin_types.case import Case
from hypothesis import strategies as st

ADDRESSES = ["0.0.0.0", "255.255.255.255", "10.0.0.1", "::", "::1", "::ffff:1.2.3.4"]
ADDRESSES += ["2001:db8::1:0:0:1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
INTERFACES = ["10.1.2.3/8", "0.0.0.0/0", "10.1.2.3/32", "10.1.2.3/31", "::1/0", "::1/128", "::1/64"]
NETWORKS = ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "::/0", "2001:db8::/32", "::1/128"]

ADDRESS: st.SearchStrategy[Any] = st.ip_addresses()


@st.composite
def interfaces(draw: st.DrawFn) -> IPv4Interface | IPv6Interface:
    """An address with any netmask."""
    address = draw(ADDRESS)
    bits = draw(st.integers(0, address.max_prefixlen))
    return (IPv4Interface if isinstance(address, IPv4Address) else IPv6Interface)((address, bits))


def inet_kept(value: Any) -> Any:
    """An address with a full netmask is an address and no more."""
    if isinstance(value, IPv4Interface | IPv6Interface):
        return value.ip if value.network.prefixlen == value.max_prefixlen else value
    return value


def eight_bytes(value: str) -> str:
    """A macaddr as macaddr8."""
    return value if len(value) == 23 else f"{value[:8]}:ff:fe:{value[9:]}"


def macs(width: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=width, max_size=width).map(lambda data: data.hex(":"))


MAC, MAC8 = "08:00:2b:01:02:03", "08:00:2b:01:02:03:04:05"

CASES = [
    Case(
        "inet",
        [*map(ip_address, ADDRESSES), *map(ip_interface, INTERFACES)],
        ADDRESS | interfaces(),
        str,
        inet_kept,
    ),
    Case(
        "cidr",
        [ip_network(text) for text in NETWORKS],
        interfaces().map(lambda interface: interface.network),
        str,
    ),
    Case("macaddr", ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", MAC], macs(6), str),
    Case("macaddr8", ["ff:ff:ff:ff:ff:ff:ff:ff", MAC8, MAC], macs(8) | macs(6), str, eight_bytes),
]
