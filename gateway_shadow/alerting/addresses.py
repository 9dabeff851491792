"""Which addresses an alert may be sent to. Pure.

A tenant names a target, and the door stands inside somebody's network: without this a tenant could have it ask that
network's own machines. So an address must be one of the public internet, by IANA's registries for IPv4 and IPv6 and
also where an IPv4 address hides in an IPv6 one, and the connection must be encrypted; unless the operator has named the
host or the network in SPENDGATE_ALERTS_ALLOW. What is checked is the address that is then connected to.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

MAX_URL_CHARS = 2000
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
"""A last label that browsers and sockets take for a part of an IPv4 address."""
_URL = re.compile(r"[!-~]+", re.ASCII)
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")
_EXPECTED = "expected hosts such as hooks.internal, and networks such as 10.1.0.0/16, parted by commas"

Address = IPv4Address | IPv6Address


class BadUrl(ValueError):
    """An address that nothing may be sent to. The message says what was expected, and repeats nothing."""


@dataclass(frozen=True)
class Allowed:
    """What an operator allows beyond the public internet, also without encryption. ``hosts``: in lower case."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Allowed":
        """Of hosts and networks, parted by commas. Raises ValueError."""
        hosts: set[str] = set()
        networks: list[IPv4Network | IPv6Network] = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            try:
                networks.append(ipaddress.ip_network(part))
            except ValueError:
                if not _is_name(part):
                    raise ValueError(_EXPECTED) from None
                hosts.add(_folded(part))
        return cls(frozenset(hosts), tuple(networks))

    def names(self, host: str) -> bool:
        """Whether the operator has named this host."""
        return _folded(host) in self.hosts

    def permits(self, host: str, address: str, *, is_encrypted: bool) -> bool:
        """Whether to connect to ``address``, which is what ``host`` stands for."""
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if self.names(host) or any(found in network for network in self.networks):
            return True
        return is_encrypted and is_public(found)

    def require_url(self, url: str) -> None:
        """Refuse what could never be sent to; what a name stands for is looked at when it is sent to. Raises BadUrl."""
        if len(url) > MAX_URL_CHARS or not _URL.fullmatch(url):
            raise BadUrl(f"expected an address of at most {MAX_URL_CHARS} printable ASCII characters")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise BadUrl("expected an address such as https://example.com/alerts") from None
        if parts.scheme not in ("https", "http") or not host or parts.username is not None or parts.fragment:
            raise BadUrl("expected an address such as https://example.com/alerts, with no name or password in it")
        literal = _literal(host)
        if literal is None and not _is_name(host):
            raise BadUrl("expected the name of a host, or an address in its plain form")
        if parts.scheme == "http" and not self._may_be_plain(host, literal):
            raise BadUrl("expected https; an operator may allow a host or network in SPENDGATE_ALERTS_ALLOW")
        if literal is not None and not self.permits(host, str(literal), is_encrypted=parts.scheme == "https"):
            raise BadUrl("expected a public address; an operator may allow others in SPENDGATE_ALERTS_ALLOW")

    def _may_be_plain(self, host: str, literal: Address | None) -> bool:
        """A name may stand for an address in one of the networks; that is seen when it is looked up."""
        return self.names(host) or (bool(self.networks) if literal is None else True)


def is_public(address: Address) -> bool:
    """Whether it is one of the public internet, and so is every address that hides in it."""
    return all(
        each.is_global and not (each.is_multicast or each.is_loopback or each.is_link_local or each.is_unspecified)
        and (each in _NAT64 or not each.is_reserved)
        for each in _with_hidden(address)
    )  # fmt: skip


def _with_hidden(address: Address) -> Iterator[Address]:
    """The address, unless it only wraps another one, and the IPv4 addresses inside it."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    yield address
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_name(host: str) -> bool:
    folded = _folded(host)
    return _HOST.fullmatch(folded) is not None and not _NUMBER.fullmatch(folded.rpartition(".")[2])


def _folded(host: str) -> str:
    return host.lower().removesuffix(".")
