"""inet and cidr as what the module `ipaddress` has for them; macaddr and macaddr8 as str.

An inet or cidr on the wire: its family (2 for IPv4, 3 for IPv6), the length of its netmask, whether
it is a cidr (which the server does not look at), how many bytes its address has, and these. A
macaddr is 6 bytes, a macaddr8 is 8.
Source: network_send and network_recv in the server's network.c, mac.c, mac8.c.
"""

import re
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any, NoReturn

from pgallop.codecs import cascii
from pgallop.codecs._oids import OIDS
from pgallop.codecs.addresses import V4, V6, Family
from pgallop.codecs.codec import Codec
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

ADDRESSES = (IPv4Address, IPv6Address)
INTERFACES = (IPv4Interface, IPv6Interface)
NETWORKS = (IPv4Network, IPv6Network)

# PostgreSQL's own numbers (PGSQL_AF_INET), the same on every system.
IPV4, IPV6 = 2, 3

# Six or eight pairs of hexadecimal digits. Between them may stand what stands behind the first
# group, or nothing: that covers every spelling in PostgreSQL's documentation.
MACADDR = re.compile(
    r"(?=[0-9A-Fa-f]*([:.-]?))(?:[0-9A-Fa-f]{2}\1?){5}[0-9A-Fa-f]{2}(?:(?:\1?[0-9A-Fa-f]{2}){2})?"
)
SEPARATORS = dict.fromkeys(map(ord, ":.-"))

COLON = 0x3A
HEXADECIMAL = b"0123456789abcdef"


class NetworkCodec(Codec):
    """What inet and cidr share: the form on the wire."""

    __slots__ = ("is_cidr", "v4", "v6")

    is_cidr: bool
    v4: Family
    v6: Family

    def __init__(self, oid: int, name: str, accepts: str, is_cidr: bool) -> None:
        super().__init__(oid, name, accepts)
        self.is_cidr = is_cidr
        self.v4 = V4
        self.v6 = V6

    def write_network(self, writer: Writer, value: Any, address: Any, bits: int) -> None:
        """Write the `address` of `value` with a netmask of so many bits."""
        data = address.packed
        if len(data) == 16 and address.scope_id is not None:
            self.refuse(value, "has a scope, which PostgreSQL's addresses do not have")
        writer.write_byte(IPV4 if len(data) == 4 else IPV6)
        writer.write_byte(bits)
        writer.write_byte(self.is_cidr)
        writer.write_byte(len(data))
        writer.write_bytes(data)

    def decode(self, reader: Reader, size: int) -> Any:
        family = reader.read_byte()
        bits = reader.read_byte()
        reader.read_byte()  # whether it is a cidr
        width = reader.read_byte()
        if width != (4 if family == IPV4 else 16) or family not in (IPV4, IPV6):
            raise ProtocolError(
                f"the server sent an {self.name} of the family {family} with {width} bytes"
            )
        if size != 4 + width or bits > 8 * width:
            raise ProtocolError(
                f"the server sent an {self.name} with a netmask of {bits} bits and an address of "
                f"{width} bytes in {size} bytes"
            )
        number = int.from_bytes(reader.read_bytes(width), "big")
        kind = self.v4 if width == 4 else self.v6
        if self.is_cidr:
            return kind.network(number, bits)
        if bits == kind.width:
            return kind.address(number)
        return kind.interface(number, bits)

    def refuse_text(self, text: str, expected: str) -> NoReturn:
        self.refuse(text, f"not the text of {expected}", f"cast in SQL: $n::text::{self.name}")


class InetCodec(NetworkCodec):
    """A host: an address, or an interface if its netmask is shorter than that.

    Also taken are networks, and the texts of all of these.
    """

    __slots__ = ()

    def __init__(self, oid: int, name: str) -> None:
        accepts = "ipaddress's addresses, interfaces, networks, or their text"
        super().__init__(oid, name, accepts, is_cidr=False)

    def encode(self, writer: Writer, value: Any) -> None:
        given = self.parse(value) if isinstance(value, str) else value
        if isinstance(given, INTERFACES):
            self.write_network(writer, value, given, given.network.prefixlen)
        elif isinstance(given, ADDRESSES):
            self.write_network(writer, value, given, given.max_prefixlen)
        elif isinstance(given, NETWORKS):
            self.write_network(writer, value, given.network_address, given.prefixlen)
        else:
            self.refuse(value)

    def parse(self, text: str) -> Any:
        try:
            return ip_interface(text) if "/" in text else ip_address(text)
        except ValueError:
            self.refuse_text(text, "an IP address, with a netmask or not")


class CidrCodec(NetworkCodec):
    """A network. Also taken are its text, an address as the network of it alone, and interfaces.

    Nothing is set to the right of the netmask.
    """

    __slots__ = ()

    def __init__(self, oid: int, name: str) -> None:
        accepts = "ipaddress's networks, addresses, or their text"
        super().__init__(oid, name, accepts, is_cidr=True)

    def encode(self, writer: Writer, value: Any) -> None:
        given = self.parse(value) if isinstance(value, str) else value
        if isinstance(given, INTERFACES):
            address = given.packed
            given = given.network
            if address != given.network_address.packed:
                self.refuse(
                    value,
                    "has bits set to the right of its netmask",
                    "pass the network that it is in: value.network",
                )
        if isinstance(given, NETWORKS):
            self.write_network(writer, value, given.network_address, given.prefixlen)
        elif isinstance(given, ADDRESSES):
            self.write_network(writer, value, given, given.max_prefixlen)
        else:
            self.refuse(value)

    def parse(self, text: str) -> Any:
        try:
            return ip_network(text)
        except ValueError:
            self.refuse_text(text, "a network without anything set to the right of its netmask")


class MacaddrCodec(Codec):
    """A hardware address as PostgreSQL shows it: "08:00:2b:01:02:03".

    `width`: how many bytes it has. Taken are all ways to write it that PostgreSQL's documentation
    has, and, as there, one of 6 bytes for one of 8.
    """

    __slots__ = ("width",)

    width: int

    def __init__(self, oid: int, name: str, width: int) -> None:
        super().__init__(oid, name, "str, such as '08:00:2b:01:02:03'")
        self.width = width

    def encode(self, writer: Writer, value: Any) -> None:
        if not isinstance(value, str):
            self.refuse(value)
        data = b""
        if MACADDR.fullmatch(value) is not None:
            data = bytes.fromhex(str.translate(value, SEPARATORS))
        if len(data) != self.width and len(data) != 6:
            self.refuse(
                value,
                f"not a {self.name}: {2 * self.width} hexadecimal digits in pairs, with one of : - "
                ". between them or nothing",
            )
        writer.write_bytes(data)

    def decode(self, reader: Reader, size: int) -> Any:
        width = self.width
        if size != width:
            raise ProtocolError(f"the server sent a {self.name} of {size} bytes instead of {width}")
        pos = reader.take(width)
        text = cascii.new_ascii(3 * width - 1)
        target = cascii.base(text)
        for i in range(width):
            byte = reader.base[pos + i]
            if i:
                target[3 * i - 1] = COLON
            target[3 * i] = HEXADECIMAL[byte >> 4]
            target[3 * i + 1] = HEXADECIMAL[byte & 15]
        return cascii.filled(text)


def register(registry: Registry) -> None:
    registry.add(InetCodec(OIDS["inet"], "inet"))
    registry.add(CidrCodec(OIDS["cidr"], "cidr"))
    registry.add(MacaddrCodec(OIDS["macaddr"], "macaddr", 6))
    registry.add(MacaddrCodec(OIDS["macaddr8"], "macaddr8", 8))
