"""From the text forms of network addresses to their binary forms."""

import re
from binascii import unhexlify
from ipaddress import ip_address
from struct import pack

from pgallop.codecs.textual_scalars import Form, malformed

# An IPv6 address may end in the dotted form of an IPv4 one. What is no address in here,
# `ipaddress` tells.
INET = re.compile(rb"([0-9.]{7,15}|[0-9a-f:.]{2,45})(/(0|[1-9][0-9]{0,2}))?")

MACADDR = rb"[0-9a-f]{2}(:[0-9a-f]{2}){%d}"


def inet(name: str, *, is_cidr: bool) -> Form:
    """For addresses; a cidr always shows the length of its netmask, an inet a shorter one only."""

    def form(text: bytes) -> bytes:
        found = INET.fullmatch(text)
        if found is None or (is_cidr and not found[2]):
            raise malformed(text, f"the text of an {name}")
        try:
            address = ip_address(found[1].decode())
        except ValueError:
            raise malformed(text, f"the text of an {name}") from None
        data = address.packed
        bits = int(found[3]) if found[2] else 8 * len(data)
        if bits > 8 * len(data):
            raise malformed(text, f"the text of an {name}")
        family = 2 if len(data) == 4 else 3
        return pack("!BBBB", family, bits, is_cidr, len(data)) + data

    return form


def macaddr(name: str, width: int) -> Form:
    """For hardware addresses of `width` bytes."""
    pattern = re.compile(MACADDR % (width - 1))

    def form(text: bytes) -> bytes:
        if pattern.fullmatch(text) is None:
            raise malformed(text, f"the text of a {name}")
        return unhexlify(text.replace(b":", b""))

    return form


# By the type's name.
FORMS: dict[str, Form] = {
    "inet": inet("inet", is_cidr=False),
    "cidr": inet("cidr", is_cidr=True),
    "macaddr": macaddr("macaddr", 6),
    "macaddr8": macaddr("macaddr8", 8),
}
