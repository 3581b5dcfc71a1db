"""The objects of the module `ipaddress`, made from numbers without running their constructors.

Those are Python code that takes apart anything that can stand for an address. What they would set
is set from here, and when this module is imported it is compared with what they do set: with a
Python that has changed them, they are called.
"""

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Any


class Family:
    """IPv4 or IPv6: how many bits an address has, and the three classes.

    `direct`: whether the constructors can be done without. `masks`: the netmask of each length.
    """

    __slots__ = ("address_type", "direct", "interface_type", "masks", "network_type", "width")

    width: int
    address_type: Any
    interface_type: Any
    network_type: Any
    direct: bool
    masks: list[Any]

    def __init__(self, width: int, address: Any, interface: Any, network: Any) -> None:
        self.width = width
        self.address_type = address
        self.interface_type = interface
        self.network_type = network
        self.masks = [network((0, bits)).netmask for bits in range(width + 1)]
        self.direct = True
        self.direct = self.is_faithful()

    def is_faithful(self) -> bool:
        """Whether what is made here is what the constructors make."""
        number = int(self.masks[8])
        pairs = [(self.address(number), self.address_type(number))]
        for bits in (24, self.width - 1, self.width):
            pairs.append((self.interface(number, bits), self.interface_type((number, bits))))
            pairs.append((self.network(number, bits), self.network_type((number, bits))))
        return all(state(made) == state(constructed) for made, constructed in pairs)

    def address(self, number: int) -> Any:
        """An address."""
        if not self.direct:
            return self.address_type(number)
        made = self.address_type.__new__(self.address_type)
        self.fill(made, number)
        return made

    def interface(self, number: int, bits: int) -> Any:
        """An address within a network, whose netmask has so many bits."""
        if not self.direct:
            return self.interface_type((number, bits))
        made = self.interface_type.__new__(self.interface_type)
        self.fill(made, number)
        mask = self.masks[bits]
        made.network = self.network(number & mask._ip, bits)
        made.netmask = mask
        made._prefixlen = bits
        return made

    def network(self, number: int, bits: int) -> Any:
        """A network; ValueError if anything is set to the right of its netmask."""
        mask = self.masks[bits]
        if not self.direct or number & mask._ip != number:
            return self.network_type((number, bits))
        made = self.network_type.__new__(self.network_type)
        made.network_address = self.address(number)
        made.netmask = mask
        made._prefixlen = bits
        if bits == self.width:
            made.hosts = [made.network_address].copy
        elif bits == self.width - 1:
            made.hosts = made.__iter__
        return made

    def fill(self, made: Any, number: int) -> None:
        made._ip = number
        if self.width == 128:
            made._scope_id = None


def state(made: Any) -> tuple[Any, ...]:
    """The class of an object and all its attributes; for the method `hosts` what it returns."""
    kind: type[Any] = made.__class__
    names = {name for each in kind.__mro__ for name in vars(each).get("__slots__", ())}
    names |= getattr(made, "__dict__", {}).keys()
    held: dict[str, Any] = {name: getattr(made, name, None) for name in names - {"__weakref__"}}
    if "hosts" in held:
        held["hosts"] = list(held["hosts"]())
    return kind, held


V4 = Family(32, IPv4Address, IPv4Interface, IPv4Network)
V6 = Family(128, IPv6Address, IPv6Interface, IPv6Network)
