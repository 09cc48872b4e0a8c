"""Groups of peers that are treated as one: an attacker with one address usually has the neighbouring ones."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

__all__ = ["peer_class"]

_IPV4_BITS = 24
_IPV6_BITS = 48


def peer_class(peer: str | None) -> str:
    """The network of a peer's address: its /24 or its /48; ``""`` if it is no address, as for a unix socket."""
    try:
        address = ip_address(peer or "")
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    bits = _IPV6_BITS if isinstance(address, IPv6Address) else _IPV4_BITS
    return str(ip_network(f"{address}/{bits}", strict=False))
