"""IP addresses in lines and labels: single addresses, networks and ranges."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from lokictl.lazy import lazy_pattern
from lokictl.logql.units import quote
from lokictl.logql.versions import DEFAULT, SHORT_IPV6, LokiVersion

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_V4_RUN = lazy_pattern(rb"[0-9.]+")
_V6_RUN = lazy_pattern(rb"[0-9a-fA-F:.]+")
_V6_HINT = lazy_pattern(rb"::[0-9a-fA-F]|[0-9a-fA-F]{1,4}:")


class IpPatternError(ValueError):
    """The pattern is not an address, network or range."""


def compile_ip(pattern: str, version: LokiVersion = DEFAULT) -> Callable[[bytes], bool]:
    """Whether a string holds an address that ``pattern`` covers.  Raises `IpPatternError`."""
    covers = _matcher(pattern)
    shortest = 2 if version.has(SHORT_IPV6) else 5

    def found(text: bytes) -> bool:
        position, length = 0, len(text)
        while position < length:
            run = _candidate(text, position, length, shortest)
            if run is None:
                position += 1
                continue
            address = _address(run)
            if address is not None and covers(address):
                return True
            position += len(run) + 1
        return False

    return found


def _candidate(text: bytes, position: int, length: int, shortest: int) -> str | None:
    left = length - position
    if left >= 4 and 0x30 <= text[position] <= 0x39 and b"." in text[position + 1 : position + 4]:
        matched = _V4_RUN.match(text, position)
        return matched[0].decode() if matched else None
    if left >= shortest and _V6_HINT.match(text, position):
        matched = _V6_RUN.match(text, position)
        return matched[0].decode() if matched else None
    return None


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _matcher(pattern: str) -> Callable[[Address], bool]:
    if "-" in pattern:
        low_text, _, high_text = pattern.partition("-")
        low, high = _address(low_text), _address(high_text)
        if low is None or high is None or low.version != high.version or int(low) > int(high):
            raise IpPatternError(f"ip: invalid pattern: {_quoted(pattern)}")
        first, last, version = int(low), int(high), low.version
        return lambda address: address.version == version and first <= int(address) <= last
    if "/" in pattern:
        try:
            network = ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            raise IpPatternError(f"ip: invalid pattern: {_quoted(pattern)}") from None
        return lambda address: address.version == network.version and address in network
    single = _address(pattern)
    if single is None:
        raise IpPatternError(f"ip: invalid pattern: {_quoted(pattern)}")
    return lambda address: address == single


def _quoted(text: str) -> str:
    return quote(text)
