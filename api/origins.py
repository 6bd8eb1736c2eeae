"""From where a request comes: its connection's other end, or whom a trusted proxy names."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from service.settings import Network

UNKNOWN = "unknown"


@lru_cache(maxsize=1024)
def origin_of(peer: str, forwarded: str | None, trusted: Sequence[Network]) -> str:
    """The client's address. ``peer``: the connection's other end; ``forwarded``: X-Forwarded-For.

    Each proxy adds whom it heard at the end, so the client is the last that is no trusted proxy.
    Whatever stands before that anybody may have written.
    """
    found = _address(peer)
    if found is None:
        return UNKNOWN
    for text in reversed((forwarded or "").split(",")):
        if not _is_in(found, trusted):
            break
        before = _address(text.strip())
        if before is None:
            break
        found = before
    return f"{found}"


def is_trusted(peer: str, trusted: Sequence[Network]) -> bool:
    """Whether a connection's other end is one of our own proxies."""
    found = _address(peer)
    return found is not None and _is_in(found, trusted)


def _is_in(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    # IPv4, as a socket of both kinds tells it.
    return getattr(found, "ipv4_mapped", None) or found
